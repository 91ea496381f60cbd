"""Where settings come from: each source, which one wins, and what each refuses."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backstop.errors import SettingsError
from backstop.math.wad import WAD
from backstop.settings.fields import leaves
from backstop.settings.loading import load, load_settings
from backstop.settings.model import Event, Settings
from backstop.settings.units import Listen

KEY = "0x" + "5a" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of settings."""
    return tmp_path / "keeper.toml"


def told(text: str, file: Path, environment: dict[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of a file, an environment, and overrides."""
    file.write_text(text)
    return load(file, overrides, environment or {}).settings


def test_without_a_word_the_defaults_hold() -> None:
    loaded = load(None, {}, {})
    assert loaded.settings == Settings()
    assert loaded.origins == {}


def test_a_file_says_each_kind_of_value(file: Path) -> None:
    settings = told(
        """
        deployment = "deployments/1.json"
        [node]
        urls = ["https://one.test/KEY", "http://two.test"]
        quorum = 2
        timeout = 2.5
        [fees]
        tip_floor = "0.05 gwei"
        max_fee = "2 gwei"
        tip_cap = "1 gwei"
        budget_per_day = "0.25 ether"
        low_balance = "7 wei"
        [duties.liquidate]
        up_to = 50000.5
        least_discount = "1"
        sub_account = 3
        [duties.unwind]
        orders = "orders"
        enabled = true
        most_slippage = 0.02
        [metrics]
        listen = "[::1]:9464"
        [webhooks]
        urls = ["https://hooks.test/T/B"]
        events = ["adl_stop", "round"]
        """,
        file,
    )
    assert settings.deployment_file == Path("deployments/1.json")
    assert settings.node_urls == ("https://one.test/KEY", "http://two.test")
    assert (settings.node.quorum, settings.node.timeout) == (2, 2.5)
    fees = settings.fees
    assert (fees.tip_floor, fees.tip_cap, fees.max_fee) == (50_000_000, 10**9, 2 * 10**9)
    assert (fees.budget_per_day, fees.low_balance) == (25 * 10**16, 7)
    assert settings.duties.liquidate.up_to == int(Decimal("50000.5") * WAD)
    assert settings.duties.liquidate.sub_account == 3
    assert settings.duties.unwind.most_slippage == WAD // 50
    assert settings.metrics.listen == Listen("::1", 9464)
    assert settings.webhooks.events == (Event.ADL_STOP, Event.ROUND)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(file: Path) -> None:
    text = '[node]\npoll = 5\nmost_lag = 1\ntimeout = 3\nurls = ["http://file.test"]\n'
    file.write_text(text)
    environment = {"BACKSTOP_NODE__POLL": "6", "BACKSTOP_NODE__MOST_LAG": "2", "BACKSTOP_RPC": "http://shell.test"}
    loaded = load(file, {"node.poll": 7}, environment)
    assert (loaded.settings.node.poll, loaded.settings.node.most_lag, loaded.settings.node.timeout) == (7, 2, 3)
    assert loaded.settings.node_urls == ("http://shell.test",)
    assert loaded.origins == {
        "node.poll": "the command line",
        "node.most_lag": "BACKSTOP_NODE__MOST_LAG",
        "node.timeout": str(file),
        "node.urls": "BACKSTOP_RPC",
    }


def test_a_variable_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[node]\npoll = 5\n")
    monkeypatch.setenv("BACKSTOP_CONFIG", str(file))
    assert load_settings().node.poll == 5
    other = file.with_name("other.toml")
    other.write_text("[node]\npoll = 6\n")
    assert load_settings(other).node.poll == 6


@pytest.mark.parametrize("name", leaves())
def test_every_setting_has_its_variable(name: str) -> None:
    variable = leaves()[name].variable
    assert variable == "BACKSTOP_" + name.replace(".", "__").upper()
    with pytest.raises(SettingsError, match="both"):
        load(None, {}, {variable: "1", f"{variable}_FILE": __file__})


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("BACKSTOP_RPC", "http://a.test", "node.urls"),
        ("BACKSTOP_PRIVATE_KEY", KEY, "key.private_key"),
        ("BACKSTOP_JOURNAL", "journal.db", "journal.url"),
        ("BACKSTOP_INDEX", "postgresql+psycopg://u:p@h/n", "index.url"),
        ("BACKSTOP_DEPLOYMENT", "d.json", "deployment"),
    ],
)
def test_the_short_names_of_variables(variable: str, value: str, name: str) -> None:
    assert load(None, {}, {variable: value}).origins == {name: variable}


@pytest.mark.parametrize(
    "text", ["http://a.test,http://b.test", "http://a.test http://b.test", '["http://a.test", "http://b.test"]']
)
def test_several_values_in_a_variable(text: str) -> None:
    assert load(None, {}, {"BACKSTOP_NODE__URLS": text}).settings.node_urls == ("http://a.test", "http://b.test")


def test_a_secret_in_a_file_of_its_own(tmp_path: Path) -> None:
    urls, key = tmp_path / "urls", tmp_path / "key"
    urls.write_text("http://a.test/KEY\nhttp://b.test\n")
    key.write_text(f"{KEY}\n")
    loaded = load(None, {}, {"BACKSTOP_NODE__URLS_FILE": str(urls), "BACKSTOP_PRIVATE_KEY_FILE": str(key)})
    assert loaded.settings.node_urls == ("http://a.test/KEY", "http://b.test")
    assert loaded.settings.key.private_key is not None
    assert loaded.settings.key.private_key.get_secret_value() == KEY
    assert loaded.origins["key.private_key"] == f"BACKSTOP_PRIVATE_KEY_FILE ({key})"


def test_passphrase_file_is_a_setting_and_no_file_of_one(tmp_path: Path) -> None:
    environment = {"BACKSTOP_KEY__KEYSTORE": "k.json", "BACKSTOP_KEY__PASSPHRASE_FILE": str(tmp_path / "not-read")}
    assert load(None, {}, environment).settings.key.passphrase_file == tmp_path / "not-read"


def test_an_empty_variable_says_nothing() -> None:
    assert load(None, {}, {"BACKSTOP_RPC": "", "BACKSTOP_NODE__URLS": " ", "BACKSTOP_CONFIG": ""}).origins == {}


def test_what_an_orchestrator_makes_of_the_name_is_let_be() -> None:
    load(None, {}, {"BACKSTOP_SERVICE_HOST": "10.0.0.1", "BACKSTOP_PORT_9464_TCP": "tcp://10.0.0.1:9464"})


# ------------------------------------------------------------------ refused


def refused(call: Any) -> str:
    """The one line of what is refused."""
    with pytest.raises(SettingsError) as fault:
        call()
    text = str(fault.value)
    assert "\n" not in text
    assert fault.value.exit_code == 2
    return text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[node]\nurl = ['x']", ("unknown setting node.url", "node.urls")),
        ("[nodes]\nurls = ['x']", ("unknown setting nodes", "did you mean node?")),
        ("[duties.take_overs]\nenabled = true", ("duties.take_overs", "duties.take_over")),
        ("max_fee = '1 gwei'", ("unknown setting max_fee", "fees.max_fee")),
        ("zebra = 1", ("unknown setting zebra", "backstop config example")),
        ("node = 3", ("node is a table", "[node]")),
        ("[node]\nurls = 'http://a.test'", ("node.urls", "a list is expected")),
        ("[node]\nurls = ['ftp://u:hunter2@a.test']", ("node.urls", "'ftp://a.test' is no HTTP URL")),
        ("[node]\nurls = ['http://a.test']\nquorum = 2", ("quorum is 2, with 1 in urls",)),
        ("[node]\npoll = 'nan'", ("node.poll", "finite")),
        ("[node]\npoll = 0", ("node.poll", "greater than 0")),
        ("[fees]\nmax_fee = 5", ("fees.max_fee", "a number and its unit", "gwei")),
        ("[fees]\nmax_fee = '0.5 wei'", ("fees.max_fee", "no whole number of wei")),
        ("[fees]\ntip_cap = '6000 gwei'", ("fees (", "ascend")),
        ("[duties.liquidate]\nup_to = '1e5'", ("duties.liquidate.up_to", "not a decimal amount")),
        ("[duties.liquidate]\nup_to = -1", ("duties.liquidate.up_to", "negative")),
        ("[duties.liquidate]\nup_to = true", ("duties.liquidate.up_to", "an amount")),
        ("[duties.unwind]\nmost_slippage = 1.5", ("duties.unwind.most_slippage", "at most 1")),
        ("[duties.checkpoint]\nevery = 0", ("duties.checkpoint.every", "greater than or equal to 1")),
        ("[metrics]\nlisten = '9464'", ("metrics.listen", "127.0.0.1:9464")),
        ("[metrics]\nlisten = 'keeper:9464'", ("metrics.listen", "no IP address")),
        ("[metrics]\nlisten = '127.0.0.1:0'", ("metrics.listen", "127.0.0.1:9464")),
        ("[journal]\nurl = 'mysql://u:hunter2@h/n'", ("journal.url", "postgresql+psycopg://")),
        ("[key]\nkeystore = 'k.json'", ("key (", "k.json needs its passphrase_file")),
        ("[key]\nprivate_key = 'hunter2'", ("key.private_key", "holds no private key")),
        (f"[key]\nprivate_key = '0x{'ff' * 32}'", ("key.private_key", "holds no private key")),
        (f"[key]\nprivate_key = '{KEY}'\nsigner = 'http://127.0.0.1:8550'", ("signer is set beside", "keep one")),
        ("[key]\nsigner = 'unix:///run/s.sock'", ("key.signer", "no HTTP URL", "http://127.0.0.1:8550")),
        (f"[key]\naddress = '0x{'11' * 20}'", ("key (", "name the signer")),
        ("[key]\nsigner = 'http://127.0.0.1:1'\naddress = '0x11'", ("key.address", "is no address")),
        ("[fees]\nbudget_per_hour = '2 ether'", ("fees (", "more than budget_per_day")),
        ("[node]\nurls = ['http://a.test', 'http://a.test']", ("node (", "twice")),
        ("[webhooks]\nevents = ['adl']", ("webhooks.events", "adl_start")),
        ("[webhooks]\nsecret = 'hunter2'", ("webhooks.secret", "at least 8")),
        ("[log]\nlevel = 'loud'", ("log.level", "'warning'")),
        ("[node]\npoll =", ("is not TOML", "Invalid value")),
        ("a = [" * 10_000, ("is not TOML",)),
    ],
)
def test_a_file_that_is_refused(text: str, words: tuple[str, ...], file: Path) -> None:
    line = refused(lambda: told(text, file))
    assert str(file) in line
    for word in words:
        assert word in line
    for secret in ("hunter2", KEY, "ff" * 32):
        assert secret not in line


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refused(lambda: load(tmp_path / "none.toml", {}, {}))
    assert "Is a directory" in refused(lambda: load(tmp_path, {}, {}))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in refused(lambda: load(tmp_path / "bytes", {}, {}))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"BACKSTOP_NODE__URLZ": "x"}, ("BACKSTOP_NODE__URLZ", "BACKSTOP_NODE__URLS?")),
        ({"BACKSTOP_METRICS_LISTEN": "x"}, ("BACKSTOP_METRICS_LISTEN", "BACKSTOP_METRICS__LISTEN?")),
        ({"BACKSTOP_DEPLOYMNT": "x"}, ("BACKSTOP_DEPLOYMNT", "BACKSTOP_DEPLOYMENT?")),
        ({"BACKSTOP_ZOO__ZEBRA": "x"}, ("BACKSTOP_ZOO__ZEBRA", "backstop config show")),
        ({"BACKSTOP_RPC": "http://a", "BACKSTOP_NODE__URLS": "http://b"}, ("node.urls", "both", "keep one")),
        ({"BACKSTOP_NODE__URLS": "['a'"}, ("BACKSTOP_NODE__URLS", "JSON")),
        ({"BACKSTOP_NODE__URLS_FILE": "/nowhere/urls"}, ("BACKSTOP_NODE__URLS_FILE", "cannot read /nowhere/urls")),
        ({"BACKSTOP_STATE_DIR": "\udcff"}, ("BACKSTOP_STATE_DIR is not UTF-8",)),
        ({"BACKSTOP_DUTIES__LIQUIDATE__MARKETS": "[" * 3000}, ("is not a JSON list",)),
        ({"BACKSTOP_JOURNAL": "sqlite:///x?timeout=abc"}, ("journal.url", "an option with a value that cannot be")),
        ({"BACKSTOP_NODE__WS_URL": "http://a.test"}, ("is no websocket URL",)),
        ({"BACKSTOP_DUTIES__ADL__ENABLED": "maybe"}, ("adl.enabled (BACKSTOP_DUTIES__ADL__ENABLED)", "true or false")),
    ],
)
def test_an_environment_that_is_refused(environment: dict[str, str], words: tuple[str, ...]) -> None:
    line = refused(lambda: load(None, {}, environment))
    for word in words:
        assert word in line


def test_an_override_that_there_is_not() -> None:
    assert "duties.adl.enabled" in refused(lambda: load(None, {"duties.adl.enable": True}, {}))


@pytest.mark.parametrize("name", ["deployment_file", "node_urls"])
def test_what_a_chain_needs_is_asked_for(name: str) -> None:
    line = refused(lambda: getattr(Settings(), name))
    assert "is not set: give --" in line
