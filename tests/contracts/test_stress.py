"""Feedback: the closer to ADL, the more initial margin a market asks for; while ADL is on its price band is narrow."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from backstop.math.staking import stress, stressed_margin_fraction
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, now, refused
from tests.support.deficits import open_deficit
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.proofs import nothing_changes
from tests.support.stakers import Stakers

NINE_HOURS = 9 * 3600
CALM, STEP, MAINTENANCE = wad("0.1"), wad("0.02"), wad("0.05")
BAND, NARROW = wad("0.05"), wad("0.02")
TICK = Decimal("0.00000001")


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 100, 10x, 2 % a step, bands of 5 and 2 %; a pool of 20,000 with 1,000 long from 90: a step is 1.5 of price."""
    desk = open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 10_000, 90)
    desk.set_parameters(initial_margin_step=STEP, price_band=BAND, stress_band=NARROW)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 100_000)
    return desk


def in_force(desk: Desk) -> tuple[int, int]:
    """Initial margin fraction and price band."""
    listed = desk.exchange.market(desk.market.id)
    return listed.initialMarginFraction, listed.priceBand


def seen(desk: Desk) -> tuple[Trigger, int]:
    reason, steps, _ = desk.fund.seen(desk.market.id)
    return Trigger(reason), steps


def sampled(desk: Desk, price: Any) -> Done:
    desk.price(price)
    return desk.checkpoint()


def applied(desk: Desk, done: Done) -> list[tuple[int, int, int]]:
    """Steps, initial margin fraction and price band of the events."""
    return [
        (each["stress"], each["initialMarginFraction"], each["priceBand"])
        for each in emitted(done, desk.exchange.StressApplied)
    ]


# ---------------------------------------------------------------------- the steps


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_each_quarter_of_the_way_is_a_step(desk: Desk, steps: int) -> None:
    """7.5 % of 20,000 each; a tick before it is one less. With the last one ADL is on."""
    due, before = Decimal(90) - Decimal("1.5") * steps, steps - 1
    done = sampled(desk, due + TICK)
    assert applied(desk, done) == ([(before, CALM + before * STEP, BAND)] if before else [])
    assert (seen(desk), in_force(desk)) == ((Trigger.NONE, before), (CALM + before * STEP, BAND))
    done = sampled(desk, due)
    band = NARROW if steps == 4 else BAND
    assert applied(desk, done) == [(steps, CALM + steps * STEP, band)]
    assert seen(desk) == (Trigger.DRAWDOWN if steps == 4 else Trigger.NONE, steps)
    assert in_force(desk) == (CALM + steps * STEP, band)


def test_beyond_the_trigger_there_is_no_fifth(desk: Desk) -> None:
    sampled(desk, 84)
    assert applied(desk, sampled(desk, 75)) == []
    assert seen(desk) == (Trigger.DRAWDOWN, 4)


def test_it_falls_as_it_rose(desk: Desk) -> None:
    """Down to calm, sample by sample; what does not change is not told."""
    told = []
    for price in (84, "85.4", "85.6", "87.1", "88.6", "88.7", 91):
        told += [each[0] for each in applied(desk, sampled(desk, price))]
    assert told == [4, 3, 2, 1, 0]
    assert (seen(desk), in_force(desk)) == ((Trigger.NONE, 0), (CALM, BAND))


def test_without_a_sample_nothing_moves(desk: Desk) -> None:
    desk.price(84)
    assert in_force(desk) == (CALM, BAND)
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(1), wad(84))
    assert in_force(desk) == (CALM, BAND)


def test_takeovers_rounds_and_gifts_are_samples_of_it(desk: Desk) -> None:
    done = desk.inherit("midas", 10, 85, 85, 78, against="kraken")
    assert applied(desk, done)[-1] == (4, CALM + 4 * STEP, NARROW)
    done = desk.deleverage(Side.LONG, [desk.trader("whale"), desk.trader("kraken")])
    assert applied(desk, done) == [(3, CALM + 3 * STEP, BAND)]
    desk.price(92)
    desk.contribute(1)
    assert seen(desk)[1] == 3  # the loss is realized, and it stays for eight hours


def test_a_gift_that_names_the_market_eases_it_with_the_next_sample(desk: Desk) -> None:
    sampled(desk, 87)
    assert seen(desk)[1] == 2
    done = desk.contribute(1500, to_market=True)
    assert applied(desk, done) == []
    assert applied(desk, desk.checkpoint()) == [(1, CALM + STEP, BAND)]


def test_a_loss_without_a_base_is_full_stress(venue: Venue) -> None:
    poor = open_desk(venue, "LUNA-USD", 100, initial="0.1", maintenance="0.05")
    poor.inherit("icarus", 10, 100, 100, 90)
    poor.set_parameters(initial_margin_step=STEP)
    assert seen(poor) == (Trigger.NONE, 0)
    sampled(poor, "89.99999999")
    assert seen(poor) == (Trigger.DEPLETION, 4)


def test_below_zero_is_full_stress_without_any_loss(venue: Venue) -> None:
    """An open deficit: nothing is lost in the window, and nobody is due; margins stay up until it is paid."""
    poor = open_desk(venue, "LUNA-USD", 100)
    open_deficit(poor, 5000)
    poor.set_parameters(initial_margin_step=wad("0.01"))
    poor.price(90, at=now() + NINE_HOURS)
    poor.checkpoint()
    assert (poor.backing().loss, seen(poor), in_force(poor)[0]) == (0, (Trigger.NONE, 4), wad("0.05"))
    poor.contribute(5000)
    poor.checkpoint()
    assert (seen(poor), in_force(poor)[0]) == ((Trigger.NONE, 0), wad("0.01"))


def test_the_other_markets_of_a_pool_are_calm(venue: Venue) -> None:
    first, second = open_shared(venue, "A-USD", "B-USD")
    first.contribute(20_000)
    for each in (first, second):
        each.set_parameters(initial_margin_step=STEP)
    first.inherit("icarus", 1000, 100, 10_000, 86)
    second.checkpoint()
    assert (seen(first)[1], seen(second)[1]) == (2, 0)
    assert (in_force(first)[0], in_force(second)[0]) == (CALM + 2 * STEP, CALM)


def test_as_the_mirror_has_it(desk: Desk) -> None:
    for price in ("89.3", "88.4", "86.9", "85.1", "84.7", "80", "66"):
        sampled(desk, price)
        backing = desk.backing()
        steps = stress(backing.balance, backing.loss, backing.base, wad("0.3"))
        assert seen(desk)[1] == steps
        assert in_force(desk)[0] == stressed_margin_fraction(CALM, STEP, steps)


# ---------------------------------------------------------------------- what it does


def test_trades_and_withdrawals_ask_for_the_margin_in_force(desk: Desk) -> None:
    """10 contracts at 88: a step more is 105.6 instead of 88, for who opens and for who takes out."""
    sampled(desk, 88)
    swan, hawk = desk.trader("swan"), desk.trader("hawk")
    desk.deposit(swan, "105.599999")
    required = wad("105.6")
    refusal = {"account": desk.account(swan), "equity": required - 10**12, "required": required}
    with nothing_changes(desk.venue), refused(desk.exchange.InitialMarginInsufficient, **refusal):
        desk.trade(hawk, swan, wad(10), wad(88))
    desk.deposit(swan, "1.000001")
    desk.trade(hawk, swan, wad(10), wad(88))
    refusal = {"account": desk.account(swan), "available": required - 10**12, "required": required}
    with refused(desk.exchange.MarginInsufficient, **refusal):
        act(swan, desk.exchange.withdraw, desk.account(swan), tokens(1) + 1, swan.address)
    act(swan, desk.exchange.withdraw, desk.account(swan), tokens(1), swan.address)


def test_who_only_reduces_needs_no_more(desk: Desk) -> None:
    swan, hawk = desk.trader("swan"), desk.trader("hawk")
    desk.deposit(swan, 100)
    desk.trade(hawk, swan, wad(10), wad(90))
    sampled(desk, 84)
    assert desk.exchange.health(desk.account(swan)).initialMargin > desk.equity(swan)
    desk.trade(hawk, swan, wad(-5), wad(84))
    desk.trade(hawk, swan, wad(-5), wad(84))
    assert desk.holding(swan).size == 0


def test_nobody_becomes_liquidatable(desk: Desk) -> None:
    """Maintenance margins do not move: at the very edge an account stays where it was, whatever the stress."""
    swan, dove = desk.trader("swan"), desk.trader("dove")
    desk.deposit(swan, 100)
    desk.trade(desk.trader("hawk"), swan, wad(10), wad(90))
    before = desk.exchange.market(desk.market.id).maintenanceMarginFraction
    sampled(desk, "84.21052632")  # 100 - 57.8947368 = 42.1052632 of 42.10526316 that are needed
    assert seen(desk)[1] == 3
    health = desk.exchange.health(desk.account(swan))
    assert health.maintenanceMargin == wad("42.10526316") <= health.equity == wad("42.1052632")
    due = {"account": desk.account(swan), "equity": health.equity, "maintenanceMargin": health.maintenanceMargin}
    with nothing_changes(desk.venue), refused(desk.exchange.LiquidationNotDue, **due):
        desk.liquidate(swan, by=dove)
    with refused(desk.exchange.TakeoverNotDue, **due):
        desk.take_over(swan)
    assert desk.exchange.market(desk.market.id).maintenanceMarginFraction == before == MAINTENANCE


def test_while_adl_is_on_fills_stay_near_mark(desk: Desk) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    sampled(desk, "84.00000001")
    desk.trade(hawk, dove, wad(1), wad("88.2"))
    sampled(desk, 84)
    for price in ("85.68000001", "82.31999999"):
        with refused(desk.exchange.PriceOutsideBand, price=wad(price), mark=wad(84), band=NARROW):
            desk.trade(hawk, dove, wad(1), wad(price))
    for price in ("85.68", "82.32"):
        desk.trade(hawk, dove, wad(1), wad(price))
    # It goes on above stop, and ends there.
    sampled(desk, "84.99999999")
    assert in_force(desk)[1] == NARROW
    done = sampled(desk, 85)
    assert applied(desk, done) == [(3, CALM + 3 * STEP, BAND)]
    desk.trade(hawk, dove, wad(1), wad("89.25"))


def test_at_most_the_whole_notional(desk: Desk) -> None:
    """60 % and 60 % a step: 100 % from the first one on."""
    desk.set_parameters(initial_margin_fraction=wad("0.6"), initial_margin_step=wad("0.6"))
    assert applied(desk, sampled(desk, "88.5")) == [(1, wad(1), BAND)]
    assert applied(desk, sampled(desk, 87)) == []
    assert in_force(desk)[0] == wad(1)


def test_a_liquidation_restores_the_margin_in_force(desk: Desk) -> None:
    swan, dove = desk.trader("swan"), desk.trader("dove")
    desk.deposit(swan, 100)
    desk.trade(desk.trader("hawk"), swan, wad(10), wad(90))
    sampled(desk, 84)
    done = desk.liquidate(swan, by=dove)
    (event,) = emitted(done, desk.exchange.Liquidated)
    assert 0 < event["size"] < wad(10)
    health = desk.exchange.health(desk.account(swan))
    assert health.equity >= health.initialMargin > desk.holding(swan).size * 84 // 10


# ---------------------------------------------------------------------- off, changed, without a price


def test_off_by_parameter(desk: Desk) -> None:
    """The fund goes on counting the steps; nothing is told and nothing moves."""
    desk.set_parameters(initial_margin_step=0, stress_band=0)
    for price in (88, 84, 75, 91):
        assert applied(desk, sampled(desk, price)) == []
        assert in_force(desk) == (CALM, BAND)
    sampled(desk, 84)
    assert seen(desk) == (Trigger.DRAWDOWN, 4)
    done = desk.set_parameters(initial_margin_step=STEP, stress_band=NARROW)
    assert applied(desk, done) == [(4, CALM + 4 * STEP, NARROW)]


def test_changed_parameters_keep_the_stress(desk: Desk) -> None:
    sampled(desk, 84)
    desk.set_parameters(initial_margin_fraction=wad("0.2"), price_band=wad("0.1"))
    assert in_force(desk) == (wad("0.2") + 4 * STEP, NARROW)
    desk.set_parameters(initial_margin_step=wad("0.05"), stress_band=wad("0.001"))
    assert in_force(desk) == (wad("0.4"), wad("0.001"))
    desk.set_parameters(stress_band=0)
    assert in_force(desk) == (wad("0.4"), wad("0.1"))
    parameters = desk.parameters()
    assert (parameters.initial_margin_fraction, parameters.price_band) == (wad("0.2"), wad("0.1"))
    sampled(desk, 91)
    assert in_force(desk) == (wad("0.2"), wad("0.1"))


def test_a_new_trigger_counts_with_the_next_sample(desk: Desk) -> None:
    sampled(desk, 87)
    assert seen(desk)[1] == 2
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad("0.6"), wad("0.5"), wad("0.5"))
    assert seen(desk)[1] == 2
    desk.checkpoint()
    assert (seen(desk)[1], in_force(desk)[0]) == (1, CALM + STEP)


def test_a_dead_feed_never_raises_it(desk: Desk) -> None:
    """The last price less 5 % would be a step or two more, or the beginning of ADL; it may only fall."""
    sampled(desk, "88.5")
    act(desk.trader("keeper"), desk.price_feed.accept, desk.market.id)
    act(desk.venue.owner, desk.market.feed.setAnswer, 0)
    done = desk.checkpoint()
    assert (desk.backing().drawdown, desk.backing().drawdownDue) == (wad("0.29625"), False)
    assert (applied(desk, done), seen(desk)) == ([], (Trigger.NONE, 1))
    sampled(desk, 88)
    act(desk.trader("keeper"), desk.price_feed.accept, desk.market.id)
    act(desk.venue.owner, desk.market.feed.setAnswer, 0)
    done = desk.checkpoint()
    assert desk.backing().drawdown == wad("0.32")
    assert (applied(desk, done), seen(desk)) == ([], (Trigger.NONE, 1))
    desk.contribute(100_000)
    assert applied(desk, desk.checkpoint()) == [(0, CALM, BAND)]
    sampled(desk, 88)
    assert seen(desk)[1] == 0


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"initial_margin_step": CALM}, True),
        ({"initial_margin_step": CALM + 1}, False),
        ({"stress_band": wad("0.001")}, True),
        ({"stress_band": wad("0.001") - 1}, False),
        ({"stress_band": BAND}, True),
        ({"stress_band": BAND + 1}, False),
        ({"stress_band": 0, "initial_margin_step": 0}, True),
    ],
)
def test_bounds_of_the_parameters(desk: Desk, changes: dict[str, int], accepted: bool) -> None:
    if accepted:
        desk.set_parameters(**changes)
        return
    changed = desk.parameters()._replace(**changes)
    error = {"initialMarginStep": changed.initial_margin_step, "stressBand": changed.stress_band}
    with nothing_changes(desk.venue), refused(desk.exchange.StressParametersOutOfBounds, **error):
        desk.set_parameters(**changes)


def test_stakes_ease_it(desk: Desk) -> None:
    """Twice the base halves the drawdown; the stake's own sample is of before, so the next one tells."""
    sampled(desk, 87)
    stakers = Stakers(desk)
    stakers.stake("ann", 20_000)
    assert seen(desk)[1] == 2
    assert applied(desk, desk.checkpoint()) == [(1, CALM + STEP, BAND)]
