"""What became of the mutants of a file, kept in git under the hash of the file that they were made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from tests.invariants.compiler import ROOT, read_source

from . import python, solidity
from .mutant import GUARD, Mutant

FOLDER = ROOT / "tests" / "mutation"
JUSTIFIED = FOLDER / "justified.json", FOLDER / "justified-python.json"
LEAST_KILLED = 95  # of a hundred that are no guards
# Of a hundred with a result: no more than may survive, so that nothing is won by calling a survivor invalid.
MOST_INVALID = 100 - LEAST_KILLED
INVALID = "invalid"  # does not compile
SURVIVED = ""

TARGETS = [
    "contracts/ADLEngine.sol",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "contracts" / "libraries").glob("*.sol")),
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("adl", "math")
        for path in (ROOT / "backstop" / folder).glob("*.py")
        if path.name != "__init__.py"
    ),
]


@dataclass
class Ledger:
    """The results of one file, by mutant: what noticed it, `SURVIVED`, or `INVALID`."""

    file: str
    hash: str
    results: dict[str, str]

    @classmethod
    def open(cls, file: str) -> Ledger:
        """As it was left; of mutants of another text of the file nothing is taken over."""
        ledger = cls(file, hash_of(file), {})
        if ledger.path.is_file():
            document = json.loads(ledger.path.read_text(encoding="utf-8"))
            if document["hash"] == ledger.hash:
                results = {entry["id"]: entry["result"] for entry in document["mutants"]}
                # Of those that are still made: how mutants are made may have changed since.
                ledger.results = {name: result for name, result in results.items() if name in ledger.mutants}
        return ledger

    @property
    def path(self) -> Path:
        """Where it is kept."""
        # A module's with its package: `ranking.py` and `Ranking.sol` would be one file where case does not count.
        parts = Path(self.file).with_suffix("").parts
        return FOLDER / f"{'.'.join(parts) if is_python(self.file) else parts[-1]}.json"

    @cached_property
    def mutants(self) -> dict[str, Mutant]:
        """All of the file, by id."""
        make = python.mutants_of if is_python(self.file) else solidity.mutants_of
        return {mutant.id: mutant for mutant in make(self.file)}

    def missing(self) -> list[str]:
        """Mutants without a result."""
        return [name for name in self.mutants if name not in self.results]

    def survivors(self) -> list[str]:
        """Mutants that nothing has noticed."""
        return [name for name, result in self.results.items() if result == SURVIVED]

    def invalid(self) -> list[str]:
        """Mutants that do not compile."""
        return [name for name, result in self.results.items() if result == INVALID]

    def has_too_many_invalid(self) -> bool:
        """Whether so many are, that what makes mutants is at fault, or the ledger."""
        return 100 * len(self.invalid()) > MOST_INVALID * len(self.results)

    def counts(self, *, guards: bool) -> tuple[int, int, int]:
        """Mutants that compile, those of them that were noticed, and survivors that are justified."""
        kept = [
            (name, result)
            for name, result in self.results.items()
            if result != INVALID and (self.mutants[name].kind == GUARD) == guards
        ]
        justified = justifications()
        survivors = [name for name, result in kept if result == SURVIVED]
        return len(kept), len(kept) - len(survivors), sum(name in justified for name in survivors)

    def faults(self) -> list[str]:
        """Survivors that nobody has justified, and too many that do not compile."""
        justified = justifications()
        faults = [
            f"{self.file}:{self.mutants[name].line} ({name}, {self.mutants[name].kind}): "
            f"{_brief(self.mutants[name].original)} -> {_brief(self.mutants[name].replacement)} survived"
            for name in self.survivors()
            if name not in justified
        ]
        if self.has_too_many_invalid():
            share = f"{len(self.invalid())} of {len(self.results)} mutants do not compile"
            faults.append(f"{self.file}: {share}, at most {MOST_INVALID} % may")
        return faults

    def summary(self) -> str:
        """One line."""
        guards, others = self.counts(guards=True), self.counts(guards=False)
        killed = f"guards {guards[1]} of {guards[0]}, others {others[1]} of {others[0]} killed"
        return f"{self.file}: {killed}, {len(self.invalid())} of {len(self.results)} invalid"

    def write(self) -> None:
        """Into git's tree, one mutant a line."""
        FOLDER.mkdir(exist_ok=True)
        rows = []
        for mutant in self.mutants.values():
            if mutant.id in self.results:
                entry = {"id": mutant.id, "line": mutant.line, "kind": mutant.kind}
                entry |= {"from": _brief(mutant.original), "to": _brief(mutant.replacement)}
                entry |= {"result": self.results[mutant.id]}
                rows.append("    " + json.dumps(entry, ensure_ascii=False))
        head = f'{{\n  "file": {json.dumps(self.file)},\n  "hash": {json.dumps(self.hash)},\n  "mutants": [\n'
        part = self.path.with_suffix(".part")
        part.write_text(head + ",\n".join(rows) + "\n  ]\n}\n", encoding="utf-8")
        part.replace(self.path)


def is_python(file: str) -> bool:
    """Whether it is a module of the package, and no contract."""
    return file.endswith(".py")


def hash_of(file: str) -> str:
    """Of a source."""
    text = (ROOT / file).read_text(encoding="utf-8") if is_python(file) else read_source(file)
    return sha256(text.encode()).hexdigest()


def is_stale(file: str) -> bool:
    """Whether the file's results are of another text of it, or missing."""
    path = Ledger(file, "", {}).path
    return not path.is_file() or json.loads(path.read_text(encoding="utf-8"))["hash"] != hash_of(file)


def justifications() -> dict[str, str]:
    """Why survivors are no gap, by id."""
    reasons: dict[str, str] = {}
    for file in JUSTIFIED:
        if file.is_file():
            reasons |= json.loads(file.read_text(encoding="utf-8"))
    return reasons


def _brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:89] + "…"
