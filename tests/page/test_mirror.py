"""The page's arithmetic is the package's, to the wei: random books, one program for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ape import project

from backstop.adl.due import due_inventory
from backstop.adl.ranking import Ranked, rank
from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Side, Snapshot
from backstop.adl.trigger_price import TriggerPrice, trigger_prices
from backstop.adl.what_if import Close, Split, Standing, Terms, Wish, what_if
from backstop.errors import WhatIfError
from backstop.math.wad import WAD
from backstop.render import show_amount, show_percent

from .random_books import as_page, book, wish

WEB = Path(__file__).parents[2] / "web"
BOOKS = 200

Case = tuple[Snapshot, dict[str, Terms], list[tuple[int, int, Wish]]]


def _cases() -> list[Case]:
    found = []
    for seed in range(BOOKS):
        draw = Random(seed)
        state, terms = book(draw)
        held = [(account, place) for account, one in enumerate(state.accounts) for place in range(len(one.positions))]
        wishes = [
            (account, place, wish(draw, state.accounts[account].positions[place]))
            for account, place in draw.choices(held, k=4 if held else 0)
        ]
        found.append((state, terms, wishes))
    return found


def _amounts() -> list[int]:
    draw = Random(BOOKS)
    return [draw.choice((1, -1)) * draw.randint(0, 10 ** draw.randint(0, 28)) for _ in range(BOOKS)]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return _cases()


@pytest.fixture(scope="module")
def told(cases: list[Case]) -> Any:
    """What the program says of all of them."""
    assert (WEB / "node_modules" / ".bin" / "vite").exists(), "the page's packages are missing: make build-page"
    node = shutil.which("node")
    assert node, "node is needed by everything here"
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    built = subprocess.run(
        [node, vite, "build", "--config", "vite.mirror.config.ts"], cwd=WEB, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    document = {
        "books": [as_page(*case) for case in cases],
        "amounts": [f"{amount}n" for amount in _amounts()],
    }
    run = subprocess.run(
        [node, WEB.parent / "build" / "mirror" / "mirror.mjs"],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_every_queue_with_its_prices(cases: list[Case], told: Any) -> None:
    """Margin rate, leveraged return, rank, light, bankruptcy and liquidation price of all; and who is bankrupt."""
    seen = 0
    for (state, *_), figures in zip(cases, told["books"], strict=True):
        for name, sides in zip(state.markets, figures["queues"], strict=True):
            for side, queue in zip((Side.LONG, Side.SHORT), sides, strict=True):
                ranked = rank(state, name, side)
                assert queue["ranked"] == [_place(one) for one in ranked]
                assert queue["bankrupt"] == list(score_sides(state, [(name, side)])[name, side].bankrupt)
                seen += len(ranked)
    assert seen > 5 * BOOKS


def test_what_is_due_and_at_which_marks_it_would_be(cases: list[Case], told: Any) -> None:
    seen: Counter[str] = Counter()
    for (state, *_), figures in zip(cases, told["books"], strict=True):
        order = {name: place for place, name in enumerate(state.markets, start=1)}
        due = due_inventory(state)
        assert figures["due"] == [
            {
                "market": order[item.inventory.market],
                "size": f"{item.inventory.size}n",
                "trigger": item.trigger.value,
                "compensation": f"{item.compensation}n",
            }
            for item in due
        ]
        for name, prices in zip(state.markets, figures["triggers"], strict=True):
            found = trigger_prices(state, name)
            assert prices == {"down": _trigger(found.down), "up": _trigger(found.up)}
            seen.update(one.trigger.value for one in (found.down, found.up) if one and one.move)
    assert set(seen) == {"drawdown", "depletion"}
    assert min(seen.values()) > 10


def test_what_a_change_does(cases: list[Case], told: Any) -> None:
    """And what is refused, in the same words: but for the account, which the page does not name to its owner."""
    seen: Counter[str] = Counter()
    for (state, terms, wishes), figures in zip(cases, told["books"], strict=True):
        for (account, place, one), answer in zip(wishes, figures["wishes"], strict=True):
            holder = state.accounts[account]
            try:
                found = what_if(state, holder.id, holder.positions[place].market, one, terms)
            except WhatIfError as error:
                text = str(error).replace(f"account {holder.id}", "the account")
                assert answer == {"refused": text}
                seen[f"{type(one).__name__} refused"] += 1
                continue
            seen[type(one).__name__] += 1
            assert answer == {
                "before": _standing(found.before),
                "after": _standing(found.after),
                "beside": None if found.beside is None else _standing(found.beside),
                "fee": f"{found.fee}n",
                "realizedPnl": f"{found.realized_pnl}n",
                "rankedBefore": found.ranked_before,
                "rankedAfter": found.ranked_after,
            }
    kinds = ("AddMargin", *(f"{kind.__name__}{end}" for kind in (Close, Split) for end in ("", " refused")))
    assert set(seen) == set(kinds)
    assert min(seen.values()) > 20


def test_amounts_are_cut_as_the_command_line_cuts_them(told: Any) -> None:
    amounts = _amounts()
    assert any(0 < abs(one) < WAD for one in amounts)
    assert told["amounts"] == [[show_amount(one), show_amount(one, 2), show_percent(one)] for one in amounts]


def _place(one: Ranked) -> dict[str, Any]:
    return {
        "account": one.account,
        "contracts": f"{one.contracts}n",
        "adlRank": one.adl_rank,
        "adlLight": one.adl_light,
        "leveragedReturn": f"{one.leveraged_return}n",
        "unrealizedPnl": f"{one.unrealized_pnl}n",
        "marginRatio": f"{one.margin_ratio}n",
        "bankruptcyPrice": f"{one.bankruptcy_price}n",
        "liquidationPrice": _optional(one.liquidation_price),
    }


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "account": one.account,
        "contracts": f"{one.contracts}n",
        "collateral": f"{one.collateral}n",
        "equity": f"{one.equity}n",
        "maintenanceMargin": f"{one.maintenance_margin}n",
        "initialMargin": _optional(one.initial_margin),
        "place": None if one.place is None else _place(one.place),
    }


def _trigger(one: TriggerPrice | None) -> dict[str, str] | None:
    if one is None:
        return None
    return {"price": f"{one.price}n", "trigger": one.trigger.value, "move": f"{one.move}n"}


def _optional(amount: int | None) -> str | None:
    return None if amount is None else f"{amount}n"


def test_abis_are_what_the_compiler_says(told: Any) -> None:
    """Names, types and the order of every field that the page reads."""
    seen = 0
    for contract, entries in told["abis"].items():
        compiled = getattr(project, contract).contract_type
        for entry in entries:
            (own,) = [
                json.loads(one.model_dump_json(by_alias=True))
                for one in (compiled.events if entry["type"] == "event" else compiled.view_methods)
                if one.name == entry["name"] and len(one.inputs) == len(entry["inputs"])
            ]
            assert _fields(entry["inputs"]) == _fields(own["inputs"]), entry["name"]
            assert _fields(entry.get("outputs", [])) == _fields(own.get("outputs", [])), entry["name"]
            assert [bool(one.get("indexed")) for one in entry["inputs"]] == [
                bool(one.get("indexed")) for one in own["inputs"]
            ], entry["name"]
            seen += 1
    assert seen >= 16


def _fields(inputs: list[Any]) -> list[Any]:
    """Types with their components, and the names where there are any."""
    return [(one["type"], one.get("name") or "", _fields(one.get("components") or [])) for one in inputs]
