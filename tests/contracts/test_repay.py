"""Who pays for an open deficit beside those who leave: the treasury, whoever repays it, income; and that of a group."""

from __future__ import annotations

import pytest

from backstop.math.deficit import paid_tokens
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, refused
from tests.support.deficits import deficit, held, open_deficit, withdraw
from tests.support.desk import Desk, open_desk
from tests.support.enums import Item, Side
from tests.support.proofs import nothing_changes
from tests.support.stakers import SCALE, Stakers, open_group

ZERO = "0x" + "0" * 40


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market whose own pool has an open deficit of 5,000; whale has 60,000 there, and nobody else anything."""
    desk = open_desk(venue, "LUNA-USD", 100)
    open_deficit(desk, 5000)
    return desk


@pytest.fixture
def well(venue: Venue, desk: Desk) -> Desk:
    """Another market, whose pool has lost nothing."""
    return open_desk(venue, "SOL-USD", 100)


# ---------------------------------------------------------------------- who pays for it otherwise


def reserves(desk: Desk) -> int:
    return int(desk.exchange.reserves()[1])


def earn(desk: Desk, fees: int) -> Done:
    """Trades whose fees of 1 % are all the treasury's, swept."""
    desk.set_parameters(taker_fee=wad("0.01"), pool_fee_share=0, treasury_fee_share=wad(1))
    maker, taker = desk.trader("maker"), desk.trader("taker")
    desk.deposit(maker, 10 * fees)
    desk.deposit(taker, 10 * fees)
    contracts, price = wad(fees), desk.mark()
    done = desk.trade(maker, taker, contracts, price)
    (event,) = emitted(done, desk.exchange.Settled)
    assert event["takerFee"] == wad(fees) * price // 10**20
    return act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id)


@pytest.mark.parametrize("fees", [4999, 5000, 5001])
def test_the_treasury_s_share_pays_first(desk: Desk, well: Desk, fees: int) -> None:
    earn(well, fees)
    assert (deficit(desk), reserves(desk)) == (wad(max(0, 5000 - fees)), wad(max(0, fees - 5000)))
    assert desk.fund.items(desk.market.pool)[Item.DEFICIT] == wad(min(fees, 5000))
    assert desk.pool_cash() == wad(min(0, fees - 5000))


@pytest.mark.parametrize("fees", [4999, 5001])
def test_what_a_full_pool_does_not_take_pays_too(desk: Desk, well: Desk, fees: int) -> None:
    """Beyond a pool's cap its fees are the treasury's."""
    Stakers(well).set_staking(cap=0)
    well.set_parameters(pool_fee_share=wad(1), treasury_fee_share=0, taker_fee=wad("0.01"))
    for name in ("maker", "taker"):
        well.deposit(desk.trader(name), 100_000)
    well.trade(desk.trader("maker"), desk.trader("taker"), wad(fees), well.mark())
    act(desk.trader("stranger"), desk.exchange.sweep, well.market.id)
    assert (well.pool_cash(), deficit(desk)) == (0, wad(max(0, 5000 - fees)))
    assert reserves(desk) == wad(max(0, fees - 5000))


def test_its_own_income_lowers_it(desk: Desk) -> None:
    desk.contribute(1000)
    assert deficit(desk) == wad(4000)
    desk.contribute(4000, to_market=True)
    assert (deficit(desk), tuple(desk.fund.deficits())) == (0, ([], []))


def test_repaying(desk: Desk) -> None:
    """By anyone, in parts; the market's result does not move."""
    donor = desk.trader("donor")
    desk.fill_purse(donor, 10_000)
    pnl, tokens_held = desk.backing().pnl, held(desk)
    done = act(donor, desk.fund.repay, desk.market.pool, tokens(1999))
    assert emitted(done, desk.fund.Repaid) == [
        {"pool": desk.market.pool, "from": donor.address.lower(), "amount": tokens(1999)}
    ]
    assert emitted(done, desk.fund.Entered) == [
        {
            "pool": desk.market.pool,
            "market": 0,
            "item": Item.REPAYMENT,
            "amount": wad(1999),
            "cash": wad(-3001),
        }
    ]
    assert (deficit(desk), desk.backing().pnl, held(desk) - tokens_held) == (wad(3001), pnl, tokens(1999))
    with nothing_changes(desk.venue), refused(desk.fund.AmountZero):
        act(donor, desk.fund.repay, desk.market.pool, 0)
    too_much = {"pool": desk.market.pool, "amount": wad(3001) + SCALE, "deficit": wad(3001)}
    with nothing_changes(desk.venue), refused(desk.fund.RepaymentTooLarge, **too_much):
        act(donor, desk.fund.repay, desk.market.pool, tokens(3001) + 1)
    act(donor, desk.fund.repay, desk.market.pool, tokens(3001))
    assert (deficit(desk), desk.pool_cash()) == (0, 0)
    with refused(desk.fund.RepaymentTooLarge, pool=desk.market.pool, amount=SCALE, deficit=0):
        act(donor, desk.fund.repay, desk.market.pool, 1)


def test_the_last_unit_may_be_more_than_is_open(desk: Desk, venue: Venue) -> None:
    """A wei of deficit needs a whole unit; so does 5,000 less a wei, and not one more."""
    other = open_desk(venue, "UST-USD", 100)
    for side, wei, most in ((1, 1, tokens(5000) + 1), (1, 0, tokens(5000))):
        del side
        poor = open_desk(venue, f"P{wei}-USD", 100)
        lacking(poor, wad(5000) + wei)
        donor = poor.trader("donor")
        poor.fill_purse(donor, 10_000)
        with refused(
            poor.fund.RepaymentTooLarge,
            pool=poor.market.pool,
            amount=(most + 1) * SCALE,
            deficit=wad(5000) + wei,
        ):
            act(donor, poor.fund.repay, poor.market.pool, most + 1)
        act(donor, poor.fund.repay, poor.market.pool, most)
        assert poor.pool_cash() == most * SCALE - wad(5000) - wei
    assert other.pool_cash() == 0


def lacking(desk: Desk, amount: int) -> None:
    """As `open_deficit`, to the wei: icarus opened that much worse."""
    icarus, whale, swan = (desk.trader(name) for name in ("icarus", "whale", "swan"))
    for who, margin in ((icarus, 1000), (whale, 50_000), (swan, 4000)):
        desk.deposit(who, margin)
    desk.trade(whale, icarus, wad(999), wad(100))
    desk.price("100.0001")
    desk.trade(whale, icarus, wad(1), wad(100) + amount - wad(5000))
    desk.price(90)
    desk.trade(swan, whale, wad(1000), wad(90))
    desk.take_over(icarus)
    desk.deleverage(Side.LONG, [swan])
    assert desk.pool_cash() == -amount


def test_pools_that_are_not_there_or_lack_nothing(desk: Desk, well: Desk) -> None:
    donor = desk.trader("donor")
    desk.fill_purse(donor, 10)
    for pool in (0, desk.fund.poolCount() + 1):
        with refused(desk.fund.PoolMissing, pool=pool):
            act(donor, desk.fund.repay, pool, 1)
    with refused(desk.fund.RepaymentTooLarge, pool=well.market.pool, amount=SCALE, deficit=0):
        act(donor, desk.fund.repay, well.market.pool, 1)


def test_two_pools_share_what_is_given_up(desk: Desk, well: Desk, venue: Venue) -> None:
    """Pro rata, rounded down, the remainder to the last; each can be repaid by itself."""
    second = open_desk(venue, "UST-USD", 100)
    open_deficit(second, 3000)
    assert tuple(desk.fund.deficits()) == ([desk.market.pool, second.market.pool], [wad(5000), wad(3000)])
    saver = desk.trader("saver")
    well.deposit(saver, 1000)
    paid = paid_tokens(tokens(1000), held(desk), tokens(8000))
    withdraw(well, saver, tokens(1000))
    given_up = (tokens(1000) - paid) * SCALE
    assert desk.pool_cash() == wad(-5000) + given_up * 5 // 8
    assert second.pool_cash() == wad(-3000) + given_up - given_up * 5 // 8
    donor = desk.trader("donor")
    desk.fill_purse(donor, 5000)
    rest = -desk.pool_cash()
    act(donor, desk.fund.repay, desk.market.pool, -(-rest // SCALE))
    assert desk.fund.deficits().pools == [second.market.pool]
    assert deficit(desk) == -second.pool_cash()


def test_the_treasury_is_paid_alike(desk: Desk, well: Desk, venue: Venue) -> None:
    treasury = desk.trader("treasury")
    act(venue.owner, desk.exchange.setTreasury, treasury.address)
    earn(well, 20_000)
    assert (reserves(desk), deficit(desk)) == (wad(15_000), 0)
    open_deficit(open_desk(venue, "UST-USD", 100), 2000)
    paid = paid_tokens(tokens(15_000), held(desk), tokens(2000))
    done = act(treasury, desk.exchange.collect, tokens(15_000))
    assert emitted(done, desk.exchange.TreasuryCollected) == [
        {"treasury": treasury.address.lower(), "amount": tokens(15_000)}
    ]
    assert desk.token.balanceOf(treasury.address) == paid < tokens(15_000)
    assert reserves(desk) == 0


# ---------------------------------------------------------------------- of a mutual group


def test_of_a_group_only_what_its_sum_lacks(venue: Venue, market: TestMarket, desk: Desk) -> None:
    """-5,000 and -1,000 beside 2,000, then 6,000; redistributed or not, the deficit is the same."""
    before = deficit(desk)
    first, second, third = open_group(venue, {"A-USD": 0, "B-USD": 0, "C-USD": 0})
    open_deficit(first, 5000)
    open_deficit(second, 1000)
    assert deficit(desk) - before == wad(6000)
    third.contribute(2000)
    parts = dict(zip(*desk.fund.deficits(), strict=True))
    share = wad(2000) * 5 // 6
    assert parts[first.market.pool] == wad(5000) - share
    assert parts[second.market.pool] == wad(1000) - (wad(2000) - share)
    assert deficit(desk) - before == wad(4000)
    act(desk.trader("stranger"), desk.fund.redistribute)
    assert dict(zip(*desk.fund.deficits(), strict=True)) == parts
    third.contribute("3999.999999")
    assert deficit(desk) - before == SCALE
    third.contribute("0.000001")
    assert deficit(desk) == before  # at zero: the group carries it to the last wei
    act(desk.trader("stranger"), desk.fund.redistribute)
    assert (deficit(desk), desk.fund.group()[1]) == (before, [0, 0, 0])


@pytest.mark.parametrize("redistributed", [False, True])
def test_a_member_that_adl_may_still_help_lacks_nothing_yet(
    venue: Venue, desk: Desk, well: Desk, redistributed: bool
) -> None:
    """-5,000 for good, -1,000 with losing inventory, and 4,500: of the 1,500 lacking a sixth is for ADL to bring."""
    before = deficit(desk)
    first, second, third = open_group(venue, {"A-USD": 0, "B-USD": 0, "C-USD": 0})
    open_deficit(first, 5000)
    second.inherit("midas", 100, 100, 1000, 80, against="kraken")
    third.contribute(4500)
    assert desk.fund.group()[1] == [wad(-5000), wad(-1000), wad(4500)]
    if redistributed:
        act(desk.trader("stranger"), desk.fund.redistribute)
    assert deficit(desk) - before == wad(1250)
    saver = desk.trader("saver")
    well.deposit(saver, 1000)
    total = deficit(desk)
    paid = paid_tokens(tokens(1000), held(desk) * SCALE, total)
    withdraw(well, saver, tokens(1000))
    assert desk.token.balanceOf(saver.address) == paid
    assert total - deficit(desk) == (tokens(1000) - paid) * SCALE
    # Who repays all of it need not come again.
    donor = desk.trader("donor")
    desk.fill_purse(donor, 5000)
    rest = dict(zip(*desk.fund.deficits(), strict=True))[first.market.pool]
    act(donor, desk.fund.repay, first.market.pool, -(-rest // SCALE))
    assert first.market.pool not in desk.fund.deficits()[0]
    assert desk.fund.balanceOf(third.market.pool) == 0


@pytest.mark.parametrize(("given", "lacking"), [(0, 500), (300, 200), (500, 0), (700, 0)])
def test_a_member_below_zero_that_holds_losing_inventory(venue: Venue, desk: Desk, given: int, lacking: int) -> None:
    """-500 for good and inventory that has lost 1,000, which is the most that ADL brings back."""
    before = deficit(desk)
    first, second = open_group(venue, {"A-USD": 0, "B-USD": 0})
    open_deficit(first, 500)
    first.price(100)
    first.inherit("midas", 100, 100, 1000, 80, against="kraken")
    assert (first.pool_cash(), desk.fund.group()[1]) == (wad(-500), [wad(-1500), 0])
    if given:
        second.contribute(given)
    assert deficit(desk) - before == wad(lacking)
    if given:
        act(desk.trader("stranger"), desk.fund.redistribute)
    assert deficit(desk) - before == wad(lacking)
