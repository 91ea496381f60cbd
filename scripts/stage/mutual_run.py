"""The case of the mutual group, played: a loss that the others stand for, then one that takes all they have; ADL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import dumps
from backstop.chain.snapshot import ChainState, read_chain
from backstop.render import show_amount
from scripts.stage.keeper_process import run_keeper_once
from scripts.stage.mutual import BORNE, CONTRIBUTION, GAP, LOSING, MEMBERS, SEATS, STAKE, Group, open_group
from scripts.stage.outcome import check_plan, entry_of, one
from scripts.stage.screen import Screen, bare_table
from scripts.stage.venue import Venue, rpc_url

BUILD = Path("build")
NAME = "mutual"


def run_mutual(venue: Venue, keeper: LocalAccount, screen: Screen) -> dict[str, Any]:
    """Plays the case and returns its entry of build/demo.json."""
    screen.heading(f"Case 5, {NAME}: {len(MEMBERS)} isolated pools that back each other")
    group = open_group(venue)
    names = group.names()
    screen.step(
        f"A staker brings {STAKE:,} to one pool, a donor {CONTRIBUTION:,} to another, the third has nothing; "
        f"{len(SEATS)} traders open positions in the third one's market"
    )
    states = {"before": read_chain(venue.endpoint, venue.deployment)}

    venue.set_price(group.market, BORNE)
    borne = run_keeper_once(rpc_url(), BUILD / "deployment.json", keeper)
    one(borne, "takeOver")
    screen.step(f"The mark falls to {BORNE}: an account is taken over, and the group carries the loss; no ADL")
    states["carried"] = _without_a_round(venue, borne)

    venue.set_price(group.market, GAP)
    before = states["no more"] = read_chain(venue.endpoint, venue.deployment)
    (BUILD / f"{NAME}.json").write_text(dumps(before.snapshot), encoding="utf-8")
    queue = rank(before.snapshot, LOSING.market, Side.SHORT)
    screen.step(f"The mark falls to {GAP}: what the pools lack is more than what they have")
    deleverage = one(run_keeper_once(rpc_url(), BUILD / "deployment.json", keeper), "deleverage")
    after = states["after ADL"] = read_chain(venue.endpoint, venue.deployment)
    entry = entry_of(NAME, LOSING.market, deleverage, queue, before, after)
    screen.step("The round first gives all that the others have to the pool that lacks it, then closes its inventory")
    _show_balances(screen, group, states)
    screen.deleverage(deleverage, entry, names)
    check_plan(deleverage, entry)
    return entry


def _without_a_round(venue: Venue, actions: list[dict[str, Any]]) -> ChainState:
    rounds = [action for action in actions if action["duty"] == "deleverage"]
    if rounds:
        raise RuntimeError(f"the group carries the loss, but there was a round: {rounds}")
    return read_chain(venue.endpoint, venue.deployment)


def _show_balances(screen: Screen, group: Group, states: dict[str, ChainState]) -> None:
    table = bare_table("", *group.pools, "Sum")
    for moment, state in states.items():
        balances = [state.snapshot.pools[pool].balance for pool in group.pools]
        table.add_row(moment, *map(show_amount, balances), show_amount(sum(balances)))
    screen.console.print(table)
