"""What keepers stake: posted, set aside for rounds, freed when these close, taken out; and what they earn."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, later, now, refused, rpc, wait_until
from tests.support.desk import ANY_BOUNDS, Desk, open_desk
from tests.support.enums import Exemption
from tests.support.hostile_tokens import answering
from tests.support.omissions import LONG, challenge, names, omission, open_queue, parameters, rounded
from tests.support.proofs import nothing_changes

DELAY = 3600 + 3600  # the window, and an hour
BOND = wad(240)  # twice the compensation of eight contracts at 15


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The book of the challenges, at 75: the pool is due 15 a contract for eight."""
    desk = open_queue(venue)
    desk.price(75)
    return desk


def post(desk: Desk, who: Any, amount: int) -> None:
    act(who, desk.token.mint, who.address, tokens(amount))
    act(who, desk.token.approve, desk.book.address, tokens(amount))
    act(who, desk.book.postBond, tokens(amount))


def deleverage(desk: Desk, who: Any, given: str, at: int | None = None) -> Any:
    candidates = [desk.account(each) for each in names(desk, given)]
    return act(who, desk.engine.deleverage, desk.market.id, LONG, candidates, ANY_BOUNDS, at=at)


def held(desk: Desk, who: Any) -> tuple[int, int, int, int]:
    """Amount, reserved, leaving, available."""
    bond = desk.book.bond(who.address)
    return bond.amount, bond.reserved, bond.leaving, desk.book.availableBond(who.address)


def test_without_a_bond_no_round(desk: Desk) -> None:
    nobody = desk.trader("nobody")
    with (
        nothing_changes(desk.venue),
        refused(desk.book.BondInsufficient, keeper=nobody.address, available=0, required=BOND),
    ):
        deleverage(desk, nobody, "ant bee")
    post(desk, nobody, 239)
    with refused(desk.book.BondInsufficient, keeper=nobody.address, available=wad(239), required=BOND):
        deleverage(desk, nobody, "ant bee")
    post(desk, nobody, 1)
    deleverage(desk, nobody, "ant bee")
    assert held(desk, nobody) == (BOND, BOND, 0, 0)


def test_each_open_round_is_covered_by_itself_and_freed_when_it_closes(desk: Desk) -> None:
    """The second is due half of the compensation."""
    keeper = desk.trader("nobody")
    post(desk, keeper, 300)
    deleverage(desk, keeper, "ant")
    with refused(desk.book.BondInsufficient, keeper=keeper.address, available=wad(60), required=wad(120)):
        deleverage(desk, keeper, "bee")
    post(desk, keeper, 60)
    until = desk.book.roundRecord(desk.engine.roundCount()).time + 3600
    wait_until(until)
    assert held(desk, keeper) == (wad(360), BOND, 0, wad(120))
    wait_until(until + 1)
    assert held(desk, keeper) == (wad(360), BOND, 0, wad(360))
    desk.price(75)
    deleverage(desk, keeper, "bee")
    assert held(desk, keeper) == (wad(360), wad(120), 0, wad(240))
    assert list(desk.book.roundsOf(keeper.address, 0, 9)) == [desk.engine.roundCount() - 1, desk.engine.roundCount()]


def test_a_round_needs_at_least_the_penalty_and_at_most_the_cap(desk: Desk) -> None:
    keeper = desk.trader("nobody")
    post(desk, keeper, 1000)
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, bondCap=wad(150)))
    deleverage(desk, keeper, "ant")
    assert held(desk, keeper)[1] == wad(150)
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, minPenalty=wad(150)))
    deleverage(desk, keeper, "bee")
    assert held(desk, keeper)[1] == wad(300)


def test_it_is_taken_out_after_the_delay(desk: Desk) -> None:
    keeper = desk.trader("nobody")
    post(desk, keeper, 300)
    done = act(keeper, desk.book.requestBond, tokens(100))
    ripe = done.timestamp + DELAY
    assert emitted(done, desk.book.BondRequested) == [
        {"keeper": keeper.address.lower(), "amount": wad(100), "ripeAt": ripe}
    ]
    # What is asked for covers nothing any more.
    with refused(desk.book.BondInsufficient, keeper=keeper.address, available=wad(200), required=BOND):
        deleverage(desk, keeper, "ant")
    with refused(desk.book.BondUnripe, keeper=keeper.address, ripeAt=ripe):
        act(keeper, desk.book.withdrawBond, keeper.address, at=ripe - 1)
    act(keeper, desk.book.withdrawBond, keeper.address, at=ripe)
    assert desk.token.balanceOf(keeper.address) == tokens(100)
    assert held(desk, keeper) == (wad(200), 0, 0, wad(200))
    with refused(desk.book.NothingToWithdraw, keeper=keeper.address):
        act(keeper, desk.book.withdrawBond, keeper.address)


def test_what_covers_rounds_stays(desk: Desk) -> None:
    """Asked for before, and ripe while a round is open: only the rest can be had."""
    keeper = desk.trader("nobody")
    post(desk, keeper, 300)
    act(keeper, desk.book.requestBond, tokens(60))
    later(DELAY)
    desk.price(75)
    deleverage(desk, keeper, "cat")
    act(keeper, desk.book.requestBond, tokens(300))
    with refused(desk.book.BondUnripe, keeper=keeper.address, ripeAt=now() + DELAY):
        act(keeper, desk.book.withdrawBond, keeper.address)
    number = desk.engine.roundCount()
    challenge(desk, number, desk.trader("ant"))
    wait_until(now() + DELAY)
    act(keeper, desk.book.withdrawBond, keeper.address)
    assert desk.token.balanceOf(keeper.address) == tokens(300) - 2 * tokens(60)


def test_a_request_is_called_off_and_bounded(desk: Desk) -> None:
    keeper = desk.trader("nobody")
    post(desk, keeper, 300)
    with refused(desk.book.BondExceeded, keeper=keeper.address, amount=wad(301), posted=wad(300)):
        act(keeper, desk.book.requestBond, tokens(301))
    act(keeper, desk.book.requestBond, tokens(300))
    act(keeper, desk.book.requestBond, 0)
    assert held(desk, keeper) == (wad(300), 0, 0, wad(300))
    with refused(desk.book.NothingToWithdraw, keeper=keeper.address):
        act(keeper, desk.book.withdrawBond, keeper.address)


def test_a_bond_that_a_round_holds_whole_stays_whole(desk: Desk) -> None:
    """The window of that round is longer than that of later ones, by which a request is ripe."""
    keeper = desk.trader("nobody")
    post(desk, keeper, 240)
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, window=7 * 86400))
    done = deleverage(desk, keeper, "cat")
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, window=600))
    act(keeper, desk.book.requestBond, tokens(240))
    wait_until(now() + 600 + 3600)
    with nothing_changes(desk.venue), refused(desk.book.NothingToWithdraw, keeper=keeper.address):
        act(keeper, desk.book.withdrawBond, keeper.address)
    assert held(desk, keeper) == (BOND, BOND, BOND, 0)
    act(keeper, desk.book.withdrawBond, keeper.address, at=done.timestamp + 7 * 86400 + 1)
    assert desk.token.balanceOf(keeper.address) == tokens(240)


def test_the_most_that_can_be_posted(desk: Desk) -> None:
    """To the unit, in one part or in two."""
    keeper = desk.trader("nobody")
    most = desk.book.MAX_BOND()
    units = most // 10**12
    act(keeper, desk.token.mint, keeper.address, units + 1)
    act(keeper, desk.token.approve, desk.book.address, units + 1)
    beyond = {"amount": most + 10**12, "most": most}
    with nothing_changes(desk.venue), refused(desk.book.BondTooLarge, **beyond):
        act(keeper, desk.book.postBond, units + 1)
    act(keeper, desk.book.postBond, units)
    with nothing_changes(desk.venue), refused(desk.book.BondTooLarge, **beyond):
        act(keeper, desk.book.postBond, 1)
    assert held(desk, keeper) == (most, 0, 0, most)


def test_a_token_that_brings_less_than_it_says(desk: Desk) -> None:
    """It answers everything with 1: the transfer went well, and the balance is as it was."""
    keeper, honest = desk.trader("nobody"), rpc("eth_getCode", desk.token.address, "latest")
    rpc("anvil_setCode", desk.token.address, "0x" + answering(1).hex())
    with refused(desk.book.TransferShort, amount=tokens(5), received=0):
        act(keeper, desk.book.postBond, tokens(5))
    rpc("anvil_setCode", desk.token.address, honest)
    assert held(desk, keeper) == (0, 0, 0, 0)


def test_tokens_held_are_bonds_and_claims(desk: Desk) -> None:
    before = desk.token.balanceOf(desk.book.address)
    keeper = desk.trader("nobody")
    post(desk, keeper, 300)
    deleverage(desk, keeper, "bee cat")
    challenge(desk, desk.engine.roundCount(), desk.trader("ant"))
    bond = desk.book.bond(keeper.address).amount
    claims = sum(desk.book.claimable(each.address) for each in names(desk, "hunter cat"))
    claims += desk.book.owedToPools(desk.market.id)
    assert (desk.token.balanceOf(desk.book.address) - before) * 10**12 == bond + claims


def test_thirty_two_rounds_in_a_window(desk: Desk) -> None:
    """Each is covered, each can be challenged, and all are freed."""
    keeper = desk.trader("nobody")
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, minPenalty=wad(1), bondCap=wad(10)))
    post(desk, keeper, 320)
    swarm = [desk.trader(f"gnat {i}") for i in range(33)]
    desk.price(100)
    desk.deposit(desk.trader("whale"), 10_000)
    for each in swarm:
        desk.deposit(each, 4)
        desk.trade(desk.trader("whale"), each, -wad("0.2"), wad(100))
    later(600)
    desk.price(75)
    first = desk.engine.roundCount() + 1
    for each in swarm[:32]:
        act(keeper, desk.engine.deleverage, desk.market.id, LONG, [desk.account(each)], ANY_BOUNDS)
    assert held(desk, keeper) == (wad(320), wad(320), 0, 0)
    # All the gnats have the same return, so none is an omission of another's round; ant ranks above them all.
    for number in range(first, first + 32):
        assert omission(desk, number, swarm[32])[0] == Exemption.RANKED_BELOW
        challenge(desk, number, desk.trader("ant"))
        # Twice what a fifth of a contract was spared at 15.
        assert desk.book.roundRecord(number).bond == wad(4)
    assert held(desk, keeper) == (wad(128), wad(128), 0, 0)
    later(3601)
    act(keeper, desk.book.releaseBond, keeper.address, list(range(32)))
    assert held(desk, keeper) == (wad(128), 0, 0, wad(128))


# ---------------------------------------------------------------------- prices on record


def test_rounds_at_the_same_prices_share_their_record(desk: Desk) -> None:
    desk.trade(desk.trader("whale"), desk.trader("bee"), wad(2), wad(75))
    first = rounded(desk, "ant")
    second = rounded(desk, "bee")
    desk.price(74)
    third = rounded(desk, "cat")
    records = [desk.book.roundRecord(each).prices for each in (first, second, third)]
    assert records == [first, first, third]
    assert desk.book.pricesOf(first, desk.market.id) == (wad(75), 0, wad("0.05"))
    assert desk.book.pricesOf(third, desk.market.id)[0] == wad(74)


# ---------------------------------------------------------------------- bounds of a keeper


def test_marks_outside_the_bounds(desk: Desk) -> None:
    for marks in ((wad(75) + 1, wad(80)), (wad(70), wad(75) - 1)):
        bounds = {"lowest": marks[0], "highest": marks[1]}
        with refused(desk.engine.MarkOutsideBounds, market=desk.market.id, mark=wad(75), **bounds):
            rounded(desk, "ant", marks=[(desk.market.id, *marks)])
    rounded(desk, "ant", marks=[(desk.market.id, wad(75), wad(75))])


def test_the_mark_of_another_market_outside_the_bounds(desk: Desk) -> None:
    """Its feed may be dead: then the last accepted one counts."""
    other = open_desk(desk.venue, "BTC-USD", 800)
    other.price(790)
    act(desk.trader("anyone"), desk.price_feed.accept, other.market.id)
    act(desk.venue.owner, other.market.feed.setAnswer, 0)
    own = (desk.market.id, wad(70), wad(80))
    for marks in ((wad(790) + 1, wad(800)), (wad(780), wad(790) - 1)):
        bounds = {"lowest": marks[0], "highest": marks[1]}
        with refused(desk.engine.MarkOutsideBounds, market=other.market.id, mark=wad(790), **bounds):
            rounded(desk, "ant", marks=[own, (other.market.id, *marks)])
    rounded(desk, "ant", marks=[(other.market.id, wad(790), wad(790)), own])


def test_nobody_below_the_lowest_return_is_closed(desk: Desk) -> None:
    """However many of those on the list have gone, whoever was left off is no omission."""
    account = desk.account(desk.trader("cat"))
    (cat,) = desk.engine.ranking(desk.market.id, LONG, [account])
    desk.deposit(desk.trader("ant"), 5000)
    number = rounded(desk, "ant bee", lowest=cat.leveragedReturn)
    assert desk.holding(desk.trader("ant")).size == -wad(4)
    assert desk.holding(desk.trader("bee")).size == 0
    assert desk.book.roundRecord(number).cutoffAccount == desk.account(desk.trader("bee"))
    for each in ("cat", "dog"):
        assert desk.book.omission(number, desk.account(desk.trader(each))).reason != 0
    with refused(desk.engine.NothingDeleveraged, candidates=1):
        rounded(desk, "ant", lowest=cat.leveragedReturn)


def test_with_a_lowest_return_no_insolvent_account_is_closed(desk: Desk) -> None:
    frail = desk.trader("frail")
    desk.deposit(frail, 31)
    desk.trade(desk.trader("whale"), frail, -wad(4), wad(75))
    later(600)
    desk.price(75)
    number = rounded(desk, "ant frail", lowest=0)
    assert not desk.book.roundRecord(number).secondPass
    assert desk.holding(frail).size == -wad(4)


# ---------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 599},
        {"window": 7 * 86400 + 1},
        {"exemptAge": 11},
        {"exemptAge": 601},
        {"tolerance": wad("0.001") - 1},
        {"tolerance": wad("0.5") + 1},
        {"returnFloor": wad(1) + 1},
        {"minPenalty": 0},
        {"minPenalty": wad(100_000) + 1},
        {"bondCap": wad(1_000_000) + 1},
    ],
)
def test_bounds_of_the_round_parameters(desk: Desk, changes: dict[str, int]) -> None:
    before, beyond = parameters(desk), parameters(desk, **changes)
    with refused(desk.book.RoundParametersOutOfBounds, parameters=beyond):
        act(desk.venue.owner, desk.book.setRoundParameters, beyond)
    assert parameters(desk) == before


@pytest.mark.parametrize("beyond", [(wad(1000) + 1, 0, 0), (0, wad("0.01") + 1, 0), (0, 0, wad("0.5") + 1)])
def test_bounds_of_the_reward_parameters(desk: Desk, beyond: tuple[int, ...]) -> None:
    with refused(desk.book.RewardParametersOutOfBounds, parameters=beyond):
        act(desk.venue.owner, desk.book.setRewardParameters, beyond)


def test_only_the_owner_sets_and_only_the_engine_opens(desk: Desk) -> None:
    nobody = desk.trader("nobody")
    for method, values in (
        (desk.book.setRoundParameters, parameters(desk)),
        (desk.book.setRewardParameters, (0, 0, 0)),
    ):
        with refused(desk.book.OwnableUnauthorizedAccount, account=nobody.address):
            act(nobody, method, values)
    record = (nobody.address, 0, 1, 0, False, 0, b"\0" * 32, 0, 0, 0, 0, 0)
    with refused(desk.book.CallerNotEngine, caller=nobody.address):
        act(nobody, desk.book.open, 1, record, [1], 1, 1)
    with refused(desk.exchange.CallerNotEngine, caller=nobody.address):
        act(nobody, desk.exchange.rewardKeeper, nobody.address, 1, 1, 1)


# ---------------------------------------------------------------------- reward


def rewarding(desk: Desk, *, budget: int, maker: str = "0.0002", taker: str = "0.0005") -> None:
    """A budget, from fees of which all is the keepers'."""
    desk.set_parameters(maker_fee=wad("0.01"), taker_fee=wad("0.01"), pool_fee_share=0, treasury_fee_share=0)
    jay, kite = desk.trader("jay"), desk.trader("kite")
    for each in (jay, kite):
        desk.deposit(each, 1_000_000)
    if budget:
        contracts = wad(budget) * 10**18 // (2 * wad("0.01") * 75)
        desk.trade(jay, kite, contracts, wad(75))
    act(desk.venue.owner, desk.exchange.sweep, desk.market.id)
    desk.set_parameters(maker_fee=wad(maker), taker_fee=wad(taker))


def paid(desk: Desk, done: Any) -> int:
    return sum(each["amount"] for each in emitted(done, desk.exchange.KeeperRewarded))


def test_flat_and_by_notional(desk: Desk) -> None:
    """0.1 and a tenth of a permille of 600: below 5 % of 120 and below the fees of 600."""
    rewarding(desk, budget=10)
    act(desk.venue.owner, desk.book.setRewardParameters, (wad("0.1"), wad("0.0001"), wad("0.05")))
    before = desk.exchange.reserves()[2]
    keeper = desk.trader("keeper")
    done = desk.deleverage(LONG, names(desk, "ant bee"))
    assert paid(desk, done) == wad("0.16")
    assert desk.exchange.reserves()[2] == before - wad("0.16")
    cross = desk.cross("keeper")
    assert desk.exchange.crossAccount(cross.id).margin == wad("0.16")
    act(keeper, desk.exchange.withdraw, cross.id, tokens("0.16"), keeper.address)


@pytest.mark.parametrize(
    ("parameters_", "fees", "budget", "expected"),
    [
        ((wad(5), wad("0.0001"), wad("0.0025")), ("0.0002", "0.0005"), 10, "0.3"),  # of what the round was worth
        ((wad(5), wad("0.0001"), wad("0.05")), ("0.0002", "0.0005"), 10, "0.42"),  # of what 600 bring in fees
        ((wad(5), wad("0.0001"), wad("0.05")), ("0", "0"), 10, "0"),
        ((wad(5), wad("0.0001"), wad("0.05")), ("0.0002", "0.0005"), 0, "0"),
        ((0, 0, wad("0.05")), ("0.0002", "0.0005"), 10, "0"),
    ],
)
def test_capped(desk: Desk, parameters_: tuple[int, ...], fees: tuple[str, str], budget: int, expected: str) -> None:
    """An empty budget stops nothing."""
    rewarding(desk, budget=budget, maker=fees[0], taker=fees[1])
    act(desk.venue.owner, desk.book.setRewardParameters, parameters_)
    assert paid(desk, desk.deleverage(LONG, names(desk, "ant bee"))) == wad(expected)


def test_rounds_of_dust_earn_dust(desk: Desk) -> None:
    """A hundredth of a contract brings the pool 0.15 and its keeper 5 % of that at most."""
    rewarding(desk, budget=10, maker="0.01", taker="0.01")
    gnat = desk.trader("gnat")
    desk.set_parameters(maker_fee=0, taker_fee=0)
    desk.deposit(gnat, 1)
    desk.trade(desk.trader("whale"), gnat, -wad("0.01"), wad(75))
    desk.set_parameters(maker_fee=wad("0.01"), taker_fee=wad("0.01"))
    later(600)
    desk.price(75)
    assert paid(desk, desk.deleverage(LONG, [gnat])) == wad("0.0075")
