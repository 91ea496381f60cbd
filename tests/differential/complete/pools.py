"""The insurance fund in plain Python: results, samples, terms, and inventory that comes and goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from backstop.math import auction, fund
from backstop.math.round import carried_entry

from .books import LONG, SHORT, SIGN, Book, Inventory, RefusedError, Standing

MEMORY_SECONDS = 8 * 3600
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


@dataclass
class Fund:
    """The pools, by id: what each owns before inventory losses. `books` are the exchange's."""

    books: dict[int, Book]
    cash: dict[int, int] = field(default_factory=dict)

    def markets_of(self, pool: int) -> list[Book]:
        """In order of id."""
        return [book for book in self.books.values() if book.pool == pool]

    def claim(self, pool: int) -> int:
        """What a pool claims of the tokens held."""
        entries = sum(book.inventories[side].entry for book in self.markets_of(pool) for side in SIDES)
        return self.cash[pool] - entries

    def realize(self, book: Book, result: int) -> None:
        """A result in cash, of a market and its pool."""
        self.cash[book.pool] += result
        book.realized += result

    # ------------------------------------------------------------------ what is so

    def standing(self, book: Book, now: int) -> Standing:
        """The state of a market's backing."""
        balance, window, results = self.cash[book.pool], {}, {}
        for other in self.markets_of(book.pool):
            lost = other.loss(LONG) + other.loss(SHORT) + other.owed_by_inventories(now)
            balance -= lost
            results[other.id] = other.realized - lost
            window[other.id] = other.peak.maximum(now, results[other.id]) - results[other.id]
        base, loss = fund.drawdown_base(balance, window.values()), window[book.id]
        started = base > 0 and book.last_due != 0 and now < book.last_due + MEMORY_SECONDS
        return Standing(
            balance=balance,
            base=base,
            pnl=results[book.id],
            max_pnl=results[book.id] + loss,
            loss=loss,
            drawdown=fund.drawdown(loss, base) or 0,
            long_loss=book.loss(LONG),
            short_loss=book.loss(SHORT),
            started=started,
            due=fund.is_drawdown_due(loss, base, book.trigger, book.stop, started=started),
        )

    def terms(self, book: Book, side: int, now: int) -> Terms | None:
        """On what terms an inventory is deleveraged; None where it is not due."""
        standing, held, loss = self.standing(book, now), book.inventories[side], book.loss(side)
        if loss == 0:
            return None
        by_drawdown = by_depletion = 0
        if standing.due:
            due = max(0, fund.drawdown_compensation(standing.loss, standing.base, book.target))
            by_drawdown = _share(due, [book], book, side)
        if standing.balance < 0:
            by_depletion = _share(-standing.balance, self.markets_of(book.pool), book, side)
        compensation = max(by_drawdown, by_depletion)
        if compensation == 0:
            return None
        if book.mark == 0:
            raise RefusedError(f"PriceNotPositive({book.id}, 0)")
        price = fund.adl_price(held.size, held.entry, book.mark, compensation)
        return Terms(held.size, held.entry, loss, compensation, book.mark, price.adl, price.execution)

    # ------------------------------------------------------------------ what happens

    def checkpoint(self, book: Book, now: int) -> None:
        """Samples the market's result, and keeps or ends the memory of its trigger."""
        standing = self.standing(book, now)
        book.peak.touch(now, standing.pnl)
        if standing.due:
            # The last price of a dead feed, moved against the pool, is no reason to begin.
            if standing.started or book.mark or not any(held.size for held in book.inventories):
                book.last_due = now
        elif book.last_due and (standing.base > 0 or now >= book.last_due + MEMORY_SECONDS):
            book.last_due = 0

    def settle_inventory(self, book: Book, side: int, now: int) -> None:
        """The pool pays the funding of an inventory into the market's pot."""
        held, index = book.inventories[side], book.accrue(now)
        self.realize(book, -book.collect(held.size, index - held.index))
        book.put(side, held._replace(index=index))

    def inherit(self, legs: list[tuple[Book, int, int]], now: int) -> None:
        """Positions that are taken over together, each a signed size at its bankruptcy notional."""
        for book, _, _ in legs:
            self.checkpoint(book, now)
        for book, size, notional in legs:
            side = LONG if size > 0 else SHORT
            self.settle_inventory(book, side, now)
            held = book.inventories[side]
            start = auction.merged_start(held.start, abs(held.size), now, abs(size), book.auction_duration)
            book.put(side, Inventory(held.size + size, held.entry + notional, start, held.index))
        for book, _, _ in legs:
            self.checkpoint(book, now)

    def sell(self, book: Book, side: int, most: int, now: int) -> tuple[int, int, int]:
        """Inventory at the auction's price: the part, its value, and the price. Its funding is settled first."""
        before = self.standing(book, now)
        self.checkpoint(book, now)
        self.settle_inventory(book, side, now)
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
            elapsed=now - held.start,
            duration=book.auction_duration,
        )
        value = auction.part_value(part, price)
        self.take_out(book, side, part, carried_entry(held.size, held.entry, part), value)
        after = self.standing(book, now)
        if fund.is_sale_depleting(before.balance, after.balance):
            raise RefusedError(f"SaleDepletesPool({book.pool}, {after.balance})")
        if fund.is_sale_raising(before.loss, after.loss, after.base, is_due=after.due):
            raise RefusedError(f"SaleRaisesDrawdown({book.id}, {after.loss}, {after.base})")
        self.checkpoint(book, now)
        return part, value, price

    def take_out(self, book: Book, side: int, part: int, entry: int, value: int) -> None:
        """A part of an inventory leaves for `value`."""
        held = book.inventories[side]
        book.put(side, held._replace(size=held.size - part, entry=held.entry - entry))
        self.realize(book, value - entry)

    def net(self, book: Book, contracts: int) -> None:
        """Both inventories of a market close against each other at mark: what they are worth there cancels."""
        for side in SIDES:
            held, part = book.inventories[side], SIGN[side] * contracts
            self.take_out(book, side, part, carried_entry(held.size, held.entry, part), 0)


def _share(due: int, books: list[Book], book: Book, side: int) -> int:
    """The part of `due` that falls to one of the losing inventories of some markets."""
    losing = [(one.id, each, one.loss(each)) for one in books for each in SIDES if one.loss(each)]
    shares = fund.share_by_loss(due, [loss for *_, loss in losing])
    return next(share for share, item in zip(shares, losing, strict=True) if item[:2] == (book.id, side))
