"""What a sample of a market's result and the maximum of its window cost, without prices and inventory."""

from __future__ import annotations

from typing import Any

from ape import chain, project

from backstop.chain.bindings import Function
from backstop.chain.endpoint import Endpoint
from backstop.math.rolling_max import BUCKET_SECONDS, RING_BUCKETS
from backstop.math.wad import WAD

GAS_OF_TOUCH = Function("gasOfTouch(uint256,int256)", "uint256")
GAS_OF_MAXIMUM = Function("gasOfMaximum(uint256,int256)", "uint256,int256")
RING = 0


def ring_gas(owner: Any, endpoint: Endpoint) -> dict[str, int]:
    """Gas of a ring that is full: a sample in the bucket of the last one, one that opens a bucket, a reading."""
    harness = owner.deploy(project.MathHarness)
    now = (chain.blocks.head.timestamp // BUCKET_SECONDS + 1) * BUCKET_SECONDS
    for bucket in range(RING_BUCKETS + 2):
        endpoint.request("evm_setNextBlockTimestamp", now + bucket * BUCKET_SECONDS)
        harness.touch([-bucket * WAD], sender=owner)
    last = now + (RING_BUCKETS + 1) * BUCKET_SECONDS

    def ask(function: Function, value: int, at: int) -> tuple[int, ...]:
        call = {"from": owner.address, "to": harness.address, "data": "0x" + function.encode(RING, value).hex()}
        return function.decode(bytes.fromhex(endpoint.request("eth_call", call, "latest", {}, {"time": hex(at)})[2:]))

    used, highest = ask(GAS_OF_MAXIMUM, -1000 * WAD, last + 1)
    # The bucket of 32 before the last is the oldest that still counts.
    if highest != -WAD:
        raise RuntimeError(f"the maximum of the ring is {highest}: this is a bug")
    return {
        "touchInBucket": ask(GAS_OF_TOUCH, -WAD // 2, last + 1)[0],
        "touchOpensBucket": ask(GAS_OF_TOUCH, -1000 * WAD, last + BUCKET_SECONDS)[0],
        "maximum": used,
    }
