"""Two signed orders against each other: `Exchange.settle`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from ape import project

from backstop.account_id import isolated_account
from backstop.orders import Domain, Order, sign
from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, later, now, refused, wait_until
from tests.support.desk import FLAT, Account, Cross, Desk, open_desk
from tests.support.proofs import nothing_changes

TEN = wad(10)
HUNDRED = wad(100)
HIGHEST = 2**96 - 1
SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    desk = Desk(venue, market)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    return desk


@pytest.fixture(scope="module")
def other(venue: Venue) -> Desk:
    """Another market."""
    return open_desk(venue, "BTC-USD", 100)


class Bout:
    """A maker's and a taker's order that would settle as they are, and what a test changes about them."""

    def __init__(self, desk: Desk, maker: str = "hawk", taker: str = "dove", size: int = TEN) -> None:
        """The taker takes signed `size` at 100."""
        self.desk = desk
        self.maker, self.taker = desk.trader(maker), desk.trader(taker)
        self.size = abs(size)
        self.made = desk.order(self.maker, -size, HUNDRED)
        self.taken = desk.order(self.taker, size, HUNDRED)

    def order(self, role: str) -> Order:
        return self.made if role == "maker" else self.taken

    def owner(self, role: str) -> Any:
        return self.maker if role == "maker" else self.taker

    def change(self, role: str, **changes: Any) -> Order:
        """Changes an order before it is signed."""
        changed = replace(self.order(role), **changes)
        if role == "maker":
            self.made = changed
        else:
            self.taken = changed
        return changed

    def hash(self, role: str) -> bytes:
        return self.desk.hash(self.order(role))

    def settle(self, size: int | None = None, *, by: Any = None, at: int | None = None, **signatures: bytes) -> Done:
        """Settles with good signatures, but for those given by role."""
        signed = [
            signatures.get(role) if role in signatures else self.desk.signed(self.order(role), self.owner(role))
            for role in ("maker", "taker")
        ]
        size = self.size if size is None else size
        return self.desk.settle(self.made, self.taken, size, tuple(signed), by=by or self.taker, at=at)


ROLES = pytest.mark.parametrize("role", ["maker", "taker"])


# ---------------------------------------------------------------------- what a trade moves


def test_both_accounts_take_the_same_amount(desk: Desk) -> None:
    bout = Bout(desk)
    done = bout.settle()
    assert desk.holding(bout.maker) == Account(size=-TEN, entry=wad(-1000), margin=wad(1000))
    assert desk.holding(bout.taker) == Account(size=TEN, entry=wad(1000), margin=wad(1000))
    assert emitted(done, desk.exchange.Settled) == [
        {
            "market": desk.market.id,
            "maker": desk.account(bout.maker),
            "taker": desk.account(bout.taker),
            "size": TEN,
            "value": wad(1000),
            "price": HUNDRED,
            "makerFee": 0,
            "takerFee": 0,
            "makerOrder": bout.hash("maker"),
            "takerOrder": bout.hash("taker"),
        }
    ]


def test_a_selling_taker(desk: Desk) -> None:
    bout = Bout(desk, size=-TEN)
    (event,) = emitted(bout.settle(), desk.exchange.Settled)
    assert (event["size"], event["value"]) == (-TEN, wad(-1000))
    assert desk.holding(bout.maker) == Account(size=TEN, entry=wad(1000), margin=wad(1000))
    assert desk.holding(bout.taker) == Account(size=-TEN, entry=wad(-1000), margin=wad(1000))


def test_anybody_settles(desk: Desk) -> None:
    bout = Bout(desk)
    bout.settle(by=desk.trader("matcher"))
    assert desk.holding(bout.taker).size == TEN


@pytest.mark.parametrize(("size", "limit"), [(TEN, "101.5"), (-TEN, "98.5")], ids=["buying taker", "selling taker"])
def test_the_makers_price_holds(desk: Desk, size: int, limit: str) -> None:
    bout = Bout(desk, size=size)
    bout.change("taker", limit_price=wad(limit))
    (event,) = emitted(bout.settle(), desk.exchange.Settled)
    assert (event["price"], event["value"]) == (HUNDRED, size * 100)


@pytest.mark.parametrize(
    ("size", "price", "value"),
    [
        (1, wad("0.5"), 1),
        (-1, wad("0.5"), 0),
        (3, HUNDRED + 1, 301),
        (-3, HUNDRED + 1, -300),
        (TEN + 1, HUNDRED + 1, wad(1000) + 111),
        (-TEN - 1, HUNDRED + 1, wad(-1000) - 110),
    ],
)
def test_the_quote_amount_is_rounded_up_for_the_taker(desk: Desk, size: int, price: int, value: int) -> None:
    """What the taker's cash loses the maker's gains, to the wei."""
    bout = Bout(desk, size=size)
    bout.change("maker", limit_price=price)
    bout.change("taker", limit_price=price)
    before = desk.holding(bout.maker), desk.holding(bout.taker)
    (event,) = emitted(bout.settle(), desk.exchange.Settled)
    assert event["value"] == value
    assert desk.holding(bout.maker).cash == before[0].cash + value
    assert desk.holding(bout.taker).cash == before[1].cash - value


# Positions opened by dove from hawk as (size, price) fills, and what the last fill leaves of entry and margin.
@pytest.mark.parametrize(
    ("fills", "size", "entry", "margin"),
    [
        ([(10, "100"), (5, "110")], 15, wad(1550), wad(1000)),
        ([(10, "100"), (-4, "110")], 6, wad(600), wad(1040)),
        ([(10, "100"), (-10, "90.5")], 0, 0, wad(905)),
        ([(10, "100"), (-15, "110")], -5, wad(-550), wad(1100)),
        ([(-10, "100"), (-5, "90")], -15, wad(-1450), wad(1000)),
        ([(-10, "100"), (4, "110")], -6, wad(-600), wad(960)),
        ([(-10, "100"), (10, "90.5")], 0, 0, wad(1095)),
        ([(-10, "100"), (15, "90")], 5, wad(450), wad(1100)),
        # An entry that does not divide: the part that closes is rounded up.
        ([(3, "33.333333333333333333"), (-1, "40")], 2, 66666666666666666666, wad("1006.666666666666666667")),
        ([(3, "33.333333333333333334"), (-2, "40")], 1, 33333333333333333334, wad("1013.333333333333333332")),
        ([(-7, "10"), (3, "11")], -4, wad(-40), wad(997)),
    ],
    ids=[
        "long grows", "long reduces", "long closes", "long flips",
        "short grows", "short reduces", "short closes", "short flips",
        "a third closes", "two thirds close", "three sevenths close",
    ],
)  # fmt: skip
def test_how_a_fill_changes_a_position(
    desk: Desk, fills: list[tuple[int, str]], size: int, entry: int, margin: int
) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    for contracts, price in fills:
        desk.price(price[:11])  # near enough for the initial margin
        desk.trade(hawk, dove, wad(contracts), wad(price))
    assert desk.holding(dove) == Account(wad(size), entry, margin)


@pytest.mark.parametrize(
    ("size", "entry", "closed", "left"),
    [(3, 100, 1, 66), (3, 101, 1, 67), (3, 101, 2, 33), (-3, -100, 1, -67), (-3, -101, 2, -34), (7, 50, 3, 28)],
)
def test_the_closed_part_of_an_entry_is_rounded_up(desk: Desk, size: int, entry: int, closed: int, left: int) -> None:
    """A few wei of a position, whose entry is a few wei too: `entry - ceil(entry * closed / size)`."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    sign_of = 1 if size > 0 else -1
    # One wei of size at a price of n*W is worth exactly n wei.
    desk.trade(hawk, dove, sign_of, wad(abs(entry) - abs(size) + 1))
    desk.trade(hawk, dove, size - sign_of, wad(1))
    assert desk.holding(dove) == Account(size, entry, wad(1000))
    desk.trade(hawk, dove, -sign_of * closed, wad(20))
    assert desk.holding(dove).entry == left
    assert desk.holding(dove).cash == wad(1000) - entry + sign_of * closed * 20


@pytest.mark.parametrize(("size", "change", "entry"), [(3, -10, -17), (-3, 10, 18)], ids=["to short", "to long"])
def test_the_entry_after_a_flip_is_rounded_up(desk: Desk, size: int, change: int, entry: int) -> None:
    """10 wei at 2.5, of which 7 remain: `ceil(value * 7 / 10)` of a value of 25 or -25."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.trade(hawk, dove, size, wad(2))
    cash = desk.holding(dove).cash
    desk.trade(hawk, dove, change, wad("2.5"))
    held = desk.holding(dove)
    assert (held.size, held.entry) == (size + change, entry)
    assert held.cash == cash - (25 if change > 0 else -25)


def test_open_interest_is_the_sum_of_the_longs(desk: Desk) -> None:
    hawk, dove, swan = (desk.trader(name) for name in ("hawk", "dove", "swan"))
    desk.deposit(swan, 1000)
    steps = [
        (hawk, dove, 10, 10),  # dove opens a long
        (dove, swan, 4, 10),  # which passes to swan in part
        (swan, hawk, 3, 7),  # swan and hawk close
        (hawk, dove, -8, 2),  # dove flips to short, hawk to long
        (hawk, dove, 2, 1),  # dove closes, hawk flips back
    ]
    for maker, taker, size, expected in steps:
        desk.trade(maker, taker, wad(size), HUNDRED)
        assert desk.open_interest() == wad(expected)
        for side in (0, 1):
            assert desk.exchange.accountsOpenInterest(desk.market.id, side) == wad(expected)


def test_two_accounts_of_one_owner_trade(desk: Desk) -> None:
    hawk = desk.trader("hawk")
    desk.deposit(hawk, 1000, index=1)
    bout = Bout(desk, taker="hawk")
    bout.change("taker", account=desk.account(hawk, 1))
    bout.settle()
    assert (desk.holding(hawk, 0).size, desk.holding(hawk, 1).size) == (-TEN, TEN)


def test_an_account_without_a_deposit_is_listed_when_it_trades(desk: Desk) -> None:
    """A price far enough from mark meets its initial margin; the lens must show it all the same."""
    hawk, squatter = desk.trader("hawk"), desk.trader("squatter")
    listed = desk.exchange.accountCount(desk.market.id)
    desk.trade(hawk, squatter, wad(1), wad(1))
    assert desk.holding(squatter) == Account(wad(1), wad(1), 0)
    assert desk.exchange.accountCount(desk.market.id) == listed + 1
    assert desk.exchange.accountAt(desk.market.id, listed) == desk.account(squatter)
    desk.deposit(squatter, 1)
    assert desk.exchange.accountCount(desk.market.id) == listed + 1


def test_risk_time_is_that_of_the_last_fill_that_raised_risk(desk: Desk) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    raised = 0
    for size, raises in ((10, True), (5, True), (-3, False), (-20, True), (4, False), (4, False)):
        later()
        done = desk.trade(hawk, dove, wad(size), HUNDRED)
        raised = done.timestamp if raises else raised
        for who in (hawk, dove):
            assert desk.exchange.position(desk.account(who), desk.market.id).riskTime == raised
    assert desk.holding(dove).size == 0


# ---------------------------------------------------------------------- signatures


@ROLES
@pytest.mark.parametrize(
    "signature", [b"", b"\x01" * 64, b"\x01" * 65, b"\x00" * 65, b"\x01" * 66], ids=["none", "64", "65", "zero", "66"]
)
def test_no_signature_at_all(desk: Desk, role: str, signature: bytes) -> None:
    bout = Bout(desk)
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)),
    ):
        bout.settle(**{role: signature})


@ROLES
def test_signed_by_somebody_else(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    forged = desk.signed(bout.order(role), desk.trader("forger"))
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)):
        bout.settle(**{role: forged})


@ROLES
@pytest.mark.parametrize(
    "change",
    [{"size": 11}, {"limit_price": 1}, {"expiry": 1}, {"salt": 1}, {"reduce_only": True}],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_signed(desk: Desk, role: str, change: dict[str, int]) -> None:
    """An order that was changed after it had been signed; `account`, `market` and `epoch` meet other errors first."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.trade(hawk, dove, -wad(50), HUNDRED)  # so that reduce-only would do
    bout = Bout(desk)
    signature = desk.signed(bout.order(role), bout.owner(role))
    ((name, by),) = change.items()
    present = getattr(bout.order(role), name)
    step = by if present >= 0 else -by
    bout.change(role, **{name: by if name == "reduce_only" else present + step})
    if (role, name) == ("maker", "limit_price"):
        bout.change("taker", limit_price=HUNDRED + 1)
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)):
        bout.settle(**{role: signature})


@ROLES
def test_a_signature_is_for_one_exchange_on_one_chain(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    here = desk.venue.domain
    elsewhere = [replace(here, chain_id=here.chain_id + 1), Domain(here.chain_id, desk.fund.address)]
    for domain in elsewhere:
        with refused(
            desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)
        ):
            bout.settle(**{role: sign(bout.order(role), domain, bout.owner(role))})


@ROLES
def test_the_other_signature_of_the_same_key_is_refused(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    signature = desk.signed(bout.order(role), bout.owner(role))
    s = SECP256K1 - int.from_bytes(signature[32:64], "big")
    mirrored = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)):
        bout.settle(**{role: mirrored})


def test_the_digest_is_the_one_that_python_signs(desk: Desk) -> None:
    order = desk.order(desk.trader("hawk"), -TEN, HUNDRED, epoch=3, reduce_only=True)
    assert desk.exchange.orderHash(order.values()) == desk.hash(order)


# ---------------------------------------------------------------------- contract wallets


@pytest.fixture
def vault(desk: Desk) -> Any:
    """A contract wallet with 1,000 in its account, for which the warden signs."""
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    desk.deposit(wallet, 1000)
    return wallet


@ROLES
def test_a_contract_wallet_trades(desk: Desk, vault: Any, role: str) -> None:
    bout = Bout(desk)
    bout.change(role, account=desk.account(vault))
    signature = desk.signed(bout.order(role), desk.trader("warden"))
    bout.settle(**{role: signature})
    assert desk.holding(vault).size == (-TEN if role == "maker" else TEN)


def test_a_contract_wallet_refuses_what_its_key_did_not_sign(desk: Desk, vault: Any) -> None:
    bout = Bout(desk)
    bout.change("taker", account=desk.account(vault))
    for signature in (desk.signed(bout.taken, bout.taker), b"", b"\x01" * 65):
        with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(vault), order=bout.hash("taker")):
            bout.settle(taker=signature)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("fe", id="breaks"),
        pytest.param("60006000fd", id="reverts"),
        pytest.param("", id="is gone"),
        pytest.param("00", id="says nothing"),
        pytest.param("600160005260206000f3", id="says 1"),
        pytest.param("631626ba7e60005260206000f3", id="says the right word on the wrong side"),
        pytest.param("631626ba7e60e01b60005260046000f3", id="says too little"),
    ],
)
def test_a_contract_that_gives_another_answer(desk: Desk, vault: Any, code: str) -> None:
    bout = Bout(desk)
    bout.change("taker", account=desk.account(vault))
    signature = desk.signed(bout.taken, desk.trader("warden"))
    desk.venue.endpoint.request("anvil_setCode", vault.address, "0x" + code)
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(vault), order=bout.hash("taker")):
        bout.settle(taker=signature)


# ---------------------------------------------------------------------- when, how often, how much


@ROLES
def test_expiry(desk: Desk, role: str) -> None:
    last = now() + 100
    bout = Bout(desk)
    bout.change(role, expiry=last)
    with refused(desk.exchange.OrderExpired, order=bout.hash(role), expiry=last):
        bout.settle(TEN // 2, at=last + 1)


@ROLES
def test_last_second_before_expiry(desk: Desk, role: str) -> None:
    last = now() + 100
    bout = Bout(desk)
    bout.change(role, expiry=last)
    assert bout.settle(at=last).timestamp == last


def test_replay(desk: Desk) -> None:
    bout = Bout(desk)
    bout.settle()
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.OrderFilled, order=bout.hash("maker"), filled=TEN, size=TEN),
    ):
        bout.settle()


def test_a_filled_taker(desk: Desk) -> None:
    bout = Bout(desk)
    bout.settle()
    bout.change("maker", salt=10**6)
    with refused(desk.exchange.OrderFilled, order=bout.hash("taker"), filled=TEN, size=TEN):
        bout.settle(1)


@ROLES
def test_overfilled_by_one_wei(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    other_role = "taker" if role == "maker" else "maker"
    bout.change(other_role, size=2 * bout.order(other_role).size)
    with refused(desk.exchange.OrderOverfilled, order=bout.hash(role), requested=TEN + 1, remaining=TEN):
        bout.settle(TEN + 1)


def test_partial_fills_add_up_to_the_order(desk: Desk) -> None:
    bout = Bout(desk)
    for size, filled in ((1, 1), (wad(4), wad(4) + 1), (wad(5), wad(9) + 1)):
        bout.settle(size)
        for role in ("maker", "taker"):
            assert desk.exchange.filled(bout.hash(role)) == filled
    remaining = wad(1) - 1
    with refused(desk.exchange.OrderOverfilled, order=bout.hash("maker"), requested=remaining + 1, remaining=remaining):
        bout.settle(remaining + 1)
    bout.settle(remaining)
    assert desk.holding(bout.taker) == Account(TEN, wad(1000), wad(1000))
    with refused(desk.exchange.OrderFilled, order=bout.hash("maker"), filled=TEN, size=TEN):
        bout.settle(1)


def test_one_order_meets_many(desk: Desk) -> None:
    swan = desk.trader("swan")
    desk.deposit(swan, 1000)
    bout = Bout(desk)
    small = desk.order(swan, wad(3), HUNDRED)
    signatures = desk.signed(bout.made, bout.maker), desk.signed(small, swan)
    desk.settle(bout.made, small, wad(3), signatures, by=swan)
    with refused(desk.exchange.OrderOverfilled, order=bout.hash("maker"), requested=TEN, remaining=wad(7)):
        bout.settle()
    bout.settle(wad(7))
    assert [desk.holding(who).size for who in (bout.maker, swan, bout.taker)] == [-TEN, wad(3), wad(7)]


def test_a_refused_fill_does_not_count(desk: Desk) -> None:
    bout = Bout(desk, size=wad(101))
    desk.deposit(bout.taker, 100)
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(bout.maker),
        equity=wad(1000),
        required=wad(1010),
    ):
        bout.settle()
    assert desk.exchange.filled(bout.hash("maker")) == desk.exchange.filled(bout.hash("taker")) == 0


# ---------------------------------------------------------------------- orders that do not fit


@ROLES
def test_account_of_another_market(desk: Desk, other: Desk, role: str) -> None:
    bout = Bout(desk)
    account = other.account(bout.owner(role))
    bout.change(role, account=account)
    with refused(desk.exchange.AccountOfOtherMarket, account=account, market=desk.market.id):
        bout.settle()


@ROLES
def test_account_of_an_unlisted_market(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    unlisted = desk.exchange.marketCount() + 1
    bout.change(role, account=isolated_account(bout.owner(role).address, unlisted))
    with refused(desk.exchange.MarketUnlisted, market=unlisted):
        bout.settle()


@pytest.mark.parametrize("market_id", [0, 999])
def test_orders_for_an_unlisted_market(desk: Desk, market_id: int) -> None:
    bout = Bout(desk)
    for role in ("maker", "taker"):
        bout.change(role, market=market_id)
    with refused(desk.exchange.MarketUnlisted, market=market_id):
        bout.settle()


@ROLES
@pytest.mark.parametrize("sub_id", [0, 1 << 80 | 1 << 64, 1 << 95 | 1 << 64], ids=["none", "reserved", "cross"])
def test_malformed_account(desk: Desk, role: str, sub_id: int) -> None:
    bout = Bout(desk)
    account = (int(bout.owner(role).address, 16) << 96 | sub_id).to_bytes(32, "big")
    bout.change(role, account=account)
    with refused(desk.exchange.AccountMalformed, account=account):
        bout.settle()


@ROLES
def test_cross_account_in_a_market_whose_pool_stands_behind_it_alone(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    cross = Cross(bout.owner(role))
    bout.change(role, account=cross.id)
    desk.deposit(cross, 1000)
    with nothing_changes(desk.venue), refused(desk.exchange.MarketIsolatedOnly, market=desk.market.id):
        bout.settle()


def test_markets_differ(desk: Desk, other: Desk) -> None:
    bout = Bout(desk)
    bout.taken = other.order(bout.taker, TEN, HUNDRED)
    with refused(desk.exchange.OrderMarketMismatch, maker=desk.market.id, taker=other.market.id):
        bout.settle()


def test_with_itself(desk: Desk) -> None:
    bout = Bout(desk, taker="hawk")
    with refused(desk.exchange.OrderWithSelf, account=desk.account(bout.maker)):
        bout.settle()


@pytest.mark.parametrize("size", [TEN, -TEN], ids=["both buy", "both sell"])
def test_sides_are_equal(desk: Desk, size: int) -> None:
    bout = Bout(desk, size=size)
    bout.change("maker", size=size)
    with refused(desk.exchange.OrderSidesEqual, maker=size, taker=size):
        bout.settle()


@pytest.mark.parametrize(("maker", "taker"), [(0, 0), (0, -TEN), (-TEN, 0)])
def test_an_empty_order_counts_as_a_sale(desk: Desk, maker: int, taker: int) -> None:
    bout = Bout(desk)
    bout.change("maker", size=maker)
    bout.change("taker", size=taker)
    with refused(desk.exchange.OrderSidesEqual, maker=maker, taker=taker):
        bout.settle()


@ROLES
def test_an_empty_order_against_a_purchase(desk: Desk, role: str) -> None:
    bout = Bout(desk, size=-TEN if role == "taker" else TEN)
    bout.change(role, size=0)
    with refused(desk.exchange.OrderSizeZero, order=bout.hash(role)):
        bout.settle(1)


def test_an_empty_fill(desk: Desk) -> None:
    with refused(desk.exchange.FillZero):
        Bout(desk).settle(0)


@pytest.mark.parametrize("price", [0, HIGHEST + 1, 2**256 - 1])
def test_makers_price_out_of_bounds(desk: Desk, price: int) -> None:
    bout = Bout(desk)
    bout.change("maker", limit_price=price)
    bout.change("taker", limit_price=2**256 - 1)
    with refused(desk.exchange.OrderPriceOutOfBounds, price=price):
        bout.settle()


def test_lowest_and_highest_price(desk: Desk) -> None:
    """One wei of a contract, whose value both can bear; a taker who sells at any price, one who buys at any price."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    for size, price, limit, value in ((1, HIGHEST, 2**256 - 1, HIGHEST // 10**18 + 1), (-1, 1, 0, 0)):
        made, taken = desk.order(hawk, -size, price), desk.order(dove, size, limit)
        signatures = desk.signed(made, hawk), desk.signed(taken, dove)
        (event,) = emitted(desk.settle(made, taken, 1, signatures, by=dove), desk.exchange.Settled)
        assert (event["price"], event["value"]) == (price, value)


@pytest.mark.parametrize(
    ("size", "limit"), [(TEN, HUNDRED - 1), (-TEN, HUNDRED + 1)], ids=["buying taker", "selling taker"]
)
def test_prices_that_do_not_cross(desk: Desk, size: int, limit: int) -> None:
    bout = Bout(desk, size=size)
    bout.change("taker", limit_price=limit)
    with refused(desk.exchange.PriceNotCrossed, makerPrice=HUNDRED, takerPrice=limit):
        bout.settle()


def price_tiny(desk: Desk) -> int:
    """The least that the feed can tell: at it even the largest sizes are worth little."""
    feed = desk.market.feed.address
    act(desk.venue.owner, desk.price_feed.setFeed, desk.market.id, feed, HEARTBEAT, 1, wad(10**9))
    desk.price("0.00000001")
    return desk.mark()


@ROLES
def test_sizes_beyond_a_position(desk: Desk, role: str) -> None:
    """A short of 2**111 wei is the largest that fits, a long is smaller by a wei."""
    largest = 2**111 - 1
    penny = price_tiny(desk)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 10**11)

    def bout(size: int) -> Bout:
        drawn = Bout(desk, size=size if role == "taker" else -size)
        for each in ("maker", "taker"):
            drawn.change(each, limit_price=penny)
        return drawn

    with refused(desk.exchange.SafeCastOverflowedIntDowncast, bits=112, value=largest + 1):
        bout(largest + 1).settle()
    drawn = bout(largest)
    drawn.settle()
    assert desk.holding(drawn.owner(role)).size == largest


def test_open_interest_beyond_an_inventory(desk: Desk) -> None:
    """What accounts hold together must fit where a pool could have to hold it."""
    largest = 2**111 - 1
    penny = price_tiny(desk)
    hawk, dove, swan, crow = (desk.trader(name) for name in ("hawk", "dove", "swan", "crow"))
    for who in (hawk, dove):
        desk.deposit(who, 10**11)
    for who in (swan, crow):
        desk.deposit(who, 1)
    desk.trade(hawk, dove, largest - 5, penny)
    desk.trade(swan, crow, 5, penny)
    assert desk.open_interest() == largest
    with refused(
        desk.exchange.OpenInterestTooLarge, market=desk.market.id, openInterest=largest + 1, maxOpenInterest=largest
    ):
        desk.trade(swan, crow, 1, penny)


def test_smallest_int256_as_a_size(desk: Desk) -> None:
    bout = Bout(desk)
    bout.change("maker", size=-(2**255))
    bout.settle()
    assert desk.holding(bout.maker).size == -desk.holding(bout.taker).size != 0


# ---------------------------------------------------------------------- margin


def squeeze(desk: Desk, name: str, role: str, side: int, wei: int) -> Done:
    """Somebody with a margin of 100 takes 9 contracts of a side at 100, then one more that is `wei` too dear."""
    thin = desk.trader(name)
    desk.deposit(thin, 100)
    for contracts, worse in ((9, 0), (1, wei)):
        price = HUNDRED + side * worse
        if role == "taker":
            done = desk.trade(desk.trader("hawk"), thin, side * wad(contracts), price)
        else:
            done = desk.trade(thin, desk.trader("hawk"), -side * wad(contracts), price)
    return done


SIDES = pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])


@ROLES
@SIDES
def test_initial_margin_to_the_wei(desk: Desk, role: str, side: int) -> None:
    squeeze(desk, "thin", role, side, 0)
    assert desk.equity(desk.trader("thin")) == HUNDRED


@ROLES
@SIDES
def test_initial_margin_less_one_wei(desk: Desk, role: str, side: int) -> None:
    thin = desk.account(desk.trader("thin"))
    with refused(desk.exchange.InitialMarginInsufficient, account=thin, equity=HUNDRED - 1, required=HUNDRED):
        squeeze(desk, "thin", role, side, 1)


def test_initial_margin_is_rounded_up(desk: Desk) -> None:
    """One wei of a contract at 100 needs 10 wei of margin; at 95 it needs 9.5, so 10 too."""
    poor = desk.trader("poor")
    desk.price(95)
    with refused(desk.exchange.InitialMarginInsufficient, account=desk.account(poor), equity=9, required=10):
        desk.trade(desk.trader("hawk"), poor, 1, wad(86))
    desk.trade(desk.trader("hawk"), poor, 1, wad(85))
    assert desk.equity(poor) == 10


@pytest.mark.parametrize(("size", "paid", "equity"), [(1, 85, 10), (1, 86, 9), (-1, 106, 10), (-1, 105, 9)], ids=str)
def test_a_position_is_valued_down(desk: Desk, size: int, paid: int, equity: int) -> None:
    """One wei of a contract at 95.5 is worth 95 to a long, and costs a short 96; either needs 10."""
    poor = desk.trader("poor")
    desk.price("95.5")
    if equity < 10:
        with refused(desk.exchange.InitialMarginInsufficient, account=desk.account(poor), equity=equity, required=10):
            desk.trade(desk.trader("hawk"), poor, size, wad(paid))
        return
    desk.trade(desk.trader("hawk"), poor, size, wad(paid))
    assert desk.equity(poor) == equity


def test_a_flip_needs_initial_margin_for_the_remainder(desk: Desk) -> None:
    """Long 10 with a margin of 150: after a sale of 25 the short of 15 needs 150, of 25.1 it needs 151."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    desk.deposit(thin, 150)
    desk.trade(hawk, thin, TEN, HUNDRED)
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(thin),
        equity=wad(150),
        required=wad(151),
    ):
        desk.trade(hawk, thin, -wad("25.1"), HUNDRED)
    desk.trade(hawk, thin, -wad(25), HUNDRED)
    assert desk.holding(thin) == Account(-wad(15), wad(-1500), wad(150))


@SIDES
def test_an_account_below_initial_margin_may_still_reduce(desk: Desk, side: int) -> None:
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    mark = 100 - 5 * side
    desk.price(mark)
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(thin),
        equity=wad(50),
        required=11 * wad(mark) // 10,
    ):
        desk.trade(hawk, thin, side * wad(1), wad(mark))
    desk.trade(hawk, thin, -side * wad(1), wad(mark))
    assert desk.holding(thin).size == side * wad(9)


@pytest.mark.parametrize(
    ("side", "mark", "worst"), [(1, 95, 90), (-1, 105, 110)], ids=["long sells half", "short buys half"]
)
@ROLES
def test_reducing_must_not_worsen_the_margin_rate(desk: Desk, role: str, side: int, mark: int, worst: int) -> None:
    """E is 50 for 10 contracts, so 25 must be left for 5: they may go at 5 from mark, and not a wei further."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    desk.price(mark)

    def halve(price: int) -> None:
        if role == "taker":
            desk.trade(hawk, thin, -side * wad(5), price)
        else:
            desk.trade(thin, hawk, side * wad(5), price)

    with refused(
        desk.exchange.MarginRateWorse,
        account=desk.account(thin),
        equity=wad(25) - 5,
        maintenanceMargin=wad(mark) // 4,
    ):
        halve(wad(worst) - side)
    halve(wad(worst))
    assert desk.equity(thin) == wad(25)


@pytest.mark.parametrize(("side", "mark", "worst"), [(1, 95, 90), (-1, 105, 110)], ids=["long", "short"])
def test_closing_needs_no_more_than_nothing_left(desk: Desk, side: int, mark: int, worst: int) -> None:
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    desk.price(mark)
    with refused(desk.exchange.EquityNegative, account=desk.account(thin), equity=-10):
        desk.trade(hawk, thin, -side * TEN, wad(worst) - side)
    desk.trade(hawk, thin, -side * TEN, wad(worst))
    assert desk.holding(thin) == FLAT


@SIDES
def test_reducing_to_no_equity(desk: Desk, side: int) -> None:
    """Five contracts that cost the whole equity of 50 leave five with none; a wei more leaves less than none."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    mark = 100 - 5 * side
    desk.price(mark)
    ruin = wad(mark - 10 * side)
    with refused(
        desk.exchange.MarginRateWorse,
        account=desk.account(thin),
        equity=0,
        maintenanceMargin=wad(mark) // 4,
    ):
        desk.trade(hawk, thin, -side * wad(5), ruin)
    with refused(desk.exchange.EquityNegative, account=desk.account(thin), equity=-5):
        desk.trade(hawk, thin, -side * wad(5), ruin - side)


@SIDES
@pytest.mark.parametrize("beyond", ["0", "0.00000001"], ids=["nothing left", "less than nothing"])
@pytest.mark.parametrize("size", [-10, -1, 1], ids=["closes", "reduces", "grows"])
def test_a_bankrupt_account_cannot_trade(desk: Desk, side: int, beyond: str, size: int) -> None:
    """Even at a price that would make it whole: takeover is what is left."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    desk.price(Decimal(100 - 10 * side) - side * Decimal(beyond))
    with refused(desk.exchange.AccountBankrupt, account=desk.account(thin), equity=-10 * wad(beyond)):
        desk.trade(hawk, thin, side * wad(size), HUNDRED)


def test_a_bankrupt_maker_cannot_trade(desk: Desk) -> None:
    thin, dove = desk.trader("thin"), desk.trader("dove")
    squeeze(desk, "thin", "taker", 1, 0)
    desk.price(90)
    with refused(desk.exchange.AccountBankrupt, account=desk.account(thin), equity=0):
        desk.trade(thin, dove, TEN, HUNDRED)


def test_the_least_equity_may_close(desk: Desk) -> None:
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", 1, 0)
    desk.price("90.00000001")
    assert desk.equity(thin) == wad("0.0000001")
    desk.trade(hawk, thin, -TEN, wad("90.00000001"))
    assert desk.holding(thin) == Account(0, 0, wad("0.0000001"))


# ---------------------------------------------------------------------- reduce-only


@ROLES
def test_reduce_only_opens_nothing(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    order = bout.change(role, reduce_only=True)
    with refused(desk.exchange.OrderNotReducing, account=order.account, position=0, change=order.size):
        bout.settle()


@ROLES
def test_reduce_only_grows_nothing(desk: Desk, role: str) -> None:
    Bout(desk).settle()
    bout = Bout(desk, size=1)
    order = bout.change(role, reduce_only=True)
    with refused(
        desk.exchange.OrderNotReducing,
        account=order.account,
        position=-TEN if role == "maker" else TEN,
        change=order.size,
    ):
        bout.settle()


@ROLES
@SIDES
def test_reduce_only_by_one_unit_more(desk: Desk, role: str, side: int) -> None:
    """The whole position and not a wei more; what an order asks for does not matter, only what is filled."""
    Bout(desk, size=side * TEN).settle()
    bout = Bout(desk, size=-side * (TEN + 1))
    order = bout.change(role, reduce_only=True)
    with refused(
        desk.exchange.OrderNotReducing,
        account=order.account,
        position=side * TEN * (-1 if role == "maker" else 1),
        change=order.size,
    ):
        bout.settle()
    bout.settle(TEN)
    for who in (bout.maker, bout.taker):
        assert desk.holding(who) == Account(0, 0, wad(1000))
    with refused(
        desk.exchange.OrderNotReducing,
        account=order.account,
        position=0,
        change=1 if order.size > 0 else -1,
    ):
        bout.settle(1)


def test_reduce_only_in_parts(desk: Desk) -> None:
    Bout(desk).settle()
    bout = Bout(desk, size=-TEN)
    for role in ("maker", "taker"):
        bout.change(role, reduce_only=True)
    bout.settle(wad(3))
    bout.settle(wad(7))
    assert desk.holding(bout.taker) == Account(0, 0, wad(1000))


# ---------------------------------------------------------------------- price feed


def test_no_trade_on_a_stale_price(desk: Desk) -> None:
    updated = desk.priced_at()
    bout = Bout(desk)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        bout.settle(at=updated + 3601)


def test_a_market_without_a_feed_does_not_trade(desk: Desk, venue: Venue) -> None:
    pool = desk.fund.poolCount() + 1
    desk.fund.createPool(b"dark".ljust(32, b"\0"), 0, 0, sender=venue.owner)
    act(venue.owner, desk.exchange.listMarket, b"DARK-USD".ljust(32, b"\0"), pool, desk.parameters())
    dark = Desk(venue, replace(desk.market, id=desk.exchange.marketCount(), name="DARK-USD", pool=pool))
    for name in ("hawk", "dove"):
        dark.deposit(dark.trader(name), 1000)
    with refused(desk.price_feed.FeedMissing, market=dark.market.id):
        Bout(dark).settle()


def test_a_dead_feed_elsewhere_stops_nothing(desk: Desk, other: Desk) -> None:
    wait_until(other.priced_at() + 3601)
    desk.price(100)
    Bout(desk).settle()
    assert desk.holding(desk.trader("dove")).size == TEN


def test_a_stranger_can_not_make_up_a_trade(desk: Desk) -> None:
    """Out of two orders of others that do not cross."""
    bout = Bout(desk)
    bout.change("taker", limit_price=wad(99))
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.PriceNotCrossed, makerPrice=HUNDRED, takerPrice=wad(99)),
    ):
        bout.settle(by=desk.trader("stranger"))
