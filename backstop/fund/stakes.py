"""What an owner has in the pools: shares, exits, what they would pay and why they wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backstop.chain.fund_view import FundView, PoolView, StakeView, read_stake
from backstop.fund.refusals import Words
from backstop.fund.status import block_document
from backstop.fund.units import Units
from backstop.math.deficit import paid_tokens
from backstop.math.staking import MAX_WAIT
from backstop.trading.client import Client


@dataclass(frozen=True, slots=True)
class Stake:
    """What somebody has in a pool. Token units.

    `payable` is what its exit would bring now, an open deficit shared; `waits` the error for which it could not be paid
    now, "" where it can or where there is none; `overdue_at` when it is paid whatever the pool's state, seconds.
    """

    pool: PoolView
    view: StakeView
    payable: int
    waits: str
    overdue_at: int


def read_stakes(client: Client, fund: FundView, owner: str) -> list[Stake]:
    """The pools in which an owner has shares or an exit, by id, at the block of `fund`."""
    at = {"blockHash": fund.block.hash}
    found = []
    for pool in fund.pools:
        view = read_stake(client.endpoint, client.deployment, pool.id, owner, at)
        if view.shares or view.exit is not None:
            found.append(_stake(fund, pool, view, owner))
    return found


def _stake(fund: FundView, pool: PoolView, view: StakeView, owner: str) -> Stake:
    payable = paid_tokens(view.exit_value, fund.tokens_held, fund.deficit)
    waits, overdue_at = "", 0
    if view.exit is not None:
        overdue_at = view.exit.ripe_at + MAX_WAIT
        if fund.block.timestamp < view.exit.ripe_at:
            waits = f"ExitUnripe({owner}, {view.exit.ripe_at})"
        elif not view.may_redeem:
            waits = view.refusal
    return Stake(pool, view, payable, waits, overdue_at)


def stakes_document(fund: FundView, owner: str, stakes: list[Stake], units: Units, words: Words) -> dict[str, Any]:
    """The same as JSON; amounts are decimal strings."""
    return {
        "block": block_document(fund.block),
        "owner": owner,
        "token": units.token.symbol,
        "pools": [
            {
                "pool": stake.pool.name,
                "shares": units.shares(stake.view.shares),
                "value": units.tokens(stake.view.value),
                "exit": _exit_document(stake, units, words),
            }
            for stake in stakes
        ],
    }


def _exit_document(stake: Stake, units: Units, words: Words) -> dict[str, Any] | None:
    asked = stake.view.exit
    if asked is None:
        return None
    return {
        "shares": units.shares(asked.shares),
        "valueAtRequest": units.tokens(asked.value),
        "value": units.tokens(stake.view.exit_value),
        "pays": units.tokens(stake.payable),
        "ripeAt": asked.ripe_at,
        "overdueAt": stake.overdue_at,
        "payable": stake.view.may_redeem,
        "waits": words.explain(stake.waits) if stake.waits else None,
    }
