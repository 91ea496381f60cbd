"""The invariants, each judged from what the contracts showed before and after an action.

S1  what can be taken out is covered by the tokens held and by what others are in deficit
S2  tokens held are the claims of accounts and pools, to the wei
O1  sizes of accounts and pools cancel out, and the longs are the open interest
A1  ADL conserves value to the wei
A2  a flat account never pays
A3  nobody solvent is made insolvent by ADL, takeover, an auction or another's liquidation
A4  ADL reduces only
A5  ADL comes only when due, and takes no more than needed
A6  executed leveraged returns descend within a pass, and nobody better ranked of those given is left out
A7  once per account and round
B1  a takeover comes only when due, and leaves nothing behind
B2  a liquidation comes only when due, and does not worsen the margin rate
C1  an order is filled in its own epoch only, until it expires or is cancelled, and no more than its size
G1  nobody else's account changes
K2  a keeper comes to an end (in `sequences`)
R1  a refusal is a known error, and changes nothing (in `machine`)
M1  everything is as the mirror has it, to the wei (in `machine`)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backstop.math.wad import WAD

from . import actions
from .ledger import CANCELLED
from .round_checks import holds_after_round
from .state import Inventory, State
from .steps import Step, Violation
from .world import BY_ADDRESS, MARKETS, label, owner_of


def holds_always(state: State, marks: list[int], counts: Counter[str]) -> Iterator[Violation]:
    """S1, S2 and O1."""
    claims = sum(held.cash for held in state.accounts.values()) + sum(pool.claim for pool in state.pools)
    counts["S2"] += state.tokens != 0
    if claims != state.tokens:
        yield Violation("S2", f"tokens held {state.tokens}, claims {claims}: {claims - state.tokens} too many")
    yield from _covered(state, marks, counts)
    for spec, market in zip(MARKETS, state.markets, strict=True):
        sizes = [held.size for held in state.of_market(spec.id)] + [market.long.size, market.short.size]
        longs = sum(size for size in sizes if size > 0)
        shorts = -sum(size for size in sizes if size < 0)
        counts["O1"] += longs != 0
        if not longs == shorts == market.open_interest:
            yield Violation(
                "O1", f"market {spec.id}: long {longs}, short {shorts}, open interest {market.open_interest}"
            )


def _covered(state: State, marks: list[int], counts: Counter[str]) -> Iterator[Violation]:
    """S1: what can be taken out is held, but for what bankrupt accounts and depleted pools are short of."""
    payable, deficits = _payable_and_deficits(state, marks)
    counts["S1"] += payable != 0 and deficits == 0
    if payable > state.tokens + deficits:
        yield Violation("S1", f"{payable} can be taken out of {state.tokens} held, with deficits of {deficits}")


def cannot_be_paid(state: State, marks: list[int], counts: Counter[str]) -> Iterator[Violation]:
    """S1: a withdrawal is only left unpaid where losses have not been taken over yet, or could not be covered."""
    counts["withdrawals that the tokens held do not cover"] += 1
    _, deficits = _payable_and_deficits(state, marks)
    if deficits == 0:
        yield Violation("S1", "a withdrawal is not paid, and nobody is in deficit")


def _payable_and_deficits(state: State, marks: list[int]) -> tuple[int, int]:
    payable = deficits = 0
    for held in state.accounts.values():
        mark = marks[held.market - 1]
        payable += held.withdrawable(mark)
        deficits += max(0, -held.equity(mark))
    for number, pool in enumerate(state.pools, start=1):
        balance = pool.cash
        for spec in MARKETS:
            if spec.pool == number:
                market = state.markets[spec.id - 1]
                balance -= sum(_loss(held, marks[spec.id - 1]) for held in (market.long, market.short))
        payable += max(0, balance)
        deficits += max(0, -balance)
    return payable, deficits


def _loss(held: Inventory, mark: int) -> int:
    return max(0, held.entry - held.size * mark // WAD)


def holds_after(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """What must hold after an action that was accepted."""
    yield from _only_those_meant(step, counts)
    action = step.action
    if isinstance(action, actions.TakeOver):
        yield from _stays_solvent(step, action.account, counts)
        yield from _taken_over(step, action, counts)
    elif isinstance(action, actions.Liquidate):
        yield from _stays_solvent(step, None, counts)
        yield from _liquidated(step, action, counts)
    elif isinstance(action, actions.Settle):
        yield from _fills_live_orders(step, action, counts)
    elif isinstance(action, actions.BuyInventory):
        yield from _stays_solvent(step, None, counts)
    elif isinstance(action, actions.Deleverage):
        yield from _stays_solvent(step, None, counts)
        yield from holds_after_round(step, action, counts)


def _only_those_meant(step: Step, counts: Counter[str]) -> Iterator[Violation]:
    """G1."""
    before, after = step.before.accounts, step.after.accounts
    changed = {account for account in before.keys() | after.keys() if before.get(account) != after.get(account)}
    meant = set(_meant(step.action))
    counts["G1"] += bool(changed)
    if changed - meant:
        others = ", ".join(map(label, changed - meant))
        yield Violation("G1", f"{step.action.kind} changed {others}")


def _meant(action: actions.Action) -> Iterator[bytes]:
    match action:
        case actions.Deposit():
            yield (int(action.caller, 16) << 96 | action.sub_id).to_bytes(32, "big")
        case actions.Withdraw() | actions.TakeOver():
            yield action.account
        case actions.Settle():
            yield from (action.maker.account, action.taker.account)
        case actions.Liquidate():
            yield action.account
            if action.liquidator.startswith(bytes.fromhex(action.caller[2:])):
                yield action.liquidator
        case actions.BuyInventory():
            yield action.buyer
        case actions.Deleverage():
            yield from action.candidates


def _fills_live_orders(step: Step, action: actions.Settle, counts: Counter[str]) -> Iterator[Violation]:
    """C1."""
    for order in (action.maker, action.taker):
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
        elif filled_after != filled + action.size or filled_after > abs(order.size):
            yield Violation("C1", f"{name} of {order.size} was filled by {filled} and is by {filled_after}")


def _stays_solvent(step: Step, taken_over: bytes | None, counts: Counter[str]) -> Iterator[Violation]:
    """A3, at the mark of the action."""
    for account, held in step.before.accounts.items():
        after = step.after.accounts[account]
        if account == taken_over or after == held:
            continue
        mark = step.marks[held.market - 1]
        if held.equity(mark) >= 0:
            counts["A3"] += 1
            if after.equity(mark) < 0:
                text = f"{label(account)} had {held.equity(mark)} and has {after.equity(mark)}"
                yield Violation("A3", f"{step.action.kind}: {text}")


def _taken_over(step: Step, action: actions.TakeOver, counts: Counter[str]) -> Iterator[Violation]:
    """B1."""
    counts["B1"] += 1
    held, after = step.before.accounts[action.account], step.after.accounts[action.account]
    spec = MARKETS[held.market - 1]
    if not held.is_to_be_taken_over(step.marks[held.market - 1]):
        yield Violation("B1", f"{label(action.account)} was not due: {held}")
    if (after.size, after.entry, after.margin) != (0, 0, 0):
        yield Violation("B1", f"{label(action.account)} is left with {after}")
    side = int(held.size < 0)
    mine, mine_after = (
        step.before.markets[held.market - 1].inventory(side),
        step.after.markets[held.market - 1].inventory(side),
    )
    gained = (mine_after.size - mine.size, mine_after.entry - mine.entry)
    if gained != (held.size, -held.cash):
        yield Violation("B1", f"the inventory gained {gained}, the account was {held}")
    cash, cash_after = step.before.pools[spec.pool - 1].cash, step.after.pools[spec.pool - 1].cash
    if cash != cash_after:
        yield Violation("B1", f"the pool's cash moved by {cash_after - cash}")


def _liquidated(step: Step, action: actions.Liquidate, counts: Counter[str]) -> Iterator[Violation]:
    """B2: `MM' * E <= MM * E'`, up to the one wei by which MM' is rounded up."""
    held, after = step.before.accounts[action.account], step.after.accounts[action.account]
    mark = step.marks[held.market - 1]
    if not held.is_liquidatable(mark):
        yield Violation("B2", f"{label(action.account)} was not due: {held}")
    if after.size * held.size < 0 or abs(after.size) >= abs(held.size):
        yield Violation("B2", f"{label(action.account)} went from {held.size} to {after.size}")
    if abs(held.size - after.size) > action.contracts:
        yield Violation("B2", f"{abs(held.size - after.size)} closed, {action.contracts} asked for")
    if after.size == 0:
        return
    counts["B2"] += 1
    equity, equity_after = held.equity(mark), after.equity(mark)
    rate, rate_after = held.maintenance(mark) * equity_after, (after.maintenance(mark) - 1) * equity
    if equity_after <= 0 or rate_after > rate:
        margins = f"{held.maintenance(mark)}/{equity} to {after.maintenance(mark)}/{equity_after}"
        yield Violation("B2", f"the margin rate of {label(action.account)} went from {margins}")
