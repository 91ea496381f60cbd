"""`backstop fund stress`: what it prints where, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backstop.cli import cli
from backstop.math.wad import parse_amount

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SHARED = str(EXAMPLES / "shared-pool.json")
WORKED = str(EXAMPLES / "worked-case.json")

SPREADS = ("loss", "drawdown", "adlNotional", "compensation", "givenUp")


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments, input=stdin, prog_name="backstop")


def refused(result: Result) -> str:
    """The one line on stderr of a command that failed properly."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr
    return result.stderr.rstrip("\n")


def stressed(*options: str, source: str = SHARED) -> Any:
    result = run("fund", "stress", source, *options, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_document_has_every_figure_as_a_decimal() -> None:
    document = stressed("--draws", "2000", "--seed", "3", "--slippage", "1%", "--slippage", "SOL-USD=0.02")
    assert list(document) == ["draws", "scenario", "terms", "pools", "mutualGroup"]
    assert document["draws"] == 2000
    assert document["scenario"] == {
        "kind": "drawn",
        "seed": 3,
        "distribution": "student-t",
        "degreesOfFreedom": "3",
        "horizonSeconds": 28_800,
        "correlation": "0.6",
        "volatility": {"ETH-USD": "0.8", "BTC-USD": "0.8", "SOL-USD": "0.8"},
    }
    assert document["terms"]["backstopRatio"] == "0.5"
    assert {name: terms["slippage"] for name, terms in document["terms"]["markets"].items()} == {
        "ETH-USD": "0.01",
        "BTC-USD": "0.01",
        "SOL-USD": "0.02",
    }
    assert document["mutualGroup"] is None
    [pool] = document["pools"]
    assert (pool["pool"], pool["backing"], pool["balance"]) == ("majors", "own", "60000")
    assert [market["market"] for market in pool["markets"]] == ["ETH-USD", "BTC-USD", "SOL-USD"]
    for name in SPREADS:
        figures = pool[name]
        assert list(figures) == ["expected", "quantiles", "worst"]
        assert list(figures["quantiles"]) == ["0.5", "0.9", "0.95", "0.99", "0.999"]
        ascending = [parse_amount(text) for text in (*figures["quantiles"].values(), figures["worst"])]
        assert ascending == sorted(ascending)
        assert ascending[-1] > 0
        assert min(ascending) <= parse_amount(figures["expected"]) <= ascending[-1]
    for size in pool["fundSize"].values():
        assert list(size) == ["bears", "todayBears"]
        assert parse_amount(size["bears"]["0.99"]) <= parse_amount(size["bears"]["0.999"])
    assert 0 < parse_amount(pool["adlDue"]) < 10**18


def test_options_are_heeded() -> None:
    document = stressed(
        *("--draws", "50", "--distribution", "normal", "--volatility", "0.5", "--volatility", "ETH-USD=90%"),
        *("--correlation", "-0.2", "--horizon", "1d", "--backstop-ratio", "30%", "--liquidation-fee", "1%"),
    )
    assert document["scenario"]["distribution"] == "normal"
    assert document["scenario"]["degreesOfFreedom"] is None
    assert document["scenario"]["volatility"] == {"ETH-USD": "0.9", "BTC-USD": "0.5", "SOL-USD": "0.5"}
    assert document["scenario"]["correlation"] == "-0.2"
    assert document["scenario"]["horizonSeconds"] == 86_400
    assert document["terms"]["backstopRatio"] == "0.3"
    assert {terms["liquidationFee"] for terms in document["terms"]["markets"].values()} == {"0.01"}


def test_a_given_shock_is_one_draw_that_can_be_calculated() -> None:
    # 800 from 88.75, marked at 80: at 72 the loss is 13,400 of a base of 20,000, and 8,400 are due to be at 25 %.
    document = stressed("--shock", "ETH-USD=-10%", source=WORKED)
    assert document["draws"] == 1
    assert document["scenario"] == {"kind": "given", "shocks": {"ETH-USD": "-0.1"}}
    [pool] = document["pools"]
    assert pool["loss"]["worst"] == "6400"
    assert pool["drawdown"]["worst"] == "0.67"
    assert pool["compensation"]["worst"] == pool["givenUp"]["worst"] == "8400"
    assert pool["adlNotional"]["worst"] == "57600"
    assert (pool["adlDue"], pool["depleted"]) == ("1", "0")
    [market] = pool["markets"]
    assert market["adlContracts"]["worst"] == "800"
    assert market["windowLoss"]["worst"] == "13400"
    # ADL had started: 25 % counts, so a base of 53,600 would be enough, 33,600 more than now.
    assert pool["fundSize"]["withoutAdl"]["bears"]["0.99"] == "46600"


def test_two_runs_are_one() -> None:
    one, again, other = (
        run("fund", "stress", SHARED, "--draws", "300", "--seed", seed, "--json").stdout for seed in "113"
    )
    assert one == again
    assert json.loads(one)["pools"] != json.loads(other)["pools"]


def test_tables_say_what_was_assumed_and_found() -> None:
    result = run("fund", "stress", SHARED, "--draws", "1000", "--slippage", "SOL-USD=2%")
    assert (result.exit_code, result.stderr) == (0, "")
    for words in (
        "1,000 draws of 8h, seed 0: log-returns Student t with 3 degrees of freedom, volatility 80 % a year",
        "slippage 0.5 % (SOL-USD 2 %)",
        'Pool "majors": balance 60,000',
        "Fund size that bears",
        "no ADL due by drawdown",
        "not depleted",
        "ADL is due in ",
    ):
        assert words in result.stdout, words


def test_tables_of_a_given_shock() -> None:
    result = run("fund", "stress", WORKED, "--shock", "ETH-USD=-10%")
    assert "One scenario: ETH-USD -10 %." in result.stdout
    assert "Balance after it 6,600, drawdown 67 %: ADL is due by drawdown." in result.stdout


def test_the_documentation_shows_what_is_printed() -> None:
    shown = (EXAMPLES.parent / "stress.md").read_text()
    printed = run("fund", "stress", SHARED, "--shock", "ETH-USD=-35%", "--shock", "BTC-USD=-8%").stdout
    assert "\n".join(line.rstrip() for line in printed.splitlines()) in shown


def test_a_mutual_group_and_a_dead_feed_are_told_of(tmp_path: Path) -> None:
    document = json.loads(Path(WORKED).read_text())
    document["pools"]["eth"]["backing"] = "mutual"
    document["markets"]["ETH-USD"]["priceLive"] = False
    file = tmp_path / "mutual.json"
    file.write_text(json.dumps(document))
    result = run("fund", "stress", str(file), "--draws", "100")
    assert "Mutual group of eth: balance 13,000 in all" in result.stdout
    assert "Without a live price, so without liquidation and ADL: ETH-USD." in result.stdout
    group = stressed("--draws", "100", source=str(file))["mutualGroup"]
    assert (group["pools"], group["balance"]) == (["eth"], "13000")
    assert set(group) == {"pools", "balance", "depleted", "loss", "fundSize"}


def test_standard_input_is_read() -> None:
    text = Path(WORKED).read_text()
    piped = run("fund", "stress", "-", "--draws", "20", "--json", stdin=text)
    assert json.loads(piped.stdout) == stressed("--draws", "20", source=WORKED)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--shock DOGE-USD=-5%", "error: unknown market 'DOGE-USD': the snapshot has ETH-USD, BTC-USD, SOL-USD"),
        ("--volatility DOGE-USD=5%", "error: unknown market 'DOGE-USD': the snapshot has ETH-USD, BTC-USD, SOL-USD"),
        (
            "--shock ETH-USD=-100%",
            "error: --shock 'ETH-USD=-100%' is -100 %: give more than -100 % and at most 1000 %, like -20% or 0.05",
        ),
        (
            "--shock ETH-USD=-1.5",
            "error: --shock 'ETH-USD=-1.5' is -150 %: give more than -100 % and at most 1000 %, like -20% or 0.05",
        ),
        (
            "--shock ETH-USD=20",
            "error: --shock 'ETH-USD=20' is 2000 %: give more than -100 % and at most 1000 %, like -20% or 0.05",
        ),
        ("--shock -20%", "error: --shock '-20%': name the market, like ETH-USD=-20% or 0.05"),
        ("--shock =-20%", "error: --shock '=-20%': no market stands before the ="),
        ("--shock ETH-USD=", "error: --shock 'ETH-USD=': '' is no fraction: write one like -20% or 0.05"),
        ("--shock ETH-USD=5bp", "error: --shock 'ETH-USD=5bp': '5bp' is no fraction: write one like -20% or 0.05"),
        ("--shock ETH-USD=1% --shock ETH-USD=2%", "error: --shock is given twice for ETH-USD: leave one out"),
        ("--slippage 1% --slippage 2%", "error: --slippage is given twice for all markets: leave one out"),
        (
            "--shock ETH-USD=1% --draws 5",
            "error: --draws is of draws, and --shock is one scenario without any: leave one out",
        ),
        (
            "--shock ETH-USD=1% --plot a.png",
            "error: --plot is of draws, and --shock is one scenario without any: leave one out",
        ),
        (
            "--draws 0",
            "error: Invalid value for '--draws': 0 is not in the range 1<=x<=1000000 (see backstop fund stress --help)",
        ),
        ("--correlation 1", "error: --correlation '1' is 100 %: give more than -100 % and less than 100 %, like 0.6"),
        (
            "--correlation -0.51",
            "error: --correlation -0.51 is impossible among 3 markets: give more than -0.5 and less than 1",
        ),
        (
            "--volatility 80",
            "error: --volatility '80' is 8000 %: give at least 0 % and at most 1000 %, like 80% or 0.8",
        ),
        (
            "--slippage 100%",
            "error: --slippage '100%' is 100 %: give at least 0 % and less than 100 %, like 0.5% or 0.005",
        ),
        (
            "--backstop-ratio 101%",
            "error: --backstop-ratio '101%' is 101 %: give at least 0 % and at most 100 %, like 50% or 0.5",
        ),
        (
            "--horizon 8y",
            "error: --horizon '8y': write a whole number and its unit, m, h or d, from 1m to 365d, like 8h",
        ),
        ("--horizon 8", "error: --horizon '8': write a whole number and its unit, m, h or d, from 1m to 365d, like 8h"),
        (
            "--degrees-of-freedom 2",
            "error: --degrees-of-freedom '2': give a number above 2, for there is no variance else, up to 1000, like 3",
        ),
        (
            "--distribution normal --degrees-of-freedom 3",
            "error: --degrees-of-freedom is of --distribution student-t: leave one out",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_the_value_and_the_way_out(options: str, line: str) -> None:
    assert refused(run("fund", "stress", SHARED, *options.split())) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"version": 1, "markets": {}, "pools": {}, "accounts": []}', "error: the snapshot has no markets: there is"),
        ("", "$: "),
        ("{}", "$.version: "),
        ('{"version": 2}', "$.version: 2 is not a version"),
    ],
)
def test_an_empty_or_broken_snapshot_is_refused(text: str, line: str) -> None:
    assert refused(run("fund", "stress", "-", stdin=text)).startswith(line)


def test_a_snapshot_without_positions_is_refused(tmp_path: Path) -> None:
    document = json.loads(Path(WORKED).read_text())
    document["accounts"], document["pools"]["eth"]["inventory"] = [], []
    file = tmp_path / "empty.json"
    file.write_text(json.dumps(document))
    line = refused(run("fund", "stress", str(file)))
    assert line == "error: the snapshot has no positions and no inventory: there is nothing to stress"


def test_a_file_that_is_missing_and_no_source_at_all_are_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    assert refused(run("fund", "stress", str(missing))) == f"error: cannot read {missing}: No such file or directory"
    assert "give a snapshot FILE" in refused(run("fund", "stress"))


def test_other_commands_load_neither_numpy_nor_matplotlib() -> None:
    script = (
        "import sys; sys.argv = ['backstop', 'plan', sys.argv[1], '--json']\n"
        "from backstop.entry import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(sorted({'numpy', 'matplotlib'} & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, WORKED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)[0]["trigger"] == "drawdown"


def test_processes_of_this_machine_say_the_same() -> None:
    """The marks are drawn in one place; who moves a book along them makes no difference."""
    alone, spread = (run("fund", "stress", WORKED, "--json", "--draws", "3000", "--workers", count) for count in "13")
    assert alone.exit_code == spread.exit_code == 0
    assert spread.stdout == alone.stdout
    assert "give one of both" in refused(run("fund", "stress", WORKED, "--workers", "2", "--dask", "tcp://127.0.0.1:1"))
