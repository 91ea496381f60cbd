// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The part of Chainlink's AggregatorV3Interface that is read here
interface IAggregatorV3 {
    /// @notice Decimals of an answer.
    /// @return How many.
    function decimals() external view returns (uint8);

    /// @notice The latest answer of the feed.
    /// @return roundId Round of the answer: its low bits tell answers of one second apart.
    /// @return answer The price, in the feed's decimals; of a sequencer's feed 0 while it is up.
    /// @return startedAt When the round started, seconds; of a sequencer's feed when its state last changed.
    /// @return updatedAt When the answer was published, seconds; 0 while the round is not complete.
    /// @return answeredInRound Round in which it was computed; not read.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
