"""`backstop fund history`: what happened to the insurance pools."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from backstop.commands.fund.fractions import shown
from backstop.commands.fund.plot_file import PlotFile
from backstop.commands.fund.reading import open_fund
from backstop.commands.options import FILE
from backstop.commands.settings_options import chain_options
from backstop.errors import BackstopError, OutputError

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.chain.fund_view import FundView
    from backstop.fund.history import Row

_BLOCK = re.compile(r"[0-9]{1,15}")
_SHOWN = 80


class _Since(NamedTuple):
    """A block, or a time in seconds, from which on something is shown."""

    block: int | None
    time: int | None

    def holds(self, row: Row) -> bool:
        """Whether a row is not from before it."""
        return row.block >= self.block if self.block is not None else row.time >= (self.time or 0)


class SinceType(click.ParamType):
    """A block's number, or a time like 2026-01-31 or 2026-01-31T08:00, UTC unless it says otherwise."""

    name = "since"

    def convert(self, value: str | _Since, param: click.Parameter | None, ctx: click.Context | None) -> _Since:
        """Raises BackstopError for what is neither."""
        if isinstance(value, _Since):
            return value
        if _BLOCK.fullmatch(value):
            return _Since(int(value), None)
        try:
            time = datetime.fromisoformat(value)
            return _Since(None, int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()))
        except (ValueError, OverflowError):
            shown = repr(value) if len(value) <= _SHOWN else repr(value[:_SHOWN]) + "…"
            raise BackstopError(
                f"--since {shown}: give a block's number, or a time (UTC) like 2026-01-31 or 2026-01-31T08:00"
            ) from None


@click.command("history")
@click.option("--pool", metavar="NAME", help="This pool alone.")
@click.option("--market", metavar="NAME", help="This market alone.")
@click.option("--since", type=SinceType(), metavar="BLOCK|TIME", help="From a block's number or a time (UTC) on.")
@click.option("--csv", "csv_file", type=FILE, metavar="FILE", help="Write the rows as CSV; - is standard output.")
@click.option("--plot", type=PlotFile(), metavar="FILE", help="Plot them, as .png, .svg or .html page.")
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of a table.")
@chain_options
def history_command(
    pool: str | None,
    market: str | None,
    since: _Since | None,
    csv_file: Path | None,
    plot: Path | None,
    as_json: bool,
    rpc: Endpoint,
    deployment: Path,
) -> None:
    """What moved the pools' cash, samples, ADL, inventory and stakes, from the events since the deployment.

    The sums of all events are held against the accounts that the chain keeps: a node that leaves some out is an error.
    """
    from backstop.fund.history import csv_of, history_document, read_history

    to_stdout = csv_file == Path("-")
    if to_stdout and as_json:
        raise BackstopError("--csv - and --json both print: leave one out, or give --csv a file")
    if csv_file is not None and not to_stdout and (csv_file.is_dir() or not csv_file.parent.is_dir()):
        what = "it is a folder" if csv_file.is_dir() else f"there is no folder {csv_file.parent}"
        raise BackstopError(f"--csv {shown(str(csv_file))}: {what}")
    client, fund, units, _ = open_fund(rpc, deployment)
    if pool is not None:
        fund.pool(pool)
    _check_market(fund, pool, market)
    history = read_history(client, fund, lambda text: click.echo(f"warning: {text}", err=True))
    rows = history.select(pool, market, since.holds if since else lambda _: True)
    if not rows and (csv_file is not None or plot is not None):
        click.echo("warning: no event is of those asked for", err=True)
    if csv_file is not None:
        _put(csv_of(rows, units), None if to_stdout else csv_file)
    if plot is not None:
        from backstop.fund.plot import write_history_plot

        write_history_plot(plot, history, rows, client.token.symbol)
    if as_json:
        click.echo(json.dumps(history_document(history, rows, units), indent=2))
    elif csv_file is None and plot is None:
        from backstop.render_history import print_history

        print_history(fund, rows, units)


def _check_market(fund: FundView, pool: str | None, market: str | None) -> None:
    known = [one.name for each in fund.pools if pool is None or each.name == pool for one in each.markets]
    if market is not None and market not in known:
        where = "the fund" if pool is None else f'pool "{pool}"'
        raise BackstopError(f"unknown market {market!r}: {where} has {', '.join(known) or 'none'}")


def _put(text: str, file: Path | None) -> None:
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise OutputError(f"cannot write {file}: {fault.strerror or fault}") from None
