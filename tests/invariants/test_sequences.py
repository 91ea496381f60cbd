"""Random actions of many actors: every invariant after every action, and every state equal to the mirror's, to the wei.

A failing sequence is played again by its test id: `make test ARGS='tests/invariants/test_sequences.py -k "[137]"'`.
"""

from __future__ import annotations

import os

import pytest
from eth_account import Account

from backstop.orders import Domain, Order, order_hash, sign

from . import calls
from .conftest import Tally
from .sequences import LENGTH, Ground, report
from .world import TRADERS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

SEQUENCES = int(os.environ.get("BACKSTOP_SEQUENCES", "500"))

# How often 500 sequences must at least have shown something; they do so about twice as often.
SEEN = {
    "S1": 12_000,
    "S2": 25_000,
    "O1": 20_000,
    "A1": 300,
    "A2": 50,
    "A3": 1_000,
    "A4": 400,
    "A5": 300,
    "A6": 100,
    "A7": 50,
    "B1": 500,
    "B2": 200,
    "C1": 4_000,
    "G1": 6_000,
    "K2": 500,
    "R1": 3_000,
    "M1": 25_000,
    "Answer accepted": 3_000,
    "BadAnswer accepted": 100,
    "BuyInventory accepted": 75,
    "BuyInventory: SaleDepletesPool": 25,
    "BuyInventory: SaleRaisesDrawdown": 5,
    "Cancel accepted": 200,
    "CancelAll accepted": 150,
    "Checkpoint accepted": 250,
    "Contribute accepted": 500,
    "Contribute: SafeCastOverflowedIntDowncast": 30,
    "Deleverage accepted": 300,
    "Deleverage: ADLNotDue": 100,
    "Deposit accepted": 2_500,
    "Liquidate accepted": 250,
    "Liquidate: LiquidationNotDue": 100,
    "Settle accepted": 2_000,
    "Settle: InitialMarginInsufficient": 500,
    "Settle: MarginRateWorse": 20,
    "Settle: OrderSignatureInvalid": 15,
    "TakeOver accepted": 500,
    "TakeOver: TakeoverNotDue": 100,
    "Withdraw accepted": 400,
    "Withdraw: MarginInsufficient": 150,
    "contributions that name a market": 300,
    "orders filled once their epoch had come": 8,
    "orders of a future epoch": 100,
    "orders of a past epoch": 150,
    "results beyond what a sample can be": 50,
    "withdrawals to the exchange": 40,
    "round by drawdown": 150,
    "round by depletion": 75,
    "round of a shared pool": 100,
    "round of long inventory": 150,
    "round of short inventory": 150,
    "round with several fills": 75,
    "round with a partial fill": 100,
    "round with a second pass": 12,
    "round with netting": 20,
    "round that left inventory": 8,
    "round at the bankruptcy price": 100,
    "skipped: flat": 60,
    "skipped: inventory side": 10,
    "skipped: duplicate": 12,
}


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_sequence(seed: int, ground: Ground, tally: Tally) -> None:
    outcome = ground.play(seed)
    tally.add(outcome)
    if outcome.violations:
        shorter = ground.shrunk(outcome)
        pytest.fail(f"{report(shorter)}\n\nas drawn, {report(outcome)}", pytrace=False)


def test_everything_was_seen(tally: Tally) -> None:
    """An invariant that nothing puts to the test says nothing."""
    if tally.sequences < 500:
        pytest.skip(f"only {tally.sequences} sequences were played")
    assert tally.actions >= tally.sequences * LENGTH
    seldom = {name: tally.counts[name] for name, least in SEEN.items() if tally.counts[name] < least}
    assert not seldom


def test_the_digest_of_an_order_is_that_of_the_package() -> None:
    """The sequences hash and sign by a shorter way."""
    trader = TRADERS[0]
    domain = Domain(31337, "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9")
    order = Order(trader.account(2, 1), 2, -3 * 10**18 + 1, 2**96 - 1, 2_000_000_000, 3, 2**200, True)
    digest = calls.order_digest(order, domain)
    assert digest == order_hash(order, domain)
    signature = trader.key.sign_recoverable(digest, hasher=None)
    signed = sign(order, domain, Account.from_key(trader.key.secret))
    assert signature[:64] + bytes([27 + signature[64]]) == signed
