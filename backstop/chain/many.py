"""One view with many arguments, in few requests: by a reader that exists for the time of a call only.

Nodes let `eth_call` put code at an address. The code below calls the view once for each of the arguments and returns
all results in a row, which is far faster than as many calls. Where a node does not offer that, they go in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from backstop.chain.bindings import Function
from backstop.chain.endpoint import Endpoint
from backstop.errors import NodeError, RevertError, RpcError

PAGE = 1500  # results a call; about 10 million gas of the 50 million that nodes allow
_FEW = 10  # not worth a reader
_WORD = 32
_RESULTS = 512  # where in memory they begin; the calldata of a call stands before
# Nobody has code there: the address is the end of a hash.
_AT = "0x" + keccak(text="backstop reader")[-20:].hex()


# `c` is where the next arguments begin in calldata, `m` where their results go in memory; the stack is shown top last.
_READER = """
    selector 224 SHL 0 MSTORE
    32 memory
  next:
    CALLDATASIZE DUP3 LT call JUMPI
    memory DUP2 SUB memory RETURN
  call:
    arguments DUP3 4 CALLDATACOPY
    results DUP2 calldata 0 0 CALLDATALOAD GAS STATICCALL
    ISZERO failed JUMPI
    results RETURNDATASIZE EQ ISZERO failed JUMPI
    results ADD SWAP1 arguments ADD SWAP1
    next JUMP
  failed:
    0 0 REVERT
"""
_PUSH4 = b"\x63"
_OPCODES = {
    name: bytes([code])
    for name, code in (
        ("ADD", 0x01),
        ("SUB", 0x03),
        ("LT", 0x10),
        ("EQ", 0x14),
        ("ISZERO", 0x15),
        ("SHL", 0x1B),
        ("CALLDATALOAD", 0x35),
        ("CALLDATASIZE", 0x36),
        ("CALLDATACOPY", 0x37),
        ("RETURNDATASIZE", 0x3D),
        ("MSTORE", 0x52),
        ("JUMP", 0x56),
        ("JUMPI", 0x57),
        ("GAS", 0x5A),
        ("JUMPDEST", 0x5B),
        ("DUP2", 0x81),
        ("DUP3", 0x82),
        ("SWAP1", 0x90),
        ("RETURN", 0xF3),
        ("STATICCALL", 0xFA),
        ("REVERT", 0xFD),
    )
}


class View(NamedTuple):
    """A view of fixed size: `arguments` and `results` are how many words it takes and returns."""

    function: Function
    arguments: int
    results: int


def call_many(endpoint: Endpoint, to: str, view: View, arguments: Sequence[bytes], at: Any) -> list[tuple[int, ...]]:
    """What the view at `to` returns for each of the encoded arguments, as signed words; all at one block."""
    if len(arguments) > _FEW:
        read = _read_packed(endpoint, to, view, arguments, at)
        if read is not None:
            return read
    calls = [
        ("eth_call", ({"to": to, "data": "0x" + (view.function.selector + given).hex()}, at)) for given in arguments
    ]
    size = view.results * _WORD
    results = [_bytes_of(result) for result in endpoint.batch(calls)] if calls else []
    if any(len(result) != size for result in results):
        raise RpcError(f"{to} does not answer {view.function.signature}: is the deployment file of this chain?")
    return [_words(result) for result in results]


def _read_packed(
    endpoint: Endpoint, to: str, view: View, arguments: Sequence[bytes], at: Any
) -> list[tuple[int, ...]] | None:
    """The same by the reader; None where the node does not offer it."""
    override = {_AT: {"code": "0x" + reader(view).hex()}}
    target = bytes.fromhex(to[2:]).rjust(_WORD, b"\0")
    size = view.results * _WORD
    pages = [arguments[start : start + PAGE] for start in range(0, len(arguments), PAGE)]
    calls = [
        ("eth_call", ({"to": _AT, "data": "0x" + (target + b"".join(page)).hex()}, at, override)) for page in pages
    ]
    try:
        answers = [_bytes_of(answer) for answer in endpoint.batch(calls, size=4)]
    except (NodeError, RevertError):
        return None
    # A node that takes the third parameter for nothing calls an address without code.
    if [len(answer) for answer in answers] != [len(page) * size for page in pages]:
        return None
    return [_words(answer[at : at + size]) for answer in answers for at in range(0, len(answer), size)]


def reader(view: View) -> bytes:
    """The reader's code: its calldata is the view's address in a word, then the arguments of each call."""
    names = {
        "selector": int.from_bytes(view.function.selector, "big"),
        "arguments": view.arguments * _WORD,
        "calldata": 4 + view.arguments * _WORD,
        "results": view.results * _WORD,
        "memory": _RESULTS,
    }
    places: dict[str, int] = {}
    for _ in range(2):  # the second time all labels are known
        code = b""
        for word in _READER.split():
            if word.endswith(":"):
                places[word[:-1]] = len(code)
                code += _OPCODES["JUMPDEST"]
            elif word in _OPCODES:
                code += _OPCODES[word]
            else:  # a number, or the name of one
                value = names.get(word, places.get(word, 0)) if not word.isdigit() else int(word)
                code += _PUSH4 + value.to_bytes(4, "big")
    return code


def _bytes_of(result: Any) -> bytes:
    try:
        return bytes.fromhex(result[2:])
    except (TypeError, ValueError):
        raise RpcError("a node answers eth_call with something that is no data") from None


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[at : at + _WORD], "big", signed=True) for at in range(0, len(data), _WORD))
