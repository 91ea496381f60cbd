"""What accounts bring to the pools: by hand, at the boundaries, and against plain Python, account by account."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from backstop.adl.snapshot import Account, Backing, MarginMode, Market, Pool, PoolKind, Position, Snapshot
from backstop.math.wad import WAD, parse_amount
from backstop.stress.book import Array, Book, CrossAccounts, read_book
from backstop.stress.cross import CrossBook
from backstop.stress.single import SingleBook
from backstop.stress.takings import Takings
from backstop.stress.terms import Terms

from .books import random_snapshot, terms

ETH, BTC = "ETH-USD", "BTC-USD"


def wad(amount: str) -> int:
    return parse_amount(amount)


def market(name: str, mark: str, maintenance: str = "0.05", *, live: bool = True) -> Market:
    bounds = wad("0.3"), wad("0.25"), wad("0.25")
    return Market(name, wad(mark), wad(maintenance), "pool", *bounds, False, 0, 0, live)


def of(*accounts: Account, live: bool = True) -> Book:
    """A book of two markets at 100 and 1,000."""
    pool = Pool("pool", PoolKind.SHARED, Backing.OWN, wad("10000"), ())
    markets = {ETH: market(ETH, "100", live=live), BTC: market(BTC, "1000", "0.02")}
    return read_book(Snapshot(None, markets, {"pool": pool}, accounts))


def trader(margin: str, *positions: tuple[str, str, str]) -> Account:
    """Positions as market, signed size, entry price."""
    held = tuple(Position(name, wad(size), wad(size) * wad(price) // WAD) for name, size, price in positions)
    return Account("trader", MarginMode.CROSS, wad(margin), held)


def brought(book: Book, rules: Terms, *marks: tuple[float, float]) -> Takings:
    """What comes in at each pair of marks."""
    by_draw = np.array(marks, dtype=np.float64).T
    takings = Takings.none(*by_draw.shape)
    SingleBook(book, rules).bring(takings, by_draw)
    CrossBook(book, rules).bring(takings, by_draw)
    return takings


# ------------------------------------------------------------------ by hand


def test_a_long_is_taken_over_at_half_its_maintenance_margin_and_not_before() -> None:
    # E = 1000 + 100*(p - 100), MM/2 = 2.5*p: equal at p = 9000/97.5 = 92.307692…
    book = of(trader("1000", (ETH, "100", "100")))
    taken = brought(book, terms(book), (92.3077, 1000), (92.3076, 1000), (50, 1000))
    assert taken.contracts[0, 0].tolist() == [0, 100, 100]
    assert taken.contracts[0, 1].tolist() == [0, 0, 0]
    # B = -cash = entry - margin, whether E is above or below zero.
    assert taken.entry[0, 0].tolist() == [0, 9000, 9000]


def test_a_short_is_taken_over_on_the_way_up() -> None:
    # E = 1000 - 100*(p - 100) = 2.5*p at p = 11000/102.5 = 107.317073…
    book = of(trader("1000", (ETH, "-100", "100")))
    taken = brought(book, terms(book), (107.31, 1000), (107.32, 1000), (20, 1000))
    assert taken.contracts[0, 1].tolist() == [0, 100, 0]
    assert taken.entry[0, 1].tolist() == [0, -11000, 0]


def test_between_takeover_and_maintenance_margin_an_account_is_liquidated() -> None:
    # E = MM at p = 9000/95 = 94.7368…; there the fee of 1 % of the notional is the pool's.
    book = of(trader("1000", (ETH, "100", "100")))
    taken = brought(book, terms(book, slippage=0.005, fee=0.01), (94.74, 1000), (94.73, 1000), (92.4, 1000), (92, 1000))
    assert taken.fees[0] == pytest.approx([0, 94.73, 92.4, 0])
    assert not taken.overrun.any()


def test_what_is_left_after_slippage_bounds_the_fee() -> None:
    # At 93: E = 300, N = 9300. Slippage of 3 % costs 279 and leaves 21 of a fee of 93.
    book = of(trader("1000", (ETH, "100", "100")))
    taken = brought(book, terms(book, slippage=0.03, fee=0.01), (93, 1000))
    assert taken.fees[0, 0] == pytest.approx(21)
    assert taken.overrun[0, 0] == 0


def test_slippage_beyond_the_equity_is_the_pools() -> None:
    # At 93: slippage of 4 % costs 372 of an equity of 300.
    book = of(trader("1000", (ETH, "100", "100")))
    taken = brought(book, terms(book, slippage=0.04, fee=0.01), (93, 1000))
    assert taken.fees[0, 0] == 0
    assert taken.overrun[0, 0] == pytest.approx(72)


def test_where_the_feed_is_dead_there_is_takeover_but_no_liquidation() -> None:
    both = trader("1000", (ETH, "100", "100"), (BTC, "0.1", "1000"))
    for account in (trader("1000", (ETH, "100", "100")), both):
        book = of(account, live=False)
        taken = brought(book, terms(book, slippage=0.04, fee=0.01), (93.0, 1000), (80.0, 1000))
        assert not taken.fees.any()
        assert not taken.overrun.any()
        assert taken.contracts[0, 0].tolist() == [0, 100]


def test_a_bankrupt_cross_account_passes_its_gaining_leg_at_mark() -> None:
    # E = 500 - 2000 + 100 = -1400, all carried by ETH: B = 8000 + 1400; BTC passes at its value of 1100.
    book = of(trader("500", (ETH, "100", "100"), (BTC, "1", "1000")))
    taken = brought(book, terms(book), (80, 1100))
    assert taken.contracts[:, 0, 0].tolist() == [100, 1]
    assert taken.entry[:, 0, 0].tolist() == pytest.approx([9400, 1100])


def test_a_solvent_cross_account_shares_its_equity_by_maintenance_margin() -> None:
    # E = 1700 - 1500 = 200 <= MM/2 with MM = 85*5 + 1000*0.02 = 445: shares 200*425/445 and 200*20/445.
    book = of(trader("1700", (BTC, "-1", "1000"), (ETH, "100", "100")))
    taken = brought(book, terms(book), (85, 1000))
    assert taken.entry[0, 0, 0] == pytest.approx(8500 - 200 * 425 / 445)
    assert taken.entry[1, 1, 0] == pytest.approx(-1000 - 200 * 20 / 445)


def test_at_exactly_its_maintenance_margin_nobody_is_liquidated_and_at_exactly_half_everybody_taken_over() -> None:
    # Margin fraction 1/2: E = 5000 + 100*(p - 100) is MM at 100, and with 10,000 - 7,500 = 2,500 MM/2 there.
    pool = Pool("pool", PoolKind.SHARED, Backing.OWN, wad("10000"), ())
    for margin, fee, contracts in (("5000", 0, 0), ("4999", 100, 0), ("2501", 100, 0), ("2500", 0, 100)):
        account = trader(margin, (ETH, "100", "100"))
        book = read_book(Snapshot(None, {ETH: market(ETH, "100", "0.5")}, {"pool": pool}, (account,)))
        taken = Takings.none(1, 1)
        SingleBook(book, terms(book, slippage=0.005, fee=0.01)).bring(taken, np.array([[100.0]]))
        assert (taken.fees[0, 0], taken.contracts[0, 0, 0]) == (fee, contracts), margin


def test_a_deficit_that_no_leg_has_lost_is_shared_by_maintenance_margin() -> None:
    # E = -500 + 100 + 10 = -390; MM 505 and 20.2.
    book = of(trader("-500", (ETH, "100", "100"), (BTC, "1", "1000")))
    taken = brought(book, terms(book), (101, 1010))
    assert taken.entry[0, 0, 0] == pytest.approx(10_100 + 390 * 505 / 525.2)
    assert taken.entry[1, 0, 0] == pytest.approx(1_010 + 390 * 20.2 / 525.2)


def test_what_no_leg_has_a_weight_for_is_the_last_ones_in_market_order() -> None:
    account = trader("-500", (BTC, "1", "1000"), (ETH, "100", "100"))
    pool = Pool("pool", PoolKind.SHARED, Backing.OWN, wad("10000"), ())
    markets = {ETH: market(ETH, "100", "0"), BTC: market(BTC, "1000", "0")}
    book = read_book(Snapshot(None, markets, {"pool": pool}, (account,)))
    taken = brought(book, terms(book), (100, 1000))
    assert taken.entry[:, 0, 0].tolist() == pytest.approx([10_000, 1_500])


# ------------------------------------------------------------------ against plain Python


def one_by_one(snapshot: Snapshot, rules: Terms, marks: Array) -> Takings:
    """The same as the arrays do, in floats, an account and a draw at a time."""
    names = list(snapshot.markets)
    takings = Takings.none(*marks.shape)
    for account in snapshot.accounts:
        for draw in range(marks.shape[1]):
            _one(snapshot, account, rules, {name: float(marks[i, draw]) for i, name in enumerate(names)}, draw, takings)
    return takings


def _one(
    snapshot: Snapshot, account: Account, rules: Terms, marks: dict[str, float], draw: int, takings: Takings
) -> None:
    places = {name: place for place, name in enumerate(snapshot.markets)}
    legs = sorted(account.positions, key=lambda leg: places[leg.market])
    values = [leg.size / WAD * marks[leg.market] for leg in legs]
    gains = [value - leg.entry_notional / WAD for value, leg in zip(values, legs, strict=True)]
    margins = [
        abs(value) * snapshot.markets[leg.market].maintenance_margin_fraction / WAD
        for value, leg in zip(values, legs, strict=True)
    ]
    equity = account.margin / WAD + sum(gains)
    if not legs or equity >= sum(margins):
        return
    where = [places[leg.market] for leg in legs]
    if equity <= rules.backstop_ratio * sum(margins):
        losses = [max(0.0, -gain) for gain in gains]
        weights = losses if equity < 0 and sum(losses) > 0 else margins
        for place, leg, value, weight in zip(where, legs, values, weights, strict=True):
            side = int(leg.size < 0)
            takings.contracts[place, side, draw] += abs(leg.size) / WAD
            takings.entry[place, side, draw] += value - equity * weight / sum(weights)
    elif all(snapshot.markets[leg.market].is_live for leg in legs):
        costs = [abs(value) * rules.slippage[place] for value, place in zip(values, where, strict=True)]
        fees = [abs(value) * rules.liquidation_fee[place] for value, place in zip(values, where, strict=True)]
        left = equity - sum(costs)
        for place, cost, fee in zip(where, costs, fees, strict=True):
            if left < 0:
                takings.overrun[place, draw] -= left * cost / sum(costs)
            elif sum(fees) > 0:
                takings.fees[place, draw] += fee * min(1.0, left / sum(fees))


@pytest.mark.parametrize("seed", range(40))
def test_arrays_agree_with_one_account_after_the_other(seed: int) -> None:
    rng = Random(seed)
    snapshot = random_snapshot(rng, accounts=50)
    book = read_book(snapshot)
    count = len(book.markets.names)
    costs = [rng.choice((0, rng.random() * 0.08)) for _ in range(2 * count)]
    rules = Terms(rng.choice((0.0, 0.5, 0.9, 1.0)), np.array(costs[:count]), np.array(costs[count:]))
    moves = np.array([[rng.uniform(0.7, 1.3) for _ in range(12)] for _ in range(count)])
    marks = book.markets.mark[:, np.newaxis] * moves
    expected = one_by_one(snapshot, rules, marks)
    taken = Takings.none(*marks.shape)
    SingleBook(book, rules).bring(taken, marks)
    CrossBook(book, rules).bring(taken, marks)
    for field in ("contracts", "entry", "fees", "overrun"):
        assert getattr(taken, field) == pytest.approx(getattr(expected, field), rel=1e-9, abs=1e-6), field
    assert expected.contracts.any()


@pytest.mark.parametrize("seed", range(10))
def test_one_position_costs_the_same_whichever_way_it_is_looked_at(seed: int) -> None:
    rng = Random(seed)
    book = read_book(random_snapshot(rng, accounts=80))
    single = book.single
    signed = single.contracts * np.where(single.side == 1, -1.0, 1.0)
    entry = signed * book.markets.mark[single.market]
    as_cross = CrossAccounts(
        single.market[np.newaxis], signed[np.newaxis], entry[np.newaxis], single.cash, (len(signed),)
    )
    rules = terms(book, slippage=0.02, fee=0.01)
    marks = book.markets.mark[:, np.newaxis] * np.array([[0.7, 0.9, 1.0, 1.1, 1.4]])
    sorted_way, leg_way = Takings.none(*marks.shape), Takings.none(*marks.shape)
    SingleBook(book, rules).bring(sorted_way, marks)
    CrossBook(Book(book.markets, book.pools, single, as_cross), rules).bring(leg_way, marks)
    for field in ("contracts", "entry", "fees", "overrun"):
        assert getattr(sorted_way, field) == pytest.approx(getattr(leg_way, field), rel=1e-9, abs=1e-6), field
    assert sorted_way.contracts.any()
    assert sorted_way.fees.any()


@pytest.mark.parametrize("maintenance", ["1", "1.5"])
def test_a_maintenance_margin_of_the_whole_notional_and_more_is_no_fault(maintenance: str) -> None:
    # E = cash + 100*p against MM = 100*p*maintenance: with cash below zero always below MM.
    accounts = trader("1000", (ETH, "100", "100")), trader("15000", (ETH, "100", "100"))
    pool = Pool("pool", PoolKind.SHARED, Backing.OWN, wad("10000"), ())
    snapshot = Snapshot(None, {ETH: market(ETH, "100", maintenance)}, {"pool": pool}, accounts)
    book = read_book(snapshot)
    marks = np.array([[40.0, 99.0, 101.0, 250.0]])
    taken = Takings.none(*marks.shape)
    SingleBook(book, terms(book, ratio=1.0)).bring(taken, marks)
    expected = one_by_one(snapshot, terms(book, ratio=1.0), marks)
    assert taken.contracts == pytest.approx(expected.contracts)
    assert taken.contracts[0, 0].min() >= 100
