"""The account view shows what `backstop account` says, and what a change would do as `backstop.adl.what_if` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.adl.what_if import AddMargin, Close, Split, Terms, Wish, what_if
from backstop.chain.snapshot import read_chain
from backstop.math.wad import format_amount
from backstop.render import show_percent
from backstop.trading.results import account_document
from backstop.trading.standing import read_standings
from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.venue import rpc_url, wad

from .conftest import Look, Showcase, amount, block_of, text

_NEW = "0x" + "f" * 64  # an account that nobody has


def document_of(showcase: Showcase, account: str) -> dict[str, Any]:
    """What `backstop account --json` prints of it."""
    endpoint, record = showcase.venue.endpoint, showcase.deployment
    _, standings = read_standings(endpoint, record, None, bytes.fromhex(account[2:]))
    return account_document(standings[0], 0)


@pytest.mark.parametrize("kind", ["isolated", "cross"])
def test_figures_are_those_of_the_command(kind: str, look: Look, showcase: Showcase) -> None:
    account = showcase.cross if kind == "cross" else showcase.seat("hawk")
    page = look(f"account/{account}", ready=".position")
    found = document_of(showcase, account)
    head = f"[data-account='{account}']"
    for field in ("collateral", "equity", "maintenanceMargin", "initialMargin", "marginRatio"):
        assert amount(page, f"{head} > .facts [data-field={field}]") == found[field], field
    assert text(page, f"{head} > .facts [data-field=marginMode] dd") == found["marginMode"]
    assert len(found["positions"]) == (2 if kind == "cross" else 1)
    for position in found["positions"]:
        card = f"{head} [data-market='{position['market']}']"
        shown = page.locator(f"{card} .facts .fact")
        fields = {str(one.get_attribute("data-field")) for one in shown.all()}
        for field in fields - {"liquidationPrice"}:
            assert amount(page, f"{card} .facts [data-field={field}]") == position[field], field
        if position["liquidationPrice"] is None:
            assert "none" in text(page, f"{card} [data-field=liquidationPrice] dd")
        else:
            assert amount(page, f"{card} [data-field=liquidationPrice]") == position["liquidationPrice"]
        assert {"contracts", "entryPrice", "leverage", "bankruptcyPrice", "fundingPending"} <= fields
        queue = rank(
            read_chain(showcase.venue.endpoint, showcase.deployment).snapshot,
            position["market"],
            Side(position["side"]),
        )
        assert text(page, f"{card} [data-field=adlRank]") == f"{position['adlRank']} of {len(queue)}"
        light = page.locator(f"{card} .rank .light")
        assert light.get_attribute("data-light") == str(position["adlLight"])
        expect(light.locator(".lit")).to_have_count(6 - position["adlLight"])


def test_arithmetic_of_the_leveraged_return_ends_in_it(look: Look, showcase: Showcase) -> None:
    page = look(f"account/{showcase.seat('hawk')}", ready=".position")
    (place,) = [
        one
        for one in rank(read_chain(showcase.venue.endpoint, showcase.deployment).snapshot, "ETH-USD", Side.SHORT)
        if one.account == showcase.seat("hawk")
    ]
    result = page.locator("[data-equation=leveragedReturn] strong data")
    assert result.get_attribute("value") == format_amount(place.leveraged_return)
    rate = page.locator("[data-equation=marginRate] strong data").get_attribute("value")
    assert rate == format_amount(place.margin_ratio)


def test_owner_sees_all_accounts_by_address(look: Look, showcase: Showcase) -> None:
    page = look(f"account/{showcase.alice.address}", ready=".position")
    _, standings = read_standings(showcase.venue.endpoint, showcase.deployment, showcase.alice.address, None)
    expected = {account_document(one, 0)["account"] for one in standings}
    shown = {str(one.get_attribute("data-account")) for one in page.locator("[data-account]").all()}
    assert shown == expected
    assert len(shown) == 3


def outcome_of(showcase: Showcase, page: Page, account: str, market: str, wish: Wish) -> Any:
    """What Python says of a change, at the block that the page shows."""
    state = read_chain(showcase.venue.endpoint, showcase.deployment, block_of(page))
    terms = {
        name: Terms(
            one.initial_margin_fraction, one.maker_fee, one.taker_fee, one.min_size, one.max_notional, one.isolated_only
        )
        for name, one in state.terms.items()
    }
    return what_if(state.snapshot, account, market, wish, terms)


WISHES: dict[str, tuple[str, str, Wish]] = {
    "margin": ("Add margin", "Margin to add", AddMargin(wad("1234.5"))),
    "close": ("Close a part", "Contracts to close", Close(wad("0.75"))),
}


@pytest.mark.parametrize("name", list(WISHES))
@pytest.mark.parametrize("kind", ["isolated", "cross"])
def test_change_is_worked_out_as_python_does(name: str, kind: str, look: Look, showcase: Showcase) -> None:
    account, market = (showcase.cross, "BTC-USD") if kind == "cross" else (showcase.seat("hawk"), "ETH-USD")
    button, label, wish = WISHES[name]
    page = look(f"account/{account}", ready=".position")
    card = page.locator(f"[data-market='{market}']")
    card.get_by_text(button, exact=True).click()
    written = wish.amount if isinstance(wish, AddMargin) else wish.contracts if isinstance(wish, Close) else 0
    card.get_by_label(label, exact=True).fill(format_amount(written))
    outcome = outcome_of(showcase, page, account, market, wish)
    cells = card.locator(".figures [data-row=leveragedReturn] data")
    assert cells.nth(0).get_attribute("value") == format_amount(outcome.before.place.leveraged_return)
    assert cells.nth(1).get_attribute("value") == format_amount(outcome.after.place.leveraged_return)
    ranks = card.locator(".figures [data-row=adlRank] td")
    assert [ranks.nth(0).inner_text(), ranks.nth(1).inner_text()] == [
        str(outcome.before.place.adl_rank),
        str(outcome.after.place.adl_rank),
    ]
    fee = card.locator("[data-cost=fee] data").get_attribute("value")
    assert fee == format_amount(outcome.fee)
    assert (outcome.fee > 0) == (name == "close" and kind == "cross")
    rate = card.locator(".figures [data-row=marginRatio] td").nth(1)
    assert " ".join(rate.inner_text().split()) == show_percent(outcome.after.place.margin_ratio)


def test_split_names_the_least_margin_and_what_is_refused(look: Look, showcase: Showcase) -> None:
    account = showcase.seat("hawk")
    page = look(f"account/{account}", ready=".position")
    card = page.locator("[data-market='ETH-USD']")
    card.get_by_text("Split", exact=True).click()
    card.get_by_label("Contracts to split off", exact=True).fill("100")
    least = wad(card.get_by_label("Margin of the new account", exact=True).input_value())
    outcome = outcome_of(showcase, page, account, "ETH-USD", Split(wad(100), least, is_deposited=True, into=_NEW))
    ranks = card.locator(".figures [data-row=adlRank] td")
    assert ranks.nth(2).inner_text() == str(outcome.beside.place.adl_rank)
    card.get_by_label("Margin of the new account", exact=True).fill("1")
    expect(card.locator(".verdict.refused")).to_contain_text("initial margin of 100 contracts in ETH-USD")
    card.get_by_label("Contracts to split off", exact=True).fill("1000000")
    expect(card.locator(".verdict.refused")).to_contain_text("1000000 contracts cannot be split off")


def test_amount_that_is_none_is_told_beside_its_field(look: Look, showcase: Showcase) -> None:
    page = look(f"account/{showcase.seat('hawk')}", ready=".position")
    field = page.get_by_label("Margin to add", exact=True)
    field.fill("1.2345678")
    expect(page.locator(".amount-input .fault")).to_have_text("Write an amount such as 12.5, with at most 6 decimals.")
    expect(field).to_have_attribute("aria-invalid", "true")


def test_account_without_equity_has_no_place(look: Look, showcase: Showcase) -> None:
    page = look(f"account/{showcase.seat('icarus')}", ready=".position")
    assert "To be taken over." in text(page, ".account .notice")
    assert text(page, ".position .rank").startswith("No place in the queue")


def test_history_tells_price_what_was_given_up_and_the_round(look: Look, showcase: Showcase, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    showcase.deployment.save(file)
    actions = run_keeper_once(rpc_url(), file, showcase.keeper)
    (closed,) = [one["round"] for one in actions if one["duty"] == "deleverage" and one["sent"]]
    hawk = showcase.seat("hawk")
    (fill,) = [one for one in closed["fills"] if one["account"] == hawk]
    page = look(f"account/{hawk}", ready=".history td")
    row = page.locator(".history tbody tr")
    expect(row).to_have_count(1)
    for column in ("contracts", "price"):
        assert row.locator(f"[data-column={column}] data").get_attribute("value") == fill[column]
    given_up = wad(fill["contracts"]) * abs(wad(fill["price"]) - wad(closed["markPrice"])) // 10**18
    assert row.locator("[data-column=givenUp] data").get_attribute("value") == format_amount(given_up)
    assert "drawdown" in row.locator("[data-column=why]").inner_text()
    row.locator("a", has_text="Round").click()
    expect(page.locator(".round-view h1")).to_contain_text(f"Round {closed['id']}")
