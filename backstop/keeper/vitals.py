"""What a keeper needs to go on: balance, budget, bond and journal, looked at after each cycle."""

from __future__ import annotations

from backstop.adl.snapshot import Block
from backstop.chain.bindings import AVAILABLE_BOND, ROUND_PARAMETERS
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.nodes import Nodes
from backstop.errors import BackstopError
from backstop.preflight.keeper import largest_need
from backstop.telemetry import Telemetry
from backstop.transactions.fees import DAY
from backstop.transactions.journal import OPEN, Journal

_NEED_EVERY = 60  # seconds of chain time; what a round may need is read from every pool


class Vitals:
    """Of one key. What cannot be read now is left out: whoever reads the chain tells of the node."""

    def __init__(
        self, endpoint: Endpoint, deployment: Deployment, journal: Journal, address: str, telemetry: Telemetry
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._journal = journal
        self._address = address
        self._telemetry = telemetry
        self._need = self._need_at = 0

    def look(self, block: Block, *, exhausted: bool) -> None:
        """As of a block. `exhausted` where something was not sent because of a budget."""
        key = (self._deployment.chain_id, self._address)
        self._telemetry.journal(len(self._journal.of(*key, OPEN)))
        try:
            balance = self._endpoint.quantity("eth_getBalance", self._address, "latest")
            spent = self._journal.spent(*key, block.timestamp - DAY)
            self._telemetry.key(self._address, balance, spent, block, exhausted=exhausted)
            self._look_at_bond(block.timestamp)
        except BackstopError as fault:
            self._telemetry.log.warning("vitals", reason=str(fault))

    def _look_at_bond(self, now: int) -> None:
        """What is free of it at every look: a round, or an operator, may change it in any block."""
        book = self._deployment.round_book
        free = int(self._endpoint.call(book, AVAILABLE_BOND, self._address))
        if now - self._need_at >= _NEED_EVERY:
            *_, least, most = self._endpoint.call(book, ROUND_PARAMETERS)
            self._need, _ = largest_need(self._endpoint, self._deployment, least, most)
            self._need_at = now
        self._telemetry.bond(free, self._need)


def tell_nodes(nodes: Endpoint, telemetry: Telemetry) -> None:
    """How the nodes stand."""
    if isinstance(nodes, Nodes):
        for number, (up, lag) in enumerate(nodes.standings(), 1):
            telemetry.node(number, up=up, lag=lag)
