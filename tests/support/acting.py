"""Acting on the chain from any address: a call is mined at once, and gives what it emitted or why it was refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from ape import networks, project
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

GAS_LIMIT = 30_000_000
PANIC = keccak(text="Panic(uint256)")[:4]
OVERFLOW = 0x11


class RefusedError(Exception):
    """The contracts refused a transaction; `data` is what they reverted with."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data

    def __str__(self) -> str:
        return in_words(self.data)


@dataclass(frozen=True)
class Done:
    """A mined transaction; `logs` are (address, topics, data)."""

    transaction: str
    block: int
    timestamp: int
    gas_used: int
    logs: tuple[tuple[str, list[bytes], bytes], ...]


@cache
def _node(url: str) -> HTTPConnection:
    """A connection that stays open."""
    parts = urlsplit(url)
    return HTTPConnection(str(parts.hostname), parts.port)


def rpc(method: str, *params: Any) -> Any:
    """A raw request to ape's Anvil. Raises RefusedError where the answer carries revert data."""
    node = _node(str(networks.provider.http_uri))
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    node.request("POST", "/", request, {"Content-Type": "application/json"})
    response = json.loads(node.getresponse().read())
    if "error" in response:
        data = response["error"].get("data")
        if isinstance(data, str):
            raise RefusedError(bytes.fromhex(data[2:]))
        raise RuntimeError(f"{method}: {response['error']}")
    return response["result"]


def act(who: Any, method: Any, *arguments: Any, at: int | None = None, gas: int = GAS_LIMIT) -> Done:
    """Sends a call of a contract's method from `who`, signed or not, in a block of its own at timestamp `at`."""
    if at is not None:
        rpc("evm_setNextBlockTimestamp", at)
    sent = rpc("eth_sendTransaction", _transaction(who, method, arguments) | {"gas": hex(gas)})
    receipt = rpc("eth_getTransactionReceipt", sent)
    while receipt is None:  # Anvil mines at once, but may not have the receipt yet
        time.sleep(0.001)
        receipt = rpc("eth_getTransactionReceipt", sent)
    if int(receipt["status"], 16) != 1:
        output = rpc("debug_traceTransaction", sent, {"tracer": "callTracer"}).get("output", "0x")
        raise RefusedError(bytes.fromhex(output[2:]))
    return Done(
        transaction=sent,
        block=int(receipt["blockNumber"], 16),
        timestamp=int(receipt["blockTimestamp"]),
        gas_used=int(receipt["gasUsed"], 16),
        logs=tuple(
            (log["address"], [bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
            for log in receipt["logs"]
        ),
    )


def imagine(who: Any, method: Any, *arguments: Any, code: dict[Any, bytes] | None = None) -> str:
    """Runs a call without sending it, where `code` is given with that code at the addresses of some contracts."""
    overrides = {contract.address: {"code": "0x" + replaced.hex()} for contract, replaced in (code or {}).items()}
    result: str = rpc("eth_call", _transaction(who, method, arguments), "latest", overrides)
    return result


def imagine_deployment(container: Any, *arguments: Any) -> str:
    """Runs a constructor (`project.Exchange`) without deploying anything."""
    created = bytes(container.constructor.serialize_transaction(*arguments).data)
    result: str = rpc("eth_call", {"data": "0x" + created.hex()}, "latest")
    return result


def _transaction(who: Any, method: Any, arguments: tuple[Any, ...]) -> dict[str, str]:
    data = bytes(method.encode_input(*arguments))
    return {"from": who.address, "to": method.contract.address, "data": "0x" + data.hex()}


def now() -> int:
    """Timestamp of the latest block."""
    return int(rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def wait_until(timestamp: int) -> None:
    """Mines a block at a timestamp; what is read next is read at it."""
    rpc("evm_setNextBlockTimestamp", timestamp)
    rpc("evm_mine")


def later(seconds: int = 12) -> None:
    """Lets the clock go on."""
    wait_until(now() + seconds)


# ---------------------------------------------------------------------- what was emitted


def emitted(done: Done, event: Any) -> list[dict[str, Any]]:
    """The events of one kind (`exchange.Settled`) that its contract emitted, field by field; a struct is a dict too."""
    abi = event.abi
    topic = keccak(text=abi.selector)
    found = []
    for address, topics, data in done.logs:
        if address.lower() != event.contract.address.lower() or topics[0] != topic:
            continue
        indexed = iter(topics[1:])
        plain = [field for field in abi.inputs if not field.indexed]
        values = iter(decode([field.canonical_type for field in plain], data))
        found.append(
            {
                field.name: decode([field.canonical_type], next(indexed))[0]
                if field.indexed
                else _by_name(field, next(values))
                for field in abi.inputs
            }
        )
    return found


def _by_name(field: Any, value: Any) -> Any:
    if not field.components:
        return value
    return {part.name: _by_name(part, each) for part, each in zip(field.components, value, strict=True)}


# ---------------------------------------------------------------------- what was refused


@contextmanager
def refused(error: Any, **values: Any) -> Iterator[None]:
    """The block must be refused with this error (`exchange.OrderExpired`) and exactly these values, all named."""
    abi = error.abi
    if set(values) != {field.name for field in abi.inputs}:
        raise TypeError(f"{abi.selector} has the values {', '.join(field.name for field in abi.inputs)}")
    types = [field.canonical_type for field in abi.inputs]
    body = encode(types, [values[field.name] for field in abi.inputs])
    with _refused_with(keccak(text=abi.selector)[:4] + body):
        yield


@contextmanager
def refused_by_overflow() -> Iterator[None]:
    """The block must be refused by checked arithmetic."""
    with _refused_with(PANIC + encode(["uint256"], [OVERFLOW])):
        yield


@contextmanager
def refused_without_reason() -> Iterator[None]:
    """The block must be refused with no data at all."""
    with _refused_with(b""):
        yield


@contextmanager
def _refused_with(expected: bytes) -> Iterator[None]:
    try:
        yield
    except RefusedError as refusal:
        if refusal.data != expected:
            raise AssertionError(f"refused with {refusal}\n{in_words(expected)} was expected") from None
        return
    raise AssertionError(f"not refused; {in_words(expected)} was expected")


def in_words(data: bytes) -> str:
    """Revert data with the name of its error and the values."""
    if data[:4] == PANIC:
        return f"Panic(0x{int.from_bytes(data[4:], 'big'):02x})"
    for contract in (project.manifest.contract_types or {}).values():
        for error in contract.errors:
            if keccak(text=error.selector)[:4] == data[:4]:
                values = decode([field.canonical_type for field in error.inputs], data[4:])
                shown = (f"0x{value.hex()}" if isinstance(value, bytes) else str(value) for value in values)
                return f"{error.name}({', '.join(shown)})"
    return f"0x{data.hex()}" if data else "no data"
