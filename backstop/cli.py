"""The command `backstop`: a group that turns every failure into one line on stderr and an exit status.

Exit status: 0 done; 2 the input or the usage is at fault; 1 stopped on the way (Ctrl-C, a closed pipe, a bug).
"""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from backstop.commands.doctor import doctor_command
from backstop.commands.plan import plan_command
from backstop.commands.rank import rank_command
from backstop.commands.run import run_command
from backstop.commands.snapshot import snapshot_command
from backstop.errors import BackstopError, SnapshotError


class OneLineErrors(click.Group):
    """A group whose commands may raise: nobody ever sees a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. A BackstopError ends it with its own status, anything unforeseen with 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except SnapshotError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except BackstopError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            click.echo(f"error: {error.strerror or error}", err=True)
            ctx.exit(1)
        except Exception as bug:
            text = " ".join(str(bug).split())
            click.echo(f"error: this is a bug, please report it: {type(bug).__name__}: {text}", err=True)
            ctx.exit(1)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backstop")
def cli() -> None:
    """Backstop: insurance funds and auto-deleveraging of a perpetuals exchange."""


cli.add_command(rank_command)
cli.add_command(plan_command)
cli.add_command(snapshot_command)
cli.add_command(run_command)
cli.add_command(doctor_command)


def main() -> None:
    """The console entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    cli(prog_name="backstop")


if __name__ == "__main__":
    main()
