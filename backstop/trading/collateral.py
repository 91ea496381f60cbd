"""Tokens into accounts, out of them, and between them, as steps to send."""

from __future__ import annotations

import re

from backstop.account_id import account_of
from backstop.chain.bindings import APPROVE, DEPOSIT, TRANSFER, WITHDRAW
from backstop.errors import BackstopError, RevertError
from backstop.math.wad import format_amount
from backstop.trading.actions import Step
from backstop.trading.client import Client

_SHORT = re.compile(r"\[MarginInsufficient\(0x[0-9a-f]{64}, (-?[0-9]+), ([0-9]+)\)\]")


def deposit_steps(client: Client, owner: str, sub_id: int, amount: int) -> list[Step]:
    """The deposit of a WAD amount, after an approval of just that where the exchange may take less.

    Raises BackstopError where the owner does not have it.
    """
    token, units = client.token, client.token.units(amount)
    balance = client.balance(owner)
    if balance < units:
        raise BackstopError(
            f"{owner} has {format_amount(token.amount(balance))} {token.symbol}, less than {format_amount(amount)}: "
            "get more, or deposit less"
        )
    exchange = client.deployment.exchange
    steps = [Step("deposit", exchange, DEPOSIT.encode(sub_id, units))]
    if client.allowance(owner) < units:
        steps.insert(0, Step("approve", client.deployment.token, APPROVE.encode(exchange, units)))
    return steps


def withdraw_steps(client: Client, owner: str, sub_id: int, amount: int, recipient: str) -> list[Step]:
    """The withdrawal of a WAD amount."""
    data = WITHDRAW.encode(account_of(owner, sub_id), client.token.units(amount), recipient)
    return [Step("withdraw", client.deployment.exchange, data)]


def explain_shortage(client: Client, account: bytes, called: str, amount: int, refusal: RevertError) -> RevertError:
    """The refusal to take a WAD amount out of an account, with what it holds and the most that can be taken."""
    found = _SHORT.search(str(refusal))
    if found is None:
        return refusal
    left, must_stay = int(found[1]), int(found[2])
    token = client.token
    most = max(0, amount + left - must_stay) // token.scale * token.scale
    return RevertError(
        f"{called} holds {format_amount(client.collateral(account))} {token.symbol}, of which at most "
        f"{format_amount(most)} can be taken: {refusal}"
    )


def transfer_steps(client: Client, owner: str, from_id: int, to_id: int, amount: int) -> list[Step]:
    """A WAD amount from one account of the owner to another."""
    accounts = account_of(owner, from_id), account_of(owner, to_id)
    return [Step("transfer", client.deployment.exchange, TRANSFER.encode(*accounts, client.token.units(amount)))]
