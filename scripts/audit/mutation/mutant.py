"""A mutant, and how those of a file are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

GUARD = "guard"  # what refuses is taken out: a revert, a require, a modifier, a raise

Change = tuple[int, int, str, str, str]  # start and end in bytes, kind, replacement, name of the function


@dataclass(frozen=True, slots=True)
class Mutant:
    """A source with a part replaced. `id` stays the same when other parts of the file change."""

    id: str
    file: str
    line: int
    function: str
    kind: str
    original: str
    replacement: str
    text: str


def named(file: str, source: bytes, changes: Iterable[Change]) -> list[Mutant]:
    """The mutants that the changes make of a source, in the order of their places, each once."""
    made, seen = [], Counter[str]()
    for start, end, kind, replacement, scope in sorted(set(changes)):
        original = source[start:end].decode()
        what = "\0".join((file, scope, kind, original, replacement))
        seen[what] += 1
        name = sha256(f"{what}\0{seen[what]}".encode()).hexdigest()[:12]
        text = (source[:start] + replacement.encode() + source[end:]).decode()
        line = source[:start].count(b"\n") + 1
        made.append(Mutant(name, file, line, scope.rpartition(".")[2], kind, original, replacement, text))
    return made
