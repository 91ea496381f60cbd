"""The main job, end to end, on a local Anvil: signed trades, a price gap, takeover, a drawdown past the trigger, ADL.

`make demo` runs it. The keeper is `backstop run`, a process of its own with a key of its own, which knows the RPC
address and the deployment file and nothing else. The results are written to build/demo.json, and the state in which ADL
was due, as a snapshot file, to build/CASE.json.
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import ape.logging
import click
from ape import accounts, chain
from ape.cli import ConnectedProviderCommand, network_option
from eth_account.signers.local import LocalAccount

from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import dumps
from backstop.chain.snapshot import read_chain
from backstop.math.wad import format_amount
from scripts.stage.cases import CASES, Case
from scripts.stage.crash_run import run_crash
from scripts.stage.cross_run import run_cross
from scripts.stage.fund_screen import show_fund
from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.mutual_run import run_mutual
from scripts.stage.outcome import check_plan, entry_of, one
from scripts.stage.page_chain import show_page
from scripts.stage.page_server import PORT
from scripts.stage.screen import Screen
from scripts.stage.venue import Venue, rpc_url

BUILD = Path("build")
DEPLOYMENT = BUILD / "deployment.json"
RESULTS = BUILD / "demo.json"
PLOT = BUILD / "fund.png"


@click.command(cls=ConnectedProviderCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--page", is_flag=True, help="Leave the chain up at the end, and serve the page of it.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Of the page; 0: any.")
def cli(page: bool, port: int) -> None:
    """Deploy, trade, gap the price, and let a keeper clean up; six cases."""
    ape.logging.logger.set_level("ERROR")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A bar that the terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    started = time.monotonic()
    screen = Screen()
    screen.title()
    venue = Venue.open(accounts.test_accounts[0])
    venue.deployment.save(DEPLOYMENT)
    keeper = venue.trader("keeper")
    venue.post_bond(keeper)
    screen.deployed(venue.deployment, rpc_url(), keeper.address)

    cases = [run_case(case, number, venue, keeper, screen) for number, case in enumerate(CASES, start=1)]
    cases.append(run_cross(venue, keeper, screen))
    cases.append(run_mutual(venue, keeper, screen))
    cases.append(run_crash(venue, keeper, screen))

    pools = show_fund(screen, rpc_url(), DEPLOYMENT, PLOT)
    state = read_chain(venue.endpoint, venue.deployment)
    screen.proof(state)
    document = {
        "tokensHeld": format_amount(state.tokens_held),
        "sumOfClaims": format_amount(state.claims),
        "claims": {kind: format_amount(amount) for kind, amount in state.claims_of.items()},
        "markets": [{"name": name, "sumOfSizes": format_amount(total)} for name, total in state.sums_of_sizes.items()],
        "pools": pools,
        "cases": cases,
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if state.tokens_held != state.claims or any(state.sums_of_sizes.values()):
        raise click.ClickException("the proof does not hold: this is a bug")
    screen.finished(RESULTS, time.monotonic() - started)
    if page:
        show_page(venue, port)


def run_case(case: Case, number: int, venue: Venue, keeper: LocalAccount, screen: Screen) -> dict[str, Any]:
    """Plays one case and returns its entry of build/demo.json."""
    screen.case(number, case)
    market = venue.play(case)
    names = {venue.account_of(market, seat.trader): seat.trader for seat in case.seats}
    opened = read_chain(venue.endpoint, venue.deployment)
    screen.opened(case, opened, chain.blocks.head.number)

    venue.set_price(market, case.gap)
    before = read_chain(venue.endpoint, venue.deployment)
    queue_before = rank(before.snapshot, case.market, Side.SHORT)
    screen.gap(case, before, names)
    screen.queue("The queue before", queue_before, names)

    actions = run_keeper_once(rpc_url(), DEPLOYMENT, keeper)
    after = read_chain(venue.endpoint, venue.deployment)
    take_over, deleverage = one(actions, "takeOver"), one(actions, "deleverage")
    entry = entry_of(case.name, case.market, deleverage, queue_before, before, after)
    taken_over = read_chain(venue.endpoint, venue.deployment, take_over["block"])
    (BUILD / f"{case.name}.json").write_text(dumps(taken_over.snapshot), encoding="utf-8")
    screen.take_over(take_over, names)
    screen.fund(case, {"before": before, "after takeover": taken_over, "after ADL": after})
    screen.deleverage(deleverage, entry, names)
    screen.queue("The queue after", rank(after.snapshot, case.market, Side.SHORT), names)
    check_plan(deleverage, entry)
    return entry
