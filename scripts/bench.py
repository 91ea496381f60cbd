"""Measures gas from receipts and contract sizes, on a local Anvil: `make bench`. Written to build/bench.json.

Every measured transaction finds its storage cold, as a transaction always does, and the accounts as a venue in use has
them: positions exist, balances are not zero.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import ape.logging
import click
from ape import accounts, chain, project
from ape.cli import ConnectedProviderCommand, network_option
from eth_account.signers.local import LocalAccount
from rich.console import Console
from rich.table import Table

from backstop.account_id import isolated_account
from backstop.adl.listing import NO_BOUND
from backstop.chain.bindings import CHALLENGE, DELEVERAGE, LIQUIDATE, TAKE_OVER
from backstop.math.wad import WAD
from scripts.stage.crowd import Call, account, deposit_calls, send_all, trade_call
from scripts.stage.gas_parts import gas_parts
from scripts.stage.latency import MOST as MOST_BLOCKS
from scripts.stage.latency import measure_latency
from scripts.stage.parameters import full_market
from scripts.stage.ring_gas import ring_gas
from scripts.stage.snapshot_speed import measure_snapshot
from scripts.stage.venue import TestMarket, Venue, wad

RESULTS = Path("build") / "bench.json"
CONTRACTS = (
    "Exchange",
    "SettlementModule",
    "SolvencyModule",
    "MarketModule",
    "InsuranceFund",
    "InventoryModule",
    "PoolModule",
    "PoolShares",
    "PoolSharesFactory",
    "ADLEngine",
    "RoundBook",
    "ChainlinkPriceFeed",
    "BackstopLens",
    "FundLens",
)
SIZE_LIMIT = 24_576
ROUNDS = (1, 10, 100)
_PARTS = {
    "transaction": "base and calldata",
    "signatures": "recovering two signers",
    "storageReads": "reading storage",
    "storageWrites": "writing storage",
    "otherContracts": "the price feed",
    "events": "the event",
    "computation": "computation",
    "refunds": "refunds",
}
_RING = {
    "touchInBucket": "a sample in a known bucket",
    "touchOpensBucket": "a sample that opens a bucket",
    "maximum": "the maximum of eight hours",
}

_WAYS = {
    "lens": "through the lens",
    "cold": "by a new index",
    "warm": "by the index, {touched} accounts touched since",
}


@click.command(cls=ConnectedProviderCommand)
@network_option(default="ethereum:local:foundry")
def cli() -> None:
    """Measure, print a table, and write build/bench.json."""
    ape.logging.logger.set_level("ERROR")
    venue = Venue.open(accounts.test_accounts[0])
    gas: dict[str, Any] = measure_trading(venue)
    gas["deleverage"] = {str(size): measure_round(venue, size) for size in ROUNDS}
    few, many = gas["deleverage"]["10"], gas["deleverage"]["100"]
    gas["marginalPerCounterparty"] = (many - few) // 90
    gas["challenge"] = measure_challenge(venue)
    gas["ring"] = ring_gas(venue.owner, venue.endpoint)
    snapshot = measure_snapshot(venue.owner)
    latency = measure_latency(venue.owner)
    sizes = {name: len(getattr(project, name).contract_type.runtime_bytecode.bytecode) // 2 - 1 for name in CONTRACTS}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({"gas": gas, "contractSizes": sizes, "snapshot": snapshot, "latency": latency}, indent=2) + "\n",
        encoding="utf-8",
    )
    show(gas, sizes, snapshot)
    show_latency(latency)
    if latency["most"] > MOST_BLOCKS:
        raise click.ClickException(f"a round came after {latency['most']} blocks, {MOST_BLOCKS} is the most")


def gas_of(venue: Venue, call: Call) -> int:
    """Gas used by one transaction, from its receipt."""
    [receipt] = send_all(venue, [call])
    return int(receipt["gasUsed"], 16)


def gas_of_settle(venue: Venue, call: Call) -> dict[str, Any]:
    """The same, and what it was spent on."""
    [receipt] = send_all(venue, [call])
    used = int(receipt["gasUsed"], 16)
    return {"settle": used, "settleParts": gas_parts(venue, receipt["transactionHash"], used)}


def measure_trading(venue: Venue) -> dict[str, Any]:
    """`settle` between two accounts that hold positions, a liquidation onto a funded account, a takeover."""
    market = venue.list_market("BENCH-TRADE", "bench-trade", Decimal(100))
    # With fees, funding and limits, as a venue has them; the slots that they are counted in are in use.
    parameters = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))
    venue.system.exchange.setParameters(market.id, parameters, sender=venue.owner)
    buyer, seller, other = (venue.trader(f"bench {name}") for name in ("buyer", "seller", "other"))
    calls: list[Call] = []
    for signer, amount in ((buyer, 10_000), (seller, 10_000), (other, 50_000)):
        calls += deposit_calls(venue, signer, market, amount)
    send_all(venue, [*calls, trade_call(venue, seller, buyer, market, wad(10), wad(101))])
    gas = gas_of_settle(venue, trade_call(venue, seller, buyer, market, wad(1), wad(101)))

    # 10 from 100 with a margin of 110: at 93 the equity is 40 of 46.5 required, at 89 it is all but gone.
    weak = venue.trader("bench weak")
    send_all(
        venue, [*deposit_calls(venue, weak, market, 110), trade_call(venue, seller, weak, market, wad(10), wad(100))]
    )
    send_all(venue, [trade_call(venue, seller, other, market, wad(5), wad(100))])
    venue.set_price(market, Decimal("93"))
    gas["liquidate"] = gas_of(
        venue,
        Call(
            other,
            venue.system.exchange,
            LIQUIDATE.encode(account(weak, market), market.id, account(other, market), wad(1)),
        ),
    )
    venue.set_price(market, Decimal("89"))
    gas["takeOver"] = gas_of(venue, Call(other, venue.system.exchange, TAKE_OVER.encode(account(weak, market))))
    return gas


def measure_round(venue: Venue, size: int) -> int:
    """A round over exactly `size` isolated counterparties, each closed whole, given in rank order."""
    market, shorts = _losing_market(venue, str(size), size)
    keeper = venue.trader("bench keeper")
    ranked = [isolated_account(short.address, market.id) for short in shorts]
    used = gas_of(venue, _round_call(venue, keeper, market, ranked))
    left = venue.system.fund.inventory(market.id, 0)
    if left != 0:
        raise click.ClickException(f"the round of {size} left {left} of the inventory: this is a bug")
    return used


def measure_challenge(venue: Venue) -> int:
    """A challenge for an isolated account that was left out, and touched since: it is recomputed from what was kept."""
    market, (first, second) = _losing_market(venue, "CHALLENGE", 2)
    keeper = venue.trader("bench keeper")
    send_all(venue, deposit_calls(venue, second, market, 500))  # far below the first one in rank
    send_all(venue, [_round_call(venue, keeper, market, [isolated_account(second.address, market.id)])])
    send_all(venue, deposit_calls(venue, first, market, 10))
    data = CHALLENGE.encode(venue.system.engine.roundCount(), isolated_account(first.address, market.id))
    return gas_of(venue, Call(venue.trader("bench hunter"), venue.system.round_book, data))


def _round_call(venue: Venue, keeper: LocalAccount, market: TestMarket, candidates: list[bytes]) -> Call:
    bounds = (0, wad(1000), 0, wad(1000), NO_BOUND, chain.blocks.head.timestamp + 3600)
    return Call(keeper, venue.system.engine, DELEVERAGE.encode(market.id, 0, candidates, bounds))


def _losing_market(venue: Venue, name: str, size: int) -> tuple[TestMarket, list[LocalAccount]]:
    """A market whose pool is to be closed against so many shorts of one contract, the least margin first.

    The keeper has a bond, and an account that rewards go to; nobody has raised risk for ten minutes.
    """
    market = venue.list_market(f"BENCH-{name}", f"bench-{name}", Decimal(100), Decimal("0.01"), Decimal("0.005"))
    bankrupt = venue.trader(f"bench {name} bankrupt")
    shorts = [venue.trader(f"bench {name} short {i}") for i in range(size)]
    calls = deposit_calls(venue, bankrupt, market, 2 * size)
    for i, short in enumerate(shorts):
        calls += deposit_calls(venue, short, market, 20 + i)
    calls += [trade_call(venue, short, bankrupt, market, WAD, wad(100)) for short in shorts]
    send_all(venue, calls)
    venue.endpoint.request("evm_increaseTime", 600)
    venue.set_price(market, Decimal(90))
    keeper = venue.trader("bench keeper")
    venue.post_bond(keeper)
    send_all(venue, [Call(keeper, venue.system.exchange, TAKE_OVER.encode(account(bankrupt, market)))])
    return market, shorts


def show(gas: dict[str, Any], sizes: dict[str, int], snapshot: dict[str, Any]) -> None:
    """The figures as three tables."""
    console = Console(highlight=False)
    table = Table("Gas", title="Gas, from receipts on Anvil", title_justify="left")
    table.add_column("Used", justify="right")
    for name in ("settle", "liquidate", "takeOver"):
        table.add_row(name, f"{gas[name]:,}")
        if name == "settle":
            for part, used in gas["settleParts"].items():
                table.add_row(f"  of it {_PARTS[part]}", f"{used:,}")
    for size, used in gas["deleverage"].items():
        table.add_row(f"deleverage, {size} counterparties", f"{used:,}")
    table.add_row("deleverage, marginal per counterparty", f"{gas['marginalPerCounterparty']:,}")
    table.add_row("challenge, from what was kept", f"{gas['challenge']:,}")
    for name, heading in _RING.items():
        table.add_row(heading, f"{gas['ring'][name]:,}")
    console.print(table)
    table = Table("Contract", title="Runtime bytecode", title_justify="left")
    for heading in ("Bytes", "Room"):
        table.add_column(heading, justify="right")
    for name, size in sizes.items():
        table.add_row(name, f"{size:,}", f"{SIZE_LIMIT - size:,}")
    console.print(table)
    title = f"{snapshot['accounts']:,} accounts on Anvil, read, ranked and planned"
    table = Table("Way", title=title, title_justify="left")
    table.add_column("Seconds", justify="right")
    for way, heading in _WAYS.items():
        table.add_row(heading.format(**snapshot), f"{snapshot[way]:.2f}")
    console.print(table)


def show_latency(latency: dict[str, Any]) -> None:
    """From the block in which ADL becomes due to the round, and what of it is reading and planning."""
    console = Console(highlight=False)
    title = f"From ADL due to the round on chain, {latency['runs']} runs with {latency['accounts']} accounts"
    table = Table("Figure", title=title, title_justify="left")
    table.add_column("Value", justify="right")
    for number, count in latency["blocks"].items():
        table.add_row(f"rounds after {number} block{'s' * (number != '1')} (at most {MOST_BLOCKS})", f"{count}")
    sent, reading = latency["secondsToSend"], latency["secondsToReadAndPlan"]
    table.add_row("seconds until it is sent: median", f"{sent['median']:.2f}")
    table.add_row("  95 of 100 within", f"{sent['p95']:.2f}")
    table.add_row("  the longest", f"{sent['most']:.2f}")
    table.add_row("seconds to read by the index, rank and plan", f"{reading['warm']:.3f}")
    table.add_row("  through the lens", f"{reading['lens']:.3f}")
    table.add_row("  of it ranking and planning", f"{reading['planning']:.3f}")
    console.print(table)
    console.print(f"Every figure is in {RESULTS}.")
