"""What is due at a state: pure functions from a chain's state to the transactions that would do it."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.adl.planning import Plan, plan
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Side
from backstop.chain.bindings import DELEVERAGE, LIQUIDATE, TAKE_OVER
from backstop.chain.deployment import Deployment
from backstop.chain.snapshot import ChainState
from backstop.math.margin import equity, is_to_be_taken_over, maintenance_margin

SIDE_CODES = {Side.LONG: 0, Side.SHORT: 1}
# A round is sent with bounds around the planned price: so wide that a mark that moves on does not stop it, so narrow
# that a feed gone wrong in between does.
_PRICE_TOLERANCE = 20  # a twentieth of the mark, to both sides
_DEADLINE = 90  # seconds of chain time after the planned block, at most
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Liquidate:
    """Contracts of an account that pass to the keeper's own, `liquidator`, at mark less a discount. WAD.

    `side` is the position's; `notional`, `discount` and `fee` are what the contracts would come to at the mark planned
    with.
    """

    account: str
    liquidator: str
    market: str
    side: Side
    contracts: int
    notional: int
    discount: int
    fee: int
    equity: int
    maintenance_margin: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "liquidate", self.account

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        account, liquidator = (bytes.fromhex(account[2:]) for account in (self.account, self.liquidator))
        return deployment.exchange, LIQUIDATE.encode(account, state.market_ids[self.market], liquidator, self.contracts)


@dataclass(frozen=True, slots=True)
class TakeOver:
    """An account that its pool is to take over, with all of its positions. WAD."""

    account: str
    markets: tuple[str, ...]
    equity: int
    maintenance_margin: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "takeOver", self.account

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        return deployment.exchange, TAKE_OVER.encode(bytes.fromhex(self.account[2:]))


@dataclass(frozen=True, slots=True)
class Deleverage:
    """A round that is due, as planned."""

    plan: Plan

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "deleverage", self.plan.market, self.plan.side.value

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        tolerance = state.snapshot.markets[self.plan.market].mark_price // _PRICE_TOLERANCE
        listing = self.plan.listing
        lowest, highest = self.plan.adl_price - tolerance, self.plan.adl_price + tolerance
        if listing.nearest_price is not None and self.plan.side is Side.LONG:
            lowest = listing.nearest_price
        elif listing.nearest_price is not None:
            highest = listing.nearest_price
        bounds = (
            lowest,
            highest,
            [(state.market_ids[each.market], each.lowest, each.highest) for each in listing.marks],
            listing.lowest_return,
            deadline_of(state),
        )
        return deployment.engine, DELEVERAGE.encode(
            state.market_ids[self.plan.market],
            SIDE_CODES[self.plan.side],
            [bytes.fromhex(account[2:]) for account in listing.accounts],
            bounds,
        )


def deadline_of(state: ChainState) -> int:
    """Until when a round that is planned on a state may come, in chain time.

    Whoever raises their risk meanwhile must still be exempt, and funding, which moves equities, not be accrued anew.
    """
    planned_at = state.block.timestamp
    latest = planned_at + min(_DEADLINE, 3 * state.exempt_age // 4)
    if not any(terms.has_funding for terms in state.terms.values()):
        return latest
    return min(latest, planned_at - planned_at % _HOUR + _HOUR - 1)


def take_overs(state: ChainState) -> list[TakeOver]:
    """The accounts with `E <= backstopRatio * MM`: the bankrupt ones, the deepest first, then the others by their `MM`.

    Those with equity left are cheap to make in numbers, and the large ones among them are those that can cost the pool.
    For them the legs of closed markets do not count.
    """
    due: list[TakeOver] = []
    for account in state.snapshot.accounts:
        if not account.positions:
            continue
        legs = legs_of(state.snapshot, account)
        own, margin = equity(account.margin, legs), maintenance_margin(legs)
        if is_to_be_taken_over(own, state.exposed_margin(account, legs, own), state.backstop_ratio):
            markets = tuple(position.market for position in account.positions)
            due.append(TakeOver(account.id, markets, own, margin))
    return sorted(
        due,
        key=lambda duty: (duty.equity > 0, min(duty.equity, 0), -duty.maintenance_margin, duty.equity, duty.account),
    )


def rounds(state: ChainState) -> list[Deleverage]:
    """The rounds that are due and have somebody to close against."""
    return [Deleverage(item) for item in plan(state.snapshot) if item.fills or item.netted]
