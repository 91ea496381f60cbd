"""`backstop doctor`: what this machine lacks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from backstop.doctor.findings import Finding, Status, find_checkout
from backstop.doctor.packages import check_coincurve, check_npm_packages, check_python_packages
from backstop.doctor.programs import (
    check_compiler,
    check_foundry,
    check_make,
    check_node,
    check_npm,
    check_python,
)

_WIDTH = max(len(status) for status in Status)


@click.command("doctor")
@click.option(
    "--checkout",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The checkout to look into; else the one that this runs from, or that the working folder is in.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
def doctor_command(checkout: Path | None, as_json: bool) -> None:
    """What is missing or of a wrong version, and how to get it; a line each.

    Exit status 0 where all is well, else 1. What there is nothing to check for here is told, and is no fault.
    """
    findings = _examine(checkout.resolve() if checkout else find_checkout())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(_line(finding))
    if any(finding.is_fault for finding in findings):
        click.get_current_context().exit(1)


def _examine(checkout: Path | None) -> list[Finding]:
    return [
        check_python(),
        check_node(),
        check_npm(),
        check_make(),
        check_python_packages(checkout),
        check_coincurve(),
        check_npm_packages(checkout),
        check_compiler(checkout),
        check_foundry("anvil", checkout),
        check_foundry("forge", checkout),
    ]


def _line(finding: Finding) -> str:
    """`wrong      Node 18.1.0: 20 or newer is wanted; install it from …`."""
    text = f"{finding.status:<{_WIDTH}}  {finding.name}"
    if finding.found is not None:
        text += f" {finding.found}"
    notes = [note for note in (_wanted(finding), finding.advice) if note]
    return f"{text}: {'; '.join(notes)}" if notes else text


def _wanted(finding: Finding) -> str | None:
    return f"{finding.wanted} is wanted" if finding.is_fault and finding.wanted not in (None, "any") else None
