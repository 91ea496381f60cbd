"""How fast a side with up to a million positions is put in order: the engine, plain Python, a float sort in pandas.

Each way runs in a process of its own over the same positions, so that its memory can be told; the orders that they
find are compared. What is drawn is like a venue in use: prices on a tick, margins to a token's unit.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Account, MarginMode, Market, Position, Side, Snapshot
from backstop.math.wad import WAD
from backstop.ranking import RankingEngine

SIZES = (10_000, 100_000, 1_000_000)
KINDS = {
    "isolated": "isolated accounts",
    "cross": "cross accounts, each with a leg elsewhere",
    "ties": "isolated accounts on a grid, most of them tied",
}
MOST_SECONDS, LEAST_TIMES, MOST_MEMORY = 1.0, 20, 2**30  # of a million positions, at a new mark
_TICK = WAD // 100
_UNIT = 10**12  # of a token with six decimals
_MARKS = (80 * WAD, 81 * WAD + 37 * _TICK, 79 * WAD + 11 * _TICK, 80 * WAD + _TICK)
_CHANGED = 100  # accounts that are other after a block
_Order: TypeAlias = NDArray[np.int64]


def draw(kind: str, count: int) -> Iterator[Account]:
    """Accounts, each short in one market."""
    draws = Random(f"{kind} {count}")
    for _ in range(count):
        size = draws.randrange(1, 10**6) * WAD // 1000
        entry = size * (draws.randrange(6000, 10_000) * _TICK) // WAD
        leverage = draws.choice((2, 3, 5, 10, 20, 50))
        margin = entry // leverage
        legs = [Position("ETH", -size, -entry)]
        if kind != "ties":
            margin = margin * draws.randrange(100, 150) // 100 // _UNIT * _UNIT
        if kind == "cross":
            other = draws.choice((1, -1)) * draws.randrange(1, 10**4) * WAD // 1000
            legs.append(Position("BTC", other, other * (draws.randrange(70_000, 90_000) * _TICK) // WAD))
        mode = MarginMode.CROSS if kind == "cross" else MarginMode.ISOLATED
        yield Account(f"0x{draws.getrandbits(256):064x}", mode, margin, tuple(legs))


def _markets(mark: int) -> dict[str, Market]:
    return {name: _market(name, price) for name, price in (("ETH", mark), ("BTC", 800 * WAD))}


def _market(name: str, mark: int) -> Market:
    share = WAD * 3 // 10
    return Market(name, mark, WAD // 20, "main", share, share, share, False, 0, 0)


def rank_by_engine(accounts: Iterator[Account]) -> tuple[dict[str, Any], list[_Order]]:
    """Loads the columns, and ranks as the mark moves; then changes a hundred accounts, as a block may."""
    started = time.perf_counter()
    engine = RankingEngine(_markets(_MARKS[0]), accounts)
    loaded = time.perf_counter() - started
    seconds, orders, first = [], [], 0.0
    for place, mark in enumerate(_MARKS):
        engine.move_marks({"ETH": mark})
        started = time.perf_counter()
        queue = engine.queue("ETH", Side.SHORT)
        taken = time.perf_counter() - started
        if place == 0:
            first = taken
        else:
            seconds.append(taken)
        orders.append(queue.rows.copy())
    changed = [queue[place].account for place in range(0, len(queue), max(1, len(queue) // _CHANGED))]
    started = time.perf_counter()
    engine.update(Account(one.id, one.margin_mode, one.margin + WAD, one.positions) for one in changed)
    engine.queue("ETH", Side.SHORT)
    return {"load": loaded, "first": first, "seconds": seconds, "update": time.perf_counter() - started}, orders


def rank_by_python(accounts: Iterator[Account]) -> tuple[dict[str, Any], list[_Order]]:
    """The definition: every position scored, and sorted."""
    held = tuple(accounts)
    places = _places(held)
    seconds, orders = [], []
    for mark in _MARKS:
        snapshot = Snapshot(None, _markets(mark), {}, held)
        started = time.perf_counter()
        book = score_sides(snapshot, [("ETH", Side.SHORT)])["ETH", Side.SHORT]
        seconds.append(time.perf_counter() - started)
        orders.append(np.array([places[one.account.id] for one in book.ranked], np.int64))
        del book
    return {"seconds": seconds[1:]}, orders


def rank_by_pandas(accounts: Iterator[Account]) -> tuple[dict[str, Any], list[_Order]]:
    """What one would write at first: doubles, and sort_values."""
    held = tuple(accounts)
    places = _places(held)
    rows = [
        (places[one.id], one.margin / WAD, one.positions[0].size / WAD, one.positions[0].entry_notional / WAD, *other)
        for one in held
        for other in [(leg.size / WAD, leg.entry_notional / WAD) for leg in one.positions[1:]] or [(0.0, 0.0)]
    ]
    frame = pd.DataFrame(rows, columns=["place", "margin", "size", "entry", "otherSize", "otherEntry"])
    del held, rows
    seconds, orders = [], []
    for mark in _MARKS:
        started = time.perf_counter()
        ranked = _float_order(frame, mark / WAD, 800.0)
        seconds.append(time.perf_counter() - started)
        orders.append(ranked.to_numpy(np.int64))
    return {"seconds": seconds[1:]}, orders


def _float_order(frame: pd.DataFrame, mark: float, other: float) -> pd.Series[int]:
    gain = frame["size"] * mark - frame["entry"]
    equity = frame["margin"] + gain + frame["otherSize"] * other - frame["otherEntry"]
    required = (frame["size"].abs() * mark + frame["otherSize"].abs() * other) * 0.05
    rate = required / equity
    profit = gain / frame["entry"].abs()
    scored = frame[["place"]].assign(score=(profit * rate).where(gain > 0, profit / rate))[equity > 0]
    return scored.sort_values(["score", "place"], ascending=[False, True])["place"]


def _places(held: tuple[Account, ...]) -> dict[str, int]:
    """By id, ascending: what the engine calls a row."""
    return {each: place for place, each in enumerate(sorted(one.id for one in held))}


WAYS: dict[str, Callable[[Iterator[Account]], tuple[dict[str, Any], list[_Order]]]] = {
    "engine": rank_by_engine,
    "python": rank_by_python,
    "pandas": rank_by_pandas,
}


def measure_ranking(sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """For each kind and size: seconds of each way at a new mark, its memory's peak, and its order's faults."""
    return [_measure(kind, count) for kind in KINDS for count in sizes]


def _measure(kind: str, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": kind, "positions": count}
    with TemporaryDirectory() as folder:
        for way in WAYS:
            told = Path(folder) / f"{way}.json"
            call = [sys.executable, "-m", "scripts.stage.ranking_speed", way, kind, str(count), str(told)]
            subprocess.run(call, check=True)
            found[way] = json.loads(told.read_text(encoding="utf-8"))
        orders = {way: np.load(Path(folder) / f"{way}.npz") for way in WAYS}
        for way in WAYS:
            found[way]["wrong"] = max(
                _wrong(orders[way][name], orders["python"][name]) for name in orders["python"].files
            )
            found[way]["seconds"] = median(found[way]["seconds"])
    found["times"] = found["python"]["seconds"] / found["engine"]["seconds"]
    return found


def _wrong(order: _Order, exact: _Order) -> int:
    """Neighbours in the wrong order, and whoever is in one of both queues only."""
    rank = np.full(int(max(order.max(initial=0), exact.max(initial=0))) + 1, -1, np.int64)
    rank[exact] = np.arange(len(exact))
    ranks = rank[order]
    is_in_both = ranks >= 0
    strangers = len(order) + len(exact) - 2 * int(np.count_nonzero(is_in_both))
    return strangers + int(np.count_nonzero(np.diff(ranks[is_in_both]) < 0))


def faults_of(measured: list[dict[str, Any]]) -> list[str]:
    """What falls short of what the engine promises, in words."""
    faults = []
    for one in measured:
        name = f"{one['positions']:,} positions ({one['kind']})"
        engine = one["engine"]
        if engine["wrong"]:
            faults.append(f"the order of {name} has {engine['wrong']:,} faults")
        if one["positions"] != max(SIZES):
            continue
        if engine["seconds"] > MOST_SECONDS:
            faults.append(f"{name} took {engine['seconds']:.2f} s, {MOST_SECONDS:.0f} s is the most")
        if engine["memory"] > MOST_MEMORY:
            faults.append(f"{name} took {engine['memory'] / 2**20:,.0f} MiB, {MOST_MEMORY / 2**20:,.0f} is the most")
        if one["times"] < LEAST_TIMES and one["kind"] != "ties":
            faults.append(f"{name} were ranked only {one['times']:.1f} times as fast as by plain Python")
    return faults


def show_ranking(measured: list[dict[str, Any]]) -> None:
    """What `measure_ranking` found, as a table for each kind."""
    for kind, heading in KINDS.items():
        table = Table("Positions", title=f"One side at a new mark, seconds: {heading}", title_justify="left")
        for column in ("Engine", "Python", "Times", "pandas", "Its faults", "MiB", "After a block"):
            table.add_column(column, justify="right")
        for one in measured:
            if one["kind"] == kind:
                table.add_row(
                    f"{one['positions']:,}",
                    f"{one['engine']['seconds']:.3f}",
                    f"{one['python']['seconds']:.3f}",
                    f"{one['times']:.0f}",
                    f"{one['pandas']['seconds']:.3f}",
                    f"{one['pandas']['wrong']:,}",
                    f"{one['engine']['memory'] / 2**20:,.0f}",
                    f"{one['engine']['update']:.3f}",
                )
        Console(highlight=False).print(table)


def main() -> None:
    """One way, in this process: `way kind count results.json`; the orders go beside it."""
    way, kind, count, told = sys.argv[1:]
    found, orders = WAYS[way](draw(kind, int(count)))
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    Path(told).write_text(json.dumps(found), encoding="utf-8")
    np.savez(Path(told).with_suffix(".npz"), *orders)


if __name__ == "__main__":
    main()
