"""Markets with hand-set feeds on a chain of one's own: listed with a deployment, and priced anew at will."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import click
from ape import project

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_markets
from backstop.deployment.plan import Plan, plan_of
from backstop.math.wad import format_amount
from scripts.stage.parameters import full_market
from scripts.stage.system import FEED_DECIMALS
from scripts.stage.venue import rpc_url

POOL = "test"
HEARTBEAT = 2 * 86400  # the longest that the price feed allows: nobody is there to publish a price every hour
_INITIAL, _MAINTENANCE, _SMALLEST = Decimal("0.1"), Decimal("0.05"), Decimal("0.001")
_LOWEST, _HIGHEST = Decimal(1).scaleb(-FEED_DECIMALS), Decimal(10**9)


class NamedPrice(click.ParamType):
    """`ETH-USD=100`: the name of a market and its price."""

    name = "market and price"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Decimal]:
        if not isinstance(value, str):
            return value
        name, sign, text = value.rpartition("=")
        try:
            price = Decimal(text)
        except InvalidOperation:
            price = Decimal("NaN")
        if not sign or not name.isprintable() or not 0 < len(name.encode()) <= 32 or not price.is_finite():
            self.fail(f"{value!r} is no market with a price: give one like ETH-USD=100", param, ctx)
        if not _LOWEST <= price <= _HIGHEST or price % _LOWEST:
            self.fail(f"{text} is no price from {_LOWEST:f} to {_HIGHEST:f} with {FEED_DECIMALS} decimals", param, ctx)
        return name, price


def with_test_markets(plan: Plan, prices: Sequence[tuple[str, Decimal]]) -> Plan:
    """A plan with more markets, in one shared pool, with fees, funding and limits as a venue would set them; 10x.

    Their feeds are set by hand. Raises PlanError where the plan has a market, or another pool, of such a name.
    """
    document = plan.document()
    if prices and POOL not in [pool["name"] for pool in document["pools"]]:
        document["pools"].append({"name": POOL, "kind": "shared"})
    values = full_market(_INITIAL, _MAINTENANCE, _SMALLEST)._asdict()
    document["markets"] += [
        {name: format_amount(value) for name, value in values.items()}
        | {
            "name": name,
            "pool": POOL,
            "price": format(price, "f"),
            "heartbeat": HEARTBEAT,
            "lowest_price": format(_LOWEST, "f"),
            "highest_price": format(_HIGHEST, "f"),
        }
        for name, price in prices
    ]
    return plan_of(document, "--test-market")


def set_prices(record: Deployment, owner: Any, prices: Sequence[tuple[str, Decimal]]) -> None:
    """The next answers of hand-set feeds. Raises click.ClickException for a market that is not listed."""
    markets = read_markets(Endpoint(rpc_url()), record)
    price_feed = project.ChainlinkPriceFeed.at(record.price_feed)
    for name, _ in prices:
        if name not in markets:
            raise click.ClickException(f"unknown market {name!r}: the exchange has {', '.join(markets) or 'none'}")
    for name, price in prices:
        feed = project.MockAggregator.at(price_feed.feedOf(markets[name].id).aggregator)
        feed.setAnswer(int(price * 10**FEED_DECIMALS), sender=owner)


def check_names(prices: Sequence[tuple[str, Decimal]]) -> None:
    """Raises click.UsageError where a name stands twice."""
    names = [name for name, _ in prices]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise click.UsageError(f"{twice[0]} is named twice")
