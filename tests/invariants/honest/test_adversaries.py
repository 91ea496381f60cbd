"""Counterparties, friends and challengers that try to make an honest keeper pay, or a dishonest one get away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import pytest

from backstop.adl.listing import NO_BOUND
from backstop.adl.planning import Plan
from backstop.math.wad import WAD
from tests.invariants.world import NAMES, TRADERS, account_of
from tests.support.enums import Exemption

from .books import KEEPERS, hub, take
from .judge import Record
from .state import View
from .venue import Venue, plans_of
from .world import HOUR, Ground

KEEPER, RIVAL = KEEPERS
UNIT = 10**12  # of the token, in WAD
LONG = 0
REFUSED = ("NotAnOmission", "HintWrong", "HintsMiscounted")


def of(name: str, market: int = 1, index: int = 0) -> bytes:
    """An isolated account."""
    return TRADERS[NAMES.index(name)].account(market, index)


def cross(name: str) -> bytes:
    """A cross account."""
    return TRADERS[NAMES.index(name)].cross()


HAWK, SWIFT, FINCH, HERON, OWL, WHALE = map(of, ("hawk", "swift", "finch", "heron", "owl", "whale"))
MARGINS = {SWIFT: 1_001, FINCH: 1_500, HERON: 2_000, OWL: 2_500, WHALE: 10_000}  # in the order of their ranks


@dataclass(slots=True)
class Stage:
    """hawk's long of 300 at 100 was taken over at 88. Five are short 100 each: three are to be closed, owl is spare."""

    venue: Venue
    view: View
    plan: Plan

    def submit(self, one: Plan | None = None) -> Record | None:
        """By the keeper, as planned."""
        return self.venue.submit(KEEPER, one or self.plan, self.view)

    def without(self, *left_off: bytes, wanted: int = NO_BOUND) -> Record:
        """A round of the rival's, with everybody else on its list."""
        listed = [one for one in self.venue.accounts if one not in left_off]
        record = self.venue.round(RIVAL, 1, LONG, listed, wanted)
        assert record is not None, self.venue.refusal
        return record

    def nobody_is_left_out(self) -> None:
        """Neither now nor later."""
        self.venue.hold_as_of()
        self.venue.challenge_all()


def opened(ground: Ground, holders: dict[bytes, int]) -> Venue:
    """Whoever is short 100 contracts of the first market at 100, with these margins."""
    venue = Venue(ground)
    for market in (1, 2, 3):
        venue.deposit(hub(market), 10**7 * WAD)
    for account, margin in holders.items():
        assert venue.deposit(account, margin * WAD)
        assert take(venue, account, 1, -100 * WAD, 100 * WAD)
    return venue


def ruined(venue: Venue, contracts: int = 300, mark: int = 88) -> Stage:
    """hawk loses all, and more."""
    assert venue.deposit(HAWK, contracts * 103 * WAD // 10)
    assert take(venue, HAWK, 1, contracts * WAD, 100 * WAD)
    venue.now += 600
    venue.mark(1, mark * WAD)
    assert venue.take_over(HAWK)
    view = venue.view()
    return Stage(venue, view, plans_of(view)[0])


@pytest.fixture
def stage(honest_ground: Ground) -> Stage:
    """As planned at a mark of 88."""
    found = ruined(opened(honest_ground, MARGINS))
    listed = [bytes.fromhex(account[2:]) for account in found.plan.listing.accounts]
    assert [bytes.fromhex(fill.account[2:]) for fill in found.plan.fills] == [SWIFT, FINCH, HERON]
    assert listed == [SWIFT, FINCH, HERON, OWL]
    return found


# ------------------------------------------------------------------ who dodges


def test_who_adds_margin_leaves_the_round_to_those_listed(stage: Stage) -> None:
    assert stage.venue.deposit(SWIFT, 50_000 * WAD)
    record = stage.submit()
    assert record is not None
    assert list(record.fills) == [FINCH, HERON, OWL]
    stage.nobody_is_left_out()


def test_where_most_of_those_listed_dodge_the_rest_waits(stage: Stage) -> None:
    for account in (SWIFT, FINCH, HERON):
        assert stage.venue.deposit(account, 50_000 * WAD)
    record = stage.submit()
    assert record is not None
    assert list(record.fills) == [OWL]
    stage.nobody_is_left_out()
    stage.venue.now += 12
    view = stage.venue.view()
    (again,) = plans_of(view)
    later = stage.venue.submit(KEEPER, again, view)
    assert later is not None
    assert next(iter(later.fills)) == WHALE
    stage.nobody_is_left_out()


def test_without_the_bound_of_returns_the_same_dodge_would_cost_the_keeper(stage: Stage) -> None:
    for account in (SWIFT, FINCH, HERON):
        assert stage.venue.deposit(account, 50_000 * WAD)
    careless = replace(stage.plan, listing=replace(stage.plan.listing, lowest_return=NO_BOUND))
    record = stage.submit(careless)
    assert record is not None
    assert stage.venue.omission(record, WHALE) == record.omission(WHALE)
    stage.venue.prove(record, WHALE, record.omission(WHALE))


@pytest.mark.parametrize("moved", [1, 50, 99, 100])
def test_who_splits_a_position_over_two_accounts(stage: Stage, moved: int) -> None:
    other = of("swift", index=1)
    assert stage.venue.deposit(other, 5_000 * WAD)
    assert stage.venue.trade(1, SWIFT, other, moved * WAD, 88 * WAD)
    record = stage.submit()
    assert record is not None
    assert stage.venue.omission(record, other).reason is Exemption.RAISED_RISK
    stage.nobody_is_left_out()


FRONT_RUNS: dict[str, Callable[[Venue, bytes], bool]] = {
    "a unit of margin in": lambda venue, account: venue.deposit(account, UNIT),
    "a unit of margin out": lambda venue, account: venue.withdraw(account, UNIT),
    "a wei of size more": lambda venue, account: take(venue, account, 1, -1, 88 * WAD),
    "a wei of size less": lambda venue, account: take(venue, account, 1, 1, 88 * WAD),
}


@pytest.mark.parametrize("account", MARGINS, ids=["swift", "finch", "heron", "owl", "whale"])
@pytest.mark.parametrize("deed", FRONT_RUNS)
def test_who_changes_by_the_least_before_the_round(stage: Stage, deed: str, account: bytes) -> None:
    stage.venue.now += 11
    assert FRONT_RUNS[deed](stage.venue, account), stage.venue.refusal
    assert stage.submit() is not None
    stage.nobody_is_left_out()


@pytest.mark.parametrize(
    ("mark", "refusal"), [(8712, ""), (8888, ""), (8711, "MarkOutsideBounds"), (8889, "MarkOutsideBounds")]
)
def test_the_mark_may_move_by_one_percent(stage: Stage, mark: int, refusal: str) -> None:
    stage.venue.mark(1, mark * WAD // 100)
    record = stage.submit()
    assert stage.venue.refusal == refusal
    assert (record is not None) == (not refusal)
    stage.nobody_is_left_out()


@pytest.mark.parametrize(("seconds", "refusal"), [(90, ""), (91, "DeadlinePassed")])
def test_whoever_raises_risk_right_after_the_plan_is_exempt_until_the_deadline(
    stage: Stage, seconds: int, refusal: str
) -> None:
    late = of("icarus")
    assert stage.venue.deposit(late, 900 * WAD)
    assert take(stage.venue, late, 1, -100 * WAD, 88 * WAD)
    stage.venue.now += seconds
    stage.submit()
    assert stage.venue.refusal == refusal
    stage.nobody_is_left_out()


@pytest.fixture
def hedged(honest_ground: Ground) -> Stage:
    """Three are short in the second market, deep in profit, and lose as much in the first; swift is to be closed."""
    venue = opened(honest_ground, {})
    venue.mark(2, 5_000 * WAD)
    for name, margin in (("swift", 8_300), ("owl", 8_400), ("icarus", 9_400)):
        assert venue.deposit(cross(name), margin * WAD)
        assert take(venue, cross(name), 2, -4 * WAD, 5_000 * WAD)
        assert take(venue, cross(name), 1, 537 * WAD, 100 * WAD)
    venue.now += 300
    venue.mark(2, 2_500 * WAD)
    venue.mark(1, 745 * WAD // 10)
    assert venue.deposit(of("hawk", 2), 310 * WAD)
    assert take(venue, of("hawk", 2), 2, 3 * WAD, 2_500 * WAD)
    venue.now += 300
    venue.mark(2, 2_300 * WAD)
    assert venue.take_over(of("hawk", 2))
    view = venue.view()
    (one,) = plans_of(view)
    assert [bytes.fromhex(account[2:]) for account in one.listing.accounts] == [cross("swift"), cross("owl")]
    return Stage(venue, view, one)


@pytest.mark.parametrize("price", [7_450, 6_350])
def test_who_closes_another_leg_at_a_loss_before_the_mark_moves(hedged: Stage, price: int) -> None:
    """At 63.50 all but the margin rate is lost: the leg that is left has next to nothing to lose from."""
    hedged.venue.now += 10
    assert take(hedged.venue, cross("icarus"), 1, -537 * WAD, price * WAD // 100)
    hedged.venue.now += 10
    hedged.venue.mark(2, 2_322 * WAD)
    assert hedged.submit() is not None
    hedged.nobody_is_left_out()


# ------------------------------------------------------------------ friends of a keeper


@pytest.mark.parametrize("deed", ["a unit of margin in", "a wei of size less"])
def test_a_friend_that_touches_its_account_in_each_block_is_an_omission(stage: Stage, deed: str) -> None:
    for _ in range(10):
        stage.venue.now += 12
        assert FRONT_RUNS[deed](stage.venue, SWIFT)
    record = stage.without(SWIFT)
    assert FRONT_RUNS[deed](stage.venue, SWIFT)
    stage.venue.prove(record, SWIFT, record.omission(SWIFT))
    stage.nobody_is_left_out()


@pytest.mark.parametrize(("age", "reason"), [(119, Exemption.RAISED_RISK), (120, Exemption.NONE)])
@pytest.mark.parametrize("deed", ["a unit of margin out", "a wei of size more"])
def test_a_friend_that_raises_its_risk_is_exempt_for_two_minutes(
    stage: Stage, deed: str, age: int, reason: Exemption
) -> None:
    assert stage.venue.deposit(SWIFT, WAD)
    assert FRONT_RUNS[deed](stage.venue, SWIFT), stage.venue.refusal
    stage.venue.now += age
    record = stage.without(SWIFT)
    assert stage.venue.omission(record, SWIFT).reason is reason
    stage.nobody_is_left_out()
    assert (SWIFT in record.proven) == (reason is Exemption.NONE)


# ------------------------------------------------------------------ forged challenges


def test_challenges_of_those_who_were_rightly_left_out(stage: Stage) -> None:
    venue = stage.venue
    long, bankrupt = of("raven"), of("icarus")
    assert venue.deposit(long, 2_000 * WAD)
    assert take(venue, long, 1, 100 * WAD, 88 * WAD)
    venue.mark(1, 80 * WAD)
    assert venue.deposit(bankrupt, 810 * WAD)
    assert take(venue, bankrupt, 1, -100 * WAD, 80 * WAD)
    elsewhere = of("swift", market=4)
    assert venue.deposit(hub(4), 10**6 * WAD)
    assert venue.deposit(elsewhere, 1_000 * WAD)
    assert take(venue, elsewhere, 4, -10 * WAD, 50 * WAD)
    venue.now += 130
    venue.mark(1, 89 * WAD)
    record = stage.without(SWIFT)
    assert record.number == 1
    swift = record.omission(SWIFT)
    assert swift.reason is Exemption.NONE
    malformed = account_of(TRADERS[0].address, 1 << 80 | 1 << 64)
    expected = {
        of("stork"): Exemption.FLAT,
        FINCH: Exemption.FLAT,  # closed
        elsewhere: Exemption.FLAT,
        malformed: Exemption.FLAT,
        b"\xff" * 32: Exemption.FLAT,
        b"\x00" * 32: Exemption.FLAT,
        cross("swift"): Exemption.FLAT,
        long: Exemption.INVENTORY_SIDE,
        bankrupt: Exemption.BANKRUPT,
        WHALE: Exemption.RANKED_BELOW,
    }
    for account, reason in expected.items():
        assert venue.omission(record, account).reason is reason
        assert venue.try_challenge(record, account) == "NotAnOmission"
        for hints in ([0], [1], [2], [0, 0]):
            assert venue.try_challenge(record, account, hints) in REFUSED
    assert venue.try_challenge(replace(record, number=2), SWIFT) == "RoundUnknown"
    assert venue.try_challenge(replace(record, number=2**32 + 1), SWIFT) == "RoundUnknown"
    venue.prove(record, SWIFT, swift)
    assert venue.try_challenge(record, SWIFT) == "AlreadyProven"
    assert venue.try_challenge(record, SWIFT, [0]) == "AlreadyProven"


def test_a_cross_account_of_another_pool_is_flat(stage: Stage) -> None:
    venue, account = stage.venue, of("hawk", market=4)
    for one in (hub(4), account, of("finch", market=4)):
        assert venue.deposit(one, (10**6 if one == hub(4) else 310) * WAD)
    assert take(venue, account, 4, 60 * WAD, 50 * WAD)
    assert take(venue, of("finch", market=4), 4, -30 * WAD, 50 * WAD)
    assert venue.deposit(cross("owl"), 1_000 * WAD)
    assert take(venue, cross("owl"), 1, WAD, 88 * WAD)
    venue.mark(4, 44 * WAD)
    assert venue.take_over(account)
    record = venue.round(RIVAL, 4, LONG, [of("finch", market=4)])
    assert record is not None
    assert venue.omission(record, cross("owl")).reason is Exemption.FLAT


def test_a_challenge_is_in_time_until_the_last_second(stage: Stage) -> None:
    record = stage.without(SWIFT)
    stage.venue.now = record.view.time + HOUR
    assert stage.venue.try_challenge(record, SWIFT) == ""
    stage.venue.now += 1
    assert stage.venue.try_challenge(record, SWIFT) == "RoundClosed"


def test_no_hints_prove_more_than_the_truth(honest_ground: Ground) -> None:
    """owl's cross account was left out of three rounds, heron's of none; both are touched between all of them."""
    holders = {cross("owl"): 1_001, cross("heron"): 20_000, **{of("swift", index=i): 1_500 + i for i in range(3)}}
    stage = ruined(opened(honest_ground, holders))
    venue = stage.venue
    records = []
    for i in range(3):
        venue.now += 130
        record = venue.round(RIVAL, 1, LONG, [of("swift", index=i)])
        assert record is not None
        records.append(record)
        for account in (cross("owl"), cross("heron")):
            assert venue.deposit(account, UNIT)
            assert take(venue, account, 1, WAD, 88 * WAD)
    venue.hold_as_of()
    proven = 0
    for record, places in product(records, product(range(5), repeat=2)):
        assert venue.try_challenge(record, cross("heron"), places) in REFUSED
        refusal = venue.try_challenge(record, cross("owl"), places)
        # The live state is found below 0, what is kept under the round's own id.
        assert (refusal == "") == (set(places) <= {0, record.number}), (record.number, places, refusal)
        proven += refusal == ""
    assert proven == 3 * 4
    for record, places in product(records, ((0,), (0, 0, 0))):
        assert venue.try_challenge(record, cross("owl"), places) == "HintsMiscounted"
    for record in records:
        venue.prove(record, cross("owl"), record.omission(cross("owl")))


# ------------------------------------------------------------------ many of them


def test_thirty_two_rounds_of_a_window_are_each_challenged(honest_ground: Ground) -> None:
    crumbs = [of("finch", index=i) for i in range(32)]
    venue = opened(honest_ground, {SWIFT: 1_001, cross("owl"): 1_001})
    for account in crumbs:
        assert venue.deposit(account, 200 * WAD)
        assert take(venue, account, 1, -WAD, 100 * WAD)
    ruined(venue)
    records = []
    for account in crumbs:
        venue.now += 100
        record = venue.round(RIVAL, 1, LONG, [account])
        assert record is not None, venue.refusal
        records.append(record)
        assert venue.deposit(SWIFT, UNIT)
        assert take(venue, cross("owl"), 1, WAD // 100, 88 * WAD)
    venue.hold_as_of()
    for record in records:
        for account in (SWIFT, cross("owl")):
            omission = record.omission(account)
            assert omission.reason is Exemption.NONE
            if record.bond:
                venue.prove(record, account, omission)
    assert venue.counts["omissions proven"] >= 32
    venue.challenge_all()


def test_a_list_in_reverse_is_executed_in_order_of_rank(stage: Stage) -> None:
    record = stage.venue.round(RIVAL, 1, LONG, [WHALE, OWL, HERON, FINCH, SWIFT, OWL])
    assert record is not None
    assert list(record.fills) == [SWIFT, FINCH, HERON]
    stage.nobody_is_left_out()


@pytest.fixture
def thin(honest_ground: Ground) -> Stage:
    """Of six that are short, four came late with next to no margin: a price 21 beyond mark is more than they have."""
    venue = opened(honest_ground, {SWIFT: 1_001, WHALE: 10_000})
    ruined(venue, contracts=500, mark=68)
    for name in ("finch", "heron", "owl", "icarus"):
        assert venue.deposit(of(name), 700 * WAD)
        assert take(venue, of(name), 1, -100 * WAD, 68 * WAD)
    venue.now += 130
    view = venue.view()
    (one,) = plans_of(view)
    return Stage(venue, view, one)


def test_those_insolvent_at_the_price_are_closed_where_nobody_is_left_off(thin: Stage) -> None:
    assert thin.plan.listing.lowest_return == NO_BOUND
    record = thin.submit()
    assert record is not None
    assert record.second_pass
    assert len(record.fills) == 5
    thin.nobody_is_left_out()


def test_those_insolvent_at_the_price_wait_where_somebody_is_left_off(thin: Stage) -> None:
    record = thin.without(wanted=NO_BOUND + 1)
    assert not record.second_pass
    assert set(record.fills) == {SWIFT, WHALE}
    thin.nobody_is_left_out()


def test_where_they_are_closed_every_solvent_account_left_out_is_an_omission(thin: Stage) -> None:
    record = thin.without(WHALE)
    assert record.second_pass
    assert record.omission(WHALE).reason is Exemption.NONE
    thin.nobody_is_left_out()
    assert record.proven == {WHALE}
