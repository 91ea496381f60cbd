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
from backstop.render import LIGHT_STYLES, show_amount, show_bar, show_light, show_percent, show_span
from scripts.stage.screen import has_bars

_BAR = 40
_LIGHTS = range(1, 6)


@dataclass(frozen=True)
class Row:
    """A market after a step. WAD; counts are of what the keeper did at this step.

    `worst` is the largest drawdown that it had then or that a round of the step began with; None is without a base.
    """

    step: int
    market: str
    price: int
    balance: int
    worst: int | None
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
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
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
        if not self.console.is_terminal:
            self.console.line()  # on a terminal rich does that

    def lights(self, heading: str, queue: list[Ranked]) -> None:
        """The queue of a side: contracts by light."""
        self.console.print(f"\n> {heading}: {len(queue)} traders", style="bold cyan")
        total = sum(place.contracts for place in queue) or 1
        bars = [""] if has_bars(self.console) else []
        table = _bare("Light", "Traders", "Contracts", *bars, "First and last leveraged return")
        for light in _LIGHTS:
            places = [place for place in queue if place.adl_light == light]
            contracts = sum(place.contracts for place in places)
            encoding = self.console.encoding
            span = show_span(_return(places[0]), _return(places[-1]), encoding) if places else ""
            bar = Text(show_bar(contracts * _BAR // total, encoding), style=LIGHT_STYLES[light])
            table.add_row(
                show_light(light, encoding),
                str(len(places)),
                show_amount(contracts, 2),
                *[bar for _ in bars],
                span,
            )
        self.console.print(table)

    def _table(self) -> Table:
        bars = [""] if has_bars(self.console) else []
        table = _bare(
            "Step", "Market", "Price", "Fund", "Worst", "Drawdown", *bars, "Inventory", "Liq.", "Taken", "ADL"
        )
        if not bars:
            table.padding = (0, 1, 0, 0)
        for row in self.rows:
            part = 0 if row.drawdown is None else min(row.drawdown, WAD)
            table.add_row(
                str(row.step),
                row.market,
                show_amount(row.price),
                show_amount(row.balance, 2),
                _drawdown(row.worst),
                _drawdown(row.drawdown),
                *[Text(show_bar(part * 10 // WAD, self.console.encoding), style="red") for _ in bars],
                show_amount(row.inventory, 3),
                str(row.liquidations or "-"),
                str(row.takeovers or "-"),
                str(row.rounds or "-"),
            )
        return table


def _drawdown(fraction: int | None) -> str:
    return "no base" if fraction is None else show_percent(fraction)


def _return(place: Ranked) -> str:
    return show_amount(place.leveraged_return, 5)


def _bare(*headings: str) -> Table:
    table = Table(show_edge=False, pad_edge=False, box=None, header_style="dim")
    for heading in headings:
        words = heading in ("Market", "Light", "", "First and last leveraged return")
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    return table
