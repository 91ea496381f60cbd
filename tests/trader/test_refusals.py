"""Every sentence is one of an error that the contracts have, and fits its values."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from backstop.chain.bindings import ERRORS, Function, describe_revert
from backstop.errors import RevertError
from backstop.trading.refusals import _SENTENCES, explained

SIGNATURES = {signature.split("(")[0]: signature for signature in ERRORS}


@pytest.mark.parametrize("name", sorted(_SENTENCES))
def test_sentence_fits_its_error(name: str) -> None:
    types = [kind for kind in SIGNATURES[name].split("(")[1][:-1].split(",") if kind]
    values = {"bytes32": bytes(range(32)), "address": "0x" + "ab" * 20}
    arguments = [values.get(kind, 3 * 10**18 // 2 if kind in ("int256", "uint256") else 7) for kind in types]
    raw = describe_revert(Function(SIGNATURES[name]).selector + encode(types, arguments))
    text = str(explained(RevertError(raw)))
    assert text.endswith(f" [{raw}]")
    assert "{" not in text
    assert "1500000000000000000" not in text.removesuffix(f"[{raw}]")


def test_amounts_are_decimals_and_the_rest_stands_as_it_is() -> None:
    refusal = RevertError(f"MarginInsufficient(0x{'11' * 32}, -1500000000000000000, 2000000000000000001)")
    assert str(explained(refusal)).startswith(
        "without unrealized profit -1.5 would be left where 2.000000000000000001 must stay: "
    )
    late = f"OrderExpired(0x{'11' * 32}, 1700000000)"
    assert str(explained(RevertError(late))) == f"the order expired at 1700000000: make a new one [{late}]"


@pytest.mark.parametrize(
    "raw", ["execution reverted", "Panic(0x11)", "CallerNotEngine(0x12)", "revert data 0x12345678"]
)
def test_what_has_no_sentence_is_told_as_it_is(raw: str) -> None:
    assert str(explained(RevertError(raw))) == f"refused by the contracts: {raw}"
