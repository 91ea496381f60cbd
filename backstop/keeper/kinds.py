"""The kinds of duties: what settings and metrics call each, and which must not wait."""

from __future__ import annotations

from backstop.keeper.buying import BuyInventory
from backstop.keeper.duties import Deleverage, Liquidate, TakeOver
from backstop.keeper.unwinding import Unwind
from backstop.keeper.upkeep import Checkpoint, Redistribute, SettleExit, UpkeepDuty
from backstop.transactions.journal import Intent

Duty = Liquidate | TakeOver | Deleverage | UpkeepDuty | BuyInventory | Unwind

NAMES: dict[type[Duty], str] = {
    Liquidate: "liquidate",
    TakeOver: "take_over",
    Deleverage: "adl",
    Checkpoint: "checkpoint",
    Redistribute: "redistribute",
    SettleExit: "settle_exits",
    BuyInventory: "buy_inventory",
    Unwind: "unwind",
}
# What is due with a lower number goes first, among what is urgent and among the rest.
PRIORITIES = {
    "liquidate": 10,
    "take_over": 20,
    "adl": 30,
    "checkpoint": 40,
    "redistribute": 50,
    "settle_exits": 60,
    "buy_inventory": 70,
    "unwind": 80,
}
# As the journal has them: the first word of an intent's name is that of the duty's key.
_SLOW = frozenset({"checkpoint", "redistribute", "settleExit", "buyInventory", "unwind"})


def is_urgent(duty: Duty) -> bool:
    """Whether it goes before all that is not: also a sample that a due trigger waits for."""
    return duty.unseen if isinstance(duty, Checkpoint) else isinstance(duty, Liquidate | TakeOver | Deleverage)


def gives_way(intent: Intent) -> bool:
    """Whether an open transaction may be replaced by an urgent one's."""
    return intent.name.split(" ", 1)[0] in _SLOW


def about(duty: Duty) -> dict[str, str]:
    """What a log line says of a duty."""
    match duty:
        case Liquidate():
            return {"market": duty.market, "account": duty.account}
        case TakeOver():
            return {"account": duty.account}
        case Deleverage():
            return {"market": duty.plan.market, "plan": f"{duty.plan.market} {duty.plan.side}"}
        case Checkpoint() | BuyInventory() | Unwind():
            return {"market": duty.market}
        case Redistribute():
            return {}
        case SettleExit():
            return {"pool": duty.pool, "owner": duty.owner}
