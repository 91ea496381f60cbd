"""Runtime code against what the compiler made: the same but for the immutables, whose places it leaves zero.

What stands in those places is what the constructor has put there: `moved` says it for any address, from the code that
the same constructor leaves at another one.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.types import Nonce
from web3.utils import get_create_address

_PUSH1, _PUSH32, _INVALID = 0x60, 0x7F, 0xFE
_WORD = 32
# `EIP712` of OpenZeppelin's, with the name and version of contracts/Exchange.sol and contracts/SettlementModule.sol.
_DOMAIN_TYPE = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_NAME, _VERSION = keccak(text="Backstop"), keccak(text="1")


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


def moved(template: bytes, code: bytes, here: str, there: str, chain_id: int) -> bytes:
    """What the constructor that leaves `code` at one address leaves at another.

    Of all that a constructor writes only two words come from the contract's own address: the address, and the
    separator of its EIP-712 domain.
    """
    found = bytearray(code)
    own = dict(zip(_own_words(here, chain_id), _own_words(there, chain_id), strict=True))
    for place in immutable_places(template):
        word = bytes(found[place : place + _WORD])
        found[place : place + _WORD] = own.get(word, word)
    return bytes(found)


def _own_words(address: str, chain_id: int) -> tuple[bytes, bytes]:
    """What immutables hold of a contract's own address: itself, and its EIP-712 domain separator."""
    types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    separator = keccak(encode(types, [_DOMAIN_TYPE, _NAME, _VERSION, chain_id, address]))
    return bytes(12) + bytes.fromhex(address[2:]), separator


def created_by(sender: str, nonce: int) -> str:
    """The address of the contract that a transaction with this nonce creates."""
    return str(get_create_address(to_checksum_address(sender), Nonce(nonce)))


def abi_hash(abi: list[dict[str, Any]]) -> str:
    """The keccak-256 of an ABI as canonical JSON: keys sorted, entries sorted, no spaces."""
    entries = sorted(json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in abi)
    return "0x" + keccak(text=f"[{','.join(entries)}]").hex()


def hash_of(code: bytes) -> str:
    """The keccak-256, as records have it."""
    return "0x" + keccak(code).hex()
