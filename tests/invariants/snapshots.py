"""The state as a snapshot to plan from, and what of its inventory is due."""

from __future__ import annotations

from collections.abc import Sequence

from backstop.account_id import account_text, is_cross
from backstop.adl import snapshot as adl
from backstop.math import fund
from backstop.math.funding import payment
from backstop.math.wad import WAD

from .state import Holding, Inventory, State
from .world import GROUP, MARKETS, POOLS


def name_of(market: int) -> str:
    """A market's name in snapshots."""
    return f"M{market}"


def loss_of(held: Inventory, mark: int, live: bool, maintenance: int) -> int:
    """What an inventory has lost; at a price that is not live, `mmf` further than that."""
    haircut = 0 if live else mark * maintenance // WAD
    return fund.inventory_loss(held.size, held.entry, mark - haircut if held.size > 0 else mark + haircut)


def compensation_of(state: State, market: int, side: int) -> int:
    """What a round over an inventory is to bring, 0 where none is due; None of the pool's backings may be missing.

    As `backstop.adl.due`, but with the losses that the fund counts where a feed is dead.
    """
    spec, pool = MARKETS[market - 1], state.pool_of(market)
    backing = state.markets[market - 1].backing
    if backing is None:
        return 0
    own = (backing.long_loss, backing.short_loss)
    if own[side] == 0:
        return 0
    drawdown = depletion = 0
    if backing.due:
        whole = max(0, fund.drawdown_compensation(backing.loss, backing.base, spec.target))
        drawdown = _share(whole, own, side)
    lacking = -backed_balance(state, pool)
    if lacking > 0:
        losses: list[int] = []
        place = 0
        for other in state.markets_of(pool):
            if other == market:
                place = len(losses) + side
            each = state.markets[other - 1].backing
            assert each is not None
            losses += (each.long_loss, each.short_loss)
        depletion = _share(lacking, losses, place)
    return max(drawdown, depletion)


def balance_of(state: State, pool: int) -> int:
    """A pool's balance; where its backing was not asked for it has no inventory."""
    backings = (state.markets[market - 1].backing for market in state.markets_of(pool))
    return next((backing.balance for backing in backings if backing is not None), state.pools[pool - 1].cash)


def backed_balance(state: State, pool: int) -> int:
    """What depletion is judged by: after a redistribution that is due, and not at all while the group stands for it."""
    if pool not in GROUP:
        return balance_of(state, pool)
    balances = [balance_of(state, member) for member in GROUP]
    return fund.redistribute(balances)[GROUP.index(pool)] if fund.is_group_depleted(balances) else 0


def _share(whole: int, losses: Sequence[int], place: int) -> int:
    """That of one of several losses, of which some may be zero."""
    places = [i for i, loss in enumerate(losses) if loss]
    shares = fund.share_by_loss(whole, [losses[i] for i in places])
    return dict(zip(places, shares, strict=True)).get(place, 0)


def snapshot_of(state: State) -> adl.Snapshot:
    """What the planner is given: as in `backstop.chain.snapshot`, only the markets whose pool can be valued."""
    blind = {view.pool for view in state.markets if view.backing is None}
    priced = [spec for spec in MARKETS if state.pool_of(spec.id) not in blind and state.markets[spec.id - 1].mark]
    markets = {}
    for spec in priced:
        market = state.markets[spec.id - 1]
        assert market.backing is not None
        markets[name_of(spec.id)] = adl.Market(
            name=name_of(spec.id),
            mark_price=market.mark,
            maintenance_margin_fraction=market.parameters.maintenance_margin_fraction,
            pool=f"P{market.pool}",
            trigger=spec.trigger,
            stop=spec.stop,
            target=spec.target,
            adl_active=market.backing.started,
            pnl=market.backing.pnl,
            max_pnl_8h=market.backing.max_pnl,
            is_live=market.live,
        )
    accounts = [
        _account(state, account, held)
        for account, held in state.accounts.items()
        if (held.margin or not held.is_flat) and all(name_of(market) in markets for market in held.open())
    ]
    pools = {
        f"P{pool}": _pool(state, pool, [spec.id for spec in priced if state.pool_of(spec.id) == pool])
        for pool in POOLS
        if pool not in blind
    }
    return adl.Snapshot(None, markets, pools, tuple(accounts))


def _pool(state: State, pool: int, markets: Sequence[int]) -> adl.Pool:
    views = [(market, state.markets[market - 1]) for market in markets]
    backing = views[0][1].backing if views else None
    inventory = tuple(
        adl.Inventory(name_of(market), held.size, held.entry)
        for market, view in views
        for held in (view.long, view.short)
        if held.size
    )
    balance = backing.balance if backing else state.pools[pool - 1].cash
    kind = (adl.PoolKind.ISOLATED, adl.PoolKind.SHARED)[POOLS[pool].kind]
    return adl.Pool(f"P{pool}", kind, adl.Backing.MUTUAL if pool in GROUP else adl.Backing.OWN, balance, inventory)


def _account(state: State, account: bytes, held: Holding) -> adl.Account:
    positions = tuple(
        adl.Position(name_of(market), held.positions[market].size, held.positions[market].entry)
        for market in held.open()
    )
    funding = sum(
        payment(held.positions[market].size, state.markets[market - 1].index - held.positions[market].index)
        for market in held.open()
    )
    mode = adl.MarginMode.CROSS if is_cross(account) else adl.MarginMode.ISOLATED
    return adl.Account(account_text(account), mode, held.margin - funding, positions)
