"""What the pages point to exists: files, sections, tests, invariants."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")])

LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"`(tests/[\w/.-]+?)(?:::(\w+))?`")
INVARIANT = re.compile(r"\b([A-Z]\d)\b")
ROW = re.compile(r"^\| ([A-Z]\d) \|", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """The sections of a page, as links name them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text_of(page)))
    return frozenset(heading.strip().replace(" ", "-") for heading in plain)


@cache
def functions_of(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(text_of(page)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, section = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (section and section not in anchors_of(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page: Path) -> None:
    missing = []
    for name, function in TEST.findall(text_of(page)):
        file = ROOT / name
        if not file.exists() or (function and function not in functions_of(file)):
            missing.append(f"{name}::{function}" if function else name)
    assert missing == []


def test_invariants_of_the_threat_model_are_judged() -> None:
    judged = set(ROW.findall(text_of(ROOT / "docs" / "audit.md")))
    named = set(INVARIANT.findall(text_of(ROOT / "docs" / "threat-model.md")))
    assert len(judged) > 30
    assert len(named) > 10
    assert named <= judged


@pytest.mark.parametrize("section", ["People and programs", "Roles", "What it stands on"])
def test_everybody_of_the_threat_model_is_bounded(section: str) -> None:
    """No row without what its actor may do at worst and what bounds that; most of them by something that is tested."""
    _, _, rest = text_of(ROOT / "docs" / "threat-model.md").partition(f"\n### {section}\n")
    lines = [line for line in re.split(r"\n#", rest)[0].splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(rows) >= 5
    assert [row[0] for row in rows if not all(row)] == []
    assert sum(1 for row in rows if TEST.search(row[-1])) >= 0.6 * len(rows)


def test_the_index_names_every_page() -> None:
    index = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.parent.name == "docs" and page.name not in index] == []
