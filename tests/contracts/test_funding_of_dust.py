"""Fills of dust: what they may not do to an hour's funding, and what a wash of more than dust does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, now, refused, wait_until
from tests.support.desk import Desk, open_desk

HOUR = 3600
TENTH = wad("0.1")
CAP = TENTH // 1000  # 0.1 % of mark
SIZE = wad(500_000)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 0.1, as a venue would list it; mallory is long 500,000 that victim is short, accomplice holds one contract."""
    rich = open_desk(venue, "RICH-USD", 100)
    rich.deposit(rich.trader("innocent"), 500_000)
    desk = open_desk(venue, "DUST-USD", "0.1", initial="0.1", maintenance="0.05")
    parameters = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))
    act(venue.owner, desk.exchange.setParameters, desk.market.id, parameters)
    for name, amount in (("mallory", 20_000), ("accomplice", 100), ("victim", 100_000)):
        desk.deposit(desk.trader(name), amount)
    start = (now() // HOUR + 2) * HOUR
    desk.price("0.1", at=start - 100)
    desk.trade(desk.trader("victim"), desk.trader("mallory"), SIZE, TENTH, at=start - 90)
    desk.trade(desk.trader("accomplice"), desk.trader("mallory"), wad(1), TENTH, at=start - 80)
    desk.price("0.1", at=start + 10)
    return desk


def wash(desk: Desk, contracts: int, price: int) -> int:
    """Mallory takes from the accomplice in an hour without other fills; by how much the index moved."""
    start = (now() // HOUR) * HOUR
    desk.trade(desk.trader("accomplice"), desk.trader("mallory"), contracts, price)
    wait_until(start + HOUR)
    return int(desk.exchange.fundingIndex(desk.market.id))


@pytest.mark.parametrize("price", [TENTH - 1, TENTH + 1, TENTH * 95 // 100, TENTH * 105 // 100])
def test_a_wei_of_contracts_moves_nothing(desk: Desk, price: int) -> None:
    assert wash(desk, 1, price) == 0


def test_a_wei_below_mark_earns_nothing(desk: Desk) -> None:
    """Rounded down, it was a premium of -1000 %, and 500,000 out of what everybody else had deposited."""
    wash(desk, 1, TENTH - 1)
    desk.price("0.1")
    mallory = desk.trader("mallory")
    health = desk.exchange.health(desk.account(mallory))
    assert wad(19_900) < health.collateral < wad(20_000)
    short = {
        "account": desk.account(mallory),
        "available": health.collateral + health.losses - wad(500_000),
        "required": health.initialMargin,
    }
    with refused(desk.exchange.MarginInsufficient, **short):
        act(mallory, desk.exchange.withdraw, desk.account(mallory), tokens(500_000), mallory.address)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_wash_of_dust_moves_the_index_by_dust(desk: Desk, sign: int) -> None:
    """10^6 wei at the edge of the band, averaged with a hundredth of open interest, 5,000.01 contracts, at mark."""
    moved = wash(desk, 10**6, TENTH * (100 + 5 * sign) // 100)
    # The premium is 100 wei over 5 * 10^21 wei of contracts.
    assert moved == (0 if sign > 0 else -1)


@pytest.mark.parametrize("sign", [1, -1])
def test_less_than_a_hundredth_of_open_interest_counts_by_its_part(desk: Desk, sign: int) -> None:
    interest = desk.open_interest()
    assert wash(desk, interest // 200, TENTH * (100 + 5 * sign) // 100) in {
        sign * CAP * (interest // 200) // ((interest + interest // 200) // 100) + wei for wei in (-1, 0)
    }


def test_a_hundredth_of_open_interest_sets_the_hour(desk: Desk) -> None:
    """All of it, for two fees of 0.07 % together on 1 % of what is open: 50 are moved for 0.37."""
    fees, part = desk.funding().fees, wad(5100)
    assert part > desk.open_interest() // 100 > wad(5000)
    assert wash(desk, part, TENTH * 105 // 100) == CAP
    assert desk.funding().fees - fees == wad("0.37485")
    assert wad(50) == CAP * SIZE // 10**18


def test_open_interest_counts_as_it_was_when_the_hour_ended(desk: Desk) -> None:
    """What closes in a later hour is after the accrual, so it does not matter when that is asked for."""
    part = desk.open_interest() // 200
    moved = wash(desk, part, TENTH * 105 // 100)
    desk.price("0.1")
    desk.trade(desk.trader("victim"), desk.trader("mallory"), -SIZE, TENTH)
    assert desk.funding().index == moved
    assert desk.open_interest() < part * 2
