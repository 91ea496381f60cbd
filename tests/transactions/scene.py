"""A sender with a journal in memory, and a test that acts on the chain at the very steps that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from backstop.transactions.fees import Policy
from backstop.transactions.journal import Attempt, Intent, Journal, State
from backstop.transactions.sender import Sender
from backstop.transactions.steps import Kind, Step

from .chain import CHAIN_ID, Chain

Act = Callable[[Step], Any]


class Scene:
    """`at` has something done at the next step of a kind; `kinds` are all steps so far."""

    def __init__(self, chain: Chain, signer: LocalAccount, policy: Policy | None = None, **options: Any) -> None:
        self.chain = chain
        self.signer = signer
        self.journal = Journal()
        self.kinds: list[Kind] = []
        self._acts: dict[Kind, list[Act]] = {}
        options = {"timeout": 30.0, "journal": self.journal, "on_step": self._act} | options
        self.sender = Sender(chain, signer, CHAIN_ID, policy=policy, **options)

    def at(self, kind: Kind, *acts: Act) -> None:
        """What is done at the next steps of a kind, one each."""
        self._acts.setdefault(kind, []).extend(acts)

    def _act(self, step: Step) -> None:
        self.kinds.append(step.kind)
        if waiting := self._acts.get(step.kind):
            waiting.pop(0)(step)

    @property
    def intents(self) -> list[Intent]:
        """Everything in the journal."""
        return self.journal.all()

    @property
    def states(self) -> list[State]:
        """Where each intent stands."""
        return [intent.state for intent in self.intents]

    def attempts(self, place: int = 0) -> list[Attempt]:
        """What was signed for an intent."""
        return self.journal.attempts(self.intents[place].id)

    def nonce(self) -> int:
        """How many transactions of the key are mined."""
        return self.chain.quantity("eth_getTransactionCount", self.signer.address, "latest")
