"""Places that chance does not come to: equities set to the wei around what a round asks for, and who is in the way."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.adl.planning import plan
from backstop.adl.snapshot import Side
from backstop.math.margin import position_value
from backstop.math.wad import WAD, div_ceil

from .model import Outcome
from .stage import TOKEN, Stage
from .world import World, build

MARKET = "ETH-USD"
NUDGE = 1000  # wei of contracts: sold far above mark they move wei of equity, one by one


@pytest.fixture(scope="module")
def world(owner: Any) -> World:
    """A system of its own."""
    return build(owner)


@pytest.fixture
def stage(world: World) -> Stage:
    """The market at 100 with initial margin of 1 %; its pool has nothing."""
    stage = Stage(world, Random("edges"), Counter())
    stage.set_fractions(MARKET, WAD // 100, WAD // 200)
    stage.set_mark(MARKET, 100 * WAD)
    return stage


def rich(stage: Stage, trader: LocalAccount) -> bytes:
    """The account of a trader who can carry anything."""
    stage.deposit(MARKET, trader, 10**7 * WAD // TOKEN)
    return stage.account_of(trader, MARKET)


def ruin_a_long(stage: Stage, contracts: int, mark: int) -> bytes:
    """A long of 100 on hardly any margin is the pool's; who was short against it is returned."""
    long, short, *_ = stage.world.traders
    stage.deposit(MARKET, long, contracts // TOKEN + 1)
    winner = rich(stage, short)
    stage.trade(MARKET, winner, stage.account_of(long, MARKET), contracts, 100 * WAD)
    stage.set_mark(MARKET, mark)
    stage.take_over(MARKET, stage.account_of(long, MARKET))
    return winner


def hand_over(stage: Stage, winner: bytes, heir: LocalAccount, contracts: int, equity: int, banker: bytes) -> bytes:
    """The heir takes a short off the winner at mark, and ends with exactly this equity. The banker pays the nudge."""
    book = stage.model.books[MARKET]
    account = stage.account_of(heir, MARKET)
    stage.deposit(MARKET, heir, equity // TOKEN)
    stage.trade(MARKET, account, winner, contracts - NUDGE, book.mark)
    state = book.accounts[account]
    change = position_value(-contracts, book.mark) - position_value(state.size, book.mark)
    missing = equity - book.equity(state) - change
    stage.trade(MARKET, banker, account, -NUDGE, div_ceil(missing * WAD, NUDGE))
    assert (book.accounts[account].size, book.equity(book.accounts[account])) == (-contracts, equity)
    return account


def short_with(stage: Stage, contracts: int, equity: int, mark: int) -> bytes:
    """A short from 100 that will have exactly this equity where the mark is `mark`."""
    long, short, *_, heir, banker = stage.world.traders
    counterparty, winner = rich(stage, long), rich(stage, short)
    stage.trade(MARKET, winner, counterparty, contracts, 100 * WAD)
    now = equity + position_value(-contracts, 100 * WAD) - position_value(-contracts, mark)
    account = hand_over(stage, winner, heir, contracts, now, rich(stage, banker))
    book = stage.model.books[MARKET]
    stage.set_mark(MARKET, mark)
    assert book.equity(book.accounts[account]) == equity
    return account


def run(stage: Stage, candidates: list[bytes]) -> Outcome:
    """The round on the model alone, to see what it would be; then on chain and in the model."""
    stage.check()
    outcome = stage.any_round(MARKET, Side.LONG, candidates)
    assert outcome is not None
    stage.check()
    return outcome


@pytest.mark.parametrize("contracts", [7 * WAD, 7 * WAD + 3, 1000 * WAD + 1], ids=["whole", "odd", "many"])
@pytest.mark.parametrize("beside", [-1, 0, 1, 2, 400, 999])
def test_equity_around_what_the_adl_price_asks_for(beside: int, contracts: int, stage: Stage) -> None:
    """Passed over first where it is one wei short, closed at once from there on; never left with less than nothing."""
    # The inventory does not divide its entry: the bankruptcy price is no whole number of wei.
    winner = ruin_a_long(stage, 3 * contracts + 7, 85_123_456_78 * 10**10)
    book = stage.model.books[MARKET]
    terms = stage.model.terms(MARKET, Side.LONG, stage.now)
    assert terms.compensation == terms.inventory_loss
    asked = div_ceil(contracts * (terms.price - book.mark), WAD)
    *_, heir, banker = stage.world.traders
    account = hand_over(stage, winner, heir, contracts, asked + beside, rich(stage, banker))

    outcome = run(stage, [account])
    assert outcome.second_pass == (beside < 0)
    assert outcome.contracts == contracts
    left = book.accounts[account]
    assert left.size == 0
    # The second pass rounds toward the account, by less than a wei a contract.
    assert 0 <= left.margin <= (beside if beside >= 0 else contracts // WAD + 1)


def test_equity_is_what_bounds_a_fill(stage: Stage) -> None:
    """A thousand contracts at a price rounded by less than a wei: what the rounding would take is not there."""
    contracts = 1000 * WAD
    winner = ruin_a_long(stage, 3 * contracts + 7, 85_123_456_78 * 10**10)
    book = stage.model.books[MARKET]
    terms = stage.model.terms(MARKET, Side.LONG, stage.now)
    entry = div_ceil(terms.entry_notional * contracts, terms.size)
    asked = div_ceil(contracts * (terms.price - book.mark), WAD)
    *_, heir, banker = stage.world.traders
    account = hand_over(stage, winner, heir, contracts, asked, rich(stage, banker))

    (closing,) = run(stage, [account]).closings
    assert closing.value < min(entry, div_ceil(contracts * terms.execution_price, WAD))
    assert book.accounts[account].margin == 0


def test_bankrupt_account_stands_in_the_way_of_netting(stage: Stage) -> None:
    """Both sides are the pool's but for one bankrupt short: nothing is netted before it is taken over."""
    contracts = 10 * WAD + 1
    winner = ruin_a_long(stage, contracts, 60 * WAD)
    first, second = stage.world.traders[-2:]
    thin = 5 * WAD
    banker = rich(stage, stage.world.traders[3])
    ruined = hand_over(stage, winner, first, contracts // 2, thin, banker)
    bankrupt = hand_over(stage, winner, second, contracts - contracts // 2, thin, banker)
    stage.trade(MARKET, banker, winner, 2 * NUDGE, stage.model.books[MARKET].mark)
    stage.set_mark(MARKET, 80 * WAD)
    stage.take_over(MARKET, ruined)
    stage.check()

    (long,) = (item for item in plan(stage.state.snapshot) if item.side is Side.LONG)
    assert (long.fills, long.netted, long.uncovered) == ((), 0, contracts)
    assert [skip.account for skip in long.skipped] == ["0x" + bankrupt.hex()]
    stage.planned_round(long)
    assert stage.reached["a plan without a counterparty"] == 1

    stage.take_over(MARKET, bankrupt)
    stage.check()
    (long,) = (item for item in plan(stage.state.snapshot) if item.side is Side.LONG)
    assert (long.fills, long.netted, long.uncovered) == ((), contracts, 0)
    stage.planned_round(long)
    stage.check()
    assert stage.model.books[MARKET].inventory == {Side.LONG: (0, 0), Side.SHORT: (0, 0)}


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_takeover_at_the_threshold(beside: int, stage: Stage) -> None:
    """At half the maintenance margin it is due, one wei above it is not."""
    contracts, mark = 40 * WAD, 103 * WAD
    half = contracts * mark // WAD // 200 // 2
    account = short_with(stage, contracts, half + beside, mark)
    stage.check()
    stage.take_over(MARKET, account)
    stage.check()
    assert stage.reached["take over"] == (beside <= 0)
    assert stage.reached["refused: TakeoverNotDue"] == (beside > 0)


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_drawdown_at_the_trigger(beside: int, stage: Stage) -> None:
    """A loss of 30 % of the base is due, one wei less is not."""
    stage.contribute("eth", None, 1000 * WAD // TOKEN)
    account = short_with(stage, 40 * WAD, -300 * WAD - beside, 111 * WAD)
    stage.take_over(MARKET, account)
    stage.check()
    standing = stage.model.standing(MARKET, stage.state.block.timestamp)
    assert (standing.base, standing.loss) == (1000 * WAD, 300 * WAD + beside)
    assert standing.drawdown_due == (beside >= 0)
    assert len(plan(stage.state.snapshot)) == (beside >= 0)


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_drawdown_at_the_stop(beside: int, stage: Stage) -> None:
    """Once it has started it goes on one wei above 25 % of the base, and ends at it."""
    stage.contribute("eth", None, 1000 * WAD // TOKEN)
    contracts, started_at, ended_at = 40 * WAD, 111 * WAD, 109 * WAD
    gain = position_value(-contracts, ended_at) - position_value(-contracts, started_at)
    account = short_with(stage, contracts, -250 * WAD - beside - gain, started_at)
    stage.take_over(MARKET, account)
    stage.check()
    assert stage.model.standing(MARKET, stage.now).started
    stage.set_mark(MARKET, ended_at)
    stage.check()
    standing = stage.model.standing(MARKET, stage.state.block.timestamp)
    assert (standing.base, standing.loss) == (1000 * WAD, 250 * WAD + beside)
    assert standing.drawdown_due == (beside > 0)
    stage.checkpoint(MARKET)
    stage.check()
    assert stage.model.standing(MARKET, stage.now).started == (beside > 0)
