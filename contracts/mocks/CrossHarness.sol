// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BankruptcyMath} from "../libraries/BankruptcyMath.sol";
import {FundingMath} from "../libraries/FundingMath.sol";
import {LegSet} from "../libraries/LegSet.sol";

/// @title The libraries of cross accounts and of funding, one function each, so that they can be called from outside; for tests only
/// @notice `many` runs thousands of calls in one, and tells of each whether it returned.
contract CrossHarness {
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

    // ------------------------------------------------------------------ FundingMath

    function hourOf(uint256 timestamp) external pure returns (uint24) {
        return FundingMath.hourOf(timestamp);
    }

    function indexAfter(int256 index, int256 premium, uint256 volume, uint256 openInterest)
        external
        pure
        returns (int256)
    {
        return FundingMath.indexAfter(index, premium, volume, openInterest);
    }

    function premiumOf(uint256 contracts, uint256 price, uint256 mark, uint256 cap) external pure returns (int256) {
        return FundingMath.premiumOf(contracts, price, mark, cap);
    }

    function payment(int256 size, int256 indexChange) external pure returns (int256) {
        return FundingMath.payment(size, indexChange);
    }

    // ------------------------------------------------------------------ BankruptcyMath

    function sharesOf(int256 equity, int256[] calldata uPnL, uint256[] calldata maintenance, uint256 maintenanceMargin)
        external
        pure
        returns (int256[] memory)
    {
        return BankruptcyMath.sharesOf(equity, uPnL, maintenance, maintenanceMargin);
    }

    // ------------------------------------------------------------------ LegSet

    function add(uint256 legs, uint16 market) external pure returns (uint256) {
        return LegSet.add(legs, market);
    }

    function remove(uint256 legs, uint16 market) external pure returns (uint256) {
        return LegSet.remove(legs, market);
    }

    function has(uint256 legs, uint16 market) external pure returns (bool) {
        return LegSet.has(legs, market);
    }

    function isFull(uint256 legs) external pure returns (bool) {
        return LegSet.isFull(legs);
    }
}
