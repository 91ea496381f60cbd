"""What the demo shows on the screen. Amounts are cut for reading; build/demo.json has every decimal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from backstop.adl.ranking import Ranked
from backstop.chain.deployment import Deployment
from backstop.chain.snapshot import ChainState
from backstop.math.wad import WAD, format_amount, parse_amount
from backstop.render import LIGHT_STYLES, show_amount, show_bar, show_light, show_percent
from scripts.stage.cases import Case
from scripts.stage.outcome import drawdown_of

_WIDTH = 104
_LEAST_WIDTH = 80  # a narrower terminal folds the lines itself, and nothing is cut
_BAR = 26
_WORDS = ("Trader", "Kind", "Light", "Side", "Pool", "Market", "Account", "Positions", "")


def has_bars(console: Console) -> bool:
    """Whether there is room for bars beside the numbers."""
    return console.width >= _WIDTH


class Screen:
    """Prints the demo, step by step."""

    def __init__(self) -> None:
        self.console = Console(markup=False, highlight=False, emoji=False)
        if not self.console.is_terminal:
            self.console.width = _WIDTH
        elif self.console.width < _LEAST_WIDTH:
            self.console.width = _LEAST_WIDTH

    def title(self) -> None:
        self.console.print(
            "Backstop: from a price gap to a finished deleveraging, on a local Anvil chain", style="bold"
        )

    def deployed(self, deployment: Deployment, rpc: str, keeper: str) -> None:
        self.step(f"Deployed and wired on chain {deployment.chain_id} at {rpc}")
        for name in ("exchange", "fund", "engine", "price_feed", "lens"):
            self.console.print(f"    {name:<11}{getattr(deployment, name)}")
        self.console.print(f"    {'keeper':<11}{keeper}  (a process and a key of its own)")

    def case(self, number: int, case: Case) -> None:
        self.heading(f"Case {number}, {case.name}: {case.title}")

    def heading(self, text: str) -> None:
        self.console.print()
        room = len(text) < self.console.width - 2
        self.console.print(Rule(text, align="left", characters="=") if room else text)

    def opened(self, case: Case, state: ChainState, block: int) -> None:
        pool = state.snapshot.pools[case.pool]
        self.step(
            f"{len(case.seats)} traders open positions in {case.market} by signed orders (block {block}); "
            f'pool "{case.pool}" holds {show_amount(pool.balance)}'
        )
        table = bare_table("Trader", "Side", "Contracts", "Entry price", "Margin")
        for seat in case.seats:
            side = "long" if seat.contracts > 0 else "short"
            table.add_row(seat.trader, side, f"{abs(seat.contracts):,}", f"{seat.entry:,}", f"{seat.margin:,}")
        self.console.print(table)

    def gap(self, case: Case, state: ChainState, names: dict[str, str]) -> None:
        market = state.snapshot.markets[case.market]
        self.step(f"The mark of {case.market} gaps to {show_amount(market.mark_price)}")
        for account in state.snapshot.accounts:
            for position in account.positions:
                if position.market != case.market:
                    continue
                equity = account.margin + position.size * market.mark_price // WAD - position.entry_notional
                if equity <= 0:
                    self.console.print(
                        f"    {names[account.id]} is bankrupt: equity {show_amount(equity)}", style="red"
                    )

    def queue(self, heading: str, queue: list[Ranked], names: dict[str, str]) -> None:
        self.step(heading)
        bars = [""] if has_bars(self.console) else []
        table = bare_table("Rank", "Light", "Trader", "Contracts", *bars, "Leveraged return", "Unrealized PnL")
        largest = max((place.contracts for place in queue), default=1)
        for place in queue:
            bar = show_bar(max(1, place.contracts * _BAR // largest), self.console.encoding)
            table.add_row(
                str(place.adl_rank),
                show_light(place.adl_light, self.console.encoding),
                names[place.account],
                show_amount(place.contracts),
                *[Text(bar, style=LIGHT_STYLES[place.adl_light]) for _ in bars],
                show_amount(place.leveraged_return, 6),
                show_amount(place.unrealized_pnl),
            )
        self.console.print(table)

    def take_over(self, action: dict[str, Any], names: dict[str, str]) -> None:
        self.step("The keeper takes the bankrupt account over into the pool, at its bankruptcy price")
        self.console.print(f"    {names[action['account']]}, equity {_cut(action['equity'])}, {action['gas']:,} gas")

    def fund(self, case: Case, states: dict[str, ChainState]) -> None:
        table = bare_table("Pool", "Balance", "Inventory", "Market's result", "8-hour peak", "Drawdown")
        for moment, state in states.items():
            pool = state.snapshot.pools[case.pool]
            market = state.snapshot.markets[case.market]
            fraction = drawdown_of(state, case.market)
            table.add_row(
                moment,
                show_amount(pool.balance),
                show_amount(sum(held.size for held in pool.inventory)),
                show_amount(market.pnl),
                show_amount(market.max_pnl_8h),
                "no base" if fraction is None else show_percent(fraction),
            )
        self.console.print(table)

    def deleverage(self, deleverage: dict[str, Any], entry: dict[str, Any], names: dict[str, str]) -> None:
        trigger = deleverage["plan"]["trigger"]
        self.step(f"ADL is due ({trigger}): the keeper plans, signs and submits; the chain orders and closes")
        compensation, price = _cut(entry["compensation"]), _cut(entry["adlPrice"])
        self.console.print(f"    compensation {compensation}, ADL price {price}, {entry['gasUsed']:,} gas")
        mark = parse_amount(deleverage["round"]["markPrice"])
        table = bare_table("Rank", "Trader", "Closed", "At", "Realized PnL", "Gave up against mark")
        for fill in entry["fills"]:
            given_up = parse_amount(fill["contracts"]) * abs(parse_amount(fill["price"]) - mark) // WAD
            table.add_row(
                str(fill["adlRank"]),
                names[fill["account"]],
                _cut(fill["contracts"]),
                _cut(fill["price"]),
                _cut(fill["realizedPnl"]),
                show_amount(given_up),
            )
        self.console.print(table)

    def proof(self, state: ChainState) -> None:
        self.console.print()
        self.console.print(Rule("Proof", align="left", characters="="))
        held, claims = format_amount(state.tokens_held), format_amount(state.claims)
        verdict = "equal to the wei" if held == claims else "NOT EQUAL"
        self.console.print(f"    tokens held {held} = sum of claims {claims}: {verdict}")
        for kind, amount in state.claims_of.items():
            self.console.print(f"    {kind:>16} {format_amount(amount)}")
        for market, total in state.sums_of_sizes.items():
            self.console.print(f"    {market}: the sizes of all accounts and pools sum to {format_amount(total)}")

    def finished(self, results: Path, seconds: float) -> None:
        self.console.print(f"\nDone in {seconds:.0f} s; every figure is in {results}.", style="bold")

    def step(self, text: str) -> None:
        self.console.print(f"\n> {text}", style="bold cyan")


def bare_table(*headings: str) -> Table:
    """A table without lines; columns of words to the left, of numbers to the right."""
    table = Table(show_edge=False, pad_edge=False, box=None, header_style="dim")
    for heading in headings:
        words = heading in _WORDS
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    return table


def _cut(amount: str) -> str:
    return show_amount(parse_amount(amount))
