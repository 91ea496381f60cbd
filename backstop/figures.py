"""Figures as files: an image, or a page that needs nothing but itself. Matplotlib is loaded when one is written."""

from __future__ import annotations

import html
import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from backstop.errors import BackstopError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".html")
_DPI = 120
_MOST_PIXELS = 60_000  # of a side; Agg refuses 2^16


@contextmanager
def matplotlib() -> Iterator[None]:
    """Matplotlib as it comes, whatever the user's own settings, with a font cache that is not left in a home."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="backstop-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in a script that the font lacks is no reason to complain
        chosen = os.environ.get("MPLCONFIGDIR")
        os.environ["MPLCONFIGDIR"] = chosen or folder
        try:
            import matplotlib as mpl

            with mpl.rc_context():
                mpl.rcdefaults()
                # Names are no formulas, and the same figures give the same file.
                mpl.rcParams.update({"text.parse_math": False, "svg.hashsalt": "backstop"})
                yield
        finally:
            if chosen is None:
                del os.environ["MPLCONFIGDIR"]


def write_figure(file: Path, figure: Figure, title: str, body: str = "") -> None:
    """Writes a figure as what the suffix of the file says; inside `matplotlib`.

    A page has `title`, and `body`, HTML, before the drawing. Raises BackstopError where it cannot be written.
    """
    match file.suffix.lower():
        case ".png":
            data = _saved(figure, "png")
        case ".svg":
            data = _saved(figure, "svg")
        case _:
            data = _page(_saved(figure, "svg").decode(), title, body).encode()
    try:
        file.write_bytes(data)
    except OSError as fault:
        raise BackstopError(f"cannot write {file}: {fault.strerror or fault}") from None


def _saved(figure: Figure, kind: str) -> bytes:
    """The file as bytes; an SVG without the time at which it was made."""
    buffer = io.BytesIO()
    dpi = min(_DPI, _MOST_PIXELS / float(figure.get_figheight()))
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {}
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _page(svg: str, title: str, body: str) -> str:
    """A page with the drawing inside. It loads nothing and runs nothing."""
    title = html.escape(title, quote=True)
    drawing = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    return _PAGE.format(title=title, body=body, drawing=drawing)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #111; background: #fff; }}
body {{ max-width: 64rem; margin: 2rem auto; padding: 0 1rem }}
svg {{ width: 100%; height: auto }}
table {{ border-collapse: collapse }}
th, td {{ padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ccc }}
th:nth-child(-n+2), td:nth-child(-n+2) {{ text-align: left }}
</style>
<h1>{title}</h1>
{body}
{drawing}
</html>
"""
