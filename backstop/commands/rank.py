"""`backstop rank`: the queue of one side of a market."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backstop.adl.ranking import rank
from backstop.adl.results import ranked_document
from backstop.adl.snapshot import Side
from backstop.commands.source import read_source, snapshot_source


@click.command("rank")
@snapshot_source
@click.option("--market", required=True, metavar="NAME", help="The market, as the snapshot names it.")
@click.option("--side", required=True, type=click.Choice([side.value for side in Side]), help="The side to rank.")
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of a table.")
def rank_command(
    file: str | None, rpc: str | None, deployment: Path | None, market: str, side: str, as_json: bool
) -> None:
    """Who is deleveraged first: the accounts of one side, with their ADL lights.

    FILE is a snapshot (docs/snapshot.md); - reads standard input.
    """
    queue = rank(read_source(file, rpc, deployment), market, side)
    if as_json:
        click.echo(json.dumps([ranked_document(place) for place in queue], indent=2))
        return
    from backstop.render import print_queue

    print_queue(queue, market, Side(side))
