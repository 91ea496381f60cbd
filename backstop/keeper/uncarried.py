"""What is due for liquidation and stays with others, because this keeper's account can carry none of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from backstop.adl.scoring import legs_of
from backstop.chain.snapshot import ChainState
from backstop.keeper.liquidations import Liquidator, liquidations
from backstop.math.margin import equity, is_liquidatable, is_to_be_taken_over, maintenance_margin


def uncarried(state: ChainState, liquidator: Liquidator) -> list[str]:
    """A sentence for each market with accounts to liquidate of which the keeper can carry nothing."""
    margins = {account.id: account.margin for account in state.snapshot.accounts}
    due: Counter[str] = Counter()
    for account in state.snapshot.accounts:
        if len(account.positions) != 1:
            continue
        market = account.positions[0].market
        legs = legs_of(state.snapshot, account)
        own, margin = equity(account.margin, legs), maintenance_margin(legs)
        is_weak = is_liquidatable(own, margin) and not is_to_be_taken_over(own, margin, state.backstop_ratio)
        if is_weak and account.id != liquidator.account(state.market_ids[market]):
            due[market] += 1
    # What is too small to be worth it is left alone, but could be carried.
    for duty in liquidations(state, replace(liquidator, least_discount=0)) if due else ():
        due.pop(duty.market, None)
    return [_sentence(market, count, margins, state, liquidator) for market, count in due.items()]


def _sentence(market: str, count: int, margins: dict[str, int], state: ChainState, liquidator: Liquidator) -> str:
    accounts, them = ("1 account is", "it") if count == 1 else (f"{count} accounts are", "them")
    funded = margins.get(liquidator.account(state.market_ids[market]), 0) > 0
    why = "has no room left within --liquidate-up-to and its margin" if funded else "has no collateral"
    return f"{accounts} due, this keeper can carry none of {them}: its account in {market} {why}"
