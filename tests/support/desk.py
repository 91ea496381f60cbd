"""One market of the venue and the hands in it: traders, orders, tables of positions, liquidation, auctions, rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ape import project
from eth_account.signers.local import LocalAccount

from backstop.account_id import is_cross, isolated_account
from backstop.deployment.pool_terms import Backer, PoolKind
from backstop.orders import Order, order_hash, sign
from scripts.stage.parameters import MarketParameters, plain_market
from scripts.stage.system import name_bytes, parameters_of
from scripts.stage.venue import BOND, FEED_DECIMALS, HEARTBEAT, TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, rpc
from tests.support.enums import Side

UNLIMITED = 2**256 - 1
ANY_PRICE = (-(2**255), 2**255 - 1)
ANY_RETURN = -(2**255)
FOR_EVER = 2**256 - 1
ANY_BOUNDS = (*ANY_PRICE, [], ANY_RETURN, FOR_EVER)
ALL = 2**256 - 1
CROSS_BIT = 1 << 95
NO_LIMIT = {Side.LONG: 2**256 - 1, Side.SHORT: 0}


@dataclass(frozen=True)
class Account:
    """An account as the exchange has it: a position and its margin, WAD."""

    size: int
    entry: int
    margin: int

    @property
    def cash(self) -> int:
        """The only thing that trades move between accounts."""
        return self.margin - self.entry


FLAT = Account(0, 0, 0)


@dataclass(frozen=True)
class Cross:
    """Somebody who acts on a cross account: a desk takes them wherever it takes somebody."""

    signer: Any
    index: int = 0

    @property
    def address(self) -> str:
        """Whose account it is."""
        return str(self.signer.address)

    @property
    def id(self) -> bytes:
        """The account."""
        return (int(self.address, 16) << 96 | CROSS_BIT | self.index).to_bytes(32, "big")


class Desk:
    """What a test does in one market. Sizes, prices and quote amounts are WAD; tokens are given as decimals."""

    def __init__(self, venue: Venue, market: TestMarket) -> None:
        self.venue = venue
        self.market = market
        self.token = venue.system.token
        self.exchange = venue.system.exchange
        self.fund = venue.system.fund
        self.engine = venue.system.engine
        self.book = venue.system.round_book
        self.lens = venue.system.lens
        self.price_feed = venue.system.price_feed
        rpc("anvil_autoImpersonateAccount", True)

    # ------------------------------------------------------------------ who

    def trader(self, name: str) -> LocalAccount:
        """Somebody with a key and gas money."""
        return self.venue.trader(name)

    def cross(self, name: str, index: int = 0) -> Cross:
        """The same on a cross account."""
        return Cross(self.trader(name), index)

    def account(self, who: Any, index: int = 0) -> bytes:
        """Somebody's isolated account in the market; whoever is given by an account's id is that account."""
        if isinstance(who, Cross):
            return who.id
        return who if isinstance(who, bytes) else isolated_account(who.address, self.market.id, index)

    def holding(self, who: Any, index: int = 0) -> Account:
        """What that account holds; of a cross account the position in this market, and its whole margin."""
        account = self.account(who, index)
        held = self.exchange.position(account, self.market.id)
        margin = self.exchange.crossAccount(account).margin if is_cross(account) else held.margin
        return Account(held.size, held.entryNotional, margin)

    def equity(self, who: Any, index: int = 0) -> int:
        """Its equity at mark."""
        return int(self.exchange.exposures(self.market.id, [self.account(who, index)], self.mark())[0].equity)

    def parameters(self) -> MarketParameters:
        """The market's parameters as they were set."""
        return parameters_of(self.venue.system, self.market.id)

    def set_parameters(self, **changes: int) -> Done:
        """The owner changes some of them, and leaves the others."""
        changed = self.parameters()._replace(**changes)
        return act(self.venue.owner, self.exchange.setParameters, self.market.id, changed)

    def funding(self) -> Any:
        """The market's funding, and its fees, as stored."""
        return self.exchange.market(self.market.id).funding

    def open_interest(self) -> int:
        """Contracts of all longs of the market, the pool's among them."""
        return int(self.exchange.market(self.market.id).openInterest)

    def pool_cash(self) -> int:
        """What the market's pool has beside its inventory."""
        return int(self.fund.pool(self.market.pool).cash)

    # ------------------------------------------------------------------ tokens

    def fill_purse(self, who: Any, amount: Decimal | int | str) -> None:
        """New tokens for somebody, which the exchange and the fund may take."""
        act(who, self.token.mint, who.address, tokens(amount))
        for spender in (self.exchange, self.fund):
            act(who, self.token.approve, spender.address, UNLIMITED)

    def deposit(self, who: Any, amount: Decimal | int | str, index: int = 0) -> Done:
        """New tokens, straight into the account."""
        act(who, self.token.mint, who.address, tokens(amount))
        act(who, self.token.approve, self.exchange.address, UNLIMITED)
        return act(who, self.exchange.deposit, sub_id(self.account(who, index)), tokens(amount))

    def contribute(self, amount: Decimal | int | str, *, to_market: bool = False) -> Done:
        """A gift to the market's pool, which may name the market."""
        donor = self.trader("donor")
        self.fill_purse(donor, amount)
        named = self.market.id if to_market else 0
        return act(donor, self.fund.contribute, self.market.pool, named, tokens(amount))

    # ------------------------------------------------------------------ prices

    def price(self, price: Decimal | int | str, *, at: int | None = None) -> None:
        """The feed's next answer, published in a block at timestamp `at`."""
        act(self.venue.owner, self.market.feed.setAnswer, int(Decimal(price) * 10**FEED_DECIMALS), at=at)

    def priced_at(self) -> int:
        """When the feed last answered."""
        return int(self.market.feed.latestRoundData()[3])

    def mark(self) -> int:
        """The mark price, WAD."""
        return int(self.price_feed.markPrice(self.market.id))

    # ------------------------------------------------------------------ orders

    def order(self, who: Any, contracts: int, price: int, **changes: Any) -> Order:
        """An order of somebody's account, good for a day."""
        return self.venue.order(who, self.market, contracts, price, **{"account": self.account(who), **changes})

    def hash(self, order: Order) -> bytes:
        """What its owner signs."""
        return order_hash(order, self.venue.domain)

    def signed(self, order: Order, who: Any) -> bytes:
        """Somebody's signature under an order."""
        return sign(order, self.venue.domain, who.signer if isinstance(who, Cross) else who)

    def trade(
        self, maker: Any, taker: Any, contracts: int, price: int, *, by: Any = None, at: int | None = None
    ) -> Done:
        """The taker takes signed `contracts` from the maker at `price`, both by orders of just that size."""
        made, taken = self.order(maker, -contracts, price), self.order(taker, contracts, price)
        signatures = self.signed(made, maker), self.signed(taken, taker)
        return self.settle(made, taken, abs(contracts), signatures, by=by or taker, at=at)

    def settle(
        self,
        made: Order,
        taken: Order,
        size: int,
        signatures: tuple[bytes, bytes],
        *,
        by: Any,
        at: int | None = None,
    ) -> Done:
        """Two signed orders, settled by anybody."""
        maker_signature, taker_signature = signatures
        return act(
            by, self.exchange.settle, made.values(), maker_signature, taken.values(), taker_signature, size, at=at
        )

    def open(
        self, name: str, contracts: int, price: int, margin: Decimal | int | str, *, against: str = "whale"
    ) -> Any:
        """Somebody who took signed `contracts` on a new deposit, from `against`, who needs one too."""
        trader = self.trader(name)
        self.deposit(trader, margin)
        self.trade(self.trader(against), trader, contracts, price)
        return trader

    def seat(self, table: str) -> None:
        """Opens the positions of a table: name, signed contracts, entry price, margin.

        Longs and shorts of a price match, and while it is traded it is the mark.
        """
        rows = [line.split() for line in table.strip().splitlines()]
        for entry in dict.fromkeys(row[2] for row in rows):
            self.price(entry)
            left = []
            for name, contracts, price, margin in rows:
                if price == entry:
                    self.deposit(self.trader(name), margin)
                    left.append((name, wad(contracts)))
            for long, short, contracts in _pairs(left):
                self.trade(self.trader(short), self.trader(long), contracts, wad(entry))

    # ------------------------------------------------------------------ solvency

    def liquidate(
        self, who: Any, contracts: int = ALL, *, by: Any, onto: bytes | None = None, at: int | None = None
    ) -> Done:
        """Somebody carries at most `contracts` of an account that is due, on their own account or `onto` another."""
        carrier = self.account(by) if onto is None else onto
        return act(by, self.exchange.liquidate, self.account(who), self.market.id, carrier, contracts, at=at)

    def take_over(self, who: Any, *, by: Any = None, at: int | None = None) -> Done:
        """The pool takes over somebody's account."""
        return act(by or self.trader("keeper"), self.exchange.takeOver, self.account(who), at=at)

    def inherit(
        self,
        name: str,
        contracts: int,
        entry: int,
        margin: int,
        mark: int,
        *,
        wei: int = 0,
        against: str = "whale",
    ) -> Done:
        """The pool inherits signed whole `contracts` opened at `entry` with `margin`, once the price is `mark`.

        Its entry there is `contracts * entry - margin + wei`, signed; `against` holds the other side, well backed.
        """
        trader, counterparty = self.trader(name), self.trader(against)
        self.deposit(trader, margin)
        self.deposit(counterparty, 2 * abs(contracts) * entry)
        self.price(entry)
        side = 1 if contracts > 0 else -1
        self.trade(counterparty, trader, wad(contracts - side), wad(entry))
        if wei > 0:  # the mark gives way a little, so that the initial margin still suffices
            self.price(entry + side * Decimal("0.0001"))
        self.trade(counterparty, trader, wad(side), wad(entry) + side * wei)
        self.price(mark)
        return self.take_over(trader)

    def checkpoint(self, *, at: int | None = None) -> Done:
        """A sample of the market's result."""
        return act(self.trader("keeper"), self.fund.checkpoint, self.market.id, at=at)

    def sample(self, price: Decimal | int | str, at: int) -> Done:
        """A price, and a second later, at `at`, a sample of the result that it makes."""
        self.price(price, at=at - 1)
        return self.checkpoint(at=at)

    def backing(self) -> Any:
        """The state of the market's backing."""
        return self.fund.backing(self.market.id)

    def terms(self, side: Side) -> Any:
        """On what terms the inventory of a side would be deleveraged."""
        return self.fund.adlTerms(self.market.id, side)

    def inventory(self, side: Side) -> tuple[int, int]:
        """Signed size and entry notional of the pool's inventory of a side."""
        size, entry, _ = self.fund.inventories(self.market.id)[side]
        return size, entry

    def auction_start(self, side: Side) -> int:
        """When the auction of that inventory is taken to have started."""
        return int(self.fund.inventories(self.market.id)[side][2])

    def auction(self, side: Side) -> tuple[int, int]:
        """What a contract of that inventory costs, and how many there are."""
        price, contracts = self.fund.auction(self.market.id, side)
        return price, contracts

    def buy(
        self,
        side: Side,
        contracts: int = ALL,
        *,
        by: Any,
        onto: bytes | None = None,
        limit: int | None = None,
        at: int | None = None,
    ) -> Done:
        """Somebody buys at most `contracts` of the inventory of a side, on their own account or `onto` another."""
        buyer, worst = self.account(by) if onto is None else onto, NO_LIMIT[side] if limit is None else limit
        return act(by, self.exchange.buyInventory, buyer, self.market.id, side, contracts, worst, at=at)

    def deleverage(
        self,
        side: Side,
        candidates: Sequence[Any],
        *,
        by: Any = None,
        prices: tuple[int, int] = ANY_PRICE,
        marks: Sequence[tuple[int, int, int]] = (),
        lowest: int = ANY_RETURN,
        deadline: int = FOR_EVER,
        at: int | None = None,
    ) -> Done:
        """A round against somebodies, or against accounts given by their ids. Who calls has a bond, or gets one.

        `marks` are bounds, each of a market.
        """
        ids = [self.account(each) for each in candidates]
        keeper = by or self.trader("keeper")
        self.bond(keeper)
        bounds = (*prices, list(marks), lowest, deadline)
        return act(keeper, self.engine.deleverage, self.market.id, side, ids, bounds, at=at)

    def bond(self, keeper: Any) -> None:
        """Somebody posts a bond that covers ten of the largest rounds, unless they have."""
        if self.book.bond(keeper.address).amount:
            return
        act(keeper, self.token.mint, keeper.address, tokens(BOND))
        act(keeper, self.token.approve, self.book.address, tokens(BOND))
        act(keeper, self.book.postBond, tokens(BOND))


def sub_id(account: bytes) -> int:
    """The part of an account's id that its owner chooses."""
    return int.from_bytes(account[20:], "big")


def damaged(account: bytes, error: str) -> tuple[bytes, dict[str, Any]]:
    """An account changed so that the exchange refuses it with an error of that name, and the values of the error."""
    number = int.from_bytes(account, "big")
    if error == "MarketUnlisted":
        number |= 0xFF00 << 64
        return number.to_bytes(32, "big"), {"market": number >> 64 & 0xFFFF}
    if error != "AccountMalformed":
        raise ValueError(error)
    changed = (number | 1 << 90).to_bytes(32, "big")
    return changed, {"account": changed}


def _pairs(left: list[tuple[str, int]]) -> Iterator[tuple[str, str, int]]:
    longs = [[name, size] for name, size in left if size > 0]
    shorts = [[name, -size] for name, size in left if size < 0]
    if sum(size for _, size in longs) != sum(size for _, size in shorts):
        raise ValueError(f"longs and shorts do not match: {left}")
    while longs:
        long, short = longs[0], shorts[0]
        contracts = min(long[1], short[1])
        yield long[0], short[0], contracts
        long[1] -= contracts
        short[1] -= contracts
        longs = longs if long[1] else longs[1:]
        shorts = shorts if short[1] else shorts[1:]


# ---------------------------------------------------------------------- desks


def open_desk(
    venue: Venue,
    name: str,
    price: Decimal | int | str,
    *,
    initial: str = "0.01",
    maintenance: str = "0.005",
    pool: int | None = None,
    feed: Any = None,
) -> Desk:
    """A new market, at 100x by default, in the given pool or a new isolated one that is empty; feeds may be shared."""
    pool = create_pool(venue, name.lower(), PoolKind.ISOLATED) if pool is None else pool
    return Desk(venue, list_in_pool(venue, name, pool, price, initial, maintenance, feed))


def open_shared(
    venue: Venue, *names: str, price: Decimal | int | str = 100, initial: str = "0.1", maintenance: str = "0.05"
) -> list[Desk]:
    """New markets, at 10x by default, in one shared pool that is empty; each has a feed of its own."""
    pool = create_pool(venue, f"pool of {names[0]}", PoolKind.SHARED)
    return [open_desk(venue, name, price, initial=initial, maintenance=maintenance, pool=pool) for name in names]


def create_pool(venue: Venue, name: str, kind: PoolKind, backer: Backer = Backer.OWN) -> int:
    """A new pool's id."""
    act(venue.owner, venue.system.fund.createPool, name_bytes(name), kind, backer)
    return int(venue.system.fund.poolCount())


def list_in_pool(
    venue: Venue,
    name: str,
    pool: int,
    price: Decimal | int | str,
    initial: str = "0.1",
    maintenance: str = "0.05",
    feed: Any = None,
) -> TestMarket:
    """A market in a pool that may back others too."""
    s, owner = venue.system, venue.owner
    if feed is None:
        feed = owner.deploy(project.MockAggregator, FEED_DECIMALS, int(Decimal(price) * 10**FEED_DECIMALS))
    parameters = plain_market(Decimal(initial), Decimal(maintenance))
    act(owner, s.exchange.listMarket, name_bytes(name), pool, parameters)
    market = TestMarket(s.exchange.marketCount(), name, pool, feed)
    act(owner, s.price_feed.setFeed, market.id, feed.address, HEARTBEAT, wad("0.0001"), wad(10**9))
    return market
