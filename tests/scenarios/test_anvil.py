"""Ape's Anvil starts also where another program has taken its port first."""

from __future__ import annotations

import socket

import pytest
from ape import networks
from ape.exceptions import RPCTimeoutError

from scripts.stage import lean_anvil


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Anvil that has ended is waited for no longer than this; one that starts takes a fraction of a second."""
    provider = type(networks.provider)
    start = provider.start
    monkeypatch.setattr(provider, "start", lambda self, timeout=2: start(self, timeout))


def test_a_port_that_is_taken_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch, hurried: None) -> None:
    free = lean_anvil.free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        ports = iter([other.getsockname()[1], free])
        monkeypatch.setattr(lean_anvil, "free_port", lambda: next(ports))
        with networks.ethereum.local.use_provider("foundry", provider_settings={"host": "auto"}) as provider:
            assert provider.uri == f"http://127.0.0.1:{free}"
            assert provider.make_request("eth_blockNumber", []) == "0x0"


def test_in_the_end_it_is_told(monkeypatch: pytest.MonkeyPatch, hurried: None) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr(lean_anvil, "free_port", lambda: other.getsockname()[1])
        monkeypatch.setattr(lean_anvil, "_STARTS", 1)
        with (
            pytest.raises(RPCTimeoutError),
            networks.ethereum.local.use_provider("foundry", provider_settings={"host": "auto"}),
        ):
            pass
