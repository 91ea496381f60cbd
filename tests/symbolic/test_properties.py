"""The symbolic properties, which `make audit` proves: each has a bug to refute it, and none leaves a function out."""

from __future__ import annotations

import re

from tests.invariants.compiler import ROOT
from tests.support.callers import Caller, of_class

from .properties import FAULTS, FOLDER, PROPERTIES, changed

# The contracts of the matrix of callers, as `Authority.t.sol` calls them.
_NAMES = {
    "exchange": ("Exchange", "_exchange"),
    "fund": ("InsuranceFund", "_fund"),
    "round_book": ("RoundBook", "_book"),
    "price_feed": ("ChainlinkPriceFeed", "_feed"),
}
# Those whose arguments have lists in them, which halmos would have to be told the lengths of.
_LISTS = {("fund", "inherit"), ("exchange", "applyDeleverage"), ("round_book", "open"), ("fund", "close")}


def test_every_property_is_refuted_by_a_bug() -> None:
    assert sorted(fault.refutes for fault in FAULTS.values()) == sorted(PROPERTIES)


def test_every_bug_has_its_place() -> None:
    for tree in {fault.tree for fault in FAULTS.values()}:
        assert changed(tree)


def test_every_function_of_an_authority_is_in_a_property() -> None:
    text = (ROOT / FOLDER / "Authority.t.sol").read_text(encoding="utf-8")
    named = set(re.findall(r"(\w+)\.(\w+)\.selector", text))
    asked = of_class(
        Caller.OWNER, Caller.GUARDIAN, Caller.GUARDIAN_OR_OWNER, Caller.TREASURY, Caller.ENGINE, Caller.FUND,
        Caller.EXCHANGE,
    )  # fmt: skip
    missing = [
        (contract, function)
        for contract, function in asked
        if contract in _NAMES
        if (contract, function) not in _LISTS
        if not any((name, function) in named for name in _NAMES[contract])
    ]
    assert not missing
