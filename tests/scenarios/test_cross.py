"""The demo's case of cross accounts, on chain, through the keeper's own cycle, against figures worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from ape import chain

from backstop.adl.planning import plan
from backstop.adl.ranking import rank
from backstop.adl.results import plan_document
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import dumps, loads
from backstop.chain.snapshot import read_chain
from backstop.keeper.cycle import Cycle
from backstop.keeper.duties import Deleverage
from backstop.keeper.results import action_document
from backstop.math.margin import bankruptcy_price
from backstop.math.wad import WAD, format_amount
from backstop.render import show_amount
from backstop.transactions.sender import Sender
from scripts.stage.cross import CONTRIBUTION, GAPPED, MARKETS, POOL, play
from scripts.stage.outcome import drawdown_of
from scripts.stage.venue import Venue, wad


@pytest.fixture
def venue(owner: Any) -> Venue:
    """A system of its own."""
    return Venue.open(owner)


def test_the_cross_case(venue: Venue) -> None:
    harbour = play(venue)
    names = harbour.names()
    opened = read_chain(venue.endpoint, venue.deployment)
    # Every fill was 0.05 % above mark, so that is what an hour costs a long.
    for market in MARKETS:
        index = venue.system.exchange.fundingIndex(harbour.markets[market.name].id)
        assert index == wad(market.price) * 5 // 10_000
    # 50 contracts at 3,001.5, both sides 7 basis points, half of it the pool's.
    assert opened.snapshot.pools[POOL].balance == wad(CONTRIBUTION) + 50 * wad("3001.5") * 7 // 10_000 // 2
    assert opened.claims == opened.tokens_held

    harbour.gap()
    gapped = read_chain(venue.endpoint, venue.deployment)
    queue = [names[place.account] for place in rank(gapped.snapshot, GAPPED, Side.SHORT)]
    assert queue == ["corax", "boreas", "hawk", "heron"]
    keeper = venue.trader("keeper")
    venue.post_bond(keeper)
    sender = Sender(venue.endpoint, keeper, chain.chain_id)
    take_over, deleverage = Cycle(venue.endpoint, venue.deployment, sender, send=True).run(pytest.fail)

    assert take_over.receipt is not None
    document = action_document(take_over)
    assert (names[document["account"]], document["markets"]) == ("atlas", [market.name for market in MARKETS])
    assert document["equity"] == "-5446.048"
    taken_over = read_chain(venue.endpoint, venue.deployment, take_over.receipt.block)
    prices = {
        item.market: bankruptcy_price(
            item.entry_notional, item.size, taken_over.snapshot.markets[item.market].mark_price
        )
        for item in taken_over.snapshot.pools[POOL].inventory
    }
    # 5,446.048 over losses of 14,460, 3,030 and 1,785: 102.14 a contract of ETH, 856.11 of XBT, 2.52 of SOL.
    shown = {name: show_amount(price) for name, price in prices.items()}
    assert shown == {"ETH-PERP": "2,742.1398", "XBT-PERP": "57,856.1102", "SOL-PERP": "156.4782"}

    assert isinstance(deleverage.duty, Deleverage)
    assert [plan_document(due) for due in plan(loads(dumps(taken_over.snapshot)))] == [
        plan_document(deleverage.duty.plan)
    ]
    executed = action_document(deleverage)["round"]
    fills = [(names[fill["account"]], fill["contracts"]) for fill in executed["fills"]]
    assert fills == [("corax", "12"), ("boreas", "15"), ("hawk", "13")]
    # The loss since the peak less a quarter of the base, which is the balance and the losses of all three markets.
    state = taken_over.snapshot
    losses = {market.name: market.max_pnl_8h - market.pnl for market in state.markets.values()}
    base = state.pools[POOL].balance + sum(losses.values())
    assert executed["compensation"] == format_amount(losses[GAPPED] - base // 4)

    after = read_chain(venue.endpoint, venue.deployment)
    fraction = drawdown_of(after, GAPPED)
    assert fraction is not None
    assert abs(fraction - WAD // 4) < 10
    assert after.claims == after.tokens_held
    assert all(amount != 0 for amount in after.claims_of.values())
    assert not any(after.sums_of_sizes.values())
    assert plan(after.snapshot) == []
