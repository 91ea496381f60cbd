"""The loss of each pool by quantile, drawn: as an image, or as a page that needs nothing but itself."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backstop.figures import matplotlib, write_figure
from backstop.stress.book import Array, Book
from backstop.stress.due import drawdown_thresholds
from backstop.stress.simulation import Outcome
from backstop.stress.summary import FUND_LEVELS, FundSize, PoolSummary, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 8.5, 5.2  # inches, of one pool
_TITLE = "Stress test of the insurance fund"
_MOST_POINTS = 1500  # of a curve
_TICKS = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
# Told apart by their dashes too, so that no colour is needed.
_SIZE_STYLES = (("#b04a00", (0, (6, 2))), ("#7a1f5c", (0, (6, 2, 1, 2))))


def write_plot(file: Path, book: Book, outcome: Outcome, summary: Summary) -> None:
    """Writes the plot; the suffix of the file says as what. Raises BackstopError where it cannot be written."""
    with matplotlib():
        write_figure(file, _figure(book, outcome, summary), _TITLE, _body(summary))


def _figure(book: Book, outcome: Outcome, summary: Summary) -> Figure:
    from matplotlib.figure import Figure

    pools = [pool for pool in summary.pools if pool.markets]
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(pools)), layout="constrained")
    for axes, pool in zip(figure.subplots(len(pools), 1, squeeze=False)[:, 0], pools, strict=True):
        _draw(axes, book, outcome, pool)
    return figure


def _draw(axes: Axes, book: Book, outcome: Outcome, pool: PoolSummary) -> None:
    place = book.pools.names.index(pool.name)
    share, loss = _curve(outcome.pools.loss[place])
    axes.plot(share, loss, drawstyle="steps-mid", color="black", linewidth=2, label="loss of the pool")
    if len(pool.markets) > 1:
        share, largest = _curve(outcome.pools.largest_loss[place])
        axes.plot(
            share,
            largest,
            drawstyle="steps-mid",
            color="0.45",
            linewidth=1.5,
            label="largest loss of one market in 8 hours",
        )
    axes.axhline(pool.balance, color="#00508f", linewidth=2, label=f"today's balance, {pool.balance:,.0f}")
    threshold, trigger = _trigger(book, outcome, place)
    axes.axhline(
        trigger,
        color="#00508f",
        linewidth=1.5,
        linestyle=(0, (1, 1.5)),
        label=f"ADL starts at a market's loss of {trigger:,.0f} ({threshold:.0%})",
    )
    for level, size, (color, dashes) in zip(FUND_LEVELS, pool.without_adl.sizes, _SIZE_STYLES, strict=True):
        if np.isfinite(size):
            label = f"bears {level / 10:g} % without ADL: {size:,.0f}"
            axes.axhline(size, color=color, linewidth=1.5, linestyle=dashes, label=label)
    for level, size, marker in zip(FUND_LEVELS, pool.not_depleted.sizes, "os", strict=True):
        label = f"bears {level / 10:g} % without depletion: {size:,.0f}"
        axes.plot(_position(level / 1000), size, marker, color="black", markerfacecolor="white", label=label, zorder=3)
    _scale(axes, outcome.draws, pool, trigger)
    axes.set_title(f"Pool {pool.name}: loss in {outcome.draws:,} draws, worst {pool.loss.worst:,.0f}", loc="left")
    axes.set_xlabel("share of the draws that lose no more (%)")
    axes.set_ylabel("quote currency")
    axes.grid(visible=True, color="0.9")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(-0.01, -0.13), ncols=2, frameon=False)


def _curve(amounts: Array) -> tuple[Array, Array]:
    """Where each draw stands and its amount, ascending; of many draws fewer in the middle, and all in the tail."""
    ascending = np.sort(amounts)
    count = len(ascending)
    from_top = np.unique(np.geomspace(1, count, min(count, _MOST_POINTS)).astype(np.intp))
    from_bottom = np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(np.intp)
    rank = np.union1d(count - from_top, from_bottom)
    return _position((rank + 0.5) / count), ascending[rank]


def _position(share: Any) -> Any:
    """Each further nine of the share takes the same room."""
    return -np.log10(1 - np.asarray(share))


def _trigger(book: Book, outcome: Outcome, place: int) -> tuple[float, float]:
    """The lowest threshold among the markets of a pool, and the loss that it stands for with today's base."""
    here = book.markets.pool == place
    threshold = float(drawdown_thresholds(book.markets)[here].min())
    headroom = float(np.maximum(book.markets.peak - book.markets.pnl, 0)[here].sum())
    return threshold, threshold * max(0.0, float(book.pools.balance[place]) + headroom)


def _scale(axes: Axes, draws: int, pool: PoolSummary, trigger: float) -> None:
    """Axes that show all that is marked; the very worst draws may leave them, the title names the worst."""
    shown = [share for share in _TICKS if share <= 1 - 1 / draws] or [0.0]
    axes.set_xticks([float(_position(share)) for share in shown], [f"{share * 100:g}" for share in shown])
    axes.set_xlim(0, float(_position(1 - 0.5 / draws)))
    sizes = [size for size in (*pool.without_adl.sizes, *pool.not_depleted.sizes) if np.isfinite(size)]
    highest = max(*sizes, pool.balance, trigger, pool.loss.quantiles[-1], 1.0)
    lowest = min(0.0, pool.balance, pool.loss.quantiles[0])
    axes.set_ylim(lowest - 0.03 * (highest - lowest), highest * 1.08)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _body(summary: Summary) -> str:
    """The sizes as a table of a page."""
    rows = "".join(
        f"<tr><td>{html.escape(pool.name)}<td>{label}<td>{pool.balance:,.0f}"
        + "".join(f"<td>{size:,.0f}" if np.isfinite(size) else "<td>none" for size in fund.sizes)
        + f"<td>{fund.today * 100:.2f} %\n"
        for pool in summary.pools
        for label, fund in _funds(pool)
    )
    levels = "".join(f"<th>bears {level / 10:g} %" for level in FUND_LEVELS)
    return _BODY.format(draws=f"{summary.draws:,}", levels=levels, rows=rows)


def _funds(pool: PoolSummary) -> tuple[tuple[str, FundSize], ...]:
    return ("no ADL due by drawdown", pool.without_adl), ("not depleted", pool.not_depleted)


_BODY = """<p>{draws} draws. Estimates, in quote currency.
<table>
<tr><th>Pool<th>Fund size<th>today{levels}<th>today's bears
{rows}</table>"""
