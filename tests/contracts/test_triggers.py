"""ADL in time: published cases, losses that add up, spikes, silence, rounds in parts, both sides, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import act, emitted, now, refused
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Item, Side, Trigger
from tests.support.stakers import fresh

NINE_HOURS = 9 * 3600
HOUR = 3600


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 100, 100x, in a pool of its own that has 20,000; its auctions are at mark, and buyer has money."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    prepare(desk)
    return desk


def prepare(desk: Desk) -> None:
    act(desk.venue.owner, desk.fund.setAuctionParameters, desk.market.id, 0, 86_400)
    desk.deposit(desk.trader("buyer"), 1_000_000)


def bounds(desk: Desk, trigger: str, stop: str, target: str) -> None:
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad(trigger), wad(stop), wad(target))


def adl(desk: Desk) -> Any:
    """The market's state as the lens tells it; what the fund says of the sides is the same."""
    state = desk.venue.system.fund_lens.adlState(desk.market.id)
    terms = [desk.terms(side) for side in Side]
    assert [tuple(state.long), tuple(state.short)] == [tuple(each) for each in terms]
    assert tuple(state.backing) == tuple(desk.backing())
    assert (state.seen, state.stress, state.lastDue) == tuple(desk.fund.seen(desk.market.id))
    assert state.isOn is any(each.trigger != Trigger.NONE for each in terms)
    return state


# ---------------------------------------------------------------------- published


def test_a_fall_of_35_percent_from_a_peak_of_a_million(venue: Venue) -> None:
    """As a venue tells it: the fund falls from 1,000,000 by 350,000; with a target of 30 % others give up 50,000."""
    desk = open_desk(venue, "XBT-USD", 100)
    bounds(desk, "0.3", "0.25", "0.3")
    desk.contribute(1_000_000)
    desk.inherit("icarus", 10_000, 100, 10_000, 64)
    state = adl(desk)
    assert (state.backing.base, state.backing.balance, state.backing.drawdown) == (
        wad(1_000_000),
        wad(650_000),
        wad("0.35"),
    )
    assert (state.isOn, state.reason, state.long.compensation) == (True, Trigger.DRAWDOWN, wad(50_000))
    assert (state.long.price, state.long.size) == (wad(69), wad(10_000))
    whale = desk.trader("whale")
    before = desk.equity(whale)
    desk.deleverage(Side.LONG, [whale])
    assert before - desk.equity(whale) == wad(50_000)
    state = adl(desk)
    assert (state.isOn, state.backing.balance, state.backing.drawdown) == (False, wad(700_000), wad("0.3"))


# ---------------------------------------------------------------------- several markets


def test_one_market_loses_40_percent_while_another_gains_30(venue: Venue) -> None:
    """What B earned deepens the pool for both; A is due, B is not, and B's counterparties give up nothing.

    | market | sold or held        | result | of 26,000 |
    | A      | 1,000 long from 99  | -10,400 |     40 % |
    | B      | 1,000 long from 90  |  +6,000 |          |
    """
    first, second = open_shared(venue, "A-USD", "B-USD", initial="0.01", maintenance="0.005")
    first.contribute(20_000)
    prepare(second)
    second.inherit("midas", 1000, 100, 10_000, 90)
    second.price(96)
    second.buy(Side.LONG, wad(999), by=second.trader("buyer"))
    earned = second.fund.items(second.market.pool)[Item.AUCTION]
    assert earned > wad(5900)
    first.inherit("icarus", 1000, 100, 1000, "88.6")
    state, other = adl(first), adl(second)
    assert state.backing.base == other.backing.base == wad(20_000) + earned
    assert state.backing.drawdown == wad(10_400) * 10**18 // state.backing.base > wad("0.4")
    assert (state.isOn, state.reason) == (True, Trigger.DRAWDOWN)
    assert state.long.compensation == wad(10_400) - state.backing.base // 4
    assert (other.isOn, other.reason, other.backing.drawdown) == (False, Trigger.NONE, 0)
    assert other.long.size == wad(1)
    with refused(second.engine.ADLNotDue, market=second.market.id, side=Side.LONG):
        second.deleverage(Side.LONG, [second.trader("whale")])


def test_losses_of_the_window_add_up(desk: Desk) -> None:
    """2,000 lost in a sale, 4,000 four hours later by new inventory, which alone is asked; then only those count."""
    start = now()
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.price(97)
    desk.buy(Side.LONG, by=desk.trader("buyer"))
    lost = -desk.fund.items(desk.market.pool)[Item.AUCTION]
    assert wad(2000) <= lost < wad(2001)
    fresh(desk, at=start + 4 * HOUR)
    desk.inherit("midas", 1000, 97, 970, "92.03", against="kraken")
    state = adl(desk)
    assert state.backing.loss == lost + wad(4000)
    assert (state.isOn, state.long.compensation) == (True, lost + wad(4000) - wad(5000))
    assert state.long.size == wad(1000)
    fresh(desk, at=start + NINE_HOURS)
    state = adl(desk)
    assert (state.backing.loss, state.backing.base) == (wad(4000), wad(20_000) - lost)
    assert not state.isOn


# ---------------------------------------------------------------------- spikes and silence


@pytest.mark.parametrize("spike", [150, 94], ids=["up", "down"])
def test_a_mark_that_spikes_for_one_touch_is_no_drawdown(desk: Desk, spike: int) -> None:
    """Up it is a gain that counts nothing; down it is a sample below the others."""
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.price(98)
    desk.checkpoint()
    before = desk.backing()
    desk.price(spike)
    desk.checkpoint()
    desk.price(98)
    desk.checkpoint()
    after = desk.backing()
    assert (after.loss, after.drawdown, after.drawdownDue) == (before.loss, before.drawdown, False)
    assert before.loss == wad(1000)


@pytest.mark.parametrize("sampled", [False, True], ids=["nobody looked", "sampled when it was lost"])
def test_nine_hours_of_silence_after_a_loss(desk: Desk, sampled: bool) -> None:
    """Whoever comes first still finds it due, where nobody had sampled the loss; else it has left the window."""
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.price(92)
    if sampled:
        desk.checkpoint()
    fresh(desk, at=now() + NINE_HOURS)
    state = adl(desk)
    assert state.backing.loss == (0 if sampled else wad(7000))
    assert state.isOn is not sampled
    if not sampled:
        desk.deleverage(Side.LONG, [desk.trader("whale")])
        assert desk.backing().drawdown == wad("0.25")


# ---------------------------------------------------------------------- rounds


def test_a_round_in_parts_while_the_mark_stands(desk: Desk) -> None:
    """Whoever is asked first, second or third gives up the same a contract."""
    _shorts(desk)
    prices = []
    for name in ("ada", "bea", "cyd"):
        state = adl(desk)
        prices.append(state.long.price)
        assert state.isOn
        desk.deleverage(Side.LONG, [desk.trader(name)])
    assert prices == [wad(94)] * 3
    state = adl(desk)
    assert (state.isOn, state.long.size, state.backing.drawdown) == (False, 0, wad("0.25"))


def _shorts(desk: Desk) -> None:
    """1,000 from 99 at 92, against ada, bea and cyd; 2,000 are due of them together."""
    icarus = desk.trader("icarus")
    desk.deposit(icarus, 1000)
    for name, contracts in (("ada", 200), ("bea", 300), ("cyd", 500)):
        desk.deposit(desk.trader(name), 50_000)
        desk.trade(desk.trader(name), icarus, wad(contracts), wad(100))
    desk.price(92)
    desk.take_over(icarus)


@pytest.mark.parametrize(
    ("mark", "due"),
    [(90, True), ("93.7", True), (94, False), (99, False)],
    ids=["falls", "recovers a little", "recovers to the stop", "recovers"],
)
def test_a_round_in_parts_while_the_mark_moves(desk: Desk, mark: Any, due: bool) -> None:
    """200 of 1,000 are closed at 94, a loss of 1,000; the rest is judged anew at the mark that it finds.

    At 90 the 800 left have lost 7,200: 8,200 in all, 3,200 of them due, 4 a contract. And so on.
    """
    _shorts(desk)
    desk.deleverage(Side.LONG, [desk.trader("ada")])
    desk.price(mark)
    state = adl(desk)
    lost = wad(1000) + 800 * max(0, wad(99) - desk.mark())
    assert state.backing.loss == lost
    assert state.isOn is due
    if due:
        assert state.long.price == desk.mark() - (wad(5000) - lost) // 800
        desk.deleverage(Side.LONG, [desk.trader(name) for name in ("bea", "cyd")])
        assert adl(desk).backing.drawdown == wad("0.25")


def test_both_sides_of_a_market_at_once(desk: Desk) -> None:
    """1,000 long from 99 and 500 short from 87 at 95: 4,000 each; half of the 3,000 due is asked of either side."""
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.inherit("midas", -500, 86, 500, 87, against="kraken")
    desk.price(95)
    state = adl(desk)
    assert (state.long.inventoryLoss, state.short.inventoryLoss) == (wad(4000), wad(4000))
    assert (state.long.compensation, state.short.compensation) == (wad(1500), wad(1500))
    assert (state.long.size, state.short.size) == (wad(1000), wad(-500))
    assert (state.long.price, state.short.price) == (wad("96.5"), wad(92))
    desk.deleverage(Side.LONG, [desk.trader("whale")])
    state = adl(desk)
    assert state.isOn
    # The price of the one side does not depend on the other having been closed.
    assert state.short.price == wad(92)
    desk.deleverage(Side.SHORT, [desk.trader("kraken")])
    state = adl(desk)
    assert (state.isOn, state.long.size, state.short.size) == (False, 0, 0)
    assert state.backing.loss == wad(5000)


# ---------------------------------------------------------------------- what is told


def events(desk: Desk, done: Any) -> list[tuple[str, Any]]:
    started = [("on", Trigger(each["reason"])) for each in emitted(done, desk.fund.ADLStarted)]
    return started + [("off", each["drawdown"]) for each in emitted(done, desk.fund.ADLEnded)]


def test_what_is_told_from_drawdown_to_depletion_and_back(desk: Desk) -> None:
    """One beginning and one end, however the reason changes between."""
    desk.inherit("icarus", 1000, 100, 1000, 99)
    start = now() + 10
    assert events(desk, desk.sample("93.00000001", start)) == []
    assert adl(desk).isOn is False
    desk.price(93)
    state = adl(desk)
    assert (state.isOn, state.reason, state.seen, state.lastDue) == (True, Trigger.DRAWDOWN, Trigger.NONE, 0)
    done = desk.checkpoint()
    assert events(desk, done) == [("on", Trigger.DRAWDOWN)]
    state = adl(desk)
    assert (state.seen, state.stress, state.lastDue) == (Trigger.DRAWDOWN, 4, done.timestamp)
    # All is lost; what was lost leaves the window, and depletion is what is left of it.
    desk.price(70)
    assert events(desk, desk.checkpoint()) == []
    assert adl(desk).reason == Trigger.DRAWDOWN
    fresh(desk, at=now() + NINE_HOURS)
    assert events(desk, desk.checkpoint()) == []
    state = adl(desk)
    assert (state.isOn, state.reason, state.seen) == (True, Trigger.DEPLETION, Trigger.DEPLETION)
    assert (state.long.price, state.long.compensation) == (wad(79), wad(9000))
    done = desk.deleverage(Side.LONG, [desk.trader("whale")])
    assert events(desk, done) == [("off", 0)]
    state = adl(desk)
    assert (state.isOn, state.reason, state.seen, state.long.size) == (False, Trigger.NONE, Trigger.NONE, 0)
    assert desk.backing().balance == 0


def test_depletion_is_told_as_such(venue: Venue) -> None:
    """An empty pool has no base for a drawdown."""
    poor = open_desk(venue, "LUNA-USD", 100)
    done = poor.inherit("icarus", 10, 100, 10, 98)
    assert emitted(done, poor.fund.ADLStarted) == [
        {"market": poor.market.id, "reason": Trigger.DEPLETION, "drawdown": 0}
    ]
    state = adl(poor)
    assert (state.isOn, state.reason, state.long.size) == (True, Trigger.DEPLETION, wad(10))
    poor.price(99)
    assert emitted(poor.checkpoint(), poor.fund.ADLEnded) == [{"market": poor.market.id, "drawdown": 0}]
    assert not adl(poor).isOn


def test_the_side_with_the_larger_compensation_names_the_reason(desk: Desk) -> None:
    desk.inherit("icarus", 10, 100, 10, 99)
    desk.inherit("midas", -1000, 99, 1000, 106, against="kraken")
    state = adl(desk)
    assert (state.long.trigger, state.short.trigger) == (Trigger.NONE, Trigger.DRAWDOWN)
    assert (state.isOn, state.reason) == (True, Trigger.DRAWDOWN)
