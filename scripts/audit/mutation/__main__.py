"""`make mutate`: whether the tests notice small faults in contracts and their mirror; goes on where it was stopped."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import click

from tests.invariants.compiler import compile_system

from ..machine import CORES
from .ledger import TARGETS, Ledger, is_python
from .trial import control, controls, try_all


@click.command()
@click.option("--only", multiple=True, metavar="FILE", help="This file alone; may be given again.")
@click.option("--anew", is_flag=True, help="Forget the results of these files.")
@click.option("--survivors", is_flag=True, help="Try those again that have survived.")
def main(only: tuple[str, ...], anew: bool, survivors: bool) -> None:
    """Try every mutant that has no result yet."""
    for file in only:
        if not Path(file).is_file() or not (file.startswith("contracts/") or file in TARGETS):
            raise click.UsageError(f"{file!r} is no file of contracts/, backstop/math or backstop/adl")
    files = list(only) or TARGETS
    compile_system()
    ledgers = {file: Ledger.open(file) for file in files}
    jobs = []
    for file, ledger in ledgers.items():
        if anew:
            ledger.results.clear()
        ledger.write()
        todo = ledger.missing() + (ledger.survivors() if survivors else [])
        at_once = 12 if "/libraries/" in file or is_python(file) else 3  # between two savings
        jobs += [(file, todo[i : i + at_once]) for i in range(0, len(todo), at_once)]
    click.echo(f"{sum(len(ids) for _, ids in jobs)} mutants of {len(files)} files", err=True)
    with ProcessPoolExecutor(CORES, mp_context=get_context("fork")) as pool:
        unchanged = controls(dict.fromkeys(file for file, _ in jobs))
        noticed = {what: found for what, found in zip(unchanged, pool.map(control, unchanged), strict=True) if found}
        if noticed:
            for what, found in noticed.items():
                click.echo(f"{what} without a mutant: {found}", err=True)
            sys.exit(1)
        tasks = {pool.submit(try_all, file, ids): file for file, ids in jobs}
        for done, task in enumerate(as_completed(tasks), start=1):
            ledger = ledgers[tasks[task]]
            ledger.results |= task.result()
            ledger.write()
            click.echo(f"{done}/{len(jobs)} {ledger.summary()}", err=True)
    short = [fault for ledger in ledgers.values() for fault in ledger.faults()]
    for ledger in ledgers.values():
        click.echo(ledger.summary())
    for fault in short:
        click.echo(fault)
    sys.exit(bool(short))


if __name__ == "__main__":
    main()
