"""The command `backstop`: a group that turns every failure into one line on stderr and an exit status.

Exit status: 0 done; 2 the input or the usage is at fault; 1 stopped on the way (Ctrl-C, a closed pipe, a bug).
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any

import click

from backstop.commands.account import account_command
from backstop.commands.collateral import deposit_command, transfer_command, withdraw_command
from backstop.commands.doctor import doctor_command
from backstop.commands.faucet import faucet_command
from backstop.commands.order import order_group
from backstop.commands.plan import plan_command
from backstop.commands.rank import rank_command
from backstop.commands.run import run_command
from backstop.commands.snapshot import snapshot_command
from backstop.errors import BackstopError, SnapshotError, missing_package


class OneLineErrors(click.Group):
    """A group whose commands may raise: nobody ever sees a traceback, and an error of usage is one line like any."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Reads the options of the group itself."""
        try:
            return super().make_context(*arguments, **extra)
        except click.UsageError as fault:
            raise _OneLineUsageError(fault, "backstop") from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. A BackstopError ends it with its own status, anything unforeseen with 1."""
        try:
            return super().invoke(ctx)
        except click.UsageError as fault:
            raise _OneLineUsageError(fault, f"{ctx.command_path} {ctx.invoked_subcommand or ''}".rstrip()) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except SnapshotError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except BackstopError as error:
            _give_up_output()
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            _give_up_output()
            click.echo(f"error: {error.strerror or error}", err=True)
            ctx.exit(1)
        except Exception as bug:
            if (missing := missing_package(bug)) is not None:
                click.echo(f"error: {missing}", err=True)
                ctx.exit(1)
            text = " ".join(str(bug).split())
            click.echo(f"error: this is a bug, please report it: {type(bug).__name__}: {text}", err=True)
            ctx.exit(1)


class _OneLineUsageError(click.ClickException):
    """What click says of a wrong command line, and where to read on, as one line."""

    exit_code = 2

    def __init__(self, fault: click.UsageError, command: str) -> None:
        text = " ".join(fault.format_message().split()).rstrip(".")
        super().__init__(f"{text} (see {fault.ctx.command_path if fault.ctx else command} --help)")


def _give_up_output() -> None:
    """Where the output cannot be written, leaves none of it for Python's end, which would complain once more."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backstop")
def cli() -> None:
    """Backstop: insurance funds and auto-deleveraging of a perpetuals exchange."""


cli.add_command(rank_command)
cli.add_command(plan_command)
cli.add_command(snapshot_command)
cli.add_command(run_command)
cli.add_command(account_command)
cli.add_command(deposit_command)
cli.add_command(withdraw_command)
cli.add_command(transfer_command)
cli.add_command(order_group)
cli.add_command(faucet_command)
cli.add_command(doctor_command)


def main() -> None:
    """The console entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli(prog_name="backstop")
    except OSError as error:  # of --help and --version, which click prints before there is a command
        _give_up_output()
        click.echo(f"error: {error.strerror or error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
