"""The index of accounts: follows the chain by events, keeps what they hold, and gives the state of the newest block.

What a read through it returns is what `read_chain` returns of the same block; only that it reads the accounts that
were touched since the last time, and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState
from backstop.errors import StoreError
from backstop.index.book import Book
from backstop.index.reading import Reading
from backstop.index.store import Changes, Store

SAMPLE = 8  # accounts that are held against the chain at each read


class AccountIndex:
    """Of one deployment, in a database at `url`; `tell` hears of what had to be mended.

    What it keeps is checked at each read: how many accounts the chain has, a few of them chosen by chance, and as many
    by turns, so that in time each of them is. Where something differs all accounts are read, and it is told.
    """

    def __init__(
        self,
        url: str,
        deployment: Deployment,
        *,
        tell: Callable[[str], None] = lambda _: None,
        sample: int = SAMPLE,
    ) -> None:
        self._deployment = deployment
        self._tell = tell
        self._sample = sample
        self._draws = SystemRandom()
        self._turn = 0
        self._store = Store(url, deployment)
        self._book = self._store.load()

    def close(self) -> None:
        """Lets go of the database."""
        self._store.close()

    def read(self, endpoint: Endpoint) -> ChainState:
        """The state of the newest block. Raises RpcError where it cannot be read; what was kept before is kept then."""
        endpoint.check(self._deployment)
        head = endpoint.head()
        reading = Reading(endpoint, self._deployment, head)
        before = self._book
        followed = reading.follow(before) if before is not None else reading.begin()
        if followed is None:
            book, changes = reading.anew(before), None
        else:
            book, changes = followed
            differs = reading.differs(book, self._draws, self._sample, self._turn)
            self._turn += 1
            if differs:
                self._tell(f"the index of accounts differs from block {head.number}, all are read: {differs}")
                book, changes = reading.anew(book), None
        state = reading.state(book)
        self._keep(book, before, changes)
        return state

    def _keep(self, book: Book, before: Book | None, changes: Changes | None) -> None:
        self._book = book
        if before is not None and (book.number, book.hash) == (before.number, before.hash) and changes is not None:
            return
        try:
            self._store.save(book, before, changes)
        except StoreError as fault:
            self._tell(f"{fault}; what is read stays right, the next start takes longer")
