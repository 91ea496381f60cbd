"""A market at 100 (imf 10 %, mmf 5 %) and whoever acts in it, by name: every transaction is raw, every amount exact.

Amounts go in as decimal text and come out as WAD integers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from backstop.account_id import isolated_account, isolated_sub_id
from backstop.adl.snapshot import Side
from backstop.chain.bindings import (
    BUY_INVENTORY,
    DEPOSIT,
    INVENTORY_BOUGHT,
    LIQUIDATE,
    LIQUIDATED,
    TAKE_OVER,
    Event,
    Function,
)
from backstop.chain.snapshot import ChainState, read_chain
from backstop.chain.transactions import Receipt
from backstop.keeper.duties import SIDE_CODES
from backstop.math.margin import position_value
from backstop.math.position import PositionState
from backstop.math.wad import parse_amount as wad
from scripts.stage.venue import TestMarket, Venue, tokens

POSITION = Function("position(bytes32,uint16)", "(int112,int112,uint32,int112,int104,uint40)")
MARKET = Function("market(uint16)", "(uint64,uint64,uint128,uint64,uint64,bytes32)")
POOL = Function("pool(uint16)", "(bytes32,uint8,int128,uint16[])")
INVENTORIES = Function("inventories(uint16)", "(int112,int112,uint32),(int112,int112,uint32)")
AUCTION = Function("auction(uint16,uint8)", "uint256,uint256")
BACKING = Function("backing(uint16)", "(int256,uint256,int256,int256,uint256,uint256,uint256,uint256,bool,bool)")
FEE_CREDITED = Event("FeeCredited", ("uint16", "uint16"), "uint256")
INVENTORY_SOLD = Event("InventorySold", ("uint16", "uint16", "uint8"), "int256,int256,int256")

NO_LIMIT = {Side.LONG: 2**256 - 1, Side.SHORT: 0}
ALL = "1000000"


class Backing(NamedTuple):
    """InsuranceFund's view of a market, WAD."""

    balance: int
    base: int
    pnl: int
    max_pnl: int
    loss: int
    drawdown: int
    long_loss: int
    short_loss: int
    started: bool
    drawdown_due: bool


class Floor:
    """Where a market is traded. Actors have names; each has an account of its own for every index."""

    def __init__(self, venue: Venue, name: str) -> None:
        self.venue = venue
        self.market: TestMarket = venue.list_market(f"{name}-USD", name, Decimal(100))
        self.exchange, self.fund = venue.system.exchange, venue.system.fund
        self.deposit("maker", "1000000")

    # ------------------------------------------------------------------ acting

    def actor(self, name: str) -> LocalAccount:
        return self.venue.trader(f"{self.market.name} {name}")

    def account(self, name: str, index: int = 0) -> bytes:
        return isolated_account(self.actor(name).address, self.market.id, index)

    def deposit(self, name: str, amount: str, index: int = 0) -> bytes:
        actor = self.actor(name)
        self.venue.give(actor, Decimal(amount), self.exchange)
        sub_id = isolated_sub_id(self.market.id, index)
        self.venue.send(actor, self.exchange, DEPOSIT.encode(sub_id, tokens(amount)))
        return self.account(name, index)

    def contribute(self, amount: str) -> None:
        self.venue.contribute(self.actor("donor"), self.market, Decimal(amount))

    def set_price(self, price: str) -> None:
        self.venue.set_price(self.market, Decimal(price))

    def open(self, name: str, contracts: str, price: str, margin: str, *, against: str = "maker") -> bytes:
        """A new position, after a deposit, from `against`."""
        account = self.deposit(name, margin)
        self.trade(name, contracts, price, against=against)
        return account

    def trade(self, name: str, contracts: str, price: str, *, against: str = "maker") -> None:
        self.venue.trade(self.actor(against), self.actor(name), self.market, wad(contracts), wad(price))

    def send(self, name: str, to: Any, data: bytes) -> Receipt:
        return self.venue.send(self.actor(name), to, data)

    def liquidate(self, name: str, account: bytes, contracts: str = ALL, *, onto: bytes | None = None) -> Receipt:
        carrier = self.account(name) if onto is None else onto
        return self.send(name, self.exchange, LIQUIDATE.encode(account, carrier, wad(contracts)))

    def take_over(self, account: bytes) -> Receipt:
        return self.send("anyone", self.exchange, TAKE_OVER.encode(account))

    def buy(
        self, name: str, side: Side, contracts: str = ALL, *, limit: int | None = None, onto: bytes | None = None
    ) -> Receipt:
        carrier = self.account(name) if onto is None else onto
        worst = NO_LIMIT[side] if limit is None else limit
        return self.send(name, self.exchange, BUY_INVENTORY.encode(carrier, SIDE_CODES[side], wad(contracts), worst))

    def at(self, timestamp: int) -> None:
        """The next transaction is mined at this time, and simulated as if it were."""
        self.venue.endpoint.request("evm_setNextBlockTimestamp", hex(timestamp))

    # ------------------------------------------------------------------ looking

    def view(self, contract: Any, function: Function, *arguments: Any) -> Any:
        return self.venue.endpoint.call(contract.address, function, *arguments)

    @property
    def now(self) -> int:
        """Timestamp of the latest block."""
        return int(self.venue.endpoint.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def position(self, account: bytes) -> PositionState:
        size, entry, _, margin, _, _ = self.view(self.exchange, POSITION, account, self.market.id)
        return PositionState(size, entry, margin)

    def equity(self, account: bytes, mark: str) -> int:
        held = self.position(account)
        return held.cash + position_value(held.size, wad(mark))

    @property
    def open_interest(self) -> int:
        return int(self.view(self.exchange, MARKET, self.market.id)[2])

    @property
    def pool_cash(self) -> int:
        return int(self.view(self.fund, POOL, self.market.pool)[2])

    def inventory(self, side: Side) -> tuple[int, int, int]:
        """Signed size, entry notional, start of its auction."""
        long, short = self.view(self.fund, INVENTORIES, self.market.id)
        return tuple(long if side is Side.LONG else short)

    def auction(self, side: Side) -> tuple[int, int]:
        return tuple(self.view(self.fund, AUCTION, self.market.id, SIDE_CODES[side]))

    @property
    def backing(self) -> Backing:
        return Backing(*self.view(self.fund, BACKING, self.market.id))

    def state(self) -> ChainState:
        return read_chain(self.venue.endpoint, self.venue.deployment)

    def check(self) -> None:
        """Tokens, sizes and open interest add up, to the wei."""
        state = self.state()
        assert state.tokens_held == state.claims
        assert state.sums_of_sizes[self.market.name] == 0
        sizes = [
            position.size
            for account in state.snapshot.accounts
            for position in account.positions
            if position.market == self.market.name
        ]
        longs = sum(size for size in sizes if size > 0) + self.inventory(Side.LONG)[0]
        assert self.open_interest == longs


def event(receipt: Receipt, kind: Event) -> tuple[Any, ...]:
    """The one event of a kind, its indexed parameters first."""
    [found] = [kind.decode(topics, data) for _, topics, data in receipt.logs if topics[0] == kind.topic]
    return found


def liquidated(receipt: Receipt) -> tuple[Any, ...]:
    """size, value, discount, fee, mark."""
    return event(receipt, LIQUIDATED)[3:]


def bought(receipt: Receipt) -> tuple[Any, ...]:
    """size, value, price."""
    return event(receipt, INVENTORY_BOUGHT)[2:]


def sold(receipt: Receipt) -> tuple[Any, ...]:
    """size, value, what the pool gained."""
    return event(receipt, INVENTORY_SOLD)[3:]


def hexed(account: bytes) -> str:
    """As an error shows it."""
    return "0x" + account.hex()
