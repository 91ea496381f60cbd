"""`backstop check`: whether the operator's own environment is what the settings say."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from backstop.commands.options import key_options
from backstop.commands.settings_options import chain_overrides, config_option, settings_of

_WIDTH = 12


@click.command("check")
@config_option
@chain_overrides
@key_options
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
def check_command(as_json: bool, **_: Any) -> None:
    """Nodes, contracts, key, balance, bond, clock, databases and the metrics' port, against the settings.

    Sends nothing, and leaves nothing behind. Exit status 0 where nothing fails, else 1; a warning is no failure.
    """
    from backstop.preflight.environment import examine
    from backstop.preflight.findings import Status

    findings = []
    for finding in examine(settings_of(click.get_current_context())):
        findings.append(finding)
        if not as_json:
            way_out = f"; {finding.advice}" if finding.advice else ""
            click.echo(f"{finding.status:<4}  {finding.name:<{_WIDTH}}  {finding.found}{way_out}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.status is Status.FAIL for finding in findings):
        click.get_current_context().exit(1)
