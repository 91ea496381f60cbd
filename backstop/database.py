"""What the journal and the index have in common: how tables are made in a database that several processes may open."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

BUSY = 10  # seconds that a process waits for another one's commit
_LOCK = 7306086  # PostgreSQL's advisory lock of those who make tables


def write_ahead(connection: sqlite3.Connection) -> None:
    """Has a SQLite file keep a write-ahead log. While it is being switched, SQLite refuses others at once, whatever
    their timeout is."""
    end = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def making_tables(engine: Engine) -> Iterator[Connection]:
    """A transaction for which all others that make tables in this database wait. Without it, of two keepers that start
    at once each finds what is missing, and the second one fails.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
