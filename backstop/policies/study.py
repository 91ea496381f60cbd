"""The policies side by side on the books of the event: on the same accounts, closing the same for the same amount."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backstop.cluster import Map, here
from backstop.math.wad import WAD
from backstop.policies.allocation import Policy
from backstop.policies.measures import BookResult, ExactRound, Probe, exact_round, measure
from backstop.policies.october import USERS, Event
from backstop.policies.population import Book, draw_books

Floats = NDArray[np.float64]

PROBED_BOOKS = 60  # in which accounts try to split and to dodge: those that needed most
CALL = 500  # counterparties that a keeper lists in one call
BLOCK_GAS = 30_000_000
_CHUNK = 20  # books of one task
_TOP = (1, 10, 100)
_LEVELS = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Gas:
    """What a round costs: the first counterparty with everything around it, and each one more."""

    first: int
    marginal: int

    def of(self, counterparties: int) -> int:
        """Of a book, in calls of at most 500."""
        if counterparties == 0:
            return 0
        calls = -(-counterparties // CALL)
        return calls * self.first + (counterparties - calls) * self.marginal


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying not to pay: tries, the median part saved and the most, how often anything was saved.

    `times_cost` is the median of what was saved over what it cost; None where it costs nothing.
    """

    tries: int
    median_saved: float
    most_saved: float
    successes: int
    times_cost: float | None


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """A policy over all books. Parts as fractions; `given` and `needed` USD.

    `haircuts` and `equity_lost`, the part of the gain and of the equity that whoever was hit gave up, sorted; of a
    position without a gain there is no haircut, and `hit_without_gain` counts those. `top` is what the users that gave
    up most gave up of all, by how many they are; `by_user` what each gave up, the most first. `leverage` is that of
    what was closed, by value; `gas` by estimate and `blocks` full of it.
    """

    policy: Policy
    needed: float
    given: float
    accounts: int
    hit: int
    hit_without_gain: int
    haircuts: Floats
    equity_lost: Floats
    top: dict[int, float]
    by_user: Floats
    leverage: float
    gas: int
    blocks: int
    equal_split: Tried
    thin_split: Tried
    dodge: Tried

    def haircut_at(self, level: float) -> float:
        """A quantile of the haircuts, by accounts that were hit."""
        return float(np.quantile(self.haircuts, level))


@dataclass(frozen=True, slots=True)
class WaveResult:
    """A wave: what was needed, what the venue took and what the queue takes, exactly; contracts are of many coins."""

    number: int
    needed: float
    taken_by_venue: float
    given: float
    rounds: int
    counterparties: int
    gas: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Study:
    """Everything of a report. `rounds` are the queue's, by book and exact; `leverage` is that of all that was held."""

    event: Event
    seed: int
    gas: Gas
    books: tuple[Book, ...]
    rounds: tuple[ExactRound, ...]
    waves: tuple[WaveResult, ...]
    policies: tuple[PolicyResult, ...]
    held: dict[int, float]
    leverage: float

    @property
    def given_over_needed(self) -> float:
        """Of the queue, over all books."""
        return sum(one.given for one in self.rounds) / sum(one.needed for one in self.rounds)


@dataclass(frozen=True, slots=True)
class _Task:
    books: tuple[Book, ...]
    probes: tuple[bool, ...]


def study(event: Event, seed: int, gas: Gas, run: Map = here) -> Study:
    """Draws the books and measures every policy on them; `run` says where. The seed alone decides the result."""
    books = tuple(draw_books(event.rows, seed))
    by_need = sorted(range(len(books)), key=lambda place: -books[place].row.needed)
    probed = set(by_need[:PROBED_BOOKS])
    tasks = [
        _Task(books[begin : begin + _CHUNK], tuple(begin + number in probed for number in range(_CHUNK)))
        for begin in range(0, len(books), _CHUNK)
    ]
    rounds: list[ExactRound] = []
    results: dict[Policy, list[BookResult]] = {policy: [] for policy in Policy}
    for exact, measured in run(_measure, tasks):
        rounds += exact
        for policy, found in measured.items():
            results[policy] += found
    return Study(
        event=event,
        seed=seed,
        gas=gas,
        books=books,
        rounds=tuple(rounds),
        waves=_waves(event, books, rounds, gas),
        policies=tuple(_summed(policy, books, results[policy], gas) for policy in Policy),
        held=_held(books),
        leverage=_leverage(results[Policy.QUEUE], held=True),
    )


def _measure(task: _Task) -> tuple[list[ExactRound], dict[Policy, list[BookResult]]]:
    books = list(zip(task.books, task.probes, strict=False))
    return [exact_round(book) for book, _ in books], {
        policy: [measure(book, policy, probe=probe) for book, probe in books] for policy in Policy
    }


def _summed(policy: Policy, books: Iterable[Book], results: list[BookResult], gas: Gas) -> PolicyResult:
    given = np.concatenate([one.paid.given for one in results])
    gain = np.concatenate([one.paid.gain for one in results])
    equity = np.concatenate([one.paid.equity for one in results])
    users = np.concatenate([book.users for book in books])
    hit, gains = given > 0, gain > 0
    by_user: Floats = np.sort(np.bincount(users, given, USERS + 1).astype(np.float64))[::-1]
    spent = [gas.of(int(np.count_nonzero(one.paid.given > 0))) for one in results]
    return PolicyResult(
        policy=policy,
        needed=sum(book.row.needed for book in books) / WAD,
        given=float(given.sum()),
        accounts=len(given),
        hit=int(np.count_nonzero(hit)),
        hit_without_gain=int(np.count_nonzero(hit & ~gains)),
        haircuts=np.sort(given[hit & gains] / gain[hit & gains]),
        equity_lost=np.sort(given[hit] / equity[hit]),
        top={count: float(by_user[:count].sum() / given.sum()) for count in _TOP},
        by_user=by_user[by_user > 0],
        leverage=_leverage(results, held=False),
        gas=sum(spent),
        blocks=_blocks(sum(spent)),
        equal_split=_tried([probe for one in results for probe in one.equal]),
        thin_split=_tried([probe for one in results for probe in one.thin]),
        dodge=_tried([probe for one in results for probe in one.dodge]),
    )


def _leverage(results: list[BookResult], *, held: bool) -> float:
    """Value over equity, by value; of what was given up for, or of all."""
    leverage = np.concatenate([one.paid.leverage for one in results])
    equity = np.concatenate([one.paid.equity for one in results])
    weights = leverage * equity if held else np.concatenate([one.paid.given for one in results])
    solvent = equity > 0
    return float(np.average(leverage[solvent], weights=weights[solvent]))


def _tried(probes: list[Probe]) -> Tried:
    if not probes:
        return Tried(0, 0.0, 0.0, 0, None)
    saved = np.array([1 - probe.after / probe.before for probe in probes])
    costs = [(probe.before - probe.after) / probe.cost for probe in probes if probe.cost > 0]
    return Tried(
        tries=len(probes),
        median_saved=float(np.median(saved)),
        most_saved=float(saved.max()),
        successes=int(np.count_nonzero(saved > 1e-6)),
        times_cost=float(np.median(costs)) if costs else None,
    )


def _waves(event: Event, books: tuple[Book, ...], rounds: list[ExactRound], gas: Gas) -> tuple[WaveResult, ...]:
    found = []
    for wave in event.waves:
        own = [done for book, done in zip(books, rounds, strict=True) if book.row.wave == wave.number]
        spent = sum(gas.of(one.counterparties) for one in own)
        found.append(
            WaveResult(
                number=wave.number,
                needed=sum(one.needed for one in own) / WAD,
                taken_by_venue=wave.taken,
                given=sum(one.given for one in own) / WAD,
                rounds=len(own),
                counterparties=sum(one.counterparties for one in own),
                gas=spent,
                blocks=_blocks(spent),
            )
        )
    return tuple(found)


def _blocks(gas: int) -> int:
    return -(-gas // BLOCK_GAS)


def _held(books: tuple[Book, ...]) -> dict[int, float]:
    """What part of all value the largest users of the population hold."""
    users = np.concatenate([book.users for book in books])
    value = np.concatenate(
        [[-one.positions[0].size / WAD * (book.mark / WAD) for one in book.snapshot.accounts] for book in books]
    )
    by_user = np.sort(np.bincount(users, value, USERS + 1))[::-1]
    return {count: float(by_user[:count].sum() / value.sum()) for count in _TOP}
