"""What a cycle does beside liquidations, takeovers and rounds: purchases, trading out; and what waits for what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, isolated_account
from backstop.adl.snapshot import Block, Side
from backstop.chain.bindings import CHECKPOINT
from backstop.chain.head import Head
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper.buying import Buyer, BuyInventory, purchases
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.duties import TakeOver
from backstop.keeper.kinds import PRIORITIES, is_urgent
from backstop.keeper.pulse import Pulse
from backstop.keeper.stagger import Stagger
from backstop.keeper.unwinding import Unwind, Unwinder, WayOut
from backstop.keeper.upkeep import Checkpoint, Upkeep, UpkeepReader
from backstop.math.wad import WAD
from backstop.orders import Order, sign
from backstop.settings import Settings
from backstop.telemetry import Telemetry
from backstop.telemetry.log import open_log
from backstop.trading.order_file import OrderFile, dumps
from backstop.transactions.journal import Journal, State
from backstop.transactions.sender import Sender
from backstop.transactions.steps import Kind, Step
from scripts.stage.venue import TestMarket, Venue
from tests.support.acting import later

OWN = {"buy_inventory": 70, "unwind": 80}


class Pond:
    """A market at 100 with a pool of 10,000, and the keeper's funded account."""

    def __init__(self, venue: Venue, folder: Path) -> None:
        self.venue = venue
        self.folder = folder
        self.market: TestMarket = venue.list_market("POND-USD", "pond", Decimal(100))
        venue.contribute(venue.trader("pond donor"), self.market, 10_000)
        self.keeper = venue.trader("pond keeper")
        venue.post_bond(self.keeper)
        self.account = account_text(venue.deposit(self.keeper, self.market, 10_000))
        self.bear = venue.trader("pond bear")
        venue.deposit(self.bear, self.market, 100_000)

    def bull(self, margin: int = 100, contracts: int = 10) -> str:
        """Somebody with contracts long, against the bear."""
        trader = self.venue.trader("pond bull")
        account = account_text(self.venue.deposit(trader, self.market, margin))
        self.venue.trade(self.bear, trader, self.market, contracts * WAD, 100 * WAD)
        return account

    def state(self) -> ChainState:
        return read_chain(self.venue.endpoint, self.venue.deployment)

    def position(self, account: str | None = None) -> int:
        """Signed contracts of an account, the keeper's by default."""
        wanted = account or self.account
        found = [one.positions for one in self.state().snapshot.accounts if one.id == wanted]
        return found[0][0].size if found and found[0] else 0

    def cycle(
        self, journal: Journal | None = None, on_step: Callable[[Step], None] = lambda _: None, **options: Any
    ) -> Cycle:
        sender = Sender(self.venue.endpoint, self.keeper, chain.chain_id, journal=journal, on_step=on_step)
        return Cycle(self.venue.endpoint, self.venue.deployment, sender, send=True, **options)

    def run(self, **options: Any) -> list[Action]:
        return list(self.cycle(**options).run(pytest.fail))

    def order(
        self, name: str, contracts: int, price: Decimal | int, *, by: LocalAccount | None = None, **fields: Any
    ) -> Path:
        """A signed order in the folder, by the bear unless somebody else is named."""
        who = by or self.bear
        expiry = chain.blocks.head.timestamp + fields.pop("seconds", 3600)
        order = Order(
            account=isolated_account(who.address, self.market.id),
            market=self.market.id,
            size=contracts * WAD,
            limit_price=int(Decimal(price) * WAD),
            expiry=expiry,
            salt=len(list(self.folder.iterdir())),
        )
        item = OrderFile(
            Path(name), "POND-USD", order, self.venue.domain, sign(order, self.venue.domain, fields.pop("key", who))
        )
        file = self.folder / f"{name}.json"
        file.write_text(dumps(item))
        return file

    def unwinder(self, **changed: Any) -> Unwinder:
        way_out = WayOut(
            **{
                "owner": self.keeper.address,
                "indices": (0,),
                "orders": self.folder,
                "keep": 0,
                "at_once": 10_000 * WAD,
                "slippage": WAD // 100,
                **changed,
            }
        )
        return Unwinder(
            self.venue.endpoint, self.venue.deployment, way_out, lambda order, domain: sign(order, domain, self.keeper)
        )

    def go_long(self) -> None:
        """The keeper has 10 contracts, as after a liquidation."""
        self.venue.trade(self.bear, self.keeper, self.market, 10 * WAD, 100 * WAD)


@pytest.fixture
def pond(venue: Venue, tmp_path: Path) -> Pond:
    folder = tmp_path / "orders"
    folder.mkdir()
    return Pond(venue, folder)


# ------------------------------------------------------------------ trading out


def test_positions_are_traded_out_at_the_best_price_of_the_folder(pond: Pond) -> None:
    pond.go_long()
    pond.order("low", 4, "99.5")
    pond.order("high", 4, "99.8")
    done = pond.run(unwinder=pond.unwinder(), priorities=OWN)
    assert [(one.duty.order.file.name, one.duty.contracts) for one in done if isinstance(one.duty, Unwind)] == [
        ("high.json", 4 * WAD),
        ("low.json", 4 * WAD),
    ]
    assert pond.position() == 2 * WAD


@pytest.mark.parametrize(("price", "closed"), [("99", 10), ("98.999999", 0)])
def test_the_price_is_within_the_limit_from_mark(price: str, closed: int, pond: Pond) -> None:
    pond.go_long()
    pond.order("one", 20, price)
    pond.run(unwinder=pond.unwinder(), priorities=OWN)
    assert pond.position() == (10 - closed) * WAD


def test_a_short_is_bought_back(pond: Pond) -> None:
    pond.venue.trade(pond.bear, pond.keeper, pond.market, -10 * WAD, 100 * WAD)
    pond.order("buyer", 20, "100")
    pond.order("dear", -20, "101.1")
    pond.order("fair", -6, "101")
    pond.run(unwinder=pond.unwinder(), priorities=OWN)
    assert pond.position() == -4 * WAD


def test_what_is_to_be_kept_is_kept_and_no_more_goes_at_once_than_allowed(pond: Pond) -> None:
    pond.go_long()
    pond.order("one", 20, 100)
    done = pond.run(unwinder=pond.unwinder(keep=300 * WAD, at_once=200 * WAD), priorities=OWN)
    assert [one.duty.contracts for one in done if isinstance(one.duty, Unwind)] == [2 * WAD, 2 * WAD, 2 * WAD, WAD]
    assert pond.position() == 3 * WAD


def test_what_cannot_be_filled_is_passed_over(pond: Pond) -> None:
    """Expired, of somebody who did not sign it, unsigned, no order at all; and one that is filled."""
    pond.go_long()
    pond.order("aged", 20, 100, seconds=-1)
    forged = pond.order("forged", 20, "100.5", key=pond.keeper)
    (pond.folder / "unread.json").write_text("{}")
    pond.order("good", 3, "99.5")
    warned: list[str] = []
    done = list(pond.cycle(unwinder=pond.unwinder(), priorities=OWN).run(warned.append))
    assert [(one.receipt is not None, one.duty.order.file.name) for one in done if isinstance(one.duty, Unwind)] == [
        (False, "forged.json"),
        (True, "good.json"),
        (False, "forged.json"),
    ]
    assert done[0].refusal is not None
    assert done[0].refusal.startswith("OrderSignatureInvalid(")
    assert {text.split(": ")[0] for text in warned} == {"an order is left alone"}
    assert pond.position() == 7 * WAD
    forged.unlink()
    assert list(pond.cycle(unwinder=pond.unwinder(), priorities=OWN).run(lambda _: None)) == []


def test_a_folder_that_is_not_there_is_told(pond: Pond) -> None:
    pond.go_long()
    warned: list[str] = []
    unwinder = pond.unwinder(orders=pond.folder / "none")
    assert list(pond.cycle(unwinder=unwinder, priorities=OWN).run(warned.append)) == []
    assert warned == [f"nothing is traded out: cannot read the folder {pond.folder / 'none'}: no such folder"]


# ------------------------------------------------------------------ inventory


def on_sale(pond: Pond) -> None:
    """10 contracts of the pool, taken over at 91, and the auction at its floor."""
    pond.bull(margin=100)
    pond.venue.set_price(pond.market, Decimal(91))
    (taken,) = pond.run()
    assert isinstance(taken.duty, TakeOver)
    later(86_400)
    pond.venue.set_price(pond.market, Decimal(91))


def test_inventory_is_bought_where_the_price_is_better_than_mark_by_the_edge(pond: Pond) -> None:
    on_sale(pond)
    buyer = Buyer(pond.keeper.address, 0, 10_000 * WAD, WAD // 100)
    done = pond.run(buyer=buyer, priorities=OWN)
    assert [(type(one.duty), one.receipt is not None) for one in done] == [(BuyInventory, True)]
    assert pond.position() == 10 * WAD


def test_no_more_is_bought_than_the_notional_allows(pond: Pond) -> None:
    on_sale(pond)
    pond.run(buyer=Buyer(pond.keeper.address, 0, 455 * WAD, WAD // 100), priorities=OWN)
    assert pond.position() == 5 * WAD


def test_the_edge_is_a_boundary(pond: Pond) -> None:
    on_sale(pond)
    state = pond.state()
    auction = state.terms["POND-USD"].auctions[Side.LONG]
    mark = state.snapshot.markets["POND-USD"].mark_price
    edge = (mark - auction.price) * WAD // mark
    assert edge > WAD // 100
    for gain, due in ((edge, 1), (edge + 1, 0)):
        assert len(purchases(state, Buyer(pond.keeper.address, 0, 10_000 * WAD, gain))) == due


def test_in_other_markets_nothing_is_bought(pond: Pond) -> None:
    on_sale(pond)
    assert purchases(pond.state(), Buyer(pond.keeper.address, 0, 10_000 * WAD, 0, ("SEA-USD",))) == []


# ------------------------------------------------------------------ what waits for what


def test_what_is_urgent_takes_the_place_of_a_sample_that_waits(pond: Pond) -> None:
    """The price falls while a sample is in the pool: the takeover goes out with its nonce."""
    bull, node = pond.bull(), pond.venue.endpoint
    journal, steps = Journal(), []
    fallen: list[bool] = []

    def act(step: Step) -> None:
        steps.append(step.kind)
        if step.kind is not Kind.WAITING:
            return
        if not fallen:  # the pool loses it, and the price falls in a block of its own
            fallen.append(True)
            node.request("anvil_dropTransaction", step.transaction)
            node.request("evm_setAutomine", True)
            pond.venue.set_price(pond.market, Decimal(91))
            node.request("evm_setAutomine", False)
        elif step.name.startswith("takeOver"):
            node.request("evm_setAutomine", True)
            node.request("evm_mine")

    node.request("evm_setAutomine", False)
    try:
        done = list(pond.cycle(journal, act, upkeep=Upkeep()).run(pytest.fail))
    finally:
        node.request("evm_setAutomine", True)
    assert isinstance(done[0].duty, TakeOver)
    assert done[0].receipt is not None
    assert pond.position(bull) == 0
    sample, taken = journal.all()[:2]
    assert (sample.name.split()[0], sample.state, sample.reason) == (
        "checkpoint",
        State.DROPPED,
        f"preempted by transaction {taken.id}",
    )
    assert sample.nonce == taken.nonce
    assert Kind.PREEMPTED in steps


def test_a_sample_that_a_trigger_waits_for_is_urgent(pond: Pond) -> None:
    """The pool loses more than its trigger allows while this keeper does no rounds."""
    pond.bull(1000, contracts=100)
    pond.venue.set_price(pond.market, Decimal(91))
    pond.run(priorities={"take_over": 20})
    pond.venue.set_price(pond.market, Decimal(55))
    reader = UpkeepReader(pond.venue.endpoint, pond.venue.deployment, Upkeep())
    (due,) = reader.unseen(pond.state())
    assert due == Checkpoint("POND-USD", None, True)
    assert is_urgent(due)
    done = pond.run(priorities={"checkpoint": 40}, upkeep=Upkeep(redistribute=False, settle_exits=False))
    assert done[0].duty == due
    assert reader.unseen(pond.state()) == []


def test_events_are_read_a_part_at_a_look(pond: Pond) -> None:
    """The last sample lies further back than a look goes."""
    pond.venue.send(pond.keeper, pond.venue.system.fund, CHECKPOINT.encode(pond.market.id))
    sampled = chain.blocks.head.timestamp
    chain.mine(30)
    reader = UpkeepReader(pond.venue.endpoint, pond.venue.deployment, Upkeep(), most_blocks=8)
    seen = [[one.market for one in reader.due(pond.state()) if isinstance(one, Checkpoint)] for _ in range(6)]
    assert seen[:3] == [[], [], []]
    assert reader._sampled[pond.market.id] == sampled
    whole = UpkeepReader(pond.venue.endpoint, pond.venue.deployment, Upkeep())
    assert {one.key for one in reader.due(pond.state())} == {one.key for one in whole.due(pond.state())}


def test_priorities_are_those_of_the_settings() -> None:
    assert {name: duty.priority for name, duty in Settings().duties.all()} == PRIORITIES


def test_what_is_switched_off_is_not_done(pond: Pond) -> None:
    pond.bull()
    pond.venue.set_price(pond.market, Decimal(91))
    assert pond.run(priorities={"adl": 30}) == []
    assert [type(one.duty) for one in pond.run(priorities={"take_over": 20})] == [TakeOver]


def test_a_later_keeper_leaves_blocks_to_those_before_it(pond: Pond) -> None:
    pond.bull()
    pond.venue.set_price(pond.market, Decimal(91))
    cycle = pond.cycle(stagger=Stagger(2))
    assert list(cycle.run(pytest.fail)) == []
    chain.mine(1)
    assert list(cycle.run(pytest.fail)) == []
    chain.mine(1)
    assert [type(one.duty) for one in cycle.run(pytest.fail)] == [TakeOver]


def test_what_was_not_due_in_between_waits_anew() -> None:
    stagger, duty = Stagger(2), TakeOver("a", ("ETH-USD",), 0, 0)
    for block, due, ripe in ((1, True, 0), (2, False, 0), (3, True, 0), (4, True, 0), (5, True, 1)):
        stagger.begin()
        assert len(stagger.ripe([duty] if due else [], block)) == ripe


# ------------------------------------------------------------------ a chain that stands still


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def log() -> StringIO:
    return StringIO()


@pytest.fixture
def telemetry(log: StringIO) -> Iterator[Telemetry]:
    one = Telemetry(Settings(), log=open_log(Settings().log, stream=log))
    yield one
    one.close()


def test_a_halt_is_told_once_and_its_end(telemetry: Telemetry, pond: Pond, log: StringIO) -> None:
    clock = Clock()
    pulse = Pulse(pond.venue.endpoint, 31337, telemetry, 60, clock)
    head = pond.venue.endpoint.head()
    pulse.see(head)
    clock.time = 59
    pulse.beat()
    assert telemetry.metrics.registry.get_sample_value("backstop_chain_halted") == 0
    clock.time = 60
    pulse.beat()
    clock.time = 90
    pulse.beat()
    assert telemetry.metrics.registry.get_sample_value("backstop_chain_halted") == 1
    chain.mine(1)
    clock.time = 91
    pulse.beat()
    assert telemetry.metrics.registry.get_sample_value("backstop_chain_halted") == 0
    assert pulse.block is not None
    assert pulse.block == Block(31337, head.number + 1, pond.venue.endpoint.head().hash, pulse.block.timestamp)
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["chain_halt", "blocks come again"]


def test_it_is_told_where_no_node_answers(telemetry: Telemetry, pond: Pond) -> None:
    clock = Clock()
    pulse = Pulse(pond.venue.endpoint, 31337, telemetry, 60, clock)
    pulse.see(Head(1, "0x1", "0x0", 1))
    clock.time = 61
    pulse.miss()
    assert telemetry.metrics.registry.get_sample_value("backstop_chain_halted") == 1
    assert "no quorum of nodes" in telemetry.health.faults_of_readiness()
