"""How long it takes to read, rank and plan a state of many accounts, in each way; and until a browser shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
from ape import networks
from rich.console import Console
from rich.table import Table

from backstop.adl.planning import plan
from backstop.chain.bindings import DEPOSIT, TAKE_OVER
from backstop.chain.snapshot import ChainState, read_chain
from backstop.index.accounts import AccountIndex
from backstop.keeper.duties import take_overs
from scripts.stage.crowd import account
from scripts.stage.multitude import in_blocks, settle_multitude, sub_ids_of
from scripts.stage.own_anvil import own_anvil
from scripts.stage.page_speed import MOST_PAGE_SECONDS, measure_page
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad

SIZES = (1_000, 10_000, 100_000)
MOST_SECONDS = 3.0  # from a warm index to a plan, with the most accounts
_PAGE_SIZE = 10_000  # accounts that the page is looked at with
_TIMES, _LARGE = 5, 50_000
_TOUCHED = 100  # accounts between two reads of the warm index
_PHASES = ("read", "duties", "plan")


def measure_snapshots(owner: Any, sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """For each size: seconds of each way and phase, medians of some times each; on an Anvil that keeps no traces.

    `page` is what a browser takes, where it was asked for and there is one.
    """
    return [_measured(owner, size) for size in sizes]


def _measured(owner: Any, accounts: int) -> dict[str, Any]:
    with own_anvil() as url, networks.ethereum.local.use_provider("foundry", provider_settings={"host": url}):
        venue = Venue.open(owner)
        market = _due_market(venue, accounts)
        count = len(read_chain(venue.endpoint, venue.deployment).snapshot.accounts)
        found: dict[str, Any] = {"accounts": count, "touched": _TOUCHED, **_measure(venue, market, accounts)}
        if accounts == _PAGE_SIZE:
            found["page"] = measure_page(venue, market)
        return found


_WAYS = {
    "lens": "through the lens",
    "cold": "by a new index",
    "warm": "by the index, {touched} accounts touched since",
}


def show_speed(found: list[dict[str, Any]]) -> None:
    """What `measure_snapshots` found, as tables."""
    for one in found:
        table = Table("Way", title=f"{one['accounts']:,} accounts on Anvil, seconds", title_justify="left")
        for heading in ("Read", "Takeovers", "Rank and plan", "Sum"):
            table.add_column(heading, justify="right")
        for way, heading in _WAYS.items():
            phases = [one[way][phase] for phase in _PHASES]
            table.add_row(heading.format(**one), *(f"{phase:.2f}" for phase in (*phases, sum(phases))))
        Console(highlight=False).print(table)
        if page := one.get("page"):
            text = " ".join(f"{name} {seconds:.2f} s;" for name, seconds in page.items())
            click.echo(f"The page, until it can be used: {text} {MOST_PAGE_SECONDS:.0f} s is the most.")


def faults_of_speed(found: list[dict[str, Any]]) -> list[str]:
    """What is slower than it may be, in words."""
    faults = []
    for one in found:
        taken = sum(one["warm"][phase] for phase in _PHASES)
        if one["accounts"] >= max(SIZES) and taken > MOST_SECONDS:
            faults.append(
                f"a plan of {one['accounts']:,} accounts took {taken:.2f} s, {MOST_SECONDS:.0f} s is the most"
            )
        for name, seconds in one.get("page", {}).items():
            if seconds > MOST_PAGE_SECONDS:
                faults.append(f"the page's {name} took {seconds:.2f} s, {MOST_PAGE_SECONDS:.0f} s is the most")
    return faults


def _measure(venue: Venue, market: TestMarket, accounts: int) -> dict[str, dict[str, float]]:
    node, deployment = venue.endpoint, venue.deployment
    signer = venue.trader(f"multitude of {market.name}")
    sub_ids = sub_ids_of(market, _TOUCHED)
    times = 3 if accounts >= _LARGE else _TIMES
    found: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
    with TemporaryDirectory() as folder:
        found["lens"] = [_timed(lambda: read_chain(node, deployment)) for _ in range(times)]
        for number in range(times):
            index = AccountIndex(f"sqlite:///{Path(folder) / str(number)}", deployment, tell=_fail)
            found["cold"].append(_timed(lambda index=index: index.read(node)))
            deposits = [(deployment.exchange, DEPOSIT.encode(sub_id, tokens(1)), 400_000) for sub_id in sub_ids]
            in_blocks(venue, signer, deposits, len(deposits))
            found["warm"].append(_timed(lambda index=index: index.read(node)))
            index.close()
    return {way: {phase: median(one[phase] for one in runs) for phase in _PHASES} for way, runs in found.items()}


def _timed(read: Callable[[], ChainState]) -> dict[str, float]:
    """How long each phase takes from nothing to a plan, as a keeper goes about it."""
    started = time.perf_counter()
    state = read()
    is_read = time.perf_counter()
    take_overs(state)
    is_looked_at = time.perf_counter()
    [planned] = plan(state.snapshot)
    is_planned = time.perf_counter()
    if not planned.fills:
        raise click.ClickException("no round was planned: this is a bug")
    return {"read": is_read - started, "duties": is_looked_at - is_read, "plan": is_planned - is_looked_at}


def _due_market(venue: Venue, accounts: int) -> TestMarket:
    """A market with so many accounts, in which a round is due against a tenth of one side's contracts."""
    parameters = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))
    market = venue.list_in_pool("ETH-USD", venue.create_pool("main", shared=True), Decimal(100), parameters)
    settle_multitude(venue, market, accounts)
    contracts = accounts // 4
    bankrupt, maker = venue.trader("bankrupt"), venue.trader("maker")
    venue.deposit(bankrupt, market, contracts * 12)
    venue.deposit(maker, market, contracts * 100)
    venue.trade(maker, bankrupt, market, wad(contracts), wad(100))
    venue.set_price(market, 80)
    venue.send(maker, venue.system.exchange, TAKE_OVER.encode(account(bankrupt, market)))
    return market


def _fail(words: str) -> None:
    raise click.ClickException(f"the index was mended: this is a bug: {words}")
