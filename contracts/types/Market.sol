// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A market of the exchange, in three slots; a trade touches the first.
/// @param initialMarginFraction `imf`, WAD.
/// @param maintenanceMarginFraction `mmf`, WAD; below `imf`.
/// @param openInterest Sum of the long sizes of accounts and pools (equal to that of the short ones), WAD base units.
/// @param liquidationDiscount What a liquidator gets of the notional it takes over, WAD fraction.
/// @param liquidationFee What the market's pool gets of it, WAD fraction.
/// @param name Short name, e.g. "ETH-USD", left-aligned; zero for a market that is not listed.
struct Market {
    uint64 initialMarginFraction;
    uint64 maintenanceMarginFraction;
    uint128 openInterest;
    uint64 liquidationDiscount;
    uint64 liquidationFee;
    bytes32 name;
}

/// @notice Side of a position or of a pool's inventory.
enum Side {
    Long,
    Short
}
