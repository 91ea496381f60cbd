"""The cascade of 10 October 2025 as published: what had to be closed in each wave and coin, and what was taken for it.

Source: pluriholonomic/autodeleveraging-analysis (MIT), the repository of arXiv 2512.01112; see bench/data/october-2025.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from backstop.errors import BackstopError
from backstop.math.wad import WAD

DATA = Path("bench") / "data" / "october-2025"
ROWS, WAVES = "wave_coin_gap_per_contract.csv", "policy_per_wave_metrics.csv"

USERS = 19_337
NOTIONAL = 2_103_000_000  # USD that was deleveraged in all
# Part of it that the largest users had, by how many they are.
HELD = {1: 0.157, 10: 0.458, 100: 0.776}


@dataclass(frozen=True, slots=True)
class WaveCoin:
    """A coin in a wave. WAD: `contracts` deleveraged, and `gap` USD per contract between mark and execution."""

    wave: int
    coin: str
    contracts: int
    gap: int

    @property
    def needed(self) -> int:
        """What closing all of it had to bring, USD, WAD, rounded down."""
        return self.contracts * self.gap // WAD


@dataclass(frozen=True, slots=True)
class Wave:
    """What a wave needed, and what the venue's queue took for it, USD as published."""

    number: int
    needed: float
    taken: float


@dataclass(frozen=True, slots=True)
class Event:
    """Both tables; `rows` in the order of the file."""

    rows: tuple[WaveCoin, ...]
    waves: tuple[Wave, ...]

    @property
    def taken_over_needed(self) -> float:
        """How many times what was needed the venue's queue took."""
        return sum(one.taken for one in self.waves) / sum(one.needed for one in self.waves)


def read_event(folder: Path = DATA) -> Event:
    """Raises BackstopError that names the file and line of whatever is wrong."""
    rows = tuple(
        WaveCoin(
            wave=int(_number(line, "wave", where)),
            coin=line["coin"],
            contracts=_wad(line, "qty_contracts", where),
            gap=_wad(line, "gap_per_contract_usd", where),
        )
        for where, line in _lines(folder / ROWS, ("wave", "coin", "qty_contracts", "gap_per_contract_usd"))
    )
    waves = tuple(
        Wave(
            int(_number(line, "wave", where)),
            float(_number(line, "budget_needed", where)),
            float(_number(line, "budget_prod", where)),
        )
        for where, line in _lines(folder / WAVES, ("wave", "budget_needed", "budget_prod"))
    )
    if unknown := {one.wave for one in rows} ^ {one.number for one in waves}:
        raise BackstopError(f"{folder}: wave {min(unknown)} is in one of both tables only")
    return Event(rows, waves)


def _lines(file: Path, wanted: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    try:
        with file.open(encoding="utf-8", newline="") as source:
            reader = csv.DictReader(source)
            lines = [(f"{file}, line {number}", line) for number, line in enumerate(reader, start=2)]
    except OSError as fault:
        raise BackstopError(
            f"cannot read {file}: {fault.strerror or fault}; --data names the folder with the published tables"
        ) from None
    except (UnicodeDecodeError, csv.Error) as fault:
        raise BackstopError(f"{file} is no table: {fault}") from None
    if missing := [name for name in wanted if name not in (reader.fieldnames or ())]:
        raise BackstopError(f"{file} has no column {missing[0]!r}")
    if not lines:
        raise BackstopError(f"{file} has no lines")
    return lines


def _number(line: dict[str, str], column: str, where: str) -> Decimal:
    try:
        value = Decimal(line[column] or "")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise BackstopError(f"{where}: {column} is {line[column]!r}, a number that is not negative is expected")
    return value


def _wad(line: dict[str, str], column: str, where: str) -> int:
    """Beyond eighteen decimals there is nothing but what binary numbers leave."""
    return int(_number(line, column, where) * WAD)
