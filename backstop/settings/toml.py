"""Settings written as TOML: Python reads it, and has nothing that writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import Any

from backstop.settings.fields import Leaf, default_document, leaves

_WIDTH = 100
_HEAD = (
    "# Settings of the keeper: `backstop run --config FILE`. What is commented out holds as it stands, or is not set."
)


def toml_value(value: Any) -> str:
    """A text, number, truth or list."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def toml_lines(line_of: Callable[[Leaf], list[str]], about: bool = False) -> Iterator[str]:
    """Every setting under its table, as `line_of` writes it; nothing for a table of which it writes nothing."""
    table: tuple[str, ...] = ()
    for leaf in leaves().values():
        lines = line_of(leaf)
        if not lines:
            continue
        if leaf.path[:-1] != table:
            table = leaf.path[:-1]
            yield ""
            yield f"[{'.'.join(table)}]" + (f" # {leaf.about}" if about else "")
        yield from lines


def example() -> str:
    """A file with every setting, what it means and what holds without it; it is valid as it stands."""
    defaults = default_document()

    def lines(leaf: Leaf) -> list[str]:
        value = defaults[leaf.name]
        examples = leaf.field.examples or ["…"]
        is_set = value is not None and value != []
        shown = toml_value(value if is_set else examples[0])
        needed = leaf.name in ("deployment", "node.urls")
        described = wrap(leaf.field.description or "", _WIDTH, initial_indent="# ", subsequent_indent="# ")
        return [*described, f"{'' if needed else '# '}{leaf.path[-1]} = {shown}"]

    return "\n".join([_HEAD, "", *toml_lines(lines, about=True)]) + "\n"


def effective(document: dict[str, Any]) -> str:
    """What holds, by name, as a file; what is not set is left out."""

    def lines(leaf: Leaf) -> list[str]:
        value = document[leaf.name]
        return [] if value is None else [f"{leaf.path[-1]} = {toml_value(value)}"]

    return "\n".join(toml_lines(lines)).lstrip("\n") + "\n"


def table() -> str:
    """The settings as the Markdown table of docs/operate.md."""
    defaults = default_document()
    rows = ["| setting | without it | meaning |", "| --- | --- | --- |"]
    for leaf in leaves().values():
        value = defaults[leaf.name]
        shown = "" if value is None or value == [] else f"`{toml_value(value)}`" if not leaf.is_list else "all"
        rows.append(f"| `{leaf.name}` | {shown} | {leaf.field.description} |")
    return "\n".join(rows) + "\n"
