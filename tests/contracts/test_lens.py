"""What a keeper or a page reads: `BackstopLens`, one call for the system and pages for the accounts."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from backstop.deployment.pool_terms import PoolKind
from scripts.stage.system import name_bytes
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, now, rpc, wait_until
from tests.support.desk import Desk, create_pool, open_desk
from tests.support.enums import Side

MOST = 2**256 - 1
NAMES = ("ant", "bee", "cat", "dog", "eel")


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Five accounts with 1 to 5 tokens; the first two hold a contract against each other."""
    desk = Desk(venue, market)
    for amount, name in enumerate(NAMES, start=1):
        desk.deposit(desk.trader(name), amount)
    desk.trade(desk.trader("ant"), desk.trader("bee"), wad("0.1"), wad(100))
    return desk


def page(desk: Desk, offset: int, limit: int) -> list[tuple[bytes, int, int, int]]:
    """Account, size, entry and margin of each row."""
    rows = desk.lens.accounts(desk.market.id, offset, limit)
    return [(bytes(row.account), row.size, row.entryNotional, row.margin) for row in rows]


def expected(desk: Desk) -> list[tuple[bytes, int, int, int]]:
    sizes = (-wad("0.1"), wad("0.1"), 0, 0, 0)
    return [
        (desk.account(desk.trader(name)), size, 100 * size, wad(amount))
        for amount, (name, size) in enumerate(zip(NAMES, sizes, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("offset", "limit", "first", "end"),
    [
        (0, 5, 0, 5),
        (0, 4, 0, 4),
        (0, 6, 0, 5),
        (0, MOST, 0, 5),
        (3, 1, 3, 4),
        (3, 2, 3, 5),
        (3, 3, 3, 5),
        (3, MOST, 3, 5),
        (4, 1, 4, 5),
        (5, 1, 5, 5),
        (6, 1, 5, 5),
        (MOST, MOST, 5, 5),
        (2, 0, 2, 2),
        (0, 0, 0, 0),
    ],
)
def test_a_page(desk: Desk, offset: int, limit: int, first: int, end: int) -> None:
    assert page(desk, offset, limit) == expected(desk)[first:end]


def test_pages_of_a_market_that_nobody_used(desk: Desk) -> None:
    for market_id in (0, desk.exchange.marketCount() + 1):
        assert desk.lens.accounts(market_id, 0, 10) == []


def test_a_market(desk: Desk) -> None:
    view = desk.lens.market(desk.market.id)
    listed = view.listed
    assert (view.id, bytes(listed.name), listed.pool) == (desk.market.id, name_bytes("ETH-USD"), desk.market.pool)
    assert listed == desk.exchange.market(desk.market.id)
    assert view.fundingIndex == 0
    assert (view.mark, bytes(view.priceError), bytes(view.backingError)) == (wad(100), b"", b"")
    assert (listed.initialMarginFraction, listed.maintenanceMarginFraction) == (wad("0.1"), wad("0.05"))
    assert (view.trigger, view.stop, view.target) == (wad("0.3"), wad("0.25"), wad("0.25"))
    assert (listed.openInterest, view.accounts) == (wad("0.1"), 5)
    assert view.backing == desk.backing()
    assert (view.long.size, view.short.size) == (0, 0)


def test_a_market_with_inventory(desk: Desk) -> None:
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 85)
    view = desk.lens.market(desk.market.id)
    assert view.mark == wad(85)
    assert (view.long.size, view.long.entryNotional) == desk.inventory(Side.LONG) == (wad(10), wad(900))
    assert (view.backing.balance, view.backing.longLoss, view.backing.drawdown) == (wad(950), wad(50), wad("0.05"))
    assert view.listed.openInterest == wad("10.1")


def test_the_system(desk: Desk) -> None:
    desk.contribute("0.5")
    view = desk.lens.system()
    assert (view.blockNumber, view.timestamp) == (int(rpc("eth_blockNumber"), 16), now())
    assert (view.backstopRatio, view.warningRate) == (wad("0.5"), wad("0.8"))
    assert (view.treasuryBalance, view.keeperBudget, view.crossAccounts) == (0, 0, 0)
    assert view.tokensHeld == wad("15.5")
    assert [each.id for each in view.markets] == list(range(1, desk.exchange.marketCount() + 1))
    assert view.markets[0] == desk.lens.market(1)
    assert [pool.id for pool in view.pools] == list(range(1, desk.fund.poolCount() + 1))
    pool = view.pools[desk.market.pool - 1]
    assert (bytes(pool.name), pool.kind, pool.cash, pool.claim) == (name_bytes("eth"), 0, wad("0.5"), wad("0.5"))
    assert list(pool.markets) == [desk.market.id]


def test_claims_are_the_tokens_held(desk: Desk) -> None:
    """Accounts claim their margin less their entries, pools their cash less those of their inventories.

    What is kept for others is claimed too: fees, and what the treasury and the keepers have of them.
    """
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 85)
    desk.inherit("midas", -3, 85, 40, 100, against="kraken")
    desk.set_parameters(maker_fee=wad("0.001"), taker_fee=wad("0.002"))
    desk.trade(desk.trader("whale"), desk.trader("kraken"), wad(1), wad(100))
    view = desk.lens.system()
    assert desk.funding().fees == wad("0.3")
    claims = sum(pool.claim for pool in view.pools) + view.treasuryBalance + view.keeperBudget
    for each in view.markets:
        rows = desk.lens.accounts(each.id, 0, MOST)
        claims += sum(row.margin - row.entryNotional for row in rows) + desk.exchange.market(each.id).funding.fees
    assert claims == view.tokensHeld
    pool = view.pools[desk.market.pool - 1]
    assert pool.claim == wad(1000) - wad(900) + wad(295)
    held = wad(1000 + 15 + 100 + 2000 + 40 + 510)
    assert view.tokensHeld == held


def test_a_gift_by_transfer_is_held_beyond_the_claims(desk: Desk) -> None:
    donor = desk.trader("donor")
    before = desk.lens.system()
    desk.fill_purse(donor, 1)
    act(donor, desk.token.transfer, desk.exchange.address, tokens(1))
    after = desk.lens.system()
    assert after.tokensHeld == before.tokensHeld + wad(1)
    assert [pool.claim for pool in after.pools] == [pool.claim for pool in before.pools]
    # Taken back, so that the proofs hold again.
    slot = keccak(encode(["address", "uint256"], [desk.exchange.address, 0]))
    rpc("anvil_setStorageAt", desk.token.address, "0x" + slot.hex(), "0x" + encode(["uint256"], [tokens(15)]).hex())
    assert desk.lens.system().tokensHeld == before.tokensHeld


# ---------------------------------------------------------------------- dead feeds


def stale(desk: Desk, updated: int) -> bytes:
    """What a feed that is too old reverts with."""
    error = desk.price_feed.PriceStale.abi
    return keccak(text=error.selector)[:4] + encode(["uint16", "uint256", "uint256"], [desk.market.id, updated, 3600])


def test_a_dead_feed_without_inventory(desk: Desk) -> None:
    updated = desk.priced_at()
    wait_until(updated + 3601)
    view = desk.lens.market(desk.market.id)
    assert (view.mark, bytes(view.priceError)) == (wad(100), stale(desk, updated))
    assert bytes(view.backingError) == b""
    assert view.listed.openInterest == wad("0.1")


def test_a_dead_feed_with_inventory(desk: Desk) -> None:
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 85)
    updated = desk.priced_at()
    wait_until(updated + 3601)
    view = desk.lens.market(desk.market.id)
    assert (view.mark, bytes(view.priceError)) == (wad(85), stale(desk, updated))
    # 85 less 5 %: the loss is 10 * (90 - 80.75).
    assert bytes(view.backingError) == b""
    assert (view.backing.balance, view.backing.longLoss) == (wad(1000) - wad("92.5"), wad("92.5"))
    assert (view.long.size, view.long.entryNotional) == (wad(10), wad(900))
    assert (view.longAuction.price, view.longAuction.contracts) == (0, 0)


def test_a_dead_feed_of_another_market_of_the_pool(desk: Desk, venue: Venue) -> None:
    """Its own price is there, and the value of its pool counts the other at its last price less `mmf`."""
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    alive, dead = (open_desk(venue, name, 100, pool=pool) for name in ("A-USD", "B-USD"))
    dead.inherit("icarus", 10, 100, 100, 85)
    updated = dead.priced_at()
    wait_until(updated + 3601)
    alive.price(100)
    view = desk.lens.market(alive.market.id)
    assert (view.mark, bytes(view.priceError)) == (wad(100), b"")
    assert bytes(view.backingError) == b""
    # 10 from 90 at 85 less 0.5 %.
    assert view.backing.balance == -wad(10) * 5 - wad("4.25")
    assert (view.backing.pnl, view.backing.loss) == (0, 0)
    assert bytes(desk.lens.market(dead.market.id).priceError) == stale(dead, updated)


@pytest.mark.parametrize("code", ["", "fe"], ids=["gone", "broken"])
def test_an_aggregator_that_gives_no_reason(desk: Desk, venue: Venue, code: str) -> None:
    """The mark is the last accepted one; the lens says in its place that the feed is silent."""
    venue.endpoint.request("anvil_setCode", desk.market.feed.address, "0x" + code)
    view = desk.lens.market(desk.market.id)
    silent = keccak(text="FeedSilent(uint16)")[:4] + encode(["uint16"], [desk.market.id])
    assert (view.mark, bytes(view.priceError)) == (wad(100), silent)
    assert desk.lens.system().markets[desk.market.id - 1].mark == wad(100)


def test_a_market_without_a_feed(desk: Desk, venue: Venue) -> None:
    pool = create_pool(venue, "dark", PoolKind.ISOLATED)
    act(venue.owner, desk.exchange.listMarket, name_bytes("DARK-USD"), pool, desk.parameters())
    dark = desk.exchange.marketCount()
    view = desk.lens.market(dark)
    missing = keccak(text="FeedMissing(uint16)")[:4] + encode(["uint16"], [dark])
    assert (view.mark, bytes(view.priceError), bytes(view.backingError)) == (0, missing, b"")


def test_an_unlisted_market(desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    view = desk.lens.market(unlisted)
    unassigned = keccak(text="MarketUnassigned(uint16)")[:4] + encode(["uint16"], [unlisted])
    assert (bytes(view.listed.name), view.listed.pool, view.accounts) == (bytes(32), 0, 0)
    assert bytes(view.backingError) == unassigned


def test_a_pool_whose_inventory_nobody_can_value(desk: Desk, venue: Venue) -> None:
    """The price feed itself refuses everything: the lens shows why of each market of the pool, and all the rest."""
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 85)
    before = desk.lens.system().markets[desk.market.id - 1]
    assert (before.mark, bytes(before.backingError)) == (wad(85), b"")
    assert any(before.backing)
    why, honest = bytes.fromhex("deadbeef"), rpc("eth_getCode", desk.price_feed.address, "latest")
    refusing = bytes.fromhex("63deadbeef5f526004601cfd")  # mstore(0, why); revert(28, 4)
    rpc("anvil_setCode", desk.price_feed.address, "0x" + refusing.hex())
    view = desk.lens.system()
    own = view.markets[desk.market.id - 1]
    assert (own.mark, bytes(own.priceError), bytes(own.backingError)) == (0, why, why)
    assert (own.listed, own.long) == (before.listed, before.long)
    assert not any(own.backing)
    assert view.pools[desk.market.pool - 1].cash == desk.pool_cash()
    rpc("anvil_setCode", desk.price_feed.address, honest)
    assert desk.lens.system().markets[desk.market.id - 1] == before
