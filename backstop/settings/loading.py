"""From the sources to the settings: later ones win, and whatever is wrong is one line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backstop.errors import SettingsError
from backstop.settings.fields import leaves
from backstop.settings.layers import CONFIG, Layer, Told, environment_layer, file_layer, override_layer
from backstop.settings.model import Settings

# What pydantic says in terms of Python, by the type of its error.
_KINDS = {
    "tuple_type": "a list is expected",
    "string_type": "a text is expected",
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_parsing_size": "a whole number of fewer digits is expected",
    "int_from_float": "a whole number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "path_type": "the path of a file is expected",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each that was told comes from, by name."""

    settings: Settings
    origins: dict[str, str]


def load_settings(config: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process: file, then environment, then `overrides` (by dotted name), the last one wins.

    Without `config`, BACKSTOP_CONFIG names the file. Raises SettingsError.
    """
    return load(config, overrides).settings


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """The same, with the origins."""
    environment = os.environ if environment is None else environment
    named = environment.get(CONFIG, "").strip()
    file = config or (Path(named) if named else None)
    told: Layer = file_layer(file) if file else {}
    told |= environment_layer(environment)
    told |= override_layer(overrides or {})
    try:
        settings = Settings(**_nested(told))
    except ValidationError as fault:
        raise SettingsError(_sentence(fault, told)) from None
    return Loaded(settings, {name: one.origin for name, one in told.items()})


def _nested(layer: Layer) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, told in layer.items():
        table = document
        *path, key = leaves()[name].path
        for part in path:
            table = table.setdefault(part, {})
        table[key] = told.value
    return document


def _sentence(fault: ValidationError, told: Layer) -> str:
    """The first fault: `fees.tip_cap (keeper.toml): …`. Never the value, which may be a secret."""
    first = fault.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    name = next((known for known in leaves() if where == known or where.startswith(f"{known}.")), None)
    origin = told[name].origin if name in told else _origin_of_section(where, told)
    reason = _KINDS.get(first["type"]) or _lowered(first["msg"])
    return " ".join(f"{name or where} ({origin}): {reason}".split())


def _origin_of_section(where: str, told: dict[str, Told]) -> str:
    origins = {one.origin: None for name, one in told.items() if name.startswith(f"{where}.")}
    return ", ".join(origins) or "the settings"


def _lowered(message: str) -> str:
    """Pydantic's own sentences begin with a capital, those of the model as they are meant."""
    own = message.removeprefix("Value error, ")
    return own if own != message else message[:1].lower() + message[1:]
