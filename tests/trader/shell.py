"""A trader's shell: `backstop` with the chain's options and somebody's key, in this process or in one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from scripts.stage.venue import Venue
from tests.keeper.command import Done, backstop, backstop_inside, secret_of


@dataclass(frozen=True)
class Shell:
    """Where the chain is, and a folder for files."""

    rpc: str
    deployment: Path
    folder: Path

    def run(self, *arguments: str | Path, by: LocalAccount | None = None) -> Done:
        """In this process."""
        return backstop_inside(*self.line(*arguments), key=secret_of(by) if by else None)

    def process(self, *arguments: str | Path, by: LocalAccount | None = None) -> Done:
        """In a process of its own."""
        return backstop(*self.line(*arguments), key=secret_of(by) if by else None)

    def line(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        """The arguments with the chain's options."""
        return *arguments, "--rpc", self.rpc, "--deployment", self.deployment


def done(result: Done) -> Done:
    """The result of a command that did what it was asked, without a word on stderr."""
    assert (result.status, result.err) == (0, ""), result
    return result


def nonce(venue: Venue, signer: LocalAccount) -> int:
    """How many transactions somebody has sent."""
    return venue.endpoint.quantity("eth_getTransactionCount", signer.address, "pending")
