"""The ADL engine on its own, asked for rounds of every kind, does what the mirror does."""

from __future__ import annotations

import pytest

pytest.importorskip("pyrevm", reason="there is no wheel of pyrevm for this Python")

from .engine_alone import check, creation_code

CASES = 4000
# What they must come to, at least so many times, or they would show little.
SEEN = {
    "executed": 1000,
    "ADLNotDue": 100,
    "CandidatesMissing": 100,
    "CashNotConserved": 50,
    "DeadlinePassed": 50,
    "MarkOutsideBounds": 50,
    "NothingDeleveraged": 50,
    "Overcompensated": 10,
    "PriceOutsideBounds": 50,
    "FLAT": 100,
    "INVENTORY_SIDE": 100,
    "BANKRUPT": 100,
    "DUPLICATE": 100,
    "INSOLVENT_AT_ADL_PRICE": 30,
    "reward": 100,
    "several fills": 200,
    "second pass": 50,
    "lock": 1,
}


def test_the_engine_on_its_own_does_as_the_mirror_says() -> None:
    counts = check(creation_code("ADLEngine"), CASES)
    missed = {what: (counts[what], least) for what, least in SEEN.items() if counts[what] < least}
    assert not missed, (missed, counts)
