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
_OURS = "contracts/", "tests/"  # sources that are no dependencies
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
        for name, closure in _sources(_texts(replacements), DEPLOYED).items():
            file = files[variant][name] = CACHE / f"{name}-{_digest(closure)}.json"
            if not file.exists():
                missing.setdefault(file, _Unit(variant, name, DEPLOYED[name], closure))
    units = dict(zip(missing, missing.values(), strict=True))
    parts = [list(units.items())[i : i + _AT_ONCE] for i in range(0, len(units), _AT_ONCE)]
    # One run of the compiler takes many sources in little more time than its start, until its memory is full.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(_compile_and_keep, parts))
    return {
        variant: {**compile_system(), **{name: _load(file) for name, file in changed.items()}}
        for variant, changed in files.items()
    }


def compile_edits(
    edits: Mapping[str, Mapping[str, str]], contracts: Mapping[str, str]
) -> dict[str, dict[str, Artefact] | str]:
    """Those of the contracts, named with their files, that each edit changes, by the edit's name; nothing is kept.

    An edit gives the whole new text of files. One that does not compile has the compiler's words instead.
    """
    answers: dict[str, dict[str, Artefact] | str] = {}
    units = [
        _Unit(edit, name, contracts[name], closure)
        for edit, texts in edits.items()
        for name, closure in _sources(texts, contracts).items()
    ]
    while True:
        made, faults = _compile(units)
        answers |= faults
        if not faults:
            break
        units = [unit for unit in units if unit.variant not in faults]
    for unit, artefact in zip(units, made, strict=True):
        changed = answers.setdefault(unit.variant, {})
        assert not isinstance(changed, str)
        changed[unit.name] = artefact
    return answers


@cache
def compile_alone(file: str) -> Artefact:
    """A contract that is none of ape's, in a file named like it. What was compiled before is kept."""
    name, closure = PurePosixPath(file).stem, _closure(file, {})
    kept = CACHE / f"{name}-{_digest(closure)}.json"
    if not kept.exists():
        _compile_and_keep([(kept, _Unit("", name, file, closure))])
    return _load(kept)


def _of_ape(contract: ContractType) -> Artefact:
    document = contract.model_dump(mode="json")
    return Artefact(document["abi"], bytes.fromhex(document["deploymentBytecode"]["bytecode"][2:]))


@dataclass(frozen=True, slots=True)
class _Unit:
    """A contract to compile: its file and all sources, in a folder named by its variant."""

    variant: str
    name: str
    entry: str
    closure: dict[str, str]

    def place(self, source: str) -> str:
        return f"{self.variant}/{source}" if self.variant and source.startswith(_OURS) else source


def _texts(replacements: Iterable[Replacement]) -> dict[str, str]:
    """The files that replacements change."""
    texts: dict[str, str] = {}
    for change in replacements:
        text = texts.get(change.file) or read_source(change.file)
        if text.count(change.find) != 1:
            places = text.count(change.find)
            raise ValueError(f"{change.file} has {places} places that say {change.find!r}, one is wanted")
        texts[change.file] = text.replace(change.find, change.replace)
    return texts


def _sources(texts: Mapping[str, str], contracts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Those of the contracts that are changed, with all their sources."""
    closures = {name: _closure(file, texts) for name, file in contracts.items()}
    missed = [file for file in texts if not any(file in closure for closure in closures.values())]
    if missed:
        raise ValueError(f"{missed[0]} is no source of {', '.join(contracts)}")
    return {name: closure for name, closure in closures.items() if not closure.keys().isdisjoint(texts)}


def _compile_and_keep(units: list[tuple[Path, _Unit]]) -> None:
    made, faults = _compile([unit for _, unit in units])
    if faults:
        raise RuntimeError("\n".join(faults.values()))
    CACHE.mkdir(parents=True, exist_ok=True)
    for (file, _), artefact in zip(units, made, strict=True):
        # Renamed into place: another process may be compiling the same.
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"abi": artefact.abi, "bytecode": artefact.bytecode.hex()}), encoding="utf-8")
        part.replace(file)


def _compile(units: list[_Unit]) -> tuple[list[Artefact], dict[str, str]]:
    """The artefacts in order; or none, and by variant what the compiler says."""
    if not units:
        return [], {}
    sources = {unit.place(path): {"content": text} for unit in units for path, text in unit.closure.items()}
    selection = {unit.place(unit.entry): {unit.name: ["abi", "evm.bytecode.object"]} for unit in units}
    answer = run_compiler(sources, {**_settings(), "outputSelection": selection})
    faults = [error for error in answer.get("errors", ()) if error["severity"] == "error"]
    if faults:
        by_variant: dict[str, str] = {}
        for fault in faults:
            place = fault.get("sourceLocation", {}).get("file", "").partition("/")[0]
            if place not in {unit.variant for unit in units}:
                raise RuntimeError(fault["formattedMessage"])
            by_variant.setdefault(place, fault["formattedMessage"])
        return [], by_variant
    made = [answer["contracts"][unit.place(unit.entry)][unit.name] for unit in units]
    return [Artefact(one["abi"], bytes.fromhex(one["evm"]["bytecode"]["object"])) for one in made], {}


def run_compiler(sources: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The compiler's answer to a request in standard JSON."""
    request = {"language": "Solidity", "sources": sources, "settings": settings}
    done = subprocess.run([_solc(), "--standard-json"], input=json.dumps(request), text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _load(file: Path) -> Artefact:
    document = json.loads(file.read_text(encoding="utf-8"))
    return Artefact(document["abi"], bytes.fromhex(document["bytecode"]))


def _closure(entry: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The sources that a contract is made of, by the names that its imports give them."""
    closure: dict[str, str] = {}
    todo = [entry]
    while todo:
        name = todo.pop()
        if name in closure:
            continue
        closure[name] = texts[name] if name in texts else read_source(name)
        todo += [_resolve(name, imported) for imported in _IMPORT.findall(closure[name])]
    return closure


@cache
def read_source(name: str) -> str:
    """The text of a source, by the name that imports give it."""
    folder = ROOT if name.startswith(_OURS) else ROOT / "node_modules"
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
