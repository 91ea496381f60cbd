"""A live chain: its own backstop ratio and liquidation fees, unless the command line names others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backstop.adl.snapshot_file import dumps
from backstop.chain.snapshot import ChainState, read_chain
from backstop.math.wad import format_amount
from scripts.stage.cases import CASES
from scripts.stage.venue import Venue, rpc_url

from .test_command import refused, run

FEW = ("--draws", "200", "--json")


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own, with the positions of the worked case."""
    venue = Venue.open(owner)
    venue.play(next(case for case in CASES if case.name == "worked-case"))
    return venue


@pytest.fixture
def source(venue: Venue, tmp_path: Path) -> tuple[str, ...]:
    """The chain, on a command line."""
    file = tmp_path / "deployment.json"
    venue.deployment.save(file)
    return "--rpc", rpc_url(), "--deployment", str(file)


@pytest.fixture
def state(venue: Venue) -> ChainState:
    """The same, read."""
    return read_chain(venue.endpoint, venue.deployment)


def stressed(*arguments: str) -> Any:
    result = run("fund", "stress", *arguments, *FEW)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_terms_are_those_of_the_chain(source: tuple[str, ...], state: ChainState) -> None:
    terms = stressed(*source)["terms"]
    assert terms["backstopRatio"] == format_amount(state.backstop_ratio)
    assert {name: market["liquidationFee"] for name, market in terms["markets"].items()} == {
        name: format_amount(market.liquidation_fee) for name, market in state.terms.items()
    }


def test_options_go_before_the_chain(source: tuple[str, ...], state: ChainState) -> None:
    terms = stressed(*source, "--backstop-ratio", "20%", "--liquidation-fee", "0.03%")["terms"]
    assert state.backstop_ratio != 2 * 10**17
    assert terms["backstopRatio"] == "0.2"
    assert {market["liquidationFee"] for market in terms["markets"].values()} == {"0.0003"}


def test_chain_and_its_snapshot_file_are_stressed_alike(
    source: tuple[str, ...], state: ChainState, tmp_path: Path
) -> None:
    file = tmp_path / "snapshot.json"
    file.write_text(dumps(state.snapshot))
    same = "--backstop-ratio", format_amount(state.backstop_ratio), "--liquidation-fee", "0"
    live = stressed(*source, *same)
    assert live == stressed(str(file), *same)
    assert float(live["pools"][0]["loss"]["worst"]) > 0


def test_a_node_that_does_not_answer_is_one_line(source: tuple[str, ...]) -> None:
    line = refused(run("fund", "stress", "--rpc", "http://127.0.0.1:1", *source[2:]))
    assert line.startswith("error: ")
    assert "127.0.0.1:1" in line
