"""A book in two markets of one pool, drawn so that one can end between others that lose.

In the market that ends ruin is bankrupt, lark stands beside it and hawk and dove against them; in the other one gull
has more than its margin carries.
"""

from __future__ import annotations

from itertools import count
from random import Random

from backstop.account_id import isolated_account
from backstop.math.wad import WAD
from backstop.orders import Order

from . import actions
from .machine import Machine
from .world import MARKETS, SHARED, TOKEN_SCALE, TRADERS

_MARKETS = (3, 5)  # of the shared pool, without limits
_THIN, _FAT = 12, 200  # margin, percent of the notional
_UNIT = WAD // TOKEN_SCALE
_DAY = 86_400


def open_shared_book(machine: Machine, rng: Random) -> int:
    """Plays it; returns the market that is to end."""
    ends, lasts = rng.sample(_MARKETS, 2)
    book = _Book(machine, rng)
    book.play(actions.Contribute(0, 1, SHARED, 0, rng.randrange(500, 8000) * _UNIT))
    sign = rng.choice((-1, 1))
    ruin, lark, hawk = (rng.randrange(1000, 5000) for _ in range(3))
    dove = max(1, ruin + lark - hawk)
    book.trade(ends, sign, {2: (ruin, _THIN), 3: (lark, _FAT)}, {4: (hawk, _FAT), 5: (dove, _FAT)})
    gull = rng.randrange(5000, 30_000)
    book.trade(lasts, rng.choice((-1, 1)), {6: (gull, _THIN)}, {7: (gull, _FAT)})
    spec, gap = MARKETS[ends - 1], rng.randrange(20, 40)
    answer = machine.marks[ends - 1] * (100 - sign * gap) // 100 // spec.scale
    book.play(actions.Answer(0, 1, ((ends, answer),)))
    return ends


class _Book:
    def __init__(self, machine: Machine, rng: Random) -> None:
        self.machine, self.rng = machine, rng
        self._salts = count(1)

    def play(self, action: actions.Action) -> None:
        result = self.machine.perform(action)
        assert (result.refusal, result.violations) == ("", ()), result

    def trade(
        self, market: int, sign: int, takers: dict[int, tuple[int, int]], makers: dict[int, tuple[int, int]]
    ) -> None:
        """Takers of a side against makers of the other one, at mark: notional and percent of margin by trader."""
        for trader, (notional, percent) in (takers | makers).items():
            sub_id = int.from_bytes(self._account(trader, market)[20:], "big")
            self.play(actions.Deposit(trader, 1, sub_id, notional * percent * _UNIT // 100))
        mark = self.machine.marks[market - 1]
        rest = {trader: notional * WAD * WAD // mark for trader, (notional, _) in makers.items()}
        for taker, (notional, _) in takers.items():
            size = notional * WAD * WAD // mark
            for maker in rest:
                part = min(size, rest[maker])
                if part:
                    self._fill(market, mark, sign * part, taker, maker)
                size, rest[maker] = size - part, rest[maker] - part

    def _fill(self, market: int, mark: int, size: int, taker: int, maker: int) -> None:
        orders = [
            Order(
                self._account(trader, market),
                market,
                part,
                mark,
                self.machine.model.now + _DAY,
                0,
                next(self._salts),
                False,
            )
            for trader, part in ((maker, -size), (taker, size))
        ]
        self.play(actions.Settle(0, 1, orders[0], maker, orders[1], taker, abs(size)))

    @staticmethod
    def _account(trader: int, market: int) -> bytes:
        return isolated_account(TRADERS[trader].address, market, 0)
