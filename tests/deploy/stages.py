"""Deployments in this process: run to their end, stopped on the way, and looked at as `ape run verify` does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backstop.chain.code_hashes import recorded_hashes
from backstop.chain.deployment import Deployment, read_details
from backstop.chain.endpoint import Endpoint
from backstop.deployment.journal import Journal
from backstop.deployment.plan import Plan
from backstop.preflight.findings import Finding, Status
from scripts import verify
from scripts.stage import runner, system
from scripts.stage.deploying import Order, deploy
from scripts.stage.inspection import inspect


class StoppedError(BaseException):
    """The process is gone: nothing may catch it."""


def stopping(monkeypatch: pytest.MonkeyPatch, at: int, before: bool) -> None:
    """The nth write of the journal is the last thing that happens; or it does not happen any more."""
    count, write = 0, Journal.write

    def stop(journal: Journal) -> None:
        nonlocal count
        count += 1
        if before and count == at:
            raise StoppedError
        write(journal)
        if count == at:
            raise StoppedError

    monkeypatch.setattr(Journal, "write", stop)


def run(order: Order, deployer: Any, endpoint: Endpoint) -> system.System:
    return deploy(order, deployer, endpoint, lambda _: None)


def run_stopped(
    order: Order, deployer: Any, endpoint: Endpoint, *, at: int, before: bool = False
) -> dict[str, dict[str, Any]]:
    """A run that ends with the nth write of the journal, or right before it. The steps that the journal has then."""
    with pytest.MonkeyPatch.context() as patch:
        stopping(patch, at, before)
        with pytest.raises(StoppedError):
            run(order, deployer, endpoint)
    steps: dict[str, dict[str, Any]] = json.loads(order.journal.read_text())["steps"]
    return steps


def with_plan(order: Order, change: Callable[[dict[str, Any]], None]) -> Order:
    """The order for a plan that is otherwise."""
    document = order.plan.document()
    change(document)
    return replace(order, plan=Plan.model_validate(document))


def before_handover(monkeypatch: pytest.MonkeyPatch, what: Callable[[Any], None]) -> None:
    """A deployer that does something with the timelock, which it is given, while it still can."""
    act = runner.Runner.act

    def sly(self: Any, name: str, holds: Any, method: Any, *arguments: Any) -> None:
        if name == "announce the hand-over":
            what(method.contract)
        act(self, name, holds, method, *arguments)

    monkeypatch.setattr(runner.Runner, "act", sly)


def findings(order: Order, endpoint: Endpoint) -> list[Finding]:
    """What `ape run verify` finds."""
    assert order.file is not None
    record, details = Deployment.load(order.file), read_details(order.file)
    subject = replace(verify.subject_of(endpoint, record, details, None, order.file), public=order.public)
    hashes = recorded_hashes(order.file)
    if subject.timelock is not None:
        hashes["timelock"] = str(details["timelock"]["code_hash"])
    return list(inspect(subject, hashes, details["abi_hashes"]))


def wrong(order: Order, endpoint: Endpoint) -> list[str]:
    """Of that, what is not ok."""
    found = findings(order, endpoint)
    return [f"{one.status.value} {one.name}: {one.found}" for one in found if one.status is not Status.OK]
