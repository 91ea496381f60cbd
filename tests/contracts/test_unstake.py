"""Exits of stakers: asked for, ripe, paid at the smaller of two values, in parts, by anyone. See test_exit_gate.py."""

from __future__ import annotations

import random
from typing import Any

import pytest

from backstop.math.staking import exit_value, shares_to_assets
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, imagine, now, refused, wait_until
from tests.support.deficits import open_deficit
from tests.support.desk import Desk, open_desk
from tests.support.enums import Item
from tests.support.hostile_tokens import answering
from tests.support.proofs import nothing_changes
from tests.support.stakers import COOLDOWN, DAY, VIRTUAL, Stakers, fresh

ZERO = "0x" + "0" * 40
HUNDRED = tokens(100) * VIRTUAL  # shares of a stake of 100 in a pool that had nothing


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 100x, in a pool of its own."""
    return open_desk(venue, "SOL-USD", 100)


@pytest.fixture(scope="module")
def stakers(desk: Desk) -> Stakers:
    """Ann has staked 100, and bob 300."""
    stakers = Stakers(desk)
    stakers.stake("ann", 100)
    stakers.stake("bob", 300)
    return stakers


@pytest.fixture
def ann(stakers: Stakers) -> Any:
    return stakers.desk.trader("ann")


# ---------------------------------------------------------------------- asking, calling off


def test_asking(stakers: Stakers, ann: Any) -> None:
    at = now() + 60
    done = act(ann, stakers.shares.requestRedeem, HUNDRED // 4, at=at)
    asked = {"owner": ann.address.lower(), "shares": HUNDRED // 4, "value": tokens(25), "ripeAt": at + COOLDOWN}
    assert emitted(done, stakers.shares.RedeemRequested) == [asked]
    assert tuple(stakers.exit_of("ann")) == (HUNDRED // 4, tokens(25), at + COOLDOWN)
    assert (stakers.held("ann"), stakers.shares.balanceOf(stakers.shares)) == (HUNDRED // 4 * 3, HUNDRED // 4)
    assert (stakers.shares.totalSupply(), stakers.assets()) == (4 * HUNDRED, tokens(400))
    assert (stakers.shares.exitCount(), stakers.shares.exitAt(0)) == (1, ann.address)


def test_asking_for_nothing_and_for_too_much(stakers: Stakers, ann: Any) -> None:
    with refused(stakers.shares.SharesZero):
        act(ann, stakers.shares.requestRedeem, 0)
    with refused(stakers.shares.ERC20InsufficientBalance, sender=ann.address, balance=HUNDRED, needed=HUNDRED + 1):
        act(ann, stakers.shares.requestRedeem, HUNDRED + 1)


def test_one_exit_at_a_time(stakers: Stakers, ann: Any) -> None:
    stakers.request_exit("ann", 5)
    with refused(stakers.shares.RequestOpen, owner=ann.address, shares=5):
        act(ann, stakers.shares.requestRedeem, 1)


def test_calling_off(stakers: Stakers, ann: Any) -> None:
    """Also when it is ripe; the next one waits anew."""
    ripe = stakers.request_exit("ann")
    done = act(ann, stakers.shares.cancelRedeem, at=ripe + 1)
    assert emitted(done, stakers.shares.RedeemCancelled) == [{"owner": ann.address.lower(), "shares": HUNDRED}]
    assert (stakers.held("ann"), stakers.shares.exitCount()) == (HUNDRED, 0)
    assert tuple(stakers.exit_of("ann")) == (0, 0, 0)
    assert stakers.request_exit("ann", at=ripe + 10) == ripe + 10 + COOLDOWN


def test_nothing_to_call_off_or_to_pay(stakers: Stakers, ann: Any) -> None:
    missing = stakers.shares.RequestMissing
    for method, arguments in (
        (stakers.shares.cancelRedeem, ()),
        (stakers.shares.settleRedeem, (ann.address,)),
        (stakers.shares.redeem, (1, ann.address, ann.address)),
        (stakers.shares.withdraw, (1, ann.address, ann.address)),
    ):
        with refused(missing, owner=ann.address):
            act(ann, method, *arguments)


def test_open_exits_are_listed(stakers: Stakers, desk: Desk, venue: Venue) -> None:
    """Paid and called off ones are taken out of the list, whichever place they had."""
    stakers.stake("cat", 1)
    names = ("ann", "bob", "cat")
    ripe = [stakers.request_exit(name) for name in names][-1]
    wait_until(ripe)

    def listed() -> set[str]:
        owners, exits = venue.system.fund_lens.exits(stakers.pool, 0, 10)
        assert [tuple(each) for each in exits] == [tuple(stakers.shares.exitOf(owner)) for owner in owners]
        return set(owners)

    address = {name: desk.trader(name).address for name in names}
    assert listed() == set(address.values())
    pages = [venue.system.fund_lens.exits(stakers.pool, offset, 2)[0] for offset in (0, 2, 3, 2**255)]
    assert [len(page) for page in pages] == [2, 1, 0, 0]
    stakers.settle_exit("ann")
    assert listed() == {address["bob"], address["cat"]}
    act(desk.trader("bob"), stakers.shares.cancelRedeem)
    assert listed() == {address["cat"]}
    stakers.settle_exit("cat")
    assert (listed(), stakers.shares.exitCount()) == (set(), 0)


# ---------------------------------------------------------------------- ripe, to the second


@pytest.mark.parametrize("how", ["settleRedeem", "redeem", "withdraw"])
def test_cooldown(stakers: Stakers, ann: Any, how: str) -> None:
    ripe = stakers.request_exit("ann")
    arguments: dict[str, tuple[Any, ...]] = {
        "settleRedeem": (ann.address,),
        "redeem": (HUNDRED, ann.address, ann.address),
        "withdraw": (tokens(100), ann.address, ann.address),
    }
    method = getattr(stakers.shares, how)
    with refused(stakers.shares.ExitUnripe, owner=ann.address, ripeAt=ripe):
        act(ann, method, *arguments[how], at=ripe - 1)
    assert stakers.shares.maxRedeem(ann.address) == stakers.shares.maxWithdraw(ann.address) == 0
    act(ann, method, *arguments[how], at=ripe)
    assert stakers.purse("ann") == tokens(100)


def test_what_is_ripe_may_be_had(stakers: Stakers, ann: Any) -> None:
    wait_until(stakers.request_exit("ann"))
    assert stakers.shares.maxRedeem(ann.address) == HUNDRED
    assert stakers.shares.maxWithdraw(ann.address) == tokens(100)


@pytest.mark.parametrize("cooldown", [8 * 3600, 14 * DAY])
def test_a_new_cooldown_is_for_new_exits(stakers: Stakers, cooldown: int) -> None:
    ripe = stakers.request_exit("ann")
    stakers.set_staking(cooldown=cooldown)
    at = now() + 10
    assert stakers.request_exit("bob", at=at) == at + cooldown
    assert stakers.exit_of("ann").ripeAt == ripe
    assert stakers.settle_exit("ann", at=max(ripe, now() + 1)) == tokens(100)


def test_a_stake_cannot_leave_at_once(stakers: Stakers, ann: Any) -> None:
    """In one block, were it a contract that stakes, asks and redeems."""
    ripe = stakers.request_exit("ann")
    wait_until(now() + 1)
    with refused(stakers.shares.ExitUnripe, owner=ann.address, ripeAt=ripe):
        imagine(ann, stakers.shares.redeem, HUNDRED, ann.address, ann.address)


# ---------------------------------------------------------------------- what is paid


def test_an_exit_that_is_paid(stakers: Stakers, desk: Desk, ann: Any) -> None:
    held = desk.token.balanceOf(desk.exchange)
    heir = desk.trader("heir")
    ripe = stakers.request_exit("ann")
    done = act(ann, stakers.shares.redeem, HUNDRED, heir.address, ann.address, at=ripe)
    who, to, hundred = ann.address.lower(), heir.address.lower(), tokens(100)
    assert emitted(done, stakers.shares.Redeemed) == [
        {"owner": who, "receiver": to, "shares": HUNDRED, "value": hundred, "paid": hundred}
    ]
    assert emitted(done, stakers.shares.Withdraw) == [
        {"sender": who, "receiver": to, "owner": who, "assets": hundred, "shares": HUNDRED}
    ]
    assert emitted(done, desk.exchange.PaidOut) == [{"recipient": to, "amount": hundred}]
    assert emitted(done, desk.fund.Entered) == [
        {"pool": stakers.pool, "market": 0, "item": Item.EXIT, "amount": wad(-100), "cash": wad(300)}
    ]
    assert (desk.token.balanceOf(heir.address), held - desk.token.balanceOf(desk.exchange)) == (hundred, hundred)
    assert (stakers.shares.totalSupply(), stakers.assets(), stakers.worth("bob")) == (
        3 * HUNDRED,
        tokens(300),
        tokens(300),
    )
    assert tuple(stakers.exit_of("ann")) == (0, 0, 0)


def test_anyone_pays_the_owner(stakers: Stakers, desk: Desk) -> None:
    ripe = stakers.request_exit("ann")
    assert stakers.settle_exit("ann", by="stranger", at=ripe) == tokens(100)
    assert stakers.purse("stranger") == 0


def test_a_gain_after_the_request_is_not_paid(stakers: Stakers, desk: Desk) -> None:
    """It stays with those who stay."""
    ripe = stakers.request_exit("ann")
    desk.contribute(400)
    assert stakers.settle_exit("ann", at=ripe) == tokens(100)
    assert stakers.worth("bob") == tokens(700) - 2  # the virtual shares have the rest


def test_a_loss_after_the_request_is(stakers: Stakers, desk: Desk) -> None:
    """Of 400 the pool loses 40 for good, a day before: ann's part of it is 10."""
    ripe = stakers.request_exit("ann")
    lose(desk, 40, at=ripe - DAY)
    wait_until(ripe)
    assert stakers.settle_exit("ann") == tokens(90)
    assert stakers.worth("bob") == tokens(270)


def lose(desk: Desk, amount: int, *, at: int) -> None:
    """The pool takes over 10 contracts from 90 while they are worth so much less, and sells them for what they are."""
    fresh(desk, at=at)
    desk.inherit("icarus", 10, 100, 100, 90 - amount // 10)
    buyer = desk.trader("buyer")
    desk.deposit(buyer, 1000)
    act(desk.venue.owner, desk.fund.setAuctionParameters, desk.market.id, 0, 1800)
    desk.buy(0, by=buyer)
    assert desk.pool_cash() == wad(400 - amount)


def test_a_loss_that_is_won_back_costs_nothing_and_gains_nothing(stakers: Stakers, desk: Desk) -> None:
    ripe = stakers.request_exit("ann")
    lose(desk, 40, at=ripe - DAY)
    desk.contribute(1000)
    assert stakers.settle_exit("ann", at=ripe) == tokens(100)


def test_what_was_called_off_shares_in_a_gain(stakers: Stakers, desk: Desk, ann: Any) -> None:
    stakers.request_exit("ann")
    desk.contribute(400)
    act(ann, stakers.shares.cancelRedeem)
    assert stakers.worth("ann") == tokens(200) - 1


# ---------------------------------------------------------------------- in parts


def test_in_parts(stakers: Stakers, desk: Desk, ann: Any) -> None:
    """Each part pays its part of the value at request, rounded down, and never more than what it is worth now."""
    dice = random.Random(3)
    ripe = stakers.request_exit("ann")
    wait_until(ripe)
    paid = 0
    for turn in range(8):
        exit_ = stakers.exit_of("ann")
        part = dice.randint(1, exit_.shares) if turn < 7 else exit_.shares
        assets, supply = stakers.assets(), stakers.shares.totalSupply()
        expected = exit_value(part, exit_.shares, exit_.value, shares_to_assets(part, assets, supply))
        before = stakers.purse("ann")
        act(ann, stakers.shares.redeem, part, ann.address, ann.address)
        assert stakers.purse("ann") - before == expected
        left = stakers.exit_of("ann")
        if turn < 7:
            assert left.shares == exit_.shares - part
            assert left.value == exit_.value * left.shares // exit_.shares
        paid += expected
    assert tokens(100) - 16 <= paid <= tokens(100)
    assert stakers.exit_of("ann").shares == stakers.shares.balanceOf(stakers.shares) == 0


def test_more_than_was_asked_for(stakers: Stakers, ann: Any) -> None:
    wait_until(stakers.request_exit("ann", HUNDRED // 2))
    with refused(stakers.shares.RequestExceeded, owner=ann.address, shares=HUNDRED // 2 + 1, requested=HUNDRED // 2):
        act(ann, stakers.shares.redeem, HUNDRED // 2 + 1, ann.address, ann.address)
    with refused(stakers.shares.SharesZero):
        act(ann, stakers.shares.redeem, 0, ann.address, ann.address)


def test_an_amount_of_tokens(stakers: Stakers, ann: Any) -> None:
    """`withdraw` burns the shares that go with it, rounded up, and gives what was asked for."""
    wait_until(stakers.request_exit("ann"))
    done = act(ann, stakers.shares.withdraw, 33_333_333, ann.address, ann.address)
    (event,) = emitted(done, stakers.shares.Withdraw)
    assert (event["assets"], event["shares"]) == (33_333_333, 33_333_333 * VIRTUAL)
    assert (stakers.purse("ann"), stakers.exit_of("ann").value) == (33_333_333, 66_666_667)
    with refused(stakers.shares.ERC4626ExceededMaxWithdraw, owner=ann.address, assets=66_666_668, max=66_666_667):
        act(ann, stakers.shares.withdraw, 66_666_668, ann.address, ann.address)
    with refused(stakers.shares.AssetsZero):
        act(ann, stakers.shares.withdraw, 0, ann.address, ann.address)
    assert stakers.shares.maxWithdraw(ann.address) == 66_666_667
    act(ann, stakers.shares.withdraw, 66_666_667, ann.address, ann.address)
    assert (stakers.purse("ann"), stakers.exit_of("ann").shares) == (tokens(100), 0)


def test_a_unit_of_tokens_costs_the_shares_that_go_with_it(stakers: Stakers, desk: Desk, ann: Any) -> None:
    """Of an exit that is worth 3 units now: one costs a third of its shares, rounded up."""
    wait_until(stakers.request_exit("ann", 7))
    assert stakers.exit_of("ann").value == 0
    act(ann, stakers.shares.cancelRedeem)
    wait_until(stakers.request_exit("ann", 3 * VIRTUAL + 1))
    assert stakers.exit_of("ann").value == 3
    done = act(ann, stakers.shares.withdraw, 1, ann.address, ann.address)
    (event,) = emitted(done, stakers.shares.Withdraw)
    assert (event["assets"], event["shares"]) == (1, VIRTUAL + 1)
    assert tuple(stakers.exit_of("ann"))[:2] == (2 * VIRTUAL, 1)  # 3 * 2/3, rounded down


def test_previews_say_that_they_cannot_know(stakers: Stakers) -> None:
    for method in (stakers.shares.previewRedeem, stakers.shares.previewWithdraw):
        with refused(stakers.shares.PreviewImpossible):
            imagine(stakers.desk.trader("ann"), method, 1)


# ---------------------------------------------------------------------- shares are an ERC-20


def test_shares_move_but_not_those_set_aside(stakers: Stakers, desk: Desk, ann: Any) -> None:
    heir = desk.trader("heir")
    stakers.request_exit("ann", HUNDRED // 2)
    with refused(
        stakers.shares.ERC20InsufficientBalance, sender=ann.address, balance=HUNDRED // 2, needed=HUNDRED // 2 + 1
    ):
        act(ann, stakers.shares.transfer, heir.address, HUNDRED // 2 + 1)
    act(ann, stakers.shares.transfer, heir.address, HUNDRED // 2)
    # Shares that were moved leave like any others, and the exit stays its owner's.
    wait_until(stakers.request_exit("heir"))
    assert (stakers.settle_exit("ann"), stakers.settle_exit("heir")) == (tokens(50), tokens(50))


def test_shares_sent_to_the_token_itself_are_nobody_s_exit(stakers: Stakers, desk: Desk, ann: Any) -> None:
    act(ann, stakers.shares.transfer, stakers.shares.address, HUNDRED // 2)
    wait_until(stakers.request_exit("ann"))
    assert stakers.settle_exit("ann") == tokens(50)
    assert stakers.shares.balanceOf(stakers.shares) == HUNDRED // 2


@pytest.mark.parametrize("how", ["redeem", "withdraw"])
def test_for_somebody_else_with_an_allowance_of_shares(stakers: Stakers, desk: Desk, ann: Any, how: str) -> None:
    agent = desk.trader("agent")
    wait_until(stakers.request_exit("ann"))
    half = {"redeem": HUNDRED // 2, "withdraw": tokens(50)}[how]
    method = getattr(stakers.shares, how)
    act(ann, stakers.shares.approve, agent.address, HUNDRED // 2 - 1)
    with (
        nothing_changes(desk.venue),
        refused(
            stakers.shares.ERC20InsufficientAllowance,
            spender=agent.address,
            allowance=HUNDRED // 2 - 1,
            needed=HUNDRED // 2,
        ),
    ):
        act(agent, method, half, agent.address, ann.address)
    act(ann, stakers.shares.approve, agent.address, HUNDRED // 2 + 7)
    act(agent, method, half, agent.address, ann.address)
    assert stakers.shares.allowance(ann.address, agent.address) == 7
    assert (stakers.purse("agent"), stakers.exit_of("ann").shares) == (tokens(50), HUNDRED // 2)


def test_a_receiver_that_cannot_be(stakers: Stakers, desk: Desk, ann: Any) -> None:
    wait_until(stakers.request_exit("ann"))
    for wrong in (ZERO, desk.exchange.address):
        with nothing_changes(desk.venue), refused(desk.exchange.RecipientInvalid, recipient=wrong):
            act(ann, stakers.shares.redeem, HUNDRED, wrong, ann.address)


def test_token_that_does_not_pay(stakers: Stakers, desk: Desk, ann: Any) -> None:
    """The exit stays as it was."""
    wait_until(stakers.request_exit("ann"))
    with refused(desk.exchange.SafeERC20FailedOperation, token=desk.token.address):
        imagine(ann, stakers.shares.settleRedeem, ann.address, code={desk.token: answering(0)})


# ---------------------------------------------------------------------- while a deficit is open


def test_while_a_deficit_is_open_only_the_owner_settles(stakers: Stakers, desk: Desk, venue: Venue, ann: Any) -> None:
    """Else anyone could make somebody bear a part of it."""
    ripe = stakers.request_exit("ann")
    wait_until(ripe)
    other = open_desk(venue, "LUNA-USD", 100)
    open_deficit(other, 5000)
    assert desk.fund.deficit() == wad(5000)
    with nothing_changes(venue), refused(stakers.shares.ExitOfOther, owner=ann.address, deficit=wad(5000)):
        stakers.settle_exit("ann", by="keeper")
    held = desk.token.balanceOf(desk.exchange)
    paid = tokens(100) * held // (held + tokens(5000))
    assert stakers.settle_exit("ann", by="ann") == paid < tokens(100)
    assert desk.fund.deficit() == wad(5000) - (wad(100) - paid * 10**12)
