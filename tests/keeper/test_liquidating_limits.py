"""Liquidation of cross accounts, leg by leg, and within a market's smallest and largest position; plans alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.account_id import account_text, isolated_account
from backstop.adl.snapshot import Account, Block, MarginMode, Market, Position, Snapshot
from backstop.chain.snapshot import ChainState
from backstop.keeper.duties import Liquidate
from backstop.keeper.liquidations import Liquidator, liquidations
from backstop.math.liquidation import penalty, share_of_equity, value
from backstop.math.margin import margin_requirement, position_value
from backstop.math.position import PositionState, apply_trade
from backstop.math.wad import WAD
from backstop.math.wad import parse_amount as wad

from .terms import DISCOUNT, FEE, IMF, KEEPER, MARK, MMF, TERMS

ETH, BTC = "ETH-USD", "BTC-USD"
IDS = {ETH: 1, BTC: 2}


def carrier(market: str = ETH) -> str:
    return account_text(isolated_account(KEEPER, IDS[market]))


def account(name: str, equity: str | int, **sizes: str) -> Account:
    """An account with that equity at mark, entered at mark, with positions `eth` and `btc`."""
    held = {market: wad(sizes[key]) for key, market in (("eth", ETH), ("btc", BTC)) if key in sizes}
    positions = tuple(Position(market, size, position_value(size, MARK)) for market, size in held.items() if size)
    mode = MarginMode.CROSS if len(positions) > 1 else MarginMode.ISOLATED
    return Account(name, mode, wad(equity) if isinstance(equity, str) else equity, positions)


def plan(
    *accounts: Account, up_to: str = "100000", unpriced: tuple[str, ...] = (), min_size: str = "0", largest: str = ""
) -> list[Liquidate]:
    """What is due in two markets at 100 that are alike."""
    terms = replace(TERMS, min_size=wad(min_size), max_notional=wad(largest) if largest else TERMS.max_notional)
    markets = {
        name: Market(name, MARK, MMF, "main", wad("0.3"), wad("0.25"), wad("0.25"), False, 0, 0, name not in unpriced)
        for name in IDS
    }
    block = Block(1, 1, "0x01", 1)
    state = ChainState(
        snapshot=Snapshot(block, markets, {}, accounts),
        block=block,
        market_ids=IDS,
        terms=dict.fromkeys(IDS, terms),
        backstop_ratio=WAD // 2,
        tokens_held=0,
        claims_of={},
        sums_of_sizes={},
        unpriced=dict.fromkeys(unpriced, "PriceStale"),
        left_out={},
        exempt_age=120,
    )
    return liquidations(state, Liquidator(KEEPER, 0, wad(up_to)))


def parts(duties: list[Liquidate]) -> list[tuple[str, str, int]]:
    return [(duty.account, duty.market, duty.contracts) for duty in duties]


FUNDED = (account(carrier(), "5000"), account(carrier(BTC), "5000"))

# ------------------------------------------------------------------ the legs of a cross account


def test_the_leg_that_asks_for_most_margin_is_liquidated_for_the_whole_account() -> None:
    # MM 50 + 20, IM 100 + 40. 80 are missing, 7.5 a contract: more than the leg has, and its share is 60 * 50 / 70.
    [duty] = plan(account("weak", "60", eth="10", btc="-4"), *FUNDED)
    assert (duty.market, duty.side, duty.contracts) == (ETH, "long", wad("10"))
    assert (duty.equity, duty.maintenance_margin) == (wad("60"), wad("70"))
    assert (duty.discount, duty.fee) == (wad("12.5"), wad("12.5"))
    # The other way round it is the other leg, and a part of it where that is enough: (440 - 215) / 7.5.
    [duty] = plan(account("weak", "215", eth="4", btc="-40"), *FUNDED)
    assert (duty.market, duty.side, duty.contracts) == (BTC, "short", wad("30"))


def test_of_equal_legs_the_first_market_is_liquidated() -> None:
    assert parts(plan(account("weak", "60", eth="-7", btc="7"), *FUNDED)) == [("weak", ETH, wad("7"))]


def test_the_penalty_is_limited_by_the_share_of_the_leg() -> None:
    # 36 of 70: the share of the leg is 25.714285714285714285 and a bit more than the 25 that 10 contracts cost.
    [duty] = plan(account("weak", "36", eth="10", btc="-4"), *FUNDED)
    assert duty.discount + duty.fee == wad("25")
    poor = account("poor", wad("35") + 1, eth="10", btc="-4")
    [duty] = plan(poor, *FUNDED)
    assert duty.discount + duty.fee == wad("25")
    share = share_of_equity(wad("35") + 1, wad("50"), wad("70"))
    assert duty.discount + duty.fee <= share


@pytest.mark.parametrize(
    ("equity", "due"), [(wad("70"), False), (wad("70") - 1, True), (wad("35") + 1, True), (wad("35"), False)]
)
def test_between_takeover_and_maintenance_margin_of_all_legs(equity: int, due: bool) -> None:
    assert bool(plan(account("weak", equity, eth="10", btc="-4"), *FUNDED)) is due


def test_the_next_leg_is_liquidated_where_the_keeper_cannot_carry_the_largest() -> None:
    weak = account("weak", "60", eth="10", btc="-4")
    assert parts(plan(weak, account(carrier(BTC), "5000"))) == [("weak", BTC, wad("4"))]
    assert parts(plan(weak)) == []


def test_one_account_takes_one_leg_and_leaves_room_in_the_other_market() -> None:
    crowd = [account("a", "60", eth="10", btc="-4"), account("b", "61", eth="10", btc="-4")]
    assert parts(plan(*crowd, *FUNDED, up_to="1000")) == [("a", ETH, wad("10")), ("b", BTC, wad("4"))]


def test_a_dead_feed_of_any_leg_stops_the_account_and_no_other() -> None:
    crowd = (account("cross", "60", eth="10", btc="-4"), account("lone", "40", eth="10"), *FUNDED)
    assert [duty.account for duty in plan(*crowd)] == ["cross", "lone"]
    assert [duty.account for duty in plan(*crowd, unpriced=(BTC,))] == ["lone"]
    assert plan(*crowd, unpriced=(ETH,)) == []


def test_a_bankrupt_account_of_the_keeper_carries_nothing() -> None:
    weak = account("weak", "40", eth="10")
    # Short 8 without equity: the liquidation would close it, but the exchange trades with no bankrupt.
    assert plan(weak, account(carrier(), 0, eth="-8")) == []
    assert parts(plan(weak, account(carrier(), 1, eth="-8"))) == [("weak", ETH, wad("8"))]


# ------------------------------------------------------------------ the smallest position: 8 of 10 are needed


@pytest.mark.parametrize(("smallest", "closed"), [("0", "8"), ("2", "8"), ("2.000000000000000001", "10"), ("10", "10")])
def test_what_would_be_left_too_small_is_closed_too(smallest: str, closed: str) -> None:
    assert parts(plan(account("weak", "40", eth="10"), *FUNDED, min_size=smallest)) == [("weak", ETH, wad(closed))]


@pytest.mark.parametrize(
    ("up_to", "closed"),
    [("1000", "10"), ("999.99", "7"), ("800", "7"), ("700", "7"), ("699", "6.99"), ("300", "3"), ("299.99", None)],
)
def test_neither_what_is_left_nor_what_is_carried_is_too_small(up_to: str, closed: str | None) -> None:
    """At least 3: all 10 are to be closed, or at most 7, and the keeper's own new position has 3."""
    expected = [("weak", ETH, wad(closed))] if closed else []
    assert parts(plan(account("weak", "40", eth="10"), *FUNDED, up_to=up_to, min_size="3")) == expected


@pytest.mark.parametrize(
    ("held", "closed"),
    [
        # Eight would leave a short of more than enough, just enough, and too little: then fewer are closed, or to zero.
        ("-12", "8"),
        ("-10", "8"),
        ("-9.9", "7.9"),
        ("-8", "8"),
        ("-7", "7"),
        ("-6.000000000000000001", "6.000000000000000001"),
        ("-6", "8"),
        # A long of one that grows is past the smallest in any case.
        ("1", "8"),
    ],
)
def test_what_the_keeper_holds_does_not_become_too_small(held: str, closed: str) -> None:
    """At least 2 in the market: of 10, 8 are needed, and 2 stay."""
    own = account(carrier(), "5000", eth=held)
    assert parts(plan(account("weak", "40", eth="10"), own, min_size="2")) == [("weak", ETH, wad(closed))]


# ------------------------------------------------------------------ the largest position


@pytest.mark.parametrize(
    ("largest", "up_to", "closed"),
    [
        ("800", "100000", "8"),
        ("799", "100000", "7.99"),
        ("100000", "500", "5"),
        ("400", "500", "4"),
        ("39", "500", None),
    ],
)
def test_the_keeper_grows_to_the_largest_position_of_the_market(largest: str, up_to: str, closed: str | None) -> None:
    expected = [("weak", ETH, wad(closed))] if closed else []
    assert parts(plan(account("weak", "40", eth="10"), *FUNDED, largest=largest, up_to=up_to)) == expected


def test_what_only_nets_may_be_beyond_the_largest() -> None:
    own = account(carrier(), "5000", eth="-20")
    assert parts(plan(account("weak", "40", eth="10"), own, largest="100")) == [("weak", ETH, wad("8"))]
    own = account(carrier(), "5000", eth="-5")
    assert parts(plan(account("weak", "40", eth="10"), own, largest="100")) == [("weak", ETH, wad("6"))]


# ------------------------------------------------------------------ any crowd


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Account], dict[str, Account], str, str, str]:
    sizes = st.integers(10**16, 10**20).flatmap(lambda size: st.sampled_from((size, -size)))
    crowd = []
    for number in range(draw(st.integers(1, 5))):
        held = {market: draw(sizes) for market in draw(st.sampled_from([(ETH,), (BTC,), (ETH, BTC)]))}
        positions = tuple(Position(market, size, position_value(size, MARK)) for market, size in held.items())
        own = draw(st.integers(0, sum(margin_requirement(size, MARK, MMF) for size in held.values())))
        mode = MarginMode.CROSS if len(positions) > 1 else MarginMode.ISOLATED
        crowd.append(Account(f"trader {number}", mode, own, positions))
    carriers = {}
    for market in IDS:
        size = draw(st.sampled_from((0, 1, -1))) * draw(st.integers(1, 10**20))
        positions = (Position(market, size, position_value(size, MARK)),) if size else ()
        carriers[market] = Account(carrier(market), MarginMode.ISOLATED, draw(st.integers(0, 10**22)), positions)
    amounts = st.integers(0, 3000).map(str)
    return crowd, carriers, draw(st.integers(0, 60).map(str)), draw(amounts), draw(amounts)


@given(crowds())
def test_the_contracts_would_refuse_nothing_that_is_planned(
    case: tuple[list[Account], dict[str, Account], str, str, str],
) -> None:
    """Their rules, applied one after the other to whatever is planned."""
    crowd, carriers, smallest, largest, up_to = case
    min_size, most = wad(smallest), wad(largest)
    weak = {one.id: one for one in crowd}
    own = {
        market: PositionState(
            *((p.size, p.entry_notional) if (p := next(iter(one.positions), None)) else (0, 0)), one.margin
        )
        for market, one in carriers.items()
    }
    due = plan(*crowd, *carriers.values(), up_to=up_to, min_size=smallest, largest=largest)
    assert len({duty.account for duty in due}) == len(due)
    for duty in due:
        sizes = {position.market: position.size for position in weak[duty.account].positions}
        requirements = {market: margin_requirement(size, MARK, MMF) for market, size in sizes.items()}
        contracts, total = abs(sizes[duty.market]), sum(requirements.values())
        assert 0 < duty.equity < total == duty.maintenance_margin
        left = contracts - duty.contracts
        assert left == 0 or left >= min_size
        share = share_of_equity(duty.equity, requirements[duty.market], total)
        assert (duty.discount, duty.fee) == penalty(duty.contracts, contracts, MARK, share, DISCOUNT, FEE)
        before, part = own[duty.market], duty.contracts * duty.side.sign
        assert not before.size or before.cash + position_value(before.size, MARK) > 0
        after = own[duty.market] = apply_trade(before, part, value(part, MARK, duty.discount))
        assert after.size == 0 or abs(after.size) >= min_size
        reduces = before.size * part < 0 and abs(part) <= abs(before.size)
        assert reduces or abs(after.size) * MARK // WAD <= min(most, wad(up_to))
        assert after.cash + position_value(after.size, MARK) >= margin_requirement(after.size, MARK, IMF)
