"""Transactions of the keeper: what they cost, that they arrive, and what is said when they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from ape import chain
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.chain.bindings import TAKE_OVER
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_chain
from backstop.errors import FailedTransactionError, RevertError, RpcError, TransactionError
from backstop.keeper.cycle import Cycle
from backstop.keeper.duties import Deleverage, TakeOver
from backstop.math.funding import HOUR
from backstop.math.rolling_max import BUCKET_SECONDS
from backstop.transactions.sender import Sender
from scripts.stage.venue import TestMarket, Venue, rpc_url

from .command import backstop_inside, secret_of
from .nodes import error, node, result
from .taking import take_over


class Recorder(Endpoint):
    """An endpoint that notes raw transactions, and may do something before each."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.raw: list[str] = []
        self.before_sending: Any = None

    def request(self, method: str, *params: Any) -> Any:
        if method == "eth_sendRawTransaction":
            if self.before_sending is not None:
                self.before_sending()
            self.raw.append(params[0])
        return super().request(method, *params)


class Answering(Endpoint):
    """An endpoint that changes a node's answers to one method."""

    def __init__(self, url: str, method: str, change: Callable[[Any], Any]) -> None:
        super().__init__(url)
        self._method, self._change = method, change

    def request(self, method: str, *params: Any) -> Any:
        answer = super().request(method, *params)
        return self._change(answer) if method == self._method else answer


@pytest.fixture
def recorder() -> Recorder:
    """The keeper's endpoint."""
    return Recorder(rpc_url())


@pytest.fixture
def sender(recorder: Recorder, operator: LocalAccount) -> Sender:
    """The operator, who waits for half a second."""
    return Sender(recorder, operator, chain.chain_id, timeout=0.5)


@pytest.fixture
def no_mining(recorder: Recorder) -> Iterator[None]:
    """Transactions stay where they are."""
    recorder.request("evm_setAutomine", False)
    yield
    recorder.request("anvil_dropAllTransactions")
    recorder.request("evm_setAutomine", True)


def take_over_data(venue: Venue, market: TestMarket) -> tuple[str, bytes]:
    """The takeover that is due."""
    return venue.deployment.exchange, TAKE_OVER.encode(bytes.fromhex(venue.account_of(market, "icarus")[2:]))


def base_before(endpoint: Endpoint, block: int) -> int:
    """The base fee of the block before, which is the one that a sender saw."""
    return int(endpoint.request("eth_getBlockByNumber", hex(block - 1), False)["baseFeePerGas"], 16)


def test_transaction_is_signed_by_the_operator_for_this_chain(
    gapped: TestMarket, venue: Venue, sender: Sender, recorder: Recorder, operator: LocalAccount
) -> None:
    to, data = take_over_data(venue, gapped)
    estimate = sender.simulate(to, data)
    receipt = sender.send(to, data)
    sent = recorder.request("eth_getTransactionByHash", receipt.transaction)
    assert sent["from"] == operator.address.lower()
    assert Account.recover_transaction(recorder.raw[0]) == operator.address
    assert (sent["type"], int(sent["chainId"], 16), sent["value"]) == ("0x2", chain.chain_id, "0x0")
    assert (sent["to"], sent["input"]) == (to.lower(), "0x" + data.hex())
    assert int(sent["gas"], 16) == estimate + estimate // 5
    assert receipt.gas_used <= estimate
    # The base fee may double before it is mined.
    assert int(sent["maxFeePerGas"], 16) >= 2 * base_before(recorder, receipt.block)


@pytest.mark.parametrize(
    ("suggested", "tip"), [(10**11 - 1, 10**11 - 1), (10**11, 10**11), (10**11 + 1, 10**11), (10**18, 10**11)]
)
def test_the_tip_is_the_nodes_up_to_a_hundred_gwei(
    suggested: int, tip: int, gapped: TestMarket, venue: Venue, operator: LocalAccount
) -> None:
    endpoint = Answering(rpc_url(), "eth_maxPriorityFeePerGas", lambda _: hex(suggested))
    receipt = Sender(endpoint, operator, chain.chain_id).send(*take_over_data(venue, gapped))
    sent = endpoint.request("eth_getTransactionByHash", receipt.transaction)
    assert int(sent["maxPriorityFeePerGas"], 16) == tip
    assert int(sent["maxFeePerGas"], 16) - tip == 2 * base_before(endpoint, receipt.block)


def test_a_receipt_from_beyond_the_head_is_asked_for_again(
    gapped: TestMarket, venue: Venue, operator: LocalAccount
) -> None:
    """One absurd block number: the cycle goes on, and so does the next one."""
    absurd = iter([hex(2**40)])
    endpoint = Answering(
        rpc_url(),
        "eth_getTransactionReceipt",
        lambda receipt: receipt and receipt | {"blockNumber": next(absurd, receipt["blockNumber"])},
    )
    cycle = Cycle(endpoint, venue.deployment, Sender(endpoint, operator, chain.chain_id), send=True)
    actions = list(cycle.run(pytest.fail))
    assert [type(action.duty) for action in actions] == [TakeOver, Deleverage]
    assert actions[-1].block == endpoint.quantity("eth_blockNumber")
    assert list(cycle.run(pytest.fail)) == []


def test_a_receipt_that_stays_beyond_the_head_is_not_believed(
    gapped: TestMarket, venue: Venue, operator: LocalAccount
) -> None:
    lying = [True]
    endpoint = Answering(
        rpc_url(),
        "eth_getTransactionReceipt",
        lambda receipt: receipt and receipt | ({"blockNumber": hex(2**40)} if lying else {}),
    )
    sender = Sender(endpoint, operator, chain.chain_id, timeout=0.5)
    cycle = Cycle(endpoint, venue.deployment, sender, send=True)
    with pytest.raises(TransactionError, match="is not mined after 0 s"):
        list(cycle.run(pytest.fail))
    # The takeover was done all the same, and the keeper goes on where it was.
    lying.clear()
    assert [type(action.duty) for action in cycle.run(pytest.fail)] == [Deleverage]


def test_refusal_costs_nothing(
    gapped: TestMarket, venue: Venue, sender: Sender, recorder: Recorder, operator: LocalAccount
) -> None:
    take_over(venue, gapped)
    with pytest.raises(RevertError, match="PositionMissing"):
        sender.send(*take_over_data(venue, gapped))
    assert recorder.raw == []
    assert recorder.quantity("eth_getTransactionCount", operator.address, "pending") == 0


def test_transaction_that_fails_when_mined_is_told_with_its_reason(
    gapped: TestMarket, venue: Venue, sender: Sender, recorder: Recorder
) -> None:
    recorder.before_sending = lambda: take_over(venue, gapped)
    with pytest.raises(FailedTransactionError, match=r"^0x[0-9a-f]{64} failed in block \d+: PositionMissing\(0x"):
        sender.send(*take_over_data(venue, gapped))


def test_transaction_that_is_not_mined_is_not_sent_again(
    gapped: TestMarket, venue: Venue, sender: Sender, recorder: Recorder, no_mining: None
) -> None:
    with pytest.raises(TransactionError, match=r"is not mined after 0 s: look for it before sending again") as fault:
        sender.send(*take_over_data(venue, gapped))
    assert not isinstance(fault.value, FailedTransactionError)
    assert fault.value.exit_code == 1
    assert len(recorder.raw) == 1


def test_cycle_stops_where_a_transaction_is_pending(
    gapped: TestMarket, venue: Venue, sender: Sender, recorder: Recorder, no_mining: None
) -> None:
    """What it will change is not known: nothing else is sent on top of it."""
    with pytest.raises(TransactionError, match="is not mined"):
        list(Cycle(recorder, venue.deployment, sender, send=True).run(pytest.fail))
    assert len(recorder.raw) == 1


@pytest.mark.parametrize("duty", [TakeOver, Deleverage])
def test_gas_is_enough_where_a_bucket_ends_between_estimate_and_block(
    duty: type, gapped: TestMarket, venue: Venue, sender: Sender, recorder: Recorder
) -> None:
    """The first sample of a bucket writes more than those that follow: a fifth above the estimate covers it."""
    if duty is Deleverage:
        take_over(venue, gapped)
    edge = (chain.blocks.head.timestamp // BUCKET_SECONDS + 1) * BUCKET_SECONDS
    if edge % HOUR == 0:  # no round is planned across the end of an hour
        edge += BUCKET_SECONDS
    recorder.request("evm_setNextBlockTimestamp", edge - 1)
    recorder.request("evm_mine")

    def at_the_edge() -> None:
        recorder.before_sending = None
        recorder.request("evm_setNextBlockTimestamp", edge)

    recorder.before_sending = at_the_edge
    actions = list(Cycle(recorder, venue.deployment, sender, send=True).run(pytest.fail))
    assert type(actions[0].duty) is duty
    assert [action.refusal for action in actions] == [None] * len(actions)
    assert actions[0].receipt is not None
    block = recorder.request("eth_getBlockByNumber", hex(actions[0].receipt.block), False)
    assert int(block["timestamp"], 16) == edge
    assert read_chain(venue.endpoint, venue.deployment).snapshot.pools["eth"].inventory == ()


def test_chain_without_base_fee_is_refused(operator: LocalAccount) -> None:
    block = result({"number": "0x1", "hash": "0x" + "ab" * 32, "timestamp": "0x5"})
    answers = {
        "eth_estimateGas": result("0x5208"),
        "eth_getTransactionCount": result("0x0"),
        "eth_getBlockByNumber": block,
    }
    with node(lambda request: (200, answers.get(request["method"], error("no such method")))) as url:
        sender = Sender(Endpoint(url), operator, 31337)
        with pytest.raises(RpcError, match="gives no base fee: an EIP-1559 chain is needed"):
            sender.send("0x" + "11" * 20, b"")


def test_what_was_done_is_told_even_where_the_rest_fails(
    gapped: TestMarket, venue: Venue, operator: LocalAccount, deployment_file: Path
) -> None:
    """A node that dies in the middle of a cycle: the takeover is in the JSON, the fault on stderr, the status 2."""
    real = Endpoint(rpc_url())
    sent = []

    def answer(request: dict[str, Any]) -> tuple[int, bytes]:
        if sent and request["method"] == "eth_chainId":
            return 500, b"gone"
        sent.extend([1] * (request["method"] == "eth_sendRawTransaction"))
        try:
            return 200, result(real.request(request["method"], *request["params"]))
        except RpcError as fault:
            return 200, error(str(fault))

    with node(answer) as url:
        arguments = ("--rpc", url, "--deployment", deployment_file, "--json")
        done = backstop_inside("run", "--once", "--send", *arguments, key=secret_of(operator))
    assert done.status == 2
    (action,) = done.document
    assert (action["duty"], action["sent"]) == ("takeOver", True)
    assert f"no answer from {url} to " in done.err
    assert "HTTP status 500" in done.err
    assert done.err.count("\n") == 1
    assert len(read_chain(venue.endpoint, venue.deployment).snapshot.pools["eth"].inventory) == 1


def test_what_a_keeper_sends_stands_in_its_journal(
    gapped: TestMarket, venue: Venue, operator: LocalAccount, deployment_file: Path, tmp_path: Path
) -> None:
    """A dry run makes none."""
    journal = tmp_path / "journal.sqlite"
    run = ("run", "--once", "--rpc", rpc_url(), "--deployment", deployment_file, "--journal", journal, "--json")
    assert backstop_inside(*run).status == 0
    assert not journal.exists()
    done = backstop_inside(*run, "--send", key=secret_of(operator))
    assert (done.status, done.err) == (0, "")
    listed = backstop_inside("tx", "list", "--journal", journal, "--json").document
    assert [(one["transaction"], one["state"]) for one in listed] == [
        (action["transaction"], "mined") for action in done.document
    ]
    assert [one["name"] for one in listed] == [
        f"takeOver {venue.account_of(gapped, 'icarus')}",
        "deleverage ETH-USD long",
    ]


def test_silent_node_is_given_up(operator: LocalAccount) -> None:
    """A node that takes the request and never answers."""
    over = Event()

    def answer(_: dict[str, Any]) -> tuple[int, bytes]:
        over.wait(5)
        return 200, result("0x1")

    with node(answer) as url:
        with pytest.raises(RpcError, match=r"no answer from .* to eth_chainId: not within 0\.2 s"):
            Endpoint(url, timeout=0.2).quantity("eth_chainId")
        over.set()
