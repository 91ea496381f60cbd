"""What a change would do to a place in the queue: by hand, by its rules, and against the mirror of the trade."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.adl.ranking import rank
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import MarginMode, Snapshot
from backstop.adl.what_if import AddMargin, Close, Outcome, Split, Terms, what_if
from backstop.errors import UnknownMarketError, WhatIfError
from backstop.math.margin import cash, equity, margin_requirement
from backstop.math.wad import WAD, format_amount

from .books import ETH, account, market, pool, position, snapshot, wad, worked_case

TERMS = Terms(initial_margin_fraction=wad("0.1"), maker_fee=wad("0.0002"), taker_fee=wad("0.0005"), min_size=wad("10"))
FREE = Terms(initial_margin_fraction=wad("0.1"))
SOL = "SOL-USD"


def on_eth(terms: Terms = TERMS) -> dict[str, Terms]:
    return {ETH: terms}


def two_legs(**changes: Any) -> Snapshot:
    """Cross: long 10 ETH from 80 and short 100 SOL from 19, at 100 and 20, on 300; somebody long of ETH beside it."""
    markets = {ETH: market(pool="both"), SOL: market("20", **({"pool": "both"} | changes))}
    legs = position("short", "100", "19", SOL), position("long", "10", "80")
    return snapshot(
        account("trader", "300", *legs, mode="cross"),
        account("other", "50", position("long", "5", "90")),
        markets=markets,
        pools={"both": pool("1", kind="shared")},
    )


def refusal(state: Snapshot, wish: Any, terms: Terms | None = TERMS, name: str = "trader-a") -> str:
    with pytest.raises(WhatIfError) as refused:
        what_if(state, name, ETH, wish, None if terms is None else on_eth(terms))
    text = str(refused.value)
    assert "\n" not in text
    return text


# ------------------------------------------------------------------ margin


def test_margin_lowers_the_place() -> None:
    """Short 500 from 100 at 80 on 4,000: E 14,000, r 2,000/14,000; with 6,000 more 0.1, behind the 400 from 95."""
    found = what_if(worked_case(), "trader-a", None, AddMargin(wad("6000")))
    before, after = found.before.place, found.after.place
    assert before
    assert after
    assert (found.market, found.side, found.fee, found.realized_pnl, found.beside) == (ETH, "short", 0, 0, None)
    assert (before.adl_rank, before.adl_light, before.leveraged_return) == (1, 2, wad("0.028571428571428571"))
    assert (after.adl_rank, after.adl_light, after.leveraged_return) == (2, 3, wad("0.02"))
    assert (before.margin_ratio, after.margin_ratio) == (wad("0.142857142857142857"), wad("0.1"))
    assert (before.bankruptcy_price, after.bankruptcy_price) == (wad("108"), wad("120"))
    assert (found.before.collateral, found.before.equity) == (wad("4000"), wad("14000"))
    assert (found.after.collateral, found.after.equity) == (wad("10000"), wad("20000"))
    assert (found.after.contracts, found.after.maintenance_margin) == (wad("500"), wad("2000"))
    assert (found.ranked_before, found.ranked_after) == (3, 3)


def test_margin_brings_a_bankrupt_account_back_into_the_queue() -> None:
    """Long 400 from 85 at 80 has lost 2,000; on 1,500 it has no place, on 2,500 one."""
    book = worked_case()
    broke = replace(book, accounts=tuple(_on(one, "1500") if one.id == "trader-d" else one for one in book.accounts))
    found = what_if(broke, "trader-d", ETH, AddMargin(wad("1000")))
    assert (found.before.place, found.before.equity) == (None, wad("-500"))
    assert found.after.place
    assert (found.after.place.adl_rank, found.after.equity) == (1, wad("500"))
    assert (found.ranked_before, found.ranked_after) == (0, 1)


def _on(one: Any, margin: str) -> Any:
    return replace(one, margin=wad(margin))


def test_margin_needs_neither_a_price_nor_an_open_market() -> None:
    for changes in ({"priceLive": False}, {"closed": True}):
        found = what_if(worked_case(**changes), "trader-a", ETH, AddMargin(wad("6000")))
        assert found.after.collateral == wad("10000")


# ------------------------------------------------------------------ closing


def test_closing_a_part() -> None:
    """200 of 500 from 100 at 80: 4,000 realized, a fee of 8; the margin rate falls with the position."""
    found = what_if(worked_case(), "trader-a", ETH, Close(wad("200")), on_eth())
    after = found.after.place
    assert after
    assert (found.fee, found.realized_pnl) == (wad("8"), wad("4000"))
    assert (found.after.collateral, found.after.equity) == (wad("7992"), wad("13992"))
    assert (found.after.contracts, found.after.maintenance_margin) == (wad("300"), wad("1200"))
    assert (found.before.initial_margin, found.after.initial_margin) == (wad("4000"), wad("2400"))
    # 0.2 * 1,200/13,992, the rate cut first: behind the 400 from 95 (0.0252…), before the 300 from 90.
    assert (after.adl_rank, after.leveraged_return) == (2, wad("0.085763293310463121") // 5)
    assert (after.contracts, after.bankruptcy_price) == (wad("300"), wad("126.64"))
    # Of 1,000 contracts 400 are ahead of its 300.
    assert after.adl_light == 3


def test_closing_everything_leaves_no_place() -> None:
    found = what_if(worked_case(), "trader-a", ETH, Close(wad("500")), on_eth())
    assert (found.after.place, found.after.contracts, found.after.maintenance_margin) == (None, 0, 0)
    assert (found.after.collateral, found.after.equity) == (wad("13980"), wad("13980"))
    assert (found.after.initial_margin, found.ranked_after) == (0, 2)
    assert [one.account for one in rank(found.changed, ETH, "short")] == ["trader-b", "trader-c"]


def test_closing_a_long_and_without_terms() -> None:
    found = what_if(worked_case(), "trader-d", None, Close(wad("100")))
    assert (found.side, found.fee, found.realized_pnl) == ("long", 0, wad("-500"))
    assert found.before.initial_margin is None
    assert found.after.contracts == wad("300")


def test_one_leg_of_a_cross_account() -> None:
    """The other leg stays, and counts: E 500 before and after, but for the fee of half a unit."""
    found = what_if(two_legs(), "trader", ETH, Close(wad("10")), {ETH: TERMS})
    assert (found.after.place, found.after.contracts) == (None, 0)
    assert (found.before.equity, found.after.equity) == (wad("400"), wad("399.5"))
    assert (found.before.maintenance_margin, found.after.maintenance_margin) == (wad("150"), wad("100"))
    assert [one.market for one in found.changed.accounts[0].positions] == [SOL]
    assert found.before.initial_margin is None
    part = what_if(two_legs(), "trader", SOL, Close(wad("40")), {ETH: TERMS, SOL: FREE})
    assert [(one.market, one.size) for one in part.changed.accounts[0].positions] == [
        (SOL, -wad("60")),
        (ETH, wad("10")),
    ]
    assert (part.before.initial_margin, part.after.initial_margin) == (wad("300"), wad("220"))
    assert part.after.place
    assert part.after.place.unrealized_pnl == wad("-60")


def test_a_remainder_of_just_the_smallest_size() -> None:
    assert what_if(worked_case(), "trader-a", ETH, Close(wad("490")), on_eth()).after.contracts == wad("10")
    text = refusal(worked_case(), Close(wad("490") + 1))
    assert text.startswith("9.999999999999999999 contracts would be left in ETH-USD")
    assert "the smallest position has 10:" in text


# ------------------------------------------------------------------ splitting


def test_a_split_opens_at_mark_beside_it() -> None:
    """100 of 500 to an account with 900: it is even at mark, and comes after everybody who gains."""
    rich = replace(worked_case(), accounts=tuple(_on(one, "5000") for one in worked_case().accounts))
    found = what_if(rich, "trader-a", ETH, Split(wad("100"), wad("900"), "trader-a/2"), on_eth())
    after, beside = found.after, found.beside
    assert beside
    assert beside.place
    assert after.place
    # Notional 8,000: a taker's fee of 4 and a maker's of 1.6; 2,000 realized.
    assert (found.fee, found.realized_pnl) == (wad("5.6"), wad("2000"))
    assert (after.collateral, after.contracts) == (wad("5000") - wad("900") + wad("2000") - wad("1.6"), wad("400"))
    assert (beside.collateral, beside.equity, beside.contracts) == (wad("896"), wad("896"), wad("100"))
    assert (beside.initial_margin, beside.maintenance_margin) == (wad("800"), wad("400"))
    assert (beside.account, beside.place.leveraged_return, beside.place.adl_rank) == ("trader-a/2", 0, 4)
    assert (found.ranked_before, found.ranked_after) == (3, 4)
    new = found.changed.accounts[-1]
    assert (new.id, new.margin_mode, new.positions[0].size) == ("trader-a/2", MarginMode.ISOLATED, -wad("100"))
    assert new.positions[0].entry_notional == -wad("8000")


def test_a_split_of_all_leaves_the_old_account_flat() -> None:
    wish = Split(wad("500"), wad("4020"), "new", is_deposited=True)
    found = what_if(worked_case(), "trader-a", ETH, wish, on_eth())
    assert (found.after.place, found.after.collateral) == (None, wad("13992"))
    assert found.beside
    assert found.beside.equity == found.beside.initial_margin == wad("4000")
    assert refusal(worked_case(), replace(wish, margin=wad("4020") - 1)) == (
        "the new account would have an equity of 3999.999999999999999999 after the fee, and the initial margin of 500 "
        "contracts in ETH-USD is 4000: give it 0.000000000000000001 more, or split off fewer"
    )


def test_a_cross_account_splits_into_a_cross_account() -> None:
    wish = Split(wad("2"), wad("100"), "new", is_deposited=True)
    found = what_if(two_legs(), "trader", ETH, wish, {ETH: FREE, SOL: FREE})
    assert found.changed.accounts[-1].margin_mode is MarginMode.CROSS
    assert found.before.initial_margin == wad("300")
    with pytest.raises(WhatIfError, match="ETH-USD is held by isolated accounts only"):
        what_if(two_legs(), "trader", ETH, wish, {ETH: FREE._replace(isolated_only=True), SOL: FREE})
    # An isolated account goes on in another one.
    wish = Split(wad("1"), wad("9"), "new", is_deposited=True)
    assert what_if(worked_case(), "trader-a", ETH, wish, on_eth(FREE._replace(isolated_only=True))).beside


def test_what_may_be_moved_to_the_new_account() -> None:
    """Of 4,000 and 10,000 of gains the initial margin of 4,000 stays, and gains do not count: nothing."""
    text = refusal(worked_case(), Split(wad("10"), wad("1"), "new"))
    assert text.startswith("1 of margin cannot be moved: without unrealized profit account trader-a has 0 beyond its")
    book = replace(worked_case(), accounts=tuple(_on(one, "4100") for one in worked_case().accounts))
    assert what_if(book, "trader-a", ETH, Split(wad("10"), wad("100"), "new"), on_eth()).beside
    assert "has 100 beyond its initial margin of 4000;" in refusal(book, Split(wad("10"), wad("100") + 1, "new"))
    under = replace(worked_case(), accounts=tuple(_on(one, "3000") for one in worked_case().accounts))
    assert "has 0 beyond" in refusal(under, Split(wad("10"), wad("1"), "new"))


def test_limits_of_the_new_position() -> None:
    wish = Split(wad("10"), wad("1000"), "new", is_deposited=True)
    assert what_if(worked_case(), "trader-a", ETH, wish, on_eth(TERMS._replace(max_notional=wad("800")))).beside
    assert refusal(worked_case(), wish, TERMS._replace(max_notional=wad("800") - 1)) == (
        "the new position would be worth 800, and may be worth 799.999999999999999999 in ETH-USD: split off fewer"
    )
    assert refusal(worked_case(), replace(wish, contracts=wad("10") - 1)) == (
        "9.999999999999999999 contracts are too few for a position of their own in ETH-USD: the smallest has 10"
    )


def test_a_split_needs_to_know_the_initial_margin() -> None:
    for deposited in (False, True):
        text = refusal(worked_case(), Split(wad("10"), wad("1000"), "new", deposited), None)
        assert text == "a split is judged by the initial margin of ETH-USD, which is not known: tell it"
    with pytest.raises(WhatIfError, match="initial margin of SOL-USD, ETH-USD, which"):
        what_if(two_legs(), "trader", ETH, Split(wad("1"), wad("1"), "new"), on_eth())


def test_a_new_account_is_new() -> None:
    text = refusal(worked_case(), Split(wad("10"), wad("1000"), "trader-b", is_deposited=True))
    assert text == "account trader-b is not new: it holds something already"


# ------------------------------------------------------------------ what cannot be done


def test_more_than_there_is() -> None:
    assert refusal(worked_case(), Close(wad("500") + 1)) == (
        "500.000000000000000001 contracts cannot be closed: account trader-a has 500 in ETH-USD"
    )
    text = refusal(worked_case(), Split(wad("501"), wad("1"), "new"))
    assert text == "501 contracts cannot be split off: account trader-a has 500 in ETH-USD"


@pytest.mark.parametrize("wish", [Close(wad("1")), Split(wad("1"), wad("100"), "new", is_deposited=True)])
def test_who_cannot_trade(wish: Any) -> None:
    broke = replace(worked_case(), accounts=tuple(_on(one, "-10000") for one in worked_case().accounts))
    assert refusal(broke, wish) == (
        "account trader-a has no equity left (0) and cannot trade: only margin can be added"
    )
    dead = "ETH-USD has no price now, and who holds it cannot trade: wait until it has one"
    assert refusal(worked_case(priceLive=False), wish) == dead
    ended = "ETH-USD was closed: its positions are settled at its final price, not traded"
    assert refusal(worked_case(closed=True), wish) == ended
    for changes, words in (({"priceLive": False}, f"{SOL} has no price now"), ({"closed": True}, f"{SOL} was closed")):
        with pytest.raises(WhatIfError, match=words):
            what_if(two_legs(**changes), "trader", ETH, wish, {ETH: FREE, SOL: FREE})


def test_a_fee_that_the_equity_does_not_carry() -> None:
    """Long 10 from 100 at 100 on a margin that barely is one: a fee of 0.5 to close it."""
    for margin, closed, words in (
        ("0.4", "10", "an equity of -0.1"),
        ("0.25", "5", "an equity of 0 for a maintenance margin of 25, a worse margin rate than it has"),
        ("0.4", "5", "an equity of 0.15 for a maintenance margin of 25, a worse"),
    ):
        state = snapshot(account("lean", margin, position("long", "10", "100")))
        free = TERMS._replace(min_size=0)
        assert words in refusal(state, Close(wad(closed)), free, "lean")
    # At 0.5 half of it closes at a rate that is just as bad.
    state = snapshot(account("lean", "0.5", position("long", "10", "100")))
    assert what_if(state, "lean", ETH, Close(wad("5")), on_eth(free)).after.equity == wad("0.25")
    assert what_if(state, "lean", ETH, Close(wad("10")), on_eth(free)).after.equity == 0


def test_which_account_and_which_market() -> None:
    margin = AddMargin(WAD)
    assert refusal(worked_case(), margin, name="nobody") == "unknown account 'nobody': it holds nothing here"
    flat = snapshot(account("flat", "5"))
    assert refusal(flat, margin, name="flat") == "account flat has no position, and so no place in a queue"
    with pytest.raises(WhatIfError, match=r"^account trader has positions in SOL-USD, ETH-USD: name one by --market$"):
        what_if(two_legs(), "trader", None, margin)
    assert what_if(two_legs(), "trader", SOL, margin).market == SOL
    with pytest.raises(WhatIfError, match=r"^account other has no position in SOL-USD: it has one in ETH-USD$"):
        what_if(two_legs(), "other", SOL, margin)
    with pytest.raises(UnknownMarketError, match="'DOGE-USD'"):
        what_if(two_legs(), "trader", "DOGE-USD", margin)


# ------------------------------------------------------------------ any book


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Snapshot, str, Any]:
    """A book of ETH at 100, and a wish of one of its accounts."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 10**6), st.sampled_from(["long", "short"])
            ),
            min_size=1,
            max_size=8,
        )
    )
    accounts = [
        account(f"trader-{number:02}", str(margin), position(side, format_amount(size * 10**15), str(entry)))
        for number, (size, entry, margin, side) in enumerate(rows)
    ]
    number = draw(st.integers(0, len(rows) - 1))
    contracts = draw(st.integers(1, rows[number][0])) * 10**15
    amount = draw(st.just(10**6 * WAD) | st.integers(1, 10**6 * WAD))  # enough for a split, mostly
    wish = draw(
        st.sampled_from([AddMargin(amount), Close(contracts), Split(contracts, amount, "new", draw(st.booleans()))])
    )
    return snapshot(*accounts), f"trader-{number:02}", wish


@given(wishes(), st.integers(0, WAD // 100), st.integers(0, WAD // 100))
def test_it_is_the_place_that_the_changed_book_gives(drawn: tuple[Snapshot, str, Any], maker: int, taker: int) -> None:
    """And cash is moved, not made: what is deposited comes in, what is traded at mark and paid goes out."""
    state, name, wish = drawn
    terms = Terms(wad("0.1"), maker, taker)
    try:
        found = what_if(state, name, ETH, wish, on_eth(terms))
    except WhatIfError:
        return
    queue = {place.account: place for place in rank(found.changed, ETH, found.side)}
    assert found.after.place == queue.get(name)
    assert found.ranked_after == len(queue)
    others = [one for one in found.changed.accounts if one.id not in (name, "new")]
    assert others == [one for one in state.accounts if one.id != name]
    _assert_sums(state, name, wish, found)
    if isinstance(wish, Split):
        assert found.beside
        assert found.beside.place == queue["new"]
        assert found.beside.equity >= (found.beside.initial_margin or 0) > 0
        assert found.after.contracts + found.beside.contracts == found.before.contracts
    if isinstance(wish, AddMargin) and found.before.place:
        # More margin never brings anybody nearer to the front, who gains or who loses.
        assert found.after.place
        assert found.after.place.adl_rank >= found.before.place.adl_rank


def _assert_sums(state: Snapshot, name: str, wish: Any, found: Outcome) -> None:
    def of(book: Snapshot, *names: str) -> tuple[int, int, int]:
        own = [one for one in book.accounts if one.id in names]
        legs = [legs_of(book, one) for one in own]
        return (
            sum(cash(one.margin, each) for one, each in zip(own, legs, strict=True)),
            sum(equity(one.margin, each) for one, each in zip(own, legs, strict=True)),
            sum(position.size for one in own for position in one.positions),
        )

    cash_before, equity_before, size_before = of(state, name)
    cash_after, equity_after, size_after = of(found.changed, name, "new")
    mark = 100
    came_in = wish.amount if isinstance(wish, AddMargin) else 0
    if isinstance(wish, Split) and wish.is_deposited:
        came_in = wish.margin
    # Contracts have 15 decimals, so a mark of 100 rounds nothing.
    assert cash_after == cash_before + came_in - found.fee + mark * (size_before - size_after)
    assert equity_after == equity_before + came_in - found.fee
    if isinstance(wish, Close):
        assert abs(size_after) == abs(size_before) - wish.contracts
    elif isinstance(wish, Split):
        assert size_after == size_before
        assert found.beside
        # The margin of both is that of the one before, which no rounding changes here.
        whole = margin_requirement(size_before, mark * WAD, wad("0.05"))
        assert found.after.maintenance_margin + found.beside.maintenance_margin == whole
