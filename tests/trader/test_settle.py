"""`backstop order settle`: one pair, many, what is refused and why; and a trader's whole way through the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ape import chain, project
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, isolated_account, isolated_sub_id
from backstop.chain.bindings import APPROVE, CANCEL_ALL, DEPOSIT, SETTLE_BATCH
from backstop.orders import sign
from backstop.trading.client import Client
from backstop.trading.order_file import OrderFile, dumps, load
from backstop.trading.settling import make_pairs, plan_settlement
from backstop.transactions.sender import Sender
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.keeper.command import assert_refused

from .shell import Shell, done, nonce


@pytest.fixture
def funded(venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount) -> None:
    """Both have 1,000 in their isolated accounts in SOL-USD."""
    for trader in (alice, bob):
        venue.deposit(trader, markets["SOL-USD"], 1000)


class Book:
    """Writes signed order files of SOL-USD."""

    def __init__(self, shell: Shell, venue: Venue) -> None:
        self.folder, self.venue = shell.folder, venue

    def write(self, name: str, who: LocalAccount, contracts: str, price: str = "50", **changes: Any) -> Path:
        """A file; contracts below zero sell."""
        market = self.venue.markets["SOL-USD"]
        order = self.venue.order(who, market, wad(contracts), wad(price), **changes)
        file = self.folder / f"{name}.json"
        signature = sign(order, self.venue.domain, who)
        file.write_text(dumps(OrderFile(file, "SOL-USD", order, self.venue.domain, signature)))
        return file


@pytest.fixture
def book(shell: Shell, venue: Venue) -> Book:
    """Where the order files are."""
    return Book(shell, venue)


def size(venue: Venue, who: LocalAccount) -> int:
    """Somebody's contracts in SOL-USD, signed, WAD."""
    market = venue.markets["SOL-USD"]
    return int(venue.system.exchange.position(isolated_account(who.address, market.id), market.id).size)


# ------------------------------------------------------------------ the whole way


def test_from_the_faucet_to_the_wallet(shell: Shell, venue: Venue, markets: dict[str, TestMarket]) -> None:
    """Carol buys 10 SOL at 50 from dave on 100 each; at 55 her 50 of profit stay, and 45 can leave."""
    carol, dave = venue.trader("carol"), venue.trader("dave")
    for trader in (carol, dave):
        done(shell.run("faucet", "100", "--send", by=trader))
        done(shell.process("deposit", "100", "--market", "SOL-USD", "--send", by=trader))
    terms = ("--market", "SOL-USD", "--contracts", "10", "--price", "50")
    ask, bid = shell.folder / "ask.json", shell.folder / "bid.json"
    for file, side, trader in ((ask, "sell", dave), (bid, "buy", carol)):
        assert shell.process("order", "new", "--side", side, *terms, "-o", file, by=trader).status == 0
        assert shell.process("order", "sign", file, by=trader).status == 0
    settled = done(shell.process("order", "settle", ask, bid, "--send", by=carol)).out
    assert settled.startswith(f"settle 10 SOL-USD at 50: {ask} with {bid}\n  settle: done in block ")

    venue.set_price(markets["SOL-USD"], 55)
    (account,) = done(shell.process("account", carol.address, "--json")).document
    assert (account["collateral"], account["equity"], account["initialMargin"]) == ("100", "150", "55")
    (position,) = account["positions"]
    assert (position["side"], position["contracts"], position["unrealizedPnl"]) == ("long", "10", "50")
    assert (position["adlRank"], position["liquidationPrice"]) == (1, "42.105263157894736843")

    refused = shell.process("withdraw", "45.000001", "--market", "SOL-USD", "--send", by=carol)
    assert_refused(refused, "without unrealized profit 54.999999 would be left where 55 must stay")
    done(shell.process("withdraw", "45", "--market", "SOL-USD", "--send", by=carol))
    assert venue.system.token.balanceOf(carol.address) == tokens(45)


# ------------------------------------------------------------------ one pair


@pytest.mark.usefixtures("funded")
def test_part_and_then_all_that_remains(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    ask, bid, big = book.write("ask", bob, "-3"), book.write("bid", alice, "1"), book.write("big", alice, "5")
    before = nonce(venue, alice)
    dry = done(shell.run("order", "settle", ask, bid)).out  # whoever settles needs no key to look
    assert dry.startswith(f"settle 1 SOL-USD at 50: {ask} with {bid}\n  settle: would use about ")
    assert "Nothing is sent" in dry
    assert (nonce(venue, alice), size(venue, alice)) == (before, 0)
    document = done(shell.run("order", "settle", ask, bid, "--contracts", "0.4", "--send", "--json", by=alice)).document
    assert document["pairs"] == [
        {
            "maker": "0x" + load(ask).digest.hex(),
            "taker": "0x" + load(bid).digest.hex(),
            "market": "SOL-USD",
            "contracts": "0.4",
            "price": "50",
            "refused": None,
        }
    ]
    assert (document["action"], document["sent"], size(venue, alice)) == ("settle", True, wad("0.4"))
    done(shell.run("order", "settle", ask, big, "--send", by=alice))
    assert (size(venue, alice), size(venue, bob)) == (wad(3), -wad(3))
    spent = shell.run("order", "settle", ask, bid, "--send", by=alice)
    assert_refused(spent, f"{ask}: nothing remains of it, it was filled or cancelled")
    done_already = shell.run("order", "cancel", ask, "--send", by=bob)
    assert_refused(done_already, f"{ask} is filled already")


@pytest.mark.usefixtures("funded")
@pytest.mark.parametrize("send", [[], ["--send"]], ids=["dry", "send"])
def test_refused_in_words(
    send: list[str], shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    now = chain.blocks.head.timestamp
    ask, bid = book.write("ask", bob, "-3"), book.write("bid", alice, "3")
    low, poor = book.write("low", alice, "1", "49.5"), book.write("poor", venue.trader("poor"), "1")
    late = book.write("late", alice, "1", expiry=now - 1)
    closing = book.write("closing", alice, "1", reduce_only=True)
    forged = book.write("forged", alice, "1")
    document = json.loads(forged.read_text())
    forged.write_text(json.dumps(document | {"contracts": "2"}))
    before = nonce(venue, alice)
    for maker, taker, more, words in (
        (ask, bid, ["--contracts", "3.1"], f"{ask}: 3.1 contracts are asked for where 3 remain: lower"),
        (ask, low, [], f"{ask} with {low}: the prices do not meet: the maker's is 50, the taker's 49.5"),
        (ask, ask, [], f"{ask} with {ask}: both orders are of one account"),
        (bid, low, [], f"{bid} with {low}: both orders are of one account"),
        (ask, poor, [], f"{poor}: the equity would be 0 and the initial margin 5: deposit more, or trade less"),
        (ask, late, [], f"{late}: the order expired at {now - 1}: make a new one"),
        (ask, closing, [], f"{closing}: a reduce-only order would change a position of 0 by 1"),
        (ask, forged, [], f"{forged}: the signature is not of the account's owner: sign the order again"),
    ):
        result = shell.run("order", "settle", maker, taker, *more, *send, by=alice)
        assert_refused(result, words)
    assert nonce(venue, alice) == before
    venue.send(bob, venue.system.exchange, CANCEL_ALL.encode())
    result = shell.run("order", "settle", ask, bid, *send, by=alice)
    assert_refused(result, f"{ask}: the order is of epoch 0, which its owner cancelled; 1 is current")


@pytest.mark.usefixtures("funded")
def test_what_makes_no_pair(shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount) -> None:
    ask, bid = book.write("ask", bob, "-3"), book.write("bid", alice, "3")
    assert_refused(shell.run("order", "settle", ask, by=alice), "1 orders make no pairs: give MAKER TAKER")
    assert_refused(shell.run("order", "settle", ask, bid, ask), "3 orders make no pairs")
    assert_refused(shell.run("order", "settle", ask, bid, "--send"), "no signing key")
    assert_refused(shell.run("order", "settle", ask, bid, "--contracts", "0"), '"0" is not above zero')
    usage = shell.run("order", "settle")
    assert (usage.status, usage.err.splitlines()[-1][:7]) == (2, "error: ")
    document = json.loads(bid.read_text())
    del document["signature"]
    bid.write_text(json.dumps(document))
    assert_refused(shell.run("order", "settle", ask, bid), f"{bid} is not signed: backstop order sign {bid}")
    bid.write_text(json.dumps(document | {"chainId": 1}))
    assert_refused(shell.run("order", "settle", ask, bid), f"{bid} is for the exchange")


@pytest.mark.usefixtures("funded")
def test_signature_of_a_contract_wallet(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], owner: Any, alice: LocalAccount, bob: LocalAccount
) -> None:
    """A wallet's key is not its owner, so `sign` refuses it; a signature that is written into the file is good."""
    wallet = owner.deploy(project.MockWallet, alice.address)
    market, request = markets["SOL-USD"], venue.endpoint.request
    venue.system.token.mint(wallet, tokens(100), sender=owner)
    request("anvil_impersonateAccount", wallet.address)
    request("anvil_setBalance", wallet.address, hex(10**18))
    exchange, token = venue.system.exchange, venue.system.token
    for to, data in (
        (token, APPROVE.encode(exchange.address, tokens(100))),
        (exchange, DEPOSIT.encode(isolated_sub_id(market.id), tokens(100))),
    ):
        request("eth_sendTransaction", {"from": wallet.address, "to": to.address, "data": "0x" + data.hex()})
    bid = shell.folder / "wallet.json"
    terms = ("--market", "SOL-USD", "--side", "buy", "--contracts", "2", "--price", "50")
    assert shell.run("order", "new", *terms, "--owner", wallet.address, "-o", bid).status == 0
    assert_refused(shell.run("order", "sign", bid, by=alice), "give its owner's key")
    item = load(bid)
    signature = "0x" + sign(item.order, item.domain, alice).hex()
    bid.write_text(json.dumps(json.loads(bid.read_text()) | {"signature": signature}))
    ask = Book(shell, venue).write("ask", bob, "-2")
    done(shell.run("order", "settle", ask, bid, "--send", by=bob))
    (account,) = done(shell.run("account", account_text(item.order.account), "--json")).document
    assert account["positions"][0]["contracts"] == "2"


# ------------------------------------------------------------------ many pairs


@pytest.mark.usefixtures("funded")
def test_bad_pair_is_told_and_the_others_are_settled(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    """One ask of 3 meets a bid of 1, one whose price is too low, and one of 5."""
    ask = book.write("ask", bob, "-3")
    bids = [book.write("one", alice, "1"), book.write("low", alice, "1", "49"), book.write("five", alice, "5")]
    line = ("order", "settle", *(file for bid in bids for file in (ask, bid)))
    before = nonce(venue, alice)
    dry = shell.run(*line)
    assert (dry.status, dry.err) == (1, "")
    assert "  refused: the prices do not meet: the maker's is 50, the taker's 49 [PriceNotCrossed(" in dry.out
    assert "settle 1 SOL-USD at 50" in dry.out
    assert "Nothing is sent" in dry.out
    assert (nonce(venue, alice), size(venue, alice)) == (before, 0)

    sent = shell.process(*line, "--send", "--json", by=alice)
    assert (sent.status, sent.err) == (1, "")
    assert (sent.document["action"], sent.document["sent"]) == ("settleBatch", True)
    assert [pair["refused"] is None for pair in sent.document["pairs"]] == [True, False, True]
    assert "the prices do not meet" in sent.document["pairs"][1]["refused"]
    assert [pair["contracts"] for pair in sent.document["pairs"]] == ["1", "1", "1"]
    assert size(venue, alice) == wad(2)
    rest = shell.run("order", "settle", ask, bids[2], ask, bids[0], "--send", "--json", by=alice)
    assert [pair["contracts"] for pair in rest.document["pairs"]] == ["1", "1"]
    assert "all 3 contracts of the order are filled" in rest.document["pairs"][1]["refused"]
    assert (rest.status, size(venue, alice)) == (1, wad(3))


@pytest.mark.usefixtures("funded")
def test_batch_of_good_pairs_ends_with_status_0(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    files = [
        book.write(f"{kind}{place}", who, contracts)
        for place in range(6)
        for kind, who, contracts in (("ask", bob, "-1"), ("bid", alice, "1"))
    ]
    shown = done(shell.run("order", "settle", *files, "--send", by=bob)).out
    assert shown.count("settle 1 SOL-USD at 50") == 6
    assert "refused" not in shown
    assert size(venue, alice) == wad(6)


@pytest.mark.usefixtures("funded")
def test_batch_gets_the_gas_that_an_estimate_denies_it(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    """A pair that runs out of gas is refused and the batch succeeds without it: the least gas settles too few."""
    files = [book.write("ask0", bob, "-1"), book.write("bid0", alice, "1")]
    files += [book.write("ask1", bob, "-1"), book.write("bid1", alice, "1")]
    client = Client(venue.endpoint, venue.deployment)
    sender = Sender(venue.endpoint, alice, chain.chain_id)
    pairs = make_pairs(client, [load(file) for file in files], None)
    plan = plan_settlement(client, sender, pairs)
    assert plan.step.gas_limit is not None
    call = {"from": alice.address, "to": venue.system.exchange.address, "data": "0x" + plan.step.data.hex()}

    def settled(gas: int) -> int:
        return venue.endpoint.quantity("eth_call", call | {"gas": hex(gas)}, "latest")

    estimate = sender.simulate(plan.step.to, plan.step.data)
    assert SETTLE_BATCH.selector == plan.step.data[:4]
    assert settled(plan.step.gas_limit) == 2
    assert settled(estimate) < 2


@pytest.mark.usefixtures("funded")
def test_gas_limit_of_a_batch_is_that_of_its_costliest_pair_for_each(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    """So a pair that burns its share leaves the others enough. It is a limit, and no word on what will be used."""
    carol = venue.trader("carol with nothing yet")
    venue.deposit(carol, venue.markets["SOL-USD"], 1000)
    done(shell.run("order", "settle", book.write("ask", bob, "-1"), book.write("bid", alice, "1"), "--send", by=bob))
    cheap = book.write("ask1", bob, "-1"), book.write("bid1", alice, "1")
    costly = book.write("ask2", bob, "-1"), book.write("bid2", carol, "1")
    alone = [done(shell.run("order", "settle", *pair, "--json")).document["steps"][0] for pair in (cheap, costly)]
    assert [step["gasLimit"] for step in alone] == [None, None]
    assert alone[0]["gas"] < alone[1]["gas"]
    dry = done(shell.run("order", "settle", *cheap, *costly, "--json")).document["steps"][0]
    limit = 2 * alone[1]["gas"] * 5 // 4
    assert (dry["gas"], dry["gasLimit"]) == (None, pytest.approx(limit, abs=200))  # by who asks, a few bytes differ
    shown = done(shell.run("order", "settle", *cheap, *costly)).out
    assert "  settleBatch: would be sent with a gas limit of " in shown
    sent = done(shell.run("order", "settle", *cheap, *costly, "--send", "--json", by=alice)).document["steps"][0]
    receipt = venue.endpoint.request("eth_getTransactionReceipt", sent["transaction"])
    assert sent["gas"] == int(receipt["gasUsed"], 16) < sent["gasLimit"]


@pytest.mark.usefixtures("funded")
def test_batch_of_which_nothing_would_be_settled_is_not_sent(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    ask, bid = book.write("ask", bob, "-3"), book.write("bid", alice, "3")
    done(shell.run("order", "cancel", ask, "--send", by=bob))
    before = nonce(venue, alice)
    result = shell.run("order", "settle", ask, bid, bid, bid, "--send", "--json", by=alice)
    assert (result.status, result.document["sent"], result.document["steps"]) == (1, False, [])
    reasons = [pair["refused"] for pair in result.document["pairs"]]
    assert f"{ask}: the order was cancelled: make a new one" in reasons[0]
    assert "both orders are of one account" in reasons[1]
    assert nonce(venue, alice) == before


@pytest.mark.usefixtures("funded")
def test_pair_that_lives_on_the_one_before(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    """A reduce-only order closes what the first pair opens; by itself it would be refused."""
    ask, bid = book.write("ask", bob, "-2"), book.write("bid", alice, "2")
    back, close = book.write("back", bob, "2"), book.write("close", alice, "-2", reduce_only=True)
    result = done(shell.run("order", "settle", ask, bid, back, close, "--send", "--json", by=alice))
    assert [pair["refused"] for pair in result.document["pairs"]] == [None, None]
    assert size(venue, alice) == 0
    bid2 = book.write("bid2", alice, "2")
    swapped = shell.run("order", "settle", back, close, ask, bid2)
    assert swapped.status == 1


# ------------------------------------------------------------------ refusals of many


@pytest.mark.usefixtures("funded")
def test_pair_given_twice_has_one_clear_reason(
    shell: Shell, venue: Venue, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    ask, bid = book.write("ask", bob, "-3"), book.write("bid", alice, "2")
    result = shell.run("order", "settle", ask, bid, ask, bid)
    assert result.status == 1
    words = f"  refused: {bid}: 2 contracts are asked for where the pairs before it leave 0 of 2\n"
    sent = shell.run("order", "settle", ask, bid, ask, bid, "--send", by=alice)
    for told in (result, sent):
        assert told.out.count("refused") == 1
        assert words in told.out
    assert size(venue, alice) == wad(2)


@pytest.mark.usefixtures("funded")
def test_pair_that_only_those_before_it_spoil(
    shell: Shell, book: Book, venue: Venue, alice: LocalAccount, bob: LocalAccount
) -> None:
    """Each is within alice's margin of 1,000 at 10x, both are not."""
    asks = [book.write(f"ask{place}", bob, "-150") for place in range(2)]
    bids = [book.write(f"bid{place}", alice, "150") for place in range(2)]
    result = shell.run("order", "settle", asks[0], bids[0], asks[1], bids[1])
    assert result.out.count("refused") == 1
    assert (
        "  refused: it would be settled by itself, but not after the pairs before it: settle it apart\n" in result.out
    )


@pytest.mark.usefixtures("funded")
def test_more_than_remains_names_the_order_with_the_least(
    shell: Shell, book: Book, venue: Venue, alice: LocalAccount, bob: LocalAccount
) -> None:
    ask, bid = book.write("ask", bob, "-27.5"), book.write("bid", alice, "20")
    for send in ([], ["--send"]):
        result = shell.run("order", "settle", ask, bid, "--contracts", "40", *send, by=alice)
        assert_refused(result, f"error: {bid}: 40 contracts are asked for where 20 remain: lower --contracts\n")
    other = book.write("other", alice, "1")
    many = shell.run("order", "settle", ask, bid, ask, other, "--contracts", "25", "--send", "--json", by=alice)
    assert [pair["refused"] for pair in many.document["pairs"]] == [
        f"{one}: 25 contracts are asked for where {left} remain: lower --contracts"
        for one, left in ((bid, 20), (other, 1))
    ]


@pytest.mark.usefixtures("funded")
def test_nothing_was_sent_is_not_blamed_on_a_missing_option(
    shell: Shell, book: Book, alice: LocalAccount, bob: LocalAccount
) -> None:
    ask, low, lower = (book.write(*one) for one in (("a", bob, "-3"), ("b", alice, "1", "9"), ("c", alice, "1", "8")))
    sent = shell.run("order", "settle", ask, low, ask, lower, "--send", by=alice)
    assert (sent.status, sent.out.splitlines()[-1]) == (1, "Nothing was sent: every pair is refused.")
    dry = shell.run("order", "settle", ask, low, ask, lower)
    assert (dry.status, dry.out.splitlines()[-1]) == (1, "Nothing would be sent: every pair is refused.")
