"""The exchange as it is read at one moment: as plain records, and as what a keeper plans from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from backstop.account_id import account_text, is_cross
from backstop.adl import snapshot as adl
from backstop.chain.snapshot import ChainState
from backstop.math.funding import payment
from tests.invariants.calls import call
from tests.invariants.system import System
from tests.invariants.world import market_of

from .world import BY_ID, MARKETS, OWN, Chain

_NO_BLOCK = "0x" + "00" * 32
EXEMPT_AGE = 120


class Position(NamedTuple):
    """Of an account in a market; `index` is where its funding was last settled. WAD and seconds."""

    size: int
    entry: int
    margin: int
    index: int
    risk_time: int


class Holding(NamedTuple):
    """An account: its margin, its positions by market, and since when its risk counts as raised."""

    margin: int
    positions: dict[int, Position]
    risk_time: int

    def size(self, market: int) -> int:
        """Signed contracts."""
        return self.positions[market].size if market in self.positions else 0


class Quote(NamedTuple):
    """What positions of a market are valued by. WAD."""

    mark: int
    index: int
    maintenance: int
    pool: int


@dataclass(frozen=True, slots=True)
class View:
    """All accounts ever touched, the markets, and what is planned from."""

    time: int
    quotes: dict[int, Quote]
    accounts: dict[bytes, Holding]
    snapshot: adl.Snapshot

    def chain_state(self) -> ChainState:
        """What the keeper's duties take; nothing but what they ask for is filled in."""
        block = adl.Block(0, 0, _NO_BLOCK, self.time)
        ids = {one.name: one.id for one in MARKETS}
        return ChainState(self.snapshot, block, ids, {}, 0, 0, {}, {}, {}, {}, EXEMPT_AGE)


def words_of(data: bytes) -> list[int]:
    """Signed ones."""
    return [int.from_bytes(data[i : i + 32], "big", signed=True) for i in range(0, len(data), 32)]


def read(chain: Chain, system: System, accounts: Iterable[bytes], time: int) -> View:
    """As a transaction at `time` will find it."""
    chain.view(system.exchange, call("marketCount()"), time)  # from here on the views are of that time

    def ask(to: str, signature: str, *arguments: int | bytes) -> list[int]:
        return words_of(chain.view(to, call(signature, *arguments)))

    quotes = {}
    for one in MARKETS:
        mark, _ = ask(system.price_feed, "markOrLast(uint16)", one.id)
        (index,) = ask(system.exchange, "fundingIndex(uint16)", one.id)
        listed = ask(system.exchange, "market(uint16)", one.id)
        quotes[one.id] = Quote(mark, index, listed[1], listed[3])
    holdings = {account: _holding(ask, system, account) for account in accounts}
    return View(time, quotes, holdings, _snapshot(ask, system, quotes, holdings))


def _position(ask: Callable[..., list[int]], system: System, account: bytes, market: int) -> Position:
    size, entry, _, margin, index, risk_time = ask(system.exchange, "position(bytes32,uint16)", account, market)
    return Position(size, entry, margin, index, risk_time)


def _holding(ask: Callable[..., list[int]], system: System, account: bytes) -> Holding:
    if not is_cross(account):
        position = _position(ask, system, account, market_of(account))
        return Holding(position.margin, {market_of(account): position} if position.size else {}, position.risk_time)
    margin, _, _, risk_time, legs = ask(system.exchange, "crossAccount(bytes32)", account)
    legs %= 1 << 256
    markets = [legs >> shift & 0xFFFF for shift in range(0, legs.bit_length(), 16)]
    return Holding(margin, {market: _position(ask, system, account, market) for market in markets}, risk_time)


def equity_margin(holding: Holding, quotes: dict[int, Quote]) -> int:
    """The margin, funding settled."""
    owed = (payment(held.size, quotes[market].index - held.index) for market, held in holding.positions.items())
    return holding.margin - sum(owed)


def _snapshot(
    ask: Callable[..., list[int]], system: System, quotes: dict[int, Quote], holdings: dict[bytes, Holding]
) -> adl.Snapshot:
    markets, inventory, balances = {}, {}, {}
    for one in MARKETS:
        balance, _, pnl, most, _, _, _, _, started, _ = ask(system.fund, "backing(uint16)", one.id)
        long, long_entry, _, short, short_entry, _ = ask(system.fund, "inventories(uint16)", one.id)
        quote = quotes[one.id]
        balances[quote.pool] = balance
        inventory[one.id] = ((long, long_entry), (short, short_entry))
        markets[one.name] = adl.Market(
            one.name, quote.mark, quote.maintenance, f"P{quote.pool}", *one.bounds, bool(started), pnl, most
        )
    pools = {}
    for pool, balance in sorted(balances.items()):
        held = tuple(
            adl.Inventory(BY_ID[market].name, size, entry)
            for market, sides in inventory.items()
            for size, entry in sides
            if size and quotes[market].pool == pool
        )
        kind = adl.PoolKind.ISOLATED if pool == OWN else adl.PoolKind.SHARED
        pools[f"P{pool}"] = adl.Pool(f"P{pool}", kind, adl.Backing.OWN, balance, held)
    return adl.Snapshot(None, markets, pools, tuple(_accounts(quotes, holdings)))


def _accounts(quotes: dict[int, Quote], holdings: dict[bytes, Holding]) -> Iterable[adl.Account]:
    for account, holding in holdings.items():
        if holding.margin or holding.positions:
            mode = adl.MarginMode.CROSS if is_cross(account) else adl.MarginMode.ISOLATED
            legs = tuple(
                adl.Position(BY_ID[market].name, held.size, held.entry)
                for market, held in sorted(holding.positions.items())
            )
            yield adl.Account(account_text(account), mode, equity_margin(holding, quotes), legs)
