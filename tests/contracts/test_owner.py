"""What only some may call: parameters with their bounds, wiring, and who is asked for which function."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from scripts.stage.system import name_bytes
from scripts.stage.venue import Venue, wad
from tests.support.acting import act, emitted, imagine_deployment, refused, refused_without_reason, wait_until
from tests.support.desk import Desk, create_pool, list_in_pool, open_desk
from tests.support.enums import PoolKind, Side
from tests.support.proofs import nothing_changes

ZERO = "0x" + "0" * 40
NAME = name_bytes("TEST-USD")
INITIAL, MAINTENANCE = wad("0.1"), wad("0.05")


# ---------------------------------------------------------------------- who may call what

OPEN = {
    "exchange": {
        "deposit",
        "withdraw",
        "settle",
        "cancel",
        "cancelAll",
        "liquidate",
        "takeOver",
        "buyInventory",
        "acceptOwnership",
    },
    "fund": {"contribute", "checkpoint", "acceptOwnership"},
    "engine": {"deleverage"},
    "price_feed": {"acceptOwnership"},
    "lens": set(),
    "solvency_module": set(),
}
OWNERS: dict[str, dict[str, tuple[Any, ...]]] = {
    "exchange": {
        "wire": (ZERO, ZERO),
        "listMarket": (NAME, INITIAL, MAINTENANCE, 1),
        "setMarginFractions": (1, INITIAL, MAINTENANCE),
        "setLiquidationFractions": (1, 0, 0),
        "setBackstopRatio": (wad("0.5"),),
        "transferOwnership": (ZERO,),
        "renounceOwnership": (),
    },
    "fund": {
        "wire": (ZERO,),
        "createPool": (NAME, 0),
        "setDrawdownBounds": (1, wad("0.3"), wad("0.25"), wad("0.25")),
        "setAuctionParameters": (1, wad("0.02"), 1800),
        "transferOwnership": (ZERO,),
        "renounceOwnership": (),
    },
    "price_feed": {
        "setFeed": (1, ZERO, 1, 1, 2),
        "transferOwnership": (ZERO,),
        "renounceOwnership": (),
    },
}
ROLES: dict[tuple[str, str], tuple[str, str, tuple[Any, ...]]] = {
    ("exchange", "applyDeleverage"): ("engine", "CallerNotEngine", (1, [], 0, 1)),
    ("fund", "inherit"): ("exchange", "CallerNotExchange", (1, 1, 1)),
    ("fund", "assignMarket"): ("exchange", "CallerNotExchange", (1, 1)),
    ("fund", "creditFee"): ("exchange", "CallerNotExchange", (1, 1)),
    ("fund", "sell"): ("exchange", "CallerNotExchange", (1, 0, 1, 1, 0)),
    ("fund", "close"): ("engine", "CallerNotEngine", (1, 0, 1, 1, 1, 0)),
}
MODULE: dict[str, tuple[Any, ...]] = {
    "liquidate": (bytes(32), bytes(32), 1),
    "takeOver": (bytes(32),),
    "buyInventory": (bytes(32), 0, 1, 1),
    "applyDeleverage": (1, [], 0, 1),
}


def everybody(desk: Desk) -> dict[str, Any]:
    """Whoever could call: people, and the contracts of the system."""
    system = desk.venue.system
    people = {name: desk.trader(name) for name in ("stranger", "keeper")}
    contracts = {
        name: getattr(system, name) for name in ("exchange", "fund", "engine", "price_feed", "solvency_module")
    }
    for contract in contracts.values():
        desk.venue.endpoint.request("anvil_setBalance", contract.address, hex(10**20))
    return people | {"owner": desk.venue.owner} | contracts


@pytest.mark.parametrize("name", list(OPEN))
def test_every_function_is_in_the_matrix(venue: Venue, name: str) -> None:
    contract = getattr(venue.system, name)
    found = {abi.name for abi in contract.contract_type.mutable_methods}
    roles = {function for owner, function in ROLES if owner == name}
    module = set(MODULE) if name == "solvency_module" else set()
    assert found == OPEN[name] | set(OWNERS.get(name, {})) | roles | module


@pytest.mark.parametrize(
    ("name", "function"), [(name, function) for name, functions in OWNERS.items() for function in functions]
)
def test_only_the_owner(desk: Desk, name: str, function: str) -> None:
    contract = getattr(desk.venue.system, name)
    for caller, who in everybody(desk).items():
        if caller == "owner":
            continue
        with refused(contract.OwnableUnauthorizedAccount, account=who.address):
            act(who, getattr(contract, function), *OWNERS[name][function])


@pytest.mark.parametrize(("name", "function"), list(ROLES))
def test_only_the_contract_meant(desk: Desk, name: str, function: str) -> None:
    meant, error, arguments = ROLES[name, function]
    contract = getattr(desk.venue.system, name)
    for caller, who in everybody(desk).items():
        if caller == meant:
            continue
        with nothing_changes(desk.venue), refused(getattr(contract, error), caller=who.address):
            act(who, getattr(contract, function), *arguments)


@pytest.mark.parametrize("function", list(MODULE))
def test_the_module_is_never_called_directly(desk: Desk, function: str) -> None:
    module = desk.venue.system.solvency_module
    for who in everybody(desk).values():
        if who.address == module.address:
            continue
        with refused(desk.exchange.OnlyByDelegatecall):
            act(who, getattr(module, function), *MODULE[function])


@pytest.mark.parametrize("name", ["exchange", "fund", "price_feed"])
def test_ownership_passes_in_two_steps(desk: Desk, name: str) -> None:
    contract, owner = getattr(desk.venue.system, name), desk.venue.owner
    heir, stranger = desk.trader("heir"), desk.trader("stranger")
    act(owner, contract.transferOwnership, heir.address)
    assert (contract.owner(), contract.pendingOwner()) == (owner.address, heir.address)
    with refused(contract.OwnableUnauthorizedAccount, account=stranger.address):
        act(stranger, contract.acceptOwnership)
    act(heir, contract.acceptOwnership)
    assert (contract.owner(), contract.pendingOwner()) == (heir.address, ZERO)
    with refused(contract.OwnableUnauthorizedAccount, account=owner.address):
        act(owner, contract.transferOwnership, owner.address)


# ---------------------------------------------------------------------- deployment and wiring


def test_a_token_of_too_many_decimals(venue: Venue) -> None:
    s, odd = venue.system, venue.owner.deploy(project.MockAggregator, 19, 1)
    with refused(s.exchange.TokenDecimalsUnsupported, decimals=19):
        imagine_deployment(project.Exchange, odd, s.price_feed, s.solvency_module, venue.owner)
    with refused(s.exchange.TokenDecimalsUnsupported, decimals=19):
        imagine_deployment(project.SolvencyModule, odd, s.price_feed)


@pytest.mark.parametrize(("decimals", "scale"), [(18, 1), (6, 10**12), (0, 10**18)])
def test_token_units_in_wad(venue: Venue, decimals: int, scale: int) -> None:
    s, token = venue.system, venue.owner.deploy(project.MockAggregator, decimals, 1)
    exchange = venue.owner.deploy(project.Exchange, token, s.price_feed, s.solvency_module, venue.owner)
    assert exchange.tokenScale() == scale
    assert exchange.backstopRatio() == wad("0.5")


def test_no_module_no_owner(venue: Venue) -> None:
    s = venue.system
    with refused(s.exchange.AddressZero):
        imagine_deployment(project.Exchange, s.token, s.price_feed, ZERO, venue.owner)
    for container, arguments in (
        (project.Exchange, (s.token, s.price_feed, s.solvency_module, ZERO)),
        (project.InsuranceFund, (s.exchange, s.price_feed, ZERO)),
        (project.ChainlinkPriceFeed, (ZERO,)),
    ):
        with refused(s.exchange.OwnableInvalidOwner, owner=ZERO):
            imagine_deployment(container, *arguments)


def test_wired_once(desk: Desk) -> None:
    owner, fund, engine = desk.venue.owner, desk.fund.address, desk.engine.address
    with refused(desk.exchange.AlreadyWired):
        act(owner, desk.exchange.wire, fund, engine)
    with refused(desk.fund.AlreadyWired):
        act(owner, desk.fund.wire, engine)


def test_wiring(venue: Venue) -> None:
    s, owner = venue.system, venue.owner
    exchange = owner.deploy(project.Exchange, s.token, s.price_feed, s.solvency_module, owner)
    fund = owner.deploy(project.InsuranceFund, exchange, s.price_feed, owner)
    engine = owner.deploy(project.ADLEngine, exchange, fund, s.price_feed)
    with refused(exchange.NotWired):
        act(owner, exchange.listMarket, NAME, INITIAL, MAINTENANCE, 1)
    for pair in ((ZERO, engine.address), (fund.address, ZERO), (ZERO, ZERO)):
        with refused(exchange.AddressZero):
            act(owner, exchange.wire, *pair)
    with refused(fund.AddressZero):
        act(owner, fund.wire, ZERO)
    done = act(owner, exchange.wire, fund.address, engine.address)
    assert emitted(done, exchange.Wired) == [{"fund": fund.address.lower(), "engine": engine.address.lower()}]
    done = act(owner, fund.wire, engine.address)
    assert emitted(done, fund.Wired) == [{"engine": engine.address.lower()}]
    assert (exchange.fund(), exchange.engine(), fund.engine()) == (fund.address, engine.address, engine.address)


# ---------------------------------------------------------------------- markets


def test_a_market_is_listed(venue: Venue) -> None:
    s = venue.system
    pool = create_pool(venue, "test", PoolKind.ISOLATED)
    market_id = s.exchange.marketCount() + 1
    done = act(venue.owner, s.exchange.listMarket, NAME, INITIAL, MAINTENANCE, pool)
    assert emitted(done, s.exchange.MarketListed) == [
        {
            "market": market_id,
            "name": NAME,
            "initialMarginFraction": INITIAL,
            "maintenanceMarginFraction": MAINTENANCE,
        }
    ]
    bounds = {"trigger": wad("0.3"), "stop": wad("0.25"), "target": wad("0.25")}
    assert emitted(done, s.fund.MarketAssigned) == [{"market": market_id, "pool": pool, **bounds}]
    assert s.exchange.marketCount() == market_id
    listed = s.exchange.market(market_id)
    assert (listed.name, listed.openInterest) == (NAME, 0)
    assert tuple(s.fund.parameters(market_id)) == (pool, *bounds.values())
    assert list(s.fund.pool(pool).markets) == [market_id]


def test_a_market_needs_a_name(venue: Venue) -> None:
    with refused(venue.system.exchange.MarketNameEmpty):
        act(venue.owner, venue.system.exchange.listMarket, bytes(32), INITIAL, MAINTENANCE, 1)


def test_a_name_is_given_once(desk: Desk) -> None:
    """The Python package, and people, tell markets and pools by name."""
    owner, s = desk.venue.owner, desk.venue.system
    pool = create_pool(desk.venue, "test", PoolKind.ISOLATED)
    taken = name_bytes(desk.market.name)
    with nothing_changes(desk.venue), refused(s.exchange.MarketNameTaken, name=taken):
        act(owner, s.exchange.listMarket, taken, INITIAL, MAINTENANCE, pool)
    for kind in PoolKind:
        with nothing_changes(desk.venue), refused(s.fund.PoolNameTaken, name=name_bytes("test")):
            act(owner, s.fund.createPool, name_bytes("test"), kind)
    # A pool may have the name of a market.
    act(owner, s.fund.createPool, taken, PoolKind.ISOLATED)


# Lowest and highest initial fraction, lowest maintenance fraction, and maintenance below initial.
ACCEPTED = [
    (wad("0.005"), wad("0.001")),
    (wad(1), wad("0.001")),
    (wad(1), wad(1) - 1),
    (wad("0.005"), wad("0.005") - 1),
]
REFUSED = [
    (wad("0.005") - 1, wad("0.001")),
    (wad(1) + 1, wad("0.001")),
    (wad("0.005"), wad("0.001") - 1),
    (wad("0.1"), wad("0.1")),
    (wad("0.1"), wad("0.1") + 1),
    (0, 0),
    (2**64 - 1, 2**64 - 1),
]


@pytest.mark.parametrize(("initial", "maintenance"), ACCEPTED)
def test_margin_fractions_within_bounds(desk: Desk, initial: int, maintenance: int) -> None:
    owner = desk.venue.owner
    # What a liquidation takes may not pass the maintenance margin, whichever of them is set first.
    act(owner, desk.exchange.setLiquidationFractions, desk.market.id, 0, 0)
    done = act(owner, desk.exchange.setMarginFractions, desk.market.id, initial, maintenance)
    fractions = {"initialMarginFraction": initial, "maintenanceMarginFraction": maintenance}
    assert emitted(done, desk.exchange.MarginFractionsSet) == [{"market": desk.market.id, **fractions}]
    listed = desk.exchange.market(desk.market.id)
    assert (listed.initialMarginFraction, listed.maintenanceMarginFraction) == (initial, maintenance)
    pool = create_pool(desk.venue, "test", PoolKind.ISOLATED)
    done = act(owner, desk.exchange.listMarket, NAME, initial, maintenance, pool)
    assert len(emitted(done, desk.exchange.MarketListed)) == 1
    quarter = {"discount": maintenance // 4, "fee": maintenance // 4}
    (defaults,) = emitted(done, desk.exchange.LiquidationFractionsSet)
    assert defaults == {"market": desk.market.id + 1, **quarter}


@pytest.mark.parametrize(("initial", "maintenance"), REFUSED)
def test_margin_fractions_out_of_bounds(desk: Desk, initial: int, maintenance: int) -> None:
    owner = desk.venue.owner
    fractions = {"initialMarginFraction": initial, "maintenanceMarginFraction": maintenance}
    with refused(desk.exchange.MarginFractionsOutOfBounds, **fractions):
        act(owner, desk.exchange.setMarginFractions, desk.market.id, initial, maintenance)
    with refused(desk.exchange.MarginFractionsOutOfBounds, **fractions):
        act(owner, desk.exchange.listMarket, NAME, initial, maintenance, 1)


def test_margin_fractions_of_an_unlisted_market(desk: Desk) -> None:
    for market_id in (0, desk.exchange.marketCount() + 1):
        with refused(desk.exchange.MarketUnlisted, market=market_id):
            act(desk.venue.owner, desk.exchange.setMarginFractions, market_id, INITIAL, MAINTENANCE)


def test_margin_fractions_leave_open_interest_alone(desk: Desk) -> None:
    desk.seat("""
        hawk   10 100 100
        dove  -10 100 100
    """)
    act(desk.venue.owner, desk.exchange.setMarginFractions, desk.market.id, wad("0.2"), wad("0.1"))
    assert desk.open_interest() == wad(10)
    dove = desk.trader("dove")
    with refused(
        desk.exchange.MarginInsufficient,
        account=desk.account(dove),
        available=wad(100) - 10**12,
        required=wad(200),
    ):
        act(dove, desk.exchange.withdraw, desk.account(dove), 1, dove.address)


@pytest.mark.parametrize("ratio", [wad("0.1"), wad("0.9")])
def test_backstop_ratio_at_its_bounds(desk: Desk, ratio: int) -> None:
    done = act(desk.venue.owner, desk.exchange.setBackstopRatio, ratio)
    assert emitted(done, desk.exchange.BackstopRatioSet) == [{"ratio": ratio}]
    assert desk.exchange.backstopRatio() == ratio


@pytest.mark.parametrize("ratio", [0, wad("0.1") - 1, wad("0.9") + 1, 2**64 - 1])
def test_backstop_ratio_out_of_bounds(desk: Desk, ratio: int) -> None:
    with refused(desk.exchange.BackstopRatioOutOfBounds, ratio=ratio):
        act(desk.venue.owner, desk.exchange.setBackstopRatio, ratio)


# ---------------------------------------------------------------------- pools


@pytest.mark.parametrize("kind", list(PoolKind))
def test_a_pool_is_created(venue: Venue, kind: PoolKind) -> None:
    fund = venue.system.fund
    pool = fund.poolCount() + 1
    done = act(venue.owner, fund.createPool, NAME, kind)
    assert emitted(done, fund.PoolCreated) == [{"pool": pool, "name": NAME, "kind": kind}]
    created = fund.pool(pool)
    assert (created.name, created.kind, created.cash, list(created.markets)) == (NAME, kind, 0, [])
    assert fund.poolCount() == pool


def test_a_pool_needs_a_name_and_a_kind(venue: Venue) -> None:
    fund = venue.system.fund
    with refused(fund.PoolNameEmpty):
        act(venue.owner, fund.createPool, bytes(32), PoolKind.SHARED)
    with refused_without_reason():
        act(venue.owner, fund.createPool, NAME, 2)


def test_a_market_needs_a_pool(venue: Venue) -> None:
    s = venue.system
    for pool in (0, s.fund.poolCount() + 1):
        with nothing_changes(venue), refused(s.fund.PoolMissing, pool=pool):
            act(venue.owner, s.exchange.listMarket, NAME, INITIAL, MAINTENANCE, pool)


def test_an_isolated_pool_has_room_for_one(desk: Desk) -> None:
    with refused(desk.fund.PoolFull, pool=desk.market.pool, markets=1):
        act(desk.venue.owner, desk.exchange.listMarket, NAME, INITIAL, MAINTENANCE, desk.market.pool)


def test_a_shared_pool_has_room_for_sixteen(venue: Venue) -> None:
    s = venue.system
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    for i in range(16):
        act(venue.owner, s.exchange.listMarket, name_bytes(f"M{i}-USD"), INITIAL, MAINTENANCE, pool)
    with refused(s.fund.PoolFull, pool=pool, markets=16):
        act(venue.owner, s.exchange.listMarket, NAME, INITIAL, MAINTENANCE, pool)


# Trigger, stop and target.
BOUNDS_ACCEPTED = [
    (wad("0.9"), wad("0.05"), wad("0.05")),
    (wad("0.9"), wad("0.05"), wad("0.9")),
    (wad("0.9"), wad("0.9"), wad("0.9")),
    (wad("0.05"), wad("0.05"), wad("0.05")),
    (wad("0.3"), wad("0.25"), wad("0.27")),
]
BOUNDS_REFUSED = [
    (wad("0.9") + 1, wad("0.25"), wad("0.25")),
    (wad("0.3"), wad("0.05") - 1, wad("0.25")),
    (wad("0.3"), wad("0.25"), wad("0.25") - 1),
    (wad("0.3"), wad("0.25"), wad("0.3") + 1),
    (wad("0.25") - 1, wad("0.25"), wad("0.25")),
    (0, 0, 0),
    (2**64 - 1, 2**64 - 1, 2**64 - 1),
]


@pytest.mark.parametrize(("trigger", "stop", "target"), BOUNDS_ACCEPTED)
def test_drawdown_bounds_within_limits(desk: Desk, trigger: int, stop: int, target: int) -> None:
    done = act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, trigger, stop, target)
    bounds = {"trigger": trigger, "stop": stop, "target": target}
    assert emitted(done, desk.fund.DrawdownBoundsSet) == [{"market": desk.market.id, **bounds}]
    assert tuple(desk.fund.parameters(desk.market.id)) == (desk.market.pool, trigger, stop, target)
    assert len(emitted(done, desk.fund.Checkpointed)) == 1


@pytest.mark.parametrize(("trigger", "stop", "target"), BOUNDS_REFUSED)
def test_drawdown_bounds_out_of_limits(desk: Desk, trigger: int, stop: int, target: int) -> None:
    with refused(desk.fund.DrawdownBoundsInvalid, trigger=trigger, stop=stop, target=target):
        act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, trigger, stop, target)


def test_drawdown_bounds_of_an_unlisted_market(desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    with refused(desk.fund.MarketUnassigned, market=unlisted):
        act(desk.venue.owner, desk.fund.setDrawdownBounds, unlisted, wad("0.3"), wad("0.25"), wad("0.25"))


def test_drawdown_bounds_change_after_a_sample_under_the_old_ones(desk: Desk) -> None:
    """A drawdown of 30 % starts ADL under the old trigger; the new bounds let it go on above their stop."""
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 90)
    desk.price(60)
    done = act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad("0.5"), wad("0.2"), wad("0.2"))
    assert emitted(done, desk.fund.ADLStarted) == [{"market": desk.market.id, "drawdown": wad("0.3")}]
    assert desk.backing().drawdownDue
    assert desk.terms(Side.LONG).compensation == wad(100)


def test_drawdown_bounds_need_a_price_where_there_is_inventory(desk: Desk) -> None:
    desk.inherit("icarus", 10, 100, 100, 90)
    updated = desk.priced_at()
    wait_until(updated + 3601)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad("0.5"), wad("0.2"), wad("0.2"))


# ---------------------------------------------------------------------- post-conditions, seen by the contract meant


def test_no_more_is_closed_than_there_is(desk: Desk) -> None:
    desk.inherit("icarus", 10, 100, 100, 90)
    engine = everybody(desk)["engine"]
    for side, available in ((Side.LONG, wad(10)), (Side.SHORT, 0)):
        with refused(
            desk.fund.InventoryExceeded,
            market=desk.market.id,
            side=side,
            requested=available + 1,
            available=available,
        ):
            act(engine, desk.fund.close, desk.market.id, side, available + 1, 0, 0, 0)


def test_no_more_is_netted_than_both_sides_have(desk: Desk) -> None:
    desk.inherit("icarus", 10, 100, 100, 90)
    desk.inherit("midas", -4, 90, 40, 100, against="kraken")
    engine = everybody(desk)["engine"]
    for side in Side:
        with refused(
            desk.fund.InventoryExceeded,
            market=desk.market.id,
            side=side,
            requested=wad(4) + 1,
            available=wad(4),
        ):
            act(engine, desk.fund.close, desk.market.id, side, 0, 0, 0, wad(4) + 1)


def test_a_round_makes_nobody_insolvent(desk: Desk) -> None:
    """The exchange's own check, whatever the engine would ask for."""
    desk.seat("""
        hawk   10 100 100
        dove  -10 100 100
    """)
    engine, hawk = everybody(desk)["engine"], desk.account(desk.trader("hawk"))
    with refused(desk.exchange.SolventMadeInsolvent, account=hawk, equity=-1):
        act(engine, desk.exchange.applyDeleverage, desk.market.id, [(hawk, -wad(10), -wad(900) + 1)], 0, wad(100))


def test_the_exchange_inherits_nothing_for_a_market_without_a_pool(desk: Desk) -> None:
    exchange, unlisted = everybody(desk)["exchange"], desk.exchange.marketCount() + 1
    with refused(desk.fund.MarketUnassigned, market=unlisted):
        act(exchange, desk.fund.inherit, unlisted, 1, 1)


def test_views_of_a_market_without_a_pool(desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    with refused(desk.fund.MarketUnassigned, market=unlisted):
        act(desk.trader("stranger"), desk.fund.backing, unlisted)
    for side in Side:
        with refused(desk.fund.MarketUnassigned, market=unlisted):
            act(desk.trader("stranger"), desk.fund.adlTerms, unlisted, side)


def test_pools_of_one_owner_keep_their_own_markets(venue: Venue) -> None:
    """A market is listed under the pool it names and no other."""
    first = open_desk(venue, "A-USD", 100)
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    second = list_in_pool(venue, "B-USD", pool, 100)
    assert list(venue.system.fund.pool(first.market.pool).markets) == [first.market.id]
    assert list(venue.system.fund.pool(pool).markets) == [second.id]
