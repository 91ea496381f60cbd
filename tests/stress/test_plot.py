"""Plots: real files, that need nothing and leave nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from .test_command import SHARED, refused, run

BACKSTOP = Path(sys.executable).with_name("backstop")
FEW = ("--draws", "500")
MARKED = ("balance", "ADL starts", "bears 99 % without ADL", "bears 99.9 % without ADL", "without depletion")


def plotted(file: Path, source: str = SHARED, *options: str) -> bytes:
    result = run("fund", "stress", source, *FEW, "--plot", str(file), *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return file.read_bytes()


def test_png_is_an_image_with_something_on_it(tmp_path: Path) -> None:
    plotted(tmp_path / "loss.png")
    with Image.open(tmp_path / "loss.png") as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 500
        grey = np.asarray(image.convert("L"))
    # Background, text and lines: most is white, and a few per cent are dark also without colours.
    assert (grey > 250).mean() > 0.5
    assert 0.01 < (grey < 128).mean() < 0.3


def test_svg_is_well_formed_and_labelled(tmp_path: Path) -> None:
    text = plotted(tmp_path / "loss.svg").decode()
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    for words in ("share of the draws", "quote currency", "Pool majors", *MARKED):
        assert words in text  # glyphs are paths; the text stands beside them as a comment


def test_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    page = plotted(tmp_path / "loss.HTML").decode()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") == 1
    assert not re.search(r"<script|<link|<img|<iframe|@import|\bon[a-z]+=", page, re.IGNORECASE)
    # What it names elsewhere are namespaces and metadata; references are to its own parts.
    assert all(target.startswith("#") for target in re.findall(r'(?:href|src)="([^"]*)"', page))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    for words in ("majors", "not depleted", *MARKED):
        assert words in page


def test_the_same_draws_give_the_same_file(tmp_path: Path) -> None:
    assert plotted(tmp_path / "one.svg") == plotted(tmp_path / "two.svg")
    assert plotted(tmp_path / "one.html") == plotted(tmp_path / "two.html")
    assert plotted(tmp_path / "one.svg") != plotted(tmp_path / "other.svg", SHARED, "--seed", "9")


def test_names_are_text_wherever_they_stand(tmp_path: Path) -> None:
    name = "<b>&$\\frac{$ 基金"
    text = Path(SHARED).read_text().replace('"majors"', '"<b>&$\\\\frac{$ 基金"')
    source = tmp_path / "named.json"
    source.write_text(text, encoding="utf-8")
    assert name in run("fund", "stress", str(source), *FEW).stdout
    page = plotted(tmp_path / "named.html", str(source)).decode()
    assert "&lt;b&gt;&amp;$\\frac{$ 基金" in page
    assert "<b>" not in page.split("<svg")[0]
    plotted(tmp_path / "named.png", str(source))


@pytest.mark.parametrize("draws", ["1", "2", "3"])
def test_few_draws_are_plotted_too(tmp_path: Path, draws: str) -> None:
    plotted(tmp_path / "few.png", SHARED, "--draws", draws)
    with Image.open(tmp_path / "few.png") as image:
        image.verify()


def test_nothing_is_written_into_a_home_and_nothing_is_said(tmp_path: Path) -> None:
    home, temporary, work = (tmp_path / name for name in ("home", "temporary", "work"))
    for folder in (home, temporary, work):
        folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPL"))}
    done = subprocess.run(
        [BACKSTOP, "fund", "stress", SHARED, *FEW, "--plot", "loss.png"],
        env=environment | {"HOME": str(home), "TMPDIR": str(temporary)},
        cwd=work,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(home.rglob("*")) == list(temporary.rglob("*")) == []
    assert [file.name for file in work.iterdir()] == ["loss.png"]


@pytest.mark.parametrize("name", ["loss.pdf", "loss", "loss.png.txt", ".png"])
def test_another_suffix_is_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    line = refused(run("fund", "stress", str(tmp_path / "missing.json"), "--plot", str(tmp_path / name)))
    assert line.startswith("error: --plot ")
    assert line.endswith("the name has to end with .png, .svg or .html")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    line = refused(run("fund", "stress", SHARED, "--plot", str(tmp_path / "missing" / "loss.png")))
    assert f"there is no folder {tmp_path / 'missing'}" in line


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "loss.png").mkdir()
    line = refused(run("fund", "stress", SHARED, *FEW, "--plot", str(tmp_path / "loss.png")))
    assert line == f"error: cannot write {tmp_path / 'loss.png'}: Is a directory"
