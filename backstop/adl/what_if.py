"""What a change of an account would do to its place in the queue (docs/accounts.md, "What would lower it").

Pure functions of a snapshot: the account is changed as the exchange would change it, and ranked anew. Fills are at
mark. Nobody else on the side changes: contracts that are closed go to somebody of the other side who reduces too, so
the side has fewer of them. Amounts are WAD integers, and funding is settled before as the snapshot has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from backstop.adl.ranking import Ranked, rank
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Account, MarginMode, Market, Position, Side, Snapshot
from backstop.errors import UnknownMarketError, WhatIfError
from backstop.math.fees import trading_fee
from backstop.math.margin import equity, maintenance_margin, margin_requirement, withdrawable
from backstop.math.position import PositionState, apply_trade, trade_value
from backstop.math.wad import WAD, format_amount


class Terms(NamedTuple):
    """What a market asks of who trades in it, WAD. `initial_margin_fraction` is None where it is not known."""

    initial_margin_fraction: int | None = None
    maker_fee: int = 0
    taker_fee: int = 0
    min_size: int = 0
    max_notional: int | None = None
    isolated_only: bool = False


@dataclass(frozen=True, slots=True)
class AddMargin:
    """A deposit of `amount`, WAD, above zero."""

    amount: int


@dataclass(frozen=True, slots=True)
class Close:
    """`contracts` of the position closed at mark as a taker, WAD, above zero."""

    contracts: int


@dataclass(frozen=True, slots=True)
class Split:
    """`contracts` of the position moved at mark to a new account of the same kind and owner, which has the id `into`.

    It gets `margin` first, deposited from the wallet where `is_deposited`, else moved from the account; and pays the
    taker's fee, the account the maker's. WAD, both above zero.
    """

    contracts: int
    margin: int
    into: str
    is_deposited: bool = False


Wish = AddMargin | Close | Split


@dataclass(frozen=True, slots=True)
class Standing:
    """An account in a market: `place` in the queue is None without a position or without equity.

    WAD; `collateral` (margin, funding settled) and `equity` signed, `contracts` unsigned, both margins of the whole
    account; `initial_margin` is None where one of its markets does not tell it.
    """

    account: str
    contracts: int
    collateral: int
    equity: int
    maintenance_margin: int
    initial_margin: int | None
    place: Ranked | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Before and after a change. WAD; `fee` is what all trades of it cost, `realized_pnl` what they realize.

    `beside` is the new account of a split, `changed` the snapshot after all of it, and the numbers are how many
    accounts have a place in the queue of the side.
    """

    market: str
    side: Side
    before: Standing
    after: Standing
    beside: Standing | None
    fee: int
    realized_pnl: int
    ranked_before: int
    ranked_after: int
    changed: Snapshot


def what_if(
    snapshot: Snapshot, account: str, market: str | None, wish: Wish, terms: Mapping[str, Terms] | None = None
) -> Outcome:
    """An account's place in the queue of a market as it is, and after a change.

    `market` may be None where the account has one position. What `terms` do not tell of a market costs and asks
    nothing; but a split is judged by the initial margin. Raises WhatIfError for whatever the exchange would refuse.
    """
    known = terms or {}
    holder = _account_of(snapshot, account)
    position = _position_of(snapshot, holder, market)
    if isinstance(wish, AddMargin):
        after, beside, fee, realized = _with_margin(holder, wish.amount), None, 0, 0
    elif isinstance(wish, Close):
        after, fee, realized = _closed(snapshot, holder, position, wish.contracts, known)
        beside = None
    else:
        after, beside, fee, realized = _split(snapshot, holder, position, wish, known)
    changed = _with_accounts(snapshot, after, beside)
    side = Side.of(position.size)
    queue = {one.account: one for one in rank(snapshot, position.market, side)}
    queue_after = {one.account: one for one in rank(changed, position.market, side)}
    return Outcome(
        market=position.market,
        side=side,
        before=_standing(snapshot, holder, position.market, known, queue),
        after=_standing(changed, after, position.market, known, queue_after),
        beside=None if beside is None else _standing(changed, beside, position.market, known, queue_after),
        fee=fee,
        realized_pnl=realized,
        ranked_before=len(queue),
        ranked_after=len(queue_after),
        changed=changed,
    )


def _account_of(snapshot: Snapshot, account: str) -> Account:
    for one in snapshot.accounts:
        if one.id == account:
            return one
    raise WhatIfError(f"unknown account {account!r}: it holds nothing here")


def _position_of(snapshot: Snapshot, account: Account, market: str | None) -> Position:
    if market is not None and market not in snapshot.markets:
        raise UnknownMarketError(market, list(snapshot.markets))
    held = ", ".join(one.market for one in account.positions)
    if not held:
        raise WhatIfError(f"account {account.id} has no position, and so no place in a queue")
    if market is None and len(account.positions) > 1:
        raise WhatIfError(f"account {account.id} has positions in {held}: name one by --market")
    for one in account.positions:
        if market in (None, one.market):
            return one
    raise WhatIfError(f"account {account.id} has no position in {market}: it has one in {held}")


# ------------------------------------------------------------------ the changes


def _with_margin(account: Account, amount: int) -> Account:
    return replace(account, margin=account.margin + amount)


def _closed(
    snapshot: Snapshot, account: Account, position: Position, contracts: int, terms: Mapping[str, Terms]
) -> tuple[Account, int, int]:
    """The account after it has closed some contracts as a taker, the fee, and the result."""
    _check_tradable(snapshot, account)
    _check_contracts(account, position, contracts, "closed")
    delta = -contracts if position.size > 0 else contracts
    value = trade_value(delta, snapshot.markets[position.market].mark_price)
    fraction = terms.get(position.market, Terms()).taker_fee
    return _reduced(snapshot, account, position, delta, value, trading_fee(value, fraction), terms)


def _split(
    snapshot: Snapshot, account: Account, position: Position, wish: Split, terms: Mapping[str, Terms]
) -> tuple[Account, Account, int, int]:
    """Both accounts after a split, the fees of both, and the result of the old one."""
    market, own = snapshot.markets[position.market], terms.get(position.market, Terms())
    _check_tradable(snapshot, account)
    _check_contracts(account, position, wish.contracts, "split off")
    if any(one.id == wish.into for one in snapshot.accounts):
        raise WhatIfError(f"account {wish.into} is not new: it holds something already")
    if not wish.is_deposited:
        _check_movable(snapshot, account, wish.margin, terms)
        account = _with_margin(account, -wish.margin)
    taken = wish.contracts if position.size > 0 else -wish.contracts
    value = trade_value(taken, market.mark_price)
    made, paid = trading_fee(value, own.maker_fee), trading_fee(value, own.taker_fee)
    after, _, realized = _reduced(snapshot, account, position, -taken, -value, made, terms)
    opened = apply_trade(PositionState(0, 0, wish.margin), taken, value)
    beside = Account(
        id=wish.into,
        margin_mode=account.margin_mode,
        margin=opened.margin - paid,
        positions=(Position(position.market, opened.size, opened.entry_notional),),
    )
    _check_opened(snapshot, beside, market, own)
    return after, beside, made + paid, realized


def _reduced(
    snapshot: Snapshot,
    account: Account,
    position: Position,
    delta: int,
    value: int,
    fee: int,
    terms: Mapping[str, Terms],
) -> tuple[Account, int, int]:
    """The account after a trade that reduces a position, by the rules of the exchange; the fee, and the result."""
    state = apply_trade(PositionState(position.size, position.entry_notional, account.margin), delta, value)
    left = tuple(
        Position(one.market, state.size, state.entry_notional) if one is position else one
        for one in account.positions
        if one is not position or state.size
    )
    after = replace(account, margin=state.margin - fee, positions=left)
    smallest = terms.get(position.market, Terms()).min_size
    if 0 < abs(state.size) < smallest:
        raise WhatIfError(
            f"{_shown(state.size)} contracts would be left in {position.market}, and the smallest position has "
            f"{_shown(smallest)}: leave at least that, or none"
        )
    _check_reduced(snapshot, account, after)
    return after, fee, state.margin - account.margin


# ------------------------------------------------------------------ the rules


def _check_tradable(snapshot: Snapshot, account: Account) -> None:
    """A trade needs equity, and a live price of every market that the account holds."""
    own = equity(account.margin, legs_of(snapshot, account))
    if own <= 0:
        raise WhatIfError(
            f"account {account.id} has no equity left ({format_amount(own)}) and cannot trade: only margin can be added"
        )
    for one in account.positions:
        if snapshot.markets[one.market].is_closed:
            raise WhatIfError(f"{one.market} was closed: its positions are settled at its final price, not traded")
        if not snapshot.markets[one.market].is_live:
            raise WhatIfError(f"{one.market} has no price now, and who holds it cannot trade: wait until it has one")


def _check_contracts(account: Account, position: Position, contracts: int, what: str) -> None:
    if contracts > abs(position.size):
        raise WhatIfError(
            f"{format_amount(contracts)} contracts cannot be {what}: account {account.id} has "
            f"{_shown(position.size)} in {position.market}"
        )


def _check_movable(snapshot: Snapshot, account: Account, margin: int, terms: Mapping[str, Terms]) -> None:
    """What leaves an account leaves its initial margin behind, and gains do not count."""
    initial = _needed_margin(snapshot, account, terms)
    movable = max(0, withdrawable(account.margin, (leg.unrealized_pnl for leg in legs_of(snapshot, account)), initial))
    if margin > movable:
        raise WhatIfError(
            f"{format_amount(margin)} of margin cannot be moved: without unrealized profit account {account.id} has "
            f"{format_amount(movable)} beyond its initial margin of {format_amount(initial)}; deposit what is missing"
        )


def _check_opened(snapshot: Snapshot, account: Account, market: Market, terms: Terms) -> None:
    """A position that was opened has the initial margin, and lies within the limits of its market."""
    [position] = account.positions
    initial = _needed_margin(snapshot, account, {market.name: terms})
    own = equity(account.margin, legs_of(snapshot, account))
    if own < initial:
        raise WhatIfError(
            f"the new account would have an equity of {format_amount(own)} after the fee, and the initial margin of "
            f"{_shown(position.size)} contracts in {market.name} is {format_amount(initial)}: give it "
            f"{format_amount(initial - own)} more, or split off fewer"
        )
    if abs(position.size) < terms.min_size:
        raise WhatIfError(
            f"{_shown(position.size)} contracts are too few for a position of their own in {market.name}: the "
            f"smallest has {_shown(terms.min_size)}"
        )
    notional = abs(position.size) * market.mark_price // WAD
    if terms.max_notional is not None and notional > terms.max_notional:
        raise WhatIfError(
            f"the new position would be worth {format_amount(notional)}, and may be worth "
            f"{format_amount(terms.max_notional)} in {market.name}: split off fewer"
        )
    if terms.isolated_only and account.margin_mode is MarginMode.CROSS:
        raise WhatIfError(f"{market.name} is held by isolated accounts only: a new cross account cannot take it")


def _check_reduced(snapshot: Snapshot, before: Account, after: Account) -> None:
    """After a trade that only reduces: not negative, and unless flat the margin rate is no worse than before."""
    legs, legs_after = legs_of(snapshot, before), legs_of(snapshot, after)
    own, own_after = equity(before.margin, legs), equity(after.margin, legs_after)
    margin, margin_after = maintenance_margin(legs), maintenance_margin(legs_after)
    if own_after < 0:
        raise WhatIfError(f"the trade would leave account {before.id} an equity of {format_amount(own_after)}")
    if margin_after and (own_after == 0 or margin_after * own > margin * own_after):
        raise WhatIfError(
            f"the trade would leave account {before.id} an equity of {format_amount(own_after)} for a maintenance "
            f"margin of {format_amount(margin_after)}, a worse margin rate than it has: add margin first, or close more"
        )


# ------------------------------------------------------------------ figures


def _standing(
    snapshot: Snapshot, account: Account, market: str, terms: Mapping[str, Terms], queue: Mapping[str, Ranked]
) -> Standing:
    legs = legs_of(snapshot, account)
    return Standing(
        account=account.id,
        contracts=sum(abs(one.size) for one in account.positions if one.market == market),
        collateral=account.margin,
        equity=equity(account.margin, legs),
        maintenance_margin=maintenance_margin(legs),
        initial_margin=_initial_margin(snapshot, account, terms),
        place=queue.get(account.id),
    )


def _initial_margin(snapshot: Snapshot, account: Account, terms: Mapping[str, Terms]) -> int | None:
    """`IM` of an account; None where one of its markets does not tell its fraction."""
    total = 0
    for one in account.positions:
        fraction = terms.get(one.market, Terms()).initial_margin_fraction
        if fraction is None:
            return None
        total += margin_requirement(one.size, snapshot.markets[one.market].mark_price, fraction)
    return total


def _needed_margin(snapshot: Snapshot, account: Account, terms: Mapping[str, Terms]) -> int:
    """The same where it decides on something."""
    initial = _initial_margin(snapshot, account, terms)
    if initial is None:
        held = ", ".join(one.market for one in account.positions)
        raise WhatIfError(f"a split is judged by the initial margin of {held}, which is not known: tell it")
    return initial


def _with_accounts(snapshot: Snapshot, after: Account, beside: Account | None) -> Snapshot:
    accounts = [after if one.id == after.id else one for one in snapshot.accounts]
    return replace(snapshot, accounts=(*accounts, *(() if beside is None else (beside,))))


def _shown(size: int) -> str:
    return format_amount(abs(size))
