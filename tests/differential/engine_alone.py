"""The ADL engine on its own: what it asks of the exchange, the fund, the feed and the book is answered by a script.

So thousands of rounds are tried where a whole exchange would come to a few: with every order and kind of candidates,
at every bound, and with answers that the other contracts would never give. What is held against the rules, by the
mirror in `backstop.adl`: every event, every call to the others, what it is refused with, and the ranking shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ape import project
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from backstop.adl import snapshot as adl
from backstop.adl.execution import Fill, Round, run_round
from backstop.adl.scoring import Candidate, SideBook
from backstop.chain.bindings import CANDIDATE_SKIPPED, DELEVERAGED, ROUND_EXECUTED, Function
from backstop.math import fund
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import Leg, margin_rate
from backstop.math.round import is_insolvent_at
from backstop.math.wad import WAD
from tests.invariants.calls import NO_RETURN_BOUND, Bounds, deleverage
from tests.invariants.chain import Log, PyrevmChain, Receipt
from tests.invariants.model import within_bounds
from tests.invariants.round_checks import Given, passed_over
from tests.support.enums import SkipReason

_OWNER = "0x" + "0e" * 20
_KEEPER = "0x" + "0d" * 20
_NOW = 1_790_000_000
_MARKET = 3
_OTHER = 5  # a market whose mark is bounded too

_TERMS = "(uint8,int256,int256,uint256,uint256,uint256,int256,int256)"
_RECORD = "(address,uint40,uint16,uint8,bool,uint8,bytes32,int104,uint112,uint32,int160,uint96)"
_EXECUTION = "(uint16,uint32,uint40,bool,uint256,uint256,int256[2],uint16[])"
_SCRIPT = Function("script(bytes4,bytes,bool)")
_CALL_BACK = Function("callBack(bytes4,bytes)")
_RANKING = Function("ranking(uint16,uint8,bytes32[])", "(bytes32,int256,int256,int256,int256)[]")
_ERRORS: dict[bytes, str] = {}  # names of those that were met, by selector
_CALLED = keccak(text="Called(bytes)")
# What the engine asks: a signature, the types of the answer, and whether it is a call that changes something.
_ASKED = {
    "adlTerms": ("adlTerms(uint16,uint8)", _TERMS, False),
    "accept": ("accept(uint16)", "uint256", True),
    "markPrice": ("markPrice(uint16)", "uint256", False),
    "markOrLast": ("markOrLast(uint16)", "uint256,bool", False),
    "interest": ("accountsOpenInterest(uint16,uint8)", "uint256", False),
    "exposures": ("exposures(uint16,bytes32[],uint256)", "(int256,int256,int256,uint256)[]", False),
    "inventory": ("inventory(uint16,uint8)", "int256", False),
    "rewards": ("rewardParameters()", "(uint96,uint64,uint64)", False),
    "markets": ("roundMarkets(uint16)", "uint16[]", False),
    "close": ("close(uint16,uint8,uint256,int256,int256,uint256)", "int256,int256[2]", True),
    "apply": (f"applyDeleverage({_EXECUTION},(bytes32,int256,int256)[])", "int256", True),
    "open": (f"open(uint32,{_RECORD},uint16[],uint256,uint256)", "uint256,bool", True),
    "reward": ("rewardKeeper(address,uint16,uint256,uint256)", "uint256", True),
}


@dataclass
class Case:
    """A round that is asked for, and all that the engine is told. Exposures are size, entry, equity, maintenance."""

    side: int
    mark: int
    size: int
    entry: int
    compensation: int
    price: fund.AdlPrice
    accounts: list[bytes]
    exposures: dict[bytes, tuple[int, int, int, int]]
    trigger: int = 2
    interest: int = 0
    opposite: int = 0
    other_mark: int = WAD
    rewards: tuple[int, int, int] = (0, 0, 0)
    cash: tuple[int, int] = (0, 0)  # what the fund says that the pool's changes by, and what the exchange says
    funding: tuple[int, int] = (0, 0)
    opened: tuple[int, bool] = (0, False)
    bounds: Bounds = field(default_factory=Bounds)


@dataclass
class Told:
    """What is to come of it: revert data, or the calls that change something, by name, and the engine's events.

    Events of candidates that are passed over are apart: duplicates are told of between the fills.
    """

    refusal: bytes = b""
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    skipped: list[tuple[Any, ...]] = field(default_factory=list)


# ---------------------------------------------------------------------- drawing


def draw(rng: Random) -> Case:
    """Any case; sizes are few, so that sums come out even and bounds are met exactly."""
    side = rng.randrange(2)
    sign = 1 - 2 * side
    unit = rng.choice((1, WAD // 1000, WAD, 10**6 * WAD))
    mark = rng.choice((1, 7, WAD // 3, 100 * WAD, rng.randrange(1, 10**5 * WAD)))
    contracts = rng.randrange(1, 12) * unit
    size = sign * contracts
    value = size * mark // WAD
    loss = rng.choice((0, 1, 10**32 if unit == 1 else 2, rng.randrange(max(1, abs(value)) + 2), 2 * abs(value)))
    entry = value + loss
    compensation = rng.choice((1, loss, rng.randrange(loss + 2), 2 * loss + 1)) or 1
    price = fund.adl_price(size, entry, mark, compensation)
    exposures = {}
    for place in range(rng.choice((0, 1, 2, 3, 5, 8))):
        account = rng.randrange(1, 2**160).to_bytes(20, "big") + (rng.randrange(4) << 64).to_bytes(12, "big")
        exposures[account] = _exposure(rng, -sign, unit, mark, price.adl, place)
    accounts = list(exposures)
    if accounts and rng.random() < 0.4:
        accounts += rng.choices(accounts, k=rng.randrange(1, 4))
    rng.shuffle(accounts)
    one = Case(side, mark, size, entry, compensation, price, accounts, exposures)
    one.trigger = rng.choice((0, 1, 2, 1, 2, 1, 2, 2))
    if rng.random() < 0.15:
        one.compensation //= rng.choice((2, 3, 10**6))  # the fund would have made another price of it
    one.rewards = rng.choice(((0, 0, 0), (WAD, 0, WAD), (5 * unit, WAD // 100, WAD // 4), (1, WAD // 2, WAD // 2)))
    one.other_mark = rng.choice((1, WAD, 2 * WAD))
    one.opposite = -sign * rng.choice((0, 1, contracts // 2, contracts, 3 * contracts))
    one.funding = rng.randrange(-(10**20), 10**20), rng.randrange(-(10**20), 10**20)
    one.opened = _NOW + rng.randrange(10**6), rng.random() < 0.5
    change = rng.randrange(-(10**24), 10**24)
    one.cash = change, -change + (rng.choice((-1, 1, 10**18)) if rng.random() < 0.1 else 0)
    one.bounds = _bounds(rng, one)
    result = _round(one)
    closed = sum(fill.contracts for fill in result.fills)
    if closed == contracts and rng.random() < 0.3:
        # What the pool gets beyond mark is just allowed, or just not.
        received, slack = _received(one, result)
        one.compensation = max(1, received - slack + rng.choice((-1, 0, 1)))
    one.interest = rng.choice((closed, closed, closed + 1, closed + 5 * unit, 0))
    return one


def _exposure(rng: Random, sign: int, unit: int, mark: int, price: int, place: int) -> tuple[int, int, int, int]:
    size = sign * rng.randrange(1, 6) * unit
    if rng.random() < 0.2:
        size = rng.choice((0, -size, -1, 1))
    value = size * mark // WAD
    step = abs(size) * abs(price - mark)
    brink = -(-step // WAD)  # the least equity that stays solvent at the price of the round
    equity = rng.choice((brink, brink - 1, brink + 1, 2 * brink + WAD, rng.randrange(brink + WAD + 1), 0, 1, -brink))
    pnl = rng.choice((0, 1, -1, value // 2, -value, rng.randrange(-abs(value) - 2, abs(value) + 2), 5 + place % 2))
    return size, value - pnl, equity, rng.choice((0, 1, abs(value) // 20 + 1, rng.randrange(abs(value) + 2)))


def _bounds(rng: Random, one: Case) -> Bounds:
    price, mark, other = one.price.adl, one.mark, one.other_mark
    bounds = Bounds()
    if rng.random() < 0.25:
        low, high = rng.choice(((price, price), (price + 1, price + 1), (price - 1, price - 1), (price - 5, price + 5)))
        bounds = bounds._replace(min_price=low, max_price=high)
    if rng.random() < 0.25:
        market, found = rng.choice(((_MARKET, mark), (_OTHER, other)))
        low, high = rng.choice(((found, found), (found + 1, found + 1), (found - 1, found - 1), (0, 2**96 - 1)))
        marks = [(market, low, high)]
        if rng.random() < 0.5:
            marks.insert(rng.randrange(2), (_OTHER, other, other))
        bounds = bounds._replace(marks=tuple(marks))
    scores = [row[4] for row in _ranking(one)]
    if scores and rng.random() < 0.4:
        bounds = bounds._replace(lowest_return=max(NO_RETURN_BOUND, rng.choice(scores) + rng.choice((-1, 0, 1))))
    deadline = rng.choice((_NOW, _NOW + 1, 2**256 - 1)) if rng.random() < 0.95 else _NOW - 1
    return bounds._replace(deadline=deadline)


# ---------------------------------------------------------------------- the rules


def _reason(exposure: tuple[int, int, int, int], side: int) -> SkipReason | None:
    size, _, equity, _ = exposure
    if size == 0:
        return SkipReason.FLAT
    if int(size < 0) == side:
        return SkipReason.INVENTORY_SIDE
    return SkipReason.BANKRUPT if equity <= 0 else None


def _score(exposure: tuple[int, int, int, int], mark: int) -> int:
    size, entry, equity, maintenance = exposure
    return leveraged_return(size * mark // WAD - entry, entry, margin_rate(maintenance, equity))


def _ranking(one: Case) -> list[tuple[bytes, int, int, int, int]]:
    """Account, size, entry, equity and leveraged return of those who can be closed, first to go first."""
    rows = [
        (account, *exposure[:3], _score(exposure, one.mark))
        for account, exposure in one.exposures.items()
        if account in one.accounts and _reason(exposure, one.side) is None
    ]
    return sorted(rows, key=lambda row: (-row[4], row[0]))


def _round(one: Case) -> Round:
    ranked = []
    for account, size, entry, equity, score in _ranking(one):
        maintenance, value = one.exposures[account][3], size * one.mark // WAD
        who = adl.Account("0x" + account.hex(), adl.MarginMode.CROSS, 0, ())
        leg = Leg(size, entry, value, value - entry, maintenance)
        ranked.append(Candidate(who, leg, equity, margin_rate(maintenance, equity), score))
    book = within_bounds(SideBook(tuple(ranked), ()), one.bounds.lowest_return, one.price.adl, one.mark)
    return run_round(adl.Inventory(str(_MARKET), one.size, one.entry), book, one.price, one.mark)


def _refused(signature: str, *values: Any) -> Told:
    _ERRORS[keccak(text=signature)[:4]] = signature.partition("(")[0]
    kinds = signature[signature.index("(") + 1 : -1].split(",")
    return Told(refusal=keccak(text=signature)[:4] + encode(kinds, values))


def _before(one: Case) -> Told | None:
    """What it is refused with before anybody is ranked."""
    bounds, price = one.bounds, one.price.adl
    if bounds.deadline < _NOW:
        return _refused("DeadlinePassed(uint256)", bounds.deadline)
    if one.trigger == 0:
        return _refused("ADLNotDue(uint16,uint8)", _MARKET, one.side)
    if not bounds.min_price <= price <= bounds.max_price:
        return _refused("PriceOutsideBounds(int256,int256,int256)", price, bounds.min_price, bounds.max_price)
    for market, lowest, highest in bounds.marks:
        found = one.mark if market == _MARKET else one.other_mark
        if not lowest <= found <= highest:
            return _refused("MarkOutsideBounds(uint16,uint256,uint256,uint256)", market, found, lowest, highest)
    if not one.accounts and one.interest:
        return _refused("CandidatesMissing(uint16)", _MARKET)
    return None


def expected(one: Case) -> Told:
    """What comes of a case by the rules, in the first round of an engine."""
    if (refused := _before(one)) is not None:
        return refused
    result, sign = _round(one), 1 if one.size > 0 else -1
    closed, left = abs(one.size - result.size), abs(result.size)
    netted = min(left, abs(one.opposite)) if closed == one.interest else 0
    if closed + netted == 0:
        return _refused("NothingDeleveraged(uint256)", len(one.accounts))
    value = sum(fill.value for fill in result.fills)
    if sum(one.cash):
        return _refused("CashNotConserved(int256,int256)", *one.cash)
    received, slack = _received(one, result)
    if received - slack > one.compensation * closed // abs(one.size):
        return _refused("Overcompensated(int256,uint256)", received, one.compensation)
    told = Told(calls=[("accept", (_MARKET,))])
    markets: tuple[int, ...] = ()
    if result.fills:
        markets = (_MARKET, _OTHER)
        told.calls.append(("open", (1, _record(one, result.fills, closed), markets, one.mark, one.compensation)))
    told.calls.append(("close", (_MARKET, one.side, closed, one.entry - result.entry_notional, value, netted)))
    opened = one.opened if result.fills else (0, False)
    execution = (_MARKET, 1, *opened, one.mark, netted, one.funding, markets)
    fills = tuple((_account(fill), sign * fill.contracts, fill.value) for fill in result.fills)
    told.calls.append(("apply", (execution, fills)))
    flat, rate, share = one.rewards
    if worth := max(0, received) * share // WAD:
        notional = closed * one.mark // WAD
        told.calls.append(("reward", (_KEEPER, _MARKET, notional, min(worth, flat + notional * rate // WAD))))
    given = [_given(one, account) for account in one.accounts]
    told.skipped = [(1, *row) for row in passed_over(given, abs(one.size), one.bounds.lowest_return)]
    for rank, fill in enumerate(result.fills, start=1):
        row = sign * fill.contracts, fill.value, fill.price, fill.leveraged_return, rank
        told.events.append(("deleveraged", 1, _account(fill), *row))
    outcome = one.side, one.trigger, one.mark, one.price.adl, closed, netted, value, one.compensation
    told.events.append(("executed", 1, _MARKET, _KEEPER, outcome))
    return told


def _received(one: Case, result: Round) -> tuple[int, int]:
    """What the pool got beyond mark, and how much more than its part of the compensation that may be."""
    value = sum(fill.value for fill in result.fills)
    closed = one.size - result.size
    return value - closed * one.mark // WAD, len(result.fills) + abs(closed) // WAD + 2


def _given(one: Case, account: bytes) -> Given:
    exposure = one.exposures[account]
    if (reason := _reason(exposure, one.side)) is not None:
        return Given(account, abs(exposure[0]), reason, 0, False)
    is_insolvent = is_insolvent_at(exposure[2], exposure[0], one.price.adl, one.mark)
    return Given(account, abs(exposure[0]), None, _score(exposure, one.mark), is_insolvent)


def _record(one: Case, fills: list[Fill], closed: int) -> tuple[Any, ...]:
    insolvent = [_given(one, _account(fill)).is_insolvent for fill in fills]
    solvent = [fill.leveraged_return for fill, is_insolvent in zip(fills, insolvent, strict=True) if not is_insolvent]
    cutoff = _within(103, solvent[-1]) if solvent else 0
    last, price = _account(fills[-1]), _within(159, one.price.adl)
    return _KEEPER, 0, _MARKET, one.side, any(insolvent), 0, last, cutoff, closed, 0, price, 0


def _within(bits: int, number: int) -> int:
    """The nearest to it that has so many bits beside its sign."""
    return min(max(number, -(2**bits)), 2**bits - 1)


def _account(fill: Fill) -> bytes:
    return bytes.fromhex(fill.account[2:])


# ---------------------------------------------------------------------- the engine


class EngineAlone:
    """The engine that this code creates, with one script for all that it asks."""

    def __init__(self, code: bytes) -> None:
        self.chain = PyrevmChain()
        self.script = self.chain.deploy(_OWNER, creation_code("Scripted"))
        word = bytes.fromhex(self.script[2:]).rjust(32, b"\0")
        self.engine = self.chain.deploy(_OWNER, code + word * 4)
        self.chain.mark()

    def check(self, one: Case) -> None:
        """Raises AssertionError where the engine does or shows anything else than the rules."""
        self._told(one)
        shown = _RANKING.decode(
            self.chain.view(self.engine, _RANKING.encode(_MARKET, one.side, one.accounts), timestamp=_NOW)
        )[0]
        assert [tuple(row) for row in shown] == _ranking(one), (one, shown)
        receipt = self._deleverage(one)
        meant = expected(one)
        assert receipt.ok == (not meant.refusal), (one, receipt, meant)
        if not receipt.ok:
            assert receipt.output == meant.refusal, (one, receipt, meant)
            return
        assert int.from_bytes(receipt.output, "big") == 1, one
        found = read(receipt.logs)
        assert found.calls == meant.calls, (one, found.calls, meant.calls)
        assert found.events == meant.events, (one, found.events, meant.events)
        assert found.skipped == meant.skipped, (one, found.skipped, meant.skipped)

    def check_lock(self, one: Case) -> None:
        """Raises AssertionError unless a contract that it asks is refused another round before the first has ended."""
        self._told(one)
        again = deleverage(_MARKET, one.side, one.accounts, one.bounds)
        self._send(_CALL_BACK.encode(keccak(text=_ASKED["accept"][0])[:4], again))
        receipt = self._deleverage(one)
        assert not receipt.ok
        assert receipt.output == keccak(text="ReentrancyGuardReentrantCall()")[:4], receipt

    def _told(self, one: Case) -> None:
        self.chain.rewind()
        exposures = [one.exposures[account] for account in one.accounts]
        terms = (one.trigger, one.size, one.entry, 0, one.compensation, one.mark, one.price.adl, one.price.execution)
        answers: dict[str, tuple[Any, ...]] = {
            "adlTerms": (terms,),
            "accept": (one.mark,),
            "markPrice": (one.mark,),
            "markOrLast": (one.other_mark, True),
            "interest": (one.interest,),
            "exposures": (exposures,),
            "inventory": (one.opposite,),
            "rewards": (one.rewards,),
            "markets": ([_MARKET, _OTHER],),
            "close": (one.cash[0], one.funding),
            "apply": (one.cash[1],),
            "open": one.opened,
            "reward": (0,),
        }
        for name, (signature, kinds, changes) in _ASKED.items():
            data = encode(_split(kinds), answers[name])
            self._send(_SCRIPT.encode(keccak(text=signature)[:4], data, changes))

    def _send(self, data: bytes) -> None:
        assert self.chain.send(_OWNER, self.script, data, _NOW).ok

    def _deleverage(self, one: Case) -> Receipt:
        data = deleverage(_MARKET, one.side, one.accounts, one.bounds)
        return self.chain.send(_KEEPER, self.engine, data, _NOW)


def check(code: bytes, cases: int) -> Counter[str]:
    """Holds the engine that this code creates against the rules, and its lock; how often what came of it.

    Raises AssertionError where it does anything else.
    """
    engine = EngineAlone(code)
    counts: Counter[str] = Counter()
    for seed in range(cases):
        one = draw(Random(seed))
        engine.check(one)
        meant = expected(one)
        counts[_ERRORS.get(meant.refusal[:4], "executed")] += 1
        counts.update(name for name, _ in meant.calls)
        counts.update(SkipReason(reason).name for *_, reason in meant.skipped)
        counts["several fills"] += sum(event[0] == "deleveraged" for event in meant.events) > 1
        counts["second pass"] += any(name == "open" and values[1][4] for name, values in meant.calls)
        if not meant.refusal and not counts["lock"]:
            engine.check_lock(one)
            counts["lock"] += 1
    return counts


def creation_code(name: str) -> bytes:
    """Of a contract as ape compiled it, without its arguments."""
    made = getattr(project, name).contract_type.model_dump(mode="json")["deploymentBytecode"]["bytecode"]
    return bytes.fromhex(made[2:])


def read(logs: list[Log]) -> Told:
    """The calls and events that logs tell of."""
    names = {keccak(text=signature)[:4]: (name, signature) for name, (signature, *_) in _ASKED.items()}
    told = Told()
    for log in logs:
        topic = log.topics[0]
        if topic == _CALLED:
            (data,) = decode(["bytes"], log.data)
            name, signature = names[data[:4]]
            told.calls.append((name, decode(_split(signature[signature.index("(") + 1 : -1]), data[4:])))
        elif topic == CANDIDATE_SKIPPED.topic:
            told.skipped.append(CANDIDATE_SKIPPED.decode(log.topics, log.data))
        elif topic == DELEVERAGED.topic:
            told.events.append(("deleveraged", *DELEVERAGED.decode(log.topics, log.data)))
        elif topic == ROUND_EXECUTED.topic:
            told.events.append(("executed", *ROUND_EXECUTED.decode(log.topics, log.data)))
    return told


def _split(kinds: str) -> list[str]:
    parts, depth = [""], 0
    for letter in kinds:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
