"""`backstop config`: the settings that hold, where each comes from, and an example of a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backstop.commands.settings_options import config_option

_WIDEST = 40  # characters of a value; behind a longer one the column begins later


@click.group("config")
def config_group() -> None:
    """The settings of the keeper."""


@config_group.command("show")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--toml", "as_toml", is_flag=True, help="Print TOML.")
def show_command(config: Path | None, as_json: bool, as_toml: bool) -> None:
    """The settings that hold, and where each was told. No secret is shown, and of a URL only its host."""
    from backstop.settings.fields import flat, leaves
    from backstop.settings.loading import load
    from backstop.settings.toml import effective, toml_value

    if as_json and as_toml:
        raise click.UsageError("give one of --json, --toml")
    loaded = load(config)
    document = flat(loaded.settings.model_dump(mode="json"))
    if as_toml:
        click.echo(effective(document), nl=False)
        return
    origins = {name: loaded.origins.get(name, "default") for name in leaves()}
    if as_json:
        shown = {name: {"value": value, "from": origins[name]} for name, value in document.items()}
        click.echo(json.dumps(shown, indent=2))
        return
    values = {name: "-" if value is None else toml_value(value) for name, value in document.items()}
    wide = max(map(len, values))
    # One long value, a list of URLs, must not push all the others' origins out of sight.
    column = max((len(value) for value in values.values() if len(value) <= _WIDEST), default=0)
    for name, value in values.items():
        click.echo(f"{name:<{wide}}  {value:<{column}}  {origins[name]}")


@config_group.command("example")
def example_command() -> None:
    """A file with every setting, what it means, and what holds without it."""
    from backstop.settings.toml import example

    click.echo(example(), nl=False)
