"""Account ids, packed in Python and in Solidity."""

from __future__ import annotations

from random import Random

import pytest

from backstop import account_id
from backstop.chain.bindings import Function

from .harness import Harness

PARTS = Function("parts(bytes32)", "address,bool,uint16,bool")


def test_account_ids_are_the_contracts(harness: Harness) -> None:
    rng = Random("accounts")
    cases = [
        (rng.choice((0, 2**160 - 1, rng.getrandbits(160))), market, index)
        for market in (1, 2, 255, 256, 2**16 - 1, rng.randrange(1, 2**16))
        for index in (0, 1, 2**64 - 1, rng.getrandbits(64))
    ]
    owners = [f"0x{owner:040x}" for owner, _, _ in cases]
    mirrored = [
        account_id.isolated_account(owner, market, index)
        for owner, (_, market, index) in zip(owners, cases, strict=True)
    ]
    assert harness.ask(Function("isolated(address,uint16,uint64)", "bytes32"), cases) == [(one,) for one in mirrored]
    packed = [(owner, account_id.isolated_sub_id(market, index)) for owner, market, index in cases]
    assert harness.ask(Function("make(address,uint96)", "bytes32"), packed) == [(one,) for one in mirrored]
    parts = harness.ask(PARTS, [(int.from_bytes(one, "big"),) for one in mirrored])
    assert parts == [
        (owner, account_id.is_cross(one), market, True)
        for owner, (_, market, _), one in zip(owners, cases, mirrored, strict=True)
    ]


def test_is_cross_is_the_contracts(harness: Harness) -> None:
    rng = Random("cross")
    accounts = [rng.getrandbits(256) for _ in range(500)]
    parts = harness.ask(PARTS, [(account,) for account in accounts])
    assert {cross for _, cross, _, _ in parts if parts} == {False, True}
    assert [cross for _, cross, _, _ in parts] == [
        account_id.is_cross(account.to_bytes(32, "big")) for account in accounts
    ]


@pytest.mark.parametrize(("number", "index"), [(0, 0), (2**16, 0), (-1, 0), (1, -1), (1, 2**64)])
def test_account_that_does_not_fit_into_an_id_is_refused(number: int, index: int) -> None:
    with pytest.raises(ValueError, match=r"not in"):
        account_id.isolated_account("0x" + "11" * 20, number, index)
