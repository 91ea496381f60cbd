"""The packages: do those that are installed agree with the lock files."""

from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backstop.doctor.findings import Finding, Status, restore

_SETUP = "run `make setup`"
_OUTSIDE = "the lock is in a checkout, and there is none here"
_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+))?")
_SHOWN = 3
_EMPTY = "it names no package"


def check_python_packages(checkout: Path | None) -> Finding:
    """What this interpreter has against requirements.lock."""
    name = "Python packages"
    if checkout is None:
        return Finding(name, Status.UNCHECKED, advice=_OUTSIDE)
    try:
        lines = (checkout / "requirements.lock").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as fault:
        return _unreadable(name, "requirements.lock", fault)
    pinned = [match.groups() for line in lines if (match := _PINNED.match(line))]
    if not pinned:
        return _unreadable(name, "requirements.lock", ValueError(_EMPTY))
    wanted = {package: number for package, number, marker in pinned if marker is None or _applies(marker.strip())}
    return _compare(name, wanted, {package: _installed(package) for package in wanted})


def check_npm_packages(checkout: Path | None) -> Finding:
    """What node_modules has against package-lock.json; packages for other platforms may be missing."""
    name = "npm packages"
    if checkout is None:
        return Finding(name, Status.UNCHECKED, advice=_OUTSIDE)
    try:
        locked = json.loads((checkout / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        entries = {path: entry for path, entry in locked.items() if path}
        found = {path: node_version(checkout / path) for path in entries}
        wanted = {
            path: str(entry["version"])
            for path, entry in entries.items()
            if found[path] is not None or not (entry.get("optional") or entry.get("peer"))
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        return _unreadable(name, "package-lock.json", fault)
    if not entries:
        return _unreadable(name, "package-lock.json", ValueError(_EMPTY))
    short = {path: path.removeprefix("node_modules/") for path in wanted}
    return _compare(name, {short[p]: wanted[p] for p in wanted}, {short[p]: found[p] for p in wanted})


def check_coincurve() -> Finding:
    """The library that signs in C; without it signing takes fifty times as long."""
    advice = f"{_SETUP}, or `pip install coincurve`"
    try:
        importlib.import_module("coincurve")
        return Finding("coincurve", Status.OK, version("coincurve"), "any")
    except PackageNotFoundError:
        return Finding("coincurve", Status.OK, None, "any")
    except ImportError as fault:
        status = Status.MISSING if isinstance(fault, ModuleNotFoundError) else Status.WRONG
        if status is Status.WRONG:
            advice = f"remove .venv and {_SETUP}, or `pip install --force-reinstall coincurve`"
        return Finding("coincurve", status, None if status is Status.MISSING else str(fault), "any", advice)


def _unreadable(name: str, file: str, fault: Exception) -> Finding:
    if isinstance(fault, FileNotFoundError):
        return Finding(name, Status.MISSING, f"({file} is missing)", None, restore(file))
    words = getattr(fault, "strerror", None) or (fault if isinstance(fault, ValueError) else "it is not npm's")
    return Finding(name, Status.WRONG, f"({file} cannot be read: {words})", None, restore(file))


def _compare(name: str, wanted: dict[str, str], found: dict[str, str | None]) -> Finding:
    """One line about all of them; the first few that do not agree are named."""
    whole = f"{len(wanted)} as locked"
    faults = {package: found[package] for package in wanted if found[package] != wanted[package]}
    if not faults:
        return Finding(name, Status.OK, whole, whole)
    shown = [
        f"{package} {has} instead of {wanted[package]}" if has else f"no {package} {wanted[package]}"
        for package, has in list(faults.items())[:_SHOWN]
    ]
    if len(faults) > _SHOWN:
        shown.append(f"{len(faults) - _SHOWN} more")
    status = Status.WRONG if any(faults.values()) else Status.MISSING
    return Finding(name, status, ", ".join(shown), whole, _SETUP)


def _applies(marker: str) -> bool:
    """Whether a package is meant for this interpreter and platform; without `packaging` that is not known: no."""
    try:
        from packaging.markers import InvalidMarker, Marker
    except ImportError:
        return False
    try:
        return bool(Marker(marker).evaluate())
    except InvalidMarker:
        return False


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def node_version(folder: Path) -> str | None:
    """The version of a package in node_modules; None where it is not there."""
    try:
        return str(json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
