"""The system of contracts: deployed, wired, and asserted to be what was meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
from ape import chain, project

from backstop.chain.deployment import Deployment


@dataclass
class System:
    """The deployed contracts, as ape's instances."""

    token: Any
    price_feed: Any
    settlement_module: Any
    solvency_module: Any
    market_module: Any
    exchange: Any
    inventory_module: Any
    pool_module: Any
    shares_factory: Any
    fund: Any
    round_book: Any
    engine: Any
    lens: Any
    fund_lens: Any
    block: int

    def record(self) -> Deployment:
        """The addresses, as the Python package takes them."""
        return Deployment(
            chain_id=chain.chain_id,
            block=self.block,
            token=self.token.address,
            price_feed=self.price_feed.address,
            settlement_module=self.settlement_module.address,
            solvency_module=self.solvency_module.address,
            market_module=self.market_module.address,
            exchange=self.exchange.address,
            inventory_module=self.inventory_module.address,
            pool_module=self.pool_module.address,
            shares_factory=self.shares_factory.address,
            fund=self.fund.address,
            round_book=self.round_book.address,
            engine=self.engine.address,
            lens=self.lens.address,
            fund_lens=self.fund_lens.address,
        )


def deploy_system(owner: Any, token: Any) -> System:
    """Deploys and wires everything around a collateral token; `owner` owns what can be owned."""
    block = chain.blocks.head.number
    price_feed = owner.deploy(project.ChainlinkPriceFeed, owner)
    modules = [
        owner.deploy(container, token, price_feed)
        for container in (project.SettlementModule, project.SolvencyModule, project.MarketModule)
    ]
    exchange = owner.deploy(project.Exchange, token, price_feed, *modules, owner)
    shares_factory = owner.deploy(project.PoolSharesFactory)
    inventory_module = owner.deploy(project.InventoryModule, exchange, price_feed)
    pool_module = owner.deploy(project.PoolModule, exchange, price_feed, shares_factory)
    fund = owner.deploy(project.InsuranceFund, exchange, price_feed, inventory_module, pool_module, owner)
    round_book = owner.deploy(project.RoundBook, exchange, fund, price_feed, owner)
    engine = owner.deploy(project.ADLEngine, exchange, fund, price_feed, round_book)
    lens = owner.deploy(project.BackstopLens, exchange, fund, price_feed)
    fund_lens = owner.deploy(project.FundLens, fund)
    price_feed.wire(exchange, sender=owner)
    exchange.wire(fund, engine, sender=owner)
    fund.wire(engine, sender=owner)
    system = System(
        token=token,
        price_feed=price_feed,
        settlement_module=modules[0],
        solvency_module=modules[1],
        market_module=modules[2],
        exchange=exchange,
        inventory_module=inventory_module,
        pool_module=pool_module,
        shares_factory=shares_factory,
        fund=fund,
        round_book=round_book,
        engine=engine,
        lens=lens,
        fund_lens=fund_lens,
        block=block,
    )
    assert_wired(system, owner)
    return system


def assert_wired(system: System, owner: Any) -> None:
    """Every address that a contract holds is the one that was deployed, and every owner is the one meant."""
    s = system
    held = {
        "exchange.token": (s.exchange.token(), s.token),
        "exchange.priceFeed": (s.exchange.priceFeed(), s.price_feed),
        "exchange.settlementModule": (s.exchange.settlementModule(), s.settlement_module),
        "exchange.marketModule": (s.exchange.marketModule(), s.market_module),
        "exchange.solvencyModule": (s.exchange.solvencyModule(), s.solvency_module),
        "exchange.fund": (s.exchange.fund(), s.fund),
        "exchange.engine": (s.exchange.engine(), s.engine),
        "exchange.owner": (s.exchange.owner(), owner),
        "fund.exchange": (s.fund.exchange(), s.exchange),
        "fund.priceFeed": (s.fund.priceFeed(), s.price_feed),
        "fund.engine": (s.fund.engine(), s.engine),
        "fund.inventoryModule": (s.fund.inventoryModule(), s.inventory_module),
        "fund.poolModule": (s.fund.poolModule(), s.pool_module),
        "poolModule.sharesFactory": (s.pool_module.sharesFactory(), s.shares_factory),
        "fund.owner": (s.fund.owner(), owner),
        "engine.exchange": (s.engine.exchange(), s.exchange),
        "engine.fund": (s.engine.fund(), s.fund),
        "engine.priceFeed": (s.engine.priceFeed(), s.price_feed),
        "engine.book": (s.engine.book(), s.round_book),
        "roundBook.exchange": (s.round_book.exchange(), s.exchange),
        "roundBook.fund": (s.round_book.fund(), s.fund),
        "roundBook.priceFeed": (s.round_book.priceFeed(), s.price_feed),
        "roundBook.owner": (s.round_book.owner(), owner),
        "lens.exchange": (s.lens.exchange(), s.exchange),
        "lens.fund": (s.lens.fund(), s.fund),
        "lens.priceFeed": (s.lens.priceFeed(), s.price_feed),
        "fundLens.fund": (s.fund_lens.fund(), s.fund),
        "priceFeed.exchange": (s.price_feed.exchange(), s.exchange),
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
