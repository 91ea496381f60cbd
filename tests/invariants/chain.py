"""Where a sequence runs: what the machine asks of a chain, and the answer of pyrevm, an EVM in this process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

CHAIN_ID = 31337
FIRST_BLOCK = 1000
GAS = 30_000_000
GAS_OF_VIEWS = 5 * 10**9  # so that one that never ends, in a contract with a fault, does
CODE_LIMIT = 1 << 17  # contracts with a seeded bug are not optimized; Anvil sees to the real limit

_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")


@dataclass(frozen=True, slots=True)
class Log:
    """An event: its topics and its data."""

    address: str
    topics: list[bytes]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a transaction ended. `output` is revert data where it failed, `halt` why it did not even revert."""

    ok: bool
    output: bytes
    logs: list[Log]
    halt: str = ""


class Chain(Protocol):
    """Blocks with one transaction each."""

    def send(self, sender: str, to: str, data: bytes, timestamp: int) -> Receipt:
        """A transaction, alone in the next block, at that time."""

    def view(self, to: str, data: bytes, timestamp: int | None = None) -> bytes:
        """What a view returns, in the present block or as if the next one were at `timestamp`."""

    def storage(self, of: str, slot: int) -> int:
        """A word of a contract's storage."""


class DeployingChain(Chain, Protocol):
    """One that sequences start from again and again."""

    def deploy(self, sender: str, code: bytes) -> str:
        """The address of a new contract."""

    def mark(self) -> None:
        """This is the state that `rewind` brings back."""

    def rewind(self) -> None:
        """Back to the marked state."""


class PyrevmChain:
    """A fresh EVM. `mark` and `rewind` bring back one state, so a deployment serves many sequences."""

    def __init__(self) -> None:
        import pyrevm  # here, since there is no wheel for every platform

        self._pyrevm = pyrevm
        environment = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID, limit_contract_code_size=CODE_LIMIT))
        self._evm: Any = pyrevm.EVM(env=environment, spec_id="CANCUN")
        self._marked = self._number = FIRST_BLOCK
        self._checkpoint: Any = None

    def deploy(self, sender: str, code: bytes) -> str:
        """The address of a new contract."""
        return str(self._evm.deploy(sender, code))

    def mark(self) -> None:
        """This is the state that `rewind` brings back."""
        self._marked = self._number
        self._checkpoint = self._evm.snapshot()

    def rewind(self) -> None:
        """Back to the marked state."""
        self._evm.revert(self._checkpoint)
        self._checkpoint = self._evm.snapshot()
        self._number = self._marked

    def snapshot(self) -> tuple[Any, int]:
        """The present state, to which `restore` goes back once."""
        return self._evm.snapshot(), self._number

    def restore(self, state: tuple[Any, int]) -> None:
        """Back to a snapshot."""
        self._evm.revert(state[0])
        self._number = state[1]

    def send(self, sender: str, to: str, data: bytes, timestamp: int) -> Receipt:
        """See `Chain`."""
        self._number += 1
        self._at(self._number, timestamp)
        self._evm.reset_transient_storage()
        try:
            output = self._evm.message_call(sender, to, calldata=data, gas=GAS)
        except RuntimeError as fault:
            revert = _REVERT.fullmatch(str(fault))
            if revert is None:
                return Receipt(False, b"", [], str(fault))
            return Receipt(False, bytes.fromhex(revert[1]), [])
        return Receipt(True, output, [Log(log.address, *log.data) for log in self._evm.result.logs])

    def view(self, to: str, data: bytes, timestamp: int | None = None) -> bytes:
        """See `Chain`."""
        if timestamp is not None:
            self._at(self._number + 1, timestamp)
        return bytes(self._evm.message_call("0x" + "00" * 20, to, calldata=data, gas=GAS_OF_VIEWS, is_static=True))

    def storage(self, of: str, slot: int) -> int:
        """See `Chain`."""
        return int(self._evm.storage(of, slot))

    def code(self, of: str) -> bytes:
        """What stands at an address."""
        return bytes(self._evm.get_code(of) or b"")

    def put_code(self, of: str, code: bytes) -> None:
        """From now on this stands there, whatever snapshot is restored; its storage stays what it was."""
        held = self._evm.basic(of)
        self._evm.insert_account_info(of, self._pyrevm.AccountInfo(held.balance, held.nonce, code=code))

    def _at(self, number: int, timestamp: int) -> None:
        self._evm.set_block_env(self._pyrevm.BlockEnv(number=number, timestamp=timestamp))
