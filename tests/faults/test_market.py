"""What others do to the daemon: rivals, counterparties and feeds."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount

from backstop.chain.bindings import SETTLE
from backstop.math.wad import WAD
from backstop.orders import sign
from backstop.transactions.journal import State
from scripts.stage.faulty_proxy import Answer, FaultyProxy
from scripts.stage.venue import HEARTBEAT, Venue, rpc_url
from tests.faults.conftest import Shows
from tests.faults.scene import GWEI, Scene
from tests.faults.table import BOUNDS, scenario
from tests.keeper.sea import PRICES, wait_until


@scenario("two keepers on one job")
def test_two_keepers_on_one_job(scene: Scene, shows: Shows) -> None:
    """The second one's node does not see what waits in the first one's: both sign."""
    twin = scene.sea.venue.trader("twin without a bond")
    due_at = scene.fall()
    names = {"keeper": scene.sea.keeper, "twin": twin}
    without_rounds = {"duties.adl": {"enabled": False}}
    with scene.by_hand(), FaultyProxy(rpc_url()) as proxy:
        proxy.inject("eth_estimateGas", Answer(hex(1_000_000)))
        keepers = {
            name: scene.start(proxy.url, name=name, signer=signer, **without_rounds) for name, signer in names.items()
        }
        wait_until(lambda: len(scene.pool()) == 2)
        scene.mine()
        for name, keeper in keepers.items():
            scene.settle(keeper, name)
    states = [intent.state for name in keepers for intent in scene.journal(name)]
    assert sorted(states) == [State.FAILED, State.MINED]
    assert scene.agrees()
    assert scene.agrees("twin", signer=twin)
    shows("two keepers on one job", effects=len(scene.taken()), blocks=scene.effect() - due_at)


def closing(venue: Venue, scene: Scene, short: LocalAccount, long: LocalAccount) -> str:
    """A transaction that closes five contracts of each at 60, and is mined before others of its block; raw."""
    market = scene.sea.market
    sold = venue.order(long, market, -5 * WAD, 60 * WAD)
    bought = venue.order(short, market, 5 * WAD, 60 * WAD)
    data = SETTLE.encode(
        sold.values(), sign(sold, venue.domain, long), bought.values(), sign(bought, venue.domain, short), 5 * WAD
    )
    transaction = {
        "type": 2,
        "chainId": 31337,
        "nonce": scene.count(short),
        "to": venue.deployment.exchange,
        "value": 0,
        "data": data,
        "gas": 2_000_000,
        "maxFeePerGas": 10_000 * GWEI,
        "maxPriorityFeePerGas": 1_000 * GWEI,
    }
    return "0x" + short.sign_transaction(transaction).raw_transaction.hex()


@scenario("counterparty moves in the same block")
def test_counterparty_that_moves_in_the_same_block(scene: Scene, shows: Shows) -> None:
    venue, market = scene.sea.venue, scene.sea.market
    cub, whale = venue.trader("sea cub"), venue.trader("sea whale")
    ranked_first = venue.deposit(cub, market, 60)
    venue.deposit(whale, market, 10_000)
    venue.trade(cub, whale, market, 5 * WAD, 100 * WAD)
    scene.fall(PRICES["ADL"])
    before = scene.start(**{"duties.adl": {"enabled": False}})
    wait_until(lambda: len(scene.taken()) == 2)
    scene.settle(before)
    with scene.by_hand():
        keeper = scene.start()
        scene.waiting()
        scene.chain.request("eth_sendRawTransaction", closing(venue, scene, cub, whale))
        moved_at = scene.head()
        scene.mine()
        scene.settle(keeper)
    (skipped,) = scene.logs_of_engine("CandidateSkipped")
    assert skipped["topics"][2].startswith("0x" + ranked_first.hex())
    closed = [log["topics"][2][: 2 + 2 * len(ranked_first)] for log in scene.logs_of_engine("Deleveraged")]
    assert closed == [scene.sea.accounts["bear"]]
    (at,) = scene.rounds()
    assert scene.agrees()
    shows("counterparty moves in the same block", effects=len(scene.rounds()), blocks=at - moved_at)


@pytest.mark.parametrize("kind", ["stale", "frozen", "zero"])
@scenario(*(name for name in BOUNDS if name.startswith("feed ")))
def test_feed_that_is_dead(kind: str, scene: Scene, shows: Shows) -> None:
    feed, owner = scene.sea.market.feed, scene.sea.venue.owner
    keeper = scene.watching()
    if kind == "stale":  # an answer that would make the takeover due, published too late
        now = int(scene.chain.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        number = feed.latestRoundData()[0] + 1
        feed.setRound(number, int(PRICES["first takeover"] * 10**8), now - HEARTBEAT - 1, number, sender=owner)
    elif kind == "frozen":  # the chain goes on, and the feed does not
        scene.chain.request("evm_increaseTime", HEARTBEAT + 1)
        scene.mine()
    else:
        feed.setAnswer(0, sender=owner)
    wait_until(lambda: bool(keeper.said("stale_feed")))
    scene.mine()
    assert (scene.journal(), scene.pool(), scene.count()) == ([], [], scene.nonce)
    due_at = scene.fall()
    at = scene.effect()
    scene.settle(keeper)
    assert len(scene.journal()) == 1
    assert scene.agrees()
    shows(f"feed {kind}", effects=len(scene.taken()), blocks=at - due_at)
