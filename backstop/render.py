"""The results as tables for people. Numbers are cut to a few decimals here; `--json` has every one of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backstop.adl.due import Trigger
from backstop.adl.execution import SkipReason
from backstop.adl.planning import Plan
from backstop.adl.ranking import Ranked
from backstop.adl.snapshot import Side
from backstop.keeper.buying import BuyInventory
from backstop.keeper.cycle import Action
from backstop.keeper.duties import Deleverage, Liquidate, TakeOver
from backstop.keeper.results import executed_liquidation, executed_trade
from backstop.keeper.unwinding import Unwind
from backstop.keeper.upkeep import Checkpoint, Redistribute, UpkeepDuty
from backstop.math.wad import WAD
from backstop.transactions.receipt import Receipt

_LIGHTS = 5
_CHAIN_ID_LENGTH = 66
LIGHT_STYLES = {1: "red", 2: "orange3", 3: "yellow", 4: "green_yellow", 5: "green"}

# Wide enough that a piped table is never folded: a chain's account ids alone take 66 columns.
_PIPE_WIDTH = 1000
# Below it a terminal shows the beginning and the end of such an id.
_ID_WIDTH = 180
_LEAST_ACCOUNT = 12
_DIGITS = 4
_MORE_HEADINGS = ("Margin\nratio", "Bankruptcy\nprice", "Liquidation\nprice")

_SKIPPED = {
    SkipReason.BANKRUPT: "bankrupt: to be taken over, not closed",
    SkipReason.INSOLVENT_AT_ADL_PRICE: "would be insolvent at the ADL price, and was not needed",
}


def show_light(light: int, encoding: str) -> str:
    """A light as bars and number: the more bars are lit, the sooner. Plain characters for a plain terminal."""
    lit, dark = ("▮", "▯") if _is_unicode(encoding) else ("#", ".")
    return f"{lit * (_LIGHTS + 1 - light)}{dark * (light - 1)} {light}"


def show_bar(length: int, encoding: str) -> str:
    """A bar of that many columns."""
    return ("█" if _is_unicode(encoding) else "#") * length


def show_span(first: str, last: str, encoding: str) -> str:
    """From the first to the last of a row of amounts."""
    return f"{first} {'…' if _is_unicode(encoding) else '..'} {last}"


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().startswith("utf")


def show_amount(amount: int, places: int | None = None) -> str:
    """A WAD amount cut toward zero, with thousands apart: to `places` decimals.

    Else to 4, or below 1 to as many as its first four digits take, so that a price of 0.00001234 is not shown as 0.
    """
    whole, fraction = divmod(abs(amount), WAD)
    digits = f"{fraction:018d}"
    if places is None:
        places = _DIGITS if whole else len(digits) - len(digits.lstrip("0")) + _DIGITS
    digits = digits[:places].rstrip("0")
    text = f"{whole:,}.{digits}" if digits else f"{whole:,}"
    return f"-{text}" if amount < 0 and (whole or digits) else text


def show_account(account: str, console: Console, *, shortest: bool = False) -> str:
    """An account's id; one of a chain is cut in the middle where the terminal is too narrow for it."""
    if len(account) != _CHAIN_ID_LENGTH or console.width >= _ID_WIDTH:
        return account
    begin = 7 if shortest else max(7, min(40, console.width - 93))
    return f"{account[:begin]}..{account[-3:]}"


def show_percent(fraction: int) -> str:
    """A WAD fraction in percent, cut to two decimals."""
    return f"{show_amount(fraction * 100, 2)} %"


def print_queue(queue: list[Ranked], market: str, side: Side) -> None:
    """The queue of one side, first to be deleveraged first."""
    console = make_console()
    if not queue:
        console.print(f"{market}: no account with equity above zero is {side}.")
        return
    console.print(f"{market}, {side}: the queue for auto-deleveraging", style="bold")
    whole = [_queue_table(queue, console, _MORE_HEADINGS, shortest=shortest) for shortest in (False, True)]
    fitting = [table for table in whole if table_width(table, console) <= console.width]
    if fitting:
        console.print(fitting[0])
    else:
        _print_table(_queue_table(queue, console, (), shortest=True), console)
        console.print("Margin ratio, bankruptcy and liquidation price: in a wider terminal, or with --json.")
    console.print("Light 1 goes first; the more bars are lit, the sooner. Leveraged return decides the order.")


def _queue_table(queue: list[Ranked], console: Console, more_headings: Sequence[str], *, shortest: bool) -> Table:
    table = make_table("Rank", "Light", "Account", "Contracts", "Leveraged\nreturn", "Unrealized\nPnL", *more_headings)
    for place in queue:
        more = (
            show_percent(place.margin_ratio),
            show_amount(place.bankruptcy_price),
            "-" if place.liquidation_price is None else show_amount(place.liquidation_price),
        )
        table.add_row(
            str(place.adl_rank),
            Text(show_light(place.adl_light, console.encoding), style=LIGHT_STYLES[place.adl_light]),
            show_account(place.account, console, shortest=shortest),
            show_amount(place.contracts),
            show_amount(place.leveraged_return, 6),
            show_amount(place.unrealized_pnl, 2),
            *more[: len(more_headings)],
        )
    return table


def print_plans(plans: list[Plan], *, bankrupt: int) -> None:
    """Every round that is due, with the reason, the price and the counterparties.

    `bankrupt` accounts wait to be taken over, and what they bring in may make more due.
    """
    console = make_console()
    if not plans:
        console.print("Nothing is due.")
    if bankrupt:
        accounts = "1 account is" if bankrupt == 1 else f"{bankrupt} accounts are"
        console.print(f"{accounts} bankrupt and not taken over yet; what that brings in may make more due.")
    for place, plan in enumerate(plans):
        if place:
            console.print()
        _print_plan(console, plan)


def print_action(action: Action) -> None:
    """One thing that the keeper did, or would do."""
    console = make_console()
    if isinstance(action.duty, Liquidate):
        _print_liquidation(console, action.duty, action.receipt)
    elif isinstance(action.duty, TakeOver):
        console.print(
            f"Take over {action.duty.account} in {', '.join(action.duty.markets)}: "
            f"equity {show_amount(action.duty.equity, 2)}, "
            f"maintenance margin {show_amount(action.duty.maintenance_margin, 2)}",
            style="bold",
        )
    elif isinstance(action.duty, Deleverage):
        _print_plan(console, action.duty.plan)
    elif isinstance(action.duty, BuyInventory | Unwind):
        console.print(_trade(action.duty, action.receipt), style="bold")
    else:
        console.print(_upkeep(action.duty), style="bold")
    if action.refusal is not None:
        console.print(f"Refused by the contracts: {action.refusal}", style="bold red")
    elif action.receipt is not None:
        console.print(f"Done in block {action.block}, {action.receipt.gas_used:,} gas: {action.receipt.transaction}")
    else:
        cost = f" for about {action.gas:,} gas" if action.gas else ", with a key whose bond covers it"
        console.print(f"Not sent: --send would do this{cost}.")


def _trade(duty: BuyInventory | Unwind, receipt: Receipt | None) -> str:
    contracts, price = (executed_trade(receipt) if receipt else None) or (duty.contracts, duty.price)
    at = f"at {show_amount(price)}, mark {show_amount(duty.mark)}"
    what = f"{show_amount(contracts)} {duty.side} contracts"
    if isinstance(duty, BuyInventory):
        return f"Buy {what} of {duty.market} from its pool {at}, onto {duty.buyer}"
    return f"Trade out {what} of {duty.account} in {duty.market} {at}: {duty.order.file}"


def _upkeep(duty: UpkeepDuty) -> str:
    if isinstance(duty, Checkpoint):
        why = "its trigger is due, and no sample has seen it yet" if duty.unseen else "it is time"
        return f"Sample {duty.market}: {why}"
    if isinstance(duty, Redistribute):
        return f"Redistribute {show_amount(duty.given, 2)} within the depleted mutual group"
    return f'Pay the ripe exit of {duty.owner} from pool "{duty.pool}": {show_amount(duty.value, 2)}'


def _print_liquidation(console: Console, duty: Liquidate, receipt: Receipt | None) -> None:
    executed = executed_liquidation(receipt) if receipt else None
    contracts, _, discount, fee = executed or (duty.contracts, duty.notional, duty.discount, duty.fee)
    console.print(
        f"Liquidate {show_amount(contracts)} {duty.side} contracts of {duty.account} in {duty.market}: equity "
        f"{show_amount(duty.equity, 2)}, maintenance margin {show_amount(duty.maintenance_margin, 2)}",
        style="bold",
    )
    console.print(f"Onto {duty.liquidator}, discount {show_amount(discount, 2)}, fee {show_amount(fee, 2)}")


def _print_plan(console: Console, plan: Plan) -> None:
    console.print(
        f'{plan.market}: close {show_amount(plan.contracts)} {plan.side} contracts of the pool "{plan.pool}"',
        style="bold",
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Why", _reason(plan))
    facts.add_row("To bring in", f"{show_amount(plan.compensation, 2)} (before the cap by the bankruptcy price)")
    facts.add_row("ADL price", show_amount(plan.adl_price))
    console.print(facts)
    if plan.fills:
        table = make_table("Rank", "Account", "Contracts", "Price", "Leveraged return", "Realized PnL")
        for fill in plan.fills:
            table.add_row(
                str(fill.adl_rank),
                show_account(fill.account, console),
                show_amount(fill.contracts),
                show_amount(fill.price),
                show_amount(fill.leveraged_return, 6),
                show_amount(fill.realized_pnl, 2),
            )
        _print_table(table, console)
    for skip in plan.skipped:
        console.print(f"Skipped {skip.account}: {_SKIPPED[skip.reason]}.")
    if plan.netted:
        console.print(
            f"Netted at mark against the pool's own opposite inventory: {show_amount(plan.netted)} contracts."
        )
    if plan.uncovered:
        console.print(f"Without a counterparty: {show_amount(plan.uncovered)} contracts.", style="bold red")


def _reason(plan: Plan) -> str:
    if plan.trigger is Trigger.DEPLETION:
        return "depletion: the pool has nothing left"
    if plan.drawdown is None:
        return "drawdown"
    return f"drawdown: the market has cost its pool {show_percent(plan.drawdown)} of its peak within 8 hours"


def make_console() -> Console:
    """Standard output; where it is no terminal, wide enough that nothing is folded."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def make_table(*headings: str) -> Table:
    """A table whose numbers stand at the right."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        words = heading in ("Account", "Light", "Market", "Side")
        # A number is never broken; what is too long of an account is.
        table.add_column(heading, justify="left" if words else "right", overflow="fold", no_wrap=heading != "Account")
    return table


def table_width(table: Table, console: Console) -> int:
    """The columns that a table takes where nothing of it is folded."""
    return console.measure(table, options=console.options.update(width=_PIPE_WIDTH)).maximum


def print_whole(table: Table, console: Console) -> None:
    """A table of numbers: where the terminal is narrower it folds the lines, and no digit is lost."""
    usual = console.width
    console.width = max(usual, table_width(table, console))
    console.print(table)
    console.width = usual


def _print_table(table: Table, console: Console) -> None:
    """A table whose accounts are folded where it is too wide; where that is not enough, the terminal folds lines."""
    [accounts] = [column for column in table.columns if column.header == "Account"]
    longest = max(len(str(cell)) for cell in accounts.cells)
    usual = console.width
    console.width = max(usual, table_width(table, console) - longest + min(longest, _LEAST_ACCOUNT))
    console.print(table)
    console.width = usual
