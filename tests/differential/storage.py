"""Where contracts keep what they keep, as the compiler lays it out, and a chain asked as if other words stood there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import solcx
from eth_utils.crypto import keccak

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint

from .harness import word

ROOT = Path(__file__).parents[2]
SOLC = "0.8.37"
_IMPORTED = re.compile(r'^import [^"]*"([^"]+)";', re.MULTILINE)

Words = dict[int, int]  # slot: word


class Layout:
    """The storage of one contract."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._variables = {variable["label"]: variable for variable in document["storage"]}
        self._types = document["types"]

    def words(self, variable: str, keys: Sequence[int], value: int | Sequence[int] | Mapping[str, int]) -> Words:
        """The words that hold a number, an array of words or a struct, under the keys of the mappings that lead there.

        Whole words: what else stands in them is zero. Raises OverflowError for a value that its type cannot hold.
        """
        slot, kind = int(self._variables[variable]["slot"]), self._variables[variable]["type"]
        for key in keys:
            slot, kind = _hash(word(key) + word(slot)), self._types[kind]["value"]
        if isinstance(value, Mapping):
            return self._struct(slot, kind, value)
        if isinstance(value, Sequence):
            first = _hash(word(slot))
            return {slot: len(value), **{first + place: item for place, item in enumerate(value)}}
        return {slot: self._bits(kind, value)}

    def _struct(self, slot: int, kind: str, fields: Mapping[str, int]) -> Words:
        members = {member["label"]: member for member in self._types[kind]["members"]}
        words: Words = {}
        for name, value in fields.items():
            member = members[name]
            at = slot + int(member["slot"])
            words[at] = words.get(at, 0) | self._bits(member["type"], value) << 8 * member["offset"]
        return words

    def _bits(self, kind: str, value: int) -> int:
        plain = self._types[kind]
        stored = value.to_bytes(int(plain["numberOfBytes"]), "big", signed=plain["label"].startswith("int"))
        return int.from_bytes(stored, "big")


def layouts(*files: str) -> dict[str, Layout]:
    """The layouts of the contracts in source files below `contracts/`, by name."""
    wanted = [f"contracts/{file}" for file in files]
    job = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in _sources(wanted).items()},
        # Nothing but the layout, so that no code is generated.
        "settings": {"outputSelection": {name: {"*": ["storageLayout"]} for name in wanted}},
    }
    compiled = solcx.compile_standard(job, solc_version=SOLC)["contracts"]
    return {
        contract: Layout(compiled[name][contract]["storageLayout"]) for name in wanted for contract in compiled[name]
    }


def _sources(names: list[str]) -> dict[str, str]:
    """Source files and all that they import, under the names by which they import each other."""
    found: dict[str, str] = {}
    missing = list(names)
    while missing:
        name = missing.pop()
        folder = ROOT / "node_modules" if name.startswith("@") else ROOT
        found[name] = (folder / name).read_text(encoding="utf-8")
        for path in _IMPORTED.findall(found[name]):
            imported = posixpath.normpath(f"{posixpath.dirname(name)}/{path}") if path.startswith(".") else path
            if imported not in found:
                missing.append(imported)
    return found


class ImaginedChain(Endpoint):
    """A node that answers every call as if other words stood in the storage of some contracts."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._overrides: dict[str, Any] = {}

    def imagine(self, storage: Mapping[str, Words]) -> None:
        """From now on, and instead of what was imagined before; by address."""
        self._overrides = {
            address: {"stateDiff": {_hex(slot): _hex(stored) for slot, stored in words.items()}}
            for address, words in storage.items()
        }

    def request(self, method: str, *params: Any) -> Any:
        """The raw result of a request."""
        overrides = (self._overrides,) if method == "eth_call" else ()
        return super().request(method, *params, *overrides)

    def check(self, deployment: Deployment) -> None:
        """Nothing: only storage is imagined, and the code was there when it was deployed."""


def _hash(data: bytes) -> int:
    return int.from_bytes(keccak(data), "big")


def _hex(number: int) -> str:
    return "0x" + word(number).hex()
