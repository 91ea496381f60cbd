"""The contracts: code at every address, the code that was recorded, and wired to each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backstop.chain.code_hashes import hashes_now, recorded_hashes
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.errors import BackstopError
from backstop.preflight.findings import Finding, fail, ok, skip

_RIGHT_FILE = "is the deployment file of this chain, and of this version?"


def look_at_contracts(endpoint: Endpoint, deployment: Deployment, file: Path) -> Iterator[Finding]:
    """A finding each for the code, its hashes and the wiring."""
    try:
        hashes = hashes_now(endpoint, deployment)
        recorded = recorded_hashes(file)
    except BackstopError as fault:
        yield fail("code", str(fault), _RIGHT_FILE)
        return
    bare = [key for key, found in hashes.items() if found is None]
    if bare:
        yield fail("code", f"no contract at the address of {', '.join(bare)}", _RIGHT_FILE)
        return
    yield ok("code", f"at all {len(hashes)} addresses")
    other = [key for key, meant in recorded.items() if hashes[key] != meant]
    if other:
        advice = "do not send: find out who put other code there, or which record is right"
        yield fail("code hashes", f"{', '.join(other)}: not the code on record", advice)
    elif recorded:
        yield ok("code hashes", f"{len(recorded)} as recorded")
    else:
        yield skip("code hashes", "the deployment file has none on record")
    try:
        endpoint.check(deployment)
    except BackstopError as fault:
        yield fail("wiring", str(fault), _RIGHT_FILE)
    else:
        yield ok("wiring", "the contracts know each other")
