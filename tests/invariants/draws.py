"""What a sequence draws from, and the draws that every kind of action needs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from backstop.account_id import is_cross, isolated_sub_id
from backstop.adl.planning import Plan
from backstop.math.margin import margin_requirement
from backstop.math.wad import WAD
from backstop.orders import Order

from . import actions
from .ledger import NO_HOLDING
from .machine import Machine
from .state import Health, State
from .world import BY_ADDRESS, CROSS, GROUP, MARKETS, SHARED, TRADERS, market_of, owner_of

TOKEN = 10**6  # units


class Draws:
    """The actions of one sequence. It sees the machine's state and nothing of its future."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.focus = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 7))
        self.crossing = rng.choice((0.0, 0.4, 0.9))  # how often an account of the shared pool's markets is a cross one
        self.traders = rng.sample(range(len(TRADERS)), rng.choice((3, 4, 6, 10)))
        self.resting: list[Order] = []
        self.history: dict[int, list[int]] = {spec.id: [spec.answer] for spec in MARKETS}
        self.plans: list[Plan] = []
        self.is_vast = rng.random() < 0.08  # somebody gives a market as much as samples of its result can tell
        if self.is_vast:
            self.focus = rng.choice((1, 2))  # where the pool is paid fees on top of that
        self.ahead: list[Order] = []  # signed for an epoch that is still to come
        # What comes next, whatever else there is to do.
        self.script: list[actions.Action | Callable[[Machine], actions.Action]] = []
        self.is_staking = rng.random() < 0.6
        self.spread = rng.choice((0.0, 0.6))  # how often something happens elsewhere in the mutual group
        self.gift = rng.choice((300, 3_000, 20_000, 100_000)) * TOKEN
        self._salt = 0

    def _chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def _soon(self) -> int:
        return self.rng.randrange(1, 30)

    def _trader(self) -> int:
        return self.rng.choice(self.traders)

    def _market(self) -> int:
        if self.crossing and MARKETS[self.focus - 1].pool == SHARED and self._chance(0.6):
            return self.rng.choice([spec.id for spec in MARKETS if spec.pool == SHARED])
        if MARKETS[self.focus - 1].pool in GROUP and self._chance(self.spread):
            return self.rng.choice([spec.id for spec in MARKETS if spec.pool in GROUP])
        return self.focus if self._chance(0.75) else self.rng.randrange(1, len(MARKETS) + 1)

    def _owner(self, account: bytes) -> int:
        return BY_ADDRESS[owner_of(account)]

    def _odd(self, most: int) -> int:
        """Something positive of up to 18 decimals, or a round number, or a wei."""
        most = max(1, most)
        return self.rng.choice((self.rng.randrange(1, most + 1), max(1, most // self.rng.randrange(1, 5)), 1))

    def _sub_id(self, market: int) -> int:
        """Of an account that may hold a market: mostly somebody's first one, or a cross account."""
        index = int(self._chance(0.15))
        if MARKETS[market - 1].pool == SHARED and self._chance(self.crossing):
            return CROSS | index
        return isolated_sub_id(market, index)

    def _account(self, machine: Machine, wanted: Callable[[Health], bool]) -> bytes | None:
        """One of those that are in such a state."""
        found = [account for account, sum_ in self._healths(machine).items() if wanted(sum_)]
        return self.rng.choice(found) if found else None

    def _healths(self, machine: Machine) -> dict[bytes, Health]:
        quotes = machine.state.quotes(machine.marks)
        return {account: held.health(quotes) for account, held in machine.state.accounts.items()}

    def _leg(self, machine: Machine, account: bytes) -> int:
        """A market that it holds, or may."""
        held = machine.state.accounts.get(account, NO_HOLDING)
        return self.rng.choice(held.open() or [market_of(account) or self.focus])

    def _stock(self, state: State) -> tuple[int, int]:
        """A market and a side in which there is inventory, mostly."""
        stock = [
            (market, side)
            for market, view in enumerate(state.markets, start=1)
            for side in (0, 1)
            if (view.long, view.short)[side].size
        ]
        if stock and not self._chance(0.05):
            return self.rng.choice(stock)
        return self._market(), self.rng.randrange(2)


def holders(state: State, market: int) -> list[bytes]:
    """Accounts that have been used, and may hold a market."""
    is_shared = state.pool_of(market) == SHARED
    return [account for account in state.accounts if is_shared if is_cross(account)] + [
        account for account in state.accounts if not is_cross(account) and market_of(account) == market
    ]


def room_of(machine: Machine, account: bytes, market: int, sign: int) -> int:
    """Contracts that an account can take on a side at mark, as far as its initial margin goes."""
    held = machine.state.accounts.get(account, NO_HOLDING)
    quotes = machine.state.quotes(machine.marks)
    sum_, size = held.health(quotes), held.held(market).size
    if sum_.maintenance and sum_.equity <= 0:
        return 0
    mark, _, initial, _ = quotes[market]
    others = sum_.initial - margin_requirement(size, mark, initial)
    return max(0, (sum_.equity - others) * WAD * WAD // (mark * initial) - sign * size)
