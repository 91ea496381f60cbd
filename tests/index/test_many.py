"""One view with many arguments: by the reader, where a node lends itself to it, and in batches where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.account_id import isolated_account
from backstop.chain import many
from backstop.chain.bindings import CROSS_ACCOUNT, EXCHANGE_ENGINE, POSITION
from backstop.chain.endpoint import Endpoint
from backstop.chain.many import View, call_many
from backstop.chain.snapshot import at_block
from backstop.errors import NodeError, RpcError
from scripts.stage.venue import rpc_url
from tests.index.world import World

VIEW = View(POSITION, 2, 6)


class Plain(Endpoint):
    """A node without state overrides: it refuses what has any, or takes no notice of them."""

    notices = True
    overridden = 0

    def request(self, method: str, *params: Any) -> Any:
        return super().request(method, *self._without(params))

    def _post(self, asked: Any) -> list[Any]:
        return super()._post([(method, self._without(params)) for method, params in asked])

    def _without(self, params: Any) -> Any:
        if len(params) < 3:
            return params
        self.overridden += 1
        if self.notices:
            raise NodeError("too many arguments, want at most 2")
        return params[:2]


@pytest.fixture
def at(world: World) -> dict[str, Any]:
    return at_block(world.venue.endpoint.head().hash)


@pytest.fixture
def arguments(world: World) -> list[bytes]:
    """Of accounts that have something, and of some that never were."""
    owners = [signer.address for signer in (world.keeper, *world.traders)]
    accounts = [isolated_account(owner, 1, index) for index in range(5) for owner in owners]
    return [account + (1).to_bytes(32, "big") for account in accounts]


def one_by_one(world: World, arguments: list[bytes], at: Any) -> list[tuple[int, ...]]:
    exchange = world.venue.deployment.exchange
    return [world.venue.endpoint.call(exchange, POSITION, one[:32], 1, block=at) for one in arguments]


@pytest.mark.parametrize("page", [1, 7, 35, 1000])
def test_the_reader_reads_what_calls_read(
    page: int, world: World, arguments: list[bytes], at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "PAGE", page)
    read = call_many(world.venue.endpoint, world.venue.deployment.exchange, VIEW, arguments, at)
    assert read == one_by_one(world, arguments, at)
    assert sum(any(words) for words in read) == 7


@pytest.mark.parametrize("notices", [True, False])
def test_a_node_without_overrides(notices: bool, world: World, arguments: list[bytes], at: Any) -> None:
    node = Plain(rpc_url())
    node.notices = notices
    assert call_many(node, world.venue.deployment.exchange, VIEW, arguments, at) == one_by_one(world, arguments, at)
    assert node.overridden > 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_few_need_no_reader(count: int, world: World, arguments: list[bytes], at: Any) -> None:
    node = Plain(rpc_url())
    read = call_many(node, world.venue.deployment.exchange, VIEW, arguments[:count], at)
    assert read == one_by_one(world, arguments[:count], at)
    assert node.overridden == 0


def test_views_of_other_shapes(world: World, at: Any) -> None:
    deployment = world.venue.deployment
    accounts = [isolated_account(world.keeper.address, 1, index) for index in range(20)]
    assert (
        call_many(world.venue.endpoint, deployment.exchange, View(CROSS_ACCOUNT, 1, 5), accounts, at)
        == [(0, 0, 0, 0, 0)] * 20
    )
    engines = call_many(world.venue.endpoint, deployment.exchange, View(EXCHANGE_ENGINE, 0, 1), [b""], at)
    assert engines == [(int(deployment.engine, 16),)]


@pytest.mark.parametrize("count", [3, 35])
def test_a_contract_without_the_view(count: int, world: World, arguments: list[bytes], at: Any) -> None:
    with pytest.raises(RpcError):
        call_many(world.venue.endpoint, world.venue.deployment.token, VIEW, arguments[:count], at)
    with pytest.raises(RpcError, match=r"does not answer position\(bytes32,uint16\)"):
        call_many(world.venue.endpoint, "0x" + "11" * 20, VIEW, arguments[:count], at)
