"""The fund's upkeep: samples in time, redistribution, ripe exits; each with its switch, all after what is urgent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_chain
from backstop.errors import NodeError
from backstop.keeper import upkeep as upkeep_module
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.upkeep import Checkpoint, Redistribute, SettleExit, Upkeep, UpkeepReader
from backstop.transactions.sender import Sender
from scripts.stage.parameters import plain_market
from scripts.stage.venue import Venue, rpc_url, tokens, wad
from tests.keeper.command import Done, assert_refused, backstop, backstop_inside, secret_of
from tests.support.acting import act, now, rpc
from tests.support.deficits import open_deficit
from tests.support.desk import Desk
from tests.support.stakers import COOLDOWN, MAX_WAIT, Stakers, fresh

POOLS = {"ETH-USD": "eth", "BTC-USD": "majors", "SOL-USD": "majors", "ADA-USD": "ada", "DOT-USD": "dot"}


@pytest.fixture(scope="module")
def desks(venue: Venue) -> dict[str, Desk]:
    """All at 100, 100x: one on its own, two of "majors", two of the mutual group."""
    parameters = plain_market(Decimal("0.01"), Decimal("0.005"))
    ids = {
        "eth": venue.create_pool("eth"),
        "majors": venue.create_pool("majors", shared=True),
        "ada": venue.create_pool("ada", mutual=True),
        "dot": venue.create_pool("dot", mutual=True),
    }
    return {
        name: Desk(venue, venue.list_in_pool(name, ids[pool], Decimal(100), parameters)) for name, pool in POOLS.items()
    }


@pytest.fixture
def keep(desks: dict[str, Desk], deployment_file: Path, operator: LocalAccount) -> Callable[..., Done]:
    """One cycle of the operator's keeper, which sends."""

    def run(*options: str, send: bool = True, outside: bool = False) -> Done:
        line = ["run", "--once", "--json", "--rpc", rpc_url(), "--deployment", deployment_file]
        runner = backstop if outside else backstop_inside
        return runner(*line, *(["--send"] if send else []), *options, key=secret_of(operator))

    return run


def duties(done: Done) -> list[tuple[str, str | None]]:
    """What was done, and where."""
    assert done.status == 0, done
    return [(one["duty"], one.get("market") or one.get("pool")) for one in done.document]


def sampled(*markets: str) -> list[tuple[str, str]]:
    """Samples of markets."""
    return [("checkpoint", market) for market in markets]


def later(desks: dict[str, Desk], seconds: int) -> None:
    """Chain time goes on, and the feeds answer anew."""
    fresh(*desks.values(), at=now() + seconds)


def reader(venue: Venue, **settings: Any) -> UpkeepReader:
    """Finds duties."""
    return UpkeepReader(venue.endpoint, venue.deployment, Upkeep(**settings))


# ------------------------------------------------------------------ samples


@pytest.mark.parametrize("outside", [False, True])
def test_each_market_is_sampled_in_its_time(outside: bool, keep: Callable[..., Done], desks: dict[str, Desk]) -> None:
    first = keep(outside=outside)
    assert sorted(duties(first)) == sorted(sampled(*POOLS))
    assert list(first.document[0]) == [
        "duty",
        "sent",
        "refused",
        "block",
        "transaction",
        "gas",
        "market",
        "lastSample",
        "unseen",
        "result",
        "drawdown",
    ]
    assert all((one["lastSample"], one["result"], one["drawdown"]) == (None, "0", "0") for one in first.document)
    assert duties(keep()) == []
    taken = now()
    later(desks, 50)
    assert duties(keep()) == []
    later(desks, 20)
    again = keep()
    assert sorted(duties(again)) == sorted(sampled("ETH-USD", "ADA-USD", "DOT-USD"))
    assert all(taken - 10 <= one["lastSample"] <= taken for one in again.document)
    later(desks, 86_400)
    assert sorted(duties(keep())) == sorted(sampled(*POOLS))


def test_a_sample_that_anybody_took_counts(keep: Callable[..., Done], desks: dict[str, Desk]) -> None:
    keep()
    later(desks, 90)
    desks["ETH-USD"].checkpoint()
    assert sorted(duties(keep())) == sorted(sampled("ADA-USD", "DOT-USD"))


def test_how_often_is_a_setting(keep: Callable[..., Done], desks: dict[str, Desk]) -> None:
    keep()
    later(desks, 600)
    assert duties(keep("--checkpoint-every", "900")) == []
    assert sorted(duties(keep("--checkpoint-every", "900", "--checkpoint-shared-every", "500"))) == sorted(
        sampled("BTC-USD", "SOL-USD")
    )


def test_switches(keep: Callable[..., Done], desks: dict[str, Desk]) -> None:
    assert duties(keep("--no-checkpoint")) == []
    assert sorted(duties(keep("--no-redistribute", "--no-settle-exits"))) == sorted(sampled(*POOLS))


def test_a_dry_run_shows_it_and_sends_nothing(
    keep: Callable[..., Done], desks: dict[str, Desk], deployment_file: Path
) -> None:
    before = chain.blocks.height
    shown = keep(send=False)
    assert sorted(duties(shown)) == sorted(sampled(*POOLS))
    assert all(one["sent"] is False and one["gas"] > 21_000 and one["result"] is None for one in shown.document)
    assert chain.blocks.height == before
    text = backstop_inside("run", "--once", "--rpc", rpc_url(), "--deployment", deployment_file).out
    assert "Sample ETH-USD: it is time" in text
    assert "Not sent: --send would do this" in text


def test_a_trigger_that_nobody_has_seen_is_sampled_at_once(
    venue: Venue, keep: Callable[..., Done], desks: dict[str, Desk]
) -> None:
    """Also in a shared pool, and also where a round is due; once it is remembered no more."""
    desk = desks["BTC-USD"]
    desk.contribute(10_000)
    desk.inherit("icarus", 100, 100, 1000, 90)
    keep()
    desk.price(55)
    looking = reader(venue)
    first = looking.due(read_chain(venue.endpoint, venue.deployment))[0]
    assert isinstance(first, Checkpoint)
    assert (first.market, first.unseen) == ("BTC-USD", True)
    desk.checkpoint()
    assert desk.fund.seen(desk.market.id)[0] == 1
    assert looking.due(read_chain(venue.endpoint, venue.deployment)) == []
    # While it is on, the shared pool's market is sampled as often as others.
    later(desks, 70)
    due = looking.due(read_chain(venue.endpoint, venue.deployment))
    assert "BTC-USD" in [duty.market for duty in due if isinstance(duty, Checkpoint)]
    assert "SOL-USD" not in [duty.market for duty in due if isinstance(duty, Checkpoint)]


def test_a_trigger_on_a_dead_feed_is_not_sampled_over_and_over(
    venue: Venue, keep: Callable[..., Done], desks: dict[str, Desk], owner: Any
) -> None:
    desk = desks["ETH-USD"]
    desk.contribute(10_000)
    desk.inherit("icarus", 100, 100, 1000, 90)
    keep()
    desk.price(60)
    act(owner, desk.price_feed.accept, desk.market.id)
    act(owner, desk.market.feed.setAnswer, -1)
    state = read_chain(venue.endpoint, venue.deployment)
    assert "ETH-USD" in state.drawdowns_due
    assert reader(venue).due(state) == []


def test_what_is_urgent_comes_first(keep: Callable[..., Done], desks: dict[str, Desk]) -> None:
    """A takeover, the round that it makes due, and only then samples: of all others, for the round took its own."""
    desk = desks["ETH-USD"]
    desk.contribute(20_000)
    desk.deposit(desk.trader("whale"), 160_000)
    desk.open("icarus", wad(800), wad(100), 9000)
    desk.price(80)
    done = duties(keep())
    assert done[0][0] == "takeOver"
    assert done[1][0] == "deleverage"
    assert sorted(done[2:]) == sorted(sampled(*(name for name in POOLS if name != "ETH-USD")))


def test_upkeep_gives_way_to_what_comes_up_meanwhile(
    venue: Venue, desks: dict[str, Desk], operator: LocalAccount
) -> None:
    """Between two turns of samples somebody goes bankrupt: it is taken over before the others are sampled."""
    desk = desks["ETH-USD"]
    desk.contribute(200_000)
    desk.deposit(desk.trader("whale"), 160_000)
    desk.open("icarus", wad(10), wad(100), 50)
    sender = Sender(venue.endpoint, operator, chain.chain_id)
    cycle = Cycle(venue.endpoint, venue.deployment, sender, send=True, upkeep=Upkeep())
    done: list[Action] = []
    for action in cycle.run(lambda _: None):
        done.append(action)
        if len(done) == 1:
            desk.price(95)
    kinds = [type(action.duty).__name__ for action in done]
    assert kinds.count("TakeOver") == 1
    assert kinds[0] == "Checkpoint"
    assert kinds.index("TakeOver") <= 3
    assert kinds.count("Checkpoint") == len(POOLS) or kinds.count("Checkpoint") == len(POOLS) - 1


@pytest.mark.parametrize("page", [1, 3, 10_000])
def test_samples_are_found_in_pages(
    page: int, venue: Venue, keep: Callable[..., Done], desks: dict[str, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep()
    for _ in range(7):
        rpc("evm_mine")
    monkeypatch.setattr(upkeep_module, "PAGE", page)
    looking = reader(venue)
    assert looking.due(read_chain(venue.endpoint, venue.deployment)) == []
    later(desks, 70)
    desks["ETH-USD"].checkpoint()
    due = looking.due(read_chain(venue.endpoint, venue.deployment))
    assert {duty.market for duty in due if isinstance(duty, Checkpoint)} == {"ADA-USD", "DOT-USD"}


def test_old_samples_are_not_looked_for(
    venue: Venue, keep: Callable[..., Done], desks: dict[str, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the longest interval a sample makes no difference."""
    keep()
    later(desks, 90_000)
    for _ in range(20):
        rpc("evm_mine")
    monkeypatch.setattr(upkeep_module, "PAGE", 5)
    asked = 0
    request = venue.endpoint.request

    def counting(method: str, *params: Any) -> Any:
        nonlocal asked
        asked += method == "eth_getLogs"
        return request(method, *params)

    monkeypatch.setattr(venue.endpoint, "request", counting)
    assert len(reader(venue).due(read_chain(venue.endpoint, venue.deployment))) == len(POOLS)
    assert asked < 10


def test_a_node_without_logs_does_not_hold_up_what_is_urgent(
    keep: Callable[..., Done], desks: dict[str, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desks["ETH-USD"]
    desk.contribute(200_000)
    desk.deposit(desk.trader("whale"), 160_000)
    desk.open("icarus", wad(10), wad(100), 50)
    desk.price(95)
    request = Endpoint.request

    def refusing(endpoint: Endpoint, method: str, *params: Any) -> Any:
        if method == "eth_getLogs":
            raise NodeError("eth_getLogs: not today")
        return request(endpoint, method, *params)

    monkeypatch.setattr(Endpoint, "request", refusing)
    done = keep()
    assert [one["duty"] for one in done.document] == ["takeOver"]
    assert "warning: samples, exits and redistribution are left alone: " in done.err


# ------------------------------------------------------------------ redistribution


def test_a_depleted_group_is_redistributed(
    keep: Callable[..., Done], desks: dict[str, Desk], deployment_file: Path, venue: Venue
) -> None:
    """A member that lacks 5,000 and has nothing to close, and one with 400."""
    dot, ada = desks["DOT-USD"], desks["ADA-USD"]
    open_deficit(dot, 5000)
    ada.contribute(400)
    assert duties(keep("--no-redistribute", "--no-checkpoint")) == []
    text = backstop_inside("run", "--once", "--no-checkpoint", "--rpc", rpc_url(), "--deployment", deployment_file).out
    assert "Redistribute 400 within the depleted mutual group" in text
    done = keep("--no-checkpoint")
    assert duties(done) == [("redistribute", None)]
    assert done.document[0]["given"] == "400"
    assert dot.fund.balanceOf(ada.market.pool) == 0
    assert dot.fund.balanceOf(dot.market.pool) == -wad(4600)
    assert duties(keep("--no-checkpoint")) == []
    assert reader(venue).due(read_chain(venue.endpoint, venue.deployment)) != [Redistribute(0)]


def test_nothing_is_redistributed_on_a_dead_feed(
    venue: Venue, keep: Callable[..., Done], desks: dict[str, Desk], owner: Any
) -> None:
    dot, ada = desks["DOT-USD"], desks["ADA-USD"]
    open_deficit(dot, 5000)
    ada.inherit("perdix", 10, 100, 50, 95)
    ada.contribute(400)
    act(owner, ada.price_feed.accept, ada.market.id)
    act(owner, ada.market.feed.setAnswer, -1)
    assert duties(keep("--no-checkpoint")) == []


# ------------------------------------------------------------------ exits


@pytest.fixture
def ripe(desks: dict[str, Desk]) -> Stakers:
    """An exit of 500 from "majors", and one of half a token, both ripe."""
    stakers = Stakers(desks["BTC-USD"])
    for name, amount in (("saver", 500), ("crumb", "0.5")):
        stakers.stake(name, amount)
        stakers.request_exit(name)
    later(desks, COOLDOWN)
    return stakers


def test_ripe_exits_are_paid(keep: Callable[..., Done], ripe: Stakers, deployment_file: Path) -> None:
    owner = ripe.desk.trader("saver").address
    assert duties(keep("--no-settle-exits", "--no-checkpoint")) == []
    text = backstop_inside("run", "--once", "--no-checkpoint", "--rpc", rpc_url(), "--deployment", deployment_file).out
    assert f'Pay the ripe exit of {owner} from pool "majors": 500' in text
    done = keep("--no-checkpoint")
    assert duties(done) == [("settleExit", "majors")]
    (one,) = done.document
    assert list(one)[6:] == ["pool", "owner", "value", "ripeAt"]
    assert (one["owner"], one["value"], one["sent"]) == (owner, "500", True)
    assert ripe.purse("saver") == tokens(500)
    assert ripe.exit_of("saver").shares == 0
    assert ripe.purse("crumb") == 0
    assert duties(keep("--no-checkpoint", "--least-exit", "0.5")) == [("settleExit", "majors")]
    assert ripe.purse("crumb") == tokens("0.5")


def test_exits_and_samples_take_turns(keep: Callable[..., Done], ripe: Stakers) -> None:
    done = [duty for duty, _ in duties(keep())]
    assert done.count("checkpoint") == len(POOLS)
    assert done.index("settleExit") < len(POOLS)


def test_an_exit_that_is_not_ripe_is_left_alone(keep: Callable[..., Done], desks: dict[str, Desk]) -> None:
    stakers = Stakers(desks["BTC-USD"])
    stakers.stake("saver", 500)
    stakers.request_exit("saver")
    later(desks, COOLDOWN - 60)
    assert duties(keep("--no-checkpoint")) == []


def test_exits_that_have_to_wait_are_left_alone(
    venue: Venue, keep: Callable[..., Done], ripe: Stakers, desks: dict[str, Desk]
) -> None:
    """A loss of the window; and once it is overdue its owner alone chooses the moment."""
    desk = desks["SOL-USD"]
    desk.inherit("icarus", 10, 100, 50, 95)
    desk.price(90)
    assert duties(keep("--no-checkpoint")) == []
    later(desks, MAX_WAIT)
    keep()
    later(desks, 3600)
    desk.price(80)
    desk.checkpoint()
    owner = ripe.desk.trader("saver").address
    assert ripe.shares.maxRedeem(owner) > 0
    assert not [
        duty for duty in reader(venue).due(read_chain(venue.endpoint, venue.deployment)) if isinstance(duty, SettleExit)
    ]


def test_no_exit_is_paid_while_there_is_a_deficit(
    keep: Callable[..., Done], ripe: Stakers, desks: dict[str, Desk]
) -> None:
    open_deficit(desks["ETH-USD"], 5000)
    assert duties(keep("--no-checkpoint", "--no-redistribute")) == []
    act(desks["ETH-USD"].trader("donor"), ripe.desk.token.mint, ripe.desk.trader("donor").address, tokens(5000))
    act(desks["ETH-USD"].trader("donor"), ripe.desk.token.approve, ripe.desk.fund.address, tokens(5000))
    act(desks["ETH-USD"].trader("donor"), ripe.desk.fund.repay, desks["ETH-USD"].market.pool, tokens(5000))
    assert duties(keep("--no-checkpoint")) == [("settleExit", "majors")]


def test_exits_of_many_pages(
    keep: Callable[..., Done], desks: dict[str, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    from backstop.chain import fund_view

    monkeypatch.setattr(fund_view, "EXIT_PAGE", 2)
    stakers = Stakers(desks["BTC-USD"])
    for place in range(5):
        stakers.stake(f"saver {place}", 10 + place)
        stakers.request_exit(f"saver {place}")
    later(desks, COOLDOWN)
    done = keep("--no-checkpoint")
    assert duties(done) == [("settleExit", "majors")] * 5
    assert [one["value"] for one in done.document] == ["14", "13", "12", "11", "10"]


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--checkpoint-every", "0"), ("--checkpoint-every: '0'", "whole number")),
        (("--checkpoint-shared-every", "soon"), ("--checkpoint-shared-every", "whole number")),
        (("--least-exit", "-1"), ("--least-exit", "negative")),
        (("--least-exit", "much"), ("--least-exit", "decimal amount")),
    ],
)
def test_bad_input(options: tuple[str, ...], words: tuple[str, ...], keep: Callable[..., Done]) -> None:
    assert_refused(keep(*options), *words)
