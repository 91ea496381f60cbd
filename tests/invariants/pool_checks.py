"""What must hold of pools (F1 to F6, and of withdrawals S1); the invariants are listed in `checks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backstop.account_id import is_cross
from backstop.math import fund, staking
from tests.support.capital import Exit
from tests.support.enums import Item

from . import actions
from .snapshots import backed_balance, balance_of
from .state import PoolState, State
from .steps import Step, Violation
from .world import GROUP, POOLS, TOKEN_SCALE, market_of

EXITS = (actions.Redeem, actions.SettleExit)


def hold_always(state: State, counts: Counter[str]) -> Iterator[Violation]:
    """F1, F3 and F6."""
    for number, pool in enumerate(state.pools, start=1):
        counts["F6"] += sum(map(bool, pool.items)) > 1
        if sum(pool.items) != pool.cash:
            yield Violation("F6", f"pool {number} has {pool.cash}, its items are {pool.items}")
        shares = sum(pool.held.values()) + sum(exit_.shares for exit_ in pool.exits.values())
        counts["F3"] += pool.supply != 0
        if pool.supply != shares:
            yield Violation("F3", f"pool {number} has {pool.supply} shares, {shares} are somebody's")
        worth = staking.shares_to_assets(pool.supply, pool.assets, pool.supply)
        if worth > pool.assets or (worth and not pool.supply):
            yield Violation("F3", f"the shares of pool {number} are worth {worth} of {pool.assets}")
        yield from _stands_for_what_there_is(state, number, pool, counts)


def _stands_for_what_there_is(state: State, number: int, pool: PoolState, counts: Counter[str]) -> Iterator[Violation]:
    """F1: all shares stand for no more than the balance, less what the group will ask of it."""
    if any(view.pool == number and view.backing is None and view.long.size | view.short.size for view in state.markets):
        return
    balance, burden = balance_of(state, number), 0
    if number in GROUP:
        balances = [balance_of(state, member) for member in GROUP]
        burden = staking.burden(balance, balances)
        counts["pools with a burden"] += 0 < burden < balance
    counts["F1"] += pool.supply != 0 and pool.assets != 0
    if pool.assets * TOKEN_SCALE > max(0, balance - burden):
        yield Violation("F1", f"shares of pool {number} stand for {pool.assets}, it has {balance}, less {burden}")


def hold_after(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """F1 to F5, and S1 of what is paid out."""
    yield from _prices_fall_by_losses_alone(step, counts)
    yield from _shares_come_and_go_with_stakes(step, counts)
    yield from _others_stay_as_they_are(step, counts)
    if isinstance(step.action, EXITS):
        yield from _exit_pays_what_there_is(step, step.action, counts)
        yield from _exit_makes_nothing_due(step, step.action, counts)
    if step.before.deficit and isinstance(step.action, actions.Withdraw | actions.Collect):
        yield from _all_are_paid_alike(step, step.action, counts)


def _moved(step: Step, pool: int, *items: Item) -> int:
    """What came to a pool under some items."""
    before, after = step.before.pools[pool - 1].items, step.after.pools[pool - 1].items
    return sum(after[item] - before[item] for item in items)


def _prices_fall_by_losses_alone(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """F2: a share is worth less only where a pool, or another of its group, has less but for stakes and exits.

    A unit of an asset is lost where the burden is rounded.
    """
    moved = (Item.STAKE, Item.EXIT)
    gains = {pool: balance_of(step.after, pool) - balance_of(step.before, pool) for pool in POOLS}
    for pool in POOLS:
        before, after = step.before.pools[pool - 1], step.after.pools[pool - 1]
        members = GROUP if pool in GROUP else (pool,)
        given = Item.REDISTRIBUTION if pool in GROUP else Item.STAKE
        earned = [gains[one] - _moved(step, one, *{*moved, given}) for one in members]
        if min(earned) < 0 or before.supply == 0:
            continue
        counts["F2"] += before[2:] != after[2:]
        slack = 2 if pool in GROUP else 0
        virtual = staking.VIRTUAL_SHARES
        if (after.assets + 1 + slack) * (before.supply + virtual) < (before.assets + 1) * (after.supply + virtual):
            shown = f"{before.assets} for {before.supply} to {after.assets} for {after.supply}"
            yield Violation("F2", f"{step.action.kind}: shares of pool {pool} fell from {shown}, nobody lost anything")


def _shares_come_and_go_with_stakes(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """F3: for what is staked and until it is paid, and never for shares that stand for nothing."""
    for pool in POOLS:
        before, after = step.before.pools[pool - 1], step.after.pools[pool - 1]
        staked, left = _moved(step, pool, Item.STAKE), _moved(step, pool, Item.EXIT)
        change = after.supply - before.supply
        if change == staked == left == 0:
            continue
        counts["shares made or paid"] += 1
        mine = getattr(step.action, "pool", 0) == pool
        match step.action:
            case actions.Stake() if mine and change > 0 and staked > 0 == left:
                if before.supply and before.assets == 0:
                    yield Violation("F3", f"a stake of {staked} in pool {pool} shares with {before.supply} of no worth")
            case actions.Redeem() | actions.SettleExit() if mine and change < 0 == staked and left <= 0:
                pass
            case actions.RenewShares() if mine and after.supply == staked == left == 0 == before.cash:
                pass
            case _:
                yield Violation("F3", f"{step.action.kind}: {change} shares of pool {pool} for {staked} and {left}")


def _exit_pays_what_there_is(
    step: Step, action: actions.Redeem | actions.SettleExit, counts: Counter[str]
) -> Iterator[Violation]:
    """F1: the smaller of then and now, rounded down, and nothing that the pool does not have."""
    counts["exits paid"] += 1
    before, after = step.before.pools[action.pool - 1], step.after.pools[action.pool - 1]
    asked, left = before.exits[action.owner], after.exits.get(action.owner, Exit())
    shares, out = asked.shares - left.shares, -_moved(step, action.pool, Item.EXIT)
    then = asked.value * shares // asked.shares
    now = staking.shares_to_assets(shares, before.assets, before.supply)
    counts["exits at the value at request"] += then < now
    counts["exits at the value now"] += now < then
    if out > min(then, now) * TOKEN_SCALE:
        yield Violation("F1", f"an exit of {shares} got {out}, worth {then} then and {now} now")
    balance = balance_of(step.before, action.pool)
    if out > max(0, balance):
        yield Violation("F1", f"an exit got {out} of pool {action.pool}, which had {balance}")
    paid = (step.after.wallets[action.owner] - step.before.wallets[action.owner]) * TOKEN_SCALE
    if paid > out or step.before.tokens - step.after.tokens != paid:
        yield Violation("F1", f"an exit of {out} paid {paid}, {step.before.tokens - step.after.tokens} left")


def _is_overdue(step: Step, action: actions.Redeem | actions.SettleExit) -> bool:
    asked = step.before.pools[action.pool - 1].exits[action.owner]
    return action.by == action.owner and step.now >= asked.ripe_at + staking.MAX_WAIT


def _exit_makes_nothing_due(
    step: Step, action: actions.Redeem | actions.SettleExit, counts: Counter[str]
) -> Iterator[Violation]:
    """F4, of an exit that has not waited for as long as one may."""
    if _is_overdue(step, action):
        counts["exits that have waited long enough"] += 1
        return
    for market, (before, after) in enumerate(zip(step.before.markets, step.after.markets, strict=True), start=1):
        if before.backing is None or after.backing is None:
            continue
        counts["F4"] += 1
        counts["exits while a market has lost something"] += after.backing.loss > 0
        if _is_due(step.after, market) and not _is_due(step.before, market):
            shown = f"a loss of {after.backing.loss} on a base of {after.backing.base}"
            yield Violation("F4", f"an exit from pool {action.pool} made ADL due in market {market}: {shown}")


def _is_due(state: State, market: int) -> bool:
    view = state.markets[market - 1]
    assert view.backing is not None
    losses = view.backing.long_loss + view.backing.short_loss
    return view.backing.due or (losses != 0 and backed_balance(state, view.pool) < 0)


def _own_pools(step: Step) -> set[int]:
    """Those that an action is about."""
    action, before = step.action, step.before
    market = getattr(action, "market", 0)
    if isinstance(action, actions.TakeOver):
        held = before.accounts[action.account]
        market = held.legs[0] if is_cross(action.account) else market_of(action.account)
    own = {getattr(action, "pool", 0)} if not isinstance(action, actions.MoveMarket) else set()
    return own | ({before.pool_of(market)} if 0 < market <= len(before.markets) else set())


def _others_stay_as_they_are(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """F5: their account, but for deficits that are paid for, and what a depleted group, or who leaves it, gives."""
    own = _own_pools(step)
    gives = isinstance(step.action, actions.Redistribute | actions.Repay) or step.before.deficit != 0
    gives = gives or (isinstance(step.action, actions.Deleverage | EXITS[0] | EXITS[1]) and bool(own & set(GROUP)))
    for pool in POOLS:
        before, after = step.before.pools[pool - 1].items, step.after.pools[pool - 1].items
        may = {Item.DEFICIT} if after[Item.DEFICIT] > before[Item.DEFICIT] else set()
        if pool in GROUP and gives:
            may |= {Item.REDISTRIBUTION}
        changed = {Item(item) for item, (one, other) in enumerate(zip(before, after, strict=True)) if one != other}
        if Item.REDISTRIBUTION in changed and Item.REDISTRIBUTION not in may:
            yield Violation("F5", f"{step.action.kind}: redistribution of pool {pool}")
        if pool not in own and changed - may:
            names = ", ".join(sorted(item.name for item in changed - may))
            yield Violation("F5", f"{step.action.kind} of pools {own} moved {names} of pool {pool}")
    given = {pool: _moved(step, pool, Item.REDISTRIBUTION) for pool in GROUP}
    if any(given.values()):
        yield from _redistributes(step, given, counts)


def _redistributes(step: Step, given: dict[int, int], counts: Counter[str]) -> Iterator[Violation]:
    """F5: from those that have to those that lack, and nobody's result."""
    counts["F5"] += 1
    if sum(given.values()):
        yield Violation("F5", f"redistribution of {given}")
    balances = {pool: balance_of(step.before, pool) for pool in GROUP}
    counts["exits that leave their burden"] += isinstance(step.action, EXITS)
    counts["redistribution before a deficit is paid for"] += isinstance(step.action, actions.Withdraw | actions.Collect)
    whole = isinstance(step.action, actions.Redistribute | actions.Deleverage | actions.Withdraw | actions.Collect)
    if whole and list(fund.redistribute(list(balances.values()))) != [balances[pool] + given[pool] for pool in GROUP]:
        yield Violation("F5", f"redistribution of {given}, the balances were {balances}")
    for pool, amount in given.items():
        # Fees of the same call may have come before.
        earned = max(0, _moved(step, pool, Item.TRADING_FEE, Item.LIQUIDATION_FEE, Item.FUNDING))
        if (amount < 0 and -amount > balances[pool] + earned) or (amount > 0 and amount > -balances[pool]):
            yield Violation("F5", f"pool {pool} had {balances[pool]}, and redistribution moved {amount}")
    for market, (before, after) in enumerate(zip(step.before.markets, step.after.markets, strict=True), start=1):
        if getattr(step.action, "market", 0) == market:
            continue  # it has done something itself
        if before.pool in GROUP and before.backing and after.backing and before.backing.pnl != after.backing.pnl:
            pnl = f"{before.backing.pnl} to {after.backing.pnl}"
            yield Violation("F5", f"redistribution moved the result of market {market} from {pnl}")


def _all_are_paid_alike(
    step: Step, action: actions.Withdraw | actions.Collect, counts: Counter[str]
) -> Iterator[Violation]:
    """S1: `tokens/(tokens + deficit)` of what is taken, and the rate stays as it is; to a unit of the token."""
    counts["withdrawals at the shared rate"] += 1
    tokens, lacking = step.before.tokens, step.before.deficit
    paid, amount = tokens - step.after.tokens, action.amount * TOKEN_SCALE
    if not 0 <= amount * tokens - paid * (tokens + lacking) < TOKEN_SCALE * (tokens + lacking):
        yield Violation("S1", f"{paid} of {amount} was paid, {tokens} are held and {lacking} lacking")
    moved = step.after.tokens * (tokens + lacking) - tokens * (step.after.tokens + step.after.deficit)
    if abs(moved) > 2 * TOKEN_SCALE * (tokens + lacking):
        shown = f"{tokens}/{lacking} to {step.after.tokens}/{step.after.deficit}"
        yield Violation("S1", f"tokens and deficit went from {shown}: the next is paid at another rate")
