"""`backstop report`: pages that somebody who decides can read."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backstop.commands.cluster_options import check_cluster, cluster_options
from backstop.commands.fund.plot_file import PlotFile
from backstop.errors import BackstopError

_DATA = Path("bench") / "data" / "october-2025"
_GAS = Path("snapshots") / "gas.json"


@click.group("report")
def report_group() -> None:
    """Reports, as pages that need nothing but themselves."""


@report_group.command("policies")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=_DATA,
    show_default=True,
    help="Folder with the published tables.",
)
@click.option(
    "--gas",
    "gas_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_GAS,
    show_default=True,
    help="What rounds cost, as `make snapshots` writes it.",
)
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), default=0, show_default=True, help="Draws the same books.")
@click.option(
    "-o", "--output", type=PlotFile(), help="Write the report to a .html file, or its drawings to .svg or .png."
)
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
@cluster_options
def policies_command(
    data: Path, gas_file: Path, seed: int, output: Path | None, as_json: bool, workers: int, scheduler: str | None
) -> None:
    """Three ways to choose whom to deleverage, on the same books.

    The queue by leveraged return, pro-rata by PnL and risk-aware pro-rata close the same contracts for the same amount,
    on books calibrated to what was published of 10 October 2025. docs/policies.md has the model and what it leaves out.
    """
    check_cluster(workers, scheduler)
    if output is None and not as_json:
        raise BackstopError("nothing is asked for: give -o report.html, or --json")

    from backstop.cluster import workers as on
    from backstop.policies.document import study_document
    from backstop.policies.october import read_event
    from backstop.policies.report import write_report
    from backstop.policies.study import Gas, study

    event, gas = read_event(data), Gas(*_gas_of(gas_file))
    with on(workers, scheduler) as run:
        found = study(event, seed, gas, run)
    if output is not None:
        write_report(output, found)
        click.echo(f"The report is in {output}.", err=as_json)
    if as_json:
        click.echo(json.dumps(study_document(found), indent=2))


def _gas_of(file: Path) -> tuple[int, int]:
    """Of a round's first isolated counterparty, and of each one more."""
    keys = ("deleverage.1", "marginal.500")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise BackstopError(f"cannot read {file}: {fault.strerror or fault}; --gas names the file") from None
    except (ValueError, RecursionError) as fault:
        raise BackstopError(f"{file} is not JSON: {fault}") from None
    values = [document.get(key) if isinstance(document, dict) else None for key in keys]
    for key, value in zip(keys, values, strict=True):
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise BackstopError(f"{file}: {key} is {value!r}, a gas figure is expected, as `make snapshots` writes it")
    first, marginal = values
    return int(first or 0), int(marginal or 0)
