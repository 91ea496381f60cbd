"""What a round should have done, and who was left out of it: from the state that was read right before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from backstop.account_id import account_text, is_cross
from backstop.adl.due import due_inventory
from backstop.adl.listing import NO_BOUND
from backstop.adl.scoring import Candidate, SideBook, score_sides
from backstop.adl.snapshot import Side
from backstop.math.fund import adl_price
from backstop.math.round import is_insolvent_at
from backstop.math.wad import WAD
from tests.support.enums import Exemption

from .state import View
from .world import BY_ID

SIDES = (Side.LONG, Side.SHORT)
_HIGHEST, _LOWEST = 2**103 - 1, -(2**103)  # of a cutoff as it is kept
_QUARTERS = 4 * 10**12


class Parameters(NamedTuple):
    """`RoundParameters` of the contracts, in their order."""

    window: int = 3600
    exempt_age: int = 120
    tolerance: int = WAD // 20
    return_floor: int = WAD // 100
    least_penalty: int = 100 * WAD
    bond_cap: int = 100_000 * WAD


class Omission(NamedTuple):
    """What `RoundBook.omission` returns."""

    reason: Exemption
    leveraged_return: int = 0
    spared: int = 0


@dataclass(slots=True)
class Record:
    """A round and what it went by. `made_up` are those closed whole by later ones, `proven` those challenged."""

    number: int
    keeper: str
    is_honest: bool
    market: int
    side: int
    parameters: Parameters
    price: int
    view: View
    book: SideBook
    fills: dict[bytes, int]  # contracts, in the order they were closed
    cutoff_return: int
    second_pass: bool
    bond: int
    made_up: set[bytes] = field(default_factory=set)
    proven: set[bytes] = field(default_factory=set)
    scored: dict[str, Candidate] = field(default_factory=dict)

    @property
    def open_until(self) -> int:
        """The last second of its window."""
        return self.view.time + self.parameters.window

    @property
    def contracts(self) -> int:
        """All that it closed."""
        return sum(self.fills.values())

    @property
    def taken(self) -> int:
        """For a contract, beyond mark."""
        return abs(self.price - self.view.quotes[self.market].mark)

    def omission(self, account: bytes) -> Omission:
        """Whether it was left out, and why it is none."""
        holding = self.view.accounts.get(account)
        size = holding.size(self.market) if holding else 0
        if holding is None or size == 0 or account in self.fills or account in self.made_up:
            return Omission(Exemption.FLAT)
        if (size < 0) == bool(self.side):
            return Omission(Exemption.INVENTORY_SIDE)
        if not self.scored:
            self.scored = {one.account.id: one for one in self.book.ranked}
        found = self.scored.get(account_text(account))
        if found is None:
            return Omission(Exemption.BANKRUPT)
        mark = self.view.quotes[self.market].mark
        spared = -(-min(abs(size), self.contracts) * self.taken // WAD)
        if is_insolvent_at(found.equity, size, self.price, mark):
            reason = Exemption.INSOLVENT_AT_ADL_PRICE
        elif holding.risk_time + self.parameters.exempt_age > self.view.time:
            reason = Exemption.RAISED_RISK
        elif not self.second_pass and not self._is_above(found.leveraged_return):
            reason = Exemption.RANKED_BELOW
        else:
            reason = Exemption.NONE
        return Omission(reason, found.leveraged_return, spared)

    def _is_above(self, score: int) -> bool:
        cutoff = max(_LOWEST, min(self.cutoff_return, _HIGHEST))
        scale = max(abs(cutoff), self.parameters.return_floor)
        return cutoff != _HIGHEST and score > cutoff - (-scale * self.parameters.tolerance // WAD)

    def penalty(self, spared: int) -> int:
        """What an omission costs now."""
        return min(whole_quarters(max(2 * spared, self.parameters.least_penalty)), self.bond)


def whole_quarters(amount: int) -> int:
    """Rounded up so that half and a quarter are whole token units."""
    return -(-amount // _QUARTERS) * _QUARTERS


def judge(
    view: View,
    parameters: Parameters,
    market: int,
    side: int,
    candidates: Iterable[bytes],
    lowest: int,
    keeper: str = "",
    is_honest: bool = True,
) -> Record:
    """The round that the contracts should make of a list. Raises LookupError where nothing is due."""
    name = BY_ID[market].name
    dues = [
        one
        for one in due_inventory(view.snapshot)
        if one.inventory.market == name and Side.of(one.inventory.size) is SIDES[side]
    ]
    if not dues:
        raise LookupError("no round is due")
    inventory, compensation, mark = dues[0].inventory, dues[0].compensation, view.quotes[market].mark
    price = adl_price(inventory.size, inventory.entry_notional, mark, compensation).adl
    key = name, SIDES[1 - side]
    book = score_sides(view.snapshot, {key})[key]
    listed = {account_text(account) for account in candidates}
    left, cutoff, fills, passed_over = abs(inventory.size), 0, {}, []
    for one in book.ranked:
        if left == 0 or one.leveraged_return < lowest:
            break
        if one.account.id not in listed:
            continue
        if is_insolvent_at(one.equity, one.leg.size, price, mark):
            passed_over.append(one)
            continue
        fills[bytes.fromhex(one.account.id[2:])] = part = min(left, abs(one.leg.size))
        left, cutoff = left - part, one.leveraged_return
    second_pass = False
    for one in passed_over if lowest == NO_BOUND else ():
        if left:
            fills[bytes.fromhex(one.account.id[2:])] = part = min(left, abs(one.leg.size))
            left, second_pass = left - part, True
    bond = whole_quarters(min(max(2 * compensation, parameters.least_penalty), parameters.bond_cap))
    return Record(0, keeper, is_honest, market, side, parameters, price, view, book, fills, cutoff, second_pass, bond)


def closed_whole(record: Record) -> Iterable[bytes]:
    """Isolated accounts of which a round left nothing."""
    for account, contracts in record.fills.items():
        if not is_cross(account) and contracts == abs(record.view.accounts[account].size(record.market)):
            yield account
