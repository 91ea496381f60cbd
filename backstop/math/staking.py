"""Shares of a pool, exits, and the stress that its drawdown puts on a market (docs/mathematics.md, "Stakes").

Shares and assets as ERC-4626 has them: assets are token units, shares have 12 decimals more.
"""

from __future__ import annotations

from backstop.math.fund import surplus_and_deficit
from backstop.math.wad import WAD, div_ceil

VIRTUAL_SHARES = 10**12
VIRTUAL_ASSETS = 1
GATE_DIVISOR = 100
STRESS_STEPS = 4
MAX_WAIT = 7 * 86400


def assets_to_shares(assets: int, total_assets: int, total_shares: int) -> int:
    """Shares that a stake of `assets` is given, rounded down."""
    return assets * (total_shares + VIRTUAL_SHARES) // (total_assets + VIRTUAL_ASSETS)


def assets_for_shares(shares: int, total_assets: int, total_shares: int) -> int:
    """What `shares` cost who wants to have them exactly, rounded up."""
    return div_ceil(shares * (total_assets + VIRTUAL_ASSETS), total_shares + VIRTUAL_SHARES)


def shares_to_assets(shares: int, total_assets: int, total_shares: int) -> int:
    """What `shares` are worth, rounded down."""
    return shares * (total_assets + VIRTUAL_ASSETS) // (total_shares + VIRTUAL_SHARES)


def exit_value(shares: int, exit_shares: int, value_then: int, value_now: int) -> int:
    """What a part of an exit pays: the smaller of its value at request, pro rata and rounded down, and of now."""
    return min(value_then * shares // exit_shares, value_now)


def burden(balance: int, group: list[int]) -> int:
    """What a mutual member would have to give for the others' deficits, pro rata to what is there, rounded up. WAD."""
    if balance <= 0:
        return 0
    surplus, deficit = surplus_and_deficit(group)
    return balance if deficit >= surplus else div_ceil(deficit * balance, surplus)


def pool_assets(balance: int, token_scale: int, group: list[int] | None = None) -> int:
    """What all shares of a pool stand for, in token units, down: its balance less what its group will ask of it."""
    if balance <= 0:
        return 0
    return (balance - (burden(balance, group) if group else 0)) // token_scale


def left_burden(amount: int, balance: int, group: list[int]) -> int:
    """What of its pool's balance an exit of `amount` leaves to the group's deficits: others carry no more. WAD."""
    surplus, deficit = surplus_and_deficit(group)
    if deficit == 0 or deficit >= surplus:
        return 0
    return min(div_ceil(amount * deficit, surplus - deficit), max(0, balance - amount))


def entry_assets(balance: int, gains: int, token_scale: int) -> int:
    """What a stake's shares are counted by: the balance and what inventories have gained at mark. Token units, up."""
    return max(0, div_ceil(balance + gains, token_scale))


def must_wait(loss: int, base: int, amount: int) -> bool:
    """Whether an exit of `amount` would leave a market that has lost `loss` above 1 % of the base. WAD."""
    return loss * GATE_DIVISOR > max(0, base - amount)


def stress(balance: int, loss: int, base: int, trigger: int) -> int:
    """How many of four equal steps from no drawdown to the trigger a market has reached; all of them below zero."""
    if balance < 0:
        return STRESS_STEPS
    if loss == 0:
        return 0
    if base == 0:
        return STRESS_STEPS
    return min(STRESS_STEPS, loss * STRESS_STEPS * WAD // (trigger * base))


def stressed_margin_fraction(fraction: int, step: int, steps: int) -> int:
    """The initial margin fraction in force, at most 100 %."""
    return min(WAD, fraction + steps * step)
