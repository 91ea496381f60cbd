"""How long it takes until the page of a market with many positions can be used, in a browser."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from backstop.account_id import account_of, account_text
from backstop.errors import BackstopError
from scripts.stage.browser import FLAGS, chromium
from scripts.stage.multitude import sub_ids_of
from scripts.stage.page_server import page_settings, serving_page
from scripts.stage.venue import TestMarket, Venue

MOST_PAGE_SECONDS = 3.0
_TIMES = 3
_PATIENCE = 60_000  # ms


def measure_page(venue: Venue, market: TestMarket) -> dict[str, float]:
    """Seconds, the median of some visits each, from the address to the queue and to a rank that a slider changes.

    Raises BackstopError where there is no Chromium, or no page was built.
    """
    program = chromium()
    if program is None:
        raise BackstopError("there is no Chromium to measure the page with: apt-get install chromium")
    rpc = str(venue.endpoint.url)
    owner = venue.trader(f"multitude of {market.name}")
    account = account_text(account_of(owner.address, sub_ids_of(market, 2)[1]))
    with sync_playwright() as play, serving_page(page_settings(rpc, venue.deployment)) as url:
        browser = play.chromium.launch(executable_path=program, args=list(FLAGS))
        markets = [_market_view(browser, f"{url}#/market/{market.name}") for _ in range(_TIMES)]
        accounts = [_account_view(browser, f"{url}#/account/{account}") for _ in range(_TIMES)]
        browser.close()
    return {
        "queue": median(markets),
        "account": median(taken for taken, _ in accounts),
        "slider": median(moved for _, moved in accounts),
    }


def _opened(browser: Browser) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(_PATIENCE)
    return page


def _market_view(browser: Browser, url: str) -> float:
    """Until both queues are there and the next page of one has come."""
    page = _opened(browser)
    started = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("[data-side=long] tbody tr")
    page.locator("[data-side=short] .pages button", has_text="Next").click()
    page.wait_for_selector("[data-side=short] [data-column=adlRank] :text-is('21')")
    taken = time.perf_counter() - started
    page.context.close()
    return taken


def _account_view(browser: Browser, url: str) -> tuple[float, float]:
    """Until its rank is there, and from a step of the slider to the new one."""
    page = _opened(browser)
    started = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(".position [data-field=adlRank]")
    taken = time.perf_counter() - started
    slider: Any = page.locator(".amount-controls input[type=range]").first
    slider.focus()
    started = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".figures [data-row=adlRank]")
    moved = time.perf_counter() - started
    page.context.close()
    return taken, moved
