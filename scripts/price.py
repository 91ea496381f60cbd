"""Prices markets with hand-set feeds anew, on a chain of one's own.

    APE_FOUNDRY_HOST=http://127.0.0.1:8545 ape run price ETH-USD=95

A feed that nobody has priced for two days is stale: then the same price once more is what is needed.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click
from ape import accounts, chain, networks
from ape.cli import ConnectedProviderCommand, network_option

from backstop.chain.deployment import Deployment
from backstop.errors import BackstopError
from scripts.stage.own_chain import NamedPrice, check_names, set_prices


@click.command(cls=ConnectedProviderCommand)
@network_option(default="ethereum:local:foundry")
@click.argument("prices", nargs=-1, required=True, type=NamedPrice(), metavar="NAME=PRICE...")
@click.option("--deployment", "file", type=click.Path(path_type=Path), help="Else deployments/CHAIN_ID.json.")
def cli(prices: tuple[tuple[str, Decimal], ...], file: Path | None) -> None:
    """Set the prices of test markets, as `ape run deploy --test-market` lists them."""
    if not networks.provider.network.is_local:
        raise click.UsageError("only on a local chain: elsewhere prices come from feeds that nobody sets by hand")
    check_names(prices)
    try:
        record = Deployment.load(file or Path("deployments") / f"{chain.chain_id}.json")
        set_prices(record, accounts.test_accounts[0], prices)
    except BackstopError as fault:
        raise click.ClickException(str(fault)) from None
    for name, price in prices:
        click.echo(f"{name} is at {price:f}")
