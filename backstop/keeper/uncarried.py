"""What is due for liquidation and stays with others, because this keeper's accounts can carry none of it."""

from __future__ import annotations

from dataclasses import replace

from backstop.chain.snapshot import ChainState
from backstop.keeper.liquidations import Liquidator, liquidations, weak_accounts


def uncarried(state: ChainState, liquidator: Liquidator) -> list[str]:
    """A sentence for each market with accounts to liquidate of which the keeper can carry nothing.

    An account with several legs counts in the market of the one that asks for most margin, as long as the keeper can
    carry nothing of the others either.
    """
    margins = {account.id: account.margin for account in state.snapshot.accounts}
    due: dict[str, set[str]] = {}
    for weak in weak_accounts(state):
        market = weak.legs[0].market
        if weak.account != liquidator.account(state.market_ids[market]):
            due.setdefault(market, set()).add(weak.account)
    # What is too small to be worth it is left alone, but could be carried.
    for duty in liquidations(state, replace(liquidator, least_discount=0)) if due else ():
        due.pop(duty.market, None)
        for accounts in due.values():
            accounts.discard(duty.account)
    return [
        _sentence(market, len(accounts), margins, state, liquidator)
        for market, accounts in sorted(due.items())
        if accounts
    ]


def _sentence(market: str, count: int, margins: dict[str, int], state: ChainState, liquidator: Liquidator) -> str:
    accounts, them = ("1 account is", "it") if count == 1 else (f"{count} accounts are", "them")
    funded = margins.get(liquidator.account(state.market_ids[market]), 0) > 0
    why = "has no room left within --liquidate-up-to and its margin" if funded else "has no collateral"
    return f"{accounts} due, this keeper can carry none of {them}: its account in {market} {why}"
