"""`backstop report policies`: the same bytes each time and on any number of workers, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from distributed import LocalCluster

from backstop.cli import cli
from backstop.policies import study
from backstop.policies.october import DATA, ROWS, WAVES


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", "policies", *arguments])


@pytest.fixture(autouse=True)
def fewer_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried of accounts takes most of the time."""
    monkeypatch.setattr(study, "PROBED_BOOKS", 2)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tables, but only two short waves of both."""
    folder: Path = tmp_path_factory.mktemp("data")
    for name in (ROWS, WAVES):
        lines = (DATA / name).read_text().splitlines()
        kept = [line for line in lines[1:] if line.split(",")[0] in ("5", "7")]
        (folder / name).write_text("\n".join([lines[0], *kept]) + "\n")
    return str(folder)


def test_report_is_the_same_file_each_time_and_needs_nothing_but_itself(few: str, tmp_path: Path) -> None:
    written = []
    for name in ("one.html", "two.html"):
        done = run("--data", few, "-o", str(tmp_path / name))
        assert (done.exit_code, done.output) == (0, f"The report is in {tmp_path / name}.\n")
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    page = written[0].decode()
    assert "Calibrated, not the event." in page
    assert "Where the queue is worse" in page
    assert page.count("<li>") >= 1
    assert "mathdefault" not in page
    assert "<script" not in page
    assert str(tmp_path) not in page


def test_one_and_four_workers_say_the_same(few: str) -> None:
    """In this process, on a cluster with four workers, and by its address."""
    alone = run("--data", few, "--json", "--seed", "4")
    assert alone.exit_code == 0
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=4, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None
    ) as cluster:
        spread = run("--data", few, "--json", "--seed", "4", "--dask", cluster.scheduler_address)
    assert spread.output == alone.output


def test_processes_of_this_machine_say_the_same(few: str) -> None:
    alone, spread = (run("--data", few, "--json", "--workers", count) for count in ("1", "4"))
    assert (alone.exit_code, spread.exit_code) == (0, 0)
    assert spread.output == alone.output
    assert run("--data", few, "--json", "--seed", "1").output != alone.output


def test_document_has_the_figures_of_the_report(few: str, tmp_path: Path) -> None:
    document: Any = json.loads(run("--data", few, "--json").output)
    assert document["calibratedTo"]["users"] == 19_337
    assert document["queueExactly"]["needed"] == document["queueExactly"]["given"]
    assert [one["policy"] for one in document["policies"]] == ["queue", "proRata", "riskAwareProRata"]
    run("--data", few, "-o", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert f"{100 * document['policies'][0]['haircut']['1.0']:.1f} %" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing is asked for: give -o report.html, or --json"),
        (("-o", "report.pdf"), "--output 'report.pdf': the name has to end with .png, .svg or .html"),
        (("--json", "--data", "nowhere"), "cannot read nowhere/wave_coin_gap_per_contract.csv"),
        (("--json", "--gas", "nowhere.json"), "cannot read nowhere.json"),
        (("--json", "--workers", "2", "--dask", "tcp://127.0.0.1:1"), "give one of both"),
        (("--json", "--dask", "scheduler"), "--dask 'scheduler': give a scheduler's address, like tcp://"),
        (("--json", "--workers", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_gas_file_without_the_figures(few: str, tmp_path: Path) -> None:
    for text, said in (("{", "is not JSON"), ("[]", "deleverage.1 is None"), ('{"deleverage.1": true}', "is True")):
        file = tmp_path / "gas.json"
        file.write_text(text)
        done = run("--data", few, "--json", "--gas", str(file))
        assert done.exit_code == 2
        assert said in done.output


def test_cluster_that_does_not_answer(few: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backstop.cluster._PATIENCE", "1s")
    done = run("--data", few, "--json", "--dask", "tcp://127.0.0.1:1")
    assert done.exit_code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in done.output


def test_without_dask_it_says_how_to_get_it(few: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    done = run("--data", few, "--json", "--workers", "2")
    assert done.exit_code == 2
    assert "pip install 'backstop[cluster]'" in done.output
