"""Who sends what is sent by hand: the exchange, and the key or signer of the command line, or of the settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.sent import remember
from backstop.commands.settings_options import settings_of

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.settings.model import Fees
    from backstop.trading.client import Client
    from backstop.transactions.fees import Policy
    from backstop.transactions.sender import Sender


def open_sender(rpc: Endpoint, deployment: Path, **_: Any) -> tuple[Client, Sender]:
    """The exchange and who signs; the key is looked at first.

    The sender has no journal: a keeper that runs with the same key finds that a nonce went elsewhere, and plans anew.
    """
    from backstop.settings.signing import open_key
    from backstop.trading.client import Client
    from backstop.transactions.sender import Sender

    settings = settings_of(click.get_current_context())
    signer = open_key(settings.key)
    client = Client.open(rpc, deployment)
    policy = unbudgeted(settings.fees)
    return client, remember(Sender(client.endpoint, signer, client.deployment.chain_id, policy=policy))


def unbudgeted(fees: Fees, max_fee: int | None = None) -> Policy:
    """What may be offered by hand, `max_fee` wei or what the settings say: budgets are for what nobody looks at."""
    from backstop.settings.signing import policy_of

    policy = replace(policy_of(fees), per_hour=None, per_day=None)
    return policy if max_fee is None else replace(policy, max_fee=max_fee)
