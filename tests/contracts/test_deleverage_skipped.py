"""Who takes no part in a round, and who is left to its second pass because the price would make them insolvent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backstop.account_id import isolated_account
from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.published_case import PRICE, fill, fills, mirrored_case, outcome, published_case, skips, traders
from tests.support.acting import emitted, refused, rpc
from tests.support.desk import FLAT, Account, Desk
from tests.support.enums import Side, SkipReason
from tests.support.proofs import nothing_changes

# A short of 100 from 80.5 with a margin of 81: at 80 it has 131, at 82.5 it would be 119 short.
THIN = """
    thin    -100 80.5   81
    anchor   100 80.5 5000
"""


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    return published_case(venue)


@pytest.fixture
def mirrored(venue: Venue) -> Desk:
    """The same book with the sides changed: 800 short contracts to close."""
    return mirrored_case(venue)


# ---------------------------------------------------------------------- who takes no part


def test_every_reason_to_be_skipped(desk: Desk) -> None:
    """Skipped with an event, never a revert; the round goes on with the others."""
    desk.seat("""
        moth    -10 70    8
        anchor   10 70 5000
    """)
    desk.seat(THIN)
    desk.deposit(desk.trader("saver"), 10)
    desk.price(80)
    saver, whale, moth, thin, heron = (desk.account(each) for each in traders(desk, "saver whale moth thin heron"))
    elsewhere = isolated_account(desk.trader("hawk").address, desk.market.id + 1)
    cross, nonsense = (1 << 95).to_bytes(32, "big"), b"\xff" * 32
    icarus = desk.account(desk.trader("icarus"))
    odd = [saver, elsewhere, cross, nonsense, icarus, whale, moth, thin, heron, heron, whale]
    done = desk.deleverage(Side.LONG, [*odd, *traders(desk, "hawk owl")])
    assert skips(desk, done) == [
        (saver, SkipReason.FLAT),
        (elsewhere, SkipReason.FLAT),
        (cross, SkipReason.FLAT),
        (nonsense, SkipReason.FLAT),
        (icarus, SkipReason.FLAT),
        (whale, SkipReason.INVENTORY_SIDE),
        (moth, SkipReason.BANKRUPT),
        (whale, SkipReason.INVENTORY_SIDE),
        (heron, SkipReason.DUPLICATE),
        (thin, SkipReason.INSOLVENT_AT_ADL_PRICE),
    ]
    assert [(each.name, each.contracts) for each in fills(desk, done)] == [("hawk", 300), ("heron", 400), ("owl", 100)]


def test_an_equity_of_zero_is_bankrupt(desk: Desk) -> None:
    desk.seat("""
        moth    -10 79   10
        anchor   10 79 5000
    """)
    desk.price(80)
    assert desk.equity(desk.trader("moth")) == 0
    done = desk.deleverage(Side.LONG, traders(desk, "moth hawk"))
    assert skips(desk, done) == [(desk.account(desk.trader("moth")), SkipReason.BANKRUPT)]


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_an_account_is_deleveraged_once(desk: Desk, copies: int) -> None:
    hawk, owl = desk.trader("hawk"), desk.trader("owl")
    done = desk.deleverage(Side.LONG, [hawk, owl] * copies)
    assert [(each.name, each.contracts) for each in fills(desk, done)] == [("hawk", 300), ("owl", 200)]
    duplicates = [desk.account(each) for each in (hawk,) * (copies - 1) + (owl,) * (copies - 1)]
    assert skips(desk, done) == [(account, SkipReason.DUPLICATE) for account in duplicates]


def test_a_duplicate_behind_the_last_fill_is_not_reached(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift swift swift"))
    assert skips(desk, done) == []
    assert outcome(desk, done)["contracts"] == wad(800)


def test_nobody_who_can_take_part(desk: Desk) -> None:
    whale, icarus = traders(desk, "whale icarus")
    with nothing_changes(desk.venue), refused(desk.engine.NothingDeleveraged, candidates=3):
        desk.deleverage(Side.LONG, [whale, icarus, whale])
    assert desk.engine.roundCount() == 0


def test_an_empty_list_while_others_hold_the_other_side(desk: Desk) -> None:
    with nothing_changes(desk.venue), refused(desk.engine.CandidatesMissing, market=desk.market.id):
        desk.deleverage(Side.LONG, [])


# ---------------------------------------------------------------------- those who would be insolvent at the price


def test_whoever_would_be_insolvent_is_passed_over(desk: Desk) -> None:
    """Ranked between heron and owl, but not needed."""
    desk.seat(THIN)
    desk.price(80)
    thin = desk.trader("thin")
    before = desk.holding(thin)
    done = desk.deleverage(Side.LONG, traders(desk, "owl thin heron hawk"))
    assert [(each.name, each.contracts) for each in fills(desk, done)] == [("hawk", 300), ("heron", 400), ("owl", 100)]
    assert skips(desk, done) == [(desk.account(thin), SkipReason.INSOLVENT_AT_ADL_PRICE)]
    assert desk.holding(thin) == before


def test_behind_the_last_fill_nobody_is_skipped(desk: Desk) -> None:
    desk.seat(THIN)
    desk.price(80)
    done = desk.deleverage(Side.LONG, traders(desk, "thin swift hawk"))
    assert skips(desk, done) == []


def test_the_second_pass_takes_all_that_is_left_to_them(desk: Desk) -> None:
    """Where the solvent don't suffice: 100 contracts at 80 + 131/100, which leaves nothing of its equity."""
    desk.seat(THIN)
    desk.price(80)
    done = desk.deleverage(Side.LONG, traders(desk, "owl thin hawk"))
    assert fills(desk, done) == [
        fill("hawk", 300, "82.5", "24750"),
        fill("owl", 200, "82.5", "16500"),
        fill("thin", 100, "81.31", "8131"),
    ]
    assert skips(desk, done) == []
    assert desk.holding(desk.trader("thin")) == FLAT
    assert outcome(desk, done)["value"] == wad(24_750 + 16_500 + 8131)
    assert outcome(desk, done)["price"] == PRICE


def test_the_second_pass_may_be_partial(desk: Desk) -> None:
    """40 contracts are left for it; it pays 1.31 for each of them and keeps the rest."""
    desk.seat("""
        thin    -100 80.5   81
        crow    -260 80.5 9000
        anchor   360 80.5 9000
    """)
    desk.price(80)
    done = desk.deleverage(Side.LONG, traders(desk, "hawk owl crow thin"))
    assert fills(desk, done, "hawk owl crow thin")[-1] == fill("thin", 40, "81.31", str(40 * Decimal("81.31")))
    thin = desk.trader("thin")
    assert desk.holding(thin).size == wad(-60)
    assert desk.equity(thin) == wad("78.6")
    assert desk.inventory(Side.LONG) == (0, 0)


def test_the_second_pass_goes_by_rank(desk: Desk) -> None:
    """Thin has a little more leverage than reed, so it is called on first; each pays what it has for a contract."""
    desk.seat("""
        thin    -100 80.5   81
        reed     -50 80.5   41
        anchor   150 80.5 9000
    """)
    desk.price(80)
    candidates = traders(desk, "thin reed")
    ranked = desk.engine.ranking(desk.market.id, Side.LONG, [desk.account(each) for each in candidates])
    done = desk.deleverage(Side.LONG, candidates)
    order = [each["account"] for each in emitted(done, desk.engine.Deleveraged)]
    assert order == [bytes(each.account) for each in ranked]
    assert [each.price for each in fills(desk, done, "thin reed")] == [Decimal("81.31"), Decimal("81.32")]


@pytest.mark.parametrize("candidates", ["thin owl thin hawk", "thin thin"])
def test_a_duplicate_is_passed_over_once_and_closed_once(desk: Desk, candidates: str) -> None:
    desk.seat(THIN)
    desk.price(80)
    thin = desk.trader("thin")
    done = desk.deleverage(Side.LONG, traders(desk, candidates))
    assert skips(desk, done) == [(desk.account(thin), SkipReason.DUPLICATE)]
    assert fills(desk, done)[-1] == fill("thin", 100, "81.31", "8131")
    assert desk.holding(thin) == FLAT


def test_a_duplicate_that_is_not_needed_is_passed_over_once(desk: Desk) -> None:
    desk.seat(THIN)
    desk.price(80)
    thin = desk.account(desk.trader("thin"))
    done = desk.deleverage(Side.LONG, traders(desk, "thin owl heron thin hawk"))
    assert skips(desk, done) == [(thin, SkipReason.DUPLICATE), (thin, SkipReason.INSOLVENT_AT_ADL_PRICE)]


@pytest.mark.parametrize("wei", [0, 1], ids=["just solvent", "a wei short"])
def test_solvent_at_the_price_to_the_wei(desk: Desk, wei: int) -> None:
    """100 contracts at 82.5 take 250 from a short at 80: with 250 it is closed there, with a wei less it waits."""
    thin, anchor = desk.trader("thin"), desk.trader("anchor")
    desk.seat("""
        kite    -10 75 5000
        anchor   10 75 5000
    """)
    desk.price("80.5")
    desk.deposit(thin, 200)
    desk.trade(anchor, thin, wad(-99), wad("80.5"))
    desk.trade(anchor, thin, wad(-1), wad("80.5") - wei)
    desk.price(80)
    assert desk.equity(thin) == wad(250) - wei

    snapshot = rpc("evm_snapshot")
    done = desk.deleverage(Side.LONG, traders(desk, "kite thin heron hawk"))
    last = [(each.name, each.contracts) for each in fills(desk, done, "hawk heron thin kite")][2:]
    assert last == ([("kite", 10), ("thin", 90)] if wei else [("thin", 100)])
    rpc("evm_revert", snapshot)

    done = desk.deleverage(Side.LONG, [thin])
    (only,) = emitted(done, desk.engine.Deleveraged)
    # A wei less for 100 contracts is not a wei each: the price is rounded toward the account, which keeps the rest.
    assert only["price"] == PRICE - wei
    assert only["value"] == 100 * (PRICE - wei)
    assert desk.holding(thin) == Account(0, 0, 99 * wei)


def test_one_second_pass_from_each_side(mirrored: Desk) -> None:
    """A long of 100 from 99.5 with 100 left has 150 at 100: it sells at 100 - 1.5."""
    desk = mirrored
    desk.seat("""
        thin     100 99.5  100
        anchor  -100 99.5 5000
    """)
    desk.price(100)
    done = desk.deleverage(Side.SHORT, traders(desk, "thin"))
    assert fills(desk, done) == [fill("thin", -100, "98.5", "-9850")]
    assert desk.holding(desk.trader("thin")) == FLAT
