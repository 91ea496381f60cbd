"""Runtime code with immutables masked, as the compiler itself refers to them; and what is published makes that code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ape import project

from backstop.deployment.code import abi_hash, immutable_places, is_code_of
from scripts.stage.explorer import Explorer, ExplorerError, standard_input
from scripts.stage.inspection import abi_of
from scripts.stage.venue import Venue
from tests.deploy.explorer_double import ExplorerDouble

SOLC = Path(__file__).parents[2] / "toolchain" / "solc-v0.8.37"


def compiled(name: str, *imported: str) -> dict[str, Any]:
    """What the compiler makes of what an explorer is given for a contract, and where it puts immutables, by name."""
    _, document = standard_input(name)
    sources = {one: getattr(project, one).contract_type.source_id for one in (name, *imported)}
    outputs = ["evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]
    settings = document["settings"] | {"outputSelection": {file: {one: outputs} for one, file in sources.items()}}
    done = subprocess.run(
        ["node", str(SOLC), "--standard-json"],
        input=json.dumps(document | {"settings": settings}),
        capture_output=True,
        text=True,
        check=True,
    )
    made = json.loads(done.stdout)["contracts"]
    return {one: made[file][one]["evm"]["deployedBytecode"] for one, file in sources.items()}


# One with immutables, and one that holds its code, whose immutables are not its own; and one without.
@pytest.mark.parametrize("names", [("PoolSharesFactory", "PoolShares"), ("ChainlinkPriceFeed",)])
def test_immutables_stand_where_the_compiler_says(names: tuple[str, ...]) -> None:
    for name, output in compiled(*names).items():
        template = bytes(getattr(project, name).contract_type.get_runtime_bytecode())
        assert bytes.fromhex(output["object"]) == template
        references = [place for places in output["immutableReferences"].values() for place in places]
        assert {place["length"] for place in references} <= {32}
        assert sorted(place["start"] for place in references) == list(immutable_places(template))
        assert bool(references) is (name == "PoolShares")


def test_code_with_other_bytes_is_not_the_same(venue: Venue) -> None:
    template = bytes(project.FundLens.contract_type.get_runtime_bytecode())
    code = bytes(venue.endpoint.request("eth_getCode", venue.system.fund_lens.address, "latest")[2:], "ascii")
    code = bytes.fromhex(code.decode())
    assert code != template
    assert is_code_of(template, code)
    assert not is_code_of(template, code[:-1])
    assert not is_code_of(b"", b"")
    for place in (0, immutable_places(template)[0] - 1, immutable_places(template)[-1] + 32, len(code) - 1):
        changed = bytearray(code)
        changed[place] ^= 1
        assert not is_code_of(template, bytes(changed))
    changed = bytearray(code)
    changed[immutable_places(template)[0]] ^= 1
    assert is_code_of(template, bytes(changed))  # which is why a record has the whole code's hash too


def test_hash_of_an_abi_does_not_depend_on_order() -> None:
    abi = abi_of("FundLens")
    assert abi_hash(abi) == abi_hash([dict(reversed(entry.items())) for entry in reversed(abi)])
    assert abi_hash(abi) != abi_hash(abi[1:])


def test_submission(venue: Venue) -> None:
    with ExplorerDouble(pending=2) as double:
        explorer = Explorer(double.url, "secret", 84532, pause=0.01)
        assert explorer.publish("FundLens", venue.system.fund_lens.address, "0xabcd") == "Pass - Verified"
    (sent,) = double.submitted
    assert double.asked == 3
    version, document = standard_input("FundLens")
    assert json.loads(sent["sourceCode"]) == document
    assert {key: sent[key] for key in sent if key != "sourceCode"} == {
        "chainid": "84532",
        "module": "contract",
        "action": "verifysourcecode",
        "apikey": "secret",
        "codeformat": "solidity-standard-json-input",
        "contractaddress": venue.system.fund_lens.address,
        "contractname": "contracts/lens/FundLens.sol:FundLens",
        "compilerversion": f"v{version}",
        "constructorArguements": "abcd",
    }


def test_explorer_that_refuses(venue: Venue) -> None:
    with ExplorerDouble(verdict="Fail - Unable to verify") as double:
        explorer = Explorer(double.url, "secret", 1, pause=0.01)
        with pytest.raises(ExplorerError, match="Fail - Unable to verify"):
            explorer.publish("FundLens", venue.system.fund_lens.address, "0x")
    with pytest.raises(ExplorerError) as refused:
        explorer.publish("FundLens", venue.system.fund_lens.address, "0x")
    assert "secret" not in str(refused.value)


def test_without_a_key_nothing_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETHERSCAN_API_KEY", raising=False)
    assert Explorer.of_environment(1) is None
    monkeypatch.setenv("ETHERSCAN_API_KEY", "secret")
    explorer = Explorer.of_environment(1)
    assert explorer is not None
    assert "chainid" not in explorer.url
