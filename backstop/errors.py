"""What can go wrong for a user: each error is one line on stderr and an exit status, never a traceback."""

from __future__ import annotations


class BackstopError(Exception):
    """An expected failure. Its text is a sentence for the user; `exit_code` is what the command ends with."""

    exit_code: int = 2


class SnapshotError(BackstopError):
    """A snapshot file that is refused: `path` is the JSON path of the fault, `message` names it and the way out."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class UnknownMarketError(BackstopError):
    """A market that the snapshot does not hold."""

    def __init__(self, market: str, known: list[str]) -> None:
        super().__init__(f"unknown market {market!r}: the snapshot has {', '.join(known) or 'none'}")
        self.market = market
        self.known = known


class WhatIfError(BackstopError):
    """A change of an account that cannot be made; the text says why, and what can."""


class DeploymentError(BackstopError):
    """A deployment file that cannot be used."""


class PlanError(BackstopError):
    """A plan of a deployment that is refused; the text begins with the file's name and the path of the fault."""


class DeployError(BackstopError):
    """A deployment that cannot go on, or is not what was meant. What it has done is on record."""

    exit_code = 1


class RpcError(BackstopError):
    """A node that does not answer, or answers with an error."""


class NodeError(RpcError):
    """A node's own error: it was reached, and will not answer this request. `code` is that of JSON-RPC, where given."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class RevertError(RpcError):
    """A call or transaction that the contracts refuse; the text is the custom error with its values."""


class NoQuorumError(RpcError):
    """Too few nodes that answer, or that agree on a block: nothing is decided."""


class ChainMismatchError(BackstopError):
    """A node that serves another chain than the deployment's."""


class SettingsError(BackstopError):
    """A setting that is refused, or missing; the text names it, where it came from and the way out."""


class StoreError(BackstopError):
    """A database that cannot be used."""


class OrderFileError(BackstopError):
    """An order file that is refused; the text begins with the file's name."""


class SigningKeyError(BackstopError):
    """A signing key that is missing or cannot be used."""


class SignerError(SigningKeyError):
    """An external signer that does not answer, refuses, or has signed something else than it was asked to."""


class OutputError(BackstopError):
    """Output that cannot be written: a disk that is full."""

    exit_code = 1


class TransactionError(BackstopError):
    """A transaction that was sent and failed, or was not mined in time."""

    exit_code = 1


class UnknownOutcomeError(TransactionError):
    """A transaction that a node has, or may have, and of which nothing more is known: it may still be mined."""


class FailedTransactionError(TransactionError):
    """A transaction that was mined and failed: it changed nothing, and what else is due can still be done."""


class FeeCapError(TransactionError):
    """A transaction that would have to offer more than the operator allows: it is not sent, or not replaced."""


class BalanceError(FeeCapError):
    """A replacement that would have to offer more than the key's balance carries: it is not signed."""


class BudgetError(TransactionError):
    """A transaction whose cost would pass what the operator allows for an hour or a day: it is not sent."""


class DroppedTransactionError(TransactionError):
    """A transaction that will not be mined: its nonce went to another one, or it would fail by now. Plan anew."""


class CancelledTransactionError(TransactionError):
    """A transaction that the operator has cancelled: an empty one was mined in its place."""


class DutyError(BackstopError):
    """A duty that could not be tried, for a reason of its own; all else that was due was done."""

    def __init__(self, duty: str, reason: BackstopError) -> None:
        super().__init__(f"{duty}: {reason}")
        self.exit_code = reason.exit_code


class JournalError(BackstopError):
    """A journal of transactions that cannot be opened, read or written."""


class LockLostError(JournalError):
    """Another process has taken this one's place with its key and journal meanwhile: only one may go on."""


def missing_package(fault: Exception) -> str | None:
    """What to tell of somebody else's package that is not installed; None of any other fault."""
    if not isinstance(fault, ModuleNotFoundError) or (fault.name or "").split(".")[0] in ("", "backstop"):
        return None
    return f"packages are missing (no {fault.name}); run `make setup`"
