"""What this machine gives: the journal, the index, and the port of the metrics."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from backstop.preflight.findings import Finding, fail, ok, skip
from backstop.settings.units import Listen, Store

_PATIENCE = 5  # seconds for a database to answer


def look_at_store(name: str, store: Store, secrets: Iterable[str], *, makes_folder: bool = False) -> Finding:
    """Whether a database answers and takes writes; what is written is rolled back, and no file is made."""
    url = make_url(store.url)
    if store.is_in_memory:
        if name == "journal":
            return fail(name, "in memory: a keeper left running does not start with it", "set journal.url to a file")
        return ok(name, "in memory: nothing of it outlives the keeper")
    if store.is_file and not (file := Path(url.database or "")).exists():
        folder = file.absolute().parent
        if makes_folder:
            folder = next(one for one in (folder, *folder.parents) if one.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return ok(name, f"{store}, to be made")
        return fail(name, f"{store}: nothing can be made in {folder}", f"make the folder, or set {name}.url")
    options = {"timeout": _PATIENCE} if store.is_file else {"connect_timeout": _PATIENCE}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    try:
        _write(engine, "PRAGMA user_version = 0" if store.is_file else "CREATE TABLE backstop_check (id integer)")
    except SQLAlchemyError as fault:
        words = " ".join(str(getattr(fault, "orig", None) or fault).split())
        for secret in secrets:
            words = words.replace(secret, "…")
        return fail(name, f"{store}: {words[:300]}", "is the server running, and may this user write there?")
    finally:
        engine.dispose()
    return ok(name, f"{store}, writable")


def _write(engine: Engine, statement: str) -> None:
    """Writes, and takes it back."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_file = engine.dialect.name == "sqlite"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_file else "BEGIN")
        try:
            connection.exec_driver_sql(statement)
        finally:
            connection.exec_driver_sql("ROLLBACK")


def look_at_port(listen: Listen | None) -> Finding:
    """Whether the port of the metrics is free."""
    if listen is None:
        return skip("metrics", "metrics.listen is not set: no metrics, no health checks")
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((listen.host, listen.port))
            listener.listen()
        except OSError as fault:
            why = fault.strerror or str(fault)
            return fail("metrics", f"{listen}: {why}", "another keeper? set metrics.listen to an address that is free")
    return ok("metrics", f"{listen} is free")
