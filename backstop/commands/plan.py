"""`backstop plan`: what is due for auto-deleveraging, and the rounds that would end it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backstop.adl.planning import plan
from backstop.adl.results import plan_document
from backstop.adl.scoring import is_bankrupt
from backstop.commands.source import read_source, snapshot_source


@click.command("plan")
@snapshot_source
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of tables.")
def plan_command(file: str | None, rpc: str | None, deployment: Path | None, as_json: bool) -> None:
    """What is due for auto-deleveraging, at which price and against whom.

    FILE is a snapshot (docs/snapshot.md); - reads standard input.
    """
    snapshot = read_source(file, rpc, deployment)
    plans = plan(snapshot)
    if as_json:
        click.echo(json.dumps([plan_document(item) for item in plans], indent=2))
        return
    from backstop.render import print_plans

    print_plans(plans, bankrupt=sum(is_bankrupt(snapshot, account) for account in snapshot.accounts))
