"""Commands that go to a network: a URL that is missing is one line, and so is whatever else is expected to go wrong."""

from __future__ import annotations

import re
from typing import Any

import click
from ape.cli import ConnectedProviderCommand
from ape.cli.options import NETWORK_META_KEY
from ape.exceptions import ApeException, ConfigError

from backstop.errors import BackstopError


class NetworkCommand(ConnectedProviderCommand):
    """Expected failures are a line on stderr and their exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Before ape connects it is seen that there is something to connect to."""
        _check_url((ctx.meta.get(NETWORK_META_KEY) or {}).get("provider") or ctx.params.get("network"))
        try:
            return super().invoke(ctx)
        except BackstopError as fault:
            raise _Refusal(str(fault), fault.exit_code) from None
        except ApeException as fault:
            raise _Refusal(" ".join(str(fault).split()), 1) from None


class _Refusal(click.ClickException):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_code = status

    def show(self, file: Any = None) -> None:
        """As all of Backstop's commands say it."""
        click.echo(f"error: {self.message}", err=True)


def _check_url(provider: Any) -> None:
    if getattr(provider, "name", "") != "node":
        return
    try:
        _ = provider.uri
    except ConfigError as fault:
        if variable := re.search(r"\$\{?([A-Z][A-Z0-9_]*)", str(fault)):
            network = f"{provider.network.ecosystem.name}:{provider.network.name}:node"
            words = f"{variable[1]} is not set: it has to have the URL of a node of {network}"
            raise _Refusal(words, 2) from None
        raise _Refusal(" ".join(str(fault).split()), 2) from None
    except ApeException:
        network = f"{provider.network.ecosystem.name}:{provider.network.name}:node"
        words = f"{network} has no URL: its variable is empty, or ape-config.yaml has no node of it"
        raise _Refusal(words, 2) from None
