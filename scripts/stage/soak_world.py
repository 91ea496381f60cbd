"""A venue that is never at rest: a crowd that trades at random, and prices that wander and jump."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of
from backstop.chain.bindings import DEPOSIT, SETTLE
from backstop.orders import sign
from scripts.stage.by_hand import ByHand
from scripts.stage.multitude import settle_multitude, sub_ids_of
from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad

MARKETS = ("ETH-USD", "SOL-USD")
_PRICE = Decimal(100)
_MARGINS = (11, 30)  # percent of a position's notional; its initial margin is 10
_POOL = 3  # quote, for each account
_CRASH = Decimal("0.85")  # what the first price falls to, and the second one's inverse rises to
_LOWEST, _HIGHEST = Decimal(60), Decimal(170)
_WANDERS, _JUMPS, _GAPS = 0.5, 0.1, 0.02  # how likely a price does in a block
_MOST_TRADES = 2
_HEARTBEAT = 2 * 86_400


class World:
    """Two markets of one pool with a crowd in each; `jumps` counts the large moves."""

    def __init__(self, venue: Venue, accounts: int, seed: int, keepers: list[LocalAccount], margin: int) -> None:
        self.venue = venue
        self.jumps = 0
        self._draws = Random(seed)
        pool = venue.create_pool("main", shared=True)
        full = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))
        self.markets: list[TestMarket] = []
        self._crowds: list[tuple[LocalAccount, list[int]]] = []
        self._prices: dict[str, Decimal] = {}
        for number, name in enumerate(MARKETS):
            market = venue.list_in_pool(name, pool, _PRICE, full, heartbeat=_HEARTBEAT)
            venue.contribute(venue.trader("soak donor"), market, _POOL * accounts // len(MARKETS))
            crowd = accounts // len(MARKETS)
            signer = settle_multitude(venue, market, crowd, seed + number, margins=_MARGINS)
            for keeper in keepers:
                venue.deposit(keeper, market, margin)
            self.markets.append(market)
            self._crowds.append((signer, sub_ids_of(market, crowd)))
            self._prices[name] = _PRICE

    def crash(self, chain: ByHand) -> None:
        """What no seed may leave out: one market falls, the other one rises, by more than many can bear."""
        for market, factor in zip(self.markets, (_CRASH, 1 / _CRASH), strict=True):
            self._prices[market.name] = (self._prices[market.name] * factor).quantize(Decimal("0.01"))
            self.jumps += 1
        self.calm(chain)

    def act(self, chain: ByHand) -> None:
        """What comes into the next block: new prices first, deposits, and trades, some of which are refused."""
        for market, (signer, sub_ids) in zip(self.markets, self._crowds, strict=True):
            if self._moves(market):
                chain.price(market, self._prices[market.name])
            for _ in range(self._draws.randint(0, _MOST_TRADES)):
                self._trade(chain, market, signer, sub_ids)
            if self._draws.random() < 0.2:
                sub_id, amount = self._draws.choice(sub_ids), self._draws.randint(50, 500)
                exchange = self.venue.system.exchange.address
                chain.send(signer.address, exchange, DEPOSIT.encode(sub_id, tokens(amount)))

    def calm(self, chain: ByHand) -> None:
        """The last prices once more, where a reorganisation has taken them back."""
        for market in self.markets:
            chain.price(market, self._prices[market.name])

    def _moves(self, market: TestMarket) -> bool:
        chance, before = self._draws.random(), self._prices[market.name]
        if chance < _GAPS:
            percent = Decimal(self._draws.randint(800, 1200)) / 100
        elif chance < _JUMPS:
            percent = Decimal(self._draws.randint(200, 500)) / 100
        elif chance < _WANDERS:
            percent = Decimal(self._draws.randint(1, 30)) / 100
        else:
            return False
        self.jumps += chance < _JUMPS
        falls = self._draws.random() < (before - _LOWEST) / (_HIGHEST - _LOWEST)
        after = before * (100 - percent if falls else 100 + percent) / 100
        self._prices[market.name] = min(max(after, _LOWEST), _HIGHEST).quantize(Decimal("0.01"))
        return True

    def _trade(self, chain: ByHand, market: TestMarket, signer: LocalAccount, sub_ids: list[int]) -> None:
        venue, price = self.venue, wad(self._prices[market.name])
        contracts = wad(self._draws.randint(1, 10))
        maker, taker = (account_of(signer.address, sub_id) for sub_id in self._draws.sample(sub_ids, 2))
        made = venue.order(signer, market, -contracts, price, account=maker)
        taken = venue.order(signer, market, contracts, price, account=taker)
        signatures = sign(made, venue.domain, signer), sign(taken, venue.domain, signer)
        data = SETTLE.encode(made.values(), signatures[0], taken.values(), signatures[1], contracts)
        chain.send(signer.address, venue.system.exchange.address, data)

    def random_seed(self) -> int:
        """For whatever else is drawn."""
        return self._draws.getrandbits(32)
