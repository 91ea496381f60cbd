"""Random histories on chain, replayed by a model: positions, pools, terms, rankings and rounds are equal to the wei."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from .history import History, Plot
from .world import World, build

ACTIONS = 25
PLOTS = (
    Plot("ordinary"),
    Plot("leveraged", initial=(5_000, 10_000, 20_000), shock=(20_000, 120_000)),
    Plot("poor", contribution=3_000, shock=(100_000, 500_000)),
    Plot("crowded out", initial=(100_000, 200_000), prelude="crowd out"),
    Plot("see-saw", contribution=30_000, prelude="see-saw", vigilance=1),
    Plot("newcomers", initial=(5_000, 20_000), contribution=20_000, shock=(10_000, 100_000), prelude="newcomers"),
    Plot("penniless", contribution=0, shock=(20_000, 200_000), prelude="newcomers", vigilance=1),
    Plot("squeeze", initial=(20_000, 30_000), contribution=5_000, prelude="squeeze", vigilance=0.5),
)
STORIES = [(plot, seed) for plot in PLOTS for seed in range(4)]

# What the histories have to come to, or they would prove little.
MEANT = (
    "a flip",
    "a plan without a counterparty",
    "a pool without a base",
    "a position without a deposit",
    "both sides of a market losing",
    "capped by the bankruptcy price",
    "closed and netted in one round",
    "due by memory alone",
    "event: ADLEnded",
    "event: ADLStarted",
    "netted",
    "partial round",
    "plan executed",
    "plan that leaves somebody off its list",
    "plan with bankrupt accounts",
    "plan with contracts left uncovered",
    "position closed in part",
    "ranking of several",
    "refused: ADLNotDue",
    "refused: AccountBankrupt",
    "refused: CandidatesMissing",
    "refused: EquityNegative",
    "refused: InitialMarginInsufficient",
    "refused: MarginInsufficient",
    "refused: MarginRateWorse",
    "refused: NothingDeleveraged",
    "refused: PositionMissing",
    "refused: TakeoverNotDue",
    "round: depletion",
    "round: drawdown",
    "round: long inventory",
    "round: short inventory",
    "rounded beyond the bankruptcy price before the cap",
    "second pass",
    "several inventories of a pool due",
    "skipped: bankrupt",
    "skipped: duplicate",
    "skipped: flat",
    "skipped: insolvent_at_adl_price",
    "skipped: inventory_side",
    "take over",
    "warp over the window",
)

REACHED: Counter[str] = Counter()
PLAYED: list[str] = []


@pytest.fixture(scope="module")
def world(owner: Any) -> World:
    """A system of its own, undone to the same state before each history."""
    return build(owner)


@pytest.mark.parametrize(("plot", "seed"), STORIES, ids=lambda value: getattr(value, "name", str(value)))
def test_history(plot: Plot, seed: int, world: World) -> None:
    History(world, plot, seed, REACHED).play(ACTIONS)
    PLAYED.append(plot.name)


def test_everything_was_reached() -> None:
    """Second pass, depletion, netting and the rest: the histories came to all of it."""
    if len(PLAYED) != len(STORIES):
        pytest.skip("only some of the histories were played")
    told = "\n".join(f"{count:6}  {name}" for name, count in sorted(REACHED.items()))
    print(told)
    assert [name for name in MEANT if not REACHED[name]] == [], told
