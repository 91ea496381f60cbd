"""Where accounts stand, as tables for people; `--json` has every decimal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backstop.account_id import account_text
from backstop.fund.units import show_time
from backstop.render import LIGHT_STYLES, make_console, make_table, show_amount, show_light, show_percent, table_width
from backstop.trading.standing import AccountStanding, Due, PositionStanding

# Which position it is; these stand in every table.
_KEYS = ("Market", "Side")
_HEADINGS = (
    "Contracts",
    "Entry\nprice",
    "Mark\nprice",
    "Notional",
    "Leverage",
    "Unrealized\nPnL",
    "Liquidation\nprice",
    "Bankruptcy\nprice",
    "Funding\npaid",
    "Funding\npending",
    "ADL\nrank",
    "Light",
)

_Row = Sequence[str | Text]


def print_wallet(owner: str, amount: int, symbol: str, block: int) -> None:
    """What an owner has of the token outside the exchange, WAD."""
    make_console().print(f"wallet {owner}: {show_amount(amount)} {symbol} (block {block})", soft_wrap=True)


def print_accounts(standings: Sequence[AccountStanding], who: str, backstop_ratio: int) -> None:
    """Each account: a line of what it is, one of its margin, what is due, and its positions."""
    console = make_console()
    if not standings:
        console.print(f"{who} holds nothing here.", soft_wrap=True)
    widths = []
    for standing in standings:
        console.print()
        where = f" in {standing.market}" if standing.market else ""
        console.print(f"{standing.margin_mode.value} account {standing.index}{where}", style="bold")
        console.print(account_text(standing.account), soft_wrap=True)
        ratio = "none: no equity" if standing.margin_ratio is None else show_percent(standing.margin_ratio)
        console.print(
            f"collateral {show_amount(standing.collateral)}, equity {show_amount(standing.equity)}, "
            f"maintenance margin {show_amount(standing.maintenance_margin)}, "
            f"initial margin {show_amount(standing.initial_margin)}, margin ratio {ratio}"
        )
        console.print(
            f"funding paid {show_amount(standing.funding_paid)}, pending {show_amount(standing.funding_pending)}"
        )
        if (danger := _danger(standing, backstop_ratio)) is not None:
            console.print(danger, style="bold red")
        for position in standing.positions:
            if position.settles_at is not None:
                console.print(
                    f"{position.market} was closed: its mark is final, and the position is settled at it from "
                    f"{show_time(position.settles_at)} on, by anyone (backstop market settle {position.market})."
                )
        if standing.positions:
            widths.append(_print_positions(standing.positions, console))
        else:
            console.print("No positions.")
    if any(widths):
        widest = max(width for width in widths if width)
        console.print(f"\nIn a terminal of {widest} columns each is one table; --json has every decimal.")


def _danger(standing: AccountStanding, backstop_ratio: int) -> str | None:
    if standing.due is Due.TAKEOVER:
        state = "The account is bankrupt" if standing.equity <= 0 else "The account is all but bankrupt"
        return (
            f"{state}, with no more than {show_percent(backstop_ratio)} of the maintenance margin left: anyone may "
            "hand it to the pool, with all its positions and collateral. Only a deposit can prevent that."
        )
    if standing.due is Due.LIQUIDATION:
        return (
            "The equity is below the maintenance margin: anyone may liquidate the account, for a fee. Deposit, or "
            "reduce, now."
        )
    return "The margin is low: deposit, or reduce." if standing.is_low else None


def _print_positions(positions: Sequence[PositionStanding], console: Console) -> int | None:
    """One table, or several below each other where the terminal is too narrow: no number is ever cut.

    Returns the columns that one table would have taken, where there were several.
    """
    keys = [(position.market, position.side.value) for position in positions]
    rows = [_row(position, console.encoding) for position in positions]
    for count in range(1, len(_HEADINGS) + 1):
        bounds = [len(_HEADINGS) * part // count for part in range(count + 1)]
        tables = [_table(keys, rows, first, last) for first, last in pairwise(bounds)]
        if all(table_width(table, console) <= console.width for table in tables):
            break
    for place, table in enumerate(tables):
        if place:
            console.print()
        usual, console.width = console.width, max(console.width, table_width(table, console))
        console.print(table)
        console.width = usual
    return table_width(_table(keys, rows, 0, len(_HEADINGS)), console) if len(tables) > 1 else None


def _table(keys: Sequence[tuple[str, str]], rows: Sequence[_Row], first: int, last: int) -> Table:
    table = make_table(*_KEYS, *_HEADINGS[first:last])
    for key, row in zip(keys, rows, strict=True):
        table.add_row(*key, *row[first:last])
    return table


def _row(position: PositionStanding, encoding: str) -> _Row:
    light = position.adl_light
    return [
        show_amount(position.contracts),
        show_amount(position.entry_price),
        show_amount(position.mark_price),
        show_amount(position.notional, 2),
        "-" if position.leverage is None else f"{show_amount(position.leverage, 2)}x",
        show_amount(position.unrealized_pnl, 2),
        "-" if position.liquidation_price is None else show_amount(position.liquidation_price),
        show_amount(position.bankruptcy_price),
        show_amount(position.funding_paid),
        show_amount(position.funding_pending),
        "-" if position.adl_rank is None else str(position.adl_rank),
        "-" if light is None else Text(show_light(light, encoding), style=LIGHT_STYLES[light]),
    ]
