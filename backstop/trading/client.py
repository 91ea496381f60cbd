"""One deployment at one node, as a trader uses it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from backstop.adl.snapshot import Block
from backstop.chain.bindings import (
    ALLOWANCE,
    BALANCE_OF,
    COLLATERAL,
    DECIMALS,
    FILLED,
    LENS_ACCOUNT,
    ORDER_EPOCH,
    SYMBOL,
    TOKEN_NAME,
    Function,
)
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.market_view import MarketView
from backstop.chain.nodes import Nodes
from backstop.chain.snapshot import read_block, read_markets
from backstop.errors import BackstopError, ChainMismatchError, RevertError, RpcError
from backstop.math.wad import DECIMALS as WAD_DECIMALS
from backstop.math.wad import format_amount
from backstop.orders import Domain

_LONGEST_SYMBOL = 16


@dataclass(frozen=True, slots=True)
class Token:
    """The collateral token: `symbol` as it calls itself, and how many decimals its amounts have."""

    symbol: str
    decimals: int

    @property
    def scale(self) -> int:
        """What one unit of the token is in WAD."""
        return int(10 ** (WAD_DECIMALS - self.decimals))

    def units(self, amount: int) -> int:
        """A WAD amount in the token's own units, exactly. Raises BackstopError where that cannot be."""
        units, rest = divmod(amount, self.scale)
        if rest:
            raise BackstopError(
                f"{format_amount(amount)} has more decimals than the {self.decimals} of {self.symbol}: leave some out"
            )
        return units

    def amount(self, units: int) -> int:
        """An amount in the token's own units, in WAD."""
        return units * self.scale


class Client:
    """Reads what a trader's commands need. Raises a BackstopError where node and deployment are not of one chain."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment) -> None:
        endpoint.check(deployment)
        self.endpoint = endpoint
        self.deployment = deployment

    @classmethod
    def open(cls, rpc: Endpoint, deployment: Path) -> Client:
        """From a node and a deployment file."""
        client = cls(rpc, Deployment.load(deployment))
        if isinstance(rpc, Nodes):
            rpc.head()  # from now on those that are behind are not read from
        return client

    @property
    def domain(self) -> Domain:
        """What orders are signed for."""
        return Domain(self.deployment.chain_id, self.deployment.exchange)

    @cached_property
    def markets(self) -> dict[str, MarketView]:
        """The markets by name, read once."""
        return read_markets(self.endpoint, self.deployment)

    def market(self, name: str) -> MarketView:
        """A market by its name. Raises BackstopError naming those that there are."""
        if name not in self.markets:
            raise BackstopError(f"unknown market {name!r}: the exchange has {', '.join(self.markets) or 'none'}")
        return self.markets[name]

    @cached_property
    def token(self) -> Token:
        """The collateral token, read once. Raises ChainMismatchError where the deployment file names another."""
        held: str = self._of_exchange(COLLATERAL)
        if held.lower() != self.deployment.token.lower():
            raise ChainMismatchError(f"the exchange takes the token {held}, not {self.deployment.token}")
        decimals = self._of_token(DECIMALS)
        if decimals > WAD_DECIMALS:
            raise RpcError(f"the token at {self.deployment.token} has {decimals} decimals: the exchange takes up to 18")
        return Token(self._text_of_token(SYMBOL) or "tokens", decimals)

    @property
    def token_name(self) -> str | None:
        """The long name of the token, where it has one that prints."""
        return self._text_of_token(TOKEN_NAME)

    def balance(self, owner: str, block: Any = "latest") -> int:
        """What somebody has of the token at a block, in its units."""
        return int(self._of_token(BALANCE_OF, owner, block=block))

    def allowance(self, owner: str) -> int:
        """What the exchange may take of that, in the token's units."""
        return int(self._of_token(ALLOWANCE, owner, self.deployment.exchange))

    def collateral(self, account: bytes) -> int:
        """What an account holds, funding settled, WAD, signed."""
        _, health, *_ = self.endpoint.call(self.deployment.lens, LENS_ACCOUNT, account)
        return int(health[0])

    def filled(self, digest: bytes) -> int:
        """Contracts of an order that are filled, WAD; the largest uint256 where it was cancelled."""
        return int(self._of_exchange(FILLED, digest))

    def epoch(self, owner: str) -> int:
        """The present order epoch of an owner."""
        return int(self._of_exchange(ORDER_EPOCH, owner))

    def head(self) -> Block:
        """The latest block."""
        return read_block(self.endpoint, self.deployment.chain_id)

    def _of_exchange(self, function: Function, *arguments: Any) -> Any:
        try:
            return self.endpoint.call(self.deployment.exchange, function, *arguments)
        except RevertError as refusal:
            raise RpcError(
                f"the exchange at {self.deployment.exchange} does not answer {function.signature} ({refusal}): "
                "is the deployment file of this chain?"
            ) from None

    def _of_token(self, function: Function, *arguments: str, block: Any = "latest") -> int:
        try:
            value: int = self.endpoint.call(self.deployment.token, function, *arguments, block=block)
        except RpcError as fault:
            raise RpcError(f"the token of the deployment: {fault}") from None
        return value

    def _text_of_token(self, function: Function) -> str | None:
        """What a token says of itself, unless it says nothing, or what would not fit a line."""
        try:
            text: str = self.endpoint.call(self.deployment.token, function)
        except RpcError:
            return None
        return text if text.isprintable() and 0 < len(text) <= 2 * _LONGEST_SYMBOL else None
