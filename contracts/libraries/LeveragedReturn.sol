// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {WadMath} from "./WadMath.sol";

/// @title The key by which counterparties are ranked for auto-deleveraging
/// @notice Profit rate times margin rate where a position gains, profit rate divided by margin rate where it loses: of two
/// equal gains the more leveraged one goes first, and every loser comes after every winner.
library LeveragedReturn {
    using WadMath for int256;

    /// @notice Leveraged return in WAD, toward zero, saturating at the bounds of int256: scoring never reverts.
    /// @param uPnL Unrealized result of the position at mark, WAD quote.
    /// @param entryNotional Signed entry of the position, WAD quote.
    /// @param equity `E` of its account, WAD quote; positive.
    /// @param maintenanceMargin `MM` of its account, WAD quote.
    function score(int256 uPnL, int256 entryNotional, int256 equity, uint256 maintenanceMargin)
        internal
        pure
        returns (int256)
    {
        if (entryNotional == 0 || uPnL == 0) return 0;
        uint256 pnlRate = saturatingMulDiv(uPnL.abs(), WadMath.UWAD, entryNotional.abs());
        uint256 marginRate = saturatingMulDiv(maintenanceMargin, WadMath.UWAD, uint256(equity));
        if (marginRate == 0) marginRate = 1;
        if (uPnL > 0) {
            uint256 gain = saturatingMulDiv(pnlRate, marginRate, WadMath.UWAD);
            return gain > uint256(type(int256).max) ? type(int256).max : int256(gain);
        }
        uint256 loss = saturatingMulDiv(pnlRate, WadMath.UWAD, marginRate);
        return loss > uint256(type(int256).max) ? type(int256).min : -int256(loss);
    }

    /// @dev `min(a * b / divisor, type(uint256).max)`.
    function saturatingMulDiv(uint256 a, uint256 b, uint256 divisor) private pure returns (uint256) {
        if ((a | b) >> 128 == 0) {
            unchecked {
                return a * b / divisor;
            }
        }
        (uint256 high,) = Math.mul512(a, b);
        return high >= divisor ? type(uint256).max : Math.mulDiv(a, b, divisor);
    }
}
