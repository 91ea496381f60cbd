"""Recordings of what tests ask of a chain, for `tests/forge/Replay.t.sol`: a step a line, ABI-encoded, in hex."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import rlp
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.invariants.chain import GAS, GAS_OF_VIEWS, PyrevmChain, Receipt

if TYPE_CHECKING:
    from tests.invariants.compiler import Artefact

FOLDER = Path("build") / "coverage"
_STEP = "(uint8,address,address,uint256,uint256,uint256,uint256,bool,bytes32,bytes,string)"
_BUILT = Path(".build") / "__local__.json"
_NOWHERE = "0x" + "00" * 20


class Kind(IntEnum):
    """As in the contract."""

    SEND = 0
    VIEW = 1
    CREATE = 2
    MARK = 3
    REWIND = 4
    ETCH = 5
    STORE = 6


class Step(NamedTuple):
    """A line of a recording; the fields are explained in the contract."""

    kind: Kind
    sender: str = _NOWHERE
    to: str = _NOWHERE
    number: int = 0
    time: int = 0
    gas: int = 0
    value: int = 0
    is_accepted: bool = True
    answer: bytes = bytes(32)
    data: bytes = b""
    artifact: str = ""

    def line(self) -> str:
        """The step as the contract reads it."""
        return "0x" + encode([_STEP], [tuple(self)]).hex() + "\n"


def create(sender: str, at: str, nonce: int, number: int, time: int, code: bytes, known: Mapping[str, bytes]) -> Step:
    """A deployment; where the code begins like that of a known contract it is replaced by the one that forge has."""
    name = next((name for name, start in known.items() if code.startswith(start)), "")
    data = code[len(known[name]) :] if name else code
    answer = bytes(12) + bytes.fromhex(at[2:])
    return Step(
        Kind.CREATE,
        sender,
        _NOWHERE,
        number,
        time,
        nonce,
        0,
        at != _NOWHERE,
        answer,
        data,
        f"{_files()[name]}:{name}" if name else "",
    )


@cache
def _files() -> dict[str, str]:
    """The names of the files that the project's contracts are in."""
    contracts = json.loads(_BUILT.read_text(encoding="utf-8"))["contractTypes"]
    return {name: Path(contract.get("sourceId") or "").name for name, contract in contracts.items()}


def known_codes() -> dict[str, bytes]:
    """How the deployment of each of the project's contracts begins."""
    document = json.loads(_BUILT.read_text(encoding="utf-8"))
    codes = {
        name: contract.get("deploymentBytecode", {}).get("bytecode") or ""
        for name, contract in document["contractTypes"].items()
        if str(contract.get("sourceId", "")).startswith("contracts/")
    }
    return {name: bytes.fromhex(code[2:]) for name, code in codes.items() if len(code) > 2}


def nonce_of(sender: str, at: str) -> int:
    """The nonce with which a sender has deployed at an address."""
    wanted = bytes.fromhex(at[2:])
    for nonce in range(100_000):
        if keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:] == wanted:
            return nonce
    raise ValueError(f"{at} was not deployed by {sender}")


class RecordingChain(PyrevmChain):
    """A chain that writes down what it is asked; of views every `every`th."""

    def __init__(self, file: IO[str], artefacts: Mapping[str, Artefact], every: int) -> None:
        super().__init__()
        self._file = file
        self._every = every
        self._known = {name: artefact.bytecode for name, artefact in artefacts.items()}
        self._views = 0
        self._time = 1
        self._marks = 0

    def deploy(self, sender: str, code: bytes) -> str:
        """See `PyrevmChain`."""
        at = to_checksum_address(super().deploy(sender, code))
        self._write(create(sender, at, nonce_of(sender, at), self._number, self._time, code, self._known))
        return at

    def mark(self) -> None:
        """See `PyrevmChain`."""
        super().mark()
        self._write(Step(Kind.MARK, number=self._marks))

    def rewind(self) -> None:
        """See `PyrevmChain`; a state of forge's is used up by going back to it."""
        super().rewind()
        self._write(Step(Kind.REWIND, number=self._marks))
        self._marks += 1
        self._write(Step(Kind.MARK, number=self._marks))

    def send(self, sender: str, to: str, data: bytes, timestamp: int) -> Receipt:
        """See `PyrevmChain`."""
        receipt = super().send(sender, to, data, timestamp)
        self._time = timestamp
        answer = keccak(receipt.output) if not receipt.halt else bytes(32)
        self._write(Step(Kind.SEND, sender, to, self._number, timestamp, GAS, 0, receipt.ok, answer, data))
        return receipt

    def view(self, to: str, data: bytes, timestamp: int | None = None) -> bytes:
        """See `PyrevmChain`."""
        answer = super().view(to, data, timestamp)
        self._views += 1
        if self._views % self._every == 0:
            later = timestamp is not None
            number, time = self._number + later, timestamp if timestamp is not None else self._time
            self._write(Step(Kind.VIEW, _NOWHERE, to, number, time, GAS_OF_VIEWS, 0, True, keccak(answer), data))
        return answer

    def _write(self, step: Step) -> None:
        self._file.write(step.line())
