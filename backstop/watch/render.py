"""A moment of a deployment as a frame of a terminal: as wide as that is, and as high where it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from backstop.adl.ranking import Ranked
from backstop.adl.snapshot import Side
from backstop.chain.logs import PAGE
from backstop.fund.status import held_of
from backstop.fund.units import show_span, show_time
from backstop.render import LIGHT_STYLES, make_table, show_account, show_amount, show_light, show_percent, table_width
from backstop.render_fund import show_adl, show_gauge
from backstop.render_what_if import show_trigger_prices
from backstop.watch.following import Moment, State
from backstop.watch.reading import Held, MarketNow, View, places_of
from backstop.watch.rounds import RoundLine

ROWS = 5  # of each queue
_LABEL = 13
_WIDEST_GAUGE, _LEAST_GAUGE = 40, 10
_GAP = 4  # columns between two queues
# What stands in a queue, the first that fits: an account is never left out, nor its place.
_COLUMNS = (
    ("Rank", "Light", "Account", "Contracts", "Leveraged\nreturn", "Unrealized\nPnL"),
    ("Rank", "Light", "Account", "Contracts", "Leveraged\nreturn"),
    ("Rank", "Light", "Account", "Contracts"),
    ("Rank", "Light", "Account"),
)
_AHEAD = 60  # seconds that a block's time may be ahead of a machine's clock without a word


def frame(moment: Moment, accounts: Sequence[str], symbol: str, console: Console) -> RenderableType:
    """Everything, with as many rows of the queues as the height takes, at most `ROWS`; so many where it is piped."""
    for rows in range(ROWS, 0, -1):
        made = Group(*_frame(moment, accounts, symbol, console, rows))
        if not console.is_terminal or len(console.render_lines(made, pad=False)) < console.height:
            return made
    return made


def _frame(
    moment: Moment, accounts: Sequence[str], symbol: str, console: Console, rows: int
) -> Iterator[RenderableType]:
    view = moment.view
    yield _heading(moment, symbol)
    if (warning := _warning(moment)) is not None:
        yield warning
    marked = places_of(view, accounts)
    for now in view.markets:
        yield Text()
        yield from _market(view, now, set(marked), console, rows)
    if accounts:
        yield Text()
        yield from _accounts(view, marked, accounts, console)
    yield Text()
    yield from _rounds(view)


# ------------------------------------------------------------------ what it is worth


def _heading(moment: Moment, symbol: str) -> Text:
    block = moment.view.block
    return Text(
        f"Block {block.number}, {show_time(block.timestamp)}, {_since(moment.age)}. Amounts in {symbol}.", style="bold"
    )


def _since(age: float) -> str:
    if age < -_AHEAD:
        return f"{show_span(int(-age))} ahead of this clock"
    return f"{show_span(max(0, int(age)))} ago"


def _warning(moment: Moment) -> Text | None:
    """That what is shown may not be so any more; None where it is."""
    if moment.state is State.LOST:
        why = f": {moment.fault}" if moment.fault else ""
        silence = show_span(max(1, int(moment.silence)))
        return Text(f"NO ANSWER for {silence}{why}. This is the last block that was read.", style="bold red")
    if moment.state is State.OLD:
        return Text(
            f"OLD BLOCK: the node answers, and has had no newer one for {show_span(int(moment.age))}. Either the chain "
            "stands still, or the node does not follow it.",
            style="bold yellow",
        )
    return None


# ------------------------------------------------------------------ a market


def _market(view: View, now: MarketNow, marked: set[str], console: Console, rows: int) -> Iterator[RenderableType]:
    lens = now.market.view
    if now.triggers is None:
        yield Text(f"{now.name}: no mark, {view.state.left_out.get(now.name, 'no price was ever accepted')}", "bold")
        return
    yield Text(f"{now.name}, {_mark(view, now)}", style="bold")
    backing = now.market.backing
    width = max(_LEAST_GAUGE, min(_WIDEST_GAUGE, console.width - _LABEL - 4))
    facts: list[tuple[str, str | Text]] = [
        ("Open interest", f"{show_amount(lens.open_interest)} contracts, on each side"),
        ("Pool", f'"{now.pool}": {show_amount(backing.balance, 2)}; peak of 8 hours {show_amount(backing.base, 2)}'),
        ("Drawdown", show_gauge(backing.drawdown, lens.stop, lens.trigger, console.encoding, width)),
        ("", f"{show_percent(backing.drawdown)}; stop {show_percent(lens.stop)}, trigger {show_percent(lens.trigger)}"),
        ("ADL", show_adl(now.market)),
        ("ADL is due", show_trigger_prices(now.triggers)),
    ]
    held = held_of(now.market)
    for one in held:
        sale = "" if one.auction_price is None else f", on sale at {show_amount(one.auction_price)}"
        text = (
            f"{one.side} {show_amount(one.contracts)} contracts at {show_amount(one.bankruptcy_price)}, "
            f"loss {show_amount(one.loss, 2)}{sale}"
        )
        facts.append(("Inventory", text))
    if not held:
        facts.append(("Inventory", "none"))
    yield _facts(facts)
    yield from _queues(now, marked, console, rows)


def _mark(view: View, now: MarketNow) -> str:
    """The mark, and how old its answer was at the block."""
    lens = now.market.view
    age = "" if now.published_at is None else f", {show_span(max(0, view.block.timestamp - now.published_at))} old"
    if lens.settles_at:
        return f"closed, final price {show_amount(lens.mark)}"
    if now.name in view.state.unpriced:
        return f"last mark {show_amount(lens.mark)}{age}: THE FEED IS DEAD, {view.state.unpriced[now.name]}"
    return f"mark {show_amount(lens.mark)}{age}"


def _facts(facts: Sequence[tuple[str, str | Text]]) -> Table:
    """Labels, and what is too long for a line folded between words beside them."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(min_width=_LABEL, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in facts:
        grid.add_row(label, value)
    return grid


def _queues(now: MarketNow, marked: set[str], console: Console, rows: int) -> Iterator[RenderableType]:
    """Both sides beside each other where that fits, else below."""
    for columns in _COLUMNS:
        tables = [_queue(now, side, marked, console, rows, columns) for side in Side]
        widths = [table_width(table, console) for table in tables]
        if console.is_terminal and sum(widths) + _GAP <= console.width:
            grid = Table.grid(padding=(0, _GAP, 0, 0))
            grid.add_row(*tables)
            yield grid
            return
        if max(widths) <= console.width or columns is _COLUMNS[-1]:
            yield from tables
            return


def _queue(now: MarketNow, side: Side, marked: set[str], console: Console, rows: int, columns: Sequence[str]) -> Table:
    """The first of a side, and who is marked, wherever they stand."""
    queue = now.queues[side]
    shown = [place for number, place in enumerate(queue) if number < rows or place.account in marked]
    table = make_table(*columns)
    left = len(queue) - len(shown)
    table.title = f"{side}s: {len(queue)} ranked" + (f", {left} more not shown" if left else "")
    table.title_justify, table.title_style = "left", "not italic"
    for place in shown:
        cells = _cells(place, console)
        table.add_row(*cells[: len(columns)], style="reverse" if place.account in marked else None)
    return table


def _cells(place: Ranked, console: Console) -> list[str | Text]:
    return [
        str(place.adl_rank),
        Text(show_light(place.adl_light, console.encoding), style=LIGHT_STYLES[place.adl_light]),
        show_account(place.account, console, shortest=True) if console.is_terminal else place.account,
        show_amount(place.contracts),
        show_amount(place.leveraged_return, 6),
        show_amount(place.unrealized_pnl, 2),
    ]


# ------------------------------------------------------------------ accounts and rounds


def _accounts(
    view: View, marked: Mapping[str, Sequence[Held]], accounts: Sequence[str], console: Console
) -> Iterator[RenderableType]:
    """A line for each position of who is asked for."""
    yield Text("Accounts", style="bold")
    ranked = {(now.name, side): len(now.queues[side]) for now in view.markets for side in Side}
    for wanted in accounts:
        if not any(places for account, places in marked.items() if account.startswith(wanted)):
            yield Text(f"{wanted} has no position here")
    for account, places in marked.items():
        for market, side, place in places:
            name = account if console.width >= len(account) else show_account(account, console)
            who = f"{name}: {side} in {market}, "
            if place is None:
                yield Text(f"{who}no place: no equity", style="bold red")
                continue
            light = Text(show_light(place.adl_light, console.encoding), style=LIGHT_STYLES[place.adl_light])
            price = place.liquidation_price
            yield Text.assemble(
                f"{who}rank {place.adl_rank} of {ranked[market, side]}, light ",
                light,
                f", margin ratio {show_percent(place.margin_ratio)}, liquidation at "
                f"{'no price' if price is None else show_amount(price)}, bankruptcy at "
                f"{show_amount(place.bankruptcy_price)}",
            )


def _rounds(view: View) -> Iterator[RenderableType]:
    """The last ones, newest first."""
    yield Text("Rounds", style="bold")
    if view.rounds_fault:
        yield Text(f"not known: {view.rounds_fault}")
    elif not view.rounds:
        yield Text(f"none in the last {PAGE:,} blocks")
    names = {number: name for name, number in view.state.market_ids.items()}
    for one in view.rounds:
        yield Text(_round(one, names[one.market], view.block.timestamp))


def _round(one: RoundLine, market: str, now: int) -> str:
    why = f", by {one.trigger}" if one.trigger else ""
    counterparties = "1 account" if one.counterparties == 1 else f"{one.counterparties} accounts"
    return (
        f"{one.id}: {market}, {show_amount(one.contracts)} {one.side} contracts at {show_amount(one.price)}{why}, "
        f"against {counterparties}; block {one.block}, {show_span(max(0, now - one.time))} before this one"
    )
