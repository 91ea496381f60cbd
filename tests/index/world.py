"""A market place in which traders and a keeper do whatever comes, for the index to follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, cross_sub_id, isolated_sub_id
from backstop.adl.snapshot import MarginMode
from backstop.chain.bindings import DEPOSIT, TRANSFER, WITHDRAW
from backstop.chain.snapshot import read_chain
from backstop.errors import FailedTransactionError, RevertError
from backstop.keeper.cycle import Cycle
from backstop.keeper.liquidations import Liquidator
from backstop.math.wad import WAD
from backstop.transactions.sender import Sender
from scripts.stage.parameters import full_market, plain_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad

TRADERS = 6


@dataclass
class World:
    """Three markets, two of them with one pool, in which cross accounts trade too. `done` counts what went through."""

    venue: Venue
    markets: list[TestMarket]
    traders: list[LocalAccount]
    keeper: LocalAccount
    draws: Random = field(default_factory=lambda: Random(1))
    done: dict[str, int] = field(default_factory=dict)

    @classmethod
    def begin(cls, venue: Venue) -> World:
        """Lists the markets, funds the pools, and gives traders and the keeper what they need."""
        shared, own = venue.create_pool("main", shared=True), venue.create_pool("sol")
        full = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))._replace(price_band=WAD * 3 // 10)
        markets = [
            venue.list_in_pool("ETH-USD", shared, Decimal(100), full),
            venue.list_in_pool("BTC-USD", shared, Decimal(100), full),
            venue.list_in_pool("SOL-USD", own, Decimal(100), plain_market(Decimal("0.1"), Decimal("0.05"))),
        ]
        keeper = venue.trader("index keeper")
        venue.post_bond(keeper)
        traders = [venue.trader(f"index {number}") for number in range(TRADERS)]
        for signer in (*traders, keeper):
            venue.give(signer, 10_000_000, venue.system.exchange)
        for market in markets:
            venue.contribute(venue.trader("index donor"), market, 50)
            venue.send(keeper, venue.system.exchange, DEPOSIT.encode(isolated_sub_id(market.id), tokens(5000)))
        for number, signer in enumerate(traders):
            subs = [isolated_sub_id(market.id) for market in markets] + [cross_sub_id()] * (number % 2)
            for sub_id in subs:
                venue.send(signer, venue.system.exchange, DEPOSIT.encode(sub_id, tokens(60)))
        return cls(venue, markets, traders, keeper)

    def step(self) -> None:
        """One thing, by chance. What the contracts refuse is not done."""
        [act] = self.draws.choices(list(_ACTS), list(_ACTS.values()))
        try:
            act(self)
        except (RevertError, FailedTransactionError):
            return
        self.done[act.__name__] = self.done.get(act.__name__, 0) + 1

    # ---------------------------------------------------------------- what happens

    def deposit(self) -> None:
        """Into an account, maybe a new one."""
        signer = self._trader()
        self._send(signer, DEPOSIT.encode(self._sub_id(), tokens(self.draws.choice([20, 60, 300]))))

    def withdraw(self) -> None:
        """A little, or more than there is."""
        signer = self._trader()
        account = account_of(signer.address, self._sub_id())
        self._send(signer, WITHDRAW.encode(account, tokens(self.draws.choice([1, 50])), signer.address))

    def transfer(self) -> None:
        """From one account to another of the same owner, maybe a new one."""
        signer = self._trader()
        giver, taker = (account_of(signer.address, self._sub_id()) for _ in range(2))
        self._send(signer, TRANSFER.encode(giver, taker, tokens(self.draws.choice([1, 20]))))

    def trade(self) -> None:
        """Between two accounts, near the mark; also one that closes, or turns a position round."""
        market = self.draws.choice(self.markets)
        maker, taker = self.draws.sample(self.traders, 2)
        accounts = tuple(account_of(one.address, self._sub_id(market)) for one in (maker, taker))
        contracts = self.draws.choice([-1, 1]) * self.draws.choice([2, 4, 5])
        price = Decimal(market.feed.latestRoundData()[1]) / 10**8 * self.draws.randint(99, 101) / 100
        self.venue.trade(maker, taker, market, wad(contracts), wad(price), (accounts[0], accounts[1]))

    def move(self) -> None:
        """A price."""
        market = self.draws.choice(self.markets)
        self._multiply(market, self.draws.choice([92, 95, 96, 97, 103, 104, 105, 108]))

    def crash(self) -> None:
        """A gap, after which pools take over what is bankrupt, and rounds are due."""
        self._multiply(self.draws.choice(self.markets), self.draws.choice([65, 150]))
        self.keep()

    def squeeze(self) -> None:
        """The price at which some isolated account has four fifths of its maintenance margin left, if it has one."""
        state = read_chain(self.venue.endpoint, self.venue.deployment)
        isolated = [account for account in state.snapshot.accounts if account.margin_mode is MarginMode.ISOLATED]
        found = [account for account in isolated if account.positions]
        if found:
            account = self.draws.choice(found)
            [held] = account.positions
            fraction = state.snapshot.markets[held.market].maintenance_margin_fraction * 4 // 5
            price = (held.entry_notional - account.margin) * WAD // (held.size - abs(held.size) * fraction // WAD)
            market = next(market for market in self.markets if market.name == held.market)
            if WAD < price < 1000 * WAD:
                self.venue.set_price(market, (Decimal(price) / WAD).quantize(Decimal("0.0001")))
        self.keep()

    def keep(self) -> None:
        """The keeper liquidates, takes over, deleverages."""
        node = self.venue.endpoint
        sender = Sender(node, self.keeper, chain.chain_id)
        liquidator = Liquidator(self.keeper.address, 0, wad(20_000))
        cycle = Cycle(node, self.venue.deployment, sender, send=True, liquidator=liquidator)
        for action in cycle.run(lambda _: None):
            if action.receipt is not None:
                name = type(action.duty).__name__
                self.done[name] = self.done.get(name, 0) + 1

    def next_hour(self) -> None:
        """Funding is due."""
        self.venue.next_hour()

    def idle(self) -> None:
        """Blocks in which nothing happens."""
        self.venue.endpoint.request("anvil_mine", hex(self.draws.choice([1, 3, 20])), "0x1")

    def _multiply(self, market: TestMarket, percent: int) -> None:
        self.venue.set_price(market, Decimal(market.feed.latestRoundData()[1]) / 10**8 * percent / 100)

    def _trader(self) -> LocalAccount:
        return self.draws.choice(self.traders)

    def _sub_id(self, market: TestMarket | None = None) -> int:
        market = market or self.draws.choice(self.markets)
        kinds = [isolated_sub_id(market.id), cross_sub_id(), isolated_sub_id(market.id, 1)]
        return self.draws.choices(kinds, [5, 4, 1])[0]

    def _send(self, signer: LocalAccount, data: bytes) -> None:
        self.venue.send(signer, self.venue.system.exchange, data)


_ACTS: dict[Callable[[World], Any], int] = {
    World.deposit: 8,
    World.withdraw: 2,
    World.transfer: 3,
    World.trade: 12,
    World.move: 5,
    World.squeeze: 3,
    World.crash: 2,
    World.keep: 3,
    World.next_hour: 1,
    World.idle: 2,
}
