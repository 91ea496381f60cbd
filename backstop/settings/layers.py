"""The sources of settings. Each is a layer: what it says, by name, and where exactly that was said."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from backstop.errors import SettingsError
from backstop.settings.fields import PREFIX, Leaf, leaves, nearest, sections

CONFIG = f"{PREFIX}CONFIG"
# Names that stood for a setting before there was a file.
ALIASES = {
    f"{PREFIX}RPC": "node.urls",
    f"{PREFIX}PRIVATE_KEY": "key.private_key",
    f"{PREFIX}JOURNAL": "journal.url",
    f"{PREFIX}INDEX": "index.url",
    f"{PREFIX}SIGNER": "key.signer",
}
_FILE = "_FILE"
# A variable that resembles none is somebody else's: orchestrators make BACKSTOP_SERVICE_HOST of a service's name.
_CUTOFF = 0.75


class Told(NamedTuple):
    """A value as it was told, and where."""

    value: Any
    origin: str


Layer = dict[str, Told]


def file_layer(file: Path) -> Layer:
    """What a TOML file says. Raises SettingsError where it cannot be read, or has a name that there is not."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as fault:
        raise SettingsError(f"cannot read {file}: {fault.strerror or fault}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8") from None
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as fault:
        raise SettingsError(f"{file} is not TOML: {_line(fault)}") from None
    layer: Layer = {}
    _collect(document, (), str(file), layer)
    return layer


def _collect(table: Mapping[str, Any], path: tuple[str, ...], origin: str, layer: Layer) -> None:
    for key, value in table.items():
        here = (*path, key)
        name = ".".join(here)
        if here in sections():
            if not isinstance(value, dict):
                raise SettingsError(f"{origin}: {name} is a table: write [{name}] and its settings below")
            _collect(value, here, origin, layer)
        elif name in leaves():
            layer[name] = Told(value, origin)
        else:
            raise _unknown(name, origin)


def _unknown(name: str, origin: str) -> SettingsError:
    meant = nearest(name, [*leaves(), *(".".join(section) for section in sections())])
    if meant is None:  # the right name in the wrong table
        ends = {known.rsplit(".", 1)[-1]: known for known in leaves()}
        meant = ends.get(nearest(name.rsplit(".", 1)[-1], ends) or "")
    way_out = f"did you mean {meant}?" if meant else "`backstop config example` lists those that there are"
    return SettingsError(f"{origin}: unknown setting {_line(name)}: {way_out}")


def environment_layer(environment: Mapping[str, str]) -> Layer:
    """What variables say; those with `_FILE` behind the name say which file holds the value.

    An empty one says nothing. Raises SettingsError for a name that there is not but nearly, and for a setting that two
    variables tell.
    """
    names = {leaf.variable: name for name, leaf in leaves().items()} | ALIASES
    layer: Layer = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or not text.strip():
            continue
        if not _is_text(variable + text):
            raise SettingsError(f"{_line(variable)} is not UTF-8")
        if variable == CONFIG:
            continue
        if variable in names:
            name, value, origin = names[variable], text.strip(), variable
        elif variable.endswith(_FILE) and variable.removesuffix(_FILE) in names:
            name = names[variable.removesuffix(_FILE)]
            value, origin = _of_file(variable, Path(text.strip())), f"{variable} ({text.strip()})"
        else:
            meant = nearest(variable.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in names], _CUTOFF)
            if meant is None and "__" not in variable:
                continue
            way_out = f"did you mean {PREFIX}{meant}?" if meant else "`backstop config show` lists those that there are"
            raise SettingsError(f"unknown variable {variable} in the environment: {way_out}")
        if name in layer:
            raise SettingsError(f"{name} is told by both {layer[name].origin} and {origin}: keep one")
        layer[name] = Told(_split(leaves()[name], value, variable), origin)
    return layer


def _of_file(variable: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise SettingsError(f"{variable}: cannot read {file}: {fault.strerror or fault}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{variable}: {file} is not UTF-8") from None


def _split(leaf: Leaf, text: str, variable: str) -> Any:
    """Several values stand in a JSON list, or between commas or blanks."""
    if not leaf.is_list:
        return text
    if not text.startswith("["):
        return text.replace(",", " ").split()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError(f"{variable} is not a JSON list: put commas between the values, or write one") from None


def override_layer(overrides: Mapping[str, Any], origin: str = "the command line") -> Layer:
    """What the caller says, by name. Raises SettingsError for a name that there is not."""
    for name in overrides:
        if name not in leaves():
            raise _unknown(name, origin)
    return {name: Told(value, origin) for name, value in overrides.items()}


def _is_text(text: str) -> bool:
    """Whether it is not what Python makes of bytes of the environment that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(words: object) -> str:
    line = " ".join(str(words).split())[:200]
    return line if line.isprintable() else repr(line)
