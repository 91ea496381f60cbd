"""Collateral out of an account: `Exchange.withdraw`. Unrealised profit stays."""

from __future__ import annotations

import pytest

from backstop.account_id import isolated_sub_id
from scripts.stage.venue import tokens, wad
from tests.support.acting import act, emitted, imagine, later, refused, refused_by_overflow, wait_until
from tests.support.desk import FLAT, Desk
from tests.support.hostile_tokens import answering, calling_back
from tests.support.proofs import nothing_changes

SCALE = 10**12
ZERO = "0x" + "0" * 40

# ±10 contracts from 100 with a margin of 300: IM is 100 at 100, so 200 may leave.
TABLE = """
    hawk   10 100 300
    dove  -10 100 300
"""


def withdraw(desk: Desk, name: str, units: int) -> None:
    who = desk.trader(name)
    act(who, desk.exchange.withdraw, desk.account(who), units, who.address)


def test_tokens_go_to_the_recipient(desk: Desk) -> None:
    saver, heir = desk.trader("saver"), desk.trader("heir")
    desk.deposit(saver, 10)
    done = act(saver, desk.exchange.withdraw, desk.account(saver), 3_000_001, heir.address)
    assert emitted(done, desk.exchange.Withdrawn) == [
        {"account": desk.account(saver), "recipient": heir.address.lower(), "amount": 3_000_001}
    ]
    assert desk.token.balanceOf(heir.address) == 3_000_001
    assert desk.holding(saver).margin == wad("6.999999")


def test_everything_while_flat(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 10)
    withdraw(desk, "saver", tokens(10))
    assert desk.holding(saver) == FLAT
    assert desk.token.balanceOf(saver.address) == tokens(10)


def test_one_unit_more_than_there_is(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 10)
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.MarginInsufficient, account=desk.account(saver), available=-SCALE, required=0),
    ):
        withdraw(desk, "saver", tokens(10) + 1)


@pytest.mark.parametrize("name", ["hawk", "dove"])
def test_down_to_the_initial_margin(desk: Desk, name: str) -> None:
    desk.seat(TABLE)
    who = desk.trader(name)
    with refused(
        desk.exchange.MarginInsufficient,
        account=desk.account(who),
        available=wad(100) - SCALE,
        required=wad(100),
    ):
        withdraw(desk, name, tokens(200) + 1)
    withdraw(desk, name, tokens(200))
    assert desk.holding(who).margin == wad(100)


@pytest.mark.parametrize(
    ("name", "gain"), [("hawk", 120), ("dove", 80)], ids=["a long that gains 200", "a short that gains 200"]
)
def test_unrealised_profit_stays(desk: Desk, name: str, gain: int) -> None:
    """Equity is 500, but of the margin of 300 the initial margin stays: 120 at 120, 80 at 80."""
    desk.seat(TABLE)
    desk.price(gain)
    who = desk.trader(name)
    assert desk.equity(who) == wad(500)
    required = wad(gain)
    allowed = 300 - gain
    with refused(
        desk.exchange.MarginInsufficient, account=desk.account(who), available=required - SCALE, required=required
    ):
        withdraw(desk, name, tokens(allowed) + 1)
    withdraw(desk, name, tokens(allowed))
    assert desk.equity(who) == wad(500 - allowed)


@pytest.mark.parametrize(
    ("name", "loss"), [("hawk", 95), ("dove", 105)], ids=["a long that loses 50", "a short that loses 50"]
)
def test_unrealised_loss_counts(desk: Desk, name: str, loss: int) -> None:
    """Of 300, 50 are lost, and the initial margin is 95 or 105."""
    desk.seat(TABLE)
    desk.price(loss)
    who = desk.trader(name)
    allowed = 300 - 50 - loss
    with refused(
        desk.exchange.MarginInsufficient, account=desk.account(who), available=wad(loss) - SCALE, required=wad(loss)
    ):
        withdraw(desk, name, tokens(allowed) + 1)
    withdraw(desk, name, tokens(allowed))
    assert desk.equity(who) == wad(loss)


def test_nothing_leaves_a_bankrupt_account(desk: Desk) -> None:
    desk.seat(TABLE)
    desk.price(60)
    hawk = desk.trader("hawk")
    with refused(
        desk.exchange.MarginInsufficient,
        account=desk.account(hawk),
        available=wad(-100) - SCALE,
        required=wad(60),
    ):
        withdraw(desk, "hawk", 1)


def test_only_the_owner(desk: Desk) -> None:
    saver, thief = desk.trader("saver"), desk.trader("thief")
    desk.deposit(saver, 10)
    with refused(desk.exchange.NotAccountOwner, account=desk.account(saver), caller=thief.address):
        act(thief, desk.exchange.withdraw, desk.account(saver), 1, thief.address)


def test_no_recipient_and_the_exchange_itself(desk: Desk) -> None:
    """What is sent to the exchange itself would belong to nobody: tokens held would pass the claims for good."""
    saver = desk.trader("saver")
    desk.deposit(saver, 10)
    for nobody in (ZERO, desk.exchange.address):
        with refused(desk.exchange.RecipientInvalid, recipient=nobody):
            act(saver, desk.exchange.withdraw, desk.account(saver), 1, nobody)


def test_nothing(desk: Desk) -> None:
    saver = desk.trader("saver")
    with refused(desk.exchange.AmountZero):
        act(saver, desk.exchange.withdraw, desk.account(saver), 0, saver.address)


def test_amount_beyond_256_bits(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 10)
    with refused_by_overflow():
        withdraw(desk, "saver", 2**256 // SCALE + 1)
    beyond_signed = 2**255 // SCALE + 1
    with refused(desk.exchange.SafeCastOverflowedUintToInt, value=beyond_signed * SCALE):
        withdraw(desk, "saver", beyond_signed)


def test_accounts_that_can_not_be(desk: Desk) -> None:
    saver = desk.trader("saver")

    def account(sub_id: int) -> bytes:
        return (int(saver.address, 16) << 96 | sub_id).to_bytes(32, "big")

    unlisted = desk.exchange.marketCount() + 1
    for sub_id, refusal in (
        (isolated_sub_id(unlisted), refused(desk.exchange.MarketUnlisted, market=unlisted)),
        (0, refused(desk.exchange.AccountMalformed, account=account(0))),
        (1 << 95 | 1 << 64, refused(desk.exchange.AccountMalformed, account=account(1 << 95 | 1 << 64))),
    ):
        with refusal:
            act(saver, desk.exchange.withdraw, account(sub_id), 1, saver.address)


def test_a_dead_feed_stops_only_those_who_hold_the_market(desk: Desk) -> None:
    desk.seat(TABLE)
    desk.deposit(desk.trader("saver"), 10)
    updated = desk.priced_at()
    wait_until(updated + 3601)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        withdraw(desk, "hawk", 1)
    withdraw(desk, "saver", tokens(10))


def test_a_withdrawal_raises_risk_only_with_a_position(desk: Desk) -> None:
    """`riskTime` is the time of the last change that raised risk."""
    hawk, saver = desk.trader("hawk"), desk.trader("saver")
    desk.seat(TABLE)
    first = desk.deposit(saver, 10)
    later()
    withdraw(desk, "saver", 1)
    done = act(hawk, desk.exchange.withdraw, desk.account(hawk), 1, hawk.address)
    assert desk.exchange.position(desk.account(hawk), desk.market.id).riskTime == done.timestamp
    assert desk.exchange.position(desk.account(saver), desk.market.id).riskTime == first.timestamp


def test_token_that_says_no(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 10)
    with refused(desk.exchange.SafeERC20FailedOperation, token=desk.token.address):
        imagine(saver, desk.exchange.withdraw, desk.account(saver), 1, saver.address, code={desk.token: answering(0)})


def test_token_that_calls_back(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 10)
    hostile = calling_back("withdraw(bytes32,uint256,address)")
    with refused(desk.exchange.ReentrancyGuardReentrantCall):
        imagine(saver, desk.exchange.withdraw, desk.account(saver), 1, saver.address, code={desk.token: hostile})


def test_everybody_is_paid_in_any_order(desk: Desk) -> None:
    """After profits and losses are realised the tokens held are enough for all, to the unit."""
    held = desk.token.balanceOf(desk.exchange)
    desk.seat(TABLE)
    hawk, dove, saver = (desk.trader(name) for name in ("hawk", "dove", "saver"))
    desk.deposit(saver, 10)
    desk.trade(dove, hawk, -wad(10), wad("110.123456"))
    for who in (dove, saver, hawk):
        left = desk.holding(who)
        assert left.size == left.entry == 0
        act(who, desk.exchange.withdraw, desk.account(who), left.margin // SCALE, who.address)
    assert desk.token.balanceOf(hawk.address) == tokens("401.23456")
    assert desk.token.balanceOf(dove.address) == tokens("198.76544")
    assert desk.token.balanceOf(desk.exchange) == held
    assert desk.holding(hawk) == desk.holding(dove) == FLAT
