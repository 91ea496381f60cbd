"""Fractions on a command line: decimal or in percent, for all markets or for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import click

from backstop.errors import BackstopError, UnknownMarketError
from backstop.math.wad import format_amount, parse_amount

_SHOWN = 80


class Range(NamedTuple):
    """What a fraction may be, WAD: `least` to `most`, with or without each of them; `hint` shows one."""

    least: int
    most: int
    hint: str
    with_least: bool = True
    with_most: bool = True

    def holds(self, fraction: int) -> bool:
        """Whether it is inside."""
        if fraction in (self.least, self.most):
            return self.with_least if fraction == self.least else self.with_most
        return self.least < fraction < self.most

    def __str__(self) -> str:
        """`at least 0 % and less than 100 %`."""
        least = f"{'at least' if self.with_least else 'more than'} {_percent(self.least)}"
        return f"{least} and {'at most' if self.with_most else 'less than'} {_percent(self.most)}"


class FractionType(click.ParamType):
    """A fraction: `0.05`, or `5%`. WAD."""

    name = "fraction"

    def __init__(self, option: str, allowed: Range) -> None:
        self._option, self._allowed = option, allowed

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The WAD integer. Raises BackstopError with what is wrong and how it is written."""
        return value if isinstance(value, int) else read_fraction(self._option, value, value, self._allowed)


class PerMarket(NamedTuple):
    """A fraction (WAD) for one market, or for all others where `market` is None."""

    market: str | None
    fraction: int


class PerMarketType(click.ParamType):
    """`VALUE` for all markets, or `MARKET=VALUE`; `named_only` takes the latter alone."""

    name = "fraction"

    def __init__(self, option: str, allowed: Range, *, named_only: bool = False) -> None:
        self._option, self._allowed, self._named_only = option, allowed, named_only

    def convert(self, value: str | PerMarket, param: click.Parameter | None, ctx: click.Context | None) -> PerMarket:
        """Both parts. Raises BackstopError with what is wrong and how it is written."""
        if isinstance(value, PerMarket):
            return value
        market, equals, text = value.rpartition("=")
        if not equals and self._named_only:
            raise BackstopError(f"{self._option} {shown(value)}: name the market, like ETH-USD={self._allowed.hint}")
        if equals and not market:
            raise BackstopError(f"{self._option} {shown(value)}: no market stands before the =")
        return PerMarket(market if equals else None, read_fraction(self._option, value, text, self._allowed))


def read_fraction(option: str, whole: str, text: str, allowed: Range) -> int:
    """The fraction that `text` says, WAD; `whole` is what the option was given. Raises BackstopError."""
    number = text.strip().removeprefix("+")
    is_percent = number.endswith("%")
    try:
        amount = parse_amount(number.removesuffix("%").rstrip())
    except ValueError:
        raise BackstopError(
            f"{option} {shown(whole)}: {shown(text)} is no fraction: write one like {allowed.hint}"
        ) from None
    if is_percent:
        amount, lost = divmod(amount, 100)
        if lost:
            raise BackstopError(f"{option} {shown(whole)}: at most 16 decimals of a percentage are exact")
    if not allowed.holds(amount):
        raise BackstopError(f"{option} {shown(whole)} is {_percent(amount)}: give {allowed}, like {allowed.hint}")
    return amount


def by_market(
    option: str, given: Sequence[PerMarket], markets: Iterable[str], defaults: Mapping[str, int]
) -> dict[str, int]:
    """The fraction of every market, WAD: its own, else the one for all, else its default.

    Raises UnknownMarketError, and BackstopError where one is given twice.
    """
    names = list(markets)
    values: dict[str | None, int] = {}
    for market, fraction in given:
        if market is not None and market not in names:
            raise UnknownMarketError(market, names)
        if market in values:
            raise BackstopError(f"{option} is given twice for {market or 'all markets'}: leave one out")
        values[market] = fraction
    return {name: values.get(name, values.get(None, defaults[name])) for name in names}


def shown(value: str) -> str:
    """A value as it is quoted in an error: on one line, and not endless."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _percent(fraction: int) -> str:
    return f"{format_amount(fraction * 100)} %"
