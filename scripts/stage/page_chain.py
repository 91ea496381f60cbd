"""A demonstration's chain that goes on while somebody looks at it: blocks come, and prices stay published."""

from __future__ import annotations

import time
from pathlib import Path

import click

from scripts.stage.page_server import page_settings, serving_page, until_interrupted
from scripts.stage.venue import HEARTBEAT, Venue, rpc_url

BLOCK_TIME = 2  # seconds
_PUBLISHED = HEARTBEAT // 4  # seconds between two publications of a price


def show_page(venue: Venue, port: int) -> None:
    """Serves the page of a venue until Ctrl-C."""
    url, file = rpc_url(), Path("build") / "deployment.json"
    venue.deployment.save(file)
    with serving_page(page_settings(url, venue.deployment), port) as page:
        venue.endpoint.request("evm_setIntervalMining", BLOCK_TIME)
        click.echo(f"\nThe page:  {page}")
        click.echo(f"Its chain: {url}, a block every {BLOCK_TIME} s; deployment file {file}")
        click.echo("Both stay until Ctrl-C.")
        with until_interrupted():
            while True:
                time.sleep(_PUBLISHED)
                _publish(venue)


def _publish(venue: Venue) -> None:
    """Each feed's last answer anew, a block each: ape does not wait for one that comes by itself."""
    venue.endpoint.request("evm_setIntervalMining", 0)
    venue.endpoint.request("evm_setAutomine", True)
    for market in venue.markets.values():
        answer = market.feed.latestRoundData()[1]
        market.feed.setAnswer(answer, sender=venue.owner)
    venue.endpoint.request("evm_setIntervalMining", BLOCK_TIME)
