"""The pool takes over an account: `Exchange.takeOver`, due at `E <= backstopRatio * MM`."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from backstop.account_id import isolated_account
from scripts.stage.venue import wad
from tests.support.acting import act, emitted, imagine, now, refused, wait_until
from tests.support.desk import FLAT, Account, Cross, Desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes

TEN = wad(10)


def open_position(desk: Desk, name: str, contracts: int, price: int, margin: int, *, wei: int = 0) -> Any:
    """Signed whole contracts from the whale; the last of them is `wei` dearer to the trader."""
    trader, whale = desk.trader(name), desk.trader("whale")
    desk.deposit(trader, margin)
    desk.deposit(whale, 10_000)
    side = 1 if contracts > 0 else -1
    desk.trade(whale, trader, wad(contracts - side), price)
    desk.trade(whale, trader, wad(side), price + side * wei)
    return trader


# The threshold is half of the MM of 5 %: 23 at 92, 27 at 108, which is the equity after an entry at this price.
EDGES = pytest.mark.parametrize(
    ("contracts", "entry", "mark", "threshold", "maintenance"),
    [(10, "99.7", 92, 23, 46), (-10, "100.7", 108, 27, 54)],
    ids=["long", "short"],
)


@EDGES
@pytest.mark.parametrize("wei", [0, 1], ids=["at the threshold", "a wei below"])
def test_due(desk: Desk, contracts: int, entry: str, mark: int, threshold: int, maintenance: int, wei: int) -> None:
    icarus = open_position(desk, "icarus", contracts, wad(entry), 100, wei=wei)
    desk.price(mark)
    assert desk.equity(icarus) == wad(threshold) - wei
    desk.take_over(icarus)
    assert desk.holding(icarus) == FLAT


@EDGES
def test_not_due_a_wei_above(
    desk: Desk, contracts: int, entry: str, mark: int, threshold: int, maintenance: int
) -> None:
    icarus = open_position(desk, "icarus", contracts, wad(entry), 100, wei=-1)
    desk.price(mark)
    with (
        nothing_changes(desk.venue),
        refused(
            desk.exchange.TakeoverNotDue,
            account=desk.account(icarus),
            equity=wad(threshold) + 1,
            maintenanceMargin=wad(maintenance),
        ),
    ):
        desk.take_over(icarus)


@pytest.mark.parametrize(("paid", "equity"), [(89, 3), (90, 2)])
def test_the_threshold_is_not_rounded(desk: Desk, paid: int, equity: int) -> None:
    """One wei more of contracts makes MM 46 and 5 wei, half of it 23 and 2.5 wei: 2 wei are below, 3 above."""
    icarus = open_position(desk, "icarus", 10, wad("99.7"), 100)
    desk.trade(desk.trader("whale"), icarus, 1, wad(paid))
    desk.price(92)
    assert desk.equity(icarus) == wad(23) + equity
    if equity == 2:
        desk.take_over(icarus)
        return
    with refused(
        desk.exchange.TakeoverNotDue,
        account=desk.account(icarus),
        equity=wad(23) + equity,
        maintenanceMargin=wad(46) + 5,
    ):
        desk.take_over(icarus)


@pytest.mark.parametrize(
    ("mark", "equity"), [(97, 70), ("92.30769231", "23.0769231")], ids=["healthy", "only to be liquidated"]
)
def test_not_due(desk: Desk, mark: int | str, equity: int | str) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(mark)
    maintenance = wad(mark) // 2
    with refused(
        desk.exchange.TakeoverNotDue,
        account=desk.account(icarus),
        equity=wad(equity),
        maintenanceMargin=maintenance,
    ):
        desk.take_over(icarus)


# ---------------------------------------------------------------------- what passes


@pytest.mark.parametrize(
    ("contracts", "mark", "equity", "bankruptcy"),
    [
        (10, 92, 20, 900),  # solvent: the pool gains what is left
        (10, 90, 0, 900),
        (10, 85, -50, 900),  # bankrupt: the pool is 50 short
        (-10, 108, 20, -1100),
        (-10, 110, 0, -1100),
        (-10, 130, -200, -1100),
    ],
)
def test_the_whole_account_passes_at_its_bankruptcy_price(
    desk: Desk, contracts: int, mark: int, equity: int, bankruptcy: int
) -> None:
    """Opened at 100 with a margin of 100: the entry of the inventory is what the account owed, minus its cash."""
    side = Side.LONG if contracts > 0 else Side.SHORT
    icarus = open_position(desk, "icarus", contracts, wad(100), 100)
    desk.contribute(1000)
    desk.price(mark)
    pool = desk.fund.pool(desk.market.pool)
    cash = desk.holding(icarus).cash
    interest = desk.open_interest()

    done = desk.take_over(icarus)

    assert desk.holding(icarus) == FLAT
    assert desk.equity(icarus) == 0
    assert desk.inventory(side) == (wad(contracts), wad(bankruptcy)) == (wad(contracts), -cash)
    assert desk.fund.pool(desk.market.pool) == pool
    assert desk.open_interest() == interest
    assert emitted(done, desk.exchange.TakenOver) == [
        {
            "account": desk.account(icarus),
            "market": desk.market.id,
            "size": wad(contracts),
            "bankruptcyNotional": wad(bankruptcy),
            "equity": wad(equity),
            "mark": wad(mark),
        }
    ]
    assert emitted(done, desk.fund.Inherited) == [
        {
            "pool": desk.market.pool,
            "market": desk.market.id,
            "size": wad(contracts),
            "bankruptcyNotional": wad(bankruptcy),
        }
    ]


def test_an_entry_with_wei_passes_exactly(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 7, wad("99.999999999999999999"), 71, wei=5)
    desk.deposit(icarus, "0.000001")
    desk.price(80)
    cash = desk.holding(icarus).cash
    desk.take_over(icarus)
    assert cash == wad("71.000001") - 7 * wad("99.999999999999999999") - 5
    assert desk.inventory(Side.LONG) == (wad(7), -cash)


def test_realised_losses_belong_to_the_bankruptcy_price(desk: Desk) -> None:
    """Half was closed at a loss before: what remains owes that too."""
    icarus = open_position(desk, "icarus", 10, wad(100), 150)
    desk.trade(desk.trader("whale"), icarus, -wad(5), wad(95))
    desk.price(70)
    assert desk.holding(icarus) == Account(wad(5), wad(500), wad(125))
    desk.take_over(icarus)
    assert desk.inventory(Side.LONG) == (wad(5), wad(375))


def test_the_result_before_and_after_is_sampled(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.contribute(1000)
    desk.price(85)
    done = desk.take_over(icarus)
    assert emitted(done, desk.fund.Checkpointed) == [
        {"market": desk.market.id, "pnl": 0, "balance": wad(1000), "drawdown": 0},
        {"market": desk.market.id, "pnl": wad(-50), "balance": wad(950), "drawdown": wad("0.05")},
    ]


def test_an_empty_pool_takes_over_too(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(50)
    desk.take_over(icarus)
    assert desk.backing().balance == wad(-400)


def test_two_positions_of_a_side_are_one_inventory(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    phaethon = open_position(desk, "phaethon", 5, wad(98), 60)
    desk.price(80)
    for trader in (icarus, phaethon):
        desk.take_over(trader)
    assert desk.inventory(Side.LONG) == (wad(15), wad(900 + 430))
    assert desk.inventory(Side.SHORT) == (0, 0)


def test_long_and_short_inventories_are_kept_apart(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    midas = open_position(desk, "midas", -4, wad(100), 40)
    desk.price(85)
    desk.take_over(icarus)
    desk.price(120)
    desk.take_over(midas)
    assert desk.inventory(Side.LONG) == (wad(10), wad(900))
    assert desk.inventory(Side.SHORT) == (wad(-4), wad(-440))


def test_the_owner_starts_again(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    desk.take_over(icarus)
    desk.deposit(icarus, 50)
    desk.trade(desk.trader("whale"), icarus, wad(-1), wad(85))
    assert desk.holding(icarus) == Account(wad(-1), wad(-85), wad(50))
    assert desk.inventory(Side.LONG) == (TEN, wad(900))


# ---------------------------------------------------------------------- who and when


def test_anybody_may(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    desk.take_over(icarus, by=desk.trader("stranger"))
    assert desk.holding(icarus) == FLAT


def test_once(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    desk.take_over(icarus)
    with refused(desk.exchange.PositionMissing, account=desk.account(icarus)):
        desk.take_over(icarus)


def test_a_flat_account_has_nothing_to_take(desk: Desk) -> None:
    saver, nobody = desk.trader("saver"), desk.trader("nobody")
    desk.deposit(saver, 10)
    for flat in (saver, nobody):
        with nothing_changes(desk.venue), refused(desk.exchange.PositionMissing, account=desk.account(flat)):
            desk.take_over(flat)


def test_accounts_that_can_not_be(desk: Desk) -> None:
    keeper = desk.trader("keeper")
    unlisted = desk.exchange.marketCount() + 1
    malformed, cross = (1).to_bytes(32, "big"), Cross(keeper).id
    for account, refusal in (
        (isolated_account(keeper.address, unlisted), refused(desk.exchange.MarketUnlisted, market=unlisted)),
        (malformed, refused(desk.exchange.AccountMalformed, account=malformed)),
        (cross, refused(desk.exchange.PositionMissing, account=cross)),
    ):
        with refusal:
            act(keeper, desk.exchange.takeOver, account)


def test_a_deposit_in_front_saves_the_account(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(92)
    desk.deposit(icarus, "3.000001")
    with refused(
        desk.exchange.TakeoverNotDue,
        account=desk.account(icarus),
        equity=wad("23.000001"),
        maintenanceMargin=wad(46),
    ):
        desk.take_over(icarus)


def test_no_other_act_of_the_owner_stops_it(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(90)
    act(icarus, desk.exchange.cancelAll)
    desk.deposit(icarus, "0.000001")
    desk.take_over(icarus)
    assert desk.holding(icarus) == FLAT


def test_a_price_that_nobody_had_accepted_dies_with_its_feed(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    account = desk.account(icarus)
    wait_until(now() + 3601)
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.TakeoverNotDue, account=account, equity=wad(100), maintenanceMargin=wad(50)),
    ):
        desk.take_over(icarus)


def test_a_dead_feed_leaves_the_last_accepted_price(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    act(desk.trader("stranger"), desk.price_feed.accept, desk.market.id)
    done = desk.take_over(icarus, at=desk.priced_at() + 3601)
    (taken,) = emitted(done, desk.exchange.TakenOver)
    assert (taken["mark"], taken["equity"], taken["bankruptcyNotional"]) == (wad(85), wad(-50), wad(900))
    assert desk.inventory(Side.LONG) == (TEN, wad(900))


def test_last_second_of_a_price(desk: Desk) -> None:
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    desk.take_over(icarus, at=now() + 3600)
    assert desk.holding(icarus) == FLAT


def test_the_ratio_moves_the_threshold(desk: Desk) -> None:
    """At 92 E is 20 and MM 46: due at 0.5, not at 0.4, and to the wei at 20/46."""
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(92)
    edge = 20 * 10**18 // 46
    for ratio in (wad("0.4"), edge):
        act(desk.venue.owner, desk.exchange.setBackstopRatio, ratio)
        with refused(
            desk.exchange.TakeoverNotDue,
            account=desk.account(icarus),
            equity=wad(20),
            maintenanceMargin=wad(46),
        ):
            desk.take_over(icarus)
    act(desk.venue.owner, desk.exchange.setBackstopRatio, edge + 1)
    desk.take_over(icarus)
    assert desk.holding(icarus) == FLAT


def test_a_frozen_token_stops_nothing(desk: Desk) -> None:
    """Internal credit only: no token moves, so a paused token or a blocklisted owner makes nobody immune."""
    icarus = open_position(desk, "icarus", 10, wad(100), 100)
    desk.price(85)
    call = desk.exchange.takeOver
    imagine(desk.trader("keeper"), call, desk.account(icarus), code={desk.token: bytes.fromhex("fe")})


def test_a_hostile_wallet_is_not_asked(desk: Desk) -> None:
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    whale = desk.trader("whale")
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    desk.deposit(wallet, 100)
    desk.deposit(whale, 10_000)
    made, taken = desk.order(whale, -TEN, wad(100)), desk.order(wallet, TEN, wad(100))
    signatures = desk.signed(made, whale), desk.signed(taken, desk.trader("warden"))
    desk.settle(made, taken, TEN, signatures, by=whale)
    desk.venue.endpoint.request("anvil_setCode", wallet.address, "0xfe")
    desk.price(85)
    desk.take_over(wallet)
    assert desk.holding(wallet) == FLAT


def test_nobody_is_better_off_by_their_own_takeover(desk: Desk) -> None:
    """Long and short of one hand: the 20 that were left of the long are the pool's."""
    icarus, shadow = desk.trader("icarus"), desk.trader("shadow")
    desk.deposit(icarus, 100)
    desk.deposit(shadow, 1000)
    desk.trade(shadow, icarus, TEN, wad(100))
    desk.price(92)
    desk.take_over(icarus)
    assert desk.equity(icarus) + desk.equity(shadow) == wad(100 + 1000 - 20)
