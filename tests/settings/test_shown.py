"""`backstop config`: what holds, where it was told, and nothing that is secret; and the options of `run`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from backstop.commands.run import run_command
from backstop.commands.settings_options import _NAMES, overrides_of
from backstop.math.wad import WAD
from backstop.settings.fields import default_document, flat, leaves
from backstop.settings.loading import load
from backstop.settings.model import Settings
from backstop.settings.toml import effective, example, table
from tests.keeper.command import backstop_inside

ROOT = Path(__file__).parents[2]
KEY = "0x" + "5a" * 32
SECRETS = f"""
deployment = "d.json"
[node]
urls = ["https://user:hunter2@one.test/v3/APIKEY?token=hunter3"]
ws_url = "wss://one.test/v3/APIKEY"
send_url = "https://relay.test/PRIVATE"
[key]
private_key = "{KEY}"
[journal]
url = "postgresql+psycopg://keeper:hunter4@db.test/backstop"
[webhooks]
urls = ["https://hooks.test/T000/B000/XXXX"]
secret = "hunter5hunter5"
"""
HIDDEN = ("hunter", "APIKEY", "PRIVATE", "5a5a", "T000", "XXXX", "token=")


@pytest.mark.parametrize("options", [(), ("--json",), ("--toml",)])
def test_no_secret_is_shown(options: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "keeper.toml"
    file.write_text(SECRETS)
    done = backstop_inside("config", "show", "--config", file, *options)
    assert (done.status, done.err) == (0, "")
    for secret in HIDDEN:
        assert secret not in done.out
    for seen in ("https://one.test/…", "wss://one.test/…", "https://relay.test/…", "https://hooks.test/…", "db.test"):
        assert seen in done.out.replace("\\u2026", "…")


def test_nor_in_what_python_says_of_them(tmp_path: Path) -> None:
    file = tmp_path / "keeper.toml"
    file.write_text(SECRETS)
    settings = load(file, {}, {}).settings
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.node.urls[0])):
        for secret in HIDDEN:
            assert secret not in text
    # They are known to whoever has to keep them out of a log.
    known = " ".join(settings.secrets())
    for secret in ("hunter2", "hunter3", "hunter4", "hunter5", "APIKEY", KEY, KEY[2:], "T000/B000/XXXX"):
        assert secret in known
    assert "backstop" not in settings.secrets()


def test_each_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keeper.toml"
    file.write_text("[node]\npoll = 2\n")
    monkeypatch.setenv("BACKSTOP_RPC", "http://127.0.0.1:8545")
    shown = backstop_inside("config", "show", "--config", file, "--json").document
    assert list(shown) == list(leaves())
    assert shown["node.poll"] == {"value": 2.0, "from": str(file)}
    assert shown["node.urls"] == {"value": ["http://127.0.0.1:8545"], "from": "BACKSTOP_RPC"}
    assert shown["fees.budget_per_day"] == {"value": "1 ether", "from": "default"}
    lines = backstop_inside("config", "show", "--config", file).out.splitlines()
    assert len(lines) == len(leaves())
    assert re.fullmatch(rf"node\.poll +2\.0 +{re.escape(str(file))}", lines[list(leaves()).index("node.poll")])


def test_a_fault_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "keeper.toml"
    file.write_text("[node]\nurl = 1\n")
    for command in (("config", "show"), ("check",), ("run", "--once")):
        done = backstop_inside(*command, "--config", file)
        assert (done.status, done.out) == (2, "")
        assert done.err == f"error: {file}: unknown setting node.url: did you mean node.urls?\n"


def test_json_and_toml_at_once_is_wrong_use() -> None:
    assert backstop_inside("config", "show", "--json", "--toml").status == 2


def test_what_is_shown_as_toml_holds_when_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keeper.toml"
    told = {"fees.budget_per_day": "0.3 ether", "metrics.listen": "127.0.0.1:1", "duties.liquidate.up_to": "10.5"}
    settings = load(None, told, {}).settings
    file.write_text(effective(flat(settings.model_dump(mode="json"))))
    assert load(file, {}, {}).settings == settings


# ------------------------------------------------------------------ the example


def test_the_example_holds_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "keeper.toml"
    file.write_text(example())
    loaded = load(file, {}, {})
    assert set(loaded.origins) == {"deployment", "node.urls"}
    assert loaded.settings == Settings(deployment=loaded.settings.deployment, node=loaded.settings.node)


def test_the_example_has_every_setting_with_what_holds_without_it(tmp_path: Path) -> None:
    uncommented = re.sub(r"(?m)^# (\w+ = )", r"\1", example())
    shown = flat(tomllib.loads(uncommented))
    assert list(shown) == list(leaves())
    for name, value in default_document().items():
        if value is not None and value != []:
            assert shown[name] == value
    # What has no default has an example that holds; a key stands in the place of what is none.
    shown["key.private_key"] = KEY
    beside = {"key.keystore": {"key.passphrase_file": "p"}, "key.address": {"key.signer": "http://a.test"}}
    for name, value in shown.items():
        load(None, {**beside.get(name, {}), name: value}, {})


def test_the_committed_example_is_that_of_the_model() -> None:
    assert (ROOT / "docs/examples/keeper.toml").read_text() == backstop_inside("config", "example").out == example()


def test_the_table_of_the_docs_is_that_of_the_model() -> None:
    assert table() in (ROOT / "docs/operate.md").read_text()


@pytest.mark.parametrize("name", leaves())
def test_every_setting_is_described(name: str) -> None:
    description = leaves()[name].field.description
    assert description
    assert description.endswith(".")
    assert leaves()[name].about


# ------------------------------------------------------------------ the command line of `run`


def parsed(*arguments: str) -> dict[str, object]:
    """What of a command line stands for settings."""
    return overrides_of(run_command.make_context("run", list(arguments)))


def test_options_of_run_become_settings() -> None:
    line = (
        "--rpc http://a.test --deployment d.json --keystore k.json --passphrase-file p --liquidate-up-to 50000.5 "
        "--least-discount 0.2 --sub-account 2 --no-checkpoint --no-redistribute --no-settle-exits "
        "--checkpoint-every 61 --checkpoint-shared-every 62 --least-exit 3 --poll 4 --journal j.sqlite"
    )
    overrides = parsed(*line.split())
    signer = parsed("--signer", "http://s.test", "--signer-address", "0x" + "11" * 20)
    assert signer == {"key.signer": "http://s.test", "key.address": "0x" + "11" * 20}
    assert {*overrides, *signer} == set(_NAMES.values())
    settings = load(None, overrides, {}).settings
    assert settings.journal.url is not None
    assert settings.journal.url.url == "sqlite:///j.sqlite"
    duties = settings.duties
    assert settings.node_urls == ("http://a.test",)
    assert (settings.deployment_file, settings.key.keystore) == (Path("d.json"), Path("k.json"))
    assert (duties.liquidate.up_to, duties.liquidate.least_discount) == (50_000 * WAD + WAD // 2, WAD // 5)
    assert duties.liquidate.sub_account == 2
    assert not duties.checkpoint.enabled
    assert not duties.redistribute.enabled
    assert not duties.settle_exits.enabled
    assert (duties.checkpoint.every, duties.checkpoint.shared_every, duties.settle_exits.least) == (61, 62, 3 * WAD)
    assert settings.node.poll == 4


def test_an_option_that_is_not_given_says_nothing() -> None:
    assert parsed() == {}


@pytest.mark.parametrize("name", sorted(_NAMES))
def test_defaults_of_options_are_those_of_the_settings(name: str) -> None:
    """What `run --help` says holds without an option does."""
    option = next(one for one in run_command.params if one.name == name)
    setting = _NAMES[name]
    value = option.get_default(click.Context(run_command))
    if value is None or setting in ("node.urls", "deployment"):
        assert not default_document()[setting]
    elif name.startswith("no_"):
        assert default_document()[setting] is not value
    else:
        held = default_document()[setting]
        assert type(held)(value) == held
