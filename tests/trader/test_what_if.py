"""`backstop what-if` on a chain: what it says is what the chain has once it is done, fees and funding included."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_account, isolated_sub_id
from scripts.stage.venue import TestMarket, Venue, wad
from tests.keeper.command import assert_refused, backstop_inside

from .shell import Shell, done

ETH, SOL = "ETH-USD", "SOL-USD"


@pytest.fixture
def books(venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount) -> bytes:
    """Alice is long 10 ETH from 100, isolated; carol long 5 from 90 on more; bob short of both. Mark 110."""
    carol, eth = venue.trader("carol"), markets[ETH]
    venue.next_hour()  # so that none ends before the fixture does
    venue.set_price(eth, 90)
    venue.deposit(bob, eth, 5000)
    venue.deposit(carol, eth, 600)
    venue.trade(bob, carol, eth, wad(5), wad(90))
    venue.set_price(eth, 100)
    account = venue.deposit(alice, eth, 250)
    venue.trade(bob, alice, eth, wad(10), wad("100.05"))
    venue.set_price(eth, 110)
    return account


def told(shell: Shell, who: bytes | str, *wish: str) -> Any:
    name = account_text(who) if isinstance(who, bytes) else who
    return done(shell.run("what-if", name, *wish, "--json")).document


def on_chain(shell: Shell, who: bytes, side: str = "long", market: str = ETH) -> tuple[Any, Any]:
    """The place in the queue, and how many are ranked."""
    queue = done(shell.run("rank", "--market", market, "--side", side, "--json")).document
    return next((one for one in queue if one["account"] == account_text(who)), None), len(queue)


def assert_done(shell: Shell, found: Any, who: bytes) -> None:
    """The account stands as it was said to."""
    assert (found["after"]["place"], found["rankedAfter"]) == on_chain(shell, who, found["side"], found["market"])
    (account,) = done(shell.run("account", account_text(who), "--json")).document
    for key in ("collateral", "equity", "maintenanceMargin", "initialMargin"):
        assert account[key] == found["after"][key]


def test_more_margin(shell: Shell, venue: Venue, books: bytes, alice: LocalAccount) -> None:
    found = told(shell, alice.address, "--add-margin", "300")
    assert (found["before"]["place"], found["rankedBefore"]) == on_chain(shell, books)
    assert found["before"]["place"]["adlRank"] == 1
    assert (found["after"]["place"]["adlRank"], found["fee"], found["fundingSettled"]) == (2, "0", "0")
    venue.deposit_to(alice, isolated_sub_id(venue.markets[ETH].id), 300)
    assert_done(shell, found, books)


def test_closing_with_fees_and_funding(
    shell: Shell,
    venue: Venue,
    markets: dict[str, TestMarket],
    books: bytes,
    alice: LocalAccount,
    bob: LocalAccount,
) -> None:
    venue.next_hour()
    found = told(shell, books, "--close", "4")
    # Filled 0.05 above mark for an hour: a long owes some of it.
    assert Decimal(found["fundingSettled"]) > 0
    assert Decimal(found["fee"]) == Decimal(440) * Decimal(5) / 10_000
    text = done(shell.run("what-if", account_text(books), "--close", "4")).out
    assert "of funding to be paid, which all figures count." in text
    venue.trade(bob, alice, markets[ETH], -wad(4), wad(110))
    assert_done(shell, found, books)


def test_a_split(shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: bytes, alice: LocalAccount) -> None:
    found = told(shell, books, "--split", "4", "--margin", "60", "--deposit")
    beside = account_of(alice.address, isolated_sub_id(markets[ETH].id, 1))
    assert found["newAccount"]["account"] == account_text(beside)
    venue.deposit_to(alice, isolated_sub_id(markets[ETH].id, 1), 60)
    venue.trade(alice, alice, markets[ETH], wad(4), wad(110), (books, beside))
    assert_done(shell, found, books)
    assert_done(shell, found | {"after": found["newAccount"]}, beside)


def test_what_the_chain_would_refuse(shell: Shell, books: bytes, markets: dict[str, TestMarket]) -> None:
    """The new account's 4 contracts at 110 need 44 and the fee; it has 250 less a fee, and needs 110."""
    name = account_text(books)
    split = "what-if", name, "--split", "4", "--margin"
    assert_refused(shell.run(*split, "44", "--deposit"), "the initial margin of 4 contracts in ETH-USD is 44", "0.22")
    assert_refused(shell.run(*split, "240"), "of margin cannot be moved", "beyond its initial margin of 110")
    assert_refused(shell.run("what-if", name, "--close", "10.5"), "10.5 contracts cannot be closed")
    assert_refused(shell.run("what-if", name, "--add-margin", "0.0000001"), "has more decimals than the 6")
    assert_refused(shell.run(*split, "60.0000001", "--deposit"), "has more decimals than the 6")
    assert_refused(
        shell.run("what-if", name, "--close", "1", "--taker-fee", "0.1"), "the chain tells what --taker-fee would say"
    )
    nobody = account_text(isolated_account("0x" + "11" * 20, markets[ETH].id))
    assert_refused(shell.run("what-if", nobody, "--close", "1"), f"unknown account '{nobody}'")
    assert_refused(shell.run("what-if", "0x" + "11" * 20, "--close", "1"), "no account of 0x1111", "has a position")


def test_one_leg_of_a_cross_account(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: bytes, alice: LocalAccount, bob: LocalAccount
) -> None:
    cross = venue.deposit_to(alice, cross_sub_id(), 1000)
    for name, contracts, price in ((ETH, wad(5), wad(110)), ("BTC-USD", -wad(1), wad(1000))):
        venue.deposit(bob, markets[name], 2000)
        venue.trade(
            bob, alice, markets[name], contracts, price, (isolated_account(bob.address, markets[name].id), cross)
        )
    assert_refused(shell.run("what-if", account_text(cross), "--close", "1"), "ETH-USD, BTC-USD: name one by --market")
    assert_refused(shell.run("what-if", alice.address, "--close", "1"), "several accounts with a position")
    found = told(shell, alice.address, "--close", "1", "--market", "BTC-USD")
    between = isolated_account(bob.address, markets["BTC-USD"].id), cross
    venue.trade(bob, alice, markets["BTC-USD"], wad(1), wad(1000), between)
    assert found["after"]["place"] is None
    assert_done(shell, found, cross)


def test_a_snapshot_of_the_chain_says_the_same_but_for_funding(shell: Shell, books: bytes, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert shell.run("snapshot", "-o", file).status == 0
    found = told(shell, books, "--add-margin", "300")
    again = shell.process("what-if", account_text(books), "--add-margin", "300", "--json")
    assert done(again).document == found
    of_file = done(backstop_inside("what-if", account_text(books), file, "--add-margin", "300", "--json")).document
    assert of_file["fundingSettled"] is None
    for key in ("place", "collateral", "equity"):
        assert of_file["after"][key] == found["after"][key]
    assert of_file["adlDue"] == found["adlDue"]
