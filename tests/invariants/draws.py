"""What a sequence draws from, and the draws that every kind of action needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from backstop.adl.planning import Plan
from backstop.math.wad import WAD
from backstop.orders import Order

from .state import Holding, State
from .world import BY_ADDRESS, MARKETS, TRADERS, owner_of

TOKEN = 10**6  # units


class Draws:
    """The actions of one sequence. It sees the machine's state and nothing of its future."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.focus = rng.choice((1, 1, 2, 3, 4))
        self.traders = rng.sample(range(len(TRADERS)), rng.choice((3, 4, 6, 10)))
        self.resting: list[Order] = []
        self.history: dict[int, list[int]] = {spec.id: [spec.answer] for spec in MARKETS}
        self.plans: list[Plan] = []
        self.is_vast = rng.random() < 0.08  # somebody gives a market as much as samples of its result can tell
        if self.is_vast:
            self.focus = rng.choice((1, 2))  # where the pool is paid fees on top of that
        self.ahead: list[Order] = []  # signed for an epoch that is still to come
        self.gift = rng.choice((300, 3_000, 20_000, 100_000)) * TOKEN
        self._salt = 0

    def _chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def _soon(self) -> int:
        return self.rng.randrange(1, 30)

    def _trader(self) -> int:
        return self.rng.choice(self.traders)

    def _market(self) -> int:
        return self.focus if self._chance(0.75) else self.rng.randrange(1, len(MARKETS) + 1)

    def _owner(self, account: bytes) -> int:
        return BY_ADDRESS[owner_of(account)]

    def _odd(self, most: int) -> int:
        """Something positive of up to 18 decimals, or a round number, or a wei."""
        most = max(1, most)
        return self.rng.choice((self.rng.randrange(1, most + 1), max(1, most // self.rng.randrange(1, 5)), 1))

    def _account(self, state: State, wanted: Callable[[Holding], bool]) -> bytes | None:
        """One of those that hold something like that."""
        found: Iterable[bytes] = [account for account, held in state.accounts.items() if wanted(held)]
        return self.rng.choice(list(found)) if found else None

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


def room_of(held: Holding, sign: int, mark: int) -> int:
    """Contracts that an account can take on a side at mark, as far as its initial margin goes."""
    equity = held.equity(mark)
    if held.size and equity <= 0:
        return 0
    most = equity * WAD * WAD // (mark * MARKETS[held.market - 1].initial)
    return max(0, most - sign * held.size)
