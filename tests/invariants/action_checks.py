"""What must hold after an action that was accepted, by its kind; the invariants are listed in `checks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backstop.math.funding import HOUR
from backstop.math.wad import WAD
from backstop.orders import Order
from scripts.stage.parameters import NO_BAND

from . import actions, pool_checks
from .ledger import CANCELLED, NO_HOLDING
from .round_checks import holds_after_round
from .steps import Step, Violation
from .world import BY_ADDRESS, MARKETS, TRADERS, TREASURY, account_of, label, owner_of


def holds_after(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """Everything that must."""
    yield from _only_those_meant(step, counts)
    yield from _on_good_prices(step, counts)
    yield from _index_moves_by_the_hour(step, counts)
    yield from pool_checks.hold_after(step, counts)
    action = step.action
    match action:
        case actions.TakeOver():
            yield from _stays_solvent(step, action.account, counts)
            yield from _taken_over(step, action, counts)
        case actions.Liquidate():
            yield from _stays_solvent(step, None, counts)
            yield from _liquidated(step, action, counts)
            yield from _within_limits(step, action.liquidator, action.market, counts)
        case actions.Settle():
            yield from _fills_live_orders(step, (action,), counts)
            yield from _traded(step, action, counts)
        case actions.SettleBatch():
            yield from _fills_live_orders(step, settled(step, action), counts)
        case actions.BuyInventory():
            yield from _stays_solvent(step, None, counts)
            yield from _within_limits(step, action.buyer, action.market, counts)
        case actions.Deleverage():
            yield from _stays_solvent(step, None, counts)
            yield from holds_after_round(step, action, counts)
        case actions.Accrue():
            yield from _accrued(step, action, counts)


def settled(step: Step, action: actions.SettleBatch) -> tuple[actions.Settle, ...]:
    """The pairs of a batch that were not refused."""
    return tuple(pair for place, pair in enumerate(action.pairs) if place not in step.refused)


def _only_those_meant(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """G1."""
    before, after = step.before.accounts, step.after.accounts
    changed = {account for account in before.keys() | after.keys() if before.get(account) != after.get(account)}
    meant = set(_meant(step))
    counts["G1"] += bool(changed)
    if changed - meant:
        others = ", ".join(map(label, changed - meant))
        yield Violation("G1", f"{step.action.kind} changed {others}")
    if step.after.treasury < step.before.treasury and step.action.by != TREASURY:
        yield Violation("G1", f"{step.action.kind} took from the treasury")


def _meant(step: Step) -> Iterator[bytes]:
    action = step.action
    match action:
        case actions.Deposit():
            yield account_of(action.caller, action.sub_id)
        case actions.Withdraw() | actions.Transfer():
            for account in (action.account, getattr(action, "to", b"")):
                if isinstance(account, bytes) and account.startswith(bytes.fromhex(action.caller[2:])):
                    yield account
        case actions.TakeOver():
            yield action.account
        case actions.Settle():
            yield from (action.maker.account, action.taker.account)
        case actions.SettleBatch():
            for pair in settled(step, action):
                yield from (pair.maker.account, pair.taker.account)
        case actions.Liquidate():
            yield action.account
            if action.liquidator.startswith(bytes.fromhex(action.caller[2:])):
                yield action.liquidator
        case actions.BuyInventory():
            yield action.buyer
        case actions.Deleverage():
            yield from action.candidates
            yield TRADERS[action.by].cross()  # which its reward is paid to; what else may happen to it A1 tells


def _on_good_prices(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """P1: of the market itself, and of every leg of an account that acts of its own will or is liquidated."""
    action = step.action
    markets: set[int] = set()
    accounts: list[bytes] = []
    match action:
        case actions.Settle():
            markets, accounts = {action.maker.market}, [action.maker.account, action.taker.account]
        case actions.SettleBatch():
            for pair in settled(step, action):
                markets.add(pair.maker.market)
                accounts += [pair.maker.account, pair.taker.account]
        case actions.Liquidate():
            markets, accounts = {action.market}, [action.account, action.liquidator]
        case actions.BuyInventory():
            markets, accounts = {action.market}, [action.buyer]
        case actions.Deleverage():
            markets = {action.market}
        case actions.Withdraw() | actions.Transfer() | actions.Flag():
            accounts = [action.account]
    for account in accounts:
        markets |= set(step.before.accounts.get(account, NO_HOLDING).open())
    counts["P1"] += bool(markets)
    bad = [market for market in sorted(markets) if not step.live[market - 1]]
    if bad:
        yield Violation("P1", f"{action.kind} where the prices of markets {bad} are bad")


def _index_moves_by_the_hour(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """K1: what an accrual would leave is the same for the whole hour."""
    for spec, view, after in zip(MARKETS, step.before.markets, step.after.markets, strict=True):
        if view.funding.hour == after.funding.hour == step.ended // HOUR and view.index != after.index:
            yield Violation("K1", f"market {spec.id}: the index went from {view.index} to {after.index} within an hour")


def _accrued(step: Step, action: actions.Accrue, counts: Counter[str]) -> Iterator[Violation]:
    """K1: one accrual leaves what the view had said, and several are one."""
    view, after = step.before.markets[action.market - 1], step.after.markets[action.market - 1]
    counts["K1"] += view.funding != after.funding
    if after.funding.index != view.index and step.ended // HOUR == step.now // HOUR:
        yield Violation("K1", f"market {action.market} accrued to {after.funding.index}, {view.index} was due")
    if step.between is not None:
        counts["accruals again"] += 1
        is_same_hour = step.ended // HOUR == step.now // HOUR
        if is_same_hour and step.between.frozen() != step.after.frozen():
            yield Violation("K1", f"market {action.market}: the second accrual changed something")


def _within_limits(step: Step, account: bytes, market: int, counts: Counter[str]) -> Iterator[Violation]:
    """N1, of somebody who has traded."""
    counts["N1"] += 1
    parameters = step.before.markets[market - 1].parameters
    size = abs(step.before.accounts.get(account, NO_HOLDING).held(market).size)
    after = abs(step.after.accounts[account].held(market).size)
    if 0 < after < parameters.min_size:
        yield Violation("N1", f"{label(account)} holds {after}, the least is {parameters.min_size}")
    if after > size and after * step.marks[market - 1] // WAD > parameters.max_notional:
        yield Violation("N1", f"{label(account)} holds {after}, worth more than {parameters.max_notional}")
    interest, most = step.after.markets[market - 1].open_interest, parameters.max_open_interest
    if step.before.markets[market - 1].open_interest < interest and interest > most:
        yield Violation("N1", f"open interest of market {market} grew to {interest}, the most is {most}")


def _traded(step: Step, action: actions.Settle, counts: Counter[str]) -> Iterator[Violation]:
    """N1: also the price, and the fees."""
    market, price = action.maker.market, action.maker.limit_price
    for account in (action.maker.account, action.taker.account):
        yield from _within_limits(step, account, market, counts)
    before, after = step.before.markets[market - 1], step.after.markets[market - 1]
    mark, band = step.marks[market - 1], before.parameters.price_band
    if band != NO_BAND and abs(price - mark) * WAD > band * mark:
        yield Violation("N1", f"a fill at {price}, the mark is {mark} and the band {band}")
    # Each side pays on the quote amount, which is rounded, and that fee is rounded up.
    fees, value = after.funding.fees - before.funding.fees, action.size * price // WAD
    rate = before.parameters.maker_fee + before.parameters.taker_fee
    if not value * rate <= fees * WAD < (value + 1) * rate + 2 * WAD:
        yield Violation("N1", f"a fill of {value} cost {fees}")


def _fills_live_orders(step: Step, pairs: tuple[actions.Settle, ...], counts: Counter[str]) -> Iterator[Violation]:
    """C1."""
    sizes: Counter[Order] = Counter()
    for pair in pairs:
        for order in (pair.maker, pair.taker):
            sizes[order] += pair.size
    for order, size in sizes.items():
        counts["C1"] += 1
        name = f"order {order.salt} of {label(order.account)}"
        epoch = step.before.epochs[BY_ADDRESS[owner_of(order.account)]]
        filled, filled_after = step.fills[order]
        if order.epoch != epoch:
            yield Violation("C1", f"{name} is of epoch {order.epoch}, filled in {epoch}")
        if step.now > order.expiry:
            yield Violation("C1", f"{name} had expired {step.now - order.expiry} seconds before")
        if filled == CANCELLED:
            yield Violation("C1", f"{name} was cancelled")
        elif filled_after != filled + size or filled_after > abs(order.size):
            yield Violation("C1", f"{name} of {order.size} was filled by {filled} and is by {filled_after}")


def _stays_solvent(step: Step, taken_over: bytes | None, counts: Counter[str]) -> Iterator[Violation]:
    """A3, at the mark of the action; indices are those after it, so that only the action makes the difference."""
    quotes = step.after.quotes(step.marks)
    for account, held in step.before.accounts.items():
        after = step.after.accounts[account]
        if account == taken_over or after == held:
            continue
        equity, equity_after = held.health(quotes).equity, after.health(quotes).equity
        if equity >= 0:
            counts["A3"] += 1
            if equity_after < 0:
                yield Violation("A3", f"{step.action.kind}: {label(account)} had {equity} and has {equity_after}")


def _taken_over(step: Step, action: actions.TakeOver, counts: Counter[str]) -> Iterator[Violation]:
    """B1."""
    counts["B1"] += 1
    held, after = step.before.accounts[action.account], step.after.accounts[action.account]
    legs = held.open()
    counts["takeovers of several legs"] += len(legs) > 1
    counts["takeovers at the last accepted price"] += not all(step.live[market - 1] for market in legs)
    if not held.health(step.after.quotes(step.marks)).is_to_be_taken_over:
        yield Violation("B1", f"{label(action.account)} was not due: {held}")
    if not after.is_flat or after.cash != 0 or after.margin != 0:
        yield Violation("B1", f"{label(action.account)} is left with {after}")
    entries = 0
    for market in legs:
        size = held.positions[market].size
        mine, mine_after = (state.markets[market - 1].inventory(int(size < 0)) for state in (step.before, step.after))
        entries += mine_after.entry - mine.entry
        if mine_after.size - mine.size != size:
            yield Violation("B1", f"inventory of market {market} gained {mine_after.size - mine.size} of {size}")
    paid = sum(_paid_into(step, market) for market in legs)
    pool = step.before.pool_of(legs[0])
    cash, cash_after = step.before.pools[pool - 1].cash, step.after.pools[pool - 1].cash
    # What the pots got, the account or the pool paid.
    if -entries + cash_after - cash != held.cash - paid:
        yield Violation("B1", f"the pool gained {cash_after - cash - entries}, the account had {held.cash}")


def _paid_into(step: Step, market: int) -> int:
    return step.after.markets[market - 1].funding.pot - step.before.markets[market - 1].funding.pot


def _liquidated(step: Step, action: actions.Liquidate, counts: Counter[str]) -> Iterator[Violation]:
    """B2: `MM' * E <= MM * E'`, up to the one wei by which MM' is rounded up."""
    quotes = step.after.quotes(step.marks)
    account, after_all = step.before.accounts[action.account], step.after.accounts[action.account]
    held, after = account.held(action.market), after_all.held(action.market)
    sum_, sum_after = account.health(quotes), after_all.health(quotes)
    counts["liquidations of a cross account"] += len(account.legs) > 1
    if not sum_.is_liquidatable:
        yield Violation("B2", f"{label(action.account)} was not due: {account}")
    if after.size * held.size < 0 or abs(after.size) >= abs(held.size):
        yield Violation("B2", f"{label(action.account)} went from {held.size} to {after.size}")
    if abs(held.size - after.size) > action.contracts:
        yield Violation("B2", f"{abs(held.size - after.size)} closed, {action.contracts} asked for")
    least = step.before.markets[action.market - 1].parameters.min_size
    if 0 < abs(after.size) < least:
        yield Violation("B2", f"{label(action.account)} is left with {after.size}, the least is {least}")
    others = {market: one for market, one in account.positions.items() if market != action.market}
    if {market: one for market, one in after_all.positions.items() if market != action.market} != others:
        yield Violation("B2", f"other legs of {label(action.account)} changed")
    if after_all.is_flat:
        return
    counts["B2"] += 1
    rate, rate_after = sum_.maintenance * sum_after.equity, (sum_after.maintenance - 1) * sum_.equity
    if sum_after.equity <= 0 or rate_after > rate:
        margins = f"{sum_.maintenance}/{sum_.equity} to {sum_after.maintenance}/{sum_after.equity}"
        yield Violation("B2", f"the margin rate of {label(action.account)} went from {margins}")
