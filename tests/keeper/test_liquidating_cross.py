"""A cross account liquidated on chain, leg by leg and cycle by cycle, within the limits of its markets."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice

import pytest
from eth_account.signers.local import LocalAccount

from backstop.account_id import isolated_account
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Account
from backstop.chain.bindings import LIQUIDATE
from backstop.errors import RevertError
from backstop.keeper.cycle import Action
from backstop.keeper.duties import Liquidate
from backstop.keeper.liquidations import Liquidator, liquidations
from backstop.keeper.results import action_document
from backstop.math.margin import equity, maintenance_margin, margin_requirement
from backstop.math.wad import WAD
from scripts.stage.cross import Harbour, play
from scripts.stage.parameters import full_market
from scripts.stage.venue import Venue, wad

from .crossing import ETH, SOL, account, cycle, read, sizes, told

NOTIONAL = 10**6


@pytest.fixture(scope="module")
def harbour(venue: Venue, operator: LocalAccount) -> Harbour:
    """SOL at 177: corax, short 150 of it and 12 ETH, has 997.54 of 1,563.75, and the keeper has 100,000 a market."""
    harbour = play(venue)
    for market in harbour.markets.values():
        venue.deposit(operator, market, 100_000)
    venue.set_price(harbour.markets[SOL], 177)
    return harbour


def limit(harbour: Harbour, market: str, **limits: int) -> None:
    """Other limits of a market."""
    parameters = full_market(Decimal("0.05"), Decimal("0.025"), Decimal(1))._replace(**limits)
    harbour.venue.system.exchange.setParameters(harbour.markets[market].id, parameters, sender=harbour.venue.owner)


def corax(harbour: Harbour) -> Account:
    """As it stands."""
    return account(read(harbour), harbour, "corax")


def carried(harbour: Harbour, operator: LocalAccount, market: str) -> int:
    """The keeper's own position in a market."""
    own = isolated_account(operator.address, harbour.markets[market].id)
    return int(harbour.venue.system.exchange.position(own, harbour.markets[market].id).size)


def run(harbour: Harbour, operator: LocalAccount, notional: int = NOTIONAL, *, most: int | None = None) -> list[Action]:
    """A cycle, or the first actions of it, in which every liquidation comes to what was planned."""
    actions = list(islice(cycle(harbour, operator, notional).run(pytest.fail), most))
    for action in actions:
        executed, planned = action_document(action), action_document(Action(action.duty, 0, 0, None, None))
        chosen = ("account", "liquidator", "market", "side", "contracts", "notional", "discount", "fee")
        assert {key: executed[key] for key in chosen} == {key: planned[key] for key in chosen}
    state = read(harbour)
    assert state.claims == state.tokens_held
    assert not any(state.sums_of_sizes.values())
    return actions


def second_leg(harbour: Harbour, operator: LocalAccount) -> None:
    """The first liquidation, after which SOL is all that is left to liquidate."""
    assert told(run(harbour, operator, most=1), harbour) == [("liquidate corax", ETH)]


# ------------------------------------------------------------------ leg by leg


def test_a_cross_account_is_liquidated_leg_by_leg_until_it_is_healthy(harbour: Harbour, operator: LocalAccount) -> None:
    first = run(harbour, operator, most=1)
    # 3,127.5 of IM less 997.54 are more than 12 contracts of ETH bring, at 112.5 each: all are closed.
    assert told(first, harbour) == [("liquidate corax", ETH)]
    assert sizes(read(harbour), harbour, "corax") == {SOL: wad(-150)}
    assert carried(harbour, operator, ETH) == wad(-12)
    state = read(harbour)
    legs = legs_of(state.snapshot, corax(harbour))
    assert 0 < equity(corax(harbour).margin, legs) < maintenance_margin(legs)

    assert told(run(harbour, operator), harbour) == [("liquidate corax", SOL)]
    state = read(harbour)
    [leg] = legs_of(state.snapshot, corax(harbour))
    left = equity(corax(harbour).margin, [leg])
    assert left >= margin_requirement(leg.size, wad(177), wad("0.05"))
    assert carried(harbour, operator, SOL) == -wad(150) - leg.size
    assert run(harbour, operator) == []


def test_one_cycle_liquidates_all_legs_that_it_has_to(harbour: Harbour, operator: LocalAccount) -> None:
    assert told(run(harbour, operator), harbour) == [("liquidate corax", ETH), ("liquidate corax", SOL)]


def test_the_dry_run_shows_the_first_leg(harbour: Harbour, operator: LocalAccount) -> None:
    before = read(harbour)
    actions = list(cycle(harbour, operator, NOTIONAL, send=False).run(pytest.fail))
    assert told(actions, harbour) == [("liquidate corax", ETH)]
    assert read(harbour) == before


def test_the_second_leg_first_where_the_keeper_can_carry_only_that(harbour: Harbour, operator: LocalAccount) -> None:
    limit(harbour, ETH, max_notional=0)
    assert told(run(harbour, operator), harbour) == [("liquidate corax", SOL)]


# ------------------------------------------------------------------ the smallest position


@pytest.mark.parametrize(("smallest", "left"), [(1, None), (30, None), (36, 0), (150, 0)])
def test_a_remainder_that_would_be_too_small_is_closed_too(
    smallest: int, left: int | None, harbour: Harbour, operator: LocalAccount
) -> None:
    """117 and a half of 150 are needed."""
    second_leg(harbour, operator)
    limit(harbour, SOL, min_size=smallest * WAD)
    assert told(run(harbour, operator), harbour) == [("liquidate corax", SOL)]
    rest = -sizes(read(harbour), harbour, "corax").get(SOL, 0)
    assert rest == 0 if left == 0 else rest >= smallest * WAD


def test_a_part_leaves_no_remainder_that_is_too_small(harbour: Harbour, operator: LocalAccount) -> None:
    """Up to 120 could be carried, but then 30 would be left: 110 are closed, and 40 are left."""
    second_leg(harbour, operator)
    limit(harbour, SOL, min_size=40 * WAD)
    [action] = run(harbour, operator, 120 * 177)
    assert isinstance(action.duty, Liquidate)
    assert action.duty.contracts == wad(110)
    assert sizes(read(harbour), harbour, "corax") == {SOL: wad(-40)}


def test_the_position_of_the_keeper_does_not_become_too_small(harbour: Harbour, operator: LocalAccount) -> None:
    """The keeper is long 130, so that 117 and a half would leave it 12 and a half: it nets 90."""
    venue, market = harbour.venue, harbour.markets[SOL]
    venue.trade(venue.trader("harbour lynx"), operator, market, wad(130), wad(177))
    second_leg(harbour, operator)
    limit(harbour, SOL, min_size=40 * WAD)
    [action] = run(harbour, operator)
    assert isinstance(action.duty, Liquidate)
    assert action.duty.contracts == wad(90)
    assert carried(harbour, operator, SOL) == wad(40)


# ------------------------------------------------------------------ the largest position


def test_the_keeper_takes_no_more_than_the_market_lets_an_account_hold(
    harbour: Harbour, operator: LocalAccount
) -> None:
    """10,000 at 177 are 56.49 contracts, of which the last wei decides."""
    second_leg(harbour, operator)
    limit(harbour, SOL, max_notional=10_000 * WAD)
    [planned] = liquidations(read(harbour), Liquidator(operator.address, 0, NOTIONAL * WAD))
    assert planned.contracts == wad(10_000) * WAD // wad(177)
    own = isolated_account(operator.address, harbour.markets[SOL].id)
    data = LIQUIDATE.encode(
        bytes.fromhex(planned.account[2:]), harbour.markets[SOL].id, own, planned.contracts + WAD // 100
    )
    with pytest.raises(RevertError, match=r"PositionTooLarge\("):
        harbour.venue.send(operator, harbour.venue.system.exchange, data)
    [action] = run(harbour, operator)
    assert action.duty == planned
    assert carried(harbour, operator, SOL) == -planned.contracts
    assert run(harbour, operator) == []
