"""One Anvil for the folder, set back after each test; a test that mines by hand leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from .chain import KEY, Chain, anvil, prepared


@pytest.fixture(scope="session")
def anvil_url() -> Iterator[str]:
    """The node's URL."""
    with anvil() as url:
        prepared(url)
        yield url


@pytest.fixture
def chain(anvil_url: str) -> Iterator[Chain]:
    """The chain at one state, with automine."""
    chain = Chain(anvil_url)
    snapshot = chain.request("evm_snapshot")
    chain.asked.clear()
    yield chain
    chain.instead.clear()
    chain.request("anvil_dropAllTransactions")
    chain.request("evm_setAutomine", True)
    chain.request("evm_revert", snapshot)


@pytest.fixture
def signer() -> LocalAccount:
    """The key."""
    account: LocalAccount = Account.from_key(KEY)
    return account


@pytest.fixture
def journal_file(tmp_path: Path) -> Path:
    """Where a journal may be."""
    return tmp_path / "journal.sqlite"
