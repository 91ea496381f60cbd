"""How far a deployment has got: a file beside its record, written before and after every transaction.

A step is on record with its nonce, the address that this nonce gives a contract, and every signed transaction that was
made for it, before the first of them is sent. All of a step's transactions have its one nonce, so at most one is ever
mined. What is signed is no secret: it can do nothing but this step.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backstop.deployment.code import created_by
from backstop.errors import DeployError

VERSION = 1


@dataclass
class Header:
    """Whose journal it is: one of another plan, compiler output, chain or deployer is not gone on with."""

    chain_id: int
    genesis: str
    deployer: str
    plan_hash: str
    code_hash: str
    block: int
    version: int = VERSION


@dataclass
class Attempt:
    """A signed transaction."""

    hash: str
    raw: str


@dataclass
class Sent:
    """A step: nothing of it is sent before it is on record."""

    nonce: int
    address: str | None
    transactions: list[Attempt] = field(default_factory=list)
    done: bool = False


class Journal:
    """The steps of one deployment, by name; without a file it lasts as long as the process."""

    def __init__(self, header: Header, file: Path | None = None) -> None:
        self.header = header
        self.file = file
        self.steps: dict[str, Sent] = {}

    @classmethod
    def open(cls, header: Header, file: Path) -> Journal:
        """A new one, or the one that is there. Raises DeployError where that is another deployment's."""
        journal = cls(header, file)
        if not file.exists():
            return journal
        found, steps = _read(file)
        what = {
            "chain_id": "of another chain",
            "genesis": "of another chain with the same id",
            "deployer": f"by another account, {found.deployer}",
            "plan_hash": "of another plan",
            "code_hash": "of other contracts, or of another compiler's output",
        }
        for key, other in what.items():
            if getattr(found, key) != getattr(header, key):
                raise DeployError(
                    f"{file} is an unfinished deployment {other}: finish it with what it was begun with, "
                    "or move the file away to begin anew"
                )
        for name, step in steps.items():
            if step.address is not None and step.address != created_by(found.deployer, step.nonce):
                raise DeployError(
                    f"{file}: {name} is at {step.address}, which is not the address of its nonce {step.nonce}: "
                    "the file was changed"
                )
        journal.header, journal.steps = found, steps
        return journal

    def write(self) -> None:
        """All of it, atomically: what a kill or a power cut leaves is the old file or the new one."""
        if self.file is None:
            return
        document = asdict(self.header) | {"steps": {name: asdict(step) for name, step in self.steps.items()}}
        write_atomically(self.file, document)

    def remove(self) -> None:
        """Once the record is written."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


@contextmanager
def locked(file: Path | None) -> Iterator[None]:
    """Holds the journal of that name, which need not be there yet. Raises DeployError where another process does.

    The lock's own file stays: who removes it takes it from under a process that has opened it and waits.
    """
    if file is None:
        yield
        return
    lock = file.with_suffix(".lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("w")
    except OSError as fault:
        raise DeployError(f"cannot write {lock}: {fault.strerror or fault}") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DeployError(f"another process is at this deployment: {lock} is locked") from None
        yield


def read_header(file: Path) -> Header:
    """Of a journal that is there. Raises DeployError where it cannot be read."""
    return _read(file)[0]


def _read(file: Path) -> tuple[Header, dict[str, Sent]]:
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        steps = {
            name: Sent(
                nonce=step["nonce"],
                address=step["address"],
                transactions=[Attempt(**attempt) for attempt in step["transactions"]],
                done=step["done"],
            )
            for name, step in document.pop("steps").items()
        }
        header = Header(**document)
        _check_types(header, steps)
    except OSError as fault:
        raise DeployError(f"cannot read {file}: {fault.strerror or fault}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DeployError(
            f"{file} is no journal of a deployment; it is written whole or not at all, so it was changed"
        ) from None
    if header.version != VERSION:
        raise DeployError(f"{file} has version {header.version!r}, {VERSION} is expected")
    return header, steps


def _check_types(header: Header, steps: dict[str, Sent]) -> None:
    """Raises TypeError, ValueError for what no journal of ours has."""
    numbers = [header.chain_id, header.block, header.version, *(step.nonce for step in steps.values())]
    texts = [header.genesis, header.deployer, header.plan_hash, header.code_hash]
    texts += [step.address for step in steps.values() if step.address is not None]
    signed = [text for step in steps.values() for attempt in step.transactions for text in (attempt.hash, attempt.raw)]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise TypeError
    if not all(isinstance(text, str) for text in texts) or not all(type(step.done) is bool for step in steps.values()):
        raise TypeError
    for text in signed:
        if not text.startswith("0x"):
            raise ValueError
        bytes.fromhex(text[2:])


def write_atomically(file: Path, document: Any) -> None:
    """JSON, by way of a second file. Raises DeployError where the disk does not take it."""
    passing = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with passing.open("w", encoding="utf-8") as handle:
            handle.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        passing.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise DeployError(f"cannot write {file}: {fault.strerror or fault}") from None
