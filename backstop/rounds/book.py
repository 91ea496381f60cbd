"""A round on record, with all that its events tell: who was closed in which order, who was skipped, what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from backstop.account_id import account_text
from backstop.adl.due import Trigger
from backstop.adl.snapshot import Side
from backstop.chain.bindings import (
    CANDIDATE_SKIPPED,
    DELEVERAGED,
    OMISSION,
    OMISSION_PROVEN,
    ROUND_COUNT,
    ROUND_EXECUTED,
    ROUND_OPENED,
    ROUND_PARAMETERS_OF,
    ROUND_RECORD,
)
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.logs import read_logs, topics_of
from backstop.chain.snapshot import read_block
from backstop.errors import BackstopError
from backstop.keeper.results import SKIP_REASONS
from backstop.math.wad import WAD
from backstop.rounds.bonds import RoundParameters

EXEMPTIONS = ("none", "flat", "inventorySide", "bankrupt", "insolventAtAdlPrice", "raisedRisk", "rankedBelow")
LONGEST_WINDOW = 7 * 24 * 3600  # seconds; RoundBook.MAX_WINDOW
_SIDES = (Side.LONG, Side.SHORT)
_TRIGGERS = (None, Trigger.DRAWDOWN, Trigger.DEPLETION)


@dataclass(frozen=True, slots=True)
class Closed:
    """A counterparty of a round. WAD; `given_up` is what its price cost it against mark."""

    account: str
    contracts: int
    price: int
    leveraged_return: int
    place: int
    given_up: int


@dataclass(frozen=True, slots=True)
class Proven:
    """An omission that was proven. WAD."""

    account: str
    challenger: str
    leveraged_return: int
    spared: int
    penalty: int


@dataclass(slots=True)
class RoundView:
    """A round. WAD; times in seconds; `bond` and `bond_left` are 0 where it closed no account and needs none."""

    id: int
    market: int
    side: Side
    keeper: str
    block: int
    transaction: str
    trigger: Trigger | None
    mark: int
    price: int
    contracts: int
    netted: int
    value: int
    compensation: int
    fills: list[Closed] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    proven: list[Proven] = field(default_factory=list)
    time: int = 0
    open_until: int = 0
    bond: int = 0
    bond_left: int = 0
    cutoff_account: str = ""
    cutoff_return: int = 0
    second_pass: bool = False
    parameters: RoundParameters | None = None


@dataclass(frozen=True, slots=True)
class Omission:
    """What the contracts say of an account that was left out of a round. WAD; `reason` is "none" for an omission."""

    account: str
    reason: str
    leveraged_return: int
    spared: int


def count_rounds(endpoint: Endpoint, deployment: Deployment) -> int:
    """The id of the last round."""
    return int(endpoint.call(deployment.engine, ROUND_COUNT))


def open_rounds(endpoint: Endpoint, deployment: Deployment, after: int, last: int, now: int) -> list[int]:
    """The rounds after one, up to another, that may still be challenged and have something left to pay with.

    Rounds that closed no account, and those whose bond is spent, stand among them; and windows of several lengths may
    be open, so only the longest one ends the search.
    """
    found = []
    for number in range(last, after, -1):
        record = endpoint.call(deployment.round_book, ROUND_RECORD, number)
        time, version, bond = record[1], record[5], record[-1]
        if time and now > time + LONGEST_WINDOW:
            break
        if bond and now <= time + endpoint.call(deployment.round_book, ROUND_PARAMETERS_OF, version)[0]:
            found.append(number)
    return found[::-1]


def ask(endpoint: Endpoint, deployment: Deployment, number: int, account: str) -> Omission:
    """Whether an account was left out of a round wrongly."""
    reason, leveraged_return, spared = endpoint.call(
        deployment.round_book, OMISSION, number, bytes.fromhex(account[2:])
    )
    return Omission(account, EXEMPTIONS[reason], leveraged_return, spared)


def read_round(endpoint: Endpoint, deployment: Deployment, number: int) -> RoundView:
    """A round by its id. Raises BackstopError where there is none, and RpcError where its events are not to be had."""
    last = count_rounds(endpoint, deployment)
    if not 1 <= number <= last:
        there = f"they go from 1 to {last}" if last else "none was executed yet"
        raise BackstopError(f"there is no round {number}: {there}")
    head = read_block(endpoint, deployment.chain_id)
    events = (ROUND_EXECUTED, ROUND_OPENED, DELEVERAGED, CANDIDATE_SKIPPED, OMISSION_PROVEN)
    query = {
        "address": [deployment.engine, deployment.round_book],
        "topics": [*topics_of(*(event.topic for event in events)), "0x" + number.to_bytes(32, "big").hex()],
    }
    view: RoundView | None = None
    logs = list(read_logs(endpoint, query, deployment.block, head.number))
    for log in logs:
        if log.topics[0] == ROUND_EXECUTED.topic:
            _, market, keeper, outcome = ROUND_EXECUTED.decode(log.topics, log.data)
            side, trigger, mark, price, contracts, netted, value, compensation = outcome
            view = RoundView(
                id=number,
                market=market,
                side=_SIDES[side],
                keeper=keeper,
                block=log.block,
                transaction=log.transaction,
                trigger=_TRIGGERS[trigger],
                mark=mark,
                price=price,
                contracts=contracts,
                netted=netted,
                value=value,
                compensation=compensation,
            )
    if view is None:
        raise BackstopError(f"{endpoint.url} does not give the events of round {number}: ask a node that keeps them")
    view.time = read_block(endpoint, deployment.chain_id, view.block).timestamp
    for log in logs:
        if log.topics[0] == DELEVERAGED.topic:
            _, account, size, _, price, leveraged_return, place = DELEVERAGED.decode(log.topics, log.data)
            given_up = abs(size) * abs(price - view.mark) // WAD
            view.fills.append(Closed(account_text(account), abs(size), price, leveraged_return, place, given_up))
        elif log.topics[0] == CANDIDATE_SKIPPED.topic:
            _, account, reason = CANDIDATE_SKIPPED.decode(log.topics, log.data)
            view.skipped.append((account_text(account), SKIP_REASONS[reason]))
        elif log.topics[0] == OMISSION_PROVEN.topic:
            _, account, challenger, *amounts = OMISSION_PROVEN.decode(log.topics, log.data)
            view.proven.append(Proven(account_text(account), challenger, *amounts))
        elif log.topics[0] == ROUND_OPENED.topic:
            _, _, view.bond, cutoff, view.cutoff_return, view.second_pass, view.open_until = ROUND_OPENED.decode(
                log.topics, log.data
            )
            view.cutoff_account = account_text(cutoff)
    record = endpoint.call(deployment.round_book, ROUND_RECORD, number)
    view.bond_left = record[-1]
    if view.bond:
        view.parameters = RoundParameters(*endpoint.call(deployment.round_book, ROUND_PARAMETERS_OF, record[5]))
    return view
