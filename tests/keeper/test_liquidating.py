"""What the keeper liquidates onto its own account, and what it leaves: the plan, and the plan done on chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from ape import chain
from hypothesis import given
from hypothesis import strategies as st

from backstop.account_id import account_text, isolated_account
from backstop.adl.snapshot import Account, Block, MarginMode, Market, Position, Side, Snapshot
from backstop.chain.bindings import LIQUIDATE
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper import liquidations as liquidating
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.duties import Liquidate, take_overs
from backstop.keeper.liquidations import Liquidator, each_liquidation, liquidations
from backstop.keeper.results import action_document
from backstop.keeper.uncarried import uncarried
from backstop.math.liquidation import contracts_to_restore, penalty, value
from backstop.math.margin import margin_requirement, position_value
from backstop.math.position import PositionState, apply_trade
from backstop.math.wad import WAD
from backstop.math.wad import parse_amount as wad
from backstop.transactions.sender import Sender
from scripts.stage.venue import TestMarket, Venue

from .terms import DISCOUNT, FEE, IMF, KEEPER, MARK, MMF, TERMS

# 10 contracts with an equity of 40: MM 50, IM 100, and 60/7.5 = 8 to close.
WEAK = ("10", "40")


def carrier(market: int = 1, index: int = 0) -> str:
    return account_text(isolated_account(KEEPER, market, index))


def account(name: str, size: str, equity: str | int, market: str = "ETH-USD", entry: str = "103") -> Account:
    """An account whose equity at mark is `equity` (WAD where it is a number)."""
    contracts = wad(size)
    notional = contracts * wad(entry) // WAD
    own = equity if isinstance(equity, int) else wad(equity)
    margin = own - position_value(contracts, MARK) + notional
    positions = (Position(market, contracts, notional),) if contracts else ()
    return Account(name, MarginMode.ISOLATED, margin, positions)


def state_of(*accounts: Account) -> ChainState:
    """Two markets at 100, alike in everything."""
    markets = {
        name: Market(name, MARK, MMF, "eth", wad("0.3"), wad("0.25"), wad("0.25"), False, 0, 0)
        for name in ("ETH-USD", "BTC-USD")
    }
    block = Block(1, 1, "0x01", 1)
    return ChainState(
        snapshot=Snapshot(block, markets, {}, accounts),
        block=block,
        market_ids={"ETH-USD": 1, "BTC-USD": 2},
        terms=dict.fromkeys(markets, TERMS),
        backstop_ratio=WAD // 2,
        tokens_held=0,
        claims_of={},
        sums_of_sizes={},
        unpriced={},
        left_out={},
        exempt_age=120,
    )


def plan(*accounts: Account, up_to: str = "100000", index: int = 0, without: set[str] = set()) -> list[Liquidate]:  # noqa: B006
    return liquidations(state_of(*accounts), Liquidator(KEEPER, index, wad(up_to)), without)


def contracts(*accounts: Account, up_to: str = "100000") -> list[tuple[str, int]]:
    return [(duty.account, duty.contracts) for duty in plan(*accounts, up_to=up_to)]


# ------------------------------------------------------------------ who is liquidated


def test_an_account_below_its_maintenance_margin_is_brought_back_to_its_initial_margin() -> None:
    [duty] = plan(account("weak", *WEAK), account(carrier(), "0", "500"))
    assert duty == Liquidate(
        account="weak",
        liquidator=carrier(),
        market="ETH-USD",
        side=Side.LONG,
        contracts=wad("8"),
        notional=wad("800"),
        discount=wad("10"),
        fee=wad("10"),
        equity=wad("40"),
        maintenance_margin=wad("50"),
    )


@pytest.mark.parametrize(
    ("equity", "due"),
    [
        (wad("50"), False),
        (wad("50") - 1, True),
        (wad("25") + 1, True),
        # From here on the pool takes it over.
        (wad("25"), False),
        (1, False),
        (0, False),
        (-1, False),
    ],
)
@pytest.mark.parametrize("size", ["10", "-10"])
def test_only_between_takeover_and_maintenance_margin(size: str, equity: int, due: bool) -> None:
    assert bool(plan(account("weak", size, equity), account(carrier(), "0", "5000"))) is due


def test_who_lacks_most_comes_first() -> None:
    crowd = [account("c", "10", "45"), account("a", "-20", "60"), account("b", "10", "30"), account("d", "10", "45")]
    duties = plan(*crowd, account(carrier(), "0", "5000"))
    # 40, 20 and twice 5 to the maintenance margin; of those two by id.
    assert [duty.account for duty in duties] == ["a", "b", "c", "d"]
    assert [duty.side for duty in duties] == ["short", "long", "long", "long"]


def test_a_crowd_of_dust_that_is_worse_off_does_not_come_first() -> None:
    crowd = [account(f"dust {number}", "0.01", "0.026") for number in range(5)]
    state = state_of(*crowd, account("large", "100000", "499999"), account(carrier(), "0", "10000000"))
    duties = liquidations(state, Liquidator(KEEPER, 0, wad("100000000"), 0))
    assert [duty.account for duty in duties] == ["large", *(one.id for one in crowd)]
    # Unless it is told otherwise the keeper leaves alone what brings less than a tenth of a quote.
    assert [duty.account for duty in liquidations(state, Liquidator(KEEPER, 0, wad("100000000")))] == ["large"]


@pytest.mark.parametrize(("least", "due"), [("0", True), ("10", True), ("10.000000000000000001", False)])
def test_what_brings_too_small_a_discount_is_left_alone(least: str, due: bool) -> None:
    # 8 contracts of 100 at 1.25 %; what is left alone takes nothing from what the keeper can carry.
    state = state_of(account("weak", *WEAK), account("weaker", "20", "60"), account(carrier(), "0", "500"))
    duties = liquidations(state, Liquidator(KEEPER, 0, wad("100000"), wad(least)))
    assert [duty.account for duty in duties] == ["weaker", "weak"][: 1 + due]
    assert [duty.discount for duty in duties] == [wad("23.333333333333333333"), wad("10")][: 1 + due]


def test_a_discount_may_shrink_with_what_the_keeper_can_carry() -> None:
    state = state_of(account("weak", *WEAK), account(carrier(), "0", "500"))
    assert liquidations(state, Liquidator(KEEPER, 0, wad("500"), wad("6.25")))[0].discount == wad("6.25")
    assert liquidations(state, Liquidator(KEEPER, 0, wad("500"), wad("6.25") + 1)) == []


# ------------------------------------------------------------------ who is taken over


def test_the_bankrupt_are_taken_over_first_and_then_the_largest() -> None:
    crowd = [
        account("a crumb", "0.001", "0.001"),
        account("b large", "1000", "2499"),
        account("c flat", "10", "0"),
        account("d flat", "20", "0"),
        account("e deep", "0.1", "-2"),
        account("f deeper", "10", "-3"),
        account("g one", "10", "10"),
        account("h another", "-10", "1"),
        account("i half", "10", "25"),
        account("j weak", "10", wad("25") + 1),
    ]
    due = take_overs(state_of(*crowd))
    letters = [duty.account[0] for duty in due]
    assert letters == ["f", "e", "d", "c", "b", "h", "g", "i", "a"]


def test_the_keeper_does_not_liquidate_itself_nor_whom_it_is_told_to_leave() -> None:
    keeper = account(carrier(), "10", "40")
    assert plan(keeper) == []
    assert plan(account("weak", *WEAK), account(carrier(), "0", "500"), without={"weak"}) == []


def test_another_sub_account_may_carry_and_then_the_first_is_an_account_like_any() -> None:
    keeper = account(carrier(), "10", "40")
    [duty] = plan(keeper, account(carrier(index=7), "0", "500"), index=7)
    assert (duty.account, duty.liquidator) == (carrier(), carrier(index=7))


def test_an_account_without_collateral_carries_nothing() -> None:
    assert plan(account("weak", *WEAK)) == []
    # Nor does one in another market.
    assert plan(account("weak", *WEAK), account(carrier(market=2), "0", "500", market="BTC-USD")) == []


def test_what_it_can_carry_none_of_is_told() -> None:
    def told(*accounts: Account, up_to: str = "1000") -> list[str]:
        return uncarried(state_of(*accounts), Liquidator(KEEPER, 0, wad(up_to)))

    weak, funded = account("weak", *WEAK), account(carrier(), "0", "500")
    due = "1 account is due, this keeper can carry none of it: its account in ETH-USD "
    assert told(weak) == [f"{due}has no collateral"]
    assert told(weak, account(carrier(), "0", "0")) == [f"{due}has no collateral"]
    full = f"{due}has no room left within --liquidate-up-to and its margin"
    assert told(weak, funded, up_to="39.99") == told(weak, account(carrier(), "10", "500")) == [full]
    # What it carries a part of, what the pool takes over, what is well, and its own account.
    assert told(weak, funded, up_to="500") == told(weak, account("weaker", "10", "30"), funded, up_to="500") == []
    assert told(account("broke", "10", "20"), account("well", "10", "60")) == told(account(carrier(), "10", "40")) == []
    # Each market by itself.
    others = [account(name, *WEAK, market="BTC-USD") for name in "ab"]
    assert told(weak, funded, *others) == [
        "2 accounts are due, this keeper can carry none of them: its account in BTC-USD has no collateral"
    ]


def test_a_cross_account_that_it_can_carry_no_leg_of_is_told() -> None:
    def told(*accounts: Account, up_to: str = "1000") -> list[str]:
        return uncarried(state_of(*accounts), Liquidator(KEEPER, 0, wad(up_to)))

    # 10 and 20 contracts at mark, MM 150 and an equity of 120.
    legs = Position("ETH-USD", wad("10"), wad("1000")), Position("BTC-USD", -wad("20"), -wad("2000"))
    cross = Account("cross", MarginMode.CROSS, wad("120"), legs)
    due = "1 account is due, this keeper can carry none of it: its account in BTC-USD has "
    assert told(cross) == [f"{due}no collateral"]
    # In the other leg's market it could, and so it does; in none is told once.
    assert told(cross, account(carrier(), "0", "500")) == []
    full = account(carrier(), "10", "500"), account(carrier(market=2), "-10", "500", market="BTC-USD")
    assert told(cross, *full) == [f"{due}no room left within --liquidate-up-to and its margin"]
    # Beside an isolated one in the same market, and in another.
    assert told(cross, account("weak", *WEAK, market="BTC-USD")) == [
        "2 accounts are due, this keeper can carry none of them: its account in BTC-USD has no collateral"
    ]
    assert len(told(cross, account("weak", *WEAK))) == 2
    # One with a leg whose feed is dead cannot be liquidated by anybody.
    dead = replace(state_of(cross), unpriced={"ETH-USD": "PriceStale"})
    assert uncarried(dead, Liquidator(KEEPER, 0, wad("1000"))) == []


# ------------------------------------------------------------------ how much


@pytest.mark.parametrize(
    ("up_to", "taken"),
    [
        ("800", "8"),
        ("799.99", "7.9999"),
        ("500", "5"),
        # A twentieth of what is needed is the least that is worth a transaction.
        ("40", "0.4"),
        ("39.99", None),
        ("0", None),
    ],
)
def test_the_position_stays_within_the_notional(up_to: str, taken: str | None) -> None:
    expected = [("weak", wad(taken))] if taken else []
    assert contracts(account("weak", *WEAK), account(carrier(), "0", "500"), up_to=up_to) == expected


def test_what_the_keeper_holds_already_counts() -> None:
    weak = account("weak", *WEAK)
    assert contracts(weak, account(carrier(), "6", "500"), up_to="1000") == [("weak", wad("4"))]
    assert contracts(weak, account(carrier(), "10", "500"), up_to="1000") == []
    assert contracts(weak, account(carrier(), "11", "500"), up_to="1000") == []


def test_opposite_positions_net() -> None:
    weak = account("weak", *WEAK)
    # Short 6: 7 bring it to long 1, and no more are allowed.
    assert contracts(weak, account(carrier(), "-6", "500", entry="97"), up_to="100") == [("weak", wad("7"))]
    # Short 20 is beyond the notional, but the liquidation only brings it down.
    assert contracts(weak, account(carrier(), "-20", "500", entry="97"), up_to="100") == [("weak", wad("8"))]
    # Netting needs no margin: short 10 with just its initial margin.
    assert contracts(weak, account(carrier(), "-10", "100"), up_to="1000") == [("weak", wad("8"))]
    # Short 5 with its initial margin of 50: 5 net, and 6.25 of discount at 1.25 a contract carry some of the rest.
    [(_, taken)] = contracts(weak, account(carrier(), "-5", "50"), up_to="1000")
    assert taken == wad("8")


def test_the_account_keeps_its_initial_margin_to_the_wei() -> None:
    # Each contract takes 10 of margin and brings 1.25: 10 / 8.75 = 1.142857142857142857…
    own, weak = account(carrier(), "0", "10"), account("weak", *WEAK)
    [(_, taken)] = contracts(weak, own)
    assert taken == wad("1.142857142857142857")

    def margin_left(closed: int) -> int:
        taken = value(closed, MARK, penalty(closed, wad("10"), MARK, wad("40"), DISCOUNT, FEE).discount)
        after = apply_trade(PositionState(0, 0, own.margin), closed, taken)
        return after.cash + position_value(closed, MARK) - margin_requirement(closed, MARK, IMF)

    assert margin_left(taken) >= 0 > margin_left(taken + 1)


def test_an_account_below_its_own_initial_margin_only_takes_what_restores_it() -> None:
    weak = account("weak", *WEAK)
    assert contracts(weak, account(carrier(), "5", "49")) == []
    # Short 5 with 49: after 5 it is flat.
    [(_, taken)] = contracts(weak, account(carrier(), "-5", "49"))
    assert taken == wad("8")
    # Short 50 with 49 of 500: 8 do not bring it back.
    assert contracts(weak, account(carrier(), "-50", "49")) == []


def test_one_plan_counts_on_those_before_it_in_each_market_apart() -> None:
    duties = plan(
        account("a", "10", "30"),
        account("b", "10", "40"),
        account("c", "-10", "45"),
        account("d", "10", "40", market="BTC-USD"),
        account(carrier(), "0", "500"),
        account(carrier(market=2), "0", "500", market="BTC-USD"),
        up_to="1200",
    )
    # a needs 70/7.5 = 9.33…, so 2.66… remain for b; c then nets 7.33…
    assert [(duty.account, duty.market, duty.contracts) for duty in duties] == [
        ("a", "ETH-USD", wad("9.333333333333333334")),
        ("b", "ETH-USD", wad("2.666666666666666666")),
        ("d", "BTC-USD", wad("8")),
        ("c", "ETH-USD", wad("7.333333333333333334")),
    ]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Account], Account, int]:
    names = [f"trader {number}" for number in range(draw(st.integers(1, 6)))]
    crowd = []
    for name in names:
        size = draw(st.integers(10**15, 10**21)) * draw(st.sampled_from((1, -1)))
        requirement = margin_requirement(size, MARK, MMF)
        own = draw(st.integers(0, requirement))
        crowd.append(Account(name, MarginMode.ISOLATED, own, (Position("ETH-USD", size, position_value(size, MARK)),)))
    size = draw(st.integers(-(10**21), 10**21))
    margin = draw(st.integers(-(10**20), 10**22))
    held = (Position("ETH-USD", size, position_value(size, MARK)),) if size else ()
    return crowd, Account(carrier(), MarginMode.ISOLATED, margin, held), draw(st.integers(1, 10**24))


def test_a_crowd_is_planned_one_at_a_time_and_dust_in_it_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    search = liquidating.most_carried
    monkeypatch.setattr(liquidating, "most_carried", lambda *given: searched.append(1) or search(*given))
    dust = [account(f"dust {number}", "0.01", "0.026") for number in range(50)]
    crowd = [account(f"large {number}", "10", "40") for number in range(50)]
    state = state_of(*dust, *crowd, account(carrier(), "0", "500"))
    first = next(each_liquidation(state, Liquidator(KEEPER, 0, wad("100000"))))
    assert (first.account, len(searched)) == ("large 0", 1)
    # Nor where the keeper can carry nothing of any.
    searched.clear()
    state = state_of(*crowd, account(carrier(), "0", "1"))
    assert liquidations(state, Liquidator(KEEPER, 0, wad("100000"))) == []
    assert searched == []


@given(crowds())
def test_after_each_of_any_plan_the_limits_hold(case: tuple[list[Account], Account, int]) -> None:
    crowd, own, notional = case
    by_name = {one.id: one for one in crowd}
    held = own.positions[0] if own.positions else Position("ETH-USD", 0, 0)
    position = PositionState(held.size, held.entry_notional, own.margin)
    for duty in liquidations(state_of(*crowd, own), Liquidator(KEEPER, 0, notional)):
        weak = by_name[duty.account]
        [leg] = weak.positions
        shortfall = margin_requirement(leg.size, MARK, IMF) - duty.equity
        needed = contracts_to_restore(abs(leg.size), MARK, shortfall, IMF, DISCOUNT + FEE)
        assert 0 < duty.contracts <= needed
        cost = penalty(duty.contracts, abs(leg.size), MARK, duty.equity, DISCOUNT, FEE)
        assert (duty.discount, duty.fee) == cost
        part = duty.contracts * duty.side.sign
        before, position = position, apply_trade(position, part, value(part, MARK, cost.discount))
        assert abs(position.size) * MARK <= notional * WAD or abs(position.size) < abs(before.size)
        assert position.cash + position_value(position.size, MARK) >= margin_requirement(position.size, MARK, IMF)


# ------------------------------------------------------------------ on chain


class Scene:
    """A market at 100 with a rich counterparty, weak longs by name, and a keeper with an account of its own."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.market: TestMarket = venue.list_market("SINK-USD", "sink", Decimal(100))
        self.rich = venue.trader("scene rich")
        self.keeper = venue.trader("scene keeper")
        venue.deposit(self.rich, self.market, 100_000)
        self.names: dict[str, str] = {}

    def weak(self, name: str, contracts: int, margin: int) -> str:
        """A long from 100."""
        trader = self.venue.trader(f"scene {name}")
        self.venue.deposit(trader, self.market, margin)
        self.venue.trade(self.rich, trader, self.market, contracts * WAD, 100 * WAD)
        account = account_text(isolated_account(trader.address, self.market.id))
        self.names[account] = name
        return account

    def fund_keeper(self, amount: int) -> str:
        return account_text(self.venue.deposit(self.keeper, self.market, amount))

    def state(self) -> ChainState:
        return read_chain(self.venue.endpoint, self.venue.deployment)

    def cycle(self, notional: int, *, send: bool = True) -> Cycle:
        sender = Sender(self.venue.endpoint, self.keeper, chain.chain_id)
        liquidator = Liquidator(sender.address, 0, notional * WAD)
        return Cycle(self.venue.endpoint, self.venue.deployment, sender, send=send, liquidator=liquidator)

    def told(self, actions: list[Action]) -> list[tuple[str, str]]:
        return [(action_document(one)["duty"], self.names[one.duty.account]) for one in actions]

    def account(self, name: str, state: ChainState) -> Account:
        accounts = {self.names.get(one.id, one.id): one for one in state.snapshot.accounts}
        return accounts[name]


@pytest.fixture
def scene(venue: Venue) -> Scene:
    """Equities of 40, 43 and 46 at 94, where MM is 47; of 23, 26 and 29 at 92.3, where half of MM is 23.075."""
    scene = Scene(venue)
    scene.weak("drowning", 10, 100)
    scene.weak("sinking", 10, 103)
    scene.weak("leaking", 10, 106)
    return scene


def test_liquidations_come_first_then_takeovers_and_all_end_as_planned(scene: Scene) -> None:
    keeper = scene.fund_keeper(5_000)
    mark = wad("92.3")
    scene.venue.set_price(scene.market, Decimal("92.3"))
    planned = liquidations(scene.state(), Liquidator(scene.keeper.address, 0, 10**6 * WAD))
    actions = list(scene.cycle(10**6).run(pytest.fail))
    assert scene.told(actions) == [("liquidate", "sinking"), ("liquidate", "leaking"), ("takeOver", "drowning")]
    for action, duty in zip(actions, planned, strict=False):
        executed, expected = action_document(action), action_document(Action(duty, 0, 0, None, None))
        chosen = ("account", "liquidator", "market", "side", "contracts", "notional", "discount", "fee")
        assert {key: executed[key] for key in chosen} == {key: expected[key] for key in chosen}
        assert executed["sent"]
        assert executed["refused"] is None
    after = scene.state()
    for name in ("sinking", "leaking"):
        one = scene.account(name, after)
        own = one.margin + position_value(one.positions[0].size, mark) - one.positions[0].entry_notional
        assert own >= margin_requirement(one.positions[0].size, mark, IMF)
    assert scene.account(keeper, after).positions[0].size == sum(duty.contracts for duty in planned)
    assert after.tokens_held == after.claims
    assert list(scene.cycle(10**6).run(pytest.fail)) == []


def test_whoever_is_too_deep_is_taken_over_instead(scene: Scene) -> None:
    scene.fund_keeper(5_000)
    scene.venue.set_price(scene.market, Decimal("91"))
    actions = list(scene.cycle(10**6).run(pytest.fail))
    assert scene.told(actions) == [("takeOver", "drowning"), ("takeOver", "sinking"), ("takeOver", "leaking")]


def test_what_the_keeper_cannot_carry_is_left(scene: Scene) -> None:
    keeper = scene.fund_keeper(5_000)
    scene.venue.set_price(scene.market, Decimal("94"))
    # drowning needs (94 - 40) / (94 * 0.075) = 7.6 contracts; 5 are 470, and then the keeper has its fill.
    [action] = scene.cycle(470).run(pytest.fail)
    assert isinstance(action.duty, Liquidate)
    assert (scene.names[action.duty.account], action.duty.contracts) == ("drowning", 5 * WAD)
    assert scene.account(keeper, scene.state()).positions[0].size == 5 * WAD
    warnings: list[str] = []
    assert list(scene.cycle(470).run(warnings.append)) == []
    assert [text.split(" in SINK-USD ")[1] for text in warnings] == [
        "has no room left within --liquidate-up-to and its margin"
    ]
    # Until the price falls on, and the pool takes over whom nobody liquidated.
    scene.venue.set_price(scene.market, Decimal("91"))
    actions = list(scene.cycle(455).run(warnings.append))
    assert scene.told(actions) == [("takeOver", "sinking"), ("takeOver", "leaking")]


def test_a_dry_run_sends_nothing(scene: Scene) -> None:
    scene.fund_keeper(5_000)
    scene.venue.set_price(scene.market, Decimal("92.3"))
    before = scene.state()
    actions = list(scene.cycle(10**6, send=False).run(pytest.fail))
    assert scene.told(actions) == [("liquidate", "sinking"), ("liquidate", "leaking"), ("takeOver", "drowning")]
    assert [(action.receipt, action.refusal) for action in actions] == [(None, None)] * 3
    assert all(action.gas for action in actions)
    assert scene.state().block == before.block


def test_without_an_account_of_its_own_the_keeper_liquidates_nothing(scene: Scene) -> None:
    scene.venue.set_price(scene.market, Decimal("94"))
    warnings: list[str] = []
    assert list(scene.cycle(10**6).run(warnings.append)) == []
    assert warnings == [
        "3 accounts are due, this keeper can carry none of them: its account in SINK-USD has no collateral"
    ]
    sender = Sender(scene.venue.endpoint, scene.keeper, chain.chain_id)
    scene.fund_keeper(5_000)
    assert list(Cycle(scene.venue.endpoint, scene.venue.deployment, sender, send=True).run(pytest.fail)) == []


def test_a_liquidation_that_another_did_first_is_refused_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.fund_keeper(5_000)
    other = scene.venue.trader("scene other")
    scene.venue.deposit(other, scene.market, 5_000)
    scene.venue.set_price(scene.market, Decimal("94"))
    send, accounts = Sender.send, {name: bytes.fromhex(account[2:]) for account, name in scene.names.items()}

    def beaten(self: Sender, to: str, data: bytes, **options: Any) -> Any:
        monkeypatch.setattr(Sender, "send", send)
        carrier = isolated_account(other.address, scene.market.id)
        sooner = LIQUIDATE.encode(accounts["drowning"], scene.market.id, carrier, WAD * 10)
        scene.venue.send(other, scene.venue.system.exchange, sooner)
        return send(self, to, data, **options)

    monkeypatch.setattr(Sender, "send", beaten)
    actions = list(scene.cycle(10**6).run(pytest.fail))
    assert scene.told(actions) == [("liquidate", name) for name in ("drowning", "sinking", "leaking")]
    assert actions[0].refusal is not None
    assert actions[0].refusal.startswith("LiquidationNotDue(0x" + accounts["drowning"].hex())
    assert all(action.receipt for action in actions[1:])


def at_simulations(monkeypatch: pytest.MonkeyPatch, *events: Callable[[], Any]) -> None:
    """Lets something happen just before each of the keeper's first simulations."""
    simulate, left = Sender.simulate, list(events)

    def eventful(self: Sender, to: str, data: bytes) -> int:
        if left:
            left.pop(0)()
        return simulate(self, to, data)

    monkeypatch.setattr(Sender, "simulate", eventful)


def test_whose_takeover_was_refused_can_still_be_liquidated(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 91 all are to be taken over, at 94 all are to be liquidated."""
    scene.fund_keeper(5_000)
    scene.venue.set_price(scene.market, Decimal("91"))
    at_simulations(monkeypatch, lambda: scene.venue.set_price(scene.market, Decimal("94")))
    actions = list(scene.cycle(10**6).run(pytest.fail))
    names = ("drowning", "sinking", "leaking")
    assert scene.told(actions) == [(duty, name) for duty in ("takeOver", "liquidate") for name in names]
    assert [one.receipt is None for one in actions] == [True] * 3 + [False] * 3


def test_an_account_that_sinks_on_is_liquidated_again_in_the_same_cycle(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first liquidation the price falls to 88, where the other two are bankrupt."""
    scene.venue.contribute(scene.rich, scene.market, 10_000)
    scene.fund_keeper(5_000)
    scene.venue.set_price(scene.market, Decimal("94"))
    at_simulations(monkeypatch, lambda: None, lambda: scene.venue.set_price(scene.market, Decimal("88")))
    actions = list(scene.cycle(10**6).run(pytest.fail))
    assert scene.told(actions) == [
        ("liquidate", "drowning"),
        ("liquidate", "sinking"),
        ("takeOver", "sinking"),
        ("takeOver", "leaking"),
        ("liquidate", "drowning"),
    ]
    assert [one.receipt is None for one in actions] == [False, True, False, False, False]


def test_nothing_is_liquidated_while_a_transaction_of_the_key_is_under_way(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.fund_keeper(5_000)
    scene.venue.set_price(scene.market, Decimal("94"))
    monkeypatch.setattr(Sender, "has_pending", lambda self, besides: True)
    assert list(scene.cycle(10**6).run(pytest.fail)) == []
