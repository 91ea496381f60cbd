"""What a change of an account would do, as a table for people; `--json` has every decimal."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from backstop.adl.snapshot import Market
from backstop.adl.trigger_price import TriggerPrice, TriggerPrices
from backstop.adl.what_if import AddMargin, Close, Outcome, Standing, Wish
from backstop.render import LIGHT_STYLES, make_console, make_table, print_whole, show_amount, show_light, show_percent

_Cell = str | Text
_NONE = "-"


def print_outcome(outcome: Outcome, wish: Wish, market: Market, triggers: TriggerPrices, funding: int | None) -> None:
    """The account now and after it, the new account of a split beside them, and what it costs."""
    console = make_console()
    console.print(f"{outcome.before.account}: {outcome.side} in {outcome.market}", style="bold", soft_wrap=True)
    console.print(f"If {_change(wish)} at mark {show_amount(market.mark_price)}:")
    columns = [("Now", outcome.before, outcome.ranked_before), ("After", outcome.after, outcome.ranked_after)]
    if outcome.beside is not None:
        columns.append(("New account", outcome.beside, outcome.ranked_after))
    table = make_table("", *(heading for heading, _, _ in columns))
    table.columns[0].justify = "left"
    for label, cell in _rows(console.encoding):
        table.add_row(label, *(cell(standing, total) for _, standing, total in columns))
    print_whole(table, console)
    if outcome.beside is not None:
        console.print(f"New account: {outcome.beside.account}", soft_wrap=True)
    console.print(_costs(outcome, funding))
    console.print(f"ADL in {outcome.market}: due {show_trigger_prices(triggers)}.")
    console.print("Light 1 goes first; takeovers on the way to those prices are not counted.")


def _change(wish: Wish) -> str:
    if isinstance(wish, AddMargin):
        return f"{show_amount(wish.amount)} of margin is added"
    if isinstance(wish, Close):
        return f"{show_amount(wish.contracts)} contracts are closed"
    origin = "the wallet" if wish.is_deposited else "this one"
    return (
        f"{show_amount(wish.contracts)} contracts go to a new account with {show_amount(wish.margin)} of margin "
        f"from {origin}"
    )


def _rows(encoding: str) -> list[tuple[str, Callable[[Standing, int], _Cell]]]:
    """What stands in each row, of a standing and of how many accounts are ranked."""

    def light(standing: Standing, _: int) -> _Cell:
        if standing.place is None:
            return _NONE
        number = standing.place.adl_light
        return Text(show_light(number, encoding), style=LIGHT_STYLES[number])

    return [
        ("Rank", _rank),
        ("Light", light),
        ("Leveraged return", lambda one, _: show_amount(one.place.leveraged_return, 6) if one.place else _NONE),
        ("Margin ratio", lambda one, _: show_percent(one.place.margin_ratio) if one.place else _NONE),
        ("Liquidation price", lambda one, _: _optional(one.place.liquidation_price if one.place else None)),
        ("Bankruptcy price", lambda one, _: _optional(one.place.bankruptcy_price if one.place else None)),
        ("Contracts", lambda one, _: show_amount(one.contracts)),
        ("Collateral", lambda one, _: show_amount(one.collateral)),
        ("Equity", lambda one, _: show_amount(one.equity)),
        ("Maintenance margin", lambda one, _: show_amount(one.maintenance_margin)),
        ("Initial margin", lambda one, _: _optional(one.initial_margin)),
    ]


def _rank(standing: Standing, total: int) -> str:
    if standing.place is not None:
        return f"{standing.place.adl_rank} of {total}"
    return "no equity" if standing.contracts else "no position"


def _optional(amount: int | None) -> str:
    return _NONE if amount is None else show_amount(amount)


def _costs(outcome: Outcome, funding: int | None) -> str:
    """What is paid for it; funding is in all the figures already, and only told."""
    text = f"Fees {show_amount(outcome.fee)}, realized result {show_amount(outcome.realized_pnl)}, "
    if funding is None:
        return text + "funding as the file has it settled."
    settled = f"settles {show_amount(abs(funding))} of funding to be {'paid' if funding > 0 else 'got'}"
    return text + (f"{settled}, which all figures count." if funding else "no funding to settle.")


def show_trigger_prices(triggers: TriggerPrices) -> str:
    """At which mark ADL is due, as what follows "due"."""
    found = [one for one in (triggers.down, triggers.up) if one is not None]
    if not found:
        return "at no mark"
    if any(one.move == 0 for one in found):
        return f"now, by {found[0].trigger}"
    return f"at a mark of {', or '.join(map(_reach, found))}"


def _reach(trigger: TriggerPrice) -> str:
    sign = "+" if trigger.move > 0 else ""
    return f"{show_amount(trigger.price)} ({sign}{show_percent(trigger.move)}, by {trigger.trigger})"
