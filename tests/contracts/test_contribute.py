"""Gifts to a pool: `InsuranceFund.contribute`."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.deployment.pool_terms import PoolKind
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, imagine, now, refused, refused_by_overflow, wait_until
from tests.support.desk import Desk, create_pool, open_desk
from tests.support.hostile_tokens import answering, calling_back
from tests.support.proofs import nothing_changes

SCALE = 10**12
LARGEST = 2**127 - 1  # of an int128, as the cash of a pool
LARGEST_RESULT = 2**111 - 1  # of an int112, as the samples of a market


@pytest.fixture
def donor(desk: Desk) -> Any:
    """Has 1,000 tokens that the fund may take."""
    donor = desk.trader("donor")
    desk.fill_purse(donor, 1000)
    return donor


def test_a_gift_is_the_pools_cash(desk: Desk, donor: Any) -> None:
    held = desk.token.balanceOf(desk.exchange)
    done = act(donor, desk.fund.contribute, desk.market.pool, 0, 12_345_678)
    assert emitted(done, desk.fund.Contributed) == [
        {"pool": desk.market.pool, "market": 0, "from": donor.address.lower(), "amount": 12_345_678}
    ]
    assert desk.pool_cash() == desk.fund.claim(desk.market.pool) == wad("12.345678")
    assert desk.token.balanceOf(desk.exchange) == held + 12_345_678
    assert desk.token.balanceOf(desk.fund) == 0
    backing = desk.backing()
    assert (backing.balance, backing.base, backing.pnl) == (wad("12.345678"), wad("12.345678"), 0)


def test_a_gift_that_names_its_market_is_its_result_too(desk: Desk, donor: Any) -> None:
    done = act(donor, desk.fund.contribute, desk.market.pool, desk.market.id, tokens(100))
    assert emitted(done, desk.fund.Contributed) == [
        {
            "pool": desk.market.pool,
            "market": desk.market.id,
            "from": donor.address.lower(),
            "amount": tokens(100),
        }
    ]
    backing = desk.backing()
    assert (backing.balance, backing.pnl, backing.maxPnl) == (wad(100), wad(100), wad(100))


def test_gifts_add_up(desk: Desk, donor: Any) -> None:
    for market_id in (0, desk.market.id, 0):
        act(donor, desk.fund.contribute, desk.market.pool, market_id, tokens(10))
    assert desk.pool_cash() == wad(30)
    assert desk.backing().pnl == wad(10)


def test_a_gift_helps_no_other_pool(desk: Desk, donor: Any, venue: Venue) -> None:
    other = open_desk(venue, "BTC-USD", 100)
    before = desk.fund.pool(desk.market.pool), desk.backing()
    act(donor, desk.fund.contribute, other.market.pool, other.market.id, tokens(10))
    assert (desk.fund.pool(desk.market.pool), desk.backing()) == before


def test_one_gift_lowers_the_drawdown_the_other_deepens_the_pool(desk: Desk) -> None:
    """A loss of 200 on a base of 1,000 is 20 %; named, 100 halve the loss; unnamed, they raise the base."""
    desk.contribute(1000)
    desk.inherit("icarus", 10, 100, 100, 70)
    assert desk.backing().drawdown == wad("0.2")
    desk.contribute(100, to_market=True)
    backing = desk.backing()
    assert (backing.loss, backing.base, backing.drawdown) == (wad(100), wad(1000), wad("0.1"))
    desk.contribute(1000)
    backing = desk.backing()
    assert (backing.loss, backing.base, backing.drawdown) == (wad(100), wad(2000), wad("0.05"))


def test_a_shared_pool_takes_a_gift_for_each_of_its_markets(desk: Desk, donor: Any, venue: Venue) -> None:
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    markets = [open_desk(venue, name, 100, pool=pool) for name in ("A-USD", "B-USD")]
    for each, amount in zip(markets, (1, 2), strict=True):
        act(donor, desk.fund.contribute, pool, each.market.id, tokens(amount))
    assert [each.backing().pnl for each in markets] == [wad(1), wad(2)]
    assert {each.backing().balance for each in markets} == {wad(3)}


def test_a_pool_without_a_market_takes_gifts(desk: Desk, donor: Any, venue: Venue) -> None:
    pool = create_pool(venue, "spare", PoolKind.ISOLATED)
    act(donor, desk.fund.contribute, pool, 0, tokens(5))
    assert desk.fund.claim(pool) == wad(5)


def test_a_gift_needs_no_price(desk: Desk, donor: Any) -> None:
    desk.inherit("icarus", 10, 100, 100, 85)
    wait_until(now() + 7200)
    act(donor, desk.fund.contribute, desk.market.pool, desk.market.id, tokens(5))
    assert desk.pool_cash() == wad(5)


def test_largest_gift(desk: Desk) -> None:
    donor = desk.trader("donor")
    largest = LARGEST // SCALE
    desk.fill_purse(donor, largest // 10**6 + 1)
    act(donor, desk.fund.contribute, desk.market.pool, 0, largest)
    assert desk.pool_cash() == largest * SCALE
    with refused(desk.fund.SafeCastOverflowedIntDowncast, bits=128, value=(largest + 1) * SCALE):
        act(donor, desk.fund.contribute, desk.market.pool, 0, 1)


def test_largest_gift_that_names_its_market(desk: Desk) -> None:
    """A result that could not be sampled would stop every takeover; the pool itself may be richer."""
    donor = desk.trader("donor")
    largest = LARGEST_RESULT // SCALE
    desk.fill_purse(donor, largest // 10**6 + 2)
    act(donor, desk.fund.contribute, desk.market.pool, desk.market.id, largest)
    with refused(desk.fund.SafeCastOverflowedIntDowncast, bits=112, value=(largest + 1) * SCALE):
        act(donor, desk.fund.contribute, desk.market.pool, desk.market.id, 1)
    act(donor, desk.fund.contribute, desk.market.pool, 0, 1)
    desk.checkpoint()
    assert desk.backing().maxPnl == largest * SCALE
    desk.inherit("icarus", 10, 100, 100, 80)
    assert desk.backing().loss == wad(100)


def test_amount_beyond_256_bits(desk: Desk, donor: Any) -> None:
    with refused_by_overflow():
        act(donor, desk.fund.contribute, desk.market.pool, 0, 2**256 // SCALE + 1)
    beyond_signed = 2**255 // SCALE + 1
    with refused(desk.fund.SafeCastOverflowedUintToInt, value=beyond_signed * SCALE):
        act(donor, desk.fund.contribute, desk.market.pool, 0, beyond_signed)


# ---------------------------------------------------------------------- refusals


def test_nothing(desk: Desk, donor: Any) -> None:
    with refused(desk.fund.AmountZero):
        act(donor, desk.fund.contribute, desk.market.pool, 0, 0)


def test_pool_that_is_not_there(desk: Desk, donor: Any) -> None:
    for pool in (0, desk.fund.poolCount() + 1, 2**16 - 1):
        with refused(desk.fund.PoolMissing, pool=pool):
            act(donor, desk.fund.contribute, pool, 0, 1)


def test_market_of_another_pool(desk: Desk, donor: Any, venue: Venue) -> None:
    other = open_desk(venue, "BTC-USD", 100)
    unlisted = desk.exchange.marketCount() + 1
    for market_id, pool in ((desk.market.id, other.market.pool), (unlisted, desk.market.pool)):
        with refused(desk.fund.MarketOfOtherPool, market=market_id, pool=pool):
            act(donor, desk.fund.contribute, pool, market_id, 1)


def test_tokens_that_were_not_approved(desk: Desk, market: TestMarket) -> None:
    donor = desk.trader("donor")
    act(donor, desk.token.mint, donor.address, 1)
    with (
        nothing_changes(desk.venue),
        refused(desk.token.ERC20InsufficientAllowance, spender=desk.fund.address, allowance=0, needed=1),
    ):
        act(donor, desk.fund.contribute, market.pool, 0, 1)


def test_token_that_moves_less_than_it_says(desk: Desk, donor: Any) -> None:
    with refused(desk.fund.ContributionShort, expected=1, received=0):
        imagine(donor, desk.fund.contribute, desk.market.pool, 0, 1, code={desk.token: answering(1)})


def test_token_that_says_no(desk: Desk, donor: Any) -> None:
    with refused(desk.venue.system.pool_module.SafeERC20FailedOperation, token=desk.token.address):
        imagine(donor, desk.fund.contribute, desk.market.pool, 0, 1, code={desk.token: answering(0)})


@pytest.mark.parametrize(
    "signature", ["contribute(uint16,uint16,uint256)", "checkpoint(uint16)", "redistribute()", "repay(uint16,uint256)"]
)
def test_token_that_calls_back(desk: Desk, donor: Any, signature: str) -> None:
    with refused(desk.fund.ReentrancyGuardReentrantCall):
        imagine(donor, desk.fund.contribute, desk.market.pool, 0, 1, code={desk.token: calling_back(signature)})
