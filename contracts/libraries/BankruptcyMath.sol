// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title How an account's equity is spread over its legs when it is taken over
/// @notice A leg passes at its value less its share, so the shares decide the bankruptcy prices. They do not depend on the order of the
/// legs but for the remainder of rounding, which goes to the last that carries.
library BankruptcyMath {
    /// @notice Shares that sum to the equity exactly. All WAD quote.
    /// @param equity `E`. Where it is not negative every leg carries it by `MM`; where it is, only legs with a loss do, by their loss
    /// (none has one: all, by `MM`).
    /// @param uPnL Unrealized result of each leg.
    /// @param maintenance `MM` of each leg.
    /// @param maintenanceMargin Their sum; positive.
    function sharesOf(int256 equity, int256[] memory uPnL, uint256[] memory maintenance, uint256 maintenanceMargin)
        internal
        pure
        returns (int256[] memory shares)
    {
        uint256 count = uPnL.length;
        shares = new int256[](count);
        uint256[] memory weights = maintenance;
        uint256 total = maintenanceMargin;
        if (equity < 0) {
            (uint256[] memory losses, uint256 sum) = _lossesOf(uPnL);
            if (sum != 0) (weights, total) = (losses, sum);
        }
        uint256 amount = equity < 0 ? uint256(-equity) : uint256(equity);
        uint256 left = amount;
        uint256 last;
        for (uint256 i; i < count; ++i) {
            if (weights[i] == 0) continue;
            uint256 share = Math.mulDiv(amount, weights[i], total);
            left -= share;
            shares[i] = equity < 0 ? -int256(share) : int256(share);
            last = i;
        }
        shares[last] += equity < 0 ? -int256(left) : int256(left);
    }

    function _lossesOf(int256[] memory uPnL) private pure returns (uint256[] memory losses, uint256 sum) {
        losses = new uint256[](uPnL.length);
        for (uint256 i; i < uPnL.length; ++i) {
            if (uPnL[i] >= 0) continue;
            losses[i] = uint256(-uPnL[i]);
            sum += losses[i];
        }
    }
}
