"""The tables of the journal, and how one is opened: a SQLite file, a PostgreSQL by its URL, or memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import StaticPool

from backstop.database import BUSY, making_tables, write_ahead
from backstop.errors import JournalError

VERSION = 2
IN_MEMORY = "sqlite://"
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


class Wei(sa.types.TypeDecorator[int]):
    """Wei pass 64 bits: they are kept as decimal text."""

    impl = sa.String(78)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Any) -> int | None:
        return None if value is None else int(value)


metadata = sa.MetaData()

versions = sa.Table("journal_version", metadata, sa.Column("version", sa.Integer, nullable=False))

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("chain_id", sa.BigInteger, nullable=False),
    sa.Column("sender", sa.String(42), nullable=False),
    sa.Column("to", sa.String(42), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("gas", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False, default=""),
    sa.Column("planned_at", sa.BigInteger, nullable=False),  # chain time
    sa.Column("planned_wall", sa.Float, nullable=False),
    sa.Column("nonce", sa.BigInteger),
    sa.Column("mined_hash", sa.String(66)),
    sa.Column("mined_block", sa.BigInteger),
    sa.Column("mined_block_hash", sa.String(66)),
    sa.Column("mined_at", sa.BigInteger),  # chain time
    sa.Column("cost", Wei),
    sa.Column("was_mined", sa.Boolean, nullable=False, default=False),  # also one that a reorganisation took back
    sa.Column("is_settled", sa.Boolean, nullable=False, default=False),  # nothing more can become of it
    sa.Column("passed_block", sa.BigInteger),  # the head at which its nonce was first seen to be taken
    sa.Index("intents_of_a_key", "chain_id", "sender", "state"),
)

# What is asked for at every block must not get slower with what is long settled. `is_settled` is the same in all of the
# first one; with it there SQLite, which has no statistics, takes this index before the others of a key.
_unsettled = sa.Index(
    "unsettled_intents_of_a_key",
    intents.c.chain_id,
    intents.c.sender,
    intents.c.is_settled,
    intents.c.nonce,
    sqlite_where=~intents.c.is_settled,
    postgresql_where=~intents.c.is_settled,
)
_nonces = sa.Index("nonces_of_a_key", intents.c.chain_id, intents.c.sender, intents.c.nonce)
_paid = sa.Index("paid_by_a_key", intents.c.chain_id, intents.c.sender, intents.c.mined_at)
_oldest = sa.Index("oldest_of_a_key", intents.c.chain_id, intents.c.sender, intents.c.planned_at)

# Two processes that share a journal and a key by mistake cannot both go for one nonce.
sa.Index(
    "one_open_intent_for_a_nonce",
    intents.c.chain_id,
    intents.c.sender,
    intents.c.nonce,
    unique=True,
    sqlite_where=intents.c.state.in_(("signed", "broadcast")),
    postgresql_where=intents.c.state.in_(("signed", "broadcast")),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("intent", sa.ForeignKey("intents.id"), nullable=False, index=True),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(66), nullable=False, index=True),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("gas", sa.BigInteger, nullable=False),
    sa.Column("max_fee", Wei, nullable=False),
    sa.Column("tip", Wei, nullable=False),
    sa.Column("cancels", sa.Boolean, nullable=False),  # an empty transaction in the place of the intent's
    sa.Column("signed_block", sa.BigInteger, nullable=False),
    sa.Column("signed_at", sa.BigInteger, nullable=False),  # chain time
    sa.Column("broadcast_wall", sa.Float),  # None until a node has taken it
)


def open_engine(place: str, *, create: bool) -> Engine:
    """A journal's database: `place` is a path or a URL. Raises JournalError."""
    url = _url(place, create=create)
    try:
        if url.get_backend_name() == "sqlite":
            engine = _sqlite(url)
        elif url.get_backend_name() == "postgresql":
            engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": BUSY})
        else:
            raise JournalError(f"a journal is a SQLite file or a PostgreSQL, not {url.get_backend_name()}")
        _prepare(engine, url, create=create)
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as fault:
        raise JournalError(f"cannot open the journal {shown(url)}: {brief(fault)}") from None
    return engine


def shown(url: sa.URL) -> str:
    """A journal as it may be printed: a path, or a URL without its password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    return url.set(query={}).render_as_string(hide_password=True)


def brief(fault: Exception) -> str:
    """The database's own words in one line, without the statement and its values."""
    words = getattr(fault, "orig", None) or fault
    return " ".join(str(words).split())[:400]


def _url(place: str, *, create: bool) -> sa.URL:
    if "://" not in place:
        file = Path(place)
        if not create and not file.is_file():
            raise JournalError(f"there is no journal at {place}")
        if not file.absolute().parent.is_dir():
            raise JournalError(f"cannot open the journal {place}: there is no folder {file.absolute().parent}")
        return sa.URL.create("sqlite", database=str(file))
    try:
        url = sa.make_url(place)
        driver = _DRIVERS.get(url.drivername)
        url.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise JournalError("the URL of the journal cannot be read: give a path, or postgresql://…") from None
    return url.set(drivername=driver) if driver else url


def _sqlite(url: sa.URL) -> Engine:
    """A commit is on the disk before anything is broadcast: write-ahead log, synchronised fully."""
    if not url.database:
        return sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    engine = sa.create_engine(url, connect_args={"timeout": BUSY})

    def prepare(connection: Any, _: Any) -> None:
        write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(engine, "connect", prepare)
    return engine


def _prepare(engine: Engine, url: sa.URL, *, create: bool) -> None:
    """Makes the tables where they are missing, and brings those of version 1 up to date.

    Raises JournalError for those of another version.
    """
    if not create:
        with engine.begin() as connection:
            if not sa.inspect(connection).has_table(versions.name):
                raise JournalError(f"{shown(url)} is no journal of transactions")
            if connection.execute(sa.select(versions.c.version)).scalar() == VERSION:
                return
    with making_tables(engine) as connection:
        if create:
            metadata.create_all(connection)
        found = connection.execute(sa.select(versions.c.version)).scalar()
        if found is None and create:
            connection.execute(versions.insert().values(version=VERSION))
        elif found == 1:
            _from_first(connection)
        elif found != VERSION:
            raise JournalError(f"the journal {shown(url)} is of version {found}, this is of {VERSION}: use another one")


def _from_first(connection: sa.Connection) -> None:
    """Version 1 had neither `passed_block` nor the indexes: making the tables that are missing adds neither."""
    connection.exec_driver_sql("ALTER TABLE intents ADD COLUMN passed_block BIGINT")
    for index in (_unsettled, _nonces, _paid, _oldest):
        index.create(connection)
    connection.execute(versions.update().values(version=VERSION))
