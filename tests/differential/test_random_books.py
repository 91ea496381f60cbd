"""A thousand random books: `ADLEngine.ranking`, the mirror and `backstop rank` agree in order and value, to the wei.

The mirror and the command see a book through the lens, the command as a snapshot file. What `rank` shows beside the
score is held against the contracts' own equities, margin requirements and prices.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backstop.account_id import account_text
from backstop.adl.ranking import Ranked, rank
from backstop.adl.snapshot import Account, MarginMode, Position, Side
from backstop.adl.snapshot_file import dumps
from backstop.chain.bindings import Function
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_chain
from backstop.math.wad import INT256_MAX, WAD
from scripts.stage.venue import rpc_url
from tests.keeper.command import Done, backstop, backstop_inside

from . import extremes
from .harness import Harness
from .random_books import Book, draw, draw_reflected
from .table import Reading, State, Table, build

BOOKS, BATCH = 1000, 100
REFLECTED = 50
STANDING = 4
BANKRUPTCY_PRICE = Function("bankruptcyPrice(int256,int256,uint256)", "int256")
LIQUIDATION_PRICE = Function("liquidationPrice(int256,int256,uint256)", "int256")
AMOUNTS = {"contracts", "leveragedReturn", "unrealizedPnl", "marginRatio", "bankruptcyPrice", "liquidationPrice"}
EXACT = Context(prec=100)

# What the books have to come to, or they would prove little.
MEANT = (
    "E = 0",
    "E = 1 wei",
    "E = MM",
    "E = MM + 1 wei",
    "E = MM - 1 wei",
    "a gain that rounds to no score",
    "a loss that does not divide",
    "a score one wei below the next",
    "a tie",
    "a tie at the saturated score",
    "a tie of different sizes",
    "at mark",
    "bankrupt",
    "bankruptcy price below zero",
    "equal entries",
    "flat",
    "gaining",
    "largest margin",
    "largest price",
    "largest size",
    "light 1",
    "light 2",
    "light 3",
    "light 4",
    "light 5",
    "losing",
    "margin below zero",
    "margin rate of one wei",
    "nearly bankrupt",
    "no liquidation price",
    "price of one wei",
    "queue of none",
    "queue of one",
    "queue of ten or more",
    "saturated",
    "size of one wei",
    "smallest size",
    "without an entry",
)

REACHED: Counter[str] = Counter()

Place = dict[str, Any]


@pytest.fixture(scope="module")
def table(owner: Any) -> Table:
    """A system of its own."""
    return build(owner)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where snapshots are written, one over the other."""
    return tmp_path_factory.mktemp("books") / "book.json"


@pytest.mark.parametrize("first", range(0, BOOKS, BATCH))
def test_contracts_mirror_and_command_agree(first: int, table: Table, harness: Harness, file: Path) -> None:
    for number in range(first, first + BATCH):
        book = draw(f"book {number}", table.market.id)
        with named(book):
            reading = table.imagine(book)
            queues = check_agreement(table, harness, file, book, reading)
            count(book, reading, queues)
        REACHED["book"] += 1


@pytest.mark.parametrize("number", range(REFLECTED))
def test_reflected_book_has_the_reflected_queues(number: int, table: Table, harness: Harness, file: Path) -> None:
    """Longs for shorts and prices reflected: the same order, with the same scores, equities and requirements."""
    readings = []
    for book in draw_reflected(f"reflected book {number}", table.market.id):
        with named(book):
            readings.append(table.imagine(book))
            check_agreement(table, harness, file, book, readings[-1])
    straight, turned = readings
    assert any(straight.queues.values())
    for side in Side:
        meant = [(replace(one, size=-one.size, entry=-one.entry), score) for one, score in straight.queues[side]]
        assert turned.queues[side.opposite] == meant, f"reflected book {number}"


@pytest.mark.parametrize("number", range(STANDING))
def test_agreement_where_nothing_is_imagined(number: int, table: Table, harness: Harness, file: Path) -> None:
    """The chain itself is written to; `backstop snapshot` reads it, and `backstop rank` is a process of its own."""
    drawn = (draw(f"standing book {number} {attempt}", table.market.id) for attempt in range(1000))
    book = next(book for book in drawn if len(book.holdings) > 10)
    chain = Endpoint(rpc_url())
    with named(book):
        imagined = table.imagine(book)
        for address, words in table.storage(book).items():
            for slot, stored in words.items():
                chain.request("anvil_setStorageAt", address, f"0x{slot:064x}", f"0x{stored:064x}")
        assert table.read(chain, book) == imagined
        record = file.with_name("deployment.json")
        table.deployment.save(record)
        read = backstop_inside("snapshot", "--rpc", rpc_url(), "--deployment", record, "-o", file)
        assert read.status == 0, read
        for side in Side:
            done = backstop("rank", file, "--market", table.market.name, "--side", side, "--json")
            assert printed(done) == places(table, harness, book, side, imagined)


def test_everything_was_reached() -> None:
    """Ties, losers, the bankrupt, extremes: the books came to all of it."""
    if REACHED["book"] != BOOKS:
        pytest.skip("only some of the books were laid out")
    told = "\n".join(f"{number:6}  {name}" for name, number in sorted(REACHED.items()))
    print(told)
    assert [name for name in MEANT if not REACHED[name]] == [], told


@contextmanager
def named(book: Book) -> Iterator[None]:
    """Whatever fails in the block names the book, so that it can be drawn again."""
    try:
        yield
    except Exception as fault:
        fault.add_note(f"in the book of seed {book.seed!r}")
        raise


# ------------------------------------------------------------------ the mirror and the command


def check_agreement(table: Table, harness: Harness, file: Path, book: Book, reading: Reading) -> list[Place]:
    """What the contracts say, `rank` finds in the snapshot of the imagined chain, and `backstop rank` in its file.

    The places in both queues are returned.
    """
    snapshot = read_chain(table.chain, table.deployment).snapshot
    name = table.market.name
    assert snapshot.markets[name].mark_price == book.mark
    assert snapshot.accounts == tuple(
        Account(
            account_text(one.account),
            MarginMode.ISOLATED,
            one.margin,
            (Position(name, one.size, one.entry),) if one.size else (),
        )
        for one in book.holdings
        if one.size or one.margin
    )
    file.write_text(dumps(snapshot), encoding="utf-8")
    agreed = []
    for side in Side:
        meant = places(table, harness, book, side, reading)
        assert [mirrored(place) for place in rank(snapshot, name, side)] == meant
        assert printed(backstop_inside("rank", file, "--market", name, "--side", side, "--json")) == meant
        agreed += meant
    return agreed


def places(table: Table, harness: Harness, book: Book, side: Side, reading: Reading) -> list[Place]:
    """The queue of a side as `backstop rank` is to show it, in wei, from what the contracts say."""
    queue = reading.queues[side]
    bankruptcy = harness.ask(BANKRUPTCY_PRICE, [(one.size, one.entry - one.margin, book.mark) for one, _ in queue])
    liquidation = harness.ask(
        LIQUIDATION_PRICE, [(one.size, one.entry - one.margin, book.maintenance_fraction) for one, _ in queue]
    )
    total = sum(abs(one.size) for one, _ in queue)
    ahead = 0
    meant = []
    for (one, score), bankrupt_at, liquidated_at in zip(queue, bankruptcy, liquidation, strict=True):
        assert bankrupt_at is not None
        assert liquidated_at is not None
        middle = Fraction(2 * ahead + abs(one.size), 2 * total)
        ahead += abs(one.size)
        meant.append(
            {
                "account": account_text(one.account),
                "market": table.market.name,
                "side": side.value,
                "contracts": abs(one.size),
                "adlRank": len(meant) + 1,
                "adlLight": int(5 * middle) + 1,
                "leveragedReturn": score,
                "unrealizedPnl": one.equity - one.margin,
                "marginRatio": max(1, one.requirement * WAD // one.equity),
                "bankruptcyPrice": bankrupt_at[0],
                "liquidationPrice": liquidated_at[0] if liquidated_at[0] > 0 else None,
            }
        )
    return meant


def mirrored(place: Ranked) -> Place:
    """A place as the mirror has it, by the names of the document."""
    fields = asdict(place) | {"side": place.side.value}
    return {re.sub("_(.)", lambda found: found[1].upper(), name): value for name, value in fields.items()}


def printed(done: Done) -> list[Place]:
    """What the command printed, its amounts in wei."""
    assert (done.status, done.err) == (0, "")
    return [
        {key: wei(value) if key in AMOUNTS and value is not None else value for key, value in place.items()}
        for place in done.document
    ]


def wei(text: str) -> int:
    """A decimal amount exactly, read by other means than the project's own."""
    amount = Decimal(text).scaleb(18, EXACT)
    assert amount == int(amount)
    return int(amount)


# ------------------------------------------------------------------ what the books came to


def count(book: Book, reading: Reading, queues: list[Place]) -> None:
    """Notes what there is in a book, by what the contracts make of it."""
    note("price of one wei", book.mark == 1)
    note("largest price", book.mark == extremes.PRICE_MAX)
    for place in queues:
        note(f"light {place['adlLight']}", True)
        note("bankruptcy price below zero", place["bankruptcyPrice"] < 0)
        note("no liquidation price", place["liquidationPrice"] is None)
    for one in reading.states:
        note("flat", one.size == 0)
        if one.size:
            _count_position(one)
    for queue in reading.queues.values():
        note("queue of none", not queue)
        note("queue of one", len(queue) == 1)
        note("queue of ten or more", len(queue) >= 10)
        for one, score in queue:
            _count_candidate(one, score)
        for (one, score), (other, lower) in pairwise(queue):
            note("a score one wei below the next", score - lower == 1)
            note("a tie", score == lower)
            note("a tie of different sizes", score == lower != 0 and one.size != other.size)
            note("a tie at the saturated score", score == lower == INT256_MAX)
            note("equal entries", one.entry * other.size == other.entry * one.size != 0 and one.size != other.size)


def _count_position(one: State) -> None:
    note("largest size", one.size == extremes.INT112_MAX)
    note("smallest size", one.size == extremes.INT112_MIN)
    note("size of one wei", abs(one.size) == 1)
    note("largest margin", one.margin == extremes.INT112_MAX)
    note("margin below zero", one.margin < 0)
    note("bankrupt", one.equity < 0)
    note("nearly bankrupt", 0 < 1000 * one.equity <= one.requirement)
    note("E = 0", one.equity == 0)
    note("E = 1 wei", one.equity == 1)
    for beside, name in ((-1, "E = MM - 1 wei"), (0, "E = MM"), (1, "E = MM + 1 wei")):
        note(name, one.equity == one.requirement + beside > 1)


def _count_candidate(one: State, score: int) -> None:
    gain = one.equity - one.margin
    rate = one.requirement * WAD // one.equity
    note("gaining", gain > 0)
    note("losing", gain < 0)
    note("at mark", gain == 0)
    note("without an entry", one.entry == 0 != gain)
    note("margin rate of one wei", rate == 0)
    note("saturated", score == INT256_MAX)
    note("a gain that rounds to no score", gain > 0 == score and one.entry != 0)
    note("a loss that does not divide", score < 0 and gain * WAD % one.entry != 0)


def note(name: str, so: bool) -> None:
    """Counts what was come to."""
    REACHED[name] += so
