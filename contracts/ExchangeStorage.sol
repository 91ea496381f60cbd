// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {PositionMath} from "./libraries/PositionMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Market} from "./types/Market.sol";
import {Position} from "./types/Position.sol";

/// @title State of the exchange, and what its two halves share
/// @notice `Exchange` is what users call; `SolvencyModule` runs in its storage by delegatecall and carries what would not fit
/// into 24,576 bytes. Both inherit this contract first, so the layout is one.
abstract contract ExchangeStorage {
    using SafeCast for int256;
    using SafeCast for uint256;
    using WadMath for int256;

    IERC20Metadata internal immutable _token;
    IPriceFeed internal immutable _priceFeed;
    uint256 internal immutable _tokenScale;

    mapping(AccountId account => mapping(uint16 market => Position)) internal _positions;
    mapping(uint16 market => Market) internal _markets;
    mapping(uint16 market => AccountId[]) internal _accounts;
    mapping(bytes32 order => uint256) internal _filled;
    mapping(address owner => uint64) internal _orderEpoch;
    mapping(bytes32 name => bool) internal _nameTaken;
    address internal _engine;
    uint64 internal _backstopRatio;
    IInsuranceFund internal _fund;
    uint16 internal _marketCount;

    constructor(IERC20Metadata collateral, IPriceFeed feed) {
        uint8 decimals = collateral.decimals();
        if (decimals > 18) revert IExchange.TokenDecimalsUnsupported(decimals);
        _token = collateral;
        _priceFeed = feed;
        _tokenScale = 10 ** (18 - decimals);
    }

    /// @dev Enters an account into the list of its market, the first time that it is touched.
    function _enlist(AccountId account, uint16 marketId, Position storage held) internal {
        if (held.riskBlock != 0) return;
        _accounts[marketId].push(account);
        held.riskBlock = uint40(block.number);
    }

    /// @dev Moves `(sizeChange, value)` onto a position; see `PositionMath`.
    /// @return longChange Change of the position's long contracts, WAD.
    function _take(Position storage held, int256 sizeChange, int256 value) internal returns (int256 longChange) {
        int256 size = held.size;
        int256 entry = held.entryNotional;
        int256 sizeAfter = size + sizeChange;
        int256 entryAfter = PositionMath.entryAfter(size, entry, sizeChange, value);
        bool raisesRisk = size == 0 || (size > 0) == (sizeChange > 0) || (size > 0) != (sizeAfter > 0);
        int112 newMargin = (int256(held.margin) - value - (entry - entryAfter)).toInt112();
        (held.size, held.entryNotional) = (sizeAfter.toInt112(), entryAfter.toInt112());
        held.margin = newMargin;
        if (raisesRisk && sizeAfter != 0) held.riskBlock = uint40(block.number);
        return (sizeAfter > 0 ? sizeAfter : int256(0)) - (size > 0 ? size : int256(0));
    }

    /// @dev A trade of an account: `_take`, and the margin rules that hold for whoever trades of their own will.
    /// @param reduceOnly The trade may only bring the position nearer to zero.
    function _trade(AccountId account, uint16 marketId, uint256 mark, int256 change, int256 value, bool reduceOnly)
        internal
        returns (int256 longChange)
    {
        Position storage held = _positions[account][marketId];
        (int256 equity, uint256 maintenanceMargin) = _state(held, mark, _markets[marketId].maintenanceMarginFraction);
        int256 size = held.size;
        if (size != 0 && equity <= 0) revert IExchange.AccountBankrupt(account, equity);
        bool reduces = (size > 0) != (change > 0) && change.abs() <= size.abs();
        if (reduceOnly && !reduces) revert IExchange.OrderNotReducing(account, size, change);
        // A price far enough from mark lets an account that never deposited meet its margin.
        _enlist(account, marketId, held);

        longChange = _take(held, change, value);

        if (reduces) _checkReduced(account, marketId, mark, equity, maintenanceMargin);
        else _checkInitialMargin(account, marketId, mark);
    }

    /// @dev After a trade that only reduces: not negative, and unless flat the margin rate is no worse than before.
    function _checkReduced(AccountId account, uint16 marketId, uint256 mark, int256 equityBefore, uint256 marginBefore)
        private
        view
    {
        Position storage held = _positions[account][marketId];
        (int256 equity, uint256 maintenanceMargin) = _state(held, mark, _markets[marketId].maintenanceMarginFraction);
        if (equity < 0) revert IExchange.EquityNegative(account, equity);
        if (held.size == 0) return;
        // MM'/E' <= MM/E, both equities positive.
        if (equity == 0 || int256(maintenanceMargin) * equityBefore > int256(marginBefore) * equity) {
            revert IExchange.MarginRateWorse(account, equity, maintenanceMargin);
        }
    }

    function _checkInitialMargin(AccountId account, uint16 marketId, uint256 mark) private view {
        Position storage held = _positions[account][marketId];
        int256 equity = MarginMath.equity(held.size, held.entryNotional, held.margin, mark);
        uint256 required = MarginMath.requirementUp(held.size, mark, _markets[marketId].initialMarginFraction);
        if (equity < int256(required)) revert IExchange.InitialMarginInsufficient(account, equity, required);
    }

    function _moveOpenInterest(uint16 marketId, int256 longChange) internal {
        if (longChange == 0) return;
        Market storage listed = _markets[marketId];
        uint256 openInterest = (int256(uint256(listed.openInterest)) + longChange).toUint256();
        // A pool must be able to take over every position at once.
        if (openInterest > uint256(uint112(type(int112).max))) {
            revert IExchange.OpenInterestTooLarge(marketId, openInterest);
        }
        listed.openInterest = uint128(openInterest);
    }

    /// @dev `E` and `MM` of an isolated account's position at mark.
    function _state(Position memory held, uint256 mark, uint256 maintenanceFraction)
        internal
        pure
        returns (int256 equity, uint256 maintenanceMargin)
    {
        equity = MarginMath.equity(held.size, held.entryNotional, held.margin, mark);
        maintenanceMargin = MarginMath.requirementUp(held.size, mark, maintenanceFraction);
    }

    /// @dev The market of an isolated account, or a revert where it is no such account or the market is not listed.
    function _isolatedMarket(AccountId account) internal view returns (uint16 marketId) {
        if (!account.isWellFormed()) revert IExchange.AccountMalformed(account);
        if (account.isCross()) revert IExchange.AccountCrossUnsupported(account);
        marketId = account.market();
        if (marketId == 0 || marketId > _marketCount) revert IExchange.MarketUnlisted(marketId);
    }
}
