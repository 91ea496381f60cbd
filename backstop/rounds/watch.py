"""The watcher: each new round is ranked again from the state of the block before it, and who was left out is asked for.

Who is an omission is decided by the contracts, from the state that they have kept: a snapshot that is not quite that of
the round costs time, never a wrong challenge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Snapshot
from backstop.chain.bindings import CHALLENGE, KEPT, PAY_POOL
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import FailedTransactionError, RevertError, RpcError
from backstop.rounds.book import Omission, RoundView, ask, count_rounds, open_rounds, read_round
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender

if TYPE_CHECKING:
    from backstop.telemetry import Telemetry

_KEPT = 64  # states of blocks before
# So many in a row that rank below the cutoff, and whoever follows does too, whatever has moved in between.
_ENOUGH = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """An omission; `receipt` and `gas` of the challenge where it was sent, `refusal` where that was refused."""

    round: RoundView
    omission: Omission
    receipt: Receipt | None = None
    gas: int | None = None
    refusal: str | None = None


class Watcher:
    """Looks at every round once. Warnings go to `tell`; `waiting` is called while a challenge waits to be mined."""

    def __init__(
        self,
        endpoint: Endpoint,
        deployment: Deployment,
        sender: Sender,
        *,
        send: bool,
        tell: Callable[[str], None],
        telemetry: Telemetry | None = None,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._sender = sender
        self._send = send
        self._tell = tell
        self._telemetry = telemetry
        self._waiting = waiting
        self._states: dict[int, ChainState] = {}
        self._looked_at = 0
        self.looked_at: list[int] = []  # the rounds that were open at the last look

    def look(self) -> Iterator[Finding]:
        """The omissions of the rounds that nobody has looked at yet and that are open; afterwards the state is kept."""
        now = read_chain(self._endpoint, self._deployment)
        if self._telemetry is not None:
            self._telemetry.state(now)
        self.looked_at = []
        last = count_rounds(self._endpoint, self._deployment)
        for number in open_rounds(self._endpoint, self._deployment, self._looked_at, last, now.block.timestamp):
            yield from self._inspect(number, now)
            self._looked_at = number
            self.looked_at.append(number)
        self._looked_at = max(self._looked_at, last)
        self._states[now.block.number] = now
        for old in sorted(self._states)[:-_KEPT]:
            del self._states[old]

    def _inspect(self, number: int, now: ChainState) -> Iterator[Finding]:
        found = read_round(self._endpoint, self._deployment, number)
        done = {fill.account for fill in found.fills} | {one.account for one in found.proven}
        below = 0
        for account in self._suspects(found, self._before(found, now)):
            if account in done:
                continue
            omission = ask(self._endpoint, self._deployment, number, account)
            if omission.reason == "none":
                yield self._challenge(found, omission)
            below = below + 1 if omission.reason == "rankedBelow" else 0
            if below == _ENOUGH:
                return

    def _before(self, found: RoundView, now: ChainState) -> ChainState:
        """The state before a round: the one that was kept, else what the node still has, else the present one."""
        before = found.block - 1
        if before in self._states:
            return self._states[before]
        try:
            return read_chain(self._endpoint, self._deployment, before)
        except (RpcError, RevertError) as fault:
            self._tell(
                f"the state before round {found.id} was not kept, and {fault}: every account of today is looked at"
            )
            return now

    def _suspects(self, found: RoundView, before: ChainState) -> list[str]:
        """The other side at the round's mark in rank order, then who was bankrupt; of a later state all others too."""
        name = next(name for name, number in before.market_ids.items() if number == found.market)
        snapshot = _at_mark(before.snapshot, name, found.mark)
        side = found.side.opposite
        book = score_sides(snapshot, [(name, side)])[name, side]
        ranked = [one.account.id for one in book.ranked]
        if before.block.number < found.block:
            return [*ranked, *book.bankrupt]
        known = {*ranked, *book.bankrupt}
        return [*ranked, *book.bankrupt, *(one.id for one in snapshot.accounts if one.id not in known)]

    def _challenge(self, found: RoundView, omission: Omission) -> Finding:
        book, account = self._deployment.round_book, bytes.fromhex(omission.account[2:])
        data = CHALLENGE.encode(found.id, account, self._endpoint.call(book, KEPT, found.id, account))
        try:
            if not self._send:
                return Finding(found, omission, gas=self._sender.simulate(book, data))
            receipt = self._send_challenge(found, data)
        except (RevertError, FailedTransactionError) as refusal:
            return Finding(found, omission, refusal=str(refusal))
        self._pay_pool(found)
        return Finding(found, omission, receipt, receipt.gas_used)

    def _pay_pool(self, found: RoundView) -> None:
        """The pool's half waits for anyone to pay it in: somebody else may have."""
        try:
            data = PAY_POOL.encode(found.market)
            self._sender.send(self._deployment.round_book, data, name=f"payPool {found.id}", waiting=self._waiting)
        except (RevertError, FailedTransactionError) as refusal:
            self._tell(f"what challenges brought the pool of round {found.id} is not paid in: {refusal}")

    def _send_challenge(self, found: RoundView, data: bytes) -> Receipt:
        """Sends it, timed and counted where somebody listens."""
        with self._telemetry.duty("challenge", round=found.id) if self._telemetry else nullcontext() as record:
            receipt = self._sender.send(
                self._deployment.round_book, data, name=f"challenge {found.id}", waiting=self._waiting
            )
            if record is not None:
                record.sent(receipt.transaction, receipt.gas_used, receipt.cost)
        return receipt


def _at_mark(snapshot: Snapshot, market: str, mark: int) -> Snapshot:
    moved = replace(snapshot.markets[market], mark_price=mark)
    return replace(snapshot, markets={**snapshot.markets, market: moved})
