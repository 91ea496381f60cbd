"""`backstop fund status`: where the insurance pools stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.fund.reading import open_fund
from backstop.commands.settings_options import chain_options

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("status")
@click.option("--pool", metavar="NAME", help="This pool alone.")
@chain_options
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of text.")
def status_command(pool: str | None, rpc: Endpoint, deployment: Path, as_json: bool) -> None:
    """Where the pools stand: drawdown, ADL, inventory, account, shares, and how far marks may move before ADL.

    Everything is read at one block.
    """
    _, fund, units, words = open_fund(rpc, deployment)
    pools = list(fund.pools) if pool is None else [fund.pool(pool)]
    for market in (market for one in pools for market in one.markets if market.view.price_error):
        from backstop.chain.bindings import describe_revert

        reason = describe_revert(market.view.price_error)
        click.echo(f"warning: {market.name} has no price now, its inventory counts at its last one: {reason}", err=True)
    if as_json:
        from backstop.fund.status import status_document

        click.echo(json.dumps(status_document(fund, pools, units), indent=2))
        return
    from backstop.render_fund import print_status

    print_status(fund, pools, units, words)
