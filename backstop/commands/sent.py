"""What a command has sent, so that whatever ends it early can still tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backstop.transactions.sender import Sender

_KEY = "backstop.sender"


def remember(sender: Sender) -> Sender:
    """Has the group that runs the present command look at this sender when something goes wrong."""
    click.get_current_context().meta[_KEY] = sender
    return sender


def sent_so_far(context: click.Context) -> str:
    """`; ` and what was sent, with hashes and what is known of it; nothing where nothing was."""
    sender: Sender | None = context.meta.get(_KEY)
    if sender is None:
        return ""
    from backstop.trading.actions import standing

    text = ""
    if sender.under_way:
        text += f"; {sender.under_way} was sent, outcome unknown: look for it before sending again"
    if sender.mined:
        text += f"; {standing(sender.mined)}"
    return text
