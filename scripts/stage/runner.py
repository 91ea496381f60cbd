"""Sends the steps of a deployment one by one, each once: what is done on the chain is not done again.

The chain's state says whether a step is done; the journal says what was sent for one that is not. A step is written
down before its transaction is sent and after it was mined, so a run may end anywhere and be resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ape import chain, networks
from ape.contracts import ContractInstance
from ape.logging import LogLevel, logger
from ape.types import AddressType
from eth_utils.crypto import keccak

from backstop.chain.endpoint import Endpoint
from backstop.deployment.code import created_by, immutable_places, is_code_of, moved
from backstop.deployment.journal import Attempt, Journal, Sent
from backstop.deployment.plan import ANYONE
from backstop.errors import DeployError, NodeError, RpcError

PATIENCE = 900.0  # seconds that a transaction may take to be mined
REPLACE_AFTER = 90.0  # seconds after which it offers more, an eighth each time
SETTLED = 30.0  # seconds that a node may lag behind the one that had the receipt
_RAISE = (9, 8)


class Runner:
    """An account that deploys. `tell` hears a line for each step that is sent, or found done."""

    def __init__(
        self,
        account: Any,
        endpoint: Endpoint,
        journal: Journal,
        tell: Callable[[str], None] = lambda _: None,
        *,
        patience: float = PATIENCE,
        replace_after: float = REPLACE_AFTER,
    ) -> None:
        self.account = account
        self.endpoint = endpoint
        self.journal = journal
        self.arguments: dict[str, str] = {}  # of the constructors, by step, encoded
        self._built: dict[bytes, tuple[str, bytes]] = {}  # by creation code
        self._begun = time.monotonic()
        self._finished: dict[int, float] = {}  # when a step of this run was seen done, by its nonce
        self._tell = tell
        self._patience = patience
        self._replace_after = replace_after
        self._local = networks.provider.network.is_dev
        self._pause = 0.01 if self._local else 1.0

    def deploy(self, key: str, container: Any, *arguments: Any) -> ContractInstance:
        """The contract of a step, which is deployed where it does not stand yet."""
        creation = bytes(container(*arguments).data)
        self.arguments[key] = "0x" + creation[len(container.contract_type.get_deployment_bytecode()) :].hex()

        def stands() -> bool:
            step = self.journal.steps.get(key)
            return step is not None and step.address is not None and self.is_built(container, arguments, step.address)

        self._perform(key, None, lambda: creation, stands)
        address = AddressType(str(self.journal.steps[key].address))
        return self.instance(container, address)

    def instance(self, container: Any, address: str) -> ContractInstance:
        """Ape's instance of a contract, without asking anybody what it may be."""
        if self._local:
            chain.contracts[AddressType(address)] = container.contract_type
        return ContractInstance(AddressType(address), container.contract_type)

    def act(self, name: str, holds: Callable[[], bool], method: Any, *arguments: Any) -> None:
        """Calls a method unless what it brings about holds already."""
        self._perform(name, method.contract.address, lambda: bytes(method.encode_input(*arguments)), holds)

    def mined(self) -> dict[str, str]:
        """The transaction that did each step."""
        found: dict[str, str] = {}
        for name, step in self.journal.steps.items():
            for attempt in step.transactions:
                if self.endpoint.request("eth_getTransactionReceipt", attempt.hash) is not None:
                    found[name] = attempt.hash
        return found

    def code(self, address: str) -> bytes:
        """The code at an address; empty where there is none."""
        return bytes.fromhex((self.endpoint.request("eth_getCode", address, "latest") or "0x")[2:])

    def is_built(self, container: Any, arguments: Sequence[Any], address: str) -> bool:
        """Whether there stands exactly what the constructor leaves there with these arguments, immutables and all."""
        template = bytes(container.contract_type.get_runtime_bytecode())
        code = self.code(address)
        if not is_code_of(template, code) or not immutable_places(template):
            return is_code_of(template, code)
        sample, built = self._constructed(bytes(container(*arguments).data))
        return code == moved(template, built, sample, address, self.journal.header.chain_id)

    def _constructed(self, creation: bytes) -> tuple[str, bytes]:
        """Where creation code would leave code now, and which. Raises RevertError where its constructor reverts.

        The zero address would be the sender: nobody has its key, and on a chain that sends from it its nonce counts.
        """
        if creation not in self._built:
            nonce = self.endpoint.quantity("eth_getTransactionCount", ANYONE, "latest")
            request = {"from": ANYONE, "data": "0x" + creation.hex()}
            code = bytes.fromhex((self.endpoint.request("eth_call", request, "latest") or "0x")[2:])
            self._built[creation] = (created_by(ANYONE, nonce), code)
        return self._built[creation]

    def _perform(self, name: str, to: str | None, data: Callable[[], bytes], holds: Callable[[], bool]) -> None:
        step = self.journal.steps.get(name)
        if holds():
            if step is not None and not step.done:
                self._finish(step)
                self._tell(f"{name}: was mined")
            return
        if step is not None and step.done:
            if self._gone(step, holds):
                # A reorganisation took it back, or this is the chain from which another was forked to try it.
                step.done = False
                self.journal.write()
                self._tell(f"{name}: was taken back")
            elif holds():
                return  # the node lagged behind
        if step is not None and not step.done and not _is_for(step, to, data()):
            step = None  # what it was sent for has another address meanwhile
        if step is not None and not step.done and self._mined(name, step, to, data):
            self._await(name, holds)
            self._finish(step)
            self._tell(f"{name}: was mined")
            return
        # Nothing of it was mined, or what it did is done no longer.
        nonce = self._next_nonce()
        address = None if to is not None else created_by(self.account.address, nonce)
        step = Sent(nonce, address)
        self._sign(name, step, to, data())
        self.journal.steps[name] = step
        self.journal.write()
        self._broadcast(step)
        if not self._mined(name, step, to, data):
            raise DeployError(
                f"{name}: transaction {step.transactions[-1].hash} failed or another took its nonce {nonce}; "
                "find out why and run the same command again"
            )
        self._await(name, holds)
        self._finish(step)
        self._tell(name if step.address is None else f"{name}: {step.address}")

    def _finish(self, step: Sent) -> None:
        step.done = True
        self._finished[step.nonce] = time.monotonic()
        self.journal.write()

    def _gone(self, step: Sent, holds: Callable[[], bool] = lambda: False) -> bool:
        """Whether no transaction of a step that was done is mined any more, once no node's lag explains it."""
        while self._status(step) is None and not holds():
            if time.monotonic() > self._finished.get(step.nonce, self._begun) + SETTLED:
                return True
            time.sleep(self._pause)
        return False

    def _await(self, name: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLED
        while not holds():
            if time.monotonic() > deadline:
                raise DeployError(f"{name} was mined, and the chain does not show what it should have done")
            time.sleep(self._pause)

    def _mined(self, name: str, step: Sent, to: str | None, data: Callable[[], bytes]) -> bool:
        """Whether one of a step's transactions was mined and succeeded; False once none can be mined any more."""
        deadline = time.monotonic() + self._patience
        replace_at = time.monotonic() + self._replace_after
        sent_again = False
        while True:
            if (status := self._status(step)) is not None:
                return status
            if self._nonce("latest") > step.nonce:
                return bool(self._late_status(step))
            if not sent_again:
                self._broadcast(step)  # the one before may never have left this machine
                sent_again = True
            now = time.monotonic()
            if now > deadline:
                raise DeployError(
                    f"{name}: transaction {step.transactions[-1].hash} was not mined in {self._patience:g} s; "
                    "run the same command again to go on waiting for it"
                )
            if now > replace_at:
                self._sign(name, step, to, data())
                self.journal.write()
                self._broadcast(step)
                self._tell(f"{name}: offers more")
                replace_at = now + self._replace_after
            time.sleep(self._pause)

    def _status(self, step: Sent) -> bool | None:
        for attempt in step.transactions:
            receipt = self.endpoint.request("eth_getTransactionReceipt", attempt.hash)
            if receipt is not None:
                return int(receipt["status"], 16) == 1
        return None

    def _late_status(self, step: Sent) -> bool | None:
        """The same of a nonce that is taken: a node may know that before it has the receipt."""
        deadline = time.monotonic() + SETTLED
        while (status := self._status(step)) is None and time.monotonic() < deadline:
            time.sleep(self._pause)
        return status

    def _broadcast(self, step: Sent) -> None:
        """Whatever a node says of a transaction that it may have already is found out by its receipt."""
        try:
            self.endpoint.request("eth_sendRawTransaction", step.transactions[-1].raw)
        except NodeError as refusal:
            words = str(refusal).lower()
            if not any(known in words for known in ("already", "nonce too low", "underpriced")):
                raise

    def _sign(self, name: str, step: Sent, to: str | None, data: bytes) -> None:
        request = {"from": self.account.address, "data": "0x" + data.hex()} | ({"to": to} if to is not None else {})
        try:
            gas = self.endpoint.quantity("eth_estimateGas", request) * 5 // 4
        except RpcError as refusal:
            raise DeployError(f"{name}: {refusal}") from None
        tip = self.endpoint.quantity("eth_maxPriorityFeePerGas")
        block = self.endpoint.request("eth_getBlockByNumber", "latest", False)
        most = 2 * int(block["baseFeePerGas"], 16) + tip
        raises = len(step.transactions)
        up, down = _RAISE[0] ** raises, _RAISE[1] ** raises
        limit = int(block["gasLimit"], 16)
        transaction = networks.provider.network.ecosystem.create_transaction(
            type=2,
            chainId=self.journal.header.chain_id,
            nonce=step.nonce,
            receiver=to,
            data=data,
            gas=min(gas, limit),
            maxFeePerGas=-(-most * up // down),
            maxPriorityFeePerGas=-(-tip * up // down),
            value=0,
        )
        transaction.sender = self.account.address
        with logger.at_level(LogLevel.ERROR):  # ape warns of every signature that asks no passphrase
            signed = self.account.sign_transaction(transaction)
        if signed is None:
            raise DeployError(f"{name}: not signed, nothing sent")
        raw = bytes(signed.serialize_transaction())
        step.transactions.append(Attempt("0x" + keccak(raw).hex(), "0x" + raw.hex()))

    def _next_nonce(self) -> int:
        mined, waiting = self._nonce("latest"), self._nonce("pending")
        if waiting > mined:
            raise DeployError(
                f"{self.account.address} has {waiting - mined} transactions of its own waiting: let them be mined first"
            )
        # A node that lags does not know of the last step yet; one that was taken back has left its nonce free.
        ahead = [step for step in self.journal.steps.values() if step.done and step.nonce >= mined]
        return max([mined, *(step.nonce + 1 for step in ahead if not self._gone(step))])

    def _nonce(self, block: str) -> int:
        return self.endpoint.quantity("eth_getTransactionCount", self.account.address, block)


def _is_for(step: Sent, to: str | None, data: bytes) -> bool:
    """Whether what was signed for a step calls this address, or creates, with this data."""
    import rlp

    signed = [rlp.decode(bytes.fromhex(attempt.raw[4:])) for attempt in step.transactions]
    receiver = b"" if to is None else bytes.fromhex(to[2:])
    return all((fields[5], fields[7]) == (receiver, data) for fields in signed)
