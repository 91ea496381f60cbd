"""`settleBatch`: many pairs in one call, of which a bad one does not sink the others."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from backstop.orders import Order
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, imagine, now, refused
from tests.support.desk import Account, Cross, Desk, open_shared
from tests.support.hostile_tokens import calling_back
from tests.support.proofs import nothing_changes

TEN = wad(10)
HUNDRED = wad(100)
ORDER_TYPE = "(bytes32,uint16,int256,uint256,uint64,uint64,uint256,bool)"
PAIR_TYPE = f"({ORDER_TYPE},bytes,{ORDER_TYPE},bytes,uint256)"
Pair = tuple[Any, bytes, Any, bytes, int]


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each."""
    desk = Desk(venue, market)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    return desk


def pair(desk: Desk, contracts: int = TEN, *, maker: Any = None, taker: Any = None, **changes: Any) -> Pair:
    """Dove takes from hawk at 100; the maker's order is changed as given."""
    maker, taker = maker or desk.trader("hawk"), taker or desk.trader("dove")
    made, taken = desk.order(maker, -contracts, HUNDRED, **changes), desk.order(taker, contracts, HUNDRED)
    return meet(desk, made, maker, taken, taker, abs(contracts))


def meet(desk: Desk, made: Order, maker: Any, taken: Order, taker: Any, size: int) -> Pair:
    """Two orders, signed."""
    return made.values(), desk.signed(made, maker), taken.values(), desk.signed(taken, taker), size


def settle(desk: Desk, *pairs: Pair, by: str = "matcher") -> Done:
    return act(desk.trader(by), desk.exchange.settleBatch, list(pairs))


def reverted(error: Any, **values: Any) -> bytes:
    """The data that a contract reverts with."""
    fields = error.abi.inputs
    body = encode([field.canonical_type for field in fields], [values[field.name] for field in fields])
    return keccak(text=error.abi.selector)[:4] + body


def left_out(desk: Desk, done: Done) -> list[tuple[int, bytes]]:
    """Index and reason of each pair that was."""
    return [(event["index"], event["reason"]) for event in emitted(done, desk.exchange.PairRefused)]


# ---------------------------------------------------------------------- what it does


def test_all_are_settled(desk: Desk) -> None:
    done = settle(desk, pair(desk), pair(desk, -wad(4)), pair(desk, wad(1)))
    assert [event["size"] for event in emitted(done, desk.exchange.Settled)] == [TEN, -wad(4), wad(1)]
    assert left_out(desk, done) == []
    assert desk.holding(desk.trader("dove")).size == wad(7)
    assert desk.open_interest() == wad(7)


def test_it_is_the_same_as_one_by_one(desk: Desk) -> None:
    """To the wei, fees and funding included."""
    desk.set_parameters(maker_fee=wad("0.0002"), taker_fee=wad("0.0005"), funding_cap=wad("0.001"))
    sizes = (TEN, -wad(4), 7, -wad(12))
    settle(desk, *(pair(desk, size) for size in sizes))
    batched = desk.holding(desk.trader("hawk")), desk.holding(desk.trader("dove")), tuple(desk.funding())
    other = open_shared(desk.venue, "TWIN-USD")[0]
    other.set_parameters(maker_fee=wad("0.0002"), taker_fee=wad("0.0005"), funding_cap=wad("0.001"))
    hawk, dove = other.trader("hawk"), other.trader("dove")
    for who in (hawk, dove):
        other.deposit(who, 1000)
    for size in sizes:
        other.trade(hawk, dove, size, HUNDRED)
    assert (other.holding(hawk), other.holding(dove)) == batched[:2]
    assert tuple(other.funding())[2:] == batched[2][2:]


def test_it_returns_how_many_were_settled(desk: Desk) -> None:
    bad = pair(desk, expiry=now() - 1)
    for pairs, count in (([], 0), ([bad], 0), ([pair(desk), bad], 1), ([pair(desk), pair(desk), bad], 2)):
        assert int(imagine(desk.trader("matcher"), desk.exchange.settleBatch, pairs), 16) == count


def test_nothing_is_settled_of_nothing(desk: Desk) -> None:
    with nothing_changes(desk.venue):
        assert settle(desk).logs == ()


def test_pairs_of_several_markets_and_kinds_of_accounts(desk: Desk) -> None:
    a, b = open_shared(desk.venue, "A-USD", "B-USD")
    swan: Cross = a.cross("swan")
    a.deposit(swan, 300)
    for each in (a, b):
        each.deposit(each.trader("hawk"), 1000)
    settle(desk, pair(desk), pair(a, taker=swan), pair(b, taker=swan))
    assert a.holding(swan) == b.holding(swan) == Account(TEN, wad(1000), wad(300))
    assert desk.holding(desk.trader("dove")).size == TEN


# ---------------------------------------------------------------------- a bad pair


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_pair_does_not_sink_the_others(desk: Desk, place: int) -> None:
    expiry = now() - 1
    made = desk.order(desk.trader("hawk"), -TEN, HUNDRED, expiry=expiry)
    taken = desk.order(desk.trader("dove"), TEN, HUNDRED)
    pairs = [pair(desk, wad(1)), pair(desk, wad(2))]
    pairs.insert(place, meet(desk, made, desk.trader("hawk"), taken, desk.trader("dove"), TEN))
    done = settle(desk, *pairs)
    assert [event["size"] for event in emitted(done, desk.exchange.Settled)] == [wad(1), wad(2)]
    assert left_out(desk, done) == [(place, reverted(desk.exchange.OrderExpired, order=desk.hash(made), expiry=expiry))]
    assert desk.holding(desk.trader("dove")) == Account(wad(3), wad(300), wad(1000))
    assert desk.exchange.filled(desk.hash(made)) == desk.exchange.filled(desk.hash(taken)) == 0


def test_a_pair_that_fails_late_is_undone_whole(desk: Desk) -> None:
    """The maker's half was done, fee, fill and premium booked, when the taker had too little margin."""
    desk.set_parameters(maker_fee=wad("0.0002"), taker_fee=wad("0.0005"), funding_cap=wad("0.001"))
    poor = desk.trader("poor")
    desk.deposit(poor, 10)
    hawk = desk.trader("hawk")
    made, taken = desk.order(hawk, -TEN, wad("100.1")), desk.order(poor, TEN, wad("100.1"))
    with nothing_changes(desk.venue):
        done = settle(desk, meet(desk, made, hawk, taken, poor, TEN))
    short = {"account": desk.account(poor), "equity": wad(10) - wad(1) - wad("0.5005"), "required": wad(100)}
    assert left_out(desk, done) == [(0, reverted(desk.exchange.InitialMarginInsufficient, **short))]
    assert desk.exchange.filled(desk.hash(made)) == 0


def test_an_order_is_not_filled_twice(desk: Desk) -> None:
    once = pair(desk)
    done = settle(desk, once, once)
    assert len(emitted(done, desk.exchange.Settled)) == 1
    ((index, reason),) = left_out(desk, done)
    assert (index, reason[:4]) == (1, keccak(text=desk.exchange.OrderFilled.abi.selector)[:4])


def test_one_order_against_many(desk: Desk) -> None:
    """6 and 4 fill an order of 10; a wei more does not go."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    made = desk.order(hawk, -TEN, HUNDRED)

    def part(size: int) -> Pair:
        return meet(desk, made, hawk, desk.order(dove, size, HUNDRED), dove, size)

    done = settle(desk, part(wad(6)), part(wad(4) + 1), part(wad(4)))
    over = {"order": desk.hash(made), "requested": wad(4) + 1, "remaining": wad(4)}
    assert left_out(desk, done) == [(1, reverted(desk.exchange.OrderOverfilled, **over))]
    assert desk.exchange.filled(desk.hash(made)) == TEN


def test_a_dead_feed_leaves_out_its_market_only(desk: Desk) -> None:
    (other,) = open_shared(desk.venue, "A-USD")
    for name in ("hawk", "dove"):
        other.deposit(other.trader(name), 1000)
    desk.venue.endpoint.request("anvil_setCode", other.market.feed.address, "0x")
    done = settle(desk, pair(other), pair(desk))
    assert left_out(desk, done) == [(0, keccak(text="FailedCall()")[:4])]
    assert desk.holding(desk.trader("dove")).size == TEN
    assert other.holding(other.trader("dove")).size == 0


def test_a_panic_leaves_out_its_pair_only(desk: Desk) -> None:
    """What so many contracts are worth has no number."""
    hawk, dove, most = desk.trader("hawk"), desk.trader("dove"), 2**200
    made, taken = desk.order(hawk, -most, HUNDRED), desk.order(dove, most, HUNDRED)
    done = settle(desk, meet(desk, made, hawk, taken, dove, most), pair(desk))
    panic = keccak(text="Panic(uint256)")[:4] + encode(["uint256"], [0x11])
    assert left_out(desk, done) == [(0, panic)]
    assert desk.holding(dove).size == TEN


def test_later_pairs_stand_on_earlier_ones(desk: Desk) -> None:
    """A reduce-only order counts on a position that the same batch opens."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    made = desk.order(hawk, TEN, HUNDRED, reduce_only=True)
    taken = desk.order(dove, -TEN, HUNDRED)
    closing = meet(desk, made, hawk, taken, dove, TEN)
    done = settle(desk, closing, pair(desk), closing)
    refusal = {"account": desk.account(hawk), "position": 0, "change": TEN}
    assert left_out(desk, done) == [(0, reverted(desk.exchange.OrderNotReducing, **refusal))]
    assert desk.holding(dove) == Account(0, 0, wad(1000))


# ---------------------------------------------------------------------- only within, and only once


def test_one_pair_is_settled_only_within_a_batch(desk: Desk) -> None:
    for who in (desk.trader("hawk"), desk.trader("stranger"), desk.venue.owner):
        with nothing_changes(desk.venue), refused(desk.exchange.OnlyWithinBatch, caller=who.address):
            act(who, desk.exchange.settleOne, pair(desk))


@pytest.mark.parametrize("signature", [f"settleBatch({PAIR_TYPE}[])", "accrue(uint16)", "sweep(uint16)"])
def test_a_hostile_token_does_not_come_back(desk: Desk, signature: str) -> None:
    """It is called under the lock of a deposit, and calls back with arguments of zero."""
    hawk = desk.trader("hawk")
    with refused(desk.exchange.ReentrancyGuardReentrantCall):
        imagine(
            hawk,
            desk.exchange.deposit,
            desk.market.id << 64,
            tokens(1),
            code={desk.token: calling_back(signature)},
        )


def test_a_wallet_that_calls_back_gets_its_pair_left_out(desk: Desk) -> None:
    """Asked for its signature it tries to take part in another batch; the others go on."""
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    desk.deposit(wallet, 1000)
    code = calling_back(f"settleBatch({PAIR_TYPE}[])")
    desk.venue.endpoint.request("anvil_setCode", wallet.address, "0x" + code.hex())
    hawk = desk.trader("hawk")
    made, taken = desk.order(hawk, -TEN, HUNDRED), desk.order(wallet, TEN, HUNDRED)
    bad = (made.values(), desk.signed(made, hawk), taken.values(), b"", TEN)
    done = settle(desk, bad, pair(desk))
    refusal = {"account": desk.account(wallet), "order": desk.hash(taken)}
    assert left_out(desk, done) == [(0, reverted(desk.exchange.OrderSignatureInvalid, **refusal))]
    assert desk.holding(wallet) == Account(0, 0, wad(1000))
    assert desk.holding(desk.trader("dove")).size == TEN


@pytest.mark.parametrize("place", [0, 4, 8])
def test_a_wallet_that_burns_its_gas_spends_its_pairs_share(desk: Desk, place: int) -> None:
    """It does so only where gas has a price, so that no simulation sees it."""
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    desk.deposit(wallet, 1000)
    # A loop where GASPRICE is not zero, else the magic value.
    desk.venue.endpoint.request("anvil_setCode", wallet.address, "0x3a601357631626ba7e60e01b5f5260205ff3005b601356")
    hawk, matcher = desk.trader("hawk"), desk.trader("matcher")
    made, taken = desk.order(hawk, -wad(1), HUNDRED), desk.order(wallet, wad(1), HUNDRED)
    batch = [pair(desk, wad(1)) for _ in range(8)]
    batch.insert(place, (made.values(), desk.signed(made, hawk), taken.values(), b"", wad(1)))
    settle(desk, pair(desk))
    alone = desk.trade(hawk, desk.trader("dove"), wad(1), HUNDRED).gas_used
    assert int(imagine(matcher, desk.exchange.settleBatch, batch), 16) == 9
    # As `backstop order settle` sends it.
    done = act(matcher, desk.exchange.settleBatch, batch, gas=9 * alone * 5 // 4)
    assert [index for index, _ in left_out(desk, done)] == [place]
    assert len(emitted(done, desk.exchange.Settled)) == 8


def test_a_pair_in_a_batch_costs_little_more_than_alone(desk: Desk) -> None:
    settle(desk, pair(desk))
    alone = desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(1), HUNDRED).gas_used
    ten = settle(desk, *(pair(desk, wad(1)) for _ in range(10))).gas_used
    assert ten < 10 * alone
