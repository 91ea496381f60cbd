// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AuctionMath} from "../libraries/AuctionMath.sol";
import {LiquidationMath} from "../libraries/LiquidationMath.sol";

/// @title The mathematics of liquidation and auctions, so that it can be called from outside; for tests only
/// @notice `many` runs thousands of calls in one, and tells of each whether it returned.
contract LiquidationHarness {
    /// @param returned False where the call reverted.
    /// @param data What it returned or reverted with.
    struct Answer {
        bool returned;
        bytes data;
    }

    /// @notice Calls this contract many times.
    function many(bytes[] calldata calls) external view returns (Answer[] memory answers) {
        answers = new Answer[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            // solhint-disable-next-line avoid-low-level-calls
            (answers[i].returned, answers[i].data) = address(this).staticcall(calls[i]);
        }
    }

    function contractsToRestore(
        uint256 contracts,
        uint256 mark,
        uint256 shortfall,
        uint256 initialFraction,
        uint256 penaltyFraction
    ) external pure returns (uint256) {
        return LiquidationMath.contractsToRestore(contracts, mark, shortfall, initialFraction, penaltyFraction);
    }

    function shareOfEquity(uint256 equity, uint256 maintenance, uint256 maintenanceMargin)
        external
        pure
        returns (uint256)
    {
        return LiquidationMath.shareOfEquity(equity, maintenance, maintenanceMargin);
    }

    function penalty(
        uint256 closed,
        uint256 contracts,
        uint256 mark,
        uint256 equity,
        uint256 discountFraction,
        uint256 feeFraction
    ) external pure returns (uint256 discount, uint256 fee) {
        return LiquidationMath.penalty(closed, contracts, mark, equity, discountFraction, feeFraction);
    }

    function priceOf(
        bool isLong,
        uint256 mark,
        uint256 premium,
        uint256 floorFraction,
        uint256 elapsed,
        uint256 duration
    ) external pure returns (uint256) {
        return AuctionMath.priceOf(isLong, mark, premium, floorFraction, elapsed, duration);
    }

    function mergedStart(uint256 start, uint256 contracts, uint256 time, uint256 added, uint256 duration)
        external
        pure
        returns (uint256)
    {
        return AuctionMath.mergedStart(start, contracts, time, added, duration);
    }
}
