"""The page, served: `make page`. Against the demonstration's crash, or any deployment that is named.

make page
make page ARGS="--rpc https://… --deployment deployments/sepolia.json"
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ape.logging
import click
from ape import accounts, networks

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.errors import BackstopError
from scripts.stage.crash_run import run_crash
from scripts.stage.lean_anvil import install
from scripts.stage.page_chain import show_page
from scripts.stage.page_server import BUILT, PORT, page_settings, serving_page, until_interrupted
from scripts.stage.screen import Screen
from scripts.stage.venue import Venue, rpc_url


@click.command()
@click.option("--rpc", metavar="URL", help="The node that the browser asks; without it the demonstration's crash.")
@click.option("--deployment", type=click.Path(path_type=Path, dir_okay=False), help="Deployment file of that chain.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where to serve; 0: any.")
@click.option("--write", is_flag=True, help="Write page.json into the built page, to be uploaded, and end.")
def cli(rpc: str | None, deployment: Path | None, port: int, write: bool) -> None:
    """Serve the page of a deployment, or of the demonstration's crash, until Ctrl-C."""
    if (rpc is None) != (deployment is None) or (write and rpc is None):
        raise click.UsageError("--rpc and --deployment belong together, and --write needs both")
    try:
        if rpc is None or deployment is None:
            serve_crash(port)
            return
        record = Deployment.load(deployment)
        if write:
            file = BUILT / "page.json"
            file.write_bytes(page_settings(rpc, record))
            click.echo(f"{file} is written: the folder {BUILT} may be uploaded to any server of static files.")
            return
        Endpoint(rpc).check(record)
        serve(page_settings(rpc, record), port)
    except BackstopError as fault:
        raise click.ClickException(str(fault)) from None


def serve(settings: bytes, port: int) -> None:
    """Until Ctrl-C."""
    with serving_page(settings, port) as page, until_interrupted():
        click.echo(f"The page: {page}  until Ctrl-C")
        while True:
            time.sleep(3600)


def serve_crash(port: int) -> None:
    """The demonstration's last case on a chain of its own, which goes on."""
    ape.logging.logger.set_level("ERROR")
    install()
    screen = Screen()
    with networks.ethereum.local.use_provider("foundry"):
        venue = Venue.open(accounts.test_accounts[0])
        venue.deployment.save(Path("build") / "deployment.json")
        keeper = venue.trader("keeper")
        venue.post_bond(keeper)
        screen.deployed(venue.deployment, rpc_url(), keeper.address)
        run_crash(venue, keeper, screen)
        show_page(venue, port)


if __name__ == "__main__":
    sys.exit(cli())
