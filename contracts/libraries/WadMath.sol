// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Signed fixed-point arithmetic in WAD, with the direction of each rounding in the name
/// @notice `Down` is toward -infinity and `Up` toward +infinity, for negative numbers too. Products must fit into an int256
/// (sizes and notionals are 112 bits, prices 96), otherwise they revert by checked arithmetic.
library WadMath {
    int256 internal constant WAD = 1e18;
    uint256 internal constant UWAD = 1e18;

    function mulDown(int256 a, int256 b) internal pure returns (int256) {
        return divDown(a * b, WAD);
    }

    function mulUp(int256 a, int256 b) internal pure returns (int256) {
        return divUp(a * b, WAD);
    }

    /// @dev `b > 0`.
    function divDown(int256 a, int256 b) internal pure returns (int256 quotient) {
        // Nearer to zero than `a` by less than `b`: nothing below overflows.
        unchecked {
            quotient = a / b;
            if (a < 0 && quotient * b != a) --quotient;
        }
    }

    /// @dev `b > 0`.
    function divUp(int256 a, int256 b) internal pure returns (int256 quotient) {
        unchecked {
            quotient = a / b;
            if (a > 0 && quotient * b != a) ++quotient;
        }
    }

    /// @dev The part `part/whole` of `a`, rounded up; `0 < part <= whole`.
    function shareUp(int256 a, uint256 part, uint256 whole) internal pure returns (int256) {
        return divUp(a * int256(part), int256(whole));
    }

    function abs(int256 a) internal pure returns (uint256) {
        unchecked {
            return a < 0 ? uint256(-a) : uint256(a);
        }
    }

    function min(int256 a, int256 b) internal pure returns (int256) {
        return a < b ? a : b;
    }

    function max(int256 a, int256 b) internal pure returns (int256) {
        return a > b ? a : b;
    }
}
