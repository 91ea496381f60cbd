"""How the keeper trades out what liquidations and purchases have left on its account: against signed orders of others.

The orders lie as files in a folder, as `backstop order sign` writes them; whoever puts them there chooses whom to trade
with, the keeper only the price. Its own order is reduce-only, and signed for the one pair that it is settled in.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from backstop.account_id import account_text, isolated_account
from backstop.adl.snapshot import Side
from backstop.chain.bindings import FILLED, ORDER_EPOCH, SETTLE
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, at_block
from backstop.errors import OrderFileError
from backstop.math.wad import WAD
from backstop.orders import Domain, Order
from backstop.trading.order_file import OrderFile, load

_MOST_FILES = 1000  # of a folder, by name
_DEADLINE = 90  # seconds of chain time for which the keeper's own order is good


@dataclass(frozen=True, slots=True)
class WayOut:
    """Whose positions are traded out, and how.

    `indices` are the owner's isolated accounts in each market. What is worth no more than `keep` stays; `at_once` is
    the most that goes in a transaction, both WAD quote at mark; `slippage` the most that a price may be worse than
    mark, a WAD fraction. `orders` is the folder.
    """

    owner: str
    indices: tuple[int, ...]
    orders: Path
    keep: int
    at_once: int
    slippage: int


@dataclass(frozen=True, slots=True)
class Unwind:
    """Contracts of the keeper's own account, of `side`, that are closed against somebody's order at `price`. WAD."""

    account: str
    market: str
    side: Side
    contracts: int
    price: int
    mark: int
    order: OrderFile
    data: bytes

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "unwind", self.account, "0x" + self.order.digest.hex()

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        return deployment.exchange, self.data


class Unwinder:
    """Finds what can be traded out at a state; `sign` signs orders with the owner's key."""

    def __init__(
        self, endpoint: Endpoint, deployment: Deployment, way_out: WayOut, sign: Callable[[Order, Domain], bytes]
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._way_out = way_out
        self._sign = sign

    def due(
        self, state: ChainState, warn: Callable[[str], None], without: Container[tuple[str, ...]] = ()
    ) -> list[Unwind]:
        """The best order for each position that is to go. `warn` hears of files that are no orders."""
        positions = list(self._positions(state))
        if not positions:
            return []
        orders = self._orders(warn)
        found = (self._best(state, *position, orders, without) for position in positions)
        return [duty for duty in found if duty is not None]

    def _positions(self, state: ChainState) -> Iterator[tuple[str, str, int]]:
        """Account, market and signed size of what is to go, at a live price; those of closed markets are settled."""
        accounts = {account.id: account for account in state.snapshot.accounts}
        for name, market in state.snapshot.markets.items():
            if name in state.unpriced or state.terms[name].settles_at:
                continue
            for index in self._way_out.indices:
                account = account_text(isolated_account(self._way_out.owner, state.market_ids[name], index))
                held = accounts[account].positions if account in accounts else ()
                for position in held:
                    if abs(position.size) * market.mark_price // WAD > self._way_out.keep:
                        yield account, name, position.size

    def _orders(self, warn: Callable[[str], None]) -> list[OrderFile]:
        try:
            files = sorted(self._way_out.orders.glob("*.json"))[:_MOST_FILES]
            if not self._way_out.orders.is_dir():
                raise FileNotFoundError(2, "no such folder")
        except OSError as fault:
            warn(f"nothing is traded out: cannot read the folder {self._way_out.orders}: {fault.strerror or fault}")
            return []
        orders = []
        for file in files:
            try:
                orders.append(load(file))
            except OrderFileError as fault:
                warn(f"an order is left alone: {fault}")
        return orders

    def _best(
        self,
        state: ChainState,
        account: str,
        name: str,
        size: int,
        orders: list[OrderFile],
        without: Container[tuple[str, ...]],
    ) -> Unwind | None:
        market = state.snapshot.markets[name]
        mark, side = market.mark_price, Side.of(size)
        # A long is sold: the higher the price the better, and not below the limit; a short the other way round.
        limit = mark - side.sign * (mark * self._way_out.slippage // WAD)
        wanted = min(abs(size) - self._way_out.keep * WAD // mark, self._way_out.at_once * WAD // mark)
        fitting = [one for one in orders if self._fits(one, state, account, name, side, limit)]
        for order in sorted(fitting, key=lambda one: (-side.sign * one.order.limit_price, one.file)):
            contracts = min(wanted, self._remaining(state, order))
            if contracts <= 0:
                continue
            data = self._settlement(state, order, account, side, contracts)
            duty = Unwind(account, name, side, contracts, order.order.limit_price, mark, order, data)
            if duty.key not in without:
                return duty
        return None

    def _fits(self, one: OrderFile, state: ChainState, account: str, name: str, side: Side, limit: int) -> bool:
        """Whether an order is signed, of this exchange, good, of the other side, and priced within the limit."""
        order = one.order
        return (
            one.signature is not None
            and (one.domain.chain_id, one.domain.exchange.lower()) == (state.block.chain_id, self._exchange.lower())
            and order.market == state.market_ids[name]
            and account_text(order.account) != account
            and order.expiry > state.block.timestamp
            and order.size * side.sign > 0  # who buys takes a long
            and (order.limit_price - limit) * side.sign >= 0
        )

    def _remaining(self, state: ChainState, one: OrderFile) -> int:
        at = at_block(state.block.hash)
        return abs(one.order.size) - int(self._endpoint.call(self._exchange, FILLED, one.digest, block=at))

    def _settlement(self, state: ChainState, maker: OrderFile, account: str, side: Side, contracts: int) -> bytes:
        """The calldata of the pair: the maker's order, and one of the keeper's own for the same price."""
        epoch = int(
            self._endpoint.call(self._exchange, ORDER_EPOCH, self._way_out.owner, block=at_block(state.block.hash))
        )
        own = Order(
            account=bytes.fromhex(account[2:]),
            market=maker.order.market,
            size=-side.sign * contracts,
            limit_price=maker.order.limit_price,
            expiry=state.block.timestamp + _DEADLINE,
            epoch=epoch,
            # Of each block an order of its own: what was filled of one is not asked of the next.
            salt=int.from_bytes(maker.digest[:16] + bytes.fromhex(state.block.hash[2:])[:16]),
            reduce_only=True,
        )
        signature = self._sign(own, Domain(state.block.chain_id, self._exchange))
        return SETTLE.encode(maker.order.values(), maker.signature, own.values(), signature, contracts)

    @property
    def _exchange(self) -> str:
        return self._deployment.exchange
