"""Stakes in a pool: its ERC-4626 shares, what they cost and what they are worth. Exits: test_unstake.py."""

from __future__ import annotations

import random

import pytest

from backstop.math.staking import assets_for_shares, assets_to_shares, shares_to_assets
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, refused
from tests.support.desk import Desk, open_desk
from tests.support.enums import Item
from tests.support.proofs import nothing_changes
from tests.support.stakers import NO_CAP, SCALE, VIRTUAL, Stakers

ZERO = "0x" + "0" * 40


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 100x, in a pool of its own that is empty."""
    return open_desk(venue, "SOL-USD", 100)


@pytest.fixture(scope="module")
def stakers(desk: Desk) -> Stakers:
    """Of the market's pool."""
    return Stakers(desk)


def state(stakers: Stakers) -> tuple[int, int]:
    """What all shares stand for, and how many there are."""
    return stakers.assets(), int(stakers.shares.totalSupply())


# ---------------------------------------------------------------------- the token


def test_the_token_of_a_pool(stakers: Stakers, desk: Desk) -> None:
    shares = stakers.shares
    assert (shares.name(), shares.symbol(), shares.decimals()) == ("Backstop pool sol-usd", "bp-sol-usd", 18)
    assert (shares.asset(), shares.poolId(), shares.fund()) == (desk.token.address, stakers.pool, desk.fund.address)
    assert (shares.totalAssets(), shares.totalSupply(), shares.exitCount()) == (0, 0, 0)


def test_each_pool_has_shares_of_its_own(venue: Venue, desk: Desk) -> None:
    pools = range(1, desk.fund.poolCount() + 1)
    tokens_of = {desk.fund.staking(pool).shares for pool in pools}
    assert len(tokens_of) == len(pools)


# ---------------------------------------------------------------------- in


def test_a_first_stake(stakers: Stakers, desk: Desk) -> None:
    ann = stakers.fill_purse("ann", 1000)
    held = desk.token.balanceOf(desk.exchange)
    done = act(ann, stakers.shares.deposit, tokens(400), ann.address)
    minted = tokens(400) * VIRTUAL
    assert emitted(done, stakers.shares.Deposit) == [
        {"sender": ann.address.lower(), "owner": ann.address.lower(), "assets": tokens(400), "shares": minted}
    ]
    assert emitted(done, stakers.shares.Transfer) == [{"from": ZERO, "to": ann.address.lower(), "value": minted}]
    assert emitted(done, desk.fund.Entered) == [
        {"pool": stakers.pool, "market": 0, "item": Item.STAKE, "amount": wad(400), "cash": wad(400)}
    ]
    assert (stakers.held("ann"), stakers.worth("ann"), stakers.purse("ann")) == (minted, tokens(400), tokens(600))
    assert desk.pool_cash() == wad(400)
    assert desk.token.balanceOf(desk.exchange) == held + tokens(400)
    assert desk.token.balanceOf(stakers.shares) == desk.token.balanceOf(desk.fund) == 0


def test_a_stake_is_no_market_s_result(stakers: Stakers, desk: Desk) -> None:
    """It deepens the base, and leaves loss and result alone."""
    stakers.stake("ann", 1000)
    desk.inherit("icarus", 10, 100, 100, 89)
    before = desk.backing()
    assert (before.pnl, before.loss, before.base) == (wad(-10), wad(10), wad(1000))
    stakers.stake("bob", 500)
    after = desk.backing()
    assert (after.pnl, after.loss, after.base) == (wad(-10), wad(10), wad(1500))


def test_shares_for_somebody_else(stakers: Stakers) -> None:
    ann, heir = stakers.fill_purse("ann", 10), stakers.desk.trader("heir")
    done = act(ann, stakers.shares.deposit, 7, heir.address)
    (event,) = emitted(done, stakers.shares.Deposit)
    assert (event["sender"], event["owner"]) == (ann.address.lower(), heir.address.lower())
    assert (stakers.held("ann"), stakers.held("heir")) == (0, 7 * VIRTUAL)


def test_minting_an_exact_number_of_shares(stakers: Stakers) -> None:
    """A pool of 3 units for 2 units' worth of shares: one share unit costs a whole unit, never nothing."""
    stakers.stake("ann", "0.000002")
    stakers.desk.contribute("0.000001")
    assert state(stakers) == (3, 2 * VIRTUAL)
    bob = stakers.fill_purse("bob", 1)
    for shares, cost in ((1, 1), (3 * VIRTUAL // 4, 1), (3 * VIRTUAL // 4 + 1, 2), (3 * VIRTUAL // 2, 2)):
        assert stakers.shares.previewMint(shares) == cost
    done = act(bob, stakers.shares.mint, 3 * VIRTUAL // 4 + 1, bob.address)
    (event,) = emitted(done, stakers.shares.Deposit)
    assert (event["assets"], event["shares"]) == (2, 3 * VIRTUAL // 4 + 1)
    assert (stakers.purse("bob"), stakers.held("bob")) == (tokens(1) - 2, 3 * VIRTUAL // 4 + 1)


def test_a_gain_raises_what_shares_are_worth(stakers: Stakers, desk: Desk) -> None:
    stakers.stake("ann", 100)
    desk.contribute(50, to_market=True)
    # Of the 50 a part of a hundred-millionth is the virtual shares'.
    assert stakers.worth("ann") == tokens(150) - 1
    stakers.stake("bob", 150)
    assert stakers.held("bob") == tokens(150) * (tokens(100) + 1) * VIRTUAL // (tokens(150) + 1)
    assert (stakers.worth("ann"), stakers.worth("bob")) == (tokens(150) - 1, tokens(150) - 1)


def test_a_loss_lowers_it(stakers: Stakers, desk: Desk) -> None:
    """Inventory counts at mark where that is worse than what it cost."""
    stakers.stake("ann", 100)
    desk.inherit("icarus", 10, 100, 100, 88)
    assert stakers.worth("ann") == tokens(80)
    desk.price(200)
    assert stakers.worth("ann") == tokens(100)


# ---------------------------------------------------------------------- ERC-4626: roundings


def test_every_rounding_is_the_pool_s(stakers: Stakers, desk: Desk) -> None:
    """Against the formulas in exact integers, while stakes, gains and losses of odd sizes come."""
    dice = random.Random(46)
    shares = stakers.shares
    for turn in range(12):
        if turn:
            desk.contribute(f"0.{dice.randint(1, 999_999):06}", to_market=dice.random() < 0.5)
        stakers.stake(dice.choice(("ann", "bob")), f"0.{dice.randint(1, 999_999):06}")
        assets, supply = state(stakers)
        for amount in (1, 2, 999, dice.randint(1, 10**9)):
            minted = assets_to_shares(amount, assets, supply)
            assert shares.previewDeposit(amount) == shares.convertToShares(amount) == minted
            assert shares_to_assets(minted, assets + amount, supply + minted) <= amount
        for amount in (1, VIRTUAL - 1, VIRTUAL, dice.randint(1, 10**21)):
            cost = assets_for_shares(amount, assets, supply)
            worth = shares_to_assets(amount, assets, supply)
            assert (shares.previewMint(amount), shares.convertToAssets(amount)) == (cost, worth)
            assert shares_to_assets(amount, assets + cost, supply + amount) <= cost
            assert cost - worth in (0, 1)


def test_preview_is_what_execution_does(stakers: Stakers, desk: Desk) -> None:
    stakers.stake("ann", "12.345678")
    desk.contribute("0.987654")
    bob = stakers.fill_purse("bob", 100)
    for units in (1, 7, 1_000_003):
        expected, before = stakers.shares.previewDeposit(units), stakers.held("bob")
        act(bob, stakers.shares.deposit, units, bob.address)
        assert stakers.held("bob") - before == expected
    for minted in (1, VIRTUAL + 1, 10**18 + 7):
        expected, before = stakers.shares.previewMint(minted), stakers.purse("bob")
        act(bob, stakers.shares.mint, minted, bob.address)
        assert before - stakers.purse("bob") == expected


def test_staking_and_leaving_at_once_would_gain_nothing(stakers: Stakers, desk: Desk) -> None:
    """However the pool stands, shares are worth at most what they cost and at least a unit less than that."""
    dice = random.Random(7)
    stakers.stake("ann", 50)
    for _ in range(10):
        desk.contribute(f"0.{dice.randint(1, 999_999):06}")
        before, units = stakers.held("bob"), dice.randint(1000, 10**7)
        stakers.stake("bob", f"{units // 10**6}.{units % 10**6:06}")
        worth = stakers.shares.convertToAssets(stakers.held("bob") - before)
        assert worth in (units, units - 1)


# ---------------------------------------------------------------------- the first one in, gifts


@pytest.mark.parametrize("gift", ["0.000001", "1", "999999.999999"])
def test_what_was_there_before_is_nobody_s(stakers: Stakers, desk: Desk, gift: str) -> None:
    """A gift before the first stake is not given to the first staker, who gets back what was paid."""
    desk.contribute(gift)
    stakers.stake("ann", 100)
    assert stakers.worth("ann") in (tokens(100), tokens(100) - 1)


@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
@pytest.mark.parametrize("gift", ["0.01", "1", "100", "10000"])
@pytest.mark.parametrize("first", ["0.000001", "1"])
def test_a_gift_to_spoil_the_next_one_s_rounding_costs_its_giver(
    stakers: Stakers, desk: Desk, first: str, gift: str, named: bool
) -> None:
    """The first-depositor attack: eve stakes next to nothing and gives much; the victim's stake is then rounded.

    Of the gift the virtual shares take their part, half of it where eve has staked one unit.
    """
    stakers.stake("eve", first)
    desk.contribute(gift, to_market=named)
    assets, supply = state(stakers)
    stakers.stake("victim", 50)
    one_share_unit = -(-(assets + 1) // (supply + VIRTUAL))
    assert tokens(50) - stakers.worth("victim") <= max(1, one_share_unit)
    lost = tokens(first) + tokens(gift) - stakers.worth("eve")
    at_least = tokens(gift) * VIRTUAL // supply * supply // (supply + VIRTUAL) if supply else 0
    assert lost >= max(1, at_least - 1)
    if first == "0.000001":
        assert lost >= tokens(gift) // 2


def test_a_stake_that_would_be_rounded_to_nothing_is_refused(stakers: Stakers, desk: Desk) -> None:
    """So much was given that one unit is less than a share unit."""
    desk.contribute(2_000_000)
    bob = stakers.fill_purse("bob", 1)
    assert stakers.shares.previewDeposit(1) == 0
    with nothing_changes(desk.venue), refused(stakers.shares.SharesZero):
        act(bob, stakers.shares.deposit, 1, bob.address)
    act(bob, stakers.shares.deposit, 3, bob.address)
    assert stakers.held("bob") == 1


def test_tokens_sent_to_the_shares_or_the_exchange_are_no_assets(stakers: Stakers, desk: Desk) -> None:
    stakers.stake("ann", 100)
    for to in (stakers.shares, desk.fund):
        act(desk.trader("eve"), desk.token.mint, to.address, tokens(1000))
    assert stakers.assets() == stakers.worth("ann") == tokens(100)


# ---------------------------------------------------------------------- the cap


@pytest.mark.parametrize("spare", [0, 1, SCALE - 1], ids=["exactly", "a wei above", "almost a unit above"])
def test_cap(stakers: Stakers, desk: Desk, spare: int) -> None:
    """100 under a cap of 100 and up to a unit that does not count."""
    stakers.set_staking(cap=wad(100) + spare)
    stakers.stake("ann", "60")
    assert stakers.shares.maxDeposit(ZERO) == tokens(40)
    bob = stakers.fill_purse("bob", 100)
    with (
        nothing_changes(desk.venue),
        refused(desk.fund.CapExceeded, pool=stakers.pool, amount=tokens(40) + 1, room=tokens(40)),
    ):
        act(bob, stakers.shares.deposit, tokens(40) + 1, bob.address)
    act(bob, stakers.shares.deposit, tokens(40), bob.address)
    assert (stakers.shares.maxDeposit(ZERO), stakers.shares.maxMint(ZERO)) == (0, 0)
    with refused(desk.fund.CapExceeded, pool=stakers.pool, amount=1, room=0):
        act(bob, stakers.shares.deposit, 1, bob.address)


def test_the_cap_is_of_the_balance(stakers: Stakers, desk: Desk) -> None:
    """A loss makes room, a gift takes it; above the cap there is none, and nothing is taken away."""
    stakers.set_staking(cap=wad(100))
    stakers.stake("ann", 100)
    desk.inherit("icarus", 10, 100, 100, 89)
    assert stakers.shares.maxDeposit(ZERO) == tokens(10)
    desk.contribute(50)
    assert (stakers.shares.maxDeposit(ZERO), stakers.balance()) == (0, wad(140))
    stakers.set_staking(cap=0)
    assert (stakers.shares.maxDeposit(ZERO), stakers.balance()) == (0, wad(140))
    stakers.set_staking()
    assert stakers.shares.maxDeposit(ZERO) == stakers.shares.maxMint(ZERO) == 2**256 - 1


def test_most_shares_under_the_cap(stakers: Stakers, desk: Desk) -> None:
    """`maxMint` may be minted, and no share unit that would cost more than there is room for."""
    stakers.set_staking(cap=wad(100))
    stakers.stake("ann", "33.333333")
    desk.contribute("11.111111")
    bob = stakers.fill_purse("bob", 1000)
    most = stakers.shares.maxMint(bob.address)
    assert stakers.shares.previewMint(most) == tokens("55.555556") == stakers.shares.maxDeposit(bob.address)
    act(bob, stakers.shares.mint, most, bob.address)
    assert stakers.balance() == wad(100)


def test_staking_parameters(stakers: Stakers, desk: Desk) -> None:
    assert tuple(desk.fund.staking(stakers.pool))[1:] == (NO_CAP, 3 * 86_400)
    done = stakers.set_staking(cap=1, cooldown=14 * 86_400)
    assert emitted(done, desk.fund.StakingSet) == [{"pool": stakers.pool, "cap": 1, "cooldown": 14 * 86_400}]
    stakers.set_staking(cooldown=8 * 3600)
    for wrong in (0, 8 * 3600 - 1, 14 * 86_400 + 1, 2**32 - 1):
        with refused(desk.fund.CooldownOutOfBounds, cooldown=wrong):
            stakers.set_staking(cooldown=wrong)
