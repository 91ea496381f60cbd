"""The result as a JSON document, with the keys that docs/stress.md names.

Amounts and shares are decimal strings of 12 significant digits: they are estimates.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from backstop.stress.book import Book
from backstop.stress.scenario import Distribution, Given, Scenario
from backstop.stress.summary import (
    FUND_LEVELS,
    LEVELS,
    FundSize,
    GroupSummary,
    MarketSummary,
    PoolSummary,
    Spread,
    Summary,
)
from backstop.stress.terms import Terms

_SIGNIFICANT = 12
_DECIMALS = 18


def stress_document(book: Book, terms: Terms, scenario: Scenario, summary: Summary) -> dict[str, Any]:
    """What was assumed, and what came of it."""
    return {
        "draws": summary.draws,
        "scenario": _scenario(book, scenario),
        "terms": {
            "backstopRatio": decimal(terms.backstop_ratio),
            "markets": {
                name: {
                    "markPrice": decimal(book.markets.mark[place]),
                    "priceLive": bool(book.markets.live[place]),
                    "slippage": decimal(terms.slippage[place]),
                    "liquidationFee": decimal(terms.liquidation_fee[place]),
                }
                for place, name in enumerate(book.markets.names)
            },
        },
        "pools": [_pool(pool) for pool in summary.pools],
        "mutualGroup": None if summary.group is None else _group(summary.group),
    }


def decimal(amount: float | np.floating[Any]) -> str | None:
    """A float as a decimal string without an exponent, with at most 18 decimals; None where it is infinite."""
    if not math.isfinite(amount):
        return None
    text = f"{Decimal(f'{float(amount):.{_SIGNIFICANT}g}'):.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def level_text(level: int) -> str:
    """`0.999` of 999 thousandths."""
    return decimal(level / 1000) or ""


def _scenario(book: Book, scenario: Scenario) -> dict[str, Any]:
    names = book.markets.names
    if isinstance(scenario, Given):
        return {"kind": "given", "shocks": {name: decimal(x) for name, x in zip(names, scenario.shocks, strict=True)}}
    is_t = scenario.distribution is Distribution.STUDENT_T
    return {
        "kind": "drawn",
        "seed": scenario.seed,
        "distribution": scenario.distribution.value,
        "degreesOfFreedom": decimal(scenario.degrees_of_freedom) if is_t else None,
        "horizonSeconds": scenario.horizon,
        "correlation": decimal(scenario.correlation),
        "volatility": {name: decimal(x) for name, x in zip(names, scenario.volatility, strict=True)},
    }


def _pool(pool: PoolSummary) -> dict[str, Any]:
    return {
        "pool": pool.name,
        "backing": "mutual" if pool.mutual else "own",
        "balance": decimal(pool.balance),
        "adlDue": decimal(pool.due),
        "adlDueByDrawdown": decimal(pool.due_by_drawdown),
        "adlDueByDepletion": decimal(pool.due_by_depletion),
        "depleted": decimal(pool.depleted),
        "loss": _spread(pool.loss),
        "drawdown": _spread(pool.drawdown),
        "adlNotional": _spread(pool.adl_notional),
        "compensation": _spread(pool.compensation),
        "givenUp": _spread(pool.given_up),
        "fundSize": {"withoutAdl": _fund_size(pool.without_adl), "notDepleted": _fund_size(pool.not_depleted)},
        "markets": [_market(market) for market in pool.markets],
    }


def _market(market: MarketSummary) -> dict[str, Any]:
    return {
        "market": market.name,
        "adlDue": decimal(market.due),
        "loss": _spread(market.loss),
        "windowLoss": _spread(market.window_loss),
        "takenOver": _spread(market.taken),
        "adlContracts": _spread(market.adl_contracts),
        "adlNotional": _spread(market.adl_notional),
        "compensation": _spread(market.compensation),
        "givenUp": _spread(market.given_up),
    }


def _group(group: GroupSummary) -> dict[str, Any]:
    return {
        "pools": list(group.members),
        "balance": decimal(group.balance),
        "depleted": decimal(group.depleted),
        "loss": _spread(group.loss),
        "fundSize": {"notDepleted": _fund_size(group.not_depleted)},
    }


def _spread(figure: Spread) -> dict[str, Any]:
    quantiles = {level_text(level): decimal(x) for level, x in zip(LEVELS, figure.quantiles, strict=True)}
    return {"expected": decimal(figure.expected), "quantiles": quantiles, "worst": decimal(figure.worst)}


def _fund_size(size: FundSize) -> dict[str, Any]:
    sizes = {level_text(level): decimal(x) for level, x in zip(FUND_LEVELS, size.sizes, strict=True)}
    return {"bears": sizes, "todayBears": decimal(size.today)}
