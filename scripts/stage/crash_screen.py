"""What the crash shows on the screen: progress, a table that grows with each step, the queues by light."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from backstop.adl.ranking import Ranked
from backstop.math.wad import WAD
from backstop.render import LIGHT_STYLES, show_amount, show_light, show_percent

_BAR = 40
_LIGHTS = range(1, 6)


@dataclass(frozen=True)
class Row:
    """A market after a step. WAD; counts are of what the keeper did at this step."""

    step: int
    market: str
    price: int
    balance: int
    drawdown: int | None
    inventory: int
    liquidations: int
    takeovers: int
    rounds: int


@dataclass
class CrashScreen:
    """Prints the crash as it goes."""

    console: Console
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def sending(self, total: int, what: str) -> Iterator[Callable[[], None]]:
        """A progress bar; call what it gives after each transaction."""
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    @contextmanager
    def following(self) -> Iterator[Callable[[Row], None]]:
        """A live table; call what it gives with each new row. On a pipe the finished table is printed once."""
        with Live(self._table(), console=self.console, auto_refresh=False) as live:

            def add(row: Row) -> None:
                self.rows.append(row)
                live.update(self._table(), refresh=self.console.is_terminal)

            yield add

    def lights(self, heading: str, queue: list[Ranked]) -> None:
        """The queue of a side: contracts by light."""
        self.console.print(f"\n> {heading}: {len(queue)} traders", style="bold cyan")
        total = sum(place.contracts for place in queue) or 1
        table = _bare("Light", "Traders", "Contracts", "", "First and last leveraged return")
        for light in _LIGHTS:
            places = [place for place in queue if place.adl_light == light]
            contracts = sum(place.contracts for place in places)
            span = f"{_return(places[0])} … {_return(places[-1])}" if places else ""
            table.add_row(
                show_light(light, self.console.encoding),
                str(len(places)),
                show_amount(contracts, 2),
                Text("█" * (contracts * _BAR // total), style=LIGHT_STYLES[light]),
                span,
            )
        self.console.print(table)

    def _table(self) -> Table:
        table = _bare(
            "Step", "Market", "Price", "Fund", "Drawdown", "", "Inventory", "Liquidations", "Takeovers", "ADL rounds"
        )
        for row in self.rows:
            part = 0 if row.drawdown is None else min(row.drawdown, WAD)
            table.add_row(
                str(row.step),
                row.market,
                show_amount(row.price),
                show_amount(row.balance, 2),
                "no base" if row.drawdown is None else show_percent(row.drawdown),
                Text("█" * (part * 10 // WAD), style="red"),
                show_amount(row.inventory, 3),
                str(row.liquidations or "-"),
                str(row.takeovers or "-"),
                str(row.rounds or "-"),
            )
        return table


def _return(place: Ranked) -> str:
    return show_amount(place.leveraged_return, 5)


def _bare(*headings: str) -> Table:
    table = Table(show_edge=False, pad_edge=False, box=None, header_style="dim")
    for heading in headings:
        words = heading in ("Market", "Light", "", "First and last leveraged return")
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    return table
