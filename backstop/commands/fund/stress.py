"""`backstop fund stress`: whether the insurance pools are large enough for shocks of the marks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from backstop.commands.cluster_options import check_cluster, cluster_options
from backstop.commands.fund.stress_options import check_together, scenario_of, stress_options, terms_of
from backstop.commands.source import read_source_and_chain, snapshot_source
from backstop.errors import BackstopError


@click.command("stress")
@snapshot_source
@stress_options
@cluster_options
@click.pass_context
def stress_command(
    context: click.Context,
    /,
    file: str | None,
    rpc: str | None,
    deployment: Path | None,
    plot: Path | None,
    as_json: bool,
    workers: int,
    scheduler: str | None,
    **options: Any,
) -> None:
    """Is the insurance fund large enough?

    Moves the marks of a snapshot, takes over and liquidates the accounts that cannot carry it, and says what that costs
    each pool, whether ADL would be due, and how large the fund would have to be. FILE is a snapshot (docs/snapshot.md);
    - reads standard input. An estimate in floating point: no amount on chain is decided by it.

    Marks are drawn as mark * exp(volatility * sqrt(horizon / 365 days) * x), or moved by --shock. x is normal, or a
    multivariate Student t with one mixing variable for all markets, so that they crash together, scaled to variance 1;
    any two markets have the same correlation. There is no drift. docs/stress.md has the model and what it leaves out.
    """
    check_together(context)
    check_cluster(workers, scheduler)
    snapshot, chain = read_source_and_chain(file, rpc, deployment)
    if not snapshot.markets:
        raise BackstopError("the snapshot has no markets: there is nothing to stress")

    from backstop.cluster import workers as on
    from backstop.stress.book import read_book
    from backstop.stress.document import stress_document
    from backstop.stress.simulation import simulate
    from backstop.stress.summary import summarize

    scenario, terms = scenario_of(options, snapshot), terms_of(options, snapshot, chain)
    book = read_book(snapshot)
    if book.is_empty:
        raise BackstopError("the snapshot has no positions and no inventory: there is nothing to stress")
    with on(workers, scheduler) as run, _progress(scenario.draws) as progress:
        outcome = simulate(book, terms, scenario, progress=progress, run=run)
    summary = summarize(book, outcome)
    if plot is not None:
        from backstop.stress.plot import write_plot

        write_plot(plot, book, outcome, summary)
    if as_json:
        click.echo(json.dumps(stress_document(book, terms, scenario, summary), indent=2))
        return
    from backstop.render_stress import print_stress

    print_stress(book, terms, scenario, summary)


@contextmanager
def _progress(draws: int) -> Iterator[Callable[[int], None]]:
    """What is told of draws that are done: a bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("Draws"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=draws == 1 or not console.is_terminal) as bar:
        task = bar.add_task("draws", total=draws)
        yield lambda done: bar.advance(task, done)
