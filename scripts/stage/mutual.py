"""Three isolated pools that back each other: a loss that the group can carry, and one that it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ape import project
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, isolated_account
from scripts.stage.cases import Seat
from scripts.stage.parameters import plain_market
from scripts.stage.venue import TestMarket, Venue, tokens

D = Decimal
ENTRY, BORNE, GAP = D(90), D(85), D(80)
STAKE = D(3000)
CONTRIBUTION = D(2000)


@dataclass(frozen=True)
class Member:
    """A pool of the group and its market; `staked` and `contributed` are what it starts with."""

    pool: str
    market: str
    staked: Decimal | None = None
    contributed: Decimal | None = None


MEMBERS = (
    Member("grain", "GRAIN-PERP"),
    Member("metal", "METAL-PERP", staked=STAKE),
    Member("power", "POWER-PERP", contributed=CONTRIBUTION),
)
LOSING = MEMBERS[0]
SEATS = (
    Seat("icarus", D(800), ENTRY, D(1000)),
    Seat("anchor", D(200), ENTRY, D(9000)),
    Seat("hawk", D(-600), ENTRY, D(6000)),
    Seat("heron", D(-400), ENTRY, D(12000)),
)


@dataclass
class Group:
    """The pools, by name, and the market that loses."""

    venue: Venue
    pools: dict[str, int]
    market: TestMarket

    def names(self) -> dict[str, str]:
        """What the accounts are called."""
        return {
            account_text(isolated_account(self.signer(seat.trader).address, self.market.id)): seat.trader
            for seat in SEATS
        }

    def signer(self, trader: str) -> LocalAccount:
        """Who signs for a seat."""
        return self.venue.trader(f"{self.market.name} {trader}")


def open_group(venue: Venue) -> Group:
    """Lists a market in each pool, lets a staker and a donor bring capital, and seats the traders."""
    pools, markets = {}, {}
    for member in MEMBERS:
        pools[member.pool] = venue.create_pool(member.pool, mutual=True)
        markets[member.market] = venue.list_in_pool(
            member.market, pools[member.pool], ENTRY, plain_market(D("0.01"), D("0.005"))
        )
        if member.staked:
            stake(venue, pools[member.pool], member.staked)
        if member.contributed:
            venue.contribute(venue.trader("group donor"), markets[member.market], member.contributed)
    group = Group(venue, pools, markets[LOSING.market])
    venue.seat(list(SEATS), group.market)
    return group


def stake(venue: Venue, pool: int, amount: Decimal) -> None:
    """A staker's deposit, by the pool's ERC-4626 shares."""
    staker = venue.trader("staker")
    shares = project.PoolShares.at(venue.system.fund.pool(pool).shares)
    venue.give(staker, amount, shares)
    venue.send(staker, shares, bytes(shares.deposit.encode_input(tokens(amount), staker.address)))
