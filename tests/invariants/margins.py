"""The accounts of the model: one leg at a time, as `MarginAccounts` of the contracts."""

from __future__ import annotations

from backstop.account_id import is_cross
from backstop.math.position import PositionState, apply_trade
from backstop.math.wad import WAD
from tests.support.capital import SHARED

from .ledger import NO_HOLDING, Ledger, require
from .state import Health, Holding
from .world import is_account, market_of, may_hold


class Accounts(Ledger):
    """Isolated and cross accounts take one path."""

    def account(self, account: bytes) -> Holding:
        """What it is; one that was never touched has nothing. Raises Refused where the id names none."""
        require(is_account(account), "no account")
        return self.accounts.get(account, NO_HOLDING)

    def holds(self, account: bytes, market: int) -> Holding:
        """The same, of an account that may hold a market."""
        require(may_hold(account, market), "no account that may hold the market")
        return self.account(account)

    def health(self, account: bytes) -> Health:
        """Where it stands, at the last accepted price where a feed is dead."""
        held = self.accounts.get(account, NO_HOLDING)
        return held.health({market: self.quote(market) for market in held.open()})

    def accept_all(self, account: bytes, *, but: int = 0) -> None:
        """Every feed that the account's legs ask for must be good."""
        for market in self.accounts.get(account, NO_HOLDING).open():
            if market != but:
                self.accept(market)

    def open(self, account: bytes, market: int, *, anyway: bool = False) -> None:
        """Settles the funding of one leg; the feeds of the others must be good, or not `anyway`."""
        index = self.accrue(market)
        held = self.accounts.get(account, NO_HOLDING)
        position = held.held(market)
        self.touch(account, market)
        if position.size:
            paid = self.pay_funding(market, position.due(index))
            held = held.placed(market, position._replace(index=index))
            self.accounts[account] = held._replace(margin=held.margin - paid)
        if not anyway:
            self.accept_all(account, but=market)

    def touch(self, account: bytes, market: int) -> None:
        """Its position is kept as it was in the rounds that may be challenged."""
        known = self.known.get((account, market), 0)
        self.known[account, market] = max(known, self.round_of[market - 1])

    def enlist(self, account: bytes, market: int) -> None:
        """Enters an account into the list of a market, once."""
        held = self.accounts.get(account, NO_HOLDING)
        if market not in held.positions:
            self.accounts[account] = held.placed(market, held.held(market)._replace(risk_time=self.now))
            self.listed[market - 1].append(account)
            self.enlist_cross(account)

    def enlist_cross(self, account: bytes) -> None:
        """Enters a cross account into the list of those, once."""
        if is_cross(account) and account not in self.cross:
            self.cross.append(account)
            self.accounts.setdefault(account, NO_HOLDING)

    def pay(self, account: bytes, amount: int) -> None:
        """Takes an amount from its margin."""
        held = self.accounts[account]
        self.accounts[account] = held._replace(margin=held.margin - amount)

    def take(self, account: bytes, market: int, change: int, value: int) -> int:
        """A trade; returns the long contracts that it adds to the open interest."""
        held = self.accounts[account]
        before = held.held(market)
        after = apply_trade(PositionState(before.size, before.entry, held.margin), change, value)
        size = after.size
        grows = before.size == 0 or (before.size > 0) == (change > 0) or (before.size > 0) != (size > 0)
        risk_time = self.now if grows and size != 0 else before.risk_time
        index = self.index(market) if size else 0
        position = before._replace(size=size, entry=after.entry_notional, index=index, risk_time=risk_time)
        held = held.placed(market, position)._replace(margin=after.margin)
        if is_cross(account):
            if size and not before.size:
                self._check_leg(held, market)
            others = set(held.open()) - {market}
            raised = self.now if (grows and size) or others else held.risk_time
            held = held._replace(legs=tuple(held.open()), risk_time=raised)
        self.accounts[account] = held
        return max(size, 0) - max(before.size, 0)

    def _check_leg(self, held: Holding, market: int) -> None:
        pool = self.fund.books[market].pool
        require(self.fund.pools[pool].kind == SHARED, "a market for isolated accounts only")
        require(all(self.fund.books[leg].pool == pool for leg in held.legs), "a leg of another pool")

    def trade(
        self, account: bytes, market: int, change: int, value: int, *, fee: int = 0, reduce_only: bool = False
    ) -> int:
        """`take` on a leg that is open, under the rules for whoever trades of their own will."""
        before = self.health(account)
        require(before.maintenance == 0 or before.equity > 0, "bankrupt")
        size = self.accounts.get(account, NO_HOLDING).held(market).size
        reduces = size * change < 0 and abs(change) <= abs(size)
        require(reduces or not reduce_only, "not reducing")
        self.enlist(account, market)
        long_change = self.take(account, market, change, value)
        self.pay(account, fee)
        self._check_limits(market, abs(size + change), reduces=reduces)
        after = self.health(account)
        if not reduces:
            require(after.equity >= after.initial, "initial margin")
            return long_change
        require(after.equity >= 0, "equity negative")
        if after.maintenance:
            worse = after.maintenance * before.equity > before.maintenance * after.equity
            require(after.equity > 0 and not worse, "margin rate worse")
        return long_change

    def _check_limits(self, market: int, contracts: int, *, reduces: bool) -> None:
        parameters = self.parameters[market - 1]
        if contracts == 0:
            return
        require(contracts >= parameters.min_size, "position too small")
        notional = contracts * self.mark(market) // WAD
        require(reduces or notional <= parameters.max_notional, "position too large")

    def credit(self, account: bytes, amount: int) -> None:
        """Collateral into an account, WAD."""
        self.account(account)
        require(amount > 0, "amount zero")
        if is_cross(account):
            self.enlist_cross(account)
        else:
            self.touch(account, market_of(account))
            self.enlist(account, market_of(account))
        self.pay(account, -amount)

    def debit(self, account: bytes, amount: int) -> None:
        """Collateral out of an account, WAD; unrealized profit stays."""
        require(amount > 0, "amount zero")
        self.account(account)
        self.accept_all(account)
        sum_ = self.health(account)
        require(sum_.collateral + sum_.losses - amount >= sum_.initial, "margin insufficient")
        self.pay(account, amount)
        held = self.accounts[account]
        if is_cross(account):
            self.accounts[account] = held._replace(risk_time=self.now)
            return
        market = market_of(account)
        self.touch(account, market)
        position = held.positions.get(market)
        if position and position.size:
            self.accounts[account] = held.placed(market, position._replace(risk_time=self.now))
