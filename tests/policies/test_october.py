"""The published tables, the population that is calibrated to them, and the queue's rounds on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backstop.adl.due import due_inventory
from backstop.errors import BackstopError
from backstop.math.wad import WAD
from backstop.policies.measures import exact_round
from backstop.policies.october import DATA, HELD, NOTIONAL, ROWS, USERS, WAVES, Event, read_event
from backstop.policies.population import COVER, Book, draw_books, shares


@pytest.fixture(scope="module")
def event() -> Event:
    return read_event()


@pytest.fixture(scope="module")
def books(event: Event) -> list[Book]:
    return draw_books(event.rows, 0)


def test_tables_are_the_published_ones(event: Event) -> None:
    """16 waves, 728 rows, 15,079,670 USD needed; production took 3.99 times that. Both tables agree on each wave."""
    assert (len(event.waves), len(event.rows)) == (16, 728)
    assert round(sum(wave.needed for wave in event.waves)) == 15_079_670
    assert round(sum(wave.taken for wave in event.waves)) == 60_108_335
    assert f"{event.taken_over_needed:.2f}" == "3.99"
    for wave in event.waves:
        own = sum(row.needed for row in event.rows if row.wave == wave.number) / WAD
        assert own == pytest.approx(wave.needed, rel=1e-9), wave.number


def test_population_is_as_concentrated_as_published(event: Event, books: list[Book]) -> None:
    """The largest 15.7 %, the ten largest 45.8 %, the hundred largest 77.6 % of the value that all users hold."""
    value = np.zeros(USERS + 1)
    for book in books:
        for user, account in zip(book.users, book.snapshot.accounts, strict=True):
            value[user] += -account.positions[0].size / WAD * (book.mark / WAD)
    parts = np.sort(value)[::-1].cumsum() / value.sum()
    for count, part in HELD.items():
        assert parts[count - 1] == pytest.approx(part, abs=1e-4), count
    assert np.count_nonzero(value) == USERS
    assert value.sum() == pytest.approx(COVER * NOTIONAL, rel=1e-3)
    assert shares().sum() == pytest.approx(1)
    assert (np.diff(shares()) < 0).all()


def test_same_seed_gives_the_same_books_and_another_seed_others(event: Event, books: list[Book]) -> None:
    few = event.rows[:40]
    assert draw_books(few, 5) == draw_books(few, 5)
    assert draw_books(few, 5) != draw_books(few, 6)


def test_every_round_closes_every_contract_for_exactly_what_is_needed(books: list[Book]) -> None:
    """Given up over needed is 1, to the wei, in every round; the price is where the gap says."""
    assert len(books) == 719
    for book in books[::7]:
        [due] = due_inventory(book.snapshot)
        assert due.compensation == book.row.needed
        found = exact_round(book)
        assert found.given == found.needed == book.row.needed
        assert found.contracts == book.row.contracts
        assert 1 <= found.counterparties < len(book.users)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (ROWS, WAVES):
        shutil.copy(DATA / name, tmp_path / name)
    return tmp_path


def _changed(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        file = folder / name
        file.write_text(change(file.read_text()))

    return write


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / ROWS).unlink(), "cannot read .*; --data names the folder"),
        (_changed(ROWS, lambda text: text.replace("qty_contracts", "qty")), "has no column 'qty_contracts'"),
        (_changed(ROWS, lambda text: text.splitlines()[0]), "has no lines"),
        (_changed(ROWS, lambda text: text.replace("84454.65", "many")), "line 2: qty_contracts is 'many', a number"),
        (_changed(ROWS, lambda text: text.replace("84454.65", "-1")), "line 2: qty_contracts is '-1'"),
        (_changed(WAVES, lambda text: "\n".join(text.splitlines()[:-1])), "wave 28 is in one of both tables only"),
    ],
)
def test_wrong_tables_are_told_by_file_and_line(folder: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(folder)
    with pytest.raises(BackstopError, match=said):
        read_event(folder)
