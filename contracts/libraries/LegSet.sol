// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Up to 16 markets in one word, ascending from the low bits; 16 bits each, zeros above the last
library LegSet {
    /// @notice Most markets of a cross account.
    uint256 internal constant CAPACITY = 16;

    /// @notice Whether no market can be added.
    function isFull(uint256 legs) internal pure returns (bool) {
        return legs >> 240 != 0;
    }

    /// @notice Whether a market, not zero, is in the set.
    function has(uint256 legs, uint16 market) internal pure returns (bool) {
        return uint16(legs >> _shiftOf(legs, market)) == market;
    }

    /// @notice Adds a market that is not in the set, which must have room.
    function add(uint256 legs, uint16 market) internal pure returns (uint256) {
        uint256 shift = _shiftOf(legs, market);
        uint256 below = legs & ((1 << shift) - 1);
        return below | (uint256(market) << shift) | ((legs >> shift) << (shift + 16));
    }

    /// @notice Takes out a market that is in the set.
    function remove(uint256 legs, uint16 market) internal pure returns (uint256) {
        uint256 shift = _shiftOf(legs, market);
        uint256 below = legs & ((1 << shift) - 1);
        return below | ((legs >> shift >> 16) << shift);
    }

    /// @dev Where a market stands, or would.
    function _shiftOf(uint256 legs, uint16 market) private pure returns (uint256 shift) {
        for (uint16 leg = uint16(legs); leg != 0 && leg < market; leg = uint16(legs >> shift)) {
            shift += 16;
        }
    }
}
