"""Collateral into an account: `Exchange.deposit`."""

from __future__ import annotations

import pytest

from backstop.account_id import isolated_sub_id
from scripts.stage.venue import tokens, wad
from tests.support.acting import act, emitted, imagine, later, now, refused, refused_by_overflow, wait_until
from tests.support.desk import FLAT, Account, Cross, Desk
from tests.support.hostile_tokens import answering, calling_back
from tests.support.proofs import nothing_changes

SCALE = 10**12  # WAD in one unit of the token
CROSS = 1 << 95
RESERVED = 1 << 80
LARGEST = 2**111 - 1  # of an int112


def test_first_deposit_opens_and_lists_the_account(desk: Desk) -> None:
    saver = desk.trader("saver")
    listed = desk.exchange.accountCount(desk.market.id)
    held = desk.token.balanceOf(desk.exchange)

    done = desk.deposit(saver, "12.345678")

    assert emitted(done, desk.exchange.Deposited) == [{"account": desk.account(saver), "amount": 12_345_678}]
    assert desk.holding(saver) == Account(size=0, entry=0, margin=wad("12.345678"))
    assert desk.exchange.accountCount(desk.market.id) == listed + 1
    assert desk.exchange.accountAt(desk.market.id, listed) == desk.account(saver)
    assert desk.token.balanceOf(desk.exchange) == held + 12_345_678
    assert desk.token.balanceOf(saver.address) == 0
    assert desk.exchange.position(desk.account(saver), desk.market.id).riskTime == done.timestamp


def test_second_deposit_adds_and_lists_nothing(desk: Desk) -> None:
    saver = desk.trader("saver")
    first = desk.deposit(saver, 10)
    listed = desk.exchange.accountCount(desk.market.id)

    later()
    desk.deposit(saver, "0.000001")

    assert desk.holding(saver).margin == wad(10) + SCALE
    assert desk.exchange.accountCount(desk.market.id) == listed
    assert desk.exchange.position(desk.account(saver), desk.market.id).riskTime == first.timestamp


def test_an_owner_has_many_accounts_in_a_market(desk: Desk) -> None:
    saver = desk.trader("saver")
    last = 2**64 - 1
    desk.deposit(saver, 1)
    desk.deposit(saver, 2, index=1)
    desk.deposit(saver, 3, index=last)
    assert [desk.holding(saver, index).margin for index in (0, 1, last)] == [wad(1), wad(2), wad(3)]


def test_deposit_goes_to_an_account_of_the_caller_only(desk: Desk) -> None:
    saver, patron = desk.trader("saver"), desk.trader("patron")
    desk.deposit(saver, 5)
    desk.deposit(patron, 7)
    assert desk.holding(saver).margin == wad(5)
    assert desk.holding(patron).margin == wad(7)


def test_deposit_into_a_bankrupt_account_makes_it_whole(desk: Desk) -> None:
    desk.seat("""
        icarus  10 100 100
        whale  -10 100 500
    """)
    icarus = desk.trader("icarus")
    desk.price(80)
    assert desk.equity(icarus) == wad(-100)
    desk.deposit(icarus, 150)
    assert desk.equity(icarus) == wad(50)


def test_deposit_needs_no_price(desk: Desk) -> None:
    wait_until(now() + 7200)
    saver = desk.trader("saver")
    desk.deposit(saver, 1)
    assert desk.holding(saver).margin == wad(1)


def test_largest_deposit(desk: Desk) -> None:
    saver = desk.trader("saver")
    largest = LARGEST // SCALE
    desk.fill_purse(saver, largest // 10**6 + 1)
    act(saver, desk.exchange.deposit, isolated_sub_id(desk.market.id), largest)
    assert desk.holding(saver).margin == largest * SCALE

    too_much = (largest + 1) * SCALE
    with refused(desk.exchange.SafeCastOverflowedIntDowncast, bits=112, value=too_much):
        act(saver, desk.exchange.deposit, isolated_sub_id(desk.market.id), 1)


def test_amount_beyond_256_bits(desk: Desk) -> None:
    saver = desk.trader("saver")
    sub_id = isolated_sub_id(desk.market.id)
    with refused_by_overflow():
        act(saver, desk.exchange.deposit, sub_id, 2**256 // SCALE + 1)
    beyond_signed = 2**255 // SCALE + 1
    with refused(desk.exchange.SafeCastOverflowedUintToInt, value=beyond_signed * SCALE):
        act(saver, desk.exchange.deposit, sub_id, beyond_signed)


def test_nothing(desk: Desk) -> None:
    with refused(desk.exchange.AmountZero):
        act(desk.trader("saver"), desk.exchange.deposit, isolated_sub_id(desk.market.id), 0)


@pytest.mark.parametrize(
    "sub_id",
    [0, 7, RESERVED | 1 << 64, (RESERVED << 14) | 1 << 64, CROSS | 1 << 64, CROSS | RESERVED],
    ids=["no market", "index only", "reserved bit", "last reserved bit", "cross with a market", "cross and reserved"],
)
def test_malformed_account(desk: Desk, sub_id: int) -> None:
    saver = desk.trader("saver")
    account = (int(saver.address, 16) << 96 | sub_id).to_bytes(32, "big")
    with refused(desk.exchange.AccountMalformed, account=account):
        act(saver, desk.exchange.deposit, sub_id, tokens(1))


@pytest.mark.parametrize("index", [0, 1, 2**64 - 1])
def test_cross_account(desk: Desk, index: int) -> None:
    saver = desk.trader("saver")
    cross = Cross(saver, index)
    account = cross.id
    desk.deposit(saver, 1)
    done = desk.deposit(cross, 2)
    assert emitted(done, desk.exchange.Deposited) == [{"account": account, "amount": tokens(2)}]
    desk.deposit(cross, 3)
    assert desk.holding(account) == Account(0, 0, wad(5))
    assert desk.holding(saver) == Account(0, 0, wad(1))
    # It is listed once, beside the accounts of the markets and not among them.
    assert (desk.exchange.crossAccountCount(), bytes(desk.exchange.crossAccountAt(0))) == (1, account)
    assert desk.exchange.accountCount(desk.market.id) == 1


def test_unlisted_market(desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    for market in (unlisted, 2**16 - 1):
        with refused(desk.exchange.MarketUnlisted, market=market):
            act(desk.trader("saver"), desk.exchange.deposit, isolated_sub_id(market), tokens(1))


def test_tokens_that_were_not_approved(desk: Desk) -> None:
    saver = desk.trader("saver")
    act(saver, desk.token.mint, saver.address, tokens(1))
    with (
        nothing_changes(desk.venue),
        refused(desk.token.ERC20InsufficientAllowance, spender=desk.exchange.address, allowance=0, needed=tokens(1)),
    ):
        act(saver, desk.exchange.deposit, isolated_sub_id(desk.market.id), tokens(1))
    assert desk.holding(saver) == FLAT


def test_tokens_that_the_caller_has_not(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.fill_purse(saver, 1)
    with refused(desk.token.ERC20InsufficientBalance, sender=saver.address, balance=tokens(1), needed=tokens(1) + 1):
        act(saver, desk.exchange.deposit, isolated_sub_id(desk.market.id), tokens(1) + 1)


def test_token_that_moves_less_than_it_says(desk: Desk) -> None:
    saver, deposit = desk.trader("saver"), desk.exchange.deposit
    with refused(desk.exchange.DepositShort, expected=tokens(1), received=0):
        imagine(saver, deposit, isolated_sub_id(desk.market.id), tokens(1), code={desk.token: answering(1)})


def test_token_that_says_no(desk: Desk) -> None:
    saver, deposit = desk.trader("saver"), desk.exchange.deposit
    with refused(desk.exchange.SafeERC20FailedOperation, token=desk.token.address):
        imagine(saver, deposit, isolated_sub_id(desk.market.id), tokens(1), code={desk.token: answering(0)})


@pytest.mark.parametrize("name", ["deposit", "withdraw", "takeOver"])
def test_token_that_calls_back(desk: Desk, name: str) -> None:
    """Every one of the calls that move money runs under one lock."""
    saver, deposit = desk.trader("saver"), desk.exchange.deposit
    hostile = calling_back(desk.exchange.contract_type.methods[name].selector)
    with refused(desk.exchange.ReentrancyGuardReentrantCall):
        imagine(saver, deposit, isolated_sub_id(desk.market.id), tokens(1), code={desk.token: hostile})
