"""The command `backstop`: a group that turns every failure into one line on stderr and an exit status.

Exit status: 0 done; 2 the input or the usage is at fault; 1 stopped on the way (Ctrl-C, a closed pipe, a bug), or
something was sent that did not end well. Whatever was sent before is told with it.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress
from typing import IO, Any

import click

from backstop.commands.account import account_command
from backstop.commands.bond import bond_group
from backstop.commands.check import check_command
from backstop.commands.collateral import deposit_command, transfer_command, withdraw_command
from backstop.commands.config import config_group
from backstop.commands.doctor import doctor_command
from backstop.commands.faucet import faucet_command
from backstop.commands.fund import fund_group
from backstop.commands.market import market_group
from backstop.commands.options import Amount
from backstop.commands.order import order_group
from backstop.commands.plan import plan_command
from backstop.commands.rank import rank_command
from backstop.commands.report import report_group
from backstop.commands.round import challenge_group, round_group
from backstop.commands.run import run_command
from backstop.commands.sent import sent_so_far
from backstop.commands.snapshot import snapshot_command
from backstop.commands.tx import tx_group
from backstop.commands.watch import watch_command
from backstop.commands.what_if import what_if_command
from backstop.errors import BackstopError, OutputError, SnapshotError, missing_package

_NEGATIVE = re.compile(r"-[0-9.]")


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
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (BrokenPipeError, SystemExit):  # the latter where rich has met the former
            if sent := sent_so_far(ctx):
                click.echo(f"error: nobody reads the output{sent}", err=True)
            raise
        except KeyboardInterrupt:
            sent = sent_so_far(ctx)
            if not sent:
                raise
            click.echo(f"error: interrupted{sent}", err=True)
            ctx.exit(1)
        except SnapshotError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except BackstopError as error:
            _give_up_output()
            click.echo(f"error: {error}{sent_so_far(ctx) if isinstance(error, OutputError) else ''}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            _give_up_output()
            click.echo(f"error: {error.strerror or error}{sent_so_far(ctx)}", err=True)
            ctx.exit(1)
        except Exception as bug:
            if (missing := missing_package(bug)) is not None:
                click.echo(f"error: {missing}{sent_so_far(ctx)}", err=True)
                ctx.exit(1)
            text = f"{type(bug).__name__}: {' '.join(str(bug).split())}"
            click.echo(f"error: this is a bug, please report it: {text}{sent_so_far(ctx)}", err=True)
            ctx.exit(1)


class _OneLineUsageError(click.ClickException):
    """What click says of a wrong command line, and where to read on, as one line."""

    exit_code = 2

    def __init__(self, fault: click.UsageError, command: str) -> None:
        text = " ".join(fault.format_message().split()).rstrip(".")
        if isinstance(fault, click.NoSuchOption) and _NEGATIVE.match(fault.option_name) and _takes_amount(fault.ctx):
            text = 'amounts are above zero: give one like "100.5", without a sign'
        super().__init__(f"{text} (see {fault.ctx.command_path if fault.ctx else command} --help)")

    def show(self, file: IO[Any] | None = None) -> None:
        """As every other error."""
        click.echo(f"error: {self.format_message()}", file=file, err=True)


def _takes_amount(context: click.Context | None) -> bool:
    """Whether the command has an amount for an argument: then what looks like an option was meant to be that."""
    parameters = context.command.params if context else []
    return any(isinstance(one, click.Argument) and isinstance(one.type, Amount) for one in parameters)


def _give_up_output() -> None:
    """Where the output cannot be written, leaves none of it for Python's end, which would complain once more."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _ClosedOutput(io.RawIOBase):
    """In the place of a standard output that was closed before the start: results that go nowhere are a failure."""

    def writable(self) -> bool:
        return True

    def write(self, _: Any) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backstop")
def cli() -> None:
    """Backstop: insurance funds and auto-deleveraging of a perpetuals exchange."""


cli.add_command(rank_command)
cli.add_command(report_group)
cli.add_command(plan_command)
cli.add_command(what_if_command)
cli.add_command(snapshot_command)
cli.add_command(run_command)
cli.add_command(watch_command)
cli.add_command(account_command)
cli.add_command(deposit_command)
cli.add_command(withdraw_command)
cli.add_command(transfer_command)
cli.add_command(order_group)
cli.add_command(faucet_command)
cli.add_command(market_group)
cli.add_command(fund_group)
cli.add_command(bond_group)
cli.add_command(round_group)
cli.add_command(challenge_group)
cli.add_command(tx_group)
cli.add_command(config_group)
cli.add_command(check_command)
cli.add_command(doctor_command)


def main() -> None:
    """The console entry point."""
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(_ClosedOutput(), encoding="utf-8", write_through=True)
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
