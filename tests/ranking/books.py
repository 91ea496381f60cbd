"""Books that are hard to order: ties, near ties, bankrupt accounts, amounts from a wei to what no contract holds."""

from __future__ import annotations

from random import Random

from backstop.adl.snapshot import Account, MarginMode, Market, Position, Side, Snapshot
from backstop.math.wad import WAD

MARKETS = ("ETH", "BTC", "SOL")
SIDES = tuple(Side)


def market(name: str, mark: int, fraction: int = WAD // 20) -> Market:
    """A live market; what drawdown it is in, no order depends on."""
    third = WAD * 3 // 10
    return Market(name, mark, fraction, "pool", third, third, third, False, 0, 0)


def mark_of(draws: Random) -> int:
    """A mark as feeds give them, with few decimals, or with all."""
    return draws.choice([80 * WAD, draws.randrange(60, 100) * WAD, draws.randrange(60 * WAD, 100 * WAD)])


def markets(draws: Random) -> dict[str, Market]:
    """Three markets, one of which may have an odd margin fraction."""
    fractions = [WAD // 20, WAD // 50, draws.randrange(1, WAD // 2)]
    return {name: market(name, mark_of(draws), fraction) for name, fraction in zip(MARKETS, fractions, strict=True)}


def account(draws: Random, number: int) -> Account:
    """An account with one to three positions, of a kind that is drawn."""
    held = draws.sample(MARKETS, draws.choice([1, 1, 2, 3]))
    kind = draws.choice(["plain", "plain", "grid", "grid", "dust", "free", "extreme"])
    legs = tuple(position(draws, name, kind) for name in held)
    carried = sum(abs(leg.entry_notional) for leg in legs)
    margin = carried // draws.choice([2, 3, 5, 10, 20, 50]) + draws.randrange(-2, 3)
    if kind == "extreme":
        margin = draws.choice([-1, 1]) * draws.randrange(2 ** draws.randrange(1, 193))
    mode = MarginMode.ISOLATED if len(legs) == 1 and draws.random() < 0.8 else MarginMode.CROSS
    return Account(f"0x{number:04x}", mode, margin, legs)


def position(draws: Random, name: str, kind: str) -> Position:
    """A position in a market: many of the same price on a grid, a wei, one without entry, one beyond the contracts."""
    sign = draws.choice([-1, 1])
    if kind == "extreme":
        bits = draws.randrange(1, 193)
        size = sign * draws.randrange(2 ** (bits - 1), 2**bits)
        return Position(name, size, sign * draws.randrange(2 ** draws.randrange(1, 193)))
    size = {
        "plain": draws.randrange(1, 10**6) * 10**15 + draws.randrange(10**15),
        "grid": draws.randrange(1, 1000) * WAD,
        "dust": draws.randrange(1, 100),
        "free": draws.randrange(1, 1000) * WAD,
    }[kind]
    price = draws.randrange(70, 90) * WAD if kind == "grid" else draws.randrange(60 * WAD, 100 * WAD)
    return Position(name, sign * size, 0 if kind == "free" else sign * (size * price // WAD))


def book(draws: Random, count: int) -> Snapshot:
    """A whole book; the ids are in no order."""
    numbers = draws.sample(range(2**16), count)
    return Snapshot(None, markets(draws), {}, tuple(account(draws, number) for number in numbers))
