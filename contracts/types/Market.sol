// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the owner sets of a market; hard bounds in `MarketModule`. Fractions and rates in WAD.
/// @param initialMarginFraction `imf`: 10 % for 10x leverage.
/// @param maintenanceMarginFraction `mmf`, below `imf`.
/// @param liquidationDiscount What a liquidator gets of the notional it takes over, at most 5 %.
/// @param liquidationFee What the market's pool gets of it, at most 5 %; with the discount at most `mmf`.
/// @param makerFee What a fill costs the maker, of its notional.
/// @param takerFee What it costs the taker.
/// @param priceBand How far from mark a fill may be, as a fraction of mark; the largest uint64 for no band.
/// @param fundingCap Most that a fill's premium over mark counts for funding, as a fraction of mark, per hour, at most half of `mmf`; 0 for no funding.
/// @param maxNotional Most that an account's position may be worth at mark after it has grown, WAD quote.
/// @param minSize Smallest position after a trade or a liquidation, WAD base units.
/// @param maxOpenInterest Most open interest after it has grown, WAD base units.
/// @param poolFeeShare The pool's share of trading fees.
/// @param treasuryFeeShare The treasury's share; the rest is the keeper budget's.
/// @param initialMarginStep What `imf` rises by with each quarter of the way to the drawdown trigger; 0 for no feedback.
/// @param stressBand The price band while ADL is on, not wider than the usual one; 0 for no feedback.
struct MarketParameters {
    uint64 initialMarginFraction;
    uint64 maintenanceMarginFraction;
    uint64 liquidationDiscount;
    uint64 liquidationFee;
    uint64 makerFee;
    uint64 takerFee;
    uint64 priceBand;
    uint64 fundingCap;
    uint96 maxNotional;
    uint96 minSize;
    uint112 maxOpenInterest;
    uint64 poolFeeShare;
    uint64 treasuryFeeShare;
    uint64 initialMarginStep;
    uint64 stressBand;
}

/// @notice A market of the exchange. The first three slots are what a trade reads of it, the last two what it writes.
/// Initial margin fraction and price band there are those in force.
/// @param initialMarginFraction `imf` in force, stress included, WAD.
/// @param maintenanceMarginFraction `mmf`, WAD.
/// @param openInterest Sum of the long sizes of accounts and pools (equal to that of the short ones), WAD base units.
/// @param pool The pool that backs it.
/// @param liquidationDiscount WAD, as in the parameters.
/// @param liquidationFee WAD, as in the parameters.
/// @param makerFee WAD, as in the parameters.
/// @param takerFee WAD, as in the parameters.
/// @param roundMarker The last deleveraging round that the positions of this market must be known of.
/// @param maxNotional WAD quote, as in the parameters.
/// @param minSize WAD base units, as in the parameters.
/// @param priceBand The band in force, stress included, WAD; 0 once the market was closed, the largest uint64 for no band.
/// @param maxOpenInterest WAD base units, as in the parameters.
/// @param poolFeeShare WAD, as in the parameters.
/// @param treasuryFeeShare WAD, as in the parameters.
/// @param isolatedOnly Its pool stands behind it alone, so only isolated accounts may hold it.
/// @param crossHolders Number of cross accounts that hold it.
/// @param calmMarginFraction `imf` without stress, WAD.
/// @param calmBand The price band while ADL is off, WAD.
/// @param initialMarginStep WAD, as in the parameters.
/// @param stressBand WAD, as in the parameters.
/// @param name Short name, e.g. "ETH-USD", left-aligned; zero for a market that is not listed.
/// @param funding Cumulative funding, what it is made from, and the trading fees that are not swept yet.
struct Market {
    uint64 initialMarginFraction;
    uint64 maintenanceMarginFraction;
    uint112 openInterest;
    uint16 pool;
    uint56 liquidationDiscount;
    uint56 liquidationFee;
    uint56 makerFee;
    uint56 takerFee;
    uint32 roundMarker;
    uint96 maxNotional;
    uint96 minSize;
    uint64 priceBand;
    uint112 maxOpenInterest;
    uint64 poolFeeShare;
    uint64 treasuryFeeShare;
    bool isolatedOnly;
    uint32 crossHolders;
    uint64 calmMarginFraction;
    uint64 calmBand;
    uint64 initialMarginStep;
    uint64 stressBand;
    bytes32 name;
    Funding funding;
}

/// @notice Funding of a market, in three slots, and beside its pot the fees that are not swept yet.
/// @param index Cumulative funding of a long contract, WAD quote per base unit; a position pays `size * change`.
/// @param hour The hour (timestamp / 3600) whose fills are being averaged.
/// @param cap Most that a fill's premium over mark counts, WAD fraction of mark.
/// @param rest Parts of a WAD wei that roundings have left in the pot, below 1e18.
/// @param premium Sum over the hour's fills of contracts times capped premium, WAD quote.
/// @param volume Contracts filled in the hour, WAD.
/// @param pot What settled positions have paid in, less what they got out, WAD quote: the claim of those not settled yet.
/// @param fees Trading fees that are not swept yet, WAD quote.
/// @param dust Wei of the pot that nobody claims, the sum of all roundings; swept to the market's pool.
struct Funding {
    int104 index;
    uint24 hour;
    uint64 cap;
    uint64 rest;
    int128 premium;
    uint128 volume;
    int112 pot;
    uint112 fees;
    uint32 dust;
}

/// @notice Side of a position or of a pool's inventory.
enum Side {
    Long,
    Short
}
