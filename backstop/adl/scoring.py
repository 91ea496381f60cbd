"""One side of a market as a round sees it: who holds it, scored, and who is bankrupt.

Order: leveraged return descending, then account id ascending (docs/mathematics.md, "Leveraged return and lights").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backstop.adl.snapshot import Account, Position, Side, Snapshot
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import Leg, equity, maintenance_margin, margin_rate, value_leg


@dataclass(frozen=True, slots=True)
class Candidate:
    """A position of an account with `E > 0`, and the account's equity and margin rate. All WAD, `leg.size` signed."""

    account: Account
    leg: Leg
    equity: int
    margin_rate: int
    leveraged_return: int


@dataclass(frozen=True, slots=True)
class SideBook:
    """`ranked` from the first to be deleveraged on; `bankrupt` holds the ids with `E <= 0`, ascending."""

    ranked: tuple[Candidate, ...]
    bankrupt: tuple[str, ...]


def legs_of(snapshot: Snapshot, account: Account) -> list[Leg]:
    """The positions of an account at mark, in the account's own order."""
    legs = []
    for position in account.positions:
        market = snapshot.markets[position.market]
        legs.append(
            value_leg(position.size, position.entry_notional, market.mark_price, market.maintenance_margin_fraction)
        )
    return legs


def is_bankrupt(snapshot: Snapshot, account: Account) -> bool:
    """Whether an account holds positions and `E <= 0`: it is never a counterparty, it is to be taken over."""
    return bool(account.positions) and equity(account.margin, legs_of(snapshot, account)) <= 0


def score_sides(snapshot: Snapshot, wanted: Iterable[tuple[str, Side]]) -> dict[tuple[str, Side], SideBook]:
    """The books of the wanted sides, in one pass over the accounts."""
    scored: dict[tuple[str, Side], list[Candidate]] = {key: [] for key in wanted}
    bankrupt: dict[tuple[str, Side], list[str]] = {key: [] for key in scored}
    for account in snapshot.accounts:
        keys = [_side_key(position) for position in account.positions]
        if not any(key in scored for key in keys):
            continue
        legs = legs_of(snapshot, account)
        account_equity = equity(account.margin, legs)
        if account_equity <= 0:
            for key in keys:
                if key in bankrupt:
                    bankrupt[key].append(account.id)
            continue
        rate = margin_rate(maintenance_margin(legs), account_equity)
        for key, leg in zip(keys, legs, strict=True):
            if key in scored:
                score = leveraged_return(leg.unrealized_pnl, leg.entry_notional, rate)
                scored[key].append(Candidate(account, leg, account_equity, rate, score))
    return {
        key: SideBook(
            ranked=tuple(sorted(candidates, key=lambda one: (-one.leveraged_return, one.account.id))),
            bankrupt=tuple(sorted(bankrupt[key])),
        )
        for key, candidates in scored.items()
    }


def _side_key(position: Position) -> tuple[str, Side]:
    return position.market, Side.of(position.size)
