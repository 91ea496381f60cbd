"""The crash, played: a keeper is left running, the price goes its path, each duty is done as it falls due."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper.duties import rounds, take_overs
from backstop.keeper.liquidations import Liquidator, liquidations
from backstop.math.wad import format_amount, parse_amount
from scripts.stage.crash import MARKETS, STEPS, TRADERS, crowd_calls, list_crash, prices_of
from scripts.stage.crash_screen import CrashScreen, Row
from scripts.stage.crowd import deposit_calls, send_all
from scripts.stage.keeper_process import KeeperProcess, running_keeper, wait_until
from scripts.stage.outcome import drawdown_of
from scripts.stage.screen import Screen
from scripts.stage.venue import Venue, rpc_url, wad

DEPLOYMENT = Path("build") / "deployment.json"
_KEEPER_MARGIN = 20_000  # its own collateral in each market
_KEEPER_NOTIONAL = 60_000  # up to which it liquidates onto itself
_FILL = ("account", "contracts", "price", "leveragedReturn")
_DUTIES = ("liquidate", "takeOver", "deleverage")


def run_crash(venue: Venue, keeper: LocalAccount, screen: Screen) -> dict[str, Any]:
    """Plays the crash and returns its entry of build/demo.json."""
    screen.heading(f"Case 6, crash: {2 * TRADERS} traders, two markets, {STEPS} steps of price, a keeper running")
    shown = CrashScreen(screen.console)
    markets = list_crash(venue)
    calls = crowd_calls(venue, markets)
    for market in markets.values():
        calls += deposit_calls(venue, keeper, market, _KEEPER_MARGIN)
    with shown.sending(len(calls), "Deposits and signed orders") as sent:
        send_all(venue, calls, sent)
    screen.step(
        f"{len(calls)} transactions: {2 * TRADERS} traders hold positions, the keeper is funded in both markets"
    )

    before = read_chain(venue.endpoint, venue.deployment)
    show_queues(shown, before, "before")
    screen.step("The keeper runs; the marks move")
    liquidator = Liquidator(keeper.address, 0, wad(_KEEPER_NOTIONAL))
    sent_before = nonce_of(venue, keeper)
    with (
        running_keeper(
            rpc_url(), DEPLOYMENT, keeper, "--poll", "0.1", "--liquidate-up-to", str(_KEEPER_NOTIONAL)
        ) as process,
        shown.following() as add,
    ):
        told = 0
        for step in range(STEPS):
            for name, price in prices_of(step).items():
                venue.set_price(markets[name], price)
            wait_until(
                lambda: (
                    is_settled(venue, liquidator)
                    # and what was sent is told
                    and nonce_of(venue, keeper) - sent_before == sum(action["sent"] for action in process.actions)
                ),
                process,
            )
            state = read_chain(venue.endpoint, venue.deployment)
            # All that it has done since the last step: it acts as soon as the first of the prices has moved.
            actions = process.actions[told:]
            told += len(actions)
            for crash in MARKETS:
                add(row_of(step + 1, crash.name, crash.pool, state, actions))
    after = read_chain(venue.endpoint, venue.deployment)
    show_queues(shown, after, "after")
    entry = result(process, after)
    check_counts(shown.rows, entry)
    return entry


def is_settled(venue: Venue, liquidator: Liquidator) -> bool:
    """Nothing is left to liquidate, nobody to take over, and no round is due that has a counterparty."""
    state = read_chain(venue.endpoint, venue.deployment)
    return not liquidations(state, liquidator) and not take_overs(state) and not rounds(state)


def nonce_of(venue: Venue, signer: LocalAccount) -> int:
    """How many transactions it has sent."""
    return venue.endpoint.quantity("eth_getTransactionCount", signer.address, "latest")


def show_queues(shown: CrashScreen, state: ChainState, moment: str) -> None:
    """The side of each market that pays for a crash of the other."""
    for crash in MARKETS:
        winners = Side.SHORT if crash.path[-1] < 1 else Side.LONG
        shown.lights(f"The {winners} queue of {crash.name} {moment}", rank(state.snapshot, crash.name, winners))


def row_of(step: int, market: str, pool: str, state: ChainState, actions: list[dict[str, Any]]) -> Row:
    """A row of the table that follows the crash."""
    backing = state.snapshot.pools[pool]
    counts = [sum(1 for action in done(actions, duty) if market_of(action) == market) for duty in _DUTIES]
    ending = drawdown_of(state, market)
    begun = [action["plan"]["drawdown"] for action in done(actions, "deleverage") if market_of(action) == market]
    seen = [ending, *(None if fraction is None else parse_amount(fraction) for fraction in begun)]
    known = [fraction for fraction in seen if fraction is not None]
    return Row(
        step,
        market,
        state.snapshot.markets[market].mark_price,
        backing.balance,
        max(known) if len(known) == len(seen) else None,
        ending,
        sum(abs(held.size) for held in backing.inventory),
        *counts,
    )


def done(actions: list[dict[str, Any]], duty: str) -> list[dict[str, Any]]:
    """What was sent of a duty."""
    return [action for action in actions if action["duty"] == duty and action["sent"]]


def check_counts(rows: list[Row], entry: dict[str, Any]) -> None:
    """What the table shows, step by step, is all that was done."""
    for key in ("liquidations", "takeovers", "rounds"):
        shown = sum(getattr(row, key) for row in rows)
        if shown != entry[key]:
            raise click.ClickException(f"the table shows {shown} {key} of {entry[key]}: this is a bug")


def market_of(action: dict[str, Any]) -> str:
    """The market of an action."""
    if action["duty"] == "takeOver":
        return str(action["markets"][0])
    return str(action["plan"]["market"] if action["duty"] == "deleverage" else action["market"])


def fills_of(action: dict[str, Any]) -> list[dict[str, Any]]:
    """The fills of a round, with the ranks and results that were planned: what happened is what was planned."""
    planned, executed = action["plan"]["fills"], action["round"]["fills"]
    if [[fill[key] for key in _FILL] for fill in planned] != [[fill[key] for key in _FILL] for fill in executed]:
        raise click.ClickException(f"planned {planned}, executed {executed}: this is a bug")
    return list(planned)


def result(process: KeeperProcess, after: ChainState) -> dict[str, Any]:
    """The entry of build/demo.json: sums over all rounds; the price is that of the largest one."""
    executed = done(process.actions, "deleverage")
    largest = max(executed, key=lambda action: parse_amount(action["round"]["compensation"]))
    drawdowns = [fraction for crash in MARKETS if (fraction := drawdown_of(after, crash.name)) is not None]
    return {
        "name": "crash",
        "drawdownBefore": largest["plan"]["drawdown"],
        "drawdownAfter": format_amount(max(drawdowns)),
        "compensation": format_amount(sum(parse_amount(action["round"]["compensation"]) for action in executed)),
        "adlPrice": largest["round"]["adlPrice"],
        "fills": [fill for action in executed for fill in fills_of(action)],
        "gasUsed": sum(action["gas"] for action in executed),
        "liquidations": len(done(process.actions, "liquidate")),
        "takeovers": len(done(process.actions, "takeOver")),
        "rounds": len(executed),
    }
