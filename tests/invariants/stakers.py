"""Draws what moves the capital of pools: stakes, exits, repayments, redistribution, and what the owner sets of them."""

from __future__ import annotations

from collections.abc import Callable

from backstop.math import staking
from backstop.math.wad import WAD
from backstop.orders import Order
from tests.support.capital import NO_CAP, SHARED, Exit

from . import actions
from .draws import TOKEN, Draws, room_of
from .machine import Machine
from .world import GROUP, MARKETS, POOL_OF, POOLS, TOKEN_SCALE, TRADERS

HOUR, DAY = 3600, 86400
SHORTEST = 8 * HOUR


class Stakers(Draws):
    """Several of them, in the pools behind the markets in which most happens."""

    def stake_kinds(self, machine: Machine) -> list[tuple[Callable[[Machine], actions.Action], float]]:
        """What there is to do, with its weights."""
        state, often = machine.state, 1 if self.is_staking else 0.1
        exits = self._exits(machine)
        ripe = [one for *_, one in exits if one.ripe_at <= machine.model.now]
        has_stock = any(view.long.size or view.short.size for view in state.markets)
        kinds: list[tuple[Callable[[Machine], actions.Action], float]] = [
            (self.stake, 3 * often),
            (self.request_exit, 2 * often),
            (self.cancel_exit, 0.5 * often),
            (self.redeem, 2 * often if exits else 0.1),
            (self.settle_exit, 1 if exits else 0.1),
            (self.set_staking, 0.5 * often),
            (self.move_market, 0.5),
            (self.repay, 0.1),
            (self.redistribute, 0.2),
            (self.renew, 0.1),
        ]
        if ripe:
            kinds += [(self.redeem, 3), (self.settle_exit, 2)]
            stocked = {view.pool for view in state.markets if view.long.size or view.short.size}
            kinds.append((self.redeem, 60 if stocked & {pool for pool, _, one in exits if one in ripe} else 0))
        if state.deficit:
            kinds += [(self.repay, 6), (self.redeem, 8 if ripe else 0)]
        balances = [machine.model.fund.balance(pool)[0] for pool in GROUP] if has_stock else [0]
        if sum(balances) <= 0 < max(balances):
            kinds.append((self.redistribute, 40))
        if min(balances) < 0 < sum(balances) and any(pool in GROUP for pool, *_ in exits):
            kinds.append((self.leave_with_a_burden, 25))
        if any(pool.supply and not pool.cash and not pool.claim for pool in state.pools):
            kinds += [(self.renew, 6), (self.stake, 4)]
        return kinds

    def begin_staking(self, machine: Machine) -> None:
        """Somebody stakes and asks for an exit, which soon is ripe: all before anything else happens.

        In the mutual group that may be in another pool, which then has to stand for the one in trouble.
        """
        pool = POOL_OF[self.focus]
        is_carrier = pool in GROUP and self._chance(0.5)
        if is_carrier:
            pool = self.rng.choice([one for one in GROUP if one != pool])
        self.script.append(actions.SetStaking(actions.OWNER, self._soon(), pool, NO_CAP, SHORTEST))
        for trader in self.rng.sample(self.traders, self.rng.randrange(1, 4)):
            self.script.append(actions.Stake(trader, self._soon(), pool, self.rng.randrange(1, self.gift)))
            if self._chance(0.7):
                self.script.append(lambda m, by=trader: self._request(m, by, pool))
        if pool in GROUP:
            others = [one for one in GROUP if one not in (pool, POOL_OF[self.focus])]
            other = self.rng.choice(others)
            self.script.append(actions.Stake(self._trader(), self._soon(), other, self.rng.randrange(1, self.gift)))
        answers = tuple((spec.id, spec.answer) for spec in MARKETS)
        self.script.append(actions.Answer(self._trader(), SHORTEST + self._soon(), answers))
        if is_carrier:
            self.script.append(self.desert)

    def _pool(self) -> int:
        drawn = self.rng.random()
        if drawn < 0.7:
            return POOL_OF[self.focus]
        return self.rng.choice(GROUP) if drawn < 0.85 and POOL_OF[self.focus] in GROUP else self.rng.choice(list(POOLS))

    def _exits(self, machine: Machine) -> list[tuple[int, int, Exit]]:
        """Pool, owner, and what was asked for."""
        return [
            (number, owner, exit_)
            for number, pool in enumerate(machine.state.pools, start=1)
            for owner, exit_ in pool.exits.items()
        ]

    # ------------------------------------------------------------------ in and out

    def stake(self, machine: Machine) -> actions.Action:
        """Of any size; now and then nothing, too little for a share, or what just fits under a cap."""
        number = self._pool()
        pool = machine.state.pools[number - 1]
        amount = self.rng.randrange(1, self.gift)
        if pool.cap != NO_CAP and self._chance(0.6):
            room = max(0, pool.cap - machine.model.fund.balance(number)[0]) // TOKEN_SCALE
            amount = room + self.rng.choice((0, 0, 1))
        if self._chance(0.1):
            amount = self.rng.choice((0, 1, 2**100))
        if self._chance(0.2):
            worth = staking.assets_to_shares(min(amount, self.gift), pool.assets, pool.supply)
            return actions.Stake(self._trader(), self._soon(), number, worth, True)
        return actions.Stake(self._trader(), self._soon(), number, amount)

    def request_exit(self, machine: Machine) -> actions.Action:
        """All, a part or more of what somebody has."""
        holders = [(number, by) for number, pool in enumerate(machine.state.pools, start=1) for by in pool.held]
        number, by = self.rng.choice(holders or [(self._pool(), self._trader())])
        return self._request(machine, by, number)

    def _request(self, machine: Machine, by: int, pool: int) -> actions.Action:
        held = machine.state.pools[pool - 1].held.get(by, 0)
        part = self.rng.choice((held, held, held // self.rng.randrange(2, 5), held + 1, 0))
        return actions.RequestExit(by, self._soon(), pool, part if self._chance(0.3) else held)

    def cancel_exit(self, machine: Machine) -> actions.Action:
        """One that was asked for, mostly."""
        exits = self._exits(machine)
        pool, by, _ = self.rng.choice(exits) if exits else (self._pool(), self._trader(), None)
        return actions.CancelExit(by, self._soon(), pool)

    def _drawn_exit(self, machine: Machine) -> tuple[int, int, Exit]:
        exits = self._exits(machine)
        ripe = [one for one in exits if one[2].ripe_at <= machine.model.now]
        if ripe and self._chance(0.9):
            exits = ripe
        return self.rng.choice(exits) if exits else (self._pool(), self._trader(), Exit(1, 1, 0))

    def redeem(self, machine: Machine) -> actions.Action:
        """The whole of an exit, a part of it or more, in shares or in assets; now and then somebody else's."""
        pool, owner, exit_ = self._drawn_exit(machine)
        in_assets = self._chance(0.3)
        whole = exit_.value if in_assets else exit_.shares
        amount = self.rng.choice((whole, whole, whole, self._odd(whole), whole + 1, 0))
        by = owner if self._chance(0.96) else self._trader()
        return actions.Redeem(by, self._when(machine, exit_), pool, owner, amount, in_assets)

    def settle_exit(self, machine: Machine) -> actions.Action:
        """By anyone."""
        pool, owner, exit_ = self._drawn_exit(machine)
        by = owner if self._chance(0.4) else self._trader()
        return actions.SettleExit(by, self._when(machine, exit_), pool, owner)

    def leave_with_a_burden(self, machine: Machine) -> actions.Action:
        """Of a pool whose group has a depleted member, once that no longer counts."""
        exits = [one for one in self._exits(machine) if one[0] in GROUP]
        pool, owner, exit_ = self.rng.choice(exits)
        after = max(1, exit_.ripe_at + staking.MAX_WAIT - machine.model.now)
        return actions.SettleExit(owner, after, pool, owner)

    def _when(self, machine: Machine, exit_: Exit) -> int:
        """Soon, and now and then once it is ripe, or has waited for as long as it may."""
        now, drawn = machine.model.now, self.rng.random()
        due = exit_.ripe_at + (staking.MAX_WAIT if drawn < 0.04 else 0)
        if drawn < 0.1 and due > now:
            return max(1, due - now + self.rng.choice((-1, 0, 1)))
        return self._soon()

    # ------------------------------------------------------------------ pools

    def repay(self, machine: Machine) -> actions.Action:
        """What a pool lacks, a part of it, or a unit too much."""
        lacking = dict(machine.state.overdrawn)
        pool = self.rng.choice([one for one, part in lacking.items() if part] or [self._pool()])
        whole = -(-lacking.get(pool, 0) // TOKEN_SCALE)
        amount = self.rng.choice((whole, whole + 1, whole // 2, self._odd(whole), 0))
        return actions.Repay(self._trader(), self._soon(), pool if self._chance(0.97) else 9, amount)

    def redistribute(self, machine: Machine) -> actions.Action:
        """Whether it is due or not."""
        return actions.Redistribute(self._trader(), self._soon())

    def renew(self, machine: Machine) -> actions.Action:
        """Of a pool that has ended at nothing, if there is one."""
        pools = enumerate(machine.state.pools, start=1)
        over = [number for number, pool in pools if pool.supply and not pool.cash and not pool.claim]
        by = actions.OWNER if self._chance(0.9) else self._trader()
        return actions.RenewShares(by, self._soon(), self.rng.choice(over or [self._pool(), 9]))

    def set_staking(self, machine: Machine) -> actions.Action:
        """A cap about where the pool is, or none; now and then out of bounds, or by somebody who is not the owner."""
        pool = self._pool()
        cash = max(0, machine.state.pools[pool - 1].cash)
        near = cash + self.rng.randrange(-cash // 2, 20 * TOKEN * TOKEN_SCALE)
        cap = self.rng.choice((NO_CAP, min(NO_CAP, cash), max(0, min(NO_CAP, near))))
        cooldown = self.rng.choice((SHORTEST, SHORTEST, DAY, 14 * DAY, SHORTEST - 1, 14 * DAY + 1))
        by = actions.OWNER if self._chance(0.9) else self._trader()
        return actions.SetStaking(by, self._soon(), pool if self._chance(0.97) else 9, cap, cooldown)

    def move_market(self, machine: Machine) -> actions.Action:
        """To a pool that has room, mostly."""
        state, market = machine.state, self._market()
        calm = [one for one, view in enumerate(state.markets, start=1) if not view.long.size and not view.short.size]
        if calm and self._chance(0.8):
            market = self.rng.choice(calm)
        free = [pool for pool, terms in POOLS.items() if terms.kind == SHARED or not state.markets_of(pool)]
        pool = self.rng.choice(free) if self._chance(0.85) else self.rng.choice([*POOLS, 9])
        by = actions.OWNER if self._chance(0.95) else self._trader()
        return actions.MoveMarket(by, self._soon(), market if self._chance(0.98) else 9, pool)

    # ------------------------------------------------------------------ a pool that nobody is left to pay

    def desert(self, machine: Machine) -> actions.Action:
        """A loser is bankrupt, the winner leaves with everything, and only a newcomer without means is left."""
        market, sign = self.focus, self.rng.choice((-1, 1))
        spec = MARKETS[market - 1]
        drawn = self.rng.sample(range(len(TRADERS)), 3)
        loser, winner, newcomer = ((by, TRADERS[by].account(market, 1)) for by in drawn)
        initial = machine.state.markets[market - 1].parameters.initial_margin_fraction
        tokens = 1_500 * spec.answer * spec.scale // WAD // 100 if market == 4 else self.rng.randrange(500, 3_000)
        amount = max(500, tokens) * TOKEN

        def fall(m: Machine) -> actions.Action:
            answer = self.history[market][-1]
            answer = max(1, answer - sign * answer * initial * self.rng.randrange(15, 35) // (10 * WAD))
            self.history[market].append(answer)
            return actions.Answer(self._trader(), self._soon(), ((market, answer),))

        def leave(m: Machine) -> actions.Action:
            held = m.state.accounts[winner[1]]
            free = held.health(m.state.quotes(m.marks)).withdrawable // TOKEN_SCALE
            return actions.Withdraw(winner[0], self._soon(), winner[1], free, winner[0])

        self.script += [
            *(actions.Deposit(by, self._soon(), market << 64 | 1, amount) for by in drawn[1:]),
            lambda m: self._between(m, market, winner, loser, sign),
            fall,
            lambda m: self._between(m, market, newcomer, winner, sign),
            leave,
            actions.TakeOver(self._trader(), self._soon(), loser[1]),
        ]
        return actions.Deposit(drawn[0], self._soon(), market << 64 | 1, amount)

    def _between(
        self, machine: Machine, market: int, maker: tuple[int, bytes], taker: tuple[int, bytes], sign: int
    ) -> actions.Action:
        """A fill at mark, as large as both can bear: the taker's position grows, or closes, to that side."""
        held = machine.state.accounts.get(taker[1])
        size = held.held(market).size if held else 0
        room = room_of(machine, maker[1], market, -sign) * 19 // 20
        whole = abs(size) or room_of(machine, taker[1], market, sign) * 19 // 20
        contracts = max(1, min(room, whole))
        mark, expiry = machine.marks[market - 1], machine.model.now + DAY
        orders = []
        for (by, account), signed in ((maker, -sign * contracts), (taker, sign * contracts)):
            self._salt += 1
            epoch = machine.model.epochs[by]
            orders.append(Order(account, market, signed, mark, expiry, epoch, self._salt))
        return actions.Settle(maker[0], self._soon(), orders[0], maker[0], orders[1], taker[0], contracts)
