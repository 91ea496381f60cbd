"""A venue with every kind of market, the built page of it, and Chromium to look at it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account.signers.local import LocalAccount
from playwright.sync_api import Browser, Page, sync_playwright

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_account
from backstop.chain.deployment import Deployment
from scripts.stage.browser import FLAGS, chromium
from scripts.stage.cases import CASES
from scripts.stage.page_server import page_settings, serving_page
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, rpc_url, wad

PATIENCE = 60_000  # ms; far more than it ever takes, on a machine that does much else
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_GAP = 80


@dataclass
class Showcase:
    """What the page is shown of.

    ETH-USD is the worked case after its gap, with icarus bankrupt; BTC-USD and SOL-USD share a pool, with fees;
    MEME-USD has large amounts and a small price; in QUIET-USD nobody trades, DARK-USD lost its price and NEVER-USD
    never had one.
    """

    venue: Venue
    markets: dict[str, TestMarket]
    alice: LocalAccount
    cross: str
    keeper: LocalAccount

    @property
    def deployment(self) -> Deployment:
        """The addresses."""
        return self.venue.deployment

    def seat(self, name: str) -> str:
        """The account of a trader of the worked case."""
        return self.venue.account_of(self.markets["ETH-USD"], name)


@pytest.fixture(scope="session")
def showcase(owner: Any) -> Showcase:
    """On the chain of the session; each test begins with this state."""
    venue = Venue.open(owner)
    venue.play(CASES[0])
    alice, bob, keeper = venue.trader("alice"), venue.trader("bob"), venue.trader("keeper")
    pool = venue.create_pool("majors", shared=True)
    parameters = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))
    cross = venue.deposit_to(alice, cross_sub_id(), 1000)
    for name, price, contracts in (("BTC-USD", 1000, 2), ("SOL-USD", 50, -20)):
        market = venue.list_in_pool(name, pool, Decimal(price), parameters)
        venue.deposit(bob, market, 5000)
        between = isolated_account(bob.address, market.id), cross
        venue.trade(bob, alice, market, wad(contracts), wad(price), between)
    wide = venue.list_in_pool(
        "MEME-USD", venue.create_pool("meme"), Decimal("0.00001234"), parameters, lowest=Decimal("0.00000001")
    )
    for trader in (alice, bob):
        venue.deposit(trader, wide, "1765432.123456")
    venue.trade(bob, alice, wide, wad("798765432109.543"), wad("0.00001234"))
    venue.contribute(venue.trader("donor"), venue.markets["BTC-USD"], 3000)
    venue.list_market("QUIET-USD", "quiet", Decimal(7))
    dark = venue.list_market("DARK-USD", "dark", Decimal(20))
    for trader in (alice, bob):
        venue.deposit(trader, dark, 100)
    venue.trade(bob, alice, dark, wad(5), wad(20))
    never = venue.list_market("NEVER-USD", "never", Decimal(1))
    venue.post_bond(keeper)
    for market, price in ((venue.markets["ETH-USD"], _GAP), (dark, 0), (never, 0)):
        venue.set_price(market, price)
    return Showcase(venue, venue.markets, alice, account_text(account_of(alice.address, cross_sub_id())), keeper)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or name one in CHROMIUM")
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=program, args=list(FLAGS))


@pytest.fixture(scope="session")
def site(showcase: Showcase) -> Iterator[str]:
    """Where the page of the showcase is served."""
    with serving_page(page_settings(rpc_url(), showcase.deployment)) as url:
        yield url


def is_here(url: str) -> bool:
    """Whether it is asked of this machine, where page and node are."""
    return urlsplit(url).hostname == "127.0.0.1"


Look = Callable[..., Page]


@pytest.fixture
def look(browser: Browser, site: str) -> Iterator[Look]:
    """Opens a view, such as `market/ETH-USD`. Errors of the page fail the test, and so does what it asks of others."""
    faults: list[str] = []
    with ExitStack() as opened:

        def opening(
            path: str = "", *, url: str = site, ready: str = "article", query: str = "", **options: Any
        ) -> Page:
            context = browser.new_context(**{"viewport": DESKTOP} | options)
            opened.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: faults.append(f"error: {error}"))
            page.on(
                "request", lambda one: None if urlsplit(one.url).hostname == "127.0.0.1" else faults.append(one.url)
            )
            page.goto(f"{url}{query}#/{path}")
            page.wait_for_selector(ready)
            return page

        yield opening
    assert faults == []


@pytest.fixture
def served(showcase: Showcase) -> Iterator[Callable[..., str]]:
    """The page of another node or another deployment: its URL."""
    with ExitStack() as opened:

        def serving(rpc: str | None = None, **changes: Any) -> str:
            settings = page_settings(rpc or rpc_url(), replace(showcase.deployment, **changes))
            return opened.enter_context(serving_page(settings))

        yield serving


def amount(page: Page, selector: str) -> str:
    """The exact amount behind a figure, which is shown cut."""
    value = page.locator(f"{selector} data").first.get_attribute("value")
    assert value is not None
    return value


def text(page: Page, selector: str) -> str:
    """What is read there, its spaces made one."""
    return " ".join(page.locator(selector).first.inner_text().split())


def block_of(page: Page) -> int:
    """The block that the page shows."""
    return int(page.locator("[data-block]").get_attribute("data-block") or -1)


SCREENSHOTS = Path("build") / "screenshots"
AXE = Path("web") / "node_modules" / "axe-core" / "axe.min.js"
