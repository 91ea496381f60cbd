"""A token that is honest but for one thing: before it first moves anything in a transaction it makes a call."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from tests.support.acting import rpc

MOVES = ("transfer(address,uint256)", "transferFrom(address,address,uint256)")
RESULT = (
    0xF00DF00D  # the slot that says whether the call was accepted (2) or refused (1); the next has what it returned
)


def hook(token: Any, target: Any, data: bytes) -> None:
    """From now on the token calls `target` with `data` before a transfer, as itself; balances are as they were."""
    honest = "0x" + keccak(text=f"the code of {token.address}")[-20:].hex()
    code = rpc("eth_getCode", token.address, "latest")
    rpc("anvil_setCode", honest, code)
    rpc("anvil_setCode", token.address, "0x" + hooked(honest, target.address, data).hex())


def outcome(token: Any) -> tuple[bool, bytes] | None:
    """Whether the call was accepted, and the first four bytes of its answer; None where no transfer came to it."""
    words = [rpc("eth_getStorageAt", token.address, hex(slot), "latest") for slot in (RESULT, RESULT + 1)]
    accepted, returned = (int(word, 16) for word in words)
    return (accepted == 2, returned.to_bytes(32, "big")[:4]) if accepted else None


def hooked(honest: str, target: str, data: bytes) -> bytes:
    """Code of the token, whose honest code is at another address.

    `if (moves && !tload(0)) { tstore(0, 1); note(target.call(data)); } honest.delegatecall(msg.data)`
    """
    first, second = (keccak(text=signature)[:4].hex() for signature in MOVES)
    head = f"5f3560e01c8063{first}149063{second}14175f5c1516" + "61{call:04x}57"
    forward = (
        "5b365f5f37"  # the whole of the calldata
        f"5f5f365f73{honest[2:]}5af4"  # delegatecall
        "3d5f5f3e"  # all that it returned
        "61{done:04x}573d5ffd"
        "5b3d5ff3"
    )
    call = (
        "5b60015f5d"
        f"61{len(data):04x}" + "61{data:04x}5f39"
        f"5f5f61{len(data):04x}5f5f73{target[2:]}5af1"
        f"60010163{RESULT:08x}55"
        "5f5f523d5f5f3e5f51"
        f"63{RESULT + 1:08x}55"
        "61{forward:04x}56"
    )
    zero = dict.fromkeys(("call", "done", "data", "forward"), 0)
    at = len(bytes.fromhex(head.format(**zero)))
    called = at + len(bytes.fromhex(forward.format(**zero)))
    places = {
        "forward": at,
        "done": called - 4,
        "call": called,
        "data": called + len(bytes.fromhex(call.format(**zero))),
    }
    return b"".join(bytes.fromhex(part.format(**places)) for part in (head, forward, call)) + data
