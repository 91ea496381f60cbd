// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {KeeperBonds} from "./KeeperBonds.sol";
import {Owned} from "./governance/Owned.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {ADLMath} from "./libraries/ADLMath.sol";
import {FundingMath} from "./libraries/FundingMath.sol";
import {LegSet} from "./libraries/LegSet.sol";
import {LeveragedReturn} from "./libraries/LeveragedReturn.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Side} from "./types/Market.sol";
import {CrossAccount, Position} from "./types/Position.sol";
import {Exemption, RewardParameters, RoundParameters, RoundRecord} from "./types/Round.sol";

/// @title Rounds on record, and their challenge; the story is told in `IRoundBook`
contract RoundBook is IRoundBook, KeeperBonds, Owned {
    using SafeERC20 for IERC20Metadata;
    using WadMath for int256;

    /// @notice Bounds of the round parameters. Seconds, WAD and WAD quote.
    uint32 public constant MIN_WINDOW = 10 minutes;
    uint32 public constant MAX_WINDOW = 7 days;
    uint32 public constant MIN_EXEMPT_AGE = 12 seconds;
    uint32 public constant MAX_EXEMPT_AGE = 10 minutes;
    uint64 public constant MIN_TOLERANCE = 0.001e18;
    uint64 public constant MAX_TOLERANCE = 0.5e18;
    uint64 public constant MAX_RETURN_FLOOR = 1e18;
    uint96 public constant MAX_BOND_CAP = 1_000_000e18;
    /// @notice Bounds of the reward parameters. WAD quote and WAD.
    uint96 public constant MAX_FLAT_REWARD = 1_000e18;
    uint64 public constant MAX_REWARD_RATE = 0.01e18;
    uint64 public constant MAX_REWARD_SHARE = 0.5e18;

    IExchange public immutable exchange;
    IInsuranceFund public immutable fund;
    IPriceFeed public immutable priceFeed;

    /// @inheritdoc IRoundBook
    mapping(uint16 market => uint256) public owedToPools;
    mapping(uint256 round => RoundRecord) private _rounds;
    /// @dev Mark (96 bits), funding index (104), version of the maintenance margin fraction (56).
    mapping(uint256 prices => mapping(uint16 market => uint256)) private _prices;
    mapping(uint16 market => MarketRounds) private _marketRounds;
    mapping(uint256 round => mapping(AccountId account => bool)) private _proven;
    /// @dev A ring: no window lasts so long that it holds 256 changes behind a timelock.
    mapping(uint8 version => RoundParameters) private _parameters;
    uint8 private _version;
    RewardParameters private _reward;

    /// @dev The rounds of a market in sum: the last record of prices; until when any of them may be challenged; and the most that one of
    /// those took for a contract, `|p_adl - mark|`.
    struct MarketRounds {
        uint32 prices;
        uint40 openUntil;
        uint184 harshest;
    }

    /// @dev An account as of a round.
    struct Then {
        int256 size;
        int256 uPnL;
        int256 entryNotional;
        int256 equity;
        uint256 maintenanceMargin;
        uint256 mark;
        uint256 riskTime;
    }

    constructor(IExchange exchange_, IInsuranceFund fund_, IPriceFeed feed, address initialOwner)
        KeeperBonds(IERC20Metadata(exchange_.token()), exchange_.tokenScale())
        Owned(initialOwner)
    {
        (exchange, fund, priceFeed) = (exchange_, fund_, feed);
        // What is slashed for a pool is pulled by the fund or the exchange.
        _token.forceApprove(address(fund_), type(uint256).max);
        _setRoundParameters(RoundParameters(1 hours, 120, 0.05e18, 0.01e18, 100e18, 100_000e18));
        _setRewardParameters(RewardParameters(5e18, 0.0001e18, 0.05e18));
    }

    // ------------------------------------------------------------------ challenge

    /// @inheritdoc IRoundBook
    function challenge(uint256 round, AccountId account, uint32[] calldata hints)
        external
        nonReentrant
        returns (uint256 penalty)
    {
        RoundRecord memory r = _recordOf(round);
        uint256 openUntil = _openUntil(r);
        if (block.timestamp > openUntil) revert RoundClosed(round, openUntil);
        if (_proven[round][account]) revert AlreadyProven(round, account);
        if (r.bond == 0) revert RoundBondSpent(round);
        (Exemption reason, int256 leveragedReturn, uint256 spared) = _omission(round, r, account, hints);
        if (reason != Exemption.None) revert NotAnOmission(round, account, reason);

        _proven[round][account] = true;
        penalty = _wholeQuarters(Math.max(2 * spared, _parameters[r.parameters].minPenalty));
        // A bond consists of whole quarters too.
        if (penalty > r.bond) penalty = r.bond;
        _rounds[round].bond = r.bond - uint96(penalty);
        _slash(r.keeper, penalty);
        _claimable[msg.sender] += penalty / 4;
        _claimable[r.cutoffAccount.owner()] += penalty / 4;
        emit OmissionProven(round, account, msg.sender, leveragedReturn, spared, penalty);
        owedToPools[r.market] += penalty / 2;
    }

    /// @inheritdoc IRoundBook
    function payPool(uint16 market) external nonReentrant returns (uint256 paid) {
        paid = owedToPools[market] / _tokenScale;
        if (paid == 0) revert NothingOwed(market);
        delete owedToPools[market];
        fund.contribute(exchange.market(market).pool, 0, paid);
    }

    /// @inheritdoc IRoundBook
    function omission(uint256 round, AccountId account)
        external
        view
        returns (Exemption reason, int256 leveragedReturn, uint256 spared)
    {
        return _omission(round, _recordOf(round), account, new uint32[](0));
    }

    /// @inheritdoc IRoundBook
    function kept(uint256 round, AccountId account) external view returns (uint32[] memory ids) {
        _recordOf(round);
        ids = new uint32[](17);
        uint256 count;
        uint256 legs = account.market();
        if (account.isCross()) {
            CrossAccount memory cross;
            (cross, ids[count++]) = exchange.crossAccountAsOf(account, uint32(round), 0);
            legs = cross.legs;
        }
        for (; legs != 0; legs >>= 16) {
            (, ids[count++]) = exchange.positionAsOf(account, uint16(legs), uint32(round), 0);
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
    }

    function _omission(uint256 round, RoundRecord memory r, AccountId account, uint32[] memory hints)
        private
        view
        returns (Exemption reason, int256 leveragedReturn, uint256 spared)
    {
        Then memory then = _then(uint32(round), r, account, hints);
        if (then.size == 0) return (Exemption.Flat, 0, 0);
        if ((then.size > 0) == (r.side == Side.Long)) return (Exemption.InventorySide, 0, 0);
        if (then.equity <= 0) return (Exemption.Bankrupt, 0, 0);
        leveragedReturn = LeveragedReturn.score(then.uPnL, then.entryNotional, then.equity, then.maintenanceMargin);
        uint256 contracts = Math.min(then.size.abs(), r.contracts);
        spared = Math.mulDiv(contracts, (r.price - int256(then.mark)).abs(), WadMath.UWAD, Math.Rounding.Ceil);
        RoundParameters memory p = _parameters[r.parameters];
        if (ADLMath.isInsolventAt(r.price, then.size, then.equity, then.mark)) {
            reason = Exemption.InsolventAtAdlPrice;
        } else if (then.riskTime + p.exemptAge > r.time) {
            reason = Exemption.RaisedRisk;
        } else if (!r.secondPass && !_isAbove(leveragedReturn, r.cutoffReturn, p)) {
            reason = Exemption.RankedBelow;
        }
    }

    /// @dev `LR > cutoff + tolerance * max(|cutoff|, floor)`. A cutoff at the upper bound of its type may have been beyond it.
    function _isAbove(int256 leveragedReturn, int104 cutoff, RoundParameters memory p) private pure returns (bool) {
        if (cutoff == type(int104).max) return false;
        uint256 scale = Math.max(int256(cutoff).abs(), p.returnFloor);
        return leveragedReturn > cutoff + int256(Math.ceilDiv(scale * p.tolerance, WadMath.UWAD));
    }

    /// @dev The account as the round found it, at the round's prices: what scoring had computed. Flat where it is not in the market.
    function _then(uint32 round, RoundRecord memory r, AccountId account, uint32[] memory hints)
        private
        view
        returns (Then memory then)
    {
        if (!account.isWellFormed()) return then;
        uint256 legs = account.market();
        uint256 next;
        if (account.isCross()) {
            (CrossAccount memory cross,) = exchange.crossAccountAsOf(account, round, _hint(hints, next++));
            (then.equity, then.riskTime, legs) = (cross.margin, cross.riskTime, cross.legs);
            // Of markets that it does not share a pool with the round has no prices.
            if (!LegSet.has(legs, r.market)) return then;
        } else if (legs != r.market) {
            return then;
        }
        for (; legs != 0; legs >>= 16) {
            uint16 market = uint16(legs);
            uint32 hint = _hint(hints, next++);
            (Position memory held,) = exchange.positionAsOf(account, market, round, hint);
            if (market == r.market) (then.size, then.entryNotional) = (held.size, held.entryNotional);
            // Nothing is kept there, or what is kept is of the round that closed the leg.
            else if (held.size == 0) revert IExchange.HintWrong(account, round, hint);
            if (!account.isCross()) (then.equity, then.riskTime) = (held.margin, held.riskTime);
            _addLeg(then, r.prices, market, held);
        }
        if (hints.length != 0 && hints.length != next) revert HintsMiscounted(account, hints.length, next);
        (then.mark,,) = _unpack(r.prices, r.market);
        then.uPnL = MarginMath.valueDown(then.size, then.mark) - then.entryNotional;
    }

    function _addLeg(Then memory then, uint32 prices, uint16 market, Position memory held) private view {
        (uint256 mark, int256 index, uint256 version) = _unpack(prices, market);
        int256 funding = FundingMath.payment(held.size, index - held.fundingIndex);
        then.equity += MarginMath.valueDown(held.size, mark) - held.entryNotional - funding;
        then.maintenanceMargin += MarginMath.requirementUp(
            held.size, mark, exchange.maintenanceMarginFractionOf(market, version)
        );
    }

    function _hint(uint32[] memory hints, uint256 place) private pure returns (uint32) {
        return place < hints.length ? hints[place] : 0;
    }

    // ------------------------------------------------------------------ recording

    /// @inheritdoc IRoundBook
    function open(uint32 round, RoundRecord memory r, uint16[] calldata markets, uint256 mark, uint256 compensation)
        external
        returns (uint256 openUntil, bool keepsClosed)
    {
        if (msg.sender != exchange.engine()) revert CallerNotEngine(msg.sender);
        RoundParameters memory p = _parameters[_version];
        (r.time, r.parameters) = (uint40(block.timestamp), _version);
        uint256 required = Math.min(Math.max(2 * Math.min(compensation, MAX_BOND_CAP), p.minPenalty), p.bondCap);
        r.bond = uint96(_wholeQuarters(required));
        MarketRounds memory sum = _marketRounds[r.market];
        sum.prices = r.prices = _recordPrices(round, sum.prices, r.market, markets, mark);
        _rounds[round] = r;
        _reserve(r.keeper, round, r.bond);
        openUntil = _openUntil(r);
        keepsClosed = _enter(sum, uint184((r.price - int256(mark)).abs()), openUntil, p.tolerance);
        _marketRounds[r.market] = sum;
        emit RoundOpened(round, r.prices, r.bond, r.cutoffAccount, r.cutoffReturn, r.secondPass, openUntil);
    }

    /// @dev Who is closed whole makes up for the open rounds before, unless one of those took clearly more for a contract.
    /// @return isMilder That it did.
    function _enter(MarketRounds memory sum, uint184 taken, uint256 openUntil, uint256 tolerance)
        private
        view
        returns (bool isMilder)
    {
        if (block.timestamp > sum.openUntil) sum.harshest = 0;
        isMilder = taken < Math.mulDiv(sum.harshest, WadMath.UWAD - tolerance, WadMath.UWAD);
        if (taken > sum.harshest) sum.harshest = taken;
        if (openUntil > sum.openUntil) sum.openUntil = uint40(openUntil);
    }

    /// @dev Writes down what the round goes by, unless the last record of the market says the same.
    function _recordPrices(uint32 round, uint32 last, uint16 own, uint16[] calldata markets, uint256 mark)
        private
        returns (uint32 prices)
    {
        uint256[] memory packed = new uint256[](markets.length);
        prices = last;
        bool isSame = prices != 0;
        for (uint256 i; i < markets.length; ++i) {
            uint16 market = markets[i];
            uint256 priced = mark;
            if (market != own) (priced,) = priceFeed.markOrLast(market);
            packed[i] = priced | uint256(uint104(int104(exchange.fundingIndex(market)))) << 96
                | exchange.maintenanceVersion(market) << 200;
            if (isSame) isSame = _prices[prices][market] == packed[i];
        }
        if (isSame) return prices;
        for (uint256 i; i < markets.length; ++i) {
            _prices[round][markets[i]] = packed[i];
        }
        return round;
    }

    function _unpack(uint256 prices, uint16 market) private view returns (uint256 mark, int256 index, uint256 version) {
        uint256 packed = _prices[prices][market];
        return (uint96(packed), int104(uint104(packed >> 96)), packed >> 200);
    }

    function _recordOf(uint256 round) private view returns (RoundRecord memory r) {
        r = _rounds[round];
        if (r.keeper == address(0)) revert RoundUnknown(round);
    }

    function _openUntil(RoundRecord memory r) private view returns (uint256) {
        return r.time + _parameters[r.parameters].window;
    }

    /// @dev Rounded up so that a half and a quarter of it are whole token units.
    function _wholeQuarters(uint256 amount) private view returns (uint256) {
        uint256 unit = 4 * _tokenScale;
        return Math.ceilDiv(amount, unit) * unit;
    }

    function _isClosed(uint32 round) internal view override returns (bool) {
        return block.timestamp > _openUntil(_rounds[round]);
    }

    function _bondOf(uint32 round) internal view override returns (uint96) {
        return _rounds[round].bond;
    }

    function _takeBond(uint32 round) internal override returns (uint96 left) {
        left = _rounds[round].bond;
        _rounds[round].bond = 0;
    }

    function _window() internal view override returns (uint256) {
        return _parameters[_version].window;
    }

    // ------------------------------------------------------------------ parameters

    /// @inheritdoc IRoundBook
    function setRoundParameters(RoundParameters calldata parameters) external onlyOwner {
        _setRoundParameters(parameters);
    }

    /// @inheritdoc IRoundBook
    function setRewardParameters(RewardParameters calldata parameters) external onlyOwner {
        _setRewardParameters(parameters);
    }

    function _setRoundParameters(RoundParameters memory p) private {
        if (
            p.window < MIN_WINDOW || p.window > MAX_WINDOW || p.exemptAge < MIN_EXEMPT_AGE
                || p.exemptAge > MAX_EXEMPT_AGE || p.tolerance < MIN_TOLERANCE || p.tolerance > MAX_TOLERANCE
                || p.returnFloor > MAX_RETURN_FLOOR || p.bondCap > MAX_BOND_CAP || p.minPenalty == 0
                || p.minPenalty > p.bondCap
        ) revert RoundParametersOutOfBounds(p);
        unchecked {
            _parameters[++_version] = p;
        }
        emit RoundParametersSet(p);
    }

    function _setRewardParameters(RewardParameters memory p) private {
        if (p.flat > MAX_FLAT_REWARD || p.rate > MAX_REWARD_RATE || p.share > MAX_REWARD_SHARE) {
            revert RewardParametersOutOfBounds(p);
        }
        _reward = p;
        emit RewardParametersSet(p);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IRoundBook
    function roundParameters() external view returns (RoundParameters memory) {
        return _parameters[_version];
    }

    /// @inheritdoc IRoundBook
    function roundParametersOf(uint8 version) external view returns (RoundParameters memory) {
        return _parameters[version];
    }

    /// @inheritdoc IRoundBook
    function rewardParameters() external view returns (RewardParameters memory) {
        return _reward;
    }

    /// @inheritdoc IRoundBook
    function roundRecord(uint256 round) external view returns (RoundRecord memory) {
        return _rounds[round];
    }

    /// @inheritdoc IRoundBook
    function pricesOf(uint256 prices, uint16 market)
        external
        view
        returns (uint256 mark, int256 fundingIndex, uint256 maintenanceFraction)
    {
        uint256 version;
        (mark, fundingIndex, version) = _unpack(prices, market);
        if (version != 0) maintenanceFraction = exchange.maintenanceMarginFractionOf(market, version);
    }
}
