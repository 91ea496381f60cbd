"""A token that calls back: whatever it calls while tokens move, on whichever contract, no claim is made of nothing."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.account_id import isolated_sub_id
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import RefusedError, act, in_words, rpc
from tests.support.desk import ANY_BOUNDS, Desk, open_desk
from tests.support.enums import Side
from tests.support.hooked_token import hook, outcome
from tests.support.proofs import assert_proofs

ORDER = (bytes(32), 1, 1, 1, 1, 0, 0, False)
PAIR = (ORDER, b"", ORDER, b"", 1)
LOCKED = "ReentrancyGuardReentrantCall()"
FIVE = tokens(5)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """ADL is due, dove may be liquidated, midas taken over; the treasury has fees, the token an account and tokens."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(12_000)
    desk.set_parameters(taker_fee=wad("0.01"))
    desk.deposit(desk.trader("saver"), 1000)
    desk.deposit(desk.trader("dove"), 2980)
    desk.deposit(desk.trader("whale"), 100_000)
    for name, margin in (("icarus", 10_000), ("midas", 200)):
        desk.open(name, wad(margin // 20), wad(100), margin)
    desk.open("dove", wad(100), wad(100), 1)
    desk.price(70)
    desk.take_over(desk.trader("icarus"))
    desk.price("71.5")
    act(venue.owner, desk.exchange.setTreasury, desk.trader("treasury").address)
    act(desk.trader("keeper"), desk.exchange.sweep, desk.market.id)
    rpc("anvil_setBalance", desk.token.address, hex(10**20))
    desk.fill_purse(desk.token, 1000)
    act(desk.token, desk.exchange.deposit, isolated_sub_id(desk.market.id), tokens(100))
    desk.bond(desk.token)
    for each in (desk.token, desk.trader("saver")):
        act(each, desk.token.approve, desk.book.address, 2**256 - 1)
    return desk


def outer(desk: Desk, name: str) -> None:
    """What moves tokens."""
    saver, treasury = desk.trader("saver"), desk.trader("treasury")
    if name == "deposit":
        act(saver, desk.exchange.deposit, isolated_sub_id(desk.market.id), FIVE)
    elif name == "withdraw":
        act(saver, desk.exchange.withdraw, desk.account(saver), FIVE, saver.address)
    elif name == "contribute":
        act(saver, desk.fund.contribute, desk.market.pool, 0, FIVE)
    elif name == "postBond":
        act(saver, desk.book.postBond, FIVE)
    else:
        act(treasury, desk.exchange.collect, 1)


def inner(desk: Desk) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Every function that anybody may call, each so that alone it would be accepted; the token is who calls."""
    own = desk.account(desk.token)
    candidates = [desk.account(desk.trader("whale"))]
    exchange, fund, market = desk.exchange, desk.fund, desk.market.id
    return {
        "deposit": (exchange.deposit, (isolated_sub_id(market), FIVE)),
        "withdraw": (exchange.withdraw, (own, FIVE, desk.token.address)),
        "transfer": (exchange.transfer, (own, desk.account(desk.token, 1), FIVE)),
        "settle": (exchange.settle, PAIR),
        "settleBatch": (exchange.settleBatch, ([PAIR],)),
        "cancelAll": (exchange.cancelAll, ()),
        "liquidate": (exchange.liquidate, (desk.account(desk.trader("dove")), market, own, wad(1))),
        "takeOver": (exchange.takeOver, (desk.account(desk.trader("midas")),)),
        "buyInventory": (exchange.buyInventory, (own, market, Side.LONG, wad(1), 2**255)),
        "flag": (exchange.flag, (desk.account(desk.trader("dove")),)),
        "accrue": (exchange.accrue, (market,)),
        "sweep": (exchange.sweep, (market,)),
        "settleClosed": (exchange.settleClosed, (market, [])),
        "contribute": (fund.contribute, (desk.market.pool, 0, FIVE)),
        "checkpoint": (fund.checkpoint, (market,)),
        "repay": (fund.repay, (desk.market.pool, 1)),
        "redistribute": (fund.redistribute, ()),
        "deleverage": (desk.engine.deleverage, (market, Side.LONG, candidates, ANY_BOUNDS)),
        "accept": (desk.price_feed.accept, (market,)),
        "postBond": (desk.book.postBond, (FIVE,)),
        "requestBond": (desk.book.requestBond, (FIVE,)),
        "releaseBond": (desk.book.releaseBond, (desk.token.address, [0])),
    }


# What no lock concerns, and what only the fund's does. Tokens that move meanwhile make the outer call come out wrong.
FREE = {"cancelAll", "accept"}
OF_THE_FUND = {"contribute", "checkpoint", "repay", "redistribute"}
OF_THE_BOOK = {"postBond", "requestBond", "releaseBond"}
# There is no order to settle, no market that has ended, no deficit, no group and no pool at its end: without a lock
# these are refused for that.
NOT_DUE = {"settle", "settleBatch", "settleClosed", "repay", "redistribute"}
SHORT = {
    ("deposit", "contribute"): "DepositShort(5000000, 10000000)",
    ("contribute", "deposit"): "ContributionShort(5000000, 10000000)",
    ("contribute", "withdraw"): "ContributionShort(5000000, 0)",
}
CALLED = (
    "deposit",
    "withdraw",
    "transfer",
    "settle",
    "settleBatch",
    "cancelAll",
    "liquidate",
    "takeOver",
    "buyInventory",
    "flag",
    "accrue",
    "sweep",
    "settleClosed",
    "contribute",
    "checkpoint",
    "repay",
    "redistribute",
    "deleverage",
    "accept",
    "postBond",
    "requestBond",
    "releaseBond",
)


@pytest.mark.parametrize("called", CALLED)
@pytest.mark.parametrize("moves", ["deposit", "withdraw", "contribute", "collect", "postBond"])
def test_a_token_that_calls_back_makes_nothing_of_nothing(desk: Desk, moves: str, called: str) -> None:
    """Under the lock that is held it is refused; elsewhere it is a call like any, and tokens held are the claims."""
    desk.fill_purse(desk.trader("saver"), 5)
    method, arguments = inner(desk)[called]
    hook(desk.token, method.contract, bytes(method.encode_input(*arguments)))
    if (moves, called) in SHORT:
        with pytest.raises(RefusedError) as refusal:
            outer(desk, moves)
        assert str(refusal.value) == SHORT[moves, called]
        assert_proofs(desk.venue)
        return
    outer(desk, moves)
    assert_proofs(desk.venue)
    found = outcome(desk.token)
    assert found is not None
    accepted, returned = found
    held = {
        "contribute": OF_THE_FUND,
        "postBond": OF_THE_BOOK,
    }.get(moves, set(CALLED) - FREE - OF_THE_FUND - OF_THE_BOOK)
    if called in held:
        assert (accepted, in_words(returned)) == (False, LOCKED)
    elif called not in NOT_DUE:
        assert accepted, in_words(returned)


@pytest.mark.parametrize("called", [each for each in CALLED if each not in NOT_DUE])
def test_each_of_those_calls_would_be_accepted_alone(desk: Desk, called: str) -> None:
    """So it is the lock that refuses it, and nothing else."""
    method, arguments = inner(desk)[called]
    act(desk.token, method, *arguments)


def test_every_function_that_anybody_may_call_is_tried(desk: Desk) -> None:
    """`cancel` and the two steps of ownership ask who calls; the other contracts' functions are for each other."""
    assert tuple(inner(desk)) == CALLED
    open_to_all = {
        method.name
        for contract in (desk.exchange, desk.fund, desk.engine, desk.price_feed, desk.book)
        for method in contract.contract_type.mutable_methods
    }
    owners = {name for name in open_to_all if name.startswith(("set", "list", "create", "wire", "assign", "move"))} - {
        "settle",
        "settleBatch",
        "settleClosed",
    }
    restricted = {"applyDeleverage", "inherit", "creditFee", "sell", "close", "collect", "cancel"}
    restricted |= {"applyStress", "payOut", "creditDust", "absorb", "stake", "unstake", "renewShares"}
    restricted |= {"open", "rewardKeeper", "pause", "endPause", "closeMarket", "fix", "net"}
    # What these need first, no call of a token comes between: test_bonds.py and test_challenge.py.
    restricted |= {"withdrawBond", "claim", "challenge", "payPool"}
    ownership = {"transferOwnership", "acceptOwnership", "renounceOwnership"}
    assert open_to_all - owners - restricted - ownership - {"acceptOrLast"} == set(CALLED)
