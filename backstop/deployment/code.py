"""Runtime code against what the compiler made: the same but for the immutables, whose places it leaves zero."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak

_PUSH1, _PUSH32, _INVALID = 0x60, 0x7F, 0xFE
_WORD = 32


@lru_cache(maxsize=64)
def immutable_places(template: bytes) -> tuple[int, ...]:
    """Where immutables go in the compiler's runtime code: the operands of every PUSH32 of zero.

    The compiler writes the constant zero as PUSH0, so no other PUSH32 has that operand; a test holds this against the
    compiler's own references. The code ends at the first INVALID, which the compiler puts before the code of contracts
    that it creates and before the metadata: there zeros are zeros.
    """
    places: list[int] = []
    at = 0
    while at < len(template) and template[at] != _INVALID:
        width = template[at] - _PUSH1 + 1 if _PUSH1 <= template[at] <= _PUSH32 else 0
        if width == _WORD and at + _WORD < len(template) and not any(template[at + 1 : at + 1 + _WORD]):
            places.append(at + 1)
        at += 1 + width
    return tuple(places)


def is_code_of(template: bytes, code: bytes) -> bool:
    """Whether code on a chain is the compiler's with immutables filled in."""
    if len(code) != len(template) or not template:
        return False
    masked = bytearray(code)
    for place in immutable_places(template):
        masked[place : place + _WORD] = bytes(_WORD)
    return bytes(masked) == template


def abi_hash(abi: list[dict[str, Any]]) -> str:
    """The keccak-256 of an ABI as canonical JSON: keys sorted, entries sorted, no spaces."""
    entries = sorted(json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in abi)
    return "0x" + keccak(text=f"[{','.join(entries)}]").hex()


def hash_of(code: bytes) -> str:
    """The keccak-256, as records have it."""
    return "0x" + keccak(code).hex()
