// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {DelegatedModule} from "./DelegatedModule.sol";
import {ExchangeStorage} from "./ExchangeStorage.sol";
import {MarginAccounts} from "./MarginAccounts.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {BankruptcyMath} from "./libraries/BankruptcyMath.sol";
import {LiquidationMath} from "./libraries/LiquidationMath.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {PositionSlots} from "./libraries/PositionSlots.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Market, Side} from "./types/Market.sol";
import {Bequest, Item, Trigger} from "./types/Pool.sol";
import {Health, Position} from "./types/Position.sol";
import {Execution, Fill} from "./types/Round.sol";

/// @title What changes a position without its owner's signature: liquidation, takeover, the fills of a round; and inventory sales
contract SolvencyModule is MarginAccounts, DelegatedModule {
    using SafeCast for int256;
    using SafeCast for uint256;
    using WadMath for int256;

    /// @dev What a liquidation closes, and what its owner pays for it to the liquidator and to the pool.
    struct Closing {
        uint256 contracts;
        uint256 discount;
        uint256 fee;
    }

    /// @dev An account that is taken over, leg by leg.
    struct Estate {
        uint16[] markets;
        uint256[] marks;
        Position[] held;
        int256[] uPnL;
        uint256[] maintenance;
        int256 equity;
        uint256 maintenanceMargin;
    }

    constructor(IERC20Metadata collateral, IPriceFeed feed) ExchangeStorage(collateral, feed) {}

    // ------------------------------------------------------------------ liquidation

    /// @notice See `IExchange.liquidate`.
    function liquidate(AccountId account, uint16 marketId, AccountId liquidator, uint256 maxContracts)
        external
        onlyDelegatecall
        returns (uint256 closed)
    {
        _checkHolds(account, marketId);
        _checkOpen(marketId);
        _checkOwn(liquidator, marketId);
        if (account == liquidator) revert IExchange.LiquidationOfSelf(account);
        uint256 mark = _priceFeed.accept(marketId);
        Leg memory leg = _open(account, marketId, mark, _accrue(marketId));
        if (leg.held.size == 0) revert IExchange.PositionMissing(account);
        Health memory sum = _health(leg);
        uint256 maintenanceMargin = sum.maintenanceMargin;
        _leaveOutClosed(sum, account);
        if (sum.equity <= 0 || sum.equity >= int256(sum.maintenanceMargin)) {
            revert IExchange.LiquidationNotDue(account, sum.equity, sum.maintenanceMargin);
        }
        Closing memory closing = _closingOf(leg, sum, maintenanceMargin, maxContracts);
        _liquidate(leg, liquidator, closing);
        return closing.contracts;
    }

    /// @dev Takes the legs of closed markets out of the margin that a liquidation is judged and sized by: nothing moves there any more.
    function _leaveOutClosed(Health memory sum, AccountId account) private view {
        for (uint256 legs = _legsOf(account); legs != 0; legs >>= 16) {
            Market storage listed = _markets[uint16(legs)];
            if (listed.priceBand != 0) continue;
            int256 size = _positions[account][uint16(legs)].size;
            uint256 mark = _priceFeed.markPrice(uint16(legs));
            sum.maintenanceMargin -= MarginMath.requirementUp(size, mark, listed.maintenanceMarginFraction);
            sum.initialMargin -= MarginMath.requirementUp(size, mark, listed.initialMarginFraction);
        }
    }

    /// @dev How much of the leg is closed, and what that costs its owner: by the part of the equity that a takeover of all legs would give
    /// it, so that the price is not beyond the bankruptcy price.
    function _closingOf(Leg memory leg, Health memory sum, uint256 maintenanceMargin, uint256 maxContracts)
        private
        view
        returns (Closing memory closing)
    {
        Market storage listed = _markets[leg.market];
        uint256 contracts = int256(leg.held.size).abs();
        uint256 minSize = listed.minSize;
        uint256 closed = LiquidationMath.contractsToRestore(
            contracts,
            leg.mark,
            sum.initialMargin - uint256(sum.equity),
            listed.initialMarginFraction,
            uint256(listed.liquidationDiscount) + listed.liquidationFee
        );
        // What would be left too small is closed with the rest.
        if (contracts - closed < minSize) closed = contracts;
        if (maxContracts < closed) closed = maxContracts;
        if (closed == 0) revert IExchange.FillZero();
        if (closed != contracts && contracts - closed < minSize) {
            revert IExchange.PositionTooSmall(leg.account, contracts - closed, minSize);
        }
        closing.contracts = closed;
        uint256 maintenance = MarginMath.requirementUp(leg.held.size, leg.mark, listed.maintenanceMarginFraction);
        uint256 share = LiquidationMath.shareOfEquity(uint256(sum.equity), maintenance, maintenanceMargin);
        (closing.discount, closing.fee) = LiquidationMath.penalty(
            closed, contracts, leg.mark, share, listed.liquidationDiscount, listed.liquidationFee
        );
    }

    /// @dev Moves a part of the leg to the liquidator at mark less the discount, and the fee to the market's pool.
    function _liquidate(Leg memory leg, AccountId liquidator, Closing memory closing) private {
        int256 part = leg.held.size > 0 ? int256(closing.contracts) : -int256(closing.contracts);
        int256 value = part.mulUp(int256(leg.mark)) - int256(closing.discount);
        _noteLegs(leg);
        _take(leg, -part, -value);
        leg.margin -= int256(closing.fee);
        int256 longChange = _store(leg);
        longChange += _trade(
            _open(liquidator, leg.market, leg.mark, leg.held.fundingIndex), Trade(part, value, 0, false, false)
        );
        _moveOpenInterest(leg.market, longChange);
        emit IExchange.Liquidated(
            leg.account, liquidator, leg.market, part, value, closing.discount, closing.fee, leg.mark
        );
        if (closing.fee != 0) _creditFee(leg.market, Item.LiquidationFee, closing.fee);
    }

    // ------------------------------------------------------------------ inventory

    /// @notice See `IExchange.buyInventory`.
    function buyInventory(AccountId buyer, uint16 marketId, Side side, uint256 maxContracts, uint256 limitPrice)
        external
        onlyDelegatecall
        returns (uint256 contracts)
    {
        _checkOwn(buyer, marketId);
        _checkOpen(marketId);
        Leg memory leg = _open(buyer, marketId, _priceFeed.accept(marketId), _accrue(marketId));
        (int256 part, int256 value, uint256 price) = _sell(leg, side, maxContracts);
        if (side == Side.Long ? price > limitPrice : price < limitPrice) {
            revert IExchange.AuctionPriceBeyondLimit(price, limitPrice);
        }
        _moveOpenInterest(marketId, _trade(leg, Trade(part, value, 0, false, false)) - part.max(0));
        emit IExchange.InventoryBought(buyer, marketId, part, value, price);
        contracts = part.abs();
    }

    /// @dev Takes inventory out of the pool at the auction's price, its funding settled.
    function _sell(Leg memory leg, Side side, uint256 maxContracts)
        private
        returns (int256 part, int256 value, uint256 price)
    {
        int256 funding;
        (part, value, price, funding) = _fund.sell(
            leg.market,
            side,
            maxContracts,
            leg.mark,
            _markets[leg.market].maintenanceMarginFraction,
            leg.held.fundingIndex
        );
        _collect(leg.market, funding);
    }

    // ------------------------------------------------------------------ takeover

    /// @notice See `IExchange.takeOver`.
    function takeOver(AccountId account) external onlyDelegatecall {
        _checkAccount(account);
        _takeOver(account);
    }

    function _takeOver(AccountId account) private {
        Estate memory estate = _estateOf(account);
        uint256 exposed = _exposedMargin(estate);
        if (estate.equity * WadMath.WAD > int256(exposed * _backstopRatio)) {
            revert IExchange.TakeoverNotDue(account, estate.equity, exposed);
        }
        int256[] memory shares =
            BankruptcyMath.sharesOf(estate.equity, estate.uPnL, estate.maintenance, estate.maintenanceMargin);
        _clear(account, estate);
        Bequest[] memory bequests = new Bequest[](shares.length);
        for (uint256 i; i < shares.length; ++i) {
            Position memory held = estate.held[i];
            uint16 marketId = estate.markets[i];
            int256 bankruptcyNotional = held.entryNotional + estate.uPnL[i] - shares[i];
            bequests[i] = Bequest(marketId, held.size, bankruptcyNotional, held.fundingIndex);
            emit IExchange.TakenOver(account, marketId, held.size, bankruptcyNotional, estate.equity, estate.marks[i]);
        }
        int256[] memory funding = _fund.inherit(bequests);
        for (uint256 i; i < funding.length; ++i) {
            _collect(bequests[i].market, funding[i]);
        }
    }

    /// @dev Every leg at mark or, where its feed is dead, at its last accepted price, funding settled.
    function _estateOf(AccountId account) private returns (Estate memory estate) {
        uint256 legs = account.isCross() ? _cross[account].legs : account.market();
        uint256 count;
        for (uint256 rest = legs; rest != 0; rest >>= 16) {
            ++count;
        }
        estate.markets = new uint16[](count);
        estate.marks = new uint256[](count);
        estate.held = new Position[](count);
        estate.uPnL = new int256[](count);
        estate.maintenance = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            uint16 marketId = uint16(legs >> (16 * i));
            Position memory held = _positions[account][marketId];
            if (held.size == 0) revert IExchange.PositionMissing(account);
            if (i == 0) estate.equity = _marginOf(account, held);
            uint32 round = _markets[marketId].roundMarker;
            _preservePosition(account, marketId, held, round);
            if (account.isCross()) _preserveCross(account, marketId);
            (uint256 mark,) = _priceFeed.acceptOrLast(marketId);
            estate.equity -= _settleFunding(account, marketId, held, _accrue(marketId));
            (estate.markets[i], estate.marks[i], estate.held[i]) = (marketId, mark, held);
            estate.uPnL[i] = MarginMath.valueDown(held.size, mark) - held.entryNotional;
            estate.maintenance[i] =
                MarginMath.requirementUp(held.size, mark, _markets[marketId].maintenanceMarginFraction);
            estate.equity += estate.uPnL[i];
            estate.maintenanceMargin += estate.maintenance[i];
        }
        if (count == 0) revert IExchange.PositionMissing(account);
    }

    /// @dev The maintenance margin that a takeover is judged by: who has equity is not taken over for a leg whose price stands.
    function _exposedMargin(Estate memory estate) private view returns (uint256 sum) {
        sum = estate.maintenanceMargin;
        if (estate.equity <= 0) return sum;
        for (uint256 i; i < estate.markets.length; ++i) {
            if (_markets[estate.markets[i]].priceBand == 0) sum -= estate.maintenance[i];
        }
    }

    /// @dev The account ends with size 0 and equity 0.
    function _clear(AccountId account, Estate memory estate) private {
        for (uint256 i; i < estate.markets.length; ++i) {
            Position storage held = _positions[account][estate.markets[i]];
            (held.size, held.entryNotional, held.roundMarker) = (0, 0, estate.held[i].roundMarker);
            held.margin = 0;
            if (account.isCross()) --_markets[estate.markets[i]].crossHolders;
        }
        if (account.isCross()) (_cross[account].margin, _cross[account].legs) = (0, 0);
    }

    // ------------------------------------------------------------------ the end of a market

    /// @notice See `IExchange.settleClosed`.
    function settleClosed(uint16 marketId, AccountId[] calldata accounts)
        external
        onlyDelegatecall
        returns (uint256 settled)
    {
        uint256 settlesAt = _settlesAt[marketId];
        if (settlesAt == 0) revert IExchange.MarketNotClosed(marketId);
        if (block.timestamp < settlesAt) revert IExchange.SettlementNotDue(marketId, settlesAt);
        Leg memory leg;
        (leg.market, leg.mark) = (marketId, _priceFeed.markPrice(marketId));
        int256 index = _accrue(marketId);
        for (uint256 i; i < accounts.length; ++i) {
            _repeek(leg, accounts[i], index);
            if (leg.held.size == 0 || _equityOf(leg) > 0) continue;
            _takeOver(accounts[i]);
            ++settled;
        }
        // What the pool has on both sides is certain by now, and nobody's to pay who is still there.
        bool hasNetted = _net(marketId);
        // What is due to the pool is theirs: nobody leaves before.
        if (_isADLDue(marketId)) {
            if (settled == 0 && !hasNetted) revert IExchange.SettlementWaits(marketId);
            return settled;
        }
        settled += _payOut(leg, accounts, index);
        _net(marketId);
    }

    /// @dev Positions pass to the pool at the final price, the long ones and the short ones in sum.
    function _payOut(Leg memory leg, AccountId[] calldata accounts, int256 index) private returns (uint256 settled) {
        Bequest memory long = Bequest(leg.market, 0, 0, index);
        Bequest memory short = Bequest(leg.market, 0, 0, index);
        for (uint256 i; i < accounts.length; ++i) {
            _reopen(leg, accounts[i], index);
            int256 size = leg.held.size;
            if (size == 0) continue;
            _preserve(leg);
            int256 value = MarginMath.valueDown(size, leg.mark);
            _take(leg, -size, -value);
            // At a final price nothing is raised, and anyone may do it: it exempts nobody from a challenge elsewhere.
            leg.raisesRisk = false;
            _store(leg);
            Bequest memory sum = size > 0 ? long : short;
            (sum.size, sum.bankruptcyNotional) = (sum.size + size, sum.bankruptcyNotional + value);
            emit IExchange.PositionSettled(accounts[i], leg.market, size, value);
            ++settled;
        }
        if (settled == 0) return 0;
        bool isBoth = long.size != 0 && short.size != 0;
        Bequest[] memory bequests = new Bequest[](isBoth ? 2 : 1);
        bequests[0] = long.size != 0 ? long : short;
        if (isBoth) bequests[1] = short;
        int256[] memory funding = _fund.inherit(bequests);
        for (uint256 i; i < funding.length; ++i) {
            _collect(leg.market, funding[i]);
        }
    }

    function _isADLDue(uint16 marketId) private view returns (bool) {
        return _fund.adlTerms(marketId, Side.Long).trigger != Trigger.None
            || _fund.adlTerms(marketId, Side.Short).trigger != Trigger.None;
    }

    /// @dev The pool's two inventories close against each other, as far as the smaller one goes: the loss of neither is left for a round
    /// against those who are settled later.
    function _net(uint16 marketId) private returns (bool hasNetted) {
        if (_fund.inventory(marketId, Side.Long) == 0 || _fund.inventory(marketId, Side.Short) == 0) return false;
        (uint256 netted, int256[2] memory funding) = _fund.net(marketId);
        hasNetted = true;
        _collect(marketId, funding[0]);
        _collect(marketId, funding[1]);
        _markets[marketId].openInterest -= netted.toUint112();
    }

    // ------------------------------------------------------------------ rounds

    /// @notice See `IExchange.applyDeleverage`.
    function applyDeleverage(Execution calldata round, Fill[] calldata fills)
        external
        onlyDelegatecall
        returns (int256 cashChange)
    {
        if (msg.sender != _engine) revert IExchange.CallerNotEngine(msg.sender);
        int256 index = _accrue(round.market);
        _collect(round.market, round.funding[0]);
        _collect(round.market, round.funding[1]);
        uint256 closed = round.netted;
        Leg memory leg;
        (leg.market, leg.mark) = (round.market, round.mark);
        uint32 previous = _markets[leg.market].roundMarker;
        bool keeps = block.timestamp <= _roundsOpenUntil;
        bool keepsClosed = round.keepsClosed;
        uint32 id = round.id;
        for (uint256 i; i < fills.length; ++i) {
            Fill calldata fill = fills[i];
            _reopen(leg, fill.account, index);
            bool isTraced = keeps && _preserveFilled(leg, fill.size, previous, id, keepsClosed);
            // An isolated position that ends flat is told from one that was left out by that alone.
            bool endsFlat = leg.held.size + fill.size == 0 && !fill.account.isCross();
            leg.held.roundMarker = endsFlat && !isTraced ? 0 : id;
            int256 cash = leg.margin - leg.held.entryNotional;
            _take(leg, fill.size, fill.value);
            cashChange += leg.margin - leg.held.entryNotional - cash;
            int256 equity = _equityOf(leg);
            if (equity < 0) revert IExchange.SolventMadeInsolvent(fill.account, equity);
            _store(leg);
            closed += fill.size.abs();
        }
        // A long and a short contract disappear together: one in the pool, one with a counterparty (or both in the pool).
        _markets[round.market].openInterest -= closed.toUint112();
        _openRound(round);
    }

    /// @dev Keeps a counterparty for the rounds before this one. Of this one nothing is kept, which says that it was in it; an isolated
    /// position that is closed whole needs no record of the rounds since it was last touched: it made up for them, where this one
    /// takes as much for a contract.
    /// @return isTraced Its record leads on to older rounds that may still be challenged.
    function _preserveFilled(Leg memory leg, int256 part, uint32 previous, uint32 round, bool keepsClosed)
        private
        returns (bool isTraced)
    {
        Position memory held = leg.held;
        bool isCross = leg.account.isCross();
        if (held.roundMarker < previous && (isCross || keepsClosed || held.size + part != 0)) {
            PositionSlots.copy(_positions[leg.account][leg.market], _positionsThen[leg.account][leg.market][previous]);
            held.roundMarker = previous;
        }
        if (isCross) _preserveCross(leg.account, leg.market);
        isTraced = held.roundMarker >= _firstOpenRound;
        if (isTraced) _positionsThen[leg.account][leg.market][round].roundMarker = held.roundMarker;
    }

    /// @dev From now on the positions of these markets are kept before they change.
    function _openRound(Execution calldata round) private {
        if (block.timestamp > _roundsOpenUntil) _firstOpenRound = round.id;
        if (round.openUntil > _roundsOpenUntil) _roundsOpenUntil = round.openUntil;
        if (!_markets[round.market].isolatedOnly && round.openUntil != 0) {
            _crossMarkers[_markets[round.market].pool] = round.id;
        }
        for (uint256 i; i < round.markets.length; ++i) {
            _markets[round.markets[i]].roundMarker = round.id;
        }
    }

    // ------------------------------------------------------------------ margin call

    /// @notice See `IExchange.flag`.
    function flag(AccountId account) external onlyDelegatecall {
        _checkAccount(account);
        Health memory sum = _healthOf(account);
        bool isLow = sum.equity < int256(sum.initialMargin)
            || int256(sum.maintenanceMargin) * WadMath.WAD > int256(uint256(_warningRate)) * sum.equity;
        if (sum.maintenanceMargin == 0 || !isLow) {
            revert IExchange.MarginCallNotDue(account, sum.equity, sum.maintenanceMargin, sum.initialMargin);
        }
        emit IExchange.MarginCalled(account, sum.equity, sum.maintenanceMargin, sum.initialMargin);
    }

    /// @dev Reverts where the caller does not own an account that may hold the market.
    function _checkOwn(AccountId account, uint16 marketId) private view {
        if (account.owner() != msg.sender) revert IExchange.NotAccountOwner(account, msg.sender);
        _checkHolds(account, marketId);
    }
}
