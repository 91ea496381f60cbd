"""What a keeper looks at after each cycle: the bond is of the block, what a round may need is read now and then."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.adl.snapshot import Block
from backstop.chain.bindings import AVAILABLE_BOND
from backstop.keeper import vitals
from backstop.rounds.render import looked_at_line
from backstop.transactions.journal import Journal

KEEPER = "0x" + "11" * 20


class Place:
    chain_id = 1
    round_book = "0x" + "22" * 20


class Node:
    """A node with a bond that a test changes."""

    free = 500

    def quantity(self, *_: Any) -> int:
        return 10**18

    def call(self, _to: str, function: Any, *_: Any) -> Any:
        return self.free if function is AVAILABLE_BOND else (3600, 120, 0, 0, 100, 1000)


class Heard:
    """A telemetry that keeps what it hears of the bond."""

    def __init__(self) -> None:
        self.bonds: list[tuple[int, int]] = []

    def journal(self, *_: Any) -> None: ...

    def key(self, *_: Any, **__: Any) -> None: ...

    def bond(self, free: int, needed: int) -> None:
        self.bonds.append((free, needed))


def test_a_bond_that_changes_is_shown_at_the_next_block(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = iter([7, 8])
    monkeypatch.setattr(vitals, "largest_need", lambda *_: (next(needs), "eth"))
    node, heard = Node(), Heard()
    look = vitals.Vitals(node, Place(), Journal(), KEEPER, heard).look
    for at, free in ((1000, 500), (1002, 400), (1004, 0), (1060, 0)):
        node.free = free
        look(Block(1, at, "0x1", at), exhausted=False)
    assert heard.bonds == [(500, 7), (400, 7), (0, 7), (0, 8)]


def test_which_rounds_were_looked_at() -> None:
    assert looked_at_line([]) == "no round is open to challenges"
    assert looked_at_line([4]) == "looked at round 4"
    assert looked_at_line([4, 5]) == "looked at rounds 4, 5"
