"""`backstop account`: the figures of the lens, the rank of the queue, and the sum of the funding events."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_account
from backstop.adl.ranking import rank
from backstop.chain import logs
from backstop.chain.snapshot import read_chain
from backstop.errors import NodeError, RpcError
from backstop.trading.funding import funding_paid
from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, rpc_url, wad
from tests.keeper.command import assert_refused, backstop_inside

from .shell import Shell, done

HOUR = 3600


def accounts(shell: Shell, who: str) -> Any:
    """What the command prints as JSON, without a warning."""
    return done(shell.run("account", who, "--json")).document


def pass_hours(venue: Venue, markets: dict[str, TestMarket], hours: int, prices: dict[str, int]) -> None:
    """Time goes by, and the feeds answer anew."""
    venue.endpoint.request("evm_increaseTime", hours * HOUR)
    for name, market in markets.items():
        venue.set_price(market, prices[name])


@pytest.fixture
def books(venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount) -> dict[str, bytes]:
    """Alice is long 10 SOL isolated, and cross long 5 ETH and short 1 BTC; bob takes the other sides."""
    cross = venue.deposit_to(alice, cross_sub_id(), 1000)
    for name in markets:
        venue.deposit(bob, markets[name], 2000)
    sol = venue.deposit(alice, markets["SOL-USD"], 100)
    venue.trade(bob, alice, markets["SOL-USD"], wad(10), wad(50))
    for name, contracts, price in (("ETH-USD", wad(5), wad("100.05")), ("BTC-USD", -wad(1), wad(1000))):
        between = isolated_account(bob.address, markets[name].id), cross
        venue.trade(bob, alice, markets[name], contracts, price, between)
    return {"cross": cross, "sol": sol}


def test_isolated_account_by_hand(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: dict[str, bytes], alice: LocalAccount
) -> None:
    """10 SOL at 50 on 100; at 55 the equity is 150 and the margin asked for 27.5."""
    venue.set_price(markets["SOL-USD"], 55)
    (account,) = accounts(shell, account_text(books["sol"]))
    assert account == {
        "account": account_text(books["sol"]),
        "owner": alice.address.lower(),
        "marginMode": "isolated",
        "market": "SOL-USD",
        "index": 0,
        "collateral": "100",
        "equity": "150",
        "maintenanceMargin": "27.5",
        "initialMargin": "55",
        "marginRatio": "0.183333333333333333",
        "marginLow": False,
        "due": None,
        "wallet": "0",
        "fundingPaid": "0",
        "fundingPending": "0",
        "positions": [
            {
                "market": "SOL-USD",
                "side": "long",
                "contracts": "10",
                "entryPrice": "50",
                "markPrice": "55",
                "notional": "550",
                "leverage": "3.666666666666666666",
                "unrealizedPnl": "50",
                "collateral": "100",
                "marginMode": "isolated",
                "marginRatio": "0.183333333333333333",
                "maintenanceMargin": "27.5",
                # 400 / (10 * 0.95), rounded up.
                "liquidationPrice": "42.105263157894736843",
                "bankruptcyPrice": "40",
                "adlRank": 1,
                "adlLight": 3,
                "fundingPaid": "0",
                "fundingPending": "0",
                "settlesAt": None,
            }
        ],
    }


def test_every_account_of_an_owner_as_lens_and_queue_have_it(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: dict[str, bytes], alice: LocalAccount
) -> None:
    for name, price in {"ETH-USD": 101, "BTC-USD": 990, "SOL-USD": 49}.items():
        venue.set_price(markets[name], price)
    found = accounts(shell, alice.address)
    assert [one["account"] for one in found] == sorted(account_text(one) for one in books.values())
    cross = next(one for one in found if one["marginMode"] == "cross")
    assert (cross["market"], cross["index"]) == (None, 0)
    assert [(leg["market"], leg["side"]) for leg in cross["positions"]] == [("ETH-USD", "long"), ("BTC-USD", "short")]
    # 1,000 less fees of 5 basis points of 500.25 and 1,000; 4.75 of ETH and 10 of BTC gained.
    assert cross["collateral"] == "999.249875"
    assert cross["equity"] == "1013.999875"
    assert [leg["entryPrice"] for leg in cross["positions"]] == ["100.05", "1000"]
    state = read_chain(venue.endpoint, venue.deployment)
    for account in found:
        for leg in account["positions"]:
            queue = rank(state.snapshot, leg["market"], leg["side"])
            place = next(one for one in queue if one.account == account["account"])
            assert (leg["adlRank"], leg["adlLight"]) == (place.adl_rank, place.adl_light)
            assert wad(leg["bankruptcyPrice"]) == place.bankruptcy_price
            assert leg["liquidationPrice"] is None or wad(leg["liquidationPrice"]) == place.liquidation_price
            assert wad(leg["unrealizedPnl"]) == place.unrealized_pnl
            assert wad(leg["marginRatio"]) == place.margin_ratio


def test_funding_paid_and_pending_stand_apart(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: dict[str, bytes]
) -> None:
    """The fills of an hour 0.05 above mark: next hour a long owes 0.05 a contract, and pays when it is touched."""
    text = account_text(books["cross"])
    pass_hours(venue, markets, 1, {"ETH-USD": 100, "BTC-USD": 1000, "SOL-USD": 50})
    (before,) = accounts(shell, text)
    assert (before["fundingPaid"], before["fundingPending"]) == ("0", "0.25")
    assert [leg["fundingPending"] for leg in before["positions"]] == ["0.25", "0"]

    alice, bob = venue.trader("alice"), venue.trader("bob")
    between = isolated_account(bob.address, markets["ETH-USD"].id), books["cross"]
    venue.trade(bob, alice, markets["ETH-USD"], -wad(5), wad(100), between)
    (after,) = accounts(shell, text)
    # The position is gone, and what it paid is still told of the account.
    assert [leg["market"] for leg in after["positions"]] == ["BTC-USD"]
    assert (after["fundingPaid"], after["fundingPending"]) == ("0.25", "0")
    assert after["positions"][0]["fundingPaid"] == "0"
    (other,) = accounts(shell, account_text(isolated_account(bob.address, markets["ETH-USD"].id)))
    assert other["fundingPaid"] == "-0.25"


def test_funding_is_read_in_pages_also_where_a_node_gives_few_blocks(
    venue: Venue, markets: dict[str, TestMarket], books: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = venue.trader("alice"), venue.trader("bob")
    pass_hours(venue, markets, 1, {"ETH-USD": 100, "BTC-USD": 1000, "SOL-USD": 50})
    venue.trade(bob, alice, markets["SOL-USD"], wad(1), wad(50))
    between = isolated_account(bob.address, markets["ETH-USD"].id), books["cross"]
    venue.trade(bob, alice, markets["ETH-USD"], -wad(1), wad(100), between)
    state = read_chain(venue.endpoint, venue.deployment)
    expected = {(books["cross"], markets["ETH-USD"].id): wad("0.25")}

    asked: list[tuple[int, int]] = []
    request = venue.endpoint.request

    def sparing(method: str, *params: Any) -> Any:
        if method == "eth_getLogs":
            span = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            if span[1] - span[0] >= 16:
                raise NodeError("eth_getLogs: block range too large")
            asked.append(span)
        return request(method, *params)

    monkeypatch.setattr(venue.endpoint, "request", sparing)
    read = [venue.endpoint, venue.deployment, state.block, list(books.values())]
    assert funding_paid(*read) == expected
    assert asked[0][0] == venue.deployment.block
    assert asked[-1][1] == state.block.number
    assert all(one[1] + 1 == next_one[0] for one, next_one in pairwise(asked))
    assert len(asked) > 2
    monkeypatch.setattr(logs, "PAGE", 7)
    assert funding_paid(*read) == expected


def test_chain_that_was_reorganised_is_not_summed(venue: Venue, books: dict[str, bytes]) -> None:
    state = read_chain(venue.endpoint, venue.deployment)
    other = type(state.block)(chain.chain_id, state.block.number, "0x" + "00" * 32, state.block.timestamp)
    with pytest.raises(RpcError, match=f"reorganised at block {state.block.number}"):
        funding_paid(venue.endpoint, venue.deployment, other, [books["cross"]])


def test_no_liquidation_price_where_none_is_above_zero(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount
) -> None:
    """A long that its margin covers whole can lose everything and still meet its margin."""
    venue.deposit(alice, markets["SOL-USD"], 1000)
    venue.deposit(bob, markets["SOL-USD"], 1000)
    venue.trade(bob, alice, markets["SOL-USD"], wad(10), wad(50))
    (account,) = accounts(shell, alice.address)
    assert account["positions"][0]["liquidationPrice"] is None
    assert account["positions"][0]["bankruptcyPrice"] == "-50"
    shown = done(shell.run("account", alice.address)).out
    assert "isolated account 0 in SOL-USD" in shown


def test_account_without_equity_has_no_place_and_no_rate(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: dict[str, bytes]
) -> None:
    venue.set_price(markets["SOL-USD"], 40)
    (account,) = accounts(shell, account_text(books["sol"]))
    assert (account["equity"], account["marginRatio"], account["marginLow"]) == ("0", None, True)
    leg = account["positions"][0]
    assert (leg["adlRank"], leg["adlLight"], leg["leverage"]) == (None, None, None)
    assert "The account is bankrupt" in done(shell.run("account", account["account"])).out


def test_dead_feed_is_told_and_shown_at_its_last_price(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], books: dict[str, bytes]
) -> None:
    venue.endpoint.request("evm_increaseTime", HEARTBEAT + 1)
    venue.endpoint.request("evm_mine")
    result = shell.run("account", account_text(books["sol"]), "--json")
    assert result.status == 0
    assert "warning: SOL-USD has no price now" in result.err
    assert "PriceStale(" in result.err
    assert result.document[0]["positions"][0]["markPrice"] == "50"


def test_nobody_and_an_empty_account(shell: Shell, venue: Venue, markets: dict[str, TestMarket]) -> None:
    nobody = venue.trader("nobody").address
    assert accounts(shell, nobody) == []
    assert "holds nothing here" in done(shell.run("account", nobody)).out
    (empty,) = accounts(shell, account_text(account_of(nobody, cross_sub_id(7))))
    assert (empty["marginMode"], empty["index"], empty["equity"], empty["positions"]) == ("cross", 7, "0", [])


def test_collateral_in_a_market_that_never_had_a_price(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], owner: Any, alice: LocalAccount
) -> None:
    market = venue.list_market("NEW-USD", "new", Decimal(1))
    venue.endpoint.request("evm_increaseTime", HEARTBEAT + 1)
    venue.deposit(alice, market, 5)
    result = shell.run("account", alice.address, "--json")
    assert [(one["market"], one["collateral"]) for one in result.document] == [("NEW-USD", "5")]
    assert "NEW-USD has no price" in result.err


def test_process_prints_the_same(shell: Shell, books: dict[str, bytes], alice: LocalAccount) -> None:
    inside, outside = (run("account", alice.address, "--json") for run in (shell.run, shell.process))
    assert done(outside).out == done(inside).out
    assert len(json.loads(outside.out)) == 2
    table = done(shell.process("account", alice.address)).out
    assert "cross account 0" in table
    assert account_text(books["cross"]) in table
    assert "BTC-USD" in table


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("alice", "'alice' is neither an address"),
        ("", "'' is neither an address"),
        ("0x1234", "is neither an address"),
        ("0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96046", "right checksum"),
        ("d8da6bf26964af9d7eed9e03e53415d37aa96045", "is neither an address"),
        ("0x" + "11" * 20 + "00" * 12, "names neither a market nor a cross account"),
        ("0x" + "11" * 32, "names neither a market nor a cross account"),
        ("0x" + "zz" * 32, "is neither an address"),
        ("0x" + "1" * 5000, "is neither an address"),
    ],
)
def test_who_is_nobody(who: str, words: str, shell: Shell) -> None:
    assert_refused(shell.run("account", who), words)


def test_bad_node_and_file(shell: Shell) -> None:
    who = "0x" + "11" * 20
    dead = "http://127.0.0.1:9"
    assert_refused(backstop_inside("account", who, "--rpc", dead, "--deployment", shell.deployment), "no answer from")
    missing = shell.folder / "missing.json"
    assert_refused(backstop_inside("account", who, "--rpc", rpc_url(), "--deployment", missing), "cannot read")
