"""One process per key and journal: a second one would plan on what the first is about to change."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from backstop.errors import JournalError
from backstop.transactions.journal import Journal
from backstop.transactions.schema import brief


@contextmanager
def only_process(journal: Journal, chain_id: int, address: str) -> Iterator[None]:
    """Holds the key's place at a journal until the end. Raises JournalError where it is taken.

    Beside a file it is a lock on a file; in PostgreSQL it is the server's, and ends with the connection.
    """
    place = journal.url
    if place.get_backend_name() != "sqlite":
        with _in_database(place, chain_id, address):
            yield
    elif place.database in (None, "", ":memory:"):
        yield
    else:
        with _beside(Path(place.database), address):
            yield


@contextmanager
def _beside(journal: Path, address: str) -> Iterator[None]:
    file = journal.with_name(f"{journal.name}.{address.lower()}.lock")
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise JournalError(f"cannot open the lock {file}: {fault.strerror or fault}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(_taken(address, str(journal))) from None
        yield
    finally:
        os.close(handle)


@contextmanager
def _in_database(place: sa.URL, chain_id: int, address: str) -> Iterator[None]:
    digest = hashlib.sha256(f"backstop {chain_id} {address.lower()}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    engine = sa.create_engine(place, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    shown = place.set(query={}).render_as_string(hide_password=True)
    try:
        try:
            connection = engine.connect()
            is_free = connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar()
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as fault:
            raise JournalError(f"cannot open the journal {shown}: {brief(fault)}") from None
        with connection:
            if not is_free:
                raise JournalError(_taken(address, shown))
            yield
    finally:
        engine.dispose()


def _taken(address: str, journal: str) -> str:
    return f"another keeper runs with the key of {address} and the journal {journal}: stop it first, or use another key"
