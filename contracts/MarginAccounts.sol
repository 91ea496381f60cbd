// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ExchangeStorage} from "./ExchangeStorage.sol";
import {Halts} from "./Halts.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {FundingMath} from "./libraries/FundingMath.sol";
import {LegSet} from "./libraries/LegSet.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {PositionMath} from "./libraries/PositionMath.sol";
import {PositionSlots} from "./libraries/PositionSlots.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Funding, Market} from "./types/Market.sol";
import {Item} from "./types/Pool.sol";
import {CrossAccount, Health, Position} from "./types/Position.sol";

/// @title Margin: what an account has and what its positions ask for
/// @notice Isolated and cross accounts take one path. A call works on one leg in memory; the other legs of a cross account are
/// summed up beside it, and an isolated account has none.
abstract contract MarginAccounts is ExchangeStorage, Halts {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20Metadata;
    using WadMath for int256;

    /// @dev Words of a market among the quotes of a leg.
    uint256 private constant QUOTE = 3;

    /// @dev An account while one of its positions changes. `margin` is the account's, isolated or cross, with the funding of
    /// this leg settled; `raisesRisk` says whether what happens to it counts as that; `others` is the sum over its other legs, with
    /// `collateral` holding minus their funding; `quotes` is what a round values those by.
    struct Leg {
        AccountId account;
        uint16 market;
        uint256 mark;
        int256 sizeBefore;
        int256 margin;
        bool raisesRisk;
        Position held;
        Health others;
        uint256[] quotes;
    }

    /// @dev What a trade does to an account.
    /// @param change Signed contracts taken, WAD.
    /// @param value Signed quote amount that goes with them, WAD.
    /// @param fee Quote amount paid beside, WAD.
    /// @param reduceOnly The trade may only bring the position nearer to zero.
    /// @param isOrder By its owner's order: a pause lets it do no more than that either.
    struct Trade {
        int256 change;
        int256 value;
        uint256 fee;
        bool reduceOnly;
        bool isOrder;
    }

    // ------------------------------------------------------------------ prices and funding

    /// @dev Brings a market's funding index up to date. Idempotent, and needs no price.
    function _accrue(uint16 marketId) internal returns (int256 index) {
        Funding storage funding = _markets[marketId].funding;
        uint24 hour = FundingMath.hourOf(block.timestamp);
        if (hour == funding.hour) return funding.index;
        index = _index(marketId);
        (funding.index, funding.hour) = (int104(index), hour);
        if (funding.volume == 0) return index;
        (funding.premium, funding.volume) = (0, 0);
        emit IExchange.FundingAccrued(marketId, index);
    }

    /// @dev The index as `_accrue` would leave it. Open interest changes after an accrual only, so what is found here is what an hour
    /// with fills had left, however late.
    function _index(uint16 marketId) internal view returns (int256) {
        Market storage listed = _markets[marketId];
        Funding storage funding = listed.funding;
        if (FundingMath.hourOf(block.timestamp) == funding.hour) return funding.index;
        return FundingMath.indexAfter(funding.index, funding.premium, funding.volume, listed.openInterest);
    }

    /// @dev Books what somebody paid into a market's pot: `exact` is `size * index change`, in WAD squared.
    function _collect(uint16 marketId, int256 exact) internal returns (int256 paid) {
        if (exact == 0) return 0;
        Funding storage funding = _markets[marketId].funding;
        paid = exact.divUp(WadMath.WAD);
        uint256 rest = funding.rest + uint256(paid * WadMath.WAD - exact);
        if (rest >= WadMath.UWAD) {
            rest -= WadMath.UWAD;
            if (funding.dust != type(uint32).max) ++funding.dust;
        }
        funding.rest = uint64(rest);
        funding.pot = (funding.pot + paid).toInt112();
    }

    // ------------------------------------------------------------------ one leg, and the others

    /// @dev Loads an account for a change of one leg, whose funding is settled; all marks must be good.
    /// @param index The market's funding index, up to date.
    function _open(AccountId account, uint16 marketId, uint256 mark, int256 index) internal returns (Leg memory leg) {
        (leg.market, leg.mark) = (marketId, mark);
        _load(leg, account, index);
        _preserve(leg);
        uint256 legs = _legsOf(account);
        for (uint16 other = uint16(legs); other != 0; other = uint16(legs)) {
            if (other != marketId) _add(leg.others, account, other, _priceFeed.accept(other));
            legs >>= 16;
        }
    }

    /// @dev Loads another account into a leg of a round, which must not wait for the dead feed of another market.
    function _reopen(Leg memory leg, AccountId account, int256 index) internal {
        _load(leg, account, index);
        _valueOthers(leg);
    }

    /// @dev With several legs any change of one may leave the others more exposed to their marks than all of them together were.
    function _noteLegs(Leg memory leg) internal pure {
        leg.raisesRisk = leg.others.maintenanceMargin != 0;
    }

    /// @dev Sums up the other legs of an account in a round, as far as a round asks: losses and initial margin are left out.
    function _valueOthers(Leg memory leg) internal view {
        if (!leg.account.isCross() && leg.others.maintenanceMargin == 0) return;
        if (leg.quotes.length == 0) leg.quotes = new uint256[](QUOTE * (uint256(_marketCount) + 1));
        uint256[] memory quotes = leg.quotes;
        mapping(uint16 => Position) storage positions = _positions[leg.account];
        (int256 collateral, int256 equity, uint256 maintenance) = (int256(0), int256(0), uint256(0));
        for (uint256 legs = _legsOf(leg.account); legs != 0; legs >>= 16) {
            uint16 other = uint16(legs);
            if (other == leg.market) continue;
            uint256 place = _quote(quotes, other);
            (int256 size, int256 entryNotional, int256 fundingIndex) = PositionSlots.peek(positions[other]);
            uint256 mark = quotes[place];
            // Sixteen sums of products of 112 and 96 bits.
            unchecked {
                collateral -= FundingMath.payment(size, int256(quotes[place + 1]) - fundingIndex);
                equity += MarginMath.valueDown(size, mark) - entryNotional;
                maintenance += MarginMath.requirementUp(size, mark, quotes[place + 2]);
            }
        }
        Health memory others = leg.others;
        (others.collateral, others.equity, others.maintenanceMargin) = (collateral, equity, maintenance);
        leg.raisesRisk = maintenance != 0; // as in `_noteLegs`
    }

    /// @dev Where mark (or last accepted price), funding index and `mmf` of a market stand among the quotes of a round, which reads
    /// them once.
    function _quote(uint256[] memory quotes, uint16 marketId) private view returns (uint256 place) {
        place = QUOTE * marketId;
        if (quotes[place] != 0) return place;
        (quotes[place],) = _priceFeed.markOrLast(marketId);
        quotes[place + 1] = uint256(_index(marketId));
        quotes[place + 2] = _markets[marketId].maintenanceMarginFraction;
    }

    function _load(Leg memory leg, AccountId account, int256 index) private {
        leg.account = account;
        PositionSlots.load(leg.held, _positions[account][leg.market]);
        leg.sizeBefore = leg.held.size;
        leg.margin = _marginOf(account, leg.held) - _settleFunding(account, leg.market, leg.held, index);
    }

    /// @dev What a position in memory owes since it was last settled; returns what it pays.
    function _settleFunding(AccountId account, uint16 marketId, Position memory held, int256 index)
        internal
        returns (int256 paid)
    {
        int256 exact = int256(held.size) * (index - held.fundingIndex);
        held.fundingIndex = int104(index);
        if (exact == 0) return 0;
        paid = _collect(marketId, exact);
        emit IExchange.FundingPaid(account, marketId, paid);
    }

    /// @dev Adds all legs but one, at mark or, where a feed is dead, at its last accepted price.
    function _addOthers(Health memory sum, AccountId account, uint16 marketId) internal view {
        uint256 legs = _legsOf(account);
        for (uint16 other = uint16(legs); other != 0; other = uint16(legs)) {
            if (other != marketId) {
                (uint256 mark,) = _priceFeed.markOrLast(other);
                _add(sum, account, other, mark);
            }
            legs >>= 16;
        }
    }

    /// @dev Adds a stored leg, the funding it owes included.
    function _add(Health memory sum, AccountId account, uint16 marketId, uint256 mark) internal view {
        Position memory held;
        PositionSlots.load(held, _positions[account][marketId]);
        if (held.size == 0) return;
        sum.collateral -= FundingMath.payment(held.size, _index(marketId) - held.fundingIndex);
        _addLeg(sum, held, marketId, mark);
    }

    function _addLeg(Health memory sum, Position memory held, uint16 marketId, uint256 mark) internal view {
        Market storage listed = _markets[marketId];
        int256 uPnL = MarginMath.valueDown(held.size, mark) - held.entryNotional;
        sum.equity += uPnL;
        sum.losses += uPnL.min(0);
        sum.maintenanceMargin += MarginMath.requirementUp(held.size, mark, listed.maintenanceMarginFraction);
        sum.initialMargin += MarginMath.requirementUp(held.size, mark, listed.initialMarginFraction);
    }

    /// @dev `E` of the account of a leg.
    function _equityOf(Leg memory leg) internal pure returns (int256) {
        return MarginMath.equity(leg.held.size, leg.held.entryNotional, leg.margin, leg.mark) + leg.others.collateral
            + leg.others.equity;
    }

    /// @dev `MM` of the account of a leg.
    function _maintenanceOf(Leg memory leg) internal view returns (uint256) {
        uint256 fraction = _markets[leg.market].maintenanceMarginFraction;
        return leg.others.maintenanceMargin + MarginMath.requirementUp(leg.held.size, leg.mark, fraction);
    }

    /// @dev `IM` of the account of a leg.
    function _initialOf(Leg memory leg) internal view returns (uint256) {
        uint256 fraction = _markets[leg.market].initialMarginFraction;
        return leg.others.initialMargin + MarginMath.requirementUp(leg.held.size, leg.mark, fraction);
    }

    /// @dev Where the account of a leg stands.
    function _health(Leg memory leg) internal view returns (Health memory sum) {
        Health memory others = leg.others;
        sum.collateral = leg.margin + others.collateral;
        sum.equity = sum.collateral + others.equity;
        sum.losses = others.losses;
        (sum.maintenanceMargin, sum.initialMargin) = (others.maintenanceMargin, others.initialMargin);
        if (leg.held.size != 0) _addLeg(sum, leg.held, leg.market, leg.mark);
    }

    /// @dev Where an account stands as it is stored; all marks must be good.
    function _healthOf(AccountId account) internal returns (Health memory) {
        uint16 marketId = account.market();
        Leg memory leg = _peek(account, marketId);
        if (leg.held.size != 0) leg.mark = _priceFeed.accept(marketId);
        uint256 legs = _legsOf(account);
        for (; legs != 0; legs >>= 16) {
            _add(leg.others, account, uint16(legs), _priceFeed.accept(uint16(legs)));
        }
        return _health(leg);
    }

    /// @dev A leg as it is stored, its funding taken off without being settled, and no others. The mark is the caller's to give.
    function _peek(AccountId account, uint16 marketId) internal view returns (Leg memory leg) {
        leg.market = marketId;
        _look(leg, account, _index(marketId));
    }

    /// @dev Looks at another account in a leg for scoring, its others included.
    function _repeek(Leg memory leg, AccountId account, int256 index) internal view {
        _look(leg, account, index);
        _valueOthers(leg);
    }

    function _look(Leg memory leg, AccountId account, int256 index) private view {
        leg.account = account;
        PositionSlots.load(leg.held, _positions[account][leg.market]);
        leg.margin = _marginOf(account, leg.held) - FundingMath.payment(leg.held.size, index - leg.held.fundingIndex);
    }

    // ------------------------------------------------------------------ as it was in a round

    /// @dev Keeps a leg as it is stored, and its cross account, before it is changed for the first time after a round that
    /// may still be challenged.
    function _preserve(Leg memory leg) internal {
        uint32 round = _markets[leg.market].roundMarker;
        if (leg.held.roundMarker < round) _preservePosition(leg.account, leg.market, leg.held, round);
        if (leg.account.isCross()) _preserveCross(leg.account, leg.market);
    }

    /// @dev Keeps a position as it is stored; the marker of the one in memory is written with the rest.
    function _preservePosition(AccountId account, uint16 marketId, Position memory held, uint32 round) internal {
        if (held.roundMarker >= round) return;
        if (block.timestamp <= _roundsOpenUntil) {
            Position storage kept = _positionsThen[account][marketId][round];
            // Of a flat position only what leads to older ones matters.
            if (held.size == 0) kept.roundMarker = held.roundMarker;
            else PositionSlots.copy(_positions[account][marketId], kept);
        }
        held.roundMarker = round;
    }

    /// @dev Keeps the margin and the legs of a cross account before it is changed in a market. Rounds of the other markets of
    /// the pool count too, whether this one was held in a cross account then or not.
    function _preserveCross(AccountId account, uint16 marketId) internal {
        uint32 round = _crossMarkers[_markets[marketId].pool];
        CrossAccount storage cross = _cross[account];
        if (cross.roundMarker >= round) return;
        if (block.timestamp <= _roundsOpenUntil) _crossThen[account][round] = cross;
        cross.roundMarker = round;
    }

    // ------------------------------------------------------------------ changing a leg

    /// @dev Moves `(change, value)` onto the leg; see `PositionMath`.
    function _take(Leg memory leg, int256 change, int256 value) internal view {
        int256 size = leg.held.size;
        int256 entry = leg.held.entryNotional;
        int256 sizeAfter = size + change;
        int256 entryAfter = PositionMath.entryAfter(size, entry, change, value);
        leg.margin -= value + entry - entryAfter;
        (leg.held.size, leg.held.entryNotional) = (sizeAfter.toInt112(), entryAfter.toInt112());
        if (sizeAfter == 0) return;
        if (size != 0 && (size > 0) != (change > 0) && (size > 0) == (sizeAfter > 0)) return;
        leg.held.riskTime = uint40(block.timestamp);
        leg.raisesRisk = true;
    }

    /// @dev A trade of an account: `_take`, the fee, and the rules that hold for whoever trades of their own will.
    /// @return longChange Change of the position's long contracts, WAD.
    function _trade(Leg memory leg, Trade memory trade) internal returns (int256 longChange) {
        int256 equity = _equityOf(leg);
        int256 size = leg.held.size;
        if (equity <= 0 && (size != 0 || leg.others.maintenanceMargin != 0)) {
            revert IExchange.AccountBankrupt(leg.account, equity);
        }
        bool reduces = (size > 0) != (trade.change > 0) && trade.change.abs() <= size.abs();
        if (trade.reduceOnly && !reduces) revert IExchange.OrderNotReducing(leg.account, size, trade.change);
        if (trade.isOrder && !reduces) _checkNotPaused(leg.account);
        uint256 maintenanceMargin = reduces ? _maintenanceOf(leg) : 0;
        // A price far enough from mark lets an account that never deposited meet its margin.
        _enlist(leg.account, leg.market, leg.held);
        _noteLegs(leg);
        _take(leg, trade.change, trade.value);
        leg.margin -= int256(trade.fee);
        _checkLimits(leg, reduces);
        if (reduces) _checkReduced(leg, equity, maintenanceMargin);
        else _checkInitialMargin(leg);
        return _store(leg);
    }

    /// @dev After a trade that only reduces: not negative, and unless flat the margin rate is no worse than before.
    function _checkReduced(Leg memory leg, int256 equityBefore, uint256 marginBefore) private view {
        (int256 equity, uint256 maintenanceMargin) = (_equityOf(leg), _maintenanceOf(leg));
        if (equity < 0) revert IExchange.EquityNegative(leg.account, equity);
        if (maintenanceMargin == 0) return;
        // MM'/E' <= MM/E, both equities positive.
        if (equity == 0 || int256(maintenanceMargin) * equityBefore > int256(marginBefore) * equity) {
            revert IExchange.MarginRateWorse(leg.account, equity, maintenanceMargin);
        }
    }

    function _checkInitialMargin(Leg memory leg) private view {
        (int256 equity, uint256 required) = (_equityOf(leg), _initialOf(leg));
        if (equity < int256(required)) revert IExchange.InitialMarginInsufficient(leg.account, equity, required);
    }

    /// @dev No position that is too small; where it has grown, none that is too large.
    function _checkLimits(Leg memory leg, bool reduces) private view {
        Market storage listed = _markets[leg.market];
        uint256 contracts = int256(leg.held.size).abs();
        if (contracts == 0) return;
        if (contracts < listed.minSize) {
            revert IExchange.PositionTooSmall(leg.account, contracts, listed.minSize);
        }
        if (reduces) return;
        uint256 notional = contracts * leg.mark / WadMath.UWAD;
        if (notional > listed.maxNotional) {
            revert IExchange.PositionTooLarge(leg.account, notional, listed.maxNotional);
        }
    }

    /// @dev Writes a leg and its account's margin back.
    /// @return longChange Change of the position's long contracts since it was loaded, WAD.
    function _store(Leg memory leg) internal returns (int256 longChange) {
        (int256 size, int256 sizeBefore) = (leg.held.size, leg.sizeBefore);
        if (leg.account.isCross()) {
            CrossAccount storage cross = _cross[leg.account];
            cross.margin = leg.margin.toInt112();
            if (leg.raisesRisk) cross.riskTime = uint40(block.timestamp);
            if ((size == 0) != (sizeBefore == 0)) _moveLeg(leg.account, leg.market, size != 0);
        } else {
            leg.held.margin = leg.margin.toInt112();
        }
        PositionSlots.store(leg.held, _positions[leg.account][leg.market]);
        leg.sizeBefore = size;
        return size.max(0) - sizeBefore.max(0);
    }

    /// @dev Adds a market to a cross account's legs, or takes it out. All legs are of one pool that stands behind several markets.
    function _moveLeg(AccountId account, uint16 marketId, bool joins) private {
        uint256 legs = _cross[account].legs;
        Market storage listed = _markets[marketId];
        if (!joins) {
            --listed.crossHolders;
            _cross[account].legs = LegSet.remove(legs, marketId);
            return;
        }
        if (listed.isolatedOnly) revert IExchange.MarketIsolatedOnly(marketId);
        if (LegSet.isFull(legs)) revert IExchange.LegsExceeded(account, LegSet.CAPACITY);
        if (legs != 0 && _markets[uint16(legs)].pool != listed.pool) {
            revert IExchange.LegOfOtherPool(account, marketId, listed.pool);
        }
        ++listed.crossHolders;
        _cross[account].legs = LegSet.add(legs, marketId);
    }

    /// @dev Enters an account into the list of its market, the first time that it is touched there.
    function _enlist(AccountId account, uint16 marketId, Position memory held) internal {
        if (held.riskTime != 0) return;
        _accounts[marketId].push(account);
        held.riskTime = uint40(block.timestamp);
        if (account.isCross()) _enlistCross(account);
    }

    function _enlistCross(AccountId account) internal {
        if (_cross[account].listed) return;
        _cross[account].listed = true;
        _crossAccounts.push(account);
    }

    function _legsOf(AccountId account) internal view returns (uint256) {
        return account.isCross() ? _cross[account].legs : 0;
    }

    function _marginOf(AccountId account, Position memory held) internal view returns (int256) {
        return account.isCross() ? _cross[account].margin : held.margin;
    }

    /// @dev Moves open interest; `most` is what it may grow to.
    function _moveOpenInterest(uint16 marketId, int256 longChange) internal {
        if (longChange == 0) return;
        Market storage listed = _markets[marketId];
        uint256 openInterest = (int256(uint256(listed.openInterest)) + longChange).toUint256();
        if (longChange > 0 && openInterest > listed.maxOpenInterest) {
            revert IExchange.OpenInterestTooLarge(marketId, openInterest, listed.maxOpenInterest);
        }
        listed.openInterest = uint112(openInterest);
    }

    // ------------------------------------------------------------------ tokens and fees

    /// @dev Books a fee to the market's pool; what has no room under its cap is the treasury's.
    function _creditFee(uint16 marketId, Item item, uint256 amount) internal returns (uint256 taken) {
        taken = _fund.creditFee(marketId, item, amount);
        if (taken != amount) _creditTreasury(amount - taken);
    }

    /// @dev What comes to the treasury pays for open deficits first.
    function _creditTreasury(uint256 amount) internal {
        uint256 deficit = _fund.deficit();
        uint256 absorbed = amount < deficit ? amount : deficit;
        if (absorbed != 0) _fund.absorb(absorbed);
        _treasuryBalance = (_treasuryBalance + amount - absorbed).toUint128();
    }

    /// @dev Pays tokens out. While pools have an open deficit `D` it pays `tokens/(tokens + D)` of it, rounded down, and the rest lowers
    /// `D`: the rate stays the same for all, and nobody gains by being first.
    /// @param amount Token units.
    /// @return paid Token units.
    function _pay(address recipient, uint256 amount) internal returns (uint256 paid) {
        paid = amount;
        // Before the wiring there is nothing to withdraw but what was deposited.
        uint256 deficit = address(_fund) == address(0) ? 0 : _fund.deficit();
        if (deficit != 0) {
            uint256 held = _token.balanceOf(address(this)) * _tokenScale;
            paid = Math.mulDiv(amount, held, held + deficit);
            emit IExchange.DeficitShared(recipient, amount, paid, deficit);
            _fund.absorb((amount - paid) * _tokenScale);
        }
        if (paid != 0) _token.safeTransfer(recipient, paid);
    }
}
