// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {ADLMath} from "./libraries/ADLMath.sol";
import {AuctionMath} from "./libraries/AuctionMath.sol";
import {FundingMath} from "./libraries/FundingMath.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {RollingMax} from "./libraries/RollingMax.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {Side} from "./types/Market.sol";
import {ADLTerms, Backing, Bequest, Book, Inventory, Pool, PoolKind, Trigger} from "./types/Pool.sol";

/// @title The insurance fund; its story is told in `IInsuranceFund`
contract InsuranceFund is IInsuranceFund, Ownable2Step, ReentrancyGuardTransient {
    using RollingMax for RollingMax.Ring;
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;
    using WadMath for int256;

    /// @notice Bounds of trigger, stop and target, WAD, and their defaults.
    uint64 public constant MIN_DRAWDOWN_BOUND = 0.05e18;
    uint64 public constant MAX_DRAWDOWN_BOUND = 0.9e18;
    uint64 public constant DEFAULT_TRIGGER = 0.3e18;
    uint64 public constant DEFAULT_STOP = 0.25e18;
    uint64 public constant DEFAULT_TARGET = 0.25e18;
    /// @notice Most markets that a shared pool may back.
    uint256 public constant MAX_MARKETS = 16;
    /// @notice Bounds of an auction and its defaults: premium WAD, duration in seconds.
    uint64 public constant MAX_AUCTION_PREMIUM = 0.2e18;
    uint32 public constant MIN_AUCTION_DURATION = 1 minutes;
    uint32 public constant MAX_AUCTION_DURATION = 1 days;
    uint64 public constant DEFAULT_AUCTION_PREMIUM = 0.02e18;
    uint32 public constant DEFAULT_AUCTION_DURATION = 30 minutes;
    /// @notice How long a started ADL is remembered after it was last seen due.
    uint256 public constant MEMORY = 8 hours;

    IExchange public immutable exchange;
    IPriceFeed public immutable priceFeed;
    IERC20 private immutable _token;
    uint256 private immutable _tokenScale;

    mapping(uint16 id => Pool) private _pools;
    mapping(uint16 market => Book) private _books;
    mapping(bytes32 name => bool) private _nameTaken;
    /// @notice The ADL engine.
    address public engine;
    /// @inheritdoc IInsuranceFund
    uint16 public poolCount;

    modifier onlyExchange() {
        if (msg.sender != address(exchange)) revert CallerNotExchange(msg.sender);
        _;
    }

    constructor(IExchange exchange_, IPriceFeed feed, address initialOwner) Ownable(initialOwner) {
        exchange = exchange_;
        priceFeed = feed;
        _token = IERC20(exchange_.token());
        _tokenScale = exchange_.tokenScale();
    }

    // ------------------------------------------------------------------ anyone

    /// @inheritdoc IInsuranceFund
    function contribute(uint16 poolId, uint16 market, uint256 amount) external nonReentrant {
        if (poolId == 0 || poolId > poolCount) revert PoolMissing(poolId);
        if (market != 0 && _books[market].pool != poolId) revert MarketOfOtherPool(market, poolId);
        if (amount == 0) revert AmountZero();
        int256 credit = (amount * _tokenScale).toInt256();
        _pools[poolId].cash = (_pools[poolId].cash + credit).toInt128();
        // As far as the rolling maximum can tell it.
        if (market != 0) _books[market].realized = (_books[market].realized + credit).toInt112();
        emit Contributed(poolId, market, msg.sender, amount);

        uint256 before = _token.balanceOf(address(exchange));
        _token.safeTransferFrom(msg.sender, address(exchange), amount);
        uint256 received = _token.balanceOf(address(exchange)) - before;
        if (received != amount) revert ContributionShort(amount, received);
    }

    /// @inheritdoc IInsuranceFund
    function checkpoint(uint16 market) external nonReentrant {
        _assigned(market);
        _checkpoint(market);
    }

    // ------------------------------------------------------------------ exchange and engine

    /// @inheritdoc IInsuranceFund
    function assignMarket(uint16 market, uint16 poolId) external onlyExchange returns (bool isolatedOnly) {
        if (poolId == 0 || poolId > poolCount) revert PoolMissing(poolId);
        Pool storage backer = _pools[poolId];
        uint256 room = backer.kind == PoolKind.Isolated ? 1 : MAX_MARKETS;
        if (backer.markets.length >= room) revert PoolFull(poolId, backer.markets.length);
        backer.markets.push(market);
        Book storage book = _books[market];
        (book.pool, book.trigger, book.stop, book.target) = (poolId, DEFAULT_TRIGGER, DEFAULT_STOP, DEFAULT_TARGET);
        (book.auctionPremium, book.auctionDuration) = (DEFAULT_AUCTION_PREMIUM, DEFAULT_AUCTION_DURATION);
        book.peak.touch(0);
        emit MarketAssigned(market, poolId, DEFAULT_TRIGGER, DEFAULT_STOP, DEFAULT_TARGET);
        emit AuctionParametersSet(market, DEFAULT_AUCTION_PREMIUM, DEFAULT_AUCTION_DURATION);
        return backer.kind == PoolKind.Isolated;
    }

    /// @inheritdoc IInsuranceFund
    function inherit(Bequest[] calldata bequests) external onlyExchange returns (int256[] memory funding) {
        // The result as it stood before the loss is a sample too: it may be the peak.
        _checkpointAll(bequests);
        funding = new int256[](bequests.length);
        for (uint256 i; i < bequests.length; ++i) {
            funding[i] = _inherit(bequests[i]);
        }
        _checkpointAll(bequests);
    }

    /// @inheritdoc IInsuranceFund
    function creditFee(uint16 market, uint256 amount) external onlyExchange {
        uint16 poolId = _assigned(market);
        _realize(poolId, market, amount.toInt256());
        emit FeeCredited(poolId, market, amount);
    }

    /// @inheritdoc IInsuranceFund
    function sell(uint16 market, Side side, uint256 maxContracts, uint256 mark, uint256 floorFraction, int256 index)
        external
        onlyExchange
        returns (int256 size, int256 value, uint256 price, int256 funding)
    {
        uint16 poolId = _assigned(market);
        (Backing memory before,) = _backing(market);
        _checkpoint(market);
        funding = _settleFunding(poolId, market, side, index);
        price = _auctionPrice(_books[market], side, mark, floorFraction);
        (size, value) = _sell(poolId, market, side, maxContracts, price);
        _checkSale(poolId, market, before);
        _checkpoint(market);
    }

    /// @inheritdoc IInsuranceFund
    function close(uint16 market, Side side, uint256 contracts, int256 entryClosed, int256 value, uint256 netted)
        external
        returns (int256 cashChange, int256[2] memory funding)
    {
        if (msg.sender != engine) revert CallerNotEngine(msg.sender);
        uint16 poolId = _books[market].pool;
        _checkpoint(market);
        int256 index = exchange.fundingIndex(market);
        funding[0] = _settleFunding(poolId, market, Side.Long, index);
        funding[1] = _settleFunding(poolId, market, Side.Short, index);
        int256 claimBefore = claim(poolId);
        if (contracts != 0) _close(poolId, market, side, contracts, entryClosed, value);
        if (netted != 0) _net(poolId, market, side, netted);
        _checkpoint(market);
        cashChange = claim(poolId) - claimBefore;
    }

    // ------------------------------------------------------------------ owner

    /// @notice Sets the engine, once.
    function wire(address engine_) external onlyOwner {
        if (engine != address(0)) revert AlreadyWired();
        if (engine_ == address(0)) revert AddressZero();
        engine = engine_;
        emit Wired(engine_);
    }

    /// @notice Adds a pool; its id is the next one.
    /// @param name Short name, left-aligned, not empty.
    /// @param kind Isolated (one market) or shared (up to 16).
    function createPool(bytes32 name, PoolKind kind) external onlyOwner returns (uint16 id) {
        if (name == bytes32(0)) revert PoolNameEmpty();
        if (_nameTaken[name]) revert PoolNameTaken(name);
        _nameTaken[name] = true;
        id = ++poolCount;
        _pools[id].name = name;
        _pools[id].kind = kind;
        emit PoolCreated(id, name, kind);
    }

    /// @notice Sets a market's bounds of drawdown, after a checkpoint under the old ones.
    /// @param trigger Drawdown at which ADL starts, WAD, at most 90 %. Default 30 %.
    /// @param stop Drawdown at which it ends, WAD, at least 5 %. Default 25 %.
    /// @param target Drawdown it compensates to, WAD, in [stop, trigger]. Default 25 %.
    function setDrawdownBounds(uint16 market, uint64 trigger, uint64 stop, uint64 target) external onlyOwner {
        _assigned(market);
        if (stop < MIN_DRAWDOWN_BOUND || target < stop || trigger < target || trigger > MAX_DRAWDOWN_BOUND) {
            revert DrawdownBoundsInvalid(trigger, stop, target);
        }
        _checkpoint(market);
        Book storage book = _books[market];
        (book.trigger, book.stop, book.target) = (trigger, stop, target);
        emit DrawdownBoundsSet(market, trigger, stop, target);
    }

    /// @notice Sets how a market's inventory is auctioned.
    /// @param premium How far on the pool's side of mark it starts, WAD fraction, at most 20 %. Default 2 %.
    /// @param duration Seconds to the floor, one minute to one day. Default 30 minutes.
    function setAuctionParameters(uint16 market, uint64 premium, uint32 duration) external onlyOwner {
        _assigned(market);
        if (premium > MAX_AUCTION_PREMIUM || duration < MIN_AUCTION_DURATION || duration > MAX_AUCTION_DURATION) {
            revert AuctionParametersOutOfBounds(premium, duration);
        }
        (_books[market].auctionPremium, _books[market].auctionDuration) = (premium, duration);
        emit AuctionParametersSet(market, premium, duration);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInsuranceFund
    function backing(uint16 market) external view returns (Backing memory state) {
        _assigned(market);
        (state,) = _backing(market);
    }

    /// @inheritdoc IInsuranceFund
    function adlTerms(uint16 market, Side side) external view returns (ADLTerms memory terms) {
        _assigned(market);
        (Backing memory state, uint256[] memory losses) = _backing(market);
        Inventory memory held = _inventory(market, side);
        terms.size = held.size;
        terms.entryNotional = held.entryNotional;
        terms.inventoryLoss = side == Side.Long ? state.longLoss : state.shortLoss;
        if (terms.inventoryLoss == 0) return terms;

        uint256 byDrawdown = state.drawdownDue ? _drawdownCompensation(market, side, state) : 0;
        uint256 byDepletion = state.balance < 0 ? _depletionCompensation(market, side, state.balance, losses) : 0;
        terms.compensation = byDrawdown >= byDepletion ? byDrawdown : byDepletion;
        if (terms.compensation == 0) return terms;
        terms.trigger = byDrawdown >= byDepletion ? Trigger.Drawdown : Trigger.Depletion;
        terms.mark = priceFeed.markPrice(market);
        (terms.price, terms.executionPrice) =
            ADLMath.priceOf(terms.size, terms.entryNotional, terms.inventoryLoss, terms.compensation, terms.mark);
    }

    /// @inheritdoc IInsuranceFund
    function auction(uint16 market, Side side) external view returns (uint256 price, uint256 contracts) {
        contracts = int256(_inventory(market, side).size).abs();
        if (contracts == 0) return (0, 0);
        uint256 floorFraction = exchange.maintenanceMarginFraction(market);
        price = _auctionPrice(_books[market], side, priceFeed.markPrice(market), floorFraction);
    }

    /// @inheritdoc IInsuranceFund
    function inventory(uint16 market, Side side) external view returns (int256 size) {
        return _inventory(market, side).size;
    }

    /// @inheritdoc IInsuranceFund
    function inventories(uint16 market) external view returns (Inventory memory long, Inventory memory short) {
        return (_books[market].long, _books[market].short);
    }

    /// @inheritdoc IInsuranceFund
    function pool(uint16 id) external view returns (Pool memory) {
        return _pools[id];
    }

    /// @inheritdoc IInsuranceFund
    function parameters(uint16 market)
        external
        view
        returns (uint16 poolId, uint64 trigger, uint64 stop, uint64 target)
    {
        Book storage book = _books[market];
        return (book.pool, book.trigger, book.stop, book.target);
    }

    /// @inheritdoc IInsuranceFund
    function claim(uint16 id) public view returns (int256 total) {
        Pool storage claimant = _pools[id];
        total = claimant.cash;
        for (uint256 i; i < claimant.markets.length; ++i) {
            Book storage book = _books[claimant.markets[i]];
            total -= int256(book.long.entryNotional) + book.short.entryNotional;
        }
    }

    // ------------------------------------------------------------------ internal

    function _assigned(uint16 market) private view returns (uint16 poolId) {
        poolId = _books[market].pool;
        if (poolId == 0) revert MarketUnassigned(market);
    }

    function _inventory(uint16 market, Side side) private view returns (Inventory storage) {
        return side == Side.Long ? _books[market].long : _books[market].short;
    }

    function _lossOf(Inventory memory held, uint256 mark) private pure returns (uint256) {
        int256 uPnL = MarginMath.valueDown(held.size, mark) - held.entryNotional;
        return uPnL < 0 ? uint256(-uPnL) : 0;
    }

    /// @dev One market's part of its pool's state: its result, the largest of the window, and its losses. A price is asked
    /// for only where there is inventory; while its feed is dead it is the last accepted one, moved by `mmf` against the pool.
    function _standing(uint16 market) private view returns (Backing memory state, int256 funding) {
        Book storage book = _books[market];
        Inventory memory long = book.long;
        Inventory memory short = book.short;
        if (long.size != 0 || short.size != 0) {
            (uint256 mark, bool live) = priceFeed.markOrLast(market);
            uint256 haircut = live ? 0 : mark * exchange.maintenanceMarginFraction(market) / WadMath.UWAD;
            (state.longLoss, state.shortLoss) = (_lossOf(long, mark - haircut), _lossOf(short, mark + haircut));
            int256 index = exchange.fundingIndex(market);
            funding = FundingMath.payment(long.size, index - book.longIndex)
                + FundingMath.payment(short.size, index - book.shortIndex);
        }
        state.pnl = book.realized - int256(state.longLoss + state.shortLoss) - funding;
        state.maxPnl = book.peak.maximum(state.pnl);
        state.loss = uint256(state.maxPnl - state.pnl);
    }

    /// @dev What an inventory owes since it was last settled, in WAD squared; the rounded amount leaves the pool for the pot.
    function _settleFunding(uint16 poolId, uint16 market, Side side, int256 index) private returns (int256 exact) {
        Book storage book = _books[market];
        int256 size = _inventory(market, side).size;
        exact = size * (index - (side == Side.Long ? book.longIndex : book.shortIndex));
        if (side == Side.Long) book.longIndex = int104(index);
        else book.shortIndex = int104(index);
        if (exact == 0) return 0;
        int256 paid = exact.divUp(WadMath.WAD);
        _realize(poolId, market, -paid);
        emit InventoryFundingPaid(poolId, market, side, paid);
    }

    /// @dev The state of a market's backing, and the losses of the pool's inventories (long and short by market).
    function _backing(uint16 market) private view returns (Backing memory state, uint256[] memory losses) {
        uint16[] memory markets;
        Backing[] memory states;
        (markets, states, losses) = _survey(_books[market].pool);
        for (uint256 i; i < markets.length; ++i) {
            if (markets[i] == market) state = states[i];
        }
        _judge(state, _books[market]);
    }

    /// @dev Where all markets of a pool stand, their drawdown left out, and the losses of its inventories.
    function _survey(uint16 poolId)
        private
        view
        returns (uint16[] memory markets, Backing[] memory states, uint256[] memory losses)
    {
        markets = _pools[poolId].markets;
        states = new Backing[](markets.length);
        losses = new uint256[](2 * markets.length);
        int256 balance = _pools[poolId].cash;
        uint256 lossesOfWindow;
        for (uint256 i; i < markets.length; ++i) {
            (Backing memory each, int256 funding) = _standing(markets[i]);
            (losses[2 * i], losses[2 * i + 1]) = (each.longLoss, each.shortLoss);
            balance -= int256(each.longLoss + each.shortLoss) + funding;
            lossesOfWindow += each.loss;
            states[i] = each;
        }
        uint256 base = uint256((balance + int256(lossesOfWindow)).max(0));
        for (uint256 i; i < markets.length; ++i) {
            (states[i].balance, states[i].base) = (balance, base);
        }
    }

    /// @dev Fills in the drawdown and whether it is due.
    function _judge(Backing memory state, Book storage book) private view {
        uint256 base = state.base;
        if (base == 0) return;
        uint256 scaledLoss = state.loss * WadMath.UWAD;
        state.drawdown = scaledLoss / base;
        uint256 lastDue = book.lastDue;
        state.started = lastDue != 0 && block.timestamp < lastDue + MEMORY;
        state.drawdownDue = scaledLoss >= book.trigger * base || (state.started && scaledLoss > book.stop * base);
    }

    /// @dev What brings the market down to its target, shared over its losing inventories by loss; the short one is the last.
    function _drawdownCompensation(uint16 market, Side side, Backing memory state) private view returns (uint256) {
        uint256 allowed = _books[market].target * state.base / WadMath.UWAD;
        if (state.loss <= allowed) return 0;
        uint256 due = state.loss - allowed;
        if (state.shortLoss == 0) return due;
        uint256 longShare = due * state.longLoss / (state.longLoss + state.shortLoss);
        return side == Side.Long ? longShare : due - longShare;
    }

    /// @dev What brings the pool to zero, shared over its losing inventories by loss; the last of them takes the remainder.
    function _depletionCompensation(uint16 market, Side side, int256 balance, uint256[] memory losses)
        private
        view
        returns (uint256 share)
    {
        uint16[] memory markets = _pools[_books[market].pool].markets;
        uint256 due = uint256(-balance);
        uint256 total;
        uint256 last;
        for (uint256 i; i < losses.length; ++i) {
            total += losses[i];
            if (losses[i] != 0) last = i;
        }
        uint256 shared;
        for (uint256 i; i < losses.length; ++i) {
            uint256 part = i == last ? due - shared : due * losses[i] / total;
            shared += part;
            if (markets[i / 2] == market && (i % 2 == 0) == (side == Side.Long)) return part;
        }
    }

    /// @dev Samples the market's result, and keeps or ends the memory of its trigger.
    function _checkpoint(uint16 market) private {
        (Backing memory state,) = _backing(market);
        _sample(market, state);
    }

    /// @dev The same for several markets of a pool, both ascending, whose state is read once.
    function _checkpointAll(Bequest[] calldata bequests) private {
        (uint16[] memory markets, Backing[] memory states,) = _survey(_assigned(bequests[0].market));
        uint256 next;
        for (uint256 i; i < markets.length && next < bequests.length; ++i) {
            if (markets[i] != bequests[next].market) continue;
            _judge(states[i], _books[markets[i]]);
            _sample(markets[i], states[i]);
            ++next;
        }
    }

    /// @dev Whether a market's inventory, if there is any, is valued at a live price.
    function _isPriced(uint16 market) private view returns (bool isLive) {
        Book storage book = _books[market];
        if (book.long.size == 0 && book.short.size == 0) return true;
        (, isLive) = priceFeed.markOrLast(market);
    }

    /// @dev Files a market's result, and keeps or ends the memory of its trigger.
    function _sample(uint16 market, Backing memory state) private {
        Book storage book = _books[market];
        book.peak.touch(state.pnl);
        emit Checkpointed(market, state.pnl, state.balance, state.drawdown);
        if (state.drawdownDue) {
            if (book.lastDue == 0 || !state.started) {
                // The last price of a dead feed, moved against the pool, is no reason to begin.
                if (!_isPriced(market)) return;
                emit ADLStarted(market, state.drawdown);
            }
            book.lastDue = uint40(block.timestamp);
        } else if (book.lastDue != 0 && (state.base != 0 || block.timestamp >= book.lastDue + MEMORY)) {
            book.lastDue = 0;
            emit ADLEnded(market, state.drawdown);
        }
    }

    function _inherit(Bequest calldata bequest) private returns (int256 funding) {
        (uint16 market, int256 size) = (bequest.market, bequest.size);
        uint16 poolId = _books[market].pool;
        Side side = size > 0 ? Side.Long : Side.Short;
        Inventory storage held = _inventory(market, side);
        funding = _settleFunding(poolId, market, side, bequest.index);
        held.auctionStart = uint32(
            AuctionMath.mergedStart(
                held.auctionStart, int256(held.size).abs(), block.timestamp, size.abs(), _books[market].auctionDuration
            )
        );
        held.size = (held.size + size).toInt112();
        held.entryNotional = (held.entryNotional + bequest.bankruptcyNotional).toInt112();
        emit Inherited(poolId, market, size, bequest.bankruptcyNotional);
    }

    function _close(uint16 poolId, uint16 market, Side side, uint256 contracts, int256 entryClosed, int256 value)
        private
    {
        Inventory storage held = _inventory(market, side);
        uint256 available = int256(held.size).abs();
        if (contracts > available) revert InventoryExceeded(market, side, contracts, available);
        int256 size = side == Side.Long ? int256(contracts) : -int256(contracts);
        int256 result = _reduce(poolId, market, held, size, entryClosed, value);
        emit InventoryClosed(poolId, market, side, size, value, result);
    }

    /// @dev Takes up to `maxContracts` out of an inventory at a price, rounded toward the pool.
    function _sell(uint16 poolId, uint16 market, Side side, uint256 maxContracts, uint256 price)
        private
        returns (int256 size, int256 value)
    {
        Inventory storage held = _inventory(market, side);
        uint256 available = int256(held.size).abs();
        if (available == 0) revert InventoryMissing(market, side);
        uint256 contracts = maxContracts < available ? maxContracts : available;
        if (contracts == 0) revert AmountZero();
        size = side == Side.Long ? int256(contracts) : -int256(contracts);
        value = size.mulUp(int256(price));
        int256 entry = ADLMath.entryPart(held.entryNotional, contracts, available);
        int256 result = _reduce(poolId, market, held, size, entry, value);
        emit InventorySold(poolId, market, side, size, value, result);
    }

    /// @dev Takes a part out of an inventory for `value`, and books the result.
    function _reduce(uint16 poolId, uint16 market, Inventory storage held, int256 size, int256 entry, int256 value)
        private
        returns (int256 result)
    {
        held.size = (held.size - size).toInt112();
        held.entryNotional = (held.entryNotional - entry).toInt112();
        result = value - entry;
        _realize(poolId, market, result);
    }

    function _auctionPrice(Book storage book, Side side, uint256 mark, uint256 floorFraction)
        private
        view
        returns (uint256)
    {
        uint256 start = side == Side.Long ? book.long.auctionStart : book.short.auctionStart;
        return AuctionMath.priceOf(
            side == Side.Long, mark, book.auctionPremium, floorFraction, block.timestamp - start, book.auctionDuration
        );
    }

    /// @dev A sale that makes things worse may neither leave ADL due by drawdown (or no base to judge it by) nor the pool
    /// below zero: what is due is what others pay.
    function _checkSale(uint16 poolId, uint16 market, Backing memory before) private view {
        (Backing memory state,) = _backing(market);
        if (state.balance < 0 && state.balance < before.balance) revert SaleDepletesPool(poolId, state.balance);
        if (state.loss > before.loss && (state.base == 0 || state.drawdownDue)) {
            revert SaleRaisesDrawdown(market, state.loss, state.base);
        }
    }

    /// @dev Nobody holds the other side but the pool itself: both inventories close at mark, and no cash moves.
    function _net(uint16 poolId, uint16 market, Side side, uint256 contracts) private {
        uint256 mark = priceFeed.markPrice(market);
        Inventory storage long = _books[market].long;
        Inventory storage short = _books[market].short;
        uint256 longSize = int256(long.size).abs();
        uint256 shortSize = int256(short.size).abs();
        uint256 available = longSize < shortSize ? longSize : shortSize;
        if (contracts > available) revert InventoryExceeded(market, side, contracts, available);
        int256 longEntry = ADLMath.entryPart(long.entryNotional, contracts, longSize);
        int256 shortEntry = ADLMath.entryPart(short.entryNotional, contracts, shortSize);
        long.size = (long.size - int256(contracts)).toInt112();
        short.size = (short.size + int256(contracts)).toInt112();
        long.entryNotional = (long.entryNotional - longEntry).toInt112();
        short.entryNotional = (short.entryNotional - shortEntry).toInt112();
        // The values at mark of the two cancel; what is realized is minus both entries.
        int256 result = -longEntry - shortEntry;
        _realize(poolId, market, result);
        emit InventoryNetted(poolId, market, contracts, mark, result);
    }

    function _realize(uint16 poolId, uint16 market, int256 result) private {
        _pools[poolId].cash = (_pools[poolId].cash + result).toInt128();
        _books[market].realized = (_books[market].realized + result).toInt128();
    }
}
