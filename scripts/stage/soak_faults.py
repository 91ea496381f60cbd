"""Faults at random: of each keeper's node, of its process, and of the chain itself."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from scripts.stage.by_hand import ByHand
from scripts.stage.daemon import Daemon
from scripts.stage.faulty_proxy import (
    Delay,
    DropReply,
    Fault,
    FaultyProxy,
    Garbage,
    HalfBatch,
    HangUp,
    Refuse,
    Stale,
    Status,
    Truncate,
    first,
)
from scripts.stage.venue import Venue

_SEND = "eth_sendRawTransaction"
_NODE = 0.15  # how likely a keeper's node begins to fail in a block
_CHAIN = 0.02  # the same of each fault of the chain
_KINDS: tuple[tuple[str, Fault, int], ...] = (
    ("*", Delay(0.3), 3),
    ("*", HangUp(), 6),
    ("*", Status(429), 6),
    ("*", Status(503), 6),
    ("*", Garbage(), 4),
    ("*", Truncate(), 4),
    ("*", HalfBatch(), 4),
    ("*", Refuse(), 4),
    ("*", Stale(2), 12),
    (_SEND, DropReply(), 1),
    (_SEND, HangUp(), 1),
    (_SEND, Status(502), 1),
)


class Faults:
    """From a seed; `done` counts them by their names."""

    def __init__(self, venue: Venue, seed: int, kills: set[int]) -> None:
        self._node = venue.endpoint
        self._draws = Random(seed)
        self._kills = kills
        self.done: Counter[str] = Counter()

    def befall(self, block: int, chain: ByHand, daemons: list[Daemon], proxies: list[FaultyProxy]) -> bool:
        """What goes wrong after a block, the how-manieth it is. Whether blocks were taken back."""
        for proxy in proxies:
            proxy.clear()
            if self._draws.random() < _NODE:
                method, fault, most = self._draws.choice(_KINDS)
                proxy.inject(method, fault, first(self._draws.randint(1, most)))
                what = f"{type(fault).__name__} {getattr(fault, 'code', '')}".strip()
                self.done[f"node: {what}{' at sending' if method == _SEND else ''}"] += 1
        if block in self._kills:
            victim = self._draws.choice(daemons)
            victim.kill()
            victim.start()
            self.done["process: SIGKILL"] += 1
        if self._draws.random() < _CHAIN:
            self._node.request("anvil_setNextBlockBaseFeePerGas", hex(self._draws.randint(20, 200) * 10**9))
            self.done["chain: gas spike"] += 1
        if self._draws.random() < _CHAIN:
            self._drop(daemons)
        if self._draws.random() < _CHAIN:
            self._node.request("anvil_reorg", self._draws.randint(1, 2), [])
            chain.resume()
            self.done["chain: reorganisation"] += 1
            return True
        return False

    def _drop(self, daemons: list[Daemon]) -> None:
        """What the keepers have sent is forgotten by the node."""
        content: Any = self._node.request("txpool_content")
        own = {daemon.signer.address.lower() for daemon in daemons}
        for sender, waiting in content["pending"].items():
            if sender.lower() in own:
                for transaction in waiting.values():
                    self._node.request("anvil_dropTransaction", transaction["hash"])
                    self.done["chain: transaction dropped"] += 1
