"""Deploys the whole system by a plan, hands it to its timelock, and asserts that what stands there is what was meant.

    ape run deploy --network ethereum:sepolia:node --account ALIAS --plan PLAN.toml
    APE_FOUNDRY_HOST=http://127.0.0.1:8545 ape run deploy --test-market ETH-USD=100    # an Anvil that is running
    ape run deploy                                             # an Anvil that ends with it, to see that it works

A run that was stopped, wherever it was, goes on when the same command is given again: docs/deploy.md. The record is
deployments/CHAIN_ID.json, which is not overwritten without --force. On a local chain the collateral is a test token
where the plan names none, test markets can be listed at once, with feeds that `ape run price` sets, and the deployer
stays the owner unless --timelock is given.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from ape import accounts, chain, networks
from ape.cli import network_option

from backstop.chain.endpoint import Endpoint
from backstop.deployment.plan import Plan, load_plan
from scripts.stage.deploying import Order, deploy
from scripts.stage.own_chain import NamedPrice, check_names, with_test_markets
from scripts.stage.public_network import NetworkCommand


@click.command(cls=NetworkCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--account", "alias", help="Ape account that deploys; a test account on a local chain.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="What to deploy: docs/deploy.md.")
@click.option("--timelock", "governed", is_flag=True, help="Hand over to the plan's timelock on a local chain too.")
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
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the first transaction on a public network.")
def cli(
    alias: str | None,
    plan_file: Path | None,
    governed: bool,
    prices: tuple[tuple[str, Decimal], ...],
    output: Path | None,
    force: bool,
    yes: bool,
) -> None:
    """Deploy the contracts and write deployments/CHAIN_ID.json."""
    local = networks.provider.network.is_local
    if not local and (alias is None or plan_file is None):
        raise click.UsageError("on a public chain --account and --plan must be named")
    if networks.provider.network.name.startswith("mainnet"):
        raise click.UsageError("this is a main network: nobody outside has audited Backstop, it goes to test networks")
    if not local and prices:
        raise click.UsageError("--test-market is for a local chain: elsewhere the plan lists markets with real feeds")
    check_names(prices)
    plan = with_test_markets(load_plan(plan_file) if plan_file else Plan(), prices)
    if governed and plan.timelock is None:
        raise click.UsageError("--timelock needs a --plan with a [timelock]")
    # An Anvil that ape has started ends with this command, and a record of it would be of no use.
    passing = getattr(networks.provider, "process", None) is not None
    order = Order(
        plan=plan,
        governed=governed or not local,
        public=not local,
        file=None if passing else output or Path("deployments") / f"{chain.chain_id}.json",
        force=force,
    )
    account = _account(alias)

    def agree() -> None:
        if not local:
            _ask(account, plan, yes)
        # One passphrase for all of the steps: from APE_ACCOUNTS_<alias>_PASSPHRASE, or asked for.
        if alias is not None and hasattr(account, "set_autosign"):
            account.set_autosign(True)

    deploy(order, account, Endpoint(str(networks.provider.http_uri)), click.echo if not local else _silent, agree)
    if passing:
        click.echo("deployed, wired and checked on an Anvil that ends now: nothing is recorded")
        return
    listed = f" with {', '.join(market.name for market in plan.markets)}" if plan.markets else ""
    click.echo(f"deployed to chain {chain.chain_id}{listed}; addresses in {order.file}")


def _silent(_: str) -> None:
    """On a local chain the steps are over before they could be read."""


def _account(alias: str | None) -> Any:
    if alias is None:
        return accounts.test_accounts[0]
    try:
        return accounts.load(alias)
    except KeyError:
        raise click.UsageError(f"there is no ape account {alias!r}: see `ape accounts list`") from None


def _ask(account: Any, plan: Plan, yes: bool) -> None:
    click.echo(f"deploying to chain {chain.chain_id} as {account.address}, by plan {plan.hash()}")
    if not yes:
        click.confirm("go on?", abort=True)
