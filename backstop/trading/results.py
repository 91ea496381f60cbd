"""Where accounts stand, as JSON documents with ccxt's unified field names; amounts are decimal strings."""

from __future__ import annotations

from typing import Any

from backstop.account_id import account_text, owner_of
from backstop.math.wad import format_amount
from backstop.trading.standing import AccountStanding, PositionStanding


def account_document(standing: AccountStanding, wallet: int) -> dict[str, Any]:
    """An account and its positions; each repeats its account's collateral, mode and ratio, as ccxt expects it.

    `wallet` is what its owner has of the token outside the exchange, WAD.
    """
    return {
        "account": account_text(standing.account),
        "owner": owner_of(standing.account),
        "marginMode": standing.margin_mode.value,
        "market": standing.market,
        "index": standing.index,
        "collateral": format_amount(standing.collateral),
        "equity": format_amount(standing.equity),
        "maintenanceMargin": format_amount(standing.maintenance_margin),
        "initialMargin": format_amount(standing.initial_margin),
        "marginRatio": _optional(standing.margin_ratio),
        "marginLow": standing.is_low,
        "due": standing.due and standing.due.value,
        "wallet": format_amount(wallet),
        "fundingPaid": format_amount(standing.funding_paid),
        "fundingPending": format_amount(standing.funding_pending),
        "positions": [_position_document(position, standing) for position in standing.positions],
    }


def _position_document(position: PositionStanding, standing: AccountStanding) -> dict[str, Any]:
    return {
        "market": position.market,
        "side": position.side.value,
        "contracts": format_amount(position.contracts),
        "entryPrice": format_amount(position.entry_price),
        "markPrice": format_amount(position.mark_price),
        "notional": format_amount(position.notional),
        "leverage": _optional(position.leverage),
        "unrealizedPnl": format_amount(position.unrealized_pnl),
        "collateral": format_amount(standing.collateral),
        "marginMode": standing.margin_mode.value,
        "marginRatio": _optional(standing.margin_ratio),
        "maintenanceMargin": format_amount(position.maintenance_margin),
        "liquidationPrice": _optional(position.liquidation_price),
        "bankruptcyPrice": format_amount(position.bankruptcy_price),
        "adlRank": position.adl_rank,
        "adlLight": position.adl_light,
        "fundingPaid": format_amount(position.funding_paid),
        "fundingPending": format_amount(position.funding_pending),
        "settlesAt": position.settles_at,
    }


def _optional(amount: int | None) -> str | None:
    return None if amount is None else format_amount(amount)
