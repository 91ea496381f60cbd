"""Pools as `FundLens` tells them; its other views are held against the contracts wherever those are tested."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backstop.chain.bindings import Function
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, refused
from tests.support.deficits import open_deficit
from tests.support.desk import Desk, open_desk
from tests.support.stakers import Stakers


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market in a pool of its own that has 20,000."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    return desk


def pools(venue: Venue) -> list[Any]:
    """All of them; ape would take the field `items` for a method of its own."""
    lens = venue.system.fund_lens
    (output,) = lens.pools.abis[0].outputs
    states = venue.endpoint.call(lens.address, Function("pools()", output.canonical_type))
    names = [field.name for field in output.components]
    return [SimpleNamespace(**dict(zip(names, state, strict=True))) for state in states]


def test_pools_as_the_lens_tells_them(desk: Desk, venue: Venue) -> None:
    """Each with its account, deficit, stakes and why it takes none."""
    poor = open_desk(venue, "LUNA-USD", 100)
    open_deficit(poor, 5000)
    stakers = Stakers(desk)
    stakers.set_staking(cap=wad(21_000))
    stakers.stake("ann", 300)
    states = pools(venue)
    assert [each.id for each in states] == list(range(1, desk.fund.poolCount() + 1))
    for each in states:
        stored = desk.fund.pool(each.id)
        assert (each.entry[3], list(each.entry[7])) == (stored.cash, stored.markets)
        assert each.balance == desk.fund.balanceOf(each.id)
        assert (list(each.items), sum(each.items)) == (desk.fund.items(each.id), stored.cash)
        assert list(each.markets) == [tuple(state) for state in desk.fund.backings(each.id)[1]]
    own, ruined = states[desk.market.pool - 1], states[poor.market.pool - 1]
    assert (own.deficit, own.totalShares, own.maxStake) == (0, stakers.held("ann"), tokens(700))
    assert (own.assets, own.stakeRefusal) == (tokens(20_300), b"")
    assert (ruined.deficit, ruined.assets, ruined.maxStake) == (wad(5000), 0, 0)
    assert int.from_bytes(ruined.stakeRefusal[4:], "big") == poor.market.pool
    with refused(desk.fund.PoolDepleted, pool=poor.market.pool):
        act(stakers.fill_purse("bob", 1), Stakers(poor).shares.deposit, 1, poor.trader("bob").address)


def test_a_stake_before_and_after_its_exit_is_asked_for(desk: Desk, venue: Venue) -> None:
    lens, stakers = venue.system.fund_lens, Stakers(desk)
    ann = desk.trader("ann").address
    stakers.stake("ann", 300)
    before = lens.stakeOf(stakers.pool, ann)
    assert (before.shares, before.value) == (stakers.held("ann"), stakers.worth("ann"))
    assert before.value in (tokens(300), tokens(300) - 1)
    assert (before.exit.shares, before.exitValue, before.mayRedeem, bytes(before.refusal)) == (0, 0, False, b"")
    stakers.request_exit("ann")
    after = lens.stakeOf(stakers.pool, ann)
    assert (after.shares, after.exit.shares, after.exitValue) == (0, before.shares, before.value)
