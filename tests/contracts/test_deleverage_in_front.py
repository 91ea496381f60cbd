"""What counterparties do about a round: they move in front of it, or are contracts that would rather not be closed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ape import project

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.published_case import PRICE, fill, fills, outcome, published_case, skips, traders
from tests.support.acting import act, emitted, imagine, refused, rpc
from tests.support.desk import ANY_BOUNDS, Account, Desk
from tests.support.enums import Side, SkipReason


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    return published_case(venue)


# ---------------------------------------------------------------------- counterparties that move in front


@pytest.mark.parametrize(
    ("change", "left"),
    [(300, 0), (301, 1), (1, -299), ("0.000000000000000001", "-299.999999999999999999"), (-1, -301)],
    ids=["closes", "flips", "reduces", "reduces by one wei", "grows"],
)
def test_a_counterparty_that_trades_in_front(desk: Desk, change: int | str, left: int | str) -> None:
    """Re-validated and filled as it stands: the same 800 contracts are closed, the others take what it left."""
    hawk, whale = desk.trader("hawk"), desk.trader("whale")
    desk.trade(whale, hawk, wad(change), wad(80))
    assert desk.holding(hawk).size == wad(left)
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron"), prices=(PRICE, PRICE))
    assert outcome(desk, done)["contracts"] == wad(800)
    by_name = {each.name: each.contracts for each in fills(desk, done)}
    shorted = max(Decimal(0), -Decimal(left))
    assert by_name.get("hawk", 0) == min(shorted, 800)
    assert sum(by_name.values()) == 800
    expected = [] if shorted else [SkipReason.FLAT if left == 0 else SkipReason.INVENTORY_SIDE]
    assert [reason for _, reason in skips(desk, done)] == expected
    if shorted:
        assert desk.holding(hawk) == Account(0, 0, desk.holding(hawk).margin)


@pytest.mark.parametrize("deed", ["deposits", "withdraws", "cancels", "deposits a lot"])
def test_a_counterparty_that_moves_margin_in_front(desk: Desk, deed: str) -> None:
    hawk = desk.trader("hawk")
    if deed == "deposits":
        desk.deposit(hawk, "0.000001")
    elif deed == "deposits a lot":
        desk.deposit(hawk, 10**9)
    elif deed == "withdraws":
        act(hawk, desk.exchange.withdraw, desk.account(hawk), 1, hawk.address)
    else:
        act(hawk, desk.exchange.cancelAll)
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron"), prices=(PRICE, PRICE))
    assert outcome(desk, done)["contracts"] == wad(800)
    order = [each.name for each in fills(desk, done)]
    assert order == (["swift", "heron"] if deed == "deposits a lot" else ["hawk", "swift"])


def test_all_planned_counterparties_leave_but_one(desk: Desk) -> None:
    whale = desk.trader("whale")
    for name, size in (("hawk", 300), ("swift", 600)):
        desk.trade(whale, desk.trader(name), wad(size), wad(80))
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift owl"))
    assert fills(desk, done) == [fill("owl", 200, "82.5", "16500")]


def test_a_gift_in_front_changes_the_terms_and_only_the_bounds_refuse_it(desk: Desk) -> None:
    desk.contribute(1000)
    price = wad(80) + wad(7000 - 5250) // 800
    with refused(desk.engine.PriceOutsideBounds, price=price, minPrice=PRICE, maxPrice=PRICE):
        desk.deleverage(Side.LONG, traders(desk, "hawk swift"), prices=(PRICE, PRICE))
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift"), prices=(wad(80), PRICE))
    assert outcome(desk, done)["price"] == price == wad("82.1875")


# ---------------------------------------------------------------------- no call to anybody


def called(transaction: str) -> set[str]:
    """Every address that a transaction called."""
    found = set()
    frames = [rpc("debug_traceTransaction", transaction, {"tracer": "callTracer"})]
    while frames:
        frame = frames.pop()
        found.add(frame["to"].lower())
        frames += frame.get("calls", [])
    return found


def test_no_call_leaves_the_system(desk: Desk) -> None:
    """Internal credit only: not the counterparties, and not the token."""
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron owl finch whale"))
    system = desk.venue.system
    modules = (system.solvency_module, system.market_module, system.inventory_module)
    contracts = (system.engine, system.round_book, system.fund, system.exchange, *modules, system.price_feed)
    assert called(done.transaction) == {each.address.lower() for each in (*contracts, desk.market.feed)}


@pytest.mark.parametrize("code", ["fe", "5b600056", "620f42406000f3"], ids=["breaks", "loops", "returns a bomb"])
def test_a_hostile_wallet_is_deleveraged_like_anybody(desk: Desk, code: str) -> None:
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    anchor = desk.trader("anchor")
    desk.price(90)
    desk.deposit(wallet, 100)
    desk.deposit(anchor, 5000)
    made, taken = desk.order(anchor, wad(100), wad(90)), desk.order(wallet, wad(-100), wad(90))
    signatures = desk.signed(made, anchor), desk.signed(taken, desk.trader("warden"))
    desk.settle(made, taken, wad(100), signatures, by=anchor)
    desk.price(80)
    desk.venue.endpoint.request("anvil_setCode", wallet.address, "0x" + code)
    done = desk.deleverage(Side.LONG, [wallet, *traders(desk, "hawk swift")])
    assert emitted(done, desk.engine.Deleveraged)[0]["account"] == desk.account(wallet)
    assert desk.holding(wallet) == Account(0, 0, wad(850))
    assert done.gas_used < 1_000_000


def test_a_frozen_token_stops_nothing(desk: Desk) -> None:
    candidates = [desk.account(each) for each in traders(desk, "hawk swift")]
    arguments = desk.market.id, Side.LONG, candidates, ANY_BOUNDS
    desk.bond(desk.trader("keeper"))
    result = imagine(desk.trader("keeper"), desk.engine.deleverage, *arguments, code={desk.token: bytes.fromhex("fe")})
    assert int(result, 16) == 1
