// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {FundStorage} from "./FundStorage.sol";
import {PoolStakes} from "./PoolStakes.sol";
import {Owned} from "./governance/Owned.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {ADLMath} from "./libraries/ADLMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {Side} from "./types/Market.sol";
import {ADLTerms, Backer, Backing, Bequest, Book, Inventory, Item, Pool, PoolKind, Trigger} from "./types/Pool.sol";

/// @title The insurance fund; its story is told in `IInsuranceFund`
contract InsuranceFund is PoolStakes, IInsuranceFund, Owned, ReentrancyGuardTransient {
    using SafeCast for uint256;
    using WadMath for int256;

    /// @inheritdoc IInsuranceFund
    address public immutable inventoryModule;
    /// @inheritdoc IInsuranceFund
    address public immutable poolModule;

    modifier onlyExchange() {
        if (msg.sender != address(_exchange)) revert CallerNotExchange(msg.sender);
        _;
    }

    constructor(
        IExchange exchange_,
        IPriceFeed feed,
        address inventoryModule_,
        address poolModule_,
        address initialOwner
    ) FundStorage(exchange_, feed) Owned(initialOwner) {
        if (inventoryModule_ == address(0) || poolModule_ == address(0)) revert AddressZero();
        (inventoryModule, poolModule) = (inventoryModule_, poolModule_);
    }

    // ------------------------------------------------------------------ anyone

    /// @inheritdoc IInsuranceFund
    function contribute(uint16, uint16, uint256) external nonReentrant {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    /// @inheritdoc IInsuranceFund
    function repay(uint16, uint256) external nonReentrant {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    /// @inheritdoc IInsuranceFund
    function redistribute() external nonReentrant returns (uint256 given) {
        return abi.decode(Address.functionDelegateCall(poolModule, msg.data), (uint256));
    }

    /// @inheritdoc IInsuranceFund
    function checkpoint(uint16) external nonReentrant {
        Address.functionDelegateCall(inventoryModule, msg.data);
    }

    // ------------------------------------------------------------------ shares

    /// @inheritdoc IInsuranceFund
    function stake(uint16, uint256) external nonReentrant {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    /// @inheritdoc IInsuranceFund
    function unstake(uint16, uint256, address, bool) external nonReentrant returns (uint256 paid) {
        return abi.decode(Address.functionDelegateCall(poolModule, msg.data), (uint256));
    }

    // ------------------------------------------------------------------ exchange and engine

    /// @inheritdoc IInsuranceFund
    function assignMarket(uint16, uint16) external onlyExchange returns (bool isolatedOnly) {
        return abi.decode(Address.functionDelegateCall(poolModule, msg.data), (bool));
    }

    /// @inheritdoc IInsuranceFund
    function moveMarket(uint16, uint16) external onlyExchange returns (bool isolatedOnly) {
        return abi.decode(Address.functionDelegateCall(poolModule, msg.data), (bool));
    }

    /// @inheritdoc IInsuranceFund
    function inherit(Bequest[] calldata) external onlyExchange returns (int256[] memory funding) {
        return abi.decode(Address.functionDelegateCall(inventoryModule, msg.data), (int256[]));
    }

    /// @inheritdoc IInsuranceFund
    function sell(uint16, Side, uint256, uint256, uint256, int256)
        external
        onlyExchange
        returns (int256 size, int256 value, uint256 price, int256 funding)
    {
        return abi.decode(Address.functionDelegateCall(inventoryModule, msg.data), (int256, int256, uint256, int256));
    }

    /// @inheritdoc IInsuranceFund
    function net(uint16) external onlyExchange returns (uint256 contracts, int256[2] memory funding) {
        return abi.decode(Address.functionDelegateCall(inventoryModule, msg.data), (uint256, int256[2]));
    }

    /// @inheritdoc IInsuranceFund
    function close(uint16, Side, uint256, int256, int256, uint256)
        external
        returns (int256 cashChange, int256[2] memory funding)
    {
        return abi.decode(Address.functionDelegateCall(inventoryModule, msg.data), (int256, int256[2]));
    }

    /// @inheritdoc IInsuranceFund
    function creditFee(uint16 market, Item item, uint256 amount) external onlyExchange returns (uint256 taken) {
        uint16 poolId = _assigned(market);
        taken = _takenUnderCap(poolId, amount);
        _enter(poolId, market, item, taken.toInt256());
    }

    /// @inheritdoc IInsuranceFund
    function creditDust(uint16 market, uint256 amount) external onlyExchange {
        _enter(_assigned(market), market, Item.Funding, amount.toInt256());
    }

    /// @inheritdoc IInsuranceFund
    function absorb(uint256) external onlyExchange {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    // ------------------------------------------------------------------ owner

    /// @inheritdoc IInsuranceFund
    function wire(address engine_) external onlyOwner {
        if (_engine != address(0)) revert AlreadyWired();
        if (engine_ == address(0)) revert AddressZero();
        _engine = engine_;
        emit Wired(engine_);
    }

    /// @inheritdoc IInsuranceFund
    function createPool(bytes32, PoolKind, Backer) external onlyOwner returns (uint16 id) {
        return abi.decode(Address.functionDelegateCall(poolModule, msg.data), (uint16));
    }

    /// @inheritdoc IInsuranceFund
    function renewShares(uint16) external onlyOwner returns (address shares) {
        return abi.decode(Address.functionDelegateCall(poolModule, msg.data), (address));
    }

    /// @inheritdoc IInsuranceFund
    function setStaking(uint16, uint96, uint32) external onlyOwner {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    /// @inheritdoc IInsuranceFund
    function setDrawdownBounds(uint16, uint64, uint64, uint64) external onlyOwner {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    /// @inheritdoc IInsuranceFund
    function setAuctionParameters(uint16, uint64, uint32) external onlyOwner {
        Address.functionDelegateCall(poolModule, msg.data);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInsuranceFund
    function backing(uint16 market) external view returns (Backing memory state) {
        _assigned(market);
        (, state) = _backing(market);
    }

    /// @inheritdoc IInsuranceFund
    function backings(uint16 id) external view returns (uint16[] memory markets, Backing[] memory states) {
        Survey memory s = _survey(id);
        (markets, states) = (s.markets, s.states);
        for (uint256 i; i < states.length; ++i) {
            states[i] = _judge(s, i);
        }
    }

    /// @inheritdoc IInsuranceFund
    function adlTerms(uint16 market, Side side) external view returns (ADLTerms memory terms) {
        _assigned(market);
        (Survey memory s, Backing memory state) = _backing(market);
        Inventory memory held = _inventory(market, side);
        terms.size = held.size;
        terms.entryNotional = held.entryNotional;
        terms.inventoryLoss = side == Side.Long ? state.longLoss : state.shortLoss;
        if (terms.inventoryLoss == 0) return terms;

        uint256 byDrawdown = state.drawdownDue ? _drawdownCompensation(market, side, state) : 0;
        uint256 byDepletion = s.depletionCounts && s.backed < 0 ? _depletionCompensation(market, side, s) : 0;
        terms.compensation = byDrawdown >= byDepletion ? byDrawdown : byDepletion;
        if (terms.compensation == 0) return terms;
        terms.trigger = byDrawdown >= byDepletion ? Trigger.Drawdown : Trigger.Depletion;
        terms.mark = _priceFeed.markPrice(market);
        (terms.price, terms.executionPrice) =
            ADLMath.priceOf(terms.size, terms.entryNotional, terms.inventoryLoss, terms.compensation, terms.mark);
    }

    /// @inheritdoc IInsuranceFund
    function seen(uint16 market) external view returns (Trigger reason, uint8 stress, uint256 lastDue) {
        Book storage book = _books[market];
        return (book.seen, book.stress, book.lastDue);
    }

    /// @inheritdoc IInsuranceFund
    function auction(uint16 market, Side side) external view returns (uint256 price, uint256 contracts) {
        contracts = int256(_inventory(market, side).size).abs();
        if (contracts == 0 || _exchange.settlesAt(market) != 0) return (0, 0);
        uint256 floorFraction = _exchange.maintenanceMarginFraction(market);
        price = _auctionPrice(market, side, _priceFeed.markPrice(market), floorFraction);
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
    function poolCount() external view returns (uint16) {
        return _poolCount;
    }

    /// @inheritdoc IInsuranceFund
    function balanceOf(uint16 id) external view returns (int256 balance) {
        (balance,) = _balanceOf(id);
    }

    /// @inheritdoc IInsuranceFund
    function items(uint16 id) external view returns (int256[] memory amounts) {
        uint256 count = uint256(type(Item).max) + 1;
        amounts = new int256[](count);
        for (uint256 i; i < count; ++i) {
            amounts[i] = _items[id][Item(i)];
        }
    }

    /// @inheritdoc IInsuranceFund
    function group() external view returns (uint16[] memory members, int256[] memory balances) {
        return (_group, _groupBalances());
    }

    /// @inheritdoc IInsuranceFund
    function deficit() external view returns (uint256 total) {
        if (_overdrawn.length != 0) (, total) = _deficits();
    }

    /// @inheritdoc IInsuranceFund
    function deficits() external view returns (uint16[] memory pools, uint256[] memory parts) {
        pools = _overdrawn;
        (parts,) = _deficits();
    }

    /// @inheritdoc IInsuranceFund
    function staking(uint16 id) external view returns (address shares, uint96 cap, uint32 cooldown) {
        Pool storage staked = _pools[id];
        return (staked.shares, staked.cap, staked.cooldown);
    }

    /// @inheritdoc IInsuranceFund
    function assetsOf(uint16 id) external view returns (uint256) {
        return _assetsOf(id);
    }

    /// @inheritdoc IInsuranceFund
    function entryAssetsOf(uint16 id) external view returns (uint256) {
        return _entryAssetsOf(id);
    }

    /// @inheritdoc IInsuranceFund
    function checkStake(uint16 id) external view {
        _checkPool(id);
        _checkStake(id, _survey(id));
    }

    /// @inheritdoc IInsuranceFund
    function maxStake(uint16 id) external view returns (uint256) {
        try this.checkStake(id) {
            (int256 balance,) = _balanceOf(id);
            return _roomOf(id, balance);
        } catch {
            return 0;
        }
    }

    /// @inheritdoc IInsuranceFund
    function checkExit(uint16 id, uint256 amount) external view {
        _checkPool(id);
        _checkExit(id, amount);
    }

    /// @inheritdoc IInsuranceFund
    function mayExit(uint16 id, uint256 amount) external view returns (bool) {
        try this.checkExit(id, amount) {
            return true;
        } catch {
            return false;
        }
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
    function claim(uint16 id) external view returns (int256) {
        return _claim(id);
    }

    /// @inheritdoc IInsuranceFund
    function exchange() external view returns (IExchange) {
        return _exchange;
    }

    /// @inheritdoc IInsuranceFund
    function priceFeed() external view returns (IPriceFeed) {
        return _priceFeed;
    }

    /// @inheritdoc IInsuranceFund
    function engine() external view returns (address) {
        return _engine;
    }

    // ------------------------------------------------------------------ internal

    /// @dev What of a fee a pool takes until its balance is at its cap; below it while its cash is, whatever its inventory loses.
    function _takenUnderCap(uint16 poolId, uint256 amount) private view returns (uint256) {
        uint256 cap = _pools[poolId].cap;
        if (cap == type(uint96).max || int256(_pools[poolId].cash) + int256(amount) <= int256(cap)) return amount;
        (int256 balance,) = _balanceOf(poolId);
        uint256 room = uint256((int256(cap) - balance).max(0));
        return amount < room ? amount : room;
    }

    /// @dev What brings the market down to its target, shared over its losing inventories by loss; the short one is the last.
    function _drawdownCompensation(uint16 market, Side side, Backing memory state) private view returns (uint256) {
        uint256 allowed = _books[market].target * state.base / WadMath.UWAD;
        if (state.loss <= allowed) return 0;
        uint256 due = state.loss - allowed;
        if (state.shortLoss == 0) return due;
        uint256 longShare = Math.mulDiv(due, state.longLoss, state.longLoss + state.shortLoss);
        return side == Side.Long ? longShare : due - longShare;
    }

    /// @dev What brings the pool to zero, shared over its losing inventories by loss; the last of them takes the remainder.
    function _depletionCompensation(uint16 market, Side side, Survey memory s) private pure returns (uint256) {
        uint256[] memory losses = s.losses;
        uint256 due = uint256(-s.backed);
        uint256 total;
        uint256 last;
        for (uint256 i; i < losses.length; ++i) {
            total += losses[i];
            if (losses[i] != 0) last = i;
        }
        uint256 shared;
        for (uint256 i; i < losses.length; ++i) {
            uint256 part = i == last ? due - shared : Math.mulDiv(due, losses[i], total);
            shared += part;
            if (s.markets[i / 2] == market && (i % 2 == 0) == (side == Side.Long)) return part;
        }
        return 0;
    }
}
