"""Random actions of many actors: every invariant after every action, and every state equal to the mirror's, to the wei.

A failing sequence is played again by its test id: `make test ARGS='tests/invariants/test_sequences.py -k "[137]"'`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from eth_account import Account

from backstop.orders import Domain, Order, order_hash, sign

from . import calls
from .conftest import Tally
from .sequences import LENGTH, Ground, report
from .world import TRADERS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

SEQUENCES = int(os.environ.get("BACKSTOP_SEQUENCES", "200"))  # the audit plays 1,000
_FEWEST = 150  # of fewer nobody is asked what they have shown
_RARE = 10

# How often 500 sequences must at least have shown something, and others in proportion; they do so about twice as often.
SEEN = {
    "S1": 7_000,
    "S2": 9_000,
    "O1": 10_000,
    "A1": 190,
    "A2": 20,
    "A3": 500,
    "A4": 250,
    "A5": 190,
    "A6": 50,
    "A7": 30,
    "B1": 300,
    "B2": 93,
    "C1": 2_300,
    "G1": 3_000,
    "K2": 150,
    "R1": 2_600,
    "M1": 9_000,
    "U1": 1_300,
    "U2": 200,
    "L1": 1_900,
    "K1": 100,
    "N1": 2_200,
    "P1": 1_600,
    "Answer accepted": 1_800,
    "BadAnswer accepted": 120,
    "BuyInventory accepted": 30,
    "BuyInventory: SaleDepletesPool": 25,
    "BuyInventory: SaleRaisesDrawdown": 4,
    "Cancel accepted": 120,
    "CancelAll accepted": 80,
    "Checkpoint accepted": 160,
    "Contribute accepted": 250,
    "Contribute: SafeCastOverflowedIntDowncast": 20,
    "Deleverage accepted": 190,
    "Deleverage: ADLNotDue": 90,
    "Deposit accepted": 1_300,
    "Liquidate accepted": 100,
    "Liquidate: LiquidationNotDue": 70,
    "Settle accepted": 1_000,
    "Settle: InitialMarginInsufficient": 300,
    "Settle: MarginRateWorse": 9,
    "Settle: OrderSignatureInvalid": 11,
    "TakeOver accepted": 300,
    "TakeOver: TakeoverNotDue": 140,
    "Withdraw accepted": 250,
    "Withdraw: MarginInsufficient": 100,
    "Accept accepted": 40,
    "Accrue accepted": 160,
    "Collect accepted": 13,
    "Collect: TreasuryExceeded": 4,
    "Flag accepted": 7,
    "Flag: MarginCallNotDue": 50,
    "Liquidate: PositionTooSmall": 11,
    "Sequencer accepted": 60,
    "SetParameters accepted": 100,
    "SetParameters: MarginFractionsOutOfBounds": 2,
    "SetParameters: OwnableUnauthorizedAccount": 3,
    "Settle: MarketIsolatedOnly": 1,
    "Settle: OpenInterestTooLarge": 4,
    "Settle: PositionTooLarge": 20,
    "Settle: PositionTooSmall": 140,
    "Settle: PriceOutsideBand": 40,
    "Settle: PriceStale": 60,
    "Settle: PriceWentBack": 3,
    "Settle: SequencerDown": 20,
    "Settle: SequencerGrace": 25,
    "SettleBatch accepted": 210,
    "SettleBatch: InitialMarginInsufficient": 80,
    "SettleBatch: OrderWithSelf": 13,
    "Sweep accepted": 90,
    "Transfer accepted": 110,
    "Transfer: MarginInsufficient": 50,
    "Deleverage: PriceStale": 8,
    "contributions that name a market": 150,
    "orders filled once their epoch had come": 2,
    "orders of a future epoch": 50,
    "orders of a past epoch": 40,
    "results beyond what a sample can be": 40,
    "withdrawals to the exchange": 25,
    "round by drawdown": 130,
    "round by depletion": 59,
    "round of a shared pool": 90,
    "round of long inventory": 90,
    "round of short inventory": 100,
    "round with several fills": 50,
    "round with a partial fill": 50,
    "round with a second pass": 4,
    "round with netting": 25,
    "round that left inventory": 3,
    "round at the bankruptcy price": 60,
    "skipped: flat": 60,
    "skipped: inventory side": 3,
    "skipped: duplicate": 10,
    "accruals again": 120,
    "fills of dust": 64,
    "fills of dust below a mark below 1": 5,
    "liquidations of a cross account": 10,
    "takeovers of several legs": 28,
    "takeovers at the last accepted price": 15,
    "round against a cross account": 22,
    "round while another feed of the pool is dead": 2,
    "F1": 11_000,
    "F2": 1_100,
    "F3": 12_000,
    "F4": 230,
    "F5": 52,
    "F6": 8_700,
    "Stake accepted": 510,
    "Stake: SharesWorthless": 2,
    "Stake: StakeWhileADLDue": 23,
    "Stake: PoolDepleted": 8,
    "RequestExit accepted": 250,
    "CancelExit accepted": 14,
    "Redeem accepted": 78,
    "Redeem: ExitWaits": 23,
    "Redeem: ExitUnripe": 12,
    "Redeem: PoolDepleted": 6,
    "SettleExit accepted": 81,
    "SettleExit: ExitOfOther": 1,
    "Repay accepted": 5,
    "Repay: RepaymentTooLarge": 7,
    "Redistribute accepted": 5,
    "Redistribute: RedistributionNotDue": 23,
    "RenewShares accepted": 12,
    "RenewShares: SharesNotWorthless": 5,
    "MoveMarket accepted": 34,
    "SetStaking accepted": 160,
    "SetStaking: CooldownOutOfBounds": 8,
    "exits at the value at request": 36,
    "exits at the value now": 30,
    "exits that have waited long enough": 36,
    "exits that leave their burden": 22,
    "pools with a burden": 990,
    "withdrawals at the shared rate": 17,
    "shares made or paid": 680,
    "A8": 38,
    "H1": 90,
    "Challenge accepted": 9,
    "Challenge: AlreadyProven": 10,
    "Challenge: NotAnOmission": 190,
    "Challenge: RoundClosed": 29,
    "Deleverage: BondInsufficient": 11,
    "Deleverage: MarkOutsideBounds": 4,
    "Deleverage: PriceOutsideBounds": 8,
    "kept from a round by its lowest return": 8,
    "left out of a round: NONE": 50,
    "left out of a round: RANKED_BELOW": 50,
    "reward limited by notional": 12,
    "reward limited by the budget": 10,
    "reward limited by what it brought": 2,
    "reward limited by what trading as much brings": 13,
}


def seldom(counts: Mapping[str, int], sequences: int) -> dict[str, tuple[int, int]]:
    """What so many sequences have shown less often than they must: how often, and how often at least.

    What is rare varies most: of that half as many are enough.
    """
    if sequences < _FEWEST:
        return {}
    wanted = {name: least * sequences // 500 for name, least in SEEN.items()}
    wanted = {name: least if least >= _RARE else least // 2 for name, least in wanted.items()}
    return {name: (counts.get(name, 0), least) for name, least in wanted.items() if counts.get(name, 0) < least}


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_sequence(seed: int, ground: Ground, tally: Tally) -> None:
    outcome = ground.play(seed)
    tally.add(outcome)
    if outcome.violations:
        shorter = ground.shrunk(outcome)
        pytest.fail(f"{report(shorter)}\n\nas drawn, {report(outcome)}", pytrace=False)


def test_everything_was_seen(tally: Tally) -> None:
    """An invariant that nothing puts to the test says nothing."""
    if tally.sequences < _FEWEST:
        pytest.skip(f"only {tally.sequences} sequences were played")
    assert tally.actions >= tally.sequences * LENGTH
    assert not seldom(tally.counts, tally.sequences)


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
