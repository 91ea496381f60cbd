"""Where the index is kept between runs: a SQLite file, or PostgreSQL for a fleet, by SQLAlchemy.

It may be lost at any time, and is then built anew. Several keepers of one deployment may share a database: each writes
what it knows of a block on what another one knew of the same block before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from backstop.chain.deployment import Deployment
from backstop.database import making_tables
from backstop.errors import StoreError
from backstop.index.book import Book, CrossHeld, Held

_HEX = 66  # characters of `0x` and 32 bytes
_INSERTS: dict[str, Callable[[sa.Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class _Amount(sa.TypeDecorator[int]):
    """A whole number of any size; databases end at 64 bits, or count in decimals."""

    impl = sa.String(80)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> str:
        return str(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> int:
        return int(value or 0)


class _Account(sa.TypeDecorator[bytes]):
    """An account's id, as text that people can look for."""

    impl = sa.String(_HEX)
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: sa.Dialect) -> str:
        return "0x" + (value or b"").hex()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> bytes:
        return bytes.fromhex((value or "0x")[2:])


_METADATA = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(name, _METADATA, sa.Column("deployment", sa.String(80), primary_key=True), *columns)


def _kept() -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.BigInteger, nullable=False) for name in ("place", "since", "touched", "as_of"))


_HEADS = _table(
    "index_heads",
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(_HEX), nullable=False),
)
_BLOCKS = _table(
    "index_blocks",
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(_HEX), nullable=False),
)
_POSITIONS = _table(
    "index_positions",
    sa.Column("market", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", _Account, primary_key=True),
    *_kept(),
    *(sa.Column(name, _Amount, nullable=False) for name in ("size", "entry_notional", "margin", "funding_index")),
)
_CROSS = _table(
    "index_cross",
    sa.Column("account", _Account, primary_key=True),
    *_kept(),
    sa.Column("margin", _Amount, nullable=False),
)


@dataclass(slots=True)
class Changes:
    """What differs between two books: rows that are new or other, and the block after which everything is gone."""

    positions: list[tuple[int, bytes]] = field(default_factory=list)
    cross: list[bytes] = field(default_factory=list)
    common: int = 0


class Store:
    """The index of one deployment in a database. Raises StoreError for a database that cannot be used."""

    def __init__(self, url: str, deployment: Deployment) -> None:
        self._key = f"{deployment.chain_id}/{deployment.exchange}"
        try:
            place = sa.make_url(url)
            self.shown = place.set(query={}).render_as_string(hide_password=True)  # a query may have a password, too
            if place.get_backend_name() not in _INSERTS:
                raise StoreError(f"{self.shown}: the index is kept by sqlite or postgresql")
            if place.get_backend_name() == "sqlite" and place.database not in (None, "", ":memory:"):
                Path(str(place.database)).parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(place)
            with making_tables(self._engine) as connection:
                _METADATA.create_all(connection)
        except (ArgumentError, NoSuchModuleError):
            raise StoreError("the URL of the index cannot be read: give one like sqlite:///index.db") from None
        except (SQLAlchemyError, OSError) as fault:
            raise StoreError(f"the index {self.shown} cannot be opened: {_brief(fault)}") from None
        self._insert = _INSERTS[self._engine.dialect.name]

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()

    def load(self) -> Book | None:
        """What is kept; None where that is nothing."""
        try:
            with self._engine.begin() as connection:
                head = connection.execute(self._mine(_HEADS)).one_or_none()
                if head is None:
                    return None
                book = Book(head.number, head.hash)
                for row in connection.execute(self._mine(_BLOCKS)):
                    book.blocks[row.number] = row.hash
                for row in connection.execute(self._mine(_POSITIONS).order_by(_POSITIONS.c.place)):
                    book.positions.setdefault(row.market, {})[row.account] = Held(*row[3:])
                for row in connection.execute(self._mine(_CROSS).order_by(_CROSS.c.place)):
                    book.cross[row.account] = CrossHeld(*row[2:])
                return book
        except (SQLAlchemyError, TypeError, ValueError) as fault:
            raise StoreError(f"the index {self.shown} cannot be read: {_brief(fault)}") from None

    def save(self, book: Book, before: Book | None, changes: Changes | None) -> None:
        """Writes a book: only `changes` where the database has what `before` has, else all of it.

        Where another keeper has written the same block or a newer one meanwhile, its is left.
        """
        try:
            with self._engine.begin() as connection:
                if before is not None and changes is not None and self._advance(connection, before, book):
                    self._save_changes(connection, book, changes)
                    return
                head = connection.execute(self._mine(_HEADS)).one_or_none()
                newer = book.number if changes is None else book.number - 1
                if head is not None and before is not None and head.number > newer:
                    return
                self._save_all(connection, book)
        except SQLAlchemyError as fault:
            raise StoreError(f"the index {self.shown} cannot be written: {_brief(fault)}") from None

    def _advance(self, connection: sa.Connection, before: Book, book: Book) -> bool:
        moved = connection.execute(
            sa.update(_HEADS)
            .where(_HEADS.c.deployment == self._key, _HEADS.c.number == before.number, _HEADS.c.hash == before.hash)
            .values(number=book.number, hash=book.hash)
        )
        return moved.rowcount == 1

    def _save_changes(self, connection: sa.Connection, book: Book, changes: Changes) -> None:
        for table in (_POSITIONS, _CROSS):
            self._delete(connection, table, table.c.since > changes.common)
        self._delete(connection, _BLOCKS, _BLOCKS.c.number > changes.common)
        self._delete(connection, _BLOCKS, _BLOCKS.c.number < min(book.blocks))
        self._write(connection, _BLOCKS, _blocks(book, changes.common))
        self._write(connection, _POSITIONS, (_position(book, *one) for one in changes.positions))
        self._write(connection, _CROSS, (_cross(book, account) for account in changes.cross))

    def _save_all(self, connection: sa.Connection, book: Book) -> None:
        self._write(connection, _HEADS, [{"number": book.number, "hash": book.hash}])
        for table in (_POSITIONS, _CROSS, _BLOCKS):
            self._delete(connection, table, sa.true())
        self._write(connection, _BLOCKS, _blocks(book, -1))
        pairs = ((market, account) for market, rows in book.positions.items() for account in rows)
        self._write(connection, _POSITIONS, (_position(book, *pair) for pair in pairs))
        self._write(connection, _CROSS, (_cross(book, account) for account in book.cross))

    def _mine(self, table: sa.Table) -> sa.Select[Any]:
        return sa.select(table).where(table.c.deployment == self._key)

    def _delete(self, connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> None:
        connection.execute(sa.delete(table).where(table.c.deployment == self._key, where))

    def _write(self, connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
        """Puts rows in, in place of those with the same keys."""
        values = [{"deployment": self._key} | row for row in rows]
        if not values:
            return
        insert = self._insert(table)
        keys = [column.name for column in table.primary_key]
        rest = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest), values)


def _blocks(book: Book, common: int) -> list[dict[str, Any]]:
    return [{"number": number, "hash": one} for number, one in book.blocks.items() if number > common]


def _position(book: Book, market: int, account: bytes) -> dict[str, Any]:
    return {"market": market, "account": account} | book.positions[market][account]._asdict()


def _cross(book: Book, account: bytes) -> dict[str, Any]:
    return {"account": account} | book.cross[account]._asdict()


def _brief(fault: Exception) -> str:
    """The database's own words, in one line, without the statement that they are about."""
    words = str(getattr(fault, "orig", None) or fault)
    return " ".join(words.split())[:200]
