// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title Mark prices from Chainlink feeds, each with a heartbeat and bounds
/// @notice An answer that is stale, from the future, incomplete, not positive or out of bounds reverts with an error of its
/// own. Nothing is cached: whoever asks twice in one transaction gets the same answer.
contract ChainlinkPriceFeed is IPriceFeed, Ownable2Step {
    /// @param aggregator The feed.
    /// @param heartbeat Largest accepted age of an answer, seconds.
    /// @param scale What an answer is multiplied with to be in WAD.
    /// @param minPrice Lowest accepted price, WAD.
    /// @param maxPrice Highest accepted price, WAD.
    struct Feed {
        IAggregatorV3 aggregator;
        uint32 heartbeat;
        uint64 scale;
        uint96 minPrice;
        uint96 maxPrice;
    }

    /// @notice Longest heartbeat that may be set.
    uint32 public constant MAX_HEARTBEAT = 2 days;

    mapping(uint16 market => Feed) private _feeds;

    event FeedSet(uint16 indexed market, address aggregator, uint32 heartbeat, uint256 minPrice, uint256 maxPrice);

    error FeedMissing(uint16 market);
    error PriceNotPositive(uint16 market, int256 answer);
    error PriceStale(uint16 market, uint256 updatedAt, uint256 heartbeat);
    error PriceIncomplete(uint16 market);
    error PriceFromFuture(uint16 market, uint256 updatedAt);
    error PriceOutOfBounds(uint16 market, uint256 price, uint256 minPrice, uint256 maxPrice);
    error AggregatorInvalid(address aggregator, uint8 decimals);
    error HeartbeatOutOfBounds(uint32 heartbeat, uint32 maximum);
    error BoundsInvalid(uint96 minPrice, uint96 maxPrice);

    constructor(address initialOwner) Ownable(initialOwner) {}

    /// @notice Sets a market's feed.
    /// @param heartbeat Seconds, at most `MAX_HEARTBEAT`. Take the feed's own plus a margin.
    /// @param minPrice Lowest accepted price, WAD, positive.
    /// @param maxPrice Highest accepted price, WAD.
    function setFeed(uint16 market, IAggregatorV3 aggregator, uint32 heartbeat, uint96 minPrice, uint96 maxPrice)
        external
        onlyOwner
    {
        uint8 decimals = aggregator.decimals();
        if (decimals > 18) revert AggregatorInvalid(address(aggregator), decimals);
        if (heartbeat == 0 || heartbeat > MAX_HEARTBEAT) revert HeartbeatOutOfBounds(heartbeat, MAX_HEARTBEAT);
        if (minPrice == 0 || minPrice >= maxPrice) revert BoundsInvalid(minPrice, maxPrice);
        _feeds[market] = Feed({
            aggregator: aggregator,
            heartbeat: heartbeat,
            scale: uint64(10 ** (18 - decimals)),
            minPrice: minPrice,
            maxPrice: maxPrice
        });
        emit FeedSet(market, address(aggregator), heartbeat, minPrice, maxPrice);
    }

    /// @inheritdoc IPriceFeed
    function markPrice(uint16 market) external view returns (uint256 mark) {
        Feed memory feed = _feeds[market];
        if (address(feed.aggregator) == address(0)) revert FeedMissing(market);
        (uint80 roundId, int256 answer,, uint256 updatedAt, uint80 answeredInRound) = feed.aggregator.latestRoundData();
        if (answer <= 0) revert PriceNotPositive(market, answer);
        if (updatedAt == 0 || answeredInRound < roundId) revert PriceIncomplete(market);
        if (updatedAt > block.timestamp) revert PriceFromFuture(market, updatedAt);
        if (block.timestamp - updatedAt > feed.heartbeat) revert PriceStale(market, updatedAt, feed.heartbeat);
        // Compared before scaling: an absurd answer is out of bounds, not an overflow.
        if (uint256(answer) > feed.maxPrice / feed.scale) {
            revert PriceOutOfBounds(market, uint256(answer), feed.minPrice, feed.maxPrice);
        }
        mark = uint256(answer) * feed.scale;
        if (mark < feed.minPrice) revert PriceOutOfBounds(market, mark, feed.minPrice, feed.maxPrice);
    }

    /// @notice A market's feed and its parameters.
    function feedOf(uint16 market) external view returns (Feed memory) {
        return _feeds[market];
    }
}
