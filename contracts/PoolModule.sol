// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {DelegatedModule} from "./DelegatedModule.sol";
import {FundStorage} from "./FundStorage.sol";
import {PoolStakes} from "./PoolStakes.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPoolSharesFactory} from "./interfaces/IPoolShares.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {RollingMax} from "./libraries/RollingMax.sol";
import {Backer, Backing, Book, Item, Pool, PoolKind} from "./types/Pool.sol";

/// @title Pools and their capital: creation, markets, contributions, stakes, repayment, redistribution
contract PoolModule is PoolStakes, DelegatedModule {
    using RollingMax for RollingMax.Ring;
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// @notice Bounds of trigger, stop and target, WAD, and their defaults.
    uint64 public constant MIN_DRAWDOWN_BOUND = 0.05e18;
    uint64 public constant MAX_DRAWDOWN_BOUND = 0.9e18;
    uint64 public constant DEFAULT_TRIGGER = 0.3e18;
    uint64 public constant DEFAULT_STOP = 0.25e18;
    uint64 public constant DEFAULT_TARGET = 0.25e18;
    /// @notice Most markets that a shared pool may back, and most members of the mutual group.
    uint256 public constant MAX_MARKETS = 16;
    uint256 public constant MAX_MEMBERS = 16;
    /// @notice Bounds of an auction and its defaults: premium WAD, duration in seconds.
    uint64 public constant MAX_AUCTION_PREMIUM = 0.2e18;
    uint32 public constant MIN_AUCTION_DURATION = 1 minutes;
    uint32 public constant MAX_AUCTION_DURATION = 1 days;
    uint64 public constant DEFAULT_AUCTION_PREMIUM = 0.02e18;
    uint32 public constant DEFAULT_AUCTION_DURATION = 30 minutes;
    /// @notice Bounds of an exit's cooldown and its default, seconds: never shorter than the window of the drawdown.
    uint32 public constant MIN_COOLDOWN = 8 hours;
    uint32 public constant MAX_COOLDOWN = 14 days;
    uint32 public constant DEFAULT_COOLDOWN = 3 days;
    /// @notice The cap of a pool that has none.
    uint96 public constant NO_CAP = type(uint96).max;

    IPoolSharesFactory public immutable sharesFactory;

    constructor(IExchange exchange_, IPriceFeed feed, IPoolSharesFactory factory) FundStorage(exchange_, feed) {
        sharesFactory = factory;
    }

    // ------------------------------------------------------------------ capital

    /// @notice See `IInsuranceFund.contribute`.
    function contribute(uint16 poolId, uint16 market, uint256 amount) external onlyDelegatecall {
        _checkPool(poolId);
        if (market != 0 && _books[market].pool != poolId) revert IInsuranceFund.MarketOfOtherPool(market, poolId);
        if (amount == 0) revert IInsuranceFund.AmountZero();
        // What is due is remembered before the gift makes it less.
        _rememberAll(poolId);
        int256 credit = (amount * _tokenScale).toInt256();
        // As far as the rolling maximum can tell it.
        if (market != 0) (_books[market].realized + credit).toInt112();
        emit IInsuranceFund.Contributed(poolId, market, msg.sender, amount);
        _enter(poolId, market, Item.Contribution, credit);
        _pull(amount);
    }

    /// @notice See `IInsuranceFund.repay`.
    function repay(uint16 poolId, uint256 amount) external onlyDelegatecall {
        _checkPool(poolId);
        if (amount == 0) revert IInsuranceFund.AmountZero();
        // What a group lacks is told as if this had been done; then what is paid lowers it by as much.
        if (_unpricedMember() == 0) _redistribute();
        (uint256[] memory parts,) = _deficits();
        uint256 open;
        for (uint256 i; i < parts.length; ++i) {
            if (_overdrawn[i] == poolId) open = parts[i];
        }
        // The last unit may be more than is open.
        uint256 credit = amount * _tokenScale;
        if (credit >= open + _tokenScale) revert IInsuranceFund.RepaymentTooLarge(poolId, credit, open);
        emit IInsuranceFund.Repaid(poolId, msg.sender, amount);
        _enter(poolId, 0, Item.Repayment, credit.toInt256());
        _pull(amount);
    }

    /// @notice See `IInsuranceFund.redistribute`.
    function redistribute() external onlyDelegatecall returns (uint256 given) {
        // What the last price of a dead feed, moved against a pool, says is no reason to give its money away; a round may not wait.
        uint16 unpriced = _unpricedMember();
        if (unpriced != 0) revert IInsuranceFund.RedistributionWithoutPrice(_books[unpriced].pool, unpriced);
        given = _redistribute();
        if (given == 0) revert IInsuranceFund.RedistributionNotDue();
    }

    /// @notice See `IInsuranceFund.absorb`.
    function absorb(uint256 amount) external onlyDelegatecall {
        if (_unpricedMember() == 0) _redistribute();
        (uint256[] memory parts, uint256 total) = _deficits();
        uint16[] memory pools = _overdrawn;
        uint256 left = amount;
        uint256 last;
        for (uint256 i; i < parts.length; ++i) {
            if (parts[i] != 0) last = i;
        }
        for (uint256 i; i < parts.length; ++i) {
            if (parts[i] == 0) continue;
            uint256 share = i == last ? left : Math.mulDiv(amount, parts[i], total);
            left -= share;
            _enter(pools[i], 0, Item.Deficit, share.toInt256());
        }
    }

    /// @dev Tokens of the caller go to the exchange, which holds them all.
    function _pull(uint256 amount) private {
        IERC20 token = IERC20(_exchange.token());
        uint256 before = token.balanceOf(address(_exchange));
        token.safeTransferFrom(msg.sender, address(_exchange), amount);
        uint256 received = token.balanceOf(address(_exchange)) - before;
        if (received != amount) revert IInsuranceFund.ContributionShort(amount, received);
    }

    // ------------------------------------------------------------------ stakes

    /// @notice See `IInsuranceFund.stake`.
    function stake(uint16 poolId, uint256 amount) external onlyDelegatecall {
        if (msg.sender != _pools[poolId].shares) revert IInsuranceFund.CallerNotShares(msg.sender);
        Survey memory s = _rememberAll(poolId);
        _checkStake(poolId, s);
        uint256 room = _roomOf(poolId, s.balance);
        if (amount > room) revert IInsuranceFund.CapExceeded(poolId, amount, room);
        _enter(poolId, 0, Item.Stake, (amount * _tokenScale).toInt256());
    }

    /// @notice See `IInsuranceFund.unstake`.
    function unstake(uint16 poolId, uint256 amount, address recipient, bool isOverdue)
        external
        onlyDelegatecall
        returns (uint256 paid)
    {
        if (msg.sender != _pools[poolId].shares) revert IInsuranceFund.CallerNotShares(msg.sender);
        if (!isOverdue) _checkExit(poolId, amount);
        if (_pools[poolId].backer == Backer.Mutual) _leaveBurden(poolId, amount * _tokenScale);
        _enter(poolId, 0, Item.Exit, -(amount * _tokenScale).toInt256());
        if (amount != 0) paid = _exchange.payOut(recipient, amount);
    }

    /// @notice See `IInsuranceFund.renewShares`.
    function renewShares(uint16 poolId) external onlyDelegatecall returns (address shares) {
        _checkPool(poolId);
        Pool storage renewed = _pools[poolId];
        if (!_isWipedOut(poolId) || IERC20(renewed.shares).totalSupply() == 0) {
            revert IInsuranceFund.SharesNotWorthless(poolId);
        }
        shares = _issue(poolId);
    }

    function _issue(uint16 poolId) private returns (address shares) {
        shares = sharesFactory.create(poolId, _pools[poolId].name);
        _pools[poolId].shares = shares;
        emit IInsuranceFund.SharesIssued(poolId, shares);
    }

    // ------------------------------------------------------------------ pools and markets

    /// @notice See `IInsuranceFund.createPool`.
    function createPool(bytes32 name, PoolKind kind, Backer backer) external onlyDelegatecall returns (uint16 id) {
        if (name == bytes32(0)) revert IInsuranceFund.PoolNameEmpty();
        if (_nameTaken[name]) revert IInsuranceFund.PoolNameTaken(name);
        if (kind == PoolKind.Shared && backer == Backer.Mutual) revert IInsuranceFund.SharedPoolNotMutual(name);
        if (backer == Backer.Mutual && _group.length == MAX_MEMBERS) revert IInsuranceFund.GroupFull(MAX_MEMBERS);
        _nameTaken[name] = true;
        id = ++_poolCount;
        Pool storage created = _pools[id];
        (created.name, created.kind, created.backer) = (name, kind, backer);
        (created.cap, created.cooldown) = (NO_CAP, DEFAULT_COOLDOWN);
        if (backer == Backer.Mutual) _group.push(id);
        emit IInsuranceFund.PoolCreated(id, name, kind, backer);
        emit IInsuranceFund.StakingSet(id, NO_CAP, DEFAULT_COOLDOWN);
        _issue(id);
    }

    /// @notice See `IInsuranceFund.setStaking`.
    function setStaking(uint16 poolId, uint96 cap, uint32 cooldown) external onlyDelegatecall {
        _checkPool(poolId);
        if (cooldown < MIN_COOLDOWN || cooldown > MAX_COOLDOWN) revert IInsuranceFund.CooldownOutOfBounds(cooldown);
        (_pools[poolId].cap, _pools[poolId].cooldown) = (cap, cooldown);
        emit IInsuranceFund.StakingSet(poolId, cap, cooldown);
    }

    /// @notice See `IInsuranceFund.assignMarket`.
    function assignMarket(uint16 market, uint16 poolId) external onlyDelegatecall returns (bool isolatedOnly) {
        isolatedOnly = _join(market, poolId);
        Book storage book = _books[market];
        (book.trigger, book.stop, book.target) = (DEFAULT_TRIGGER, DEFAULT_STOP, DEFAULT_TARGET);
        (book.auctionPremium, book.auctionDuration) = (DEFAULT_AUCTION_PREMIUM, DEFAULT_AUCTION_DURATION);
        book.peak.touch(0);
        emit IInsuranceFund.DrawdownBoundsSet(market, DEFAULT_TRIGGER, DEFAULT_STOP, DEFAULT_TARGET);
        emit IInsuranceFund.AuctionParametersSet(market, DEFAULT_AUCTION_PREMIUM, DEFAULT_AUCTION_DURATION);
    }

    /// @notice See `IInsuranceFund.moveMarket`.
    function moveMarket(uint16 market, uint16 poolId) external onlyDelegatecall returns (bool isolatedOnly) {
        uint16 from = _assigned(market);
        if (from == poolId) revert IInsuranceFund.MarketInPool(market, poolId);
        if (_hasInventory(market)) revert IInsuranceFund.InventoryOpen(market);
        (, Backing memory state) = _backing(market);
        // Taken out with its loss, it would leave a smaller base to the others.
        if (state.loss != 0) revert IInsuranceFund.LossOpen(market, state.loss);
        _leave(market, from);
        isolatedOnly = _join(market, poolId);
        // The stress that the old pool put on it stays behind.
        _checkpoint(market);
    }

    /// @dev Puts a market into a pool's list, which stays ascending.
    function _join(uint16 market, uint16 poolId) private returns (bool isolatedOnly) {
        _checkPool(poolId);
        isolatedOnly = _pools[poolId].kind == PoolKind.Isolated;
        uint16[] storage markets = _pools[poolId].markets;
        uint256 count = markets.length;
        if (count >= (isolatedOnly ? 1 : MAX_MARKETS)) revert IInsuranceFund.PoolFull(poolId, count);
        markets.push(market);
        for (; count != 0 && markets[count - 1] > market; --count) {
            (markets[count], markets[count - 1]) = (markets[count - 1], market);
        }
        _books[market].pool = poolId;
        emit IInsuranceFund.MarketAssigned(market, poolId);
    }

    function _leave(uint16 market, uint16 poolId) private {
        uint16[] storage markets = _pools[poolId].markets;
        uint256 last = markets.length - 1;
        for (uint256 i; i < last; ++i) {
            if (markets[i] >= market) markets[i] = markets[i + 1];
        }
        markets.pop();
    }

    /// @notice See `IInsuranceFund.setDrawdownBounds`.
    function setDrawdownBounds(uint16 market, uint64 trigger, uint64 stop, uint64 target) external onlyDelegatecall {
        _assigned(market);
        if (stop < MIN_DRAWDOWN_BOUND || target < stop || trigger < target || trigger > MAX_DRAWDOWN_BOUND) {
            revert IInsuranceFund.DrawdownBoundsInvalid(trigger, stop, target);
        }
        _checkpoint(market);
        Book storage book = _books[market];
        (book.trigger, book.stop, book.target) = (trigger, stop, target);
        emit IInsuranceFund.DrawdownBoundsSet(market, trigger, stop, target);
    }

    /// @notice See `IInsuranceFund.setAuctionParameters`.
    function setAuctionParameters(uint16 market, uint64 premium, uint32 duration) external onlyDelegatecall {
        _assigned(market);
        if (premium > MAX_AUCTION_PREMIUM || duration < MIN_AUCTION_DURATION || duration > MAX_AUCTION_DURATION) {
            revert IInsuranceFund.AuctionParametersOutOfBounds(premium, duration);
        }
        (_books[market].auctionPremium, _books[market].auctionDuration) = (premium, duration);
        emit IInsuranceFund.AuctionParametersSet(market, premium, duration);
    }
}
