"""Random books and what happens around a round: honest keepers are safe, omissions are proven, and nobody else.

After every round, and again after all that follows, the contracts' answer for each account is the model's, to the wei.
"""

from __future__ import annotations

from collections import Counter

import pytest

from backstop.adl import listing

from .plays import play
from .venue import SlashedError
from .world import Ground

HONEST, DISHONEST, CROWDED, CARELESS = range(2_100), range(500), range(150), range(300)


def played(ground: Ground, seeds: range, *, is_honest: bool) -> Counter[str]:
    """What all of them reached."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            play(ground, seed, counts, is_honest=is_honest)
        except AssertionError as fault:
            fault.add_note(f"in the {'honest' if is_honest else 'dishonest'} sequence of seed {seed}")
            raise
    return counts


def holds(counts: Counter[str], least: dict[str, int]) -> None:
    """Enough was reached."""
    missed = {what: (counts[what], wanted) for what, wanted in least.items() if counts[what] < wanted}
    assert not missed, (missed, dict(sorted(counts.items())))


@pytest.mark.audit
def test_honest_keepers_can_never_be_slashed(honest_ground: Ground) -> None:
    counts = played(honest_ground, HONEST, is_honest=True)
    holds(
        counts,
        {
            "books": 2_000,
            "rounds executed": 2_000,
            "rounds that were judged": 1_500,
            "rounds refused: DeadlinePassed": 200,
            "rounds refused: MarkOutsideBounds": 40,
            "rounds refused: NothingDeleveraged": 50,
            "rounds refused: ADLNotDue": 100,
            "rounds with a second pass": 2,
            "made up for": 15,
            "closed by milder rounds": 3,
            "judged FLAT": 15_000,
            "judged INVENTORY_SIDE": 3_000,
            "judged INSOLVENT_AT_ADL_PRICE": 100,
            "judged RAISED_RISK": 2_500,
            "judged RANKED_BELOW": 5_000,
            "challenges refused: NotAnOmission": 15_000,
            "growth": 250,
            "flip": 100,
            "entry": 200,
            "leg opened and closed": 80,
            "reduction": 400,
            "reduction at a bad price": 200,
            "split": 200,
            "deposit": 300,
            "withdrawal": 150,
            "transfer": 60,
            "liquidation": 8,
            "takeover": 10,
            "ruin": 300,
            "round of another keeper": 120,
            "drift of marks": 400,
            "mark beyond the drift": 200,
            "funding of an hour": 40,
            "maintenance margin": 30,
            "rules of rounds": 30,
            "market moved": 15,
            "judged BANKRUPT": 4,
            "challenges refused: HintWrong": 1_500,
            "rounds whose list left somebody off": 1_000,
            "dodge": 250,
            "rise of those left off": 150,
            "draining": 250,
            "round after ruin": 120,
        },
    )


def test_every_omission_is_proven_and_nobody_else(honest_ground: Ground) -> None:
    counts = played(honest_ground, DISHONEST, is_honest=False)
    holds(
        counts,
        {
            "books": 450,
            "rounds that were judged": 350,
            "judged NONE": 600,
            "omissions proven": 300,
            "omissions proven of cross accounts": 100,
            "omissions proven for the whole bond": 50,
            "challenges refused: NotAnOmission": 3_000,
            "challenges refused: RoundBondSpent": 100,
        },
    )


def test_honest_keepers_with_more_accounts_than_a_round_takes(
    honest_ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_GAS", 600_000)
    counts = played(honest_ground, CROWDED, is_honest=True)
    holds(counts, {"rounds that were judged": 80, "rounds whose list left somebody off": 60})


def test_without_the_bounds_of_a_plan_keepers_would_be_slashed(honest_ground: Ground) -> None:
    slashed = 0
    for seed in CARELESS:
        try:
            play(honest_ground, seed, Counter(), is_honest=True, is_careless=True)
        except SlashedError:
            slashed += 1
    assert slashed >= 5
