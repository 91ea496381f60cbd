"""What a policy does to the accounts of one book: who pays, how much of a gain, and what splitting or dodging brings.

Floats, USD. Everybody is closed at the same price, so who is closed by one contract gives up the same as any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backstop.adl.snapshot import Account, Position, Snapshot
from backstop.math.wad import WAD
from backstop.policies.allocation import ALLOCATE, Holdings, Policy, planned
from backstop.policies.population import MAINTENANCE, Book

Floats = NDArray[np.float64]

PARTS = 10  # accounts that an equal split makes
FEE = 0.0007  # of the value, of a trade with oneself: 5 basis points taken, 2 made
_PROBED = 3  # accounts of a book that are tried to split and to dodge: those that pay most
_DODGE = 2  # among the ways that are tried
_THIN = 10  # one contract in so many goes to the account that keeps only its initial margin


@dataclass(frozen=True, slots=True)
class Paid:
    """What became of the accounts of a book; arrays by account, in the order of the book.

    `given` up against mark, `gain` before it (negative for a loss), `equity`, `leverage` of the accounts.
    """

    given: Floats
    gain: Floats
    equity: Floats
    leverage: Floats


@dataclass(frozen=True, slots=True)
class Probe:
    """One account that tried not to pay: what it would have paid, and pays with another arrangement; `cost` of that."""

    before: float
    after: float
    cost: float


@dataclass(frozen=True, slots=True)
class BookResult:
    """A book by one policy. `equal`, `thin` splits and `dodge` where they were asked for."""

    paid: Paid
    equal: tuple[Probe, ...]
    thin: tuple[Probe, ...]
    dodge: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class ExactRound:
    """The queue's round as the contracts would execute it, WAD: `given` up against mark, contracts closed of each."""

    needed: int
    given: int
    contracts: int
    counterparties: int


def exact_round(book: Book) -> ExactRound:
    """By the plan that a keeper would submit."""
    found = planned(book.snapshot)
    closed = sum(fill.contracts for fill in found.fills)
    return ExactRound(
        needed=book.row.needed,
        given=sum(abs(fill.value) for fill in found.fills) - closed * book.mark // WAD,
        contracts=closed,
        counterparties=len(found.fills),
    )


def measure(book: Book, policy: Policy, *, probe: bool) -> BookResult:
    """Who pays what; and, where it is asked for, what those who pay most could save."""
    paid = paid_by(book.snapshot, policy)
    if not probe:
        return BookResult(paid, (), (), ())
    held = Holdings.of(book.snapshot)
    payers = [int(place) for place in np.argsort(-paid.given, kind="stable")[:_PROBED] if paid.given[place] > 0]
    tries = [
        (split_equally(book.snapshot, place), split_thin(book.snapshot, place), dodge(book.snapshot, place))
        for place in payers
    ]
    fees = [FEE * float(held.value[place]) for place in payers]
    before = [float(paid.given[place]) for place in payers]
    return BookResult(
        paid,
        *(
            tuple(
                Probe(was, _paid_after(book.snapshot, accounts, policy), fee if kind == _DODGE else 0.0)
                for changed, was, fee in zip(tries, before, fees, strict=True)
                if (accounts := changed[kind]) is not None
            )
            for kind in range(_DODGE + 1)
        ),
    )


def paid_by(snapshot: Snapshot, policy: Policy) -> Paid:
    """What each account gives up."""
    closed = ALLOCATE[policy](snapshot)
    held = Holdings.of(snapshot)
    leverage = np.divide(held.value, held.equity, out=np.full_like(held.value, np.inf), where=held.equity > 0)
    return Paid(closed * _gap(snapshot), held.gain, held.equity, leverage)


def _gap(snapshot: Snapshot) -> float:
    """What one contract gives up against mark."""
    [pool] = snapshot.pools.values()
    return -pool.balance / sum(item.size for item in pool.inventory)


def _paid_after(before: Snapshot, accounts: tuple[Account, ...], policy: Policy) -> float:
    """What the accounts that took one's place pay together: those that were not there."""
    after = replace(before, accounts=accounts)
    known = {id(one) for one in before.accounts}
    given = paid_by(after, policy).given
    return float(sum(amount for one, amount in zip(accounts, given.tolist(), strict=True) if id(one) not in known))


def split_equally(snapshot: Snapshot, place: int) -> tuple[Account, ...] | None:
    """The account as ten of the same leverage."""
    own = snapshot.accounts[place]
    [position] = own.positions
    parts = [
        Account(
            _part_id(own.id, number),
            own.margin_mode,
            own.margin // PARTS,
            (Position(position.market, position.size // PARTS, position.entry_notional // PARTS),),
        )
        for number in range(PARTS)
    ]
    return _instead(snapshot, place, parts)


def split_thin(snapshot: Snapshot, place: int) -> tuple[Account, ...] | None:
    """A tenth with no more than its initial margin, and all other margin behind the rest; None where it has no more."""
    own = snapshot.accounts[place]
    [position] = own.positions
    size, entry = position.size // _THIN, position.entry_notional // _THIN
    mark = snapshot.markets[position.market].mark_price
    gain = size * mark // WAD - entry
    needed = 2 * abs(size) * mark * MAINTENANCE // WAD**2 - gain
    margin = max(0, needed)
    if margin >= own.margin:
        return None
    thin = Account(_part_id(own.id, 0), own.margin_mode, margin, (Position(position.market, size, entry),))
    rest = Position(position.market, position.size - size, position.entry_notional - entry)
    thick = Account(_part_id(own.id, 1), own.margin_mode, own.margin - margin, (rest,))
    return _instead(snapshot, place, [thin, thick])


def dodge(snapshot: Snapshot, place: int) -> tuple[Account, ...] | None:
    """The position traded at mark to an own account: its gain is margin now; None where the fee leaves too little."""
    own = snapshot.accounts[place]
    [position] = own.positions
    mark = snapshot.markets[position.market].mark_price
    value = position.size * mark // WAD
    equity = own.margin + value - position.entry_notional - int(abs(value) * FEE)
    if equity < 2 * abs(value) * MAINTENANCE // WAD:
        return None
    new = Account(_part_id(own.id, 0), own.margin_mode, equity, (Position(position.market, position.size, value),))
    return _instead(snapshot, place, [new])


def _instead(snapshot: Snapshot, place: int, others: list[Account]) -> tuple[Account, ...]:
    return (*snapshot.accounts[:place], *others, *snapshot.accounts[place + 1 :])


def _part_id(account: str, number: int) -> str:
    """Of an owner's other account: beyond all ids of the population, in the same order."""
    return f"0x{(number + 1):08x}{account[10:]}"
