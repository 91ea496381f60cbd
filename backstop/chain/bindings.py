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
_FUNDING = "(int104,uint24,uint64,uint64,int128,uint128,int112,uint112,uint32)"
_MARKET = (
    "(uint64,uint64,uint112,uint16,uint56,uint56,uint56,uint56,uint32,uint96,uint96,uint64,uint112,uint64,uint64,bool,"
    "uint32,uint64,uint64,uint64,uint64,bytes32,"
    f"{_FUNDING})"
)
_MARKET_VIEW = (
    f"(uint16,uint256,bytes,{_MARKET},int256,uint64,uint64,uint64,uint256,"
    f"{_BACKING},bytes,{_INVENTORY},{_INVENTORY},{_AUCTION_VIEW},{_AUCTION_VIEW},uint256)"
)
_POOL = "(bytes32,uint8,uint8,int128,uint96,uint32,address,uint16[])"
_ADL_TERMS = "(uint8,int256,int256,uint256,uint256,uint256,int256,int256)"
_EXIT = "(uint256,uint256,uint256)"
_POOL_VIEW = "(uint16,bytes32,uint8,uint8,int256,int256,uint16[])"
_ACCOUNT_VIEW = "(bytes32,int256,int256,int256,int256)"
_HEALTH = "(int256,int256,int256,uint256,uint256)"
_LEG_VIEW = "(uint16,uint256,int256,int256,int256,int256,uint256,int256,int256)"

POSITION = Function("position(bytes32,uint16)", "(int112,int112,uint32,int112,int104,uint40)")
CROSS_ACCOUNT = Function("crossAccount(bytes32)", "(int112,bool,uint32,uint40,uint256)")
LENS_SYSTEM = Function(
    "system()",
    f"(uint256,uint256,uint64,uint64,uint256,uint256,uint256,uint256,{_MARKET_VIEW}[],{_POOL_VIEW}[])",
)
FUND_ITEMS = Function("items(uint16)", "int256[]")
FUND_SEEN = Function("seen(uint16)", "uint8,uint8,uint256")
FUND_POOL_COUNT = Function("poolCount()", "uint16")
FUND_LENS_POOLS = Function(
    "pools()",
    f"(uint16,{_POOL},int256,int256[],uint256,uint256,uint256,uint256,bytes,{_BACKING}[])[]",
)
FUND_LENS_ADL_STATE = Function(
    "adlState(uint16)", f"(bool,uint8,uint8,uint8,uint256,{_BACKING},{_ADL_TERMS},{_ADL_TERMS})"
)
FUND_LENS_STAKE_OF = Function("stakeOf(uint16,address)", f"(uint256,uint256,{_EXIT},uint256,bool,bytes)")
FUND_LENS_EXITS = Function("exits(uint16,uint256,uint256)", f"address[],{_EXIT}[]")
FEED_OF = Function("feedOf(uint16)", "(address,uint32,uint64,uint96,uint96,uint40,uint24)")
LATEST_ANSWER = Function("latestRoundData()", "uint80,int256,uint256,uint256,uint80")
LENS_EXCHANGE = Function("exchange()", "address")
LENS_FUND = Function("fund()", "address")
LENS_PRICE_FEED = Function("priceFeed()", "address")
EXCHANGE_ENGINE = Function("engine()", "address")
LENS_ACCOUNTS = Function("accounts(uint16,uint256,uint256)", f"{_ACCOUNT_VIEW}[]")
LENS_CROSS_ACCOUNTS = Function("crossAccounts(uint256,uint256)", "(bytes32,int256)[]")
LENS_ACCOUNT = Function("account(bytes32)", f"(bytes32,{_HEALTH},uint256,bool,{_LEG_VIEW}[])")

DEPOSIT = Function("deposit(uint96,uint256)", "bytes32")
WITHDRAW = Function("withdraw(bytes32,uint256,address)")
TRANSFER = Function("transfer(bytes32,bytes32,uint256)")
SETTLE = Function(f"settle({_ORDER},bytes,{_ORDER},bytes,uint256)")
SETTLE_BATCH = Function(f"settleBatch(({_ORDER},bytes,{_ORDER},bytes,uint256)[])", "uint256")
COLLATERAL = Function("token()", "address")
FILLED = Function("filled(bytes32)", "uint256")
ORDER_EPOCH = Function("orderEpoch(address)", "uint64")
CANCEL = Function(f"cancel({_ORDER})")
CANCEL_ALL = Function("cancelAll()")
LIQUIDATE = Function("liquidate(bytes32,uint16,bytes32,uint256)", "uint256")
BUY_INVENTORY = Function("buyInventory(bytes32,uint16,uint8,uint256,uint256)", "uint256")
TAKE_OVER = Function("takeOver(bytes32)")
SETTLE_CLOSED = Function("settleClosed(uint16,bytes32[])", "uint256")
CONTRIBUTE = Function("contribute(uint16,uint16,uint256)")
REPAY = Function("repay(uint16,uint256)")
REDISTRIBUTE = Function("redistribute()", "uint256")
CHECKPOINT = Function("checkpoint(uint16)")
STAKE = Function("deposit(uint256,address)", "uint256")
PREVIEW_STAKE = Function("previewDeposit(uint256)", "uint256")
REQUEST_REDEEM = Function("requestRedeem(uint256)", "uint256")
CANCEL_REDEEM = Function("cancelRedeem()")
SETTLE_REDEEM = Function("settleRedeem(address)", "uint256")
DELEVERAGE = Function(
    "deleverage(uint16,uint8,bytes32[],(int256,int256,(uint16,uint96,uint96)[],int256,uint256))", "uint256"
)
POST_BOND = Function("postBond(uint256)")
REQUEST_BOND = Function("requestBond(uint256)")
WITHDRAW_BOND = Function("withdrawBond(address)", "uint256")
CLAIM = Function("claim(address)", "uint256")
RELEASE_BOND = Function("releaseBond(address,uint256[])")
ROUNDS_OF = Function("roundsOf(address,uint256,uint256)", "uint32[]")
CHALLENGE = Function("challenge(uint256,bytes32,uint32[])", "uint256")
BOND = Function("bond(address)", "(uint96,uint96,uint32,uint96,uint40)")
AVAILABLE_BOND = Function("availableBond(address)", "uint256")
CLAIMABLE = Function("claimable(address)", "uint256")
OMISSION = Function("omission(uint256,bytes32)", "uint8,int256,uint256")
ROUND_COUNT = Function("roundCount()", "uint256")
PAY_POOL = Function("payPool(uint16)", "uint256")
KEPT = Function("kept(uint256,bytes32)", "uint32[]")
ROUND_RECORD = Function(
    "roundRecord(uint256)",
    "(address,uint40,uint16,uint8,bool,uint8,bytes32,int104,uint112,uint32,int160,uint96)",
)
ROUND_PARAMETERS_OF = Function("roundParametersOf(uint8)", "(uint32,uint32,uint64,uint64,uint96,uint96)")
ROUND_PARAMETERS = Function("roundParameters()", "(uint32,uint32,uint64,uint64,uint96,uint96)")
APPROVE = Function("approve(address,uint256)", "bool")
MINT = Function("mint(address,uint256)")
BALANCE_OF = Function("balanceOf(address)", "uint256")
ALLOWANCE = Function("allowance(address,address)", "uint256")
DECIMALS = Function("decimals()", "uint8")
SYMBOL = Function("symbol()", "string")
TOKEN_NAME = Function("name()", "string")

DELEVERAGED = Event("Deleveraged", ("uint256", "bytes32"), "int256,int256,int256,int256,uint256")
ROUND_EXECUTED = Event(
    "RoundExecuted",
    ("uint256", "uint16", "address"),
    "(uint8,uint8,uint256,int256,uint256,uint256,int256,uint256)",
)
ROUND_OPENED = Event("RoundOpened", ("uint256",), "uint256,uint256,bytes32,int256,bool,uint256")
OMISSION_PROVEN = Event("OmissionProven", ("uint256", "bytes32", "address"), "int256,uint256,uint256")
KEEPER_REWARDED = Event("KeeperRewarded", ("bytes32", "uint16"), "uint256")
CANDIDATE_SKIPPED = Event("CandidateSkipped", ("uint256", "bytes32"), "uint8")
LIQUIDATED = Event("Liquidated", ("bytes32", "bytes32", "uint16"), "int256,int256,uint256,uint256,uint256")
DEPOSITED = Event("Deposited", ("bytes32",), "uint256")
WITHDRAWN = Event("Withdrawn", ("bytes32", "address"), "uint256")
TRANSFERRED = Event("Transferred", ("bytes32", "bytes32"), "uint256")
INVENTORY_BOUGHT = Event("InventoryBought", ("bytes32", "uint16"), "int256,int256,uint256")
SETTLED = Event("Settled", ("uint16", "bytes32", "bytes32"), "int256,int256,uint256,uint256,uint256,bytes32,bytes32")
PAIR_REFUSED = Event("PairRefused", ("uint256",), "bytes")
FUNDING_PAID = Event("FundingPaid", ("bytes32", "uint16"), "int256")
ORDERS_CANCELLED = Event("OrdersCancelled", ("address",), "uint64")
POOL_CREATED = Event("PoolCreated", ("uint16",), "bytes32,uint8,uint8")
SHARES_ISSUED = Event("SharesIssued", ("uint16",), "address")
MARKET_ASSIGNED = Event("MarketAssigned", ("uint16", "uint16"), "")
DRAWDOWN_BOUNDS_SET = Event("DrawdownBoundsSet", ("uint16",), "uint64,uint64,uint64")
CONTRIBUTED = Event("Contributed", ("uint16", "uint16", "address"), "uint256")
REPAID = Event("Repaid", ("uint16", "address"), "uint256")
ENTERED = Event("Entered", ("uint16", "uint16", "uint8"), "int256,int256")
INHERITED = Event("Inherited", ("uint16", "uint16"), "int256,int256")
INVENTORY_CLOSED = Event("InventoryClosed", ("uint16", "uint16", "uint8"), "int256,int256,int256")
INVENTORY_SOLD = Event("InventorySold", ("uint16", "uint16", "uint8"), "int256,int256,int256")
INVENTORY_NETTED = Event("InventoryNetted", ("uint16", "uint16"), "uint256,uint256,int256")
CHECKPOINTED = Event("Checkpointed", ("uint16",), "int256,int256,uint256")
ADL_STARTED = Event("ADLStarted", ("uint16", "uint8"), "uint256")
ADL_ENDED = Event("ADLEnded", ("uint16",), "uint256")
STAKED = Event("Deposit", ("address", "address"), "uint256,uint256")
REDEEM_REQUESTED = Event("RedeemRequested", ("address",), "uint256,uint256,uint256")
REDEEM_CANCELLED = Event("RedeemCancelled", ("address",), "uint256")
REDEEMED = Event("Redeemed", ("address", "address"), "uint256,uint256,uint256")
POSITION_SETTLED = Event("PositionSettled", ("bytes32", "uint16"), "int256,int256")
TAKEN_OVER = Event("TakenOver", ("bytes32", "uint16"), "int256,int256,int256,uint256")

ERRORS = (
    "AccountBankrupt(bytes32,int256)",
    "AccountMalformed(bytes32)",
    "AccountOfOtherMarket(bytes32,uint16)",
    "AddressZero()",
    "ADLNotDue(uint16,uint8)",
    "AmountZero()",
    "AssetsZero()",
    "AuctionParametersOutOfBounds(uint64,uint32)",
    "AuctionPriceBeyondLimit(uint256,uint256)",
    "CallerNotEngine(address)",
    "CallerNotExchange(address)",
    "CallerNotFund(address)",
    "CallerNotShares(address)",
    "CallerNotTreasury(address)",
    "CandidatesMissing(uint16)",
    "CapExceeded(uint16,uint256,uint256)",
    "CashNotConserved(int256,int256)",
    "ContributionShort(uint256,uint256)",
    "DeadlinePassed(uint256)",
    "DepositShort(uint256,uint256)",
    "EquityNegative(bytes32,int256)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC4626ExceededMaxDeposit(address,uint256,uint256)",
    "ERC4626ExceededMaxMint(address,uint256,uint256)",
    "ERC4626ExceededMaxRedeem(address,uint256,uint256)",
    "ERC4626ExceededMaxWithdraw(address,uint256,uint256)",
    "ExitOfOther(address,uint256)",
    "ExitUnripe(address,uint256)",
    "ExitWaits(uint16,uint16,uint256,uint256)",
    "ExitWithoutPrice(uint16,uint16)",
    "FailedCall()",
    "FeedMissing(uint16)",
    "FeedSilent(uint16)",
    "FillZero()",
    "InitialMarginInsufficient(bytes32,int256,uint256)",
    "InventoryExceeded(uint16,uint8,uint256,uint256)",
    "InventoryMissing(uint16,uint8)",
    "LegOfOtherPool(bytes32,uint16,uint16)",
    "LegsExceeded(bytes32,uint256)",
    "LiquidationNotDue(bytes32,int256,uint256)",
    "LiquidationOfSelf(bytes32)",
    "MarginCallNotDue(bytes32,int256,uint256,uint256)",
    "MarginInsufficient(bytes32,int256,uint256)",
    "MarginRateWorse(bytes32,int256,uint256)",
    "MarketClosed(uint16)",
    "MarketIsolatedOnly(uint16)",
    "MarketNotClosed(uint16)",
    "FinalPriceOutsideBounds(uint16,uint256,uint256,uint256)",
    "MarketOfOtherPool(uint16,uint16)",
    "MarketUnassigned(uint16)",
    "MarketUnlisted(uint16)",
    "NewRiskPaused(bytes32,uint40)",
    "NotAccountOwner(bytes32,address)",
    "NothingDeleveraged(uint256)",
    "OnlyByDelegatecall()",
    "OnlyWithinBatch(address)",
    "OpenInterestTooLarge(uint16,uint256,uint256)",
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
    "PoolDepleted(uint16)",
    "PoolMissing(uint16)",
    "PositionMissing(bytes32)",
    "PositionTooLarge(bytes32,uint256,uint256)",
    "PositionTooSmall(bytes32,uint256,uint256)",
    "PreviewImpossible()",
    "PriceFromFuture(uint16,uint256)",
    "PriceIncomplete(uint16)",
    "PriceNotCrossed(uint256,uint256)",
    "PriceNotPositive(uint16,int256)",
    "PriceOutOfBounds(uint16,uint256,uint256,uint256)",
    "PriceOutsideBand(uint256,uint256,uint256)",
    "PriceOutsideBounds(int256,int256,int256)",
    "MarkOutsideBounds(uint16,uint256,uint256,uint256)",
    "BondInsufficient(address,uint256,uint256)",
    "BondExceeded(address,uint256,uint256)",
    "BondUnripe(address,uint256)",
    "HintWrong(bytes32,uint32,uint32)",
    "HintsMiscounted(bytes32,uint256,uint256)",
    "NothingOwed(uint16)",
    "BondTooLarge(uint256,uint256)",
    "NothingToWithdraw(address)",
    "NothingToClaim(address)",
    "TransferShort(uint256,uint256)",
    "RoundUnknown(uint256)",
    "RoundClosed(uint256,uint256)",
    "NotAnOmission(uint256,bytes32,uint8)",
    "AlreadyProven(uint256,bytes32)",
    "RoundBondSpent(uint256)",
    "PriceStale(uint16,uint256,uint256)",
    "PriceWentBack(uint16,uint256,uint256)",
    "RecipientInvalid(address)",
    "RedistributionNotDue()",
    "RedistributionWithoutPrice(uint16,uint16)",
    "ReentrancyGuardReentrantCall()",
    "RepaymentTooLarge(uint16,uint256,uint256)",
    "RequestExceeded(address,uint256,uint256)",
    "RequestMissing(address)",
    "RequestOpen(address,uint256)",
    "SafeCastOverflowedIntDowncast(uint8,int256)",
    "SafeCastOverflowedIntToUint(int256)",
    "SafeCastOverflowedUintDowncast(uint8,uint256)",
    "SafeCastOverflowedUintToInt(uint256)",
    "SafeERC20FailedOperation(address)",
    "SaleDepletesPool(uint16,int256)",
    "SaleRaisesDrawdown(uint16,uint256,uint256)",
    "SequencerDown()",
    "SequencerGrace(uint256,uint256)",
    "SettlementNotDue(uint16,uint256)",
    "SettlementWaits(uint16)",
    "SharesNotWorthless(uint16)",
    "SharesWorthless(uint16)",
    "SharesZero()",
    "SolventMadeInsolvent(bytes32,int256)",
    "StakeWhileADLDue(uint16,uint16)",
    "StakeWhilePaused(uint16,uint256)",
    "StakeWithoutPrice(uint16,uint16)",
    "TakeoverNotDue(bytes32,int256,uint256)",
    "TransferToSelf(bytes32)",
    "TreasuryExceeded(uint256,uint256)",
)

_ERRORS_BY_SELECTOR = {keccak(text=signature)[:4]: signature for signature in ERRORS}


def describe_revert(data: bytes) -> str:
    """Revert data in words: `TakeoverNotDue(0x…, 12, 34)`, a reason string, or the raw bytes."""
    selector, body = data[:4], data[4:]
    try:
        if selector == bytes.fromhex("08c379a0"):
            # As bytes: whoever reverts may put anything there.
            return bytes(decode(["bytes"], body)[0]).decode(errors="backslashreplace")
        if selector == bytes.fromhex("4e487b71"):
            return f"Panic(0x{decode(['uint256'], body)[0]:02x})"
        signature = _ERRORS_BY_SELECTOR.get(selector)
        if signature is None:
            return f"revert data 0x{data.hex()}" if data else "no revert data"
        name, types = signature[:-1].split("(", 1)
        values = decode(_split(types), body)
    except (DecodingError, OverflowError):  # the latter where a length is beyond any memory
        return f"revert data 0x{data.hex()}"
    shown = ("0x" + value.hex() if isinstance(value, bytes) else str(value) for value in values)
    return f"{name}({', '.join(shown)})"
