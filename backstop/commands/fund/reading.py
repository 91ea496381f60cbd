"""What the commands of the fund begin with: the fund at one block, its names, and who signs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from backstop.commands.by_hand import open_sender

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.chain.fund_view import FundView
    from backstop.fund.refusals import Words
    from backstop.fund.units import Units
    from backstop.trading.client import Client
    from backstop.transactions.sender import Sender


class Reading(NamedTuple):
    """A deployment, its fund at the latest block, and how both are told."""

    client: Client
    fund: FundView
    units: Units
    words: Words


def open_fund(rpc: Endpoint, deployment: Path) -> Reading:
    """The fund from the options of the chain."""
    from backstop.trading.client import Client

    return _read(Client.open(rpc, deployment))


def open_fund_and_sender(**options: Any) -> tuple[Reading, Sender]:
    """The same with who signs; the key is looked at first."""
    client, sender = open_sender(**options)
    return _read(client), sender


def _read(client: Client) -> Reading:
    from backstop.chain.fund_view import read_fund
    from backstop.fund.refusals import Words
    from backstop.fund.units import Units

    fund, units = read_fund(client.endpoint, client.deployment), Units(client.token)
    return Reading(client, fund, units, Words(fund, units))
