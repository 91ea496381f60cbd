"""Each policy closes what it should, and the measures say what a hand would work out."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from backstop.adl.planning import plan
from backstop.adl.snapshot import Account, MarginMode, Position, Snapshot
from backstop.math.wad import WAD
from backstop.policies import study as side_by_side
from backstop.policies.allocation import ALLOCATE, Holdings, Policy, by_gain, by_gain_and_leverage, by_queue, fill_up
from backstop.policies.measures import FEE, PARTS, dodge, measure, paid_by, split_equally, split_thin
from backstop.policies.october import WaveCoin, read_event
from backstop.policies.population import Book, draw_books, due_snapshot
from backstop.policies.study import CALL, Gas, study

MARK = 100 * WAD
ROW = WaveCoin(1, "ETH", 10 * WAD, 5 * WAD)  # ten contracts, five each: fifty are needed


def short(number: int, contracts: int, entry: int, margin: int) -> Account:
    position = Position("ETH", -contracts * WAD, -contracts * entry * WAD)
    return Account(f"0x{number:064x}", MarginMode.ISOLATED, margin * WAD, (position,))


def state(*accounts: Account) -> Snapshot:
    return due_snapshot(ROW, MARK, accounts)


HAND = state(
    short(1, 6, 110, 60),  # gains 60, equity 120, leverage 5
    short(2, 8, 120, 640),  # gains 160, equity 800, leverage 1
    short(3, 4, 90, 400),  # loses 40
)


def test_queue_is_what_the_contracts_would_close() -> None:
    [planned] = plan(HAND)
    assert by_queue(HAND).tolist() == [6, 4, 0]
    assert [fill.contracts // WAD for fill in planned.fills] == [6, 4]
    assert planned.adl_price == 105 * WAD


def test_pro_rata_is_by_gain_and_never_of_more_than_is_held() -> None:
    assert by_gain(HAND) == pytest.approx([60 / 220 * 10, 160 / 220 * 10, 0])
    small = state(short(1, 6, 110, 60), short(2, 1, 900, 640), short(3, 40, 90, 8000))
    assert by_gain(small) == pytest.approx([6, 1, 3])  # both gainers whole, and the rest of who does not gain


def test_risk_aware_weighs_the_gain_by_the_leverage() -> None:
    book = state(short(1, 12, 110, 120), short(2, 8, 120, 640))
    weights = np.array([120 * 1200 / 240, 160 * 800 / 800])
    assert by_gain_and_leverage(book) == pytest.approx(10 * weights / weights.sum())
    assert by_gain_and_leverage(HAND) == pytest.approx([6, 4, 0])  # the first has no more than six


def test_bankrupt_accounts_are_closed_by_nobody() -> None:
    book = state(short(1, 20, 110, 60), short(2, 50, 50, 60))
    assert Holdings.of(book).equity[1] < 0
    for policy in Policy:
        assert ALLOCATE[policy](book).tolist() == [10, 0], policy


def test_fill_up_shares_what_the_full_cannot_take() -> None:
    weights, most = np.array([5.0, 3.0, 2.0, 0.0]), np.array([1.0, 10.0, 1.5, 10.0])
    found = fill_up(8.0, weights, most)
    assert found == pytest.approx([1, 5.5, 1.5, 0])
    assert fill_up(100.0, weights, most) == pytest.approx([1, 10, 1.5, 0])
    draws = Random(3)
    for _ in range(200):
        some = np.array([draws.random() for _ in range(9)]) ** 3
        room = np.array([draws.random() for _ in range(9)])
        wanted = draws.random() * room.sum()
        taken = fill_up(wanted, some, room)
        assert taken.sum() == pytest.approx(wanted)
        assert (taken <= room + 1e-12).all()


def test_what_is_given_up_is_the_gap_for_each_contract() -> None:
    paid = paid_by(HAND, Policy.QUEUE)
    assert paid.given.tolist() == [30, 20, 0]
    assert paid.gain.tolist() == [60, 160, -40]
    assert paid.leverage == pytest.approx([5, 1, 400 / 360])


def test_splits_and_dodges_keep_contracts_and_money() -> None:
    for change, cost in ((split_equally, 0.0), (split_thin, 0.0), (dodge, FEE * 800)):
        accounts = change(HAND, 1)
        assert accounts is not None
        after = Holdings.of(replace(HAND, accounts=accounts))
        before = Holdings.of(HAND)
        assert after.contracts.sum() == pytest.approx(before.contracts.sum())
        assert after.equity.sum() == pytest.approx(before.equity.sum() - cost)
        assert len(accounts) == {split_equally: 2 + PARTS, split_thin: 4, dodge: 3}[change]
    assert split_thin(state(short(1, 20, 99, 4), short(2, 8, 120, 640)), 0) is None
    assert dodge(state(short(1, 600, 90, 6010), short(2, 8, 120, 640)), 0) is None


def test_probes_say_what_would_be_saved() -> None:
    book = Book(ROW, HAND, (1, 2, 3))
    queue = measure(book, Policy.QUEUE, probe=True)
    assert [probe.before for probe in queue.dodge] == [30, 20]
    # Without a gain the first comes after the second, who has eight; and the second still before the one that loses.
    assert [probe.after for probe in queue.dodge] == [10, 20]
    assert queue.dodge[0].cost == pytest.approx(FEE * 600)
    assert [probe.after for probe in queue.equal] == [30, 20]
    assert measure(book, Policy.QUEUE, probe=False).dodge == ()


def test_gas_is_by_call_and_by_counterparty() -> None:
    gas = Gas(500_000, 20_000)
    assert [gas.of(count) for count in (0, 1, CALL, CALL + 1)] == [
        0,
        500_000,
        500_000 + 20_000 * (CALL - 1),
        1_000_000 + 20_000 * (CALL - 1),
    ]


def test_study_is_the_same_whatever_runs_it_and_sums_what_its_books_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "PROBED_BOOKS", 4)
    event = read_event()
    few = replace(event, rows=tuple(row for row in event.rows if row.wave == 5))
    found = study(few, 3, Gas(500_000, 20_000))

    def backwards(function: object, tasks: object) -> object:
        """As workers of different speed would end."""
        done = [function(task) for task in list(tasks)[::-1]]  # type: ignore[operator,call-overload]
        return iter(done[::-1])

    again = study(few, 3, Gas(500_000, 20_000), backwards)  # type: ignore[arg-type]
    books = draw_books(few.rows, 3)
    assert again.rounds == found.rounds
    assert [one.top for one in again.policies] == [one.top for one in found.policies]
    assert found.given_over_needed == 1
    for one in found.policies:
        assert one.accounts == sum(len(book.users) for book in books)
        assert one.given == pytest.approx(one.needed)
        closed = [ALLOCATE[one.policy](book.snapshot) for book in books]
        assert one.hit == sum(int(np.count_nonzero(each)) for each in closed)
        assert one.equal_split.tries == one.dodge.tries == 3 * 4
        assert 0 < one.haircuts[-1] < 1
    assert sum(wave.counterparties for wave in found.waves) == sum(one.counterparties for one in found.rounds)
