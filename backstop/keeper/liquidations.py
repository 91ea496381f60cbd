"""Which accounts the keeper liquidates onto its own, and how much of each; pure functions of a chain's state.

What its own account cannot carry is left to others, and in the end to takeover.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from fractions import Fraction

from backstop.account_id import account_text, isolated_account
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Account, Market, Side
from backstop.chain.snapshot import ChainState
from backstop.chain.terms import MarketTerms
from backstop.keeper.duties import Liquidate
from backstop.math.liquidation import contracts_to_restore, penalty, value
from backstop.math.margin import (
    equity,
    is_liquidatable,
    is_to_be_taken_over,
    maintenance_margin,
    margin_requirement,
    position_value,
)
from backstop.math.position import PositionState, apply_trade
from backstop.math.wad import WAD

# A smaller part of what an account needs is not worth a transaction; it would be sent again at every tick of the mark.
_LEAST_PART = 20
_NOTHING = PositionState(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Liquidator:
    """Whose accounts take liquidated positions: in each market the owner's isolated account with this index.

    `notional` is the most that its position in a market may come to at mark, WAD quote.
    """

    owner: str
    index: int
    notional: int

    def account(self, market_id: int) -> str:
        """Its account in a market."""
        return account_text(isolated_account(self.owner, market_id, self.index))


@dataclass(frozen=True, slots=True)
class _Weak:
    """An account with `0 < E < MM` that is not to be taken over yet, and its one position."""

    account: Account
    size: int
    equity: int
    maintenance_margin: int


def liquidations(state: ChainState, liquidator: Liquidator, without: Container[str] = ()) -> list[Liquidate]:
    """What to liquidate, the worst margin rate first, each planned as if those before it were done.

    Accounts in `without` are passed by. After each the keeper's position stays within its notional (one that only nets
    against an opposite position always is) and its account keeps `E >= IM`.
    """
    own = {account.id: account for account in state.snapshot.accounts}
    held: dict[str, PositionState] = {}
    due: list[Liquidate] = []
    for weak in _weak_accounts(state):
        market = state.snapshot.markets[weak.account.positions[0].market]
        carrier = liquidator.account(state.market_ids[market.name])
        if weak.account.id == carrier or weak.account.id in without:
            continue
        before = held.get(market.name) or _position(own.get(carrier))
        plan = _plan(weak, carrier, before, market, state.terms[market.name], liquidator.notional)
        if plan is not None:
            duty, held[market.name] = plan
            due.append(duty)
    return due


def _weak_accounts(state: ChainState) -> list[_Weak]:
    found: list[_Weak] = []
    for account in state.snapshot.accounts:
        if len(account.positions) != 1:
            continue
        legs = legs_of(state.snapshot, account)
        own, margin = equity(account.margin, legs), maintenance_margin(legs)
        if is_liquidatable(own, margin) and not is_to_be_taken_over(own, margin, state.backstop_ratio):
            found.append(_Weak(account, legs[0].size, own, margin))
    return sorted(found, key=lambda weak: (Fraction(weak.equity, weak.maintenance_margin), weak.account.id))


def _plan(
    weak: _Weak, carrier: str, before: PositionState, market: Market, terms: MarketTerms, notional: int
) -> tuple[Liquidate, PositionState] | None:
    """The liquidation of as much as is needed and can be carried, and the carrier's position after it."""
    mark, side, contracts = market.mark_price, Side.of(weak.size), abs(weak.size)
    fractions = terms.liquidation_discount, terms.liquidation_fee
    needed = contracts_to_restore(contracts, mark, weak.equity, terms.initial_margin_fraction, sum(fractions))

    def after(closed: int) -> PositionState:
        cost = penalty(closed, contracts, mark, weak.equity, *fractions)
        part = side.sign * closed
        return apply_trade(before, part, value(part, mark, cost.discount)) if closed else before

    def carries(closed: int) -> bool:
        state = after(closed)
        own = state.cash + position_value(state.size, mark)
        return own >= margin_requirement(state.size, mark, terms.initial_margin_fraction)

    netted = max(0, -side.sign * before.size)
    room = notional * WAD // mark - side.sign * before.size
    closed = _most(min(netted, needed), min(needed, room), carries)
    if closed == 0 or (closed < needed and closed * _LEAST_PART < needed):
        return None
    cost = penalty(closed, contracts, mark, weak.equity, *fractions)
    duty = Liquidate(
        account=weak.account.id,
        liquidator=carrier,
        market=market.name,
        side=side,
        contracts=closed,
        notional=closed * mark // WAD,
        discount=cost.discount,
        fee=cost.fee,
        equity=weak.equity,
        maintenance_margin=weak.maintenance_margin,
    )
    return duty, after(closed)


def _most(netted: int, most: int, carries: Callable[[int], bool]) -> int:
    """The largest number of contracts up to `most` that can be carried, 0 where there is none.

    What nets against an opposite position (`netted`) only frees margin, and what is beyond it only takes margin, so
    the search is a bisection from there on; every answer is one that `carries` has confirmed.
    """
    if most <= 0:
        return 0
    if carries(most):
        return most
    low, high = min(netted, most), most
    if not carries(low):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if carries(middle) else (low, middle)
    return low


def _position(account: Account | None) -> PositionState:
    if account is None:
        return _NOTHING
    held = account.positions[0] if account.positions else None
    return PositionState(held.size if held else 0, held.entry_notional if held else 0, account.margin)
