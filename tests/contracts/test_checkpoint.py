"""Samples of a market's result, their maximum over eight hours, the memory of ADL: `InsuranceFund.checkpoint`."""

from __future__ import annotations

import random

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import act, emitted, now, refused, wait_until
from tests.support.desk import Desk, open_desk
from tests.support.enums import Side, Trigger

BUCKET = 900
EIGHT_HOURS = 8 * 3600


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A pool of 20,000 that holds 1,000 long contracts from 99: each unit that the price falls below it costs 1,000."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    return desk


def next_bucket() -> int:
    """Where the next bucket begins."""
    return (now() // BUCKET + 1) * BUCKET


def read(desk: Desk, price: int | str, at: int) -> tuple[int, int]:
    """Result and maximum at a price and time, in quote; nothing is sampled."""
    desk.price(price, at=at - 1)
    wait_until(at)
    backing = desk.backing()
    return backing.pnl // 10**18, backing.maxPnl // 10**18


def forget(desk: Desk) -> int:
    """A sample of -5,000, and a bucket's begin so much later that nothing higher is left in the window."""
    start = next_bucket()
    desk.sample(94, start + 10)
    return start + 100 * BUCKET


def drawdowns(done: object, event: object) -> list[int]:
    """The drawdowns of the events of one kind, in basis points."""
    return [each["drawdown"] // 10**14 for each in emitted(done, event)]  # type: ignore[arg-type]


# ---------------------------------------------------------------------- a sample


def test_a_sample(desk: Desk) -> None:
    done = desk.sample(98, next_bucket())
    assert emitted(done, desk.fund.Checkpointed) == [
        {"market": desk.market.id, "pnl": wad(-1000), "balance": wad(19_000), "drawdown": wad("0.05")}
    ]
    assert emitted(done, desk.fund.ADLStarted) == emitted(done, desk.fund.ADLEnded) == []


def test_a_gain_of_inventory_counts_nothing(desk: Desk) -> None:
    assert read(desk, 120, next_bucket()) == (0, 0)
    assert desk.backing().balance == wad(20_000)


def test_an_unlisted_market(desk: Desk) -> None:
    unlisted = Desk(desk.venue, TestMarket(desk.exchange.marketCount() + 1, "", 0, None))
    with refused(desk.fund.MarketUnassigned, market=unlisted.market.id):
        unlisted.checkpoint()


def test_without_a_price_inventory_counts_at_the_last_one_moved_by_mmf(
    desk: Desk, venue: Venue, market: TestMarket
) -> None:
    desk.sample(98, next_bucket())
    act(desk.trader("keeper"), desk.price_feed.accept, desk.market.id)
    wait_until(desk.priced_at() + 3601)
    # 98 less 0.5 % is 97.51.
    assert emitted(desk.checkpoint(), desk.fund.Checkpointed) == [
        {"market": desk.market.id, "pnl": wad(-1490), "balance": wad(18_510), "drawdown": wad("0.0745")}
    ]
    bare = Desk(venue, market)
    assert emitted(bare.checkpoint(), desk.fund.Checkpointed) == [
        {"market": market.id, "pnl": 0, "balance": 0, "drawdown": 0}
    ]


# ---------------------------------------------------------------------- the window


def test_a_peak_leaves_with_the_bucket_after_it(desk: Desk) -> None:
    """The result was 0 until the sample in the middle of a bucket: that bucket still counts 32 buckets on, not 33."""
    start = next_bucket()
    desk.sample(99, start + 10)
    desk.sample(94, start + BUCKET + 450)
    leaves = start + BUCKET + 33 * BUCKET
    assert read(desk, 94, leaves - 1) == (-5000, 0)
    assert read(desk, 94, leaves) == (-5000, -5000)


def test_the_last_sample_before_the_window_is_its_first(desk: Desk) -> None:
    """Nobody sampled for two days; the result of then held until the sample that ended it."""
    start = next_bucket()
    desk.sample(96, start + 10)
    late = start + 2 * 86_400
    desk.sample(94, late)
    assert read(desk, 94, late + 60) == (-5000, -3000)
    assert read(desk, 94, late + EIGHT_HOURS) == (-5000, -3000)
    assert read(desk, 94, late + 33 * BUCKET) == (-5000, -5000)


def test_without_a_sample_the_last_one_holds(desk: Desk) -> None:
    start = next_bucket()
    desk.sample(96, start + 10)
    assert read(desk, 94, start + 2 * 86_400) == (-5000, -3000)


def test_the_peak_of_a_bucket_outlives_later_samples_of_it(desk: Desk) -> None:
    start = forget(desk)
    for offset, price in ((10, 96), (500, 97), (899, 95)):
        desk.sample(price, start + offset)
    desk.sample(94, start + BUCKET)
    assert read(desk, 94, start + 33 * BUCKET - 1) == (-5000, -2000)
    # The next bucket was opened with what held until then, not with the peak.
    assert read(desk, 94, start + 33 * BUCKET) == (-5000, -4000)
    assert read(desk, 94, start + 34 * BUCKET) == (-5000, -5000)


def test_the_present_is_a_sample(desk: Desk) -> None:
    start = forget(desk)
    assert read(desk, 96, start) == (-3000, -3000)
    assert read(desk, 95, start + 10) == (-4000, -4000)


def test_what_nobody_sampled_is_not_remembered(desk: Desk) -> None:
    start = forget(desk)
    assert read(desk, 99, start) == (0, 0)
    assert read(desk, 94, start + 10) == (-5000, -5000)


def test_a_peak_stays_while_the_ring_goes_round(desk: Desk) -> None:
    """A sample in each bucket: every slot is filed once and more, and the peak leaves when its bucket does."""
    start = forget(desk)
    desk.sample(97, start)
    for bucket in range(1, 34):
        desk.sample(94, start + bucket * BUCKET)
        assert desk.backing().maxPnl == wad(-2000)
    assert read(desk, 94, start + 34 * BUCKET - 1) == (-5000, -2000)
    assert read(desk, 94, start + 34 * BUCKET) == (-5000, -5000)
    for bucket in range(34, 70):
        desk.sample(94, start + bucket * BUCKET + 5)
        assert desk.backing().maxPnl == wad(-5000)


def test_a_market_that_is_sampled_at_random(desk: Desk) -> None:
    """Never below the true maximum of the window, never above that of a window one bucket longer."""
    dice = random.Random(20)
    at = next_bucket() + 100 * BUCKET
    samples = [(0, 0), (at, -2000)]
    desk.sample(97, at)

    def highest(since: int) -> int:
        before = [result for time, result in samples if time <= since][-1]
        return max([before, *(result for time, result in samples if time > since)])

    for _ in range(40):
        at += dice.choice((7, 300, 900, 1800, 5000, 20_000))
        price = dice.randint(80, 99)
        present, found = read(desk, price, at)
        assert max(present, highest(at - EIGHT_HOURS)) <= found <= max(present, highest(at - EIGHT_HOURS - BUCKET))
        at += 1
        desk.checkpoint(at=at)
        samples.append((at, present))


# ---------------------------------------------------------------------- the memory of a start


def test_adl_starts_once_and_ends_once(desk: Desk) -> None:
    """At 30 % it starts, above 25 % it goes on, at 25 % it ends, and below 30 % it does not start again."""
    start = next_bucket()
    steps = [
        ("93.5", [], []),
        ("93", [3000], []),
        ("92", [], []),
        ("93.9", [], []),
        ("94", [], [2500]),
        ("93.5", [], []),
        ("92.9", [3050], []),
        ("99", [], [0]),
    ]
    for offset, (price, started, ended) in enumerate(steps):
        done = desk.sample(price, start + 10 * (offset + 1))
        assert drawdowns(done, desk.fund.ADLStarted) == started, price
        assert drawdowns(done, desk.fund.ADLEnded) == ended, price


def test_the_memory_lapses_after_eight_hours(desk: Desk) -> None:
    """Started at 30 %; at 27 % it is due for eight hours and not a second more, though the peak is still in sight."""
    start = next_bucket() + 1
    desk.sample(93, start)
    read(desk, "93.6", start + EIGHT_HOURS - 1)
    backing = desk.backing()
    assert (backing.drawdown, backing.started, backing.drawdownDue) == (wad("0.27"), True, True)
    assert desk.terms(Side.LONG).trigger == Trigger.DRAWDOWN

    wait_until(start + EIGHT_HOURS)
    backing = desk.backing()
    assert (backing.drawdown, backing.started, backing.drawdownDue) == (wad("0.27"), False, False)
    assert desk.terms(Side.LONG).trigger == Trigger.NONE
    done = desk.checkpoint(at=start + EIGHT_HOURS + 1)
    assert drawdowns(done, desk.fund.ADLEnded) == [2700]


def test_a_sample_while_due_renews_the_memory(desk: Desk) -> None:
    start = next_bucket() + 1
    desk.sample(93, start)
    desk.sample("93.6", start + 4 * 3600)
    read(desk, "93.6", start + EIGHT_HOURS)
    assert desk.backing().drawdownDue
    # The peak leaves the window before the memory does.
    read(desk, "93.6", start - 1 + 33 * BUCKET)
    backing = desk.backing()
    assert (backing.started, backing.drawdown, backing.drawdownDue) == (True, 0, False)


def test_a_view_renews_nothing(desk: Desk) -> None:
    start = next_bucket() + 1
    desk.sample(93, start)
    read(desk, "93.6", start + EIGHT_HOURS - 10)
    assert desk.backing().drawdownDue
    wait_until(start + EIGHT_HOURS)
    assert not desk.backing().drawdownDue


def test_at_the_trigger_a_lapsed_memory_starts_anew(desk: Desk) -> None:
    """For whoever listens it has never ended."""
    start = next_bucket() + 1
    desk.sample(93, start)
    read(desk, 93, start + EIGHT_HOURS - 1)
    wait_until(start + EIGHT_HOURS)
    assert (desk.backing().started, desk.backing().drawdownDue) == (False, True)
    done = desk.checkpoint(at=start + EIGHT_HOURS + 1)
    assert emitted(done, desk.fund.ADLStarted) == emitted(done, desk.fund.ADLEnded) == []
    assert desk.backing().started


def test_just_before_it_lapses_a_start_goes_on(desk: Desk) -> None:
    start = next_bucket() + 1
    desk.sample(93, start)
    done = desk.sample(93, start + EIGHT_HOURS - 1)
    assert emitted(done, desk.fund.ADLStarted) == []


def test_without_a_base_the_memory_neither_serves_nor_ends(desk: Desk) -> None:
    """All results of the window are below minus the cash, so there is no base; the memory then lapses by time alone.

    The pool is depleted then, so ADL goes on for that reason; it ends when the price comes back.
    """
    start = next_bucket() + 1
    desk.sample(93, start)
    desk.sample(70, start + 3600)
    last = start + 3600 + 33 * BUCKET - 1 - (start + 3600) % BUCKET
    desk.sample(70, last)  # due: the 30 % of the start are still in the window
    done = desk.sample(70, last + 2)
    assert emitted(done, desk.fund.Checkpointed)[0]["balance"] == wad(-9000)
    assert emitted(done, desk.fund.ADLEnded) == []
    backing = desk.backing()
    assert (backing.base, backing.drawdown, backing.started, backing.drawdownDue) == (0, 0, False, False)
    # Where the price comes back in time, it is judged as a start that goes on.
    read(desk, 84, last + 100)
    assert desk.backing().started
    done = desk.sample(70, last + EIGHT_HOURS)
    assert (desk.backing().started, emitted(done, desk.fund.ADLEnded)) == (False, [])
    assert tuple(desk.fund.seen(desk.market.id)) == (Trigger.DEPLETION, 4, 0)
    done = desk.sample(90, last + EIGHT_HOURS + 100)
    assert drawdowns(done, desk.fund.ADLEnded) == [0]
    assert tuple(desk.fund.seen(desk.market.id)) == (Trigger.NONE, 0, 0)


def test_a_base_that_comes_back_without_a_drawdown_ends_it(desk: Desk) -> None:
    start = next_bucket() + 1
    desk.sample(93, start)
    desk.sample(70, start + 3600)
    last = start + 3600 + 33 * BUCKET - 1 - (start + 3600) % BUCKET
    desk.sample(70, last)
    desk.sample(70, last + 2)
    done = desk.sample(99, last + 100)
    assert drawdowns(done, desk.fund.ADLEnded) == [0]
