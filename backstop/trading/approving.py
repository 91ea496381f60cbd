"""Calls that take tokens, after the approval that they need."""

from __future__ import annotations

from backstop.chain.bindings import ALLOWANCE, APPROVE
from backstop.errors import BackstopError
from backstop.math.wad import format_amount
from backstop.trading.actions import Step
from backstop.trading.client import Client


def after_approval(client: Client, owner: str, spender: str, units: int, step: Step) -> list[Step]:
    """A step that takes token units, after an approval of just those where `spender` may take fewer.

    Raises BackstopError where the owner does not have them.
    """
    token, balance = client.token, client.balance(owner)
    if balance < units:
        raise BackstopError(
            f"{owner} has {format_amount(token.amount(balance))} {token.symbol}, less than "
            f"{format_amount(token.amount(units))}: get more, or give less"
        )
    if client.endpoint.call(client.deployment.token, ALLOWANCE, owner, spender) >= units:
        return [step]
    return [Step("approve", client.deployment.token, APPROVE.encode(spender, units)), step]
