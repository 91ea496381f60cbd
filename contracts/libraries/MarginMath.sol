// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {WadMath} from "./WadMath.sol";

/// @title Value, margin requirement and the prices that follow from them
/// @notice All amounts in WAD. `mark` is a price of at most 96 bits, sizes and notionals have at most 112.
library MarginMath {
    using WadMath for int256;

    uint256 private constant WAD_SQUARED = 1e36;

    /// @notice Quote value of a signed size at a price, toward -infinity.
    function valueDown(int256 size, uint256 price) internal pure returns (int256) {
        return size.mulDown(int256(price));
    }

    /// @notice Margin that a position requires: `|size| * mark * fraction`, up, rounded once.
    function requirementUp(int256 size, uint256 mark, uint256 fraction) internal pure returns (uint256) {
        uint256 exact = size.abs() * mark;
        // Nearly always: 192 bits by 62 are less than 256 even with the divisor added.
        if (exact >> 192 == 0 && fraction >> 62 == 0) {
            unchecked {
                return (exact * fraction + WAD_SQUARED - 1) / WAD_SQUARED;
            }
        }
        return Math.mulDiv(exact, fraction, WAD_SQUARED, Math.Rounding.Ceil);
    }

    /// @notice `E` of an account whose only position this is.
    function equity(int256 size, int256 entryNotional, int256 margin, uint256 mark) internal pure returns (int256) {
        return margin + valueDown(size, mark) - entryNotional;
    }

    /// @notice The price that makes `size` worth `notional`, rounded toward the mark and so never beyond.
    /// @param size Signed contracts; not zero.
    /// @param notional Signed bankruptcy notional.
    function bankruptcyPrice(int256 size, int256 notional, uint256 mark) internal pure returns (int256) {
        int256 numerator = (size > 0 ? notional : -notional) * WadMath.WAD;
        int256 contracts = int256(size.abs());
        // p_b >= mark rounds down to it, p_b <= mark rounds up.
        return numerator >= contracts * int256(mark) ? numerator.divDown(contracts) : numerator.divUp(contracts);
    }

    /// @notice The mark at which `E = MM`, other marks held: a long's rounded up, a short's down.
    /// @param size Signed contracts; not zero.
    /// @param shortfall What the leg must be worth for the rest of the account: `MM of the other legs - cash - their value`;
    /// for an isolated account its `entryNotional - margin`.
    /// @param maintenanceFraction `mmf`, below WAD.
    function liquidationPrice(int256 size, int256 shortfall, uint256 maintenanceFraction)
        internal
        pure
        returns (int256)
    {
        int256 contracts = int256(size.abs());
        return size > 0
            ? (shortfall * 1e36).divUp(contracts * int256(WadMath.UWAD - maintenanceFraction))
            : (-shortfall * 1e36).divDown(contracts * int256(WadMath.UWAD + maintenanceFraction));
    }
}
