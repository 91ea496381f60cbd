"""The functions, events and errors of the contracts that Python uses, by signature.

A test holds every one of them equal to what the compiler says of the contracts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak


def _split(types: str) -> list[str]:
    """The top-level parts of `a,(b,c)[],d`."""
    parts: list[str] = []
    depth, start = 0, 0
    for i, char in enumerate(types):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(types[start:i])
            start = i + 1
    return [*parts, types[start:]] if types else []


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `signature` in canonical form, the types it returns separated by commas."""

    signature: str
    returns: str = ""

    @property
    def selector(self) -> bytes:
        """The first four bytes of calldata."""
        return keccak(text=self.signature)[:4]

    def encode(self, *arguments: Any) -> bytes:
        """Calldata."""
        inputs = _split(self.signature[self.signature.index("(") + 1 : -1])
        return self.selector + encode(inputs, arguments)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """What the function returned. Raises eth_abi's DecodingError for data of another shape."""
        return tuple(decode(_split(self.returns), data))


@dataclass(frozen=True, slots=True)
class Event:
    """An event; `indexed` are the leading parameters' types that stand in topics, `data` the rest."""

    name: str
    indexed: tuple[str, ...]
    data: str

    @property
    def signature(self) -> str:
        """The canonical form."""
        return f"{self.name}({','.join([*self.indexed, *_split(self.data)])})"

    @property
    def topic(self) -> bytes:
        """The first topic."""
        return keccak(text=self.signature)

    def decode(self, topics: list[bytes], data: bytes) -> tuple[Any, ...]:
        """Indexed parameters, then the others."""
        leading = [decode([kind], topic)[0] for kind, topic in zip(self.indexed, topics[1:], strict=True)]
        return (*leading, *decode(_split(self.data), data))


_ORDER = "(bytes32,uint16,int256,uint256,uint64,uint64,uint256,bool)"
_BACKING = "(int256,uint256,int256,int256,uint256,uint256,uint256,uint256,bool,bool)"
_INVENTORY = "(int112,int112,uint32)"
_AUCTION_VIEW = "(uint256,uint256)"
_MARKET_VIEW = (
    "(uint16,bytes32,uint16,uint256,bytes,uint64,uint64,uint64,uint64,uint64,uint64,uint64,uint256,uint256,"
    f"{_BACKING},bytes,{_INVENTORY},{_INVENTORY},{_AUCTION_VIEW},{_AUCTION_VIEW})"
)
_POOL_VIEW = "(uint16,bytes32,uint8,int256,int256,uint16[])"
_ACCOUNT_VIEW = "(bytes32,int256,int256,int256)"

LENS_SYSTEM = Function("system()", f"(uint256,uint256,uint64,uint256,{_MARKET_VIEW}[],{_POOL_VIEW}[])")
LENS_ACCOUNTS = Function("accounts(uint16,uint256,uint256)", f"{_ACCOUNT_VIEW}[]")

DEPOSIT = Function("deposit(uint96,uint256)", "bytes32")
WITHDRAW = Function("withdraw(bytes32,uint256,address)")
SETTLE = Function(f"settle({_ORDER},bytes,{_ORDER},bytes,uint256)")
CANCEL = Function(f"cancel({_ORDER})")
CANCEL_ALL = Function("cancelAll()")
LIQUIDATE = Function("liquidate(bytes32,bytes32,uint256)", "uint256")
TAKE_OVER = Function("takeOver(bytes32)")
CONTRIBUTE = Function("contribute(uint16,uint16,uint256)")
DELEVERAGE = Function("deleverage(uint16,uint8,bytes32[],(int256,int256,uint256))", "uint256")
APPROVE = Function("approve(address,uint256)", "bool")
MINT = Function("mint(address,uint256)")
BALANCE_OF = Function("balanceOf(address)", "uint256")

DELEVERAGED = Event("Deleveraged", ("uint256", "bytes32"), "int256,int256,int256,int256,uint256")
ROUND_EXECUTED = Event(
    "RoundExecuted",
    ("uint256", "uint16", "address"),
    "(uint8,uint8,uint256,int256,uint256,uint256,int256,uint256)",
)
CANDIDATE_SKIPPED = Event("CandidateSkipped", ("uint256", "bytes32"), "uint8")
LIQUIDATED = Event("Liquidated", ("bytes32", "bytes32", "uint16"), "int256,int256,uint256,uint256,uint256")
TAKEN_OVER = Event("TakenOver", ("bytes32", "uint16"), "int256,int256,int256,uint256")

ERRORS = (
    "AccountBankrupt(bytes32,int256)",
    "AccountCrossUnsupported(bytes32)",
    "AccountMalformed(bytes32)",
    "AddressZero()",
    "ADLNotDue(uint16,uint8)",
    "AmountZero()",
    "AuctionParametersOutOfBounds(uint64,uint32)",
    "AuctionPriceBeyondLimit(uint256,uint256)",
    "CallerNotEngine(address)",
    "CallerNotExchange(address)",
    "CandidatesMissing(uint16)",
    "CashNotConserved(int256,int256)",
    "ContributionShort(uint256,uint256)",
    "DeadlinePassed(uint256)",
    "DepositShort(uint256,uint256)",
    "EquityNegative(bytes32,int256)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "FailedCall()",
    "FeedMissing(uint16)",
    "FillZero()",
    "InitialMarginInsufficient(bytes32,int256,uint256)",
    "InventoryExceeded(uint16,uint8,uint256,uint256)",
    "InventoryMissing(uint16,uint8)",
    "LiquidationFractionsOutOfBounds(uint256,uint256,uint256)",
    "LiquidationNotDue(bytes32,int256,uint256)",
    "MarginInsufficient(bytes32,int256,uint256)",
    "MarginRateWorse(bytes32,int256,uint256)",
    "MarketOfOtherPool(uint16,uint16)",
    "MarketUnassigned(uint16)",
    "MarketUnlisted(uint16)",
    "NotAccountOwner(bytes32,address)",
    "NothingDeleveraged(uint256)",
    "OnlyByDelegatecall()",
    "OpenInterestTooLarge(uint16,uint256)",
    "OrderAccountOfOtherMarket(bytes32,uint16)",
    "OrderCancelledAlready(bytes32)",
    "OrderEpochNotCurrent(bytes32,uint64,uint64)",
    "OrderExpired(bytes32,uint64)",
    "OrderFilled(bytes32,uint256,uint256)",
    "OrderMarketMismatch(uint16,uint16)",
    "OrderNotReducing(bytes32,int256,int256)",
    "OrderOverfilled(bytes32,uint256,uint256)",
    "OrderPriceOutOfBounds(uint256)",
    "OrderSidesEqual(int256,int256)",
    "OrderSignatureInvalid(bytes32,bytes32)",
    "OrderSizeZero(bytes32)",
    "OrderWithSelf(bytes32)",
    "Overcompensated(int256,uint256)",
    "OwnableUnauthorizedAccount(address)",
    "PoolMissing(uint16)",
    "PositionMissing(bytes32)",
    "PriceFromFuture(uint16,uint256)",
    "PriceIncomplete(uint16)",
    "PriceNotCrossed(uint256,uint256)",
    "PriceNotPositive(uint16,int256)",
    "PriceOutOfBounds(uint16,uint256,uint256,uint256)",
    "PriceOutsideBounds(int256,int256,int256)",
    "PriceStale(uint16,uint256,uint256)",
    "RecipientInvalid(address)",
    "ReentrancyGuardReentrantCall()",
    "SafeCastOverflowedIntDowncast(uint8,int256)",
    "SafeCastOverflowedIntToUint(int256)",
    "SafeCastOverflowedUintDowncast(uint8,uint256)",
    "SafeCastOverflowedUintToInt(uint256)",
    "SafeERC20FailedOperation(address)",
    "SaleDepletesPool(uint16,int256)",
    "SaleRaisesDrawdown(uint16,uint256,uint256)",
    "SolventMadeInsolvent(bytes32,int256)",
    "TakeoverNotDue(bytes32,int256,uint256)",
)

_ERRORS_BY_SELECTOR = {keccak(text=signature)[:4]: signature for signature in ERRORS}


def describe_revert(data: bytes) -> str:
    """Revert data in words: `TakeoverNotDue(0x…, 12, 34)`, a reason string, or the raw bytes."""
    selector, body = data[:4], data[4:]
    try:
        if selector == bytes.fromhex("08c379a0"):
            return str(decode(["string"], body)[0])
        if selector == bytes.fromhex("4e487b71"):
            return f"Panic(0x{decode(['uint256'], body)[0]:02x})"
        signature = _ERRORS_BY_SELECTOR.get(selector)
        if signature is None:
            return f"revert data 0x{data.hex()}" if data else "no revert data"
        name, types = signature[:-1].split("(", 1)
        values = decode(_split(types), body)
    except DecodingError:
        return f"revert data 0x{data.hex()}"
    shown = ("0x" + value.hex() if isinstance(value, bytes) else str(value) for value in values)
    return f"{name}({', '.join(shown)})"
