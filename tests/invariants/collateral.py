"""Draws what moves tokens, and checkpoints: deposits, withdrawals and contributions."""

from __future__ import annotations

from . import actions
from .draws import TOKEN, Draws
from .ledger import NO_HOLDING
from .machine import Machine
from .world import CROSS, LARGEST, POOL_OF, POOLS, TOKEN_SCALE, TRADERS, VAST, WALLET


class Collateral(Draws):
    """Amounts that are there, and some that are not."""

    def deposit(self, machine: Machine) -> actions.Action:
        """Mostly what a position needs; now and then nothing, a unit, more than there is, or into a strange account."""
        by, sub_id = self._trader(), self._sub_id(self._market())
        amount = self.rng.randrange(50 * TOKEN, 20_000 * TOKEN)
        if self._chance(0.06):
            amount = self.rng.choice((0, 1, WALLET + 1, 2**128, 2**200))
        if self._chance(0.03):
            sub_id = self.rng.choice((9 << 64, 0, 1 << 80 | sub_id, CROSS | 1 << 64))
        return actions.Deposit(by, self._soon(), sub_id, amount)

    def withdraw(self, machine: Machine) -> actions.Action:
        """All that is free, a part of it, a unit more, everything, or someone else's."""
        account, free, margin = self._funded(machine)
        amounts = (
            free,
            free + 1,
            max(1, free // self.rng.randrange(2, 9)),
            margin,
            1,
            0,
            2**140,
        )
        amount = self.rng.choices(amounts, (6, 4, 10, 3, 2, 1, 1))[0]
        by = self._owner(account) if not self._chance(0.05) else self._trader()
        to = by if self._chance(0.8) else self.rng.choice(self.traders)
        if self._chance(0.08):
            to = self.rng.choice((actions.NOBODY, actions.EXCHANGE, actions.EXCHANGE))
        return actions.Withdraw(by, self._soon(), account, amount, to)

    def _funded(self, machine: Machine) -> tuple[bytes, int, int]:
        """An account with collateral, what is free of it, and all of it; in token units."""
        state = machine.state
        funded = [account for account, held in state.accounts.items() if held.margin > 0]
        account = self.rng.choice(funded) if funded else TRADERS[self._trader()].account(self.focus)
        held = state.accounts.get(account, NO_HOLDING)
        free = held.health(state.quotes(machine.marks)).withdrawable // TOKEN_SCALE
        return account, free, max(0, held.margin) // TOKEN_SCALE

    def transfer(self, machine: Machine) -> actions.Action:
        """Between accounts of one owner, mostly; what is free, a part of it, a unit more, or everything."""
        account, free, margin = self._funded(machine)
        owner = TRADERS[self._owner(account)]
        market = self._market()
        own = [owner.account(market), owner.account(market, 1), owner.cross(), owner.cross(1)]
        to = self.rng.choice([one for one in own if one != account])
        if self._chance(0.06):
            to = self.rng.choice((account, TRADERS[self._trader()].account(self.focus), owner.account(9)))
        amounts = (free, free + 1, max(1, free // self.rng.randrange(2, 9)), margin, 1, 0, 2**140)
        amount = self.rng.choices(amounts, (5, 4, 10, 3, 2, 1, 1))[0]
        by = self._owner(account) if not self._chance(0.05) else self._trader()
        return actions.Transfer(by, self._soon(), account, to, amount)

    def contribute(self, machine: Machine) -> actions.Action:
        """Little, so that pools run dry; now and then to no pool, or naming a market of another, or too much."""
        if self.is_vast and self._chance(0.5):
            return self.contribute_the_most(machine)
        pool = self.rng.choice((*POOLS, 3, *(POOL_OF[self.focus],) * 3))
        market = self.rng.choice((0, *machine.state.markets_of(pool)))
        amount = self.rng.randrange(1, self.gift)
        if self._chance(0.08):
            pool, market, amount = self.rng.choice(
                ((0, 0, 1), (9, 0, 1), (1, 2, 5), (3, 9, 5), (2, 2, 0), (1, 1, 2**120))
            )
        return actions.Contribute(self._trader(), self._soon(), pool, market, amount)

    def contribute_the_most(self, machine: Machine) -> actions.Action:
        """As much as a result can be told by samples, or a unit more; naming no market there is no such bound."""
        market, named = self.focus, self._chance(0.8)
        room = (LARGEST - machine.model.fund.books[market].realized) // TOKEN_SCALE
        amount = max(1, room + self.rng.choice((0, 0, 1)))
        pool = machine.state.pool_of(market)
        return actions.Contribute(VAST, self._soon(), pool, market if named else 0, amount)

    def checkpoint(self, machine: Machine) -> actions.Action:
        """Of a market, or of none."""
        market = self._market() if not self._chance(0.03) else 9
        return actions.Checkpoint(self._trader(), self._soon(), market)
