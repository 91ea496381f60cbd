"""Dead feeds: the last accepted price, at which takeovers go on; no liquidation and no round there; and a warning."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from backstop.adl.due import Trigger
from backstop.adl.planning import plan
from backstop.adl.ranking import rank
from backstop.adl.results import plan_document
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import dumps, loads
from backstop.chain.snapshot import ChainState
from backstop.keeper.duties import Deleverage, rounds, take_overs
from backstop.keeper.liquidations import Liquidator, liquidations
from backstop.keeper.results import action_document
from backstop.math.margin import equity
from backstop.math.wad import WAD
from scripts.stage.cross import GAPPED, MARKETS, Harbour, play
from scripts.stage.parameters import plain_market
from scripts.stage.venue import FEED_DECIMALS, HEARTBEAT, Venue, rpc_url, wad

from .command import backstop_inside
from .crossing import ETH, SOL, XBT, account, cycle, holder, on_chain, ranking_of_contracts, read, told, trade


@pytest.fixture(scope="module")
def harbour(venue: Venue) -> Harbour:
    """Three markets on one pool, seven traders, one hour of funding."""
    return play(venue)


def die(harbour: Harbour, *dead: str) -> None:
    """Time goes on, and only the other feeds publish."""
    harbour.venue.endpoint.request("evm_increaseTime", HEARTBEAT + 1)
    harbour.venue.endpoint.request("evm_mine")
    for market in MARKETS:
        if market.name not in dead:
            feed = harbour.markets[market.name].feed
            feed.setAnswer(feed.latestRoundData()[1], sender=harbour.venue.owner)


def accept(harbour: Harbour, market: str, price: int) -> None:
    """A price that the contracts have seen."""
    harbour.venue.set_price(harbour.markets[market], price)
    harbour.venue.system.price_feed.accept(harbour.markets[market].id, sender=harbour.venue.owner)


def warnings_of(harbour: Harbour, signer: LocalAccount) -> list[str]:
    """What a dry run warns of."""
    said: list[str] = []
    list(cycle(harbour, signer, send=False).run(said.append))
    return said


def has_dead(state: ChainState, *names: str) -> bool:
    """Just these are told to be dead, in the snapshot too."""
    in_file = {market.name for market in loads(dumps(state.snapshot)).markets.values() if not market.is_live}
    return set(state.unpriced) == in_file == set(names)


# ------------------------------------------------------------------ reading


@pytest.mark.parametrize("dead", [(), (ETH,), (XBT, SOL), (ETH, XBT, SOL)], ids=lambda dead: " ".join(dead) or "none")
def test_a_dead_market_is_read_at_its_last_accepted_price_and_told(
    dead: tuple[str, ...], harbour: Harbour, operator: LocalAccount
) -> None:
    for market in MARKETS:  # published, and accepted by nobody
        harbour.venue.set_price(harbour.markets[market.name], market.price * 2)
    die(harbour, *dead)
    state = read(harbour)
    assert has_dead(state, *dead)
    assert state.left_out == {}
    for market in MARKETS:
        expected = market.price if market.name in dead else market.price * 2
        assert state.snapshot.markets[market.name].mark_price == wad(expected)
    said = warnings_of(harbour, operator)
    assert [text.split(" has no price, only takeovers go on there, at its last one: ")[0] for text in said] == list(
        dead
    )
    assert all(f"PriceStale({harbour.markets[name].id}, " in text for name, text in zip(dead, said, strict=True))
    assert state.claims == state.tokens_held


def test_every_account_stands_where_the_exchange_says_at_the_last_price(harbour: Harbour) -> None:
    harbour.gap()
    die(harbour, XBT)
    state = read(harbour)
    for name in harbour.names().values():
        shown, stands = account(state, harbour, name), on_chain(harbour, name)
        assert equity(shown.margin, legs_of(state.snapshot, shown)) == stands.health.equity
    for side in Side:
        assert [(one.account, one.leveraged_return) for one in rank(state.snapshot, ETH, side)] == [
            (own, score) for own, _, _, score in ranking_of_contracts(harbour, ETH, side)
        ]


def test_a_market_that_never_had_a_price_is_left_out(harbour: Harbour, operator: LocalAccount) -> None:
    venue = harbour.venue
    fresh = venue.list_in_pool("NEW-PERP", harbour.pool, Decimal(1), plain_market(Decimal("0.1"), Decimal("0.05")))
    venue.deposit(venue.trader("early"), fresh, 7)
    die(harbour)
    state = read(harbour)
    assert set(state.left_out) == {"NEW-PERP"}
    assert state.unpriced == {}
    assert set(state.snapshot.markets) == {ETH, XBT, SOL}
    assert state.claims == state.tokens_held
    [said] = warnings_of(harbour, operator)
    assert said.startswith("NEW-PERP has no price, and never had one accepted: it is left alone: PriceStale(")


# ------------------------------------------------------------------ takeovers go on


def test_takeover_at_the_last_price_of_a_dead_market(harbour: Harbour, operator: LocalAccount) -> None:
    """ETH falls by all of atlas's margin and is accepted; then every feed of what it holds dies."""
    accept(harbour, ETH, 2640)
    die(harbour, ETH, XBT, SOL)
    state = read(harbour)
    [due] = take_overs(state)
    assert (harbour.names()[due.account], due.markets) == ("atlas", (ETH, XBT, SOL))
    actions = list(cycle(harbour, operator).run(lambda _: None))
    assert told(actions, harbour) == [("take over atlas", f"{ETH} {XBT} {SOL}")]
    assert action_document(actions[0])["sent"]
    after = read(harbour)
    assert len(after.snapshot.pools["main"].inventory) == 3
    assert after.claims == after.tokens_held


def test_a_gap_that_nobody_accepted_before_the_feed_died_does_not_count(
    harbour: Harbour, operator: LocalAccount
) -> None:
    harbour.venue.set_price(harbour.markets[ETH], 2640)
    die(harbour, ETH)
    assert take_overs(read(harbour)) == []
    assert list(cycle(harbour, operator).run(lambda _: None)) == []


# ------------------------------------------------------------------ rounds wait


def test_no_round_in_a_dead_market_and_one_when_it_is_back(harbour: Harbour, operator: LocalAccount) -> None:
    harbour.gap()
    atlas = harbour.account(holder("atlas"))
    harbour.venue.system.exchange.takeOver(atlas, sender=harbour.venue.owner)
    assert [duty.plan.market for duty in rounds(read(harbour))] == [ETH]
    die(harbour, ETH)
    state = read(harbour)
    assert plan(state.snapshot) == plan(loads(dumps(state.snapshot))) == []
    assert list(cycle(harbour, operator).run(lambda _: None)) == []
    harbour.gap()
    assert told(list(cycle(harbour, operator).run(pytest.fail)), harbour) == [("deleverage long", ETH)]


def test_a_depletion_is_shared_with_the_losses_of_dead_markets(
    harbour: Harbour, operator: LocalAccount, tmp_path: Path
) -> None:
    """The fund values what it holds of a dead market against itself; the live market brings its share, no more.

    ETH at 2,300 and SOL at 189 lose more than the pool has, and XBT's feed is dead.
    """
    accept(harbour, XBT, 57_000)
    accept(harbour, ETH, 2300)
    accept(harbour, SOL, 189)
    harbour.venue.system.exchange.takeOver(harbour.account(holder("atlas")), sender=harbour.venue.owner)
    die(harbour, XBT)
    state = read(harbour)
    assert has_dead(state, XBT)
    assert state.snapshot.pools["main"].balance < 0

    due = plan(state.snapshot)
    fund, sides = harbour.venue.system.fund, {Side.LONG: 0, Side.SHORT: 1}
    assert {item.market for item in due} == {ETH, SOL}
    for item in due:
        terms = fund.adlTerms(harbour.markets[item.market].id, sides[item.side])
        assert (terms.compensation, terms.price) == (item.compensation, item.adl_price)
        assert terms.trigger == list(Trigger).index(item.trigger) + 1
    file, deployment = tmp_path / "state.json", tmp_path / "deployment.json"
    harbour.venue.deployment.save(deployment)
    assert backstop_inside("snapshot", "--rpc", rpc_url(), "--deployment", deployment, "-o", file).status == 0
    assert backstop_inside("plan", file, "--json").document == [plan_document(item) for item in due]

    actions = list(cycle(harbour, operator).run(lambda _: None))
    for action in actions:
        assert isinstance(action.duty, Deleverage)
        document = action_document(action)
        assert document["refused"] is None
        assert document["round"]["compensation"] == document["plan"]["compensation"]
    after = read(harbour)
    assert rounds(after) == []
    assert after.claims == after.tokens_held


# ------------------------------------------------------------------ liquidations wait


def test_no_liquidation_of_whoever_holds_a_dead_market_while_others_are_liquidated(
    harbour: Harbour, operator: LocalAccount
) -> None:
    """SOL at 175 weakens two of its shorts: minnow, isolated, and corax, which is short of ETH too and most of that."""
    venue, liquidator = harbour.venue, Liquidator(operator.address, 0, 10**7 * WAD)
    for market in harbour.markets.values():
        venue.deposit(operator, market, 100_000)
    minnow = venue.trader("minnow")
    venue.deposit(minnow, harbour.markets[SOL], 570)
    venue.trade(venue.trader("harbour lynx"), minnow, harbour.markets[SOL], wad(-20), wad(150))
    accept(harbour, SOL, 175)
    assert [duty.market for duty in liquidations(read(harbour), liquidator)] == [ETH, SOL]

    die(harbour, ETH)
    state = read(harbour)
    [due] = liquidations(state, liquidator)
    assert due.market == SOL
    actions = list(cycle(harbour, operator, 10**7).run(lambda _: None))
    assert [(type(action.duty), action.refusal) for action in actions] == [(type(due), None)]
    assert actions[0].duty == due


def test_the_last_answer_of_a_feed_is_not_taken_for_a_price(harbour: Harbour) -> None:
    """An answer out of bounds is no price, however fresh."""
    market = harbour.markets[GAPPED]
    market.feed.setAnswer(0, sender=harbour.venue.owner)
    state = read(harbour)
    assert has_dead(state, GAPPED)
    assert state.unpriced[GAPPED] == f"PriceNotPositive({market.id}, 0)"
    assert state.snapshot.markets[GAPPED].mark_price == wad(3000)
    market.feed.setAnswer(3001 * 10**FEED_DECIMALS, sender=harbour.venue.owner)
    assert has_dead(read(harbour))


def test_trading_that_went_on_moves_the_last_price(harbour: Harbour) -> None:
    harbour.venue.set_price(harbour.markets[ETH], 3010)
    trade(harbour, "heron", "hawk", ETH, "1", "3010")
    die(harbour, ETH)
    assert read(harbour).snapshot.markets[ETH].mark_price == wad(3010)
