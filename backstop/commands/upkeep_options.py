"""The options of `backstop run` for the fund's upkeep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from backstop.commands.options import Amount, Whole

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SECONDS = Whole(1, 30 * 86_400)


_OPTIONS = (
    click.option("--no-checkpoint", is_flag=True, help="Take no samples of markets."),
    click.option("--no-redistribute", is_flag=True, help="Redistribute nothing within the mutual group."),
    click.option("--no-settle-exits", is_flag=True, help="Pay no ripe exits of stakers."),
    click.option(
        "--checkpoint-every",
        type=_SECONDS,
        default=60,
        metavar="SECONDS",
        help="How old the last sample of an isolated pool's market gets, in chain time. Default 60.",
    ),
    click.option(
        "--checkpoint-shared-every",
        type=_SECONDS,
        default=86_400,
        metavar="SECONDS",
        help="The same of a shared pool's markets. Default 86400, a day.",
    ),
    click.option(
        "--least-exit",
        type=Amount(or_zero=True),
        default="1",
        metavar="AMOUNT",
        help="Leave exits alone that are worth less quote than this. Default 1.",
    ),
)


def upkeep_options(command: _Command) -> _Command:
    """Adds them; each stands for a setting."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
