"""A market whose feed is dead: the file says so, no round is planned there, and its losses count as for the fund."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backstop.adl.planning import Plan, plan
from backstop.adl.snapshot import Market
from backstop.adl.snapshot_file import dumps, loads
from backstop.errors import SnapshotError
from backstop.math.fund import mark_while_dead

from .books import ETH, account, document, held, market, pool, position, snapshot, wad, worked_case

SOL = "SOL-USD"

# Long 100 at 90 and mark 80: a loss of 1,000, and of 1,400 at 76, 5 % below.
SHORTS = [
    account("eth short", "5000", position("short", "100", "80")),
    account("sol short", "5000", position("short", "100", "80", SOL)),
]


def depleted(sol_side: str = "long", **sol: Any) -> list[Plan]:
    """A pool that lacks 600, with a loss of 1,000 in ETH and a position like it in SOL."""
    price = "90" if sol_side == "long" else "70"
    return plan(
        snapshot(
            *SHORTS,
            markets={ETH: market("80"), SOL: market("80", **sol)},
            pools={"eth": pool("-600", held("long", "100", "90"), held(sol_side, "100", price, SOL), kind="shared")},
        )
    )


def test_a_live_market_is_what_a_file_means_that_does_not_say() -> None:
    book = worked_case()
    assert book.markets[ETH].is_live
    assert "priceLive" not in dumps(book)
    assert worked_case(priceLive=True) == book


def test_a_market_of_which_nothing_is_said_has_a_price_and_has_not_ended() -> None:
    fractions = {"maintenance_margin_fraction": 1, "trigger": 1, "stop": 1, "target": 1}
    plain = Market("A", mark_price=1, pool="a", **fractions, adl_active=False, pnl=0, max_pnl_8h=0)
    assert (plain.is_live, plain.is_closed) == (True, False)


def test_a_dead_market_is_written_and_read_again() -> None:
    book = worked_case(priceLive=False)
    assert not book.markets[ETH].is_live
    assert json.loads(dumps(book))["markets"][ETH]["priceLive"] is False
    assert loads(dumps(book)) == book


@pytest.mark.parametrize("value", ["false", 0, None])
def test_it_is_true_or_false(value: Any) -> None:
    with pytest.raises(SnapshotError, match=r"priceLive: .* is not true or false"):
        loads(json.dumps(document(markets={ETH: market(priceLive=value)})))


def test_no_round_is_planned_where_there_is_no_price() -> None:
    assert len(plan(worked_case())) == 1
    assert plan(worked_case(priceLive=False)) == []


@pytest.mark.parametrize("side", ["long", "short"])
def test_what_a_dead_market_loses_has_its_share_by_the_price_of_the_fund(side: str) -> None:
    live = [(item.market, item.compensation) for item in depleted(side)]
    assert live == [(ETH, wad("300")), (SOL, wad("300"))]
    # 600 by 1,000 and 1,400, and only the first can be brought.
    assert [(item.market, item.compensation) for item in depleted(side, priceLive=False)] == [(ETH, wad("250"))]


def test_a_gain_at_the_last_price_may_be_a_loss_to_the_fund() -> None:
    gains = held("long", "100", "78", SOL)
    book = {"markets": {ETH: market("80"), SOL: market("80")}, "pools": {}}
    for is_live, expected in ((True, "600"), (False, "500")):
        book["markets"][SOL] = market("80") if is_live else market("80", priceLive=False)
        book["pools"] = {"eth": pool("-600", held("long", "100", "90"), gains, kind="shared")}
        due = plan(snapshot(*SHORTS, markets=book["markets"], pools=book["pools"]))
        # At 76 it has lost 200.
        assert [(item.market, item.compensation) for item in due] == [(ETH, wad(expected))]


@pytest.mark.parametrize(
    ("size", "mark", "fraction", "expected"),
    [
        (1, wad("80"), wad("0.05"), wad("76")),
        (-1, wad("80"), wad("0.05"), wad("84")),
        # The move is rounded down: 0.99 of a wei is none, 1 is one.
        (1, 99, wad("0.01"), 99),
        (1, 100, wad("0.01"), 99),
        (-1, 99, wad("0.01"), 99),
        (-1, 100, wad("0.01"), 101),
    ],
)
def test_the_price_of_the_fund_is_moved_against_it(size: int, mark: int, fraction: int, expected: int) -> None:
    assert mark_while_dead(size, mark, fraction) == expected
