"""`backstop snapshot`: the state of a chain at one block, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.adl.snapshot_file import dumps
from backstop.commands.options import FILE, STDOUT, Whole
from backstop.commands.settings_options import chain_options
from backstop.commands.source import read_source
from backstop.errors import BackstopError

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("snapshot")
@chain_options
@click.option("--block", type=Whole(0), metavar="NUMBER", help="An older block; the node must still have it.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write to FILE; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print the snapshot, also where it is written to a file.")
def snapshot_command(rpc: Endpoint, deployment: Path, block: int | None, output: Path | None, as_json: bool) -> None:
    """Read everything at one block and write it as a snapshot file (docs/snapshot.md); without -o it is printed."""
    snapshot = read_source(None, rpc, deployment, block)
    text = dumps(snapshot)
    output = None if output == STDOUT else output
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as fault:
            raise BackstopError(f"cannot write {output}: {fault.strerror or fault}") from None
        number = snapshot.block.number if snapshot.block else 0
        click.echo(
            f"block {number}: {len(snapshot.markets)} markets, {len(snapshot.pools)} pools, "
            f"{len(snapshot.accounts)} accounts in {output}",
            err=True,
        )
    if output is None or as_json:
        click.echo(text, nl=not text.endswith("\n"))
