"""Crowds of counterparties for the bench: a pool that is out of money, and has just the inventory for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, cross_sub_id
from backstop.adl.listing import NO_BOUND
from backstop.chain.bindings import DELEVERAGE, TAKE_OVER
from backstop.math.wad import WAD
from scripts.stage.crowd import Call, account, deposit_calls, deposit_to_calls, sale_calls, send_all
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, wad

LONG = 0
GAPPED = Decimal(90)  # the mark at which the crowd is deleveraged
_OPENED = Decimal(100)
_PREMIUM = wad("100.05")  # fills above mark: the next hour has funding to pay
_LAPSE = 600  # seconds until nobody is exempt from a round as one who has just raised risk


@dataclass(frozen=True)
class Crowd:
    """Short a contract each, in rank order; whose accounts they are. `keeper` has a bond."""

    market: TestMarket
    signers: list[LocalAccount]
    accounts: list[bytes]
    keeper: LocalAccount

    def round_call(self, venue: Venue, candidates: list[bytes]) -> Call:
        """A round over these; what it is bound to is nothing."""
        bounds = (0, wad(1000), [], NO_BOUND, chain.blocks.head.timestamp + 3600)
        data = DELEVERAGE.encode(self.market.id, LONG, candidates, bounds)
        return Call(self.keeper, venue.system.engine, data)

    def inventory(self, venue: Venue) -> int:
        """Signed contracts of the pool, WAD."""
        return int(venue.system.fund.inventory(self.market.id, LONG))


def isolated_crowd(venue: Venue, name: str, margins: list[int]) -> Crowd:
    """Isolated accounts with these margins, the least first: that one ranks first."""
    [market] = list_markets(venue, name, 1)
    shorts = [venue.trader(f"{name} short {i}") for i in range(len(margins))]
    calls: list[Call] = []
    for short, margin in zip(shorts, margins, strict=True):
        calls += deposit_calls(venue, short, market, margin)
    send_all(venue, calls)
    return gap(venue, name, market, shorts, [account(each, market) for each in shorts])


def cross_crowd(venue: Venue, name: str, margins: list[int], legs: int) -> Crowd:
    """Cross accounts with positions in so many markets each; the others' marks stay where they are."""
    markets = list_markets(venue, name, legs)
    shorts = [venue.trader(f"{name} short {i}") for i in range(len(margins))]
    accounts = [account_of(each.address, cross_sub_id()) for each in shorts]
    calls: list[Call] = []
    for short, margin in zip(shorts, margins, strict=True):
        calls += deposit_to_calls(venue, short, cross_sub_id(), margin)
    send_all(venue, [*calls, *open_in(venue, name, markets[1:], shorts, accounts)])
    return gap(venue, name, markets[0], shorts, accounts)


def open_in(
    venue: Venue,
    name: str,
    markets: list[TestMarket],
    makers: list[LocalAccount],
    accounts: list[bytes],
    price: int = _PREMIUM,
) -> list[Call]:
    """Short a contract of each of these accounts in each of these markets, against somebody well backed."""
    whale = venue.trader(f"{name} whale")
    calls: list[Call] = []
    for market in markets:
        calls += deposit_calls(venue, whale, market, 100 * len(makers))
        calls += sale_calls(venue, makers, whale, market, price, accounts=accounts)
    return calls


def list_markets(venue: Venue, name: str, count: int) -> list[TestMarket]:
    """Markets at 100 in one pool, isolated where it is one market; with fees, funding and limits as a venue has."""
    pool = venue.create_pool(name, shared=count > 1)
    parameters = full_market(Decimal("0.01"), Decimal("0.005"), Decimal("0.01"))
    return [venue.list_in_pool(f"{name}-{i}", pool, _OPENED, parameters) for i in range(count)]


def gap(venue: Venue, name: str, market: TestMarket, shorts: list[LocalAccount], accounts: list[bytes]) -> Crowd:
    """All of them short against one who is bankrupt after the gap, and whom the pool has taken over."""
    keeper, bankrupt = venue.trader("bench keeper"), venue.trader(f"{name} bankrupt")
    venue.post_bond(keeper)
    calls = deposit_calls(venue, bankrupt, market, 2 * len(shorts))
    send_all(venue, [*calls, *sale_calls(venue, shorts, bankrupt, market, _PREMIUM, accounts=accounts)])
    venue.endpoint.request("evm_setNextBlockTimestamp", chain.blocks.head.timestamp + _LAPSE)
    venue.set_price(market, GAPPED)
    send_all(venue, [Call(keeper, venue.system.exchange, TAKE_OVER.encode(account(bankrupt, market)))])
    crowd = Crowd(market, shorts, accounts, keeper)
    if crowd.inventory(venue) != len(accounts) * WAD:
        raise RuntimeError(f"{name}: the pool has {crowd.inventory(venue)} of {len(accounts)} contracts: this is a bug")
    return crowd
