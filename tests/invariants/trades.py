"""Draws trades and cancellations: what the order book sends."""

from __future__ import annotations

from dataclasses import replace

from backstop.math.wad import WAD
from backstop.orders import Order

from . import actions
from .collateral import Collateral
from .draws import holders, room_of
from .ledger import CANCELLED, NO_HOLDING
from .machine import Machine
from .state import State
from .world import CROSS, MARKETS, SHARED, TRADERS, account_of, owner_of

HOUR, DAY = 3600, 86400


class Trades(Collateral):
    """Orders that open, grow, reduce, close or flip, and their cancellation."""

    def trade(self, machine: Machine) -> actions.Action:
        """Two orders: to open, grow, reduce, close or flip, near mark or far from it, whole or in part."""
        state, market = machine.state, self._market()
        mark = machine.marks[market - 1]
        for _ in range(6):
            taker, maker = self._two_accounts(state, market)
            size = self._trade_size(machine, taker, maker, market)
            if size:
                break
        else:
            if self._chance(0.8):
                return self.deposit(machine)
            size = self.rng.choice((-1, 1)) * self._odd(10 * WAD)
        price = max(1, self._near(mark))
        made = self._resting(machine, taker, market, -size) if self._chance(0.25) else None
        of_note = self._of_other_epochs(machine)
        if of_note and self._chance(0.3):
            made = self.rng.choice(of_note)
            market = made.market
            taker = self._other_account(state, made)
            size = self._odd(abs(made.size)) * (1 if made.size < 0 else -1)
        if made is None:
            reduces = self._reduces(state, maker, market, -size)
            made = self._order(machine, maker, market, -self._whole(size), price, reduces=reduces)
        room = abs(made.size) - machine.model.filled.get(made, 0)
        if room > 0 and abs(size) > room:
            size = room if size > 0 else -room
        limit = made.limit_price
        if self._chance(0.5):
            limit = max(1, limit + (1 if size > 0 else -1) * self.rng.randrange(1, limit // 50 + 2))
        reduces = self._reduces(state, taker, market, size)
        taken = self._order(machine, taker, market, self._whole(size), limit, reduces=reduces)
        self.resting = [*self.resting[-20:], made]
        signers = self._owner(made.account), self._owner(taken.account)
        action = actions.Settle(self._trader(), self._soon(), made, signers[0], taken, signers[1], abs(size))
        return self._spoiled(machine, action) if self._chance(0.05) else action

    def batch(self, machine: Machine) -> actions.Action:
        """Two or three pairs, some of them bad, some with one order twice."""
        pairs: list[actions.Settle] = []
        for _ in range(self.rng.randrange(2, 4)):
            drawn = self.trade(machine)
            if not isinstance(drawn, actions.Settle):
                continue
            pairs.append(self._spoiled(machine, drawn) if self._chance(0.25) else drawn)
        if pairs and self._chance(0.15):
            pairs[-1] = pairs[0]
        return actions.SettleBatch(self._trader(), self._soon(), tuple(pairs))

    def _trade_size(self, machine: Machine, taker: bytes, maker: bytes, market: int) -> int:
        """Signed for the taker; 0 where the two have nothing to trade."""
        rng = self.rng
        mine = machine.state.accounts.get(taker, NO_HOLDING).held(market)
        mode = rng.choices(("open", "close", "part", "flip", "dust", "any", "wei"), (50, 14, 12, 8, 3, 5, 4))[0]
        if mode == "wei":
            return rng.choice((-1, 1)) * rng.choice((1, 1, 2, 3))
        if mode in ("open", "any", "dust") or mine.size == 0:
            sign = rng.choice((-1, 1))
            room = min(room_of(machine, taker, market, sign), room_of(machine, maker, market, -sign))
            if mode == "dust":
                return sign * rng.randrange(1, 1000)
            if mode == "any":
                return sign * self._odd(2 * max(room, WAD))
            part = rng.uniform(0.8, 0.97) if self._chance(0.5) else rng.uniform(0.01, 1.02)
            return sign * int(room * part) if room > 0 else 0
        whole = abs(mine.size)
        sign = -1 if mine.size > 0 else 1
        if mode == "close":
            return sign * max(1, whole + rng.choice((0, 0, 0, 0, -1, 1)))
        if mode == "part":
            return sign * rng.randrange(1, whole + 1)
        return sign * int(whole * rng.uniform(1.001, 2.2))

    def _order(self, machine: Machine, account: bytes, market: int, size: int, price: int, *, reduces: bool) -> Order:
        self._salt += 1
        owner = self._owner(account)
        now = machine.model.now
        expiry = now + (DAY if self._chance(0.9) else self.rng.randrange(1, 2 * HOUR))
        reduce_only = self._chance(0.4) if reduces else self._chance(0.02)
        epoch = machine.model.epochs[owner]
        if self._chance(0.015):
            order = Order(account, market, size, price, now + DAY, epoch + 1, self._salt, reduce_only)
            self.ahead.append(order)
            return order
        return Order(account, market, size, price, expiry, epoch, self._salt, reduce_only)

    def _of_other_epochs(self, machine: Machine) -> list[Order]:
        """Orders whose epoch has come since they were signed; where there are none, those whose epoch has passed."""
        come = [order for order in self.ahead if self._is_live(machine, order)]
        epochs, filled = machine.model.epochs, machine.model.filled
        return come or [
            order
            for order in self.resting
            if order.epoch < epochs[self._owner(order.account)] and filled.get(order, 0) < abs(order.size)
        ]

    def _is_live(self, machine: Machine, order: Order) -> bool:
        """Of the present epoch, with something left."""
        is_present = order.epoch == machine.model.epochs[self._owner(order.account)]
        return is_present and machine.model.filled.get(order, 0) < abs(order.size)

    def _other_account(self, state: State, made: Order) -> bytes:
        """One that may hold the order's market, mostly with collateral."""
        others = [one for one in holders(state, made.market) if state.accounts[one].margin > 0]
        others = [one for one in others if one != made.account]
        return self.rng.choice(others) if others else TRADERS[self._trader()].account(made.market, 2)

    def _resting(self, machine: Machine, taker: bytes, market: int, size: int) -> Order | None:
        """An order of that side that was used before, mostly one that is live."""
        orders = [
            order
            for order in self.resting
            if order.market == market and order.account != taker and (order.size > 0) == (size > 0)
        ]
        fresh = [order for order in orders if self._is_live(machine, order)]
        if fresh and not self._chance(0.1):
            return self.rng.choice(fresh)
        return self.rng.choice(orders) if orders and self._chance(0.3) else None

    def _spoiled(self, machine: Machine, action: actions.Settle) -> actions.Settle:
        """The same with a fault in it."""
        maker, taker, size = action.maker, action.taker, action.size
        stranger = self.rng.randrange(len(TRADERS))

        def with_maker(**changes: object) -> actions.Settle:
            fields = {name: getattr(maker, name) for name in maker.__dataclass_fields__} | changes
            return replace(action, maker=Order(**fields))

        spoilers = (
            lambda: replace(action, maker_signer=stranger),
            lambda: replace(action, taker_signer=stranger),
            lambda: replace(action, taker=maker),
            lambda: replace(action, size=0),
            lambda: replace(action, size=size + abs(taker.size)),
            lambda: with_maker(market=maker.market % len(MARKETS) + 1),
            lambda: with_maker(account=taker.account),
            lambda: with_maker(size=-maker.size),
            lambda: with_maker(size=0),
            lambda: with_maker(limit_price=self.rng.choice((0, 2**96, 2**255, 1, 2**96 - 1))),
            lambda: with_maker(expiry=machine.model.now),
            lambda: with_maker(epoch=maker.epoch + 1),
            lambda: with_maker(epoch=max(0, maker.epoch - 1)),
            lambda: with_maker(account=TRADERS[stranger].account(9)),
            lambda: with_maker(account=account_of(owner_of(maker.account), CROSS)),
            lambda: with_maker(limit_price=maker.limit_price * 3 // 2),
            lambda: with_maker(reduce_only=True),
        )
        return self.rng.choice(spoilers)()

    def cancel(self, machine: Machine) -> actions.Action:
        """An order of one's own, or of someone else."""
        live = [order for order in self.resting if machine.model.filled.get(order, 0) != CANCELLED]
        if not live:
            return self.checkpoint(machine)
        order = self.rng.choice(live)
        by = self._owner(order.account) if not self._chance(0.1) else self._trader()
        return actions.Cancel(by, self._soon(), order)

    def cancel_all(self, machine: Machine) -> actions.Action:
        """Whatever one has signed; often by someone with an order that this cancels, or makes good."""
        signed = self.ahead or self.resting
        by = self._owner(self.rng.choice(signed).account) if signed and self._chance(0.7) else self._trader()
        return actions.CancelAll(by, self._soon())

    def _near(self, mark: int) -> int:
        far = self.rng.choices((0, 0.001, 0.05, 0.5, 0.95), (30, 55, 9, 4, 2))[0]
        return int(mark * (1 + self.rng.uniform(-far, far)))

    def _whole(self, size: int) -> int:
        return size if self._chance(0.6) else int(size * self.rng.uniform(1, 3))

    def _reduces(self, state: State, account: bytes, market: int, size: int) -> bool:
        held = state.accounts.get(account, NO_HOLDING).held(market)
        return held.size * size < 0 and abs(size) <= abs(held.size)

    def _two_accounts(self, state: State, market: int) -> tuple[bytes, bytes]:
        """Mostly with collateral."""
        funded = [account for account in holders(state, market) if state.accounts[account].margin > 0]
        if len(funded) >= 2 and self._chance(0.92):
            one, other = self.rng.sample(funded, 2)
            return one, other
        accounts = [TRADERS[trader].account(market, index) for trader in self.traders for index in (0, 1)]
        if MARKETS[market - 1].pool == SHARED or self._chance(0.05):
            accounts += [TRADERS[trader].cross() for trader in self.traders]
        one, other = self.rng.sample(accounts, 2)
        return one, other
