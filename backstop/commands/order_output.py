"""Where an order goes: to standard output, into a new file, or in the place of the file that it came from."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.options import STDOUT
from backstop.errors import BackstopError

if TYPE_CHECKING:
    from backstop.trading.order_file import OrderFile


def check_fresh(output: Path | None) -> None:
    """Raises BackstopError where a new file is to be written, and there is one of that name."""
    with suppress(OSError):  # whoever writes it tells of that
        if output is not None and output != STDOUT and output.exists():
            raise _taken(output)


def hand_over(item: OrderFile, output: Path | None, as_json: bool, *, fresh: bool) -> None:
    """Prints an order, or writes it and tells of it on stderr; a fresh file must not exist."""
    from backstop.trading.order_file import dumps

    text = dumps(item)
    if output is not None:
        try:
            (_create if fresh else _replace)(output, text)
        except FileExistsError:
            raise _taken(output) from None
        except OSError as fault:
            raise BackstopError(f"cannot write {output}: {fault.strerror or fault}") from None
        state = "not signed yet" if item.signature is None else "signed"
        click.echo(f"{item}: {state}, 0x{item.digest.hex()} in {output}", err=True)
    if output is None or as_json:
        click.echo(text, nl=False)


def _taken(output: Path) -> BackstopError:
    return BackstopError(f"{output} exists already: name another file, or move it away")


def _create(file: Path, text: str) -> None:
    """Writes a new file, whole or not at all."""
    with file.open("x", encoding="utf-8") as stream:
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            file.unlink()
            raise


def _replace(file: Path, text: str) -> None:
    """Writes a file anew, whole or not at all: whoever reads it has the old text or the new one."""
    target = file.resolve()
    if not target.is_file():
        raise BackstopError(f"cannot write {file}: it is no file of its own; name one with -o")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copymode(target, name)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
