"""`backstop account` for people: whole numbers at every width, a wallet, and what is due."""

from __future__ import annotations

import os
import re
import subprocess
from decimal import Decimal
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, cross_sub_id, isolated_account
from backstop.chain.bindings import MINT
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.keeper.command import BACKSTOP, assert_refused

from .shell import Shell, done

DIGITS = re.compile(r"-?[0-9][0-9,.]*")


@pytest.fixture
def books(venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount) -> str:
    """Alice's cross account: long 12,345.6789 ETH and short 1,234.5678 BTC, both with long numbers."""
    cross = venue.deposit_to(alice, cross_sub_id(), 1_000_000)
    for name, contracts, price in (("ETH-USD", "12345.6789", "100.1234"), ("BTC-USD", "-1234.5678", "1000.4321")):
        venue.deposit(bob, markets[name], 1_000_000)
        between = isolated_account(bob.address, markets[name].id), cross
        venue.trade(bob, alice, markets[name], wad(contracts), wad(price), between)
    venue.set_price(markets["ETH-USD"], Decimal("101.8765"))
    return account_text(cross)


def at(columns: int, shell: Shell, who: str) -> str:
    """What a terminal so wide shows, without colours."""
    environment = os.environ | {"COLUMNS": str(columns), "FORCE_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    command = [BACKSTOP, *map(str, shell.line("account", who))]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout)


def positions(text: str) -> dict[str, list[str]]:
    """By market the cells of its rows, in all tables from left to right, without the light's bars."""
    cells: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith(("ETH-USD", "BTC-USD")):
            name, side, *numbers = line.split()
            assert side in ("long", "short")
            cells.setdefault(name, []).extend(numbers)
    return cells


@pytest.mark.parametrize("columns", [40, 80, 100, 110, 130, 200])
def test_every_number_is_whole_at_every_width(columns: int, shell: Shell, books: str) -> None:
    text = at(columns, shell, books)
    whole = positions(done(shell.run("account", books)).out)  # piped: nothing is folded
    assert positions(text) == whole
    assert whole["ETH-USD"][:3] == ["12,345.6789", "100.1234", "101.8765"]
    assert all(DIGITS.fullmatch(cell.rstrip("x")) or cell == "-" or set(cell) <= set("▮▯") for cell in whole["BTC-USD"])
    assert len(text.split("Contracts")) == 2
    if columns > 40:
        assert max(map(len, text.splitlines())) <= columns
    narrow = re.search(r"In a terminal of (\d+) columns each is one table", " ".join(text.split()))
    assert (narrow is None) is (text.count("Market") == 1)
    if narrow:
        assert columns < int(narrow[1]) <= 160
        assert at(int(narrow[1]), shell, books).count("Market") == 1


def test_small_prices_are_not_shown_as_nothing(
    shell: Shell, venue: Venue, alice: LocalAccount, bob: LocalAccount, markets: dict[str, TestMarket]
) -> None:
    pool = venue.create_pool("small")
    parameters = full_market(Decimal("0.1"), Decimal("0.05"), Decimal(1))
    market = venue.list_in_pool("PEPE-USD", pool, Decimal("0.00001234"), parameters, lowest=Decimal("0.00000001"))
    for trader in (alice, bob):
        venue.deposit(trader, market, 10)
    venue.trade(bob, alice, market, wad(1_000_000), wad("0.0000123456"))
    shown = done(shell.run("account", alice.address)).out
    row = next(line.split() for line in shown.splitlines() if line.startswith("PEPE-USD"))
    assert row[2:5] == ["1,000,000", "0.00001234", "0.00001234"]
    # 12.3456 less 9.9938 of collateral, by 950,000 and by a million.
    assert row[8:10] == ["0.000002475", "0.000002351"]


def test_wallet_is_told_beside_the_accounts(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    venue.send(alice, venue.system.token, MINT.encode(alice.address, tokens("7.25")))
    assert f"wallet {alice.address}: 7.25 tUSDC (block " in done(shell.run("account", alice.address)).out
    account = account_text(venue.deposit(alice, markets["SOL-USD"], 3))
    for who in (alice.address, account):
        assert "7.25 tUSDC" in done(shell.run("account", who)).out
        (document,) = done(shell.run("account", who, "--json")).document
        assert (document["wallet"], document["collateral"]) == ("7.25", "3")


@pytest.mark.parametrize(
    ("price", "due", "low", "words"),
    [
        ("50", None, False, None),
        ("44.4", None, True, "The margin is low: deposit, or reduce."),
        # 100 + 10 * (P - 50) is MM, 0.5 * P, at 42.105263…, and half of that at 41.025641….
        ("44.5", None, False, None),
        ("42.11", None, True, "The margin is low: deposit, or reduce."),
        ("42.1", "liquidation", True, "The equity is below the maintenance margin: anyone may liquidate"),
        ("41.03", "liquidation", True, "The equity is below the maintenance margin: anyone may liquidate"),
        ("41.02", "takeover", True, "all but bankrupt, with no more than 50 % of the maintenance margin left"),
        ("39", "takeover", True, "is bankrupt, with no more than 50 % of the maintenance margin left"),
    ],
)
def test_what_is_due_is_told_apart(
    price: str,
    due: str | None,
    low: bool,
    words: str | None,
    shell: Shell,
    venue: Venue,
    markets: dict[str, TestMarket],
    alice: LocalAccount,
    bob: LocalAccount,
) -> None:
    """10 SOL at 50 on 100, mmf 5 %."""
    account = account_text(venue.deposit(alice, markets["SOL-USD"], 100))
    venue.deposit(bob, markets["SOL-USD"], 1000)
    venue.trade(bob, alice, markets["SOL-USD"], wad(10), wad(50))
    venue.set_price(markets["SOL-USD"], Decimal(price))
    (document,) = done(shell.run("account", account, "--json")).document
    assert (document["due"], document["marginLow"]) == (due, low)
    shown = done(shell.run("account", account)).out
    told = [text for text in ("margin is low", "may liquidate", "hand it to the pool") if text in shown]
    assert len(told) == (0 if words is None else 1)
    assert words is None or words in shown


def test_account_in_a_market_that_is_not_listed(shell: Shell, alice: LocalAccount, markets: Any) -> None:
    account = account_text(isolated_account(alice.address, 9))
    assert_refused(
        shell.run("account", account),
        f"{account} is an account in market 9, which is not listed: the exchange has SOL-USD (1), ETH-USD (2)",
    )
