"""Ape as fast as some ten thousand reads and transactions want it.

For each view ape looks the code up, builds and validates a transaction and resolves its settings, which takes ten
times as long as the chain does: here a view is one raw request. One with options, and one that is refused, goes
ape's own way, so errors stay ape's. And Anvil keeps only what is read.
"""

from __future__ import annotations

from typing import Any

from ape.contracts.base import ContractCall, ContractCallHandler
from eth_pydantic_types import HexBytes

from scripts.stage import lean_anvil
from tests.support.acting import RefusedError, rpc

_call_by_ape = ContractCall.__call__


def _call(call: ContractCall, *arguments: Any, **options: Any) -> Any:
    if options:
        return _call_by_ape(call, *arguments, **options)
    ecosystem = call.provider.network.ecosystem
    data = ecosystem.get_method_selector(call.abi) + ecosystem.encode_calldata(call.abi, *arguments)
    try:
        answer = rpc("eth_call", {"to": call.address, "data": "0x" + bytes(data).hex()}, "latest")
    except RefusedError:
        return _call_by_ape(call, *arguments)
    return call._decode_returndata(HexBytes(answer))


def install() -> None:
    """From now on ape in this process works this way."""
    ContractCall.__call__ = _call  # type: ignore[method-assign]
    ContractCallHandler._validate_is_contract = lambda _: None  # type: ignore[method-assign]
    lean_anvil.install()
