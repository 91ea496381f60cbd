"""docs/errors.md: every error of every contract."""

from __future__ import annotations

from .compiled import DEPLOYED, Compiled, Node, is_own
from .events import declarations
from .natspec import comment_of
from .types import type_of
from .words import WORDS, words_of


def errors_page(compiled: Compiled) -> str:
    """The text of the page."""
    lines = [WORDS["heads"]["errors"]]
    for contract in DEPLOYED:
        found = declarations(compiled, contract, "error", "errorSelector")
        if found:
            lines += ["", f"## {contract.name}", "", "| bytes | error | means |", "| --- | --- | --- |"]
            lines += [_row(node) for file, node in found if is_own(file)]
            lines += [_row(node) for file, node in found if not is_own(file)]
    return "\n".join(lines) + "\n"


def _row(node: Node) -> str:
    arguments = node["parameters"]["parameters"]
    comment = comment_of(node)
    signature = ", ".join(f"{type_of(argument)} {argument['name']}".strip() for argument in arguments)
    words = [words_of(node), *(f"`{name}`: {text}" for name, text in comment.params.items())]
    means = " ".join(words).replace("|", "\\|")
    return f"| `0x{node['errorSelector']}` | `{node['name']}({signature})` | {means} |"
