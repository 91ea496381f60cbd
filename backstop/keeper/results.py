"""What a cycle did, as a JSON document; amounts are decimal strings, gas and blocks integers."""

from __future__ import annotations

from typing import Any

from backstop.account_id import account_text
from backstop.adl.results import plan_document
from backstop.chain.bindings import (
    CANDIDATE_SKIPPED,
    CHECKPOINTED,
    DELEVERAGED,
    ENTERED,
    INVENTORY_BOUGHT,
    LIQUIDATED,
    ROUND_EXECUTED,
    SETTLED,
)
from backstop.keeper.buying import BuyInventory
from backstop.keeper.cycle import Action
from backstop.keeper.duties import Liquidate, TakeOver
from backstop.keeper.unwinding import Unwind
from backstop.keeper.upkeep import Checkpoint, Redistribute, SettleExit, UpkeepDuty
from backstop.math.wad import WAD, format_amount
from backstop.transactions.receipt import Receipt

_DUTIES = {
    Liquidate: "liquidate",
    TakeOver: "takeOver",
    Checkpoint: "checkpoint",
    Redistribute: "redistribute",
    SettleExit: "settleExit",
    BuyInventory: "buyInventory",
    Unwind: "unwind",
}
SKIP_REASONS = ("flat", "inventorySide", "bankrupt", "duplicate", "insolventAtAdlPrice")


def action_document(action: Action) -> dict[str, Any]:
    """One action: the duty, the state it was decided on, the transaction and what it did on chain.

    The amounts of a liquidation are those of its event where it was sent, else the planned ones.
    """
    document: dict[str, Any] = {
        "duty": _DUTIES.get(type(action.duty), "deleverage"),
        "sent": action.receipt is not None,
        "refused": action.refusal,
        "block": action.block,
        "transaction": action.receipt.transaction if action.receipt else None,
        "gas": action.gas,
    }
    if isinstance(action.duty, Liquidate):
        return document | _liquidation(action.duty, action.receipt)
    if isinstance(action.duty, TakeOver):
        return document | {
            "account": action.duty.account,
            "markets": list(action.duty.markets),
            "equity": format_amount(action.duty.equity),
            "maintenanceMargin": format_amount(action.duty.maintenance_margin),
        }
    if isinstance(action.duty, Checkpoint | Redistribute | SettleExit):
        return document | _upkeep(action.duty, action.receipt)
    if isinstance(action.duty, BuyInventory | Unwind):
        return document | _trade(action.duty, action.receipt)
    executed = executed_round(action.receipt) if action.receipt else None
    return document | {"plan": plan_document(action.duty.plan), "round": executed}


def _liquidation(duty: Liquidate, receipt: Receipt | None) -> dict[str, Any]:
    amounts = executed_liquidation(receipt) if receipt else None
    contracts, notional, discount, fee = amounts or (duty.contracts, duty.notional, duty.discount, duty.fee)
    return {
        "account": duty.account,
        "liquidator": duty.liquidator,
        "market": duty.market,
        "side": duty.side.value,
        "contracts": format_amount(contracts),
        "notional": format_amount(notional),
        "discount": format_amount(discount),
        "fee": format_amount(fee),
        "equity": format_amount(duty.equity),
        "maintenanceMargin": format_amount(duty.maintenance_margin),
    }


def _trade(duty: BuyInventory | Unwind, receipt: Receipt | None) -> dict[str, Any]:
    contracts, price = (executed_trade(receipt) if receipt else None) or (duty.contracts, duty.price)
    document = {
        "account": duty.buyer if isinstance(duty, BuyInventory) else duty.account,
        "market": duty.market,
        "side": duty.side.value,
        "contracts": format_amount(contracts),
        "price": format_amount(price),
        "markPrice": format_amount(duty.mark),
    }
    return document | ({"order": "0x" + duty.order.digest.hex()} if isinstance(duty, Unwind) else {})


def executed_trade(receipt: Receipt) -> tuple[int, int] | None:
    """Contracts and price of a purchase or of a settled pair as its event tells them, WAD."""
    for _, topics, data in receipt.logs:
        if topics[0] == INVENTORY_BOUGHT.topic:
            *_, size, _, price = INVENTORY_BOUGHT.decode(topics, data)
            return abs(size), price
        if topics[0] == SETTLED.topic:
            _, _, _, size, _, price, *_ = SETTLED.decode(topics, data)
            return abs(size), price
    return None


def _upkeep(duty: UpkeepDuty, receipt: Receipt | None) -> dict[str, Any]:
    if isinstance(duty, Checkpoint):
        sample = executed_sample(receipt) if receipt else None
        return {
            "market": duty.market,
            "lastSample": duty.last,
            "unseen": duty.unseen,
            "result": format_amount(sample[0]) if sample else None,
            "drawdown": format_amount(sample[1]) if sample else None,
        }
    if isinstance(duty, Redistribute):
        return {"given": format_amount(executed_redistribution(receipt) if receipt else duty.given)}
    return {"pool": duty.pool, "owner": duty.owner, "value": format_amount(duty.value), "ripeAt": duty.ripe_at}


def executed_sample(receipt: Receipt) -> tuple[int, int] | None:
    """Result and drawdown of a market as its sample tells them, WAD."""
    for _, topics, data in receipt.logs:
        if topics[0] == CHECKPOINTED.topic:
            _, result, _, drawdown = CHECKPOINTED.decode(topics, data)
            return result, drawdown
    return None


def executed_redistribution(receipt: Receipt) -> int:
    """What changed hands, WAD."""
    moved = [ENTERED.decode(topics, data)[3] for _, topics, data in receipt.logs if topics[0] == ENTERED.topic]
    return sum(max(0, amount) for amount in moved)


def executed_liquidation(receipt: Receipt) -> tuple[int, int, int, int] | None:
    """Contracts, notional at mark (down), discount and fee of a liquidation as its event tells them, WAD."""
    for _, topics, data in receipt.logs:
        if topics[0] == LIQUIDATED.topic:
            *_, size, _, discount, fee, mark = LIQUIDATED.decode(topics, data)
            return abs(size), abs(size) * mark // WAD, discount, fee
    return None


def executed_round(receipt: Receipt) -> dict[str, Any]:
    """A round as its events tell it."""
    fills: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    result: dict[str, Any] = {}
    for _, topics, data in receipt.logs:
        if topics[0] == DELEVERAGED.topic:
            _, account, size, _, price, leveraged_return, rank = DELEVERAGED.decode(topics, data)
            fills.append(
                {
                    "account": account_text(account),
                    "contracts": format_amount(abs(size)),
                    "price": format_amount(price),
                    "leveragedReturn": format_amount(leveraged_return),
                    "place": rank,
                }
            )
        elif topics[0] == CANDIDATE_SKIPPED.topic:
            _, account, reason = CANDIDATE_SKIPPED.decode(topics, data)
            skipped.append({"account": account_text(account), "reason": SKIP_REASONS[reason]})
        elif topics[0] == ROUND_EXECUTED.topic:
            number, _, keeper, outcome = ROUND_EXECUTED.decode(topics, data)
            _, _, mark, price, contracts, netted, value, compensation = outcome
            result = {
                "id": number,
                "keeper": keeper,
                "markPrice": format_amount(mark),
                "adlPrice": format_amount(price),
                "contracts": format_amount(contracts),
                "netted": format_amount(netted),
                "value": format_amount(value),
                "compensation": format_amount(compensation),
            }
    return result | {"fills": fills, "skipped": skipped}
