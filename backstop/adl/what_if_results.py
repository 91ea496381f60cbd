"""What a change of an account would do, as a JSON document (docs/accounts.md); amounts as decimal strings."""

from __future__ import annotations

from typing import Any

from backstop.adl.results import ranked_document
from backstop.adl.snapshot import Market
from backstop.adl.trigger_price import TriggerPrice, TriggerPrices
from backstop.adl.what_if import AddMargin, Close, Outcome, Standing, Wish
from backstop.math.wad import format_amount


def outcome_document(
    outcome: Outcome, wish: Wish, market: Market, triggers: TriggerPrices, funding: int | None
) -> dict[str, Any]:
    """A change, before and after it. `funding` is what it settles, None where that is not known."""
    return {
        "account": outcome.before.account,
        "market": outcome.market,
        "side": outcome.side.value,
        "markPrice": format_amount(market.mark_price),
        "change": _wish_document(wish),
        "fee": format_amount(outcome.fee),
        "realizedPnl": format_amount(outcome.realized_pnl),
        "fundingSettled": _optional(funding),
        "rankedBefore": outcome.ranked_before,
        "rankedAfter": outcome.ranked_after,
        "before": _standing_document(outcome.before),
        "after": _standing_document(outcome.after),
        "newAccount": None if outcome.beside is None else _standing_document(outcome.beside),
        "adlDue": triggers_document(triggers),
    }


def triggers_document(triggers: TriggerPrices) -> dict[str, Any]:
    """How far the mark of a market may fall, and how far it may rise, before ADL is due there."""
    return {"down": _trigger_document(triggers.down), "up": _trigger_document(triggers.up)}


def _trigger_document(trigger: TriggerPrice | None) -> dict[str, str] | None:
    if trigger is None:
        return None
    return {
        "price": format_amount(trigger.price),
        "trigger": trigger.trigger.value,
        "move": format_amount(trigger.move),
    }


def _wish_document(wish: Wish) -> dict[str, Any]:
    if isinstance(wish, AddMargin):
        return {"kind": "addMargin", "amount": format_amount(wish.amount)}
    if isinstance(wish, Close):
        return {"kind": "close", "contracts": format_amount(wish.contracts)}
    return {
        "kind": "split",
        "contracts": format_amount(wish.contracts),
        "margin": format_amount(wish.margin),
        "deposited": wish.is_deposited,
    }


def _standing_document(standing: Standing) -> dict[str, Any]:
    return {
        "account": standing.account,
        "contracts": format_amount(standing.contracts),
        "collateral": format_amount(standing.collateral),
        "equity": format_amount(standing.equity),
        "maintenanceMargin": format_amount(standing.maintenance_margin),
        "initialMargin": _optional(standing.initial_margin),
        "place": None if standing.place is None else ranked_document(standing.place),
    }


def _optional(amount: int | None) -> str | None:
    return None if amount is None else format_amount(amount)
