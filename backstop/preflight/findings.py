"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The outcome of a check. `warn` works now and may not soon; `skip` is not asked for by the settings."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and the way out where something is to be done (`advice`)."""

    name: str
    status: Status
    found: str
    advice: str | None = None


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, Status.OK, found)


def warn(name: str, found: str, advice: str) -> Finding:
    """It works now, and may not soon."""
    return Finding(name, Status.WARN, found, advice)


def fail(name: str, found: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(name, Status.FAIL, found, advice)


def skip(name: str, found: str) -> Finding:
    """The settings do not ask for it."""
    return Finding(name, Status.SKIP, found)
