"""The keeper where cross accounts are bankrupt, and where they are counterparties: planned as executed, to the wei."""

from __future__ import annotations

from decimal import Decimal

import pytest
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text
from backstop.adl import listing
from backstop.adl.results import plan_document
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import Side
from backstop.chain.bindings import TAKEN_OVER
from backstop.chain.snapshot import read_chain
from backstop.keeper.cycle import Action
from backstop.keeper.duties import Deleverage, TakeOver, rounds, take_overs
from backstop.keeper.results import action_document, executed_round
from backstop.math.margin import bankruptcy_notionals, equity
from backstop.math.wad import format_amount
from scripts.stage.cross import Harbour, play
from scripts.stage.outcome import drawdown_of
from scripts.stage.venue import Venue, wad

from .crossing import ETH, SOL, XBT, account, cycle, holder, ranking_of_contracts, read, sizes, told


@pytest.fixture(scope="module")
def harbour(venue: Venue) -> Harbour:
    """Three markets on one pool, seven traders, one hour of funding, and the gap that bankrupts atlas."""
    harbour = play(venue)
    harbour.gap()
    return harbour


FILL = ("account", "contracts", "price", "leveragedReturn")


def assert_as_planned(action: Action) -> None:
    """A round filled what its plan says, in that order."""
    document = action_document(action)
    planned, executed = document["plan"], document["round"]
    assert [[fill[key] for key in FILL] for fill in executed["fills"]] == [
        [fill[key] for key in FILL] for fill in planned["fills"]
    ]
    assert (executed["compensation"], executed["adlPrice"]) == (planned["compensation"], planned["adlPrice"])


def test_a_cross_account_is_taken_over_with_all_its_positions_in_one_call(
    harbour: Harbour, operator: LocalAccount
) -> None:
    state = read(harbour)
    [due] = take_overs(state)
    atlas = account(state, harbour, "atlas")
    assert (due.account, due.markets) == (atlas.id, (ETH, XBT, SOL))
    # 14,000 - 96.048 of fees - 75 of funding, less 40 by 361.5, 1 by 3,030 and 200 by 8.925.
    assert format_amount(due.equity) == "-5446.048"
    assert format_amount(due.maintenance_margin) == "4860"  # 2.5 % of 105,600, 57,000 and 31,800

    first = next(cycle(harbour, operator).run(pytest.fail))
    assert first.receipt is not None
    document = action_document(first)
    assert (document["duty"], document["markets"]) == ("takeOver", [ETH, XBT, SOL])
    legs = legs_of(state.snapshot, atlas)
    told_of = [
        TAKEN_OVER.decode(topics, data) for _, topics, data in first.receipt.logs if topics[0] == TAKEN_OVER.topic
    ]
    assert [(market, size, notional, own) for _, market, size, notional, own, _ in told_of] == [
        (state.market_ids[position.market], position.size, notional, due.equity)
        for position, notional in zip(atlas.positions, bankruptcy_notionals(legs, due.equity), strict=True)
    ]
    after = read(harbour)
    assert "atlas" not in {harbour.names()[one.id] for one in after.snapshot.accounts}
    assert {item.market: item.size for item in after.snapshot.pools["main"].inventory} == {
        ETH: wad(40),
        XBT: wad(1),
        SOL: wad(-200),
    }
    assert after.claims == after.tokens_held


def test_a_round_against_cross_and_isolated_accounts_is_as_planned(harbour: Harbour, operator: LocalAccount) -> None:
    actions = list(cycle(harbour, operator).run(pytest.fail))
    assert told(actions, harbour) == [("take over atlas", f"{ETH} {XBT} {SOL}"), ("deleverage long", ETH)]
    assert_as_planned(actions[1])
    names, after = harbour.names(), read(harbour)
    assert actions[1].receipt is not None
    fills = executed_round(actions[1].receipt)["fills"]
    assert [(names[fill["account"]], fill["contracts"]) for fill in fills] == [
        ("corax", "12"),
        ("boreas", "15"),
        ("hawk", "13"),
    ]
    # Cross accounts are closed in this market only.
    assert sizes(after, harbour, "corax") == {SOL: wad(-150)}
    assert sizes(after, harbour, "boreas") == {XBT: wad("-0.4"), SOL: wad(100)}
    assert sizes(after, harbour, "hawk") == {ETH: wad(-1)}
    fraction = drawdown_of(after, ETH)
    assert fraction is not None
    assert abs(fraction - wad("0.25")) < 10
    assert after.claims == after.tokens_held
    assert not any(after.sums_of_sizes.values())
    assert list(cycle(harbour, operator).run(pytest.fail)) == []


def test_what_a_cross_account_realizes_is_what_was_planned(harbour: Harbour, operator: LocalAccount) -> None:
    take_over, deleverage = list(cycle(harbour, operator).run(pytest.fail))
    assert take_over.receipt is not None
    assert isinstance(deleverage.duty, Deleverage)
    before = read_chain(harbour.venue.endpoint, harbour.venue.deployment, take_over.receipt.block)
    after = read(harbour)
    for fill in deleverage.duty.plan.fills:
        name = harbour.names()[fill.account]
        moved = account(after, harbour, name).margin - account(before, harbour, name).margin
        assert moved == fill.realized_pnl


def test_a_bankrupt_cross_account_is_no_counterparty_and_is_taken_over(
    harbour: Harbour, operator: LocalAccount
) -> None:
    """XBT at 95,000 takes drift and boreas, short of it, below zero, though the short of ETH of the latter has won."""
    atlas = harbour.account(holder("atlas"))
    harbour.venue.system.exchange.takeOver(atlas, sender=harbour.venue.owner)
    harbour.venue.set_price(harbour.markets[XBT], Decimal(95_000))
    state = read(harbour)
    boreas = account(state, harbour, "boreas")
    assert equity(boreas.margin, legs_of(state.snapshot, boreas)) < 0
    [due] = rounds(state)
    planned = plan_document(due.plan)
    assert {"account": boreas.id, "reason": "bankrupt"} in planned["skipped"]
    assert boreas.id not in {fill.account for fill in due.plan.fills}
    assert boreas.id not in {own for own, *_ in ranking_of_contracts(harbour, ETH, Side.SHORT)}

    actions = list(cycle(harbour, operator).run(pytest.fail))
    # The round that was due before waits for no second takeover.
    done = told(actions, harbour)
    assert done[:2] == [("take over drift", f"{ETH} {XBT}"), ("deleverage long", ETH)]
    assert ("take over boreas", f"{ETH} {XBT} {SOL}") in done
    for action in actions:
        if isinstance(action.duty, Deleverage):
            assert_as_planned(action)
    assert {action.duty.plan.market for action in actions if isinstance(action.duty, Deleverage)} >= {ETH}
    after = read(harbour)
    assert rounds(after) == []
    assert take_overs(after) == []
    assert after.claims == after.tokens_held
    assert not any(after.sums_of_sizes.values())


def test_two_cross_bankrupts_the_deepest_first(harbour: Harbour, operator: LocalAccount) -> None:
    """SOL at 230 takes corax, short of it, below zero too."""
    harbour.venue.set_price(harbour.markets[SOL], Decimal(230))
    state = read(harbour)
    assert [harbour.names()[due.account] for due in take_overs(state)] == ["atlas", "corax"]
    actions = list(cycle(harbour, operator).run(pytest.fail))
    assert [type(action.duty) for action in actions[:2]] == [TakeOver, TakeOver]
    for action in actions[2:]:
        assert_as_planned(action)
    after = read(harbour)
    assert rounds(after) == []
    assert after.claims == after.tokens_held
    assert not any(after.sums_of_sizes.values())


# ------------------------------------------------------------------ how much one transaction can bear


@pytest.mark.parametrize(
    ("room", "missing", "submitted"),
    [
        (4, 0, ["corax", "boreas", "hawk", "heron"]),
        (4, 1, ["corax", "boreas", "hawk"]),
        (3, 0, ["corax", "boreas", "hawk"]),
        (3, 1, ["corax", "boreas"]),
        (2, 1, ["corax"]),
        # One at least, or nothing would ever be done.
        (1, 1, ["corax"]),
    ],
)
def test_a_round_is_limited_by_the_gas_that_its_counterparties_take(
    room: int, missing: int, submitted: list[str], harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.venue.system.exchange.takeOver(harbour.account(holder("atlas")), sender=harbour.venue.owner)
    state = read(harbour)
    gas = {harbour.names().get(one.id): listing.gas_of(one) for one in state.snapshot.accounts}
    most = sum(gas[name] for name in ("corax", "boreas", "hawk", "heron")[:room]) - missing
    monkeypatch.setattr(listing, "MOST_GAS", most)
    [due] = rounds(state)
    to, data = due.transaction(state, harbour.venue.deployment)
    assert to == harbour.venue.deployment.engine
    named = {data.find(bytes.fromhex(own[2:])): name for own, name in harbour.names().items()}
    assert [name for place, name in sorted(named.items()) if place >= 0] == submitted


def test_rounds_in_parts_come_to_the_same_end(
    harbour: Harbour, operator: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One counterparty a transaction: three rounds, in rank order, until the market is on its target."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    actions = list(cycle(harbour, operator).run(pytest.fail))
    assert [kind for kind, _ in told(actions, harbour)] == [
        "take over atlas",
        *["deleverage long"] * (len(actions) - 1),
    ]
    names = harbour.names()
    order = [
        names[fill["account"]]
        for action in actions[1:]
        if action.receipt is not None
        for fill in executed_round(action.receipt)["fills"]
    ]
    assert order == ["corax", "boreas", "hawk"][: len(order)]
    assert len(order) > 1
    after = read(harbour)
    assert rounds(after) == []
    assert after.claims == after.tokens_held
    assert account_text(harbour.account(holder("heron"))) in {one.id for one in after.snapshot.accounts}
