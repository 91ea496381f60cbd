"""A PostgreSQL server that tests start themselves, in a temporary folder and on a socket there: no port, no password.

A conftest takes the fixtures over by importing both; tests ask for `postgres_url`, a new database each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from pwd import getpwnam
from tempfile import mkdtemp

import psycopg
import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNTS = ("postgres", "nobody")  # the server does not run as root
_USER = "backstop"
_numbers = count(1)


def programs() -> Path | None:
    """The folder of pg_ctl and initdb; None where PostgreSQL is not installed."""
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).resolve().parent, Path(on_path).parent] if on_path else []
    folders += sorted(_DEBIAN.glob("*/bin"), key=lambda folder: folder.parent.name.zfill(4), reverse=True)
    return next((folder for folder in folders if all((folder / name).exists() for name in ("pg_ctl", "initdb"))), None)


@contextmanager
def server() -> Iterator[Path]:
    """The folder of a running server's socket. Skips the test where PostgreSQL is not installed."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed: neither pg_ctl on the PATH nor Debian's package `postgresql`")
    # Not below the checkout: the server's own account must get there, and a socket's path is short.
    folder = Path(mkdtemp(prefix="backstop-pg-", dir="/tmp"))
    data, log = folder / "data", folder / "log"
    # No disk, no network: what a test wants of it is SQL.
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
    try:
        if os.geteuid() == 0:
            account = next(getpwnam(name) for name in _ACCOUNTS if _exists(name))
            os.chown(folder, account.pw_uid, account.pw_gid)
        _run(found / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale")
        _run(found / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "60", "start")
        try:
            yield folder
        finally:
            _run(found / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """A server for all tests of a session."""
    with server() as folder:
        yield folder


@pytest.fixture
def postgres_url(postgres_server: Path) -> str:
    """The URL of a new, empty database, as SQLAlchemy takes it."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(host=str(postgres_server), user=_USER, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return f"postgresql+psycopg://{_USER}@/{name}?host={postgres_server}"


def _exists(name: str) -> bool:
    try:
        getpwnam(name)
    except KeyError:
        return False
    return True


def _run(program: Path, *arguments: object) -> None:
    """Runs a program of PostgreSQL, as another user where this one is root; says what it said where it fails."""
    command = [str(program), *map(str, arguments)]
    who = next(name for name in _ACCOUNTS if _exists(name)) if os.geteuid() == 0 else None
    # A file, not a pipe: the server that pg_ctl starts would keep a pipe open.
    with (Path(os.devnull)).open("rb") as nothing:
        done = subprocess.run(
            command, stdin=nothing, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=who, cwd="/", check=False
        )
    assert done.returncode == 0, f"{' '.join(command)} ended with status {done.returncode}"
