"""One process per key and journal: a second one would plan on what the first is about to change."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from backstop.errors import JournalError, LockLostError
from backstop.transactions.journal import Journal
from backstop.transactions.schema import brief

_PATIENCE = 30  # seconds until a connection of which nothing is heard is taken for dead
# By either side: where a machine is gone, the lock of its keeper must not outlive it by hours.
_ALIVE = {
    "connect_timeout": _PATIENCE,
    "keepalives": 1,
    "keepalives_idle": _PATIENCE // 3,
    "keepalives_interval": _PATIENCE // 3,
    "keepalives_count": 2,
    "tcp_user_timeout": _PATIENCE * 1000,
}
_SERVER_ALIVE = ("tcp_keepalives_idle", "tcp_keepalives_interval")


class Hold(Protocol):
    """A key's place at a journal."""

    def check(self) -> None:
        """Looks whether it is still held, and takes it anew where it was lost and nobody else has it.

        Raises LockLostError where somebody has, and JournalError where that cannot be told now.
        """


@contextmanager
def only_process(journal: Journal, chain_id: int, address: str) -> Iterator[Hold]:
    """Holds the key's place at a journal until the end. Raises JournalError where it is taken.

    Beside a file it is a lock on a file; in PostgreSQL it is the server's, and ends with the connection: whoever goes
    on for long has to `check` it.
    """
    place = journal.url
    hold: _Alone | _Beside | _InDatabase
    if place.get_backend_name() != "sqlite":
        hold = _InDatabase(place, chain_id, address)
    elif place.database in (None, "", ":memory:"):
        hold = _Alone()
    else:
        hold = _Beside(Path(place.database), address)
    try:
        if not hold.take():
            raise JournalError(hold.taken)
        yield hold
    finally:
        hold.close()


class _Alone:
    """Of a journal in memory, which no other process sees."""

    taken = ""

    def take(self) -> bool:
        return True

    def check(self) -> None:
        """Nobody can take it."""

    def close(self) -> None:
        """Nothing is held."""


class _Beside:
    """A lock on a file beside the journal."""

    def __init__(self, journal: Path, address: str) -> None:
        self._file = journal.with_name(f"{journal.name}.{address.lower()}.lock")
        self._handle: int | None = None
        self.taken = _taken(address, str(journal))

    def take(self) -> bool:
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as fault:
            raise JournalError(f"cannot open the lock {self._file}: {fault.strerror or fault}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self.close()
        self._handle = handle
        return True

    def check(self) -> None:
        """Who deletes the file lets others lock a new one."""
        if self._handle is not None:
            held = os.fstat(self._handle)
            try:
                found = self._file.stat()
            except OSError:
                found = None
            if found is not None and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino):
                return
        if not self.take():
            raise LockLostError(self.taken)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class _InDatabase:
    """An advisory lock of PostgreSQL, which lives as long as its connection."""

    def __init__(self, place: sa.URL, chain_id: int, address: str) -> None:
        digest = hashlib.sha256(f"backstop {chain_id} {address.lower()}".encode()).digest()
        self._number = int.from_bytes(digest[:8], "big", signed=True)
        self._shown = place.set(query={}).render_as_string(hide_password=True)
        self._engine = sa.create_engine(
            place, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT", connect_args=_ALIVE
        )
        self._connection: sa.Connection | None = None
        self.taken = _taken(address, self._shown)

    def take(self) -> bool:
        self.close()
        try:
            connection = self._engine.connect()
            for name in _SERVER_ALIVE:
                connection.exec_driver_sql(f"SET {name} = {_PATIENCE // 3}")
            is_free = connection.execute(sa.select(sa.func.pg_try_advisory_lock(self._number))).scalar()
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as fault:
            raise JournalError(f"cannot open the journal {self._shown}: {brief(fault)}") from None
        if not is_free:
            connection.close()
            return False
        self._connection = connection
        return True

    def check(self) -> None:
        """A server that has restarted has forgotten it, and nobody says so to who holds the old connection."""
        if self._connection is not None:
            try:
                self._connection.execute(sa.select(1))
            except sa.exc.SQLAlchemyError:
                self.close()
            else:
                return
        if not self.take():
            raise LockLostError(self.taken)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sa.exc.SQLAlchemyError):
                connection.close()
        self._engine.dispose()


def _taken(address: str, journal: str) -> str:
    return f"another keeper runs with the key of {address} and the journal {journal}: stop it first, or use another key"
