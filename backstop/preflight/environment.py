"""All the checks, in the order in which one needs what another has found."""

from __future__ import annotations

import time
from collections.abc import Iterator

from backstop.chain.deployment import Deployment
from backstop.errors import BackstopError
from backstop.preflight.contracts import look_at_contracts
from backstop.preflight.findings import Finding, fail, ok, skip
from backstop.preflight.keeper import look_at_balance, look_at_bond, look_at_key
from backstop.preflight.local import look_at_port, look_at_store
from backstop.preflight.nodes import Seen, look_at, look_at_clock, look_at_heights
from backstop.settings import Settings
from backstop.settings.places import index_store, journal_store


def examine(settings: Settings) -> Iterator[Finding]:
    """A finding for each check. Raises SettingsError where no node or no deployment is named."""
    urls, file = settings.node_urls, settings.deployment_file
    address, key = look_at_key(settings.key)
    deployment: Deployment | None = None
    try:
        deployment = Deployment.load(file)
    except BackstopError as fault:
        yield fail("deployment", str(fault), "name the file that `ape run deploy` has written")
    else:
        yield ok("deployment", f"{file}, chain {deployment.chain_id}")
        yield from _examine_chain(settings, deployment, urls, address, key)
    if deployment is None:
        yield key
    yield from _examine_stores(settings, deployment)
    yield look_at_port(settings.metrics.listen)


def _examine_stores(settings: Settings, deployment: Deployment | None) -> Iterator[Finding]:
    if deployment is None and not (settings.journal.url and settings.index.url):
        missing = "where it is by itself is told by the deployment's chain"
        yield from (skip(name, missing) for name in ("journal", "index"))
        return
    chain_id = deployment.chain_id if deployment else 0
    secrets = settings.secrets()
    yield look_at_store("journal", journal_store(settings, chain_id), secrets, makes_folder=not settings.journal.url)
    index = index_store(settings, chain_id)
    if index is None:
        yield skip("index", "index.enabled is off: every account is read at each block")
    else:
        yield look_at_store("index", index, secrets, makes_folder=True)


def _examine_chain(
    settings: Settings, deployment: Deployment, urls: tuple[str, ...], address: str | None, key: Finding
) -> Iterator[Finding]:
    seen, findings = look_at(urls, settings.node, deployment.chain_id)
    yield from findings
    yield from look_at_heights(seen, settings.node.most_lag)
    best: Seen | None = max(seen, key=lambda one: one.head.number, default=None)
    if best is not None:
        yield look_at_clock(best.head, time.time(), settings.node.stale_after)
        yield from look_at_contracts(best.endpoint, deployment, settings.deployment_file)
    yield key
    if address is None or best is None:
        missing = "no node answers" if best is None else "the address of the key is not known here"
        yield skip("balance", missing)
        yield skip("bond", missing)
        return
    yield look_at_balance(best.endpoint, address, settings.fees)
    if settings.duties.adl.enabled:
        yield from look_at_bond(best.endpoint, deployment, address)
    else:
        yield skip("bond", "duties.adl is off: no round is sent")
