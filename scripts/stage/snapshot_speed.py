"""How long it takes to read, rank and plan a state of many accounts: by the lens, a new index, a warm one."""

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
from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.chain.bindings import DEPOSIT, TAKE_OVER
from backstop.chain.snapshot import ChainState, read_chain
from backstop.index.accounts import AccountIndex
from backstop.keeper.duties import take_overs
from scripts.stage.crowd import account
from scripts.stage.multitude import in_blocks, settle_multitude, sub_ids_of
from scripts.stage.own_anvil import own_anvil
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad

ACCOUNTS = 10_000
_TIMES = 5
_TOUCHED = 100  # accounts between two reads of the warm index


def measure_snapshot(owner: Any, accounts: int = ACCOUNTS) -> dict[str, Any]:
    """Seconds, the median of some times each, and how many accounts there are; on an Anvil that keeps no traces."""
    with own_anvil() as url, networks.ethereum.local.use_provider("foundry", provider_settings={"host": url}):
        venue = Venue.open(owner)
        market = _due_market(venue, accounts)
        count = len(read_chain(venue.endpoint, venue.deployment).snapshot.accounts)
        return {"accounts": count, "touched": _TOUCHED, **_measure(venue, market)}


_WAYS = {
    "lens": "through the lens",
    "cold": "by a new index",
    "warm": "by the index, {touched} accounts touched since",
}


def show_speed(snapshot: dict[str, Any]) -> None:
    """What `measure_snapshot` found, as a table."""
    title = f"{snapshot['accounts']:,} accounts on Anvil, read, ranked and planned"
    table = Table("Way", title=title, title_justify="left")
    table.add_column("Seconds", justify="right")
    for way, heading in _WAYS.items():
        table.add_row(heading.format(**snapshot), f"{snapshot[way]:.2f}")
    Console(highlight=False).print(table)


def _measure(venue: Venue, market: TestMarket) -> dict[str, float]:
    node, deployment = venue.endpoint, venue.deployment
    signer = venue.trader(f"multitude of {market.name}")
    sub_ids = sub_ids_of(market, _TOUCHED)
    cold: list[float] = []
    warm: list[float] = []
    with TemporaryDirectory() as folder:
        lens = [_timed(lambda: read_chain(node, deployment)) for _ in range(_TIMES)]
        for number in range(_TIMES):
            index = AccountIndex(f"sqlite:///{Path(folder) / str(number)}", deployment, tell=_fail)
            cold.append(_timed(lambda index=index: index.read(node)))
            deposits = [(deployment.exchange, DEPOSIT.encode(sub_id, tokens(1)), 400_000) for sub_id in sub_ids]
            in_blocks(venue, signer, deposits, len(deposits))
            warm.append(_timed(lambda index=index: index.read(node)))
            index.close()
    return {"lens": median(lens), "cold": median(cold), "warm": median(warm)}


def _timed(read: Callable[[], ChainState]) -> float:
    """How long it takes from nothing to a plan."""
    started = time.perf_counter()
    state = read()
    for market in state.snapshot.markets:
        for side in Side:
            rank(state.snapshot, market, side)
    take_overs(state)
    [planned] = plan(state.snapshot)
    taken = time.perf_counter() - started
    if not planned.fills:
        raise click.ClickException("no round was planned: this is a bug")
    return taken


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
