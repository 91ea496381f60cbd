"""Draws what the solvency of accounts and pools asks for: liquidations, takeovers, sales and rounds."""

from __future__ import annotations

from contextlib import suppress

from backstop.adl.planning import Plan
from backstop.math.wad import WAD

from . import actions
from .draws import room_of
from .ledger import Refused
from .machine import Machine
from .state import Holding, State
from .trades import Trades
from .world import MARKETS, MAX_PRICE, TRADERS, market_of

HOUR = 3600
UNLIMITED = 2**256 - 1


class Rescues(Trades):
    """Those that are due, and those that are not."""

    def liquidate(self, machine: Machine) -> actions.Action:
        """One that is due, mostly, by whoever has the means, by its owner's second account, or by anyone."""
        state, rng = machine.state, self.rng
        account = None
        if self._chance(0.85):
            account = self._account(state, lambda held: held.is_liquidatable(machine.marks[held.market - 1]))
        account = account or self._account(state, lambda held: held.size != 0)
        if account is None:
            return self.trade(machine)
        market = market_of(account)
        held = state.accounts[account]
        drawn = rng.choices(("rich", "own", "any"), (70, 15, 15))[0]
        liquidator = TRADERS[self._trader()].account(market, int(self._chance(0.1)))
        if drawn == "rich":
            sign = 1 if held.size > 0 else -1
            mark = machine.marks[market - 1]
            others = [one for one in state.accounts if market_of(one) == market and one != account]
            liquidator = max(others, key=lambda one: room_of(state.accounts[one], sign, mark), default=liquidator)
        elif drawn == "own":
            index = int.from_bytes(account[24:], "big")
            liquidator = TRADERS[self._owner(account)].account(market, 1 - index if index < 2 else 0)
        if self._chance(0.03):
            liquidator = rng.choice((account, TRADERS[self._trader()].account(market % len(MARKETS) + 1)))
        most = rng.choices((UNLIMITED, abs(held.size) // 3, self._odd(abs(held.size)), 1, 0), (6, 3, 4, 1, 1))[0]
        by = self._owner(liquidator) if not self._chance(0.12) else self._trader()
        return actions.Liquidate(by, self._soon(), account, liquidator, most)

    def take_over(self, machine: Machine) -> actions.Action:
        """One that is due, or one that is not."""
        state = machine.state
        account, drawn = None, self.rng.random()
        if drawn < 0.75:
            account = self._account(state, lambda held: held.is_to_be_taken_over(machine.marks[held.market - 1]))
        elif drawn < 0.9:
            account = self._account(state, lambda held: held.is_liquidatable(machine.marks[held.market - 1]))
        account = account or self._account(state, lambda held: held.size != 0 or self._chance(0.1))
        account = account or TRADERS[0].account(self.focus)
        if self._chance(0.02):
            account = account[:20] + (1 << 95).to_bytes(12, "big")
        return actions.TakeOver(self._trader(), self._soon(), account)

    def buy_inventory(self, machine: Machine) -> actions.Action:
        """At a limit that holds, just holds or does not; all, a part or a wei of it."""
        state, rng = machine.state, self.rng
        market, side = self._stock(state)
        size = abs(state.markets[market - 1].inventory(side).size)
        mark, sign = machine.marks[market - 1], 1 - 2 * side
        buyers = [account for account in state.accounts if market_of(account) == market]
        buyer = max(buyers, key=lambda one: room_of(state.accounts[one], sign, mark), default=None)
        if buyer is None or self._chance(0.2):
            buyer = TRADERS[self._trader()].account(market)
        room = max(1, room_of(state.accounts.get(buyer, Holding(market)), sign, mark))
        contracts = rng.choice((UNLIMITED, size, min(size, room), self._odd(size), self._odd(min(size, room)), 1, 0))
        after = rng.choice((self._soon(), rng.randrange(60, HOUR)))
        limit = rng.choice((0, UNLIMITED)) if self._chance(0.1) else (UNLIMITED, 0)[side]
        if self._chance(0.3):
            later = machine.model.fork()
            later.pass_time(after)
            with suppress(Refused):
                limit = later.auction_price(market, side) + rng.choice((-1, 0, 0, 1))
        by = self._owner(buyer) if not self._chance(0.04) else self._trader()
        return actions.BuyInventory(by, after, buyer, side, contracts, limit)

    def deleverage(self, machine: Machine) -> actions.Action:
        """The round that is due with the planned list, or with one that is shuffled, short, doubled or strange."""
        state, rng = machine.state, self.rng
        if self.plans and not self._chance(0.04):
            one = rng.choice(self.plans)
            market, side, price = int(one.market[1:]), int(one.side == "short"), one.adl_price
        else:
            one = None
            near = near_their_trigger(state)
            market, side = rng.choice(near) if near and self._chance(0.8) else self._stock(state)
            price = machine.marks[market - 1]
        candidates = self._candidates(state, market, side, one)
        slack = price // 20 if one or self._chance(0.2) else MAX_PRICE
        bounds = (price - slack, price + slack)
        if self._chance(0.06):
            bounds = rng.choice(((price + 1, price + slack), (price - slack, price - 1), (price, price)))
        seconds = 0 if self._chance(0.97) else -1
        return actions.Deleverage(self._trader(), self._soon(), market, side, tuple(candidates), *bounds, seconds)

    def _candidates(self, state: State, market: int, side: int, one: Plan | None) -> list[bytes]:
        rng = self.rng
        everyone = [account for account in state.accounts if market_of(account) == market]
        other_side = [account for account in everyone if state.accounts[account].size * (1 - 2 * side) < 0]
        planned = [bytes.fromhex(text[2:]) for text in one.candidates] if one else other_side
        drawn = rng.choices(
            ("planned", "all", "shuffled", "reversed", "doubled", "short", "strange", "empty"),
            (24, 12, 10, 8, 18, 12, 18, 3),
        )[0]
        if drawn == "empty":
            return []
        if drawn == "all":
            planned = list(other_side)
        elif drawn == "reversed":
            planned.reverse()
        elif drawn == "doubled":
            planned += rng.choices(planned, k=rng.randrange(1, 4)) if planned else []
        elif drawn == "short":
            planned = planned[rng.randrange(2) :: rng.randrange(1, 4)]
        elif drawn == "strange":
            strangers = [TRADERS[self._trader()].account(rng.randrange(1, 5), rng.randrange(2)) for _ in range(2)]
            idle = [
                account for account in everyone if state.accounts[account].size == 0 < state.accounts[account].margin
            ]
            planned = [account for account in planned if self._chance(0.5)]
            planned += rng.sample(everyone, min(2, len(everyone))) + rng.sample(idle, min(3, len(idle))) + strangers
        if drawn in ("shuffled", "doubled", "strange"):
            rng.shuffle(planned)
        return planned


def near_their_trigger(state: State) -> list[tuple[int, int]]:
    """Losing inventories, as market and side, of markets beyond their target: a round is due if ADL has started."""
    found = []
    for spec, view in zip(MARKETS, state.markets, strict=True):
        if view.backing is not None and 0 < view.backing.base * spec.target < view.backing.loss * WAD:
            sides = enumerate((view.long, view.short))
            found += [(spec.id, side) for side, held in sides if held.size * view.mark // WAD < held.entry]
    return found
