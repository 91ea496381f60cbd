"""Who trades where: ten traders and seven markets. Amounts are WAD.

One market's pool stands on its own, three stand behind one market each and back each other, one is shared by three
markets, and one is empty: markets may move there.
"""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from backstop.account_id import is_cross, isolated_account
from backstop.math.wad import WAD
from scripts.stage.parameters import MarketParameters
from tests.support.capital import ISOLATED, LARGEST, Terms
from tests.support.capital import SHARED as SHARED_KIND

# A multiple of 15 minutes, so that what the deployment samples is in the bucket in which a sequence begins.
START = 900 * 2_222_222
FIRST_ANSWER = START + 200  # of market m: m seconds later
FIRST_ACTION = START + 300
HEARTBEAT = 3600
MIN_PRICE, MAX_PRICE = WAD // 10_000, 10**9 * WAD
TOKEN_SCALE = 10**12
BOND = 10**9 * 10**6  # token units that a keeper has posted: enough for every round of a sequence
WALLET = 50_000_000 * 10**6  # token units that a trader has
BACKSTOP_RATIO = WAD // 2
WARNING_RATE = WAD * 8 // 10
REWARD = (5 * WAD, WAD // 10_000, WAD // 20)  # of a round: flat, of its notional, and of what it brings at most
GRACE = 600  # seconds for which prices rest once the sequencer is back
SEQUENCER_START = START - 10 * GRACE
CROSS = 1 << 95
MOST_DUST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Market:
    """A market as it is listed. Fractions are WAD; `answer` is the feed's first one, in its own decimals."""

    id: int
    pool: int
    parameters: MarketParameters
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
    # Neither fees nor funding nor limits.
    Market(
        id=1, pool=1,
        parameters=MarketParameters(_percent(1000), _percent(500), _percent(125), _percent(125)),
        trigger=_percent(3000), stop=_percent(2500), target=_percent(2500), premium=_percent(200), duration=1800,
        decimals=8, answer=100 * 10**8,
    ),
    # The penalty of a liquidation is the whole of its maintenance margin; the feed has every decimal there is.
    Market(
        id=2, pool=2,
        parameters=MarketParameters(
            _percent(200), _percent(100), _percent(33), _percent(67), maker_fee=_percent(2), taker_fee=_percent(5),
            funding_cap=_percent(10), price_band=_percent(500), min_size=WAD // 1000,
        ),
        trigger=_percent(3000), stop=_percent(2000), target=_percent(3000), premium=_percent(50), duration=600,
        decimals=18, answer=2_345_678901234567890123,
    ),
    # Nobody pays for being liquidated; fees go to the pool alone.
    Market(
        id=3, pool=3,
        parameters=MarketParameters(
            _percent(500), _percent(250), 0, 0, maker_fee=0, taker_fee=_percent(3), funding_cap=_percent(100),
            pool_fee_share=WAD, treasury_fee_share=0,
        ),
        trigger=_percent(5000), stop=_percent(1000), target=_percent(2000), premium=_percent(200), duration=1800,
        decimals=6, answer=77_777,
    ),
    # Only the liquidator is paid; every limit is near.
    Market(
        id=4, pool=3,
        parameters=MarketParameters(
            _percent(300), _percent(100), _percent(50), 0, price_band=_percent(5000), funding_cap=_percent(50),
            max_notional=400_000 * WAD, min_size=WAD, max_open_interest=15 * WAD,
        ),
        trigger=_percent(2000), stop=_percent(1000), target=_percent(1500), premium=0, duration=3600,
        decimals=8, answer=30_123_45678901,
    ),
    # The most that fees and funding can be.
    Market(
        id=5, pool=3,
        parameters=MarketParameters(
            _percent(800), _percent(400), _percent(100), _percent(50), maker_fee=_percent(100), taker_fee=_percent(100),
            funding_cap=_percent(100), pool_fee_share=WAD // 3, treasury_fee_share=WAD // 3,
        ),
        trigger=_percent(3000), stop=_percent(2000), target=_percent(2500), premium=_percent(100), duration=900,
        decimals=8, answer=7 * 10**8,
    ),
    # Initial margins and the band follow the drawdown.
    Market(
        id=6, pool=4,
        parameters=MarketParameters(
            _percent(1000), _percent(500), _percent(100), _percent(100), maker_fee=_percent(1), taker_fee=_percent(4),
            price_band=_percent(2000), initial_margin_step=_percent(500), stress_band=_percent(100),
        ),
        trigger=_percent(3000), stop=_percent(2500), target=_percent(2500), premium=_percent(200), duration=1800,
        decimals=8, answer=50 * 10**8,
    ),
    Market(
        id=7, pool=5,
        parameters=MarketParameters(
            _percent(500), _percent(250), _percent(50), _percent(100), funding_cap=_percent(20),
            initial_margin_step=_percent(500),
        ),
        trigger=_percent(2000), stop=_percent(500), target=_percent(1000), premium=_percent(100), duration=1200,
        decimals=8, answer=900 * 10**8,
    ),
)  # fmt: skip
POOLS = {
    1: Terms(ISOLATED),
    2: Terms(ISOLATED, is_mutual=True),
    3: Terms(SHARED_KIND),
    4: Terms(ISOLATED, is_mutual=True),
    5: Terms(ISOLATED, is_mutual=True),
    6: Terms(ISOLATED),
}
# By what a round may be challenged: as strictly as it can be. Seconds and WAD.
WINDOW, EXEMPT_AGE = 3600, 12
TOLERANCE, RETURN_FLOOR = WAD // 1000, WAD // 10_000
MIN_PENALTY, BOND_CAP = WAD // 3, 100_000 * WAD
ROUND_PARAMETERS = WINDOW, EXEMPT_AGE, TOLERANCE, RETURN_FLOOR, MIN_PENALTY, BOND_CAP
QUARTERS = 4 * TOKEN_SCALE
SHARED = 3
GROUP = tuple(pool for pool, terms in POOLS.items() if terms.is_mutual)
# Pools of markets as they are listed.
POOL_OF = {spec.id: spec.pool for spec in MARKETS}
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

    def cross(self, index: int = 0) -> bytes:
        """A cross account of the trader."""
        return account_of(self.address, CROSS | index)


def _trader(name: str) -> Trader:
    key = PrivateKey(keccak(text=f"backstop invariants trader {name}"))
    return Trader(name, key, "0x" + keccak(key.public_key.format(compressed=False)[1:])[-20:].hex())


TRADERS = tuple(_trader(name) for name in NAMES)
ADDRESSES = tuple(trader.address for trader in TRADERS)
TREASURY = NAMES.index("stork")
VAST = NAMES.index("crane")  # has more than the samples of several markets can tell
WALLETS = tuple((LARGEST * 4) // TOKEN_SCALE if trader == VAST else WALLET for trader in range(len(NAMES)))
UNBONDED = NAMES.index("raven")
BONDS = tuple(0 if trader == UNBONDED else BOND for trader in range(len(NAMES)))  # token units
BY_ADDRESS = {trader.address: place for place, trader in enumerate(TRADERS)}


def account_of(owner: str, sub_id: int) -> bytes:
    """An owner's account by its sub-id, well formed or not."""
    return (int(owner, 16) << 96 | sub_id).to_bytes(32, "big")


def market_of(account: bytes) -> int:
    """The market that an isolated account's id names; 0 of a cross account."""
    return int.from_bytes(account[22:24], "big")


def owner_of(account: bytes) -> str:
    """The address of an account's owner."""
    return "0x" + account[:20].hex()


def is_account(account: bytes) -> bool:
    """Whether the id is that of a cross account, or of an isolated one in a market that is listed."""
    if is_cross(account):
        return account[20:24] == b"\x80\0\0\0"
    return account[20:22] == b"\0\0" and 0 < market_of(account) <= len(MARKETS)


def may_hold(account: bytes, market: int) -> bool:
    """Whether an account may hold a market, as far as its id tells."""
    return is_account(account) and 0 < market <= len(MARKETS) and (is_cross(account) or market_of(account) == market)


def label(account: bytes) -> str:
    """An account in words, for reports: `hawk/2`, `hawk/2/1` or `hawk/cross`."""
    place = BY_ADDRESS.get(owner_of(account))
    index = int.from_bytes(account[24:], "big")
    name = NAMES[place] if place is not None else owner_of(account)
    sub_id = account[20:].hex()
    if is_account(account):
        sub_id = "cross" if is_cross(account) else str(market_of(account))
        sub_id += f"/{index}" if index else ""
    return f"{name}/{sub_id}"
