// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title How much of a position is liquidated, and what that costs its owner
/// @notice All amounts in WAD; `mark` has at most 96 bits, sizes and notionals at most 112.
library LiquidationMath {
    uint256 private constant WAD_SQUARED = 1e36;

    /// @notice Contracts to close so that the equity left is the initial margin of the position left, up; the whole position
    /// where the penalty takes as much of the equity as of the position.
    /// @param contracts Size of the position, unsigned.
    /// @param equity The leg's share of the account's equity; positive and below its maintenance margin.
    /// @param initialFraction `imf`.
    /// @param penaltyFraction Discount and fee together; below `imf`.
    function contractsToRestore(
        uint256 contracts,
        uint256 mark,
        uint256 equity,
        uint256 initialFraction,
        uint256 penaltyFraction
    ) internal pure returns (uint256) {
        uint256 required = Math.mulDiv(contracts * mark, initialFraction, WAD_SQUARED, Math.Rounding.Ceil);
        if (equity >= required) return 0;
        // Each contract closed frees its initial margin and costs its penalty.
        uint256 needed =
            Math.mulDiv(required - equity, WAD_SQUARED, mark * (initialFraction - penaltyFraction), Math.Rounding.Ceil);
        return needed < contracts ? needed : contracts;
    }

    /// @notice What the owner pays for `closed` of `contracts`: discount and fee on the notional, down, and never more than the
    /// closed part of the equity, so that the price is never beyond the bankruptcy price and the margin rate never worse.
    /// @return discount For the liquidator.
    /// @return fee For the market's pool.
    function penalty(
        uint256 closed,
        uint256 contracts,
        uint256 mark,
        uint256 equity,
        uint256 discountFraction,
        uint256 feeFraction
    ) internal pure returns (uint256 discount, uint256 fee) {
        uint256 fraction = discountFraction + feeFraction;
        if (fraction == 0) return (0, 0);
        uint256 whole =
            Math.min(Math.mulDiv(closed * mark, fraction, WAD_SQUARED), Math.mulDiv(equity, closed, contracts));
        discount = Math.mulDiv(whole, discountFraction, fraction);
        fee = whole - discount;
    }
}
