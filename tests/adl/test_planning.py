"""What is due, at which price, against whom."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.adl.execution import run_round
from backstop.adl.planning import Plan, plan
from backstop.adl.scoring import SideBook
from backstop.adl.snapshot import Inventory, Side, Snapshot
from backstop.adl.snapshot_file import loads
from backstop.math.fund import AdlPrice
from backstop.math.wad import WAD, format_amount

from .books import ETH, EXAMPLES, account, document, held, market, pool, position, snapshot, wad, worked_case

TINY = "0.000000000000000001"


def fills_of(one: Plan) -> list[tuple[str, int, int]]:
    return [(fill.account, fill.contracts, fill.price) for fill in one.fills]


def skips_of(one: Plan) -> list[tuple[str, str]]:
    return [(skip.account, skip.reason.value) for skip in one.skipped]


# ------------------------------------------------------------------ the published cases


def test_the_worked_case() -> None:
    [due] = plan(worked_case())
    assert (due.market, due.side, due.pool, due.trigger) == (ETH, "long", "eth", "drawdown")
    assert due.drawdown == wad("0.35")
    assert due.compensation == wad("2000")
    assert due.adl_price == wad("82.5")
    assert fills_of(due) == [("trader-a", wad("500"), wad("82.5")), ("trader-b", wad("300"), wad("82.5"))]
    # From 100 and 95 bought back at 82.5.
    assert [fill.realized_pnl for fill in due.fills] == [wad("8750"), wad("3750")]
    assert [fill.value for fill in due.fills] == [wad("41250"), wad("24750")]
    assert (due.skipped, due.netted, due.uncovered) == ((), 0, 0)


def test_the_example_is_the_worked_case() -> None:
    # It may come from a chain, with other accounts; what the page says of it holds all the same.
    [due] = plan(loads((EXAMPLES / "worked-case.json").read_text()))
    assert (due.drawdown, due.compensation, due.adl_price) == (wad("0.35"), wad("2000"), wad("82.5"))
    assert sum(fill.contracts for fill in due.fills) == due.contracts == wad("800")


def test_the_worked_case_with_target_at_the_trigger() -> None:
    [due] = plan(worked_case(target="0.30"))
    assert (due.compensation, due.adl_price) == (wad("1000"), wad("81.25"))


def test_the_published_fund_case() -> None:
    # Peak 1,000,000, loss 350,000; 100 contracts at p_b 10,000 and mark 6,500. Target 30 %: 50,000 over 100 is 500.
    btc = market("6500", "-350000", "0", trigger="0.3", stop="0.3", target="0.3")
    book = snapshot(markets={ETH: btc}, pools={"eth": pool("650000", held("long", "100", "10000"))})
    [due] = plan(book)
    assert (due.compensation, due.adl_price, due.uncovered) == (wad("50000"), wad("7000"), wad("100"))


def six_traders(contracts: str) -> Snapshot:
    case = json.loads((EXAMPLES / "six-trader-queue.json").read_text())
    case["pools"]["eth"]["inventory"][0]["contracts"] = contracts
    return loads(json.dumps(case))


def test_closing_5000_leaves_the_first_500() -> None:
    [due] = plan(six_traders("5000"))
    assert [(fill.account, fill.contracts) for fill in due.fills] == [("trader-a", wad("5000"))]


def test_closing_10000_takes_the_first_three_whole() -> None:
    [due] = plan(six_traders("10000"))
    assert [(fill.account, fill.contracts, fill.adl_rank) for fill in due.fills] == [
        ("trader-a", wad("5500"), 1),
        ("trader-b", wad("2500"), 2),
        ("trader-c", wad("2000"), 3),
    ]


def test_the_candidates_are_the_fills_and_a_third_more() -> None:
    assert plan(six_traders("10000"))[0].listing.accounts == ("trader-a", "trader-b", "trader-c", "trader-d")
    assert plan(six_traders("12000"))[0].listing.accounts == tuple(f"trader-{letter}" for letter in "abcdef")
    assert plan(six_traders("20000"))[0].listing.accounts == tuple(f"trader-{letter}" for letter in "abcdef")
    assert plan(six_traders("5000"))[0].listing.accounts == ("trader-a", "trader-b")


# ------------------------------------------------------------------ when it is due


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"trigger": "0.35"}, True),
        ({"trigger": "0.350000000000000001"}, False),
        ({"trigger": "0.350000000000000001", "adlActive": True}, True),
        ({"trigger": "0.9", "stop": "0.349999999999999999", "adlActive": True}, True),
        ({"trigger": "0.9", "stop": "0.35", "adlActive": True}, False),
        ({"trigger": "0.9", "stop": "0.349999999999999999"}, False),
        # the drawdown moved by a wei of loss, with the peak and so the base
        ({"trigger": "0.35", "maxPnl8h": TINY}, True),
        ({"trigger": "0.35", "maxPnl8h": f"-{TINY}"}, False),
        # due, but already on target
        ({"trigger": "0.35", "target": "0.35"}, False),
    ],
)
def test_the_drawdown_trigger_to_the_wei(changes: dict[str, object], due: bool) -> None:
    assert len(plan(worked_case(**changes))) == due


@pytest.mark.parametrize(("balance", "due"), [("13000", True), ("13000.000000000000000001", False)])
def test_a_wei_of_balance_moves_the_base(balance: str, due: bool) -> None:
    book = snapshot(
        markets={ETH: market("80", "-7000", "0", trigger="0.35")},
        pools={"eth": pool(balance, held("long", "800", "88.75"))},
    )
    assert len(plan(book)) == due


@pytest.mark.parametrize(("balance", "compensation"), [(TINY, None), ("0", None), (f"-{TINY}", 1), ("-100", 100 * WAD)])
def test_depletion_begins_below_zero(balance: str, compensation: int | None) -> None:
    # No loss in the window, so no drawdown; the pool is simply empty.
    book = snapshot(markets={ETH: market("80", "-7000")}, pools={"eth": pool(balance, held("long", "800", "88.75"))})
    due = plan(book)
    assert [one.compensation for one in due] == ([] if compensation is None else [compensation])
    for one in due:
        assert (one.trigger, one.drawdown) == ("depletion", None)


def test_an_empty_fund_closes_at_the_bankruptcy_price() -> None:
    book = snapshot(
        account("short", "4000", position("short", "800", "100")),
        markets={ETH: market("80", "-7000")},
        pools={"eth": pool("-9000", held("long", "800", "88.75"))},
    )
    [due] = plan(book)
    assert (due.compensation, due.adl_price) == (wad("9000"), wad("88.75"))
    assert [(fill.price, fill.value) for fill in due.fills] == [(wad("88.75"), wad("71000"))]


def test_where_both_are_due_the_larger_counts() -> None:
    # Loss 7,000 in the window, balance -2,000: base 5,000. By drawdown 7,000 - 1,250, by depletion 2,000.
    eth = market("80", "-7000", "0")
    [due] = plan(snapshot(markets={ETH: eth}, pools={"eth": pool("-2000", held("long", "800", "88.75"))}))
    assert (due.trigger, due.compensation, due.drawdown) == ("drawdown", wad("5750"), wad("1.4"))


def test_a_tie_is_called_drawdown() -> None:
    # With a target of 100 % the market is brought to its peak's loss: 7,000 - 5,000, as much as the balance lacks.
    eth = market("80", "-7000", "0", trigger="1", stop="1", target="1")
    [due] = plan(snapshot(markets={ETH: eth}, pools={"eth": pool("-2000", held("long", "800", "88.75"))}))
    assert (due.trigger, due.compensation) == ("drawdown", wad("2000"))


def test_inventory_that_does_not_lose_is_never_due() -> None:
    # A wei above mark, 800 contracts lose 800 wei, and one contract a single one.
    for contracts, price, due in (
        ("800", "80", False),
        ("800", "79", False),
        ("800", "80.000000000000000001", True),
        ("1", "80.000000000000000001", True),
    ):
        book = snapshot(
            markets={ETH: market("80", "-7000", "0")}, pools={"eth": pool("-9000", held("long", contracts, price))}
        )
        assert len(plan(book)) == due


def test_a_negative_bankruptcy_price_is_a_gain() -> None:
    book = snapshot(markets={ETH: market("80", "-7000", "0")}, pools={"eth": pool("1", held("long", "800", "-1"))})
    assert plan(book) == []
    # A short taken over at a price below zero loses all of the mark and more.
    book = snapshot(markets={ETH: market("80")}, pools={"eth": pool("-8100", held("short", "100", "-1"))})
    [due] = plan(book)
    assert (due.side, due.compensation, due.adl_price) == ("short", wad("8100"), wad("-1"))


# ------------------------------------------------------------------ sharing


def test_both_sides_of_a_market_share_its_compensation_by_loss() -> None:
    # Long 100 at 90 loses 1,000, short 100 at 77 loses 300, both at 80. Window loss 1,300, base 4,000 + 1,300 = 5,300:
    # drawdown 24.5 %, due at 20 %, target 20 %: 1,300 - 1,060 = 240, shared 1,000 : 300.
    eth = market("80", "-1300", "0", trigger="0.2", stop="0.2", target="0.2")
    inventory = held("short", "100", "77"), held("long", "100", "90")
    long, short = plan(snapshot(markets={ETH: eth}, pools={"eth": pool("4000", *inventory)}))
    assert (long.side, short.side) == (Side.LONG, Side.SHORT)
    # floor(240 * 1,000/1,300) and the remainder.
    assert long.compensation == wad("184.615384615384615384")
    assert short.compensation == wad("55.384615384615384616")
    # Steps are rounded up: toward the pool.
    assert long.adl_price == wad("81.846153846153846154")
    assert short.adl_price == wad("79.446153846153846153")


def test_a_shared_pool_shares_its_depletion_over_its_markets() -> None:
    # ETH long loses 1,000, BTC short loses 500, the pool lacks 600. Market order is that of the file: BTC first.
    book = snapshot(
        markets={"BTC-USD": market("3000", pool="both"), ETH: market("80", pool="both")},
        pools={"both": pool("-600", held("long", "100", "90"), held("short", "5", "2900", "BTC-USD"), kind="shared")},
    )
    assert [(one.market, one.side, one.compensation) for one in plan(book)] == [
        ("BTC-USD", "short", wad("200")),
        (ETH, "long", wad("400")),
    ]


def test_a_loss_of_one_market_lowers_the_drawdown_of_the_others() -> None:
    # Each loses 700 of a peak of 1,000 + 700 + 700.
    markets = {name: market("93", "-700", "0", pool="both") for name in ("A", "B")}
    inventory = held("long", "100", "100", "A"), held("long", "100", "100", "B")
    both = plan(snapshot(markets=markets, pools={"both": pool("1000", *inventory, kind="shared")}))
    assert [one.drawdown for one in both] == [wad("0.291666666666666666")] * len(both) == []
    smaller = plan(snapshot(markets=markets, pools={"both": pool("900", *inventory, kind="shared")}))
    # 700/2,300; 700 - 575.
    assert [(one.drawdown, one.compensation) for one in smaller] == [(wad("0.304347826086956521"), wad("125"))] * 2


def test_what_the_markets_of_another_pool_have_lost_is_not_in_the_base() -> None:
    # 7,000 of 20,000 is 35 %; with the 1,000 that were lost in B it would be a third.
    markets = {ETH: market("80", "-7000", "0", trigger="0.35"), "B": market("80", "-1000", "0", pool="b")}
    state = snapshot(markets=markets, pools={"eth": pool("13000", held("long", "800", "88.75")), "b": pool("9000")})
    [due] = plan(state)
    assert (due.market, due.drawdown) == (ETH, wad("0.35"))


# ------------------------------------------------------------------ the mutual group


def group_of_three(giver: str, first: str, second: str) -> Snapshot:
    """Three mutual pools, each with a long of 100 at 100 and mark 80; only the giver's market lost within 8 hours."""
    names = ["A", "B", "C"]
    return snapshot(
        markets={name: market("80", pool=name, peak="2000" if name == "A" else "0") for name in names},
        pools={
            name: pool(balance, held("long", "100", "100", name), backing="mutual")
            for name, balance in zip(names, (giver, first, second), strict=True)
        },
    )


def test_the_positive_balances_of_a_group_are_given_first() -> None:
    # 1,000 over 1,800 and 700: 720 and 280, so 1,080 and 420 are still lacking. The giver's drawdown rests.
    due = plan(group_of_three("1000", "-1800", "-700"))
    assert [(one.pool, one.trigger, one.compensation) for one in due] == [
        ("B", "depletion", wad("1080")),
        ("C", "depletion", wad("420")),
    ]
    assert [one.adl_price for one in due] == [wad("90.8"), wad("84.2")]


def test_redistributing_first_does_not_change_the_plan() -> None:
    assert plan(group_of_three("1000", "-1800", "-700")) == plan(group_of_three("0", "-1080", "-420"))


def test_a_group_that_can_carry_its_members_lets_them_be() -> None:
    # The sum is a wei above zero: nobody is restored, and the first market answers for its own drawdown again.
    due = plan(group_of_three("2500.000000000000000001", "-1800", "-700"))
    assert [(one.pool, one.trigger) for one in due] == [("A", "drawdown")]
    # 2,000 in the window, base 4,500 and a wei: 2,000 - floor(1,125.00…0025).
    assert due[0].compensation == wad("875")
    # At a sum of zero all is given and nothing is lacking; nobody rests, and what is left of the base is what was lost.
    due = plan(group_of_three("2500", "-1800", "-700"))
    assert [(one.pool, one.trigger, one.compensation) for one in due] == [("A", "drawdown", wad("1500"))]


def test_pools_on_their_own_are_no_part_of_the_group() -> None:
    book = json.loads(json.dumps(document(markets={}, pools={})))
    book["markets"] = {name: market("80", pool=name) for name in ("A", "B", "C")}
    book["pools"] = {
        "A": pool("5000", held("long", "100", "100", "A")),
        "B": pool("-500", held("long", "100", "100", "B"), backing="mutual"),
        "C": pool("100", held("long", "100", "100", "C"), backing="mutual"),
    }
    [due] = plan(loads(json.dumps(book)))
    assert (due.pool, due.compensation) == ("B", wad("400"))


# ------------------------------------------------------------------ the round


def depleted(*accounts: dict[str, object], short: str | None = None) -> Snapshot:
    """A long of 100 at 90, mark 80, in a pool that lacks all of its loss of 1,000: p_adl = 90."""
    inventory = [held("long", "100", "90")]
    if short is not None:
        inventory.append(held("short", short, "85"))
    return snapshot(*accounts, markets={ETH: market("80")}, pools={"eth": pool("-1000", *inventory)})


# Short 60 from 82 with margin 180: E = 300, half of the 600 that 90 would cost; it gives up all at 80 + 300/60 = 85.
FRAIL = account("frail", "180", position("short", "60", "82"))
# Short 50 from 81 with margin 550: E = 600, solvent at 90 (500).
STURDY = account("sturdy", "550", position("short", "50", "81"))


def test_who_would_be_insolvent_is_passed_over_first_and_closed_last() -> None:
    [due] = plan(depleted(FRAIL, STURDY))
    assert fills_of(due) == [("sturdy", wad("50"), wad("90")), ("frail", wad("50"), wad("85"))]
    assert [fill.adl_rank for fill in due.fills] == [2, 1]
    # 81 to 90 and 82 to 85, 50 each.
    assert [fill.realized_pnl for fill in due.fills] == [wad("-450"), wad("-150")]
    assert (skips_of(due), due.uncovered) == ([], 0)


def test_who_is_passed_over_and_not_needed_is_skipped() -> None:
    big = account("big", "5000", position("short", "100", "81"))
    frail_and_last = account("last", "1", position("short", "10", "80"))
    [due] = plan(depleted(FRAIL, big, frail_and_last))
    assert fills_of(due) == [("big", wad("100"), wad("90"))]
    # `last` would be insolvent too, but the round never came to it.
    assert skips_of(due) == [("frail", "insolventAtAdlPrice")]
    assert due.listing.accounts == ("big", "frail", "last")


def test_the_edge_of_solvency_at_the_adl_price() -> None:
    # Short 50 from 81 at p_adl 90: solvent with E = 500, so with a margin of 450.
    for margin, price in (("450", "90"), ("449.999999999999999999", "89.999999999999999999")):
        [due] = plan(depleted(account("edge", margin, position("short", "50", "81"))))
        assert fills_of(due) == [("edge", wad("50"), wad(price))]


def test_the_bankrupt_are_named_whether_reached_or_not() -> None:
    # At 80 a short from 70 has lost 10 a contract.
    broke = [account(name, "10", position("short", "1", "70")) for name in ("zoe", "abe")]
    enough = account("enough", "5000", position("short", "100", "81"))
    [due] = plan(depleted(*broke, enough))
    assert fills_of(due) == [("enough", wad("100"), wad("90"))]
    assert skips_of(due) == [("abe", "bankrupt"), ("zoe", "bankrupt")]
    # They are on the list all the same: a mark that moves may make them solvent.
    assert due.listing.accounts == ("enough", "abe", "zoe")


def test_an_inventory_of_a_wei_is_closed_whole() -> None:
    # From 90 it has lost 10 wei.
    state = snapshot(
        STURDY, markets={ETH: market("80")}, pools={"eth": pool("-0.00000000000000001", held("long", TINY, "90"))}
    )
    [due] = plan(state)
    assert (fills_of(due), due.uncovered) == ([("sturdy", 1, wad("90"))], 0)
    assert due.fills[0].value == 90


def test_a_round_looks_at_nobody_where_nobody_is_ranked() -> None:
    inventory, price = Inventory(ETH, wad("100"), wad("9000")), AdlPrice(wad("90"), wad("90"))
    result = run_round(inventory, SideBook(ranked=(), bankrupt=("broke",)), price, wad("80"))
    assert (result.reached, result.fills, result.size) == (0, [], wad("100"))


def test_what_nobody_holds_is_netted_against_the_opposite_inventory() -> None:
    sixty = account("sixty", "5000", position("short", "60", "81"))
    [due] = plan(depleted(sixty, short="40"))
    assert (due.netted, due.uncovered) == (wad("40"), 0)
    [due] = plan(depleted(sixty, short="30"))
    assert (due.netted, due.uncovered) == (wad("30"), wad("10"))
    [due] = plan(depleted(sixty))
    assert (due.netted, due.uncovered) == (0, wad("40"))
    # What is covered is not netted.
    [due] = plan(depleted(account("hundred", "5000", position("short", "100", "81")), short="40"))
    assert (due.netted, due.uncovered) == (0, 0)


def test_a_bankrupt_account_stands_in_the_way_of_netting() -> None:
    broke = account("broke", "1", position("short", "10", "70"))
    [due] = plan(depleted(broke, short="100"))
    assert (due.fills, due.netted, due.uncovered) == ((), 0, wad("100"))


def test_a_short_inventory_is_the_mirror_image() -> None:
    # Short 800 taken over at 71.25, mark 80: loss 7,000; at p_adl 77.5 longs sell their gain.
    book = snapshot(
        account("long-a", "4000", position("long", "500", "60")),
        account("long-b", "4000", position("long", "400", "65")),
        markets={ETH: market("80", "-7000", "0")},
        pools={"eth": pool("13000", held("short", "800", "71.25"))},
    )
    [due] = plan(book)
    assert (due.side, due.drawdown, due.compensation) == ("short", wad("0.35"), wad("2000"))
    assert due.adl_price == wad("77.5")
    assert fills_of(due) == [("long-a", wad("500"), wad("77.5")), ("long-b", wad("300"), wad("77.5"))]
    assert [fill.realized_pnl for fill in due.fills] == [wad("8750"), wad("3750")]
    assert [fill.value for fill in due.fills] == [wad("-38750"), wad("-23250")]


def test_a_cross_counterparty_is_judged_by_its_whole_equity() -> None:
    # At p_adl 90 the ETH leg of 100 costs 1,000; E is 2,000 thanks to the BTC leg's gain.
    legs = position("short", "100", "80"), position("long", "1", "1000", "BTC-USD")
    book = snapshot(
        account("cross", "0", *legs, mode="cross"),
        markets={ETH: market("80", pool="both"), "BTC-USD": market("3000", pool="both")},
        pools={"both": pool("-1000", held("long", "100", "90"), kind="shared")},
    )
    [due] = plan(book)
    assert fills_of(due) == [("cross", wad("100"), wad("90"))]
    assert due.fills[0].realized_pnl == wad("-1000")


def test_rounding_never_makes_a_counterparty_insolvent() -> None:
    # The pool lacks 10 wei over 3 contracts: p' = 80 + 4 wei, p_adl = 80 + 3 wei (p_b). The short has E = 9 wei: it is
    # solvent at p_adl, and the fill of 240 and 12 wei is cut to the 240 and 9 wei that leave it with nothing.
    inventory = {"market": ETH, "side": "long", "contracts": "3", "entryNotional": "240.00000000000000001"}
    book = snapshot(
        account("edge", "0.000000000000000009", position("short", "3", "80")),
        markets={ETH: market("80")},
        pools={"eth": pool("-0.00000000000000001", inventory)},
    )
    [due] = plan(book)
    assert due.adl_price == 80 * WAD + 3
    assert [fill.value for fill in due.fills] == [240 * WAD + 9]


def test_the_last_part_closes_the_entry_to_the_wei() -> None:
    # An entry of 270 and 1 wei over 3 contracts, closed one by one at p_b: 90 and 1 wei, then 90, then 90.
    inventory = {"market": ETH, "side": "long", "contracts": "3", "entryNotional": "270.000000000000000001"}
    shorts = [account(name, "100", position("short", "1", "80")) for name in "abc"]
    book = snapshot(*shorts, markets={ETH: market("80")}, pools={"eth": pool("-31", inventory)})
    [due] = plan(book)
    assert [fill.value for fill in due.fills] == [90 * WAD + 1, 90 * WAD, 90 * WAD]


traders = st.tuples(st.integers(1, 500), st.integers(40, 160), st.integers(1, 4000), st.sampled_from(["long", "short"]))


@given(
    st.lists(traders, max_size=12),
    st.integers(1, 2000),
    st.integers(1, 100_000),
    st.sampled_from([Side.LONG, Side.SHORT]),
    st.integers(-(10**5), 10**5),
)
def test_a_round_is_fair_solvent_and_not_above_its_target(
    book: list[tuple[int, int, int, str]], contracts: int, loss_in_wei: int, side: Side, balance: int
) -> None:
    mark = 100 * WAD
    loss = loss_in_wei * contracts * WAD // 1000 + loss_in_wei
    entry = contracts * 100 * WAD * side.sign + loss
    inventory = {
        "market": ETH,
        "side": side.value,
        "contracts": str(contracts),
        "entryNotional": format_amount(entry * side.sign),
    }
    state = snapshot(
        *(
            account(f"trader-{n:02}", str(margin), position(of, str(held_contracts), str(price)))
            for n, (held_contracts, price, margin, of) in enumerate(book)
        ),
        markets={ETH: market("100", format_amount(-loss), "0")},
        pools={"eth": pool(str(balance), inventory)},
    )
    for due in plan(state):
        accounts = {one.id: one for one in state.accounts}
        at_bankruptcy = entry * WAD * side.sign
        assert (
            mark * contracts * WAD * side.sign
            <= due.adl_price * contracts * WAD * side.sign
            <= at_bankruptcy * side.sign
        )
        closed = sum(fill.contracts for fill in due.fills)
        assert closed + due.uncovered == contracts * WAD
        received = sum(fill.value for fill in due.fills) - closed * side.sign * 100
        assert received <= due.compensation + contracts + len(due.fills) + 1
        assert received <= loss
        for number, fill in enumerate(due.fills):
            trader = accounts[fill.account]
            [own] = trader.positions
            assert own.size * side.sign < 0
            assert fill.contracts == abs(own.size) or number == len(due.fills) - 1
            before = trader.margin + own.size * 100 - own.entry_notional
            after = before + fill.contracts * side.sign * 100 - fill.value
            assert before > 0 <= after
        first_pass = [fill.adl_rank for fill in due.fills if fill.price == due.adl_price]
        assert first_pass == sorted(first_pass)
        assert len({fill.account for fill in due.fills}) == len(due.fills)
        # Contracts stay uncovered only where nobody with equity is left on the other side.
        if due.uncovered:
            willing = [a for a in accounts.values() if a.positions[0].size * side.sign < 0]
            solvent = [a for a in willing if a.margin + a.positions[0].size * 100 - a.positions[0].entry_notional > 0]
            assert closed == sum(abs(a.positions[0].size) for a in solvent)


def test_nothing_due_is_an_empty_plan() -> None:
    assert plan(snapshot()) == []
    assert plan(worked_case(maxPnl8h="-7000")) == []
