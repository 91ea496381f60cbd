"""One read of the index at one block: what was known, brought there, checked, and made a state."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import TypeVar

from backstop.account_id import is_cross
from backstop.adl.snapshot import Block
from backstop.chain.bindings import CROSS_ACCOUNT, LENS_ACCOUNTS, LENS_CROSS_ACCOUNTS, POSITION
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Call, Endpoint
from backstop.chain.head import Head, bloom_of
from backstop.chain.logs import Log, log_of, may_have, read_logs, topics_of
from backstop.chain.many import View, call_many
from backstop.chain.market_view import MarketView
from backstop.chain.snapshot import (
    ChainState,
    Row,
    assemble,
    at_block,
    read_accounts,
    read_cross_accounts,
    read_exempt_age,
    read_system,
)
from backstop.errors import RpcError
from backstop.index.book import Book, CrossHeld, Held
from backstop.index.store import Changes
from backstop.index.touching import TOPICS, Touch, touches
from backstop.index.trail import KEPT, Trail, find_trail, trail_from
from backstop.math.funding import payment

CATCH_UP = 20_000  # blocks whose events are read; where there are more since the last time, all accounts are
_POSITION = View(POSITION, 2, 6)
_CROSS = View(CROSS_ACCOUNT, 1, 5)
_Kept = TypeVar("_Kept", Held, CrossHeld)


class Reading:
    """One read at one block."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment, head: Head) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._head = head
        self._at = at_block(head.hash)
        self._system = read_system(endpoint, deployment, self._at)
        self._exempt_age = read_exempt_age(endpoint, deployment, self._at)
        self._views = [MarketView(*view) for view in self._system.markets]

    # ---------------------------------------------------------------- following

    def begin(self) -> tuple[Book, Changes] | None:
        """From the first event on; None where that is too long ago."""
        first = max(self._deployment.block - 1, 0)
        if self._head.number - first > CATCH_UP:
            return None
        return self._go(Book(first, ""), trail_from(self._endpoint, self._head, first))

    def follow(self, before: Book) -> tuple[Book, Changes] | None:
        """What was known, brought to this block: without what is no longer of the chain, with what was touched since.

        None where there is no way from there, or too long a one.
        """
        trail = find_trail(self._endpoint, self._head, before.blocks)
        if trail is None or self._head.number - trail.common > CATCH_UP:
            return None
        return self._go(before.copy(), trail)

    def _go(self, book: Book, trail: Trail) -> tuple[Book, Changes]:
        touched = self._forget(book, trail.common)
        for touch in touches(self._events(trail)):
            _enter(book, touch, self._head.number)
            touched.add(touch.account)
        changes = self._reread(book, touched)
        changes.common = trail.common
        self._arrive(book, trail)
        return book, changes

    def _forget(self, book: Book, common: int) -> set[bytes]:
        """Takes out who came after a block, and returns whose values are from after it."""
        if common >= book.number:
            return set()
        found = [_undone(rows, common) for rows in book.positions.values()]
        return _undone(book.cross, common).union(*found)

    def _events(self, trail: Trail) -> list[Log]:
        """Those after a block, in order; the recent ones by their blocks' hashes: a node that lags has no answer."""
        query = {"address": [self._deployment.exchange, self._deployment.engine], "topics": topics_of(*TOPICS)}
        by_hash = sorted(trail.recent)
        last = min(by_hash, default=self._head.number + 1) - 1
        older = list(read_logs(self._endpoint, query, trail.common + 1, last))
        found = self._endpoint.batch([("eth_getLogs", (query | {"blockHash": trail.recent[one]},)) for one in by_hash])
        if not all(isinstance(logs, list) for logs in found):
            raise RpcError(f"{self._endpoint.url} answers eth_getLogs with no list")
        self._check_silence([trail.recent[one] for one, logs in zip(by_hash, found, strict=True) if not logs])
        return older + [log_of(self._endpoint, log) for logs in found for log in logs]

    def _check_silence(self, blocks: list[str]) -> None:
        """Raises RpcError where a block is said to have no events, and its header that the contracts have emitted some.

        A bloom filter may say yes where it is no, but only now and then: then all events of the block are asked for.
        The filter of the newest block is known; a chain whose headers have empty ones proves nothing.
        """
        others = [one for one in blocks if one != self._head.hash]
        headers = self._endpoint.batch([("eth_getBlockByHash", (one, False)) for one in others]) if others else []
        blooms = {one: bloom_of(header) for one, header in zip(others, headers, strict=True)}
        blooms[self._head.hash] = self._head.bloom
        emitters = [one.lower() for one in (self._deployment.exchange, self._deployment.engine)]
        for block in blocks:
            bloom = blooms[block]
            if not any(may_have(bloom, bytes.fromhex(one[2:])) for one in emitters):
                continue
            if not any(may_have(bloom, topic) for topic in TOPICS):
                continue
            told = self._endpoint.request("eth_getLogs", {"blockHash": block})
            if not isinstance(told, list):
                raise RpcError(f"{self._endpoint.url} answers eth_getLogs with no list")
            logs = [log_of(self._endpoint, log) for log in told]
            if not logs or any(log.address in emitters and log.topics[:1] and log.topics[0] in TOPICS for log in logs):
                raise RpcError(
                    f"{self._endpoint.url} leaves out events of block {block[:10]}: its header says that there are some"
                )

    def _reread(self, book: Book, accounts: set[bytes]) -> Changes:
        """Reads what these accounts hold now."""
        pairs = [(market, account) for account in sorted(accounts) for market, _ in book.rows_of(account)]
        for (market, account), words in zip(pairs, self._positions(pairs), strict=True):
            book.positions[market][account] = self._now(book.positions[market][account], words)
        cross = [account for account in sorted(accounts) if account in book.cross]
        for account, (margin, *_) in zip(cross, self._many(_CROSS, cross), strict=True):
            book.cross[account] = book.cross[account]._replace(margin=margin, as_of=self._head.number)
        return Changes(pairs, cross)

    def _now(self, held: Held, words: tuple[int, ...]) -> Held:
        size, entry, _, margin, index, _ = words
        return Held(held.place, held.since, held.touched, self._head.number, size, entry, margin, index)

    def _positions(self, pairs: list[tuple[int, bytes]]) -> list[tuple[int, ...]]:
        return self._many(_POSITION, [account + market.to_bytes(32, "big") for market, account in pairs])

    def _many(self, view: View, arguments: list[bytes]) -> list[tuple[int, ...]]:
        return call_many(self._endpoint, self._deployment.exchange, view, arguments, self._at)

    def _arrive(self, book: Book, trail: Trail) -> None:
        head = self._head
        book.number, book.hash = head.number, head.hash
        known = {number: one for number, one in book.blocks.items() if number <= trail.common}
        known |= trail.recent | {head.number: head.hash}
        book.blocks = {number: known[number] for number in sorted(known)[-KEPT:]}

    # ---------------------------------------------------------------- checking

    def differs(self, book: Book, draws: Random, sample: int, turn: int = 0) -> str | None:
        """What the chain says otherwise: of how many accounts there are, or of some of them.

        `sample` are chosen by chance, each account as likely as any other, and as many by turns, so that after enough
        turns each was looked at.
        """
        for view in self._views:
            known = len(book.positions.get(view.id, ()))
            if known != view.accounts:
                return f"{known} accounts of {view.name} are known, there are {view.accounts}"
        if len(book.cross) != self._system.cross_accounts:
            return f"{len(book.cross)} cross accounts are known, there are {self._system.cross_accounts}"
        return self._differing_position(book, draws, sample, turn) or self._differing_margin(book, draws, sample, turn)

    def _differing_position(self, book: Book, draws: Random, sample: int, turn: int) -> str | None:
        places = [(view, place) for view in self._views for place in range(view.accounts)]
        chosen = [places[number] for number in _chosen(len(places), draws, sample, turn)]
        lens = self._deployment.lens
        pages = self._endpoint.call_all(
            [Call(lens, LENS_ACCOUNTS, LENS_ACCOUNTS.encode(view.id, place, 1)) for view, place in chosen], self._at
        )
        for (view, place), page in zip(chosen, pages, strict=True):
            account, held = next(islice(book.positions[view.id].items(), place, None))
            if page != (_row(account, held, view),):
                return f"account {place} of {view.name} is another, or holds something else"
        return None

    def _differing_margin(self, book: Book, draws: Random, sample: int, turn: int) -> str | None:
        accounts = list(book.cross)
        chosen = _chosen(len(accounts), draws, sample, turn)
        lens = self._deployment.lens
        pages = self._endpoint.call_all(
            [Call(lens, LENS_CROSS_ACCOUNTS, LENS_CROSS_ACCOUNTS.encode(place, 1)) for place in chosen], self._at
        )
        for place, page in zip(chosen, pages, strict=True):
            if page != ((accounts[place], book.cross[accounts[place]].margin),):
                return f"cross account {place} is another, or has another margin"
        return None

    # ---------------------------------------------------------------- reading all

    def anew(self, known: Book | None) -> Book:
        """Every account by the chain's own lists. When one was first and last touched is kept where it was known."""
        head = self._head
        book = Book(head.number, head.hash, blocks={head.number: head.hash})
        lists = read_accounts(self._endpoint, self._deployment, self._views, self._at)
        pairs = [(market, row[0]) for market, rows in lists.items() for row in rows]
        for (market, account), words in zip(pairs, self._positions(pairs), strict=True):
            rows = book.positions.setdefault(market, {})
            old = known.positions.get(market, {}).get(account) if known else None
            since, touched = (old.since, old.touched) if old else (0, head.number)
            rows[account] = self._now(Held(len(rows), since, touched, head.number), words)
        margins = read_cross_accounts(self._endpoint, self._deployment, self._system.cross_accounts, self._at)
        for account, margin in margins.items():
            kept = known.cross.get(account) if known else None
            since, touched = (kept.since, kept.touched) if kept else (0, head.number)
            book.cross[account] = CrossHeld(len(book.cross), since, touched, head.number, margin)
        return book

    # ---------------------------------------------------------------- the state

    def state(self, book: Book) -> ChainState:
        """The state of the block: funding and marks are of now."""
        head = self._head
        rows = {
            view.id: [
                _row(account, held, view)
                for account, held in book.positions.get(view.id, {}).items()
                if held.size or held.margin
            ]
            for view in self._views
        }
        margins = {account: held.margin for account, held in book.cross.items()}
        block = Block(self._deployment.chain_id, head.number, head.hash, head.timestamp)
        return assemble(block, self._system, self._views, rows, margins, self._exempt_age)


def _enter(book: Book, touch: Touch, now: int) -> None:
    """Notes an event of an account, which may be new."""
    block, account, market = touch
    if market is not None:
        rows = book.positions.setdefault(market, {})
        held = rows.get(account, Held(len(rows), block, block, now))
        rows[account] = held._replace(touched=block)
    if is_cross(account):
        margin = book.cross.get(account, CrossHeld(len(book.cross), block, block, now))
        book.cross[account] = margin._replace(touched=block)
        for other, held in book.rows_of(account):
            book.positions[other][account] = held._replace(touched=block)


def _row(account: bytes, held: Held, view: MarketView) -> Row:
    """As the lens shows it."""
    owed = payment(held.size, view.funding_index - held.funding_index)
    return account, held.size, held.entry_notional, held.margin, owed


def _undone(rows: dict[bytes, _Kept], common: int) -> set[bytes]:
    """Takes out the rows from after a block, and returns the accounts of those that were changed after it."""
    for account in [account for account, held in rows.items() if held.since > common]:
        del rows[account]
    stale = {account: held for account, held in rows.items() if held.touched > common}
    rows.update({account: held._replace(touched=common) for account, held in stale.items()})
    return set(stale)


def _chosen(count: int, draws: Random, sample: int, turn: int) -> list[int]:
    """Of the numbers below `count`: so many by chance, and as many that are next in a round through all of them."""
    some = min(sample, count)
    return sorted({*draws.sample(range(count), some), *((turn * sample + step) % count for step in range(some))})
