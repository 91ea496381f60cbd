"""What the loop tells of itself is counted, timed, logged and posted; of a chain's state, what has changed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from backstop.adl.snapshot import Backing, Block, Inventory, Market, Pool, PoolKind, Snapshot
from backstop.chain.snapshot import ChainState
from backstop.errors import RpcError
from backstop.math.wad import WAD
from backstop.settings.loading import load
from backstop.settings.model import Event, WebhookTargets
from backstop.telemetry import Telemetry
from backstop.telemetry.log import open_log
from backstop.telemetry.metrics import OUTCOMES
from backstop.telemetry.pools import pool_figures
from backstop.telemetry.webhooks import Webhooks

from .test_pages import Clock

ETHER = 10**18
BLOCK = Block(31337, 7, "0x07", 1_700_000_000)


class Posted(Webhooks):
    """Keeps events in the place of posting them; what posting does is tested with receivers."""

    def __init__(self) -> None:
        super().__init__(WebhookTargets())
        self.events: list[tuple[Event, str, dict[str, Any]]] = []

    def post(self, event: Event, key: str, data: Any) -> None:
        self.events.append((event, key, dict(data)))

    @property
    def names(self) -> list[str]:
        """Which they are."""
        return [event.value for event, *_ in self.events]


class Desk:
    """A telemetry with a clock that a test sets, and what it logs and posts."""

    def __init__(self, **overrides: Any) -> None:
        settings = load(None, {"node.urls": ["http://a.test/KEY", "http://b.test"], **overrides}, {}).settings
        self.stream, self.clock, self.posted = io.StringIO(), Clock(), Posted()
        log = open_log(settings.log, settings.secrets(), self.stream)
        self.telemetry = Telemetry(settings, log=log, webhooks=self.posted, clock=self.clock)

    def value(self, name: str, **labels: str) -> float | None:
        """A sample of the metrics."""
        return self.telemetry.metrics.registry.get_sample_value(name, labels)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def desk() -> Desk:
    """A desk with the default settings and two nodes."""
    return Desk()


def outcomes(desk: Desk, duty: str) -> dict[str, float | None]:
    """How often each outcome was counted, those at 0 left out."""
    counted = {outcome: desk.value("backstop_duties_total", duty=duty, outcome=outcome) for outcome in OUTCOMES}
    return {outcome: count for outcome, count in counted.items() if count}


# ------------------------------------------------------------------ duties and cycles


def test_a_duty_that_was_sent(desk: Desk) -> None:
    with desk.telemetry.cycle(BLOCK), desk.telemetry.duty("adl", market="ETH-USD") as record:
        desk.clock.time += 2
        record.sent("0xab", 500_000, 3 * 10**15)
    assert outcomes(desk, "adl") == {"due": 1, "sent": 1}
    assert desk.value("backstop_gas_used_total", duty="adl") == 500_000
    assert desk.value("backstop_spent_wei_total", duty="adl") == 3 * 10**15
    assert desk.value("backstop_duty_seconds_sum", duty="adl") == 2
    assert desk.value("backstop_cycle_seconds_sum") == 2
    assert desk.value("backstop_cycles_total", outcome="done") == 1
    (line,) = desk.lines
    assert (line["event"], line["block"], line["duty"], line["market"], line["tx"]) == (
        "sent",
        7,
        "adl",
        "ETH-USD",
        "0xab",
    )


@pytest.mark.parametrize("outcome", ["refused", "failed", "noop"])
def test_one_that_was_not(outcome: str, desk: Desk) -> None:
    with desk.telemetry.duty("take_over") as record:
        getattr(record, outcome)("TakeoverNotDue()")
    assert outcomes(desk, "take_over") == {"due": 1, outcome: 1}


def test_one_of_which_nothing_is_told_did_nothing(desk: Desk) -> None:
    with desk.telemetry.duty("take_over"):
        pass
    assert outcomes(desk, "take_over") == {"due": 1, "noop": 1}


def test_what_is_raised_is_counted_and_goes_on(desk: Desk) -> None:
    cycle = desk.telemetry.cycle(BLOCK)
    with pytest.raises(RpcError), cycle, desk.telemetry.duty("adl"):
        raise RpcError("no answer from http://a.test/KEY")
    assert outcomes(desk, "adl") == {"due": 1, "failed": 1}
    assert desk.value("backstop_cycles_total", outcome="failed") == 1
    assert desk.value("backstop_last_cycle_timestamp_seconds") == 0
    assert desk.lines[0]["reason"] == "RpcError: no answer from …"


def test_counters_stand_at_zero_before_anything_is_due(desk: Desk) -> None:
    for duty in ("checkpoint", "liquidate", "take_over", "adl", "redistribute", "settle_exits"):
        assert desk.value("backstop_duties_total", duty=duty, outcome="failed") == 0
    assert desk.value("backstop_duties_total", duty="unwind", outcome="failed") is None  # it is off
    assert desk.value("backstop_node_errors_total", node="2") == 0


def test_a_round(desk: Desk) -> None:
    desk.telemetry.round("31337:4", "ETH-USD", {"id": 4, "adlPrice": "82.5"})
    assert desk.value("backstop_rounds_total", market="ETH-USD") == 1
    assert desk.posted.events == [
        (Event.ROUND, "round:31337:4", {"market": "ETH-USD", "id": 4, "adlPrice": "82.5"}),
    ]


# ------------------------------------------------------------------ nodes, head, key


def test_nodes_are_numbers(desk: Desk) -> None:
    desk.telemetry.node(1, up=True, lag=0)
    desk.telemetry.node(2, up=False, lag=5)
    desk.telemetry.node_error(2, "no answer from http://a.test/KEY")
    assert (desk.value("backstop_node_up", node="1"), desk.value("backstop_node_up", node="2")) == (1, 0)
    assert desk.value("backstop_node_lag_blocks", node="2") == 5
    assert desk.value("backstop_node_errors_total", node="2") == 1
    assert "KEY" not in desk.stream.getvalue()


def test_the_head_and_what_else_is_counted(desk: Desk) -> None:
    desk.telemetry.head(BLOCK)
    desk.telemetry.reorg(2)
    desk.telemetry.replaced("0xab")
    desk.telemetry.journal(3)
    desk.telemetry.bond(5 * WAD // 2, 3 * WAD)
    assert desk.value("backstop_head_block") == 7
    assert desk.value("backstop_head_timestamp_seconds") == 1_700_000_000
    assert desk.value("backstop_head_age_seconds") > 0
    assert desk.value("backstop_reorgs_total") == desk.value("backstop_replacements_total") == 1
    assert desk.value("backstop_journal_open_transactions") == 3
    assert desk.value("backstop_bond_available") == 2.5
    assert desk.value("backstop_bond_needed") == 3


def test_readiness_is_what_it_was_told(desk: Desk) -> None:
    telemetry = desk.telemetry
    assert len(telemetry.health.faults_of_readiness()) == 4
    telemetry.recovered()
    telemetry.quorum(True)
    telemetry.head(BLOCK)
    telemetry.key("0xkey", ETHER, 0, BLOCK)
    assert telemetry.health.faults_of_readiness() == []
    desk.clock.time += 301
    assert len(telemetry.health.faults_of_readiness()) == 2  # neither the loop nor the chain moved
    telemetry.turned()
    assert len(telemetry.health.faults_of_readiness()) == 1


def test_the_key_raises_each_alarm_once_until_it_is_over(desk: Desk) -> None:
    low = ETHER // 20
    for block, (balance, spent) in enumerate(
        [(low, 0), (low - 1, 0), (0, 0), (low, 0), (0, 0), (ETHER, ETHER - 1), (ETHER, ETHER), (ETHER, 2 * ETHER)]
    ):
        desk.telemetry.key("0xkey", balance, spent, replace(BLOCK, number=block))
    assert [(event.value, key) for event, key, _ in desk.posted.events] == [
        ("low_balance", "low_balance:31337:0xkey:1"),
        ("low_balance", "low_balance:31337:0xkey:4"),
        ("budget_spent", "budget_spent:31337:0xkey:6"),
    ]
    assert desk.value("backstop_budget_exhausted") == 1
    assert desk.value("backstop_key_balance_wei") == ETHER
    assert desk.value("backstop_budget_spent_wei") == 2 * ETHER
    assert desk.value("backstop_budget_wei") == ETHER
    assert desk.value("backstop_key_low_balance_wei") == low


def test_a_budget_that_is_not_quite_spent_is_exhausted_where_nothing_can_be_sent(desk: Desk) -> None:
    for block, exhausted in enumerate([False, True, True, False]):
        desk.telemetry.key("0xkey", ETHER, ETHER - 1, replace(BLOCK, number=block), exhausted=exhausted)
        assert desk.value("backstop_budget_exhausted") == exhausted
    assert [key for _, key, _ in desk.posted.events] == ["budget_spent:31337:0xkey:1"]


# ------------------------------------------------------------------ the chain's state


def market(**changes: Any) -> Market:
    """ETH-USD at 80, 7,000 below its peak: the worked case after its takeover."""
    plain = Market(
        name="ETH-USD",
        mark_price=80 * WAD,
        maintenance_margin_fraction=WAD // 20,
        pool="eth",
        trigger=3 * WAD // 10,
        stop=WAD // 4,
        target=WAD // 4,
        adl_active=False,
        pnl=-7_000 * WAD,
        max_pnl_8h=0,
    )
    return replace(plain, **changes)


def state(
    *, number: int = 7, balance: int = 13_000, dead: bool = False, inventory: tuple[Inventory, ...] = (), **changes: Any
) -> ChainState:
    """A state of one market and its pool."""
    pool = Pool("eth", PoolKind.ISOLATED, Backing.OWN, balance * WAD, inventory)
    block = replace(BLOCK, number=number)
    return ChainState(
        snapshot=Snapshot(block, {"ETH-USD": market(is_live=not dead, **changes)}, {"eth": pool}, ()),
        block=block,
        market_ids={"ETH-USD": 1},
        terms={},
        backstop_ratio=WAD // 2,
        tokens_held=0,
        claims_of={},
        sums_of_sizes={},
        unpriced={"ETH-USD": "PriceStale(1, 2, 3)"} if dead else {},
        left_out={},
        exempt_age=120,
    )


def test_a_pool_is_seen(desk: Desk) -> None:
    desk.telemetry.state(state())
    assert desk.value("backstop_pool_balance", pool="eth") == 13_000
    assert desk.value("backstop_pool_drawdown_ratio", pool="eth") == 0.35
    assert desk.value("backstop_open_deficit", pool="eth") == 0
    assert desk.value("backstop_adl_active", market="ETH-USD") == 0
    assert desk.value("backstop_feed_live", market="ETH-USD") == 1
    assert desk.posted.names == []


def test_adl_begins_and_ends_once(desk: Desk) -> None:
    for number, is_active in enumerate([False, True, True, False, False, True]):
        desk.telemetry.state(state(number=number, adl_active=is_active))
    assert [key for _, key, _ in desk.posted.events] == [
        "adl_start:31337:ETH-USD:1",
        "adl_stop:31337:ETH-USD:3",
        "adl_start:31337:ETH-USD:5",
    ]
    assert desk.posted.events[0][2] == {"chainId": 31337, "block": 1, "market": "ETH-USD", "pool": "eth"}
    assert desk.value("backstop_adl_active", market="ETH-USD") == 1


def test_adl_that_is_on_at_the_start_is_told(desk: Desk) -> None:
    desk.telemetry.state(state(adl_active=True))
    assert desk.posted.names == ["adl_start"]


def test_a_feed_dies_and_lives(desk: Desk) -> None:
    for number, dead in enumerate([False, True, True, False, True]):
        desk.telemetry.state(state(number=number, dead=dead))
    assert desk.posted.names == ["stale_feed", "stale_feed"]
    assert desk.posted.events[0][2]["reason"] == "PriceStale(1, 2, 3)"
    assert desk.value("backstop_feed_live", market="ETH-USD") == 0


def test_an_open_deficit(desk: Desk) -> None:
    # What closing the inventory at 90 would bring back at a mark of 80 is no open deficit.
    inventory = (Inventory("ETH-USD", 800 * WAD, 72_000 * WAD),)
    desk.telemetry.state(state(balance=-8_000, inventory=inventory))
    assert desk.value("backstop_open_deficit", pool="eth") == 0
    assert desk.posted.names == []
    desk.telemetry.state(state(balance=-8_001, inventory=inventory))
    desk.telemetry.state(state(balance=-8_002, inventory=inventory))
    assert desk.value("backstop_open_deficit", pool="eth") == 2
    assert desk.posted.names == ["deficit_open"]
    assert desk.posted.events[0][2]["deficit"] == "1"


def test_figures_of_a_mutual_group() -> None:
    names = ("grain", "metal", "power")
    pools = {
        name: Pool(name, PoolKind.ISOLATED, Backing.MUTUAL, balance * WAD, ())
        for name, balance in zip(names, (-7_000, 3_000, 2_000), strict=True)
    }
    figures = pool_figures(Snapshot(None, {}, pools, ()))
    assert [(one.pool, one.balance // WAD, one.deficit // WAD) for one in figures] == [
        ("grain", -7_000, 2_000),
        ("metal", 3_000, 0),
        ("power", 2_000, 0),
    ]
    assert figures[0].drawdown is None


# ------------------------------------------------------------------ open and close


def test_it_serves_where_the_settings_say_and_ends() -> None:
    import socket

    import requests

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    telemetry = Telemetry.open(load(None, {"metrics.listen": listen}, {}).settings)
    assert "backstop_duties_total" in requests.get(f"http://{listen}/metrics", timeout=60).text
    telemetry.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{listen}/metrics", timeout=60)
