"""The insurance fund in plain Python: its pools, and inventory that comes and goes."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backstop.math import auction, fund
from backstop.math.round import carried_entry
from backstop.math.wad import WAD
from tests.support.capital import Capital, Losses, Market
from tests.support.capital import Terms as PoolTerms
from tests.support.enums import Item

from .books import LONG, SHORT, SIGN, TOKEN, Book, Inventory, RefusedError

if TYPE_CHECKING:
    from .accounts import Accounts

SIDES = (LONG, SHORT)


@dataclass
class Terms:
    """What `InsuranceFund.adlTerms` says of an inventory that is due."""

    size: int
    entry: int
    loss: int
    compensation: int
    mark: int
    price: int
    execution: int


class Fund(Capital):
    """The pools, by id. `books` are the exchange's, which is `vault`."""

    scale = TOKEN
    vault: Accounts

    def __init__(self, books: dict[int, Book], pools: Mapping[int, PoolTerms], now: int) -> None:
        super().__init__(pools, books, now)
        self.books = books

    def fork(self, books: dict[int, Book], vault: Accounts) -> Fund:
        """A copy for other books, that changes by itself."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list):
                setattr(other, name, copy(value))
        other.books, other.vault = books, vault
        other.markets = dict(books)
        return other

    # ------------------------------------------------------------------ of the exchange

    def losses_of(self, market: Market) -> Losses:
        """Of its inventories."""
        book = self.books[market.id]
        return Losses(book.loss(LONG), book.loss(SHORT), book.owed_by_inventories(self.now))

    def gains_of(self, market: Market) -> int:
        """Of its inventories."""
        book = self.books[market.id]
        return sum(max(0, held.size * book.shown // WAD - held.entry) for held in book.inventories if held.size)

    def has_inventory(self, market: Market) -> bool:
        """Of either side."""
        return any(held.size for held in self.books[market.id].inventories)

    def is_live(self, market: Market) -> bool:
        """Whether its feed says something."""
        return self.books[market.id].mark != 0

    def apply_stress(self, market: int, stress: int, *, is_on: bool) -> None:
        """The fractions in force."""
        self.books[market].apply_stress(stress, is_on=is_on)

    def pull(self, payer: str, amount: int) -> None:
        """Everybody has a fortune."""
        self.vault.tokens += amount * TOKEN

    def pay_out(self, recipient: str, amount: int) -> int:
        """As any withdrawal."""
        return self.vault.pay(amount)

    def keep(self, amount: int) -> None:
        """For the treasury."""
        self.vault.treasury += amount

    # ------------------------------------------------------------------ what is so

    def books_of(self, pool: int) -> list[Book]:
        """In order of id."""
        return [self.books[market.id] for market in self.markets_of(pool)]

    def claim(self, pool: int) -> int:
        """What a pool claims of the tokens held."""
        entries = sum(book.inventories[side].entry for book in self.books_of(pool) for side in SIDES)
        return self.cash[pool] - entries

    def terms(self, book: Book, side: int) -> Terms | None:
        """On what terms an inventory is deleveraged; None where it is not due."""
        held, loss, compensation = book.inventories[side], book.loss(side), self.compensation(book, side)
        if compensation == 0:
            return None
        if book.mark == 0:
            raise RefusedError(f"PriceNotPositive({book.id}, 0)")
        price = fund.adl_price(held.size, held.entry, book.mark, compensation)
        return Terms(held.size, held.entry, loss, compensation, book.mark, price.adl, price.execution)

    # ------------------------------------------------------------------ what happens

    def settle_inventory(self, book: Book, side: int) -> None:
        """The pool pays the funding of an inventory into the market's pot."""
        held, index = book.inventories[side], book.accrue(self.now)
        self.realize(book, Item.FUNDING, -book.collect(held.size, index - held.index))
        book.put(side, held._replace(index=index))

    def inherit(self, legs: list[tuple[Book, int, int]]) -> None:
        """Positions that are taken over together, each a signed size at its bankruptcy notional."""
        self._sample([book for book, _, _ in legs])
        for book, size, notional in legs:
            side = LONG if size > 0 else SHORT
            self.settle_inventory(book, side)
            held = book.inventories[side]
            start = auction.merged_start(held.start, abs(held.size), self.now, abs(size), book.auction_duration)
            book.put(side, Inventory(held.size + size, held.entry + notional, start, held.index))
        self._sample([book for book, _, _ in legs])

    def _sample(self, books: list[Book]) -> None:
        """Several markets of a pool, whose state is read once."""
        survey = self.survey(books[0].pool)
        for book in books:
            self.sample(survey, book)

    def sell(self, book: Book, side: int, most: int) -> tuple[int, int, int]:
        """Inventory at the auction's price: the part, its value, and the price. Its funding is settled first."""
        before = self.standing(book)
        self.checkpoint(book)
        self.settle_inventory(book, side)
        held = book.inventories[side]
        if held.size == 0:
            raise RefusedError(f"InventoryMissing({book.id}, {side})")
        part = SIGN[side] * min(most, abs(held.size))
        if part == 0:
            raise RefusedError("AmountZero()")
        price = auction.price_of(
            is_long=side == LONG,
            mark=book.mark,
            premium=book.auction_premium,
            floor_fraction=book.terms.maintenance_margin_fraction,
            elapsed=self.now - held.start,
            duration=book.auction_duration,
        )
        value = auction.part_value(part, price)
        self.take_out(book, side, part, carried_entry(held.size, held.entry, part), value, Item.AUCTION)
        after = self.standing(book)
        if fund.is_sale_depleting(before.balance, after.balance):
            raise RefusedError(f"SaleDepletesPool({book.pool}, {after.balance})")
        if fund.is_sale_raising(before.loss, after.loss, after.base, is_due=after.due):
            raise RefusedError(f"SaleRaisesDrawdown({book.id}, {after.loss}, {after.base})")
        self.checkpoint(book)
        return part, value, price

    def take_out(self, book: Book, side: int, part: int, entry: int, value: int, item: Item) -> None:
        """A part of an inventory leaves for `value`."""
        held = book.inventories[side]
        book.put(side, held._replace(size=held.size - part, entry=held.entry - entry))
        self.realize(book, item, value - entry)

    def net(self, book: Book, contracts: int) -> None:
        """Both inventories of a market close against each other at mark: what they are worth there cancels."""
        for side in SIDES:
            held, part = book.inventories[side], SIGN[side] * contracts
            self.take_out(book, side, part, carried_entry(held.size, held.entry, part), 0, Item.DELEVERAGING)
