"""`backstop order new`, `sign` and `cancel`: the file, who may sign it, and what ends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_account
from backstop.chain.bindings import CANCEL_ALL
from backstop.orders import signable
from backstop.trading.order_file import dumps, load
from scripts.stage.venue import TestMarket, Venue
from tests.keeper.command import Done, assert_refused

from .shell import Shell, done, nonce

BID = ("--market", "SOL-USD", "--side", "buy", "--contracts", "2.5", "--price", "50.01")


@pytest.fixture
def bid(shell: Shell, alice: LocalAccount) -> Path:
    """Alice's order to buy 2.5 SOL at 50.01, not signed."""
    file = shell.folder / "bid.json"
    assert shell.run("order", "new", *BID, "-o", file, by=alice).status == 0
    return file


def new(shell: Shell, *options: str, by: LocalAccount) -> dict[str, Any]:
    """The order as printed."""
    document: dict[str, Any] = done(shell.run("order", "new", *options, by=by)).document
    return document


def test_new_order_by_key(shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount) -> None:
    before = nonce(venue, alice)
    order = new(shell, *BID, by=alice)
    salt = order.pop("salt")
    assert order == {
        "version": 1,
        "chainId": chain.chain_id,
        "exchange": venue.system.exchange.address,
        "account": account_text(isolated_account(alice.address, markets["SOL-USD"].id)),
        "market": "SOL-USD",
        "marketId": markets["SOL-USD"].id,
        "side": "buy",
        "contracts": "2.5",
        "price": "50.01",
        "expiry": chain.blocks.head.timestamp + 86400,
        "epoch": 0,
        "reduceOnly": False,
    }
    assert int(salt, 16) > 2**128
    assert new(shell, *BID, by=alice)["salt"] != salt
    assert nonce(venue, alice) == before


def test_new_order_for_an_owner_without_a_key(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    """On a cross account, for a given time, only to reduce, in the epoch of its owner."""
    venue.send(alice, venue.system.exchange, CANCEL_ALL.encode())
    at = chain.blocks.head.timestamp + 7
    options = ("--cross", "--index", "4", "--reduce-only", "--owner", alice.address, "--expiry", str(at))
    line = ("--market", "ETH-USD", "--side", "sell", "--contracts", "1", "--price", "99")
    order = done(shell.process("order", "new", *line, *options)).document
    assert order["account"] == account_text(account_of(alice.address, cross_sub_id(4)))
    assert (order["marketId"], order["side"], order["expiry"]) == (markets["ETH-USD"].id, "sell", at)
    assert (order["epoch"], order["reduceOnly"]) == (1, True)


def test_time_runs_from_the_block(shell: Shell, alice: LocalAccount, markets: dict[str, TestMarket]) -> None:
    order = new(shell, *BID, "--expires-in", "1", by=alice)
    assert order["expiry"] == chain.blocks.head.timestamp + 1


def test_file_is_told_of_on_stderr_and_never_replaced(shell: Shell, alice: LocalAccount, bid: Path) -> None:
    text = bid.read_text()
    assert dumps(load(bid)) == text
    assert_refused(shell.run("order", "new", *BID, "-o", bid, by=alice), f"{bid} exists already")
    assert bid.read_text() == text
    other = shell.folder / "other.json"
    both = shell.run("order", "new", *BID, "-o", other, "--json", by=alice)
    assert both.out == other.read_text()
    assert both.err.startswith("buy 2.5 SOL-USD at 50.01 until ")
    assert both.err.endswith(f"not signed yet, 0x{load(other).digest.hex()} in {other}\n")


@pytest.mark.parametrize("runner", ["run", "process"])
def test_owner_signs(runner: str, shell: Shell, venue: Venue, alice: LocalAccount, bid: Path) -> None:
    unsigned = load(bid)
    result: Done = getattr(shell, runner)("order", "sign", bid, by=alice)
    assert (result.status, result.out) == (0, "")
    assert ": signed, 0x" in result.err
    signed = load(bid)
    assert (signed.order, signed.domain) == (unsigned.order, venue.domain)
    assert signed.signature is not None
    assert Account.recover_message(signable(signed.order, venue.domain), signature=signed.signature) == alice.address
    assert signed.digest == bytes(venue.system.exchange.orderHash(signed.order.values()))
    # Once more gives the same.
    text = bid.read_text()
    assert shell.run("order", "sign", bid, by=alice).status == 0
    assert bid.read_text() == text


def test_signed_into_another_file(shell: Shell, alice: LocalAccount, bid: Path) -> None:
    text, out = bid.read_text(), shell.folder / "signed.json"
    result = shell.run("order", "sign", bid, "-o", out, "--json", by=alice)
    assert result.out == out.read_text()
    assert bid.read_text() == text
    assert_refused(shell.run("order", "sign", bid, "-o", out, by=alice), "exists already")


def test_nobody_else_signs(shell: Shell, bob: LocalAccount, alice: LocalAccount, bid: Path) -> None:
    text = bid.read_text()
    result = shell.run("order", "sign", bid, by=bob)
    assert_refused(result, f"the key is that of {bob.address}", alice.address.lower(), "give its owner's key")
    assert_refused(shell.process("order", "sign", bid, by=bob), "give its owner's key")
    assert_refused(shell.run("order", "sign", bid), "no signing key")
    assert bid.read_text() == text


def change(file: Path, **changes: Any) -> None:
    """Rewrites keys of a file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_order_out_of_date_is_not_signed(shell: Shell, venue: Venue, alice: LocalAccount, bid: Path) -> None:
    change(bid, expiry=chain.blocks.head.timestamp - 1)
    assert_refused(shell.run("order", "sign", bid, by=alice), f"{bid} expired at", "make a new one")
    change(bid, expiry=chain.blocks.head.timestamp)
    assert shell.run("order", "sign", bid, by=alice).status == 0
    change(bid, expiry=chain.blocks.head.timestamp + 100)
    venue.send(alice, venue.system.exchange, CANCEL_ALL.encode())
    assert_refused(shell.run("order", "sign", bid, by=alice), f"{bid} is of epoch 0, and 1 is current")


def test_order_for_elsewhere_is_not_signed(
    shell: Shell, markets: dict[str, TestMarket], alice: LocalAccount, bid: Path
) -> None:
    text = bid.read_text()
    cross = account_text(account_of(alice.address, cross_sub_id()))
    for changes, words in (
        ({"chainId": 1}, "on chain 1, the deployment is"),
        ({"exchange": "0x" + "11" * 20}, "is for the exchange 0x1111"),
        ({"market": "DOGE-USD"}, "DOGE-USD is not listed"),
        ({"account": cross, "marketId": markets["BTC-USD"].id}, "SOL-USD has the id 1, the order names id 3"),
    ):
        bid.write_text(text)
        change(bid, **changes)
        for verb in ("sign", "cancel"):
            assert_refused(shell.run("order", verb, bid, by=alice), words)


# ------------------------------------------------------------------ cancel


def test_cancel_one(shell: Shell, venue: Venue, alice: LocalAccount, bob: LocalAccount, bid: Path) -> None:
    before = nonce(venue, alice)
    dry = done(shell.run("order", "cancel", bid, by=alice)).out
    assert dry.startswith("cancel buy 2.5 SOL-USD at 50.01 until ")
    assert "Nothing is sent" in dry
    assert (nonce(venue, alice), venue.system.exchange.filled(load(bid).digest)) == (before, 0)
    assert_refused(shell.run("order", "cancel", bid, "--send", by=bob), "give its owner's key")
    document = done(shell.run("order", "cancel", bid, "--send", "--json", by=alice)).document
    assert (document["action"], document["sent"]) == ("cancel", True)
    assert document["order"] == "0x" + load(bid).digest.hex()
    assert venue.system.exchange.filled(load(bid).digest) == 2**256 - 1
    assert_refused(shell.run("order", "cancel", bid, "--send", by=alice), "is cancelled already")


def test_cancel_all(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    assert "Nothing is sent" in done(shell.run("order", "cancel", "--all", by=alice)).out
    assert venue.system.exchange.orderEpoch(alice.address) == 0
    shown = done(shell.process("order", "cancel", "--all", "--send", by=alice)).out
    assert shown.startswith(f"cancel all orders of {alice.address}, epoch 0\n")
    assert shown.endswith("  the order epoch is 1 now: no order of an older one can be filled\n")
    assert venue.system.exchange.orderEpoch(alice.address) == 1
    dry, sent = (done(shell.run("order", "cancel", "--all", "--json", *send, by=alice)) for send in ([], ["--send"]))
    assert (dry.document["epoch"], sent.document["epoch"]) == (None, 2)


def test_cancel_what(shell: Shell, alice: LocalAccount, bid: Path) -> None:
    assert_refused(shell.run("order", "cancel", by=alice), "give one order FILE to cancel, or --all")
    assert_refused(shell.run("order", "cancel", bid, "--all", by=alice), "give one order FILE to cancel, or --all")
    assert_refused(shell.run("order", "cancel", bid), "no signing key")


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--market": "DOGE-USD"}, ("unknown market 'DOGE-USD'", "SOL-USD, ETH-USD, BTC-USD")),
        ({"--contracts": "0"}, ('--contracts: "0" is not above zero',)),
        ({"--contracts": "-1"}, ('"-1" is not above zero',)),
        ({"--contracts": "many"}, ('"many" is not a decimal amount',)),
        ({"--contracts": str(2**100)}, ("contracts are too many: a position has at most 2596148429267413.81",)),
        ({"--expires-in": "0"}, ("--expires-in: '0' is not a whole number from 1 on",)),
        ({"--expiry": "soon"}, ("--expiry: 'soon' is not a whole number from 0 on",)),
        ({"--price": "0"}, ('--price: "0" is not above zero',)),
        ({"--price": "1e2"}, ('"1e2" is not a decimal amount',)),
        ({"--price": "79228162514.264337593543950336"}, ("is too high: at most 79228162514.264337593543950335",)),
        ({"--expiry": "1"}, ("expiry 1 is not after the latest block", "give a later one")),
        ({"--expiry": str(2**64)}, ("is too far away: at most 18446744073709551615",)),
        ({"--expires-in": str(2**64)}, ("is too far away",)),
        ({"--expiry": "9999999999", "--expires-in": "5"}, ("say the same: give one of them",)),
        ({"--owner": "alice"}, ("'alice' is no address",)),
        ({"--owner": "0x" + "1" * 5000}, ("is no address",)),
        ({"-o": "no/such/folder.json"}, ("cannot write no/such/folder.json", "No such file")),
    ],
)
def test_bad_new_order(
    changes: dict[str, str], words: tuple[str, ...], shell: Shell, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    options = dict(zip(BID[::2], BID[1::2], strict=True)) | changes
    line = [word for pair in options.items() for word in pair]
    assert_refused(shell.run("order", "new", *line, by=alice), *words)


def test_isolated_market_and_no_key(shell: Shell, alice: LocalAccount) -> None:
    assert_refused(shell.run("order", "new", *BID, "--cross", by=alice), "only isolated accounts may hold SOL-USD")
    assert_refused(shell.run("order", "new", *BID), "no signing key")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, ("$.version: 2 is not a version",)),
        ({"side": "long"}, ('$.side: "long" is not buy or sell',)),
        ({"contracts": 2.5}, ("$.contracts: 2.5 is a JSON number",)),
        ({"contracts": "-2.5"}, ('"-2.5" is not positive',)),
        ({"price": "0"}, ('$.price: "0" is not positive',)),
        ({"price": "79228162514.264337593543950336"}, ("$.price: too high",)),
        ({"expiry": "soon"}, ('$.expiry: "soon" is not a whole number',)),
        ({"expiry": 2**64}, ("$.expiry: 18446744073709551616 is too large",)),
        ({"epoch": -1}, ("$.epoch: -1 is not a whole number",)),
        ({"salt": 5}, ("$.salt: 5 is not a string",)),
        ({"salt": "0x5"}, ("$.salt: not what is expected: 0x and 64 lowercase hex digits",)),
        ({"account": "0x" + "AB" * 32}, ("$.account: not what is expected",)),
        ({"account": "0x" + "11" * 32}, ("$.account: no account id",)),
        ({"marketId": 2}, ("$.marketId: 2 is not the market 1 of the isolated account",)),
        ({"marketId": 65536}, ("$.marketId: 65536 is too large",)),
        ({"exchange": "0x1234"}, ("$.exchange: not an address",)),
        ({"reduceOnly": "no"}, ('$.reduceOnly: "no" is not true or false',)),
        ({"signature": "0xzz"}, ("$.signature: not what is expected",)),
        ({"signature": None}, ("$.signature: null is not a string",)),
        ({"market": ""}, ("$.market: an empty string is not a name",)),
        ({"owner": "me"}, ("$.owner: unknown key",)),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else None,
)
def test_bad_order_file(
    changes: dict[str, Any], words: tuple[str, ...], shell: Shell, alice: LocalAccount, bid: Path
) -> None:
    change(bid, **changes)
    assert_refused(shell.run("order", "sign", bid, by=alice), f"error: {bid}: ", *words)
    assert_refused(shell.run("order", "settle", bid, bid, by=alice), *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "$: an array is not an object"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"version": 1}', "$.chainId: missing"),
        (b'{"version": 1, "version": 1}', "duplicate key"),
    ],
)
def test_file_that_is_no_order(text: bytes, words: str, shell: Shell, alice: LocalAccount) -> None:
    file = shell.folder / "file.json"
    file.write_bytes(text)
    for verb in ("sign", "cancel"):
        assert_refused(shell.run("order", verb, file, by=alice), str(file), words)


@pytest.mark.parametrize("verb", ["sign", "cancel", "settle"])
def test_file_that_cannot_be_read(verb: str, shell: Shell, alice: LocalAccount) -> None:
    more = ["x"] if verb == "settle" else []
    missing = shell.run("order", verb, shell.folder / "missing.json", *more, by=alice)
    assert_refused(missing, "cannot read", "missing.json", "No such file")
    assert_refused(shell.run("order", verb, shell.folder, *more, by=alice), "Is a directory")
