"""What the owner does: parameters with their bounds, wiring, markets and pools; and what only a contract may do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ape import project

from backstop.deployment.pool_terms import Backer, PoolKind
from scripts.stage.parameters import MarketParameters, plain_market
from scripts.stage.system import name_bytes
from scripts.stage.venue import Venue, wad
from tests.support.acting import Done, act, emitted, imagine_deployment, refused, refused_without_reason, wait_until
from tests.support.callers import EXCHANGE_MODULES, everybody
from tests.support.desk import Desk, create_pool, list_in_pool, open_desk
from tests.support.enums import Side, Trigger
from tests.support.proofs import nothing_changes

ZERO = "0x" + "0" * 40
NAME = name_bytes("TEST-USD")
INITIAL, MAINTENANCE = wad("0.1"), wad("0.05")
PARAMETERS = plain_market(Decimal("0.1"), Decimal("0.05"))


# ---------------------------------------------------------------------- ownership


@pytest.mark.parametrize("name", ["exchange", "fund", "round_book", "price_feed"])
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


def modules(venue: Venue) -> list[Any]:
    """The modules in the order of the exchange's constructor."""
    return [getattr(venue.system, name) for name in EXCHANGE_MODULES]


def test_a_token_of_too_many_decimals(venue: Venue) -> None:
    s, odd = venue.system, venue.owner.deploy(project.MockAggregator, 19, 1)
    with refused(s.exchange.TokenDecimalsUnsupported, decimals=19):
        imagine_deployment(project.Exchange, odd, s.price_feed, *modules(venue), venue.owner)
    for container in (project.SettlementModule, project.SolvencyModule, project.MarketModule):
        with refused(s.exchange.TokenDecimalsUnsupported, decimals=19):
            imagine_deployment(container, odd, s.price_feed)


@pytest.mark.parametrize(("decimals", "scale"), [(18, 1), (6, 10**12), (0, 10**18)])
def test_token_units_in_wad(venue: Venue, decimals: int, scale: int) -> None:
    s, token = venue.system, venue.owner.deploy(project.MockAggregator, decimals, 1)
    exchange = venue.owner.deploy(project.Exchange, token, s.price_feed, *modules(venue), venue.owner)
    assert exchange.tokenScale() == scale
    assert exchange.backstopRatio() == wad("0.5")
    assert exchange.warningRate() == wad("0.8")
    assert tuple(exchange.reserves()) == (ZERO, 0, 0)


@pytest.mark.parametrize("missing", range(len(EXCHANGE_MODULES)))
def test_no_module_is_missing(venue: Venue, missing: int) -> None:
    s, given = venue.system, modules(venue)
    given[missing] = ZERO
    with refused(s.exchange.AddressZero):
        imagine_deployment(project.Exchange, s.token, s.price_feed, *given, venue.owner)


def test_no_owner(venue: Venue) -> None:
    s = venue.system
    for container, arguments in (
        (project.Exchange, (s.token, s.price_feed, *modules(venue), ZERO)),
        (project.InsuranceFund, (s.exchange, s.price_feed, s.inventory_module, s.pool_module, ZERO)),
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
    with refused(desk.price_feed.AlreadyWired):
        act(owner, desk.price_feed.wire, desk.exchange.address)


def test_wiring(venue: Venue) -> None:
    s, owner = venue.system, venue.owner
    exchange = owner.deploy(project.Exchange, s.token, s.price_feed, *modules(venue), owner)
    for missing in ((ZERO, s.pool_module), (s.inventory_module, ZERO)):
        with refused(exchange.AddressZero):
            imagine_deployment(project.InsuranceFund, exchange, s.price_feed, *missing, owner)
    fund = owner.deploy(project.InsuranceFund, exchange, s.price_feed, s.inventory_module, s.pool_module, owner)
    engine = owner.deploy(project.ADLEngine, exchange, fund, s.price_feed, s.round_book)
    with refused(exchange.NotWired):
        act(owner, exchange.listMarket, NAME, 1, PARAMETERS)
    for pair in ((ZERO, engine.address), (fund.address, ZERO), (ZERO, ZERO)):
        with refused(exchange.AddressZero):
            act(owner, exchange.wire, *pair)
    with refused(fund.AddressZero):
        act(owner, fund.wire, ZERO)
    feed = owner.deploy(project.ChainlinkPriceFeed, owner)
    with refused(feed.AddressZero):
        act(owner, feed.wire, ZERO)
    done = act(owner, feed.wire, exchange.address)
    assert emitted(done, feed.Wired) == [{"exchange": exchange.address.lower()}]
    done = act(owner, exchange.wire, fund.address, engine.address)
    assert emitted(done, exchange.Wired) == [{"fund": fund.address.lower(), "engine": engine.address.lower()}]
    done = act(owner, fund.wire, engine.address)
    assert emitted(done, fund.Wired) == [{"engine": engine.address.lower()}]
    assert (exchange.fund(), exchange.engine(), fund.engine()) == (fund.address, engine.address, engine.address)


# ---------------------------------------------------------------------- markets


def parameters_set(done: Done, exchange: Any) -> tuple[int, MarketParameters]:
    """The market and the parameters that the only such event tells of."""
    (event,) = emitted(done, exchange.ParametersSet)
    return event["market"], MarketParameters(*event["parameters"].values())


def test_a_market_is_listed(venue: Venue) -> None:
    s = venue.system
    pool = create_pool(venue, "test", PoolKind.ISOLATED)
    market_id = s.exchange.marketCount() + 1
    done = act(venue.owner, s.exchange.listMarket, NAME, pool, PARAMETERS)
    assert emitted(done, s.exchange.MarketListed) == [{"market": market_id, "name": NAME, "pool": pool}]
    assert parameters_set(done, s.exchange) == (market_id, PARAMETERS)
    bounds = {"trigger": wad("0.3"), "stop": wad("0.25"), "target": wad("0.25")}
    assert emitted(done, s.fund.MarketAssigned) == [{"market": market_id, "pool": pool}]
    assert emitted(done, s.fund.DrawdownBoundsSet) == [{"market": market_id, **bounds}]
    assert s.exchange.marketCount() == market_id
    listed = s.exchange.market(market_id)
    assert (listed.name, listed.openInterest, listed.pool, listed.isolatedOnly) == (NAME, 0, pool, True)
    assert (listed.funding.index, listed.funding.hour) == (0, done.timestamp // 3600)
    assert tuple(s.fund.parameters(market_id)) == (pool, *bounds.values())
    assert list(s.fund.pool(pool).markets) == [market_id]


def test_a_market_needs_a_name(venue: Venue) -> None:
    with refused(venue.system.exchange.MarketNameEmpty):
        act(venue.owner, venue.system.exchange.listMarket, bytes(32), 1, PARAMETERS)


def test_a_name_is_given_once(desk: Desk) -> None:
    """The Python package, and people, tell markets and pools by name."""
    owner, s = desk.venue.owner, desk.venue.system
    pool = create_pool(desk.venue, "test", PoolKind.ISOLATED)
    taken = name_bytes(desk.market.name)
    with nothing_changes(desk.venue), refused(s.exchange.MarketNameTaken, name=taken):
        act(owner, s.exchange.listMarket, taken, pool, PARAMETERS)
    for kind in PoolKind:
        with nothing_changes(desk.venue), refused(s.fund.PoolNameTaken, name=name_bytes("test")):
            act(owner, s.fund.createPool, name_bytes("test"), kind, Backer.OWN)
    # A pool may have the name of a market.
    act(owner, s.fund.createPool, taken, PoolKind.ISOLATED, Backer.OWN)


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


def margins(initial: int, maintenance: int) -> dict[str, int]:
    """Changes of parameters: the margin fractions, and a liquidation that costs nothing."""
    return {
        "initial_margin_fraction": initial,
        "maintenance_margin_fraction": maintenance,
        "liquidation_discount": 0,
        "liquidation_fee": 0,
    }


@pytest.mark.parametrize(("initial", "maintenance"), ACCEPTED)
def test_margin_fractions_within_bounds(desk: Desk, initial: int, maintenance: int) -> None:
    done = desk.set_parameters(**margins(initial, maintenance))
    meant = PARAMETERS._replace(**margins(initial, maintenance))
    assert parameters_set(done, desk.exchange) == (desk.market.id, meant)
    assert desk.parameters() == meant
    pool = create_pool(desk.venue, "test", PoolKind.ISOLATED)
    done = act(desk.venue.owner, desk.exchange.listMarket, NAME, pool, meant)
    assert parameters_set(done, desk.exchange) == (desk.market.id + 1, meant)
    assert desk.exchange.maintenanceMarginFraction(desk.market.id + 1) == maintenance


@pytest.mark.parametrize(("initial", "maintenance"), REFUSED)
def test_margin_fractions_out_of_bounds(desk: Desk, initial: int, maintenance: int) -> None:
    fractions = {"initialMarginFraction": initial, "maintenanceMarginFraction": maintenance}
    with nothing_changes(desk.venue), refused(desk.exchange.MarginFractionsOutOfBounds, **fractions):
        desk.set_parameters(**margins(initial, maintenance))
    with nothing_changes(desk.venue), refused(desk.exchange.MarginFractionsOutOfBounds, **fractions):
        given = PARAMETERS._replace(**margins(initial, maintenance))
        act(desk.venue.owner, desk.exchange.listMarket, NAME, 1, given)


def test_parameters_of_an_unlisted_market(desk: Desk) -> None:
    for market_id in (0, desk.exchange.marketCount() + 1):
        with refused(desk.exchange.MarketUnlisted, market=market_id):
            act(desk.venue.owner, desk.exchange.setParameters, market_id, PARAMETERS)


def test_margin_fractions_leave_open_interest_alone(desk: Desk) -> None:
    desk.seat("""
        hawk   10 100 100
        dove  -10 100 100
    """)
    desk.set_parameters(**margins(wad("0.2"), wad("0.1")))
    assert desk.open_interest() == wad(10)
    dove = desk.trader("dove")
    with refused(
        desk.exchange.MarginInsufficient,
        account=desk.account(dove),
        available=wad(100) - 10**12,
        required=wad(200),
    ):
        act(dove, desk.exchange.withdraw, desk.account(dove), 1, dove.address)


# What each parameter may be at most or at least, the error beyond it, and that error's values.
EDGES: list[tuple[dict[str, int], dict[str, int], str, dict[str, int]]] = [
    (
        {"maker_fee": wad("0.01")},
        {"maker_fee": wad("0.01") + 1},
        "TradingFeesOutOfBounds",
        {"makerFee": wad("0.01") + 1, "takerFee": 0},
    ),
    (
        {"taker_fee": wad("0.01")},
        {"taker_fee": wad("0.01") + 1},
        "TradingFeesOutOfBounds",
        {"makerFee": 0, "takerFee": wad("0.01") + 1},
    ),
    (
        {"pool_fee_share": wad(1), "treasury_fee_share": 0},
        {"pool_fee_share": wad(1), "treasury_fee_share": 1},
        "FeeSharesOutOfBounds",
        {"poolFeeShare": wad(1), "treasuryFeeShare": 1},
    ),
    (
        {"pool_fee_share": 0, "treasury_fee_share": 0},
        {"pool_fee_share": 2**64 - 1, "treasury_fee_share": 2**64 - 1},
        "FeeSharesOutOfBounds",
        {"poolFeeShare": 2**64 - 1, "treasuryFeeShare": 2**64 - 1},
    ),
    (
        {"price_band": wad("0.001")},
        {"price_band": wad("0.001") - 1},
        "PriceBandOutOfBounds",
        {"priceBand": wad("0.001") - 1},
    ),
    (
        {"funding_cap": wad("0.01")},
        {"funding_cap": wad("0.01") + 1},
        "FundingCapOutOfBounds",
        {"fundingCap": wad("0.01") + 1, "maintenanceMarginFraction": MAINTENANCE},
    ),
    # An hour of funding at a constant price leaves an account that met its maintenance margin half of it.
    (
        margins(wad("0.1"), wad("0.002") + 1) | {"funding_cap": wad("0.001")},
        margins(wad("0.1"), wad("0.002") + 1) | {"funding_cap": wad("0.001") + 1},
        "FundingCapOutOfBounds",
        {"fundingCap": wad("0.001") + 1, "maintenanceMarginFraction": wad("0.002") + 1},
    ),
    (
        margins(wad("0.1"), wad("0.02")) | {"funding_cap": wad("0.01")},
        margins(wad("0.1"), wad("0.02") - 1) | {"funding_cap": wad("0.01")},
        "FundingCapOutOfBounds",
        {"fundingCap": wad("0.01"), "maintenanceMarginFraction": wad("0.02") - 1},
    ),
    (
        {"max_open_interest": 2**111 - 1},
        {"max_open_interest": 2**111},
        "MaxOpenInterestOutOfBounds",
        {"maxOpenInterest": 2**111},
    ),
    (
        {"liquidation_discount": wad("0.02"), "liquidation_fee": wad("0.03")},
        {"liquidation_discount": wad("0.02"), "liquidation_fee": wad("0.03") + 1},
        "LiquidationFractionsOutOfBounds",
        {"discount": wad("0.02"), "fee": wad("0.03") + 1, "maintenanceMarginFraction": MAINTENANCE},
    ),
]


@pytest.mark.parametrize(("within", "beyond", "error", "values"), EDGES, ids=lambda each: "")
def test_parameters_at_their_bounds_and_beyond(
    desk: Desk, within: dict[str, int], beyond: dict[str, int], error: str, values: dict[str, int]
) -> None:
    with nothing_changes(desk.venue), refused(getattr(desk.exchange, error), **values):
        desk.set_parameters(**beyond)
    desk.set_parameters(**within)
    assert desk.parameters() == PARAMETERS._replace(**within)


def test_all_parameters_at_once(desk: Desk) -> None:
    meant = MarketParameters(
        wad("0.2"), wad("0.04"), 1, 2, 3, 4, wad("0.005"), 6, max_notional=7, min_size=8, max_open_interest=9
    )
    act(desk.venue.owner, desk.exchange.setParameters, desk.market.id, meant)
    assert desk.parameters() == meant


@pytest.mark.parametrize("rate", [wad("0.1"), wad(1)])
def test_warning_rate_at_its_bounds(desk: Desk, rate: int) -> None:
    done = act(desk.venue.owner, desk.exchange.setWarningRate, rate)
    assert emitted(done, desk.exchange.WarningRateSet) == [{"rate": rate}]
    assert desk.exchange.warningRate() == desk.lens.system().warningRate == rate


@pytest.mark.parametrize("rate", [0, wad("0.1") - 1, wad(1) + 1, 2**64 - 1])
def test_warning_rate_out_of_bounds(desk: Desk, rate: int) -> None:
    with refused(desk.exchange.WarningRateOutOfBounds, rate=rate):
        act(desk.venue.owner, desk.exchange.setWarningRate, rate)


def test_the_treasury_is_somebody_else(desk: Desk) -> None:
    for nobody in (ZERO, desk.exchange.address):
        with refused(desk.exchange.RecipientInvalid, recipient=nobody):
            act(desk.venue.owner, desk.exchange.setTreasury, nobody)
    treasury = desk.trader("treasury").address
    done = act(desk.venue.owner, desk.exchange.setTreasury, treasury)
    assert emitted(done, desk.exchange.TreasurySet) == [{"treasury": treasury.lower()}]
    assert desk.exchange.reserves()[0] == treasury


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


@pytest.mark.parametrize(
    ("kind", "backer"),
    [(PoolKind.ISOLATED, Backer.OWN), (PoolKind.ISOLATED, Backer.MUTUAL), (PoolKind.SHARED, Backer.OWN)],
)
def test_a_pool_is_created(venue: Venue, kind: PoolKind, backer: Backer) -> None:
    fund = venue.system.fund
    pool = fund.poolCount() + 1
    done = act(venue.owner, fund.createPool, NAME, kind, backer)
    assert emitted(done, fund.PoolCreated) == [{"pool": pool, "name": NAME, "kind": kind, "backer": backer}]
    created = fund.pool(pool)
    assert (created.name, created.kind, created.backer) == (NAME, kind, backer)
    assert (created.cash, list(created.markets)) == (0, [])
    assert (created.cap, created.cooldown) == (2**96 - 1, 3 * 86400)
    assert fund.poolCount() == pool
    assert list(fund.group()[0]) == [pool] * (backer is Backer.MUTUAL)
    shares = project.PoolShares.at(created.shares)
    assert (shares.poolId(), shares.fund(), shares.asset()) == (pool, fund.address, venue.system.token.address)
    assert (shares.name(), shares.symbol(), shares.decimals()) == ("Backstop pool TEST-USD", "bp-TEST-USD", 18)
    assert emitted(done, fund.SharesIssued) == [{"pool": pool, "shares": created.shares.lower()}]


def test_a_shared_pool_stands_on_its_own(venue: Venue) -> None:
    with nothing_changes(venue), refused(venue.system.fund.SharedPoolNotMutual, name=NAME):
        act(venue.owner, venue.system.fund.createPool, NAME, PoolKind.SHARED, Backer.MUTUAL)


def test_the_mutual_group_has_room_for_sixteen(venue: Venue) -> None:
    for number in range(16):
        create_pool(venue, f"member {number}", PoolKind.ISOLATED, Backer.MUTUAL)
    with refused(venue.system.fund.GroupFull, members=16):
        create_pool(venue, "one more", PoolKind.ISOLATED, Backer.MUTUAL)


def test_a_pool_needs_a_name_and_a_kind(venue: Venue) -> None:
    fund = venue.system.fund
    with refused(fund.PoolNameEmpty):
        act(venue.owner, fund.createPool, bytes(32), PoolKind.SHARED, Backer.OWN)
    with refused_without_reason():
        act(venue.owner, fund.createPool, NAME, 2, Backer.OWN)
    with refused_without_reason():
        act(venue.owner, fund.createPool, NAME, PoolKind.ISOLATED, 2)


def test_a_market_needs_a_pool(venue: Venue) -> None:
    s = venue.system
    for pool in (0, s.fund.poolCount() + 1):
        with nothing_changes(venue), refused(s.fund.PoolMissing, pool=pool):
            act(venue.owner, s.exchange.listMarket, NAME, pool, PARAMETERS)


def test_an_isolated_pool_has_room_for_one(desk: Desk) -> None:
    with refused(desk.fund.PoolFull, pool=desk.market.pool, markets=1):
        act(desk.venue.owner, desk.exchange.listMarket, NAME, desk.market.pool, PARAMETERS)


def test_a_shared_pool_has_room_for_sixteen(venue: Venue) -> None:
    s = venue.system
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    for i in range(16):
        act(venue.owner, s.exchange.listMarket, name_bytes(f"M{i}-USD"), pool, PARAMETERS)
    with refused(s.fund.PoolFull, pool=pool, markets=16):
        act(venue.owner, s.exchange.listMarket, NAME, pool, PARAMETERS)


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
    assert emitted(done, desk.fund.ADLStarted) == [
        {"market": desk.market.id, "reason": Trigger.DRAWDOWN, "drawdown": wad("0.3")}
    ]
    assert desk.backing().drawdownDue
    assert desk.terms(Side.LONG).compensation == wad(100)


def test_drawdown_bounds_change_without_a_price_after_a_sample_at_the_last_one(desk: Desk) -> None:
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 90)
    wait_until(desk.priced_at() + 3601)
    done = act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad("0.5"), wad("0.2"), wad("0.2"))
    # 10 from 90 at 90 less 5 %.
    (sample,) = emitted(done, desk.fund.Checkpointed)
    assert (sample["pnl"], sample["balance"]) == (wad(-45), wad(955))


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
        fill = (hawk, -wad(10), -wad(900) + 1)
        act(engine, desk.exchange.applyDeleverage, (desk.market.id, 1, 0, False, wad(100), 0, [0, 0], []), [fill])


def test_the_exchange_inherits_nothing_for_a_market_without_a_pool(desk: Desk) -> None:
    exchange, unlisted = everybody(desk)["exchange"], desk.exchange.marketCount() + 1
    with refused(desk.fund.MarketUnassigned, market=unlisted):
        act(exchange, desk.fund.inherit, [(unlisted, 1, 1, 0)])


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
