"""Holds a live deployment against its record, its plan and the contracts as they are compiled here.

    ape run verify --network ethereum:sepolia:node
    ETHERSCAN_API_KEY=... ape run verify --network ethereum:sepolia:node     # and publishes the sources

A line for each thing that was looked at. `warn` is what governance may have changed since, within the hard bounds;
`fail` is what should not be, and makes the exit status 1; with --strict a warning does too. Nothing is sent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape import chain, networks
from ape.cli import network_option

from backstop.chain.code_hashes import recorded_hashes
from backstop.chain.deployment import Deployment, is_address, read_details
from backstop.chain.endpoint import Endpoint
from backstop.deployment.journal import Header, Journal
from backstop.deployment.plan import Plan, load_plan, plan_of
from backstop.errors import DeploymentError
from backstop.preflight.findings import Status
from scripts.stage.explorer import Explorer, ExplorerError
from scripts.stage.inspection import Subject, contracts_of, inspect
from scripts.stage.public_network import NetworkCommand
from scripts.stage.runner import Runner
from scripts.stage.system import TIMELOCK, container, system_at


class Reader:
    """Who looks and signs nothing."""

    address = "0x0000000000000000000000000000000000000000"


@click.command(cls=NetworkCommand)
@network_option(default="ethereum:local:foundry")
@click.option("--deployment", type=click.Path(path_type=Path), help="The record; deployments/CHAIN_ID.json by default.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Another plan than that on record.")
@click.option("--strict", is_flag=True, help="Fail on whatever is not as planned, also within the bounds.")
@click.option("--no-publish", is_flag=True, help="Publish no sources although a key is set.")
def cli(deployment: Path | None, plan_file: Path | None, strict: bool, no_publish: bool) -> None:
    """Re-check a deployment, and publish its sources where an explorer's key is set."""
    file = deployment or Path("deployments") / f"{chain.chain_id}.json"
    record = Deployment.load(file)
    endpoint = Endpoint(str(networks.provider.http_uri))
    endpoint_chain = endpoint.quantity("eth_chainId")
    if record.chain_id != endpoint_chain:
        raise DeploymentError(f"{file} is of chain {record.chain_id}, the node serves chain {endpoint_chain}")
    details = read_details(file)
    subject = subject_of(endpoint, record, details, load_plan(plan_file) if plan_file else None, file)
    hashes = recorded_hashes(file)
    if subject.timelock is not None:
        hashes["timelock"] = str(details["timelock"].get("code_hash"))
    for key in contracts_of(subject):
        for what, known in (("code_hashes", hashes), ("details.abi_hashes", details["abi_hashes"])):
            if key not in known:
                raise DeploymentError(f"{file}: {what} has no {key}: it was written by hand, or changed")
    failed = 0
    for finding in inspect(subject, hashes, details["abi_hashes"]):
        failed += finding.status is Status.FAIL or (strict and finding.status is Status.WARN)
        click.echo(f"{finding.status.value:4}  {finding.name}: {finding.found}")
        if finding.advice:
            click.echo(f"      {finding.advice}")
    explorer = None if no_publish or not subject.public else Explorer.of_environment(record.chain_id)
    if explorer is not None:
        failed += publish(explorer, subject, details["constructor_arguments"])
    if failed:
        click.echo(f"error: {failed} of these should not be", err=True)
        raise click.exceptions.Exit(1)


def subject_of(endpoint: Endpoint, record: Deployment, details: Any, plan: Plan | None, file: Path) -> Subject:
    """What a record says is there. Raises DeploymentError, PlanError where it cannot be right."""
    recorded = plan_of(details["plan"], f"{file}: details.plan")
    if recorded.hash() != details["plan_hash"]:
        raise DeploymentError(f"{file}: details.plan is not the plan of its plan_hash; the record was changed")
    for key in ("deployer", "owner"):
        if not is_address(details[key]):
            raise DeploymentError(f"{file}: details.{key} is {details[key]!r}, an address is expected")
    governed = details["timelock"]
    if governed is not None and not (isinstance(governed, dict) and is_address(governed.get("address"))):
        raise DeploymentError(f"{file}: details.timelock is {governed!r}, a table with its address is expected")
    if plan is not None and plan.chain_id not in (None, record.chain_id):
        raise DeploymentError(f"the plan is for chain {plan.chain_id}, {file} is of chain {record.chain_id}")
    public = not networks.provider.network.is_local
    if public and governed is None:
        raise DeploymentError(f"{file}: details.timelock is missing, and on a public network there has to be one")
    if governed is not None and governed["address"] != details["owner"]:
        raise DeploymentError(f"{file}: details.owner is not the timelock")
    header = Header(record.chain_id, "", Reader.address, "", "", record.block)
    runner = Runner(Reader(), endpoint, Journal(header))
    timelock = None if governed is None else runner.instance(container(TIMELOCK), governed["address"])
    return Subject(
        runner=runner,
        system=system_at(runner, record),
        timelock=timelock,
        plan=plan or recorded,
        made_by=recorded,
        deployer=details["deployer"],
        owner=details["owner"],
        public=public,
    )


def publish(explorer: Explorer, subject: Subject, arguments: dict[str, str]) -> int:
    """How many could not be published."""
    failed = 0
    for key, (name, address) in contracts_of(subject).items():
        try:
            click.echo(f"ok    source of {key}: {explorer.publish(name, address, arguments[key])}")
        except (ExplorerError, KeyError) as fault:
            failed += 1
            click.echo(f"fail  source of {key}: {fault}")
    return failed
