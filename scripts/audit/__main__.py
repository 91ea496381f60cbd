"""`make audit`: runs the parts, writes build/audit.json and ends with one table; status 1 where one falls short."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

import click

from .results import REPORT, Part, show, write

# In the order in which they run and are shown; a part is a module with a function `run`.
PARTS = {
    "invariants": "the sequences, every invariant after every action, and all seeded bugs",
    "histories": "long histories of the complete exchange, and honest keepers on two thousand books",
    "libraries": "the differential fuzz of the libraries",
    "callers": "who may call what",
    "snapshots": "bytecode sizes and gas against those in git",
    "slither": "what slither finds, but for what is excluded with a reason",
    "symbolic": "properties that halmos proves for all arguments",
    "coverage": "lines and branches of the contracts, by forge",
    "python": "lines of the Python package, by the tests that run it",
    "mutants": "results of make mutate against the sources, and a sample of them again",
}


def _chosen(only: tuple[str, ...], without: tuple[str, ...]) -> list[str]:
    for name in (*only, *without):
        if name not in PARTS:
            raise click.UsageError(f"{name!r} is no part of the audit; there are {', '.join(PARTS)}")
    chosen = [name for name in PARTS if (not only or name in only) and name not in without]
    if not chosen:
        raise click.UsageError("no part of the audit is left to run")
    return chosen


@click.command()
@click.option("--only", multiple=True, metavar="PART", help="Run this part; may be given again.")
@click.option("--without", multiple=True, metavar="PART", help="Leave this part out; may be given again.")
@click.option("--list", "is_listing", is_flag=True, help="List the parts and end.")
def main(only: tuple[str, ...], without: tuple[str, ...], is_listing: bool) -> None:
    """Show what holds."""
    if is_listing:
        for name, what in PARTS.items():
            click.echo(f"{name:12} {what}")
        return
    if not __debug__:
        raise click.UsageError("python -O and PYTHONOPTIMIZE leave out what the audit asserts")
    chosen = _chosen(only, without)
    # One that does not come to its end leaves no report of an earlier one.
    REPORT.unlink(missing_ok=True)
    parts: dict[str, Part] = {}
    for name in chosen:
        click.echo(f"audit: {name} …", err=True)
        start = time.monotonic()
        parts[name] = _run(name)
        parts[name].seconds = time.monotonic() - start
    left_out = [name for name in PARTS if name not in parts]
    write(parts, left_out)
    show(parts)
    if short := [name for name, part in parts.items() if not part.holds]:
        click.echo(f"The audit falls short: {', '.join(short)}. Details are in {REPORT}.", err=True)
        sys.exit(1)
    whole = f"What was run holds; left out: {', '.join(left_out)}." if left_out else "Everything holds."
    click.echo(f"{whole} Details are in {REPORT}.")


def _run(name: str) -> Part:
    """A part; where it breaks down, that is what falls short of it, and the others are run all the same."""
    try:
        run: Callable[[], Part] = import_module(f".{name}", __package__).run
        return run()
    except Exception as fault:
        traceback.print_exc()
        return Part(name, faults=[f"it broke down: {type(fault).__name__}: {fault}"])


if __name__ == "__main__":
    main()
