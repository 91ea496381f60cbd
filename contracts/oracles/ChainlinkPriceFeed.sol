// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Owned} from "../governance/Owned.sol";
import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title Mark prices from Chainlink feeds, each with a heartbeat and bounds
/// @notice An answer that is stale, from the future, older than one that was accepted, incomplete, not positive or out of bounds
/// reverts with an error of its own, and so does every answer while the L2's sequencer is down and for a grace period after it.
/// Whoever asks twice in one transaction gets the same answer.
contract ChainlinkPriceFeed is IPriceFeed, Owned {
    /// @param aggregator The feed.
    /// @param heartbeat Largest accepted age of an answer, seconds.
    /// @param scale What an answer is multiplied with to be in WAD.
    /// @param minPrice Lowest accepted price, WAD.
    /// @param maxPrice Highest accepted price, WAD.
    /// @param acceptedAt When the feed had published the last accepted price, seconds; 0 where it has none yet.
    /// @param acceptedRound The low bits of the round in which it had, which tell answers of one second apart.
    struct Feed {
        IAggregatorV3 aggregator;
        uint32 heartbeat;
        uint64 scale;
        uint96 minPrice;
        uint96 maxPrice;
        uint40 acceptedAt;
        uint24 acceptedRound;
    }

    /// @notice Longest heartbeat that may be set.
    uint32 public constant MAX_HEARTBEAT = 2 days;
    /// @notice Most gas that a feed may burn where its failure is survived; a good one needs a third of it. Who sends so little that a
    /// good feed fails has nothing left for the rest of the call.
    uint256 public constant READ_GAS = 300_000;
    /// @notice Longest grace period after an outage of the sequencer.
    uint32 public constant MAX_GRACE = 1 days;

    mapping(uint16 market => Feed) private _feeds;
    mapping(uint16 market => uint256) private _acceptedPrice;
    /// @notice Chainlink's feed of the L2 sequencer's uptime, and how long prices rest after an outage, seconds; none on an L1.
    IAggregatorV3 public sequencer;
    uint32 public grace;
    /// @notice The exchange, at whose word a market ends.
    address public exchange;

    /// @notice A market's feed was set.
    /// @param market Market id.
    /// @param aggregator The feed.
    /// @param heartbeat Largest accepted age of an answer, seconds.
    /// @param minPrice Lowest accepted price, WAD.
    /// @param maxPrice Highest accepted price, WAD.
    event FeedSet(uint16 indexed market, address aggregator, uint32 heartbeat, uint256 minPrice, uint256 maxPrice);

    /// @notice The exchange was set, once and for ever.
    /// @param exchange The exchange.
    event Wired(address exchange);

    /// @notice A market has ended, and has one price for ever.
    /// @param market Market id.
    /// @param price WAD.
    event PriceFixed(uint16 indexed market, uint256 price);

    /// @notice The feed of the L2 sequencer's uptime was set.
    /// @param sequencer The feed; zero for a chain without one.
    /// @param grace How long prices rest after an outage, seconds.
    event SequencerSet(address sequencer, uint32 grace);

    /// @notice The market has no feed, or never had a price.
    /// @param market Market id.
    error FeedMissing(uint16 market);
    /// @notice The market has ended, and has a price for ever.
    /// @param market Market id.
    error PriceFinal(uint16 market);
    /// @notice The exchange was set before.
    error AlreadyWired();
    /// @notice An address that is needed is zero.
    error AddressZero();
    /// @notice Only the exchange ends a market.
    /// @param caller Who called.
    error CallerNotExchange(address caller);
    /// @notice The feed went back to an answer older than the one that was accepted.
    /// @param market Market id.
    /// @param updatedAt When the answer was published, seconds.
    /// @param acceptedAt When the accepted one was, seconds.
    error PriceWentBack(uint16 market, uint256 updatedAt, uint256 acceptedAt);
    /// @notice The sequencer is down.
    error SequencerDown();
    /// @notice The sequencer was down not long ago.
    /// @param startedAt When it came up, seconds.
    /// @param grace How long prices rest after that, seconds.
    error SequencerGrace(uint256 startedAt, uint256 grace);
    /// @notice The grace period is too long.
    /// @param grace Seconds.
    /// @param maximum Longest, seconds.
    error GraceOutOfBounds(uint32 grace, uint32 maximum);
    /// @notice The answer is zero or negative.
    /// @param market Market id.
    /// @param answer In the feed's decimals.
    error PriceNotPositive(uint16 market, int256 answer);
    /// @notice The answer is older than the heartbeat allows.
    /// @param market Market id.
    /// @param updatedAt When it was published, seconds.
    /// @param heartbeat Largest accepted age, seconds.
    error PriceStale(uint16 market, uint256 updatedAt, uint256 heartbeat);
    /// @notice The feed's round has no answer yet.
    /// @param market Market id.
    error PriceIncomplete(uint16 market);
    /// @notice The answer says that it was published after now.
    /// @param market Market id.
    /// @param updatedAt When it says it was published, seconds.
    error PriceFromFuture(uint16 market, uint256 updatedAt);
    /// @notice The price is outside of what the owner has set for the market.
    /// @param market Market id.
    /// @param price WAD.
    /// @param minPrice Lowest accepted, WAD.
    /// @param maxPrice Highest accepted, WAD.
    error PriceOutOfBounds(uint16 market, uint256 price, uint256 minPrice, uint256 maxPrice);
    /// @notice The feed has more than 18 decimals.
    /// @param aggregator The feed.
    /// @param decimals How many it has.
    error AggregatorInvalid(address aggregator, uint8 decimals);
    /// @notice The heartbeat is zero or too long.
    /// @param heartbeat Seconds.
    /// @param maximum Longest, seconds.
    error HeartbeatOutOfBounds(uint32 heartbeat, uint32 maximum);
    /// @notice The lower bound is zero, or not below the upper one.
    /// @param minPrice WAD.
    /// @param maxPrice WAD.
    error BoundsInvalid(uint96 minPrice, uint96 maxPrice);

    constructor(address initialOwner) Owned(initialOwner) {}

    /// @notice Sets the exchange, once.
    function wire(address exchange_) external onlyOwner {
        if (exchange != address(0)) revert AlreadyWired();
        if (exchange_ == address(0)) revert AddressZero();
        exchange = exchange_;
        emit Wired(exchange_);
    }

    /// @notice Sets the feed of the sequencer's uptime; the zero address for a chain without one.
    /// @param grace_ Seconds, at most `MAX_GRACE`.
    function setSequencer(IAggregatorV3 sequencer_, uint32 grace_) external onlyOwner {
        if (grace_ > MAX_GRACE) revert GraceOutOfBounds(grace_, MAX_GRACE);
        (sequencer, grace) = (sequencer_, grace_);
        emit SequencerSet(address(sequencer_), grace_);
    }

    /// @notice Sets a market's feed, and forgets when the one before had published.
    /// @param heartbeat Seconds, at most `MAX_HEARTBEAT`. Take the feed's own plus a margin.
    /// @param minPrice Lowest accepted price, WAD, positive.
    /// @param maxPrice Highest accepted price, WAD.
    function setFeed(uint16 market, IAggregatorV3 aggregator, uint32 heartbeat, uint96 minPrice, uint96 maxPrice)
        external
        onlyOwner
    {
        if (_isFinal(_feeds[market])) revert PriceFinal(market);
        uint8 decimals = aggregator.decimals();
        if (decimals > 18) revert AggregatorInvalid(address(aggregator), decimals);
        if (heartbeat == 0 || heartbeat > MAX_HEARTBEAT) revert HeartbeatOutOfBounds(heartbeat, MAX_HEARTBEAT);
        if (minPrice == 0 || minPrice >= maxPrice) revert BoundsInvalid(minPrice, maxPrice);
        _feeds[market] = Feed({
            aggregator: aggregator,
            heartbeat: heartbeat,
            scale: uint64(10 ** (18 - decimals)),
            minPrice: minPrice,
            maxPrice: maxPrice,
            acceptedAt: 0,
            acceptedRound: 0
        });
        emit FeedSet(market, address(aggregator), heartbeat, minPrice, maxPrice);
    }

    /// @inheritdoc IPriceFeed
    function accept(uint16 market) public returns (uint256 mark) {
        uint40 updatedAt;
        uint24 round;
        (mark, updatedAt, round) = _read(market);
        Feed storage feed = _feeds[market];
        if (updatedAt == feed.acceptedAt && round == feed.acceptedRound) return mark;
        (feed.acceptedAt, feed.acceptedRound) = (updatedAt, round);
        _acceptedPrice[market] = mark;
    }

    /// @inheritdoc IPriceFeed
    function acceptOrLast(uint16 market) public returns (uint256 mark, bool live) {
        try this.accept{gas: READ_GAS}(market) returns (uint256 price) {
            return (price, true);
        } catch {
            return (_last(market), false);
        }
    }

    /// @inheritdoc IPriceFeed
    function fix(uint16 market) external returns (uint256 price) {
        if (msg.sender != exchange) revert CallerNotExchange(msg.sender);
        (price,) = acceptOrLast(market);
        Feed storage feed = _feeds[market];
        feed.aggregator = IAggregatorV3(address(0));
        // An accepted price was within bounds of 96 bits.
        (feed.minPrice, feed.maxPrice) = (uint96(price), uint96(price));
        emit PriceFixed(market, price);
    }

    /// @inheritdoc IPriceFeed
    function markPrice(uint16 market) external view returns (uint256 mark) {
        (mark,,) = _read(market);
    }

    /// @inheritdoc IPriceFeed
    function markOrLast(uint16 market) external view returns (uint256 mark, bool live) {
        try this.markPrice{gas: READ_GAS}(market) returns (uint256 price) {
            return (price, true);
        } catch {
            return (_last(market), false);
        }
    }

    /// @notice The last accepted price of a market, WAD, and when its feed had published it; zeros where there is none.
    function accepted(uint16 market) external view returns (uint256 price, uint256 updatedAt) {
        return (_acceptedPrice[market], _feeds[market].acceptedAt);
    }

    /// @notice A market's feed and its parameters.
    function feedOf(uint16 market) external view returns (Feed memory) {
        return _feeds[market];
    }

    function _read(uint16 market) private view returns (uint256 mark, uint40 publishedAt, uint24 round) {
        Feed memory feed = _feeds[market];
        if (address(feed.aggregator) == address(0)) {
            if (!_isFinal(feed)) revert FeedMissing(market);
            return (feed.maxPrice, feed.acceptedAt, feed.acceptedRound);
        }
        _checkSequencer();
        (uint80 roundId, int256 answer,, uint256 updatedAt, uint80 answeredInRound) = feed.aggregator.latestRoundData();
        if (answer <= 0) revert PriceNotPositive(market, answer);
        if (updatedAt == 0 || answeredInRound < roundId) revert PriceIncomplete(market);
        if (updatedAt > block.timestamp) revert PriceFromFuture(market, updatedAt);
        if (block.timestamp - updatedAt > feed.heartbeat) revert PriceStale(market, updatedAt, feed.heartbeat);
        if (updatedAt < feed.acceptedAt) revert PriceWentBack(market, updatedAt, feed.acceptedAt);
        (publishedAt, round) = (uint40(updatedAt), uint24(roundId));
        // Compared before scaling: an absurd answer is out of bounds, not an overflow.
        if (uint256(answer) > feed.maxPrice / feed.scale) {
            revert PriceOutOfBounds(market, uint256(answer), feed.minPrice, feed.maxPrice);
        }
        mark = uint256(answer) * feed.scale;
        if (mark < feed.minPrice) revert PriceOutOfBounds(market, mark, feed.minPrice, feed.maxPrice);
    }

    /// @dev Of a market that has ended the final price stands for both bounds, and there is no feed.
    function _isFinal(Feed memory feed) private pure returns (bool) {
        return address(feed.aggregator) == address(0) && feed.maxPrice != 0;
    }

    function _checkSequencer() private view {
        IAggregatorV3 feed = sequencer;
        if (address(feed) == address(0)) return;
        (, int256 answer, uint256 startedAt,,) = feed.latestRoundData();
        // 0 is up; a round that has not started tells nothing.
        if (answer != 0 || startedAt == 0) revert SequencerDown();
        if (block.timestamp - startedAt <= grace) revert SequencerGrace(startedAt, grace);
    }

    function _last(uint16 market) private view returns (uint256 price) {
        price = _acceptedPrice[market];
        if (price == 0) revert FeedMissing(market);
    }
}
