"""The demo's tables: they tell all that was done, and at 80 columns nothing of it is cut."""

from __future__ import annotations

import io

import click
import pytest
from rich.console import Console

from backstop.adl.ranking import Ranked, rank
from backstop.adl.snapshot_file import loads
from backstop.math.wad import parse_amount as wad
from scripts.stage.crash_run import check_counts
from scripts.stage.crash_screen import CrashScreen, Row
from scripts.stage.screen import Screen
from tests.adl.books import EXAMPLES

ROWS = [
    Row(9, "BTC-USD", wad("60000"), wad("24999.99"), wad("0.8564"), wad("0.2499"), wad("3.451"), 16, 77, 8),
    Row(10, "DOGE-USD", wad("0.2044"), wad("-25374.99"), None, None, wad("1618590.925"), 5, 0, 3),
]


class Terminal(io.TextIOWrapper):
    """What is written to a terminal, as lines."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")

    def lines(self) -> list[str]:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding).splitlines()  # type: ignore[attr-defined]


def console_of(terminal: Terminal, width: int) -> Console:
    return Console(file=terminal, width=width, markup=False, highlight=False, emoji=False)


def crash(width: int, encoding: str = "utf-8") -> list[str]:
    terminal = Terminal(encoding)
    screen = CrashScreen(console_of(terminal, width))
    with screen.following() as add:
        for row in ROWS:
            add(row)
    screen.lights("The short queue", queue())
    return terminal.lines()


def words(line: str) -> str:
    return " ".join(line.split())


def queue() -> list[Ranked]:
    return rank(loads((EXAMPLES / "six-trader-queue.json").read_text()), "ETH-USD", "short")


def test_the_crash_fits_80_columns() -> None:
    heading, first, second, *rest = crash(80)
    assert words(heading) == "Step Market Price Fund Worst Drawdown Inventory Liq. Taken ADL"
    assert words(first) == "9 BTC-USD 60,000 24,999.99 85.64 % 24.99 % 3.451 16 77 8"
    assert words(second) == "10 DOGE-USD 0.2044 -25,374.99 no base no base 1,618,590.925 5 - 3"
    assert max(map(len, [heading, first, second, *rest])) <= 80
    assert "█" not in "".join(rest)
    # One empty line before what follows.
    assert rest[:2] == ["", "> The short queue: 6 traders"]


def test_a_wide_terminal_has_bars() -> None:
    assert "24.99 %  ██ " in crash(104)[1]


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    text = "\n".join(crash(104, "ascii"))
    assert "24.99 %  ## " in text
    assert "####. 2" in text
    assert " .. " in text


@pytest.mark.parametrize(("width", "bar"), [(80, "5,500          0.0"), (104, "█" * 26)])
def test_the_queue_of_a_case(width: int, bar: str) -> None:
    terminal, screen = Terminal("utf-8"), Screen()
    screen.console = console_of(terminal, width)
    places = queue()
    screen.queue("The queue", places, {place.account: f"trader {place.adl_rank}" for place in places})
    lines = terminal.lines()
    assert lines[3].split()[:3] == ["1", "▮▮▮▮▮", "1"]
    assert bar in lines[3]
    assert ("█" in lines[3]) is (width > 80)
    assert lines[3].endswith(" 55,000")
    assert max(map(len, lines)) <= width


def test_a_heading_is_never_cut() -> None:
    terminal, screen = Terminal("utf-8"), Screen()
    screen.console = console_of(terminal, 80)
    screen.heading("Case 4, " + "word " * 20)
    assert " ".join(terminal.lines()).count("word") == 20


def test_a_table_that_leaves_something_out_is_a_bug() -> None:
    whole = {"liquidations": 21, "takeovers": 77, "rounds": 11}
    check_counts(ROWS, whole)
    for key in whole:
        with pytest.raises(click.ClickException, match=rf"shows {whole[key]} {key} of {whole[key] + 1}: this is a bug"):
            check_counts(ROWS, whole | {key: whole[key] + 1})
