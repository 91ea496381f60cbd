"""Several endpoints as one: read from those that agree, and from the next one where one fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import BATCH, Endpoint
from backstop.chain.head import Head, head_of
from backstop.errors import BackstopError, ChainMismatchError, NodeError, NoQuorumError, RevertError, RpcError

_T = TypeVar("_T")

LAG = 3  # blocks that a node may be behind and still be read from
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds that a node is left alone after a fault; doubled at each
_DEEPEST = 16  # blocks back that nodes on different branches are compared at
# JSON-RPC errors that say "later", not "no": a limit is exceeded, a resource is missing, 429 in the answer's body.
_THROTTLED = (-32005, -32002, 429)
# What changes something where it is taken: a fault after it leaves open whether it was.
_SENDS = ("eth_sendRawTransaction",)
# What is done, or left undone, because of the answer: a refusal is believed only of as many as have to agree.
_JUDGES = ("eth_estimateGas",)


@dataclass(slots=True)
class _Node:
    """One of them. `probe` is the same node, asked with less patience; `shunned` says why it is not read from."""

    endpoint: Endpoint
    probe: Endpoint
    checked: Deployment | None = None
    shunned: str | None = None
    fault: str = ""
    rests_until: float = 0.0
    pause: float = 0.0


class Nodes(Endpoint):
    """Nodes of one chain, in the order in which they are preferred; a reader takes them for a single endpoint.

    `quorum` of them, by default more than half of those given, have to agree on a block before anything is decided by
    it: `head` is the newest such block. One that is more than `lag` blocks behind it, or on another branch, is not read
    from until it has caught up. One that fails (no answer in time, 429, 5xx, garbage, a part of an answer) is left
    alone for a pause that grows, as long as there is another; the request goes to the next one, whole. `tell` hears of
    it, and `on_fault` of each fault by the node's place, from 1 on.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        quorum: int | None = None,
        lag: int = LAG,
        timeout: float = 10.0,
        probe_timeout: float = 3.0,
        tell: Callable[[str], None] = lambda _: None,
        on_fault: Callable[[int, str], None] = lambda _number, _reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not urls:
            raise RpcError("no node is given: give the URL of at least one")
        if quorum is None:
            quorum = len(urls) // 2 + 1
        if not 1 <= quorum <= len(urls):
            raise RpcError(f"a quorum of {quorum} is not to be had of {len(urls)} nodes: from 1 to {len(urls)}")
        if len(set(urls)) < len(urls):
            raise RpcError("a node is given twice: each counts once")
        self._nodes = [_Node(Endpoint(url, timeout), Endpoint(url, probe_timeout)) for url in urls]
        self.url = ", ".join(dict.fromkeys(node.endpoint.url for node in self._nodes))
        self._quorum = quorum
        self._lag = lag
        self._tell = tell
        self._clock = clock
        self._deployment: Deployment | None = None
        self._pool = ThreadPoolExecutor(len(urls), thread_name_prefix="nodes")
        self._on_fault = on_fault
        self._lags: dict[int, int] = {}
        self._agreed: Head | None = None

    def close(self) -> None:
        """Ends the threads that nodes are asked in at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ---------------------------------------------------------------- reading

    def request(self, method: str, *params: Any) -> Any:
        """The raw result of a request, from the first node that gives one.

        What the contracts refuse is refused; what each node refuses raises the first one's NodeError. A transaction
        that one node may have, and the next one refuses, raises RpcError: whether it was sent is not known. That the
        contracts would refuse a transaction is believed where a quorum says so, or nobody more says otherwise. The
        latest header is that of a block that a quorum has.
        """
        found = self._first(method, lambda endpoint: endpoint.request(method, *params))
        is_latest = method == "eth_getBlockByNumber" and params[:1] == ("latest",)
        return self._agreed_header(found) if is_latest and self._quorum > 1 and self._deployment else found

    def _agreed_header(self, header: Any) -> Any:
        """A node's latest header, with what the quorum says of the block; of the quorum's own one where it differs."""
        found, agreed = head_of(header, self.url), self._agreed
        if agreed is None or found.hash != agreed.hash:
            try:
                agreed = self.head()
            except NoQuorumError:
                if agreed is None:
                    raise
        told = {"number": hex(agreed.number), "hash": agreed.hash, "parentHash": agreed.parent}
        told |= {"timestamp": hex(agreed.timestamp)}
        told |= {} if agreed.base_fee is None else {"baseFeePerGas": hex(agreed.base_fee)}
        return header | told

    def batch(self, asked: Sequence[tuple[str, Sequence[Any]]], size: int = BATCH) -> list[Any]:
        """The raw results of several requests, in order: all of them from one node, or none."""
        method = next((method for method, _ in asked if method in _SENDS), asked[0][0] if asked else "")
        return self._first(method, lambda endpoint: endpoint.batch(asked, size))

    def _first(self, method: str, ask: Callable[[Endpoint], _T]) -> _T:
        refusals: list[NodeError] = []
        faults: list[RpcError] = []
        reverts: list[RevertError] = []
        results: list[_T] = []
        for node in self._readable():
            if reverts and self._rests(node):
                break
            try:
                result = ask(node.endpoint)
            except RevertError as revert:
                node.fault = ""
                reverts.append(revert)
                if method not in _JUDGES or len(reverts) >= self._quorum:
                    raise reverts[0] from None
            except NodeError as refusal:
                refusals.append(refusal)
                if refusal.code in _THROTTLED:
                    self._failed(node, refusal)
            except RpcError as fault:
                faults.append(fault)
                self._failed(node, fault)
            else:
                node.fault = ""
                results.append(result)
                if len(results) > len(reverts):
                    return result
        if reverts:
            raise reverts[0]
        if refusals and not (faults and method in _SENDS):
            raise refusals[0]
        if len(faults) == 1:
            raise faults[0]
        raise RpcError(f"none of {len(faults)} nodes answers {method}: {_joined(map(str, faults))}")

    def _readable(self) -> list[_Node]:
        """Those to ask, in order. Nodes that rest come last: they are asked where no other answers."""
        agreeing = [node for node in self._nodes if node.shunned is None]
        if not agreeing:
            raise NoQuorumError(f"no node can be read from: {_joined(self._reasons())}")
        return sorted(agreeing, key=lambda node: node.rests_until if self._rests(node) else 0)

    # ---------------------------------------------------------------- agreeing

    def check(self, deployment: Deployment) -> None:
        """Raises ChainMismatchError unless each node that answers serves the deployment's chain and contracts.

        Raises NoQuorumError where fewer than the quorum answer. One that does not is checked when it does; found to
        serve another chain then, it is not read from.
        """
        is_first = self._deployment != deployment
        waiting = [node for node in self._to_probe() if node.checked != deployment]
        outcomes = self._pool.map(lambda node: _check(node, deployment), waiting)
        for node, fault in zip(waiting, outcomes, strict=True):
            if isinstance(fault, ChainMismatchError) and is_first:
                raise fault
            if fault is not None:
                self._put_aside(node, fault)
        sound = sum(node.checked == deployment for node in self._nodes)
        if sound < self._quorum:
            raise NoQuorumError(
                f"{sound} of {len(self._nodes)} nodes serve the deployment, {self._quorum} are needed: "
                f"{_joined(self._reasons())}"
            )
        self._deployment = deployment

    def head(self) -> Head:
        """The newest block that a quorum has, by its hash. From now on nodes that are far behind it are not read from.

        Raises NoQuorumError where too few nodes answer, or those that do are on different branches.
        """
        probed = self._to_probe()
        heads: dict[int, Head] = {}
        for node, outcome in zip(probed, self._pool.map(self._probe, probed), strict=True):
            if isinstance(outcome, Head):
                heads[self._nodes.index(node)] = outcome
                node.fault = ""
            else:
                self._put_aside(node, outcome)
        self._lags = {}
        agreed, members = self._agree(heads)
        self._agreed = agreed
        self._lags = {place: max(0, agreed.number - head.number) for place, head in heads.items()}
        for place, node in enumerate(self._nodes):
            was = node.shunned
            if node.checked != self._deployment:
                node.shunned = node.fault or "it is not checked yet"
            elif place in heads:
                node.shunned = self._why_shunned(heads[place], agreed, place in members)
            if node.shunned and not was:
                self._tell(f"{node.endpoint.url} is not read from: {node.shunned}")
        return agreed

    def standings(self) -> list[tuple[bool, int | None]]:
        """Of each node in order: whether it is read from, and how many blocks it was behind at the last `head`."""
        return [
            (node.shunned is None and not node.fault, self._lags.get(place)) for place, node in enumerate(self._nodes)
        ]

    def _why_shunned(self, head: Head, agreed: Head, is_member: bool) -> str | None:
        if head.number < agreed.number - self._lag:
            return f"it is at block {head.number}, the others at {agreed.number}"
        if head.number >= agreed.number and not is_member:
            return f"it has another block {agreed.number} than the others"
        return None

    def _to_probe(self) -> list[_Node]:
        """Those that do not rest, or all of them where those are too few."""
        awake = [node for node in self._nodes if not self._rests(node)]
        return awake if len(awake) >= self._quorum else self._nodes

    def _probe(self, node: _Node) -> Head | BackstopError:
        """Its latest block, once it is known to serve the deployment's chain; that is asked again with each."""
        try:
            if self._deployment is None:
                return node.probe.head()
            if node.checked != self._deployment and (fault := _check(node, self._deployment)):
                return fault
            chain_id, header = node.probe.batch([("eth_chainId", ()), ("eth_getBlockByNumber", ("latest", False))])
            if chain_id != hex(self._deployment.chain_id):
                node.checked = None
                return ChainMismatchError(
                    f"{node.endpoint.url} serves chain {node.probe.said(chain_id)}, "
                    f"the deployment is on {self._deployment.chain_id}"
                )
            return head_of(header, node.endpoint.url)
        except RpcError as fault:
            return fault

    def _agree(self, heads: dict[int, Head]) -> tuple[Head, set[int]]:
        """The newest block that a quorum has, and the places of those that have it."""
        if len(heads) < self._quorum:
            raise NoQuorumError(
                f"{len(heads)} of {len(self._nodes)} nodes answer, {self._quorum} are needed: "
                f"{_joined(self._reasons())}"
            )
        newest = sorted((head.number for head in heads.values()), reverse=True)[self._quorum - 1]
        for number in range(newest, max(newest - _DEEPEST, -1), -1):
            having: dict[Head, dict[int, Head]] = {}
            for place, head in self._at(number, heads).items():
                # A node that says something else of the same block, of its base fee say, is on no branch at all.
                having.setdefault(head._replace(bloom=0), {})[place] = head
            for members in having.values():
                if len(members) >= self._quorum:
                    return next(iter(members.values())), set(members)
        shown = [f"{self._nodes[place].endpoint.url} {head.number}/{head.hash[:10]}" for place, head in heads.items()]
        raise NoQuorumError(f"no {self._quorum} nodes agree on a block: {_joined(shown)}")

    def _at(self, number: int, heads: dict[int, Head]) -> dict[int, Head]:
        """Block `number` as each node has it whose chain is that long; one that fails to tell has none."""
        found: dict[int, Head] = {}
        for place, head in heads.items():
            if head.number == number:
                found[place] = head
            elif head.number > number:
                node = self._nodes[place]
                try:
                    header = node.probe.request("eth_getBlockByNumber", hex(number), False)
                    found[place] = head_of(header, node.endpoint.url)
                except RpcError as fault:
                    self._failed(node, fault)
        return found

    # ---------------------------------------------------------------- faults

    def _rests(self, node: _Node) -> bool:
        return self._clock() < node.rests_until

    def _failed(self, node: _Node, fault: BackstopError) -> None:
        now = self._clock()
        # What held for as long as the last pause, or longer, begins anew.
        is_again = node.pause and now < node.rests_until + node.pause
        node.pause = min(2 * node.pause, _LONGEST_PAUSE) if is_again else _FIRST_PAUSE
        node.rests_until = now + node.pause
        node.fault = str(fault)
        self._on_fault(self._nodes.index(node) + 1, str(fault))
        self._tell(f"{node.endpoint.url} is left alone for {node.pause:g} s: {fault}")

    def _put_aside(self, node: _Node, fault: BackstopError) -> None:
        if isinstance(fault, ChainMismatchError):
            node.checked, node.shunned = None, str(fault)
        self._failed(node, fault)

    def _reasons(self) -> list[str]:
        return list(dict.fromkeys(reason for node in self._nodes if (reason := node.fault or node.shunned or "")))


def _check(node: _Node, deployment: Deployment) -> BackstopError | None:
    """What is wrong with a node for a deployment; nothing, and it is noted."""
    try:
        node.probe.check(deployment)
    except (RpcError, ChainMismatchError) as fault:
        return fault
    node.checked = deployment
    return None


def _joined(words: Iterable[str]) -> str:
    return "; ".join(words) or "none says why"
