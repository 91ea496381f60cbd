"""The case of cross accounts, played: an hour of funding, a gap, one takeover of three positions, one round of ADL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import dumps
from backstop.chain.snapshot import read_chain
from backstop.math.wad import parse_amount
from backstop.render import show_amount
from scripts.stage.cross import GAPPED, HOLDERS, MARKETS, POOL, Harbour
from scripts.stage.cross_screen import CrossScreen
from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.outcome import check_plan, entry_of, one
from scripts.stage.screen import Screen
from scripts.stage.venue import Venue, rpc_url

BUILD = Path("build")
NAME = "cross"


def run_cross(venue: Venue, keeper: LocalAccount, screen: Screen) -> dict[str, Any]:
    """Plays the case and returns its entry of build/demo.json."""
    cross = sum(holder.cross for holder in HOLDERS)
    screen.heading(
        f"Case 4, {NAME}: {len(MARKETS)} markets on one pool, {cross} cross accounts, fees and an hour of funding"
    )
    harbour = Harbour.open(venue)
    venue.next_hour()
    harbour.seat()
    opened = read_chain(venue.endpoint, venue.deployment)
    shown = CrossScreen(screen.console, harbour.names(), [market.name for market in MARKETS])
    screen.step(f"{len(HOLDERS)} traders open positions a little above mark; both sides have paid their fees")
    shown.accounts(opened)

    venue.next_hour()
    screen.step("An hour has passed: longs owe shorts its funding, in one index a market")
    indices = harbour.accrue()
    shown.hour(read_chain(venue.endpoint, venue.deployment), indices, opened)
    harbour.sweep()

    harbour.gap()
    before = read_chain(venue.endpoint, venue.deployment)
    queue = rank(before.snapshot, GAPPED, Side.SHORT)
    screen.step(f"All marks gap; {GAPPED} to {show_amount(before.snapshot.markets[GAPPED].mark_price)}")
    shown.accounts(before)
    screen.queue(f"The queue of {GAPPED} before: cross and isolated accounts by one measure", queue, shown.names)

    actions = run_keeper_once(rpc_url(), BUILD / "deployment.json", keeper)
    after = read_chain(venue.endpoint, venue.deployment)
    take_over, deleverage = one(actions, "takeOver"), one(actions, "deleverage")
    taken_over = read_chain(venue.endpoint, venue.deployment, take_over["block"])
    (BUILD / f"{NAME}.json").write_text(dumps(taken_over.snapshot), encoding="utf-8")
    entry = entry_of(NAME, GAPPED, deleverage, queue, before, after)
    screen.step(
        "The keeper takes the bankrupt account over: all its positions in one call, the loss on those that lost"
    )
    screen.console.print(
        f"    {shown.names[take_over['account']]} in {', '.join(take_over['markets'])}, "
        f"equity {show_amount(parse_amount(take_over['equity']), 2)}, {take_over['gas']:,} gas"
    )
    shown.book(POOL, {"before": before, "after takeover": taken_over, "after ADL": after})
    screen.deleverage(deleverage, entry, shown.names)
    screen.queue("The queue after", rank(after.snapshot, GAPPED, Side.SHORT), shown.names)
    check_plan(deleverage, entry)
    return entry
