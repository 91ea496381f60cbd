"""Everything at one block: read through the lens at one block hash, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from backstop.account_id import account_text, is_cross
from backstop.adl.snapshot import (
    Account,
    Backing,
    Block,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Snapshot,
)
from backstop.chain.bindings import (
    LENS_ACCOUNTS,
    LENS_CROSS_ACCOUNTS,
    LENS_SYSTEM,
    ROUND_PARAMETERS,
    describe_revert,
)
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Call, Endpoint
from backstop.chain.head import head_of
from backstop.chain.market_view import MarketView, text_of
from backstop.chain.terms import MarketTerms
from backstop.errors import RevertError, RpcError
from backstop.math.margin import Leg

PAGE = 1000  # accounts a call; about 10 million gas of the 50 million that nodes allow
PAGES = 4  # in one batch
_KINDS = (PoolKind.ISOLATED, PoolKind.SHARED)
_BACKERS = (Backing.OWN, Backing.MUTUAL)


@dataclass(frozen=True, slots=True)
class ChainState:
    """A snapshot with what a keeper and an auditor need beside it. WAD.

    `market_ids` maps names to the contracts' ids, and `terms` to what the snapshot does not tell of a market.
    `unpriced` are the markets whose feed refuses to answer, with the reason: the snapshot shows them at the last
    accepted price, and only takeovers go on there. `left_out` are those that never had a price, and the markets of
    their pools. `drawdowns_due` are the markets whose drawdown is due, whether or not there is inventory to close.
    `claims_of` is what accounts, pools, funding pots, unswept fees, the treasury and the keeper budget may
    claim of `tokens_held`, and `sums_of_sizes` the signed sum of all sizes of a market: those of accounts and pools
    together. `exempt_age` is for how many seconds raised risk exempts an account from a round.
    """

    snapshot: Snapshot
    block: Block
    market_ids: dict[str, int]
    terms: dict[str, MarketTerms]
    backstop_ratio: int
    tokens_held: int
    claims_of: dict[str, int]
    sums_of_sizes: dict[str, int]
    unpriced: dict[str, str]
    left_out: dict[str, str]
    exempt_age: int
    drawdowns_due: frozenset[str] = frozenset()

    def exposed_margin(self, account: Account, legs: Sequence[Leg], own: int) -> int:
        """The `MM` by which an account with equity `own` is liquidated or taken over: no leg of a closed market counts.

        Of an account without equity all of it. `legs` are those of the account, in its order.
        """
        return sum(
            leg.maintenance_margin
            for position, leg in zip(account.positions, legs, strict=True)
            if own <= 0 or not self.terms[position.market].settles_at
        )

    @property
    def claims(self) -> int:
        """All that may be claimed of `tokens_held`."""
        return sum(self.claims_of.values())


def read_snapshot(node: str | Endpoint, deployment: Path, number: int | None = None) -> ChainState:
    """`read_chain` from a node, or its URL, and a deployment file. Raises a BackstopError where either is wrong."""
    endpoint = Endpoint(node) if isinstance(node, str) else node
    return read_chain(endpoint, Deployment.load(deployment), number)


def read_chain(endpoint: Endpoint, deployment: Deployment, number: int | None = None) -> ChainState:
    """Reads a block, the latest unless a number is given: markets, pools and every account by pages, all at its hash.

    An old block needs a node that keeps old states. Raises RpcError where the node does not have the block.
    """
    return read_chain_and_markets(endpoint, deployment, number)[0]


def read_chain_and_markets(
    endpoint: Endpoint, deployment: Deployment, number: int | None = None
) -> tuple[ChainState, list[MarketView]]:
    """The same, and its markets as the lens shows them."""
    endpoint.check(deployment)
    block = read_block(endpoint, deployment.chain_id, number)
    at = at_block(block.hash)
    system = read_system(endpoint, deployment, at)
    views = [MarketView(*view) for view in system.markets]
    rows = read_accounts(endpoint, deployment, views, at)
    cross = read_cross_accounts(endpoint, deployment, system.cross_accounts, at)
    return assemble(block, system, views, rows, cross, read_exempt_age(endpoint, deployment, at)), views


def read_exempt_age(endpoint: Endpoint, deployment: Deployment, at: Any) -> int:
    """For how many seconds raised risk exempts an account from a round."""
    return int(endpoint.call(deployment.round_book, ROUND_PARAMETERS, block=at)[1])


def at_block(block_hash: str) -> dict[str, Any]:
    """How a call names the block that it is to be read at; one that is no longer of the chain is refused."""
    return {"blockHash": block_hash, "requireCanonical": True}


def read_markets(endpoint: Endpoint, deployment: Deployment) -> dict[str, MarketView]:
    """The markets by name, in the order of their ids, as they are now."""
    views = [MarketView(*view) for view in read_system(endpoint, deployment, "latest").markets]
    return {view.name: view for view in views}


def read_block(endpoint: Endpoint, chain_id: int, number: int | None = None) -> Block:
    """A block of the node's chain, the latest unless a number is given. Raises RpcError where there is none."""
    if number is None:
        head = endpoint.head()
    else:
        header = endpoint.request("eth_getBlockByNumber", hex(number), False)
        if header is None:
            raise RpcError(f"{endpoint.url} has no block {number}")
        head = head_of(header, endpoint.url)
    return Block(chain_id=chain_id, number=head.number, hash=head.hash, timestamp=head.timestamp)


def read_system(endpoint: Endpoint, deployment: Deployment, at: Any) -> SystemView:
    """What the lens says of markets and pools, without accounts."""
    try:
        return SystemView(*endpoint.call(deployment.lens, LENS_SYSTEM, block=at))
    except RevertError as refusal:
        raise RpcError(
            f"the lens at {deployment.lens} does not answer ({refusal}): is the deployment file of this chain?"
        ) from None


class SystemView(NamedTuple):
    """BackstopLens.SystemView, field by field."""

    block_number: int
    timestamp: int
    backstop_ratio: int
    warning_rate: int
    tokens_held: int
    treasury_balance: int
    keeper_budget: int
    cross_accounts: int
    markets: list[Any]
    pools: list[Any]


class _PoolView(NamedTuple):
    """BackstopLens.PoolView, field by field."""

    id: int
    name: bytes
    kind: int
    backer: int
    cash: int
    claim: int
    markets: list[int]


Row = tuple[bytes, int, int, int, int]  # account, size, entryNotional, margin, funding owed


def read_accounts(endpoint: Endpoint, deployment: Deployment, views: list[MarketView], at: Any) -> dict[int, list[Row]]:
    """Every account of each market, by the market's id; in the order in which they were first touched there."""
    wanted = [(view, offset) for view in views for offset in range(0, view.accounts, PAGE)]
    pages = endpoint.call_all(
        [Call(deployment.lens, LENS_ACCOUNTS, LENS_ACCOUNTS.encode(view.id, offset, PAGE)) for view, offset in wanted],
        at,
        PAGES,
    )
    rows: dict[int, list[Row]] = {view.id: [] for view in views}
    for (view, _), page in zip(wanted, pages, strict=True):
        rows[view.id] += page
    for view in views:
        if len(rows[view.id]) != view.accounts:
            raise RpcError(f"{endpoint.url} has {len(rows[view.id])} of {view.accounts} accounts of {view.name}")
    return rows


def read_cross_accounts(endpoint: Endpoint, deployment: Deployment, count: int, at: Any) -> dict[bytes, int]:
    """The margin of every cross account, in the order in which they were first touched."""
    pages = endpoint.call_all(
        [
            Call(deployment.lens, LENS_CROSS_ACCOUNTS, LENS_CROSS_ACCOUNTS.encode(offset, PAGE))
            for offset in range(0, count, PAGE)
        ],
        at,
        PAGES,
    )
    margins = dict(row for page in pages for row in page)
    if len(margins) != count:
        raise RpcError(f"{endpoint.url} has {len(margins)} of {count} cross accounts")
    return margins


def assemble(
    block: Block,
    system: SystemView,
    views: list[MarketView],
    rows: dict[int, list[Row]],
    cross: dict[bytes, int],
    exempt_age: int,
) -> ChainState:
    """The state of a block from what was read at it: accounts of each market, and the margins of cross accounts."""
    pools = [_PoolView(*entry) for entry in system.pools]
    pool_names = {pool.id: text_of(pool.name) for pool in pools}
    blind = {view.terms.pool: describe_revert(view.backing_error) for view in views if view.backing_error}
    left_out = {
        view.name: describe_revert(view.price_error) if view.mark == 0 else blind[view.terms.pool]
        for view in views
        if view.mark == 0 or view.terms.pool in blind
    }
    shown = [view for view in views if view.name not in left_out]
    positions = sum(margin - entry for view in views for _, _, entry, margin, _ in rows[view.id])
    claims_of = {
        "accounts": positions + sum(cross.values()),
        "pools": sum(pool.claim for pool in pools),
        "funding pots": sum(view.terms.pot for view in views),
        "unswept fees": sum(view.terms.fees for view in views),
        "treasury": system.treasury_balance,
        "keeper budget": system.keeper_budget,
    }
    sums_of_sizes = {
        view.name: sum(size for _, size, *_ in rows[view.id]) + view.long[0] + view.short[0] for view in views
    }
    snapshot = Snapshot(
        block=block,
        markets={view.name: _market(view, pool_names[view.terms.pool]) for view in shown},
        pools={
            pool_names[pool.id]: _pool(pool, [view for view in shown if view.terms.pool == pool.id])
            for pool in pools
            if pool.id not in blind
        },
        accounts=(*_isolated_accounts(shown, rows), *_cross_accounts(shown, rows, cross)),
    )
    return ChainState(
        snapshot=snapshot,
        block=block,
        market_ids={view.name: view.id for view in views},
        terms={view.name: view.terms for view in views},
        backstop_ratio=system.backstop_ratio,
        tokens_held=system.tokens_held,
        claims_of=claims_of,
        sums_of_sizes=sums_of_sizes,
        unpriced={view.name: describe_revert(view.price_error) for view in shown if view.price_error},
        left_out=left_out,
        exempt_age=exempt_age,
        drawdowns_due=frozenset(view.name for view in shown if view.backing[-1]),
    )


def _market(view: MarketView, pool: str) -> Market:
    _, _, pnl, max_pnl, _, _, _, _, started, _ = view.backing
    return Market(
        name=view.name,
        mark_price=view.mark,
        maintenance_margin_fraction=view.terms.maintenance_margin_fraction,
        pool=pool,
        trigger=view.trigger,
        stop=view.stop,
        target=view.target,
        adl_active=started,
        pnl=pnl,
        max_pnl_8h=max_pnl,
        is_live=not view.price_error,
        is_closed=view.settles_at != 0,
    )


def _pool(view: _PoolView, views: list[MarketView]) -> Pool:
    balance = views[0].backing[0] if views else view.cash
    inventory = tuple(
        Inventory(market=view.name, size=size, entry_notional=entry)
        for view in views
        for size, entry, _ in (view.long, view.short)
        if size
    )
    return Pool(
        name=text_of(view.name),
        kind=_KINDS[view.kind],
        backing=_BACKERS[view.backer],
        balance=balance,
        inventory=inventory,
    )


def _isolated_accounts(views: list[MarketView], rows: dict[int, list[Row]]) -> Iterator[Account]:
    for view in views:
        for account, size, entry, margin, funding in rows[view.id]:
            if is_cross(account) or not (size or margin):
                continue
            positions = (Position(view.name, size, entry),) if size else ()
            yield Account(account_text(account), MarginMode.ISOLATED, margin - funding, positions)


def _cross_accounts(
    views: list[MarketView], rows: dict[int, list[Row]], margins: dict[bytes, int]
) -> Iterator[Account]:
    """Their positions in market order, the funding of all of them taken off."""
    positions: dict[bytes, list[Position]] = {account: [] for account in margins}
    settled = dict(margins)
    for view in views:
        for account, size, entry, _, funding in rows[view.id]:
            if is_cross(account) and size:
                positions[account].append(Position(view.name, size, entry))
                settled[account] -= funding
    for account, margin in settled.items():
        if margin or positions[account]:
            yield Account(account_text(account), MarginMode.CROSS, margin, tuple(positions[account]))
