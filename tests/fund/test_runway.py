"""The runway that is shown, against the contracts: moving the mark there makes it due, and one wei less does not."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.math.wad import parse_amount
from scripts.stage.venue import Venue, wad
from tests.support.acting import act
from tests.support.desk import Desk
from tests.trader.shell import Shell

from .scenes import fine_feed, market_status, set_fine

MARKETS = {"eth": "ETH-USD", "majors": "BTC-USD", "ada": "ADA-USD"}


def fund_pool(desk: Desk, amount: int) -> None:
    """A gift to a pool that is no market's result."""
    desk.contribute(amount)


def is_drawdown_due(desk: Desk) -> bool:
    """What the contracts say."""
    return bool(desk.backing().drawdownDue)


def is_depleted(desk: Desk) -> bool:
    """Whether the pool is below zero, and its group as a whole with it: at zero nothing is due."""
    balance = int(desk.fund.balanceOf(desk.market.pool))
    members, balances = desk.fund.group()
    if desk.market.pool in list(members):
        return balance < 0 and sum(balances) < 0
    return balance < 0


def assert_boundary(shell: Shell, pool: str, desk: Desk, feed: Any, side: str) -> dict[str, Any]:
    """Moves the mark to what is shown, and to one wei before it; then back."""
    shown = market_status(shell, pool, MARKETS[pool])
    start, reach = parse_amount(shown["markPrice"]), shown["runway"][side]
    step = 1 if side == "up" else -1
    for name, is_due in (("drawdownPrice", is_drawdown_due), ("depletionPrice", is_depleted)):
        if reach[name] is None:
            continue
        price = parse_amount(reach[name])
        set_fine(desk, feed, price)
        assert is_due(desk), (side, name)
        if price != start:
            set_fine(desk, feed, price - step)
            assert not is_due(desk), (side, name)
        set_fine(desk, feed, start)
    return dict(reach)


def test_a_long_inventory(shell: Shell, desks: dict[str, Desk]) -> None:
    desk = desks["ETH-USD"]
    fund_pool(desk, 7001)
    desk.inherit("icarus", 200, 100, 1000, 95)
    feed = fine_feed(desk, wad(95))
    down = assert_boundary(shell, "eth", desk, feed, "down")
    assert down["drawdownPrice"] == "84.4985"
    assert down["drawdownMove"] == "-0.110542105263157895"
    assert down["depletionPrice"] == "59.994999999999999999"
    assert market_status(shell, "eth", "ETH-USD")["runway"]["up"] == {
        "drawdownPrice": None,
        "drawdownMove": None,
        "depletionPrice": None,
        "depletionMove": None,
    }


def test_a_short_inventory_of_a_size_that_rounds(shell: Shell, desks: dict[str, Desk]) -> None:
    desk = desks["ETH-USD"]
    fund_pool(desk, 5000)
    desk.inherit("icarus", -7, 100, 30, 105, wei=3)
    feed = fine_feed(desk, wad(105))
    assert_boundary(shell, "eth", desk, feed, "up")


def test_both_sides(shell: Shell, desks: dict[str, Desk]) -> None:
    desk = desks["ETH-USD"]
    fund_pool(desk, 9000)
    desk.inherit("icarus", 200, 100, 1000, 95)
    desk.inherit("daedalus", -90, 95, 450, 100)
    feed = fine_feed(desk, wad(97))
    for side in ("down", "up"):
        reach = assert_boundary(shell, "eth", desk, feed, side)
        assert None not in reach.values()


def test_stop_where_adl_had_started(shell: Shell, desks: dict[str, Desk]) -> None:
    """It started at 30 %, the mark came back to 20 %, and nobody has sampled that."""
    desk = desks["ETH-USD"]
    fund_pool(desk, 20000)
    desk.inherit("icarus", 200, 100, 1000, 95)
    feed = fine_feed(desk, wad(64))
    desk.checkpoint()
    set_fine(desk, feed, wad(75))
    shown = market_status(shell, "eth", "ETH-USD")
    assert (shown["adl"]["started"], shown["adl"]["on"], shown["drawdown"]) == (True, False, "0.2")
    down = assert_boundary(shell, "eth", desk, feed, "down")
    assert down["drawdownPrice"] == "69.999999999999999999"


def test_due_already(shell: Shell, desks: dict[str, Desk]) -> None:
    desk = desks["ETH-USD"]
    fund_pool(desk, 20000)
    desk.inherit("icarus", 800, 100, 9000, 80)
    feed = fine_feed(desk, wad(80))
    down = assert_boundary(shell, "eth", desk, feed, "down")
    assert (down["drawdownPrice"], down["drawdownMove"]) == ("80", "0")


def test_a_market_of_a_shared_pool_whose_other_has_lost(shell: Shell, desks: dict[str, Desk]) -> None:
    bitcoin, solana = desks["BTC-USD"], desks["SOL-USD"]
    fund_pool(bitcoin, 11111)
    solana.inherit("icarus", 100, 100, 1000, 85)
    bitcoin.inherit("daedalus", 200, 100, 1000, 95)
    solana.price(80)
    feed = fine_feed(bitcoin, wad(95))
    down = assert_boundary(shell, "majors", bitcoin, feed, "down")
    assert None not in down.values()


@pytest.mark.parametrize(("own", "others"), [(2000, 3000), (300, 3000), (5000, 0)])
def test_a_member_of_the_group(own: int, others: int, shell: Shell, desks: dict[str, Desk]) -> None:
    ada, dot = desks["ADA-USD"], desks["DOT-USD"]
    fund_pool(ada, own)
    if others:
        fund_pool(dot, others)
    ada.inherit("icarus", 200, 100, 1000, 95)
    feed = fine_feed(ada, wad(95))
    down = assert_boundary(shell, "ada", ada, feed, "down")
    assert None not in down.values()


def test_a_giver_is_not_due_by_drawdown_while_the_group_is_depleted(shell: Shell, desks: dict[str, Desk]) -> None:
    """What it has goes to the member below zero; ADL there is due once it is below zero itself."""
    ada, dot = desks["ADA-USD"], desks["DOT-USD"]
    fund_pool(ada, 2000)
    dot.inherit("daedalus", 100, 100, 1000, 50)
    ada.inherit("icarus", 200, 100, 1000, 95)
    feed = fine_feed(ada, wad(95))
    assert_boundary(shell, "ada", ada, feed, "down")


def test_unknown_while_the_feed_is_dead(shell: Shell, desks: dict[str, Desk], venue: Venue) -> None:
    desk = desks["ETH-USD"]
    fund_pool(desk, 20000)
    desk.inherit("icarus", 200, 100, 1000, 95)
    feed = fine_feed(desk, wad(95))
    act(venue.owner, desk.fund.checkpoint, desk.market.id)
    venue.system.price_feed.accept(desk.market.id, sender=venue.owner)
    act(venue.owner, feed.setAnswer, -1)
    result = shell.run("fund", "status", "--pool", "eth", "--json")
    assert result.status == 0
    assert "warning: ETH-USD has no price now" in result.err
    (shown,) = result.document["pools"][0]["markets"]
    assert (shown["isLive"], shown["runway"], shown["markPrice"]) == (False, None, "95")
    assert "unknown while the feed is dead" in shell.run("fund", "status", "--pool", "eth").out
