"""The report that a risk committee reads: one HTML page with its drawings inside, the same bytes for the same study."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backstop.figures import matplotlib, write_figure
from backstop.policies.allocation import NAMES, Policy
from backstop.policies.october import HELD, NOTIONAL, USERS
from backstop.policies.population import COVER
from backstop.policies.study import BLOCK_GAS, CALL, PROBED_BOOKS, PolicyResult, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Whom to deleverage: three policies on books like those of 10 October 2025"
_WIDTH, _HEIGHT = 8.5, 16.0  # inches
# Told apart by their dashes too, so that no colour is needed.
_STYLES = {
    Policy.QUEUE: ("#00508f", "-"),
    Policy.PRO_RATA: ("#b04a00", "--"),
    Policy.RISK_AWARE: ("#7a1f5c", ":"),
}
_MOST_POINTS = 1500  # of a curve


def write_report(file: Path, found: Study) -> None:
    """Writes the page, or the drawings alone where the suffix says svg or png. Raises BackstopError where it cannot."""
    with matplotlib():
        write_figure(file, _figure(found), TITLE, report_body(found))


# ---------------------------------------------------------------------- words


def report_body(found: Study) -> str:
    """The page's text and tables, as HTML."""
    return "\n".join((_what_it_is(found), _table(found), _worse(found), _waves(found), "<h2>Drawn</h2>"))


def _what_it_is(found: Study) -> str:
    positions = sum(len(book.users) for book in found.books)
    exact = sum(one.given == one.needed for one in found.rounds)
    closed = sum(one.contracts == book.row.contracts for one, book in zip(found.rounds, found.books, strict=True))
    return f"""
<p><strong>Calibrated, not the event.</strong> For each of {len(found.event.rows)} wave-coin rows of 10 October 2025 it
is published how many contracts were deleveraged and what closing them had to bring; who the counterparties were is not.
They are drawn here (seed {found.seed}): {positions:,} positions of {USERS:,} users, of which the largest holds
{_percent(found.held[1])} of all value, the ten largest {_percent(found.held[10])}, the hundred largest
{_percent(found.held[100])} (published: {", ".join(_percent(part) for part in HELD.values())}), with {COVER} contracts
on the winning side for each that was deleveraged, and an average leverage of {found.leverage:.1f}. {len(found.books)}
rows needed anything at all; marks are such that their notional is the published {NOTIONAL / 1e9:.3f} billion USD.
Sources: the tables are from pluriholonomic/autodeleveraging-analysis (MIT), the repository of arXiv 2512.01112.</p>
<p>All policies close the same contracts of the same accounts at the same price, so that what counterparties give up is
what was needed. The venue's own queue took {found.event.taken_over_needed:.2f} times what was needed, as published.
Backstop's is planned here in exact integers, as its contracts would execute it: it takes
{found.given_over_needed:.2f} times, to the 18th decimal in {exact:,} of {len(found.rounds):,} rounds, and closes
{closed:,} of them whole.</p>"""


def _table(found: Study) -> str:
    def line(name: str, of: Callable[[PolicyResult], str]) -> str:
        return _row((name, "", *(of(one) for one in found.policies)))

    head = _row(("", "", *(NAMES[one.policy] for one in found.policies)), "th")
    lines = (
        line("Given up / needed", lambda one: f"{one.given / one.needed:.2f}"),
        line("Positions hit", lambda one: f"{one.hit:,} ({_percent(one.hit / one.accounts)})"),
        line("of these without a gain", lambda one: f"{one.hit_without_gain:,}"),
        line("Haircut of the gain, median", lambda one: _percent(one.haircut_at(0.5))),
        line("99th percentile", lambda one: _percent(one.haircut_at(0.99))),
        line("largest", lambda one: _percent(float(one.haircuts[-1]))),
        line("Largest part of an equity", lambda one: _percent(float(one.equity_lost[-1]))),
        line("Given up by the largest payer", lambda one: _percent(one.top[1])),
        line("by the ten largest", lambda one: _percent(one.top[10])),
        line("by the hundred largest", lambda one: _percent(one.top[100])),
        line("Leverage of what is closed", lambda one: f"{one.leverage:.2f}"),
        line("Saved by ten equal accounts, median", lambda one: _percent(one.equal_split.median_saved)),
        line("Saved by a thin and a thick one, most", lambda one: _percent(one.thin_split.most_saved)),
        line("how often it saves", lambda one: f"{one.thin_split.successes} of {one.thin_split.tries}"),
        line("Saved by a trade with oneself, median", lambda one: _percent(one.dodge.median_saved)),
        line("saved for each dollar of its fee", lambda one: f"{one.dodge.times_cost or 0:.1f}"),
        line("Gas, by estimate", lambda one: f"{one.gas / 1e6:,.0f} million"),
        line(f"blocks of {BLOCK_GAS / 1e6:.0f} million", lambda one: f"{one.blocks:,}"),
    )
    return f"<h2>Side by side</h2>\n<table>\n{head}\n{''.join(lines)}</table>\n<p>{_notes(found)}</p>"


def _notes(found: Study) -> str:
    return (
        "Haircuts are by position that was hit: what it gave up, as a part of its gain. Splits and trades with oneself "
        f"were tried for the three that pay most in each of the {PROBED_BOOKS} rows that needed most. <em>Ten equal "
        "accounts</em> share contracts and margin; of <em>a thin and a thick one</em>, the thin one has a tenth of the "
        "contracts and no more than their initial margin, the thick one all the rest. A trade with oneself at mark "
        "turns the gain into margin, and costs the taker's and the maker's fee. Gas is "
        f"{found.gas.first:,} for the first counterparty of a round and {found.gas.marginal:,} for each more, as "
        f"`make bench` measures the queue, with at most {CALL} in a call; the others are counted by the same figures, "
        "although they would also have to sum their weights on chain."
    )


def _worse(found: Study) -> str:
    """Where the queue falls behind: only what this study finds so."""
    queue = _of(found, Policy.QUEUE)
    others = [one for one in found.policies if one.policy is not Policy.QUEUE]
    best = min(others, key=lambda one: one.haircuts[-1])
    points = []
    if queue.haircuts[-1] > best.haircuts[-1]:
        points.append(
            f"Whoever is hit is hit hard: up to {_percent(float(queue.haircuts[-1]))} of a gain and "
            f"{_percent(float(queue.equity_lost[-1]))} of an equity, where {NAMES[best.policy].lower()} takes at most "
            f"{_percent(float(best.haircuts[-1]))} and {_percent(float(best.equity_lost[-1]))}."
        )
    if all(queue.top[10] > one.top[10] for one in others):
        points.append(
            f"It is less even: the ten that pay most bear {_percent(queue.top[10])}, against "
            + " and ".join(_percent(one.top[10]) for one in others)
            + "."
        )
    if queue.thin_split.most_saved > max(one.thin_split.most_saved for one in others):
        points.append(
            f"It can be gamed by arranging one's margin: a thin account in front of a thick one saved up to "
            f"{_percent(queue.thin_split.most_saved)}, and something in {queue.thin_split.successes} of "
            f"{queue.thin_split.tries} tries. The thin one bears a leverage of its own for that, and may be liquidated."
        )
    if (queue.dodge.times_cost or 0) > max(one.dodge.times_cost or 0 for one in others):
        points.append(
            "A trade with oneself pays best here, because those whom the queue asks give up most: "
            f"{queue.dodge.times_cost:.1f} dollars saved for a dollar of fee. Every policy that asks by gain can be "
            "dodged so. Who raised risk within the last minutes before a round is exempt from challenges, not from the "
            "queue: the new position's leveraged return is simply lower."
        )
    alone = [1 - one.hit / one.accounts for one in others]
    leverages = " and ".join(f"{one.leverage:.2f}" for one in others)
    without_gain = max(one.hit_without_gain for one in others)
    better = [
        f"it leaves {_percent(1 - queue.hit / queue.accounts)} of the positions alone (others {_percent(max(alone))})",
        f"closes a leverage of {queue.leverage:.2f} (others {leverages})",
        f"hits {queue.hit_without_gain:,} positions without a gain (others {without_gain:,})",
        f"needs {queue.blocks:,} blocks (others {max(one.blocks for one in others):,})",
        "and its order is checked on chain by comparing two accounts, a pro-rata part by summing the weights of all",
    ]
    listed = "\n".join(f"<li>{html.escape(one)}</li>" for one in points)
    return f"<h2>Where the queue is worse</h2>\n<ul>\n{listed}\n</ul>\n<p>For that, {'; '.join(better)}.</p>"


def _waves(found: Study) -> str:
    names = ("Needed", "The venue took", "Backstop takes", "Rounds", "Counterparties", "Gas, million", "Blocks")
    head = _row(("Wave", "", *names), "th")
    lines = "".join(
        _row(
            (
                str(one.number),
                "",
                f"{one.needed:,.0f}",
                f"{one.taken_by_venue:,.0f}",
                f"{one.given:,.0f}",
                f"{one.rounds:,}",
                f"{one.counterparties:,}",
                f"{one.gas / 1e6:,.1f}",
                f"{one.blocks:,}",
            )
        )
        for one in found.waves
    )
    return f"<h2>Wave by wave</h2>\n<table>\n{head}\n{lines}</table>\n<p>USD; as if every coin had a market.</p>"


def _row(cells: Iterable[str], kind: str = "td") -> str:
    return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in cells) + "</tr>\n"


def _percent(part: float) -> str:
    return f"{100 * part + 0.0:.1f} %"


def _of(found: Study, policy: Policy) -> PolicyResult:
    [one] = [each for each in found.policies if each.policy is policy]
    return one


# ---------------------------------------------------------------------- drawings


def _figure(found: Study) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    haircuts, equity, payers, waves = figure.subplots(4, 1)
    _draw_levels(haircuts, found, lambda one: one.haircuts, "Part of the gain that is given up")
    _draw_levels(equity, found, lambda one: one.equity_lost, "Part of the equity that is given up")
    _draw_payers(payers, found)
    _draw_waves(waves, found)
    return figure


def _draw_levels(axes: Axes, found: Study, of: Callable[[PolicyResult], np.ndarray], title: str) -> None:  # type: ignore[type-arg]
    for one in found.policies:
        values = of(one)
        places = np.unique(np.linspace(0, len(values) - 1, _MOST_POINTS).astype(int))
        color, dashes = _STYLES[one.policy]
        axes.plot((places + 1) / len(values) * 100, values[places] * 100, dashes, color=color, label=NAMES[one.policy])
    axes.set_title(title)
    axes.set_xlabel("% of the positions that are hit, from the least")
    axes.set_ylabel("%")
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter(_plainly)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _draw_payers(axes: Axes, found: Study) -> None:
    for one in found.policies:
        sums = np.cumsum(one.by_user) / one.by_user.sum() * 100
        places = np.unique(np.geomspace(1, len(sums), _MOST_POINTS).astype(int)) - 1
        color, dashes = _STYLES[one.policy]
        axes.plot(places + 1, sums[places], dashes, color=color, label=f"{NAMES[one.policy]}: {len(sums):,} users pay")
    axes.set_title("Who bears it")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_plainly)
    axes.set_xlabel("users, from the one who gives up most")
    axes.set_ylabel("% of all that is given up")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _draw_waves(axes: Axes, found: Study) -> None:
    places = np.arange(len(found.waves))
    for shift, name, values, color, hatch in (
        (-0.2, "the venue's queue, as published", [one.taken_by_venue for one in found.waves], "0.75", "//"),
        (0.2, "Backstop's, which is what was needed", [one.given for one in found.waves], "#00508f", ""),
    ):
        axes.bar(places + shift, [value / 1e6 for value in values], 0.4, color=color, hatch=hatch, label=name)
    axes.set_xticks(places, [str(one.number) for one in found.waves])
    axes.set_title("Taken from winners in each wave")
    axes.set_xlabel("wave")
    axes.set_ylabel("million USD")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.yaxis.set_major_formatter(_plainly)
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.legend()


def _plainly(value: float, _: float = 0) -> str:
    """A tick without powers, which would be a formula."""
    return f"{value:,g}"
