"""The market view shows what the contracts say, to the last digit, and goes with the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ape import project
from playwright.sync_api import Page, expect

from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.adl.trigger_price import trigger_prices
from backstop.chain.snapshot import ChainState, read_chain
from backstop.math.wad import format_amount
from backstop.render import show_amount, show_percent
from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.outcome import one
from scripts.stage.venue import rpc_url

from .conftest import Look, Showcase, amount, block_of, text

BLOCK_TIME = 2  # seconds
COLUMNS = ("contracts", "leveragedReturn", "unrealizedPnl", "marginRatio")


def state_of(page: Page, showcase: Showcase) -> ChainState:
    """The chain at the block that the page shows."""
    return read_chain(showcase.venue.endpoint, showcase.deployment, block_of(page))


@pytest.mark.parametrize("name", ["ETH-USD", "BTC-USD", "SOL-USD", "QUIET-USD"])
def test_figures_are_the_contracts(name: str, look: Look, showcase: Showcase) -> None:
    page = look(f"market/{name}")
    view = project.BackstopLens.at(showcase.deployment.lens).market(showcase.markets[name].id)
    backing = view.backing
    for field, value in {
        "markPrice": view.mark,
        "balance": backing.balance,
        "openInterest": view.listed.openInterest,
        "pnl": backing.pnl,
        "maxPnl8h": backing.maxPnl,
        "loss": backing.loss,
        "base": backing.base,
    }.items():
        assert amount(page, f"[data-field={field}]") == format_amount(value), field
        assert text(page, f"[data-field={field}] data").split()[0] == show_amount(value), field
    if backing.base:
        assert text(page, "[data-field=drawdown] dd") == show_percent(backing.drawdown)
    assert text(page, "article h1") == name


def test_queues_are_the_ranking_in_its_order(look: Look, showcase: Showcase) -> None:
    page = look("market/ETH-USD")
    state = state_of(page, showcase)
    for side in Side:
        shown = [
            [
                row.locator("[data-column=adlRank]").inner_text(),
                row.locator(".light").get_attribute("data-light"),
                row.locator("[data-column=account] a").get_attribute("title"),
                *(row.locator(f"[data-column={one}] data").get_attribute("value") for one in COLUMNS),
            ]
            for row in page.locator(f"[data-side={side.value}] tbody tr").all()
        ]
        queue = rank(state.snapshot, "ETH-USD", side)
        assert len(queue) >= 3 or side is Side.LONG
        assert shown == [[str(one.adl_rank), str(one.adl_light), one.account, *amounts_of(one)] for one in queue]


def amounts_of(one: Any) -> list[str]:
    """In the order of the columns."""
    values = (one.contracts, one.leveraged_return, one.unrealized_pnl, one.margin_ratio)
    return [format_amount(value) for value in values]


def test_picture_has_all_contracts_by_light(look: Look, showcase: Showcase) -> None:
    page = look("market/ETH-USD")
    queue = rank(state_of(page, showcase).snapshot, "ETH-USD", Side.SHORT)
    for light in range(1, 6):
        item = f"[data-side=short] .by-light [data-light='{light}'] .by-light-words"
        those = [one for one in queue if one.adl_light == light]
        assert amount(page, item) == format_amount(sum(one.contracts for one in those))
        assert f"{len(those)} account" in text(page, item)


def test_distance_to_adl_is_the_mark_at_which_it_is_due(look: Look, showcase: Showcase) -> None:
    """After a takeover that leaves the pool with inventory, and its drawdown below the trigger."""
    venue, eth = showcase.venue, showcase.markets["ETH-USD"]
    venue.system.exchange.takeOver(bytes.fromhex(showcase.seat("icarus")[2:]), sender=venue.owner)
    venue.set_price(eth, 89)
    page = look("market/ETH-USD")
    found = trigger_prices(state_of(page, showcase).snapshot, "ETH-USD")
    assert found.down is not None
    assert amount(page, "[data-way=down]") == format_amount(found.down.price)
    assert show_percent(found.down.move) in text(page, "[data-way=down]")
    assert text(page, "[data-way=up]").endswith("at no price")
    assert found.up is None
    assert text(page, "[data-adl]").startswith("ADL is over at this mark: the drawdown is no more")


def test_page_follows_a_live_deleveraging_within_two_blocks(look: Look, showcase: Showcase, tmp_path: Path) -> None:
    """The keeper takes over and closes while the page is open, and the chain has a block every two seconds."""
    endpoint, file = showcase.venue.endpoint, tmp_path / "deployment.json"
    showcase.deployment.save(file)
    page = look("market/ETH-USD")
    expect(page.locator("[data-adl]")).to_have_attribute("data-adl", "off")
    before = block_of(page)
    endpoint.request("evm_setIntervalMining", BLOCK_TIME)
    try:
        actions = run_keeper_once(rpc_url(), file, showcase.keeper)
        closed = one(actions, "deleverage")
        round_link = page.locator(f".chart-rounds a[href='#/round/{closed['round']['id']}']")
        round_link.wait_for()
        head = endpoint.quantity("eth_blockNumber")
        assert before < closed["block"] <= block_of(page)
    finally:
        endpoint.request("evm_setIntervalMining", 0)
        endpoint.request("evm_setAutomine", True)
    assert head <= closed["block"] + 2
    view = project.BackstopLens.at(showcase.deployment.lens).market(showcase.markets["ETH-USD"].id)
    expect(page.locator("[data-adl]")).to_have_attribute("data-adl", "off")
    assert amount(page, "[data-field=balance]") == format_amount(view.backing.balance)
    assert view.long.size == 0
    assert text(page, "[data-field=inventory] dd") == "none"


def test_due_adl_is_told_with_its_compensation(look: Look, showcase: Showcase) -> None:
    page = look("market/ETH-USD")
    icarus = bytes.fromhex(showcase.seat("icarus")[2:])
    showcase.venue.system.exchange.takeOver(icarus, sender=showcase.venue.owner)
    expect(page.locator("[data-adl=due]")).to_be_visible()
    state = project.FundLens.at(showcase.deployment.fund_lens).adlState(showcase.markets["ETH-USD"].id)
    assert state.isOn
    assert amount(page, "[data-adl]") == format_amount(state.long.compensation)
    assert "now (drawdown)" in text(page, "[data-way=down]")


def test_chart_has_a_figure_for_each_block_that_it_shows(look: Look, showcase: Showcase) -> None:
    page = look("market/ETH-USD")
    page.wait_for_selector(".chart svg")
    page.locator(".chart summary").click()
    shown = page.locator(".chart tbody tr").all()
    assert len(shown) >= 20
    lens = project.BackstopLens.at(showcase.deployment.lens)
    for row in shown[:: len(shown) // 4]:
        block = int(row.locator("[data-column=block]").inner_text())
        backing = lens.market(showcase.markets["ETH-USD"].id, block_id=block).backing
        assert row.locator("[data-column=balance] data").get_attribute("value") == format_amount(backing.balance)


def test_pages_of_a_long_queue(look: Look, showcase: Showcase) -> None:
    """More accounts than a page of the table has."""
    venue, quiet = showcase.venue, showcase.markets["QUIET-USD"]
    for number in range(23):
        maker, taker = venue.trader(f"maker {number}"), venue.trader(f"taker {number}")
        for trader in (maker, taker):
            venue.deposit(trader, quiet, 10 + number)
        venue.trade(maker, taker, quiet, 10**18, 7 * 10**18)
    page = look("market/QUIET-USD")
    rows = page.locator("[data-side=long] tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_role("navigation", name="Pages of the long queue").get_by_role("button", name="Next").click()
    expect(rows).to_have_count(3)
    queue = rank(state_of(page, showcase).snapshot, "QUIET-USD", Side.LONG)
    assert rows.last.locator("[data-column=account] a").get_attribute("title") == queue[-1].account
