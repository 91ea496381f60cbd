"""The three cases that the demo runs and the tests check, as tables. Amounts are in quote and contracts, as decimals.

Everybody in a table trades at the price of its row while that price is the mark; then the mark gaps to `gap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

D = Decimal
_ONE_PERCENT, _HALF_PERCENT = D("0.01"), D("0.005")


@dataclass(frozen=True)
class Seat:
    """A trader's position: `contracts` signed (long above zero), opened at `entry` with `margin`."""

    trader: str
    contracts: Decimal
    entry: Decimal
    margin: Decimal


@dataclass(frozen=True)
class Case:
    """A market in a pool of its own, who trades in it, and the gap that bankrupts one of them."""

    name: str
    title: str
    market: str
    pool: str
    contribution: Decimal
    gap: Decimal
    seats: tuple[Seat, ...]
    initial_margin_fraction: Decimal = _ONE_PERCENT
    maintenance_margin_fraction: Decimal = _HALF_PERCENT


def _seats(*rows: tuple[str, str, str, str]) -> tuple[Seat, ...]:
    return tuple(Seat(trader, D(contracts), D(entry), D(margin)) for trader, contracts, entry, margin in rows)


def _queue(contracts: str, margin: str) -> tuple[Seat, ...]:
    """Six shorts of falling leverage from one price, one long that the gap bankrupts, others that it does not."""
    rest = D(20000) - D(contracts)
    return _seats(
        ("first", "-5500", "10", "5500"),
        ("second", "-2500", "10", "3750"),
        ("third", "-2000", "10", "4000"),
        ("fourth", "-3000", "10", "7500"),
        ("fifth", "-2000", "10", "6000"),
        ("sixth", "-5000", "10", "20000"),
        ("icarus", contracts, "10", margin),
        ("anchor", str(rest * 2 / 5), "10", str(rest * 4)),
        ("harbour", str(rest * 3 / 5), "10", str(rest * 6)),
    )


CASES = (
    Case(
        name="worked-case",
        title="Drawdown of 35 % brought down to 25 %",
        market="ETH-USD",
        pool="eth",
        contribution=D(20000),
        gap=D(80),
        seats=_seats(
            ("hawk", "-300", "100", "3000"),
            ("heron", "-400", "100", "8000"),
            ("owl", "-200", "100", "10000"),
            ("whale", "900", "100", "60000"),
            ("icarus", "800", "90", "1000"),
            ("swift", "-600", "90", "5400"),
            ("finch", "-200", "90", "6000"),
        ),
    ),
    Case(
        name="queue-5000",
        title="Six traders in a queue, 5,000 contracts to close",
        market="SOL-USD",
        pool="sol",
        contribution=D(20000),
        gap=D(8),
        seats=_queue("5000", "1000"),
    ),
    Case(
        name="queue-10000",
        title="The same queue, 10,000 contracts to close",
        market="AVAX-USD",
        pool="avax",
        contribution=D(15000),
        gap=D(8),
        seats=_queue("10000", "2000"),
    ),
)
