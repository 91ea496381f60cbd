"""What moves between plan and round, or fills the list, and neither slashes an honest keeper nor stops it."""

from __future__ import annotations

import pytest

from backstop.math.wad import WAD
from scripts.stage.parameters import MarketParameters
from tests.invariants.world import NAMES, TRADERS
from tests.support.enums import Exemption

from .books import KEEPERS, hub, take
from .test_adversaries import HAWK, MARGINS, cross, of, opened
from .venue import Venue, plans_of
from .world import Ground

KEEPER = KEEPERS[0]
TIGHT = MarketParameters(WAD // 100, WAD // 200, 0, 0)


def cents(amount: int) -> int:
    return amount * WAD // 100


def test_who_closes_nearly_all_of_one_of_two_legs_is_exempt(honest_ground: Ground) -> None:
    """What is left keeps its profit rate, and loses what the whole leg would have gained by a better mark."""
    venue = Venue(honest_ground)
    assert venue.set_maintenance(2, TIGHT)
    for market in (1, 2, 3):
        venue.deposit(hub(market), 10**7 * WAD)
    venue.mark(2, 100 * WAD)
    venue.mark(3, 7 * WAD)
    for name, value in (("swift", 11_000), ("finch", 10_900)):
        assert venue.deposit(cross(name), 2000 * WAD)
        assert take(venue, cross(name), 2, -300 * WAD, 100 * WAD)
        assert take(venue, cross(name), 3, value * WAD // 7, 7 * WAD)
    hawk, owl = of("hawk", 2), cross("owl")
    assert venue.deposit(hawk, 3090 * WAD)
    assert take(venue, hawk, 2, 300 * WAD, 100 * WAD)
    venue.mark(2, cents(8980))
    venue.mark(1, 110 * WAD)
    assert venue.deposit(owl, 1300 * WAD)
    assert take(venue, owl, 1, 88 * WAD, 110 * WAD)
    assert take(venue, owl, 2, -100 * WAD, 89 * WAD)
    venue.now += 300
    venue.mark(1, 100 * WAD)
    venue.mark(2, 88 * WAD)
    assert venue.take_over(hawk)
    view = venue.view()
    (plan,) = plans_of(view)
    assert "0x" + owl.hex() not in plan.listing.accounts
    venue.now += 10
    assert take(venue, owl, 2, 99 * WAD, 88 * WAD * 10_045 // 10_000)
    venue.now += 10
    venue.mark(1, 99 * WAD)
    venue.mark(2, cents(8712))
    record = venue.submit(KEEPER, plan, view)
    assert record is not None, venue.refusal
    assert venue.omission(record, owl).reason is Exemption.RAISED_RISK


@pytest.mark.parametrize("crowd", [40, 64, 70])
def test_a_crowd_of_highly_leveraged_dust_stops_no_round(honest_ground: Ground, crowd: int) -> None:
    """More cross accounts than a list takes, each near its end by a hundredth of a mark, with a gain in the market."""
    venue = opened(honest_ground, MARGINS)
    assert venue.set_maintenance(2, TIGHT)
    venue.mark(2, 100 * WAD)
    assert venue.deposit(HAWK, 3090 * WAD)
    assert take(venue, HAWK, 1, 300 * WAD, 100 * WAD)
    venue.mark(1, cents(8840))
    for place in range(crowd):
        account = TRADERS[NAMES.index("stork")].cross(place)
        assert venue.deposit(account, 11 * WAD)
        assert take(venue, account, 2, 10 * WAD, 100 * WAD)
        assert take(venue, account, 1, -WAD // 10, cents(8850))
    venue.now += 600
    venue.mark(1, 88 * WAD)
    assert venue.take_over(HAWK)
    venue.now += 12
    view = venue.view()
    (plan,) = plans_of(view)
    assert venue.submit(KEEPER, plan, view) is not None, venue.refusal


@pytest.mark.parametrize("gift", [0, 1200])
def test_a_price_that_comes_nearer_makes_no_omission_of_who_was_insolvent_at_it(
    honest_ground: Ground, gift: int
) -> None:
    """Such a list is held to the price that it was planned at: the round is refused, and planned anew."""
    venue = Venue(honest_ground)
    for market in (1, 2, 3):
        venue.deposit(hub(market), 10**7 * WAD)
    hawk, whale = of("hawk"), of("whale", 1, 999)
    venue.mark(1, 105 * WAD)
    assert venue.deposit(hawk, 3150 * WAD)
    assert take(venue, hawk, 1, 300 * WAD, 105 * WAD)
    venue.mark(1, 80 * WAD)
    assert venue.take_over(hawk)
    for place in range(140):
        account = TRADERS[1 + place % 5].account(1, place)
        assert venue.deposit(account, cents(336))
        assert take(venue, account, 1, -WAD // 10, 60 * WAD)
    assert venue.deposit(whale, 11_100 * WAD)
    assert take(venue, whale, 1, -300 * WAD, 80 * WAD)
    venue.now += 600
    venue.mark(1, 88 * WAD)
    view = venue.view()
    (plan,) = plans_of(view)
    venue.now += 10
    venue.contribute(1, gift * WAD)
    record = venue.submit(KEEPER, plan, view)
    if gift:
        assert (record, venue.refusal) == (None, "PriceOutsideBounds")
        return
    assert record is not None, venue.refusal
    assert all(venue.omission(record, account).reason is not Exemption.NONE for account in venue.accounts)
