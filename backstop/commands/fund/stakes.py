"""`backstop fund stakes`: what an owner has in the pools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.fund.reading import open_fund
from backstop.commands.options import Address
from backstop.commands.settings_options import chain_options

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("stakes")
@click.argument("owner", type=Address())
@chain_options
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of text.")
def stakes_command(owner: str, rpc: Endpoint, deployment: Path, as_json: bool) -> None:
    """What OWNER has in each pool: shares, an exit, what it would pay now, and why it waits."""
    from backstop.fund.stakes import read_stakes, stakes_document

    client, fund, units, words = open_fund(rpc, deployment)
    stakes = read_stakes(client, fund, owner)
    if as_json:
        click.echo(json.dumps(stakes_document(fund, owner, stakes, units, words), indent=2))
        return
    from backstop.render_fund import print_stakes

    print_stakes(fund, owner, stakes, units, words)
