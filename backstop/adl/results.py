"""The results as JSON documents, keys and their order as docs/snapshot.md names them; amounts as decimal strings."""

from __future__ import annotations

from typing import Any

from backstop.adl.planning import Plan
from backstop.adl.ranking import Ranked
from backstop.math.wad import format_amount


def ranked_document(place: Ranked) -> dict[str, Any]:
    """One place of the queue."""
    return {
        "account": place.account,
        "market": place.market,
        "side": place.side.value,
        "contracts": format_amount(place.contracts),
        "adlRank": place.adl_rank,
        "adlLight": place.adl_light,
        "leveragedReturn": format_amount(place.leveraged_return),
        "unrealizedPnl": format_amount(place.unrealized_pnl),
        "marginRatio": format_amount(place.margin_ratio),
        "bankruptcyPrice": format_amount(place.bankruptcy_price),
        "liquidationPrice": _optional(place.liquidation_price),
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """One round that is due."""
    return {
        "market": plan.market,
        "side": plan.side.value,
        "pool": plan.pool,
        "trigger": plan.trigger.value,
        "drawdown": _optional(plan.drawdown),
        "compensation": format_amount(plan.compensation),
        "adlPrice": format_amount(plan.adl_price),
        "contracts": format_amount(plan.contracts),
        "fills": [
            {
                "account": fill.account,
                "contracts": format_amount(fill.contracts),
                "price": format_amount(fill.price),
                "leveragedReturn": format_amount(fill.leveraged_return),
                "adlRank": fill.adl_rank,
                "realizedPnl": format_amount(fill.realized_pnl),
            }
            for fill in plan.fills
        ],
        "skipped": [{"account": skip.account, "reason": skip.reason.value} for skip in plan.skipped],
        "uncovered": format_amount(plan.uncovered),
    }


def _optional(amount: int | None) -> str | None:
    return None if amount is None else format_amount(amount)
