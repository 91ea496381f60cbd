"""The contracts on an EVM in this process: deployed and set up, called, and read through their public views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ape import project
from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from backstop.account_id import is_cross, isolated_account
from backstop.chain.bindings import Function, describe_revert
from backstop.chain.deployment import Deployment
from backstop.orders import Domain
from scripts.stage.parameters import MarketParameters
from tests.invariants import calls
from tests.invariants.calls import call, words
from tests.invariants.chain import CHAIN_ID, PyrevmChain, Receipt
from tests.support.capital import ISOLATED, SHARED, Exit, Terms

from .accounts import market_of

CROSS = 1 << 95
OWNER, TREASURY = "0x" + "0e" * 20, "0x" + "7e" * 20
START = 900 * 2_222_220
HEARTBEAT = 2 * 86400
MARKETS = (1, 2, 3, 4, 5, 6)
# The first three of those that stand behind one market back each other; the last has no market yet.
POOLS = {
    1: Terms(ISOLATED, is_mutual=True),
    2: Terms(SHARED),
    3: Terms(ISOLATED, is_mutual=True),
    4: Terms(ISOLATED, is_mutual=True),
    5: Terms(ISOLATED),
}
POOL_OF = {1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 4}  # as they are listed
FORTUNE = 10**24  # token units
BOND = 10**9 * 10**6  # token units that the keeper has posted, for more rounds than there are
FIRST_MARK = 100 * 10**18
_UNLIMITED = 2**256 - 1
_MODULES = ("SettlementModule", "SolvencyModule", "MarketModule")
_CREATE_POOL = "createPool(bytes32,uint8,uint8)"
_PARAMETERS = f"({'uint64,' * 8}uint96,uint96,uint112,uint64,uint64,uint64,uint64)"


class Trader(NamedTuple):
    """Somebody with a key."""

    address: str
    key: PrivateKey


def trader(number: int) -> Trader:
    """The same at every run."""
    key = PrivateKey(keccak(text=f"complete history trader {number}"))
    return Trader("0x" + keccak(key.public_key.format(compressed=False)[1:])[-20:].hex(), key)


TRADERS = tuple(trader(number) for number in range(6))


def account_of(trader: Trader, market: int) -> bytes:
    """The isolated account in a market, or the cross account for 0."""
    if market:
        return isolated_account(trader.address, market)
    return (int(trader.address, 16) << 96 | CROSS).to_bytes(32, "big")


class MarketWords(NamedTuple):
    """What of `Exchange.market` moves."""

    initial: int
    band: int
    pool: int
    isolated_only: bool
    cross_holders: int
    open_interest: int
    index: int
    hour: int
    rest: int
    premium: int
    volume: int
    pot: int
    fees: int
    dust: int


@dataclass
class Evm:
    """The system on a chain whose every transaction is a block of its own, at the time that is given."""

    chain: PyrevmChain
    deployment: Deployment
    feeds: dict[int, str]
    time: int = START

    def __post_init__(self) -> None:
        self.shares: dict[int, str] = {}
        self._errors = _errors_of("IExchange", "IInsuranceFund", "PoolShares")
        found = self.deployment
        self.token, self.exchange, self.fund = found.token, found.exchange, found.fund
        self.engine, self.lens = found.engine, found.lens

    def send(self, sender: str, to: str, data: bytes, at: int) -> Receipt:
        """A transaction at a time, alone in its block."""
        self.time = at
        return self.chain.send(sender, to, data, at)

    @property
    def domain(self) -> Domain:
        """What orders are signed for."""
        return Domain(CHAIN_ID, self.exchange)

    def refusal(self, receipt: Receipt) -> str:
        """Why a transaction was refused, in words; empty where it was not."""
        if receipt.ok:
            return ""
        return receipt.halt or self._describe(receipt.output)

    def _describe(self, data: bytes) -> str:
        """In the words of `describe_revert`, also where an error is the owner's to meet."""
        told, error = describe_revert(data), self._errors.get(data[:4])
        if error is None or not told.startswith("revert data"):
            return told
        return f"{error.signature.split('(')[0]}({', '.join(map(str, error.decode(data[4:])))})"

    # ------------------------------------------------------------------ views

    def _words(self, to: str, signature: str, *arguments: Any) -> list[int]:
        """What a view returns, as signed words."""
        data = self.chain.view(to, call(signature, *arguments))
        return [int.from_bytes(data[at : at + 32], "big", signed=True) for at in range(0, len(data), 32)]

    def tokens(self) -> int:
        """Token units that the exchange holds."""
        return self._words(self.token, "balanceOf(address)", self.exchange)[0]

    def reserves(self) -> tuple[int, int]:
        """The treasury's and the keeper budget."""
        _, treasury, keepers = self._words(self.exchange, "reserves()")
        return treasury, keepers

    def market(self, market: int) -> MarketWords:
        """What moves of a market."""
        found = self._words(self.exchange, "market(uint16)", market)
        index, hour, _, rest, premium, volume, pot, fees, dust = found[22:]
        initial, _, interest, pool = found[:4]
        band, is_isolated, holders = found[11] % 2**256, found[15], found[16]
        return MarketWords(
            initial,
            band,
            pool,
            bool(is_isolated),
            holders,
            interest,
            index,
            hour,
            rest,
            premium,
            volume,
            pot,
            fees,
            dust,
        )

    def index(self, market: int) -> int:
        """The funding index as a call finds it now."""
        return self._words(self.exchange, "fundingIndex(uint16)", market)[0]

    def accounts(self, market: int) -> int:
        """How many were ever listed in a market."""
        return self._words(self.exchange, "accountCount(uint16)", market)[0]

    def cross_accounts(self) -> int:
        """How many cross accounts there are."""
        return self._words(self.exchange, "crossAccountCount()")[0]

    def position(self, account: bytes, market: int) -> tuple[int, int, int, int]:
        """Size, entry notional, margin of its own, and the index when its funding was settled."""
        size, entry, _, margin, index, _ = self._words(self.exchange, "position(bytes32,uint16)", account, market)
        return size, entry, margin, index

    def cross(self, account: bytes) -> tuple[int, list[int]]:
        """Margin and markets of a cross account."""
        margin, _, _, _, legs = self._words(self.exchange, "crossAccount(bytes32)", account)
        packed = legs % 2**256
        return margin, [packed >> shift & 0xFFFF for shift in range(0, 256, 16) if packed >> shift & 0xFFFF]

    def margin(self, account: bytes) -> int:
        """Of either kind of account."""
        if is_cross(account):
            return self.cross(account)[0]
        return self.position(account, market_of(account))[2]

    def health(self, account: bytes) -> tuple[int, ...]:
        """`Exchange.health`."""
        return tuple(self._words(self.exchange, "health(bytes32)", account))

    def inventories(self, market: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Size, entry notional and start of a pool's long and short inventory."""
        found = self._words(self.fund, "inventories(uint16)", market)
        return tuple(found[:3]), tuple(found[3:])

    def pool(self, pool: int) -> tuple[int, int]:
        """Cash and claim."""
        return self._words(self.fund, "pool(uint16)", pool)[4], self._words(self.fund, "claim(uint16)", pool)[0]

    def items(self, pool: int) -> tuple[int, ...]:
        """What moved its cash."""
        return tuple(self._words(self.fund, "items(uint16)", pool)[2:])

    def deficits(self) -> tuple[list[int], list[int]]:
        """The overdrawn, as the fund lists them, and their open deficits."""
        _, _, count, *words = self._words(self.fund, "deficits()")
        return words[:count], words[count + 1 :]

    def seen(self, market: int) -> tuple[int, ...]:
        """Why ADL was on when it was last sampled, the steps reached, and when its drawdown was last due."""
        return tuple(self._words(self.fund, "seen(uint16)", market))

    def staking(self, pool: int) -> tuple[int, int]:
        """Cap and cooldown; the shares are noted."""
        shares, cap, cooldown = self._words(self.fund, "staking(uint16)", pool)
        self.shares[pool] = f"0x{shares % 2**160:040x}"
        return cap, cooldown

    def supply(self, pool: int) -> tuple[int, int, int]:
        """How many shares there are, what they all stand for, and how many exits were asked for."""
        views = ("totalSupply()", "totalAssets()", "exitCount()")
        supply, assets, exits = (self._words(self.shares[pool], view)[0] for view in views)
        return supply, assets, exits

    def stake(self, pool: int, owner: str) -> tuple[int, Exit]:
        """Somebody's shares, and the exit."""
        shares = self.shares[pool]
        return self._words(shares, "balanceOf(address)", owner)[0], Exit(*self._words(shares, "exitOf(address)", owner))

    def approve_shares(self, pool: int, at: int) -> None:
        """Everybody lets the shares of a pool have tokens."""
        self.staking(pool)
        for one in TRADERS:
            receipt = self.send(
                one.address, self.token, call("approve(address,uint256)", self.shares[pool], _UNLIMITED), at
            )
            assert receipt.ok

    def backing(self, market: int) -> tuple[int, ...]:
        """`InsuranceFund.backing`."""
        return tuple(self._words(self.fund, "backing(uint16)", market))


def _errors_of(*interfaces: str) -> dict[bytes, Function]:
    """By selector."""
    found = {}
    for interface in interfaces:
        for entry in getattr(project, interface).contract_type.model_dump(mode="json")["abi"]:
            if entry["type"] == "error":
                kinds = ",".join(parameter["type"] for parameter in entry["inputs"])
                error = Function(f"{entry['name']}({kinds})", kinds)
                found[error.selector] = error
    return found


def deploy() -> Evm:
    """Everything, in the order of `scripts.stage.system`; pools and feeds, but no market yet."""
    chain = PyrevmChain()

    def new(name: str, *arguments: str | int) -> str:
        code = getattr(project, name).contract_type.model_dump(mode="json")["deploymentBytecode"]["bytecode"]
        return chain.deploy(OWNER, bytes.fromhex(code[2:]) + words(*arguments))

    token = new("MockUSDC")
    price_feed = new("ChainlinkPriceFeed", OWNER)
    modules = [new(name, token, price_feed) for name in _MODULES]
    exchange = new("Exchange", token, price_feed, *modules, OWNER)
    factory = new("PoolSharesFactory")
    parts = [new("InventoryModule", exchange, price_feed), new("PoolModule", exchange, price_feed, factory)]
    fund = new("InsuranceFund", exchange, price_feed, *parts, OWNER)
    round_book = new("RoundBook", exchange, fund, price_feed, OWNER)
    engine = new("ADLEngine", exchange, fund, price_feed, round_book)
    lens = new("BackstopLens", exchange, fund, price_feed)
    feeds = {market: new("MockAggregator", 18, FIRST_MARK) for market in MARKETS}
    fund_lens = new("FundLens", fund)
    places = (token, price_feed, *modules, exchange, *parts, factory, fund, round_book, engine, lens, fund_lens)
    evm = Evm(chain, Deployment(CHAIN_ID, 0, *places), feeds)
    setup = [
        (OWNER, exchange, call("wire(address,address)", fund, engine)),
        (OWNER, fund, call("wire(address)", engine)),
        (OWNER, exchange, call("setTreasury(address)", TREASURY)),
        *(
            (OWNER, fund, call(_CREATE_POOL, f"pool {pool}".encode(), terms.kind, terms.is_mutual))
            for pool, terms in POOLS.items()
        ),
    ]
    for market, feed in feeds.items():
        fields = (market, feed, HEARTBEAT, 1, 2**96 - 1)
        setup.append((OWNER, price_feed, call("setFeed(uint16,address,uint32,uint96,uint96)", *fields)))
    for one in TRADERS:
        setup.append((one.address, token, call("mint(address,uint256)", one.address, FORTUNE)))
        for spender in (exchange, fund):
            setup.append((one.address, token, call("approve(address,uint256)", spender, _UNLIMITED)))
    keeper = TRADERS[0].address
    setup += [
        (keeper, token, call("mint(address,uint256)", keeper, BOND)),
        (keeper, token, call("approve(address,uint256)", round_book, BOND)),
        (keeper, round_book, call("postBond(uint256)", BOND)),
    ]
    for sender, to, data in setup:
        receipt = evm.send(sender, to, data, START)
        if not receipt.ok:
            raise RuntimeError(f"the set-up was refused: {evm.refusal(receipt)}")
    for pool in POOLS:
        evm.approve_shares(pool, START)
    chain.mark()
    return evm


# ---------------------------------------------------------------------- calldata


def list_market(market: int, terms: MarketParameters) -> bytes:
    """Calldata of `listMarket`."""
    name = f"market {market}".encode()
    return call(f"listMarket(bytes32,uint16,{_PARAMETERS})", name, POOL_OF[market], *terms)


def set_parameters(market: int, terms: MarketParameters) -> bytes:
    """Calldata of `setParameters`."""
    return call(f"setParameters(uint16,{_PARAMETERS})", market, *terms)


_ORDER = "(bytes32,uint16,int256,uint256,uint64,uint64,uint256,bool)"
_PAIRS = f"({_ORDER},bytes,{_ORDER},bytes,uint256)[]"


def settle_batch(pairs: list[tuple[Any, ...]]) -> bytes:
    """Calldata of `settleBatch`."""
    return calls.selector(f"settleBatch({_PAIRS})") + encode([_PAIRS], [pairs])
