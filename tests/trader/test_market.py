"""`backstop market settle`, and what an account in a closed market is shown."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, isolated_account
from backstop.trading import ending
from scripts.stage.venue import TestMarket, Venue, wad
from tests.keeper.command import assert_refused

from .shell import Shell, done, nonce

DAY = 86_400
HUNDRED = wad(100)
ANY = 2**256 - 1


@pytest.fixture
def closed(venue: Venue, alice: LocalAccount, bob: LocalAccount) -> TestMarket:
    """DOT-USD, ended at 85: bob is bankrupt by 50, alice and carol are short 10 each against bob and dave."""
    market = venue.list_market("DOT-USD", f"dot {chain.blocks.head.number}", Decimal(100))
    venue.contribute(venue.trader("donor"), market, 1000)
    carol, dave = venue.trader("carol"), venue.trader("dave")
    for who, margin in ((alice, 500), (bob, 100), (carol, 300), (dave, 400)):
        venue.deposit(who, market, margin)
    venue.trade(alice, bob, market, wad(10), HUNDRED)
    venue.trade(carol, dave, market, wad(10), HUNDRED)
    venue.set_price(market, 85)
    venue.system.exchange.closeMarket(market.id, 0, ANY, sender=venue.owner)
    return market


def wait(venue: Venue, market: TestMarket) -> None:
    venue.endpoint.request("evm_setNextBlockTimestamp", venue.system.exchange.settlesAt(market.id))
    venue.endpoint.request("evm_mine")


def margin(venue: Venue, market: TestMarket, who: LocalAccount) -> int:
    return int(venue.system.exchange.position(isolated_account(who.address, market.id), market.id).margin)


def test_a_dry_run_says_what_is_left(
    shell: Shell, venue: Venue, closed: TestMarket, alice: LocalAccount, bob: LocalAccount
) -> None:
    wait(venue, closed)
    before = nonce(venue, alice)
    document = json.loads(done(shell.run("market", "settle", "DOT-USD", "--json", by=alice)).out)
    assert document["bankrupt"] == [account_text(isolated_account(bob.address, closed.id))]
    assert len(document["accounts"]) == 3
    assert (document["sent"], document["price"]) == (False, "85")
    assert document["settlesAt"] == venue.system.exchange.settlesAt(closed.id)
    assert [step["transaction"] for step in document["steps"]] == [None, None]
    assert "1 bankrupt accounts to take over, 3 to pay" in done(shell.run("market", "settle", "DOT-USD", by=alice)).out
    assert nonce(venue, alice) == before


@pytest.mark.parametrize("most_gas", [ending.MOST_GAS, 1])
def test_everybody_is_settled(
    monkeypatch: pytest.MonkeyPatch,
    most_gas: int,
    shell: Shell,
    venue: Venue,
    closed: TestMarket,
    alice: LocalAccount,
    bob: LocalAccount,
) -> None:
    """In one batch for the bankrupt and one for the others, or one by one."""
    monkeypatch.setattr(ending, "MOST_GAS", most_gas)
    wait(venue, closed)
    document = json.loads(done(shell.run("market", "settle", "DOT-USD", "--send", "--json", by=alice)).out)
    assert len(document["steps"]) == (2 if most_gas > 1 else 4)
    assert all(step["transaction"] for step in document["steps"])
    people = [alice, bob, venue.trader("carol"), venue.trader("dave")]
    assert [margin(venue, closed, who) for who in people] == [wad(650), 0, wad(450), wad(250)]
    assert venue.system.exchange.market(closed.id).openInterest == 0
    assert "is settled: nothing is left to do" in done(shell.run("market", "settle", "DOT-USD", "--send", by=alice)).out


def test_where_a_round_is_due_it_comes_first(
    shell: Shell, venue: Venue, alice: LocalAccount, bob: LocalAccount
) -> None:
    """The pool has nothing: the takeover stands, and the others wait."""
    market = venue.list_market("KSM-USD", f"ksm {chain.blocks.head.number}", Decimal(100))
    for who, amount in ((alice, 500), (bob, 100)):
        venue.deposit(who, market, amount)
    venue.trade(alice, bob, market, wad(10), HUNDRED)
    venue.set_price(market, 85)
    venue.system.exchange.closeMarket(market.id, 0, ANY, sender=venue.owner)
    wait(venue, market)
    result = shell.run("market", "settle", "KSM-USD", "--send", by=alice)
    assert result.status == 1
    assert "ADL is due in the closed market: a round comes first" in result.err
    assert "was sent and stands" in result.err
    assert margin(venue, market, bob) == 0
    assert venue.system.exchange.position(isolated_account(alice.address, market.id), market.id).size == -wad(10)


def test_refusals(shell: Shell, venue: Venue, closed: TestMarket, alice: LocalAccount) -> None:
    settle = ("market", "settle")
    assert_refused(shell.run(*settle, "NONE-USD", "--send", by=alice), "'NONE-USD' is not listed")
    assert_refused(shell.run(*settle, "SOL-USD", "--send", by=alice), "SOL-USD is open")
    assert_refused(shell.run(*settle, "DOT-USD", "--send", by=alice), "DOT-USD was closed, and is settled from 20")


def test_an_account_tells_of_it(shell: Shell, venue: Venue, closed: TestMarket, alice: LocalAccount) -> None:
    account = account_text(isolated_account(alice.address, closed.id))
    (document,) = json.loads(done(shell.run("account", account, "--json")).out)
    (position,) = document["positions"]
    assert position["settlesAt"] == venue.system.exchange.settlesAt(closed.id)
    assert position["markPrice"] == "85"
    assert document["due"] is None
    assert "DOT-USD was closed: its mark is final" in done(shell.run("account", account)).out


def test_an_account_with_equity_is_not_shown_as_due(
    shell: Shell, venue: Venue, alice: LocalAccount, bob: LocalAccount
) -> None:
    """At 91 bob has 10 where half of the maintenance margin is 22.75: due while the market is open, not after."""
    market = venue.list_market("ADA-USD", f"ada {chain.blocks.head.number}", Decimal(100))
    for who, amount in ((alice, 500), (bob, 100)):
        venue.deposit(who, market, amount)
    venue.trade(alice, bob, market, wad(10), HUNDRED)
    venue.set_price(market, 91)
    account = account_text(isolated_account(bob.address, market.id))
    assert json.loads(done(shell.run("account", account, "--json")).out)[0]["due"] == "takeover"
    venue.system.exchange.closeMarket(market.id, 0, ANY, sender=venue.owner)
    assert json.loads(done(shell.run("account", account, "--json")).out)[0]["due"] is None
