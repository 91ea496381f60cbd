"""A crash with a crowd in it: two markets, two hundred traders of many sizes and leverages, a price path in steps."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from decimal import Decimal

from scripts.stage.cases import Seat
from scripts.stage.crowd import Call, deposit_calls, trade_call
from scripts.stage.venue import TestMarket, Venue, wad

D = Decimal
TRADERS = 100  # a market
SEED = 20251010
_LEVERAGES = (2, 3, 5, 8, 12, 16, 20, 24)
_SMALLEST, _LARGEST = 500, 100_000  # notional of a position


@dataclass(frozen=True)
class CrashMarket:
    """A market of the crash: where it starts, and the steps of its path as parts of that."""

    name: str
    pool: str
    price: Decimal
    contribution: Decimal
    step: Decimal  # of a size
    path: tuple[Decimal, ...]


def _path(*parts: str) -> tuple[Decimal, ...]:
    return tuple(map(D, parts))


MARKETS = (
    CrashMarket(
        "BTC-USD",
        "btc",
        D(60000),
        D(25000),
        D("0.001"),
        _path("0.993", "0.986", "0.979", "0.97", "0.955", "0.93", "0.88", "0.8", "0.78", "0.83"),
    ),
    CrashMarket(
        "DOGE-USD",
        "doge",
        D("0.2"),
        D(25000),
        D(1),
        _path("1.007", "1.014", "1.022", "1.03", "1.045", "1.07", "1.12", "1.24", "1.28", "1.18"),
    ),
)


def crowd_of(market: CrashMarket, generator: random.Random) -> list[Seat]:
    """Seats of a market: sizes log-uniform in notional, leverages mixed; the last one takes the difference."""
    seats: list[Seat] = []
    for i in range(TRADERS - 1):
        notional = math.exp(generator.uniform(math.log(_SMALLEST), math.log(_LARGEST)))
        contracts = (D(notional) / market.price / market.step).to_integral_value() * market.step
        sign = 1 if i % 2 == 0 else -1
        # A little more than the leverage asks for, so that a position is not opened on the edge.
        margin = (contracts * market.price / generator.choice(_LEVERAGES) * D("1.01")).quantize(D("0.01"))
        seats.append(Seat(f"trader {i:03}", sign * contracts, market.price, margin))
    difference = -sum((seat.contracts for seat in seats), D(0))
    seats.append(Seat("anchor", difference, market.price, (abs(difference) * market.price).quantize(D("0.01"))))
    return seats


def list_crash(venue: Venue) -> dict[str, TestMarket]:
    """Lists both markets and funds their pools."""
    markets: dict[str, TestMarket] = {}
    for crash in MARKETS:
        market = venue.list_market(crash.name, crash.pool, crash.price, D("0.04"), D("0.025"))
        venue.contribute(venue.trader(f"{crash.name} donor"), market, crash.contribution)
        markets[crash.name] = market
    return markets


def crowd_calls(venue: Venue, markets: dict[str, TestMarket]) -> list[Call]:
    """The transactions that bring everybody in: deposits, then positions opened by signed orders."""
    generator = random.Random(SEED)
    return [call for crash in MARKETS for call in seat_calls(venue, markets[crash.name], crowd_of(crash, generator))]


def seat_calls(venue: Venue, market: TestMarket, seats: list[Seat]) -> list[Call]:
    """Deposits for everybody, then longs paired with shorts until all positions stand."""
    signers = {seat.trader: venue.trader(f"{market.name} {seat.trader}") for seat in seats}
    calls: list[Call] = []
    for seat in seats:
        calls += deposit_calls(venue, signers[seat.trader], market, seat.margin)
    longs = [[signers[seat.trader], wad(seat.contracts)] for seat in seats if seat.contracts > 0]
    shorts = [[signers[seat.trader], -wad(seat.contracts)] for seat in seats if seat.contracts < 0]
    price = wad(seats[0].entry)
    while longs and shorts:
        taker, maker = longs[0], shorts[0]
        contracts = min(taker[1], maker[1])
        calls.append(trade_call(venue, maker[0], taker[0], market, contracts, price))
        taker[1] -= contracts
        maker[1] -= contracts
        longs = longs if taker[1] else longs[1:]
        shorts = shorts if maker[1] else shorts[1:]
    return calls


def prices_of(step: int) -> dict[str, Decimal]:
    """The marks after a step of the path."""
    return {crash.name: crash.price * crash.path[step] for crash in MARKETS}


STEPS = len(MARKETS[0].path)
