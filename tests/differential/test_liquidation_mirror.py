"""Liquidation and the auction against their mirror, over random books.

Everything is equal to the wei. What is refused is predicted too, with the values in the error.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import NamedTuple

import pytest

from backstop.math import auction, fund, liquidation
from backstop.math.margin import margin_requirement, position_value
from backstop.math.position import PositionState, apply_trade
from backstop.math.round import carried_entry
from backstop.math.wad import WAD
from scripts.stage.parameters import MarketParameters
from scripts.stage.venue import FEED_DECIMALS, Venue
from tests.support.acting import Done, RefusedError, act, emitted, now
from tests.support.desk import ALL, NO_LIMIT, Desk, open_desk
from tests.support.enums import Side
from tests.support.proofs import assert_proofs

FEED = 10 ** (18 - FEED_DECIMALS)  # WAD in a unit of a feed's answer
TOKEN = 10**12  # WAD in a token unit
FORTUNE = 10**12  # tokens
BOOKS = 40
MOST = WAD // 20  # of a notional, for the liquidator and for the pool


class Terms(NamedTuple):
    """A market's fractions."""

    initial: int
    maintenance: int
    discount: int
    fee: int


class Book:
    """Random accounts in one market; what each test does is undone after it."""

    def __init__(self, desk: Desk, rng: Random) -> None:
        self.desk = desk
        self.rng = rng
        self.index = 0
        self.mark = 100 * WAD
        self.terms = Terms(*(int(x) for x in (WAD // 10, WAD // 20, WAD // 80, WAD // 80)))

    def set_terms(self) -> None:
        rng, exchange, market, owner = self.rng, self.desk.exchange, self.desk.market.id, self.desk.venue.owner
        initial = int(rng.choice((0.005, 0.02, 0.1, 0.3, 0.9)) * 10**9) * 10**9 + rng.randrange(10**9)
        maintenance = max(10**15, initial * rng.randint(200, 950) // 1000)
        whole = rng.choice((0, maintenance, rng.randint(0, maintenance), maintenance // 2))
        discount = rng.choice((0, whole, rng.randint(0, whole)))
        # Each of the two is bounded, however large the maintenance margin is.
        self.terms = Terms(initial, maintenance, min(discount, MOST), min(whole - discount, MOST))
        act(owner, exchange.setParameters, market, MarketParameters(*self.terms))

    def set_mark(self, mark: int) -> None:
        answer = max(10**5, mark // FEED)
        self.desk.price(Decimal(answer).scaleb(-FEED_DECIMALS))
        self.mark = answer * FEED

    def account(self, name: str, margin: int) -> bytes:
        """A new account of somebody, with a deposit of at least `margin`."""
        self.index += 1
        who = self.desk.trader(name)
        self.desk.deposit(who, in_tokens(max(1, -(-margin // TOKEN))), self.index)
        return self.desk.account(who, self.index)

    def trade(self, name: str, account: bytes, contracts: int, price: int) -> None:
        """The account takes signed contracts from the maker."""
        desk, maker, taker = self.desk, self.desk.trader("maker"), self.desk.trader(name)
        made = desk.order(maker, -contracts, price)
        taken = desk.order(taker, contracts, price, account=account)
        signatures = desk.signed(made, maker), desk.signed(taken, taker)
        desk.settle(made, taken, abs(contracts), signatures, by=taker)

    def opened(self, name: str, size: int, slack: float) -> bytes:
        """A new account with a position from a price near mark; `slack` is what it has beyond its initial margin."""
        price = self.mark * self.rng.randint(990, 1010) // 1000 + self.rng.randrange(10**6)
        loss = max(0, -(-size * price // WAD) - size * self.mark // WAD)
        margin = margin_requirement(size, self.mark, self.terms.initial) + loss
        account = self.account(name, margin + int(margin * slack) + TOKEN)
        self.trade(name, account, size, price)
        return account

    def state(self, account: bytes) -> PositionState:
        held = self.desk.holding(account)
        return PositionState(held.size, held.entry, held.margin)

    def equity(self, state: PositionState) -> int:
        return state.cash + position_value(state.size, self.mark)

    def mark_for(self, state: PositionState, rate: Decimal) -> int:
        """The mark at which a position's equity is about `rate` of its maintenance margin."""
        size, cash, fraction = Decimal(state.size), Decimal(state.cash), Decimal(self.terms.maintenance) / WAD
        return int(-cash * WAD / (size - abs(size) * rate * fraction))

    def rule(self, account: bytes, before: PositionState, change: int, after: PositionState) -> str | None:
        """Why the exchange refuses a trade of an account; None where it does not."""
        own, left = self.equity(before), self.equity(after)
        if before.size and own <= 0:
            return f"AccountBankrupt({hexed(account)}, {own})"
        if before.size * change < 0 and abs(change) <= abs(before.size):
            if left < 0:
                return f"EquityNegative({hexed(account)}, {left})"
            had, has = (margin_requirement(one.size, self.mark, self.terms.maintenance) for one in (before, after))
            if after.size and (left == 0 or has * own > had * left):
                return f"MarginRateWorse({hexed(account)}, {left}, {has})"
            return None
        required = margin_requirement(after.size, self.mark, self.terms.initial)
        return None if left >= required else f"InitialMarginInsufficient({hexed(account)}, {left}, {required})"


def refusal_of(send: Callable[[], Done]) -> tuple[str | None, Done | None]:
    """Why the contracts refuse it, in words, or what was done."""
    try:
        return None, send()
    except RefusedError as refusal:
        return str(refusal), None


def hexed(account: bytes) -> str:
    """As an error shows it."""
    return "0x" + account.hex()


def in_tokens(units: int) -> Decimal:
    """Units of the token, which has 6 decimals, in tokens."""
    return Decimal(units).scaleb(-6)


@pytest.fixture(scope="module")
def desk(venue: Venue) -> Desk:
    """A market, and a maker with a fortune."""
    desk = open_desk(venue, "MIRROR-USD", 100, initial="0.1", maintenance="0.05")
    desk.deposit(desk.trader("maker"), FORTUNE // 2)
    return desk


REACHED: set[str] = set()
RATES = ("0", "0.05", "0.3", "0.7", "0.999999", "1", "1.2", "-0.3")


@pytest.mark.parametrize("seed", range(BOOKS))
def test_liquidations(seed: int, desk: Desk) -> None:
    rng = Random(f"liquidation {seed}")
    book = Book(desk, rng)
    book.set_mark(int(rng.choice((0.07, 1.3, 100, 2500, 60_000)) * rng.uniform(0.8, 1.2) * 10**8) * FEED)
    book.set_terms()
    contracts = rng.randint(10**2, 10**6) * WAD * WAD // book.mark + rng.randrange(10**9)
    size = contracts * rng.choice((1, -1))
    account = book.opened("trader", size, rng.choice((0, 0.1, 1)))
    carrier = _carrier(book, rng, contracts)
    rate = Decimal(RATES[seed % len(RATES)]) + Decimal(rng.choice((0, 0, rng.uniform(-0.05, 0.05))))
    book.set_mark(book.mark_for(book.state(account), rate))

    before, own = book.state(account), book.state(carrier)
    most = rng.choice((ALL, ALL, rng.randint(1, contracts), 1))
    refusal, closed, cost = _predict(book, account, before, carrier, own, most)
    pool, interest = desk.pool_cash(), desk.open_interest()
    liquidator = desk.trader("liquidator")
    told, done = refusal_of(lambda: desk.liquidate(account, most, by=liquidator, onto=carrier))
    assert told == refusal
    REACHED.add(refusal.split("(")[0] if refusal else "liquidated")
    assert_proofs(desk.venue)
    if done is None:
        assert (book.state(account), book.state(carrier), desk.pool_cash()) == (before, own, pool)
        return

    part = closed if size > 0 else -closed
    value = liquidation.value(part, book.mark, cost.discount)
    assert emitted(done, desk.exchange.Liquidated) == [
        {
            "account": account,
            "liquidator": carrier,
            "market": desk.market.id,
            "size": part,
            "value": value,
            "discount": cost.discount,
            "fee": cost.fee,
            "mark": book.mark,
        }
    ]
    after = apply_trade(before, -part, -value)
    after = after._replace(margin=after.margin - cost.fee)
    carried = apply_trade(own, part, value)
    assert book.state(account) == after
    assert book.state(carrier) == carried
    assert desk.pool_cash() == pool + cost.fee
    longs = [max(0, state.size) for state in (after, carried, before, own)]
    assert desk.open_interest() == interest + longs[0] + longs[1] - longs[2] - longs[3]
    REACHED.add("closed whole" if after.size == 0 else "closed in part")
    REACHED.add("capped" if sum(cost) == book.equity(before) * closed // contracts else "in full")


def _carrier(book: Book, rng: Random, contracts: int) -> bytes:
    """The liquidator's account: rich or poor, flat, long or short."""
    held = rng.choice((0, 0, contracts, -contracts, contracts // 3, -2 * contracts))
    slack = rng.choice((0.01, 3, 50))
    if held:
        return book.opened("liquidator", held, slack)
    return book.account("liquidator", int(margin_requirement(contracts, book.mark, book.terms.initial) * slack))


def _predict(
    book: Book, account: bytes, before: PositionState, carrier: bytes, own: PositionState, most: int
) -> tuple[str | None, int, liquidation.Penalty]:
    terms, contracts, nothing = book.terms, abs(before.size), liquidation.Penalty(0, 0)
    equity, required = book.equity(before), margin_requirement(before.size, book.mark, book.terms.maintenance)
    if not 0 < equity < required:
        return f"LiquidationNotDue({hexed(account)}, {equity}, {required})", 0, nothing
    shortfall = margin_requirement(before.size, book.mark, terms.initial) - equity
    fractions = terms.initial, terms.discount + terms.fee
    needed = liquidation.contracts_to_restore(contracts, book.mark, shortfall, *fractions)
    closed = min(needed, most)
    share = liquidation.share_of_equity(equity, required, required)
    cost = liquidation.penalty(closed, contracts, book.mark, share, terms.discount, terms.fee)
    part = closed if before.size > 0 else -closed
    after = apply_trade(own, part, liquidation.value(part, book.mark, cost.discount))
    return book.rule(carrier, own, part, after), closed, cost


@pytest.mark.parametrize("seed", range(BOOKS))
def test_purchases(seed: int, desk: Desk) -> None:
    rng = Random(f"purchase {seed}")
    book = Book(desk, rng)
    book.set_mark(int(rng.choice((0.07, 1.3, 100, 2500, 60_000)) * rng.uniform(0.8, 1.2) * 10**8) * FEED)
    book.set_terms()
    premium, duration = rng.choice((0, WAD // 50, WAD // 5, rng.randrange(WAD // 5))), rng.choice((60, 600, 1800))
    act(desk.venue.owner, desk.fund.setAuctionParameters, desk.market.id, premium, duration)
    side = rng.choice((Side.LONG, Side.SHORT))
    held, entry, start = _inherit(book, rng, side, duration)
    notional = abs(held) * book.mark // WAD
    if gift := rng.choice((0, notional // 100, notional // 5, notional * 3)):
        desk.contribute(in_tokens(gift // TOKEN) if gift >= TOKEN else 1)
    buyer = _buyer(book, rng, abs(held))
    if rng.random() < 0.5:
        book.set_mark(book.mark * rng.randint(900, 1100) // 1000)
    assert (*desk.inventory(side), desk.auction_start(side)) == (held, entry, start)

    time = max(now() + 5, start + rng.randint(0, duration + duration // 4))
    price = auction.price_of(
        is_long=side is Side.LONG,
        mark=book.mark,
        premium=premium,
        floor_fraction=book.terms.maintenance,
        elapsed=time - start,
        duration=duration,
    )
    most = rng.choice((ALL, ALL, rng.randint(1, abs(held)), 1))
    limit = rng.choice((NO_LIMIT[side], price, price, price - side.sign))
    part = min(most, abs(held)) * side.sign
    value = auction.part_value(part, price)
    carried = carried_entry(held, entry, part)
    own, pool, interest = book.state(buyer), desk.pool_cash(), desk.open_interest()
    after = apply_trade(own, part, value)
    refusal = _refused_by_pool(book, (held, entry), part, value - carried)
    if refusal is None and (price - limit) * side.sign > 0:
        refusal = f"AuctionPriceBeyondLimit({price}, {limit})"
    refusal = refusal or book.rule(buyer, own, part, after)

    told, done = refusal_of(lambda: desk.buy(side, most, by=desk.trader("buyer"), onto=buyer, limit=limit, at=time))
    assert told == refusal
    REACHED.add(refusal.split("(")[0] if refusal else "bought")
    assert_proofs(desk.venue)
    if done is None:
        assert (book.state(buyer), desk.inventory(side), desk.pool_cash()) == (own, (held, entry), pool)
        return
    assert done.timestamp == time
    passed = {"market": desk.market.id, "size": part, "value": value}
    assert emitted(done, desk.exchange.InventoryBought) == [{"buyer": buyer, **passed, "price": price}]
    assert emitted(done, desk.fund.InventorySold) == [
        {"pool": desk.market.pool, "side": side, **passed, "result": value - carried}
    ]
    assert book.state(buyer) == after
    assert (*desk.inventory(side), desk.auction_start(side)) == (held - part, entry - carried, start)
    assert desk.pool_cash() == pool + value - carried
    longs = max(0, after.size) - max(0, own.size) - max(0, part)
    assert desk.open_interest() == interest + longs
    REACHED.add("bought all" if held == part else "bought a part")


def _inherit(book: Book, rng: Random, side: Side, duration: int) -> tuple[int, int, int]:
    """One to three accounts taken over one after the other: size, entry and start of the inventory."""
    scale = rng.randint(10**2, 10**5) * WAD * WAD // book.mark
    sizes = [side.sign * (scale // rng.choice((1, 3, 1000)) + rng.randrange(10**9)) for _ in range(rng.randint(1, 3))]
    accounts = [book.opened("trader", size, 0.01) for size in sizes]
    states = [book.state(account) for account in accounts]
    rate = Decimal(rng.uniform(-2, 0.3))
    marks = [book.mark_for(state, rate) for state in states]
    book.set_mark(min(marks) if side is Side.LONG else max(marks))
    held = entry = start = 0
    for account, state in zip(accounts, states, strict=True):
        time = now() + rng.choice((2, 30, 500))
        book.desk.take_over(account, at=time)
        start = auction.merged_start(start, abs(held), time, abs(state.size), duration)
        held, entry = held + state.size, entry - state.cash
    return held, entry, start


def _buyer(book: Book, rng: Random, contracts: int) -> bytes:
    """The buyer's account: rich or poor, flat, long or short."""
    held = rng.choice((0, 0, contracts, -contracts, contracts // 3, -2 * contracts))
    if held:
        return book.opened("buyer", held, rng.choice((0.01, 1, 20)))
    return book.account("buyer", contracts * book.mark // WAD * rng.choice((1, 1, 0)))


def _refused_by_pool(book: Book, inventory: tuple[int, int], part: int, result: int) -> str | None:
    """Whether the sale leaves ADL due by drawdown or the pool below zero, worse than before."""
    held, entry = inventory
    before, trigger, stop = book.desk.backing(), 3 * WAD // 10, WAD // 4
    lost = fund.inventory_loss(held, entry, book.mark)
    left = fund.inventory_loss(held - part, entry - carried_entry(held, entry, part), book.mark)
    balance = before.balance + result + lost - left
    pnl = before.pnl + result + lost - left
    loss = fund.window_loss(before.maxPnl, pnl)
    base = fund.drawdown_base(balance, [loss])
    if balance < 0 and balance < before.balance:
        return f"SaleDepletesPool({book.desk.market.pool}, {balance})"
    # The sale takes a sample first, so ADL has started where it is due before.
    due = fund.is_drawdown_due(loss, base, trigger, stop, started=before.drawdownDue)
    if loss > before.loss and (base == 0 or due):
        return f"SaleRaisesDrawdown({book.desk.market.id}, {loss}, {base})"
    return None


def test_everything_was_reached() -> None:
    """Random books are worth something only as far as they came to where things can go wrong."""
    if not {"liquidated", "bought"} <= REACHED:
        pytest.skip("only some of the books were played")
    assert {
        "LiquidationNotDue",
        "InitialMarginInsufficient",
        "closed whole",
        "closed in part",
        "capped",
        "in full",
        "AuctionPriceBeyondLimit",
        "SaleDepletesPool",
        "SaleRaisesDrawdown",
        "bought all",
        "bought a part",
    } <= REACHED
