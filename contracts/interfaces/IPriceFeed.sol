// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Mark prices
/// @notice A mark is quote per base unit, WAD; positive and of at most 96 bits. A price that was accepted is remembered, for what must
/// not wait for a dead feed: takeover, scoring, and the value of a pool.
interface IPriceFeed {
    /// @notice The mark price of a market, or a revert that says what is wrong with it.
    /// @param market Market id.
    /// @return mark WAD.
    function markPrice(uint16 market) external view returns (uint256 mark);

    /// @notice The same, remembered as the last accepted price. By anyone.
    /// @param market Market id.
    /// @return mark WAD.
    function accept(uint16 market) external returns (uint256 mark);

    /// @notice The mark price where the feed is good, else the last accepted one; reverts only where there never was one.
    /// @param market Market id.
    /// @return mark The price.
    /// @return live Whether the feed is good.
    function markOrLast(uint16 market) external view returns (uint256 mark, bool live);

    /// @notice The same; a good price is remembered.
    /// @param market Market id.
    /// @return mark The price, WAD.
    /// @return live Whether the feed is good.
    function acceptOrLast(uint16 market) external returns (uint256 mark, bool live);

    /// @notice Makes that the final price of the market, which every question for it is answered with from now on. Only the exchange.
    /// @param market Market id.
    /// @return price The final price, WAD.
    function fix(uint16 market) external returns (uint256 price);
}
