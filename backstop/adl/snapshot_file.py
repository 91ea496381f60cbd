"""The snapshot file, version 1 (docs/snapshot.md): read strictly, written exactly."""

from __future__ import annotations

import json
from typing import Any

from backstop.adl.snapshot import (
    Account,
    Backing,
    Block,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Side,
    Snapshot,
)
from backstop.adl.strict_json import Node, check_name, parse
from backstop.errors import SnapshotError
from backstop.math.wad import AMOUNT_LIMIT, format_amount, mul_ceil

__all__ = ["SnapshotError", "dumps", "loads"]

VERSION = 1

_MARKET_KEYS = (
    "markPrice",
    "maintenanceMarginFraction",
    "pool",
    "trigger",
    "stop",
    "target",
    "adlActive",
    "pnl",
    "maxPnl8h",
)


def loads(text: str) -> Snapshot:
    """The snapshot that a file's text describes. Raises SnapshotError, which names the JSON path of the first fault."""
    root = parse(text)
    # The version is judged before the keys: a newer file has other keys, and that is not what is wrong with it.
    version = root.members().get("version")
    if version is not None and version.integer() != VERSION:
        version.fail(f"{version.integer()} is not a version that is known here: expected {VERSION}")
    members = root.object(required=("version", "markets", "pools", "accounts"), optional=("block",))
    pool_nodes = members["pools"].members()
    markets = {name: _market(name, node, pool_nodes) for name, node in members["markets"].members().items()}
    return Snapshot(
        block=_block(members["block"]) if "block" in members else None,
        markets=markets,
        pools={name: _pool(name, node, markets) for name, node in pool_nodes.items()},
        accounts=_accounts(members["accounts"], markets),
    )


def dumps(snapshot: Snapshot) -> str:
    """The text of the file; `loads` gives the same snapshot back, to the wei."""
    document: dict[str, Any] = {"version": VERSION}
    if snapshot.block is not None:
        document["block"] = {
            "chainId": snapshot.block.chain_id,
            "number": snapshot.block.number,
            "hash": snapshot.block.hash,
            "timestamp": snapshot.block.timestamp,
        }
    document["markets"] = {name: _written_market(market) for name, market in snapshot.markets.items()}
    document["pools"] = {name: _written_pool(pool) for name, pool in snapshot.pools.items()}
    document["accounts"] = [
        {
            "account": account.id,
            "marginMode": account.margin_mode.value,
            "collateral": format_amount(account.margin),
            "positions": [_written_position(position) for position in account.positions],
        }
        for account in snapshot.accounts
    ]
    return json.dumps(document, indent=2) + "\n"


def _block(node: Node) -> Block:
    members = node.object(required=("chainId", "number", "hash", "timestamp"))
    return Block(
        chain_id=members["chainId"].integer(),
        number=members["number"].integer(),
        hash=members["hash"].name(),
        timestamp=members["timestamp"].integer(),
    )


def _market(name: str, node: Node, pools: dict[str, Node]) -> Market:
    check_name(name, node.fail)
    members = node.object(required=_MARKET_KEYS, optional=("priceLive", "closed"))
    pool = members["pool"].name()
    if pool not in pools:
        members["pool"].fail(f'unknown pool "{pool}": not among the keys of $.pools')
    market = Market(
        name=name,
        mark_price=members["markPrice"].positive_amount(),
        maintenance_margin_fraction=members["maintenanceMarginFraction"].unsigned_amount(),
        pool=pool,
        trigger=members["trigger"].unsigned_amount(),
        stop=members["stop"].unsigned_amount(),
        target=members["target"].unsigned_amount(),
        adl_active=members["adlActive"].flag(),
        pnl=members["pnl"].amount(),
        max_pnl_8h=members["maxPnl8h"].amount(),
        is_live=members["priceLive"].flag() if "priceLive" in members else True,
        is_closed=members["closed"].flag() if "closed" in members else False,
    )
    if market.max_pnl_8h < market.pnl:
        members["maxPnl8h"].fail(
            f'"{format_amount(market.max_pnl_8h)}" is below pnl "{format_amount(market.pnl)}": '
            "the present is one of its samples"
        )
    return market


def _pool(name: str, node: Node, markets: dict[str, Market]) -> Pool:
    check_name(name, node.fail)
    members = node.object(required=("kind", "backing", "balance", "inventory"))
    kind, backing = members["kind"].choice(PoolKind), members["backing"].choice(Backing)
    if kind is PoolKind.SHARED and backing is not Backing.OWN:
        members["backing"].fail(f'a shared pool stands on its own: write "{Backing.OWN}"')
    balance = members["balance"].amount()
    inventory: list[Inventory] = []
    held: set[tuple[str, bool]] = set()
    for item in members["inventory"].items():
        entry = _inventory(name, item, markets)
        if (entry.market, entry.size > 0) in held:
            item.fail(f'second {Side.of(entry.size)} inventory in "{entry.market}": a pool has one of each side')
        held.add((entry.market, entry.size > 0))
        inventory.append(entry)
    return Pool(name, kind, backing, balance, tuple(inventory))


def _inventory(pool: str, node: Node, markets: dict[str, Market]) -> Inventory:
    members = node.object(required=("market", "side", "contracts"), optional=("bankruptcyPrice", "entryNotional"))
    market = _known_market(members["market"], markets)
    if market.pool != pool:
        members["market"].fail(f'"{market.name}" belongs to the pool "{market.pool}"')
    side, contracts = members["side"].choice(Side), members["contracts"].positive_amount()
    size = side.sign * contracts
    if _either(node, members, "bankruptcyPrice", "entryNotional") == "bankruptcyPrice":
        return Inventory(market.name, size, _notional(members["bankruptcyPrice"], size))
    return Inventory(market.name, size, side.sign * members["entryNotional"].amount())


def _accounts(node: Node, markets: dict[str, Market]) -> tuple[Account, ...]:
    accounts: dict[str, Account] = {}
    for item in node.items():
        members = item.object(required=("account", "marginMode", "collateral", "positions"))
        name = members["account"].name()
        if name in accounts:
            members["account"].fail(f'duplicate account "{name}": write all its positions in one entry')
        mode, margin = members["marginMode"].choice(MarginMode), members["collateral"].amount()
        accounts[name] = Account(name, mode, margin, _positions(members["positions"], mode, markets))
    return tuple(accounts.values())


def _positions(node: Node, mode: MarginMode, markets: dict[str, Market]) -> tuple[Position, ...]:
    positions: dict[str, Position] = {}
    pool: str | None = None
    for item in node.items():
        members = item.object(required=("market", "side", "contracts"), optional=("entryPrice", "entryNotional"))
        market = _known_market(members["market"], markets)
        if market.name in positions:
            members["market"].fail(f'second position of the account in "{market.name}": write one')
        if pool is not None and mode is MarginMode.ISOLATED:
            node.fail("an isolated account has one position: use one account for each, or marginMode cross")
        if pool is not None and market.pool != pool:
            members["market"].fail(
                f'"{market.name}" belongs to the pool "{market.pool}", the positions before to "{pool}"'
            )
        pool = market.pool
        side, contracts = members["side"].choice(Side), members["contracts"].positive_amount()
        size = side.sign * contracts
        if _either(item, members, "entryPrice", "entryNotional") == "entryPrice":
            members["entryPrice"].positive_amount()
            notional = _notional(members["entryPrice"], size)
        else:
            notional = side.sign * members["entryNotional"].unsigned_amount()
        positions[market.name] = Position(market.name, size, notional)
    return tuple(positions.values())


def _known_market(node: Node, markets: dict[str, Market]) -> Market:
    name = node.name()
    if name not in markets:
        node.fail(f'unknown market "{name}": not among the keys of $.markets')
    return markets[name]


def _either(node: Node, members: dict[str, Node], one: str, other: str) -> str:
    if (one in members) == (other in members):
        node.fail(f"exactly one of {one} and {other} is required")
    return one if one in members else other


def _notional(price: Node, size: int) -> int:
    """`ceil(size * price)`, signed; it has to be an amount that a file can hold."""
    notional = mul_ceil(size, price.amount())
    if abs(notional) >= AMOUNT_LIMIT:
        price.fail("contracts times this price is too large: amounts are below 10^40")
    return notional


def _written_market(market: Market) -> dict[str, Any]:
    written = {
        "markPrice": format_amount(market.mark_price),
        "maintenanceMarginFraction": format_amount(market.maintenance_margin_fraction),
        "pool": market.pool,
        "trigger": format_amount(market.trigger),
        "stop": format_amount(market.stop),
        "target": format_amount(market.target),
        "adlActive": market.adl_active,
        "pnl": format_amount(market.pnl),
        "maxPnl8h": format_amount(market.max_pnl_8h),
    }
    if not market.is_live:
        written["priceLive"] = False
    if market.is_closed:
        written["closed"] = True
    return written


def _written_pool(pool: Pool) -> dict[str, Any]:
    return {
        "kind": pool.kind.value,
        "backing": pool.backing.value,
        "balance": format_amount(pool.balance),
        "inventory": [
            {
                "market": item.market,
                "side": Side.of(item.size).value,
                "contracts": format_amount(abs(item.size)),
                "entryNotional": format_amount(item.entry_notional * Side.of(item.size).sign),
            }
            for item in pool.inventory
        ],
    }


def _written_position(position: Position) -> dict[str, Any]:
    return {
        "market": position.market,
        "side": Side.of(position.size).value,
        "contracts": format_amount(abs(position.size)),
        "entryNotional": format_amount(abs(position.entry_notional)),
    }
