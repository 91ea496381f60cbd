"""Sequences among enemies: beside each action of one something hostile is tried, judged, and taken back.

X1  who is not meant is refused with a declared error, and nothing changes, whichever function it is
X2  no code that stands at the address of anybody but the caller changes how an action ends
X3  while tokens move, what they move for answers nobody; what else a token calls leaves everything as it must always be
X4  bonds, claims and shares move as their owner says: together they stay what they were, and nobody else has less
X5  an order for which a wallet of code stands is filled as one that a key signed, and by no wallet that does not
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from ape import project
from eth_abi.abi import encode
from eth_utils.abi import abi_to_signature, collapse_if_tuple, function_abi_to_4byte_selector

from tests.support.callers import MATRIX, Caller
from tests.support.hooked_token import RESULT, hooked

from . import actions
from .calls import call, selector, words
from .chain import PyrevmChain, Receipt
from .checks import holds_always
from .compiler import Artefact
from .generator import Generator
from .halting import DAY, Stage
from .machine import Machine
from .sequences import LENGTH, OPENING
from .state import State
from .steps import Violation
from .system import OWNER
from .world import ADDRESSES, POOLS, TRADERS, TREASURY, owner_of

INVARIANTS = dict(re.findall(r"^([A-Z]\d)  (.+)$", __doc__ or "", re.MULTILINE))
HONEST = "0x" + "70" * 20  # where the honest code of the token is
STRANGER = "0x" + "57" * 20
# Each burns gas, fails, or answers, as no counterparty should.
CODES = {
    "fails at length": bytes.fromhex("62020000" + "5ffd"),
    "burns all gas": bytes.fromhex("5b5f56"),
    "is no code": bytes.fromhex("fe"),
    "answers anything": bytes.fromhex("60015f5260205ff3"),
}
BURNS = {"burns all gas", "is no code"}
# Contracts of the matrix as artefacts, and whose modules these are.
CONTRACTS = {
    "exchange": "Exchange",
    "fund": "InsuranceFund",
    "engine": "ADLEngine",
    "round_book": "RoundBook",
    "price_feed": "ChainlinkPriceFeed",
    "shares": "PoolShares",
}
OPEN_TO_ALL = (Caller.ANYONE, Caller.OWN, Caller.ACCOUNT)
# What an order's owner may do at any time, and what is refused to whoever does not own the contract before any lock.
UNLOCKED = ("cancel", "cancelAll")
LOCKED = selector("ReentrancyGuardReentrantCall()")


def functions_of(artefact: Artefact) -> dict[str, dict[str, Any]]:
    """What changes anything, by name."""
    return {
        str(entry["name"]): entry
        for entry in artefact.abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }


class HostileStage(Stage):
    """A deployment that counts what is called: `called` are contracts and functions by name. `wallets` are codes."""

    def __init__(self, artefacts: dict[str, Artefact]) -> None:
        super().__init__(artefacts)
        self.called: Counter[tuple[str, str]] = Counter()
        self.functions = {name: functions_of(artefacts[contract]) for name, contract in CONTRACTS.items()}
        self._names = {
            (name, function_abi_to_4byte_selector(entry)): function
            for name, functions in self.functions.items()
            for function, entry in functions.items()
        }
        self.honest_token = self.chain.code(self.system.token)
        self.chain.put_code(HONEST, self.honest_token)
        wallet = bytes.fromhex(project.MockWallet.contract_type.deployment_bytecode.bytecode[2:])
        self.wallets = [self.chain.code(self.chain.deploy(OWNER, wallet + words(trader.address))) for trader in TRADERS]
        self.chain.mark()
        self.chain = _Watched(self.chain, self)  # type: ignore[assignment]

    def note(self, to: str, data: bytes) -> None:
        """Counts a call of the system's own contracts."""
        if to.lower() == self.system.token.lower():
            return  # its functions have the names of those of shares
        name = self.name_at(to)
        if (name, data[:4]) in self._names:
            self.called[name, self._names[name, data[:4]]] += 1

    def name_at(self, address: str) -> str:
        """Which contract is there; whatever is none of the system's is taken for shares."""
        for name in CONTRACTS:
            if name != "shares" and getattr(self.system, name).lower() == address.lower():
                return name
        return "shares"

    def function_at(self, to: str, data: bytes) -> str:
        """The name of what calldata calls; empty where it is no function of the system's."""
        return self._names.get((self.name_at(to), data[:4]), "")


class _Watched:
    """A chain that tells what is called."""

    def __init__(self, chain: PyrevmChain, stage: HostileStage) -> None:
        self._chain, self._stage = chain, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, sender: str, to: str, data: bytes, timestamp: int) -> Receipt:
        """See `Chain`."""
        self._stage.note(to, data)
        return self._chain.send(sender, to, data, timestamp)


def hostile(stage: HostileStage, seed: int) -> list[Violation]:
    """A sequence, and beside each action of it one attempt of each kind."""
    rng, machine = Random(seed), stage.machine()
    draw, enemy = Generator(Random(seed)), Generator(Random(seed + 1))
    for place in range(OPENING + LENGTH):
        action = draw.opening(machine, place) if place < OPENING else draw.next(machine)
        violations = list(Attempt(stage, machine, action, rng).play(enemy))
        if violations:
            return violations
        machine.perform(action)
    return []


class Attempt:
    """One action, and what is tried beside it."""

    def __init__(self, stage: HostileStage, machine: Machine, action: actions.Action, rng: Random) -> None:
        self.stage, self.machine, self.action, self.rng = stage, machine, action, rng
        self.chain, self.system, self.counts = stage.chain, stage.system, stage.counts
        idle = machine.model.fork()
        idle.pass_time(action.after)
        self.now = idle.now

    def play(self, enemy: Generator) -> Iterator[Violation]:
        """Everything, each in the same world."""
        receipt, state = self._taken_back(lambda: self.machine.attempt(self.action, self.now))
        yield from self._strangers()
        yield from self._counterparties(receipt, state)
        yield from self._owners()
        if isinstance(self.action, actions.Settle) and receipt.ok:
            yield from self._wallets(self.action, state)
        if any(log.address.lower() == self.system.token.lower() for log in receipt.logs):
            yield from self._token(enemy, state)

    def _taken_back(self, do: Callable[[], Receipt]) -> tuple[Receipt, State]:
        checkpoint = self.chain.snapshot()
        receipt = do()
        state = self.machine.look()
        self.chain.restore(checkpoint)
        return receipt, state

    def _called(self, sender: str, to: str, data: bytes, *, after: int = 0) -> Receipt:
        return self.chain.send(sender, to, data, self.now + after)

    # ------------------------------------------------------------------ strangers

    def _strangers(self) -> Iterator[Violation]:
        """X1, of the next function in turn."""
        guarded = [
            (name, function)
            for name in CONTRACTS
            for function, entry in MATRIX[name].items()
            if entry.caller not in OPEN_TO_ALL
        ]
        name, function = guarded[self.counts["X1"] % len(guarded)]
        entry = self.stage.functions[name][function]
        kinds = [collapse_if_tuple(parameter) for parameter in entry["inputs"]]
        data = function_abi_to_4byte_selector(entry) + encode(kinds, _plain(MATRIX[name][function].arguments))
        to = getattr(self.system, name)
        before = self.machine.look()
        receipt, state = self._taken_back(lambda: self._called(self._somebody(), to, data))
        self.counts["X1"] += 1
        if receipt.ok or receipt.output[:4] not in self.stage.errors:
            yield Violation("X1", f"{name}.{abi_to_signature(entry)} is {self.stage.name_of(receipt)} for a stranger")
        elif state.frozen() != before.frozen():
            yield Violation("X1", f"{name}.{function} is refused to a stranger, and changed something")

    def _somebody(self) -> str:
        """Anybody but the guardian, who is the first, and the treasury."""
        return self.rng.choice(
            (STRANGER, *(ADDRESSES[place] for place in range(1, len(ADDRESSES)) if place != TREASURY))
        )

    # ------------------------------------------------------------------ counterparties

    def _counterparties(self, receipt: Receipt, state: State) -> Iterator[Violation]:
        """X2: all but the caller have code that none should call."""
        kind = self.rng.choice(list(CODES))
        others = [address for place, address in enumerate(ADDRESSES) if place != self.action.by]
        for address in others:
            self.chain.put_code(address, CODES[kind])
        try:
            found, after = self._taken_back(lambda: self.machine.attempt(self.action, self.now))
        finally:
            for address in others:
                self.chain.put_code(address, b"")
        # A signature that is not the key's is asked of the wallet: then it is refused by whatever that does.
        signs = isinstance(self.action, actions.Settle | actions.SettleBatch)
        if signs and "Signature" in self.stage.name_of(receipt):
            return
        self.counts["X2"] += receipt.ok
        if found.ok != receipt.ok or after != state:
            yield Violation("X2", f"{self.action.kind} is {self.stage.name_of(found)} where others' code {kind}")

    # ------------------------------------------------------------------ wallets

    def _wallets(self, action: actions.Settle, state: State) -> Iterator[Violation]:
        """X5, of the maker: another key signs for its wallet."""
        place = self.rng.randrange(len(TRADERS))
        owner = owner_of(action.maker.account)
        if place in (action.by, action.maker_signer) or owner == ADDRESSES[action.by]:
            return
        other = actions.Settle(
            action.by, action.after, action.maker, place, action.taker, action.taker_signer, action.size
        )
        fails = self.rng.choice([kind for kind in CODES if kind not in BURNS])
        for code, is_good in (
            (self.stage.wallets[place], True),
            (CODES[fails], False),
            (self.stage.wallets[place - 1], False),
        ):
            self.chain.put_code(owner, code)
            try:
                found, after = self._taken_back(lambda: self.machine.attempt(other, self.now))
            finally:
                self.chain.put_code(owner, b"")
            self.counts["X5"] += 1
            self.counts["orders of wallets"] += is_good
            if is_good and (not found.ok or after != state):
                yield Violation("X5", f"a wallet's order is {self.stage.name_of(found)}")
            if not is_good and self.stage.name_of(found) != "OrderSignatureInvalid":
                yield Violation("X5", f"an order that its wallet does not sign is {self.stage.name_of(found)}")

    # ------------------------------------------------------------------ the token

    def _token(self, enemy: Generator, state: State) -> Iterator[Violation]:
        """X3: before the action's first tokens move, the token calls what an enemy draws."""
        enemy.script.clear()  # which is of a sequence that does not go on
        attack = enemy.next(self.machine)
        to, data = list(self.machine.transactions(attack, self.now))[-1]
        function = self.stage.function_at(to, data)
        if not function:
            return
        token = self.system.token
        self.chain.put_code(token, hooked(HONEST, to, data))
        checkpoint = self.chain.snapshot()
        try:
            found = self.machine.attempt(self.action, self.now)
            verdict, answer = (self.chain.storage(token, slot) for slot in (RESULT, RESULT + 1))
            after = self.machine.look()
        finally:
            self.chain.restore(checkpoint)
            self.chain.put_code(token, self.stage.honest_token)
        if verdict == 0:
            return
        self.counts["X3"] += 1
        self.stage.called[self.stage.name_at(to), function] += 1
        moved = self._moves_tokens()
        if to.lower() == moved.lower() and function not in UNLOCKED:
            self.counts["calls back under the lock"] += 1
            caller = MATRIX[self.stage.name_at(to)][function].caller
            if verdict == 2 or (caller in OPEN_TO_ALL and answer.to_bytes(32, "big")[:4] != LOCKED):
                yield Violation("X3", f"{function} answers the token within {self.action.kind}")
        if verdict == 1 and (not found.ok or after != state):
            yield Violation("X3", f"{self.action.kind} is {self.stage.name_of(found)} after a call that was refused")
        self.counts["calls back that were answered"] += verdict == 2
        marks = [view.mark or mark for view, mark in zip(after.markets, self.machine.marks, strict=True)]
        yield from holds_always(after, marks, Counter())

    def _moves_tokens(self) -> str:
        """Whose function the action is."""
        return next(iter(self.machine.transactions(self.action, self.now)))[0]

    # ------------------------------------------------------------------ what is one's own

    def _owners(self) -> Iterator[Violation]:
        """X4: somebody's bond, claim or shares."""
        place = self.rng.randrange(len(TRADERS))
        kind = self.rng.choice((self._bond, self._bond, self._shares, self._shares, self._feed))
        checkpoint = self.chain.snapshot()
        before = self.machine.look()
        try:
            for receipt in kind(place):
                after = self.machine.look()
                self.counts["X4"] += receipt.ok
                yield from self._still_theirs(place, before, after)
        finally:
            self.chain.restore(checkpoint)

    def _still_theirs(self, place: int, before: State, after: State) -> Iterator[Violation]:
        marks = [view.mark or mark for view, mark in zip(after.markets, self.machine.marks, strict=True)]
        yield from holds_always(after, marks, Counter())
        if before.accounts != after.accounts:
            yield Violation("X4", "accounts are others than before")
        for other in range(len(TRADERS)):
            if other == place:
                continue
            less = after.wallets[other] < before.wallets[other] or after.bonds[other] < before.bonds[other]
            less |= after.claimable[other] < before.claimable[other]
            less |= any(
                one.held.get(other, 0) < was.held.get(other, 0)
                for one, was in zip(after.pools, before.pools, strict=True)
            )
            if less:
                yield Violation("X4", f"{TRADERS[other].name} has less by what {TRADERS[place].name} does")
        for one, was in zip(after.pools, before.pools, strict=True):
            if one.supply != was.supply:
                yield Violation("X4", f"there are {one.supply} shares, there were {was.supply}")

    def _bond(self, place: int) -> Iterator[Receipt]:
        """Posted, asked for, waited for and taken, whatever is in rounds; then what was won by challenges."""
        who, book = ADDRESSES[place], self.system.round_book
        amount = self.rng.randrange(1, 10**9)
        yield self._called(who, self.system.token, call("approve(address,uint256)", book, amount))
        yield self._called(who, book, call("postBond(uint256)", amount))
        keeper = self.rng.choice(ADDRESSES)
        yield self._called(who, book, selector("releaseBond(address,uint256[])") + words(keeper, 64, 2, 0, 1))
        yield self._called(who, book, call("requestBond(uint256)", self.rng.randrange(amount + 2)))
        later = self.rng.choice((0, DAY, 30 * DAY))
        yield self._called(who, book, call("withdrawBond(address)", self.rng.choice(ADDRESSES)), after=later)
        yield self._called(who, book, call("claim(address)", who), after=later)

    def _shares(self, place: int) -> Iterator[Receipt]:
        """Sent, and taken by who was allowed to and by who was not."""
        pool = self.rng.choice(list(POOLS))
        shares, who = self.machine.shares(pool), ADDRESSES[place]
        held = self.machine.state.pools[pool - 1].held.get(place, 0)
        to = self.rng.choice(ADDRESSES)
        part = self.rng.choice((held, held // 2, held + 1, 1))
        yield self._called(who, shares, call("transfer(address,uint256)", to, part))
        yield self._called(to, shares, call("transferFrom(address,address,uint256)", who, to, part))
        yield self._called(who, shares, call("approve(address,uint256)", to, part))
        yield self._called(to, shares, call("transferFrom(address,address,uint256)", who, to, part))

    def _feed(self, place: int) -> Iterator[Receipt]:
        """What anybody may do besides: take a price as the feed has it, and give a pool what challenges brought it."""
        market = self.rng.randrange(1, len(self.system.feeds) + 2)
        yield self._called(ADDRESSES[place], self.system.price_feed, call("acceptOrLast(uint16)", market))
        yield self._called(ADDRESSES[place], self.system.round_book, call("payPool(uint16)", market))


def _plain(values: Any) -> Any:
    """Arguments as the encoder wants them."""
    if isinstance(values, (list, tuple)):
        return type(values)(map(_plain, values)) if type(values) in (list, tuple) else tuple(map(_plain, values))
    if hasattr(values, "value"):
        return values.value
    return values
