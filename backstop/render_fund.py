"""The insurance fund as text for people: label and value a line, so that it fits 80 columns and cuts no number."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from backstop.adl.snapshot import Backing, PoolKind
from backstop.chain.fund_view import FundView, PoolMarket, PoolView
from backstop.fund.capital import value_of
from backstop.fund.refusals import Words
from backstop.fund.stakes import Stake
from backstop.fund.status import held_of, is_due, move, reason_of, runways, to_close, withdrawal_rate
from backstop.fund.units import Units, show_span, show_time
from backstop.math.runway import Runway
from backstop.math.wad import WAD
from backstop.render import make_console, show_amount, show_percent

_GAUGE = 40  # columns; each stands for 2.5 % of drawdown
_LABEL = 10
_LEAST_TEXT = 30
_DIGITS = 6
_KINDS = {PoolKind.ISOLATED: "isolated", PoolKind.SHARED: "shared"}
_BACKED = {Backing.OWN: "stands on its own", Backing.MUTUAL: "in the mutual group"}
_HUMP = re.compile(r"([A-Z])")


def print_status(fund: FundView, pools: Sequence[PoolView], units: Units, words: Words) -> None:
    """Each pool, one after the other."""
    console = make_console()
    console.print(f"Block {fund.block.number}, {show_time(fund.block.timestamp)}. Amounts in {units.token.symbol}.")
    if not pools:
        console.print("The fund has no pools.")
    if fund.deficit:
        console.print(
            f"The fund has an open deficit of {show_amount(fund.deficit, 2)}: withdrawals are paid "
            f"{show_percent(withdrawal_rate(fund))}.",
            style="bold red",
        )
    for pool in pools:
        console.print()
        _print_pool(console, fund, pool, units, words)


def _print_pool(console: Console, fund: FundView, pool: PoolView, units: Units, words: Words) -> None:
    console.print(f'Pool "{pool.name}": {_KINDS[pool.kind]}, {_BACKED[pool.backed_by]}', style="bold")
    facts: list[tuple[str, str | Text]] = [
        ("Balance", f"{show_amount(pool.balance, 2)}; its peak (base of drawdowns) {show_amount(pool.base, 2)}")
    ]
    if pool.deficit:
        facts.append(("Deficit", Text(f"{show_amount(pool.deficit, 2)} open", style="bold red")))
    _print_facts(console, facts)
    for market in pool.markets:
        _print_market(console, fund, pool, market)
    _print_account(console, pool)
    _print_shares(console, pool, units, words)


def _print_market(console: Console, fund: FundView, pool: PoolView, market: PoolMarket) -> None:
    view, backing = market.view, market.backing
    price = f"mark {show_amount(view.mark)}" if view.mark else "no price was ever accepted"
    dead = ", its feed is dead" if view.price_error else ""
    console.print(f"Market {market.name}, {price}{dead}")
    facts: list[tuple[str, str | Text]] = [
        ("Drawdown", show_gauge(backing.drawdown, view.stop, view.trigger, console.encoding)),
        ("", f"{show_percent(backing.drawdown)}; stop {show_percent(view.stop)}, trigger {show_percent(view.trigger)}"),
        ("ADL", show_adl(market)),
    ]
    for held in held_of(market):
        auction = held.auction_price
        sale = "no price to sell it at" if auction is None else f"on sale at {show_amount(auction)}"
        text = (
            f"{held.side} {show_amount(held.contracts)} contracts, bankruptcy price "
            f"{show_amount(held.bankruptcy_price)}, loss {show_amount(held.loss, 2)}, {sale}"
        )
        facts.append(("Inventory", text))
    reach = runways(fund, pool, market)
    if reach is not None:
        facts += [("Runway", _runway("down", reach[0], view.mark)), ("", _runway("up", reach[1], view.mark))]
    elif market.has_inventory:
        facts.append(("Runway", "unknown while the feed is dead"))
    _print_facts(console, facts, indent=2)


def show_gauge(drawdown: int, stop: int, trigger: int, encoding: str, columns: int = _GAUGE) -> Text:
    """A drawdown as a bar of so many columns to 100 %, and two marks more where ADL stops and where it starts."""
    bar, rest, at_stop, at_trigger = ("█", "·", "┊", "┃") if encoding.lower().startswith("utf") else "#.:|"
    lit = min(columns, -(-drawdown * columns // WAD))
    cells = [bar] * lit + [rest] * (columns - lit)
    for fraction, sign in ((stop, at_stop), (trigger, at_trigger)):
        cells.insert(min(columns, fraction * columns // WAD) + (sign == at_trigger), sign)
    style = "red" if drawdown >= trigger else "yellow" if drawdown > stop else "green"
    text = Text("".join(cells))
    for place, cell in enumerate(cells):
        if cell == bar:
            text.stylize(style, place, place + 1)
    return text


def show_adl(market: PoolMarket) -> Text:
    """Whether ADL is on in a market, why, and what it has to close."""
    if market.adl is None and not market.backing.drawdown_due:
        return Text(f"unknown: {market.adl_error}")
    if not is_due(market):
        started = "; it had started, and ends at the next sample" if market.adl and market.adl.seen else ""
        return Text(f"off{started}")
    reason = reason_of(market)
    text = f"on, by {reason}" if reason else "on"
    if market.adl is not None and not market.adl.seen:
        text += ", not sampled yet"
    for one in to_close(market):
        text += (
            f"; to close {show_amount(one.contracts)} {one.side} contracts at {show_amount(one.price)}, "
            f"for {show_amount(one.compensation, 2)}"
        )
    if not to_close(market):
        text += "; nothing to close" if market.adl else f"; no round without a price ({market.adl_error})"
    return Text(text, style="bold red")


def _runway(side: str, reach: Runway, mark: int) -> str:
    parts = [
        f"{what} {_reach(price, mark)}" for what, price in (("ADL", reach.drawdown), ("depleted", reach.depletion))
    ]
    return f"{side}: {', '.join(parts)}"


def _reach(price: int | None, mark: int) -> str:
    if price is None:
        return "at no price"
    if price == mark:
        return "now"
    moved = move(price, mark)
    return f"at {show_amount(price)} ({'+' if moved > 0 else ''}{show_percent(moved)})"


def _print_account(console: Console, pool: PoolView) -> None:
    console.print("Account")
    rows = [(in_words(item), amount) for item, amount in pool.items.items() if amount]
    rows += [
        ("cash, the sum", pool.cash),
        ("less inventory losses", -pool.inventory_losses),
        ("less unsettled funding", -pool.unsettled_funding),
        ("balance", pool.balance),
    ]
    shown = [(f"  {label}", show_amount(amount, 6)) for label, amount in rows]
    labels, amounts = (max(len(cells[place]) for cells in shown) for place in (0, 1))
    for label, text in shown:
        console.print(f"{label:<{labels}}  {text:>{amounts}}", soft_wrap=True)


def in_words(item: str) -> str:
    """`liquidation fee` of `liquidationFee`."""
    return _HUMP.sub(lambda found: f" {found[1].lower()}", item)


def _print_shares(console: Console, pool: PoolView, units: Units, words: Words) -> None:
    console.print("Shares")
    total, value = show_shares(pool.total_shares, units), units.share_value(pool.assets, pool.total_shares)
    worth = f"{show_amount(units.amount(value_of(pool, pool.total_shares)), 6)} in all"
    facts: list[tuple[str, str | Text]] = [("Total", f"{total}, worth {worth}; one is worth {show_amount(value, 6)}")]
    cap = "none" if pool.cap is None else show_amount(pool.cap, 2)
    room = (
        ""
        if pool.cap is None or pool.max_stake is None
        else f", room for {show_amount(units.amount(pool.max_stake), 2)}"
    )
    facts.append(("Cap", cap + room))
    if pool.stake_refusal:
        facts.append(("Stakes", f"none now: {words.explain(pool.stake_refusal)}"))
    exits = pool.exits
    asked = show_shares(sum(one.shares for _, one in exits), units)
    facts.append(("Exits", f"{len(exits)} open, of {asked} shares; cooldown {show_span(pool.cooldown)}"))
    _print_facts(console, facts, indent=2)


def print_stakes(fund: FundView, owner: str, stakes: Sequence[Stake], units: Units, words: Words) -> None:
    """What an owner has in each pool."""
    console = make_console()
    now = fund.block.timestamp
    console.print(f"{owner} at block {fund.block.number}, {show_time(now)}. Amounts in {units.token.symbol}.")
    if not stakes:
        console.print("No stakes, and no exits.")
    for stake in stakes:
        console.print()
        console.print(f'Pool "{stake.pool.name}"', style="bold")
        shares = show_shares(stake.view.shares, units)
        facts: list[tuple[str, str | Text]] = [("Shares", f"{shares}, worth {_tokens(stake.view.value, units)}")]
        asked = stake.view.exit
        if asked is not None:
            shares = show_shares(asked.shares, units)
            facts += [
                ("Exit", f"{shares} shares, worth {_tokens(asked.value, units)} when it was asked for"),
                ("Pays", _pays(stake, units)),
                ("Ripe at", f"{show_time(asked.ripe_at)}, {_until(asked.ripe_at, now)}"),
            ]
            if stake.waits and now >= asked.ripe_at:
                facts.append(("Waits", words.explain(stake.waits)))
                facts.append(("At latest", show_time(stake.overdue_at)))
            elif now >= asked.ripe_at:
                facts.append(("State", _ripe(stake)))
        _print_facts(console, facts, indent=2)


def _ripe(stake: Stake) -> str:
    """Who pays an exit: keepers leave alone what is worth nothing, or less than an open deficit takes."""
    if not stake.view.exit_value:
        return "ripe, and worth nothing: only its owner can claim it, and may call it off instead"
    if stake.payable != stake.view.exit_value:
        return "ripe: its owner can claim it; keepers wait until the deficit is paid"
    return "ripe: it can be claimed, and keepers pay it where it is worth their least exit"


def _pays(stake: Stake, units: Units) -> str:
    due = _tokens(stake.view.exit_value, units)
    if stake.payable == stake.view.exit_value:
        return f"{due} now"
    return f"{_tokens(stake.payable, units)} now, of {due}: the rest covers the open deficit"


def show_shares(shares: int, units: Units) -> str:
    """A number of shares, cut to a few digits: those of a pool that has had gifts before may be far below 1."""
    whole, _, fraction = units.shares(shares).partition(".")
    zeros = len(fraction) - len(fraction.lstrip("0")) if whole == "0" else 0
    digits = fraction[: zeros + _DIGITS].rstrip("0")
    return f"{int(whole):,}.{digits}" if digits else f"{int(whole):,}"


def _tokens(amount: int, units: Units) -> str:
    return show_amount(units.amount(amount), 6)


def _until(when: int, now: int) -> str:
    return f"in {show_span(when - now)}" if when > now else f"{show_span(now - when)} ago"


def _print_facts(console: Console, facts: Iterable[tuple[str, str | Text]], indent: int = 2) -> None:
    """Labels, and what is too long for a line folded between words beside them."""
    margin = indent + _LABEL
    for label, value in facts:
        head = (" " * indent + label).ljust(margin) + " "
        if isinstance(value, Text):
            folded = value.wrap(console, max(_LEAST_TEXT, console.width - len(head)))
            lines = [line.copy() for line in folded] or [Text()]
        else:
            width = max(_LEAST_TEXT, console.width - len(head))
            lines = [Text(line) for line in textwrap.wrap(value, width, break_on_hyphens=False)] or [Text()]
        for place, line in enumerate(lines):
            line.rstrip()
            console.print(Text(head if place == 0 else " " * len(head)) + line, soft_wrap=True)
