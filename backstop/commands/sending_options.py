"""The options of commands that are left running or look after what those have sent: the journal, and who signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from backstop.commands.options import Address

_Command = TypeVar("_Command", bound=Callable[..., Any])

JOURNAL_VARIABLE, SIGNER_VARIABLE = "BACKSTOP_JOURNAL", "BACKSTOP_SIGNER"


def journal_option(*, required: bool) -> Callable[[_Command], _Command]:
    """Adds `--journal`."""
    default = "" if required else " Without one it is kept in memory, and forgotten at the end."
    return click.option(
        "--journal",
        required=required,
        metavar="PATH",
        envvar=JOURNAL_VARIABLE,
        show_envvar=True,
        help=f"The journal of transactions: a SQLite file, or a PostgreSQL by its URL.{default}",
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
