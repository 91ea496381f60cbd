/** The views and events of the contracts that the page reads. A test holds each equal to what the compiler says. */

import { parseAbi } from "viem";

const STRUCTS = [
  "struct Funding { int104 index; uint24 hour; uint64 cap; uint64 rest; int128 premium; uint128 volume; int112 pot; uint112 fees; uint32 dust; }",
  "struct Market { uint64 initialMarginFraction; uint64 maintenanceMarginFraction; uint112 openInterest; uint16 pool; uint56 liquidationDiscount; uint56 liquidationFee; uint56 makerFee; uint56 takerFee; uint32 roundMarker; uint96 maxNotional; uint96 minSize; uint64 priceBand; uint112 maxOpenInterest; uint64 poolFeeShare; uint64 treasuryFeeShare; bool isolatedOnly; uint32 crossHolders; uint64 calmMarginFraction; uint64 calmBand; uint64 initialMarginStep; uint64 stressBand; bytes32 name; Funding funding; }",
  "struct Backing { int256 balance; uint256 base; int256 pnl; int256 maxPnl; uint256 loss; uint256 drawdown; uint256 longLoss; uint256 shortLoss; bool started; bool drawdownDue; }",
  "struct Inventory { int112 size; int112 entryNotional; uint32 auctionStart; }",
  "struct AuctionView { uint256 price; uint256 contracts; }",
  "struct MarketView { uint16 id; uint256 mark; bytes priceError; Market listed; int256 fundingIndex; uint64 trigger; uint64 stop; uint64 target; uint256 accounts; Backing backing; bytes backingError; Inventory long; Inventory short; AuctionView longAuction; AuctionView shortAuction; uint256 settlesAt; }",
  "struct PoolView { uint16 id; bytes32 name; uint8 kind; uint8 backer; int256 cash; int256 claim; uint16[] markets; }",
  "struct SystemView { uint256 blockNumber; uint256 timestamp; uint64 backstopRatio; uint64 warningRate; uint256 tokensHeld; uint256 treasuryBalance; uint256 keeperBudget; uint256 crossAccounts; MarketView[] markets; PoolView[] pools; }",
  "struct AccountView { bytes32 account; int256 size; int256 entryNotional; int256 margin; int256 funding; }",
  "struct CrossView { bytes32 account; int256 margin; }",
  "struct Health { int256 collateral; int256 equity; int256 losses; uint256 maintenanceMargin; uint256 initialMargin; }",
  "struct LegView { uint16 market; uint256 mark; int256 size; int256 entryNotional; int256 uPnL; int256 funding; uint256 maintenanceMargin; int256 liquidationPrice; int256 bankruptcyPrice; }",
  "struct AccountState { bytes32 account; Health health; uint256 marginRate; bool isLow; LegView[] legs; }",
  "struct Outcome { uint8 side; uint8 trigger; uint256 mark; int256 price; uint256 contracts; uint256 netted; int256 value; uint256 compensation; }",
  "struct RoundRecord { address keeper; uint40 time; uint16 market; uint8 side; bool secondPass; uint8 parameters; bytes32 cutoffAccount; int104 cutoffReturn; uint112 contracts; uint32 prices; int160 price; uint96 bond; }",
  "struct Feed { address aggregator; uint32 heartbeat; uint64 scale; uint96 minPrice; uint96 maxPrice; uint40 acceptedAt; uint24 acceptedRound; }",
] as const;

export const LENS = parseAbi([
  ...STRUCTS,
  "function system() view returns (SystemView view_)",
  "function market(uint16 id) view returns (MarketView view_)",
  "function accounts(uint16 marketId, uint256 offset, uint256 limit) view returns (AccountView[] page)",
  "function crossAccounts(uint256 offset, uint256 limit) view returns (CrossView[] page)",
  "function account(bytes32 id) view returns (AccountState state)",
]);

export const ENGINE = parseAbi([
  ...STRUCTS,
  "function roundCount() view returns (uint256)",
  "event RoundExecuted(uint256 indexed round, uint16 indexed market, address indexed keeper, Outcome outcome)",
  "event Deleveraged(uint256 indexed round, bytes32 indexed account, int256 size, int256 value, int256 price, int256 leveragedReturn, uint256 rank)",
  "event CandidateSkipped(uint256 indexed round, bytes32 indexed account, uint8 reason)",
]);

export const ROUND_BOOK = parseAbi([
  ...STRUCTS,
  "function roundRecord(uint256 round) view returns (RoundRecord)",
  "event RoundOpened(uint256 indexed round, uint256 prices, uint256 bond, bytes32 cutoffAccount, int256 cutoffReturn, bool secondPass, uint256 openUntil)",
  "event OmissionProven(uint256 indexed round, bytes32 indexed account, address indexed challenger, int256 leveragedReturn, uint256 spared, uint256 penalty)",
]);

export const PRICE_FEED = parseAbi([...STRUCTS, "function feedOf(uint16 market) view returns (Feed)"]);

export const AGGREGATOR = parseAbi([
  "function latestRoundData() view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
]);

export const TOKEN = parseAbi([
  "function symbol() view returns (string)",
  "function decimals() view returns (uint8)",
]);

/** By the contract that it is, for the test. */
export const ABIS = {
  BackstopLens: LENS,
  ADLEngine: ENGINE,
  RoundBook: ROUND_BOOK,
  ChainlinkPriceFeed: PRICE_FEED,
  IAggregatorV3: AGGREGATOR,
  MockUSDC: TOKEN,
};
