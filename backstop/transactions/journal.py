"""The journal: what was meant to be sent, and every transaction signed for it, written before a node sees any.

Each method is one committed database transaction: what it has returned from is there after a crash.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from backstop.errors import JournalError
from backstop.transactions.fees import DAY, Fees
from backstop.transactions.schema import IN_MEMORY, attempts, brief, intents, open_engine, shown
from backstop.transactions.signers import Signed

KEPT = 7 * DAY  # chain time for which what is settled is kept
_PRUNED_AT_ONCE = 200
_LONGEST_NAME, _LONGEST_REASON = 200, 500


class State(StrEnum):
    """Where an intent stands."""

    PLANNED = "planned"  # nothing is signed
    SIGNED = "signed"  # a raw transaction is in the journal, and perhaps with a node
    BROADCAST = "broadcast"  # a node has taken it
    MINED = "mined"
    FINAL = "final"
    FAILED = "failed"  # mined, and reverted
    DROPPED = "dropped"  # not mined, and not sent any more
    LOST = "lost"  # the same, of one that was mined before a reorganisation
    CANCELLED = "cancelled"  # an empty transaction was mined in its place


OPEN = (State.SIGNED, State.BROADCAST)
_SPENT = (State.MINED, State.FINAL, State.FAILED, State.CANCELLED)
_GIVEN_UP = (State.DROPPED, State.LOST)


@dataclass(frozen=True, slots=True)
class Intent:
    """One call that is to happen once. Times are chain time, but `planned_wall`; `cost` in wei."""

    id: int
    chain_id: int
    sender: str
    to: str
    data: bytes
    name: str
    gas: int
    state: State
    reason: str
    planned_at: int
    planned_wall: float
    nonce: int | None
    mined_hash: str | None
    mined_block: int | None
    mined_block_hash: str | None
    mined_at: int | None
    cost: int | None
    was_mined: bool
    is_settled: bool
    passed_block: int | None  # the head at which its nonce was first seen to be taken, and has been since

    @property
    def is_open(self) -> bool:
        """Whether something of it is signed, and not mined."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Attempt:
    """A signed transaction of an intent. `cancels`: an empty one in its place."""

    id: int
    intent: int
    nonce: int
    hash: str
    raw: bytes
    gas: int
    max_fee: int
    tip: int
    cancels: bool
    signed_block: int
    signed_at: int
    broadcast_wall: float | None

    @property
    def fees(self) -> Fees:
        """What it offers."""
        return Fees(self.max_fee, self.tip)


@dataclass(frozen=True, slots=True)
class Mined:
    """Where an attempt was mined, what that cost in wei, and whether it reverted."""

    hash: str
    block: int
    block_hash: str
    at: int
    cost: int
    succeeded: bool


class Journal:
    """All intents of a database; a sender asks for those of its chain and key."""

    def __init__(self, place: str = IN_MEMORY, *, create: bool = True) -> None:
        self._engine = open_engine(place, create=create)
        self.name = shown(self._engine.url)

    @property
    def url(self) -> sa.URL:
        """Of its database, the password included."""
        return self._engine.url

    def close(self) -> None:
        """Lets the database go."""
        self._engine.dispose()

    # ------------------------------------------------------------------ reading

    def all(self, *, only_open: bool = False, last: int | None = None) -> list[Intent]:
        """Every intent of everybody, or the `last` of them, the oldest first."""
        query = sa.select(intents).order_by(intents.c.id.desc()).limit(last)
        found = self._intents(query.where(intents.c.state.in_((*OPEN, State.PLANNED))) if only_open else query)
        return found[::-1]

    def intent(self, number: int) -> Intent:
        """One intent. Raises JournalError where there is none."""
        found = self._intents(sa.select(intents).where(intents.c.id == number))
        if not found:
            raise JournalError(f"the journal {self.name} has no transaction {number}")
        return found[0]

    def attempts(self, intent: int) -> list[Attempt]:
        """What was signed for an intent, the oldest first."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(attempts).where(attempts.c.intent == intent).order_by(attempts.c.id)
            ).mappings()
            return [Attempt(**row) for row in rows]

    def of(self, chain_id: int, sender: str, states: Sequence[State]) -> list[Intent]:
        """The intents of a key in some states, by nonce; of which something may still become."""
        query = self._of(chain_id, sender).where(~intents.c.is_settled, intents.c.state.in_(states))
        return self._intents(query.order_by(intents.c.nonce, intents.c.id))

    def unsettled(self, chain_id: int, sender: str) -> list[Intent]:
        """Those of which something may still become, by nonce: open, mined and not final, given up and not certain."""
        query = self._of(chain_id, sender).where(~intents.c.is_settled, intents.c.nonce.is_not(None))
        return self._intents(query.order_by(intents.c.nonce, intents.c.id))

    def next_nonce(self, chain_id: int, sender: str) -> int:
        """The first nonce after all that are mined or open."""
        with self._begin() as connection:
            highest = connection.execute(_highest(chain_id, sender)).scalar()
        return 0 if highest is None else int(highest) + 1

    def offered(self, chain_id: int, sender: str, nonce: int) -> Fees | None:
        """The most that was offered for a nonce by what a node has taken: whatever replaces that offers more."""
        query = (
            sa.select(attempts.c.max_fee, attempts.c.tip)
            .join(intents)
            .where(
                intents.c.chain_id == chain_id,
                intents.c.sender == sender,
                intents.c.nonce == nonce,
                attempts.c.broadcast_wall.is_not(None),
            )
        )
        with self._begin() as connection:
            rows = connection.execute(query).all()
        return Fees(max(row.max_fee for row in rows), max(row.tip for row in rows)) if rows else None

    def spent(self, chain_id: int, sender: str, since: int) -> int:
        """Wei that what was mined after a moment of chain time has cost, and what may still be mined costs at most."""
        return self.paid(chain_id, sender, since) + sum(self.reserved(chain_id, sender).values())

    def paid(self, chain_id: int, sender: str, since: int) -> int:
        """Wei that what was mined after a moment of chain time has cost."""
        query = sa.select(intents.c.cost).where(
            intents.c.chain_id == chain_id,
            intents.c.sender == sender,
            intents.c.mined_at > since,
        )
        with self._begin() as connection:
            return sum(int(cost) for cost in connection.execute(query).scalars() if cost is not None)

    def reserved(self, chain_id: int, sender: str) -> dict[int, int]:
        """Wei that a nonce may still cost: the most that was signed for it, given up or not, by what is not settled.

        At most one transaction of a nonce is mined: where one of the journal is, its cost is known instead.
        """
        query = (
            sa.select(intents.c.nonce, intents.c.state, attempts.c.gas, attempts.c.max_fee)
            .join(attempts)
            .where(intents.c.chain_id == chain_id, intents.c.sender == sender, ~intents.c.is_settled)
        )
        with self._begin() as connection:
            rows = connection.execute(query).all()
        mined = {row.nonce for row in rows if row.state in _SPENT}
        most: dict[int, int] = {}
        for row in rows:
            if row.nonce not in mined:
                most[row.nonce] = max(most.get(row.nonce, 0), row.gas * row.max_fee)
        return most

    # ------------------------------------------------------------------ writing

    def plan(self, chain_id: int, sender: str, to: str, data: bytes, *, name: str, gas: int, at: int) -> Intent:
        """A new intent, of which nothing is signed."""
        with self._begin() as connection:
            made = connection.execute(
                intents.insert().values(
                    chain_id=chain_id,
                    sender=sender,
                    to=to,
                    data=data,
                    name=name[:_LONGEST_NAME],
                    gas=gas,
                    state=State.PLANNED,
                    planned_at=at,
                    planned_wall=time.time(),
                )
            ).inserted_primary_key
        return self.intent(int(made[0]))  # type: ignore[index]  # an insert of one row has one

    def sign(
        self,
        intent: int,
        nonce: int,
        signed: Signed,
        fees: Fees,
        *,
        gas: int,
        cancels: bool,
        block: int,
        at: int,
        instead: int | None = None,
    ) -> Attempt:
        """A signed transaction of a planned or open intent. Raises JournalError where another intent has the nonce.

        `instead` is an open intent with that nonce which gives way: it is dropped in the same commit, and still looked
        for.
        """
        try:
            with self._begin() as connection:
                if instead is not None:
                    connection.execute(
                        intents.update()
                        .where(intents.c.id == instead, intents.c.state.in_(OPEN))
                        .values(
                            state=sa.case((intents.c.was_mined, State.LOST), else_=State.DROPPED),
                            reason=f"preempted by transaction {intent}",
                        )
                    )
                done = connection.execute(
                    intents.update()
                    .where(intents.c.id == intent, intents.c.state.in_((State.PLANNED, *OPEN)))
                    .values(
                        nonce=nonce,
                        state=sa.case((intents.c.state == State.PLANNED, State.SIGNED), else_=intents.c.state),
                    )
                )
                if done.rowcount != 1:
                    raise JournalError(f"transaction {intent} of the journal is closed: another process did that")
                made = connection.execute(
                    attempts.insert().values(
                        intent=intent,
                        nonce=nonce,
                        hash=signed.hash,
                        raw=signed.raw,
                        gas=gas,
                        max_fee=fees.max_fee,
                        tip=fees.tip,
                        cancels=cancels,
                        signed_block=block,
                        signed_at=at,
                    )
                ).inserted_primary_key
        except sa.exc.IntegrityError:
            raise JournalError(
                f"the journal {self.name} has another open transaction with nonce {nonce}: is the key used twice?"
            ) from None
        number = int(made[0])  # type: ignore[index]
        return next(one for one in self.attempts(intent) if one.id == number)

    def broadcast(self, attempt: Attempt) -> None:
        """A node has taken an attempt."""
        with self._begin() as connection:
            connection.execute(attempts.update().where(attempts.c.id == attempt.id).values(broadcast_wall=time.time()))
            connection.execute(
                intents.update()
                .where(intents.c.id == attempt.intent, intents.c.state == State.SIGNED)
                .values(state=State.BROADCAST)
            )

    def mine(self, intent: int, mined: Mined, *, cancels: bool) -> None:
        """An attempt is in a block."""
        done = State.MINED if mined.succeeded else State.FAILED
        self._update(
            intent,
            state=State.CANCELLED if cancels else done,
            mined_hash=mined.hash,
            mined_block=mined.block,
            mined_block_hash=mined.block_hash,
            mined_at=mined.at,
            cost=mined.cost,
            was_mined=True,
            passed_block=None,
            reason="",
        )

    def reopen(self, intent: int) -> None:
        """The block is not canonical any more: it is open again, or lost where its nonce has another one by now."""
        nowhere = {"mined_hash": None, "mined_block": None, "mined_block_hash": None, "mined_at": None, "cost": None}
        try:
            self._update(intent, state=State.BROADCAST, **nowhere)
        except sa.exc.IntegrityError:
            self._update(intent, state=State.LOST, **nowhere)

    def settle(self, intent: Intent) -> None:
        """Nothing more can become of it."""
        self._update(intent.id, state=State.FINAL if intent.state is State.MINED else intent.state, is_settled=True)

    def give_up(self, intent: Intent, reason: str) -> State:
        """It is not sent any more; where it was signed it is still looked for. The state that it is in then."""
        state = State.LOST if intent.was_mined else State.DROPPED
        self._update(intent.id, state=state, reason=reason[:_LONGEST_REASON], is_settled=intent.nonce is None)
        return state

    def passed(self, intent: int, block: int | None) -> None:
        """At which head its nonce was first seen to be taken; None where it is free again."""
        self._update(intent, passed_block=block)

    def note(self, intent: int, reason: str) -> None:
        """Why it failed."""
        self._update(intent, reason=reason[:_LONGEST_REASON])

    def prune(self, chain_id: int, sender: str) -> int:
        """Forgets what is settled and older than `KEPT` before the newest of the key, a few at a time; how many.

        Budgets look back a day, and the highest nonce says which is next: neither is forgotten.
        """
        of_key = (intents.c.chain_id == chain_id, intents.c.sender == sender)
        newest = sa.select(sa.func.max(intents.c.planned_at)).where(*of_key)
        with self._begin() as connection:
            before = (connection.execute(newest).scalar() or 0) - KEPT
            if before <= 0:
                return 0
            highest = connection.execute(_highest(chain_id, sender)).scalar()
            found = (
                sa.select(intents.c.id)
                .where(
                    *of_key,
                    intents.c.planned_at < before,
                    intents.c.is_settled,
                    sa.or_(intents.c.mined_at.is_(None), intents.c.mined_at < before),
                    sa.or_(intents.c.nonce.is_(None), intents.c.nonce != highest),
                )
                .order_by(intents.c.planned_at)
                .limit(_PRUNED_AT_ONCE)
            )
            old = list(connection.execute(found).scalars())
            if old:
                connection.execute(attempts.delete().where(attempts.c.intent.in_(old)))
                connection.execute(intents.delete().where(intents.c.id.in_(old)))
        return len(old)

    # ------------------------------------------------------------------ the database

    def _of(self, chain_id: int, sender: str) -> sa.Select[Any]:
        return sa.select(intents).where(intents.c.chain_id == chain_id, intents.c.sender == sender)

    def _intents(self, query: sa.Select[Any]) -> list[Intent]:
        with self._begin() as connection:
            rows = connection.execute(query).mappings().all()
        return [Intent(**row | {"state": State(row["state"])}) for row in map(dict, rows)]

    def _update(self, intent: int, **values: Any) -> None:
        with self._begin() as connection:
            connection.execute(intents.update().where(intents.c.id == intent).values(**values))

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise
        except sa.exc.SQLAlchemyError as fault:
            raise JournalError(f"the journal {self.name}: {brief(fault)}") from None


def _highest(chain_id: int, sender: str) -> sa.Select[Any]:
    """The highest nonce of what is mined or open."""
    return (
        sa.select(intents.c.nonce)
        .where(
            intents.c.chain_id == chain_id,
            intents.c.sender == sender,
            intents.c.nonce.is_not(None),
            intents.c.state.in_((*OPEN, *_SPENT)),
        )
        .order_by(intents.c.nonce.desc())
        .limit(1)
    )
