"""`make page`: serving the page of a deployment, writing what a server needs, and what is refused."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from backstop.errors import BackstopError
from scripts import page
from scripts.stage import page_chain
from scripts.stage.page_server import BUILT, page_settings, serving_page
from scripts.stage.venue import rpc_url

from .conftest import Showcase


@pytest.fixture
def record(showcase: Showcase, tmp_path: Path) -> Path:
    """The deployment's file."""
    file = tmp_path / "deployment.json"
    showcase.deployment.save(file)
    return file


def run(*arguments: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(page.cli, arguments)


def test_deployment_is_served_until_it_is_interrupted(record: Path, showcase: Showcase) -> None:
    command = [sys.executable, "-m", "scripts.page", "--rpc", rpc_url(), "--deployment", str(record), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("The page: http://127.0.0.1:")
        url = line.split()[2]
        assert "<title>Backstop" in requests.get(url, timeout=30).text
        settings = requests.get(f"{url}page.json?again", timeout=30).json()
        assert settings["rpc"] == rpc_url()
        assert settings["deployment"]["lens"] == showcase.deployment.lens
        assert requests.get(f"{url}elsewhere", timeout=30).status_code == 404
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_settings_are_written_for_a_server(
    record: Path, showcase: Showcase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BUILT", tmp_path)
    found = run("--rpc", "https://node.example", "--deployment", str(record), "--write")
    assert found.exit_code == 0
    assert json.loads((tmp_path / "page.json").read_text()) == json.loads(
        page_settings("https://node.example", showcase.deployment)
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rpc", "http://127.0.0.1:1"), "--rpc and --deployment belong together"),
        (("--write",), "--write needs both"),
        (("--port", "70000"), "70000 is not in the range"),
        (("--rpc", "http://127.0.0.1:1", "--deployment", "nowhere.json"), "cannot read nowhere.json"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], said: str) -> None:
    found = run(*arguments)
    assert found.exit_code != 0
    assert said in " ".join(found.output.split())
    assert "Traceback" not in found.output


def test_node_that_does_not_answer_is_refused_at_once(record: Path) -> None:
    found = run("--rpc", "http://127.0.0.1:1", "--deployment", str(record))
    assert found.exit_code == 1
    assert "127.0.0.1:1" in found.output


def test_port_that_is_taken_and_page_that_is_not_built(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BackstopError, match=r"cannot serve at port \d+: .*; give another --port"):
            serving_page(b"{}", taken.getsockname()[1]).__enter__()
    with pytest.raises(BackstopError, match="`make page` builds it"):
        serving_page(b"{}", folder=tmp_path).__enter__()


def test_chain_of_the_demonstration_goes_on(
    showcase: Showcase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks come, and each feed publishes its price anew, until Ctrl-C."""
    venue, endpoint = showcase.venue, showcase.venue.endpoint
    feed = showcase.markets["ETH-USD"].feed
    waited: list[int] = []
    before = feed.latestRoundData()

    def wait(seconds: int) -> None:
        waited.append(seconds)
        if len(waited) > 1:
            raise KeyboardInterrupt
        url = capsys.readouterr().out.split()[2]
        assert requests.get(f"{url}page.json", timeout=30).json()["rpc"] == rpc_url()
        assert (BUILT / "index.html").read_bytes() == requests.get(url, timeout=30).content

    began = endpoint.quantity("eth_blockNumber")
    with monkeypatch.context() as patch:
        patch.setattr(page_chain, "time", type("Clock", (), {"sleep": staticmethod(wait)}))
        try:
            page_chain.show_page(venue, 0)
        finally:
            endpoint.request("evm_setIntervalMining", 0)
            endpoint.request("evm_setAutomine", True)
    after = feed.latestRoundData()
    assert after[1] == before[1]
    assert after[0] > before[0]
    assert endpoint.quantity("eth_blockNumber") >= began + len(venue.markets)
