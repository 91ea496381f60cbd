"""The symbolic properties as their files have them, and the seeded bugs that refute them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.invariants.compiler import ROOT, Replacement

FOLDER = Path("tests") / "symbolic"
_PROPERTY = re.compile(r"((?: +/// [^\n]*\n)+) +function (check_\w+)\(")
_NOTICE = re.compile(r" */// (?:@notice )?")


@dataclass(frozen=True, slots=True)
class Property:
    """A `check_` function: what it says, and the file and contract that it stands in."""

    name: str
    says: str
    file: str
    contract: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A seeded bug, and the property that it refutes.

    The bugs of one `tree` are all in the contracts at once: they touch different functions, and none reaches the
    property of another.
    """

    what: str
    refutes: str
    tree: str
    changes: tuple[Replacement, ...]


def _properties(file: Path) -> list[Property]:
    text = file.read_text(encoding="utf-8")
    contract = re.findall(r"^contract (\w+Test) ", text, re.MULTILINE)[0]
    return [
        Property(name, " ".join(_NOTICE.sub("", line) for line in notice.splitlines()), file.name, contract)
        for notice, name in _PROPERTY.findall(text)
    ]


def _fault(file: Path) -> Fault:
    document = json.loads(file.read_text(encoding="utf-8"))
    changes = tuple(Replacement(**change) for change in document["changes"])
    return Fault(document["what"], document["refutes"], document["tree"], changes)


PROPERTIES = {one.name: one for file in sorted((ROOT / FOLDER).glob("*.t.sol")) for one in _properties(file)}
FAULTS = {file.stem: _fault(file) for file in sorted((ROOT / FOLDER / "bugs").glob("*.json"))}


def changed(tree: str) -> dict[str, str]:
    """The texts of the files that the bugs of a tree change; each change must have its place exactly once."""
    texts: dict[str, str] = {}
    for fault in FAULTS.values():
        if fault.tree != tree:
            continue
        for change in fault.changes:
            text = texts.get(change.file) or (ROOT / change.file).read_text(encoding="utf-8")
            if text.count(change.find) != 1:
                places = text.count(change.find)
                raise ValueError(f"{change.file} has {places} places that say {change.find!r}, one is wanted")
            texts[change.file] = text.replace(change.find, change.replace)
    return texts
