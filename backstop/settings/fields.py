"""The settings as a list of names: `duties.liquidate.up_to` and what the model says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from backstop.settings.model import Settings

PREFIX: str = Settings.model_config["env_prefix"]
_DELIMITER: str = Settings.model_config["env_nested_delimiter"] or ""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: its name, the field, and the docstring's first line of the section that it is in."""

    path: tuple[str, ...]
    field: FieldInfo
    about: str

    @property
    def name(self) -> str:
        """`node.urls`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """`BACKSTOP_NODE__URLS`."""
        return f"{PREFIX}{_DELIMITER.join(self.path).upper()}"

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return str(self.field.annotation).startswith("tuple[")


@cache
def leaves() -> dict[str, Leaf]:
    """Every setting by its name, in the order of the model."""
    return {leaf.name: leaf for leaf in _leaves(Settings, ())}


def sections() -> set[tuple[str, ...]]:
    """The tables of the file."""
    return {leaf.path[:depth] for leaf in leaves().values() for depth in range(1, len(leaf.path))}


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that somebody may have meant."""
    return next(iter(get_close_matches(name, list(known), 1, cutoff)), None)


def default_document() -> dict[str, Any]:
    """What holds where nothing is told, by name, as it is shown."""
    return flat(Settings().model_dump(mode="json"))


def flat(document: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """A nested document by dotted names."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        here = (*path, key)
        if isinstance(value, dict) and here in sections():
            found |= flat(value, here)
        else:
            found[".".join(here)] = value
    return found


def _leaves(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Leaf]:
    about = (model.__doc__ or "").split("\n", 1)[0]
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, (*path, name))
        else:
            yield Leaf((*path, name), field, about)
