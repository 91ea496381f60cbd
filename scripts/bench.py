"""Measures gas, sizes, reading, latency and ranking, on a local Anvil: `make bench`. Written to build/bench.json.

Every measured transaction finds its storage cold, as a transaction always does, and the accounts as a venue in use has
them: positions exist, balances are not zero. The chain's clock stands, so that no figure depends on the machine. It
fails where a figure is above its limit.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import ape.logging
import click
from ape import accounts, project
from ape.cli import network_option

from backstop.chain.bindings import LIQUIDATE, TAKE_OVER
from scripts.stage.challenge_gas import measure_challenges
from scripts.stage.crowd import Call, account, deposit_calls, gas_of, send_all, trade_call
from scripts.stage.gas_parts import gas_parts
from scripts.stage.gas_screen import PUBLISHED, figures, show
from scripts.stage.latency import MOST as MOST_BLOCKS
from scripts.stage.latency import measure_latency, show_latency
from scripts.stage.lean_anvil import LeanAnvilCommand
from scripts.stage.parameters import full_market
from scripts.stage.ranking_speed import faults_of, measure_ranking, show_ranking
from scripts.stage.ring_gas import ring_gas
from scripts.stage.round_gas import measure_floor, measure_rounds
from scripts.stage.snapshot_speed import faults_of_speed, measure_snapshots, show_speed
from scripts.stage.venue import Venue, wad

RESULTS = Path("build") / "bench.json"
GAS_RESULTS = Path("build") / "gas.json"
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


@click.command(cls=LeanAnvilCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--gas-alone", is_flag=True, help="Only what does not depend on the machine, into build/gas.json.")
def cli(gas_alone: bool) -> None:
    """Measure, print tables, and write build/bench.json; exit status 1 where a limit is missed."""
    ape.logging.logger.set_level("ERROR")
    venue = Venue.open(accounts.test_accounts[0])
    venue.next_hour()
    venue.endpoint.request("anvil_setBlockTimestampInterval", 0)
    gas = {
        **measure_trading(venue),
        **measure_rounds(venue),
        **measure_challenges(venue),
        "floor": measure_floor(venue),
        "ring": ring_gas(venue.owner, venue.endpoint),
    }
    if gas_alone:
        GAS_RESULTS.parent.mkdir(exist_ok=True)
        GAS_RESULTS.write_text(json.dumps(gas, indent=2) + "\n", encoding="utf-8")
        return
    snapshots = measure_snapshots(venue.owner)
    latency = measure_latency(venue.owner)
    ranking = measure_ranking()
    sizes = {name: len(getattr(project, name).contract_type.runtime_bytecode.bytecode) // 2 - 1 for name in CONTRACTS}
    found = figures(gas)
    limits = [{"figure": each.label.strip(), "used": each.used, "limit": each.limit} for each in found if each.limit]
    results = {
        "gas": gas,
        "limits": limits,
        "publishedByOthers": PUBLISHED,
        "contractSizes": sizes,
        "snapshots": snapshots,
        "latency": latency,
        "ranking": ranking,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    show(found, sizes)
    show_speed(snapshots)
    show_latency(latency)
    show_ranking(ranking)
    click.echo(f"Every figure is in {RESULTS}.")
    if missed := [each.label.strip() for each in found if each.is_missed]:
        raise click.ClickException(f"above its limit: {', '.join(missed)}")
    if latency["most"] > MOST_BLOCKS:
        raise click.ClickException(f"a round came after {latency['most']} blocks, {MOST_BLOCKS} is the most")
    if faults := [*faults_of(ranking), *faults_of_speed(snapshots)]:
        raise click.ClickException("; ".join(faults))


def gas_of_settle(venue: Venue, call: Call) -> dict[str, Any]:
    """Gas used by a `settle`, and what it was spent on."""
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
