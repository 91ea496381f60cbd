"""Cash and balance of pools and the drawdown of their markets over time, drawn."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backstop.figures import matplotlib, write_figure
from backstop.fund.history import History, Row
from backstop.fund.units import show_time
from backstop.math.wad import WAD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _CASH_HEIGHT, _DRAWDOWN_HEIGHT = 9.5, 4.2, 4.2  # inches
_LEAST_MARGIN = 2  # seconds
_TITLE = "History of the insurance fund"
# Told apart by their dashes and marks too, so that no colour is needed.
_STYLES = (
    ("#00508f", "-", "o"),
    ("#b04a00", "--", "s"),
    ("#1b6b3a", "-.", "^"),
    ("#7a1f5c", ":", "D"),
    ("#444444", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#8a6d00", (0, (3, 1)), "P"),
)


def write_history_plot(file: Path, history: History, rows: Sequence[Row], symbol: str) -> None:
    """Writes the plot of some rows; the suffix of the file says as what."""
    pools = list(dict.fromkeys(row.pool for row in rows if row.cash is not None or row.drawdown is not None))
    told = [row for row in rows if row.pool in pools]
    with matplotlib():
        figure = _figure(history, told, pools, symbol)
        block = history.fund.block
        caption = (
            f"Pools {', '.join(pools) or 'none'}; from the events of chain {block.chain_id} up to block "
            f"{block.number}, {show_time(block.timestamp)}. Amounts in {symbol}."
        )
        write_figure(file, figure, _TITLE, f"<p>{html.escape(caption)}")


def _figure(history: History, rows: Sequence[Row], pools: Sequence[str], symbol: str) -> Figure:
    from matplotlib.figure import Figure

    block = history.fund.block
    first = min((row.time for row in rows), default=block.timestamp)
    margin = max(_LEAST_MARGIN, (block.timestamp - first) // 40)
    heights = [height for _ in pools or [""] for height in (_CASH_HEIGHT, _DRAWDOWN_HEIGHT)]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights})[:, 0]
    figure.suptitle(f"{_TITLE} up to block {block.number}, {show_time(block.timestamp)}", x=0.01, ha="left")
    for place, pool in enumerate(pools or [""]):
        own = [row for row in rows if row.pool == pool]
        _draw_cash(axes[2 * place], history, pool, own, symbol)
        _draw_drawdown(axes[2 * place + 1], history, pool, own)
    for one in axes:
        one.xaxis_date("UTC")
        one.set_xlim(_when(first - margin), _when(block.timestamp + margin))
        one.set_xlabel(f"time (UTC), from {show_time(first).removesuffix(' UTC')}")
        one.grid(visible=True, color="0.9")
        one.tick_params(labelbottom=True)
        if one.get_legend_handles_labels()[0]:
            one.legend(fontsize="small", loc="upper left", bbox_to_anchor=(0, -0.14), ncols=3, frameon=False)
    return figure


def _when(time: int) -> float:
    """Seconds as matplotlib's days."""
    return time / 86400


def _number(amount: int) -> float:
    return amount / WAD


def _draw_cash(axes: Axes, history: History, pool: str, rows: Sequence[Row], symbol: str) -> None:
    now = _when(history.fund.block.timestamp)
    cash = [(_when(row.time), _number(row.cash)) for row in rows if row.cash is not None]
    if cash:
        cash.append((now, cash[-1][1]))
        axes.step(*zip(*cash, strict=True), where="post", color="#00508f", linewidth=1.8, label="cash")
    balance = [(_when(row.time), _number(row.balance)) for row in rows if row.balance is not None]
    if balance:
        balance += [(now, _number(one.balance)) for one in history.fund.pools if one.name == pool]
        axes.plot(
            *zip(*balance, strict=True),
            color="#b04a00",
            linewidth=1.5,
            linestyle="--",
            marker=".",
            label="balance, as sampled and now",
        )
    _mark_rounds(axes, rows)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set_title(f"Pool {pool}: cash and balance" if pool else "No events", loc="left")
    axes.set_ylabel(f"amount ({symbol})")
    axes.yaxis.set_major_formatter("{x:,.6g}")


def _draw_drawdown(axes: Axes, history: History, pool: str, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import PercentFormatter

    markets = list(dict.fromkeys(row.market for row in rows if row.drawdown is not None and row.market is not None))
    for place, market in enumerate(markets):
        color, dashes, mark = _STYLES[place % len(_STYLES)]
        samples = [
            (_when(row.time), _number(row.drawdown))
            for row in rows
            if row.market == market and row.event == "sample" and row.drawdown is not None
        ]
        if samples:
            samples += [
                (_when(history.fund.block.timestamp), _number(one.backing.drawdown))
                for each in history.fund.pools
                for one in each.markets
                if one.name == market and each.name == pool
            ]
            times, drawdowns = zip(*samples, strict=True)
            axes.step(
                times,
                drawdowns,
                where="post",
                color=color,
                linestyle=dashes,
                marker=mark,
                markersize=4,
                label=f"{market}, as sampled",
            )
        _draw_bounds(axes, history, market, rows[0].time, color)
    _mark_rounds(axes, rows)
    axes.set_title(f"Pool {pool}: drawdown of its markets" if pool else "No events", loc="left")
    axes.set_ylabel("drawdown (% of the base)")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(bottom=0)


def _draw_bounds(axes: Axes, history: History, market: str, first: int, color: str) -> None:
    """Trigger and stop as they were at each time shown."""
    last = history.fund.block.timestamp
    bounds = history.bounds.get(market, [])
    begin = max((one.time for one in bounds if one.time <= first), default=first)
    shown = [one for one in bounds if begin <= one.time <= last]
    if not shown:
        return
    times = [_when(max(first, one.time)) for one in shown] + [_when(last)]
    for name, dashes in (("trigger", (0, (8, 2))), ("stop", (0, (1, 1.5)))):
        levels = [_number(getattr(one, name)) for one in shown]
        label = f"{name} of {market}: {levels[-1] * 100:g} %"
        axes.step(times, [*levels, levels[-1]], where="post", color=color, linewidth=1, linestyle=dashes, label=label)


def _mark_rounds(axes: Axes, rows: Sequence[Row]) -> None:
    label: str | None = "ADL round"
    for row in rows:
        if row.event == "round":
            axes.axvline(_when(row.time), color="#a00000", linewidth=1, alpha=0.6, label=label)
            label = None
