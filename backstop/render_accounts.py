"""Where accounts stand, as tables for people; `--json` has every decimal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from backstop.account_id import account_text
from backstop.render import LIGHT_STYLES, make_console, make_table, show_amount, show_light, show_percent
from backstop.trading.standing import AccountStanding, PositionStanding

_HEADINGS = (
    "Market",
    "Side",
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


def print_accounts(standings: Sequence[AccountStanding], who: str, block: int) -> None:
    """Each account: a line of what it is, one of its margin, and a table of its positions."""
    console = make_console()
    if not standings:
        console.print(f"{who} holds nothing here at block {block}.")
    for place, standing in enumerate(standings):
        if place:
            console.print()
        where = f" in {standing.market}" if standing.market else ""
        console.print(f"{standing.margin_mode.value} account {standing.index}{where}, block {block}", style="bold")
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
        if standing.is_low:
            console.print("The margin is low: deposit, or reduce.", style="bold red")
        if not standing.positions:
            console.print("No positions.")
            continue
        table = make_table(*_HEADINGS)
        for position in standing.positions:
            table.add_row(*_row(position, console.encoding))
        console.print(table)


def _row(position: PositionStanding, encoding: str) -> list[str | Text]:
    light = position.adl_light
    return [
        position.market,
        position.side.value,
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
