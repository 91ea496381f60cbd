"""Which accounts the keeper liquidates onto its own, and how much of each; pure functions of a chain's state.

What its own account cannot carry is left to others, and in the end to takeover.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

from backstop.account_id import account_text, isolated_account
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Account, Market, Side
from backstop.chain.snapshot import ChainState
from backstop.chain.terms import MarketTerms
from backstop.keeper.duties import Liquidate
from backstop.math.liquidation import contracts_to_close, contracts_to_restore, penalty, share_of_equity, value
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

    `notional` is the most that its position in a market may come to at mark, and what brings a smaller discount than
    `least_discount` is left to others, WAD quote. Where `markets` names some, only those count.
    """

    owner: str
    index: int
    notional: int
    least_discount: int = WAD // 10
    markets: tuple[str, ...] = ()

    def account(self, market_id: int) -> str:
        """Its account in a market."""
        return account_text(isolated_account(self.owner, market_id, self.index))


@dataclass(frozen=True, slots=True)
class WeakLeg:
    """A position of a weak account; `share` is the part of the equity that it stands for, among all legs."""

    market: str
    size: int
    share: int


@dataclass(frozen=True, slots=True)
class Weak:
    """An account with `0 < E < MM` that is not to be taken over yet, and what is missing to its initial margin.

    Both margins are those of its legs in open markets, which alone are among the `legs`; these begin with the one that
    asks for most margin.
    """

    account: str
    equity: int
    maintenance_margin: int
    shortfall: int
    legs: tuple[WeakLeg, ...]


def liquidations(state: ChainState, liquidator: Liquidator, without: Container[str] = ()) -> list[Liquidate]:
    """All of `each_liquidation`."""
    return list(each_liquidation(state, liquidator, without))


def each_liquidation(state: ChainState, liquidator: Liquidator, without: Container[str] = ()) -> Iterator[Liquidate]:
    """What to liquidate, what lacks most to its `MM` first, each planned as if those before it were done.

    By the margin rate a crowd of dust could come first. Of an account the largest position that the keeper can carry;
    accounts in `without` are passed by. After each the keeper's position stays within its notional and the market's
    limits (one that only nets against an opposite position is within the notional) and its account keeps `E >= IM`.
    """
    own = {account.id: account for account in state.snapshot.accounts}
    held: dict[str, PositionState] = {}
    for weak in weak_accounts(state):
        if weak.account in without:
            continue
        for leg in weak.legs:
            market = state.snapshot.markets[leg.market]
            carrier = liquidator.account(state.market_ids[leg.market])
            if weak.account == carrier or (liquidator.markets and leg.market not in liquidator.markets):
                continue
            before = held.get(leg.market) or position_of(own.get(carrier))
            plan = _plan(weak, leg, carrier, before, market, state.terms[leg.market], liquidator)
            if plan is not None and plan[0].discount >= liquidator.least_discount:
                duty, held[leg.market] = plan
                yield duty
                break


def weak_accounts(state: ChainState) -> list[Weak]:
    """Every account to liquidate, what lacks most first; the contracts want a live price of all it holds."""
    found: list[Weak] = []
    for account in state.snapshot.accounts:
        if not account.positions or any(position.market in state.unpriced for position in account.positions):
            continue
        legs = legs_of(state.snapshot, account)
        own, margin = equity(account.margin, legs), maintenance_margin(legs)
        exposed = state.exposed_margin(account, legs, own)
        if not is_liquidatable(own, exposed) or is_to_be_taken_over(own, exposed, state.backstop_ratio):
            continue
        initial = sum(
            margin_requirement(
                position.size,
                state.snapshot.markets[position.market].mark_price,
                state.terms[position.market].initial_margin_fraction,
            )
            for position in account.positions
            if not state.terms[position.market].settles_at
        )
        pairs = sorted(zip(account.positions, legs, strict=True), key=lambda pair: -pair[1].maintenance_margin)
        found.append(
            Weak(
                account=account.id,
                equity=own,
                maintenance_margin=exposed,
                shortfall=initial - own,
                legs=tuple(
                    WeakLeg(position.market, leg.size, share_of_equity(own, leg.maintenance_margin, margin))
                    for position, leg in pairs
                    if not state.terms[position.market].settles_at
                ),
            )
        )
    return sorted(found, key=lambda weak: (weak.equity - weak.maintenance_margin, weak.account))


def _plan(
    weak: Weak,
    leg: WeakLeg,
    carrier: str,
    before: PositionState,
    market: Market,
    terms: MarketTerms,
    liquidator: Liquidator,
) -> tuple[Liquidate, PositionState] | None:
    """The liquidation of as much as is needed and can be carried, and the carrier's position after it."""
    mark, side, contracts = market.mark_price, Side.of(leg.size), abs(leg.size)
    fractions = terms.liquidation_discount, terms.liquidation_fee
    restoring = contracts_to_restore(contracts, mark, weak.shortfall, terms.initial_margin_fraction, sum(fractions))
    needed = contracts_to_close(restoring, contracts, terms.min_size)
    # No part of it brings more: a crowd of dust is passed by before anything is searched for.
    if penalty(needed, contracts, mark, leg.share, *fractions).discount < liquidator.least_discount:
        return None
    if before.size and before.cash + position_value(before.size, mark) <= 0:
        return None

    def after(closed: int) -> PositionState:
        cost = penalty(closed, contracts, mark, leg.share, *fractions)
        part = side.sign * closed
        return apply_trade(before, part, value(part, mark, cost.discount)) if closed else before

    def carries(closed: int) -> bool:
        state = after(closed)
        own = state.cash + position_value(state.size, mark)
        return own >= margin_requirement(state.size, mark, terms.initial_margin_fraction)

    netted = max(0, -side.sign * before.size)
    room = min(liquidator.notional, terms.max_notional) * WAD // mark - side.sign * before.size
    least = -(-needed // _LEAST_PART)
    # Beyond what nets, the more is carried the more margin it takes: where the least is too much, so is all else.
    if min(needed, room) < least or (least >= netted and not carries(least)):
        return None
    most = most_carried(min(netted, needed), min(needed, room), carries)

    def leaves_no_dust(closed: int) -> bool:
        left, carried = contracts - closed, abs(before.size + side.sign * closed)
        return all(size == 0 or size >= terms.min_size for size in (left, carried))

    # Where what is left or what is carried would be too small: the next smaller part that is not.
    parts = {most, contracts - terms.min_size, netted, netted - terms.min_size}
    fitting = [part for part in parts if 0 < part <= most and leaves_no_dust(part) and carries(part)]
    closed = max(fitting, default=0)
    if closed == 0 or (closed < needed and closed * _LEAST_PART < needed):
        return None
    cost = penalty(closed, contracts, mark, leg.share, *fractions)
    duty = Liquidate(
        account=weak.account,
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


def most_carried(netted: int, most: int, carries: Callable[[int], bool]) -> int:
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


def position_of(account: Account | None) -> PositionState:
    """What an isolated account holds; nothing of one that there is not."""
    if account is None:
        return _NOTHING
    held = account.positions[0] if account.positions else None
    return PositionState(held.size if held else 0, held.entry_notional if held else 0, account.margin)
