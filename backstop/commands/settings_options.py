"""The options of a command line that stand for settings, and what of them was really given there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from backstop.commands.options import FILE, Amount
from backstop.errors import SettingsError

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.settings import Settings

_SETTINGS = "backstop.settings"
_Command = TypeVar("_Command", bound=Callable[..., Any])

# Which setting a parameter stands for; what begins with `no_` switches it off.
_NAMES = {
    "rpc": "node.urls",
    "deployment": "deployment",
    "keystore": "key.keystore",
    "passphrase_file": "key.passphrase_file",
    "signer": "key.signer",
    "signer_address": "key.address",
    "journal": "journal.url",
    "notional": "duties.liquidate.up_to",
    "least_discount": "duties.liquidate.least_discount",
    "sub_account": "duties.liquidate.sub_account",
    "no_checkpoint": "duties.checkpoint.enabled",
    "no_redistribute": "duties.redistribute.enabled",
    "no_settle_exits": "duties.settle_exits.enabled",
    "checkpoint_every": "duties.checkpoint.every",
    "checkpoint_shared_every": "duties.checkpoint.shared_every",
    "least_exit": "duties.settle_exits.least",
    "poll": "node.poll",
}


def config_option(command: _Command) -> _Command:
    """Adds `--config`. BACKSTOP_CONFIG is read by whoever loads the settings."""
    return click.option(
        "--config", type=FILE, metavar="FILE", help="Settings in TOML; else what BACKSTOP_CONFIG names, or none."
    )(command)


def chain_overrides(command: _Command) -> _Command:
    """Adds `--rpc` and `--deployment` where the settings may tell them."""
    command = click.option(
        "--deployment",
        type=FILE,
        metavar="FILE",
        help="deployments/NAME.json; else BACKSTOP_DEPLOYMENT, or the file's.",
    )(command)
    return click.option("--rpc", metavar="URL", help="The node; else BACKSTOP_RPC, or those of the file.")(command)


def chain_options(command: _Command) -> _Command:
    """Adds `--config`, `--rpc` and `--deployment`; the command gets the node, or the nodes as one, and the file.

    They are those of the settings, so that whoever has a file, or the environment, need say nothing.
    """

    @wraps(command)
    def with_chain(*arguments: Any, config: Path | None, **options: Any) -> Any:
        del config  # of the context, as all that was given
        settings = settings_of(click.get_current_context())
        options |= {"rpc": node_of(settings), "deployment": settings.deployment_file}
        return command(*arguments, **options)

    return config_option(chain_overrides(cast(_Command, with_chain)))


def node_of(settings: Settings) -> Endpoint:
    """The node of the settings; where there are several, they have to agree as for a keeper."""
    from backstop.chain.endpoint import Endpoint
    from backstop.chain.nodes import Nodes

    node, urls = settings.node, settings.node_urls
    if len(urls) == 1:
        return Endpoint(urls[0])
    return Nodes(urls, quorum=node.quorum, lag=node.most_lag, timeout=node.timeout)


def settings_of(context: click.Context) -> Settings:
    """The settings, with those of the present command line, which win. Raises UsageError without a node."""
    settings = any_settings_of(context)
    try:
        _ = settings.deployment_file, settings.node_urls
    except SettingsError as fault:
        raise click.UsageError(str(fault), context) from None
    return settings


def any_settings_of(context: click.Context) -> Settings:
    """The same, also without a node or a deployment; read once."""
    from backstop.settings import load_settings

    if _SETTINGS not in context.meta:
        context.meta[_SETTINGS] = load_settings(context.params.get("config"), overrides_of(context))
    found: Settings = context.meta[_SETTINGS]
    return found


def overrides_of(context: click.Context) -> dict[str, Any]:
    """What was given on the command line, by the name of the setting."""
    from backstop.math.wad import format_amount

    overrides: dict[str, Any] = {}
    for parameter in context.command.params:
        key = parameter.name or ""
        if key not in _NAMES or context.get_parameter_source(key) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[key]
        if key.startswith("no_"):
            value = not value
        elif isinstance(parameter.type, Amount):
            value = format_amount(value)
        elif key == "rpc":
            value = [value]
        overrides[_NAMES[key]] = value
    return overrides
