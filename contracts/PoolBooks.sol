// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {FundStorage} from "./FundStorage.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {AuctionMath} from "./libraries/AuctionMath.sol";
import {FundingMath} from "./libraries/FundingMath.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {MutualMath} from "./libraries/MutualMath.sol";
import {RollingMax} from "./libraries/RollingMax.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {Side} from "./types/Market.sol";
import {Backer, Backing, Book, Inventory, Item, Pool, Trigger} from "./types/Pool.sol";

/// @title What a pool is worth, how far its markets have fallen, and whether that makes ADL due
abstract contract PoolBooks is FundStorage {
    using RollingMax for RollingMax.Ring;
    using SafeCast for int256;
    using WadMath for int256;

    /// @dev How long a started ADL is remembered after it was last seen due.
    uint256 internal constant MEMORY = 8 hours;
    /// @dev Steps of stress between no drawdown and the trigger.
    uint256 internal constant STRESS_STEPS = 4;

    /// @dev A pool and its markets at mark.
    /// @param markets Its markets, ascending.
    /// @param states Their states, drawdown left out.
    /// @param losses Losses of its inventories, long and short by market.
    /// @param balance What it owns, less those losses and the funding that they owe.
    /// @param backed The same from where a redistribution that is due leaves it.
    /// @param drawdownRests It gives to its group, and its markets' drawdown triggers rest.
    /// @param depletionCounts Nobody else stands for it.
    struct Survey {
        uint16[] markets;
        Backing[] states;
        uint256[] losses;
        int256 balance;
        int256 backed;
        bool drawdownRests;
        bool depletionCounts;
    }

    // ------------------------------------------------------------------ what a pool is worth

    function _inventory(uint16 market, Side side) internal view returns (Inventory storage) {
        return side == Side.Long ? _books[market].long : _books[market].short;
    }

    function _hasInventory(uint16 market) internal view returns (bool) {
        return _books[market].long.size != 0 || _books[market].short.size != 0;
    }

    function _lossOf(Inventory memory held, uint256 mark) private pure returns (uint256) {
        int256 uPnL = MarginMath.valueDown(held.size, mark) - held.entryNotional;
        return uPnL < 0 ? uint256(-uPnL) : 0;
    }

    /// @dev What a market's inventories lose, and the funding that they owe. A price is asked for only where there is inventory;
    /// while its feed is dead it is the last accepted one, moved by `mmf` against the pool.
    function _lossesOf(uint16 market) internal view returns (uint256 longLoss, uint256 shortLoss, int256 funding) {
        Book storage book = _books[market];
        Inventory memory long = book.long;
        Inventory memory short = book.short;
        if (long.size == 0 && short.size == 0) return (0, 0, 0);
        (uint256 mark, bool live) = _priceFeed.markOrLast(market);
        uint256 haircut = live ? 0 : mark * _exchange.maintenanceMarginFraction(market) / WadMath.UWAD;
        (longLoss, shortLoss) = (_lossOf(long, mark - haircut), _lossOf(short, mark + haircut));
        int256 index = _exchange.fundingIndex(market);
        funding = FundingMath.payment(long.size, index - book.longIndex)
            + FundingMath.payment(short.size, index - book.shortIndex);
    }

    /// @dev A pool's balance, and what its inventories lose.
    function _balanceOf(uint16 poolId) internal view returns (int256 balance, uint256 losses) {
        uint16[] memory markets = _pools[poolId].markets;
        balance = _pools[poolId].cash;
        for (uint256 i; i < markets.length; ++i) {
            (uint256 longLoss, uint256 shortLoss, int256 funding) = _lossesOf(markets[i]);
            losses += longLoss + shortLoss;
            balance -= funding;
        }
        balance -= int256(losses);
    }

    /// @dev The balances of the mutual group, by id.
    function _groupBalances() internal view returns (int256[] memory balances) {
        uint256 count = _group.length;
        balances = new int256[](count);
        for (uint256 i; i < count; ++i) {
            (balances[i],) = _balanceOf(_group[i]);
        }
    }

    /// @dev What a pool claims of the tokens held.
    function _claim(uint16 poolId) internal view returns (int256 total) {
        Pool storage claimant = _pools[poolId];
        total = claimant.cash;
        for (uint256 i; i < claimant.markets.length; ++i) {
            Book storage book = _books[claimant.markets[i]];
            total -= int256(book.long.entryNotional) + book.short.entryNotional;
        }
    }

    function _auctionPrice(uint16 market, Side side, uint256 mark, uint256 floorFraction)
        internal
        view
        returns (uint256)
    {
        Book storage book = _books[market];
        return AuctionMath.priceOf(
            side == Side.Long,
            mark,
            book.auctionPremium,
            floorFraction,
            block.timestamp - _inventory(market, side).auctionStart,
            book.auctionDuration
        );
    }

    // ------------------------------------------------------------------ how far its markets have fallen

    /// @dev Where all markets of a pool stand, their drawdown left out.
    function _survey(uint16 poolId) internal view returns (Survey memory s) {
        s.markets = _pools[poolId].markets;
        s.states = new Backing[](s.markets.length);
        s.losses = new uint256[](2 * s.markets.length);
        s.balance = _pools[poolId].cash;
        int256 lossesOfWindow;
        for (uint256 i; i < s.markets.length; ++i) {
            (Backing memory each, int256 funding) = _standing(s.markets[i]);
            (s.losses[2 * i], s.losses[2 * i + 1]) = (each.longLoss, each.shortLoss);
            s.balance -= int256(each.longLoss + each.shortLoss) + funding;
            lossesOfWindow += int256(each.loss);
            s.states[i] = each;
        }
        (s.backed, s.depletionCounts) = (s.balance, true);
        if (_pools[poolId].backer == Backer.Mutual) _standInGroup(poolId, s);
        uint256 base = uint256((s.backed + lossesOfWindow).max(0));
        for (uint256 i; i < s.markets.length; ++i) {
            (s.states[i].balance, s.states[i].base) = (s.balance, base);
        }
    }

    /// @dev One market's result, the largest of the window, and its losses.
    function _standing(uint16 market) private view returns (Backing memory state, int256 funding) {
        Book storage book = _books[market];
        (state.longLoss, state.shortLoss, funding) = _lossesOf(market);
        state.pnl = book.realized - int256(state.longLoss + state.shortLoss) - funding;
        state.maxPnl = book.peak.maximum(state.pnl);
        state.loss = uint256(state.maxPnl - state.pnl);
    }

    /// @dev A member of a group that carries its depleted members stands as it is, and depletion is not its own affair; of one that
    /// does not, as the redistribution leaves it.
    function _standInGroup(uint16 poolId, Survey memory s) private view {
        int256[] memory balances = _groupBalances();
        s.depletionCounts = MutualMath.isDepleted(balances);
        if (!s.depletionCounts) return;
        s.drawdownRests = MutualMath.restsAsGiver(s.balance, balances);
        int256[] memory redistributed = MutualMath.redistributed(balances);
        for (uint256 i; i < balances.length; ++i) {
            if (_group[i] == poolId) s.backed = redistributed[i];
        }
    }

    /// @dev Fills in the drawdown of the survey's `i`-th market, and whether it is due.
    function _judge(Survey memory s, uint256 i) internal view returns (Backing memory state) {
        state = s.states[i];
        uint256 base = state.base;
        if (base == 0) return state;
        Book storage book = _books[s.markets[i]];
        uint256 scaledLoss = state.loss * WadMath.UWAD;
        state.drawdown = scaledLoss / base;
        uint256 lastDue = book.lastDue;
        state.started = lastDue != 0 && block.timestamp < lastDue + MEMORY;
        state.drawdownDue =
            !s.drawdownRests && (scaledLoss >= book.trigger * base || (state.started && scaledLoss > book.stop * base));
    }

    /// @dev The survey of a market's pool, and its own state judged.
    function _backing(uint16 market) internal view returns (Survey memory s, Backing memory state) {
        s = _survey(_books[market].pool);
        for (uint256 i; i < s.markets.length; ++i) {
            if (s.markets[i] == market) state = _judge(s, i);
        }
    }

    /// @dev Why ADL is due in a market with losing inventory; the drawdown's memory is kept where there is none as well.
    function _reasonOf(Survey memory s, Backing memory state) internal pure returns (Trigger) {
        if (state.drawdownDue) return Trigger.Drawdown;
        bool isDepleted = s.depletionCounts && s.backed < 0 && state.longLoss + state.shortLoss != 0;
        return isDepleted ? Trigger.Depletion : Trigger.None;
    }

    // ------------------------------------------------------------------ samples

    /// @dev Samples the market's result, and keeps or ends the memory of its trigger.
    function _checkpoint(uint16 market) internal {
        (Survey memory s, Backing memory state) = _backing(market);
        _sample(market, s, state);
    }

    /// @dev Files a market's result.
    function _sample(uint16 market, Survey memory s, Backing memory state) internal {
        _books[market].peak.touch(state.pnl);
        emit IInsuranceFund.Checkpointed(market, state.pnl, state.balance, state.drawdown);
        _remember(market, s, state);
    }

    /// @dev Keeps or ends the memory of a market's trigger, and tells of ADL's beginning and end.
    function _remember(uint16 market, Survey memory s, Backing memory state) internal {
        Book storage book = _books[market];
        Trigger reason = _reasonOf(s, state);
        Trigger seen = book.seen;
        uint256 stress = _stressOf(book.trigger, state);
        bool isBeginning = reason != Trigger.None && (seen == Trigger.None || (state.drawdownDue && !state.started));
        // The last price of a dead feed, moved against the pool, is no reason to begin.
        if (isBeginning && !_isPriced(market)) return;
        if (stress > book.stress && !_isPriced(market)) stress = book.stress;
        if (state.drawdownDue) {
            book.lastDue = uint40(block.timestamp);
        } else if (book.lastDue != 0 && !s.drawdownRests) {
            if (state.base != 0 || block.timestamp >= book.lastDue + MEMORY) book.lastDue = 0;
        }
        if (reason == Trigger.None && book.lastDue != 0) reason = Trigger.Drawdown;
        if (reason == seen && stress == book.stress) return;
        if (seen == Trigger.None && reason != Trigger.None) {
            emit IInsuranceFund.ADLStarted(market, reason, state.drawdown);
        } else if (reason == Trigger.None && seen != Trigger.None) {
            emit IInsuranceFund.ADLEnded(market, state.drawdown);
        }
        (book.seen, book.stress) = (reason, uint8(stress));
        _exchange.applyStress(market, uint8(stress), reason != Trigger.None);
    }

    /// @dev How many of the equal steps from no drawdown to the trigger are reached; all of them below zero.
    function _stressOf(uint256 trigger, Backing memory state) private pure returns (uint256 steps) {
        if (state.balance < 0) return STRESS_STEPS;
        if (state.loss == 0) return 0;
        if (state.base == 0) return STRESS_STEPS;
        steps = state.loss * STRESS_STEPS * WadMath.UWAD / (trigger * state.base);
        if (steps > STRESS_STEPS) steps = STRESS_STEPS;
    }

    /// @dev Whether a market's inventory, if there is any, is valued at a live price.
    function _isPriced(uint16 market) internal view returns (bool isLive) {
        if (!_hasInventory(market)) return true;
        (, isLive) = _priceFeed.markOrLast(market);
    }

    // ------------------------------------------------------------------ deficits

    /// @dev The open deficits: what pools lack that closing their inventory would not bring back. A pool on its own lacks what its cash
    /// is below zero; a member of a group what a redistribution leaves it without, beyond the losses of its inventory.
    /// @return parts By place in `_overdrawn`.
    /// @return total Their sum.
    function _deficits() internal view returns (uint256[] memory parts, uint256 total) {
        uint256 count = _overdrawn.length;
        parts = new uint256[](count);
        uint256[] memory ofGroup;
        for (uint256 i; i < count; ++i) {
            uint16 poolId = _overdrawn[i];
            if (_pools[poolId].backer == Backer.Own) {
                parts[i] = uint256(-int256(_pools[poolId].cash));
            } else {
                if (ofGroup.length == 0) ofGroup = _deficitsOfGroup();
                for (uint256 member; member < ofGroup.length; ++member) {
                    if (_group[member] == poolId) parts[i] = ofGroup[member];
                }
            }
            total += parts[i];
        }
    }

    /// @dev The same by member; nothing while the sum of the group's balances is above zero.
    function _deficitsOfGroup() private view returns (uint256[] memory parts) {
        uint256 count = _group.length;
        int256[] memory balances = new int256[](count);
        uint256[] memory losses = new uint256[](count);
        parts = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            (balances[i], losses[i]) = _balanceOf(_group[i]);
        }
        if (!MutualMath.isDepleted(balances)) return parts;
        int256[] memory balancesAfter = MutualMath.redistributed(balances);
        for (uint256 i; i < count; ++i) {
            // Funding that is owed counts once it is settled: who is not overdrawn afterwards has no part in what is paid for it.
            int256 cashAfter = _pools[_group[i]].cash + balancesAfter[i] - balances[i];
            int256 lacking = -balancesAfter[i] - int256(losses[i]);
            parts[i] = uint256(lacking.min(-cashAfter).max(0));
        }
    }

    // ------------------------------------------------------------------ redistribution

    /// @dev Gives what a depleted group's members have above zero to those below; no market's result moves.
    /// @return given What changed hands, WAD quote.
    function _redistribute() internal returns (uint256 given) {
        int256[] memory balances = _groupBalances();
        if (!MutualMath.isDepleted(balances)) return 0;
        int256[] memory balancesAfter = MutualMath.redistributed(balances);
        for (uint256 i; i < balances.length; ++i) {
            int256 change = balancesAfter[i] - balances[i];
            if (change > 0) given += uint256(change);
            _enter(_group[i], 0, Item.Redistribution, change);
        }
    }
}
