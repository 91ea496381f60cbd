"""Random books, as Python and as the page's own arithmetic read them."""

from __future__ import annotations

from random import Random
from typing import Any

from backstop.adl.snapshot import (
    Account,
    Backing,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Snapshot,
)
from backstop.adl.what_if import AddMargin, Close, Split, Terms, Wish
from backstop.math.wad import WAD

NEW = "0x" + "f" * 64
_NAMES = ("ETH-USD", "BTC-USD", "DOGE-USD")


def book(draw: Random) -> tuple[Snapshot, dict[str, Terms]]:
    """Up to three markets, in one shared pool, in pools of their own, or in a mutual group; and up to 14 accounts."""
    names = _NAMES[: draw.randint(1, 3)]
    kind = draw.choice(("shared", "own", "mutual"))
    markets = {name: _market(draw, name, "all" if kind == "shared" else name) for name in names}
    pools = {
        name: Pool(
            name=name,
            kind=PoolKind.SHARED if kind == "shared" else PoolKind.ISOLATED,
            backing=Backing.MUTUAL if kind == "mutual" else Backing.OWN,
            balance=_signed(draw, 10**5),
            inventory=tuple(_inventory(draw, [one for one in markets.values() if one.pool == name])),
        )
        for name in dict.fromkeys(one.pool for one in markets.values())
    }
    ids = ["0x" + draw.randbytes(32).hex() for _ in range(draw.randint(1, 14))]
    accounts = tuple(_account(draw, one, markets, crosses=kind == "shared") for one in ids)
    terms = {name: _terms(draw) for name in names}
    return Snapshot(None, markets, pools, accounts), terms


def wish(draw: Random, position: Position) -> Wish:
    """A change of a position; of every third split too much, and of every fifth nearly all."""
    contracts = max(1, abs(position.size) * draw.choice((1, 20, 50, 75, 99, 100, 130)) // 100)
    margin = max(1, position.entry_notional * draw.choice((1, 8, 15, 40)) // 100, -position.entry_notional // 8)
    kind = draw.choice(("margin", "close", "split", "split"))
    if kind == "margin":
        return AddMargin(margin)
    if kind == "close":
        return Close(contracts)
    return Split(contracts, margin, NEW, is_deposited=draw.random() < 0.6)


def _market(draw: Random, name: str, pool: str) -> Market:
    trigger = draw.randint(WAD // 20, WAD * 9 // 10)
    stop = draw.randint(WAD // 20, trigger)
    result = _signed(draw, 10**4)
    return Market(
        name=name,
        mark_price=draw.randint(50 * WAD, 150 * WAD),
        maintenance_margin_fraction=draw.randint(WAD // 200, WAD // 10),
        pool=pool,
        trigger=trigger,
        stop=stop,
        target=draw.randint(stop, trigger),
        adl_active=draw.random() < 0.4,
        pnl=result,
        max_pnl_8h=result + draw.choice((0, draw.randint(0, 10**4 * WAD))),
        is_live=draw.random() < 0.9,
        is_closed=draw.random() < 0.1,
    )


def _inventory(draw: Random, markets: list[Market]) -> list[Inventory]:
    found = []
    for market in markets:
        for sign in draw.choice(((), (1,), (-1,), (1, -1))):
            size = sign * draw.randint(1, 500 * WAD)
            found.append(Inventory(market.name, size, size * draw.randint(70 * WAD, 130 * WAD) // WAD))
    return found


def _account(draw: Random, name: str, markets: dict[str, Market], *, crosses: bool) -> Account:
    is_cross = crosses and draw.random() < 0.4
    held = draw.sample(list(markets), draw.randint(0 if is_cross else 1, len(markets) if is_cross else 1))
    positions = []
    for one in held:
        size = draw.choice((1, -1)) * draw.choice((draw.randint(1, 400 * WAD), draw.randint(1, 9) * 10 * WAD))
        positions.append(Position(one, size, size * draw.randint(80 * WAD, 120 * WAD) // WAD))
    notional = sum(abs(one.entry_notional) for one in positions)
    margin = notional * draw.randint(1, 60) // 100 if draw.random() < 0.9 else _signed(draw, 10**3)
    return Account(name, MarginMode.CROSS if is_cross else MarginMode.ISOLATED, margin, tuple(positions))


def _terms(draw: Random) -> Terms:
    return Terms(
        initial_margin_fraction=draw.choice((None, *[draw.randint(WAD // 50, WAD // 5)] * 9)),
        maker_fee=draw.randint(0, WAD // 1000),
        taker_fee=draw.randint(0, WAD // 500),
        min_size=draw.choice((0, WAD, 20 * WAD)),
        max_notional=draw.choice((None, None, 20_000 * WAD)),
        isolated_only=draw.random() < 0.1,
    )


def _signed(draw: Random, most: int) -> int:
    return draw.randint(-most * WAD, most * WAD)


def as_page(snapshot: Snapshot, terms: dict[str, Terms], wishes: list[tuple[int, int, Wish]]) -> dict[str, Any]:
    """A book as the page's program reads it: integers end with `n`, markets and pools have numbers."""
    markets = {name: place for place, name in enumerate(snapshot.markets, start=1)}
    pools = {name: place for place, name in enumerate(snapshot.pools, start=1)}

    def held(one: Position | Inventory) -> dict[str, Any]:
        return {"market": markets[one.market], "size": f"{one.size}n", "entryNotional": f"{one.entry_notional}n"}

    return {
        "snapshot": {
            "markets": [
                {
                    "id": markets[name],
                    "name": name,
                    "markPrice": f"{one.mark_price}n",
                    "maintenanceMarginFraction": f"{one.maintenance_margin_fraction}n",
                    "pool": pools[one.pool],
                    "trigger": f"{one.trigger}n",
                    "stop": f"{one.stop}n",
                    "target": f"{one.target}n",
                    "adlActive": one.adl_active,
                    "pnl": f"{one.pnl}n",
                    "maxPnl8h": f"{one.max_pnl_8h}n",
                    "isLive": one.is_live,
                    "isClosed": one.is_closed,
                }
                for name, one in snapshot.markets.items()
            ],
            "pools": [
                {
                    "id": pools[name],
                    "name": name,
                    "isMutual": one.backing is Backing.MUTUAL,
                    "balance": f"{one.balance}n",
                    "inventory": [held(item) for item in one.inventory],
                }
                for name, one in snapshot.pools.items()
            ],
            "accounts": [
                {
                    "id": one.id,
                    "isCross": one.margin_mode is MarginMode.CROSS,
                    "margin": f"{one.margin}n",
                    "positions": [held(item) for item in one.positions],
                }
                for one in snapshot.accounts
            ],
        },
        "terms": {str(markets[name]): _terms_document(one) for name, one in terms.items()},
        "wishes": [
            {"account": account, "position": place, "wish": _wish_document(one)} for account, place, one in wishes
        ],
    }


def _terms_document(terms: Terms) -> dict[str, Any]:
    def optional(amount: int | None) -> str | None:
        return None if amount is None else f"{amount}n"

    return {
        "initialMarginFraction": optional(terms.initial_margin_fraction),
        "makerFee": f"{terms.maker_fee}n",
        "takerFee": f"{terms.taker_fee}n",
        "minSize": f"{terms.min_size}n",
        "maxNotional": optional(terms.max_notional),
        "isolatedOnly": terms.isolated_only,
    }


def _wish_document(one: Wish) -> dict[str, Any]:
    if isinstance(one, AddMargin):
        return {"kind": "addMargin", "amount": f"{one.amount}n"}
    if isinstance(one, Close):
        return {"kind": "close", "contracts": f"{one.contracts}n"}
    return {
        "kind": "split",
        "contracts": f"{one.contracts}n",
        "margin": f"{one.margin}n",
        "isDeposited": one.is_deposited,
        "into": one.into,
    }
