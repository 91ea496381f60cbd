"""What `StateReader.read` answered, and beside it the indices of inventories, which no view tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eth_utils.crypto import keccak

from backstop.account_id import is_cross
from scripts.stage.parameters import MarketParameters
from tests.support.capital import Exit
from tests.support.enums import Item

from .calls import words
from .state import Backing, Funding, Holding, Inventory, MarketState, PoolState, Position, Seen, State
from .world import MARKETS, market_of

_BOOKS = 1  # slot of the fund's mapping of books: the pools are before it
_INDICES = 4  # word of a book that holds both indices, 104 bits each
_INDEX_BITS = 104
BOOK_INDICES = tuple(int.from_bytes(keccak(words(spec.id, _BOOKS)), "big") + _INDICES for spec in MARKETS)


def decode(data: bytes, owners: int, orders: int, accounts: Sequence[bytes], indices: Sequence[int]) -> State:
    """The state. Accounts that were never touched are left out; `indices` are the words of BOOK_INDICES."""
    integer = int.from_bytes
    at = iter([integer(data[i : i + 32], "big", signed=True) for i in range(64, len(data), 32)])
    tokens, rounds, treasury, keepers, bonded = _take(at, 5)
    owned = _take(at, 4 * owners)
    filled = tuple(word % (1 << 256) for word in _take(at, orders))
    pools = tuple(_pool(at, owners) for _ in range(next(at)))
    overdrawn = tuple((next(at), next(at)) for _ in range(next(at)))
    markets = tuple(_market(at, indices[i]) for i in range(next(at)))
    holdings = {}
    for account in accounts:
        held = _cross_account(at, len(markets)) if is_cross(account) else _isolated_account(at, market_of(account))
        if held is not None:
            holdings[account] = held
    if next(at, None) is not None:
        raise ValueError("the reader gave more than was expected")
    by_owner = (tuple(owned[place::4]) for place in range(4))
    return State(tokens, rounds, treasury, keepers, bonded, *by_owner, filled, pools, overdrawn, markets, holdings)


def _take(at: Iterator[int], count: int) -> list[int]:
    return [next(at) for _ in range(count)]


def _pool(at: Iterator[int], owners: int) -> PoolState:
    cash, claim = _take(at, 2)
    items = tuple(_take(at, len(Item)))
    cap, cooldown, supply, assets = _take(at, 4)
    held, exits = {}, {}
    for owner in range(owners):
        shares, *fields = _take(at, 4)
        if shares:
            held[owner] = shares
        if fields[0]:
            exits[owner] = Exit(*fields)
    return PoolState(cash, claim, items, cap, cooldown, supply, assets, held, exits)


def _market(at: Iterator[int], indices: int) -> MarketState:
    initial, maintenance, interest, pool, discount, fee, maker_fee, taker_fee = _take(at, 8)
    _, most, least, band = _take(at, 4)
    most_interest, pool_share, treasury_share, _, holders, calm_initial, calm_band, step, stress_band, _ = _take(at, 10)
    index, hour, cap, *funding = _take(at, 9)
    long, short = _take(at, 3), _take(at, 3)
    seen = Seen(*_take(at, 3))
    mark, live, present, accounts, is_backed = _take(at, 5)
    balance, base, pnl, max_pnl, loss, _, long_loss, short_loss, started, due = _take(at, 10)
    backing = Backing(balance, base, pnl, max_pnl, loss, long_loss, short_loss, bool(started), bool(due))
    parameters = MarketParameters(
        calm_initial, maintenance, discount, fee, maker_fee, taker_fee, calm_band, cap, most, least, most_interest,
        pool_share, treasury_share, step, stress_band,
    )  # fmt: skip
    return MarketState(
        interest,
        pool,
        holders,
        parameters,
        initial,
        band,
        Funding(index, hour, *funding),
        _inventory(long, indices),
        _inventory(short, indices >> _INDEX_BITS),
        seen,
        accounts,
        present,
        mark,
        bool(live),
        backing if is_backed else None,
    )


def _inventory(fields: list[int], indices: int) -> Inventory:
    """The index of an empty one means nothing."""
    index = indices & (1 << _INDEX_BITS) - 1
    if index >> _INDEX_BITS - 1:
        index -= 1 << _INDEX_BITS
    return Inventory(*fields, index if fields[0] else 0)


def _position(at: Iterator[int]) -> tuple[Position, int] | None:
    """With its margin; None where it was never touched. The index of a flat one means nothing."""
    size, entry, _, margin, index, risk_time = _take(at, 6)
    if risk_time == 0:
        return None
    return Position(size, entry, index if size else 0, risk_time), margin


def _isolated_account(at: Iterator[int], market: int) -> Holding | None:
    found = _position(at)
    return Holding(found[1], {market: found[0]}) if found else None


def _cross_account(at: Iterator[int], markets: int) -> Holding | None:
    margin, listed, _, risk_time, packed = _take(at, 5)
    positions = {}
    for market in range(1, markets + 1):
        found = _position(at)
        if found:
            positions[market] = found[0]
            if found[1]:
                raise ValueError("a position of a cross account has a margin of its own")
    legs = tuple(packed >> shift & 0xFFFF for shift in range(0, (packed % (1 << 256)).bit_length(), 16))
    return Holding(margin, positions, legs, risk_time) if listed or positions else None
