"""Where a plot goes."""

from __future__ import annotations

from pathlib import Path

import click

from backstop.commands.fund.fractions import shown
from backstop.errors import BackstopError
from backstop.figures import SUFFIXES


class PlotFile(click.ParamType):
    """Where a plot goes: the suffix says what it is."""

    name = "file"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Raises BackstopError for another suffix, or a folder that does not exist."""
        path, option = Path(value), param.opts[-1] if param is not None else "--plot"
        if path.suffix.lower() not in SUFFIXES:
            raise BackstopError(f"{option} {shown(str(value))}: the name has to end with .png, .svg or .html")
        if not path.parent.is_dir():
            raise BackstopError(f"{option} {shown(str(value))}: there is no folder {path.parent}")
        return path
