"""Several markets on one pool: cross accounts with positions in many of them, isolated ones beside, fees, funding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_sub_id
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, wad

D = Decimal
POOL = "main"
CONTRIBUTION = D(12000)
_INITIAL, _MAINTENANCE = D("0.05"), D("0.025")
_PREMIUM = D("1.0005")  # of a fill over mark: what longs pay an hour


@dataclass(frozen=True)
class CrossMarket:
    """A market of the pool: where it opens, where it gaps to, and its smallest position."""

    name: str
    price: Decimal
    gap: Decimal
    smallest: Decimal


@dataclass(frozen=True)
class Holder:
    """A trader's account: `contracts` signed, by market. An isolated account has one market."""

    trader: str
    margin: Decimal
    contracts: dict[str, Decimal]
    cross: bool = True


MARKETS = (
    CrossMarket("ETH-PERP", D(3000), D(2640), D("0.1")),
    CrossMarket("XBT-PERP", D(60000), D(57000), D("0.01")),
    CrossMarket("SOL-PERP", D(150), D(159), D(1)),
)
GAPPED = MARKETS[0].name


def _holder(trader: str, margin: int, eth: str = "0", xbt: str = "0", sol: str = "0", *, cross: bool = True) -> Holder:
    sizes = zip((market.name for market in MARKETS), map(D, (eth, xbt, sol)), strict=True)
    return Holder(trader, D(margin), {name: size for name, size in sizes if size}, cross)


HOLDERS = (
    _holder("atlas", 14000, "40", "1", "-200"),
    _holder("boreas", 6000, "-15", "-0.4", "100"),
    _holder("corax", 5000, "-12", sol="-150"),
    _holder("drift", 8000, "10", "-0.6"),
    _holder("hawk", 3000, "-14", cross=False),
    _holder("heron", 6000, "-9", cross=False),
    _holder("lynx", 3000, sol="250", cross=False),
)


@dataclass
class Harbour:
    """The pool with its markets, and who trades there."""

    venue: Venue
    pool: int
    markets: dict[str, TestMarket]

    @classmethod
    def open(cls, venue: Venue) -> Harbour:
        """Lists the markets in a new shared pool, and funds it."""
        pool = venue.create_pool(POOL, shared=True)
        markets = {
            market.name: venue.list_in_pool(
                market.name, pool, market.price, full_market(_INITIAL, _MAINTENANCE, market.smallest)
            )
            for market in MARKETS
        }
        venue.contribute(venue.trader("harbour donor"), markets[GAPPED], CONTRIBUTION)
        return cls(venue, pool, markets)

    def signer(self, holder: Holder) -> LocalAccount:
        """Who signs for it."""
        return self.venue.trader(f"harbour {holder.trader}")

    def account(self, holder: Holder) -> bytes:
        """Its account."""
        return account_of(self.signer(holder).address, self._sub_id(holder))

    def names(self) -> dict[str, str]:
        """What the accounts are called."""
        return {account_text(self.account(holder)): holder.trader for holder in HOLDERS}

    def seat(self) -> None:
        """Deposits, then positions by signed orders, all a little above mark: longs will pay for it."""
        for holder in HOLDERS:
            self.venue.deposit_to(self.signer(holder), self._sub_id(holder), holder.margin)
        for market in MARKETS:
            self._pair(market)

    def accrue(self) -> dict[str, int]:
        """Brings the funding of all markets up to date; their indices, WAD quote per contract."""
        exchange = self.venue.system.exchange
        for market in self.markets.values():
            exchange.accrue(market.id, sender=self.venue.owner)
        return {name: int(exchange.fundingIndex(market.id)) for name, market in self.markets.items()}

    def sweep(self) -> None:
        """Shares out the fees of the first market; those of the others wait."""
        self.venue.system.exchange.sweep(self.markets[GAPPED].id, sender=self.venue.owner)

    def gap(self) -> None:
        """All marks at once."""
        for market in MARKETS:
            self.venue.set_price(self.markets[market.name], market.gap)

    def _sub_id(self, holder: Holder) -> int:
        if holder.cross:
            return cross_sub_id()
        (name,) = holder.contracts
        return isolated_sub_id(self.markets[name].id)

    def _pair(self, market: CrossMarket) -> None:
        left = [[holder, holder.contracts[market.name]] for holder in HOLDERS if market.name in holder.contracts]
        longs, shorts = [one for one in left if one[1] > 0], [one for one in left if one[1] < 0]
        while longs and shorts:
            taker, maker = longs[0], shorts[0]
            contracts = min(taker[1], -maker[1])
            self.venue.trade(
                self.signer(maker[0]),
                self.signer(taker[0]),
                self.markets[market.name],
                wad(contracts),
                wad(market.price * _PREMIUM),
                (self.account(maker[0]), self.account(taker[0])),
            )
            taker[1] -= contracts
            maker[1] += contracts
            longs, shorts = [one for one in longs if one[1]], [one for one in shorts if one[1]]
        if longs or shorts:
            raise ValueError(f"{market.name}: longs and shorts do not match")


def play(venue: Venue) -> Harbour:
    """Everything up to the gap: positions opened within one hour, then the next; the first market's fees are swept."""
    harbour = Harbour.open(venue)
    venue.next_hour()
    harbour.seat()
    venue.next_hour()
    harbour.accrue()
    harbour.sweep()
    return harbour
