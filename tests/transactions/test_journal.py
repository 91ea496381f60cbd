"""The journal by itself: what it keeps, what it refuses, and that a commit is on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, event, inspect, text

from backstop.errors import JournalError, LockLostError
from backstop.transactions.fees import Fees
from backstop.transactions.journal import KEPT, OPEN, Intent, Journal, Mined, State
from backstop.transactions.lock import only_process
from backstop.transactions.schema import intents
from backstop.transactions.signers import Signed

KEEPER, TWIN, TARGET = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20
LARGE = 3 * 10**24  # wei past 64 bits


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def journal(request: pytest.FixtureRequest) -> Iterator[Journal]:
    """An empty journal in either database; the latter where it is installed."""
    opened = Journal() if request.param == "SQLite" else Journal(request.getfixturevalue("postgres_url"))
    yield opened
    opened.close()


def planned(journal: Journal, sender: str = KEEPER, at: int = 1000) -> Intent:
    """An intent."""
    return journal.plan(1, sender, TARGET, b"\x01", name="count", gas=50_000, at=at)


def signed(journal: Journal, intent: Intent, nonce: int, fees: Fees, raw: bytes = b"raw") -> str:
    """An attempt's hash."""
    hash_ = "0x" + (raw + bytes([intent.id, nonce, fees.tip % 256])).hex()
    journal.sign(intent.id, nonce, Signed(raw, hash_), fees, gas=50_000, cancels=False, block=1, at=1000)
    return hash_


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_everything_is_there_for_the_next_process(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_file = database == "SQLite"
    place = str(tmp_path / "journal.sqlite") if is_file else str(request.getfixturevalue("postgres_url"))
    journal = Journal(place)
    intent = planned(journal)
    signed(journal, intent, 7, Fees(LARGE, 5))
    journal.broadcast(journal.attempts(intent.id)[0])
    journal.close()
    again = Journal(place, create=False)
    (found,) = again.all()
    assert (found.to, found.data, found.name, found.nonce) == (TARGET, b"\x01", "count", 7)
    assert found.state is State.BROADCAST
    (attempt,) = again.attempts(found.id)
    assert (attempt.raw, attempt.fees, attempt.nonce) == (b"raw", Fees(LARGE, 5), 7)
    assert attempt.broadcast_wall is not None
    again.mine(found.id, Mined("0xab", 9, "0xcd", 1100, LARGE, True), cancels=False)
    assert (again.intent(found.id).state, again.intent(found.id).cost) == (State.MINED, LARGE)


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_keepers_that_start_at_once_may_share_a_new_one(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_file = database == "SQLite"
    for number in range(8 if is_file else 1):
        place = str(tmp_path / f"{number}.sqlite") if is_file else str(request.getfixturevalue("postgres_url"))
        together = Barrier(4)

        def open_and_plan(keeper: int, place: str = place, together: Barrier = together) -> None:
            together.wait()
            journal = Journal(place)
            planned(journal, sender=f"0x{keeper:040x}")
            journal.close()

        with ThreadPoolExecutor(4) as keepers:
            list(keepers.map(open_and_plan, range(4)))
        journal = Journal(place, create=False)
        assert {intent.sender for intent in journal.all()} == {f"0x{keeper:040x}" for keeper in range(4)}
        journal.close()


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_one_process_for_each_key(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    is_file = database == "SQLite"
    place = str(tmp_path / "journal.sqlite") if is_file else str(request.getfixturevalue("postgres_url"))
    first, second = Journal(place), Journal(place)
    with only_process(first, 1, KEEPER):
        with only_process(second, 1, TWIN):
            pass
        with (
            pytest.raises(JournalError, match=f"another keeper runs with the key of {KEEPER}"),
            only_process(second, 1, KEEPER),
        ):
            pytest.fail("two at once")
    with only_process(second, 1, KEEPER):
        pass
    first.close()
    second.close()


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_a_place_that_was_lost_is_taken_anew_or_given_up(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A server that restarts forgets its locks; a file that is deleted is another file's place."""
    is_file = database == "SQLite"
    place = str(tmp_path / "journal.sqlite") if is_file else str(request.getfixturevalue("postgres_url"))
    first, second = Journal(place), Journal(place)

    def lose() -> None:
        if is_file:
            (lock,) = tmp_path.glob("*.lock")
            lock.unlink()
            return
        with second._engine.connect() as connection:
            held = connection.execute(text("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")).scalars().all()
            assert [connection.execute(text(f"SELECT pg_terminate_backend({pid})")).scalar() for pid in held] == [True]

    with only_process(first, 1, KEEPER) as hold:
        hold.check()
        lose()
        hold.check()  # nobody has it: it is taken again, and holds
        with pytest.raises(JournalError, match="another keeper runs"), only_process(second, 1, KEEPER):
            pytest.fail("two at once")
        lose()
        with only_process(second, 1, KEEPER) as others:
            with pytest.raises(LockLostError, match=f"another keeper runs with the key of {KEEPER}"):
                hold.check()
            others.check()
    first.close()
    second.close()


def test_commits_are_written_ahead_and_synchronised(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal.sqlite"))
    with journal._engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL


def test_two_intents_do_not_share_a_nonce_while_both_are_open(journal: Journal) -> None:
    """A key and a journal that two processes use by mistake: the one that writes first has the nonce."""
    first, second = planned(journal), planned(journal)
    signed(journal, first, 0, Fees(10, 1))
    with pytest.raises(JournalError, match="has another open transaction with nonce 0: is the key used twice"):
        signed(journal, second, 0, Fees(20, 2))
    assert journal.attempts(second.id) == []
    assert journal.intent(second.id).state is State.PLANNED
    # Another key's nonces are its own, and one that was given up is free.
    signed(journal, planned(journal, TWIN), 0, Fees(10, 1))
    journal.give_up(journal.intent(first.id), "refused")
    signed(journal, second, 0, Fees(20, 2))
    assert journal.next_nonce(1, KEEPER) == 1


def test_closed_intents_are_not_signed_any_more(journal: Journal) -> None:
    intent = planned(journal)
    journal.give_up(intent, "another process was faster")
    with pytest.raises(JournalError, match="transaction 1 of the journal is closed"):
        signed(journal, intent, 0, Fees(10, 1))


def test_spending_is_what_was_paid_and_the_most_that_is_open(journal: Journal) -> None:
    old, new, waiting, planned_only = (planned(journal) for _ in range(4))
    for nonce, (intent, at) in enumerate([(old, 100), (new, 101)]):
        signed(journal, intent, nonce, Fees(10, 1))
        journal.mine(intent.id, Mined("0xab", 9, "0xcd", at, 1000 + at, True), cancels=False)
    signed(journal, waiting, 2, Fees(10, 1))
    signed(journal, waiting, 2, Fees(12, 3))
    assert journal.spent(1, KEEPER, 100) == 1101 + 50_000 * 12
    assert journal.spent(1, KEEPER, 99) == 1100 + 1101 + 50_000 * 12
    assert journal.paid(1, KEEPER, 100) == 1101
    assert journal.reserved(1, KEEPER) == {2: 50_000 * 12}
    assert journal.spent(1, TWIN, 0) == journal.spent(2, KEEPER, 0) == 0
    assert journal.intent(planned_only.id).state is State.PLANNED


def test_block_that_was_taken_back_leaves_no_cost_and_is_lost_where_its_nonce_is_gone(journal: Journal) -> None:
    first, second = planned(journal), planned(journal)
    signed(journal, first, 0, Fees(10, 1))
    journal.mine(first.id, Mined("0xab", 9, "0xcd", 100, 1000, True), cancels=False)
    journal.reopen(first.id)
    assert journal.intent(first.id).state is State.BROADCAST
    journal.mine(first.id, Mined("0xab", 9, "0xcd", 100, 1000, True), cancels=False)
    signed(journal, second, 0, Fees(20, 2))
    journal.reopen(first.id)
    found = journal.intent(first.id)
    assert (found.state, found.cost, found.mined_block) == (State.LOST, None, None)


def test_what_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, whatever it is called", encoding="utf-8")
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE somebody (id INTEGER)").connection.commit()
    newer = tmp_path / "newer.sqlite"
    Journal(str(newer)).close()
    sqlite3.connect(newer).execute("UPDATE journal_version SET version = 3").connection.commit()
    for place, create, words in (
        (tmp_path / "missing.sqlite", False, "there is no journal at"),
        (tmp_path / "nowhere" / "journal", True, "there is no folder"),
        (tmp_path / "text", True, "file is not a database"),
        (tmp_path, True, "unable to open database file"),
        (other, False, "is no journal of transactions"),
        (newer, True, "is of version 3, this is of 2"),
        ("mysql://host/db", True, "a journal is a SQLite file or a PostgreSQL, not mysql"),
        ("postgresql://host:port/journal", True, "the URL of the journal cannot be read"),
        ("postgresql://keeper:hunter2@127.0.0.1:1/journal", True, "cannot open the journal postgresql"),
    ):
        with pytest.raises(JournalError, match=words) as fault:
            Journal(str(place), create=create)
        assert "\n" not in str(fault.value)
        assert "hunter2" not in str(fault.value)


# ------------------------------------------------------------------ what was reserved, what is forgotten


def test_one_of_a_nonce_is_reserved_until_one_is_mined_and_again_when_that_is_taken_back(journal: Journal) -> None:
    first, second = planned(journal), planned(journal)
    signed(journal, first, 0, Fees(20, 1))
    journal.give_up(journal.intent(first.id), "preempted")
    assert journal.reserved(1, KEEPER) == {0: 50_000 * 20}
    signed(journal, second, 0, Fees(30, 2))
    assert journal.reserved(1, KEEPER) == {0: 50_000 * 30}
    journal.mine(second.id, Mined("0xab", 9, "0xcd", 100, 1000, True), cancels=False)
    assert (journal.reserved(1, KEEPER), journal.spent(1, KEEPER, 0)) == ({}, 1000)
    journal.reopen(second.id)
    assert journal.spent(1, KEEPER, 0) == 50_000 * 30
    for intent in (first, second):
        journal.settle(journal.intent(intent.id))
    assert journal.spent(1, KEEPER, 0) == 0


def final(journal: Journal, nonce: int, at: int, sender: str = KEEPER) -> Intent:
    """One that is mined and settled."""
    intent = planned(journal, sender, at)
    signed(journal, intent, nonce, Fees(10, 1))
    journal.mine(intent.id, Mined("0xab", 9, "0xcd", at + 10, 1000, True), cancels=False)
    journal.settle(journal.intent(intent.id))
    return intent


def test_only_what_is_settled_and_old_is_forgotten_and_never_the_highest_nonce(journal: Journal) -> None:
    begun = 1_000_000
    old, waits, given_up = final(journal, 0, begun), planned(journal, at=begun), planned(journal, at=begun)
    signed(journal, waits, 1, Fees(10, 1))
    journal.give_up(given_up, "never signed")
    others = final(journal, 0, begun, TWIN)
    highest = final(journal, 2, begun)
    assert journal.prune(1, KEEPER) == 0
    # Planned a moment before what is kept; mined within it.
    edge = planned(journal, at=begun + 20)
    newest = planned(journal, at=begun + 20 + KEPT)
    assert journal.prune(1, KEEPER) == 2
    assert [intent.id for intent in journal.all()] == [waits.id, others.id, highest.id, edge.id, newest.id]
    assert journal.attempts(old.id) == []
    assert len(journal.attempts(waits.id)) == 1
    assert journal.next_nonce(1, KEEPER) == 3
    assert journal.prune(1, KEEPER) == 0


def test_it_is_forgotten_a_few_at_a_time(journal: Journal) -> None:
    row = {"chain_id": 1, "sender": KEEPER, "to": TARGET, "data": b"", "name": "", "gas": 1, "state": State.DROPPED}
    with journal._engine.begin() as connection:
        rows = [row | {"planned_at": at, "planned_wall": 0.0, "is_settled": True} for at in range(450)]
        connection.execute(intents.insert(), rows)
    planned(journal, at=KEPT + 450)
    assert [journal.prune(1, KEEPER) for _ in range(4)] == [200, 200, 50, 0]
    assert len(journal.all()) == 1


def test_list_takes_the_last_ones(journal: Journal) -> None:
    numbers = [planned(journal).id for _ in range(4)]
    assert [intent.id for intent in journal.all(last=3)] == numbers[1:]
    journal.give_up(journal.intent(numbers[-1]), "never signed")
    assert [intent.id for intent in journal.all(only_open=True, last=2)] == numbers[1:3]


# ------------------------------------------------------------------ the one before

_ADDED = {"unsettled_intents_of_a_key", "nonces_of_a_key", "paid_by_a_key", "oldest_of_a_key"}


def as_first_version(engine: Engine) -> None:
    """What version 1 had not is taken away."""
    with engine.begin() as connection:
        for index in _ADDED:
            connection.execute(text(f"DROP INDEX {index}"))
        connection.execute(text("ALTER TABLE intents DROP COLUMN passed_block"))
        connection.execute(text("UPDATE journal_version SET version = 1"))


@pytest.mark.parametrize("create", [True, False], ids=["by a keeper", "by a command"])
@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_journal_of_version_1_is_brought_up_to_date_when_it_is_opened(
    database: str, create: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_file = database == "SQLite"
    place = str(tmp_path / "journal.sqlite") if is_file else str(request.getfixturevalue("postgres_url"))
    journal = Journal(place)
    intent = final(journal, 7, 1000)
    as_first_version(journal._engine)
    journal.close()
    again = Journal(place, create=create)
    assert (again.intent(intent.id).state, again.intent(intent.id).passed_block) == (State.FINAL, None)
    again.passed(intent.id, 12)
    assert again.intent(intent.id).passed_block == 12
    assert {str(index["name"]) for index in inspect(again._engine).get_indexes("intents")} >= _ADDED
    again.close()
    Journal(place, create=create).close()


# ------------------------------------------------------------------ as it grows


def test_what_is_asked_for_at_every_block_goes_by_an_index_of_its_own(tmp_path: Path) -> None:
    """SQLite says which: one that holds everything of a key would get slower with what is long settled."""
    journal = Journal(str(tmp_path / "journal.sqlite"))
    asked: list[tuple[str, object]] = []
    event.listen(journal._engine, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
    for look, index in (
        (lambda: journal.of(1, KEEPER, OPEN), "unsettled_intents_of_a_key"),
        (lambda: journal.unsettled(1, KEEPER), "unsettled_intents_of_a_key"),
        (lambda: journal.reserved(1, KEEPER), "unsettled_intents_of_a_key"),
        (lambda: journal.paid(1, KEEPER, 0), "paid_by_a_key (chain_id=? AND sender=? AND mined_at>?)"),
        (lambda: journal.next_nonce(1, KEEPER), "nonces_of_a_key"),
        (lambda: journal.offered(1, KEEPER, 7), "nonces_of_a_key (chain_id=? AND sender=? AND nonce=?)"),
    ):
        asked.clear()
        look()
        ((statement, values),) = asked
        with journal._engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        assert f"INDEX {index}" in plan[0][3], plan
