"""Publishes sources to a block explorer, by its API: the compiler's own input, so that it can make the same code of it.

Nothing in the project needs it. The key is in ETHERSCAN_API_KEY; ETHERSCAN_API_URL names another explorer that
speaks the same.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from ape import compilers, project

from backstop.errors import BackstopError
from scripts.stage.system import CONTRACTS, TIMELOCK, container

KEY, URL = "ETHERSCAN_API_KEY", "ETHERSCAN_API_URL"
DEFAULT_URL = "https://api.etherscan.io/v2/api"
_TIMEOUT = 60  # seconds of one request
_PATIENCE = 300.0  # seconds until an explorer has made up its mind
_PAUSE = 5.0


class ExplorerError(BackstopError):
    """An explorer that does not answer, or refuses."""

    exit_code = 1


@dataclass(frozen=True)
class Explorer:
    """One explorer, for one chain."""

    url: str
    key: str
    chain_id: int
    pause: float = _PAUSE
    patience: float = _PATIENCE

    @classmethod
    def of_environment(cls, chain_id: int) -> Explorer | None:
        """None where no key is set."""
        key = os.environ.get(KEY, "").strip()
        return cls(os.environ.get(URL, "").strip() or DEFAULT_URL, key, chain_id) if key else None

    def publish(self, name: str, address: str, arguments: str) -> str:
        """Submits a contract's sources and waits for the verdict, which is returned. Raises ExplorerError."""
        contract = container(name).contract_type
        version, document = standard_input(name)
        answer = self._ask(
            "POST",
            action="verifysourcecode",
            codeformat="solidity-standard-json-input",
            sourceCode=json.dumps(document),
            contractaddress=address,
            contractname=f"{contract.source_id}:{name}",
            compilerversion=f"v{version}",
            # The API spells it so.
            constructorArguements=arguments.removeprefix("0x"),
        )
        if "already verified" in answer.lower():
            return answer
        deadline = time.monotonic() + self.patience
        while True:
            verdict = self._ask("GET", action="checkverifystatus", guid=answer)
            if not verdict.lower().startswith("pending"):
                break
            if time.monotonic() > deadline:
                raise ExplorerError(f"{name}: the explorer has not decided in {self.patience:g} s")
            time.sleep(self.pause)
        if not verdict.lower().startswith(("pass", "already")):
            raise ExplorerError(f"{name}: the explorer says {verdict!r}")
        return verdict

    def _ask(self, method: str, **fields: str) -> str:
        fields = {"module": "contract", "apikey": self.key} | fields
        try:
            if method == "POST":
                query = {"chainid": str(self.chain_id)}
                response = requests.post(self.url, params=query, data=fields, timeout=_TIMEOUT)
            else:
                query = {"chainid": str(self.chain_id)} | fields
                response = requests.get(self.url, params=query, timeout=_TIMEOUT)
            response.raise_for_status()
            answer: Any = response.json()
            status, result = str(answer["status"]), str(answer["result"])
        except (requests.RequestException, ValueError, KeyError, TypeError) as fault:
            words = str(fault).replace(self.key, "…")
            raise ExplorerError(f"no answer from the explorer to {fields['action']}: {words}") from None
        told = ("already verified", "pending", "pass", "fail")
        if status != "1" and not result.lower().startswith(told) and "already verified" not in result.lower():
            raise ExplorerError(f"the explorer refuses {fields['action']}: {result.replace(self.key, '…')}")
        return result


def standard_input(name: str) -> tuple[str, dict[str, Any]]:
    """The compiler's version and its whole input for one contract: with the settings that the project compiles by."""
    return _inputs()[name]


@cache
def _inputs() -> dict[str, tuple[str, dict[str, Any]]]:
    """Of everything that a deployment makes, since a copy of the project takes longer than all of it."""
    compiler = compilers.registered_compilers[".sol"]
    outputs = {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}}
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    # Ape unpacks the dependencies among the sources, and would take them for ours ever after.
    with project.isolate_in_tempdir() as copy:
        for name in (*CONTRACTS.values(), TIMELOCK):
            source = copy.path / container(name).contract_type.source_id
            ((version, document),) = compiler.get_standard_input_json([source], project=copy).items()
            found[name] = (str(version), document | {"settings": document["settings"] | {"outputSelection": outputs}})
    return found
