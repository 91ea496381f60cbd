"""An Anvil for each test, which may do to it whatever it likes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from scripts.stage.own_anvil import own_anvil
from tests.support.postgres import postgres_server, postgres_url

from .chain import KEY, Chain, prepared

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture
def chain() -> Iterator[Chain]:
    """A chain with automine: a snapshot would not undo a base fee that was set for the next block."""
    with own_anvil() as url:
        yield prepared(url)


@pytest.fixture
def signer() -> LocalAccount:
    """The key."""
    account: LocalAccount = Account.from_key(KEY)
    return account


@pytest.fixture
def journal_file(tmp_path: Path) -> Path:
    """Where a journal may be."""
    return tmp_path / "journal.sqlite"
