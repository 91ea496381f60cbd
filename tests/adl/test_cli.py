"""The command: what it prints where, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from backstop.cli import cli
from backstop.errors import BackstopError

from .books import ETH, EXAMPLES, account, document, held, market, pool, position, worked_case, worked_document

QUEUE = str(EXAMPLES / "six-trader-queue.json")
WORKED_TEXT = json.dumps(worked_document())
BACKSTOP = Path(sys.executable).parent / "backstop"
PRINTING = [["plan", QUEUE], ["plan", QUEUE, "--json"], ["rank", QUEUE, "--market", ETH, "--side", "short"], ["--help"]]


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments, input=stdin, prog_name="backstop")


@pytest.fixture
def worked(tmp_path: Path) -> str:
    """A file of the worked case."""
    path = tmp_path / "worked-case.json"
    path.write_text(WORKED_TEXT)
    return str(path)


def refused(result: Result, *, status: int = 2) -> str:
    """The one line on stderr of a command that failed properly."""
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


def usage_error(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith(" --help)\n")
    assert result.stderr.count("\n") == 1
    return result.stderr


# ------------------------------------------------------------------ results


def test_plan_prints_the_worked_case(worked: str) -> None:
    result = run("plan", worked, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    expected = [
        {
            "market": ETH,
            "side": "long",
            "pool": "eth",
            "trigger": "drawdown",
            "drawdown": "0.35",
            "compensation": "2000",
            "adlPrice": "82.5",
            "contracts": "800",
            "fills": [
                {
                    "account": "trader-a",
                    "contracts": "500",
                    "price": "82.5",
                    "leveragedReturn": "0.028571428571428571",
                    "adlRank": 1,
                    "realizedPnl": "8750",
                },
                {
                    "account": "trader-b",
                    "contracts": "300",
                    "price": "82.5",
                    "leveragedReturn": "0.025263157894736842",
                    "adlRank": 2,
                    "realizedPnl": "3750",
                },
            ],
            "skipped": [],
            "uncovered": "0",
        }
    ]
    # Compared as text, so that the order of the keys counts too.
    assert json.dumps(json.loads(result.stdout)) == json.dumps(expected)


def test_rank_prints_the_queue(worked: str) -> None:
    result = run("rank", worked, "--market", ETH, "--side", "short", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    expected = {
        "account": "trader-a",
        "market": ETH,
        "side": "short",
        "contracts": "500",
        "adlRank": 1,
        # The midpoint of 500 in 1,200 lies at 20.8 %.
        "adlLight": 2,
        "leveragedReturn": "0.028571428571428571",
        "unrealizedPnl": "10000",
        "marginRatio": "0.142857142857142857",
        "bankruptcyPrice": "108",
        "liquidationPrice": "102.857142857142857142",
    }
    queue = json.loads(result.stdout)
    assert json.dumps(queue[0]) == json.dumps(expected)
    assert [place["account"] for place in queue] == ["trader-a", "trader-b", "trader-c"]


def test_a_liquidation_price_that_is_not_positive_is_null() -> None:
    rich = json.dumps(document(account("rich", "5000", position("long", "10", "100"))))
    [place] = json.loads(run("rank", "-", "--market", ETH, "--side", "long", "--json", stdin=rich).stdout)
    assert place["liquidationPrice"] is None
    assert place["bankruptcyPrice"] == "-400"


def test_depletion_without_a_base_prints_null_and_the_skipped() -> None:
    broke = account("broke", "1", position("short", "10", "70"))
    book = document(broke, markets={ETH: market("80")}, pools={"eth": pool("-1000", held("long", "100", "90"))})
    [due] = json.loads(run("plan", "-", "--json", stdin=json.dumps(book)).stdout)
    assert (due["trigger"], due["drawdown"], due["uncovered"]) == ("depletion", None, "100")
    assert due["skipped"] == [{"account": "broke", "reason": "bankrupt"}]


def test_nothing_due_prints_an_empty_list() -> None:
    quiet = json.dumps(document())
    assert run("plan", "-", "--json", stdin=quiet).stdout == "[]\n"
    assert run("plan", "-", stdin=quiet).stdout == "Nothing is due.\n"
    assert run("rank", "-", "--market", ETH, "--side", "long", "--json", stdin=quiet).stdout == "[]\n"
    assert "no account" in run("rank", "-", "--market", ETH, "--side", "long", stdin=quiet).stdout


@pytest.mark.parametrize(("names", "words"), [(["a"], "1 account is"), (["a", "b"], "2 accounts are")])
def test_the_plan_tells_of_those_who_wait_to_be_taken_over(names: list[str], words: str) -> None:
    ruined = [account(name, "1", position("long", "10", "100")) for name in names]
    even = account("even", "200", position("long", "10", "100.1"))  # 200 - 20.1 * 10 at 80 is -1; at 80.1 it is 0
    solvent = account("solvent", "1000", position("long", "10", "100"))
    book = document(*ruined, solvent, account("flat", "0"), markets={ETH: market("80")})
    shown = run("plan", "-", stdin=json.dumps(book)).stdout
    assert (
        shown == f"Nothing is due.\n{words} bankrupt and not taken over yet; what that brings in may make more due.\n"
    )
    at_zero = document(even, markets={ETH: market("80.1")})
    assert "1 account is bankrupt" in run("plan", "-", stdin=json.dumps(at_zero)).stdout


def test_standard_input_may_begin_with_a_byte_order_mark(worked: str) -> None:
    marked = b"\xef\xbb\xbf" + Path(worked).read_bytes()
    assert run("plan", "-", "--json", stdin=marked).stdout == run("plan", worked, "--json").stdout


def test_the_tables_say_it_in_words(worked: str) -> None:
    plan = run("plan", worked).stdout
    for words in ("close 800 long contracts", "35 % of its peak", "82.5", "trader-a", "8,750"):
        assert words in plan
    queue = run("rank", QUEUE, "--market", ETH, "--side", "short").stdout
    assert "▮▮▮▮▮ 1" in queue
    assert "▮▯▯▯▯ 5" in queue
    assert "5,500" in queue


def test_a_table_that_is_piped_folds_no_account_id() -> None:
    name = "0x" + "ab" * 32
    book = json.dumps(document(account(name, "100", position("long", "10", "90"))))
    assert name in run("rank", "-", "--market", ETH, "--side", "long", stdin=book).stdout


def test_markup_in_a_name_is_only_text() -> None:
    book = json.dumps(document(account("[red]x[/red]:bomb:", "100", position("long", "10", "90"))))
    assert "[red]x[/red]:bomb:" in run("rank", "-", "--market", ETH, "--side", "long", stdin=book).stdout


# ------------------------------------------------------------------ refusals


def test_a_fault_of_the_file_is_its_path_and_a_message() -> None:
    book = document(account("a", "1000", position("short", "1", "1")))
    book["accounts"][0]["collateral"] = 1000
    for command in (("plan", "-"), ("plan", "-", "--json"), ("rank", "-", "--market", ETH, "--side", "long")):
        line = refused(run(*command, stdin=json.dumps(book)))
        assert line.startswith("$.accounts[0].collateral: 1000 is a JSON number")


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"[" * 100_000, b"{", b"", b"\x00"])
def test_junk_is_a_fault_of_the_whole(junk: bytes) -> None:
    assert refused(run("plan", "-", "--json", stdin=junk)).startswith("$: ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(run("plan", str(tmp_path / "gone.json"))).endswith("gone.json: No such file or directory")
    assert refused(run("plan", str(tmp_path))).startswith("error: cannot read ")


def test_an_unknown_market_names_the_known(worked: str) -> None:
    line = refused(run("rank", worked, "--market", "DOGE-USD", "--side", "long", "--json"))
    assert line == "error: unknown market 'DOGE-USD': the snapshot has ETH-USD"


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",),
        ("plan", QUEUE, "--rpc", "http://localhost:8545", "--deployment", QUEUE),
        ("plan", QUEUE, "--deployment", QUEUE),
        ("plan", "--rpc", "http://localhost:8545"),
        ("plan", "--deployment", QUEUE),
    ],
)
def test_exactly_one_source_is_needed(arguments: tuple[str, ...]) -> None:
    assert "--rpc URL together with --deployment FILE" in usage_error(run(*arguments))


def test_a_file_goes_before_the_chain_of_the_environment(worked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run("plan", worked, "--json").stdout
    monkeypatch.setenv("BACKSTOP_RPC", "http://127.0.0.1:9")
    monkeypatch.setenv("BACKSTOP_DEPLOYMENT", worked)
    assert run("plan", worked, "--json").stdout == expected
    assert "--rpc URL together with --deployment FILE" in usage_error(
        run("plan", worked, "--rpc", "http://127.0.0.1:9")
    )
    assert "is expected" in refused(run("plan"))  # the environment's deployment file, which is none
    monkeypatch.delenv("BACKSTOP_DEPLOYMENT")
    assert "--rpc URL together with --deployment FILE" in usage_error(run("plan"))


@pytest.mark.parametrize("command", ["rank", "plan", "snapshot", "run", "account", "deposit", "faucet"])
def test_help_tells_of_the_environment(command: str) -> None:
    shown = run(command, "--help").stdout
    assert "BACKSTOP_RPC" in shown
    assert "BACKSTOP_DEPLOYMENT" in shown


def test_rank_needs_a_market_and_a_side(worked: str) -> None:
    assert "'--market'" in usage_error(run("rank", worked, "--side", "long"))
    assert "'--side'" in usage_error(run("rank", worked, "--market", ETH))
    assert "'both' is not one of" in usage_error(run("rank", worked, "--market", ETH, "--side", "both"))


# ------------------------------------------------------------------ a chain instead of a file


def fake_chain(monkeypatch: pytest.MonkeyPatch, read: Any) -> None:
    """Puts `read(rpc_url, deployment, number)` in the place of what reads a chain."""
    module = types.ModuleType("backstop.chain.snapshot")
    module.read_snapshot = read  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "backstop.chain", types.ModuleType("backstop.chain"))
    monkeypatch.setitem(sys.modules, "backstop.chain.snapshot", module)


def test_a_chain_is_read_through_its_deployment(worked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read(*arguments: Any) -> Any:
        asked.append(arguments)
        return types.SimpleNamespace(
            snapshot=worked_case(), unpriced={"SOL-USD": "stale"}, left_out={"DOGE-USD": "no feed"}
        )

    fake_chain(monkeypatch, read)
    result = run("plan", "--rpc", "http://localhost:8545", "--deployment", worked, "--json")
    assert result.stdout == run("plan", worked, "--json").stdout
    assert result.stderr == (
        "warning: SOL-USD has no price and is shown at its last one: stale\n"
        "warning: DOGE-USD has no price, and never had one accepted: it is left out: no feed\n"
    )
    assert asked == [("http://localhost:8545", Path(worked), None)]


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (BackstopError("the node is behind"), 2, "error: the node is behind"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device"),
        (KeyError("a\nb"), 1, "error: this is a bug, please report it: KeyError: 'a\\nb'"),
        (ValueError("a\nb"), 1, "error: this is a bug, please report it: ValueError: a b"),
    ],
)
def test_whatever_fails_is_one_line(
    worked: str, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, line: str
) -> None:
    def read(*_: Any) -> Any:
        raise raised

    fake_chain(monkeypatch, read)
    assert refused(run("plan", "--rpc", "http://x", "--deployment", worked), status=status) == line


def test_ctrl_c_is_no_traceback(worked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> Any:
        raise KeyboardInterrupt

    fake_chain(monkeypatch, read)
    result = run("plan", "--rpc", "http://x", "--deployment", worked)
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (1, "", "Aborted!")


def test_commands_can_be_added() -> None:
    @click.command("extra")
    def extra() -> None:
        raise BackstopError("from outside")

    cli.add_command(extra)
    try:
        assert refused(run("extra")) == "error: from outside"
    finally:
        del cli.commands["extra"]


# ------------------------------------------------------------------ the real thing


def installed(*arguments: str, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([BACKSTOP, *arguments], input=stdin, capture_output=True, timeout=60, check=False, **options)


def test_the_installed_command_plans(worked: str) -> None:
    result = installed("plan", worked, "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout)[0]["adlPrice"] == "82.5"


def test_the_installed_command_refuses() -> None:
    result = installed("plan", "-", "--json", stdin=b'{"version": 1}')
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr == b"$.markets: missing: this key is required\n"


@pytest.mark.parametrize("columns", [40, 80, 130, 200])
def test_a_terminal_of_any_width_shows_whole_numbers(columns: int) -> None:
    name = "0x" + "ab" * 32
    book = document(account(name, "123456789.123456", position("long", "1234567.1234", "90.1234")))
    environment = {"COLUMNS": str(columns), "FORCE_COLOR": "1", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    stdin = json.dumps(book).encode()
    result = installed("rank", "-", "--market", ETH, "--side", "long", stdin=stdin, env=environment)
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout.decode())
    [row] = [line for line in text.splitlines() if "0xab" in line]
    for number in ("1,234,567.1234", "0.004986", "12,193,325.65"):
        assert f" {number} " in f"{row} "
    assert [number in row for number in ("4.55 %", "-9.8766")] == [columns >= 130] * 2
    assert ("in a wider terminal, or with --json" in " ".join(text.split())) is (columns < 130)
    assert (name in row) is (columns == 200)


def test_a_terminal_without_unicode_gets_plain_bars() -> None:
    book = json.dumps(document(account("zoë", "100", position("long", "10", "90")))).encode()
    result = installed("rank", "-", "--market", ETH, "--side", "long", stdin=book, env={"PYTHONIOENCODING": "ascii"})
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"###.. 3" in result.stdout
    assert b"zo\\xeb" in result.stdout


@pytest.mark.parametrize("arguments", PRINTING)
def test_output_that_cannot_be_written_is_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run([BACKSTOP, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (1, b"error: No space left on device\n")


@pytest.mark.parametrize("arguments", PRINTING)
def test_output_that_is_closed_is_one_line(arguments: list[str]) -> None:
    line = ["bash", "-c", 'exec "$@" >&-', "-", str(BACKSTOP), *arguments]
    result = subprocess.run(line, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (1, b"error: standard output is closed\n")


@pytest.mark.parametrize("module", ["click", "rich", "web3"])
def test_a_missing_package_is_one_line(module: str, worked: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}', name='{module}')")
    source = ["--rpc", "http://127.0.0.1:9", "--deployment", worked] if module == "web3" else [worked]
    result = installed("plan", *source, env={"PYTHONPATH": str(tmp_path)})
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"error: packages are missing (no {module}); run `make setup`\n"


@pytest.mark.parametrize("form", [["--json"], []])
def test_a_reader_that_is_gone_is_no_traceback(form: list[str]) -> None:
    command = [BACKSTOP, "rank", "-", "--market", ETH, "--side", "short", *form]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **streams) as process:
        # Closed before the command has its input, so before it writes.
        process.stdout.close()
        process.stdin.write(Path(QUEUE).read_bytes())
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
