"""The options that commands of traders share: the chain, the key, whether to send, and which account."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from backstop.errors import BackstopError
from backstop.math.wad import parse_amount

if TYPE_CHECKING:
    from backstop.trading.actions import Taken
    from backstop.trading.client import Client

_Command = TypeVar("_Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)  # what cannot be read is told in one line by whoever reads it
STDOUT = Path("-")
RPC_VARIABLE, DEPLOYMENT_VARIABLE = "BACKSTOP_RPC", "BACKSTOP_DEPLOYMENT"
_EXAMPLE = "100.5"
_HOUR = 3600
_WHOLE = re.compile(r"-?[0-9]{1,80}")


class Amount(click.ParamType):
    """A decimal amount above zero, or from zero on, in WAD."""

    name = "amount"

    def __init__(self, *, or_zero: bool = False) -> None:
        self._or_zero = or_zero

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            amount = parse_amount(value, _EXAMPLE)
        except ValueError as fault:
            raise BackstopError(f"{_name(param)}{_line(str(fault))}") from None
        if amount < 0 or (amount == 0 and not self._or_zero):
            bound = "is negative" if self._or_zero else "is not above zero"
            raise BackstopError(f'{_name(param)}"{value}" {bound}: give an amount like "{_EXAMPLE}"')
        return amount


class Whole(click.ParamType):
    """A whole number from `least` to `most`."""

    name = "integer"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number: int | None = None
        if isinstance(value, int):
            number = value
        elif _WHOLE.fullmatch(value):
            number = int(value)
        if number is None or number < self._least or (self._most is not None and number > self._most):
            to = "on" if self._most is None else f"to {self._most}"
            raise BackstopError(f"{_name(param)}{_shown(str(value))} is not a whole number from {self._least} {to}")
        return number


class Seconds(click.ParamType):
    """A pause: more than nothing, at most an hour."""

    name = "seconds"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= _HOUR:  # nor what is no number
            self.fail(f"{_shown(str(value))} is no number of seconds above 0 and up to {_HOUR}", param, ctx)
        return seconds


INDEX = Whole(0, 2**64 - 1)


class Address(click.ParamType):
    """A 0x address; letters of both cases carry a checksum, which has to be right."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from backstop.chain.deployment import is_address

        if not is_address(value) or not value.startswith("0x"):
            raise BackstopError(
                f"{_shown(value)} is no address: 0x and 40 hex digits are expected, with a right checksum"
            )
        return value


def key_options(command: _Command) -> _Command:
    """Adds `--keystore` and `--passphrase-file`; the environment's key needs no option."""
    command = click.option("--passphrase-file", type=FILE, metavar="FILE", help="What opens the keystore.")(command)
    return click.option(
        "--keystore",
        type=FILE,
        metavar="FILE",
        help="Key that signs; else BACKSTOP_PRIVATE_KEY of the environment, or the settings' key.",
    )(command)


def send_options(command: _Command) -> _Command:
    """Adds `--send` and `--json`."""
    command = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")(command)
    return click.option(
        "--send", is_flag=True, help="Sign and send. Without it nothing is sent: what would be done is shown."
    )(command)


def account_options(prefix: str = "") -> Callable[[_Command], _Command]:
    """Adds `--market`, `--cross` and `--index`, or `--from-market` and so on for the prefix `from`."""
    dash, underscore = (f"{prefix}-", f"{prefix}_") if prefix else ("", "")

    def add(command: _Command) -> _Command:
        command = click.option(
            f"--{dash}index",
            f"{underscore}index",
            type=INDEX,
            default=0,
            metavar="INDEX",
            help="Which of the owner's accounts of that kind. Default 0.",
        )(command)
        command = click.option(f"--{dash}cross", f"{underscore}cross", is_flag=True, help="A cross account.")(command)
        return click.option(
            f"--{dash}market", f"{underscore}market", metavar="NAME", help="The isolated account in this market."
        )(command)

    return add


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """One of an owner's accounts as a command line names it."""

    market: str | None
    cross: bool
    index: int
    prefix: str = ""

    def sub_id(self, client: Client) -> int:
        """Its sub-id. Raises BackstopError unless exactly one kind of account is named."""
        from backstop.account_id import cross_sub_id, isolated_sub_id

        dash = f"{self.prefix}-" if self.prefix else ""
        if (self.market is not None) == self.cross:
            raise BackstopError(f"name one account: --{dash}market NAME for an isolated one, or --{dash}cross")
        if self.market is None:
            return cross_sub_id(self.index)
        return isolated_sub_id(client.market(self.market).id, self.index)

    def __str__(self) -> str:
        """`isolated account 0 in ETH-USD`."""
        kind = "cross account" if self.market is None else "isolated account"
        return f"{kind} {self.index}" + ("" if self.market is None else f" in {self.market}")


def _name(param: click.Parameter | None) -> str:
    """`--contracts: `, or `AMOUNT: ` of an argument."""
    if param is None:
        return ""
    return f"{param.opts[0] if isinstance(param, click.Option) else param.make_metavar()}: "


def _shown(value: str) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


def _line(text: str) -> str:
    return text if text.isprintable() else repr(text)


def show_steps(taken: Sequence[Taken]) -> None:
    """A line for each step, and one that nothing was sent where nothing was."""
    for one in taken:
        if one.receipt is not None:
            line = f"done in block {one.receipt.block}, {one.receipt.gas_used:,} gas: {one.receipt.transaction}"
        elif one.gas is not None:
            line = f"would use about {one.gas:,} gas"
        elif one.step.gas_limit is not None:
            line = f"would be sent with a gas limit of {one.step.gas_limit:,}"
        else:
            line = "can be simulated only after that"
        click.echo(f"  {one.step.name}: {line}")
    if not any(one.receipt for one in taken):
        click.echo("Nothing is sent without --send.")
