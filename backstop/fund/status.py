"""Where the insurance fund stands: what is derived from its views, and all of it as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backstop.adl.due import Trigger
from backstop.adl.snapshot import Block, Side
from backstop.chain.fund_view import TRIGGERS, FundView, PoolMarket, PoolView, Terms
from backstop.fund.units import Units
from backstop.math.margin import bankruptcy_price
from backstop.math.runway import Footing, Runway, runway
from backstop.math.wad import WAD, format_amount


@dataclass(frozen=True, slots=True)
class Held:
    """An inventory: what it is worth at the average bankruptcy price, its loss at mark, and what it is sold for. WAD.

    `auction_price` is None where there is no price to sell it around.
    """

    side: Side
    contracts: int
    bankruptcy_price: int
    loss: int
    auction_price: int | None


@dataclass(frozen=True, slots=True)
class ToClose:
    """What ADL still has to close of an inventory, and at which price. WAD."""

    side: Side
    contracts: int
    price: int
    compensation: int


def withdrawal_rate(fund: FundView) -> int:
    """Which part of a withdrawal is paid, WAD, rounded down: less than all of it while there is an open deficit."""
    total = fund.tokens_held + fund.deficit
    return fund.tokens_held * WAD // total if fund.deficit and total else WAD


def held_of(market: PoolMarket) -> list[Held]:
    """A pool's inventory in a market, long before short."""
    view, backing = market.view, market.backing
    rows = (
        (Side.LONG, view.long, backing.long_loss, view.long_auction),
        (Side.SHORT, view.short, backing.short_loss, view.short_auction),
    )
    return [
        Held(side, abs(size), bankruptcy_price(entry, size, view.mark), loss, price if contracts else None)
        for side, (size, entry, _), loss, (price, contracts) in rows
        if size
    ]


def to_close(market: PoolMarket) -> list[ToClose]:
    """The inventory that a round is due for, long before short."""
    if market.adl is None:
        return []
    rows = ((Side.LONG, Terms(*market.adl.long)), (Side.SHORT, Terms(*market.adl.short)))
    return [
        ToClose(side, abs(terms.size), terms.price, terms.compensation)
        for side, terms in rows
        if TRIGGERS[terms.trigger] is not None
    ]


def is_due(market: PoolMarket) -> bool:
    """Whether a trigger is on now, also where nothing can be closed for it."""
    return market.backing.drawdown_due or bool(market.adl and market.adl.is_on)


def reason_of(market: PoolMarket) -> Trigger | None:
    """Why ADL is on now, as far as a round is due; else why it was on when the market was last sampled."""
    if market.adl is not None and market.adl.is_on:
        return TRIGGERS[market.adl.reason]
    if market.backing.drawdown_due:
        return Trigger.DRAWDOWN
    return None


def footing_of(fund: FundView, pool: PoolView, market: PoolMarket) -> Footing | None:
    """What a market's runway is computed from; None where it has no inventory, or no live price to start at."""
    if not market.has_inventory or market.view.price_error:
        return None
    backing, group = market.backing, fund.group
    others = tuple(one.balance for one in group if one.id != pool.id)
    elsewhere = [one for one in pool.markets if one.view.id != market.view.id]
    return Footing(
        mark=market.view.mark,
        long=market.view.long[:2],
        short=market.view.short[:2],
        result=backing.pnl,
        peak=backing.max_pnl,
        balance=pool.balance,
        other_losses=sum(one.backing.loss for one in elsewhere),
        trigger=market.view.trigger,
        stop=market.view.stop,
        started=backing.started,
        loses_elsewhere=any(one.backing.inventory_loss for one in elsewhere),
        others=others if pool in group else None,
        place=sum(one.id < pool.id for one in group),
    )


def runways(fund: FundView, pool: PoolView, market: PoolMarket) -> tuple[Runway, Runway] | None:
    """How far a market's mark may fall, and how far it may rise."""
    footing = footing_of(fund, pool, market)
    return None if footing is None else (runway(footing, up=False), runway(footing, up=True))


def move(price: int, mark: int) -> int:
    """By which part a mark moves to a price, WAD, signed, rounded down."""
    return (price - mark) * WAD // mark


# ------------------------------------------------------------------ JSON


def block_document(block: Block) -> dict[str, Any]:
    """The block that everything was read at."""
    return {"chainId": block.chain_id, "number": block.number, "hash": block.hash, "timestamp": block.timestamp}


def status_document(fund: FundView, pools: list[PoolView], units: Units) -> dict[str, Any]:
    """The fund and some of its pools. Amounts are decimal strings."""
    return {
        "block": block_document(fund.block),
        "token": units.token.symbol,
        "tokensHeld": format_amount(fund.tokens_held),
        "deficit": format_amount(fund.deficit),
        "withdrawalRate": format_amount(withdrawal_rate(fund)),
        "pools": [_pool_document(fund, pool, units) for pool in pools],
    }


def _pool_document(fund: FundView, pool: PoolView, units: Units) -> dict[str, Any]:
    return {
        "name": pool.name,
        "kind": pool.kind.value,
        "backing": pool.backed_by.value,
        "balance": format_amount(pool.balance),
        "base": format_amount(pool.base),
        "cash": format_amount(pool.cash),
        "inventoryLosses": format_amount(pool.inventory_losses),
        "unsettledFunding": format_amount(pool.unsettled_funding),
        "items": {item: format_amount(amount) for item, amount in pool.items.items()},
        "deficit": format_amount(pool.deficit),
        "shares": {
            "address": pool.shares,
            "total": units.shares(pool.total_shares),
            "value": format_amount(units.share_value(pool.assets, pool.total_shares)),
            "assets": units.tokens(pool.assets),
            "cap": None if pool.cap is None else format_amount(pool.cap),
            "room": None if pool.max_stake is None else units.tokens(pool.max_stake),
            "refusal": pool.stake_refusal or None,
            "cooldown": pool.cooldown,
            "openExits": len(pool.exits),
            "openExitShares": units.shares(sum(one.shares for _, one in pool.exits)),
        },
        "markets": [_market_document(fund, pool, market) for market in pool.markets],
    }


def _market_document(fund: FundView, pool: PoolView, market: PoolMarket) -> dict[str, Any]:
    view, backing = market.view, market.backing
    reach = runways(fund, pool, market)
    return {
        "name": market.name,
        "markPrice": format_amount(view.mark) if view.mark else None,
        "isLive": not view.price_error,
        "drawdown": format_amount(backing.drawdown),
        "trigger": format_amount(view.trigger),
        "stop": format_amount(view.stop),
        "target": format_amount(view.target),
        "loss": format_amount(backing.loss),
        "result": format_amount(backing.pnl),
        "peak": format_amount(backing.max_pnl),
        "adl": _adl_document(market),
        "inventory": [
            {
                "side": held.side.value,
                "contracts": format_amount(held.contracts),
                "bankruptcyPrice": format_amount(held.bankruptcy_price),
                "loss": format_amount(held.loss),
                "auctionPrice": _optional(held.auction_price),
            }
            for held in held_of(market)
        ],
        "runway": None
        if reach is None
        else {name: _runway_document(one, view.mark) for name, one in zip(("down", "up"), reach, strict=True)},
    }


def _adl_document(market: PoolMarket) -> dict[str, Any]:
    reason, state = reason_of(market), market.adl
    seen = None if state is None else TRIGGERS[state.seen]
    return {
        "on": is_due(market),
        "reason": reason.value if reason else None,
        "seen": seen.value if seen else None,
        "started": market.backing.started,
        "stress": None if state is None else state.stress,
        "error": market.adl_error or None,
        "toClose": [
            {
                "side": one.side.value,
                "contracts": format_amount(one.contracts),
                "price": format_amount(one.price),
                "compensation": format_amount(one.compensation),
            }
            for one in to_close(market)
        ],
    }


def _runway_document(reach: Runway, mark: int) -> dict[str, str | None]:
    document: dict[str, str | None] = {}
    for name, price in (("drawdown", reach.drawdown), ("depletion", reach.depletion)):
        document[f"{name}Price"] = _optional(price)
        document[f"{name}Move"] = None if price is None else format_amount(move(price, mark))
    return document


def _optional(amount: int | None) -> str | None:
    return None if amount is None else format_amount(amount)
