"""Fees after EIP-1559, in wei: what a transaction offers, what its replacement has to, and what may be spent in all.

Pure functions: the base fee is that of the block which the caller has read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from backstop.errors import BudgetError, FeeCapError

GWEI = 10**9
HOUR, DAY = 3600, 86400
# Nodes replace a transaction only by one that offers a tenth more, some an eighth, of both fees.
_RAISE_NUMERATOR, _RAISE_DENOMINATOR = 9, 8


class Fees(NamedTuple):
    """`max_fee` and `tip` of a unit of gas."""

    max_fee: int
    tip: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be offered and spent, when a transaction is replaced, and when it counts.

    The tip is what the node suggests, within `tip_floor` and `tip_cap`: a node that is wrong, or not honest, must not
    spend the key's ether. Only what has to outbid another transaction of its nonce offers a higher one, and of those a
    replacement only where the base fee has passed what it replaces. No transaction offers more than `max_fee` for a
    unit of gas. Within an hour, and a day, of
    chain time no more than `per_hour`, and `per_day`, wei are spent; None for no limit. One that is not mined is
    replaced after `replace_after` seconds of chain time or `replace_after_blocks` blocks, whichever is first, and at
    once where the base fee has passed it. It counts with `confirmations` blocks, its own among them, and is watched for
    reorganisations until `final_after` blocks follow it.
    """

    tip_floor: int = 0
    tip_cap: int = 100 * GWEI
    max_fee: int = 5_000 * GWEI
    per_hour: int | None = None
    per_day: int | None = None
    replace_after: int = 36
    replace_after_blocks: int = 3
    confirmations: int = 1
    final_after: int = 64


def offer(
    base_fee: int, suggested_tip: int, policy: Policy, above: Fees | None = None, *, keeps_tip_cap: bool = False
) -> Fees:
    """What a transaction offers: a base fee that doubles still leaves it includable.

    `above` is what the same nonce was offered before: both fees are then raised as a replacement asks; past the cap of
    tips too, unless it `keeps_tip_cap` and the base fee has not passed what was offered. Raises FeeCapError where a cap
    does not allow that, or is below the base fee.
    """
    tip = min(max(suggested_tip, policy.tip_floor), policy.tip_cap)
    least = Fees(base_fee, 0)
    if above is not None:
        raised = Fees(_raised(above.max_fee), _raised(above.tip))
        if keeps_tip_cap and raised.tip > policy.tip_cap and base_fee <= above.max_fee:
            raise FeeCapError(
                f"a replacement has to offer a tip of {gwei(raised.tip)} gwei, and the cap of tips is "
                f"{gwei(policy.tip_cap)}: raise tip_cap, or wait until it is mined as it is"
            )
        least, tip = Fees(max(base_fee, raised.max_fee), raised.tip), max(tip, raised.tip)
    if least.max_fee > policy.max_fee:
        what = "the base fee is" if least.max_fee == base_fee else "a replacement has to offer"
        raise FeeCapError(
            f"{what} {gwei(least.max_fee)} gwei, and the cap of what a transaction may offer {gwei(policy.max_fee)}: "
            "raise fees.max_fee, or wait until gas is cheaper"
        )
    max_fee = min(max(2 * base_fee + tip, least.max_fee), policy.max_fee)
    return Fees(max_fee, min(tip, max_fee))


def check_budget(cost: int, in_hour: int, in_day: int, policy: Policy) -> None:
    """Raises BudgetError where `cost`, on top of what was spent or is reserved, passes a limit."""
    for limit, spent, window, setting in (
        (policy.per_hour, in_hour, "an hour", "fees.budget_per_hour"),
        (policy.per_day, in_day, "a day", "fees.budget_per_day"),
    ):
        if limit is not None and spent + cost > limit:
            raise BudgetError(
                f"the transaction may cost {ether(cost)} ether, and of the {ether(limit)} that may be spent in "
                f"{window} {ether(spent)} are spent or reserved: raise {setting}, or wait"
            )


def gwei(wei: int) -> str:
    """Wei as gwei, exactly."""
    return _decimal(wei, 9)


def ether(wei: int) -> str:
    """Wei as ether, exactly."""
    return _decimal(wei, 18)


def _raised(fee: int) -> int:
    """An eighth more, rounded up, and more than before even where that was nothing."""
    return max(-(-fee * _RAISE_NUMERATOR // _RAISE_DENOMINATOR), fee + 1)


def _decimal(wei: int, places: int) -> str:
    whole, part = divmod(wei, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")
