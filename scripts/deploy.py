"""Deploys the whole system, wires it, and asserts that what stands on the chain is what was meant.

    ape run deploy --network ethereum:sepolia:node --account ALIAS --collateral ADDRESS
    APE_FOUNDRY_HOST=http://127.0.0.1:8545 ape run deploy --test-market ETH-USD=100    # an Anvil that is running
    ape run deploy                                             # an Anvil that ends with it, to see that it works

Addresses and code hashes are written to deployments/CHAIN_ID.json, which is not overwritten without --force. On a local
chain the collateral is a test token, and test markets can be listed at once, with feeds that `ape run price` sets;
elsewhere pools and markets are added by the owner afterwards.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click
from ape import accounts, chain, networks, project
from ape.cli import ConnectedProviderCommand, network_option

from backstop.chain.code_hashes import record_hashes
from backstop.chain.endpoint import Endpoint
from scripts.stage.own_chain import NamedPrice, check_names, list_test_markets
from scripts.stage.system import deploy_system


@click.command(cls=ConnectedProviderCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--account", "alias", help="Ape account that deploys and owns; a test account on a local chain.")
@click.option("--collateral", help="The collateral token; a new test token on a local chain.")
@click.option(
    "--test-market",
    "prices",
    multiple=True,
    type=NamedPrice(),
    metavar="NAME=PRICE",
    help="Also list a market with a hand-set feed, on a local chain; once for each.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write there instead.")
@click.option("--force", is_flag=True, help="Overwrite the record of an earlier deployment to the chain.")
def cli(
    alias: str | None,
    collateral: str | None,
    prices: tuple[tuple[str, Decimal], ...],
    output: Path | None,
    force: bool,
) -> None:
    """Deploy the contracts and write deployments/CHAIN_ID.json."""
    local = networks.provider.network.is_local
    if not local and (alias is None or collateral is None):
        raise click.UsageError("on a public chain --account and --collateral must be named")
    if not local and prices:
        raise click.UsageError("--test-market is for a local chain: elsewhere the owner lists markets with real feeds")
    check_names(prices)
    file = output or Path("deployments") / f"{chain.chain_id}.json"
    # An Anvil that ape has started ends with this command, and a record of it would be of no use.
    passing = getattr(networks.provider, "process", None) is not None
    if file.exists() and not force and not passing:
        raise click.UsageError(
            f"{file} records a deployment to this chain; move it away, or give --force to replace it"
        )
    owner = accounts.load(alias) if alias else accounts.test_accounts[0]
    token = project.MockUSDC.at(collateral) if collateral else owner.deploy(project.MockUSDC)
    system = deploy_system(owner, token)
    markets = list_test_markets(system, owner, prices) if prices else []
    if passing:
        click.echo("deployed, wired and checked on an Anvil that ends now: nothing is recorded")
        return
    record = system.record()
    record.save(file)
    record_hashes(Endpoint(networks.provider.http_uri), record, file)
    listed = f" with {', '.join(market.name for market in markets)}" if markets else ""
    click.echo(f"deployed to chain {chain.chain_id}{listed}; addresses in {file}")
