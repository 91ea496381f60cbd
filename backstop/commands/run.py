"""`backstop run`: the keeper."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backstop.errors import BackstopError

_FILE = click.Path(path_type=Path)  # what cannot be read is told in one line by whoever reads it


@click.command("run")
@click.option("--once", is_flag=True, help="One cycle: everything that is due now, until nothing is.")
@click.option("--send", is_flag=True, help="Sign and send. Without it nothing is sent: what would be done is shown.")
@click.option("--rpc", required=True, metavar="URL", help="The node to read from and send to.")
@click.option("--deployment", required=True, type=_FILE, metavar="FILE", help="deployments/NAME.json")
@click.option(
    "--keystore", type=_FILE, metavar="FILE", help="Key that signs; else BACKSTOP_PRIVATE_KEY of the environment."
)
@click.option("--passphrase-file", type=_FILE, metavar="FILE", help="What opens the keystore.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as a JSON list.")
def run_command(
    once: bool,
    send: bool,
    rpc: str,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Take over who is to be taken over, and deleverage where it is due. A dry run unless --send is given.

    Exit status 1 where the contracts refused something that seemed due; the rest is done all the same.
    """
    if not once:
        raise click.UsageError("only single cycles so far: give --once")
    from eth_account import Account

    from backstop.chain.deployment import Deployment
    from backstop.chain.endpoint import Endpoint
    from backstop.chain.keys import load_key
    from backstop.chain.transactions import Sender
    from backstop.keeper.cycle import Action, Cycle
    from backstop.keeper.results import action_document
    from backstop.render import print_action

    place = Deployment.load(deployment)
    endpoint = Endpoint(rpc)
    # A dry run needs no key: what anyone may call, anyone may simulate.
    signer = load_key(keystore, passphrase_file) if send or keystore else Account.create()
    cycle = Cycle(endpoint, place, Sender(endpoint, signer, place.chain_id), send=send)
    done: list[Action] = []
    fault: BackstopError | None = None
    try:
        for action in cycle.run(lambda text: click.echo(f"warning: {text}", err=True)):
            done.append(action)
            if not as_json:
                print_action(action)
    except BackstopError as error:
        fault = error
    if as_json and (done or fault is None):
        click.echo(json.dumps([action_document(action) for action in done], indent=2))
    if fault is not None:
        raise fault
    if not done and not as_json:
        click.echo("nothing is due")
    if any(action.refusal for action in done):
        click.get_current_context().exit(1)
