"""Two keepers, a crowd, price jumps and faults for half an hour of chain time: `make soak`. Into build/soak.json."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import ape.logging
import click
from ape import accounts
from ape.cli import ConnectedProviderCommand, network_option
from rich.console import Console
from rich.table import Table

from scripts.stage.soak import MOST_BLOCKS, MOST_GROWTH, Plan, soak

RESULTS = Path("build") / "soak.json"
_HALF_HOUR = 1800
_SECONDS = 6  # of a block
_TELL = 25  # blocks


@click.command(cls=ConnectedProviderCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--seed", type=int, default=1, show_default=True, help="Where everything that is random begins.")
@click.option("--accounts", "count", type=click.IntRange(8), default=500, show_default=True, help="In the crowd.")
@click.option("--blocks", type=click.IntRange(24), default=_HALF_HOUR // _SECONDS, show_default=True, help="To mine.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where journals and logs stay.")
def cli(seed: int, count: int, blocks: int, folder: Path | None) -> None:
    """Run it, print a table, and write build/soak.json; the status is 1 where something does not hold."""
    ape.logging.logger.set_level("ERROR")
    console, began = Console(highlight=False), time.monotonic()
    console.print(f"Seed {seed}: {count} accounts, {blocks} blocks of {_SECONDS} s, two keepers.")

    def tell(number: int) -> None:
        if number % _TELL == 0:
            console.print(f"block {number} of {blocks}, {time.monotonic() - began:.0f} s")

    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise click.UsageError(f"{folder} is not empty: give one that is, or that does not exist")
        folder.mkdir(parents=True, exist_ok=True)
    result = soak(accounts.test_accounts[0], Plan(seed, count, blocks, _SECONDS), tell, folder)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(console, result)
    if result["broken"]:
        raise click.ClickException(f"{len(result['broken'])} things do not hold:\n" + "\n".join(result["broken"]))


def show(console: Console, result: dict[str, Any]) -> None:
    """What came, what was done, and what had to hold."""
    table = Table("Soak", title=f"{result['blocks']} blocks, seed {result['seed']}", title_justify="left")
    for heading in ("Found", "Bar"):
        table.add_column(heading, justify="right")
    for duty, count in result["effects"].items():
        table.add_row(f"{duty} that went through", f"{count:,}", "")
    table.add_row("jumps of a price", f"{result['jumps']:,}", "")
    for fault, count in result["faults"].items():
        table.add_row(fault, f"{count:,}", "")
    for age, count in result["deficits"]["blocksOpen"].items():
        table.add_row(f"deficits open for {age} block{'s' * (age != '1')} after they were due", f"{count:,}", "")
    for name, key, bar in (
        ("a deficit", "deficits", str(MOST_BLOCKS)),
        ("a takeover", "takeovers", ""),
    ):
        table.add_row(f"blocks from due to done, {name}: median", f"{result[key]['median']:g}", "")
        table.add_row("  the longest", f"{result[key]['worst']['blocks']}", bar)
    for number, keeper in enumerate(result["keepers"], start=1):
        for state, count in keeper["transactions"].items():
            table.add_row(f"keeper {number}, transactions {state}", f"{count:,}", "")
        memory = keeper["memory"]
        table.add_row(f"keeper {number}, most memory, MB", f"{memory['most'] / 1e6:.0f}", "")
        table.add_row(f"keeper {number}, its growth", f"{memory['growth']:+.1%}", f"{MOST_GROWTH:+.0%}")
    table.add_row("what does not hold", f"{len(result['broken'])}", "0")
    console.print(table)
    console.print(f"Every figure is in {RESULTS}.")
