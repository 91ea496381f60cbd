"""What happened to the pools, as a table for people, or as pairs of lines where a terminal is too narrow for it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from backstop.chain.fund_view import FundView
from backstop.fund.history import Row
from backstop.fund.units import Units, show_time
from backstop.render import make_console, make_table, show_amount, show_percent
from backstop.render_fund import in_words, show_shares

_WIDE = 1000


def print_history(fund: FundView, rows: Sequence[Row], units: Units) -> None:
    """All rows, and where they end."""
    console = make_console()
    if not rows:
        console.print("No events.")
    else:
        table = _table(rows, units)
        if _width(table, console) <= console.width:
            console.print(table)
        else:
            _print_stacked(console, rows, units)
    console.print(
        f"{len(rows)} events up to block {fund.block.number}, {show_time(fund.block.timestamp)}; amounts in "
        f"{units.token.symbol}. The events of each pool sum to its account on chain."
    )


def _table(rows: Sequence[Row], units: Units) -> Table:
    table = make_table("Block", "Time (UTC)", "Pool", "Market", "Event", "Amount", "Cash", "More")
    for place in (2, 4, 7):
        table.columns[place].justify = "left"
    for row in rows:
        table.add_row(
            str(row.block),
            show_time(row.time).removesuffix(" UTC"),
            row.pool,
            row.market or "",
            in_words(row.event),
            _signed(row.amount),
            "" if row.cash is None else show_amount(row.cash, 6),
            _more(row, units),
        )
    return table


def _print_stacked(console: Console, rows: Sequence[Row], units: Units) -> None:
    for row in rows:
        where = f"{row.pool}, {row.market}" if row.market else row.pool
        console.print(f"{row.block}  {show_time(row.time).removesuffix(' UTC')}  {where}", soft_wrap=True)
        parts = [in_words(row.event)]
        if row.amount is not None and row.cash is not None:
            parts = [f"{in_words(row.event)} {_signed(row.amount)}", f"cash {show_amount(row.cash, 6)}"]
        if more := _more(row, units):
            parts.append(more)
        console.print("  " + ", ".join(parts), soft_wrap=True)


def _signed(amount: int | None) -> str:
    if amount is None:
        return ""
    return f"{'+' if amount > 0 else ''}{show_amount(amount, 6)}"


def _more(row: Row, units: Units) -> str:
    parts: list[str] = []
    if row.drawdown is not None:
        parts.append(f"drawdown {show_percent(row.drawdown)}")
    if row.balance is not None:
        parts.append(f"balance {show_amount(row.balance, 2)}")
    if row.contracts is not None:
        side = f"{row.side} " if row.side else ""
        price = "" if row.price is None else f" at {show_amount(row.price)}"
        parts.append(f"{side}{show_amount(row.contracts)} contracts{price}")
    if row.shares is not None:
        parts.append(f"{show_shares(row.shares, units)} shares")
    if row.who is not None:
        parts.append(row.who)
    if row.note is not None:
        parts.append(row.note)
    return ", ".join(parts)


def _width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=_WIDE)).maximum
