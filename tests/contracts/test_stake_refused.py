"""When a pool takes no stake: ADL due, depleted, dead feeds; and what tokens may do."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, imagine, refused, refused_by_overflow, rpc
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.hostile_tokens import answering, calling_back
from tests.support.proofs import nothing_changes
from tests.support.stakers import SCALE, Stakers

ZERO = "0x" + "0" * 40


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 100x, in a pool of its own that is empty."""
    return open_desk(venue, "SOL-USD", 100)


@pytest.fixture(scope="module")
def stakers(desk: Desk) -> Stakers:
    """Of the market's pool."""
    return Stakers(desk)


# ---------------------------------------------------------------------- refusals


def test_nothing(stakers: Stakers) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused(stakers.shares.AssetsZero):
        act(ann, stakers.shares.deposit, 0, ann.address)
    with refused(stakers.shares.AssetsZero):
        act(ann, stakers.shares.mint, 0, ann.address)


def test_more_than_a_pool_s_cash_can_hold(stakers: Stakers) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused_by_overflow():
        act(ann, stakers.shares.deposit, 2**256 // SCALE + 1, ann.address)
    largest = 2**127 // SCALE
    with refused(stakers.fund.SafeCastOverflowedIntDowncast, bits=128, value=(largest + 1) * SCALE):
        act(ann, stakers.shares.deposit, largest + 1, ann.address)


def test_nobody_as_receiver(stakers: Stakers) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused(stakers.shares.ERC20InvalidReceiver, receiver=ZERO):
        act(ann, stakers.shares.deposit, 1, ZERO)


def test_only_the_shares_stake(stakers: Stakers, desk: Desk, venue: Venue) -> None:
    """Neither anybody nor the shares of another pool."""
    other = Stakers(open_desk(venue, "BTC-USD", 100))
    rpc("anvil_setBalance", other.shares.address, hex(10**20))
    for who in (desk.trader("eve"), venue.owner, other.shares):
        with refused(desk.fund.CallerNotShares, caller=who.address):
            act(who, desk.fund.stake, stakers.pool, 1)
        with refused(desk.fund.CallerNotShares, caller=who.address):
            act(who, desk.fund.unstake, stakers.pool, 1, who.address, True)


def due(desk: Desk) -> None:
    """The pool has 100; inventory for 900 loses 30 at 87, exactly what makes ADL due; nobody has sampled it."""
    desk.contribute(100)
    desk.inherit("icarus", 10, 100, 100, 90)
    desk.price(87)


def test_not_while_adl_is_due(stakers: Stakers, desk: Desk) -> None:
    due(desk)
    assert desk.backing().drawdownDue
    bob = stakers.fill_purse("bob", 10)
    with (
        nothing_changes(desk.venue),
        refused(desk.fund.StakeWhileADLDue, pool=stakers.pool, market=desk.market.id),
    ):
        act(bob, stakers.shares.deposit, 1, bob.address)
    assert (stakers.shares.maxDeposit(ZERO), stakers.shares.maxMint(ZERO)) == (0, 0)
    # A tick better and nobody has seen it begin.
    desk.price("87.00000001")
    assert stakers.shares.maxDeposit(ZERO) == 2**256 - 1
    act(bob, stakers.shares.deposit, 1, bob.address)


def test_not_between_stop_and_trigger_once_it_had_started(stakers: Stakers, desk: Desk) -> None:
    due(desk)
    desk.checkpoint()
    bob = stakers.fill_purse("bob", 10)
    desk.price("87.49999999")
    with refused(desk.fund.StakeWhileADLDue, pool=stakers.pool, market=desk.market.id):
        act(bob, stakers.shares.deposit, 1, bob.address)
    desk.price("87.5")
    done = act(bob, stakers.shares.deposit, 1, bob.address)
    assert emitted(done, desk.fund.ADLEnded) == [{"market": desk.market.id, "drawdown": wad("0.25")}]


def test_not_while_adl_is_due_in_another_market_of_the_pool(venue: Venue) -> None:
    first, second = open_shared(venue, "A-USD", "B-USD")
    stakers = Stakers(first)
    due(second)
    bob = stakers.fill_purse("bob", 10)
    with refused(first.fund.StakeWhileADLDue, pool=stakers.pool, market=second.market.id):
        act(bob, stakers.shares.deposit, 1, bob.address)


@pytest.mark.parametrize("wei", [0, 1], ids=["at zero", "a wei below"])
def test_not_while_the_pool_is_depleted(stakers: Stakers, desk: Desk, wei: int) -> None:
    """At zero with inventory there is no ADL to wait for, but all that comes would be that inventory's."""
    desk.inherit("icarus", 10, 100, 100, 90, wei=wei)
    assert stakers.balance() == -wei
    bob = stakers.fill_purse("bob", 10)
    refusal = (
        refused(desk.fund.StakeWhileADLDue, pool=stakers.pool, market=desk.market.id)
        if wei
        else refused(desk.fund.PoolDepleted, pool=stakers.pool)
    )
    with nothing_changes(desk.venue), refusal:
        act(bob, stakers.shares.deposit, 1, bob.address)
    assert stakers.shares.maxDeposit(ZERO) == 0


def test_not_at_the_price_of_a_dead_feed(stakers: Stakers, desk: Desk, venue: Venue) -> None:
    desk.contribute(1000)
    bob = stakers.fill_purse("bob", 10)
    desk.inherit("icarus", 10, 100, 100, 90)
    act(venue.owner, desk.market.feed.setAnswer, 0)
    with (
        nothing_changes(desk.venue),
        refused(desk.fund.StakeWithoutPrice, pool=stakers.pool, market=desk.market.id),
    ):
        act(bob, stakers.shares.deposit, 1, bob.address)
    assert stakers.shares.maxDeposit(ZERO) == 0


def test_without_inventory_no_price_is_needed(stakers: Stakers, desk: Desk, venue: Venue) -> None:
    act(venue.owner, desk.market.feed.setAnswer, 0)
    assert stakers.shares.maxDeposit(ZERO) == 2**256 - 1
    stakers.stake("bob", 1)
    assert stakers.worth("bob") == tokens(1)


# ---------------------------------------------------------------------- tokens


def test_what_was_not_approved_to_the_shares(stakers: Stakers, desk: Desk) -> None:
    """An allowance to the fund or the exchange is none to the shares."""
    ann = desk.trader("ann")
    desk.fill_purse(ann, 10)
    with (
        nothing_changes(desk.venue),
        refused(desk.token.ERC20InsufficientAllowance, spender=stakers.shares.address, allowance=0, needed=1),
    ):
        act(ann, stakers.shares.deposit, 1, ann.address)
    act(ann, desk.token.approve, stakers.shares.address, 5)
    act(ann, stakers.shares.deposit, 5, ann.address)
    with refused(desk.token.ERC20InsufficientAllowance, spender=stakers.shares.address, allowance=0, needed=1):
        act(ann, stakers.shares.deposit, 1, ann.address)


def test_more_than_is_there(stakers: Stakers, desk: Desk) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused(desk.token.ERC20InsufficientBalance, sender=ann.address, balance=tokens(1), needed=tokens(1) + 1):
        act(ann, stakers.shares.deposit, tokens(1) + 1, ann.address)


def test_token_that_moves_less_than_it_says(stakers: Stakers, desk: Desk) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused(stakers.shares.DepositShort, expected=7, received=0):
        imagine(ann, stakers.shares.deposit, 7, ann.address, code={desk.token: answering(1)})


def test_token_that_says_no(stakers: Stakers, desk: Desk) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused(stakers.shares.SafeERC20FailedOperation, token=desk.token.address):
        imagine(ann, stakers.shares.deposit, 7, ann.address, code={desk.token: answering(0)})


@pytest.mark.parametrize(
    "signature",
    [
        "deposit(uint256,address)",
        "mint(uint256,address)",
        "requestRedeem(uint256)",
        "cancelRedeem()",
        "redeem(uint256,address,address)",
        "withdraw(uint256,address,address)",
        "settleRedeem(address)",
    ],
)
def test_token_that_calls_back(stakers: Stakers, desk: Desk, signature: str) -> None:
    ann = stakers.fill_purse("ann", 1)
    with refused(stakers.shares.ReentrancyGuardReentrantCall):
        imagine(ann, stakers.shares.deposit, 7, ann.address, code={desk.token: calling_back(signature)})
