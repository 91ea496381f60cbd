"""Every sentence is one of an error that the contracts have, and fits its values and their kinds."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from backstop.adl.snapshot import Backing, Block, PoolKind
from backstop.chain.bindings import ERRORS, Function, describe_revert
from backstop.chain.fund_view import FundView, PoolView
from backstop.errors import RevertError, TransactionError
from backstop.fund.refusals import SENTENCES, Words
from backstop.fund.units import Units, show_span, show_time
from backstop.math.wad import WAD
from backstop.trading.client import Token

SIGNATURES = {signature.split("(")[0]: signature for signature in ERRORS}
POOL = PoolView(
    id=7,
    name="majors",
    kind=PoolKind.SHARED,
    backed_by=Backing.OWN,
    cash=0,
    balance=0,
    items={},
    deficit=0,
    assets=0,
    total_shares=0,
    cap=None,
    max_stake=None,
    stake_refusal="",
    cooldown=0,
    shares="0x" + "11" * 20,
    exits=(),
    markets=(),
)
UNITS = Units(Token("tUSDC", 6))
WORDS = Words(FundView(Block(1, 1, "0x" + "00" * 32, 0), (POOL,), 0), UNITS)


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_sentence_fits_its_error(name: str) -> None:
    types = [kind for kind in SIGNATURES[name].split("(")[1][:-1].split(",") if kind]
    values = {"address": "0x" + "ab" * 20, "uint16": 7}
    arguments = [values.get(kind, 3 * 10**9 // 2) for kind in types]
    raw = describe_revert(Function(SIGNATURES[name]).selector + encode(types, arguments))
    text = WORDS.explain(raw)
    assert text.endswith(f" [{raw}]")
    assert "{" not in text
    assert "1500000000" not in text.removesuffix(f"[{raw}]")


def test_values_are_written_as_what_they_are() -> None:
    assert WORDS.explain("CapExceeded(7, 2500000, 1000000)").startswith(
        'pool "majors" has room for 1 tUSDC under its cap, and 2.5 tUSDC are given: '
    )
    assert WORDS.explain("ExitUnripe(0x11, 1795339232)").startswith("the exit can be paid from 2026-11-22 09:20:32 UTC")
    assert WORDS.explain(f"RepaymentTooLarge(7, {3 * WAD}, {WAD // 2})").startswith(
        'pool "majors" has an open deficit of 0.5, less than 3: '
    )
    assert WORDS.explain(f"RequestOpen(0x11, {WAD + 1})").startswith("an exit of 1.000000000000000001 shares")
    assert 'pool "9" is depleted' in WORDS.explain("PoolDepleted(9)")
    assert "market 3" in WORDS.explain("StakeWhileADLDue(7, 3)")


@pytest.mark.parametrize("raw", ["execution reverted", "Panic(0x11)", "CallerNotEngine(0x12)"])
def test_what_has_no_sentence_is_told_as_it_is(raw: str) -> None:
    assert WORDS.explain(raw) == f"refused by the contracts: {raw}"


@pytest.mark.parametrize("kind", [RevertError, TransactionError])
def test_what_was_sent_before_is_still_told(kind: type[RevertError | TransactionError]) -> None:
    with (
        pytest.raises(kind, match=r"^that is not worth .* \[SharesZero\(\)\]; approve \(0x1\) was sent and stands$"),
        WORDS.explaining(),
    ):
        raise kind("refused by the contracts: SharesZero(); approve (0x1) was sent and stands")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (259200, "3 d"),
        (259201, "3 d"),
        (90061, "1 d 1 h"),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    assert show_span(seconds) == text


@pytest.mark.parametrize("decimals", [0, 6, 18])
def test_shares_have_twelve_decimals_more_than_the_token(decimals: int) -> None:
    units = Units(Token("T", decimals))
    assert units.shares(10 ** (decimals + 12)) == "1"
    assert units.shares(1) == "0." + "0" * (decimals + 11) + "1"
    assert units.parse_shares(WAD) == 10 ** (decimals + 12)
    assert units.share_value(0, 0) == WAD
    assert show_time(0) == "1970-01-01 00:00:00 UTC"
