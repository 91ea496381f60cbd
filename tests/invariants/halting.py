"""A sequence that stops: paused beside itself, or with a market of it closed and settled in several orders.

E1  the mark of a closed market is its final price, whatever its feed says, and its funding index stands
E2  settlement waits while a round is due, and goes on after it
E3  each is paid the final price: margin less funding, and the value of the position rounded down less its entry
E4  what everybody and every pool has in the end does not depend on the order or the batches of settlement, to the wei
E5  in the end nothing is open, no inventory is left, and the pot holds dust alone
E6  once somebody was settled the pool has the market on one side at most, whatever another market of it does meanwhile
G2  nothing pauses exits: during a pause everything but new risk comes out as without it
Q1  during a pause no order opens, grows or flips a position, and no stake is taken

What holds always (`checks`) holds after every call.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

from eth_utils.crypto import keccak

from backstop.math.funding import payment
from backstop.math.wad import WAD

from . import actions, calls
from .calls import call, selector, word_array, words
from .chain import PyrevmChain, Receipt
from .checks import holds_always
from .compiler import Artefact
from .generator import Generator
from .ledger import NO_HOLDING
from .machine import Machine, errors_of
from .sequences import LENGTH, OPENING
from .shared_books import open_shared_book
from .state import State
from .steps import Violation
from .system import deploy, set_up
from .world import ADDRESSES, MARKETS, TRADERS

# What each of them says, by its id, in the order of the list above.
INVARIANTS = dict(re.findall(r"^([A-Z]\d)  (.+)$", __doc__ or "", re.MULTILINE))
ORDERS = 3  # of settlement, which are compared
GUARDIAN = ADDRESSES[0]
KEEPER = TRADERS[1]
ROUNDS = 20  # within which nothing may be due any more
FINE = "accepted"
DAY = 86_400


class Stage:
    """A deployment with a guardian, on which sequences are played and stopped.

    `counts` says what was exercised, and by an invariant's id how often it was judged where something was at stake.
    """

    def __init__(self, artefacts: dict[str, Artefact]) -> None:
        self.chain = PyrevmChain()
        self.system = deploy(self.chain, artefacts)
        self.errors = errors_of(artefacts)
        self.counts: Counter[str] = Counter()
        set_up(self.chain, self.system)
        self.chain.mark()

    def machine(self) -> Machine:
        """A machine at the beginning; it makes the one before it useless."""
        self.chain.rewind()
        return Machine(self.chain, self.system, self.errors)

    def name_of(self, receipt: Receipt) -> str:
        """What a call was refused with, or that it was accepted."""
        return FINE if receipt.ok else self.errors.get(receipt.output[:4], receipt.halt or receipt.output.hex())


# ---------------------------------------------------------------------- the end of a market


def end(stage: Stage, seed: int) -> list[Violation]:
    """A sequence, a gap in the market that it is about, and its end; every other time a book in a shared pool."""
    rng, machine = Random(seed), stage.machine()
    if seed % 2:
        return list(Ending(stage, machine, open_shared_book(machine, rng), rng).play())
    draw = Generator(rng)
    for place in range(OPENING + LENGTH):
        machine.perform(draw.opening(machine, place) if place < OPENING else draw.next(machine))
    for _ in range(3):
        machine.perform(draw.shock(machine))
    if not all(view.live for view in machine.state.markets):
        return []
    return list(Ending(stage, machine, draw.focus, rng).play())


class Ending:
    """One market of a sequence, from its last trade on."""

    def __init__(self, stage: Stage, machine: Machine, market: int, rng: Random) -> None:
        self.stage, self.machine, self.market, self.rng = stage, machine, market, rng
        self.chain, self.system = stage.chain, stage.system
        self.now = machine.model.now
        self.mark = machine.state.markets[market - 1].mark

    def play(self) -> Iterator[Violation]:
        """Closed, a day later, everything that comes first, and then everybody, in several orders."""
        accrued = self.look().markets[self.market - 1].index
        bounds = self.mark, self.mark
        assert self.send(self.system.owner, "closeMarket(uint16,uint256,uint256)", self.market, *bounds).ok
        self.now += DAY
        self._publish()
        view = self.look().markets[self.market - 1]
        self.stage.counts["E1"] += 1
        if (view.mark, view.live, view.index) != (self.mark, True, accrued):
            yield Violation("E1", f"mark {view.mark}, index {view.index}; {self.mark}, {accrued} were meant")
        yield from self._come_first()
        before = self.look()
        there = [account for account, held in before.accounts.items() if held.held(self.market).size]
        self.stage.counts["accounts settled"] += len(there)
        ends = []
        checkpoint = self.chain.snapshot()
        for _ in range(ORDERS):
            now = self.now
            self.rng.shuffle(there)
            yield from self._settle(before, there)
            after = self.look()
            margins = {account: held.margin for account, held in after.accounts.items()}
            ends.append((margins, [pool.cash for pool in after.pools]))
            self.stage.counts["E5"] += bool(there)
            yield from self._ended(after)
            self.chain.restore(checkpoint)
            checkpoint = self.chain.snapshot()
            self.now = now
        self.stage.counts["E4"] += (ORDERS - 1) * (len(there) > 1)
        if any(each != ends[0] for each in ends):
            yield Violation("E4", f"market {self.market} ends otherwise in another order")
        yield from self._end_with_a_loss(there)

    def _end_with_a_loss(self, there: list[bytes]) -> Iterator[Violation]:
        """After some are settled another market of the pool gaps, and its bankrupt are taken over; then the others."""
        state = self.look()
        others = [market for market in state.markets_of(state.pool_of(self.market)) if market != self.market]
        if not others or len(there) < 2:
            return
        self.rng.shuffle(there)
        first = there[: self.rng.randrange(1, len(there))]
        if not self.settle(first).ok:
            yield Violation("E2", "the first are not settled")
            return
        yield from self._one_sided()
        due = self._due()
        for market in others:
            spec = MARKETS[market - 1]
            answer = self.machine.marks[market - 1] * self.rng.choice((60, 80, 125, 170)) // 100 // spec.scale
            self.send("0x" + "0f" * 20, "setAnswer(int256)", answer, to=self.system.feeds[market - 1])
        for account, held in self.look().accounts.items():
            if not held.is_flat and self._equity(account) <= 0:
                receipt = self.call(KEEPER.address, self.system.exchange, call("takeOver(bytes32)", account))
                self.stage.counts["bankrupt in another market"] += receipt.ok
        yield from self._always()
        self.stage.counts["rounds due by another market"] += not due and bool(self._due())
        yield from self._come_first()
        receipt = self.settle(there)
        if not receipt.ok:
            yield Violation("E2", f"settlement is refused: {self.stage.name_of(receipt)}")
            return
        yield from self._one_sided()
        yield from self._always()
        yield from self._ended(self.look())

    def _one_sided(self) -> Iterator[Violation]:
        view = self.look().markets[self.market - 1]
        self.stage.counts["E6"] += 1
        if view.long.size and view.short.size:
            yield Violation("E6", f"the pool has {view.long.size} and {view.short.size} of market {self.market}")

    def _due(self) -> list[int]:
        """The sides of the pool's inventory for which a round is due."""
        return [side for side in range(2) if self._is_due(side)]

    def _publish(self) -> None:
        """Every feed answers again, that of the closed market with something else."""
        for spec, mark in zip(MARKETS, self.machine.marks, strict=True):
            answer = mark // spec.scale * (2 if spec.id == self.market else 1)
            self.send("0x" + "0f" * 20, "setAnswer(int256)", answer, to=self.system.feeds[spec.id - 1])

    def _come_first(self) -> Iterator[Violation]:
        """Takeovers, and rounds as long as they are due; nobody else is settled meanwhile."""
        for _ in range(ROUNDS):
            state = self.look()
            there = [account for account, held in state.accounts.items() if held.held(self.market).size]
            bankrupt = [account for account in there if self._equity(account) <= 0]
            if bankrupt:
                self.stage.counts["bankrupt accounts"] += len(bankrupt)
                receipt = self.settle(bankrupt)
                if not receipt.ok:
                    yield Violation("E2", f"a takeover is refused: {self.stage.name_of(receipt)}")
                    return
                yield from self._always()
                continue
            view = state.markets[self.market - 1]
            if view.long.size and view.short.size:
                self.stage.counts["netted before a round"] += bool(self._due())
                receipt = self.settle([])
                if not receipt.ok:
                    yield Violation("E6", f"netting is refused: {self.stage.name_of(receipt)}")
                    return
                yield from self._one_sided()
                yield from self._always()
                continue
            due = self._due()
            if not due or not there:
                return
            self.stage.counts["rounds before settlement"] += 1
            self.stage.counts["E2"] += 1
            refusal = self.stage.name_of(self.settle(there, keeps=False))
            if refusal != "SettlementWaits":
                yield Violation("E2", f"a round is due, and settlement is {refusal}")
                return
            sizes = {account: state.accounts[account].held(self.market).size for account in there}
            others = [account for account, size in sizes.items() if (size > 0) == bool(due[0])]
            data = calls.deleverage(self.market, due[0], others, calls.Bounds())
            receipt = self.call(KEEPER.address, self.system.engine, data)
            if not receipt.ok:
                yield Violation("E2", f"the round is refused: {self.stage.name_of(receipt)}")
                return
            yield from self._always()
        yield Violation("E2", f"something is due after {ROUNDS} rounds")

    def _settle(self, before: State, there: list[bytes]) -> Iterator[Violation]:
        """In batches of one to three, some of them with somebody twice; then what each was paid."""
        at = 0
        while at < len(there):
            size = self.rng.randrange(1, 4)
            batch = [*there[at : at + size], *there[: self.rng.randrange(2)]]
            at += size
            receipt = self.settle(batch)
            self.stage.counts["E2"] += 1
            if not receipt.ok:
                yield Violation("E2", f"settlement is refused: {self.stage.name_of(receipt)}")
                return
            yield from self._one_sided()
            yield from self._always()
        if not there:
            self.settle([])
        state = self.look()
        index = before.markets[self.market - 1].index
        for account in there:
            held, now = before.accounts[account], state.accounts[account]
            self.stage.counts["E3"] += 1
            position = held.held(self.market)
            meant = held.margin - payment(position.size, index - position.index)
            meant += position.size * self.mark // WAD - position.entry
            if now.margin != meant or now.held(self.market).size:
                yield Violation("E3", f"{account.hex()} has {now.margin}, {meant} was meant")

    def _ended(self, state: State) -> Iterator[Violation]:
        view = state.markets[self.market - 1]
        funding = view.funding
        left = view.open_interest, view.long.size, view.long.entry, view.short.size, view.short.entry
        if any(left):
            yield Violation("E5", f"open interest and inventories are {left}")
        if not 0 <= funding.pot - funding.dust <= 1:
            yield Violation("E5", f"the pot has {funding.pot}, of which {funding.dust} are dust")

    # ------------------------------------------------------------------ the chain

    def look(self) -> State:
        """The state of the present block, with what the keeper is paid."""
        return self.machine.look(KEEPER.cross())

    def _always(self) -> Iterator[Violation]:
        state = self.look()
        yield from holds_always(state, [view.mark for view in state.markets], self.stage.counts)

    def settle(self, accounts: list[bytes], *, keeps: bool = True) -> Receipt:
        """`settleClosed`; undone again unless it `keeps`."""
        checkpoint = None if keeps else self.chain.snapshot()
        data = selector("settleClosed(uint16,bytes32[])") + words(self.market, 64) + word_array(accounts)
        receipt = self.call(ADDRESSES[2], self.system.exchange, data)
        if checkpoint is not None:
            self.chain.restore(checkpoint)
        return receipt

    def send(self, sender: str, signature: str, *values: int, to: str = "") -> Receipt:
        """A call of the exchange, or of another contract."""
        return self.call(sender, to or self.system.exchange, call(signature, *values))

    def call(self, sender: str, to: str, data: bytes) -> Receipt:
        """A transaction a second later."""
        self.now += 1
        return self.chain.send(sender, to, data, self.now)

    def _equity(self, account: bytes) -> int:
        data = self.chain.view(self.system.exchange, call("health(bytes32)", account))
        return int.from_bytes(data[32:64], "big", signed=True)

    def _is_due(self, side: int) -> bool:
        return any(self.chain.view(self.system.fund, call("adlTerms(uint16,uint8)", self.market, side))[:32])


# ---------------------------------------------------------------------- a pause


SETTLED = keccak(text="Settled(uint16,bytes32,bytes32,int256,int256,uint256,uint256,uint256,bytes32,bytes32)")


def pause(stage: Stage, seed: int) -> list[Violation]:
    """Each action of a sequence, tried in a world that is paused and in one that is not; the latter goes on."""
    machine, draw = stage.machine(), Generator(Random(seed))
    receipt = stage.chain.send(
        stage.system.owner, stage.system.exchange, call("setGuardian(address)", GUARDIAN), machine.model.now
    )
    assert receipt.ok
    for place in range(OPENING + LENGTH):
        action = draw.opening(machine, place) if place < OPENING else draw.next(machine)
        violations = list(_twins(stage, machine, action))
        if violations:
            return violations
        machine.perform(action)
    return []


def _twins(stage: Stage, machine: Machine, action: actions.Action) -> Iterator[Violation]:
    idle = machine.model.fork()
    idle.pass_time(action.after)
    outcomes = []
    for pauses in (False, True):
        checkpoint = stage.chain.snapshot()
        # At the time of the last action: nothing but the pause is different.
        if pauses:
            assert stage.chain.send(GUARDIAN, stage.system.exchange, call("pause()"), machine.model.now).ok
        outcomes.append((machine.attempt(action, idle.now), machine.look()))
        stage.chain.restore(checkpoint)
    (receipt, state), (paused, paused_state) = outcomes
    refusal = stage.name_of(paused)
    stage.counts[refusal] += 1
    if isinstance(action, actions.SettleBatch):
        return  # pair by pair it is what single orders are
    if isinstance(action, actions.Settle) and receipt.ok:
        log = next(log for log in receipt.logs if log.topics[0] == SETTLED)
        change = int.from_bytes(log.data[:32], "big", signed=True)
        sides = ((log.topics[2], -change), (log.topics[3], change))
        reduces = all(_reduces(machine.state, account, action.maker.market, part) for account, part in sides)
        stage.counts["both sides reduce" if reduces else "new risk"] += 1
        stage.counts["G2" if reduces else "Q1"] += 1
        if reduces != paused.ok:
            yield Violation("Q1" if paused.ok else "G2", f"a fill is {refusal} in a pause; it reduces: {reduces}")
        if not paused.ok:
            return
    if isinstance(action, actions.Stake) and receipt.ok:
        stage.counts["Q1"] += 1
        if refusal not in ("StakeWhilePaused", "ERC4626ExceededMaxDeposit", "ERC4626ExceededMaxMint"):
            yield Violation("Q1", f"a stake is {refusal} in a pause")
        return
    stage.counts["G2"] += receipt.ok and not isinstance(action, actions.Settle)  # a fill was counted above
    if receipt.ok != paused.ok or (receipt.ok and state != paused_state):
        yield Violation("G2", f"{action.kind}: {stage.name_of(receipt)}, and {refusal} in a pause")


def _reduces(state: State, account: bytes, market: int, change: int) -> bool:
    size = state.accounts.get(account, NO_HOLDING).held(market).size
    return (size > 0) != (change > 0) and abs(change) <= abs(size)
