"""Draws what the solvency of accounts and pools asks for: liquidations, takeovers, sales and rounds."""

from __future__ import annotations

from contextlib import suppress

from backstop.adl.planning import Plan
from backstop.math.wad import WAD
from tests.support.enums import Exemption

from . import actions
from .calls import Bounds
from .draws import holders, room_of
from .ledger import Refused
from .machine import Machine
from .state import State
from .trades import Trades
from .world import CROSS, MARKETS, MAX_PRICE, TRADERS, account_of

HOUR = 3600
UNLIMITED = 2**256 - 1


class Rescues(Trades):
    """Those that are due, and those that are not."""

    def liquidate(self, machine: Machine) -> actions.Action:
        """One that is due, mostly, by whoever has the means, by its owner's second account, or by anyone."""
        state, rng = machine.state, self.rng
        account = None
        if self._chance(0.85):
            account = self._account(machine, lambda sum_: sum_.is_liquidatable)
        account = account or self._account(machine, lambda sum_: sum_.maintenance != 0)
        if account is None:
            return self.trade(machine)
        market = self._leg(machine, account)
        held = state.accounts[account].held(market)
        drawn = rng.choices(("rich", "own", "any"), (70, 15, 15))[0]
        liquidator = account_of(TRADERS[self._trader()].address, self._sub_id(market))
        if drawn == "rich":
            sign = 1 if held.size > 0 else -1
            others = [one for one in holders(state, market) if one != account]
            liquidator = max(others, key=lambda one: room_of(machine, one, market, sign), default=liquidator)
        elif drawn == "own":
            index = int.from_bytes(account[24:], "big")
            liquidator = TRADERS[self._owner(account)].account(market, 1 - index if index < 2 else 0)
        if self._chance(0.03):
            liquidator = rng.choice((account, TRADERS[self._trader()].account(market % len(MARKETS) + 1)))
        if self._chance(0.02):
            market = market % len(MARKETS) + 1
        most = rng.choices((UNLIMITED, abs(held.size) // 3, self._odd(abs(held.size)), 1, 0), (6, 3, 4, 1, 1))[0]
        least = state.markets[market - 1].parameters.min_size
        if least and self._chance(0.3):  # what is left is just enough, or just not
            most = max(0, abs(held.size) - least + rng.choice((0, 0, 1)))
        by = self._owner(liquidator) if not self._chance(0.12) else self._trader()
        return actions.Liquidate(by, self._soon(), account, market, liquidator, most)

    def take_over(self, machine: Machine) -> actions.Action:
        """One that is due, or one that is not."""
        account, drawn = None, self.rng.random()
        if drawn < 0.75:
            account = self._account(machine, lambda sum_: sum_.is_to_be_taken_over)
        elif drawn < 0.9:
            account = self._account(machine, lambda sum_: sum_.is_liquidatable)
        account = account or self._account(machine, lambda sum_: sum_.maintenance != 0 or self._chance(0.1))
        account = account or TRADERS[0].account(self.focus)
        if self._chance(0.02):
            account = account[:20] + CROSS.to_bytes(12, "big")
        return actions.TakeOver(self._trader(), self._soon(), account)

    def flag(self, machine: Machine) -> actions.Action:
        """One whose margin is low, mostly."""
        account = self._account(machine, lambda sum_: 0 < sum_.equity < sum_.initial) if self._chance(0.7) else None
        account = account or self._account(machine, lambda _: True) or TRADERS[0].cross()
        return actions.Flag(self._trader(), self._soon(), account)

    def buy_inventory(self, machine: Machine) -> actions.Action:
        """At a limit that holds, just holds or does not; all, a part or a wei of it."""
        state, rng = machine.state, self.rng
        market, side = self._stock(state)
        size = abs(state.markets[market - 1].inventory(side).size)
        sign = 1 - 2 * side
        buyer = max(holders(state, market), key=lambda one: room_of(machine, one, market, sign), default=None)
        if buyer is None or self._chance(0.2):
            buyer = account_of(TRADERS[self._trader()].address, self._sub_id(market))
        room = max(1, room_of(machine, buyer, market, sign))
        contracts = rng.choice((UNLIMITED, size, min(size, room), self._odd(size), self._odd(min(size, room)), 1, 0))
        after = rng.choice((self._soon(), rng.randrange(60, HOUR)))
        limit = rng.choice((0, UNLIMITED)) if self._chance(0.1) else (UNLIMITED, 0)[side]
        if self._chance(0.3):
            later = machine.model.fork()
            later.pass_time(after)
            with suppress(Refused):
                limit = later.auction_price(market, side) + rng.choice((-1, 0, 0, 1))
        by = self._owner(buyer) if not self._chance(0.04) else self._trader()
        return actions.BuyInventory(by, after, buyer, market, side, contracts, limit)

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
        bounds = Bounds(price - slack, price + slack)
        if one and self._chance(0.5):
            bounds = bounds_of(one, slack)
        if self._chance(0.06):
            near = ((price + 1, price + slack), (price - slack, price - 1), (price, price))
            bounds = Bounds(*rng.choice(near), *bounds[2:])
        if self._chance(0.06):
            bounded = rng.choice((market, rng.randrange(1, len(MARKETS) + 1)))
            mark = machine.marks[bounded - 1]
            lowest, highest = rng.choice(((mark + 1, MAX_PRICE), (0, mark - 1), (mark, mark)))
            bounds = bounds._replace(marks=(*bounds.marks, (bounded, lowest, highest)))
        if one and one.fills and self._chance(0.25):
            lowest = rng.choice(one.fills).leveraged_return + rng.choice((-1, 0, 0, 1))
            bounds = bounds._replace(lowest_return=lowest)
        seconds = 0 if self._chance(0.97) else -1
        return actions.Deleverage(self._trader(), self._soon(), market, side, tuple(candidates), bounds, seconds)

    def challenge(self, machine: Machine) -> actions.Action:
        """Of a round, mostly for somebody it left out, else for anybody."""
        rng, records = self.rng, machine.model.records
        if not records:
            return self.trade(machine)
        numbers = machine.model.open_rounds() if self._chance(0.9) else []
        number = rng.choice(numbers or list(records))
        record = records[number]
        everyone = list(machine.state.accounts)
        omitted = [one for one in record.accounts if record.omission(one).reason is Exemption.NONE]
        account = rng.choice(omitted if omitted and self._chance(0.8) else everyone)
        if self._chance(0.03):
            number = machine.state.rounds + 1
        after = self._soon() if self._chance(0.9) else rng.randrange(HOUR - 60, HOUR + 60)
        return actions.Challenge(self._trader(), after, number, record.market, account)

    def _candidates(self, state: State, market: int, side: int, one: Plan | None) -> list[bytes]:
        rng = self.rng
        everyone = holders(state, market)
        other_side = [account for account in everyone if state.accounts[account].held(market).size * (1 - 2 * side) < 0]
        planned = [bytes.fromhex(text[2:]) for text in one.listing.accounts] if one else other_side
        drawn = rng.choices(
            ("planned", "all", "shuffled", "reversed", "doubled", "short", "headless", "strange", "empty"),
            (24, 12, 10, 8, 18, 12, 26, 18, 3),
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
        elif drawn == "headless" and len(planned) > 1:
            # Without some of those who were to be closed, so that they may be said to be left out.
            planned = planned[rng.randrange(1, len(planned)) :]
            self.script += [*rng.choices((self.trade, self.withdraw, self.deposit), k=rng.randrange(3)), self.challenge]
        elif drawn == "strange":
            strangers = [TRADERS[self._trader()].account(rng.randrange(1, 6), rng.randrange(2)) for _ in range(2)]
            idle = [
                account for account in everyone if state.accounts[account].is_flat and state.accounts[account].margin
            ]
            planned = [account for account in planned if self._chance(0.5)]
            planned += rng.sample(everyone, min(2, len(everyone))) + rng.sample(idle, min(3, len(idle))) + strangers
        if drawn in ("shuffled", "doubled", "strange"):
            rng.shuffle(planned)
        return planned


def bounds_of(one: Plan, tolerance: int) -> Bounds:
    """As the keeper sends a plan: within a tolerance of its price, and what goes with its list."""
    marks = tuple((int(each.market[1:]), each.lowest, each.highest) for each in one.listing.marks)
    return Bounds(one.adl_price - tolerance, one.adl_price + tolerance, marks, one.listing.lowest_return)


def near_their_trigger(state: State) -> list[tuple[int, int]]:
    """Losing inventories, as market and side, of markets beyond their target: a round is due if ADL has started."""
    found = []
    for spec, view in zip(MARKETS, state.markets, strict=True):
        if view.backing is not None and 0 < view.backing.base * spec.target < view.backing.loss * WAD:
            sides = enumerate((view.long, view.short))
            found += [(spec.id, side) for side, held in sides if held.size * view.mark // WAD < held.entry]
    return found
