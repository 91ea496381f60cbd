"""What the case of cross accounts shows on the screen: the accounts, an hour of funding, the pool's book."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Account
from backstop.chain.snapshot import ChainState
from backstop.math.margin import bankruptcy_price, equity, maintenance_margin
from backstop.math.wad import WAD
from backstop.render import show_amount, show_percent
from scripts.stage.outcome import drawdown_of
from scripts.stage.screen import bare_table


@dataclass
class CrossScreen:
    """Prints it, step by step."""

    console: Console
    names: dict[str, str]
    markets: list[str]

    def accounts(self, state: ChainState) -> None:
        """Who holds what, on how much margin."""
        table = bare_table("Trader", "Account", "Positions", "Margin", "Equity", "Maintenance margin")
        for account in self._held(state):
            legs = legs_of(state.snapshot, account)
            table.add_row(
                self.names[account.id],
                account.margin_mode.value,
                ", ".join(f"{show_amount(one.size)} {one.market}" for one in account.positions),
                show_amount(account.margin, 2),
                show_amount(equity(account.margin, legs), 2),
                show_amount(maintenance_margin(legs), 2),
            )
        self.console.print(table)

    def hour(self, state: ChainState, indices: dict[str, int], before: ChainState) -> None:
        """What an hour has cost the longs, per contract and in part of the mark, and who has paid most."""
        table = bare_table("Market", "Mark", "Funding a contract", "Of mark", "Unswept fees")
        for name in self.markets:
            mark = state.snapshot.markets[name].mark_price
            table.add_row(
                name,
                show_amount(mark),
                show_amount(indices[name], 6),
                show_percent(indices[name] * WAD // mark),
                show_amount(state.terms[name].fees),
            )
        self.console.print(table)
        margins = {account.id: account.margin for account in self._held(before)}
        paid = {account.id: margins[account.id] - account.margin for account in self._held(state)}
        most, least = max(paid, key=paid.__getitem__), min(paid, key=paid.__getitem__)
        self.console.print(
            f"    {self.names[most]} has paid {show_amount(paid[most])} over all its positions, "
            f"{self.names[least]} has got {show_amount(-paid[least])}"
        )

    def book(self, pool: str, states: dict[str, ChainState]) -> None:
        """The pool's inventory and each market's drawdown, moment by moment."""
        table = bare_table("Pool", "Balance", "Market", "Inventory", "Bankruptcy price", "Mark", "Drawdown")
        for moment, state in states.items():
            backing = state.snapshot.pools[pool]
            held = {item.market: item for item in backing.inventory}
            for place, name in enumerate(self.markets):
                mark, fraction = state.snapshot.markets[name].mark_price, drawdown_of(state, name)
                item = held.get(name)
                table.add_row(
                    "" if place else moment,
                    "" if place else show_amount(backing.balance, 2),
                    name,
                    show_amount(item.size) if item else "-",
                    show_amount(bankruptcy_price(item.entry_notional, item.size, mark)) if item else "-",
                    show_amount(mark),
                    "no base" if fraction is None else show_percent(fraction),
                )
        self.console.print(table)

    def _held(self, state: ChainState) -> list[Account]:
        return [account for account in state.snapshot.accounts if account.id in self.names]
