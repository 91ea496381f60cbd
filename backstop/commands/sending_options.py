"""The options of commands that are left running or look after what those have sent: the journal, and who signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from backstop.commands.options import Address

_Command = TypeVar("_Command", bound=Callable[..., Any])

JOURNAL_VARIABLE, SIGNER_VARIABLE = "BACKSTOP_JOURNAL", "BACKSTOP_SIGNER"


IN_STATE_FOLDER = "Without one it is that of the settings, or in the state folder."
WHERE_LEFT_RUNNING = (
    "Without one it is that of the settings; else in the state folder where it is left running, and with --once in "
    "memory, forgotten at the end."
)


def journal_option(default: str) -> Callable[[_Command], _Command]:
    """Adds `--journal`; `default` says which it is without one."""
    return click.option(
        "--journal",
        metavar="PATH",
        envvar=JOURNAL_VARIABLE,
        show_envvar=True,
        help=f"The journal of transactions: a SQLite file, or a PostgreSQL by its URL. {default}",
    )


def signer_options(command: _Command) -> _Command:
    """Adds `--signer` and `--signer-address`: a signer of its own in the place of a key."""
    command = click.option(
        "--signer-address", type=Address(), metavar="ADDRESS", help="Which account of the external signer signs."
    )(command)
    return click.option(
        "--signer",
        metavar="URL",
        envvar=SIGNER_VARIABLE,
        show_envvar=True,
        help="An external signer, of docs/operate-signer.md, in the place of a key.",
    )(command)
