"""Books for the tests: the pieces of a snapshot document, with defaults that leave nothing due."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backstop.adl.snapshot import Snapshot
from backstop.adl.snapshot_file import loads
from backstop.math.wad import parse_amount as wad

__all__ = [
    "ETH",
    "EXAMPLES",
    "account",
    "document",
    "held",
    "market",
    "pool",
    "position",
    "snapshot",
    "wad",
    "worked_case",
    "worked_document",
]

ETH = "ETH-USD"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

Document = dict[str, Any]


def market(mark: str = "100", pnl: str = "0", peak: str | None = None, **other: Any) -> Document:
    """A market of the pool `eth`; `peak` is maxPnl8h and follows `pnl` where it is not given."""
    return {
        "markPrice": mark,
        "maintenanceMarginFraction": "0.05",
        "pool": "eth",
        "trigger": "0.3",
        "stop": "0.25",
        "target": "0.25",
        "adlActive": False,
        "pnl": pnl,
        "maxPnl8h": pnl if peak is None else peak,
    } | other


def pool(balance: str, *inventory: Document, kind: str = "isolated", backing: str = "own") -> Document:
    """An insurance pool."""
    return {"kind": kind, "backing": backing, "balance": balance, "inventory": list(inventory)}


def held(side: str, contracts: str, price: str, of: str = ETH) -> Document:
    """Inventory at a bankruptcy price."""
    return {"market": of, "side": side, "contracts": contracts, "bankruptcyPrice": price}


def position(side: str, contracts: str, price: str, of: str = ETH) -> Document:
    """A position at an entry price."""
    return {"market": of, "side": side, "contracts": contracts, "entryPrice": price}


def account(name: str, collateral: str, *positions: Document, mode: str = "isolated") -> Document:
    """An account."""
    return {"account": name, "marginMode": mode, "collateral": collateral, "positions": list(positions)}


def document(*accounts: Document, markets: Document | None = None, pools: Document | None = None) -> Document:
    """A snapshot; without markets and pools, one ETH market at mark 100 on a pool that has 1,000."""
    return {
        "version": 1,
        "markets": markets or {ETH: market()},
        "pools": pools or {"eth": pool("1000")},
        "accounts": list(accounts),
    }


def snapshot(*accounts: Document, markets: Document | None = None, pools: Document | None = None) -> Snapshot:
    """The same, read."""
    return loads(json.dumps(document(*accounts, markets=markets, pools=pools)))


def worked_document(**changes: Any) -> Document:
    """The published worked case after its takeover, with four traders; `changes` go to the market."""
    return document(
        account("trader-a", "4000", position("short", "500", "100")),
        account("trader-b", "4000", position("short", "400", "95")),
        account("trader-c", "6000", position("short", "300", "90")),
        account("trader-d", "6000", position("long", "400", "85")),
        markets={ETH: market("80", "-7000", "0", **changes)},
        pools={"eth": pool("13000", held("long", "800", "88.75"))},
    )


def worked_case(**changes: Any) -> Snapshot:
    """The same, read."""
    return loads(json.dumps(worked_document(**changes)))
