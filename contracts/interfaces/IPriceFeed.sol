// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Mark prices
interface IPriceFeed {
    /// @notice The mark price of a market, or a revert that says what is wrong with it.
    /// @param market Market id.
    /// @return mark Quote per base unit, WAD; positive and of at most 96 bits.
    function markPrice(uint16 market) external view returns (uint256 mark);
}
