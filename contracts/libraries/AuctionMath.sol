// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {WadMath} from "./WadMath.sol";

/// @title The price of a pool's inventory in a Dutch auction around mark
/// @notice It starts a premium on the pool's side of mark and moves evenly to a floor `mmf` on the other side, where it stays.
library AuctionMath {
    using WadMath for int256;

    /// @notice Price of a contract, WAD, rounded toward the pool.
    /// @param isLong Side of the inventory: a long one is sold, a short one is bought back.
    /// @param premium Where it starts, WAD fraction of mark.
    /// @param floorFraction Where it ends, WAD fraction of mark: the market's `mmf`.
    /// @param elapsed Seconds since it started.
    /// @param duration Seconds it takes; positive.
    function priceOf(
        bool isLong,
        uint256 mark,
        uint256 premium,
        uint256 floorFraction,
        uint256 elapsed,
        uint256 duration
    ) internal pure returns (uint256) {
        if (elapsed > duration) elapsed = duration;
        // Fraction of mark times duration, so that nothing is rounded before the end.
        int256 offset = int256(premium * duration) - int256((premium + floorFraction) * elapsed);
        int256 whole = WadMath.WAD * int256(duration);
        int256 price =
            isLong ? (int256(mark) * (whole + offset)).divUp(whole) : (int256(mark) * (whole - offset)).divDown(whole);
        return uint256(price);
    }

    /// @notice When the auction of an inventory is taken to have started, after more came in: the mean by size, so that dust moves
    /// it by dust and nobody can hold an auction up. What was there counts for no longer than the auction takes, or an old
    /// crumb would bring all that comes in to the floor at once.
    function mergedStart(uint256 start, uint256 contracts, uint256 time, uint256 added, uint256 duration)
        internal
        pure
        returns (uint256)
    {
        if (start + duration < time) start = time - duration;
        return (start * contracts + time * added) / (contracts + added);
    }
}
