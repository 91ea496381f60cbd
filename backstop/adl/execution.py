"""One round over a losing inventory (docs/mathematics.md, "A round"): who is closed, for how much, and who is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from backstop.adl.scoring import Candidate, SideBook
from backstop.adl.snapshot import Inventory
from backstop.math import round as fills
from backstop.math.fund import AdlPrice
from backstop.math.position import PositionState, apply_trade


class SkipReason(StrEnum):
    """Why an account of the other side is not closed."""

    BANKRUPT = "bankrupt"
    INSOLVENT_AT_ADL_PRICE = "insolventAtAdlPrice"


@dataclass(frozen=True, slots=True)
class Fill:
    """Contracts of a counterparty closed at a price. WAD; `value` is what it gives in quote, signed like a trade's.

    `price` is the ADL price, or in the second pass the price that takes the whole equity.
    """

    account: str
    contracts: int
    price: int
    value: int
    leveraged_return: int
    adl_rank: int
    realized_pnl: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """An account that the round met and did not close."""

    account: str
    reason: SkipReason


@dataclass(slots=True)
class Round:
    """A round as it runs: the inventory that is left (`size` signed, `entry_notional` what it carries) and the mark."""

    size: int
    entry_notional: int
    mark: int
    fills: list[Fill] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    reached: int = 0


def run_round(inventory: Inventory, book: SideBook, price: AdlPrice, mark: int) -> Round:
    """Closes an inventory against the other side: those solvent at the ADL price first, then those passed over.

    `reached` counts the candidates of `book.ranked` that were looked at; `size` is what nobody covered.
    """
    state = Round(inventory.size, inventory.entry_notional, mark)
    state.skipped += [Skipped(account, SkipReason.BANKRUPT) for account in book.bankrupt]
    passed_over: list[tuple[int, Candidate]] = []
    for place, candidate in enumerate(book.ranked, start=1):
        if state.size == 0:
            break
        state.reached = place
        if fills.is_insolvent_at(candidate.equity, candidate.leg.size, price.adl, mark):
            passed_over.append((place, candidate))
            continue
        part = _part(state, candidate)
        carried = fills.carried_entry(state.size, state.entry_notional, part)
        value = fills.fill_value(part, price.execution, carried, _capacity(state, candidate, part))
        _close(state, place, candidate, part, carried, value, price.adl)
    _surrender(state, passed_over)
    return state


def _surrender(state: Round, passed_over: Iterable[tuple[int, Candidate]]) -> None:
    """The second pass: contracts still uncovered, each at the price that takes the counterparty's whole equity."""
    for place, candidate in passed_over:
        if state.size == 0:
            state.skipped.append(Skipped(candidate.account.id, SkipReason.INSOLVENT_AT_ADL_PRICE))
            continue
        price = fills.surrender_price(candidate.equity, candidate.leg.size, state.mark)
        part = _part(state, candidate)
        carried = fills.carried_entry(state.size, state.entry_notional, part)
        value = fills.surrender_value(part, price, carried, _capacity(state, candidate, part))
        _close(state, place, candidate, part, carried, value, price)


def _part(state: Round, candidate: Candidate) -> int:
    """What of the inventory a candidate closes, signed as the inventory: its whole position, or what is left."""
    contracts = min(abs(state.size), abs(candidate.leg.size))
    return contracts if state.size > 0 else -contracts


def _capacity(state: Round, candidate: Candidate, part: int) -> int:
    return fills.capacity(candidate.equity, candidate.leg.size, part, state.mark)


def _close(state: Round, place: int, candidate: Candidate, part: int, carried: int, value: int, price: int) -> None:
    leg = candidate.leg
    before = PositionState(leg.size, leg.entry_notional, candidate.account.margin)
    after = apply_trade(before, part, value)
    state.fills.append(
        Fill(
            account=candidate.account.id,
            contracts=abs(part),
            price=price,
            value=value,
            leveraged_return=candidate.leveraged_return,
            adl_rank=place,
            realized_pnl=after.margin - before.margin,
        )
    )
    state.size -= part
    state.entry_notional -= carried
