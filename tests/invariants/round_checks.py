"""What must hold after a round (A1, A2, A4 to A8), from its logs and the states around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from backstop.chain.bindings import CANDIDATE_SKIPPED, DELEVERAGED, ROUND_EXECUTED, Event
from backstop.math.funding import payment
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import margin_rate
from backstop.math.wad import WAD
from tests.support.enums import Item, SkipReason

from . import actions
from .calls import NO_RETURN_BOUND
from .ledger import NO_HOLDING
from .state import Health, Position
from .steps import Step, Violation
from .world import MARKETS, REWARD, SHARED, TRADERS, label

INVENTORY_CLOSED = Event("InventoryClosed", ("uint16", "uint16", "uint8"), "int256,int256,int256")
INVENTORY_NETTED = Event("InventoryNetted", ("uint16", "uint16"), "uint256,uint256,int256")


KEEPER_REWARDED = Event("KeeperRewarded", ("bytes32", "uint16"), "uint256")


class Fill(NamedTuple):
    """A `Deleveraged` event, with its account as it was."""

    account: bytes
    size: int
    value: int
    price: int
    leveraged_return: int
    rank: int
    before: Position
    after: Position


class RoundEvents(NamedTuple):
    """What the logs of a round say. `result` is what the pool made of the contracts closed."""

    fills: list[Fill]
    skipped: list[tuple[bytes, int]]
    outcome: tuple[Any, ...]
    result: int
    netted: int
    rewards: dict[bytes, int]

    @property
    def closed(self) -> int:
        """Contracts closed against counterparties."""
        return sum(abs(fill.size) for fill in self.fills)

    def received(self, mark: int) -> int:
        """What the pool got for them beyond mark."""
        return sum(fill.value for fill in self.fills) - sum(fill.size for fill in self.fills) * mark // WAD


def round_events(step: Step) -> RoundEvents:
    """The round that the logs tell of."""
    fills, skipped, outcome, result, netted = [], [], (), 0, 0
    rewards: dict[bytes, int] = {}
    for log in step.logs:
        topic = log.topics[0]
        if topic == DELEVERAGED.topic:
            _, account, *numbers = DELEVERAGED.decode(log.topics, log.data)
            market = step.action.market
            before, after = (state.accounts[account].held(market) for state in (step.before, step.after))
            fills.append(Fill(account, *numbers, before, after))
        elif topic == CANDIDATE_SKIPPED.topic:
            skipped.append(CANDIDATE_SKIPPED.decode(log.topics, log.data)[1:])
        elif topic == ROUND_EXECUTED.topic:
            outcome = ROUND_EXECUTED.decode(log.topics, log.data)[3]
        elif topic == INVENTORY_CLOSED.topic:
            result = INVENTORY_CLOSED.decode(log.topics, log.data)[-1]
        elif topic == INVENTORY_NETTED.topic:
            netted = INVENTORY_NETTED.decode(log.topics, log.data)[2]
        elif topic == KEEPER_REWARDED.topic:
            account, _, amount = KEEPER_REWARDED.decode(log.topics, log.data)
            rewards[account] = rewards.get(account, 0) + amount
    return RoundEvents(fills, skipped, outcome, result, netted, rewards)


def holds_after_round(step: Step, action: actions.Deleverage, counts: Counter[str]) -> Iterator[Violation]:
    """What a round must leave true."""
    events = round_events(step)
    _count_round(events, step, action, counts)
    yield from _conserves(step, action, events, counts)
    yield from _spares_the_flat(step, action, events, counts)
    yield from _reduces_only(step, action, events, counts)
    yield from _takes_what_is_needed(step, action, events, counts)
    yield from _goes_in_order(step, action, events, counts)
    yield from _says_who_is_passed_over(step, action, events, counts)
    yield from _rewards_the_keeper(step, action, events, counts)
    accounts = [fill.account for fill in events.fills]
    counts["A7"] += len(set(action.candidates)) < len(action.candidates)
    if len(set(accounts)) < len(accounts):
        yield Violation("A7", f"twice in a round: {', '.join(map(label, accounts))}")


def _count_round(events: RoundEvents, step: Step, action: actions.Deleverage, counts: Counter[str]) -> None:
    price, mark = events.outcome[3], events.outcome[2]
    mine = step.before.markets[action.market - 1].inventory(action.side)
    counts["round"] += 1
    counts[f"round by {'drawdown' if events.outcome[1] == 1 else 'depletion'}"] += 1
    counts["round of long inventory" if action.side == 0 else "round of short inventory"] += 1
    counts["round of a shared pool"] += step.before.pool_of(action.market) == SHARED
    counts["round while another feed of the pool is dead"] += not all(
        step.live[one - 1] for one in step.before.markets_of(step.before.pool_of(action.market))
    )
    counts["round with netting"] += events.netted > 0
    counts["round that left inventory"] += events.outcome[4] + events.netted < abs(mine.size)
    counts["round with a partial fill"] += any(fill.after.size for fill in events.fills)
    counts["round with a second pass"] += any(
        _is_insolvent_at(fill.before, _health(step, fill.account), price, mark) for fill in events.fills
    )
    counts["round against a cross account"] += any(
        len(step.before.accounts[fill.account].legs) > 1 for fill in events.fills
    )
    counts["round with several fills"] += len(events.fills) > 1
    counts["round at the bankruptcy price"] += bool(events.fills) and events.result == 0
    for _, reason in events.skipped:
        counts[f"skipped: {('flat', 'inventory side', 'bankrupt', 'duplicate', 'insolvent at p_adl')[reason]}"] += 1


def _health(step: Step, account: bytes) -> Health:
    """Before the round, at its marks."""
    return step.before.accounts.get(account, NO_HOLDING).health(step.before.quotes(step.marks))


def _conserves(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A1: what the pool gains, its counterparties give, to the wei, and nobody else gains or gives."""
    counts["A1"] += 1
    before, after = step.before, step.after
    pool = step.before.pool_of(action.market)
    given = {
        account: before.accounts.get(account, NO_HOLDING).cash - held.cash - _funding_paid(step, account, action.market)
        for account, held in after.accounts.items()
    }
    for account, reward in events.rewards.items():
        given[account] = given.get(account, 0) + reward
    given = {account: value for account, value in given.items() if value}
    if given != {fill.account: fill.value for fill in events.fills if fill.value}:
        shown = {label(account): value for account, value in given.items()}
        yield Violation("A1", f"accounts gave {shown}, the fills say otherwise")
    for number, (one, other) in enumerate(zip(before.pools, after.pools, strict=True), start=1):
        gained = other.claim - one.claim - other.items[Item.REDISTRIBUTION] + one.items[Item.REDISTRIBUTION]
        if number == pool:
            gained += _inventory_funding_paid(step, action.market)
        if gained != (sum(given.values()) if number == pool else 0):
            yield Violation("A1", f"pool {number} gained {gained}, accounts gave {sum(given.values())}")


def _funding_paid(step: Step, account: bytes, market: int) -> int:
    """By a position whose funding was settled: one that has changed."""
    position, after = (state.accounts.get(account, NO_HOLDING).held(market) for state in (step.before, step.after))
    if position == after:
        return 0
    return payment(position.size, step.before.markets[market - 1].index - position.index)


def _inventory_funding_paid(step: Step, market: int) -> int:
    view = step.before.markets[market - 1]
    return sum(payment(held.size, view.index - held.index) for held in (view.long, view.short))


def _spares_the_flat(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A2; what it may get is a keeper's reward."""
    for account, held in step.before.accounts.items():
        if held.is_flat:
            counts["A2"] += account in action.candidates and action.market in held.positions
            due = held._replace(margin=held.margin + events.rewards.get(account, 0))
            if step.after.accounts[account] != due:
                yield Violation("A2", f"{label(account)} was flat: {held}, {step.after.accounts[account]}")


def _reduces_only(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A4."""
    counts["A4"] += len(events.fills)
    names = {}
    for account, held in step.before.accounts.items():
        after = step.after.accounts[account]
        for market in held.positions.keys() | after.positions.keys():
            names[f"{label(account)} in {market}"] = held.held(market).size, after.held(market).size
    for spec, one, other in zip(MARKETS, step.before.markets, step.after.markets, strict=True):
        names[f"long inventory {spec.id}"] = one.long.size, other.long.size
        names[f"short inventory {spec.id}"] = one.short.size, other.short.size
    for name, (size, size_after) in names.items():
        if abs(size_after) > abs(size) or size * size_after < 0:
            yield Violation("A4", f"{name} went from {size} to {size_after}")
    for fill in events.fills:
        if int(fill.before.size < 0) == action.side:
            yield Violation("A4", f"{label(fill.account)} is on the inventory's side")


def _takes_what_is_needed(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A5: due by the plan; neither more contracts than there are nor more compensation than is due; never a profit."""
    counts["A5"] += 1
    if step.due <= 0:
        yield Violation("A5", "nothing was due")
        return
    mark = step.marks[action.market - 1]
    size = step.before.markets[action.market - 1].inventory(action.side).size
    closed = events.closed
    if closed + events.netted > abs(size):
        yield Violation("A5", f"{closed} closed and {events.netted} netted of {size}")
    if events.result > 0:
        yield Violation("A5", f"the pool made {events.result}: beyond the bankruptcy price")
    received = events.received(mark)
    # One wei a fill and one a contract; two for the parts of a contract and for the value at mark.
    slack = len(events.fills) + closed // WAD + 2
    if (received - slack) * abs(size) > step.due * closed:
        yield Violation("A5", f"{received} for {closed} of {size}, the compensation is {step.due}")


def _goes_in_order(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A6, over the candidates that were given, down to the lowest leveraged return that the keeper allows.

    Where somebody may be left off the list, nobody who is insolvent at `p_adl` is closed.
    """
    mark, price, lowest = step.marks[action.market - 1], events.outcome[3], action.bounds.lowest_return
    queue = []
    for account in set(action.candidates):
        held = step.before.accounts.get(account, NO_HOLDING).held(action.market)
        if held.size == 0 or int(held.size < 0) == action.side:
            continue
        sum_ = _health(step, account)
        if sum_.equity > 0:
            score, is_insolvent = _leveraged_return(held, sum_, mark), _is_insolvent_at(held, sum_, price, mark)
            if score >= lowest and not (is_insolvent and lowest != NO_RETURN_BOUND):
                queue.append((is_insolvent, -score, account))
            else:
                counts["kept from a round by its lowest return"] += 1
    queue.sort()
    counts["A6"] += len(events.fills) > 1
    done = [
        (_is_insolvent_at(fill.before, _health(step, fill.account), price, mark), -fill.leveraged_return, fill.account)
        for fill in events.fills
    ]
    if done != queue[: len(done)]:
        shown = [(label(account), -score) for _, score, account in done]
        wanted = [(label(account), -score) for _, score, account in queue]
        yield Violation("A6", f"executed {shown}, the order is {wanted}")
    if [fill.rank for fill in events.fills] != list(range(1, len(done) + 1)):
        yield Violation("A6", f"ranks {[fill.rank for fill in events.fills]}")
    if any(fill.after.size for fill in events.fills[:-1]):
        yield Violation("A6", "a fill that is not the last is partial")
    left = step.after.markets[action.market - 1].inventory(action.side).size
    if left and (len(done) < len(queue) or any(fill.after.size for fill in events.fills)):
        yield Violation("A6", f"{left} of the inventory is left, and so are counterparties")


def _says_who_is_passed_over(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A6: of those given, who is not closed although their turn came, and why, as the logs tell it in their order."""
    mark, price, given = step.marks[action.market - 1], events.outcome[3], []
    for account in action.candidates:
        held, sum_ = step.before.accounts.get(account, NO_HOLDING).held(action.market), _health(step, account)
        reason = cannot_be_closed(held, sum_, action.side)
        score, is_insolvent = 0, False
        if reason is None:
            score, is_insolvent = _leveraged_return(held, sum_, mark), _is_insolvent_at(held, sum_, price, mark)
        given.append(Given(account, abs(held.size), reason, score, is_insolvent))
    inventory = abs(step.before.markets[action.market - 1].inventory(action.side).size)
    told = passed_over(given, inventory, action.bounds.lowest_return)
    for _, reason in told:
        counts[f"passed over: {reason.name}"] += 1
    if events.skipped != told:
        shown = [[(label(account), SkipReason(why).name) for account, why in one] for one in (events.skipped, told)]
        yield Violation("A6", f"passed over are {shown[0]}, by the rules {shown[1]}")


class Given(NamedTuple):
    """A candidate: what it holds, why it cannot take part (then the rest means nothing), and what it is ranked by."""

    account: bytes
    contracts: int
    reason: SkipReason | None
    leveraged_return: int
    is_insolvent: bool


def passed_over(given: Sequence[Given], inventory: int, lowest_return: int) -> list[tuple[bytes, SkipReason]]:
    """Who of the candidates is not closed by a round over so many contracts although their turn came, and why."""
    told = [(one.account, one.reason) for one in given if one.reason is not None]
    queue = sorted((one for one in given if one.reason is None), key=lambda one: (-one.leveraged_return, one.account))
    left, waiting = inventory, []
    for place, one in enumerate(queue):
        if not left or one.leveraged_return < lowest_return:
            break
        if place and queue[place - 1].account == one.account:
            told.append((one.account, SkipReason.DUPLICATE))
        elif one.is_insolvent:
            waiting.append(one)
        else:
            left = max(0, left - one.contracts)
    for one in waiting if lowest_return == NO_RETURN_BOUND else ():
        if not left:
            told.append((one.account, SkipReason.INSOLVENT_AT_ADL_PRICE))
        left = max(0, left - one.contracts)
    return told


def cannot_be_closed(held: Position, sum_: Health, side: int) -> SkipReason | None:
    """Why an account does not take part in a round over the inventory of a side, before anything is ranked."""
    if held.size == 0:
        return SkipReason.FLAT
    if int(held.size < 0) == side:
        return SkipReason.INVENTORY_SIDE
    return SkipReason.BANKRUPT if sum_.equity <= 0 else None


def _rewards_the_keeper(
    step: Step, action: actions.Deleverage, events: RoundEvents, counts: Counter[str]
) -> Iterator[Violation]:
    """A8."""
    taken = step.before.keepers - step.after.keepers
    counts["A8"] += taken != 0
    who = TRADERS[action.by].cross()
    if events.rewards != ({who: taken} if taken else {}):
        shown = {label(account): amount for account, amount in events.rewards.items()}
        yield Violation("A8", f"rewards are {shown}, {taken} was taken from the keeper budget")
    mark, one = step.marks[action.market - 1], step.before.markets[action.market - 1].parameters
    notional, reward = events.closed * mark // WAD, sum(events.rewards.values())
    flat, rate, share = REWARD
    fees = (one.maker_fee + one.taker_fee) * (WAD - one.pool_fee_share - one.treasury_fee_share)
    limits = {
        "by notional": flat + notional * rate // WAD,
        "by what it brought": max(0, events.received(mark)) * share // WAD,
        "by what trading as much brings": notional * fees // (WAD * WAD),
        "by the budget": step.before.keepers,
    }
    for name, most in limits.items():
        counts[f"reward limited {name}"] += 0 < reward == most
        if reward > most:
            yield Violation("A8", f"a reward of {reward}, {name} it may be {most}")


def _leveraged_return(held: Position, sum_: Health, mark: int) -> int:
    return leveraged_return(held.unrealized(mark), held.entry, margin_rate(sum_.maintenance, sum_.equity))


def _is_insolvent_at(held: Position, sum_: Health, price: int, mark: int) -> bool:
    return sum_.equity * WAD < abs(held.size) * abs(price - mark)
