"""Liquidation and the auction against their mirror: libraries over extreme numbers, verbs over random books.

Everything is equal to the wei. What is refused is predicted too, with the values in the error.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pytest
from ape import project

from backstop.account_id import isolated_account, isolated_sub_id
from backstop.adl.snapshot import Side
from backstop.chain.bindings import APPROVE, BUY_INVENTORY, DEPOSIT, LIQUIDATE, MINT, SETTLE, TAKE_OVER, Function
from backstop.errors import RevertError
from backstop.keeper.duties import SIDE_CODES
from backstop.math import auction, fund, liquidation
from backstop.math.margin import margin_requirement, position_value
from backstop.math.position import PositionState, apply_trade
from backstop.math.round import carried_entry
from backstop.math.wad import WAD
from backstop.orders import sign
from scripts.stage.venue import FEED_DECIMALS, UNLIMITED, Venue
from tests.contracts.floor import NO_LIMIT, Floor, bought, hexed, liquidated, sold

FEED = 10 ** (18 - FEED_DECIMALS)  # WAD in a unit of a feed's answer
TOKEN = 10**12  # WAD in a token unit
FORTUNE = 10**18  # token units
HUGE = 2**256 - 1


# ------------------------------------------------------------------ the libraries

MANY = Function("many(bytes[])", "bytes[]")
CASES = 4000
BOOKS = 40

Case = tuple[int | bool, ...]


def _edge(rng: Random, low: int, high: int) -> int:
    """A number in [low, high]: a bound, beside one, or of any magnitude between."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice((low, high))
    if kind < 0.2:
        return min(high, max(low, rng.choice((low + 1, high - 1, WAD, WAD - 1, WAD + 1))))
    return min(high, low + rng.getrandbits(rng.randint(1, max(1, high.bit_length()))))


def _fractions(rng: Random) -> tuple[int, int, int, int]:
    """imf, mmf, discount and fee, within the bounds that the exchange sets."""
    initial = _edge(rng, 5 * 10**15, WAD)
    maintenance = _edge(rng, 10**15, initial - 1)
    whole = _edge(rng, 0, maintenance)
    discount = _edge(rng, 0, whole)
    return initial, maintenance, discount, whole - discount


def _to_restore(rng: Random) -> Case:
    initial, maintenance, discount, fee = _fractions(rng)
    contracts, mark = _edge(rng, 1, 2**111 - 1), _edge(rng, 1, 2**96 - 1)
    return contracts, mark, _edge(rng, 1, margin_requirement(contracts, mark, maintenance)), initial, discount + fee


def _penalty(rng: Random) -> Case:
    _, maintenance, discount, fee = _fractions(rng)
    contracts, mark = _edge(rng, 1, 2**111 - 1), _edge(rng, 1, 2**96 - 1)
    equity = _edge(rng, 1, margin_requirement(contracts, mark, maintenance))
    return _edge(rng, 1, contracts), contracts, mark, equity, discount, fee


def _price(rng: Random) -> Case:
    duration = _edge(rng, 60, 86400)
    elapsed = rng.choice((_edge(rng, 0, duration), _edge(rng, 0, 2**32)))
    mark, premium = _edge(rng, 1, 2**96 - 1), _edge(rng, 0, WAD // 5)
    return rng.random() < 0.5, mark, premium, _edge(rng, 10**15, WAD - 1), elapsed, duration


def _merge(rng: Random) -> Case:
    start = _edge(rng, 0, 2**32 - 1)
    return start, _edge(rng, 0, 2**111 - 1), _edge(rng, start, 2**32 - 1), _edge(rng, 1, 2**111 - 1)


def _mirror_price(is_long: bool, mark: int, premium: int, floor_fraction: int, elapsed: int, duration: int) -> int:
    return auction.price_of(
        is_long=is_long,
        mark=mark,
        premium=premium,
        floor_fraction=floor_fraction,
        elapsed=elapsed,
        duration=duration,
    )


@pytest.mark.parametrize(
    ("signature", "returns", "draw", "mirror"),
    [
        (
            "contractsToRestore(uint256,uint256,uint256,uint256,uint256)",
            "uint256",
            _to_restore,
            liquidation.contracts_to_restore,
        ),
        (
            "penalty(uint256,uint256,uint256,uint256,uint256,uint256)",
            "uint256,uint256",
            _penalty,
            liquidation.penalty,
        ),
        ("priceOf(bool,uint256,uint256,uint256,uint256,uint256)", "uint256", _price, _mirror_price),
        ("mergedStart(uint256,uint256,uint256,uint256)", "uint256", _merge, auction.merged_start),
    ],
    ids=["contractsToRestore", "penalty", "priceOf", "mergedStart"],
)
def test_libraries(
    signature: str,
    returns: str,
    draw: Callable[[Random], Case],
    mirror: Callable[..., Any],
    venue: Venue,
    owner: Any,
) -> None:
    function, rng = Function(signature, returns), Random(signature)
    harness = owner.deploy(project.LiquidationHarness).address
    cases = [draw(rng) for _ in range(CASES)]
    for start in range(0, CASES, 1000):
        page = cases[start : start + 1000]
        calldata = MANY.encode([function.encode(*case) for case in page])
        call = {"to": harness, "gas": hex(10**12), "data": "0x" + calldata.hex()}
        [answers] = MANY.decode(bytes.fromhex(venue.endpoint.request("eth_call", call, "latest")[2:]))
        for case, answer in zip(page, answers, strict=True):
            expected = mirror(*case)
            assert function.decode(answer) == (expected if isinstance(expected, tuple) else (expected,)), case


# ------------------------------------------------------------------ the verbs


class Terms(NamedTuple):
    """A market's fractions."""

    initial: int
    maintenance: int
    discount: int
    fee: int


class Book:
    """Random accounts in one market; what each test does is undone after it."""

    def __init__(self, floor: Floor, rng: Random) -> None:
        self.floor = floor
        self.rng = rng
        self.owner = floor.venue.owner
        self.index = 0
        self.mark = 100 * WAD
        self.terms = Terms(*(int(x) for x in (WAD // 10, WAD // 20, WAD // 80, WAD // 80)))

    def set_terms(self) -> None:
        rng, exchange, market = self.rng, self.floor.exchange, self.floor.market.id
        initial = int(rng.choice((0.005, 0.02, 0.1, 0.3, 0.9)) * 10**9) * 10**9 + rng.randrange(10**9)
        maintenance = max(10**15, initial * rng.randint(200, 950) // 1000)
        whole = rng.choice((0, maintenance, rng.randint(0, maintenance), maintenance // 2))
        discount = rng.choice((0, whole, rng.randint(0, whole)))
        exchange.setLiquidationFractions(market, 0, 0, sender=self.owner)
        exchange.setMarginFractions(market, initial, maintenance, sender=self.owner)
        exchange.setLiquidationFractions(market, discount, whole - discount, sender=self.owner)
        self.terms = Terms(initial, maintenance, discount, whole - discount)

    def set_mark(self, mark: int) -> None:
        answer = max(10**5, mark // FEED)
        self.floor.market.feed.setAnswer(answer, sender=self.owner)
        self.mark = answer * FEED

    def account(self, name: str, margin: int) -> bytes:
        """A new account of an actor, with a deposit of at least `margin`."""
        self.index += 1
        actor, market = self.floor.actor(name), self.floor.market.id
        amount = max(1, -(-margin // TOKEN))
        self.floor.send(name, self.floor.exchange, DEPOSIT.encode(isolated_sub_id(market, self.index), amount))
        return isolated_account(actor.address, market, self.index)

    def trade(self, name: str, account: bytes, contracts: int, price: int) -> None:
        """The account takes signed contracts from the maker."""
        venue, market = self.floor.venue, self.floor.market
        maker, taker = self.floor.actor("maker"), self.floor.actor(name)
        made = venue.order(maker, market, -contracts, price)
        taken = venue.order(taker, market, contracts, price, account=account)
        signatures = sign(made, venue.domain, maker), sign(taken, venue.domain, taker)
        calldata = SETTLE.encode(made.values(), signatures[0], taken.values(), signatures[1], abs(contracts))
        self.floor.send(name, self.floor.exchange, calldata)

    def opened(self, name: str, size: int, slack: float) -> bytes:
        """A new account with a position from a price near mark; `slack` is what it has beyond its initial margin."""
        price = self.mark * self.rng.randint(990, 1010) // 1000 + self.rng.randrange(10**6)
        loss = max(0, -(-size * price // WAD) - size * self.mark // WAD)
        margin = margin_requirement(size, self.mark, self.terms.initial) + loss
        account = self.account(name, margin + int(margin * slack) + TOKEN)
        self.trade(name, account, size, price)
        return account

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

    def refusal_of(self, send: Callable[[], Any]) -> tuple[str | None, Any]:
        try:
            return None, send()
        except RevertError as refusal:
            return str(refusal), None


@pytest.fixture(scope="module")
def floor(venue: Venue) -> Floor:
    """A market, and actors with fortunes."""
    floor = Floor(venue, "mirror")
    for name in ("trader", "liquidator", "buyer", "maker"):
        actor = floor.actor(name)
        venue.send(actor, venue.system.token, MINT.encode(actor.address, FORTUNE))
        venue.send(actor, venue.system.token, APPROVE.encode(venue.system.exchange.address, UNLIMITED))
    floor.send("maker", venue.system.exchange, DEPOSIT.encode(isolated_sub_id(floor.market.id), FORTUNE // 2))
    return floor


REACHED: set[str] = set()
RATES = ("0", "0.05", "0.3", "0.7", "0.999999", "1", "1.2", "-0.3")


@pytest.mark.parametrize("seed", range(BOOKS))
def test_liquidations(seed: int, floor: Floor) -> None:
    rng = Random(f"liquidation {seed}")
    book = Book(floor, rng)
    book.set_mark(int(rng.choice((0.07, 1.3, 100, 2500, 60_000)) * rng.uniform(0.8, 1.2) * 10**8) * FEED)
    book.set_terms()
    contracts = rng.randint(10**2, 10**6) * WAD * WAD // book.mark + rng.randrange(10**9)
    size = contracts * rng.choice((1, -1))
    account = book.opened("trader", size, rng.choice((0, 0.1, 1)))
    carrier = _carrier(book, rng, contracts)
    rate = Decimal(RATES[seed % len(RATES)]) + Decimal(rng.choice((0, 0, rng.uniform(-0.05, 0.05))))
    book.set_mark(book.mark_for(floor.position(account), rate))

    before, own = floor.position(account), floor.position(carrier)
    most = rng.choice((HUGE, HUGE, rng.randint(1, contracts), 1))
    refusal, closed, cost = _predict(book, account, before, carrier, own, most)
    pool, interest = floor.pool_cash, floor.open_interest
    told, receipt = book.refusal_of(
        lambda: floor.send("liquidator", floor.exchange, LIQUIDATE.encode(account, carrier, most))
    )
    assert told == refusal
    REACHED.add(refusal.split("(")[0] if refusal else "liquidated")
    floor.check()
    if receipt is None:
        assert (floor.position(account), floor.position(carrier), floor.pool_cash) == (before, own, pool)
        return

    part = closed if size > 0 else -closed
    value = liquidation.value(part, book.mark, cost.discount)
    assert liquidated(receipt) == (part, value, cost.discount, cost.fee, book.mark)
    after = apply_trade(before, -part, -value)
    after = after._replace(margin=after.margin - cost.fee)
    carried = apply_trade(own, part, value)
    assert floor.position(account) == after
    assert floor.position(carrier) == carried
    assert floor.pool_cash == pool + cost.fee
    longs = [max(0, state.size) for state in (after, carried, before, own)]
    assert floor.open_interest == interest + longs[0] + longs[1] - longs[2] - longs[3]
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
    needed = liquidation.contracts_to_restore(contracts, book.mark, equity, terms.initial, terms.discount + terms.fee)
    closed = min(needed, most)
    cost = liquidation.penalty(closed, contracts, book.mark, equity, terms.discount, terms.fee)
    part = closed if before.size > 0 else -closed
    after = apply_trade(own, part, liquidation.value(part, book.mark, cost.discount))
    return book.rule(carrier, own, part, after), closed, cost


@pytest.mark.parametrize("seed", range(BOOKS))
def test_purchases(seed: int, floor: Floor) -> None:
    rng = Random(f"purchase {seed}")
    book = Book(floor, rng)
    book.set_mark(int(rng.choice((0.07, 1.3, 100, 2500, 60_000)) * rng.uniform(0.8, 1.2) * 10**8) * FEED)
    book.set_terms()
    premium, duration = rng.choice((0, WAD // 50, WAD // 5, rng.randrange(WAD // 5))), rng.choice((60, 600, 1800))
    floor.fund.setAuctionParameters(floor.market.id, premium, duration, sender=book.owner)
    side = rng.choice((Side.LONG, Side.SHORT))
    held, entry, start = _inherit(book, rng, side)
    notional = abs(held) * book.mark // WAD
    if gift := rng.choice((0, notional // 100, notional // 5, notional * 3)):
        floor.contribute(str(Decimal(gift // TOKEN) / 10**6) if gift >= TOKEN else "1")
    buyer = _buyer(book, rng, abs(held))
    if rng.random() < 0.5:
        book.set_mark(book.mark * rng.randint(900, 1100) // 1000)
    assert floor.inventory(side) == (held, entry, start)

    now = max(floor.now + 5, start + rng.randint(0, duration + duration // 4))
    price = auction.price_of(
        is_long=side is Side.LONG,
        mark=book.mark,
        premium=premium,
        floor_fraction=book.terms.maintenance,
        elapsed=now - start,
        duration=duration,
    )
    most = rng.choice((HUGE, HUGE, rng.randint(1, abs(held)), 1))
    limit = rng.choice((NO_LIMIT[side], price, price, price - side.sign))
    part = min(most, abs(held)) * side.sign
    value = auction.part_value(part, price)
    carried = carried_entry(held, entry, part)
    own, pool, interest = floor.position(buyer), floor.pool_cash, floor.open_interest
    after = apply_trade(own, part, value)
    refusal = _refused_by_pool(floor, book, side, (held, entry), part, value - carried)
    if refusal is None and (price - limit) * side.sign > 0:
        refusal = f"AuctionPriceBeyondLimit({price}, {limit})"
    refusal = refusal or book.rule(buyer, own, part, after)

    floor.at(now)
    told, receipt = book.refusal_of(
        lambda: floor.send("buyer", floor.exchange, BUY_INVENTORY.encode(buyer, SIDE_CODES[side], most, limit))
    )
    assert told == refusal
    REACHED.add(refusal.split("(")[0] if refusal else "bought")
    if receipt is None:
        return
    floor.check()
    assert floor.now == now
    assert bought(receipt) == (part, value, price)
    assert sold(receipt) == (part, value, value - carried)
    assert floor.position(buyer) == after
    assert floor.inventory(side) == (held - part, entry - carried, start)
    assert floor.pool_cash == pool + value - carried
    longs = max(0, after.size) - max(0, own.size) - max(0, part)
    assert floor.open_interest == interest + longs
    REACHED.add("bought all" if held == part else "bought a part")


def _inherit(book: Book, rng: Random, side: Side) -> tuple[int, int, int]:
    """One to three accounts taken over one after the other: size, entry and start of the inventory."""
    floor, scale = book.floor, rng.randint(10**2, 10**5) * WAD * WAD // book.mark
    sizes = [side.sign * (scale // rng.choice((1, 3, 1000)) + rng.randrange(10**9)) for _ in range(rng.randint(1, 3))]
    accounts = [book.opened("trader", size, 0.01) for size in sizes]
    states = [floor.position(account) for account in accounts]
    rate = Decimal(rng.uniform(-2, 0.3))
    marks = [book.mark_for(state, rate) for state in states]
    book.set_mark(min(marks) if side is Side.LONG else max(marks))
    held = entry = start = 0
    for account, state in zip(accounts, states, strict=True):
        now = floor.now + rng.choice((2, 30, 500))
        floor.at(now)
        floor.send("anyone", floor.exchange, TAKE_OVER.encode(account))
        start = auction.merged_start(start, abs(held), now, abs(state.size))
        held, entry = held + state.size, entry - state.cash
    return held, entry, start


def _buyer(book: Book, rng: Random, contracts: int) -> bytes:
    """The buyer's account: rich or poor, flat, long or short."""
    held = rng.choice((0, 0, contracts, -contracts, contracts // 3, -2 * contracts))
    if held:
        return book.opened("buyer", held, rng.choice((0.01, 1, 20)))
    return book.account("buyer", contracts * book.mark // WAD * rng.choice((1, 1, 0)))


def _refused_by_pool(
    floor: Floor, book: Book, side: Side, inventory: tuple[int, int], part: int, result: int
) -> str | None:
    """Whether the sale leaves the market at its trigger or the pool below zero, worse than before."""
    held, entry = inventory
    before, trigger = floor.backing, 3 * WAD // 10
    lost = fund.inventory_loss(held, entry, book.mark)
    left = fund.inventory_loss(held - part, entry - carried_entry(held, entry, part), book.mark)
    balance = before.balance + result + lost - left
    pnl = before.pnl + result + lost - left
    loss = fund.window_loss(before.max_pnl, pnl)
    base = fund.drawdown_base(balance, [loss])
    if balance < 0 and balance < before.balance:
        return f"SaleDepletesPool({floor.market.pool}, {balance})"
    if loss > before.loss and loss * WAD >= trigger * base:
        return f"SaleRaisesDrawdown({floor.market.id}, {loss}, {base})"
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
