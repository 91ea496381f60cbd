"""The exchange in plain Python, the rest of it: liquidation, takeover, inventory that is sold, and rounds."""

from __future__ import annotations

from copy import copy

from backstop.account_id import account_text
from backstop.math import liquidation, margin
from backstop.math import round as fills
from backstop.math.leveraged_return import leveraged_return
from backstop.math.wad import WAD, mul_floor
from tests.support.enums import Item

from .accounts import Accounts
from .books import LONG, SHORT, Book, Health, RefusedError
from .pools import Terms

BACKSTOP_RATIO = WAD // 2
REWARD = (5 * WAD, WAD // 10_000, WAD // 20)  # as a book of rounds is deployed: flat, rate, share


class Exchange(Accounts):
    """All of it."""

    def fork(self) -> Exchange:
        """A copy that changes by itself: an action is tried on one, and kept where it was not refused."""
        other = copy(self)
        other.books = {market: book.fork() for market, book in self.books.items()}
        other.fund = self.fund.fork(other.books, other)
        other.holdings, other.margins = dict(self.holdings), dict(self.margins)
        return other

    # ------------------------------------------------------------------ liquidation

    def liquidate(self, account: bytes, market: int, liquidator: bytes, most: int) -> int:
        """The contracts that pass to the liquidator."""
        who, book = account_text(account), self.books[market]
        if account == liquidator:
            raise RefusedError(f"LiquidationOfSelf({who})")
        book.accept()
        marks = self.open(account, book)
        held = self.held(account, book)
        if held.size == 0:
            raise RefusedError(f"PositionMissing({who})")
        own = self.health(account, marks)
        if not margin.is_liquidatable(own.equity, own.maintenance):
            raise RefusedError(f"LiquidationNotDue({who}, {own.equity}, {own.maintenance})")
        closed = self._contracts_to_close(who, book, held.size, own, most)
        cost = self._penalty(book, held.size, own, closed)
        part = closed if held.size > 0 else -closed
        value = liquidation.value(part, book.mark, cost.discount)
        longs = self.put(account, book, -part, -value)
        self.margins[account] -= cost.fee
        longs += self.take(liquidator, book, part, value)
        self.move_open_interest(book, longs)
        self.fund.credit_fee(book, Item.LIQUIDATION_FEE, cost.fee)
        return closed

    def _contracts_to_close(self, who: str, book: Book, size: int, own: Health, most: int) -> int:
        terms, contracts = book.terms, abs(size)
        fractions = book.initial, terms.liquidation_discount + terms.liquidation_fee
        needed = liquidation.contracts_to_restore(contracts, book.mark, own.initial - own.equity, *fractions)
        closed = min(most, liquidation.contracts_to_close(needed, contracts, terms.min_size))
        if closed == 0:
            raise RefusedError("FillZero()")
        if 0 < contracts - closed < terms.min_size:
            raise RefusedError(f"PositionTooSmall({who}, {contracts - closed}, {terms.min_size})")
        return closed

    def _penalty(self, book: Book, size: int, own: Health, closed: int) -> liquidation.Penalty:
        terms = book.terms
        of_leg = margin.margin_requirement(size, book.mark, terms.maintenance_margin_fraction)
        share = liquidation.share_of_equity(own.equity, of_leg, own.maintenance)
        fractions = terms.liquidation_discount, terms.liquidation_fee
        return liquidation.penalty(closed, abs(size), book.mark, share, *fractions)

    # ------------------------------------------------------------------ takeover, and what it brings

    def take_over(self, account: bytes) -> int:
        """All positions of an account pass to their pool. Returns how many."""
        who, markets = account_text(account), self.legs(account)
        if not markets:
            raise RefusedError(f"PositionMissing({who})")
        for book in markets:
            self.settle(account, book)
            book.accepted = book.shown
        legs = [book.leg(self.held(account, book), book.shown) for book in markets]
        own, required = margin.equity(self.margins[account], legs), margin.maintenance_margin(legs)
        if not margin.is_to_be_taken_over(own, required, BACKSTOP_RATIO):
            raise RefusedError(f"TakeoverNotDue({who}, {own}, {required})")
        notionals = margin.bankruptcy_notionals(legs, own)
        for book in markets:
            self.holdings[account, book.id] = self.held(account, book)._replace(size=0, entry=0)
        self.margins[account] = 0
        sizes = [leg.size for leg in legs]
        self.fund.inherit(list(zip(markets, sizes, notionals, strict=True)))
        return len(markets)

    def buy_inventory(self, buyer: bytes, market: int, side: int, most: int, limit: int) -> None:
        """Contracts of an inventory at the auction's price, or better than the buyer's limit."""
        book = self.books[market]
        book.accept()
        self.open(buyer, book)
        part, value, price = self.fund.sell(book, side, most)
        if price > limit if side == LONG else price < limit:
            raise RefusedError(f"AuctionPriceBeyondLimit({price}, {limit})")
        self.move_open_interest(book, self.take(buyer, book, part, value) - max(0, part))

    def checkpoint(self, market: int) -> None:
        """A sample."""
        self.fund.checkpoint(self.books[market])

    # ------------------------------------------------------------------ rounds

    def deleverage(self, keeper: bytes, market: int, side: int, candidates: list[bytes]) -> int:
        """A round against these accounts, rewarded into the keeper's. Returns how many of them were filled."""
        book = self.books[market]
        terms = self.fund.terms(book, side)
        if terms is None:
            raise RefusedError(f"ADLNotDue({market}, {side})")
        book.accept()
        opposite = SHORT if side == LONG else LONG
        interest = book.open_interest - abs(book.inventories[opposite].size)
        if not candidates and interest:
            raise RefusedError(f"CandidatesMissing({market})")
        closings, left, carried = self._fills(book, terms, self._ranked(book, side, candidates))
        closed = abs(terms.size - left)
        netted = min(abs(left), abs(book.inventories[opposite].size)) if interest == closed else 0
        if not closed and not netted:
            raise RefusedError(f"NothingDeleveraged({len(candidates)})")

        if self.fund.pools[book.pool].is_mutual:
            self.fund.redistribute()
        self.checkpoint(market)
        for one in (LONG, SHORT):
            self.fund.settle_inventory(book, one)
        if closed:
            value = sum(value for *_, value in closings)
            self.fund.take_out(book, side, terms.size - left, carried, value, Item.DELEVERAGING)
        if netted:
            self.fund.net(book, netted)
        self.checkpoint(market)
        for account, part, value in closings:
            self.settle(account, book)
            self.put(account, book, part, value)
        book.open_interest -= closed + netted
        received = sum(value for *_, value in closings) - (terms.size - left) * book.mark // WAD
        self._reward(keeper, book, closed * book.mark // WAD, received)
        return len(closings)

    def _reward(self, keeper: bytes, book: Book, notional: int, received: int) -> None:
        """Flat and by notional; at most a share of what the pool got beyond mark, and what fees of trading bring."""
        terms, (flat, rate, share) = book.terms, REWARD
        wanted = min(flat + mul_floor(notional, rate), mul_floor(max(0, received), share))
        kept = WAD - terms.pool_fee_share - terms.treasury_fee_share
        fees = notional * (terms.maker_fee + terms.taker_fee) * kept // WAD**2
        paid = min(wanted, fees, self.keepers)
        if paid:
            self.keepers -= paid
            self.cross_listed |= {keeper}
            self.margins[keeper] = self.margins.get(keeper, 0) + paid

    def _ranked(self, book: Book, side: int, candidates: list[bytes]) -> list[bytes]:
        """Those of the other side with `E > 0`, by leveraged return."""
        scores = {}
        for account in set(candidates):
            held = self.held(account, book)
            if held.size == 0 or (held.size > 0) == (side == LONG):
                continue
            own = self.shown(account)
            if own.equity > 0:
                gain = book.leg(held, book.mark).unrealized_pnl
                rate = margin.margin_rate(own.maintenance, own.equity)
                scores[account] = leveraged_return(gain, held.entry, rate)
        return sorted(scores, key=lambda account: (-scores[account], account))

    def _fills(self, book: Book, terms: Terms, ranked: list[bytes]) -> tuple[list[tuple[bytes, int, int]], int, int]:
        """Account, part and value of every fill; what is left of the inventory; and the entry that went."""
        closings: list[tuple[bytes, int, int]] = []
        passed_over: list[bytes] = []
        left, entry = terms.size, terms.entry
        for account in ranked:
            size, own = self.held(account, book).size, self.shown(account).equity
            if left == 0:
                break
            if fills.is_insolvent_at(own, size, terms.price, book.mark):
                passed_over.append(account)
                continue
            part = _part(left, size)
            carried, room = fills.carried_entry(left, entry, part), fills.capacity(own, size, part, book.mark)
            closings.append((account, part, fills.fill_value(part, terms.execution, carried, room)))
            left, entry = left - part, entry - carried
        for account in passed_over:
            size, own = self.held(account, book).size, self.shown(account).equity
            if left == 0:
                break
            part = _part(left, size)
            carried, room = fills.carried_entry(left, entry, part), fills.capacity(own, size, part, book.mark)
            price = fills.surrender_price(own, size, book.mark)
            closings.append((account, part, fills.surrender_value(part, price, carried, room)))
            left, entry = left - part, entry - carried
        return closings, left, terms.entry - entry


def _part(left: int, size: int) -> int:
    contracts = min(abs(left), abs(size))
    return contracts if left > 0 else -contracts
