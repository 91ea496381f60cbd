"""Calls to `MathHarness`, thousands in one `eth_call`, with nothing but words in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backstop.chain.bindings import Function
from backstop.chain.endpoint import Endpoint

MANY = Function("many(bytes[])", "(bool,bytes)[]")
TOUCH = Function("touch(int256[])")
MAXIMA = Function("maxima(int256[])", "int256[]")
SORT = Function("sort(bytes32[],int256[],uint256)", "bytes32[]")

NO_SAMPLE = -(2**255)
_PAGE = 1000
_GAS = 10**12


def word(number: int) -> bytes:
    """A number as one word, negative ones in two's complement."""
    return (number % 2**256).to_bytes(32, "big")


@dataclass
class Harness:
    """The deployed harness."""

    endpoint: Endpoint
    address: str

    def ask(self, function: Function, cases: Sequence[tuple[int, ...]]) -> list[tuple[Any, ...] | None]:
        """What the function returns for each case; None where it reverts. All arguments are single words."""
        answers: list[tuple[Any, ...] | None] = []
        for start in range(0, len(cases), _PAGE):
            calls = [function.selector + b"".join(map(word, case)) for case in cases[start : start + _PAGE]]
            for returned, data in self.call(MANY, calls)[0]:
                answers.append(function.decode(data) if returned else None)
        return answers

    def call(self, function: Function, *arguments: Any, at: int | None = None) -> tuple[Any, ...]:
        """A view; `at` is the timestamp that it sees, else that of the latest block."""
        call = {"to": self.address, "data": "0x" + function.encode(*arguments).hex(), "gas": hex(_GAS)}
        overrides = () if at is None else ({}, {"time": hex(at)})
        return function.decode(bytes.fromhex(self.endpoint.request("eth_call", call, "latest", *overrides)[2:]))
