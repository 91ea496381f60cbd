"""Reading JSON without guessing: every value knows its path, every refusal names it.

Numbers stay text until a field asks for an integer, so neither a float nor a huge literal is ever made.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any, NoReturn, TypeVar

from backstop.errors import SnapshotError
from backstop.math.wad import parse_amount

_Choice = TypeVar("_Choice", bound=StrEnum)

_PLAIN_KEY = re.compile(r"[^\s.\[\]\"'\\]+")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,19}")
# Strings (also one that is never closed) and whatever else is not a bracket; possessive, so linear in any text.
_NO_BRACKETS = re.compile(r'(?:"(?:[^"\\]++|\\.)*+"?|[^\[\]{}"]++)++', re.DOTALL)
_MAX_DEPTH = 32
_SHOWN = 48


@dataclass(frozen=True, slots=True)
class _Number:
    """A JSON number as it was written (also `NaN` and `Infinity`, which are not JSON, but are read as if)."""

    text: str


class _Ambiguous(dict[str, Any]):
    """A JSON object with keys that were given twice."""

    duplicates: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    ambiguous = _Ambiguous(result)
    counts = Counter(key for key, _ in pairs)
    ambiguous.duplicates = tuple(key for key, count in counts.items() if count > 1)
    return ambiguous


@dataclass(slots=True)
class Node:
    """A JSON value and where it stands: `key` within `parent`; the root has neither."""

    value: Any
    parent: Node | None = None
    key: str | int = "$"

    @property
    def path(self) -> str:
        """The JSON path: `$.accounts[0].collateral`; a key that would be misread stands in brackets and quotes."""
        if self.parent is None:
            return "$"
        return _step(self.parent.path, self.key)

    def fail(self, message: str) -> NoReturn:
        """Refuses the file because of this value."""
        raise SnapshotError(self.path, message)

    def object(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """The members of an object that has all of `required` and none beyond `optional`."""
        members = self.members()
        for key, member in members.items():
            if key not in required and key not in optional:
                member.fail(f"unknown key: expected {_words([*required, *optional])}")
        for key in required:
            if key not in members:
                raise SnapshotError(_step(self.path, key), "missing: this key is required")
        return members

    def members(self) -> dict[str, Node]:
        """The members of an object of any keys; no key may stand twice."""
        if not isinstance(self.value, dict):
            self._refuse("an object")
        if isinstance(self.value, _Ambiguous):
            raise SnapshotError(_step(self.path, self.value.duplicates[0]), "duplicate key: keep one")
        return {key: Node(value, self, key) for key, value in self.value.items()}

    def items(self) -> list[Node]:
        """The items of an array."""
        if not isinstance(self.value, list):
            self._refuse("an array")
        return [Node(value, self, index) for index, value in enumerate(self.value)]

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            self._refuse("a string")
        return self.value

    def name(self) -> str:
        """A name or an id: a string that is not empty and prints on one line."""
        text = self.text()
        check_name(text, self.fail)
        return text

    def flag(self) -> bool:
        """`true` or `false`."""
        if not isinstance(self.value, bool):
            self._refuse("true or false")
        return self.value

    def integer(self) -> int:
        """A whole JSON number from 0 on."""
        if not isinstance(self.value, _Number) or not _INTEGER.fullmatch(self.value.text):
            self._refuse("a whole number, not in quotes")
        return int(self.value.text)

    def amount(self) -> int:
        """A decimal string, in WAD."""
        if isinstance(self.value, _Number):
            self.fail(f'{_shown(self.value)} is a JSON number: write the amount as a string, like "80.5"')
        if not isinstance(self.value, str):
            self._refuse("a decimal string")
        try:
            return parse_amount(self.value)
        except ValueError as fault:
            self.fail(_printable(str(fault)))

    def positive_amount(self) -> int:
        """A decimal string above zero, in WAD."""
        amount = self.amount()
        if amount <= 0:
            self.fail(f'"{self.value}" is not positive')
        return amount

    def unsigned_amount(self) -> int:
        """A decimal string from zero on, in WAD."""
        amount = self.amount()
        if amount < 0:
            self.fail(f'"{self.value}" is negative')
        return amount

    def choice(self, kind: type[_Choice]) -> _Choice:
        """One of the words of `kind`."""
        text = self.text()
        try:
            return kind(text)
        except ValueError:
            self._refuse(_words([member.value for member in kind]))

    def _refuse(self, expected: str) -> NoReturn:
        self.fail(f"{_shown(self.value)} is not {expected}")


def parse(text: str) -> Node:
    """The root of a JSON text. Raises SnapshotError at `$` where it is not JSON or nested beyond all use."""
    # The decoder recurses, and where the interpreter's limit was raised it overruns the stack before it notices.
    if _depth(text) > _MAX_DEPTH:
        raise SnapshotError("$", f"it is nested too deeply, beyond {_MAX_DEPTH} levels")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except json.JSONDecodeError as fault:
        raise SnapshotError("$", f"not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from None
    return Node(value)


def _depth(text: str) -> int:
    """How deep the brackets of a JSON text nest, those in strings aside; as far as the text is JSON."""
    brackets = _NO_BRACKETS.sub("", text)
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0)


def check_name(text: str, fail: Callable[[str], NoReturn]) -> None:
    """Calls `fail` unless `text` is not empty and printable: it goes into lists, tables and error lines."""
    if not text:
        fail("an empty string is not a name")
    if not text.isprintable():
        fail(f"{_shown(text)} has characters that do not print")


def _step(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.fullmatch(key) and key.isprintable():
        return f"{path}.{_cut(key)}"
    return f"{path}[{_cut(json.dumps(key))}]"


def _shown(value: Any) -> str:
    if isinstance(value, _Number):
        return _cut(value.text)
    if isinstance(value, str):
        return _cut(json.dumps(value, ensure_ascii=not value.isprintable()))
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return json.dumps(value)


def _printable(message: str) -> str:
    return message if message.isprintable() else json.dumps(message)[1:-1]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _words(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
