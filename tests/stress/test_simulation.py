"""From marks to outcomes: the published case, reproducibility, and what a larger fund changes."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest

from backstop.adl.snapshot import Account, Backing, MarginMode, Market, Pool, PoolKind, Position, Snapshot
from backstop.math.wad import WAD, parse_amount
from backstop.stress.book import Book, read_book
from backstop.stress.scenario import Distribution, Drawn, Given
from backstop.stress.simulation import Outcome, simulate
from backstop.stress.summary import FUND_LEVELS, summarize

from .books import random_snapshot, terms

ETH = "ETH-USD"


def drawn(book: Book, *, draws: int = 3000, seed: int = 5, volatility: float = 1.5) -> Drawn:
    """Draws that hurt."""
    each = np.full(len(book.markets.names), volatility)
    return Drawn(draws, seed, Distribution.STUDENT_T, 3.0, each, 0.5, 86_400)


def worked_case(backing: Backing = Backing.OWN) -> Snapshot:
    """The published case before its gap from 100 to 80: a fund of 20,000, icarus long 800 from 90 with 1,000."""
    bounds = parse_amount("0.3"), WAD // 4, WAD // 4
    market = Market(ETH, 100 * WAD, parse_amount("0.005"), "eth", *bounds, False, 0, 0)
    pool = Pool("eth", PoolKind.ISOLATED, backing, 20_000 * WAD, ())
    icarus = Account("icarus", MarginMode.ISOLATED, 1_000 * WAD, (Position(ETH, 800 * WAD, 72_000 * WAD),))
    hawk = Account("hawk", MarginMode.ISOLATED, 3_000 * WAD, (Position(ETH, -300 * WAD, -30_000 * WAD),))
    return Snapshot(None, {ETH: market}, {"eth": pool}, (icarus, hawk))


def gap(book: Book, *shocks: float, slippage: float = 0) -> Outcome:
    return simulate(book, terms(book, slippage=slippage), Given(np.array(shocks)))


# ------------------------------------------------------------------ by hand


def test_the_published_case() -> None:
    outcome = gap(read_book(worked_case()), -0.2)
    assert outcome.pools.loss[0, 0] == pytest.approx(7_000)
    assert outcome.pools.drawdown[0, 0] == pytest.approx(0.35)
    assert bool(outcome.pools.due_by_drawdown[0, 0])
    assert not outcome.pools.due_by_depletion[0, 0]
    assert outcome.markets.compensation[0, 0] == pytest.approx(2_000)
    assert outcome.markets.given_up[0, 0] == pytest.approx(2_000)
    assert outcome.markets.contracts[0, 0] == 800
    assert outcome.markets.notional[0, 0] == pytest.approx(64_000)
    assert outcome.pools.without_adl[0, 0] == pytest.approx(7_000 / 0.3)


def test_slippage_is_a_loss_that_counterparties_do_not_bear() -> None:
    # Unwinding 64,000 costs 640 more: 7,640 is 38.2 %, 2,640 are due, of which ADL at mark would save 640.
    outcome = gap(read_book(worked_case()), -0.2, slippage=0.01)
    assert outcome.pools.loss[0, 0] == pytest.approx(7_640)
    assert outcome.markets.compensation[0, 0] == pytest.approx(2_640)
    assert outcome.markets.given_up[0, 0] == pytest.approx(2_000)


def test_slippage_is_paid_from_what_is_left_of_the_margin_first() -> None:
    # Long 800 from 90 with 1,000: at 88.8 the equity is 40, below MM/2 = 177.6; slippage of 0.1 % costs 71.04.
    outcome = gap(read_book(worked_case()), -0.112, slippage=0.001)
    assert outcome.pools.loss[0, 0] == pytest.approx(71.04 - 40)


def test_liquidations_cost_the_pool_what_they_overrun_and_earn_it_their_fees() -> None:
    # Icarus between MM/2 and MM at 89.1: E = 280, N = 71,280; slippage of 0.4 % is 285.12, of 0.1 % leaves 208.72.
    book = read_book(worked_case())
    rules = terms(book, slippage=0.004, fee=0.002)
    cost = simulate(book, rules, Given(np.array([-0.109])))
    assert cost.pools.loss[0, 0] == cost.markets.loss[0, 0] == pytest.approx(285.12 - 280)
    gain = simulate(book, terms(book, slippage=0.001, fee=0.002), Given(np.array([-0.109])))
    assert gain.pools.loss[0, 0] == pytest.approx(-142.56)
    # A fund that only earns need not be of any size.
    assert summarize(book, gain).pools[0].not_depleted.sizes == (0.0, 0.0)


def test_trigger_has_a_boundary_on_each_side() -> None:
    # p_b = 88.75: the loss is 800*(88.75 - p), 30 % of 20,000 are lost at p = 81.25.
    book = read_book(worked_case())
    assert not gap(book, -0.187499).pools.due_by_drawdown[0, 0]
    assert gap(book, -0.187501).pools.due_by_drawdown[0, 0]


def test_a_fund_is_depleted_when_everything_is_lost() -> None:
    # All of 20,000 is gone at p = 63.75.
    book = read_book(worked_case())
    assert not gap(book, -0.3624).pools.depleted[0, 0]
    after = gap(book, -0.3626)
    assert after.pools.depleted[0, 0]
    assert after.pools.balance[0, 0] == pytest.approx(20_000 - 800 * (88.75 - 63.74))


def mutual(loser: int, giver: int, idle: int = 0) -> Book:
    """The published market on a mutual pool, with two more members that have no positions."""
    snapshot = worked_case(Backing.MUTUAL)
    pools = {"eth": replace(snapshot.pools["eth"], balance=loser * WAD)}
    markets = dict(snapshot.markets)
    for name, balance in (("giver", giver), ("idle", idle)):
        pools[name] = Pool(name, PoolKind.ISOLATED, Backing.MUTUAL, balance * WAD, ())
        markets[name] = replace(snapshot.markets[ETH], name=name, pool=name)
    return read_book(replace(snapshot, markets=markets, pools=pools))


def test_a_mutual_group_that_is_whole_carries_a_depleted_member() -> None:
    # 7,000 lost of 5,000: the member is at -2,000, the group at +1,000. Its own drawdown is due all the same.
    outcome = gap(mutual(5_000, 3_000), -0.2, 0, 0)
    assert not outcome.pools.depleted.any()
    assert outcome.pools.balance[:, 0].tolist() == pytest.approx([-2_000, 3_000, 0])
    assert not outcome.pools.due_by_depletion.any()
    assert outcome.pools.due_by_drawdown[:, 0].tolist() == [True, False, False]


def test_a_depleted_group_gives_all_it_has() -> None:
    # At -6,000 with 4,500 in the group: 1,500 are lacking after the gift, and all of the group is at zero or below.
    outcome = gap(mutual(1_000, 4_000, 500), -0.2, 0, 0)
    assert outcome.pools.balance[:, 0].tolist() == pytest.approx([-1_500, 0, 0])
    assert outcome.pools.depleted.all()
    # base = -1,500 + 7,000: what is due by drawdown, 7,000 - 1,375, is more than the 1,500 of depletion.
    assert outcome.markets.compensation[0, 0] == pytest.approx(7_000 - 0.25 * 5_500)
    summary = summarize(mutual(1_000, 4_000, 500), outcome)
    assert summary.group is not None
    assert summary.group.balance == pytest.approx(5_500)
    assert summary.group.not_depleted.sizes == pytest.approx((7_000, 7_000))
    assert summary.group.depleted == 1.0


# ------------------------------------------------------------------ reproducible


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("batch", [1, 37, 400, 1000])
def test_the_batch_changes_no_bit_of_any_outcome(seed: int, batch: int) -> None:
    book = read_book(random_snapshot(Random(seed), accounts=40))
    rules, scenario = terms(book, slippage=0.01, fee=0.005), drawn(book, draws=400)
    whole, parts = (simulate(book, rules, scenario, batch=size) for size in (400, batch))
    for part in ("markets", "pools"):
        for field in fields(getattr(whole, part)):
            one, other = (getattr(getattr(outcome, part), field.name) for outcome in (whole, parts))
            assert np.array_equal(one, other), field.name
    assert whole.markets.notional.any()


def test_another_seed_is_another_outcome() -> None:
    book = read_book(random_snapshot(Random(1)))
    first, again, other = (simulate(book, terms(book), drawn(book, seed=seed)).pools.loss for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_progress_is_told_of_every_draw() -> None:
    book = read_book(random_snapshot(Random(1)))
    told: list[int] = []
    simulate(book, terms(book), drawn(book, draws=250), batch=100, progress=told.append)
    assert told == [100, 100, 50]


# ------------------------------------------------------------------ larger funds


def funded(snapshot: Snapshot, name: str, balance: float) -> Book:
    """The same with another balance of one pool, standing on its own."""
    pools = {
        pool.name: replace(
            pool, backing=Backing.OWN, balance=round(balance * WAD) if pool.name == name else pool.balance
        )
        for pool in snapshot.pools.values()
    }
    return read_book(replace(snapshot, pools=pools))


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5, 6])  # in the book of 2 all feeds of the pool are dead: no ADL
def test_a_larger_fund_never_has_more_adl(seed: int) -> None:
    snapshot = random_snapshot(Random(seed))
    name = next(iter(snapshot.pools))
    shares, depleted, given = [], [], []
    for balance in (100, 5_000, 20_000, 80_000, 320_000, 1_280_000):
        book = funded(snapshot, name, balance)
        [pool] = [pool for pool in summarize(book, simulate(book, terms(book), drawn(book))).pools if pool.name == name]
        shares.append(pool.due)
        depleted.append(pool.depleted)
        given.append(pool.given_up.expected)
    for falling in (shares, depleted, given):
        assert falling == sorted(falling, reverse=True)
    assert shares[0] > shares[-1]
    assert depleted[0] > depleted[-1]


@pytest.mark.parametrize("seed", range(6))
def test_a_fund_of_the_size_bears_what_it_is_said_to(seed: int) -> None:
    snapshot = random_snapshot(Random(seed))
    for place, name in enumerate(snapshot.pools):
        book = funded(snapshot, name, 1_000)
        found = summarize(book, simulate(book, terms(book, slippage=0.01), drawn(book))).pools[place]
        for level, size, solvent in zip(FUND_LEVELS, found.without_adl.sizes, found.not_depleted.sizes, strict=True):
            # A size of zero says no more than that any balance will do.
            for needed, share_of in ((size, "due_by_drawdown"), (solvent, "depleted")):
                enough = funded(snapshot, name, needed * 1.000001 + 0.001)
                outcome = simulate(enough, terms(enough, slippage=0.01), drawn(enough))
                assert 1 - getattr(outcome.pools, share_of)[place].mean() >= level / 1000
                if needed > 1:
                    less = funded(snapshot, name, needed * 0.999)
                    outcome = simulate(less, terms(less, slippage=0.01), drawn(less))
                    assert 1 - getattr(outcome.pools, share_of)[place].mean() < level / 1000


def test_depletion_of_today_is_no_loss() -> None:
    snapshot = worked_case()
    book = read_book(replace(snapshot, pools={"eth": replace(snapshot.pools["eth"], balance=0)}))
    outcome = gap(book, 0.0)
    assert outcome.pools.loss[0, 0] == 0
    assert outcome.pools.depleted[0, 0]
    assert not (outcome.pools.due_by_drawdown | outcome.pools.due_by_depletion).any()
