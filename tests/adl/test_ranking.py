"""The queue: order, ties, lights and the prices shown beside it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.adl.ranking import rank
from backstop.adl.scoring import is_bankrupt
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import loads
from backstop.errors import UnknownMarketError
from backstop.math.margin import equity, maintenance_margin, value_leg
from backstop.math.wad import INT256_MAX

from .books import ETH, EXAMPLES, account, market, pool, position, snapshot, wad, worked_case


def test_the_published_queue_of_six() -> None:
    book = loads((EXAMPLES / "six-trader-queue.json").read_text())
    queue = rank(book, ETH, "short")
    assert [place.contracts for place in queue] == [wad(n) for n in ("5500", "2500", "2000", "3000", "2000", "5000")]
    assert [place.adl_rank for place in queue] == [1, 2, 3, 4, 5, 6]
    assert [20 * place.adl_light for place in queue] == [20, 40, 60, 60, 80, 100]


def test_the_score_and_the_prices_of_the_worked_case() -> None:
    [a, b, c] = rank(worked_case(), ETH, Side.SHORT)
    # 500 from 100 at 80, margin 4,000: uPnL 10,000, E 14,000, MM 2,000, r = 1/7, pnlRate 0.2.
    assert (a.account, a.unrealized_pnl, a.margin_ratio) == ("trader-a", wad("10000"), wad("0.142857142857142857"))
    assert a.leveraged_return == wad("0.028571428571428571")
    # p_b = 100 + 4,000/500; liquidated at 54,000/525 = 102.857142857142857142…
    assert (a.bankruptcy_price, a.liquidation_price) == (wad("108"), wad("102.857142857142857142"))
    # 400 from 95, margin 4,000: 6,000/38,000 * 1,600/10,000, the rate cut first: 0.157894736842105263 * 0.16.
    assert (b.account, b.leveraged_return) == ("trader-b", wad("0.025263157894736842"))
    assert (c.account, c.adl_rank, c.adl_light) == ("trader-c", 3, 5)


def test_every_loser_comes_after_every_winner() -> None:
    # loser is barely under water and highly leveraged, winner barely above and hardly leveraged.
    book = snapshot(
        account("loser", "51", position("long", "10", "100.01")),
        account("winner", "99999", position("long", "10", "99.99")),
        account("even", "51", position("long", "10", "100")),
    )
    queue = rank(book, ETH, "long")
    assert [place.account for place in queue] == ["winner", "even", "loser"]
    assert queue[0].leveraged_return > queue[1].leveraged_return == 0 > queue[2].leveraged_return


def test_of_two_losses_the_more_leveraged_comes_later() -> None:
    lean = account("a", "60", position("long", "10", "101"))
    fat = account("b", "600", position("long", "10", "101"))
    assert [place.account for place in rank(snapshot(lean, fat), ETH, "long")] == ["a", "b"]


def test_ties_go_by_account_id() -> None:
    twins = [account(name, "100", position("short", "1", "120")) for name in ("0xb", "0xa", "0x9", "10", "9")]
    assert [place.account for place in rank(snapshot(*twins), ETH, "short")] == ["0x9", "0xa", "0xb", "10", "9"]


def test_an_account_without_equity_has_no_place() -> None:
    # At 100 a short from 90 has lost 10 a contract: margins of 10, 10 and a wei, 10 less a wei.
    book = snapshot(
        account("at-zero", "10", position("short", "1", "90")),
        account("one-wei", "10.000000000000000001", position("short", "1", "90")),
        account("under", "9.999999999999999999", position("short", "1", "90")),
        account("flat", "10"),
        account("other-side", "100", position("long", "1", "90")),
    )
    assert [place.account for place in rank(book, ETH, "short")] == ["one-wei"]
    # Who has a wei is not to be taken over, and neither is who holds nothing.
    assert [one.id for one in book.accounts if is_bankrupt(book, one)] == ["at-zero", "under"]


def test_a_cross_account_is_scored_by_its_whole_margin() -> None:
    btc = market("3000", pool="both")
    books = {"markets": {ETH: market(pool="both"), "BTC-USD": btc}, "pools": {"both": pool("1", kind="shared")}}
    # trader: ETH long 10 from 80 (+200), BTC short 1 from 2,900 (-100), margin 300: E 400, MM 50 + 150, r 0.5.
    # The BTC leg stands first in its list: the market order of the file decides, not the account's.
    legs = position("short", "1", "2900", "BTC-USD"), position("long", "10", "80")
    book = snapshot(account("trader", "300", *legs, mode="cross"), **books)
    [eth] = rank(book, ETH, "long")
    assert (eth.margin_ratio, eth.leveraged_return) == (wad("0.5"), wad("0.125"))
    # Shares of E by MM: 100 and 300.
    assert eth.bankruptcy_price == wad("90")
    [btc_leg] = rank(book, "BTC-USD", "short")
    assert btc_leg.bankruptcy_price == wad("3300")
    # -100/2,900 cut to 18 decimals, over 0.5.
    assert btc_leg.leveraged_return == wad("-0.068965517241379310")
    # cash = 300 - 800 + 2,900 = 2,400: (150 - 2,400 + 3,000)/9.5, up.
    assert eth.liquidation_price == wad("78.947368421052631579")


def test_nothing_is_liquidated_in_a_market_that_has_ended() -> None:
    """There is no liquidation price, and its legs ask for no margin at that of others."""
    legs = position("long", "10", "100"), position("long", "10", "20", "SOL-USD")
    trader = account("trader", "100", *legs, mode="cross")
    prices = {}
    for closed in (False, True):
        markets = {ETH: market(pool="both"), "SOL-USD": market("20", pool="both", closed=closed)}
        book = snapshot(trader, markets=markets, pools={"both": pool("1", kind="shared")})
        [eth], [sol] = rank(book, ETH, "long"), rank(book, "SOL-USD", "long")
        # E = 100 over MM of 50 and 10: 83.3… and 16.6…, over ten contracts; toward the mark.
        assert eth.bankruptcy_price == wad("91.666666666666666667")
        assert sol.bankruptcy_price == wad("18.333333333333333334")
        prices[closed] = eth.liquidation_price, sol.liquidation_price
    # cash = 100 - 1,000 - 200, and 200 in SOL: (10 + 900)/9.5, up; without the 10 of a market that has ended 900/9.5.
    # For SOL it is cash and 1,000 in ETH: (50 + 100)/9.5.
    assert prices[False] == (wad("95.789473684210526316"), wad("15.789473684210526316"))
    assert prices[True] == (wad("94.736842105263157895"), None)


def test_the_first_has_nobody_ahead() -> None:
    # Of 5 wei the first holds one: its midpoint is at a tenth. With another wei ahead it would be at three tenths.
    one, four = "0.000000000000000001", "0.000000000000000004"
    book = snapshot(
        account("first", "1", position("long", one, "90")), account("second", "1", position("long", four, "100"))
    )
    places = [(place.account, place.adl_light) for place in rank(book, ETH, "long")]
    # The second's midpoint is at three fifths.
    assert places == [("first", 1), ("second", 4)]


def test_the_remainder_of_a_cross_account_goes_to_the_last_market() -> None:
    # E = 100 over three equal MM of 5: floor(100/3) twice and the rest.
    names = ["A", "B", "C"]
    books = {
        "markets": {name: market("100", pool="all") for name in names},
        "pools": {"all": pool("1", kind="shared")},
    }
    legs = [position("long", "1", "100", name) for name in reversed(names)]
    book = snapshot(account("trader", "100", *legs, mode="cross"), **books)
    prices = [rank(book, name, "long")[0].bankruptcy_price for name in names]
    assert prices == [wad("66.666666666666666667"), wad("66.666666666666666667"), wad("66.666666666666666666")]


@given(st.lists(st.integers(51, 149), min_size=1, max_size=12, unique=True))
def test_mirrored_books_give_mirrored_ranks(entries: list[int]) -> None:
    longs = snapshot(*(account(str(n), "2000", position("long", "10", str(n))) for n in entries))
    shorts = snapshot(*(account(str(n), "2000", position("short", "10", str(200 - n))) for n in entries))
    order = [place.account for place in rank(longs, ETH, "long")]
    assert order == [place.account for place in rank(shorts, ETH, "short")]
    assert order == sorted((str(n) for n in entries), key=int)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 10**6), st.sampled_from(["long", "short"])
        ),
        max_size=15,
    ),
    st.sampled_from(["long", "short"]),
)
def test_lights_and_ranks_follow_the_queue(book: list[tuple[int, int, int, str]], side: str) -> None:
    accounts = [
        account(f"trader-{number:02}", str(margin), position(of, str(contracts), str(entry)))
        for number, (contracts, entry, margin, of) in enumerate(book)
    ]
    queue = rank(snapshot(*accounts), ETH, side)
    expected = [a["account"] for a in accounts if a["positions"][0]["side"] == side and _equity(a) > 0]
    assert sorted(place.account for place in queue) == expected
    assert [place.adl_rank for place in queue] == list(range(1, len(queue) + 1))
    assert [place.adl_light for place in queue] == sorted(place.adl_light for place in queue)
    keys = [(-place.leveraged_return, place.account) for place in queue]
    assert keys == sorted(keys)
    for place in queue:
        assert 1 <= place.adl_light <= 5


def _equity(of: dict[str, object]) -> int:
    book = snapshot(of)
    [one] = book.accounts
    return one.margin + sum(p.size * 100 - p.entry_notional for p in one.positions)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_shown_liquidation_price_is_the_edge(side: str) -> None:
    book = snapshot(account("trader", "33.3", position(side, "7", "99.7")))
    [place] = rank(book, ETH, side)
    assert place.liquidation_price is not None
    [trader] = book.accounts
    [own] = trader.positions
    worse = -1 if side == "long" else 1
    for mark, liquidatable in ((place.liquidation_price, False), (place.liquidation_price + worse, True)):
        legs = [value_leg(own.size, own.entry_notional, mark, wad("0.05"))]
        # A wei of price is 7 wei of value here, beyond what flooring the value and raising MM can hide.
        assert (equity(trader.margin, legs) + 2 < maintenance_margin(legs)) is liquidatable


def test_an_unknown_market_names_the_known_ones() -> None:
    with pytest.raises(UnknownMarketError, match=r"'DOGE-USD'.*ETH-USD"):
        rank(snapshot(), "DOGE-USD", "long")
    with pytest.raises(ValueError, match="sideways"):
        rank(snapshot(), ETH, "sideways")


def test_scores_beyond_int256_saturate_into_a_tie() -> None:
    # Contracts of 10^38 on an entry of a wei, with a wei of equity left: pnlRate and r are about 10^40 and 10^57.
    vast = {"market": ETH, "side": "long", "contracts": "1" + "0" * 38, "entryNotional": "0.000000000000000001"}
    owed = "-" + "9" * 40 + ".999999999999999998"
    queue = rank(snapshot(account("twin-b", owed, vast), account("twin-a", owed, vast)), ETH, "long")
    assert [(place.account, place.leveraged_return) for place in queue] == [
        ("twin-a", INT256_MAX),
        ("twin-b", INT256_MAX),
    ]


def test_the_queue_is_the_same_from_a_written_file() -> None:
    text = (EXAMPLES / "six-trader-queue.json").read_text()
    reversed_accounts = json.loads(text)
    reversed_accounts["accounts"].reverse()
    assert rank(loads(text), ETH, "short") == rank(loads(json.dumps(reversed_accounts)), ETH, "short")
