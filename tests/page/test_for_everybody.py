"""By keyboard, by a screen reader, on a phone, in the dark; and small. Pictures go to build/screenshots."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.page_server import BUILT
from scripts.stage.venue import rpc_url

from .conftest import AXE, DESKTOP, PHONE, SCREENSHOTS, Look, Showcase, text

MOST_SCRIPT = 250_000  # bytes, gzipped
_SCREENS = {"desktop": DESKTOP, "phone": PHONE}

IN_THE_DARK = ("market", "account", "round")  # every colour that there is

# What reaches out of the page or of a card, but what is only there to be read out.
TOO_WIDE = """() => {
  const isOut = (one, box) => one.getBoundingClientRect().right > box.getBoundingClientRect().right + 1;
  const isHidden = (one) => one.closest('.visually-hidden, thead') !== null;
  const boxes = [document.documentElement, ...document.querySelectorAll('.card')];
  return boxes.flatMap((box) => [...box.querySelectorAll('*')]
    .filter((one) => !isHidden(one) && isOut(one, box)).map((one) => one.outerHTML.slice(0, 120)));
}"""


@pytest.fixture
def views(showcase: Showcase, tmp_path: Path) -> dict[str, str]:
    """The address of each view, after a round, and of its states."""
    file = tmp_path / "deployment.json"
    showcase.deployment.save(file)
    run_keeper_once(rpc_url(), file, showcase.keeper)
    return {
        "market": "market/ETH-USD",
        "market-wide": "market/MEME-USD",
        "market-empty": "market/QUIET-USD",
        "market-no-price": "market/DARK-USD",
        "account": f"account/{showcase.seat('hawk')}",
        "account-cross": f"account/{showcase.alice.address}",
        "account-rest": f"account/{showcase.seat('owl')}",
        "round": "round/1",
        "missing": "round/99",
    }


def settled(page: Page, name: str) -> None:
    """Everything of the view is there."""
    page.wait_for_selector(".missing, .account-view, .round-view, .chart svg, [data-state=empty]")
    if name.startswith("account") and page.locator(".change").count():
        page.locator(".amount-controls .exact").first.fill("100")
        page.wait_for_selector(".figures")


def faults_of(page: Page) -> list[str]:
    """What axe finds that is serious or critical."""
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found: Any = page.evaluate("async () => JSON.stringify((await axe.run()).violations)")
    return [
        f"{one['id']}: {node['html'][:200]}: {node.get('failureSummary')}"
        for one in json.loads(found)
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("screen", list(_SCREENS))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_views_are_whole_and_read_by_everybody(screen: str, scheme: str, look: Look, views: dict[str, str]) -> None:
    """Nothing reaches beyond the screen, and axe finds no serious fault."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, path in views.items():
        if scheme == "dark" and name not in IN_THE_DARK:
            continue
        page = look(path, ready="h1", viewport=_SCREENS[screen], color_scheme=scheme, bypass_csp=True)
        settled(page, name)
        assert page.evaluate(TOO_WIDE) == [], name
        page.screenshot(path=SCREENSHOTS / f"{name}-{screen}-{scheme}.png", full_page=True)
        assert faults_of(page) == [], name
        page.context.close()


def test_everything_by_keyboard(look: Look, showcase: Showcase) -> None:
    """To an account by the search, its slider moved, to its market by a link, to the next page: no pointer."""
    page = look("market/BTC-USD")
    press = page.keyboard.press
    press("Tab")
    assert text(page, ":focus") == "To the content"
    for _ in range(2):
        press("Tab")
    page.keyboard.type(showcase.seat("hawk"))
    press("Enter")
    page.wait_for_selector(".position")
    for _ in range(60):
        press("Tab")
        if page.evaluate("document.activeElement.getAttribute('type')") == "range":
            break
    before = page.locator(".amount-controls .exact").input_value()
    press("ArrowRight")
    press("ArrowRight")
    assert page.locator(".amount-controls .exact").input_value() != before
    expect(page.locator(".verdict")).to_contain_text("From rank")
    press("Shift+Tab")  # the kind of change: a group of radios, by arrows
    press("ArrowRight")
    expect(page.locator(".amount-input label")).to_have_text("Contracts to close")
    focus = "getComputedStyle(document.activeElement.nextElementSibling ?? document.activeElement).outlineStyle"
    assert page.evaluate(focus) != "none"


def test_light_is_told_by_more_than_its_colour(look: Look) -> None:
    """As bars, and as a number that is read out."""
    page = look("market/ETH-USD")
    for light in page.locator("tbody .light").all():
        number = int(str(light.get_attribute("data-light")))
        assert light.locator(".lit").count() == 6 - number
        assert " ".join((light.text_content() or "").split()) == f"light {number} of 5"


def test_script_is_small_and_alone() -> None:
    """All of it is in the folder, and so are its pictures."""
    script = sum(len(gzip.compress(file.read_bytes())) for file in BUILT.rglob("*.js"))
    assert 10_000 < script < MOST_SCRIPT
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    assert "http://" not in page
    assert "default-src 'none'" in page
