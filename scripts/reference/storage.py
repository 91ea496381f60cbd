"""docs/storage.md: what is kept where, by contract and by struct."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .compiled import DEPLOYED, Compiled, Contract, is_own
from .natspec import comment_of, said_of
from .words import WORDS

_MEANINGS, _PACKED = WORDS["meanings"], WORDS["packed"]
_TABLE = ["| slot | bits | name | type | what |", "| --- | --- | --- | --- | --- |"]


def storage_page(compiled: Compiled) -> str:
    """The text of the page."""
    page = _Page(compiled)
    lines = [WORDS["heads"]["storage"]]
    for contract in DEPLOYED:
        lines += page.contract(contract)
    lines += ["", "## Structs", "", "Slots are counted from that of the struct."]
    lines += page.structs()
    page.check_words()
    return "\n".join(lines) + "\n"


def layout_of(compiled: Compiled, file: str) -> dict[str, Any]:
    """The compiler's storage layout of a contract."""
    layout: dict[str, Any] = compiled.output(file)["storageLayout"]
    return layout


class _Page:
    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.variables = {
            node["id"]: (file, node) for file, node in compiled.nodes("VariableDeclaration") if node["stateVariable"]
        }
        self.definitions = {
            node["canonicalName"]: node for file, node in compiled.nodes("StructDefinition") if is_own(file)
        }
        self.reached: dict[str, dict[str, Any]] = {}
        self.types: dict[str, Any] = {}
        self.used: set[str] = set()

    def contract(self, contract: Contract) -> list[str]:
        layout = layout_of(self.compiled, contract.file)
        if not layout["storage"]:
            return []
        lines = ["", f"## {contract.name}", "", *_TABLE]
        for entry in layout["storage"]:
            file, node = self.variables[entry["astId"]]
            name = f"{contract.name}.{entry['label']}"
            said = said_of(node) if is_own(file) else "OpenZeppelin's."
            lines.append(self._row(entry, layout["types"], self._word(name, said)))
            self._reach(entry["type"], layout["types"])
        return lines + self._why(contract.name, layout["storage"])

    def structs(self) -> list[str]:
        lines: list[str] = []
        for name in sorted(self.reached):
            struct = self.reached[name]
            node = self.definitions[name]
            params = comment_of(node).params
            lines += ["", f"### {name}", "", self._word(name, said_of(node)), "", *_TABLE]
            for member in struct["members"]:
                said = params.get(member["label"], "")
                lines.append(self._row(member, self.types, self._word(f"{name}.{member['label']}", said)))
            lines += self._why(name, struct["members"])
        return lines

    def check_words(self) -> None:
        """Words that explain nothing any more are to go."""
        unused = sorted((_MEANINGS.keys() | _PACKED.keys()) - self.used)
        if unused:
            raise LookupError(f"scripts/reference/words.toml explains what is not there: {', '.join(unused)}")

    def _reach(self, type_name: str, types: dict[str, Any]) -> None:
        """Notes every struct of the project that a type is made of."""
        kind = types[type_name]
        for inner in ("key", "value", "base"):
            if inner in kind:
                self._reach(kind[inner], types)
        name = kind["label"].removeprefix("struct ")
        if "members" not in kind or name not in self.definitions or name in self.reached:
            return
        self.reached[name] = kind
        for member in kind["members"]:
            self._reach(member["type"], types)
        self.types |= types

    def _row(self, entry: dict[str, Any], types: dict[str, Any], what: str) -> str:
        kind = types[entry["type"]]
        low = 8 * int(entry["offset"])
        high = low + 8 * int(kind["numberOfBytes"]) - 1
        slots = -(-int(kind["numberOfBytes"]) // 32)
        slot = entry["slot"] if slots == 1 else f"{entry['slot']} to {int(entry['slot']) + slots - 1}"
        bits = "all" if high >= 255 and low == 0 else f"{low} to {high}"
        label = kind["label"].replace("struct ", "").replace("enum ", "").replace("contract ", "")
        return f"| {slot} | {bits} | `{entry['label']}` | `{label}` | {what} |"

    def _word(self, name: str, said: str) -> str:
        if name in _MEANINGS:
            self.used.add(name)
            return _MEANINGS[name]
        if not said:
            raise LookupError(f"nothing says what {name} is: neither a comment nor scripts/reference/words.toml")
        return said

    def _why(self, name: str, entries: list[dict[str, Any]]) -> list[str]:
        """Why values share slots, where any do."""
        shared: dict[str, int] = defaultdict(int)
        for entry in entries:
            shared[entry["slot"]] += 1
        if max(shared.values()) == 1:
            return []
        if name not in _PACKED:
            raise LookupError(f"nothing says why {name} is packed: scripts/reference/words.toml")
        self.used.add(name)
        return ["", f"*Packed so:* {_PACKED[name]}"]
