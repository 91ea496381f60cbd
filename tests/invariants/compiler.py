"""The contracts: as ape has them compiled, and with seeded bugs, compiled here and kept under build/."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from ape import project
from ethpm_types import ContractType

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "invariants"

DEPLOYED = {
    "ADLEngine": "contracts/ADLEngine.sol",
    "ChainlinkPriceFeed": "contracts/oracles/ChainlinkPriceFeed.sol",
    "Exchange": "contracts/Exchange.sol",
    "InsuranceFund": "contracts/InsuranceFund.sol",
    "InventoryModule": "contracts/InventoryModule.sol",
    "MarketModule": "contracts/MarketModule.sol",
    "MockAggregator": "contracts/mocks/MockAggregator.sol",
    "MockUSDC": "contracts/mocks/MockUSDC.sol",
    "PoolModule": "contracts/PoolModule.sol",
    "PoolShares": "contracts/PoolShares.sol",
    "PoolSharesFactory": "contracts/PoolSharesFactory.sol",
    "RoundBook": "contracts/RoundBook.sol",
    "SettlementModule": "contracts/SettlementModule.sol",
    "SolvencyModule": "contracts/SolvencyModule.sol",
    "StateReader": "contracts/mocks/StateReader.sol",
}

_AT_ONCE = 24
_IMPORT = re.compile(r'(?:from|import)\s+"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Replacement:
    """A change of a contract's source: `find` must be there exactly once."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a contract is deployed from."""

    abi: list[dict[str, Any]]
    bytecode: bytes


@cache
def compile_system() -> dict[str, Artefact]:
    """Every deployed contract as it is."""
    return {name: _of_ape(getattr(project, name).contract_type) for name in DEPLOYED}


def compile_variants(variants: Mapping[str, Iterable[Replacement]]) -> dict[str, dict[str, Artefact]]:
    """Every deployed contract of every variant, by the variant's name. What was compiled before is kept."""
    files: dict[str, dict[str, Path]] = {}
    missing: dict[Path, _Unit] = {}
    for variant, replacements in variants.items():
        files[variant] = {}
        for name, closure in _sources(replacements).items():
            file = files[variant][name] = CACHE / f"{name}-{_digest(closure)}.json"
            if not file.exists():
                missing.setdefault(file, _Unit(variant, name, closure, file))
    units = list(missing.values())
    # One run of the compiler takes many sources in little more time than its start, until its memory is full.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(_compile, [units[i : i + _AT_ONCE] for i in range(0, len(units), _AT_ONCE)]))
    return {
        variant: {**compile_system(), **{name: _load(file) for name, file in changed.items()}}
        for variant, changed in files.items()
    }


def _of_ape(contract: ContractType) -> Artefact:
    document = contract.model_dump(mode="json")
    return Artefact(document["abi"], bytes.fromhex(document["deploymentBytecode"]["bytecode"][2:]))


@dataclass(frozen=True, slots=True)
class _Unit:
    """A contract to compile: its sources, in a folder named by its variant, and where the artefact goes."""

    variant: str
    name: str
    closure: dict[str, str]
    file: Path

    def place(self, source: str) -> str:
        return f"{self.variant}/{source}" if self.variant and source.startswith("contracts/") else source


def _sources(replacements: Iterable[Replacement]) -> dict[str, dict[str, str]]:
    """Those of the deployed contracts that are changed."""
    changes: dict[str, list[Replacement]] = {}
    for change in replacements:
        changes.setdefault(change.file, []).append(change)
    closures = {name: _closure(file, changes) for name, file in DEPLOYED.items()}
    missed = [file for file in changes if not any(file in closure for closure in closures.values())]
    if missed:
        raise ValueError(f"{missed[0]} is no source of a deployed contract")
    return {name: closure for name, closure in closures.items() if not closure.keys().isdisjoint(changes)}


def _compile(units: list[_Unit]) -> None:
    if not units:
        return
    sources = {unit.place(path): {"content": text} for unit in units for path, text in unit.closure.items()}
    selection = {unit.place(DEPLOYED[unit.name]): {unit.name: ["abi", "evm.bytecode.object"]} for unit in units}
    request = {
        "language": "Solidity",
        "sources": sources,
        "settings": {**_settings(), "outputSelection": selection},
    }
    done = subprocess.run([_solc(), "--standard-json"], input=json.dumps(request), text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    answer = json.loads(done.stdout)
    faults = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if faults:
        raise RuntimeError("\n".join(faults))
    CACHE.mkdir(parents=True, exist_ok=True)
    for unit in units:
        contract = answer["contracts"][unit.place(DEPLOYED[unit.name])][unit.name]
        text = json.dumps({"abi": contract["abi"], "bytecode": contract["evm"]["bytecode"]["object"]})
        # Renamed into place: another process may be compiling the same.
        part = unit.file.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(unit.file)


def _load(file: Path) -> Artefact:
    document = json.loads(file.read_text(encoding="utf-8"))
    return Artefact(document["abi"], bytes.fromhex(document["bytecode"]))


def _closure(entry: str, changes: dict[str, list[Replacement]]) -> dict[str, str]:
    """The sources that a contract is made of, by the names that its imports give them."""
    closure: dict[str, str] = {}
    todo = [entry]
    while todo:
        name = todo.pop()
        if name in closure:
            continue
        closure[name] = _changed(name, changes.get(name, []))
        todo += [_resolve(name, imported) for imported in _IMPORT.findall(closure[name])]
    return closure


def _changed(name: str, changes: list[Replacement]) -> str:
    text = _read(name)
    for change in changes:
        if text.count(change.find) != 1:
            raise ValueError(f"{name} has {text.count(change.find)} places that say {change.find!r}, one is wanted")
        text = text.replace(change.find, change.replace)
    return text


@cache
def _read(name: str) -> str:
    folder = ROOT if name.startswith("contracts/") else ROOT / "node_modules"
    return (folder / name).read_text(encoding="utf-8")


def _resolve(importer: str, imported: str) -> str:
    if not imported.startswith("."):
        return imported
    parts: list[str] = []
    for part in (PurePosixPath(importer).parent / imported).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _digest(closure: dict[str, str]) -> str:
    content = json.dumps([sorted(closure.items()), _settings(), Path(_solc()).name])
    return sha256(content.encode()).hexdigest()[:24]


@cache
def _settings() -> dict[str, Any]:
    # The optimizer changes nothing of what a contract does, and takes two thirds of the time.
    return {"evmVersion": _solidity()["evm_version"], "metadata": {"appendCBOR": False}}


@cache
def _solidity() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((ROOT / "ape-config.yaml").read_text(encoding="utf-8"))["solidity"]
    return settings


def _solc() -> str:
    return str(ROOT / "toolchain" / f"solc-v{_solidity()['version']}")
