"""The README's way from nothing to a trade on a chain of one's own, as it stands there."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import pytest

from scripts.stage.own_chain import NamedPrice, check_names
from tests.keeper.command import backstop_inside

ROOT = Path(__file__).parents[2]


def readme() -> str:
    """The shell blocks of the section, one after the other."""
    _, section = (ROOT / "README.md").read_text(encoding="utf-8").split("### On a chain of your own\n")
    blocks = re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    return "".join(blocks)


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def played(tmp_path: Path) -> Iterator[tuple[str, Path, str]]:
    """The URL, the deployment file and the output of the section, its port and its files replaced by others."""
    port, record = free_port(), tmp_path / "deployment.json"
    text = readme()
    for old, new in (
        ('eval "$(make -s env)"\n', ""),
        (
            "anvil --silent --cache-path .tmp &",
            f"anvil --silent --port {port} --cache-path '{tmp_path}' >/dev/null 2>&1 &",
        ),
        ("127.0.0.1:8545 ", f"127.0.0.1:{port} "),
        ("deployments/31337.json", str(record)),
        ("ape run deploy", f"ape run deploy -o '{record}'"),
        ("ape run price", f"ape run price --deployment '{record}'"),
        ("ask.json", str(tmp_path / "ask.json")),
        ("bid.json", str(tmp_path / "bid.json")),
        ("fund.html", str(tmp_path / "fund.html")),
    ):
        assert old in text
        text = text.replace(old, new)
    process = subprocess.Popen(
        ["bash", "-eu"],
        cwd=ROOT,
        env=os.environ | {"HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(text, timeout=300)
        assert process.returncode == 0, out
        yield f"http://127.0.0.1:{port}", record, out
    finally:
        os.killpg(process.pid, signal.SIGTERM)


def test_section_of_the_readme_works_from_nothing(played: tuple[str, Path, str]) -> None:
    url, record, out = played
    assert out.count("isolated account 0 in ETH-USD\n") == 4  # two deposits, and two looks at the account
    assert "settle 2.5 ETH-USD at 100" in out
    assert "ETH-USD is at 60\n" in out
    assert "withdraw 350 tUSDC out of isolated account 0 in ETH-USD" in out
    assert "error" not in out.lower()
    who = re.findall(r"backstop account (0x[0-9a-fA-F]{40})", readme())[0]
    done = backstop_inside("account", who, "--json", "--rpc", url, "--deployment", record)
    (account,) = json.loads(done.out)
    (position,) = account["positions"]
    assert (position["contracts"], position["entryPrice"], position["markPrice"]) == ("2.5", "100", "60")
    # 500 less 5 basis points of 250, and what was withdrawn; 200 of that are staked.
    assert (account["collateral"], account["wallet"]) == ("149.875", "650")
    assert 'stake 200 tUSDC in pool "test" for 200 shares' in out
    assert "  Shares     200, worth 200\n" in out
    assert record.with_name("fund.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("text", "name", "price"),
    [("ETH-USD=100", "ETH-USD", "100"), ("a=b=0.00000001", "a=b", "0.00000001"), ("X=1000000000", "X", "1000000000")],
)
def test_market_with_its_price(text: str, name: str, price: str) -> None:
    assert NamedPrice().convert(text, None, None) == (name, Decimal(price))


@pytest.mark.parametrize(
    "text",
    [
        "ETH-USD",
        "=1",
        "ETH-USD=",
        "ETH-USD=much",
        "E=0",
        "E=-1",
        "E=NaN",
        "E=1e10",
        "E=0.000000001",
        "a\nb=1",
        "é" * 17 + "=1",
    ],
)
def test_what_is_no_market_with_a_price(text: str) -> None:
    with pytest.raises(click.BadParameter):
        NamedPrice().convert(text, None, None)


def test_market_named_twice() -> None:
    check_names([("A", Decimal(1)), ("B", Decimal(1))])
    with pytest.raises(click.UsageError, match="A is named twice"):
        check_names([("A", Decimal(1)), ("B", Decimal(1)), ("A", Decimal(2))])
