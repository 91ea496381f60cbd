// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";

/// @title A Chainlink feed whose answers are set by hand; for tests and the local demo only
contract MockAggregator is IAggregatorV3 {
    uint8 public immutable decimals;
    uint80 private _roundId;
    uint80 private _answeredInRound;
    int256 private _answer;
    uint256 private _updatedAt;

    constructor(uint8 decimals_, int256 answer) {
        decimals = decimals_;
        setAnswer(answer);
    }

    /// @notice Publishes an answer now.
    function setAnswer(int256 answer) public {
        setRound(_roundId + 1, answer, block.timestamp, _roundId + 1);
    }

    /// @notice Publishes a round with every field given.
    function setRound(uint80 roundId, int256 answer, uint256 updatedAt, uint80 answeredInRound) public {
        (_roundId, _answer, _updatedAt, _answeredInRound) = (roundId, answer, updatedAt, answeredInRound);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_roundId, _answer, _updatedAt, _updatedAt, _answeredInRound);
    }
}
