"""Who was left out of a round, shown from what was stored when it began: at what cost, and when it is no omission."""

from __future__ import annotations

from typing import Any

import ape
import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, later, now, refused, wait_until
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Exemption, Side
from tests.support.omissions import (
    FOUR,
    LONG,
    SHORTS,
    challenge,
    names,
    omission,
    open_queue,
    parameters,
    rounded,
    seat,
)
from tests.support.proofs import nothing_changes

# The least that an omission costs is more than twice four contracts at ten.
PENALTY = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The queue in which a round is due."""
    return open_queue(venue)


def returns(desk: Desk, given: str) -> dict[str, int]:
    """Leveraged returns of these as they are now."""
    ranked = desk.engine.ranking(desk.market.id, LONG, [desk.account(each) for each in names(desk, given)])
    by_account = {bytes(one.account): one.leveragedReturn for one in ranked}
    return {name: by_account[desk.account(desk.trader(name))] for name in given.split()}


# ---------------------------------------------------------------------- what it costs


@pytest.mark.parametrize("listed", ["bee cat", "ant cat", "cat dog", "dog cat", "bee dog"])
def test_whoever_was_left_out_is_found(desk: Desk, listed: str) -> None:
    """The first, the second, both: all that rank above the last that was closed."""
    before = returns(desk, "ant bee cat dog")
    number = rounded(desk, listed)
    last = max(listed.split(), key=list(SHORTS).index)
    for name in SHORTS:
        reason, found, spared = omission(desk, number, desk.trader(name))
        if name in listed.split():
            assert reason == Exemption.FLAT
        elif list(SHORTS).index(name) < list(SHORTS).index(last):
            assert (reason, found, spared) == (Exemption.NONE, before[name], wad(40))
        else:
            assert (reason, found) == (Exemption.RANKED_BELOW, before[name])


def test_it_costs_the_keeper_and_pays_pool_challenger_and_cutoff(desk: Desk) -> None:
    keeper, hunter, cat = names(desk, "keeper hunter cat")
    number = rounded(desk, "bee cat")
    bond, record = desk.book.bond(keeper.address), desk.book.roundRecord(number)
    assert (record.keeper, record.bond) == (keeper.address, bond.reserved)
    pool = desk.pool_cash()
    done = challenge(desk, number, desk.trader("ant"))
    (event,) = emitted(done, desk.book.OmissionProven)
    assert (event["challenger"], event["spared"], event["penalty"]) == (hunter.address.lower(), wad(40), PENALTY)
    after = desk.book.bond(keeper.address)
    assert (bond.amount - after.amount, bond.reserved - after.reserved) == (PENALTY, PENALTY)
    assert desk.book.roundRecord(number).bond == record.bond - PENALTY
    assert (desk.book.owedToPools(desk.market.id), desk.pool_cash()) == (PENALTY // 2, pool)
    act(hunter, desk.book.payPool, desk.market.id)
    assert (desk.book.owedToPools(desk.market.id), desk.pool_cash()) == (0, pool + PENALTY // 2)
    with refused(desk.book.NothingOwed, market=desk.market.id):
        act(hunter, desk.book.payPool, desk.market.id)
    for who in (hunter, cat):
        assert desk.book.claimable(who.address) == PENALTY // 4
        act(who, desk.book.claim, who.address)
        assert desk.token.balanceOf(who.address) == tokens(25)
    with refused(desk.book.NothingToClaim, owner=cat.address):
        act(cat, desk.book.claim, cat.address)
    with (
        nothing_changes(desk.venue),
        refused(desk.book.AlreadyProven, round=number, account=desk.account(names(desk, "ant")[0])),
    ):
        challenge(desk, number, desk.trader("ant"))


def test_twice_what_was_spared_where_that_is_more(desk: Desk) -> None:
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, minPenalty=wad(1)))
    number = rounded(desk, "bee cat")
    (event,) = emitted(challenge(desk, number, desk.trader("ant")), desk.book.OmissionProven)
    assert event["penalty"] == 2 * event["spared"] == wad(80)


def test_a_keeper_that_challenges_itself_for_its_own_accounts_loses_half(desk: Desk) -> None:
    """It is the challenger, and its own account is at the cutoff."""
    cat = desk.trader("cat")
    number = rounded(desk, "bee cat", by=cat)
    posted = desk.book.bond(cat.address).amount
    challenge(desk, number, desk.trader("ant"), by=cat)
    assert posted - desk.book.bond(cat.address).amount - desk.book.claimable(cat.address) == PENALTY // 2


def test_a_bond_is_spent_once(desk: Desk) -> None:
    """A round with a bond of 100 pays for one omission, and there were two."""
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, bondCap=PENALTY))
    number = rounded(desk, "cat dog")
    assert desk.book.roundRecord(number).bond == PENALTY
    challenge(desk, number, desk.trader("bee"))
    with refused(desk.book.RoundBondSpent, round=number):
        challenge(desk, number, desk.trader("ant"))


def test_a_round_pays_no_more_than_was_set_aside_for_it(desk: Desk) -> None:
    """Twice 40 were spared, and the bond is 60: the challenger and the account at the cutoff have a quarter of that."""
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, minPenalty=wad(1), bondCap=wad(60)))
    keeper, hunter, cat = names(desk, "keeper hunter cat")
    number = rounded(desk, "bee cat")
    posted = desk.book.bond(keeper.address).amount
    (event,) = emitted(challenge(desk, number, desk.trader("ant")), desk.book.OmissionProven)
    assert (event["spared"], event["penalty"]) == (wad(40), wad(60))
    assert posted - desk.book.bond(keeper.address).amount == wad(60)
    assert desk.book.roundRecord(number).bond == 0
    assert [desk.book.claimable(who.address) for who in (hunter, cat)] == [wad(15)] * 2
    assert desk.book.owedToPools(desk.market.id) == wad(30)


# ---------------------------------------------------------------------- as it was then


def _deposit(desk: Desk, ant: Any) -> None:
    desk.deposit(ant, 500)


def _withdraw(desk: Desk, ant: Any) -> None:
    desk.deposit(ant, 500)
    act(ant, desk.exchange.withdraw, desk.account(ant), tokens(100), ant.address)


def _reduce(desk: Desk, ant: Any) -> None:
    desk.trade(desk.trader("whale"), ant, wad(1), wad(80))


def _close(desk: Desk, ant: Any) -> None:
    desk.trade(desk.trader("whale"), ant, FOUR, wad(80))


def _flip(desk: Desk, ant: Any) -> None:
    desk.deposit(ant, 500)
    desk.trade(desk.trader("whale"), ant, wad(9), wad(80))


def _touched_twice(desk: Desk, ant: Any) -> None:
    _deposit(desk, ant)
    _close(desk, ant)
    _deposit(desk, ant)


def _taken_over(desk: Desk, ant: Any) -> None:
    desk.price(130)
    desk.take_over(ant)


def _liquidated(desk: Desk, ant: Any) -> None:
    """At 105 its 20 of equity are below the 21 that it needs."""
    desk.price(105)
    desk.liquidate(ant, by=desk.trader("whale"))
    assert -FOUR < desk.holding(ant).size <= 0


def _other_fraction(desk: Desk, ant: Any) -> None:
    desk.set_parameters(maintenance_margin_fraction=wad("0.03"))


def _hours(desk: Desk, ant: Any) -> None:
    """Funding goes on, and is settled."""
    desk.trade(desk.trader("whale"), desk.trader("dog"), wad(-1), wad("80.5"))
    wait_until((now() // 3600 + 1) * 3600)
    desk.price(80)
    desk.deposit(ant, 1)


def _other_round(desk: Desk, ant: Any) -> None:
    """It leaves this one partly closed."""
    desk.inherit("midas", 2, 90, 18, 79, against="kraken")
    desk.deleverage(LONG, [ant])
    assert 0 < -desk.holding(ant).size < FOUR
    desk.deposit(ant, 10)


@pytest.mark.parametrize(
    "change",
    [_deposit, _withdraw, _reduce, _close, _flip, _touched_twice, _liquidated, _other_fraction, _other_round],
)
def test_what_happens_after_a_round_changes_nothing_of_it(desk: Desk, change: Any) -> None:
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, window=7 * 24 * 3600))
    before = returns(desk, "ant")["ant"]
    number = rounded(desk, "bee cat")
    assert omission(desk, number, desk.trader("ant")) == (Exemption.NONE, before, wad(40))
    change(desk, desk.trader("ant"))
    assert omission(desk, number, desk.trader("ant")) == (Exemption.NONE, before, wad(40))
    challenge(desk, number, desk.trader("ant"))


def test_an_account_taken_over_after_it_was_left_out(desk: Desk) -> None:
    before = returns(desk, "ant")["ant"]
    number = rounded(desk, "bee cat")
    _taken_over(desk, desk.trader("ant"))
    assert desk.holding(desk.trader("ant")).size == 0
    assert omission(desk, number, desk.trader("ant")) == (Exemption.NONE, before, wad(40))


def test_funding_that_is_settled_after_it(desk: Desk) -> None:
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, window=24 * 3600))
    before = returns(desk, "ant")["ant"]
    number = rounded(desk, "bee cat")
    _hours(desk, desk.trader("ant"))
    assert omission(desk, number, desk.trader("ant")) == (Exemption.NONE, before, wad(40))


def test_touched_before_and_after_several_rounds(desk: Desk) -> None:
    """Each round finds the state that it began with."""
    ant = desk.trader("ant")
    found = []
    for extra in (0, 3, 0, 5):
        if extra:
            desk.deposit(ant, extra)
        found.append(returns(desk, "ant")["ant"])
        desk.inherit("midas", 4, 90, 36, 80 - len(found), against="kraken")
        found[-1] = returns(desk, "ant")["ant"]
        desk.deleverage(LONG, [desk.trader("kraken")])
    first = int(desk.engine.roundCount()) - 3
    desk.deposit(ant, 7)
    for place, leveraged_return in enumerate(found):
        assert omission(desk, first + place, ant)[1] == leveraged_return


def test_closed_whole_in_a_later_round_it_was_no_omission(desk: Desk) -> None:
    """The next transaction of a plan in parts; what it closes for the first one had its share."""
    number = rounded(desk, "cat")
    assert omission(desk, number, desk.trader("bee"))[0] == Exemption.NONE
    rounded(desk, "bee")
    assert omission(desk, number, desk.trader("bee"))[0] == Exemption.FLAT
    with refused(
        desk.book.NotAnOmission, round=number, account=desk.account(desk.trader("bee")), reason=Exemption.FLAT
    ):
        challenge(desk, number, desk.trader("bee"))


def test_not_where_most_of_it_was_brought_to_safety_in_between(desk: Desk) -> None:
    """Left out with four contracts, closed with one."""
    number = rounded(desk, "cat")
    bee = desk.trader("bee")
    desk.trade(desk.trader("whale"), bee, wad(3), wad(80))
    rounded(desk, "bee")
    assert desk.holding(bee).size == 0
    assert omission(desk, number, bee)[::2] == (Exemption.NONE, wad(40))


# ---------------------------------------------------------------------- no omission


def test_who_holds_nothing_or_the_other_side(desk: Desk) -> None:
    number = rounded(desk, "ant bee")
    assert omission(desk, number, desk.trader("stranger"))[0] == Exemption.FLAT
    assert omission(desk, number, desk.trader("whale"))[0] == Exemption.INVENTORY_SIDE
    assert omission(desk, number, b"\xff" * 32)[0] == Exemption.FLAT


def test_a_bankrupt_account(desk: Desk) -> None:
    """Short from 60 with a margin of 40: 80 below zero at 80."""
    weak = desk.trader("weak")
    desk.price(60)
    desk.deposit(weak, 40)
    desk.trade(desk.trader("whale"), weak, -FOUR, wad(60))
    later(600)
    desk.price(80)
    number = rounded(desk, "ant bee")
    assert omission(desk, number, weak)[0] == Exemption.BANKRUPT


def test_insolvent_at_the_price_of_the_round(desk: Desk) -> None:
    """Short from 80 with a margin of 39 for four contracts: 1 less than ten each."""
    frail = desk.trader("frail")
    desk.deposit(frail, 39)
    desk.trade(desk.trader("whale"), frail, -FOUR, wad(80))
    later(600)
    desk.price(80)
    number = rounded(desk, "ant dog")
    assert omission(desk, number, frail)[0] == Exemption.INSOLVENT_AT_ADL_PRICE


@pytest.mark.parametrize(("age", "reason"), [(119, Exemption.RAISED_RISK), (120, Exemption.NONE)])
@pytest.mark.parametrize("change", ["grown", "withdrawn"])
def test_who_has_just_raised_its_risk(desk: Desk, change: str, age: int, reason: Exemption) -> None:
    ant = desk.trader("ant")
    if change == "grown":
        desk.deposit(ant, 4)
        done = desk.trade(desk.trader("whale"), ant, wad(-1), wad(80))
    else:
        done = act(ant, desk.exchange.withdraw, desk.account(ant), tokens(1), ant.address)
    desk.price(80)
    number = rounded(desk, "bee cat", at=done.timestamp + age)
    assert omission(desk, number, ant)[0] == reason


def test_deposits_and_reductions_exempt_nobody(desk: Desk) -> None:
    ant = desk.trader("ant")
    desk.deposit(ant, 1)
    desk.trade(desk.trader("whale"), ant, wad(1), wad(80))
    number = rounded(desk, "cat dog")
    assert omission(desk, number, ant)[0] == Exemption.NONE


@pytest.mark.parametrize(("margin", "reason"), [("92", Exemption.RANKED_BELOW), ("91", Exemption.NONE)])
def test_within_the_tolerance(desk: Desk, margin: str, reason: Exemption) -> None:
    """Beside the cutoff, which has a margin of 100: `0.2 * 16 / (80 + margin)` must be above it by a twentieth."""
    owl = desk.trader("owl")
    desk.price(100)
    desk.deposit(owl, margin)
    desk.trade(desk.trader("whale"), owl, -FOUR, wad(100))
    later(600)
    desk.price(80)
    number = rounded(desk, "bee cat")
    cutoff = desk.book.roundRecord(number).cutoffReturn
    found = omission(desk, number, owl)
    assert found[0] == reason
    assert cutoff < found[1]
    assert (found[1] > cutoff + cutoff * 5 // 100) == (reason == Exemption.NONE)


def test_above_a_cutoff_at_the_bound_of_its_type_nobody_is_known_to_rank(venue: Venue) -> None:
    """Longs from a wei a contract: the returns of both are beyond what a record can hold, bee's the higher one."""
    desk = open_desk(venue, "BTC-USD", 100, initial="0.1", maintenance="0.05")
    desk.deposit(desk.trader("whale"), 10_000)
    for name, margin in (("ant", 100), ("bee", 1), ("cat", 100)):
        desk.deposit(desk.trader(name), margin)
    desk.trade(desk.trader("whale"), desk.trader("cat"), FOUR, wad(100))
    for name in ("ant", "bee"):
        desk.trade(desk.trader("whale"), desk.trader(name), FOUR, 1)
    desk.inherit("midas", -8, 100, 80, 112, against="kraken")
    later(600)
    desk.price(112)
    ranked = desk.engine.ranking(
        desk.market.id, Side.SHORT, [desk.account(each) for each in names(desk, "ant bee cat")]
    )
    assert [bytes(one.account) for one in ranked] == [desk.account(each) for each in names(desk, "bee ant cat")]
    desk.deleverage(Side.SHORT, names(desk, "ant"))
    number = int(desk.engine.roundCount())
    most = 2**103 - 1
    assert desk.book.roundRecord(number).cutoffReturn == most < ranked[1].leveragedReturn
    assert omission(desk, number, desk.trader("bee"))[:2] == (Exemption.RANKED_BELOW, ranked[0].leveragedReturn)
    # Where cat is at the cutoff bee is above it.
    desk.deleverage(Side.SHORT, names(desk, "cat"))
    assert omission(desk, number + 1, desk.trader("bee"))[0] == Exemption.NONE


def test_with_insolvent_accounts_every_solvent_one_counts(desk: Desk) -> None:
    """Closed in the second pass while solvent ones were left: each of them is an omission, whatever its rank."""
    frail = desk.trader("frail")
    desk.deposit(frail, 39)
    desk.trade(desk.trader("whale"), frail, -FOUR, wad(80))
    later(600)
    desk.price(80)
    number = rounded(desk, "ant frail")
    assert desk.book.roundRecord(number).secondPass
    for name in ("bee", "cat", "dog"):
        assert omission(desk, number, desk.trader(name))[0] == Exemption.NONE


# ---------------------------------------------------------------------- time


def test_to_the_last_second_of_the_window(desk: Desk) -> None:
    number = rounded(desk, "bee cat")
    until = desk.book.roundRecord(number).time + 3600
    with refused(desk.book.RoundClosed, round=number, openUntil=until):
        act(desk.trader("hunter"), desk.book.challenge, number, desk.account(desk.trader("ant")), [], at=until + 1)


def test_the_last_second_counts(desk: Desk) -> None:
    number = rounded(desk, "bee cat")
    until = desk.book.roundRecord(number).time + 3600
    act(desk.trader("hunter"), desk.book.challenge, number, desk.account(desk.trader("ant")), [], at=until)


def test_a_round_goes_by_the_parameters_of_its_time(desk: Desk) -> None:
    number = rounded(desk, "bee cat")
    then, version = desk.book.roundParameters(), desk.book.roundRecord(number).parameters
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, tolerance=wad("0.5"), window=600))
    assert desk.book.roundParametersOf(version) == then
    assert desk.book.roundParametersOf(version + 1) == desk.book.roundParameters() != then
    later(1200)
    challenge(desk, number, desk.trader("ant"))


def test_unknown_rounds(desk: Desk) -> None:
    for number in (0, desk.engine.roundCount() + 1):
        with refused(desk.book.RoundUnknown, round=number):
            act(desk.trader("hunter"), desk.book.challenge, number, desk.account(desk.trader("ant")), [])
        with ape.reverts(desk.book.RoundUnknown):
            desk.book.kept(number, desk.account(desk.trader("ant")))


def test_a_dead_feed_stops_no_challenge(desk: Desk) -> None:
    number = rounded(desk, "bee cat")
    act(desk.venue.owner, desk.market.feed.setAnswer, 0)
    challenge(desk, number, desk.trader("ant"))


# ---------------------------------------------------------------------- cross accounts


def test_a_cross_account_with_all_its_legs(venue: Venue) -> None:
    """Left out in one market; then it trades in the other, is funded, and closes the first."""
    first, second = open_shared(venue, "A-USD", "B-USD")
    seat(first)
    later(600)
    first.price(80)
    first.take_over(first.trader("icarus"))
    elk = first.cross("elk")
    first.price(100)
    first.deposit(elk, 90)
    whale = first.trader("whale")
    second.deposit(whale, 1000)
    first.trade(whale, elk, -FOUR, wad(100))
    second.trade(whale, elk, wad(2), wad(100))
    later(600)
    first.price(80)
    second.price(110)
    ranked = first.engine.ranking(first.market.id, LONG, [elk.id])
    number = rounded(first, "bee cat dog")
    found = first.book.omission(number, elk.id)
    assert (Exemption(found.reason), found.leveragedReturn) == (Exemption.NONE, ranked[0].leveragedReturn)
    second.trade(whale, elk, wad(1), wad(110))
    assert first.book.omission(number, elk.id) == found
    first.deposit(elk, 33)
    first.trade(whale, elk, FOUR, wad(80))
    second.price(90)
    second.trade(whale, elk, wad(-3), wad(90))
    assert first.book.omission(number, elk.id) == found
    challenge(first, number, elk.id)


def test_the_other_leg_exempts_where_it_has_raised_risk(venue: Venue) -> None:
    first, second = open_shared(venue, "A-USD", "B-USD")
    seat(first)
    later(600)
    first.price(80)
    first.take_over(first.trader("icarus"))
    elk, whale = first.cross("elk"), first.trader("whale")
    first.price(100)
    first.deposit(elk, 90)
    second.deposit(whale, 1000)
    first.trade(whale, elk, -FOUR, wad(100))
    later(600)
    first.price(80)
    second.price(100)
    second.trade(whale, elk, wad(2), wad(100))
    number = rounded(first, "bee cat dog")
    assert Exemption(first.book.omission(number, elk.id).reason) == Exemption.RAISED_RISK


# ---------------------------------------------------------------------- where it is kept


def test_places_of_an_isolated_account(desk: Desk) -> None:
    """One, which is 0 as long as nothing has changed, and then the round that was the last to find it so."""
    ant = desk.account(desk.trader("ant"))
    first, second = rounded(desk, "dog"), rounded(desk, "cat")
    assert desk.book.kept(first, ant) == desk.book.kept(second, ant) == [0]
    desk.deposit(desk.trader("ant"), 1)
    assert desk.book.kept(first, ant) == desk.book.kept(second, ant) == [second]
    for number in (first, second):
        for places in ([second, 0], [0, 0, 0]):
            wrong = {"account": ant, "given": len(places), "needed": 1}
            with nothing_changes(desk.venue), refused(desk.book.HintsMiscounted, **wrong):
                act(desk.trader("hunter"), desk.book.challenge, number, ant, places)
    with nothing_changes(desk.venue), refused(desk.exchange.HintWrong, account=ant, round=second, hint=first):
        act(desk.trader("hunter"), desk.book.challenge, second, ant, [first])
    act(desk.trader("hunter"), desk.book.challenge, second, ant, [second])


def test_places_of_a_cross_account(venue: Venue) -> None:
    """Its own, and those of its legs by market; nothing is found where nothing was kept."""
    first, second = open_shared(venue, "A-USD", "B-USD")
    seat(first)
    elk, whale = first.cross("elk"), first.trader("whale")
    first.deposit(elk, 90)
    second.deposit(whale, 1000)
    first.trade(whale, elk, -FOUR, wad(100))
    second.trade(whale, elk, wad(2), wad(100))
    later(600)
    first.price(80)
    second.price(100)
    first.take_over(first.trader("icarus"))
    rounded(first, "dog")
    number = rounded(first, "cat")
    hunter, challenged = first.trader("hunter"), first.book.challenge
    assert first.book.kept(number, elk.id) == [0, 0, 0]
    for places in ([0, 0], [0, 0, 0, 0]):
        wrong = {"account": elk.id, "given": len(places), "needed": 3}
        with nothing_changes(venue), refused(first.book.HintsMiscounted, **wrong):
            act(hunter, challenged, number, elk.id, places)
    # The other market's leg is not found where nothing is kept, and nothing is where a round before has left it.
    for places in ([0, 0, number], [0, 0, number - 1], [0, number - 1, 0], [number - 1, 0, 0]):
        wrong = {"account": elk.id, "round": number, "hint": max(places)}
        with nothing_changes(venue), refused(first.exchange.HintWrong, **wrong):
            act(hunter, challenged, number, elk.id, places)
    # Without a leg in the round's market, or without any, nobody was left out.
    for places in ([0, number, 0], [number, 0, 0]):
        flat = {"round": number, "account": elk.id, "reason": Exemption.FLAT}
        with nothing_changes(venue), refused(first.book.NotAnOmission, **flat):
            act(hunter, challenged, number, elk.id, places)
    second.trade(whale, elk, wad(1), wad(100))
    # What a trade changed was kept; the leg in the first market is as it was.
    places = first.book.kept(number, elk.id)
    assert places == [number, 0, number]
    act(hunter, challenged, number, elk.id, places)
