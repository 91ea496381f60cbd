"""A round of auto-deleveraging: `ADLEngine.deleverage`, end to end on the deployed wiring; only the feed is a mock."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from ape import project

from backstop.account_id import isolated_account
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, imagine, later, now, refused, rpc, wait_until
from tests.support.desk import ANY_BOUNDS, FLAT, Account, Desk, open_desk
from tests.support.enums import Side, SkipReason, Trigger
from tests.support.proofs import assert_proofs, nothing_changes

# The published case. The mark gaps to 80, and icarus was bankrupt at 88.75: of 20,000 the pool has lost 7,000, or 35 %.
# To come back to 25 % it is due 2,000, and the price is 82.5. Leveraged returns fall down the table.
BOOK = """
    hawk    -300 100  3000
    swift   -600  90  5400
    heron   -400 100  8000
    owl     -200 100 10000
    finch   -200  90  6000
    whale    900 100 60000
    icarus   800  90  1000
"""
PRICE = wad("82.5")
LEVERAGED_RETURNS = {
    "hawk": 2666666666666666,
    "swift": 2339181286549707,
    "heron": 2000000000000000,
    "owl": 1142857142857142,
    "finch": 1111111111111111,
}
# A short of 100 from 80.5 with a margin of 81: at 80 it has 131, at 82.5 it would be 119 short.
THIN = """
    thin    -100 80.5   81
    anchor   100 80.5 5000
"""


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    desk.seat(BOOK)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    return desk


def traders(desk: Desk, names: str) -> list[Any]:
    return [desk.trader(name) for name in names.split()]


@dataclass(frozen=True)
class Fill:
    """A fill in decimals, as a table shows it."""

    name: str
    contracts: Decimal
    price: Decimal
    value: Decimal


def fills(desk: Desk, done: Done, names: str = "hawk swift heron owl finch thin whale") -> list[Fill]:
    """Who was deleveraged, in the order of execution; ranks are checked to count from 1."""
    known = {desk.account(desk.trader(name)): name for name in names.split()}
    found = emitted(done, desk.engine.Deleveraged)
    assert [each["rank"] for each in found] == list(range(1, len(found) + 1))
    return [
        Fill(known[each["account"]], *(Decimal(each[key]) / 10**18 for key in ("size", "price", "value")))
        for each in found
    ]


def fill(name: str, contracts: int | str, price: str, value: str) -> Fill:
    return Fill(name, Decimal(contracts), Decimal(price), Decimal(value))


def skips(desk: Desk, done: Done) -> list[tuple[bytes, SkipReason]]:
    return [(each["account"], SkipReason(each["reason"])) for each in emitted(done, desk.engine.CandidateSkipped)]


def outcome(desk: Desk, done: Done) -> dict[str, Any]:
    (event,) = emitted(done, desk.engine.RoundExecuted)
    result: dict[str, Any] = event["outcome"]
    return result


# ---------------------------------------------------------------------- the published case


def test_the_published_case(desk: Desk) -> None:
    keeper = desk.trader("keeper")
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron owl finch"))

    assert emitted(done, desk.engine.Deleveraged) == [
        {
            "round": 1,
            "account": desk.account(desk.trader(name)),
            "size": wad(contracts),
            "value": wad(value),
            "price": PRICE,
            "leveragedReturn": LEVERAGED_RETURNS[name],
            "rank": rank,
        }
        for rank, name, contracts, value in ((1, "hawk", 300, 24_750), (2, "swift", 500, 41_250))
    ]
    assert emitted(done, desk.engine.RoundExecuted) == [
        {
            "round": 1,
            "market": desk.market.id,
            "keeper": keeper.address.lower(),
            "outcome": {
                "side": Side.LONG,
                "trigger": Trigger.DRAWDOWN,
                "mark": wad(80),
                "price": PRICE,
                "contracts": wad(800),
                "netted": 0,
                "value": wad(66_000),
                "compensation": wad(2000),
            },
        }
    ]
    assert emitted(done, desk.fund.InventoryClosed) == [
        {
            "pool": desk.market.pool,
            "market": desk.market.id,
            "side": Side.LONG,
            "size": wad(800),
            "value": wad(66_000),
            "result": wad(-5000),
        }
    ]
    assert emitted(done, desk.fund.ADLEnded) == [{"market": desk.market.id, "drawdown": wad("0.25")}]
    assert emitted(done, desk.fund.InventoryNetted) == emitted(done, desk.engine.CandidateSkipped) == []

    # hawk: 3,000 and 300 * (100 - 82.5); swift: 5,400 and 500 * (90 - 82.5), 100 contracts stay.
    assert desk.holding(desk.trader("hawk")) == Account(0, 0, wad(8250))
    assert desk.holding(desk.trader("swift")) == Account(wad(-100), wad(-9000), wad(9150))
    backing = desk.backing()
    assert (backing.balance, backing.loss, backing.base) == (wad(15_000), wad(5000), wad(20_000))
    assert (backing.drawdown, backing.drawdownDue) == (wad("0.25"), False)
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.open_interest() == wad(900)
    assert desk.engine.roundCount() == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_permuted_list_executes_in_the_right_order(desk: Desk, seed: int) -> None:
    candidates = traders(desk, "hawk swift heron owl finch whale icarus")
    random.Random(seed).shuffle(candidates)
    done = desk.deleverage(Side.LONG, candidates)
    assert fills(desk, done) == [fill("hawk", 300, "82.5", "24750"), fill("swift", 500, "82.5", "41250")]


def test_a_reversed_list(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "finch owl heron swift hawk"))
    assert fills(desk, done) == [fill("hawk", 300, "82.5", "24750"), fill("swift", 500, "82.5", "41250")]


def test_the_view_ranks_as_the_round_executes(desk: Desk) -> None:
    candidates = [desk.account(each) for each in traders(desk, "finch icarus owl hawk whale swift heron hawk")]
    ranked = desk.engine.ranking(desk.market.id, Side.LONG, candidates)
    assert [(bytes(each.account), each.leveragedReturn) for each in ranked] == [
        (desk.account(desk.trader(name)), expected) for name, expected in LEVERAGED_RETURNS.items()
    ]
    assert [each.equity for each in ranked] == [wad(each) for each in (9000, 11_400, 16_000, 14_000, 8000)]
    assert (ranked[0].size, ranked[0].entryNotional) == (wad(-300), wad(-30_000))
    (only,) = desk.engine.ranking(desk.market.id, Side.SHORT, candidates)
    assert bytes(only.account) == desk.account(desk.trader("whale"))
    assert desk.engine.ranking(desk.market.id, Side.LONG, []) == []


def test_only_the_last_fill_is_partial(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "finch owl heron"))
    assert [(each.name, each.contracts) for each in fills(desk, done)] == [("heron", 400), ("owl", 200), ("finch", 200)]
    assert outcome(desk, done)["contracts"] == wad(800)
    assert desk.holding(desk.trader("finch")) == Account(0, 0, wad(7500))


def test_fewer_contracts_than_the_inventory(desk: Desk) -> None:
    """What is closed is closed at the price of the whole; the rest stays for the next round."""
    done = desk.deleverage(Side.LONG, traders(desk, "owl"))
    assert fills(desk, done) == [fill("owl", 200, "82.5", "16500")]
    assert outcome(desk, done)["contracts"] == wad(200)
    assert desk.inventory(Side.LONG) == (wad(600), wad(600) * Decimal("88.75"))
    assert desk.backing().drawdown == wad("0.325")


@pytest.mark.parametrize(
    "lists",
    [["hawk", "swift"], ["swift", "hawk"], ["hawk", "heron", "finch"], ["owl", "finch", "heron"]],
    ids=", then ".join,
)
def test_rounds_one_after_the_other_get_the_same_price(desk: Desk, lists: list[str]) -> None:
    """Recomputed from the state that it finds, the price stays until nothing is left."""
    total = Decimal(0)
    for number, names in enumerate(lists, start=1):
        done = desk.deleverage(Side.LONG, traders(desk, names))
        (each,) = fills(desk, done)
        assert each.price == Decimal("82.5")
        total += each.contracts
        assert outcome(desk, done)["compensation"] == wad(2000 - (total - each.contracts) * Decimal("2.5"))
        assert emitted(done, desk.engine.RoundExecuted)[0]["round"] == number
    assert desk.inventory(Side.LONG)[0] == wad(800 - total)


def test_single_rounds_end_where_one_batch_ends(desk: Desk) -> None:
    snapshot = rpc("evm_snapshot")
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    names = "hawk swift heron owl finch"
    batch = [desk.holding(each) for each in traders(desk, names)], desk.fund.pool(desk.market.pool)
    rpc("evm_revert", snapshot)
    for name in ("hawk", "swift"):
        desk.deleverage(Side.LONG, traders(desk, name))
    assert ([desk.holding(each) for each in traders(desk, names)], desk.fund.pool(desk.market.pool)) == batch


def test_once_the_drawdown_is_down_nothing_is_due(desk: Desk) -> None:
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, "heron"))


# ---------------------------------------------------------------------- a short inventory


@pytest.fixture
def mirrored(venue: Venue) -> Desk:
    """The same book with the sides changed: at 100 a short of 800 from 90 is bankrupt at 91.25, and 7,000 are lost."""
    desk = open_desk(venue, "BTC-USD", 80)
    desk.contribute(20_000)
    desk.seat("""
        hawk     300 80  3000
        swift    600 90  5400
        heron    400 80  8000
        owl      200 80 10000
        finch    200 90  6000
        whale   -900 80 60000
        icarus  -800 90  1000
    """)
    desk.price(100)
    desk.take_over(desk.trader("icarus"))
    return desk


def test_a_short_inventory(mirrored: Desk) -> None:
    desk = mirrored
    done = desk.deleverage(Side.SHORT, traders(desk, "finch owl heron swift hawk whale"))
    assert fills(desk, done) == [
        fill("hawk", -300, "97.5", "-29250"),
        fill("heron", -400, "97.5", "-39000"),
        fill("swift", -100, "97.5", "-9750"),
    ]
    assert skips(desk, done) == [(desk.account(desk.trader("whale")), SkipReason.INVENTORY_SIDE)]
    assert outcome(desk, done) == {
        "side": Side.SHORT,
        "trigger": Trigger.DRAWDOWN,
        "mark": wad(100),
        "price": wad("97.5"),
        "contracts": wad(800),
        "netted": 0,
        "value": wad(-78_000),
        "compensation": wad(2000),
    }
    (closed,) = emitted(done, desk.fund.InventoryClosed)
    assert (closed["side"], closed["size"], closed["result"]) == (Side.SHORT, wad(-800), wad(-5000))
    assert desk.holding(desk.trader("hawk")) == Account(0, 0, wad(3000 + 5250))
    assert desk.holding(desk.trader("swift")) == Account(wad(500), wad(45_000), wad(5400 + 750))
    assert desk.inventory(Side.SHORT) == (0, 0)
    assert desk.backing().drawdown == wad("0.25")


def test_the_best_shorts_and_the_best_longs_go_first(desk: Desk, mirrored: Desk) -> None:
    """More leverage on the same gain goes first on either side, and losers come last."""
    for each, side in ((desk, Side.LONG), (mirrored, Side.SHORT)):
        names = traders(each, "owl heron hawk")
        ranked = each.engine.ranking(each.market.id, side, [each.account(who) for who in names])
        assert [bytes(place.account) for place in ranked] == [each.account(who) for who in reversed(names)]
        assert all(place.leveragedReturn > 0 for place in ranked)


# ---------------------------------------------------------------------- ranking


def test_losers_go_after_winners_the_more_leveraged_first(desk: Desk) -> None:
    desk.seat("""
        kite    -10 75 5000
        lark    -10 75  500
        anchor   20 75 5000
    """)
    desk.price(80)
    candidates = [desk.account(each) for each in traders(desk, "kite lark finch")]
    ranked = desk.engine.ranking(desk.market.id, Side.LONG, candidates)
    assert [bytes(each.account) for each in ranked] == candidates[::-1]
    assert ranked[0].leveragedReturn > 0 > ranked[1].leveragedReturn > ranked[2].leveragedReturn
    done = desk.deleverage(Side.LONG, traders(desk, "lark kite finch"))
    order = [(each.name, each.contracts) for each in fills(desk, done, "lark kite finch")]
    assert order == [("finch", 200), ("lark", 10), ("kite", 10)]


def test_ties_go_by_account_id(desk: Desk) -> None:
    """Four that are alike: from each as much as there is, the smallest id first."""
    alike = [desk.trader(f"twin {i}") for i in range(4)]
    desk.price(90)
    desk.deposit(desk.trader("anchor"), 10_000)
    for each in alike:
        desk.deposit(each, 100)
        desk.trade(desk.trader("anchor"), each, wad(-10), wad(90))
    desk.price(80)
    by_id = sorted(desk.account(each) for each in alike)
    for candidates in (by_id, by_id[::-1], by_id[2:] + by_id[:2]):
        ranked = desk.engine.ranking(desk.market.id, Side.LONG, candidates)
        assert [bytes(each.account) for each in ranked] == by_id
        assert len({each.leveragedReturn for each in ranked}) == 1
    done = desk.deleverage(Side.LONG, by_id[::-1])
    assert [each["account"] for each in emitted(done, desk.engine.Deleveraged)] == by_id


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


# ---------------------------------------------------------------------- rounding


@pytest.fixture
def sevenths(venue: Venue) -> Desk:
    """7 long contracts bankrupt at 600/7 in an empty pool, at a mark of 80; heron is short 7 against them."""
    desk = open_desk(venue, "DOGE-USD", 100)
    desk.inherit("icarus", 7, 100, 100, 80, against="heron")
    return desk


def test_the_last_fill_closes_the_entry_to_the_wei(sevenths: Desk) -> None:
    """Rounded toward the pool contract by contract, but what it gets in all is what it owed."""
    desk = sevenths
    heron, gull = desk.trader("heron"), desk.trader("gull")
    desk.deposit(gull, 1000)
    desk.trade(gull, heron, wad("2.5"), wad(80))
    done = desk.deleverage(Side.LONG, [heron, gull])
    values = [each["value"] for each in emitted(done, desk.engine.Deleveraged)]
    assert [each["size"] for each in emitted(done, desk.engine.Deleveraged)] in (
        [wad("4.5"), wad("2.5")],
        [wad("2.5"), wad("4.5")],
    )
    assert sum(values) == wad(600)
    assert outcome(desk, done)["price"] == wad("85.714285714285714285")
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.backing().balance == 0


def test_rounding_makes_nobody_insolvent(sevenths: Desk) -> None:
    """A short of one contract that has just enough: the fill is rounded up, but not beyond what it has."""
    desk = sevenths
    gull, heron = desk.trader("gull"), desk.trader("heron")
    step = wad("5.714285714285714285")
    desk.deposit(gull, 5)
    desk.trade(heron, gull, wad(-1), wad(80) + step - wad(5))
    assert desk.equity(gull) == step
    done = desk.deleverage(Side.LONG, [gull])
    (only,) = emitted(done, desk.engine.Deleveraged)
    # ceil(1 * 85.714285714285714286) would have been a wei more than there is.
    assert (only["price"], only["value"]) == (wad(80) + step, wad(80) + step)
    assert desk.holding(gull) == FLAT


@pytest.mark.parametrize("parts", [[1, 1, 1], [3, 5, 999_999_999]])
def test_dust_is_closed_too(sevenths: Desk, parts: list[int]) -> None:
    """A few wei of contracts: nobody pays more than they have, and the pool gets no more than it owed."""
    desk = sevenths
    heron = desk.trader("heron")
    mites = [desk.trader(f"mite {i}") for i in range(len(parts))]
    for mite, part in zip(mites, parts, strict=True):
        desk.deposit(mite, "0.000001")
        desk.trade(heron, mite, -part, wad(80))
    done = desk.deleverage(Side.LONG, mites)
    assert outcome(desk, done)["contracts"] == sum(parts)
    for mite in mites:
        held = desk.holding(mite)
        assert (held.size, held.entry) == (0, 0)
        assert 0 <= held.margin <= 10**12
    assert desk.backing().balance <= 0


def test_credits_are_debits(desk: Desk) -> None:
    """Both legs settle at one price: what the pool gets for the inventory is what the counterparties take on."""
    who = traders(desk, "hawk swift heron owl finch")
    cash = [desk.holding(each).cash for each in who]
    claim = desk.fund.claim(desk.market.pool)
    done = desk.deleverage(Side.LONG, who)
    paid = [before - desk.holding(each).cash for before, each in zip(cash, who, strict=True)]
    values = [each["value"] for each in emitted(done, desk.engine.Deleveraged)]
    assert paid == values + [0] * 3
    assert desk.fund.claim(desk.market.pool) - claim == sum(values) == outcome(desk, done)["value"]


def test_the_gain_of_a_counterparty_is_kept(desk: Desk) -> None:
    """Closed at the price, not a unit worse: its margin grows by what it had gained there."""
    who = traders(desk, "hawk swift")
    before = [desk.holding(each) for each in who]
    done = desk.deleverage(Side.LONG, who)
    for old, each, event in zip(before, who, emitted(done, desk.engine.Deleveraged), strict=True):
        closed = event["size"]
        gain = -old.entry * closed // -old.size - closed * PRICE // 10**18
        assert desk.holding(each).margin - old.margin >= gain - 1


# ---------------------------------------------------------------------- when and within which bounds


def test_not_due(desk: Desk) -> None:
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.SHORT):
        desk.deleverage(Side.SHORT, traders(desk, "whale"))
    desk.price(86)
    assert desk.backing().drawdown == wad("0.11")
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, "hawk"))


def test_not_due_in_a_market_without_inventory(desk: Desk, venue: Venue, market: TestMarket) -> None:
    bare = Desk(venue, market)
    with refused(desk.engine.ADLNotDue, market=market.id, side=Side.LONG):
        bare.deleverage(Side.LONG, traders(desk, "hawk"))


def test_an_unlisted_market(desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    with refused(desk.fund.MarketUnassigned, market=unlisted):
        act(desk.trader("keeper"), desk.engine.deleverage, unlisted, Side.LONG, [], ANY_BOUNDS)


def test_deadline(desk: Desk) -> None:
    """By timestamp: the last second counts."""
    deadline = now() + 100
    with refused(desk.engine.DeadlinePassed, deadline=deadline):
        desk.deleverage(Side.LONG, traders(desk, "hawk"), deadline=deadline, at=deadline + 1)


def test_last_second(desk: Desk) -> None:
    deadline = now() + 100
    done = desk.deleverage(Side.LONG, traders(desk, "hawk"), deadline=deadline, at=deadline)
    assert outcome(desk, done)["contracts"] == wad(300)


@pytest.mark.parametrize("prices", [(PRICE + 1, 2**255 - 1), (-(2**255), PRICE - 1), (PRICE + 1, PRICE - 1)])
def test_a_price_that_was_not_planned_for(desk: Desk, prices: tuple[int, int]) -> None:
    with refused(desk.engine.PriceOutsideBounds, price=PRICE, minPrice=prices[0], maxPrice=prices[1]):
        desk.deleverage(Side.LONG, traders(desk, "hawk"), prices=prices)


def test_the_price_that_was_planned_for(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "hawk"), prices=(PRICE, PRICE))
    assert outcome(desk, done)["price"] == PRICE


def test_no_round_without_a_price(desk: Desk) -> None:
    updated = desk.priced_at()
    wait_until(updated + 3600)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        desk.deleverage(Side.LONG, traders(desk, "hawk"), at=updated + 3601)


def test_the_price_of_a_round_is_remembered(desk: Desk) -> None:
    """From then on nobody can have an older answer accepted."""
    desk.price(79)
    published = desk.priced_at()
    with nothing_changes(desk.venue):
        desk.checkpoint()  # a reading, whoever asks for it
    assert desk.price_feed.accepted(desk.market.id).price == wad(80)
    desk.deleverage(Side.LONG, traders(desk, "hawk swift heron"))
    last = desk.price_feed.accepted(desk.market.id)
    assert (last.price, last.updatedAt) == (wad(79), published)
    act(desk.venue.owner, desk.market.feed.setRound, 99, 90 * 10**8, published - 1, 99)
    back = {"market": desk.market.id, "updatedAt": published - 1, "acceptedAt": published}
    with refused(desk.price_feed.PriceWentBack, **back):
        act(desk.trader("stranger"), desk.price_feed.accept, desk.market.id)


def test_a_round_that_is_refused_remembers_nothing(desk: Desk) -> None:
    desk.price(100)
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, "hawk"))
    assert desk.price_feed.accepted(desk.market.id).price == wad(80)


def test_anybody_may_and_at_once(desk: Desk) -> None:
    """No permission and no delay: takeover and round of a stranger with a bond in one block."""
    stranger = desk.trader("stranger")
    desk.bond(stranger)
    desk.seat("""
        midas    10 80   10
        anchor  -10 80 5000
    """)
    desk.price(70)
    candidates = [desk.account(each) for each in traders(desk, "hawk swift heron owl")]
    calls = [
        desk.exchange.takeOver.encode_input(desk.account(desk.trader("midas"))),
        desk.engine.deleverage.encode_input(desk.market.id, Side.LONG, candidates, ANY_BOUNDS),
    ]
    rpc("evm_setAutomine", False)
    try:
        sent = [
            rpc(
                "eth_sendTransaction",
                {"from": stranger.address, "to": to.address, "data": "0x" + bytes(data).hex(), "gas": hex(5_000_000)},
            )
            for to, data in zip((desk.exchange, desk.engine), calls, strict=True)
        ]
        rpc("evm_mine")
    finally:
        rpc("evm_setAutomine", True)
    receipts = [rpc("eth_getTransactionReceipt", each) for each in sent]
    assert [int(each["status"], 16) for each in receipts] == [1, 1]
    assert len({each["blockNumber"] for each in receipts}) == 1
    assert desk.inventory(Side.LONG) == (0, 0)


# ---------------------------------------------------------------------- counterparties that move in front


@pytest.mark.parametrize(
    ("change", "left"),
    [(300, 0), (301, 1), (1, -299), ("0.000000000000000001", "-299.999999999999999999"), (-1, -301)],
    ids=["closes", "flips", "reduces", "reduces by one wei", "grows"],
)
def test_a_counterparty_that_trades_in_front(desk: Desk, change: int | str, left: int | str) -> None:
    """Re-validated and filled as it stands: the same 800 contracts are closed, the others take what it left."""
    hawk, whale = desk.trader("hawk"), desk.trader("whale")
    desk.trade(whale, hawk, wad(change), wad(80))
    assert desk.holding(hawk).size == wad(left)
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron"), prices=(PRICE, PRICE))
    assert outcome(desk, done)["contracts"] == wad(800)
    by_name = {each.name: each.contracts for each in fills(desk, done)}
    shorted = max(Decimal(0), -Decimal(left))
    assert by_name.get("hawk", 0) == min(shorted, 800)
    assert sum(by_name.values()) == 800
    expected = [] if shorted else [SkipReason.FLAT if left == 0 else SkipReason.INVENTORY_SIDE]
    assert [reason for _, reason in skips(desk, done)] == expected
    if shorted:
        assert desk.holding(hawk) == Account(0, 0, desk.holding(hawk).margin)


@pytest.mark.parametrize("deed", ["deposits", "withdraws", "cancels", "deposits a lot"])
def test_a_counterparty_that_moves_margin_in_front(desk: Desk, deed: str) -> None:
    hawk = desk.trader("hawk")
    if deed == "deposits":
        desk.deposit(hawk, "0.000001")
    elif deed == "deposits a lot":
        desk.deposit(hawk, 10**9)
    elif deed == "withdraws":
        act(hawk, desk.exchange.withdraw, desk.account(hawk), 1, hawk.address)
    else:
        act(hawk, desk.exchange.cancelAll)
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron"), prices=(PRICE, PRICE))
    assert outcome(desk, done)["contracts"] == wad(800)
    order = [each.name for each in fills(desk, done)]
    assert order == (["swift", "heron"] if deed == "deposits a lot" else ["hawk", "swift"])


def test_all_planned_counterparties_leave_but_one(desk: Desk) -> None:
    whale = desk.trader("whale")
    for name, size in (("hawk", 300), ("swift", 600)):
        desk.trade(whale, desk.trader(name), wad(size), wad(80))
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift owl"))
    assert fills(desk, done) == [fill("owl", 200, "82.5", "16500")]


def test_a_gift_in_front_changes_the_terms_and_only_the_bounds_refuse_it(desk: Desk) -> None:
    desk.contribute(1000)
    price = wad(80) + wad(7000 - 5250) // 800
    with refused(desk.engine.PriceOutsideBounds, price=price, minPrice=PRICE, maxPrice=PRICE):
        desk.deleverage(Side.LONG, traders(desk, "hawk swift"), prices=(PRICE, PRICE))
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift"), prices=(wad(80), PRICE))
    assert outcome(desk, done)["price"] == price == wad("82.1875")


# ---------------------------------------------------------------------- no call to anybody


def called(transaction: str) -> set[str]:
    """Every address that a transaction called."""
    found = set()
    frames = [rpc("debug_traceTransaction", transaction, {"tracer": "callTracer"})]
    while frames:
        frame = frames.pop()
        found.add(frame["to"].lower())
        frames += frame.get("calls", [])
    return found


def test_no_call_leaves_the_system(desk: Desk) -> None:
    """Internal credit only: not the counterparties, and not the token."""
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron owl finch whale"))
    system = desk.venue.system
    modules = (system.solvency_module, system.market_module, system.inventory_module)
    contracts = (system.engine, system.round_book, system.fund, system.exchange, *modules, system.price_feed)
    assert called(done.transaction) == {each.address.lower() for each in (*contracts, desk.market.feed)}


@pytest.mark.parametrize("code", ["fe", "5b600056", "620f42406000f3"], ids=["breaks", "loops", "returns a bomb"])
def test_a_hostile_wallet_is_deleveraged_like_anybody(desk: Desk, code: str) -> None:
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    anchor = desk.trader("anchor")
    desk.price(90)
    desk.deposit(wallet, 100)
    desk.deposit(anchor, 5000)
    made, taken = desk.order(anchor, wad(100), wad(90)), desk.order(wallet, wad(-100), wad(90))
    signatures = desk.signed(made, anchor), desk.signed(taken, desk.trader("warden"))
    desk.settle(made, taken, wad(100), signatures, by=anchor)
    desk.price(80)
    desk.venue.endpoint.request("anvil_setCode", wallet.address, "0x" + code)
    done = desk.deleverage(Side.LONG, [wallet, *traders(desk, "hawk swift")])
    assert emitted(done, desk.engine.Deleveraged)[0]["account"] == desk.account(wallet)
    assert desk.holding(wallet) == Account(0, 0, wad(850))
    assert done.gas_used < 1_000_000


def test_a_frozen_token_stops_nothing(desk: Desk) -> None:
    candidates = [desk.account(each) for each in traders(desk, "hawk swift")]
    arguments = desk.market.id, Side.LONG, candidates, ANY_BOUNDS
    desk.bond(desk.trader("keeper"))
    result = imagine(desk.trader("keeper"), desk.engine.deleverage, *arguments, code={desk.token: bytes.fromhex("fe")})
    assert int(result, 16) == 1


# ---------------------------------------------------------------------- netting within the pool


@pytest.fixture
def both(venue: Venue) -> Desk:
    """Long 10 from 90 and short 10 from 110 in an empty pool, at a mark of 120, and nobody else in the market."""
    desk = open_desk(venue, "PEPE-USD", 100)
    desk.seat("""
        icarus   10 100 100
        midas   -10 100 100
    """)
    for name, mark in (("icarus", 90), ("midas", 120)):
        desk.price(mark)
        desk.take_over(desk.trader(name))
    return desk


def test_what_nobody_else_holds_is_netted_at_mark(both: Desk) -> None:
    desk = both
    claim = desk.fund.claim(desk.market.pool)
    assert desk.backing().balance == wad(-100)
    done = desk.deleverage(Side.SHORT, [])
    assert emitted(done, desk.fund.InventoryNetted) == [
        {
            "pool": desk.market.pool,
            "market": desk.market.id,
            "contracts": wad(10),
            "mark": wad(120),
            "result": wad(200),
        }
    ]
    assert outcome(desk, done) == {
        "side": Side.SHORT,
        "trigger": Trigger.DEPLETION,
        "mark": wad(120),
        "price": wad(110),
        "contracts": 0,
        "netted": wad(10),
        "value": 0,
        "compensation": wad(100),
    }
    assert desk.inventory(Side.LONG) == desk.inventory(Side.SHORT) == (0, 0)
    assert desk.open_interest() == 0
    assert desk.fund.claim(desk.market.pool) == claim == wad(200)
    assert (desk.backing().balance, desk.backing().pnl) == (wad(200), wad(200))
    assert emitted(done, desk.fund.InventoryClosed) == emitted(done, desk.engine.Deleveraged) == []


def test_candidates_that_are_none_do_not_stop_netting(both: Desk) -> None:
    desk = both
    done = desk.deleverage(Side.SHORT, traders(desk, "icarus midas"))
    assert [reason for _, reason in skips(desk, done)] == [SkipReason.FLAT, SkipReason.FLAT]
    assert outcome(desk, done)["netted"] == wad(10)


def test_what_is_left_after_the_last_holder_is_netted(both: Desk) -> None:
    """Somebody is long 4 against a new short: they are closed first, then what the pool's own long covers."""
    desk = both
    desk.price(100)
    desk.seat("""
        bull     4 100  400
        bear    -4 100   40
    """)
    desk.price(120)
    desk.take_over(desk.trader("bear"))
    assert desk.inventory(Side.SHORT) == (wad(-14), wad(-1540))
    done = desk.deleverage(Side.SHORT, traders(desk, "bull"))
    found = outcome(desk, done)
    assert (found["contracts"], found["netted"], found["price"]) == (wad(4), wad(10), wad(110))
    assert desk.holding(desk.trader("bull")) == Account(0, 0, wad(440))
    assert desk.inventory(Side.LONG) == desk.inventory(Side.SHORT) == (0, 0)
    assert desk.open_interest() == 0


def test_nothing_is_netted_while_somebody_holds_the_other_side(both: Desk) -> None:
    """A wei of contracts that was not called on is enough."""
    desk = both
    desk.price(100)
    desk.seat("""
        bull     4 100  400
        mite     1 100  100
        bear    -5 100 1000
    """)
    desk.price(120)
    done = desk.deleverage(Side.SHORT, traders(desk, "bull"))
    found = outcome(desk, done)
    assert (found["contracts"], found["netted"]) == (wad(4), 0)
    assert desk.inventory(Side.LONG) == (wad(10), wad(900))
    with refused(desk.engine.CandidatesMissing, market=desk.market.id):
        desk.deleverage(Side.SHORT, [])


def test_nothing_is_netted_while_a_bankrupt_holds_the_other_side(both: Desk) -> None:
    """It is to be taken over; then it is the pool's own."""
    desk = both
    desk.price(150)
    desk.seat(
        """
        daedal    4 150   20
        bear     -4 150 1000
    """.replace("   20", "   60")
    )
    desk.price(120)
    daedal = desk.trader("daedal")
    with refused(desk.engine.NothingDeleveraged, candidates=1):
        desk.deleverage(Side.SHORT, [daedal])
    desk.take_over(daedal)
    done = desk.deleverage(Side.SHORT, [])
    assert outcome(desk, done)["netted"] == wad(10)
    assert desk.inventory(Side.LONG)[0] == wad(4)


def test_the_larger_inventory_keeps_its_share_of_the_entry(both: Desk) -> None:
    """14 long from 90 and 100/7, of which 10 are netted: the entry that goes with them is rounded up."""
    desk = both
    desk.price(100)
    desk.seat("""
        phaethon   4 100    4
        bear      -4 100 9000
    """)
    desk.price(80)
    desk.take_over(desk.trader("phaethon"))
    size, entry = desk.inventory(Side.LONG)
    assert (size, entry) == (wad(14), wad(900 + 396))
    desk.price(120)
    done = desk.deleverage(Side.SHORT, [])
    gone = -(-entry * 10 // 14)
    assert desk.inventory(Side.LONG) == (wad(4), entry - gone)
    (netted,) = emitted(done, desk.fund.InventoryNetted)
    assert netted["result"] == wad(1100) - gone


# ---------------------------------------------------------------------- both sides at once, and life after


def test_the_other_inventory_is_not_touched(desk: Desk) -> None:
    """The pool also holds a short that gains: a round of the long leaves it alone."""
    desk.inherit("midas", -100, 80, 1000, 99, against="kraken")
    desk.price(80)
    short = desk.inventory(Side.SHORT)
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    assert desk.inventory(Side.SHORT) == short == (wad(-100), wad(-9000))
    assert desk.inventory(Side.LONG) == (0, 0)


def test_both_sides_of_a_market_are_deleveraged(venue: Venue) -> None:
    """Long from 99 and short from 91 at 95: first one, then the other, each at the price of its share."""
    desk = open_desk(venue, "XRP-USD", 100)
    desk.contribute(10_000)
    desk.inherit("icarus", 1000, 100, 1000, 99, against="bear")
    desk.inherit("midas", -1000, 90, 1000, 91, against="bull")
    desk.price(95)
    # 8,000 of 10,000 are lost; 5,500 above the target, half of it on each side.
    assert [desk.terms(side).price for side in Side] == [wad("97.75"), wad("92.25")]
    desk.deleverage(Side.LONG, traders(desk, "bear"))
    assert desk.terms(Side.SHORT).price == wad("92.25")
    done = desk.deleverage(Side.SHORT, traders(desk, "bull"))
    assert outcome(desk, done)["compensation"] == wad(2750)
    assert (desk.backing().drawdown, desk.backing().balance) == (wad("0.25"), wad(7500))


def test_nothing_is_created_by_trading_on_after_a_round(desk: Desk) -> None:
    """Trade on and move the mark: sizes sum to zero, tokens held are the claims, and what some win others lose."""
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    whale, swift, hawk = traders(desk, "whale swift hawk")
    for price, maker, taker, contracts in (
        (85, whale, swift, "33.333333333333333333"),
        (70, swift, hawk, "-0.000000000000000007"),
        ("91.23456789", whale, hawk, "-12.5"),
        (60, hawk, whale, "100.1"),
    ):
        desk.price(price)
        desk.trade(maker, taker, wad(contracts), wad(price))
        assert_proofs(desk.venue)
    names = "hawk swift heron owl finch whale"
    before = sum(desk.equity(each) for each in traders(desk, names))
    held = desk.backing().balance
    desk.price(75)
    after = sum(desk.equity(each) for each in traders(desk, names))
    # Values are rounded down, by less than a wei for each account.
    assert abs(after - before) <= 6
    assert desk.backing().balance == held


def test_a_deleveraged_trader_trades_on(desk: Desk) -> None:
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    hawk, whale = traders(desk, "hawk whale")
    desk.trade(whale, hawk, wad(-10), wad(80))
    assert desk.holding(hawk) == Account(wad(-10), wad(-800), wad(8250))
    act(hawk, desk.exchange.withdraw, desk.account(hawk), 8_000_000_000, hawk.address)


def test_a_round_is_no_risk_taken(desk: Desk) -> None:
    """`riskTime` stays: to be deleveraged raises nobody's risk."""
    who = traders(desk, "hawk swift")
    before = [desk.exchange.position(desk.account(each), desk.market.id).riskTime for each in who]
    later()
    desk.deleverage(Side.LONG, who)
    after = [desk.exchange.position(desk.account(each), desk.market.id).riskTime for each in who]
    assert after == before


def test_another_bankruptcy_opens_another_round(desk: Desk) -> None:
    """The pool stands at 15,000 with 5,000 lost: a new loss of 1,000 brings it to 30 %, and 1,000 are due again."""
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    desk.inherit("phaethon", 100, 80, 100, 69, against="kraken")
    assert desk.backing().loss == wad(6000)
    done = desk.deleverage(Side.LONG, [desk.trader("kraken")])
    assert outcome(desk, done)["compensation"] == wad(1000)
    assert outcome(desk, done)["price"] == wad(79)
    assert emitted(done, desk.engine.RoundExecuted)[0]["round"] == 2


def test_the_largest_positions(venue: Venue) -> None:
    """A thousandth of the contracts that 112 bits hold, worth nearly all that one may be: nothing overflows."""
    desk = open_desk(venue, "BIG-USD", "0.05")
    huge = 15 * 10**11
    icarus, whale = desk.trader("icarus"), desk.trader("whale")
    desk.deposit(icarus, huge * Decimal("0.00055"))
    desk.deposit(whale, huge * Decimal("0.05"))
    desk.trade(whale, icarus, wad(huge), wad("0.05"))
    desk.price("0.0001")
    desk.take_over(icarus)
    done = desk.deleverage(Side.LONG, [whale])
    assert outcome(desk, done)["price"] == wad("0.04945")
    assert outcome(desk, done)["value"] == wad("0.04945") * huge
    assert desk.holding(whale) == Account(0, 0, wad("0.05055") * huge)


def test_twenty_counterparties_in_a_fraction_of_a_block(desk: Desk) -> None:
    """Gas is set by the batch that the caller chooses: less than 70,000 a counterparty, sorting, record and all."""
    anchor = desk.trader("anchor")
    flock = [desk.trader(f"starling {i}") for i in range(20)]
    desk.price(90)
    desk.deposit(anchor, 100_000)
    for i, each in enumerate(flock):
        desk.deposit(each, 20 + i % 7)
        desk.trade(anchor, each, wad(-10), wad(90))
    desk.price(80)
    done = desk.deleverage(Side.LONG, flock)
    assert outcome(desk, done)["contracts"] == wad(200)
    assert done.gas_used < 20 * 70_000
