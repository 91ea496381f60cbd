"""What became of the insurance fund over the demo: each pool's account, to the wei, and a plot of its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backstop.chain.endpoint import Endpoint
from backstop.chain.fund_view import read_fund
from backstop.fund.history import read_history
from backstop.fund.plot import write_history_plot
from backstop.math.wad import format_amount
from backstop.render import show_amount
from backstop.trading.client import Client
from scripts.stage.screen import Screen, bare_table

PLOTTED = ("btc", "doge")
# What a column shows, by the items of the pools' accounts.
_COLUMNS = {
    "Given": ("contribution",),
    "Fees": ("liquidationFee", "tradingFee"),
    "Auction": ("auction",),
    "ADL": ("deleveraging",),
    "Funding": ("funding",),
    "Stakes": ("stake", "exit"),
    "From others": ("redistribution", "repayment", "deficit"),
}


def show_fund(screen: Screen, rpc: str, deployment: Path, plot: Path) -> list[dict[str, Any]]:
    """Prints the accounts of all pools, plots their history, and returns the entries for build/demo.json."""
    screen.heading("The insurance fund: every pool's account")
    client = Client.open(Endpoint(rpc), deployment)
    fund = read_fund(client.endpoint, client.deployment)
    table = bare_table("Pool", "Kind", *_COLUMNS, "Inventory", "Balance")
    entries = []
    for pool in fund.pools:
        kind = "mutual" if pool in fund.group else pool.kind.value
        columns = [sum(pool.items[item] for item in items) for items in _COLUMNS.values()]
        unrealized = pool.balance - pool.cash
        if sum(columns) + unrealized != pool.balance:
            raise click.ClickException(f"the account of pool {pool.name} does not sum to its balance: this is a bug")
        table.add_row(pool.name, kind, *(show_amount(amount, 0) for amount in (*columns, unrealized, pool.balance)))
        entries.append(
            {
                "name": pool.name,
                "kind": pool.kind.value,
                "backing": pool.backed_by.value,
                "items": {item: format_amount(amount) for item, amount in pool.items.items()},
                "cash": format_amount(pool.cash),
                "balance": format_amount(pool.balance),
            }
        )
    screen.console.print(table)
    history = read_history(client, fund, click.echo)
    write_history_plot(plot, history, [row for row in history.rows if row.pool in PLOTTED], client.token.symbol)
    screen.console.print(
        "    Cut to whole units; every row sums to its balance, to the wei, and so do the fund's events.\n"
        f"    {plot} shows the pools {' and '.join(PLOTTED)} over time."
    )
    return entries
