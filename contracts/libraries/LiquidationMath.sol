// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title How much of a position is liquidated, and what that costs its owner
/// @notice All amounts in WAD; `mark` has at most 96 bits, sizes and notionals at most 112.
library LiquidationMath {
    uint256 private constant WAD_SQUARED = 1e36;

    /// @notice Contracts of a leg to close so that the equity left is the initial margin left, up; the whole leg where that is
    /// not enough, or where the penalty takes as much of the equity as of the margin.
    /// @param contracts Size of the leg, unsigned.
    /// @param shortfall Initial margin of the account less its equity.
    /// @param initialFraction `imf` of the leg.
    /// @param penaltyFraction Discount and fee together; below `imf`.
    function contractsToRestore(
        uint256 contracts,
        uint256 mark,
        uint256 shortfall,
        uint256 initialFraction,
        uint256 penaltyFraction
    ) internal pure returns (uint256) {
        // Each contract closed frees its initial margin and costs its penalty.
        uint256 needed =
            Math.mulDiv(shortfall, WAD_SQUARED, mark * (initialFraction - penaltyFraction), Math.Rounding.Ceil);
        return needed < contracts ? needed : contracts;
    }

    /// @notice The part of an account's equity that a leg stands for: by its maintenance margin, down.
    function shareOfEquity(uint256 equity, uint256 maintenance, uint256 maintenanceMargin)
        internal
        pure
        returns (uint256)
    {
        return Math.mulDiv(equity, maintenance, maintenanceMargin);
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
