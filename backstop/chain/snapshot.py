"""Everything at one block: read through the lens at one block hash, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    Side,
    Snapshot,
)
from backstop.chain.bindings import LENS_ACCOUNTS, LENS_SYSTEM, describe_revert
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.terms import Auction, MarketTerms
from backstop.errors import RevertError, RpcError

PAGE = 1000  # accounts a call; about 10 million gas of the 50 million that nodes allow
_KINDS = (PoolKind.ISOLATED, PoolKind.SHARED)


@dataclass(frozen=True, slots=True)
class ChainState:
    """A snapshot with what a keeper and an auditor need beside it. WAD.

    `market_ids` maps names to the contracts' ids, and `terms` to what the snapshot does not tell of a market.
    `unpriced` are the markets that it leaves out because their feed refuses to answer, with the reason. `claims` is
    what all accounts and pools may claim of `tokens_held`, and `sums_of_sizes` the signed sum of all sizes of a
    market: those of accounts and pools together.
    """

    snapshot: Snapshot
    block: Block
    market_ids: dict[str, int]
    terms: dict[str, MarketTerms]
    backstop_ratio: int
    tokens_held: int
    claims: int
    sums_of_sizes: dict[str, int]
    unpriced: dict[str, str]


def read_snapshot(rpc_url: str, deployment: Path, number: int | None = None) -> ChainState:
    """`read_chain` from a URL and a deployment file. Raises a BackstopError where either is not what it should be."""
    return read_chain(Endpoint(rpc_url), Deployment.load(deployment), number)


def read_chain(endpoint: Endpoint, deployment: Deployment, number: int | None = None) -> ChainState:
    """Reads a block, the latest unless a number is given: markets, pools and every account by pages, all at its hash.

    An old block needs a node that keeps old states. Raises RpcError where the node does not have the block.
    """
    endpoint.check(deployment)
    header = endpoint.request("eth_getBlockByNumber", "latest" if number is None else hex(number), False)
    if header is None:
        raise RpcError(f"{endpoint.url} has no block {'at all' if number is None else number}")
    try:
        block = Block(
            chain_id=deployment.chain_id,
            number=int(header["number"], 16),
            hash=header["hash"],
            timestamp=int(header["timestamp"], 16),
        )
    except (TypeError, KeyError, ValueError):
        raise RpcError(f"{endpoint.url} answers with a block header that cannot be read: {header!r}") from None
    at = {"blockHash": block.hash}
    try:
        system = endpoint.call(deployment.lens, LENS_SYSTEM, block=at)
    except RevertError as refusal:
        raise RpcError(
            f"the lens at {deployment.lens} does not answer ({refusal}): is the deployment file of this chain?"
        ) from None
    markets = [_MarketView(*view) for view in system[4]]
    rows = {view.id: _read_accounts(endpoint, deployment, view, at) for view in markets}
    return _assemble(block, system, markets, rows)


@dataclass(frozen=True, slots=True)
class _MarketView:
    """BackstopLens.MarketView, field by field."""

    id: int
    name: bytes
    pool: int
    mark: int
    price_error: bytes
    initial_margin_fraction: int
    maintenance_margin_fraction: int
    liquidation_discount: int
    liquidation_fee: int
    trigger: int
    stop: int
    target: int
    open_interest: int
    accounts: int
    backing: tuple[Any, ...]
    backing_error: bytes
    long: tuple[int, int, int]
    short: tuple[int, int, int]
    long_auction: tuple[int, int]
    short_auction: tuple[int, int]

    @property
    def text(self) -> str:
        return _text(self.name)


_Row = tuple[bytes, int, int, int]  # account, size, entryNotional, margin


def _read_accounts(endpoint: Endpoint, deployment: Deployment, view: _MarketView, at: Any) -> list[_Row]:
    rows: list[_Row] = []
    while len(rows) < view.accounts:
        page = endpoint.call(deployment.lens, LENS_ACCOUNTS, view.id, len(rows), PAGE, block=at)
        if not page:
            raise RpcError(f"{endpoint.url} has {len(rows)} of {view.accounts} accounts of {view.text}")
        rows += page
    return rows


def _assemble(block: Block, system: Any, views: list[_MarketView], rows: dict[int, list[_Row]]) -> ChainState:
    _, _, backstop_ratio, tokens_held, _, pool_views = system
    pool_names = {pool_id: _text(name) for pool_id, name, *_ in pool_views}
    blind = _blind_pools(views)
    missing = {view.id: describe_revert(view.price_error) for view in views if view.mark == 0}
    unpriced = {view.text: missing.get(view.id) or blind[view.pool] for view in views if _is_left_out(view, blind)}
    priced = [view for view in views if not _is_left_out(view, blind)]
    claims = sum(claim for _, _, _, _, claim, _ in pool_views)
    sums_of_sizes: dict[str, int] = {}
    for view in views:
        claims += sum(margin - entry for _, _, entry, margin in rows[view.id])
        sums_of_sizes[view.text] = sum(size for _, size, _, _ in rows[view.id]) + view.long[0] + view.short[0]
    snapshot = Snapshot(
        block=block,
        markets={view.text: _market(view, pool_names[view.pool]) for view in priced},
        pools={
            pool_names[pool_id]: _pool(
                _KINDS[kind], pool_names[pool_id], cash, [v for v in priced if v.pool == pool_id]
            )
            for pool_id, _, kind, cash, _, _ in pool_views
            if pool_id not in blind
        },
        accounts=tuple(_account(view, row) for view in priced for row in rows[view.id] if row[1] or row[3]),
    )
    return ChainState(
        snapshot=snapshot,
        block=block,
        market_ids={view.text: view.id for view in views},
        terms={view.text: _terms(view) for view in views},
        backstop_ratio=backstop_ratio,
        tokens_held=tokens_held,
        claims=claims,
        sums_of_sizes=sums_of_sizes,
        unpriced=unpriced,
    )


def _blind_pools(views: list[_MarketView]) -> dict[int, str]:
    """Pools that a missing price leaves without a value, with the reason: nothing is planned from half a pool.

    The balance needs the price of every inventory, the base also the loss of a market that is itself left out.
    """
    blind: dict[int, str] = {}
    for view in views:
        loss = view.backing[4]
        if view.mark == 0 and (view.long[0] or view.short[0] or loss):
            blind.setdefault(view.pool, describe_revert(view.price_error))
        elif view.backing_error:
            blind.setdefault(view.pool, describe_revert(view.backing_error))
    return blind


def _is_left_out(view: _MarketView, blind: dict[int, str]) -> bool:
    return view.mark == 0 or view.pool in blind


def _market(view: _MarketView, pool: str) -> Market:
    _, _, pnl, max_pnl, _, _, _, _, started, _ = view.backing
    return Market(
        name=view.text,
        mark_price=view.mark,
        maintenance_margin_fraction=view.maintenance_margin_fraction,
        pool=pool,
        trigger=view.trigger,
        stop=view.stop,
        target=view.target,
        adl_active=started,
        pnl=pnl,
        max_pnl_8h=max_pnl,
    )


def _terms(view: _MarketView) -> MarketTerms:
    sales = {Side.LONG: view.long_auction, Side.SHORT: view.short_auction}
    return MarketTerms(
        initial_margin_fraction=view.initial_margin_fraction,
        liquidation_discount=view.liquidation_discount,
        liquidation_fee=view.liquidation_fee,
        auctions={side: Auction(price, contracts) for side, (price, contracts) in sales.items() if contracts},
    )


def _pool(kind: PoolKind, name: str, cash: int, views: list[_MarketView]) -> Pool:
    balance = views[0].backing[0] if views else cash
    inventory = tuple(
        Inventory(market=view.text, size=size, entry_notional=entry)
        for view in views
        for size, entry, _ in (view.long, view.short)
        if size
    )
    return Pool(name=name, kind=kind, backing=Backing.OWN, balance=balance, inventory=inventory)


def _account(view: _MarketView, row: _Row) -> Account:
    account, size, entry, margin = row
    return Account(
        id=account_text(account),
        margin_mode=MarginMode.CROSS if is_cross(account) else MarginMode.ISOLATED,
        margin=margin,
        positions=(Position(market=view.text, size=size, entry_notional=entry),) if size else (),
    )


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode("utf-8", "backslashreplace")
