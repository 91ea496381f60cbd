"""Deploys the whole system, wires it, and asserts that what stands on the chain is what was meant.

    ape run deploy --network ethereum:sepolia:node --account ALIAS --collateral ADDRESS
    ape run deploy                       # a local Anvil with a test token, to try it out

The addresses are written to deployments/CHAIN_ID.json; pools and markets are added by the owner afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from ape import accounts, chain, networks, project
from ape.cli import ConnectedProviderCommand, network_option

from backstop.chain.deployment import Deployment


@dataclass
class System:
    """The deployed contracts, as ape's instances."""

    token: Any
    price_feed: Any
    solvency_module: Any
    exchange: Any
    fund: Any
    engine: Any
    lens: Any
    block: int

    def record(self) -> Deployment:
        """The addresses, as the Python package takes them."""
        return Deployment(
            chain_id=chain.chain_id,
            block=self.block,
            token=self.token.address,
            price_feed=self.price_feed.address,
            solvency_module=self.solvency_module.address,
            exchange=self.exchange.address,
            fund=self.fund.address,
            engine=self.engine.address,
            lens=self.lens.address,
        )


def deploy_system(owner: Any, token: Any) -> System:
    """Deploys and wires everything around a collateral token; `owner` owns what can be owned."""
    block = chain.blocks.head.number
    price_feed = owner.deploy(project.ChainlinkPriceFeed, owner)
    module = owner.deploy(project.SolvencyModule, token, price_feed)
    exchange = owner.deploy(project.Exchange, token, price_feed, module, owner)
    fund = owner.deploy(project.InsuranceFund, exchange, price_feed, owner)
    engine = owner.deploy(project.ADLEngine, exchange, fund, price_feed)
    lens = owner.deploy(project.BackstopLens, exchange, fund, price_feed)
    exchange.wire(fund, engine, sender=owner)
    fund.wire(engine, sender=owner)
    system = System(token, price_feed, module, exchange, fund, engine, lens, block)
    assert_wired(system, owner)
    return system


def assert_wired(system: System, owner: Any) -> None:
    """Every address that a contract holds is the one that was deployed, and every owner is the one meant."""
    s = system
    held = {
        "exchange.token": (s.exchange.token(), s.token),
        "exchange.priceFeed": (s.exchange.priceFeed(), s.price_feed),
        "exchange.solvencyModule": (s.exchange.solvencyModule(), s.solvency_module),
        "exchange.fund": (s.exchange.fund(), s.fund),
        "exchange.engine": (s.exchange.engine(), s.engine),
        "exchange.owner": (s.exchange.owner(), owner),
        "fund.exchange": (s.fund.exchange(), s.exchange),
        "fund.priceFeed": (s.fund.priceFeed(), s.price_feed),
        "fund.engine": (s.fund.engine(), s.engine),
        "fund.owner": (s.fund.owner(), owner),
        "engine.exchange": (s.engine.exchange(), s.exchange),
        "engine.fund": (s.engine.fund(), s.fund),
        "engine.priceFeed": (s.engine.priceFeed(), s.price_feed),
        "lens.exchange": (s.lens.exchange(), s.exchange),
        "lens.fund": (s.lens.fund(), s.fund),
        "lens.priceFeed": (s.lens.priceFeed(), s.price_feed),
        "priceFeed.owner": (s.price_feed.owner(), owner),
    }
    for name, (found, meant) in held.items():
        address = getattr(meant, "address", meant)
        if found != address:
            raise click.ClickException(f"{name} is {found}, {address} was meant")


def name_bytes(name: str) -> bytes:
    """A short name as the contracts take it: 32 bytes, left-aligned."""
    encoded = name.encode()
    if not 0 < len(encoded) <= 32:
        raise click.BadParameter(f"{name!r}: 1 to 32 bytes are needed")
    return encoded.ljust(32, b"\0")


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
