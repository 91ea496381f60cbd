"""docs/known-bugs.md names tests; each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "known-bugs.md"
NAMED = re.compile(r"`(tests/[^`:]+\.py)::([^`]+)`")


def rows() -> list[list[str]]:
    """The rows of all tables of the page, without their heads."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "source" and not set(row[0]) <= set("- ")]


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_row_names_tests_that_exist(row: list[str]) -> None:
    source, wrong, tests = row
    assert source
    assert wrong
    named = NAMED.findall(tests)
    assert named
    assert tests.count("`") == 2 * len(named), "something in backticks is no test"
    missing = [f"{file}::{name}" for file, name in named if name not in functions_of(file)]
    assert missing == []


def test_the_page_has_both_tables_and_names_no_row_twice() -> None:
    sources = [row[0] for row in rows()]
    assert len(sources) > 30
    assert len(set(sources)) == len(sources)
