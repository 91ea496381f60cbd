"""Every parameter that the owner may set has hard bounds, or is harmless at either end of its type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_utils.crypto import keccak

from scripts.stage.parameters import MarketParameters
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import RefusedError, act
from tests.support.desk import FLAT, Account, Desk, open_desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes

INITIAL, MAINTENANCE = wad("0.1"), wad("0.05")
DAY = 86_400
FREE = {"liquidation_discount": 0, "liquidation_fee": 0}


@dataclass(frozen=True)
class Bound:
    """The least and the most that are accepted; None is the end of the type. `given` are the others at that."""

    error: str
    least: int | None
    most: int | None
    given: dict[str, int] = field(default_factory=dict)


# Of a market, in the order of the struct.
MARKET = {
    "initial_margin_fraction": Bound(
        "MarginFractionsOutOfBounds", wad("0.005"), wad(1), FREE | {"maintenance_margin_fraction": wad("0.001")}
    ),
    "maintenance_margin_fraction": Bound("MarginFractionsOutOfBounds", wad("0.001"), INITIAL - 1, FREE),
    "liquidation_discount": Bound("LiquidationFractionsOutOfBounds", None, MAINTENANCE, FREE),
    "liquidation_fee": Bound("LiquidationFractionsOutOfBounds", None, MAINTENANCE, FREE),
    "maker_fee": Bound("TradingFeesOutOfBounds", None, wad("0.01")),
    "taker_fee": Bound("TradingFeesOutOfBounds", None, wad("0.01")),
    "price_band": Bound("PriceBandOutOfBounds", wad("0.001"), None),
    "funding_cap": Bound("FundingCapOutOfBounds", None, wad("0.01")),
    "max_notional": Bound("", None, None),
    "min_size": Bound("", None, None),
    "max_open_interest": Bound("MaxOpenInterestOutOfBounds", None, 2**111 - 1),
    "pool_fee_share": Bound("FeeSharesOutOfBounds", None, wad(1), {"treasury_fee_share": 0}),
    "treasury_fee_share": Bound("FeeSharesOutOfBounds", None, wad(1), {"pool_fee_share": 0}),
    "initial_margin_step": Bound("StressParametersOutOfBounds", None, INITIAL),
    "stress_band": Bound("StressParametersOutOfBounds", wad("0.001"), None),
}
# Of everything else: contract, function, the parameter, and the arguments with it; other arguments are in the middle.
Arguments = Callable[[Desk, int], tuple[Any, ...]]
OTHERS: dict[tuple[str, str, str], tuple[Bound, Arguments]] = {
    ("exchange", "setBackstopRatio", "ratio"): (
        Bound("BackstopRatioOutOfBounds", wad("0.1"), wad("0.9")),
        lambda desk, value: (value,),
    ),
    ("exchange", "setWarningRate", "rate"): (
        Bound("WarningRateOutOfBounds", wad("0.1"), wad(1)),
        lambda desk, value: (value,),
    ),
    ("fund", "setDrawdownBounds", "trigger"): (
        Bound("DrawdownBoundsInvalid", wad("0.25"), wad("0.9")),
        lambda desk, value: (desk.market.id, value, wad("0.25"), wad("0.25")),
    ),
    ("fund", "setDrawdownBounds", "stop"): (
        Bound("DrawdownBoundsInvalid", wad("0.05"), wad("0.25")),
        lambda desk, value: (desk.market.id, wad("0.3"), value, wad("0.25")),
    ),
    ("fund", "setDrawdownBounds", "target"): (
        Bound("DrawdownBoundsInvalid", wad("0.25"), wad("0.3")),
        lambda desk, value: (desk.market.id, wad("0.3"), wad("0.25"), value),
    ),
    ("fund", "setAuctionParameters", "premium"): (
        Bound("AuctionParametersOutOfBounds", None, wad("0.2")),
        lambda desk, value: (desk.market.id, value, 1800),
    ),
    ("fund", "setAuctionParameters", "duration"): (
        Bound("AuctionParametersOutOfBounds", 60, DAY),
        lambda desk, value: (desk.market.id, 0, value),
    ),
    ("fund", "setStaking", "cap"): (
        Bound("", None, None),
        lambda desk, value: (desk.market.pool, value, DAY),
    ),
    ("fund", "setStaking", "cooldown"): (
        Bound("CooldownOutOfBounds", DAY // 3, 14 * DAY),
        lambda desk, value: (desk.market.pool, 0, value),
    ),
    ("price_feed", "setFeed", "heartbeat"): (
        Bound("HeartbeatOutOfBounds", 1, 2 * DAY),
        lambda desk, value: (desk.market.id, desk.market.feed.address, value, 1, wad(1000)),
    ),
    ("price_feed", "setFeed", "minPrice"): (
        Bound("BoundsInvalid", 1, wad(1000) - 1),
        lambda desk, value: (desk.market.id, desk.market.feed.address, 3600, value, wad(1000)),
    ),
    ("price_feed", "setFeed", "maxPrice"): (
        Bound("BoundsInvalid", wad(10) + 1, None),
        lambda desk, value: (desk.market.id, desk.market.feed.address, 3600, wad(10), value),
    ),
    ("price_feed", "setSequencer", "grace_"): (
        Bound("GraceOutOfBounds", None, DAY),
        lambda desk, value: (desk.market.feed.address, value),
    ),
}
NAMED = {"market", "id", "pool", "kind", "backer", "name", "poolId"}  # what an owner's function is about


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    return open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")


def refused_by_name(desk: Desk, error: str, call: Callable[[], Any]) -> None:
    """Whatever the values of the error are."""
    selectors = {
        keccak(text=abi.selector)[:4]: abi.name
        for contract in (desk.exchange, desk.fund, desk.price_feed)
        for abi in contract.contract_type.errors
    }
    with nothing_changes(desk.venue), pytest.raises(RefusedError) as refusal:
        call()
    assert selectors[refusal.value.data[:4]] == error


@pytest.mark.parametrize("name", MARKET)
def test_a_parameter_of_a_market_is_within_its_bounds(desk: Desk, name: str) -> None:
    bound = MARKET[name]
    for value, beyond in ((bound.least, -1), (bound.most, 1)):
        if value is None:
            continue
        desk.set_parameters(**bound.given | {name: value})
        assert getattr(desk.parameters(), name) == value
        refused_by_name(
            desk, bound.error, lambda value=value + beyond: desk.set_parameters(**bound.given | {name: value})
        )


@pytest.mark.parametrize("key", OTHERS, ids=lambda key: ".".join(key[1:]))
def test_any_other_parameter_is_within_its_bounds(desk: Desk, key: tuple[str, str, str]) -> None:
    contract, function, _ = key
    bound, arguments = OTHERS[key]
    method = getattr({"exchange": desk.exchange, "fund": desk.fund, "price_feed": desk.price_feed}[contract], function)
    owner = desk.venue.owner
    for value, beyond in ((bound.least, -1), (bound.most, 1)):
        if value is None:
            continue
        act(owner, method, *arguments(desk, value))
        refused_by_name(desk, bound.error, lambda value=value + beyond: act(owner, method, *arguments(desk, value)))


def test_every_number_that_the_owner_may_set_is_here(desk: Desk) -> None:
    found = set()
    # The exchange and the fund route their own to a module each, which has the names.
    system = desk.venue.system
    routed = {"exchange": system.market_module, "fund": system.pool_module, "price_feed": desk.price_feed}
    for name, contract in routed.items():
        for abi in contract.contract_type.mutable_methods:
            if not abi.name.startswith(("set", "list", "create")):
                continue
            for given in abi.inputs:
                if given.components:
                    assert len(given.components) == len(MARKET) == len(MarketParameters._fields)
                elif given.type.startswith(("uint", "int")) and given.name not in NAMED:
                    found.add((name, abi.name, given.name))
    assert found == set(OTHERS)
    assert tuple(MARKET) == MarketParameters._fields
    assert {name for name, bound in MARKET.items() if bound.least is bound.most is None} == {"max_notional", "min_size"}


def test_where_there_is_no_bound_nobody_loses_collateral(desk: Desk) -> None:
    """The largest smallest size, room for nothing: who closes whole leaves, and who is ruined is closed by the pool."""
    for name in ("whale", "raven"):
        desk.deposit(desk.trader(name), 100_000)
    whale, raven = desk.trader("whale"), desk.trader("raven")
    saver = desk.open("saver", wad(3), wad(100), 100, against="raven")
    icarus = desk.open("icarus", wad(10), wad(100), 120)
    desk.set_parameters(max_notional=0, min_size=2**96 - 1, max_open_interest=0, price_band=2**64 - 1)
    desk.trade(raven, saver, -wad(3), wad(100))
    for who, amount in ((saver, 100), (raven, 100_000), (whale, 90_000)):
        act(who, desk.exchange.withdraw, desk.account(who), tokens(amount), who.address)
    assert desk.holding(saver) == desk.holding(raven) == FLAT
    desk.price(80)
    desk.take_over(icarus)
    desk.deleverage(Side.LONG, [whale])
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.holding(whale) == Account(0, 0, wad(10_120))
