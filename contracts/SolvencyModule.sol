// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ExchangeStorage} from "./ExchangeStorage.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {AccountId} from "./types/AccountId.sol";
import {Position} from "./types/Position.sol";
import {Fill} from "./types/Round.sol";

/// @title The exchange's second half: what changes a position without its owner's signature
/// @notice Runs only by delegatecall from `Exchange`, whose immutable it is and whose reentrancy lock it runs under. It has no
/// storage of its own, and called directly it reverts.
contract SolvencyModule is ExchangeStorage {
    using SafeCast for int256;
    using SafeCast for uint256;

    address private immutable _self;

    constructor(IERC20Metadata collateral, IPriceFeed feed) ExchangeStorage(collateral, feed) {
        _self = address(this);
    }

    modifier onlyDelegatecall() {
        if (address(this) == _self) revert IExchange.OnlyByDelegatecall();
        _;
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
}
