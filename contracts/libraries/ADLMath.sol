// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MarginMath} from "./MarginMath.sol";
import {WadMath} from "./WadMath.sol";

/// @title The price of auto-deleveraging, and the quote amount of a fill at it
/// @notice All amounts in WAD. Rounding is toward the pool, but never past the inventory's bankruptcy price.
library ADLMath {
    using WadMath for int256;

    /// @notice Mark moved toward the bankruptcy price by the compensation per contract.
    /// @param size Signed inventory; not zero.
    /// @param entryNotional Its signed bankruptcy notional.
    /// @param loss Its loss at mark; positive.
    /// @param compensation What the pool is due; positive.
    /// @return price `p_adl`, never beyond the bankruptcy price.
    /// @return executionPrice The same before that cap, rounded toward the pool; fills are capped one by one.
    function priceOf(int256 size, int256 entryNotional, uint256 loss, uint256 compensation, uint256 mark)
        internal
        pure
        returns (int256 price, int256 executionPrice)
    {
        uint256 due = compensation < loss ? compensation : loss;
        int256 step = int256(due * WadMath.UWAD).divUp(int256(size.abs()));
        int256 bankruptcy = MarginMath.bankruptcyPrice(size, entryNotional, mark);
        if (size > 0) {
            executionPrice = int256(mark) + step;
            price = executionPrice.min(bankruptcy);
        } else {
            executionPrice = int256(mark) - step;
            price = executionPrice.max(bankruptcy);
        }
    }

    /// @notice The part of an inventory's entry notional that goes with a part of its size, rounded up.
    function entryPart(int256 entryNotional, uint256 contracts, uint256 ofContracts) internal pure returns (int256) {
        return entryNotional.shareUp(contracts, ofContracts);
    }

    /// @notice Whether closing the whole position at `price` would take more than the account has.
    function isInsolventAt(int256 price, int256 size, int256 equity, uint256 mark) internal pure returns (bool) {
        return equity * WadMath.WAD < int256(size.abs() * (price - int256(mark)).abs());
    }

    /// @notice The price at which closing the whole position takes the whole equity, rounded toward the account.
    function solvencyPrice(int256 size, int256 equity, uint256 mark) internal pure returns (int256) {
        int256 step = (equity * WadMath.WAD).divDown(int256(size.abs()));
        return size > 0 ? int256(mark) - step : int256(mark) + step;
    }

    /// @notice The counterparty's equity after it takes `part`, before anything is paid for it.
    function capacity(int256 size, int256 equity, int256 part, uint256 mark) internal pure returns (int256) {
        return equity - MarginMath.valueDown(size, mark) + MarginMath.valueDown(size + part, mark);
    }
}
