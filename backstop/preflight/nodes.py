"""The nodes: whether each answers, of which chain it is, and how far they are apart from each other and from the clock.

A node is called by its place among `node.urls`, from 1 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backstop.adl.snapshot import Block
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_block
from backstop.errors import RpcError
from backstop.preflight.findings import Finding, fail, ok, warn
from backstop.settings.model import Node


@dataclass(frozen=True, slots=True)
class Seen:
    """A node that answers, and its head."""

    number: int
    endpoint: Endpoint
    head: Block


def look_at(urls: tuple[str, ...], node: Node, chain_id: int) -> tuple[list[Seen], list[Finding]]:
    """The nodes of the deployment's chain that answer, and what is to be told of all."""
    seen: list[Seen] = []
    findings: list[Finding] = []
    for number, url in enumerate(urls, 1):
        name = f"node {number}"
        try:
            endpoint = Endpoint(url, node.timeout)
            found = endpoint.quantity("eth_chainId")
            head = read_block(endpoint, chain_id)
        except RpcError as fault:
            findings.append(fail(name, str(fault), "is it running, and is the URL right, with its key?"))
            continue
        if found != chain_id:
            text = f"{endpoint.url} serves chain {found}, the deployment is on chain {chain_id}"
            findings.append(fail(name, text, "name a node of that chain, or that chain's deployment file"))
            continue
        seen.append(Seen(number, endpoint, head))
        findings.append(ok(name, f"{endpoint.url}, chain {found}, block {head.number}"))
    needed = node.quorum or len(urls) // 2 + 1
    found_all = f"{len(seen)} of {len(urls)} nodes answer, {needed} have to agree"
    if len(seen) < needed:
        findings.append(fail("quorum", found_all, "nothing is sent until they do: mend the nodes above"))
    else:
        findings.append(ok("quorum", found_all))
    return seen, findings


def look_at_heights(seen: list[Seen], most_lag: int) -> Iterator[Finding]:
    """How far nodes are behind the foremost one."""
    if len(seen) < 2:
        return
    highest = max(one.head.number for one in seen)
    behind = [(one.number, highest - one.head.number) for one in seen if highest - one.head.number > most_lag]
    if behind:
        text = ", ".join(f"node {number} is {blocks} blocks behind" for number, blocks in behind)
        yield warn("lag", text, f"it is not read until it is within {most_lag} blocks (node.most_lag)")
    else:
        yield ok("lag", f"all within {most_lag} blocks of block {highest}")


def look_at_clock(head: Block, now: float, stale_after: float) -> Finding:
    """The machine's clock against the time of the newest block."""
    age = now - head.timestamp
    if age > stale_after:
        text = f"the newest block is {age:.0f} s old by this machine's clock"
        return warn("clock", text, "the chain stands still, or the clock is ahead: compare it with a time server")
    if age < -stale_after:
        text = f"the newest block is {-age:.0f} s ahead of this machine's clock"
        return warn("clock", text, "the clock is behind: set it by a time server")
    return ok("clock", f"{abs(age):.0f} s {'after' if age >= 0 else 'before'} the newest block")
