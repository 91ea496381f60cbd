// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ExchangeStorage} from "./ExchangeStorage.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {LiquidationMath} from "./libraries/LiquidationMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Market, Side} from "./types/Market.sol";
import {Position} from "./types/Position.sol";
import {Fill} from "./types/Round.sol";

/// @title The exchange's second half: what changes a position without its owner's signature
/// @notice Runs only by delegatecall from `Exchange`, whose immutable it is and whose reentrancy lock it runs under. It has no
/// storage of its own, and called directly it reverts.
contract SolvencyModule is ExchangeStorage {
    using SafeCast for int256;
    using SafeCast for uint256;
    using WadMath for int256;

    address private immutable _self;

    constructor(IERC20Metadata collateral, IPriceFeed feed) ExchangeStorage(collateral, feed) {
        _self = address(this);
    }

    modifier onlyDelegatecall() {
        if (address(this) == _self) revert IExchange.OnlyByDelegatecall();
        _;
    }

    /// @notice See `IExchange.liquidate`.
    function liquidate(AccountId account, AccountId liquidator, uint256 maxContracts)
        external
        onlyDelegatecall
        returns (uint256 closed)
    {
        uint16 marketId = _counterAccounts(account, liquidator);
        Position storage held = _positions[account][marketId];
        int256 size = held.size;
        if (size == 0) revert IExchange.PositionMissing(account);
        Market memory listed = _markets[marketId];
        uint256 mark = _priceFeed.markPrice(marketId);
        (int256 equity, uint256 maintenanceMargin) = _state(held, mark, listed.maintenanceMarginFraction);
        if (equity <= 0 || equity >= int256(maintenanceMargin)) {
            revert IExchange.LiquidationNotDue(account, equity, maintenanceMargin);
        }
        closed = LiquidationMath.contractsToRestore(
            size.abs(),
            mark,
            uint256(equity),
            listed.initialMarginFraction,
            listed.liquidationDiscount + listed.liquidationFee
        );
        if (maxContracts < closed) closed = maxContracts;
        if (closed == 0) revert IExchange.FillZero();
        (uint256 discount, uint256 fee) = LiquidationMath.penalty(
            closed, size.abs(), mark, uint256(equity), listed.liquidationDiscount, listed.liquidationFee
        );
        _liquidate(account, liquidator, mark, size > 0 ? int256(closed) : -int256(closed), discount, fee);
    }

    /// @dev Moves `part` from the account to the liquidator at mark less the discount, and the fee to the market's pool.
    function _liquidate(
        AccountId account,
        AccountId liquidator,
        uint256 mark,
        int256 part,
        uint256 discount,
        uint256 fee
    ) private {
        uint16 marketId = account.market();
        int256 value = part.mulUp(int256(mark)) - int256(discount);
        Position storage held = _positions[account][marketId];
        int256 longChange = _take(held, -part, -value);
        held.margin = (int256(held.margin) - int256(fee)).toInt112();
        longChange += _trade(liquidator, marketId, mark, part, value, false);
        _moveOpenInterest(marketId, longChange);
        emit IExchange.Liquidated(account, liquidator, marketId, part, value, discount, fee, mark);
        if (fee != 0) _fund.creditFee(marketId, fee);
    }

    /// @notice See `IExchange.buyInventory`.
    function buyInventory(AccountId buyer, Side side, uint256 maxContracts, uint256 limitPrice)
        external
        onlyDelegatecall
        returns (uint256 contracts)
    {
        uint16 marketId = _ownMarket(buyer);
        uint256 mark = _priceFeed.markPrice(marketId);
        int256 part;
        int256 value;
        uint256 price;
        (part, value, price) =
            _fund.sell(marketId, side, maxContracts, mark, _markets[marketId].maintenanceMarginFraction);
        if (side == Side.Long ? price > limitPrice : price < limitPrice) {
            revert IExchange.AuctionPriceBeyondLimit(price, limitPrice);
        }
        _moveOpenInterest(marketId, _trade(buyer, marketId, mark, part, value, false) - (part > 0 ? part : int256(0)));
        emit IExchange.InventoryBought(buyer, marketId, part, value, price);
        contracts = part.abs();
    }

    /// @notice See `IExchange.takeOver`.
    function takeOver(AccountId account) external onlyDelegatecall {
        uint16 marketId = _isolatedMarket(account);
        Position storage held = _positions[account][marketId];
        int256 size = held.size;
        if (size == 0) revert IExchange.PositionMissing(account);
        uint256 mark = _priceFeed.markPrice(marketId);
        (int256 equity, uint256 maintenanceMargin) = _state(held, mark, _markets[marketId].maintenanceMarginFraction);
        if (equity * 1e18 > int256(maintenanceMargin * _backstopRatio)) {
            revert IExchange.TakeoverNotDue(account, equity, maintenanceMargin);
        }

        // All of the account's equity is on this leg, so the bankruptcy notional is minus its cash, exactly.
        int256 bankruptcyNotional = int256(held.entryNotional) - held.margin;
        (held.size, held.entryNotional) = (0, 0);
        held.margin = 0;
        emit IExchange.TakenOver(account, marketId, size, bankruptcyNotional, equity, mark);
        _fund.inherit(marketId, size, bankruptcyNotional);
    }

    /// @notice See `IExchange.applyDeleverage`.
    function applyDeleverage(uint16 marketId, Fill[] calldata fills, uint256 netted, uint256 mark)
        external
        onlyDelegatecall
        returns (int256 cashChange)
    {
        if (msg.sender != _engine) revert IExchange.CallerNotEngine(msg.sender);
        uint256 closed = netted;
        for (uint256 i; i < fills.length; ++i) {
            Fill calldata fill = fills[i];
            Position storage held = _positions[fill.account][marketId];
            int256 cash = int256(held.margin) - held.entryNotional;
            _take(held, fill.size, fill.value);
            cashChange += int256(held.margin) - held.entryNotional - cash;
            (int256 equity,) = _state(held, mark, 0);
            if (equity < 0) revert IExchange.SolventMadeInsolvent(fill.account, equity);
            closed += uint256(fill.size < 0 ? -fill.size : fill.size);
        }
        // A long and a short contract disappear together: one in the pool, one with a counterparty (or both in the pool).
        _markets[marketId].openInterest -= closed.toUint128();
    }

    /// @dev The market of an account of the caller.
    function _ownMarket(AccountId account) private view returns (uint16) {
        if (account.owner() != msg.sender) revert IExchange.NotAccountOwner(account, msg.sender);
        return _isolatedMarket(account);
    }

    /// @dev The market of an account and of a liquidator's, which is another account and the caller's.
    function _counterAccounts(AccountId account, AccountId liquidator) private view returns (uint16 marketId) {
        marketId = _isolatedMarket(account);
        if (account == liquidator) revert IExchange.OrderWithSelf(account);
        if (_ownMarket(liquidator) != marketId) revert IExchange.OrderAccountOfOtherMarket(liquidator, marketId);
    }
}
