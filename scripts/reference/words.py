"""What the reference pages say beyond the comments of the contracts, from words.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .compiled import Node
from .natspec import said_of

WORDS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def words_of(node: Node) -> str:
    """What a declaration says of itself, or what is said for it."""
    said = said_of(node) or WORDS["inherited"].get(node["name"], "")
    if not said:
        raise LookupError(f"nothing says what {node['name']} is: neither a comment nor scripts/reference/words.toml")
    return said
