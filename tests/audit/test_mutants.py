"""What the audit says of mutants: which are made, how many may be no program, which are tried again, and after what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.audit import mutants
from scripts.audit.mutation import ledger, python, solidity, trial
from scripts.audit.mutation.ledger import INVALID, SURVIVED, Ledger, hash_of
from scripts.audit.mutation.mutant import Mutant
from scripts.audit.mutation.suites import HARNESSES
from scripts.audit.results import Part
from tests.invariants.compiler import compile_edits, read_source

FILE = "contracts/libraries/WadMath.sol"


def ledger_of(results: Mapping[str, str]) -> Ledger:
    """One of mutants that nobody makes."""
    one = Ledger(FILE, "", dict(results))
    one.mutants = {name: Mutant(name, FILE, 1, "f", "boundary", "<", "<=", "") for name in results}
    return one


def results(*, killed: int = 0, invalid: int = 0) -> dict[str, str]:
    return {f"k{i}": "fuzz" for i in range(killed)} | {f"i{i}": INVALID for i in range(invalid)}


# ---------------------------------------------------------------------- which are made


@pytest.mark.parametrize("library", ["LegSet", "Ranking", "RollingMax"])
def test_what_a_statement_is_left_out_of_compiles(library: str) -> None:
    """In blocks, as the only statement behind an `if`, and at the end of a `for`."""
    file = f"contracts/libraries/{library}.sol"
    left_out = [mutant for mutant in solidity.mutants_of(file) if mutant.replacement in ("{}", "")]
    assert {mutant.replacement for mutant in left_out} == {"{}", ""}
    made = compile_edits({mutant.id: {file: mutant.text} for mutant in left_out}, HARNESSES)
    assert [mutant.original for mutant in left_out if isinstance(made[mutant.id], str)] == []


def test_an_id_does_not_depend_on_other_mutants() -> None:
    """It is of the file, the function, the change, and of the how manieth of its kind it is."""
    change = (0, 1, "boundary", "<=", ".C.f")
    source = b"< < >"
    (alone,) = mutant_ids(source, [change])
    both = mutant_ids(source, [(4, 5, "boundary", ">=", ".C.f"), change])
    twice = mutant_ids(source, [change, (2, 3, "boundary", "<=", ".C.f"), change])
    assert alone == both[0] == twice[0]
    assert len({*both, *twice}) == 3


def test_results_of_what_is_no_mutant_any_more_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of the file is the same, but how mutants are made of it is not."""
    known = next(iter(solidity.mutants_of(FILE))).id
    entries = [{"id": known, "result": "fuzz"}, {"id": "0" * 12, "result": INVALID}]
    document = {"file": FILE, "hash": hash_of(FILE), "mutants": entries}
    (tmp_path / "WadMath.json").write_text(json.dumps(document))
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    assert Ledger.open(FILE).results == {known: "fuzz"}


def mutant_ids(source: bytes, changes: list[tuple[int, int, str, str, str]]) -> list[str]:
    return [mutant.id for mutant in solidity.named(FILE, source, changes)]


# ---------------------------------------------------------------------- how many may be no program


@pytest.mark.parametrize(
    ("killed", "invalid", "is_too_many"), [(95, 5, False), (94, 6, True), (18, 1, True), (0, 0, False)]
)
def test_no_more_are_invalid_than_may_survive(killed: int, invalid: int, is_too_many: bool) -> None:
    one = ledger_of(results(killed=killed, invalid=invalid))
    assert one.has_too_many_invalid() is is_too_many
    said = [f"{FILE}: {invalid} of {killed + invalid} mutants do not compile, at most 5 % may"]
    assert one.faults() == (said if is_too_many else [])


@pytest.mark.parametrize(("invalid", "share"), [(5, "5.0 %"), (6, "6.0 %")])
def test_the_table_has_the_share_of_invalid_ones(invalid: int, share: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ledger_of(results(killed=100 - invalid, invalid=invalid))
    monkeypatch.setattr(mutants, "TARGETS", [FILE])
    monkeypatch.setattr(Ledger, "open", lambda _: one)
    monkeypatch.setattr(mutants, "_sample", lambda *_: [])
    part = mutants.run()
    (row,) = part.rows
    assert (
        row.found
        == f"guards 0 of 0, others {100 - invalid} of {100 - invalid} killed, {invalid} of 100 invalid ({share})"
    )
    assert part.holds is row.holds is (invalid == 5)


# ---------------------------------------------------------------------- which are tried again


def test_invalid_ones_are_drawn_too() -> None:
    one = ledger_of(results(killed=200, invalid=30))
    chosen = mutants.drawn([one])
    assert len(chosen) == len({name for _, name in chosen}) == mutants.SAMPLE
    assert sum(one.results[name] == INVALID for _, name in chosen) == mutants.OF_INVALID
    assert mutants.drawn([one]) == chosen


def test_where_there_are_fewer_all_are_drawn() -> None:
    one = ledger_of(results(killed=3, invalid=2))
    assert sorted(name for _, name in mutants.drawn([one])) == sorted(one.results)


@pytest.mark.parametrize(
    ("now", "kept", "differs"),
    [
        ("fuzz of rings", "fuzz of fills", False),
        (SURVIVED, SURVIVED, False),
        (INVALID, INVALID, False),
        (SURVIVED, INVALID, True),
        ("fuzz of rings", INVALID, True),
        (INVALID, SURVIVED, True),
        (SURVIVED, "fuzz of rings", True),
        (INVALID, "fuzz of rings", True),
    ],
)
def test_a_result_is_another(now: str, kept: str, differs: bool) -> None:
    assert mutants.is_other(now, kept) is differs


def as_in_the_ledger(file: str, names: list[str]) -> dict[str, str]:
    """In place of the suites: survivors, but for those whose names say that they are killed."""
    assert file == FILE
    return {name: "fuzz" if name.startswith("k") else SURVIVED for name in names}


def test_a_survivor_that_git_calls_invalid_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "control", nothing)
    monkeypatch.setattr(mutants, "try_all", as_in_the_ledger)
    part = Part("mutants")
    plain, again = mutants._sample([ledger_of(results(killed=20, invalid=1))], part)
    assert plain.holds
    assert (again.found, again.holds) == ("20 of 21 as in git", False)
    assert part.faults == ["mutant i0 is alive, in git invalid"]


# ---------------------------------------------------------------------- and after what


def nothing(what: str) -> str:
    return ""


def something(what: str) -> str:
    return "fuzz of rings" if what == FILE else ""


def never(file: str, names: list[str]) -> dict[str, str]:
    raise AssertionError("no mutant is to be tried")


def test_nothing_is_tried_again_while_the_sources_themselves_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "control", something)
    monkeypatch.setattr(mutants, "try_all", never)
    part = Part("mutants")
    plain, again = mutants._sample([ledger_of(results(killed=20))], part)
    assert (plain.runs, plain.found, plain.holds) == (2, "1 of 2 without a fault", False)
    assert (again.runs, again.holds) == (0, False)
    assert part.faults == [f"without a mutant there is in {FILE}: fuzz of rings"]


def test_every_suite_of_a_mutant_has_its_control() -> None:
    contract, library, module = "contracts/ADLEngine.sol", FILE, "backstop/math/wad.py"
    assert trial.controls([module]) == [module]
    assert trial.controls([contract]) == [trial.CONTRACTS]
    # What no harness calls is tried on the deployed contracts.
    assert trial.controls([library, contract, module]) == [library, module, trial.CONTRACTS]


def test_a_control_notices_what_a_mutant_of_a_library_would_be_noticed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial.control(FILE) == ""
    (first, *_) = (mutant for mutant in solidity.mutants_of(FILE) if mutant.kind == "arithmetic")
    monkeypatch.setattr(trial, "read_source", lambda file: first.text if file == FILE else read_source(file))
    assert trial.control(FILE).startswith("fuzz of ")


def test_a_module_as_it_is_is_noticed_by_nothing() -> None:
    module = "backstop/math/round.py"
    assert trial.control(module) == ""
    (first, *_) = (mutant for mutant in python.mutants_of(module) if mutant.kind == "arithmetic")
    assert trial.try_all(module, [first.id])[first.id]
