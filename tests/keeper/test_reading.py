"""Everything is read at the hash of one block: what happens meanwhile is not in it."""

from __future__ import annotations

from typing import Any

import pytest
from ape import chain

from backstop.adl.snapshot import Side
from backstop.chain import snapshot as reader
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import RpcError
from scripts.stage.venue import TestMarket, Venue, rpc_url, wad

from .taking import take_over


class Watched(Endpoint):
    """An endpoint that notes what it is asked, and lets something happen before the n-th `eth_call`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.meanwhile: dict[int, Any] = {}

    @property
    def calls(self) -> list[tuple[Any, ...]]:
        """Parameters of every `eth_call`."""
        return [params for method, params in self.asked if method == "eth_call"]

    def request(self, method: str, *params: Any) -> Any:
        if method == "eth_call" and (event := self.meanwhile.pop(len(self.calls), None)):
            event()
        self.asked.append((method, params))
        return super().request(method, *params)


@pytest.fixture
def watched(venue: Venue) -> Watched:
    """An endpoint at the chain, that has found the contracts to be those of the deployment."""
    endpoint = Watched(rpc_url())
    endpoint.check(venue.deployment)
    endpoint.asked.clear()
    return endpoint


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two accounts a page, each page by itself: seven are four pages."""
    monkeypatch.setattr(reader, "PAGE", 2)
    monkeypatch.setattr(reader, "PAGES", 1)


def test_every_call_names_the_block_by_its_hash(
    gapped: TestMarket, venue: Venue, watched: Watched, small_pages: None
) -> None:
    state = read_chain(watched, venue.deployment)
    assert len(watched.calls) == 1 + 4 + 1
    assert all(at == {"blockHash": state.block.hash, "requireCanonical": True} for _, at in watched.calls)
    assert state.block.hash == "0x" + bytes(chain.blocks.head.hash).hex()
    assert state == read_chain(venue.endpoint, venue.deployment)


@pytest.mark.parametrize("before_call", range(5))
def test_what_happens_meanwhile_is_not_in_it(
    before_call: int, gapped: TestMarket, venue: Venue, watched: Watched, small_pages: None
) -> None:
    """A price, a takeover and a new account between any two pages: the state is still that of the one block."""
    then = read_chain(venue.endpoint, venue.deployment)

    def meanwhile() -> None:
        venue.set_price(gapped, 77)
        take_over(venue, gapped)
        venue.deposit(venue.trader("newcomer"), gapped, 5)

    watched.meanwhile[before_call] = meanwhile
    assert read_chain(watched, venue.deployment) == then
    assert watched.meanwhile == {}
    now = read_chain(venue.endpoint, venue.deployment)
    assert now.block.number > then.block.number
    assert now.snapshot.markets["ETH-USD"].mark_price == wad(77)
    assert len(now.snapshot.accounts) == len(then.snapshot.accounts)  # one has gone, one has come


def test_block_that_was_reorganised_away_is_an_error_not_a_mixture(
    gapped: TestMarket, venue: Venue, watched: Watched, small_pages: None
) -> None:
    watched.request("evm_mine")
    before = watched.request("evm_snapshot")
    venue.set_price(gapped, 79)
    gone = read_chain(watched, venue.deployment).block

    def reorganise() -> None:
        watched.request("evm_revert", before)
        venue.set_price(gapped, 78)

    watched.asked.clear()
    watched.meanwhile[2] = reorganise
    with pytest.raises(RpcError):
        read_chain(watched, venue.deployment)
    state = read_chain(venue.endpoint, venue.deployment)
    assert state.block.number == gone.number
    assert state.block.hash != gone.hash
    assert state.snapshot.markets["ETH-USD"].mark_price == wad(78)


def test_pages_and_one_page_are_the_same(gapped: TestMarket, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[ChainState] = []
    for page in (1, 3, 7, 8, 1000):
        monkeypatch.setattr(reader, "PAGE", page)
        monkeypatch.setattr(reader, "PAGES", 1 + page % 3)
        states.append(read_chain(venue.endpoint, venue.deployment))
    assert all(state == states[0] for state in states)
    assert len(states[0].snapshot.accounts) == 7


def test_node_that_has_lost_accounts_is_not_believed(gapped: TestMarket, venue: Venue, small_pages: None) -> None:
    """A page that comes back empty before the end is an error: who is missing might be the first to go."""

    class Lossy(Endpoint):
        def call_all(self, asked: Any, *options: Any) -> Any:
            pages = super().call_all(asked, *options)
            return pages[:2] + [()] * len(pages[2:])

    with pytest.raises(RpcError, match="has 4 of 7 accounts of ETH-USD"):
        read_chain(Lossy(rpc_url()), venue.deployment)


def test_proof_holds_at_every_block(gapped: TestMarket, venue: Venue) -> None:
    """Tokens held are claims, and sizes sum to zero, at the end of each block since the market was listed."""
    take_over(venue, gapped)
    head = chain.blocks.head.number
    for number in range(venue.deployment.block + 15, head + 1):
        state = read_chain(venue.endpoint, venue.deployment, number)
        assert state.block.number == number
        assert state.tokens_held == state.claims
        assert not any(state.sums_of_sizes.values())
    (inventory,) = state.snapshot.pools["eth"].inventory
    assert Side.of(inventory.size) is Side.LONG


def test_deployment_file_is_read_back_as_it_was(venue: Venue, deployment_file: Any) -> None:
    assert Deployment.load(deployment_file) == venue.deployment
