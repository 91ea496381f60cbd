"""A venue on a local Anvil: the deployed system, markets with hand-set feeds, traders that sign for themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ape import chain, networks, project
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from backstop.account_id import account_of, account_text, isolated_account, isolated_sub_id
from backstop.chain.bindings import APPROVE, CONTRIBUTE, DEPOSIT, MINT, POST_BOND, SETTLE
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.math.funding import HOUR
from backstop.math.wad import WAD
from backstop.orders import Domain, Order, sign
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender
from scripts.stage.cases import Case, Seat
from scripts.stage.parameters import MarketParameters, plain_market
from scripts.stage.system import FEED_DECIMALS, System, deploy_system, name_bytes

TOKEN = 10**6  # units of the collateral token

HEARTBEAT = 3600
BOND = 1_000_000  # covers ten of the largest rounds at once
ONE_DAY = 86400
UNLIMITED = 2**256 - 1


def wad(amount: Decimal | int | str) -> int:
    """A decimal amount in WAD, exactly."""
    scaled = Decimal(amount) * WAD
    if scaled != int(scaled):
        raise ValueError(f"{amount} has more than 18 decimals")
    return int(scaled)


def tokens(amount: Decimal | int | str) -> int:
    """A decimal amount in token units, exactly."""
    scaled = Decimal(amount) * TOKEN
    if scaled != int(scaled):
        raise ValueError(f"{amount} has more than 6 decimals")
    return int(scaled)


def rpc_url() -> str:
    """Where ape's Anvil listens."""
    return str(networks.provider.http_uri)


@dataclass
class TestMarket:
    """A listed market with its feed; `pool` is the id of its pool."""

    __test__ = False

    id: int
    name: str
    pool: int
    feed: Any


@dataclass
class Venue:
    """The system, its owner, and whoever trades. Traders pay their own gas and sign their own orders."""

    system: System
    owner: Any
    endpoint: Endpoint
    markets: dict[str, TestMarket] = field(default_factory=dict)
    _salt: int = 0

    @classmethod
    def open(cls, owner: Any) -> Venue:
        """Deploys everything around a new test token."""
        return cls(deploy_system(owner, owner.deploy(project.MockUSDC)), owner, Endpoint(rpc_url()))

    @property
    def deployment(self) -> Deployment:
        """The addresses."""
        return self.system.record()

    @property
    def domain(self) -> Domain:
        """What orders are signed for."""
        return Domain(chain.chain_id, self.system.exchange.address)

    def list_market(
        self,
        name: str,
        pool: str,
        price: Decimal,
        initial: Decimal = Decimal("0.1"),
        maintenance: Decimal = Decimal("0.05"),
    ) -> TestMarket:
        """A market with a feed at `price`, in a new isolated pool."""
        return self.list_in_pool(name, self.create_pool(pool), price, plain_market(initial, maintenance))

    def create_pool(self, name: str, *, shared: bool = False, mutual: bool = False) -> int:
        """A new pool's id."""
        self.system.fund.createPool(name_bytes(name), int(shared), int(mutual), sender=self.owner)
        return int(self.system.fund.poolCount())

    def list_in_pool(
        self,
        name: str,
        pool: int,
        price: Decimal,
        parameters: MarketParameters,
        *,
        heartbeat: int = HEARTBEAT,
        lowest: Decimal = Decimal("0.0001"),
    ) -> TestMarket:
        """A market with a feed at `price`, in a pool that may stand behind others too."""
        s = self.system
        feed = self.owner.deploy(project.MockAggregator, FEED_DECIMALS, int(price * 10**FEED_DECIMALS))
        s.exchange.listMarket(name_bytes(name), pool, parameters, sender=self.owner)
        market = TestMarket(s.exchange.marketCount(), name, pool, feed)
        s.price_feed.setFeed(market.id, feed, heartbeat, wad(lowest), wad(10**9), sender=self.owner)
        self.markets[name] = market
        return market

    def set_price(self, market: TestMarket, price: Decimal | int) -> None:
        """The feed's next answer."""
        market.feed.setAnswer(int(Decimal(price) * 10**FEED_DECIMALS), sender=self.owner)

    def next_hour(self) -> None:
        """Chain time goes on to the next full hour, and every feed publishes its last answer anew."""
        begin = (chain.blocks.head.timestamp // HOUR + 1) * HOUR
        answers = [(market.feed, market.feed.latestRoundData()[1]) for market in self.markets.values()]
        self.endpoint.request("evm_setNextBlockTimestamp", begin)
        self.endpoint.request("evm_mine")
        for feed, answer in answers:
            feed.setAnswer(answer, sender=self.owner)

    def trader(self, name: str) -> LocalAccount:
        """A trader with gas money; the same name gives the same key on every chain."""
        signer: LocalAccount = Account.from_key(keccak(text=f"backstop test trader {name}"))
        self.endpoint.request("anvil_setBalance", signer.address, hex(10**20))
        return signer

    def send(self, signer: LocalAccount, to: Any, data: bytes) -> Receipt:
        """A transaction of a trader."""
        return Sender(self.endpoint, signer, chain.chain_id).send(to.address, data)

    def give(self, signer: LocalAccount, amount: Decimal | int, spender: Any) -> None:
        """Mints test tokens to a trader, who lets `spender` take them."""
        self.send(signer, self.system.token, MINT.encode(signer.address, tokens(amount)))
        self.send(signer, self.system.token, APPROVE.encode(spender.address, UNLIMITED))

    def post_bond(self, signer: LocalAccount, amount: Decimal | int = BOND) -> None:
        """What a keeper stakes on leaving nobody out of a round."""
        self.give(signer, amount, self.system.round_book)
        self.send(signer, self.system.round_book, POST_BOND.encode(tokens(amount)))

    def contribute(self, signer: LocalAccount, market: TestMarket, amount: Decimal | int) -> None:
        """A gift to a market's pool that names no market."""
        self.give(signer, amount, self.system.fund)
        self.send(signer, self.system.fund, CONTRIBUTE.encode(market.pool, 0, tokens(amount)))

    def deposit(self, signer: LocalAccount, market: TestMarket, amount: Decimal | int) -> bytes:
        """Collateral into the trader's isolated account in a market."""
        return self.deposit_to(signer, isolated_sub_id(market.id), amount)

    def deposit_to(self, signer: LocalAccount, sub_id: int, amount: Decimal | int) -> bytes:
        """Collateral into any of the trader's accounts."""
        self.give(signer, amount, self.system.exchange)
        self.send(signer, self.system.exchange, DEPOSIT.encode(sub_id, tokens(amount)))
        return account_of(signer.address, sub_id)

    def order(self, signer: LocalAccount, market: TestMarket, contracts: int, price: int, **changes: Any) -> Order:
        """An order of the trader's account, in WAD, that is good for a day."""
        self._salt += 1
        fields = {
            "account": isolated_account(signer.address, market.id),
            "market": market.id,
            "size": contracts,
            "limit_price": price,
            "expiry": chain.blocks.head.timestamp + ONE_DAY,
            "salt": self._salt,
        }
        return Order(**(fields | changes))

    def trade(
        self,
        maker: LocalAccount,
        taker: LocalAccount,
        market: TestMarket,
        contracts: int,
        price: int,
        accounts: tuple[bytes, bytes] | None = None,
    ) -> Receipt:
        """The taker takes signed `contracts` from the maker at `price`; the taker settles.

        `accounts`, the maker's and the taker's, where they are not their first isolated ones.
        """
        makers, takers = accounts or [isolated_account(one.address, market.id) for one in (maker, taker)]
        made = self.order(maker, market, -contracts, price, account=makers)
        taken = self.order(taker, market, contracts, price, account=takers)
        data = SETTLE.encode(
            made.values(),
            sign(made, self.domain, maker),
            taken.values(),
            sign(taken, self.domain, taker),
            abs(contracts),
        )
        return self.send(taker, self.system.exchange, data)

    def play(self, case: Case) -> TestMarket:
        """Everything of a case up to the gap: pool, deposits, the positions of its table by signed orders."""
        entries = list(dict.fromkeys(seat.entry for seat in case.seats))
        market = self.list_market(
            case.market, case.pool, entries[0], case.initial_margin_fraction, case.maintenance_margin_fraction
        )
        self.contribute(self.trader(f"{case.market} donor"), market, case.contribution)
        for entry in entries:
            self.set_price(market, entry)
            self.seat([seat for seat in case.seats if seat.entry == entry], market)
        return market

    def account_of(self, market: TestMarket, seat: str) -> str:
        """The account of a case's trader, as text."""
        return account_text(isolated_account(self.trader(f"{market.name} {seat}").address, market.id))

    def seat(self, seats: list[Seat], market: TestMarket) -> None:
        """Opens positions of one entry price by pairing longs with shorts."""
        traders = {seat.trader: self.trader(f"{market.name} {seat.trader}") for seat in seats}
        for seat in seats:
            self.deposit(traders[seat.trader], market, seat.margin)
        left = {seat.trader: wad(seat.contracts) for seat in seats}
        longs = [name for name, size in left.items() if size > 0]
        shorts = [name for name, size in left.items() if size < 0]
        while longs and shorts:
            taker, maker = longs[0], shorts[0]
            contracts = min(left[taker], -left[maker])
            self.trade(traders[maker], traders[taker], market, contracts, wad(seats[0].entry))
            left[taker] -= contracts
            left[maker] += contracts
            longs = longs if left[taker] else longs[1:]
            shorts = shorts if left[maker] else shorts[1:]
        if longs or shorts:
            raise ValueError(f"{market.name}: longs and shorts from {seats[0].entry} do not match")
