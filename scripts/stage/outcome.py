"""What a case came to: its entry of build/demo.json, from the keeper's actions and the states before and after."""

from __future__ import annotations

from typing import Any

import click

from backstop.adl.ranking import Ranked
from backstop.chain.snapshot import ChainState
from backstop.math.fund import drawdown, drawdown_base, window_loss
from backstop.math.wad import format_amount


def drawdown_of(state: ChainState, name: str) -> int | None:
    """A market's drawdown, WAD; None where its pool has no base."""
    market = state.snapshot.markets[name]
    losses = {
        other.name: window_loss(other.max_pnl_8h, other.pnl)
        for other in state.snapshot.markets.values()
        if other.pool == market.pool
    }
    return drawdown(losses[name], drawdown_base(state.snapshot.pools[market.pool].balance, losses.values()))


def entry_of(
    name: str,
    market: str,
    deleverage: dict[str, Any],
    queue: list[Ranked],
    before: ChainState,
    after: ChainState,
) -> dict[str, Any]:
    """What happened on chain: the round's events, and what each account realized as its margin tells."""
    places = {place.account: place.adl_rank for place in queue}
    margins_before, margins_after = margins(before), margins(after)
    executed = deleverage["round"]
    fraction = drawdown_of(after, market)
    return {
        "name": name,
        "drawdownBefore": deleverage["plan"]["drawdown"],
        "drawdownAfter": None if fraction is None else format_amount(fraction),
        "compensation": executed["compensation"],
        "adlPrice": executed["adlPrice"],
        "fills": [
            {
                "account": fill["account"],
                "contracts": fill["contracts"],
                "price": fill["price"],
                "leveragedReturn": fill["leveragedReturn"],
                "adlRank": places[fill["account"]],
                "realizedPnl": format_amount(margins_after[fill["account"]] - margins_before[fill["account"]]),
            }
            for fill in executed["fills"]
        ],
        "gasUsed": deleverage["gas"],
    }


def check_plan(deleverage: dict[str, Any], entry: dict[str, Any]) -> None:
    """What was planned off chain is what happened on chain, to the last decimal."""
    plan = deleverage["plan"]
    for key in ("compensation", "adlPrice", "fills"):
        if plan[key] != entry[key]:
            raise click.ClickException(f"planned {key} {plan[key]}, executed {entry[key]}: this is a bug")


def margins(state: ChainState) -> dict[str, int]:
    """Margin of every account, WAD."""
    return {account.id: account.margin for account in state.snapshot.accounts}


def one(actions: list[dict[str, Any]], duty: str) -> dict[str, Any]:
    """The one action of a kind that a case leads to."""
    found = [action for action in actions if action["duty"] == duty and action["sent"]]
    if len(found) != 1:
        raise click.ClickException(f"one {duty} was expected of the keeper, it did {len(found)}: {actions}")
    return found[0]
