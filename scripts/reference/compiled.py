"""What the compiler says of the contracts: syntax trees, interfaces and storage layouts. No code is generated."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.invariants.compiler import ROOT, read_source, run_compiler

_IMPORT = re.compile(r'(?:from|import)\s+"([^"]+)"')
_LEFT_OUT = ("contracts/.cache/", "contracts/mocks/")

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that has an address, and the modules that run in its storage."""

    name: str
    file: str
    modules: tuple[str, ...] = ()


DEPLOYED = (
    Contract(
        "Exchange",
        "contracts/Exchange.sol",
        ("contracts/SettlementModule.sol", "contracts/SolvencyModule.sol", "contracts/MarketModule.sol"),
    ),
    Contract(
        "InsuranceFund", "contracts/InsuranceFund.sol", ("contracts/InventoryModule.sol", "contracts/PoolModule.sol")
    ),
    Contract("ADLEngine", "contracts/ADLEngine.sol"),
    Contract("RoundBook", "contracts/RoundBook.sol"),
    Contract("PoolShares", "contracts/PoolShares.sol"),
    Contract("PoolSharesFactory", "contracts/PoolSharesFactory.sol"),
    Contract("ChainlinkPriceFeed", "contracts/oracles/ChainlinkPriceFeed.sol"),
    Contract("BackstopTimelock", "contracts/governance/Timelock.sol"),
    Contract("BackstopLens", "contracts/lens/BackstopLens.sol"),
    Contract("FundLens", "contracts/lens/FundLens.sol"),
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The compiler's answer."""

    contracts: dict[str, dict[str, Any]]
    trees: dict[str, Node]

    def output(self, file: str, name: str | None = None) -> dict[str, Any]:
        """What was asked of a contract, which is named like its file unless a name is given."""
        found = self.contracts[file]
        # The file of the timelock is named shorter than the contract.
        answer: dict[str, Any] = found[name or (Path(file).stem if Path(file).stem in found else next(iter(found)))]
        return answer

    def nodes(self, *kinds: str) -> Iterator[tuple[str, Node]]:
        """All nodes of these kinds, each with its file."""
        for file, tree in self.trees.items():
            for node in _walk(tree):
                if node.get("nodeType") in kinds:
                    yield file, node


def compile_contracts() -> Compiled:
    """Analyse all contracts but mocks, with what they import."""
    sources: dict[str, Any] = {}
    todo = [str(file.relative_to(ROOT)) for file in sorted((ROOT / "contracts").glob("**/*.sol"))]
    todo = [name for name in todo if not name.startswith(_LEFT_OUT)]
    while todo:
        name = todo.pop()
        if name in sources:
            continue
        text = read_source(name)
        sources[name] = {"content": text}
        for imported in _IMPORT.findall(text):
            folder = posixpath.dirname(name)
            todo.append(posixpath.normpath(posixpath.join(folder, imported)) if imported.startswith(".") else imported)
    wanted = {"*": {"*": ["abi", "storageLayout"], "": ["ast"]}}
    answer = run_compiler(sources, {"evmVersion": "cancun", "outputSelection": wanted})
    faults = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if faults:
        raise RuntimeError("\n".join(faults))
    trees = {file: source["ast"] for file, source in sorted(answer["sources"].items())}
    return Compiled(answer["contracts"], trees)


def is_own(file: str) -> bool:
    """Whether a source is the project's and not a library's."""
    return file.startswith("contracts/")


def _walk(node: Any) -> Iterator[Node]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)
