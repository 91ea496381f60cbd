"""The insurance fund at one block: pools, their accounts, markets and stakes, read at one block hash or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address

from backstop.adl.due import Trigger
from backstop.adl.snapshot import Backing as BackedBy
from backstop.adl.snapshot import Block, PoolKind
from backstop.chain.bindings import (
    FUND_LENS_ADL_STATE,
    FUND_LENS_EXITS,
    FUND_LENS_POOLS,
    FUND_LENS_STAKE_OF,
    LENS_SYSTEM,
    describe_revert,
)
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.market_view import MarketView, text_of
from backstop.chain.snapshot import read_block
from backstop.errors import BackstopError, RevertError, RpcError

EXIT_PAGE = 500
NO_CAP = 2**96 - 1
# In the order of the enums of the contracts.
ITEMS = (
    "contribution",
    "liquidationFee",
    "tradingFee",
    "auction",
    "deleveraging",
    "funding",
    "stake",
    "exit",
    "redistribution",
    "repayment",
    "deficit",
)
TRIGGERS = (None, Trigger.DRAWDOWN, Trigger.DEPLETION)
_KINDS = (PoolKind.ISOLATED, PoolKind.SHARED)
_BACKERS = (BackedBy.OWN, BackedBy.MUTUAL)


class Backing(NamedTuple):
    """`Backing` of the contracts, field by field. WAD."""

    balance: int
    base: int
    pnl: int
    max_pnl: int
    loss: int
    drawdown: int
    long_loss: int
    short_loss: int
    started: bool
    drawdown_due: bool

    @property
    def inventory_loss(self) -> int:
        """What both inventories lose."""
        return self.long_loss + self.short_loss


class Terms(NamedTuple):
    """`ADLTerms` of the contracts, field by field: what is to be closed of an inventory, and at which price. WAD."""

    trigger: int
    size: int
    entry_notional: int
    inventory_loss: int
    compensation: int
    mark: int
    price: int
    execution_price: int


class ADLState(NamedTuple):
    """`FundLens.ADLState`, field by field."""

    is_on: bool
    reason: int
    seen: int
    stress: int
    last_due: int
    backing: tuple[Any, ...]
    long: tuple[Any, ...]
    short: tuple[Any, ...]


class Exit(NamedTuple):
    """An exit that was asked for: shares, what they were worth then (token units), and when it may be paid."""

    shares: int
    value: int
    ripe_at: int


class _Pool(NamedTuple):
    """`Pool` of the contracts, field by field."""

    name: bytes
    kind: int
    backer: int
    cash: int
    cap: int
    cooldown: int
    shares: str
    markets: Sequence[int]


class _PoolState(NamedTuple):
    """`FundLens.PoolState`, field by field."""

    id: int
    entry: tuple[Any, ...]
    balance: int
    items: Sequence[int]
    deficit: int
    assets: int
    total_shares: int
    max_stake: int
    stake_refusal: bytes
    markets: Sequence[tuple[Any, ...]]


class _StakeState(NamedTuple):
    """`FundLens.StakeState`, field by field."""

    shares: int
    value: int
    exit: tuple[int, int, int]
    exit_value: int
    may_redeem: bool
    refusal: bytes


@dataclass(frozen=True, slots=True)
class PoolMarket:
    """A market of a pool.

    `adl` is None, and `adl_error` says why, where a price is needed that its feed does not give.
    """

    view: MarketView
    backing: Backing
    adl: ADLState | None
    adl_error: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.view.name

    @property
    def has_inventory(self) -> bool:
        """Whether the pool holds anything in it."""
        return bool(self.view.long[0] or self.view.short[0])


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool. WAD, but `assets`, `max_stake` and the values of exits are token units; `cap` is None for none."""

    id: int
    name: str
    kind: PoolKind
    backed_by: BackedBy
    cash: int
    balance: int
    items: dict[str, int]
    deficit: int
    assets: int
    total_shares: int
    cap: int | None
    max_stake: int | None
    stake_refusal: str
    cooldown: int
    shares: str
    exits: tuple[tuple[str, Exit], ...]
    markets: tuple[PoolMarket, ...]

    @property
    def base(self) -> int:
        """What drawdowns are measured by: the balance, and what its markets have lost of it in the window."""
        if self.markets:
            return self.markets[0].backing.base
        return max(0, self.balance)

    @property
    def inventory_losses(self) -> int:
        """What its inventories lose at mark."""
        return sum(market.backing.inventory_loss for market in self.markets)

    @property
    def unsettled_funding(self) -> int:
        """What its inventories owe for funding, not paid yet; below zero where they are owed."""
        return self.cash - self.inventory_losses - self.balance


@dataclass(frozen=True, slots=True)
class FundView:
    """All pools at a block, by id; `tokens_held` is the exchange's, WAD."""

    block: Block
    pools: tuple[PoolView, ...]
    tokens_held: int

    @property
    def deficit(self) -> int:
        """The sum of the open deficits, WAD."""
        return sum(pool.deficit for pool in self.pools)

    @property
    def group(self) -> tuple[PoolView, ...]:
        """The members of the mutual group."""
        return tuple(pool for pool in self.pools if pool.backed_by is BackedBy.MUTUAL)

    def pool(self, name: str) -> PoolView:
        """A pool by its name. Raises BackstopError naming those that there are."""
        for pool in self.pools:
            if pool.name == name:
                return pool
        raise BackstopError(
            f"unknown pool {name!r}: the fund has {', '.join(pool.name for pool in self.pools) or 'none'}"
        )

    def market(self, market: int) -> str:
        """A market's name by its id; the id where the fund has none."""
        names = {one.view.id: one.name for pool in self.pools for one in pool.markets}
        return names.get(market, f"market {market}")


@dataclass(frozen=True, slots=True)
class StakeView:
    """What an owner has in a pool; values in token units. `refusal` is why a ripe exit waits, "" where it need not."""

    shares: int
    value: int
    exit: Exit | None
    exit_value: int
    may_redeem: bool
    refusal: str


def read_fund(endpoint: Endpoint, deployment: Deployment) -> FundView:
    """Everything at the latest block, by its hash. Raises RpcError where the lenses do not answer."""
    endpoint.check(deployment)
    block = read_block(endpoint, deployment.chain_id)
    at = {"blockHash": block.hash}
    try:
        system = endpoint.call(deployment.lens, LENS_SYSTEM, block=at)
        states = [_PoolState(*state) for state in endpoint.call(deployment.fund_lens, FUND_LENS_POOLS, block=at)]
    except RevertError as refusal:
        raise RpcError(
            f"the lenses of the deployment do not answer ({refusal}): is the deployment file of this chain?"
        ) from None
    tokens_held, views = system[4], {view[0]: MarketView(*view) for view in system[8]}
    pools = tuple(_pool(endpoint, deployment, state, views, at) for state in states)
    return FundView(block, pools, tokens_held)


def _pool(
    endpoint: Endpoint, deployment: Deployment, state: _PoolState, views: dict[int, MarketView], at: Any
) -> PoolView:
    entry = _Pool(*state.entry)
    has_cap = entry.cap != NO_CAP
    return PoolView(
        id=state.id,
        name=text_of(entry.name),
        kind=_KINDS[entry.kind],
        backed_by=_BACKERS[entry.backer],
        cash=entry.cash,
        balance=state.balance,
        items=dict(zip(ITEMS, state.items, strict=True)),
        deficit=state.deficit,
        assets=state.assets,
        total_shares=state.total_shares,
        cap=entry.cap if has_cap else None,
        max_stake=state.max_stake if has_cap or state.stake_refusal else None,
        stake_refusal=describe_revert(state.stake_refusal) if state.stake_refusal else "",
        cooldown=entry.cooldown,
        shares=to_checksum_address(entry.shares),
        exits=tuple(read_exits(endpoint, deployment, state.id, at)),
        markets=tuple(
            read_pool_market(endpoint, deployment, views[market], Backing(*backing), at)
            for market, backing in zip(entry.markets, state.markets, strict=True)
        ),
    )


def read_pool_market(
    endpoint: Endpoint, deployment: Deployment, view: MarketView, backing: Backing, at: Any
) -> PoolMarket:
    """A market of a pool, with the state of ADL there."""
    try:
        state = ADLState(*endpoint.call(deployment.fund_lens, FUND_LENS_ADL_STATE, view.id, block=at))
    except RevertError as refusal:
        return PoolMarket(view, backing, None, str(refusal))
    return PoolMarket(view, backing, state, "")


def read_exits(endpoint: Endpoint, deployment: Deployment, pool: int, at: Any) -> list[tuple[str, Exit]]:
    """The open exits of a pool and whose they are, in no order."""
    found: list[tuple[str, Exit]] = []
    while True:
        owners, exits = endpoint.call(deployment.fund_lens, FUND_LENS_EXITS, pool, len(found), EXIT_PAGE, block=at)
        found += [(to_checksum_address(owner), Exit(*one)) for owner, one in zip(owners, exits, strict=True)]
        if len(owners) < EXIT_PAGE:
            return found


class PoolLabel(NamedTuple):
    """What a pool is called, its shares, and its open deficit (WAD)."""

    name: str
    shares: str
    deficit: int


def read_labels(endpoint: Endpoint, deployment: Deployment, at: Any) -> dict[int, PoolLabel]:
    """The pools by id."""
    states = [_PoolState(*state) for state in endpoint.call(deployment.fund_lens, FUND_LENS_POOLS, block=at)]
    entries = [(state, _Pool(*state.entry)) for state in states]
    return {
        state.id: PoolLabel(text_of(entry.name), to_checksum_address(entry.shares), state.deficit)
        for state, entry in entries
    }


def read_stake(endpoint: Endpoint, deployment: Deployment, pool: int, owner: str, at: Any) -> StakeView:
    """What an owner has in a pool."""
    state = _StakeState(*endpoint.call(deployment.fund_lens, FUND_LENS_STAKE_OF, pool, owner, block=at))
    asked = Exit(*state.exit)
    return StakeView(
        shares=state.shares,
        value=state.value,
        exit=asked if asked.shares else None,
        exit_value=state.exit_value,
        may_redeem=state.may_redeem,
        refusal=describe_revert(state.refusal) if state.refusal else "",
    )
