"""Two public networks: one deployed at a stretch, one by a process that is killed again and again; then verified."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ape import networks, project
from eth_utils.crypto import keccak

from scripts.stage.own_anvil import ask, own_anvil
from scripts.stage.venue import wad
from tests.deploy.explorer_double import ExplorerDouble
from tests.deploy.world import BASE_SEPOLIA, DEPLOYER, SEPOLIA, World, named

# Odd: killed before the write. Together they come past deployments, settings, the listing and the hand-over; every
# write by itself is one of test_resuming.py, without a process.
KILLS = (13, 36)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Deployed by one run."""
    with own_anvil("--chain-id", str(SEPOLIA)) as url:
        world = World.make(SEPOLIA, url, tmp_path_factory.mktemp("straight") / "world")
        done = world.deploy()
        assert done.returncode == 0, done.stdout + done.stderr
        yield world


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Deployed by several runs, of which only the last one ends by itself."""
    with own_anvil("--chain-id", str(BASE_SEPOLIA)) as url:
        world = World.make(BASE_SEPOLIA, url, tmp_path_factory.mktemp("broken") / "world")
        known: dict[str, str] = {}
        for kill in KILLS:
            killed = world.deploy(killed_at=kill)
            assert killed.returncode == -9, killed.stdout + killed.stderr
            assert not world.record.exists()
            if not world.journal.exists():
                continue
            steps = json.loads(world.journal.read_text())["steps"]
            mined = {name: step["address"] for name, step in steps.items() if step["done"] and step["address"]}
            assert known.items() <= mined.items()
            known = mined
        assert len(known) >= 10
        done = world.deploy()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "resuming: " in done.stdout
        addresses = json.loads(world.record.read_text())
        assert {name: addresses[name] for name in known if name in addresses} == {
            name: address for name, address in known.items() if name in addresses
        }
        yield world


def read(world: World) -> dict[str, Any]:
    return json.loads(world.record.read_text())


def test_nothing_is_sent_twice(straight: World, broken: World) -> None:
    """Each transaction of the deployer is a step on record; the layer 2 chain has one more, for its sequencer."""
    for world in (straight, broken):
        assert world.sent() == len(read(world)["details"]["transactions"])
        assert not world.journal.exists()
    assert set(read(broken)["details"]["transactions"]) - set(read(straight)["details"]["transactions"]) == {
        "set sequencer"
    }


def test_record_is_that_of_a_deployment_at_a_stretch(straight: World, broken: World) -> None:
    one, other = read(straight), read(broken)
    for key in ("plan", "plan_hash", "transactions", "timelock"):
        assert one["details"][key] != other["details"].pop(key)
        one["details"].pop(key)
    arguments = [record["details"].pop("constructor_arguments") for record in (one, other)]
    assert arguments[0].keys() == arguments[1].keys()
    for record in (one, other):
        assert record.pop("chain_id") in (SEPOLIA, BASE_SEPOLIA)
        hashes = record.pop("code_hashes")  # of code with addresses in it
        assert all(re.fullmatch("0x[0-9a-f]{64}", value) for value in hashes.values())
        record.pop("block")
    owners = [record["details"].pop("owner") for record in (one, other)]
    assert all(re.fullmatch("0x[0-9a-fA-F]{40}", owner) for owner in owners)
    assert one.pop("details") == other.pop("details")
    assert one.keys() == other.keys()


def test_second_deployment_is_refused(straight: World) -> None:
    before = (straight.sent(), straight.record.read_bytes())
    done = straight.deploy()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("move it away, or give --force to replace it")
    assert (straight.sent(), straight.record.read_bytes()) == before


def test_verify_passes_and_publishes_the_sources(broken: World) -> None:
    """And the deployer holds nothing any more."""
    with ExplorerDouble() as explorer:
        done = broken.verify("--strict", ETHERSCAN_API_KEY="kept quiet", ETHERSCAN_API_URL=explorer.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line[:4].strip() for line in done.stdout.splitlines() if line[4:6] == "  "} == {"ok"}
    assert "kept quiet" not in done.stdout + done.stderr
    record = read(broken)
    assert {one["contractaddress"] for one in explorer.submitted} == {
        *(record[key] for key in record["code_hashes"] if key != "token"),
        record["details"]["timelock"]["address"],
    }
    for one in explorer.submitted:
        assert one["chainid"] == str(BASE_SEPOLIA)
        assert one["codeformat"] == "solidity-standard-json-input"
        assert one["compilerversion"] == f"v{record['details']['compiler']['version']}"
    assert f"deployer: {DEPLOYER.address} has no role" in done.stdout
    timelock = record["details"]["timelock"]["address"]
    for key in ("exchange", "fund", "round_book", "price_feed"):
        assert f"ok    owner of {key}: {timelock}" in done.stdout
    assert "ok    delay: 259200 s" in done.stdout


def test_missing_url_is_one_line(broken: World) -> None:
    network = "arbitrum:sepolia:node"
    done = broken.run("verify", "--network", network)
    assert done.returncode == 2
    assert done.stderr == f"error: ARBITRUM_SEPOLIA_RPC_URL is not set: it has to have the URL of a node of {network}\n"


def test_what_was_tampered_with_is_told(straight: World) -> None:
    """Governance may change parameters; owners, code and roles are not as they should be. Last: it spoils the chain."""
    record = read(straight)
    timelock = record["details"]["timelock"]["address"]
    usurper, canceller = named("usurper"), record["details"]["timelock"]["cancellers"][0]
    exchange, governor = project.Exchange, project.BackstopTimelock
    straight.as_somebody(timelock, record["exchange"], encoded(exchange, "setWarningRate", wad("0.9")))
    changed = straight.verify("--strict")
    assert changed.returncode == 1, changed.stdout + changed.stderr
    assert "warn  exchange: warning_rate: 0.9, the plan has 0.8" in changed.stdout
    assert "fail" not in changed.stdout

    straight.as_somebody(timelock, record["fund"], encoded(project.InsuranceFund, "transferOwnership", usurper))
    straight.as_somebody(usurper, record["fund"], encoded(project.InsuranceFund, "acceptOwnership"))
    canceller_role = keccak(text="CANCELLER_ROLE")
    straight.as_somebody(timelock, timelock, encoded(governor, "revokeRole", canceller_role, canceller))
    straight.as_somebody(timelock, timelock, encoded(governor, "updateDelay", 60))
    straight.as_somebody(timelock, timelock, encoded(governor, "grantRole", bytes(32), DEPLOYER.address))
    code = ask(straight.url, "eth_getCode", record["fund_lens"], "latest")
    ask(straight.url, "anvil_setCode", record["lens"], code)
    done = straight.verify()
    assert done.returncode == 1
    for line in (
        f"fail  owner of fund: {usurper}, {timelock} was meant",
        f"fail  cancellers: {canceller} lacks the role",
        "fail  delay: 60 s, at least 172800 s are needed",
        f"fail  admins: {DEPLOYER.address} can give roles without a delay",
        f"fail  deployer: {DEPLOYER.address} is still admin of the timelock",
        f"fail  code of lens: what stands at {record['lens']} is not BackstopLens as compiled here",
    ):
        assert line in done.stdout.splitlines()


def encoded(container: Any, method: str, *arguments: Any) -> bytes:
    (abi,) = [one for one in container.contract_type.mutable_methods if one.name == method]
    ecosystem = networks.provider.network.ecosystem
    return bytes(ecosystem.get_method_selector(abi) + ecosystem.encode_calldata(abi, *arguments))
