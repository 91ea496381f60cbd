"""The options of `backstop fund stress`, and what they ask for once the markets are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from backstop.adl.snapshot import Snapshot
from backstop.commands.fund.fractions import FractionType, PerMarketType, Range, by_market, shown
from backstop.commands.fund.plot_file import PlotFile
from backstop.errors import BackstopError
from backstop.math.wad import WAD, parse_amount

if TYPE_CHECKING:
    from backstop.chain.snapshot import ChainState
    from backstop.stress.scenario import Scenario
    from backstop.stress.terms import Terms

_Command = TypeVar("_Command", bound=Callable[..., Any])

MOST_DRAWS = 1_000_000

DEFAULT_VOLATILITY = WAD * 8 // 10
DEFAULT_SLIPPAGE = WAD // 200
DEFAULT_RATIO = WAD // 2
DEFAULT_CORRELATION = WAD * 6 // 10
DEFAULT_FREEDOM = 3 * WAD

_SHOCK = Range(-WAD, 10 * WAD, "-20% or 0.05", with_least=False)
_VOLATILITY = Range(0, 10 * WAD, "80% or 0.8")
_COST = Range(0, WAD, "0.5% or 0.005", with_most=False)
_RATIO = Range(0, WAD, "50% or 0.5")
_CORRELATION = Range(-WAD, WAD, "0.6", with_least=False, with_most=False)

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_HORIZON = re.compile(r"([0-9]{1,6})([mhd])")
_LONGEST = 365 * 86_400

# What only draws have.
_OF_DRAWS = ("draws", "seed", "distribution", "degrees_of_freedom", "volatility", "correlation", "horizon", "plot")


class Horizon(click.ParamType):
    """A time like `8h`, in seconds."""

    name = "horizon"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds. Raises BackstopError for what is no time, or not between a minute and a year."""
        if isinstance(value, int):
            return value
        match = _HORIZON.fullmatch(value)
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not 0 < seconds <= _LONGEST:
            raise BackstopError(
                f"--horizon {shown(value)}: write a whole number and its unit, m, h or d, from 1m to 365d, like 8h"
            )
        return seconds


class Freedom(click.ParamType):
    """Degrees of freedom of a Student t that has a variance, WAD."""

    name = "number"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The WAD integer. Raises BackstopError unless it is above 2 and at most 1000."""
        if isinstance(value, int):
            return value
        try:
            freedom = parse_amount(value)
        except ValueError:
            freedom = 0
        if not 2 * WAD < freedom <= 1000 * WAD or freedom / WAD <= 2:
            raise BackstopError(
                f"--degrees-of-freedom {shown(value)}: give a number above 2, for there is no variance else, "
                "up to 1000, like 3"
            )
        return freedom


def stress_options(command: _Command) -> _Command:
    """Adds the options of the scenario, of the terms and of the output."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--shock",
        "shocks",
        multiple=True,
        type=PerMarketType("--shock", _SHOCK, named_only=True),
        metavar="MARKET=CHANGE",
        help="Move a mark by so much, like ETH-USD=-20% or BTC-USD=0.05, and the others not at all; repeatable. "
        "One scenario instead of draws.",
    ),
    click.option(
        "--draws",
        type=click.IntRange(1, MOST_DRAWS),
        default=10_000,
        show_default=True,
        help=f"How many draws, at most {MOST_DRAWS:,}.",
    ),
    click.option(
        "--seed", type=click.IntRange(0, 2**53 - 1), default=0, show_default=True, help="Draws the same marks again."
    ),
    click.option(
        "--distribution",
        type=click.Choice(["normal", "student-t"]),
        default="student-t",
        show_default=True,
        help="Of the log-returns.",
    ),
    click.option(
        "--degrees-of-freedom",
        type=Freedom(),
        default=DEFAULT_FREEDOM,
        metavar="NUMBER",
        help="Of student-t, above 2; the fewer, the fatter the tails.  [default: 3]",
    ),
    click.option(
        "--volatility",
        multiple=True,
        type=PerMarketType("--volatility", _VOLATILITY),
        metavar="[MARKET=]FRACTION",
        help="Annualised, of all markets or of one; repeatable.  [default: 80%]",
    ),
    click.option(
        "--correlation",
        type=FractionType("--correlation", _CORRELATION),
        default=DEFAULT_CORRELATION,
        metavar="NUMBER",
        help="Of any two markets.  [default: 0.6]",
    ),
    click.option(
        "--horizon", type=Horizon(), default="8h", show_default=True, metavar="TIME", help="How far ahead: 15m, 8h, 1d."
    ),
    click.option(
        "--backstop-ratio",
        type=FractionType("--backstop-ratio", _RATIO),
        metavar="FRACTION",
        help="Takeover at E <= ratio * MM.  [default: the chain's, of a FILE 50%]",
    ),
    click.option(
        "--slippage",
        multiple=True,
        type=PerMarketType("--slippage", _COST),
        metavar="[MARKET=]FRACTION",
        help="What closing costs, of the notional; repeatable.  [default: 0.5%]",
    ),
    click.option(
        "--liquidation-fee",
        multiple=True,
        type=PerMarketType("--liquidation-fee", _COST),
        metavar="[MARKET=]FRACTION",
        help="What a liquidation earns the pool, of the notional; repeatable.  [default: the chain's, of a FILE 0]",
    ),
    click.option(
        "--plot", type=PlotFile(), metavar="FILE", help="Plot the loss by quantile, as .png, .svg or .html page."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON instead of tables."),
)


def scenario_of(options: dict[str, Any], snapshot: Snapshot) -> Scenario:
    """The scenario that the options describe. Raises a BackstopError for what does not fit the markets."""
    import numpy as np

    from backstop.stress.scenario import Distribution, Drawn, Given, correlation_matrix, least_correlation

    markets = list(snapshot.markets)
    if options["shocks"]:
        shocks = by_market("--shock", options["shocks"], markets, dict.fromkeys(markets, 0))
        return Given(_floats(shocks))
    correlation = options["correlation"] / WAD
    try:
        np.linalg.cholesky(correlation_matrix(len(markets), correlation))
    except np.linalg.LinAlgError:
        raise BackstopError(
            f"--correlation {correlation:g} is impossible among {len(markets)} markets: "
            f"give more than {least_correlation(len(markets)):.4g} and less than 1"
        ) from None
    volatility = by_market("--volatility", options["volatility"], markets, dict.fromkeys(markets, DEFAULT_VOLATILITY))
    return Drawn(
        draws=options["draws"],
        seed=options["seed"],
        distribution=Distribution(options["distribution"]),
        degrees_of_freedom=options["degrees_of_freedom"] / WAD,
        volatility=_floats(volatility),
        correlation=correlation,
        horizon=options["horizon"],
    )


def terms_of(options: dict[str, Any], snapshot: Snapshot, chain: ChainState | None) -> Terms:
    """How accounts are closed: as the options say, else as the chain does. Raises a BackstopError as `by_market`."""
    from backstop.stress.terms import Terms

    markets = list(snapshot.markets)
    fees = dict.fromkeys(markets, 0) if chain is None else {name: chain.terms[name].liquidation_fee for name in markets}
    ratio = options["backstop_ratio"]
    if ratio is None:
        ratio = DEFAULT_RATIO if chain is None else chain.backstop_ratio
    slippage = by_market("--slippage", options["slippage"], markets, dict.fromkeys(markets, DEFAULT_SLIPPAGE))
    return Terms(
        backstop_ratio=ratio / WAD,
        slippage=_floats(slippage),
        liquidation_fee=_floats(by_market("--liquidation-fee", options["liquidation_fee"], markets, fees)),
    )


def check_together(context: click.Context) -> None:
    """Refuses what belongs to draws beside --shock, and degrees of freedom of a normal. Raises BackstopError."""

    def is_given(name: str) -> bool:
        return context.get_parameter_source(name) is ParameterSource.COMMANDLINE

    if is_given("shocks"):
        for name in _OF_DRAWS:
            if is_given(name):
                raise BackstopError(
                    f"--{name.replace('_', '-')} is of draws, and --shock is one scenario without any: leave one out"
                )
    if context.params["distribution"] == "normal" and is_given("degrees_of_freedom"):
        raise BackstopError("--degrees-of-freedom is of --distribution student-t: leave one out")


def _floats(fractions: dict[str, int]) -> Any:
    import numpy as np

    return np.array([fraction / WAD for fraction in fractions.values()], dtype=np.float64)
