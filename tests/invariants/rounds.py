"""Rounds on record as the model has them, and who may say that they left somebody out."""

from __future__ import annotations

from typing import NamedTuple

from backstop.account_id import is_cross
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import margin_rate
from backstop.math.round import is_insolvent_at
from backstop.math.wad import WAD
from tests.support.enums import Exemption

from .ledger import NO_HOLDING
from .state import Holding, Quotes
from .world import BOND_CAP, EXEMPT_AGE, MIN_PENALTY, QUARTERS, RETURN_FLOOR, TOLERANCE, is_account, market_of

LARGEST_RETURN, SMALLEST_RETURN = 2**103 - 1, -(2**103)


class Omission(NamedTuple):
    """What `RoundBook.omission` returns, field by field."""

    reason: Exemption
    leveraged_return: int = 0
    spared: int = 0


class Record(NamedTuple):
    """A round that may be challenged, and all accounts as it found them. `made_up`: those whom a later one closed."""

    keeper: int
    time: int
    market: int
    side: int
    price: int
    contracts: int
    cutoff_account: bytes
    cutoff_return: int
    second_pass: bool
    bond: int
    accounts: dict[bytes, Holding]
    quotes: Quotes
    filled: frozenset[bytes]
    made_up: frozenset[bytes] = frozenset()
    proven: frozenset[bytes] = frozenset()

    def omission(self, account: bytes) -> Omission:
        """Whether an account was left out, and why it is none."""
        if not is_account(account) or (not is_cross(account) and market_of(account) != self.market):
            return Omission(Exemption.FLAT)
        held = self.accounts.get(account, NO_HOLDING)
        position = held.held(self.market)
        if position.size == 0 or account in self.filled or account in self.made_up:
            return Omission(Exemption.FLAT)
        if int(position.size < 0) == self.side:
            return Omission(Exemption.INVENTORY_SIDE)
        sum_ = held.health(self.quotes)
        if sum_.equity <= 0:
            return Omission(Exemption.BANKRUPT)
        mark = self.quotes[self.market].mark
        rate = margin_rate(sum_.maintenance, sum_.equity)
        score = leveraged_return(position.unrealized(mark), position.entry, rate)
        spared = -(-min(abs(position.size), self.contracts) * abs(self.price - mark) // WAD)
        return Omission(self._exemption(account, sum_.equity, score), score, spared)

    def _exemption(self, account: bytes, equity: int, score: int) -> Exemption:
        held = self.accounts[account]
        size = held.held(self.market).size
        if is_insolvent_at(equity, size, self.price, self.quotes[self.market].mark):
            return Exemption.INSOLVENT_AT_ADL_PRICE
        risen = held.risk_time if is_cross(account) else held.held(self.market).risk_time
        if risen + EXEMPT_AGE > self.time:
            return Exemption.RAISED_RISK
        if not self.second_pass and not self._is_above(score):
            return Exemption.RANKED_BELOW
        return Exemption.NONE

    def _is_above(self, score: int) -> bool:
        cutoff = max(SMALLEST_RETURN, min(LARGEST_RETURN, self.cutoff_return))
        scale = max(abs(cutoff), RETURN_FLOOR)
        return cutoff != LARGEST_RETURN and score > cutoff - (-scale * TOLERANCE // WAD)

    def penalty(self, spared: int) -> int:
        """What an omission costs."""
        return min(whole_quarters(max(2 * spared, MIN_PENALTY)), self.bond)


def bond_of(compensation: int) -> int:
    """What a round sets aside."""
    return whole_quarters(min(max(2 * compensation, MIN_PENALTY), BOND_CAP))


def whole_quarters(amount: int) -> int:
    """Rounded up so that half and a quarter are whole token units."""
    return -(-amount // QUARTERS) * QUARTERS
