"""`transfer`: margin between accounts of one owner, by the rules of a withdrawal, and without a token that moves."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.account_id import isolated_account
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, imagine, later, refused, wait_until
from tests.support.desk import FLAT, Account, Cross, Desk, open_desk
from tests.support.proofs import nothing_changes

UNIT = 10**12  # of the token, in WAD


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk has 200 in an isolated account."""
    desk = Desk(venue, market)
    desk.deposit(desk.trader("hawk"), 200)
    return desk


@pytest.fixture
def hawk(desk: Desk) -> Any:
    return desk.trader("hawk")


def transfer(desk: Desk, who: Any, origin: Any, to: Any, units: int) -> Done:
    """Somebody moves token units between two accounts."""
    return act(who, desk.exchange.transfer, desk.account(origin), desk.account(to), units)


def long_of_ten(desk: Desk, margin: int = 150) -> Any:
    """Swan, long 10 from 100, of which the initial margin is 100."""
    desk.deposit(desk.trader("whale"), 10_000)
    return desk.open("swan", wad(10), wad(100), margin)


# ---------------------------------------------------------------------- what moves


def test_between_isolated_accounts(desk: Desk, hawk: Any) -> None:
    second = desk.account(hawk, 1)
    held = desk.token.balanceOf(desk.exchange.address)
    done = transfer(desk, hawk, hawk, second, tokens("0.5"))
    assert emitted(done, desk.exchange.Transferred) == [
        {"from": desk.account(hawk), "to": second, "amount": tokens("0.5")}
    ]
    assert len(done.logs) == 1
    assert desk.holding(hawk) == Account(0, 0, wad("199.5"))
    assert desk.holding(second) == Account(0, 0, wad("0.5"))
    assert desk.token.balanceOf(desk.exchange.address) == held
    # The account that is new stands in the list of its market.
    assert bytes(desk.exchange.accountAt(desk.market.id, 1)) == second


def test_all_of_it(desk: Desk, hawk: Any) -> None:
    transfer(desk, hawk, hawk, desk.account(hawk, 1), tokens(200))
    assert desk.holding(hawk) == FLAT
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.MarginInsufficient, account=desk.account(hawk), available=-UNIT, required=0),
    ):
        transfer(desk, hawk, hawk, desk.account(hawk, 1), 1)


def test_between_markets(desk: Desk, venue: Venue, hawk: Any) -> None:
    other = open_desk(venue, "OTHER-USD", 100)
    transfer(desk, hawk, hawk, other.account(hawk), tokens(50))
    assert (desk.holding(hawk).margin, other.holding(hawk).margin) == (wad(150), wad(50))
    assert bytes(other.exchange.accountAt(other.market.id, 0)) == other.account(hawk)


def test_into_a_cross_account_and_back(desk: Desk, hawk: Any) -> None:
    cross = Cross(hawk, 3)
    transfer(desk, hawk, hawk, cross, tokens(50))
    assert (desk.holding(hawk).margin, desk.holding(cross).margin) == (wad(150), wad(50))
    assert (desk.exchange.crossAccountCount(), bytes(desk.exchange.crossAccountAt(0))) == (1, cross.id)
    transfer(desk, hawk, cross, hawk, tokens(50))
    assert (desk.holding(hawk).margin, desk.holding(cross).margin) == (wad(200), 0)


def test_there_and_back_leaves_everything_as_it_was(desk: Desk, hawk: Any) -> None:
    second = desk.account(hawk, 1)
    transfer(desk, hawk, hawk, second, 1)
    with nothing_changes(desk.venue):
        transfer(desk, hawk, hawk, second, tokens(7))
        transfer(desk, hawk, second, hawk, tokens(7))


def test_no_token_is_asked(desk: Desk, hawk: Any) -> None:
    """A paused token or a blocklisted owner stops no transfer."""
    call = desk.exchange.transfer
    code = {desk.token: bytes.fromhex("fe")}
    imagine(hawk, call, desk.account(hawk), desk.account(hawk, 1), 1, code=code)


def test_it_saves_an_account_from_its_takeover(desk: Desk) -> None:
    swan = long_of_ten(desk, 100)
    desk.deposit(swan, 100, index=1)
    desk.price(92)
    # E = 20 of MM 46; 3 more are its half, and a unit more saves it.
    transfer(desk, swan, desk.account(swan, 1), swan, tokens(3) + 1)
    with refused(
        desk.exchange.TakeoverNotDue,
        account=desk.account(swan),
        equity=wad(23) + UNIT,
        maintenanceMargin=wad(46),
    ):
        desk.take_over(swan)


# ---------------------------------------------------------------------- the rules of a withdrawal


@pytest.mark.parametrize(
    ("price", "most", "required"),
    [
        (100, "50", 100),
        # Profit stays: 150 less IM 110.
        (110, "40", 110),
        # A loss of 20 counts, and IM is 98.
        (98, "32", 98),
    ],
)
def test_what_the_position_needs_stays(desk: Desk, price: int, most: str, required: int) -> None:
    swan = long_of_ten(desk)
    second = desk.account(swan, 1)
    desk.price(price)
    with (
        nothing_changes(desk.venue),
        refused(
            desk.exchange.MarginInsufficient,
            account=desk.account(swan),
            available=wad(required) - UNIT,
            required=wad(required),
        ),
    ):
        transfer(desk, swan, swan, second, tokens(most) + 1)
    transfer(desk, swan, swan, second, tokens(most))
    assert desk.holding(second) == Account(0, 0, wad(most))


def test_it_raises_the_risk_of_a_position_that_gives_and_of_none_that_gets(desk: Desk) -> None:
    swan = long_of_ten(desk)
    desk.deposit(swan, 10, index=1)
    before = desk.exchange.position(desk.account(swan), desk.market.id).riskTime
    later()
    transfer(desk, swan, desk.account(swan, 1), swan, 1)
    assert desk.exchange.position(desk.account(swan), desk.market.id).riskTime == before
    done = transfer(desk, swan, swan, desk.account(swan, 1), 1)
    assert desk.exchange.position(desk.account(swan), desk.market.id).riskTime == done.timestamp


def test_a_dead_feed_stops_only_who_gives_from_a_position(desk: Desk, hawk: Any) -> None:
    swan = long_of_ten(desk)
    desk.deposit(swan, 10, index=1)
    updated = desk.priced_at()
    wait_until(updated + 3601)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        transfer(desk, swan, swan, desk.account(swan, 1), 1)
    transfer(desk, swan, desk.account(swan, 1), swan, tokens(10))
    transfer(desk, hawk, hawk, desk.account(hawk, 1), tokens(200))
    assert desk.holding(swan).margin == wad(160)


# ---------------------------------------------------------------------- whose


def test_nobody_takes_from_another(desk: Desk, hawk: Any) -> None:
    thief = desk.trader("thief")
    for origin in (desk.account(hawk), Cross(hawk).id):
        with (
            nothing_changes(desk.venue),
            refused(desk.exchange.NotAccountOwner, account=origin, caller=thief.address),
        ):
            transfer(desk, thief, origin, thief, 1)


def test_nobody_gives_to_another(desk: Desk, hawk: Any) -> None:
    """Margin changes hands by tokens only."""
    dove = desk.account(desk.trader("dove"))
    with nothing_changes(desk.venue), refused(desk.exchange.NotAccountOwner, account=dove, caller=hawk.address):
        transfer(desk, hawk, hawk, dove, 1)


def test_an_account_does_not_give_to_itself(desk: Desk, hawk: Any) -> None:
    for who in (hawk, Cross(hawk)):
        with nothing_changes(desk.venue), refused(desk.exchange.TransferToSelf, account=desk.account(who)):
            transfer(desk, hawk, who, who, 1)


def test_nothing_is_no_transfer(desk: Desk, hawk: Any) -> None:
    with refused(desk.exchange.AmountZero):
        transfer(desk, hawk, hawk, desk.account(hawk, 1), 0)


def test_accounts_that_can_not_be(desk: Desk, hawk: Any) -> None:
    unlisted = desk.exchange.marketCount() + 1
    stray = isolated_account(hawk.address, unlisted)
    malformed = (int(hawk.address, 16) << 96 | 1 << 90 | 1 << 64).to_bytes(32, "big")
    for account, refusal in (
        (stray, refused(desk.exchange.MarketUnlisted, market=unlisted)),
        (malformed, refused(desk.exchange.AccountMalformed, account=malformed)),
    ):
        with nothing_changes(desk.venue), refusal:
            transfer(desk, hawk, hawk, account, 1)
    for account, refusal in (
        (stray, refused(desk.exchange.MarketUnlisted, market=unlisted)),
        (malformed, refused(desk.exchange.AccountMalformed, account=malformed)),
    ):
        with nothing_changes(desk.venue), refusal:
            transfer(desk, hawk, account, hawk, 1)


def test_more_than_fits(desk: Desk, hawk: Any) -> None:
    """An amount whose value in WAD no position could hold."""
    beyond = 2**255 // UNIT + 1
    with refused(desk.exchange.SafeCastOverflowedUintToInt, value=beyond * UNIT):
        transfer(desk, hawk, hawk, desk.account(hawk, 1), beyond)
