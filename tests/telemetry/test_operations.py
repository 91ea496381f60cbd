"""The files under ops/, as text: no Docker, systemd, Prometheus or Grafana is needed to see that they fit the rest."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from backstop.cli import cli
from backstop.settings.fields import leaves
from backstop.settings.layers import ALIASES, CONFIG
from backstop.settings.loading import load
from backstop.settings.model import Event
from backstop.telemetry.metrics import OUTCOMES, Metrics

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
GUIDE = (ROOT / "docs/operate.md").read_text()
COMPOSE = yaml.safe_load((OPS / "compose.yml").read_text())
ALERTS = yaml.safe_load((OPS / "prometheus/alerts.yml").read_text())
BOARD = json.loads((OPS / "grafana/dashboards/backstop.json").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def unit_lines(key: str) -> list[str]:
    """The values of a key in the keeper's unit."""
    lines = (OPS / "systemd/backstop-keeper.service").read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def exported() -> dict[str, set[str]]:
    """The samples that the keeper's metrics can have, and the labels of each."""
    metrics = Metrics()
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        names = getattr(metric, "_labelnames", None)
        if names is None:
            continue
        kind, name = metric._type, metric._name
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(kind, [""])
        for suffix in suffixes:
            found[name + suffix] = {*names, *(["le"] if suffix == "_bucket" else [])}
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the alerts and the dashboard, and where it stands."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in BOARD["templating"]["list"]:
        yield variable["name"], variable["query"]


# ------------------------------------------------------------------ metrics


@pytest.mark.parametrize(("where", "query"), list(expressions()))
def test_metrics_and_labels_of_queries_are_the_keeper_s(where: str, query: str) -> None:
    known = exported()
    names = re.findall(r"\bbackstop_\w+", query)
    assert names or "up{" in query, where
    for name in names:
        assert name in known, f"{where}: {name}"
    for name, matchers in re.findall(r"\b(backstop_\w+)\{([^}]*)\}", query):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers)) - {"instance", "job"}
        assert labels <= known[name], f"{where}: {labels} of {name}"
    for outcome in re.findall(r'outcome!?="(\w+)"', query):
        assert outcome in {*OUTCOMES, "done", "delivered", "dropped"}
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_labels_that_a_summary_names_are_there(rule: dict[str, Any]) -> None:
    labels = set().union(*(exported()[name] for name in re.findall(r"\bbackstop_\w+", rule["expr"])), {"instance"})
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_every_metric_is_shown_or_watched() -> None:
    used = {name for _, query in expressions() for name in re.findall(r"\bbackstop_\w+", query)}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in used}
    own = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exported()}
    assert own - families == {"backstop_head_timestamp_seconds"}  # for whoever has a better clock


def test_the_dashboard_is_well_formed() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    source = yaml.safe_load((OPS / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    boards = yaml.safe_load((OPS / "grafana/provisioning/dashboards/backstop.yml").read_text())["providers"][0]
    mounts = COMPOSE["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{boards['options']['path']}:ro" in mounts


def test_prometheus_asks_the_keeper_where_it_listens() -> None:
    config = yaml.safe_load((OPS / "prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert config["rule_files"] == ["alerts.yml"]
    assert any(f'job="{job["job_name"]}"' in rule["expr"] for rule in RULES)
    (target,) = job["static_configs"][0]["targets"]
    name, port = target.split(":")
    assert COMPOSE["services"][name]["environment"]["BACKSTOP_METRICS__LISTEN"].endswith(f":{port}")


# ------------------------------------------------------------------ the guide


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_in_the_runbook(rule: dict[str, Any]) -> None:
    section = GUIDE.split(f"### {rule['alert']}\n")[1].split("\n### ")[0]
    for part in ("**Means**", "**Look at**", "**Do**"):
        assert section.count(part) == 1


def test_the_runbook_has_nothing_else() -> None:
    assert set(re.findall(r"(?m)^### (\w+)$", GUIDE)) == {rule["alert"] for rule in RULES}


def test_every_event_is_in_the_guide() -> None:
    for event in Event:
        assert f"`{event.value}`" in GUIDE


def test_links_within_the_guide_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings()}
    assert set(re.findall(r"\]\(#([\w-]+)\)", GUIDE)) <= anchors
    for file in re.findall(r"\]\(([\w./-]+)\)", GUIDE):
        assert (ROOT / "docs" / file).exists()


def headings() -> list[str]:
    """Those of the guide."""
    return re.findall(r"(?m)^#+ (.+)$", GUIDE)


# ------------------------------------------------------------------ settings and command lines


def variables() -> set[str]:
    """Every BACKSTOP_ variable that the files set."""
    found = {name for line in unit_lines("Environment") for name in re.findall(r"BACKSTOP_\w+(?==)", line)}
    for service in COMPOSE["services"].values():
        found |= {name for name in service.get("environment", {}) if name.startswith("BACKSTOP_")}
    return found | set(re.findall(r"BACKSTOP_\w+", GUIDE + (OPS / "Dockerfile").read_text()))


@pytest.mark.parametrize("variable", sorted(variables() - {"BACKSTOP_"}))
def test_variables_are_settings(variable: str) -> None:
    of_the_bot = re.findall(r'(?m)^SEND = "(\w+)"', (ROOT / "bots" / "keeper.py").read_text())
    known = {leaf.variable for leaf in leaves().values()} | {*ALIASES, CONFIG, *of_the_bot}
    assert variable in known or variable.removesuffix("_FILE") in known


def test_the_keeper_s_environment_holds_as_settings(tmp_path: Path) -> None:
    url = tmp_path / "database.url"
    url.write_text("postgresql+psycopg://backstop:secret@postgres/backstop\n")
    environment = dict(COMPOSE["services"]["keeper"]["environment"])
    for name, value in environment.items():
        if name.endswith("__URL_FILE"):
            environment[name] = str(url)
            assert value == "/run/secrets/database_url"
    settings = load(None, {}, environment).settings
    assert settings.metrics.listen is not None
    assert settings.key.is_set
    assert settings.journal.url.url == url.read_text().strip()


def command_lines() -> Iterator[list[str]]:
    """What is run of `backstop`, without its name."""
    for key in ("ExecStartPre", "ExecStart"):
        for line in unit_lines(key):
            program, *arguments = shlex.split(line.lstrip("-"))
            assert program.endswith("/backstop")
            yield arguments
    for name in ("keeper", "watcher"):
        yield COMPOSE["services"][name]["command"]
    docker = (OPS / "Dockerfile").read_text()
    assert json.loads(re.findall(r"(?m)^ENTRYPOINT (.+)$", docker)[0]) == ["backstop"]
    yield json.loads(re.findall(r"(?m)^CMD (.+)$", docker)[0])


@pytest.mark.parametrize("arguments", list(command_lines()), ids=" ".join)
def test_command_lines_are_those_of_the_cli(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSTOP_RPC", "http://127.0.0.1:9")
    monkeypatch.setenv("BACKSTOP_DEPLOYMENT", "deployment.json")
    command: click.Command = cli
    context: click.Context | None = None
    rest = list(arguments)
    while isinstance(command, click.Group):
        context = click.Context(command, parent=context)
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
    made = command.make_context(command.name, rest, parent=context)
    assert made.args == []


def test_every_secret_of_compose_is_declared_and_used() -> None:
    used = {secret for service in COMPOSE["services"].values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    text = (OPS / "compose.yml").read_text()
    for secret in used:
        assert f"/run/secrets/{secret}" in text
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "/ops/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_file_that_compose_mounts_is_there() -> None:
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert (OPS / source).exists()
        if "build" in service:
            assert (OPS / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_images_run_as_nobody_in_particular_and_have_what_they_copy() -> None:
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    for file in ("Dockerfile", "node.Dockerfile"):
        text = (OPS / file).read_text()
        assert re.findall(r"(?m)^USER (?!root|0)", text)
        for sources in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", text):
            for source in sources.split():
                assert (ROOT / source).exists()
                assert f"!{source}" in let_through


def test_the_unit_hands_secrets_over_and_locks_the_rest() -> None:
    unit = (OPS / "systemd/backstop-keeper.service").read_text()
    for line in ("DynamicUser=yes", "ProtectSystem=strict", "StateDirectory=backstop", "Restart=always"):
        assert line in unit.splitlines()
    credentials = {line.split(":")[0] for line in unit_lines("LoadCredential")}
    assert {name for line in unit_lines("Environment") for name in re.findall(r"%d/(\w+)", line)} == credentials


def test_no_registry_and_no_port_that_is_open_to_all() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        assert "." not in service.get("image", "").split("/")[0].split(":")[0]


# ------------------------------------------------------------------ the lock of the image


def locked(name: str) -> dict[str, set[str]]:
    """The packages of a lock, with version, and their hashes."""
    found: dict[str, set[str]] = {}
    package = ""
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([a-z0-9._-]+==[^ ;]+)", line):
            package = match[1]
            found.setdefault(package, set())
        elif "--hash=" in line:
            found[package].add(line.strip(" \\"))
    return found


def test_the_bots_get_what_the_checkout_is_locked_to() -> None:
    bots, checkout = locked("requirements-bots.lock"), locked("requirements.lock")
    assert all(bots.values())
    versions = {package.split("==")[0]: set[str]() for package in checkout}
    for package in checkout:
        versions[package.split("==")[0]].add(package)
    for package in bots:
        assert package in versions.get(package.split("==")[0], {package})
    names = {package.split("==")[0] for package in bots}
    assert "silverback" in names - set(versions)


def test_the_image_gets_what_the_checkout_is_locked_to() -> None:
    keeper, checkout = locked("requirements-keeper.lock"), locked("requirements.lock")
    assert all(keeper.values())
    for package, hashes in keeper.items():
        assert hashes <= checkout[package]
    names = {package.split("==")[0] for package in keeper}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        assert re.split(r"[<>=\[ ]", line)[0] in names
    assert not names & {"eth-ape", "py-solc-x", "pytest", "mypy", "ruff"}
    assert any(package.startswith("flit-core==") for package in checkout)
