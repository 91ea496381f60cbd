// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {DelegatedModule} from "./DelegatedModule.sol";
import {ExchangeStorage} from "./ExchangeStorage.sol";
import {MarginAccounts} from "./MarginAccounts.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {FundingMath} from "./libraries/FundingMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {Funding, Market, MarketParameters} from "./types/Market.sol";
import {Item, Trigger} from "./types/Pool.sol";

/// @title Markets and what they earn: listing, parameters within hard bounds, the sweeping of fees
contract MarketModule is MarginAccounts, DelegatedModule {
    using SafeCast for int256;
    using SafeCast for uint256;

    uint256 private constant WAD_SQUARED = 1e36;

    /// @notice Bounds of the margin fractions, WAD: leverage of at most 200, `mmf` from 0.1 % and below `imf`.
    uint64 public constant MIN_INITIAL_MARGIN_FRACTION = 0.005e18;
    uint64 public constant MAX_INITIAL_MARGIN_FRACTION = 1e18;
    uint64 public constant MIN_MAINTENANCE_MARGIN_FRACTION = 0.001e18;
    /// @notice Most that a fill may cost either side, WAD fraction of the notional.
    uint64 public constant MAX_TRADING_FEE = 0.01e18;
    /// @notice Most that a liquidator's discount, and the pool's fee, may be of the notional.
    uint64 public constant MAX_LIQUIDATION_FRACTION = 0.05e18;
    /// @notice Narrowest price band, WAD fraction of mark.
    uint64 public constant MIN_PRICE_BAND = 0.001e18;
    /// @notice Most that a fill's premium may count for funding, WAD fraction of mark; and at most half of `mmf`.
    uint64 public constant MAX_FUNDING_CAP = 0.01e18;
    /// @notice Bounds of the takeover threshold, WAD.
    uint64 public constant MIN_BACKSTOP_RATIO = 0.1e18;
    uint64 public constant MAX_BACKSTOP_RATIO = 0.9e18;
    /// @notice Bounds of the margin rate from which an account may be flagged, WAD.
    uint64 public constant MIN_WARNING_RATE = 0.1e18;
    uint64 public constant MAX_WARNING_RATE = 1e18;

    /// @notice Between the end of a market and the settlement of its positions, seconds: for takeovers and rounds.
    uint40 public constant SETTLEMENT_DELAY = 1 days;

    constructor(IERC20Metadata collateral, IPriceFeed feed) ExchangeStorage(collateral, feed) {}

    // ------------------------------------------------------------------ markets

    /// @notice See `IExchange.listMarket`.
    function listMarket(bytes32 name, uint16 pool, MarketParameters calldata parameters)
        external
        onlyDelegatecall
        returns (uint16 id)
    {
        if (address(_fund) == address(0)) revert IExchange.NotWired();
        if (name == bytes32(0)) revert IExchange.MarketNameEmpty();
        if (_nameTaken[name]) revert IExchange.MarketNameTaken(name);
        _nameTaken[name] = true;
        id = ++_marketCount;
        Market storage listed = _markets[id];
        (listed.name, listed.pool) = (name, pool);
        listed.funding.hour = FundingMath.hourOf(block.timestamp);
        emit IExchange.MarketListed(id, name, pool);
        _set(id, parameters);
        listed.isolatedOnly = _fund.assignMarket(id, pool);
    }

    /// @notice See `IExchange.setParameters`.
    function setParameters(uint16 id, MarketParameters calldata parameters) external onlyDelegatecall {
        _checkListed(id);
        _checkOpen(id);
        _accrue(id);
        _sweep(id);
        _set(id, parameters);
        (Trigger reason, uint8 stress,) = _fund.seen(id);
        _applyStress(id, stress, reason != Trigger.None);
    }

    /// @notice See `IExchange.moveMarket`.
    function moveMarket(uint16 id, uint16 pool) external onlyDelegatecall {
        _checkListed(id);
        Market storage listed = _markets[id];
        // Who bears what its positions lack was settled when they were opened.
        if (listed.openInterest != 0) _checkOpen(id);
        if (listed.crossHolders != 0) revert IExchange.MarketHeldInCross(id, listed.crossHolders);
        _accrue(id);
        _sweep(id);
        listed.pool = pool;
        emit IExchange.MarketMoved(id, pool);
        listed.isolatedOnly = _fund.moveMarket(id, pool);
    }

    /// @notice See `IExchange.closeMarket`.
    function closeMarket(uint16 id, uint256 lowest, uint256 highest) external onlyDelegatecall {
        _checkListed(id);
        _checkOpen(id);
        _accrue(id);
        _sweep(id);
        Market storage listed = _markets[id];
        // The index stands from now on, so that it is the same for all whenever they are settled.
        (listed.funding.premium, listed.funding.volume, listed.funding.cap) = (0, 0, 0);
        // Nor does any drawdown change what its positions ask for, or give it a band again.
        (listed.priceBand, listed.calmBand, listed.stressBand) = (0, 0, 0);
        (listed.initialMarginFraction, listed.initialMarginStep) = (listed.calmMarginFraction, 0);
        uint40 settlesAt = uint40(block.timestamp) + SETTLEMENT_DELAY;
        _settlesAt[id] = settlesAt;
        uint256 price = _priceFeed.fix(id);
        if (price < lowest || price > highest) revert IExchange.FinalPriceOutsideBounds(id, price, lowest, highest);
        emit IExchange.MarketEnded(id, price, settlesAt);
    }

    /// @notice See `IExchange.applyStress`.
    function applyStress(uint16 id, uint8 stress, bool adlOn) external onlyDelegatecall {
        if (msg.sender != address(_fund)) revert IExchange.CallerNotFund(msg.sender);
        _applyStress(id, stress, adlOn);
    }

    /// @dev What a trade reads of a market are the fractions in force. Nobody's maintenance margin moves.
    function _applyStress(uint16 id, uint256 stress, bool adlOn) private {
        Market storage listed = _markets[id];
        uint256 fraction = listed.calmMarginFraction + stress * listed.initialMarginStep;
        if (fraction > MAX_INITIAL_MARGIN_FRACTION) fraction = MAX_INITIAL_MARGIN_FRACTION;
        uint64 band = adlOn && listed.stressBand != 0 ? listed.stressBand : listed.calmBand;
        if (listed.initialMarginFraction == fraction && listed.priceBand == band) return;
        (listed.initialMarginFraction, listed.priceBand) = (uint64(fraction), band);
        emit IExchange.StressApplied(id, uint8(stress), uint64(fraction), band);
    }

    function _set(uint16 id, MarketParameters calldata p) private {
        _checkMargin(p);
        _checkTrading(p);
        Market storage listed = _markets[id];
        (listed.initialMarginFraction, listed.calmMarginFraction) = (p.initialMarginFraction, p.initialMarginFraction);
        if (listed.maintenanceMarginFraction != p.maintenanceMarginFraction) {
            listed.maintenanceMarginFraction = p.maintenanceMarginFraction;
            uint64 version = ++_maintenanceFractions[id][0];
            _maintenanceFractions[id][version] = p.maintenanceMarginFraction;
        }
        // Bounded far below 56 bits.
        (listed.liquidationDiscount, listed.liquidationFee) = (uint56(p.liquidationDiscount), uint56(p.liquidationFee));
        (listed.makerFee, listed.takerFee) = (uint56(p.makerFee), uint56(p.takerFee));
        listed.maxNotional = p.maxNotional;
        listed.minSize = p.minSize;
        (listed.priceBand, listed.calmBand) = (p.priceBand, p.priceBand);
        (listed.initialMarginStep, listed.stressBand) = (p.initialMarginStep, p.stressBand);
        listed.maxOpenInterest = p.maxOpenInterest;
        listed.poolFeeShare = p.poolFeeShare;
        listed.treasuryFeeShare = p.treasuryFeeShare;
        listed.funding.cap = p.fundingCap;
        emit IExchange.ParametersSet(id, p);
    }

    function _checkMargin(MarketParameters calldata p) private pure {
        (uint64 initialFraction, uint64 maintenanceFraction) = (p.initialMarginFraction, p.maintenanceMarginFraction);
        if (
            initialFraction < MIN_INITIAL_MARGIN_FRACTION || initialFraction > MAX_INITIAL_MARGIN_FRACTION
                || maintenanceFraction < MIN_MAINTENANCE_MARGIN_FRACTION || maintenanceFraction >= initialFraction
        ) revert IExchange.MarginFractionsOutOfBounds(initialFraction, maintenanceFraction);
        if (
            uint256(p.liquidationDiscount) + p.liquidationFee > maintenanceFraction
                || p.liquidationDiscount > MAX_LIQUIDATION_FRACTION || p.liquidationFee > MAX_LIQUIDATION_FRACTION
        ) {
            revert IExchange.LiquidationFractionsOutOfBounds(
                p.liquidationDiscount, p.liquidationFee, maintenanceFraction
            );
        }
    }

    function _checkTrading(MarketParameters calldata p) private pure {
        if (p.makerFee > MAX_TRADING_FEE || p.takerFee > MAX_TRADING_FEE) {
            revert IExchange.TradingFeesOutOfBounds(p.makerFee, p.takerFee);
        }
        if (uint256(p.poolFeeShare) + p.treasuryFeeShare > WadMath.UWAD) {
            revert IExchange.FeeSharesOutOfBounds(p.poolFeeShare, p.treasuryFeeShare);
        }
        bool isBandWrong = p.stressBand != 0 && (p.stressBand < MIN_PRICE_BAND || p.stressBand > p.priceBand);
        if (isBandWrong || p.initialMarginStep > p.initialMarginFraction) {
            revert IExchange.StressParametersOutOfBounds(p.initialMarginStep, p.stressBand);
        }
        if (p.priceBand < MIN_PRICE_BAND) revert IExchange.PriceBandOutOfBounds(p.priceBand);
        // An hour at a constant price leaves whoever met its maintenance margin at least half of it.
        if (p.fundingCap > MAX_FUNDING_CAP || 2 * p.fundingCap > p.maintenanceMarginFraction) {
            revert IExchange.FundingCapOutOfBounds(p.fundingCap, p.maintenanceMarginFraction);
        }
        // A pool must be able to take over every position at once.
        if (p.maxOpenInterest > uint112(type(int112).max)) {
            revert IExchange.MaxOpenInterestOutOfBounds(p.maxOpenInterest);
        }
    }

    // ------------------------------------------------------------------ the exchange

    /// @notice See `IExchange.setBackstopRatio`.
    function setBackstopRatio(uint64 ratio) external onlyDelegatecall {
        if (ratio < MIN_BACKSTOP_RATIO || ratio > MAX_BACKSTOP_RATIO) revert IExchange.BackstopRatioOutOfBounds(ratio);
        _backstopRatio = ratio;
        emit IExchange.BackstopRatioSet(ratio);
    }

    /// @notice See `IExchange.setWarningRate`.
    function setWarningRate(uint64 rate) external onlyDelegatecall {
        if (rate < MIN_WARNING_RATE || rate > MAX_WARNING_RATE) revert IExchange.WarningRateOutOfBounds(rate);
        _warningRate = rate;
        emit IExchange.WarningRateSet(rate);
    }

    /// @notice See `IExchange.setTreasury`.
    function setTreasury(address treasury) external onlyDelegatecall {
        if (treasury == address(0) || treasury == address(this)) revert IExchange.RecipientInvalid(treasury);
        _treasury = treasury;
        emit IExchange.TreasurySet(treasury);
    }

    // ------------------------------------------------------------------ keepers

    /// @notice See `IExchange.rewardKeeper`.
    function rewardKeeper(address keeper, uint16 id, uint256 notional, uint256 wanted)
        external
        onlyDelegatecall
        returns (uint256 paid)
    {
        if (msg.sender != _engine) revert IExchange.CallerNotEngine(msg.sender);
        Market storage listed = _markets[id];
        // What the same notional brings to the budget when it is traded: who deleverages accounts of its own has paid more before.
        uint256 share = WadMath.UWAD - listed.poolFeeShare - listed.treasuryFeeShare;
        uint256 most = Math.mulDiv(notional, (uint256(listed.makerFee) + listed.takerFee) * share, WAD_SQUARED);
        paid = wanted < most ? wanted : most;
        if (paid > _keeperBudget) paid = _keeperBudget;
        if (paid == 0) return 0;
        _keeperBudget -= uint128(paid);
        AccountId account = AccountIds.cross(keeper, 0);
        _enlistCross(account);
        uint256 legs = _cross[account].legs;
        if (legs != 0) _preserveCross(account, uint16(legs));
        _cross[account].margin = (_cross[account].margin + int256(paid)).toInt112();
        emit IExchange.KeeperRewarded(account, id, paid);
    }

    // ------------------------------------------------------------------ funding and fees

    /// @notice See `IExchange.accrue`.
    function accrue(uint16 id) external onlyDelegatecall {
        _checkListed(id);
        _accrue(id);
    }

    /// @notice See `IExchange.sweep`.
    function sweep(uint16 id) external onlyDelegatecall {
        _checkListed(id);
        _sweep(id);
    }

    /// @dev Shares out the fees of a market; the dust of its funding goes to its pool.
    function _sweep(uint16 id) private {
        Market storage listed = _markets[id];
        Funding storage funding = listed.funding;
        (uint256 fees, uint256 dust) = (funding.fees, funding.dust);
        if (fees == 0 && dust == 0) return;
        uint256 toPool = fees * listed.poolFeeShare / WadMath.UWAD;
        uint256 toTreasury = fees * listed.treasuryFeeShare / WadMath.UWAD;
        uint256 toKeepers = fees - toPool - toTreasury;
        funding.pot = (int256(funding.pot) - int256(dust)).toInt112();
        (funding.fees, funding.dust) = (0, 0);
        _keeperBudget = (_keeperBudget + toKeepers).toUint128();
        emit IExchange.FeesSwept(id, toPool, toTreasury, toKeepers, dust);
        if (dust != 0) _fund.creditDust(id, dust);
        if (toPool != 0) _creditFee(id, Item.TradingFee, toPool);
        if (toTreasury != 0) _creditTreasury(toTreasury);
    }

    /// @notice See `IExchange.collect`.
    function collect(uint256 amount) external onlyDelegatecall {
        if (msg.sender != _treasury) revert IExchange.CallerNotTreasury(msg.sender);
        uint256 scaled = amount * _tokenScale;
        if (amount == 0) revert IExchange.AmountZero();
        if (scaled > _treasuryBalance) revert IExchange.TreasuryExceeded(scaled, _treasuryBalance);
        _treasuryBalance -= uint128(scaled);
        emit IExchange.TreasuryCollected(msg.sender, amount);
        _pay(msg.sender, amount);
    }
}
