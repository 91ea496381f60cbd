"""Deploys the whole system, wires it, and asserts that what stands on the chain is what was meant.

    ape run deploy --network ethereum:sepolia:node --account ALIAS --collateral ADDRESS
    ape run deploy                       # a local Anvil with a test token, to try it out

The addresses are written to deployments/CHAIN_ID.json; pools and markets are added by the owner afterwards.
"""

from __future__ import annotations

from pathlib import Path

import click
from ape import accounts, chain, networks, project
from ape.cli import ConnectedProviderCommand, network_option

from scripts.stage.system import deploy_system


@click.command(cls=ConnectedProviderCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--account", "alias", help="Ape account that deploys and owns; a test account on a local chain.")
@click.option("--collateral", help="The collateral token; a new test token on a local chain.")
def cli(alias: str | None, collateral: str | None) -> None:
    """Deploy the contracts and write deployments/CHAIN_ID.json."""
    local = networks.provider.network.is_local
    if not local and (alias is None or collateral is None):
        raise click.UsageError("on a public chain --account and --collateral must be named")
    owner = accounts.load(alias) if alias else accounts.test_accounts[0]
    token = project.MockUSDC.at(collateral) if collateral else owner.deploy(project.MockUSDC)
    system = deploy_system(owner, token)
    file = Path("deployments") / f"{chain.chain_id}.json"
    system.record().save(file)
    click.echo(f"deployed to chain {chain.chain_id}; addresses in {file}")
