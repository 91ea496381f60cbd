"""What a check finds, and where the checkout is that it looks into."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import backstop

_MARKS = ("requirements.lock", "package-lock.json", "toolchain")
_OWN_MARKS = (*_MARKS, "ape-config.yaml")


class Status(StrEnum):
    """The outcome of a check. `unchecked` is no fault: there is nothing here to look at."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was `found` there, what is `wanted`, and how to get it (`advice`)."""

    name: str
    status: Status
    found: str | None = None
    wanted: str | None = None
    advice: str | None = None

    @property
    def is_fault(self) -> bool:
        """Whether something has to be done."""
        return self.status in (Status.MISSING, Status.WRONG)


def restore(path: str) -> str:
    """The advice about what belongs to the repository."""
    return f"restore it from git: `git checkout {path}`"


def find_checkout() -> Path | None:
    """The checkout that this package runs from, else the one that the working folder is in; None where neither is.

    Beside this package some of a checkout is enough: what is missing of it is to be told.
    """
    own = Path(backstop.__file__).resolve().parents[1]
    if any((own / mark).exists() for mark in _OWN_MARKS):
        return own
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / mark).exists() for mark in _MARKS):
            return folder
    return None
