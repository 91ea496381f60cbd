"""The page of the audit lists every invariant by the id and in the words that the checks have."""

from __future__ import annotations

import re

from . import checks, halted
from .compiler import ROOT

# What must hold of any such venue, whatever else ours does.
ASKED = [
    "S1",
    "S2",
    "O1",
    "A1",
    "A2",
    "A3",
    "A4",
    "A5",
    "A6",
    "A7",
    "B1",
    "B2",
    "F1",
    "F2",
    "F3",
    "F4",
    "F5",
    "K1",
    "K2",
    "P1",
    "G1",
    "G2",
]


def test_what_is_asked_of_any_venue_is_judged() -> None:
    assert checks.INVARIANTS.keys() | halted.INVARIANTS.keys() >= set(ASKED)
    assert not checks.INVARIANTS.keys() & halted.INVARIANTS.keys()


def test_the_page_lists_every_invariant_in_the_words_of_the_checks() -> None:
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| ([A-Z]\d) \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    said = {name: re.sub(r" \(in `\w+`\)$", "", says) for name, says in (checks.INVARIANTS | halted.INVARIANTS).items()}
    assert {name: says for name, says, _ in listed} == said
    assert len(listed) == len(said)
    for name, _, where in listed:
        for file in re.findall(r"`(\w+\.py)`", where):
            text = (ROOT / "tests" / "invariants" / file).read_text(encoding="utf-8")
            assert f'"{name}"' in text, f"{file} judges no {name}"
