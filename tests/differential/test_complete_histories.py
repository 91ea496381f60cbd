"""Histories of 500 actions on the complete exchange: contracts and Python agree to the wei after each action.

Trades with fees, funding hours, price moves, dead feeds, liquidations, takeovers, inventory sales and rounds, on cross
and isolated accounts in six markets; stakes and exits, deficits that withdrawals share, and redistribution in the pools
behind them, of which three back each other. They run on an EVM in this process.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyrevm", reason="there is no wheel of pyrevm for this Python")
pytest.register_assert_rewrite(f"{__package__}.complete.history")

from .complete.evm import deploy  # noqa: E402
from .complete.plots import PLOTS, Play, Plot  # noqa: E402

if TYPE_CHECKING:
    from .complete.evm import Evm

ACTIONS = 500
pytestmark = pytest.mark.audit
STORIES = [(plot, seed) for plot in PLOTS for seed in range(3)]
# In two more of the poor ones exits, withdrawals and the treasury share deficits, which is rare.
STORIES += [(plot, seed) for plot in PLOTS if plot.name == "poor" for seed in (29, 42)]

# What the histories have to come to, or they would prove little.
MEANT = (
    "accrue",
    "batch",
    "batch with a refused pair",
    "buy",
    "buy refused: AuctionPriceBeyondLimit",
    "cancel",
    "cancel refused: RequestMissing",
    "checkpoint",
    "collect",
    "collect refused: TreasuryExceeded",
    "contribute",
    "deleverage",
    "deleverage refused: ADLNotDue",
    "deleverage refused: CandidatesMissing",
    "deleverage refused: NothingDeleveraged",
    "deposit",
    "dust goes to a pool",
    "exit at the shared rate",
    "exit from a pool with a burden",
    "exit that has waited for long enough",
    "fees beyond a cap go to the treasury",
    "flag",
    "flag refused: MarginCallNotDue",
    "funding index moved",
    "leave",
    "leave refused: ERC4626ExceededMaxWithdraw",
    "liquidate",
    "liquidate refused: InitialMarginInsufficient",
    "liquidate refused: LiquidationNotDue",
    "liquidate refused: PositionTooSmall",
    "liquidation of a cross account",
    "mint",
    "move",
    "move refused: InventoryOpen",
    "move refused: MarketHeldInCross",
    "parameters",
    "price",
    "redeem",
    "redistribute",
    "redistribute refused: RedistributionNotDue",
    "redistribution within a round",
    "renew",
    "renew refused: SharesNotWorthless",
    "repay",
    "repay refused: RepaymentTooLarge",
    "request",
    "request refused: ERC20InsufficientBalance",
    "request refused: RequestOpen",
    "round against a cross account",
    "round that leaves inventory",
    "round with a reward",
    "settle",
    "settle refused: ExitOfOther",
    "settle refused: ExitUnripe",
    "settle refused: ExitWaits",
    "settle refused: PoolDepleted",
    "stake",
    "stake refused: CapExceeded",
    "stake refused: SharesWorthless",
    "stake refused: StakeWhileADLDue",
    "stake refused: StakeWithoutPrice",
    "staking refused: CooldownOutOfBounds",
    "sweep",
    "take over",
    "take over refused: TakeoverNotDue",
    "takeover at a last price",
    "takeover of one leg",
    "takeover of several legs",
    "the treasury's share goes to a deficit",
    "trade",
    "trade refused: AccountBankrupt",
    "trade refused: InitialMarginInsufficient",
    "trade refused: MarginRateWorse",
    "trade refused: MarketIsolatedOnly",
    "trade refused: OpenInterestTooLarge",
    "trade refused: OrderNotReducing",
    "trade refused: PositionTooLarge",
    "trade refused: PositionTooSmall",
    "trade refused: PriceNotPositive",
    "trade refused: PriceOutsideBand",
    "transfer",
    "transfer refused: MarginInsufficient",
    "treasury collects at the shared rate",
    "withdraw",
    "withdraw refused: MarginInsufficient",
    "withdrawal at the shared rate",
)

REACHED: Counter[str] = Counter()
PLAYED: list[str] = []


@pytest.fixture(scope="module")
def evm() -> Evm:
    """The contracts, brought back to the same state before each history."""
    return deploy()


@pytest.mark.parametrize(("plot", "seed"), STORIES, ids=lambda value: getattr(value, "name", str(value)))
def test_history(plot: Plot, seed: int, evm: Evm) -> None:
    Play(evm, plot, seed, REACHED).play(ACTIONS)
    PLAYED.append(plot.name)


def test_everything_was_reached() -> None:
    """Rounds, takeovers of several legs, dead feeds and the rest: the histories came to all of it."""
    if len(PLAYED) != len(STORIES):
        pytest.skip("only some of the histories were played")
    told = "\n".join(f"{count:6}  {name}" for name, count in sorted(REACHED.items()))
    print(told)
    assert [name for name in MEANT if not REACHED[name]] == [], told
