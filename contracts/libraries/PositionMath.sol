// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {WadMath} from "./WadMath.sol";

/// @title How a trade changes a position
library PositionMath {
    using WadMath for int256;

    /// @notice The entry notional after a position takes `(sizeChange, value)`.
    /// @dev Whatever the case, the margin then moves by `-value - (entryNotional - newEntryNotional)`, so that cash, which is
    /// margin less entry notional, falls by exactly `value`. The part of an entry that is closed is rounded up.
    /// @param size Signed contracts before, WAD.
    /// @param entryNotional Signed entry before, WAD quote.
    /// @param sizeChange Signed contracts taken, WAD; not zero.
    /// @param value Signed quote amount, WAD.
    function entryAfter(int256 size, int256 entryNotional, int256 sizeChange, int256 value)
        internal
        pure
        returns (int256)
    {
        if (size == 0 || (size > 0) == (sizeChange > 0)) return entryNotional + value;
        uint256 held = size.abs();
        uint256 taken = sizeChange.abs();
        if (taken == held) return 0;
        if (taken < held) return entryNotional - entryNotional.shareUp(taken, held);
        return value.shareUp(taken - held, taken);
    }
}
