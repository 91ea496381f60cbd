"""A deployment held against what was meant: code, wiring, owners, roles, delay, parameters. Reads only.

`deploy` asks this before it writes its record, `verify` ever after. What governance may have changed since (parameters
within their bounds, markets added, more holders of a role) is a warning; what nobody should be able to change is a
fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ape import project
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from backstop.chain.endpoint import Endpoint
from backstop.chain.logs import read_logs, topics_of
from backstop.deployment import limits
from backstop.deployment.code import abi_hash, hash_of, is_code_of
from backstop.deployment.plan import ANYONE, MAX_DELAY, MAX_GUARDED_DELAY, MIN_PUBLIC_DELAY, MarketPlan, Plan, PoolPlan
from backstop.errors import RevertError, RpcError
from backstop.fund.units import show_time
from backstop.math.wad import format_amount
from backstop.preflight.findings import Finding, fail, ok, warn
from scripts.stage.runner import Runner
from scripts.stage.system import (
    CONTRACTS,
    TIMELOCK,
    System,
    arguments_of,
    auctions_of,
    container,
    feed_of,
    handover_id,
    name_bytes,
    owners,
    parameters_of,
    roles_of,
    timelock_arguments,
    wiring,
)

_CHANGED = "the plan is otherwise: was it governance that changed it?"
_DEAD = "the market has no price meanwhile: it takes no new risk, and no round"
_FOREIGN = "do not use this deployment until somebody has found out why"
_Planned = TypeVar("_Planned", PoolPlan, MarketPlan)
DECIMALS, LATEST_ROUND = "0x313ce567", "0xfeaf968c"
_SECONDS = ("heartbeat", "cooldown", "duration", "window", "exempt_age", "grace", "delay")


@dataclass
class Subject:
    """What is inspected. `owner` is who should own the contracts: the timelock, or on a local chain the deployer."""

    runner: Runner
    system: System
    timelock: Any
    plan: Plan
    made_by: Plan  # the plan that it was deployed by; `plan` may be a later one
    deployer: str
    owner: str
    public: bool


def inspect(subject: Subject, code_hashes: Mapping[str, str], abi_hashes: Mapping[str, str]) -> Iterator[Finding]:
    """Everything, a finding each. `code_hashes` and `abi_hashes` are those on record; none before there is one."""
    yield from _answered(subject, "code", look_at_code(subject, code_hashes, abi_hashes))
    yield from _answered(subject, "wiring", look_at_wiring(subject))
    yield from _answered(subject, "owners", look_at_owners(subject))
    if subject.timelock is not None:
        yield from _answered(subject, "timelock", look_at_timelock(subject))
    yield from _answered(subject, "settings", look_at_settings(subject))
    yield from _answered(subject, "pools", look_at_pools(subject))
    yield from _answered(subject, "markets", look_at_markets(subject))


def _answered(subject: Subject, what: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """What a contract with other code does not answer is a finding too, and no reason to look at nothing else.

    Each library that may read such an answer fails in its own way; a node that is gone is no answer at all.
    """
    try:
        yield from findings
    except Exception as fault:
        if not isinstance(fault, RevertError):
            subject.runner.endpoint.quantity("eth_blockNumber")
        words = " ".join(str(fault).split()) or type(fault).__name__
        yield fail(what, f"a contract does not answer as it should: {words}", _FOREIGN)


def contracts_of(subject: Subject) -> dict[str, tuple[str, str]]:
    """Of every contract that the deployment has made: its name in the project, and its address."""
    found = {key: (name, str(getattr(subject.system, key).address)) for key, name in CONTRACTS.items()}
    if subject.timelock is not None:
        found["timelock"] = (TIMELOCK, str(subject.timelock.address))
    return found


def abi_of(name: str) -> list[dict[str, Any]]:
    """A contract's ABI as JSON has it."""
    return [
        entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in container(name).contract_type.abi
    ]


def look_at_code(s: Subject, code_hashes: Mapping[str, str], abi_hashes: Mapping[str, str]) -> Iterator[Finding]:
    """What stands at each address, against the compiler's output and against the record."""
    for key, (name, address) in contracts_of(s).items():
        code = s.runner.code(address)
        template = bytes(container(name).contract_type.get_runtime_bytecode())
        if not code:
            yield fail(f"code of {key}", f"there is none at {address}", _FOREIGN)
        elif not is_code_of(template, code):
            yield fail(f"code of {key}", f"what stands at {address} is not {name} as compiled here", _FOREIGN)
        elif fault := _other_immutables(s, container(name), _arguments(s, key), address):
            yield fail(f"code of {key}", f"{name} at {address} {fault}", _FOREIGN)
        elif key in code_hashes and code_hashes[key] != hash_of(code):
            yield fail(f"code of {key}", f"{hash_of(code)} at {address}, on record is {code_hashes[key]}", _FOREIGN)
        else:
            yield ok(f"code of {key}", f"{name}, {len(code)} bytes at {address}")
        if key in abi_hashes and abi_hashes[key] != abi_hash(abi_of(name)):
            yield fail(f"ABI of {key}", "not the one on record", "verify with the sources that it was deployed from")
    if s.plan.collateral not in (None, s.system.token.address):
        yield fail("collateral", f"{s.system.token.address}, the plan has {s.plan.collateral}", _FOREIGN)
    token = s.runner.code(s.system.token.address)
    if not token:
        yield fail("code of token", f"there is none at {s.system.token.address}", _FOREIGN)
    elif "token" in code_hashes and code_hashes["token"] != hash_of(token):
        yield fail("code of token", f"{hash_of(token)}, on record is {code_hashes['token']}", _FOREIGN)
    else:
        yield ok("code of token", f"{len(token)} bytes at {s.system.token.address}")


def _arguments(s: Subject, key: str) -> Sequence[Any]:
    return timelock_arguments(s.deployer) if key == "timelock" else arguments_of(s.system, key, s.deployer)


def _other_immutables(s: Subject, made: Any, arguments: Sequence[Any], address: str) -> str | None:
    """What is wrong with the immutables of code that is the compiler's otherwise: most of them no getter tells."""
    try:
        if s.runner.is_built(made, arguments, address):
            return None
    except RevertError as fault:
        return f"cannot be held against its constructor, which reverts with the addresses on record: {fault}"
    return "holds other immutables than its constructor writes with the addresses on record"


def look_at_wiring(s: Subject) -> Iterator[Finding]:
    """Which contract knows which."""
    wrong = {
        name: (found, meant.address) for name, (found, meant) in wiring(s.system).items() if found != meant.address
    }
    for name, (found, meant) in wrong.items():
        yield fail(name, f"{found}, {meant} was meant", _FOREIGN)
    if not wrong:
        yield ok("wiring", "the contracts know each other")


def look_at_owners(s: Subject) -> Iterator[Finding]:
    """The one owner, and nobody about to become it."""
    for key, (found, pending) in owners(s.system).items():
        if found != s.owner:
            yield fail(f"owner of {key}", f"{found}, {s.owner} was meant", _FOREIGN)
        elif int(pending, 16):
            yield warn(f"owner of {key}", f"{found}, and {pending} may become it", _CHANGED)
        else:
            yield ok(f"owner of {key}", found)


def look_at_timelock(s: Subject) -> Iterator[Finding]:
    """Roles, delay, and that nothing announced waits with less of a delay."""
    terms, timelock = s.plan.timelock, s.timelock
    if terms is None:
        yield fail("timelock", "the plan has none", "verify with the plan that it was deployed by")
        return
    delay = timelock.getMinDelay()
    if delay > MAX_DELAY:
        yield fail("delay", f"{delay} s, at most {MAX_DELAY} s are allowed", "nobody lives to see a change of it")
    elif s.public and delay < MIN_PUBLIC_DELAY:
        yield fail("delay", f"{delay} s, at least {MIN_PUBLIC_DELAY} s are needed", _FOREIGN)
    else:
        yield _compared("delay", delay, terms.delay, ())
    if delay >= MAX_GUARDED_DELAY and int(s.system.exchange.guardian(), 16):
        text = f"{delay} s, and a guardian who pauses without need may pause again after {MAX_GUARDED_DELAY} s"
        yield warn("delay", text, "governance has to replace it within that: docs/governance.md")
    proposer, executor, canceller = roles_of(timelock)
    admin = bytes(timelock.DEFAULT_ADMIN_ROLE())
    meant = {
        ("admin", admin): [str(timelock.address)],
        ("proposer", proposer): terms.proposers,
        ("executor", executor): terms.executor_addresses(),
        ("canceller", canceller): terms.cancellers,
    }
    yield from _look_at_exits(s, delay)
    history = _history(s)
    granted = history.granted
    if history.missing:
        yield fail(
            "events",
            f"the node does not give {' and '.join(history.missing)} since block {s.system.block}: "
            "the block on record is too late, or the node leaves out events",
            "who else was given a role cannot be told: ask another node, and see the timelock's first transaction",
        )
    for (name, role), holders in meant.items():
        missing = [who for who in holders if not timelock.hasRole(role, who)]
        more = [who for who in sorted(granted) if who not in holders and timelock.hasRole(role, who)]
        if missing:
            yield fail(f"{name}s", f"{', '.join(missing)} lacks the role", _FOREIGN)
        if more and name == "admin":
            yield fail(f"{name}s", f"{', '.join(more)} can give roles without a delay", _FOREIGN)
        elif more:
            yield warn(f"{name}s", f"also {', '.join(more)}", _CHANGED)
        if not missing and not more:
            yield ok(f"{name}s", ", ".join(holders))
    held = [name for (name, role) in meant if timelock.hasRole(role, s.deployer)]
    if held:
        yield fail("deployer", f"{s.deployer} is still {', '.join(held)} of the timelock", _FOREIGN)
    else:
        yield ok("deployer", f"{s.deployer} has no role")
    yield from _look_at_announced(s, history, min(delay, terms.delay))


def _look_at_exits(s: Subject, delay: int) -> Iterator[Finding]:
    """Whether stakers can have left before a change that is announced to them."""
    cooldowns = {id: s.system.fund.pool(id).cooldown for id in range(1, s.system.fund.poolCount() + 1)}
    if not cooldowns:
        return
    slowest = max(cooldowns, key=lambda id: cooldowns[id])
    name, longest = _text(s.system.fund.pool(slowest).name), cooldowns[slowest]
    text = f"whoever leaves pool {name} waits {longest} s, the delay is {delay} s"
    if delay < longest and not (s.plan.timelock and s.plan.timelock.shorter_than_exits):
        yield warn("exits", f"{text}: stakers cannot leave before a change", _CHANGED)
    else:
        yield ok("exits", text)


@dataclass
class _History:
    """What the timelock's events tell."""

    granted: set[str]  # everybody who was ever given a role
    announced: dict[bytes, tuple[int, int]]  # by operation: in which block at last, and with which delay
    calls: dict[bytes, list[tuple[str, bytes]]]  # by operation: whom it calls, and the selector, in order
    handed_over: int | None  # the block in which the hand-over was executed
    missing: list[str]  # what a deployment has emitted, and was not among the events


def _history(s: Subject) -> _History:
    """Raises RpcError where the node does not give events at all."""
    granted, scheduled, executed = (
        keccak(text=text)
        for text in (
            "RoleGranted(bytes32,address,address)",
            "CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)",
            "CallExecuted(bytes32,uint256,address,uint256,bytes)",
        )
    )
    endpoint, timelock = s.runner.endpoint, str(s.timelock.address)
    query = {"address": timelock, "topics": topics_of(granted, scheduled, executed)}
    handover = handover_id(s.system, s.timelock, s.made_by, s.deployer)
    own_role = [granted, bytes(s.timelock.DEFAULT_ADMIN_ROLE()), bytes(12) + bytes.fromhex(timelock[2:])]
    history, born, last = _History(set(), {}, {}, None, []), False, endpoint.quantity("eth_blockNumber")
    for log in read_logs(endpoint, query, s.system.block, last):
        kind = log.topics[0]
        if kind == granted:
            history.granted.add(to_checksum_address(log.topics[2][-20:]))
            # Only a constructor's own event is from the transaction that has made the contract.
            born = born or (log.topics[:3] == own_role and _creates(endpoint, log.transaction, timelock))
        elif kind == scheduled:
            history.announced[log.topics[1]] = (log.block, int.from_bytes(log.data[128:160]))
            calls = history.calls.setdefault(log.topics[1], [])
            del calls[int.from_bytes(log.topics[2]) :]  # announced once more after it was taken back
            start = 32 + int.from_bytes(log.data[64:96])
            calls.append((to_checksum_address(log.data[12:32]), log.data[start : start + 4]))
        elif log.topics[1] == handover:
            history.handed_over = log.block
    if not born:
        history.missing.append("the constructor's grant to the timelock itself")
    if handover not in history.announced or history.handed_over is None:
        history.missing.append("the hand-over")
    return history


def _creates(endpoint: Endpoint, transaction: str, address: str) -> bool:
    receipt = endpoint.request("eth_getTransactionReceipt", transaction)
    return receipt is not None and str(receipt.get("contractAddress")).lower() == address.lower()


def _look_at_announced(s: Subject, history: _History, delay: int) -> Iterator[Finding]:
    """What waits to be executed was announced when the deployer no longer could, with the delay.

    Before the hand-over the deployer announces what it likes with whatever delay it likes, and has time to let it
    become ripe: nothing of that may be left.
    """
    waiting = [operation for operation in history.announced if s.timelock.isOperationPending(operation)]
    for operation in waiting:
        block, waits = history.announced[operation]
        name = f"0x{operation.hex()}"
        if history.handed_over is None or block <= history.handed_over:
            yield fail("announced", f"{name} was announced before the hand-over, and still waits", _FOREIGN)
        elif waits < delay:
            yield fail("announced", f"{name} waits with a delay of only {waits} s", _FOREIGN)
        else:
            ripe = show_time(s.timelock.getTimestamp(operation))
            what = ", ".join(_call_text(s, *call) for call in history.calls[operation])
            text = f"{name} waits since block {block}, and may be carried out from {ripe} on: {what}"
            yield warn("announced", text, "governance is about to do it: look what it is")
    if not waiting:
        yield ok("announced", f"{len(history.announced)} in all, none that waits")


def _call_text(s: Subject, target: str, selector: bytes) -> str:
    """Whom an operation calls, and what, by name where it is one of these contracts."""
    for key, (name, address) in contracts_of(s).items():
        if address == target:
            methods = {keccak(text=one.selector)[:4]: one.name for one in container(name).contract_type.mutable_methods}
            return f"{key}.{methods.get(selector, '0x' + selector.hex())}"
    return f"{target}.0x{selector.hex()}"


def look_at_settings(s: Subject) -> Iterator[Finding]:
    """What holds for all markets."""
    exchange, feed, book = s.system.exchange, s.system.price_feed, s.system.round_book
    meant = s.plan.exchange
    ratio, rate = exchange.backstopRatio(), exchange.warningRate()
    names = ("backstop_ratio", "warning_rate")
    wanted = (meant.backstop_ratio, meant.warning_rate)
    yield from _all_compared("exchange", names, (ratio, rate), wanted, limits.exchange_faults(ratio, rate))
    yield _compared("treasury", exchange.reserves()[0], meant.treasury or ANYONE, ())
    if "guardian" in {method.name for method in exchange.contract_type.view_methods}:
        yield _compared("guardian", exchange.guardian(), meant.guardian or ANYONE, ())
        yield from _look_at_pause(s)
    sequencer, grace = feed.sequencer(), feed.grace()
    rest = s.plan.sequencer
    if rest is None:
        yield _compared("sequencer", sequencer, ANYONE, ())
    else:
        yield _compared("sequencer", sequencer, rest.feed, ())
        yield _compared("grace", grace, rest.grace, limits.sequencer_faults(grace))
    rounds, rewards = tuple(book.roundParameters()), tuple(book.rewardParameters())
    names = ("window", "exempt_age", "tolerance", "return_floor", "min_penalty", "bond_cap")
    yield from _all_compared("rounds", names, rounds, s.plan.rounds.values(), limits.round_faults(*rounds))
    names = ("flat", "rate", "share")
    yield from _all_compared("rewards", names, rewards, s.plan.rewards.values(), limits.reward_faults(*rewards))


def _look_at_pause(s: Subject) -> Iterator[Finding]:
    """Whether new risk is stopped now, and for no longer than a guardian may stop it."""
    exchange = s.system.exchange
    head = s.runner.endpoint.head()
    left = exchange.pausedUntil() - head.timestamp
    if left > exchange.MAX_PAUSE():
        yield fail("pause", f"for {left} s more, which no guardian can", _FOREIGN)
    elif left > 0:
        yield warn("pause", f"new risk is stopped for {left} s more", "it ends by itself: docs/governance.md")
    else:
        yield ok("pause", "none")


def look_at_pools(s: Subject) -> Iterator[Finding]:
    """Pools, and the tokens of their shares."""
    fund = s.system.fund
    yield from _as_numbered(s, "pool", s.plan.pools, fund.poolCount(), fund.pool, _look_at_pool)


def _as_numbered(
    s: Subject,
    what: str,
    planned: Sequence[_Planned],
    count: int,
    read: Callable[[int], Any],
    look: Callable[[Subject, int, _Planned], Iterator[Finding]],
) -> Iterator[Finding]:
    """What is planned in the order of its ids on chain, where `read` tells of it; and what is there beyond."""
    for id, meant in enumerate(planned, 1):
        if id > count:
            yield fail(f"{what} {meant.name}", f"there are only {count} {what}s", _FOREIGN)
        else:
            yield from look(s, id, meant)
    if count > len(planned):
        names = [_text(read(id).name) for id in range(len(planned) + 1, count + 1)]
        yield warn(f"{what}s", f"also {', '.join(names)}", _CHANGED)


def _look_at_pool(s: Subject, id: int, meant: PoolPlan) -> Iterator[Finding]:
    what, found = f"pool {meant.name}", s.system.fund.pool(id)
    if bytes(found.name) != name_bytes(meant.name) or (found.kind, found.backer) != meant.terms():
        yield fail(what, f"pool {id} is {_text(found.name)!r}, kind {found.kind}, backer {found.backer}", _FOREIGN)
        return
    template = bytes(project.PoolShares.contract_type.get_runtime_bytecode())
    if not is_code_of(template, s.runner.code(found.shares)):
        yield fail(what, f"what stands at {found.shares} is not PoolShares as compiled here", _FOREIGN)
    elif fault := _other_immutables(s, project.PoolShares, (s.system.fund, id, found.name), found.shares):
        yield fail(what, f"PoolShares at {found.shares} {fault}", _FOREIGN)
    faults = limits.staking_faults(found.cooldown)
    values, wanted = (found.cap, found.cooldown), (meant.cap, meant.cooldown)
    yield from _all_compared(what, ("cap", "cooldown"), values, wanted, faults)


def look_at_markets(s: Subject) -> Iterator[Finding]:
    """Markets, their feeds and their parameters."""
    exchange = s.system.exchange
    yield from _as_numbered(s, "market", s.plan.markets, exchange.marketCount(), exchange.market, _look_at_market)


def _look_at_market(s: Subject, id: int, meant: MarketPlan) -> Iterator[Finding]:
    what, found = f"market {meant.name}", s.system.exchange.market(id)
    if bytes(found.name) != name_bytes(meant.name):
        yield fail(what, f"market {id} is {_text(found.name)!r}", _FOREIGN)
        return
    pool = 1 + [pool.name for pool in s.plan.pools].index(meant.pool)
    if found.pool != pool:
        yield warn(f"{what}: pool", f"{found.pool}, the plan has {pool}", _CHANGED)
    if since := s.system.exchange.settlesAt(id):
        yield from _look_at_closed(s, id, meant, since)
    else:
        values, wanted = parameters_of(s.system, id), meant.parameters()
        yield from _all_compared(what, values._fields, values, wanted, limits.market_faults(values))
        aggregator, *terms = feed_of(s.system, id)
        yield from _look_at_feed(s, id, what, aggregator)
        yield _compared(f"{what}: feed", aggregator, meant.feed or aggregator, ())
        names = ("heartbeat", "lowest_price", "highest_price")
        yield from _all_compared(f"{what}: feed", names, terms, meant.feed_terms(), limits.feed_faults(*terms))
    backing, *bounds = s.system.fund.parameters(id)
    if backing != found.pool:
        yield fail(f"{what}: pool", f"{found.pool} for the exchange, {backing} for the fund", _FOREIGN)
    names = ("trigger", "stop", "target")
    yield from _all_compared(
        f"{what}: drawdown", names, bounds, meant.drawdown.values(), limits.drawdown_faults(*bounds)
    )
    auctions = auctions_of(s.runner.endpoint, s.system, id)
    if auctions is None:
        text = f"the node gives no event of theirs since block {s.system.block}, and listing the market has emitted one"
        yield fail(f"{what}: auctions", text, "what they are set to cannot be told: ask another node")
        return
    names = ("premium", "duration")
    yield from _all_compared(
        f"{what}: auctions", names, auctions, meant.auction.values(), limits.auction_faults(*auctions)
    )


def _look_at_feed(s: Subject, id: int, what: str, aggregator: str) -> Iterator[Finding]:
    """The feed itself: whether it answers as one, in the decimals that its prices are scaled by, and is in time."""
    endpoint, name = s.runner.endpoint, f"{what}: feed"
    try:
        decimals, answer = (
            bytes.fromhex((endpoint.request("eth_call", {"to": aggregator, "data": data}, "latest") or "0x")[2:])
            for data in (DECIMALS, LATEST_ROUND)
        )
    except RpcError as fault:
        yield fail(name, f"{aggregator} does not answer: {fault}", _FOREIGN)
        return
    if len(decimals) < 32 or len(answer) < 160:
        yield fail(name, f"{aggregator} is no feed", _FOREIGN)
        return
    scale = s.system.price_feed.feedOf(id).scale
    if (of := int.from_bytes(decimals[:32])) > 18 or scale != 10 ** (18 - of):
        yield fail(name, f"{aggregator} has {of} decimals, its prices are scaled by {scale}", _FOREIGN)
        return
    _, heartbeat, lowest, highest = feed_of(s.system, id)
    price, updated = int.from_bytes(answer[32:64], signed=True) * scale, int.from_bytes(answer[96:128])
    if (age := endpoint.head().timestamp - updated) > heartbeat:
        yield warn(name, f"updated {age} s ago, its heartbeat is {heartbeat} s", _DEAD)
    elif not lowest <= price <= highest:
        bounds = f"{format_amount(lowest)} to {format_amount(highest)}"
        yield warn(name, f"at {format_amount(price)}, {bounds} are accepted", _DEAD)


def _look_at_closed(s: Subject, id: int, meant: MarketPlan, since: int) -> Iterator[Finding]:
    """A market that governance has ended: it takes no order any more, and its last price stands for ever."""
    what, values = f"market {meant.name}", parameters_of(s.system, id)
    aggregator, _, lowest, highest = feed_of(s.system, id)
    ended = ("price_band", "stress_band", "funding_cap", "initial_margin_step")
    left = [name for name in ended if getattr(values, name)]
    if s.system.exchange.market(id).priceBand:
        left.append("the band in force")
    if left:
        yield fail(what, f"closed, and {', '.join(left)} is not zero", _FOREIGN)
    if int(aggregator, 16) or lowest != highest:
        yield fail(
            f"{what}: feed", f"the market is closed, and its price not final: the feed is {aggregator}", _FOREIGN
        )
    price = format_amount(lowest)
    yield warn(what, f"closed: its positions are settled from {since} on at {price}", _CHANGED)
    for name in values._fields:
        value, wanted = getattr(values, name), getattr(meant.parameters(), name)
        if name not in ended and value != wanted:
            yield _compared(f"{what}: {name}", value, wanted, ())


def _all_compared(
    what: str, names: Iterable[str], found: Iterable[int], meant: Iterable[int], faults: Iterable[str]
) -> Iterator[Finding]:
    """One line where all are as meant, else one for each that is not; and one for each that is out of bounds."""
    differing = False
    for name, value, wanted in zip(names, found, meant, strict=True):
        if value != wanted:
            differing = True
            text = f"{_shown(name, value)}, the plan has {_shown(name, wanted)}"
            yield warn(f"{what}: {name}", text, _CHANGED)
    for fault in faults:
        differing = True
        yield fail(what, f"out of the hard bounds: {fault}", _FOREIGN)
    if not differing:
        yield ok(what, "as planned")


def _compared(name: str, found: Any, meant: Any, faults: Iterable[str]) -> Finding:
    if fault := next(iter(faults), None):
        return fail(name, f"out of the hard bounds: {fault}", _FOREIGN)
    if found != meant:
        return warn(name, f"{_shown(name, found)}, the plan has {_shown(name, meant)}", _CHANGED)
    return ok(name, _shown(name, found))


def _shown(name: str, value: Any) -> str:
    if not isinstance(value, int):
        return str(value)
    return f"{value} s" if name in _SECONDS else format_amount(value)


def _text(name: Any) -> str:
    return bytes(name).rstrip(b"\0").decode(errors="replace")
