"""The comments of a declaration, by their tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .compiled import Node

_TAG = re.compile(r"@(\w+)\s*(.*)")


@dataclass(slots=True)
class Comment:
    """What is said of a declaration. Texts are single lines."""

    notice: str = ""
    dev: str = ""
    params: dict[str, str] = field(default_factory=dict)
    returns: list[str] = field(default_factory=list)
    is_inherited: bool = False


def comment_of(node: Node) -> Comment:
    """The comment of a declaration; empty where it has none."""
    comment = Comment()
    documentation = node.get("documentation")
    text = documentation["text"] if isinstance(documentation, dict) else documentation or ""
    tag, words = "notice", ""
    for raw in [*text.splitlines(), "@end"]:
        line = raw.strip()
        match = _TAG.match(line)
        if match is None:
            words = f"{words} {line}".strip()
            continue
        _enter(comment, tag, words)
        tag, words = match[1], match[2]
    return comment


def _enter(comment: Comment, tag: str, words: str) -> None:
    if tag == "param":
        name, _, rest = words.partition(" ")
        comment.params[name] = rest.strip()
    elif tag == "return":
        comment.returns.append(words)
    elif tag == "inheritdoc":
        comment.is_inherited = True
    elif tag == "notice":
        comment.notice = f"{comment.notice} {words}".strip()
    elif tag == "dev":
        comment.dev = f"{comment.dev} {words}".strip()


def said_of(node: Node) -> str:
    """What is said of a declaration to its readers, or else to developers."""
    comment = comment_of(node)
    return comment.notice or comment.dev
