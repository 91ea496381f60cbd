"""Open deficits of pools, and what a withdrawal is paid while there is one (docs/mathematics.md, "Deficits").

Amounts are WAD unless they are called tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from backstop.math.fund import redistribute


def open_deficit(cash: int) -> int:
    """What a pool on its own lacks that closing its inventory would not bring back."""
    return max(0, -cash)


def group_deficits(balances: Sequence[int], losses: Sequence[int], cash: Sequence[int]) -> list[int]:
    """The same of the members of a mutual group: what a redistribution leaves them without, beyond inventory losses.

    No more than their cash is below zero then: funding that they owe counts once it is settled. Nothing while the sum
    of the balances is above zero.
    """
    if sum(balances) > 0:
        return [0] * len(balances)
    return [
        max(0, min(-after - loss, before - after - own))
        for before, after, loss, own in zip(balances, redistribute(balances), losses, cash, strict=True)
    ]


def share_out(amount: int, parts: Sequence[int]) -> list[int]:
    """An amount over parts, pro rata and rounded down; the last part that is not 0 has the remainder."""
    total = sum(parts)
    shares = [amount * part // total if part else 0 for part in parts]
    if total:
        last = max(place for place, part in enumerate(parts) if part)
        shares[last] += amount - sum(shares)
    return shares


def paid_tokens(amount: int, tokens_held: int, deficit: int) -> int:
    """Token units that a withdrawal of `amount` token units is paid, rounded down.

    `tokens_held/(tokens_held + deficit)` of it. What it gives up lowers the deficit, so the rate is the same for all.
    """
    return amount * tokens_held // (tokens_held + deficit) if deficit else amount
