"""What is wrong is said as what it is: a lost node, an old block, a wrong address, an empty market."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Route, expect

from scripts.stage.own_anvil import free_port
from scripts.stage.page_server import serving_page
from scripts.stage.venue import rpc_url

from .conftest import Look, Showcase, block_of, text

Served = Callable[..., str]


def test_node_that_was_never_there(look: Look, served: Served) -> None:
    page = look(url=served(rpc=f"http://127.0.0.1:{free_port()}"), ready="[data-trouble=lost]")
    assert text(page, "[data-trouble=lost]").startswith("The node does not answer:")
    assert page.locator("article").count() == 0


def test_node_that_is_lost_and_comes_back(look: Look, showcase: Showcase) -> None:
    """The figures stay, and say of which block they are."""
    page = look("market/ETH-USD")
    block = block_of(page)

    def gone(route: Route) -> None:
        route.abort("connectionrefused")

    page.context.route(f"{rpc_url()}/**", gone)
    notice = page.locator("[data-trouble=lost]")
    expect(notice).to_contain_text(f"What is below is of block {block}, and may have changed since.")
    assert text(page, "article h1") == "ETH-USD"
    showcase.venue.set_price(showcase.markets["ETH-USD"], 79)
    page.context.unroute(f"{rpc_url()}/**", gone)
    expect(notice).to_have_count(0)
    expect(page.locator("[data-field=markPrice] data")).to_have_attribute("value", "79")


def test_old_block(look: Look, showcase: Showcase) -> None:
    page = look("market/ETH-USD", ready="[data-block]")
    page.clock.set_system_time(datetime.fromtimestamp(showcase.venue.endpoint.head().timestamp + 3600, UTC))
    expect(page.locator("[data-trouble=old]")).to_contain_text("The last block is old:")
    expect(page.locator("[data-block]")).to_contain_text("1 h ago")


@pytest.mark.parametrize(
    ("path", "title", "said"),
    [
        ("account/0x1234", "No such account", "0x1234 is neither an address"),
        ("account/0x" + "12" * 20 + "ff" * 12, "No such account", "name neither a market nor a cross account"),
        ("market/PEPE-USD", "No such market", "The exchange has no market called PEPE-USD."),
        ("market/%E0%A4%A", "No such market", "The exchange has no market called %E0%A4%A."),
        ("round/77", "Round 77", "There is no round 77: none was executed yet."),
        ("round/0", "Round 0", "There is no round 0"),
        ("round/one", "No such round", "one is no number of a round."),
        ("elsewhere", "No such view", "There is nothing at #/elsewhere."),
    ],
)
def test_address_that_leads_nowhere(path: str, title: str, said: str, look: Look) -> None:
    page = look(path, ready=".missing")
    assert text(page, ".missing h1") == title
    assert said in text(page, ".missing")


def test_address_that_holds_nothing(look: Look) -> None:
    page = look("account/0x" + "12" * 20, ready=".account-view")
    assert "This address holds nothing on the exchange" in text(page, ".account-view .empty")


@pytest.mark.parametrize("written", ["", "0x12", "hawk"])
def test_search_refuses_what_is_no_address(written: str, look: Look) -> None:
    page = look("market/ETH-USD")
    page.get_by_label("Address or account").fill(written)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#who-fault")).to_contain_text("is neither an address")
    assert page.url.endswith("#/market/ETH-USD")


def test_empty_market(look: Look) -> None:
    page = look("market/QUIET-USD", ready="[data-state=empty]")
    assert "Nobody holds a position in QUIET-USD" in text(page, "[data-state=empty]")
    assert "the pool holds no inventory" in text(page, "[data-field=distance]")


def test_market_without_a_price_now(look: Look) -> None:
    page = look("market/DARK-USD")
    assert text(page, "[data-adl=dead]").startswith("No price now.")
    assert "the last accepted one" in text(page, "[data-field=markPrice]")


def test_market_that_never_had_a_price(look: Look) -> None:
    page = look("market/NEVER-USD", ready="[data-state=blind]")
    assert text(page, "[data-state=blind]").startswith("No price yet.")


def test_closed_market(look: Look, showcase: Showcase) -> None:
    venue, quiet = showcase.venue, showcase.markets["QUIET-USD"]
    venue.system.exchange.closeMarket(quiet.id, 6 * 10**18, 8 * 10**18, sender=venue.owner)
    page = look("market/QUIET-USD")
    assert text(page, "[data-adl=closed]").startswith("The market is closed.")


def test_another_chain(look: Look, served: Served) -> None:
    page = look(url=served(chain_id=5), ready="[data-trouble=chain]")
    assert "the node is of chain 31337, and the deployment is on chain 5" in text(page, "[data-trouble]")


def test_no_contracts(look: Look, served: Served) -> None:
    nobody = "0x" + "34" * 20
    page = look(url=served(lens=nobody), ready="[data-trouble=contracts]")
    assert f"there is no contract at {nobody}" in text(page, "[data-trouble]")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (b"", "is not JSON"),
        (b"{}", "the node's address is null"),
        (b'{"rpc": "file:///etc/passwd"}', "an http or https URL is expected"),
        (b'{"rpc": "http://localhost"}', "deployment.chain_id is no number"),
        (b'{"rpc": "http://localhost", "deployment": {"chain_id": 1, "block": 1}}', "deployment.token is no address"),
    ],
)
def test_page_that_is_not_set_up(settings: bytes, said: str, look: Look) -> None:
    with serving_page(settings) as url:
        page = look(url=url, ready="[data-trouble=config]")
        assert said in text(page, "[data-trouble=config]")


def test_node_of_ones_own_by_the_address(look: Look, served: Served) -> None:
    page = look("market/ETH-USD", url=served(rpc="http://127.0.0.1:1"), query=f"?rpc={rpc_url()}")
    assert text(page, "article h1") == "ETH-USD"
