"""Who trades where: ten traders, two markets in pools of their own and two in a shared one. Amounts are WAD."""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from backstop.account_id import isolated_account
from backstop.math.wad import WAD

# A multiple of 15 minutes, so that what the deployment samples is in the bucket in which a sequence begins.
START = 900 * 2_222_222
FIRST_ANSWER = START + 200  # of market m: m seconds later
FIRST_ACTION = START + 300
HEARTBEAT = 3600
MIN_PRICE, MAX_PRICE = WAD // 10_000, 10**9 * WAD
TOKEN_SCALE = 10**12
LARGEST = 2**111 - 1  # what a sample of a market's result can be
WALLET = 50_000_000 * 10**6  # token units that a trader has
BACKSTOP_RATIO = WAD // 2


@dataclass(frozen=True, slots=True)
class Market:
    """A market as it is listed. Fractions are WAD; `answer` is the feed's first one, in its own decimals."""

    id: int
    pool: int
    initial: int
    maintenance: int
    discount: int
    fee: int
    trigger: int
    stop: int
    target: int
    premium: int
    duration: int
    decimals: int
    answer: int

    @property
    def scale(self) -> int:
        """What an answer is multiplied with to be in WAD."""
        return 10 ** (18 - self.decimals)


def _percent(hundredths: int) -> int:
    return hundredths * WAD // 10_000


MARKETS = (
    Market(
        id=1, pool=1, initial=_percent(1000), maintenance=_percent(500), discount=_percent(125), fee=_percent(125),
        trigger=_percent(3000), stop=_percent(2500), target=_percent(2500), premium=_percent(200), duration=1800,
        decimals=8, answer=100 * 10**8,
    ),
    # The penalty of a liquidation is the whole of its maintenance margin; the feed has every decimal there is.
    Market(
        id=2, pool=2, initial=_percent(200), maintenance=_percent(100), discount=_percent(33), fee=_percent(67),
        trigger=_percent(3000), stop=_percent(2000), target=_percent(3000), premium=_percent(50), duration=600,
        decimals=18, answer=2_345_678901234567890123,
    ),
    # Nobody pays for being liquidated.
    Market(
        id=3, pool=3, initial=_percent(500), maintenance=_percent(250), discount=0, fee=0,
        trigger=_percent(5000), stop=_percent(1000), target=_percent(2000), premium=_percent(200), duration=1800,
        decimals=6, answer=77_777,
    ),
    # Only the liquidator is paid.
    Market(
        id=4, pool=3, initial=_percent(300), maintenance=_percent(100), discount=_percent(50), fee=0,
        trigger=_percent(2000), stop=_percent(1000), target=_percent(1500), premium=0, duration=3600,
        decimals=8, answer=30_123_45678901,
    ),
)  # fmt: skip
POOLS = (0, 0, 1)  # kinds by id: isolated, isolated, shared
NAMES = ("hawk", "heron", "owl", "whale", "icarus", "swift", "finch", "raven", "stork", "crane")


@dataclass(frozen=True, slots=True)
class Trader:
    """A key with a name."""

    name: str
    key: PrivateKey
    address: str

    def account(self, market: int, index: int = 0) -> bytes:
        """An isolated account of the trader."""
        return isolated_account(self.address, market, index)


def _trader(name: str) -> Trader:
    key = PrivateKey(keccak(text=f"backstop invariants trader {name}"))
    return Trader(name, key, "0x" + keccak(key.public_key.format(compressed=False)[1:])[-20:].hex())


TRADERS = tuple(_trader(name) for name in NAMES)
ADDRESSES = tuple(trader.address for trader in TRADERS)
VAST = NAMES.index("crane")  # has more than the samples of several markets can tell
WALLETS = tuple((LARGEST * 4) // TOKEN_SCALE if trader == VAST else WALLET for trader in range(len(NAMES)))
BY_ADDRESS = {trader.address: place for place, trader in enumerate(TRADERS)}


def market_of(account: bytes) -> int:
    """The market that an isolated account's id names."""
    return int.from_bytes(account[22:24], "big")


def owner_of(account: bytes) -> str:
    """The address of an account's owner."""
    return "0x" + account[:20].hex()


def is_isolated(account: bytes) -> bool:
    """Whether the id is that of an isolated account in a market that is listed."""
    return account[20:22] == b"\0\0" and 0 < market_of(account) <= len(MARKETS)


def label(account: bytes) -> str:
    """An account in words, for reports: `hawk/2` or `hawk/2/1`."""
    place = BY_ADDRESS.get(owner_of(account))
    index = int.from_bytes(account[24:], "big")
    name = NAMES[place] if place is not None else owner_of(account)
    sub_id = f"{market_of(account)}" if account[20:22] == b"\0\0" else account[20:].hex()
    return f"{name}/{sub_id}" + (f"/{index}" if index else "")
