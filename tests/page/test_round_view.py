"""The round view shows what `backstop round show` says."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from backstop.math.wad import format_amount
from backstop.rounds.book import read_round
from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.venue import rpc_url

from .conftest import Look, Showcase, amount, text


def test_round_as_it_is_on_record(look: Look, showcase: Showcase, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    showcase.deployment.save(file)
    run_keeper_once(rpc_url(), file, showcase.keeper)
    found = read_round(showcase.venue.endpoint, showcase.deployment, 1)
    page = look("round/1")
    assert text(page, "[data-field=trigger] dd") == found.trigger
    assert text(page, "[data-field=side] dd") == found.side.value
    for field, value in {
        "markPrice": found.mark,
        "adlPrice": found.price,
        "contracts": found.contracts,
        "givenUp": sum(one.given_up for one in found.fills),
        "cutoff": found.cutoff_return,
        "bond": found.bond,
        "bondLeft": found.bond_left,
    }.items():
        assert amount(page, f"[data-field={field}]") == format_amount(value), field
    rows = page.locator("section:has(h2:text-is('Closed')) tbody tr").all()
    assert [
        (
            row.locator("[data-column=account] a").get_attribute("title"),
            *(
                row.locator(f"[data-column={one}] data").get_attribute("value")
                for one in ("leveragedReturn", "contracts", "price", "givenUp")
            ),
        )
        for row in rows
    ] == [
        (one.account, *map(format_amount, (one.leveraged_return, one.contracts, one.price, one.given_up)))
        for one in found.fills
    ]
    assert [int(row.locator("[data-column=place]").inner_text()) for row in rows] == [one.place for one in found.fills]
    price = page.locator("[data-equation=adlPrice] strong data").get_attribute("value")
    assert price == format_amount(found.price)
    assert text(page, "[data-state]").startswith("Open for ")

    # The window ends as the chain's time goes on, while the page is open.
    showcase.venue.endpoint.request("evm_setNextBlockTimestamp", found.open_until + 1)
    showcase.venue.endpoint.request("evm_mine")
    expect(page.locator("[data-state=closed]")).to_contain_text("the order stands")
