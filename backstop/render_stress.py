"""A stress test as tables for people: estimates, so a few digits of them; `--json` has more."""

from __future__ import annotations

import math

import numpy as np
from rich.console import Console
from rich.table import Table

from backstop.render import make_console, make_table, print_whole
from backstop.stress.book import Array, Book
from backstop.stress.scenario import Distribution, Given, Scenario
from backstop.stress.summary import FUND_LEVELS, LEVELS, FundSize, GroupSummary, PoolSummary, Spread, Summary
from backstop.stress.terms import Terms


def print_stress(book: Book, terms: Terms, scenario: Scenario, summary: Summary) -> None:
    """What was assumed, and each pool: of draws by quantile, of one given scenario by market."""
    console = make_console()
    for line in _assumptions(book, terms, scenario):
        console.print(line)
    for pool in summary.pools:
        console.print()
        if not pool.markets:
            console.print(f'Pool "{pool.name}": balance {show_quote(pool.balance)}, no markets', style="bold")
        elif isinstance(scenario, Given):
            _print_given(console, book, scenario, pool)
        else:
            _print_drawn(console, pool)
    if summary.group is not None:
        _print_group(console, summary.group, is_drawn=not isinstance(scenario, Given))
    dead = [name for name, live in zip(book.markets.names, book.markets.live, strict=True) if not live]
    if dead:
        console.print()
        console.print(f"Without a live price, so without liquidation and ADL: {', '.join(dead)}.")


def show_quote(amount: float) -> str:
    """A quote amount: whole from 1,000 on, else with two decimals; `none` where no amount is enough."""
    if not math.isfinite(amount):
        return "none"
    text = f"{amount:,.0f}" if abs(amount) >= 1000 else _short(f"{amount:,.2f}")
    return "0" if text == "-0" else text


def show_share(share: float) -> str:
    """A part in percent, with two decimals; what is smaller than they can show is not called 0."""
    if 0 < share < 0.00005:
        return "< 0.01 %"
    return f"{_short(f'{share * 100:,.2f}')} %"


def show_level(level: int) -> str:
    """`99.9 %` of 999 thousandths."""
    return f"{_short(f'{level / 10:.1f}')} %"


def _short(digits: str) -> str:
    text = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if text == "-0" else text


def _assumptions(book: Book, terms: Terms, scenario: Scenario) -> list[str]:
    lines = []
    if isinstance(scenario, Given):
        moved = [
            f"{name} {'+' if shock > 0 else ''}{show_share(float(shock)) if shock > 0 else _fall(float(shock))}"
            for name, shock in zip(book.markets.names, scenario.shocks, strict=True)
            if shock
        ]
        lines.append(f"One scenario: {', '.join(moved) or 'no mark moves'}.")
    else:
        law = "normal"
        if scenario.distribution is Distribution.STUDENT_T:
            law = f"Student t with {scenario.degrees_of_freedom:g} degrees of freedom"
        lines.append(
            f"{scenario.draws:,} draws of {_time(scenario.horizon)}, seed {scenario.seed}: log-returns {law}, "
            f"volatility {_each(book, scenario.volatility)} a year, correlation {scenario.correlation:g}."
        )
    lines.append(
        f"Takeover at {show_share(terms.backstop_ratio)} of MM; slippage {_each(book, terms.slippage)}, "
        f"liquidation fee {_each(book, terms.liquidation_fee)} of the notional."
    )
    return lines


def _fall(shock: float) -> str:
    return f"-{show_share(-shock)}"


def _time(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds // 60}m"


def _each(book: Book, fractions: Array) -> str:
    """One figure where all markets have the same; else the most frequent, and the others by name."""
    values, counts = np.unique(fractions, return_counts=True)
    usual = float(values[counts.argmax()])
    others = [
        f"{name} {show_share(float(value))}"
        for name, value in zip(book.markets.names, fractions, strict=True)
        if value != usual
    ]
    return f"{show_share(usual)} ({', '.join(others)})" if others else show_share(usual)


def _print_drawn(console: Console, pool: PoolSummary) -> None:
    _print_heading(console, pool)
    table = make_table("Draws", "Loss", "Drawdown", "ADL notional", "Given up")
    for row, label in enumerate([*(show_level(level) for level in LEVELS), "worst", "mean"]):
        table.add_row(
            label,
            show_quote(_figure(pool.loss, row)),
            show_share(_figure(pool.drawdown, row)),
            show_quote(_figure(pool.adl_notional, row)),
            show_quote(_figure(pool.given_up, row)),
        )
    print_whole(table, console)
    console.print(
        f"ADL is due in {show_share(pool.due)} of the draws, by drawdown in {show_share(pool.due_by_drawdown)}, "
        f"by depletion in {show_share(pool.due_by_depletion)}; depleted in {show_share(pool.depleted)}."
    )
    if len(pool.markets) > 1:
        print_whole(_market_table(pool), console)
    sizes = _size_table()
    _add_size(sizes, "no ADL due by drawdown", pool.without_adl)
    _add_size(sizes, "not depleted" if not pool.mutual else "not depleted, alone", pool.not_depleted)
    print_whole(sizes, console)


def _figure(spread: Spread, row: int) -> float:
    return (*spread.quantiles, spread.worst, spread.expected)[row]


def _print_heading(console: Console, pool: PoolSummary) -> None:
    backing = ", mutual" if pool.mutual else ""
    console.print(f'Pool "{pool.name}"{backing}: balance {show_quote(pool.balance)}', style="bold")


def _market_table(pool: PoolSummary) -> Table:
    table = make_table("Market", "Loss\n99 %", "Loss\n99.9 %", "Loss\nworst", "ADL due", "ADL notional\nworst")
    for market in pool.markets:
        table.add_row(
            market.name,
            show_quote(market.loss.quantiles[LEVELS.index(990)]),
            show_quote(market.loss.quantiles[LEVELS.index(999)]),
            show_quote(market.loss.worst),
            show_share(market.due),
            show_quote(market.adl_notional.worst),
        )
    return table


def _size_table() -> Table:
    table = make_table("Fund size that bears", *(show_level(level) for level in FUND_LEVELS), "Today's bears")
    table.columns[0].justify = "left"
    return table


def _add_size(table: Table, label: str, size: FundSize) -> None:
    table.add_row(label, *(show_quote(one) for one in size.sizes), show_share(size.today))


def _print_group(console: Console, group: GroupSummary, *, is_drawn: bool) -> None:
    console.print()
    console.print(
        f"Mutual group of {', '.join(group.members)}: balance {show_quote(group.balance)} in all", style="bold"
    )
    if not is_drawn:
        console.print(
            f"Loses {show_quote(group.loss.worst)} in all, and is {'' if group.depleted else 'not '}depleted."
        )
        return
    console.print(f"Depleted in {show_share(group.depleted)} of the draws.")
    sizes = _size_table()
    _add_size(sizes, "group not depleted", group.not_depleted)
    print_whole(sizes, console)


def _print_given(console: Console, book: Book, scenario: Given, pool: PoolSummary) -> None:
    _print_heading(console, pool)
    table = make_table(
        "Market", "Mark", "Taken over", "Loss", "Window\nloss", "ADL\ncontracts", "To bring\nin", "Given up"
    )
    for market in pool.markets:
        place = book.markets.names.index(market.name)
        table.add_row(
            market.name,
            _short(f"{book.markets.mark[place] * (1 + scenario.shocks[place]):,.4f}"),
            show_quote(market.taken.worst),
            show_quote(market.loss.worst),
            show_quote(market.window_loss.worst),
            _short(f"{market.adl_contracts.worst:,.4f}"),
            show_quote(market.compensation.worst),
            show_quote(market.given_up.worst),
        )
    print_whole(table, console)
    console.print(
        f"Balance after it {show_quote(pool.balance - pool.loss.worst)}, drawdown {show_share(pool.drawdown.worst)}: "
        f"{_verdict(pool)}."
    )
    console.print(
        f"A fund of {show_quote(pool.without_adl.sizes[0])} has no ADL due by drawdown, "
        f"one of {show_quote(pool.not_depleted.sizes[0])} is not depleted."
    )


def _verdict(pool: PoolSummary) -> str:
    triggers = [name for name, due in (("drawdown", pool.due_by_drawdown), ("depletion", pool.due_by_depletion)) if due]
    due = f"ADL is due by {' and '.join(triggers)}" if triggers else "no ADL is due"
    return f"{due}, the pool is depleted" if pool.depleted else due
