// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {PoolBooks} from "./PoolBooks.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {MutualMath} from "./libraries/MutualMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {Side} from "./types/Market.sol";
import {Backer, Backing, Inventory, Item, Pool, Trigger} from "./types/Pool.sol";

/// @title When a pool takes stakes and lets them go, and what all of its shares are worth
abstract contract PoolStakes is PoolBooks {
    using WadMath for int256;

    /// @dev An exit waits while a market would have lost more than this part of the base within the window.
    uint256 private constant GATE_DIVISOR = 100;

    /// @dev What the pool's shares stand for, in token units, rounded down: its balance, less what its group will ask of it.
    function _assetsOf(uint16 poolId) internal view returns (uint256) {
        (int256 balance,) = _balanceOf(poolId);
        if (balance <= 0) return 0;
        uint256 assets = uint256(balance);
        if (_pools[poolId].backer == Backer.Mutual) assets -= MutualMath.burdenOf(balance, _groupBalances());
        return assets / _tokenScale;
    }

    /// @dev What a newcomer pays for: the pool's balance and what its inventories have gained at mark, which the balance does not count
    /// until it is closed. Token units, rounded up.
    function _entryAssetsOf(uint16 poolId) internal view returns (uint256) {
        (int256 balance,) = _balanceOf(poolId);
        uint16[] storage markets = _pools[poolId].markets;
        for (uint256 i; i < markets.length; ++i) {
            balance += int256(_gainsOf(markets[i]));
        }
        return balance <= 0 ? 0 : Math.ceilDiv(uint256(balance), _tokenScale);
    }

    function _gainsOf(uint16 market) private view returns (uint256 gains) {
        if (!_hasInventory(market)) return 0;
        (uint256 mark,) = _priceFeed.markOrLast(market);
        for (uint256 side; side < 2; ++side) {
            Inventory storage held = _inventory(market, Side(side));
            int256 uPnL = MarginMath.valueDown(held.size, mark) - held.entryNotional;
            if (uPnL > 0) gains += uint256(uPnL);
        }
    }

    /// @dev Who leaves a mutual pool while others are below zero leaves there what its part would have had to give: the others carry
    /// no more than before. `amount` in WAD quote is what it gets, after that part.
    function _leaveBurden(uint16 poolId, uint256 amount) internal {
        int256[] memory balances = _groupBalances();
        (uint256 surplus, uint256 deficit) = MutualMath.totals(balances);
        if (deficit == 0 || deficit >= surplus) return;
        (int256 balance,) = _balanceOf(poolId);
        uint256 burden = Math.mulDiv(amount, deficit, surplus - deficit, Math.Rounding.Ceil);
        burden = Math.min(burden, uint256((balance - int256(amount)).max(0)));
        uint256[] memory gifts = MutualMath.giftsOf(burden, balances);
        _enter(poolId, 0, Item.Redistribution, -int256(burden));
        for (uint256 i; i < gifts.length; ++i) {
            _enter(_group[i], 0, Item.Redistribution, int256(gifts[i]));
        }
    }

    /// @dev Whether a pool has ended at nothing: no cash, and nothing that could still earn or lose.
    function _isWipedOut(uint16 poolId) internal view returns (bool) {
        Pool storage pool = _pools[poolId];
        if (pool.cash != 0) return false;
        for (uint256 i; i < pool.markets.length; ++i) {
            if (_hasInventory(pool.markets[i])) return false;
        }
        return true;
    }

    /// @dev Token units that a pool has room for under its cap.
    function _roomOf(uint16 poolId, int256 balance) internal view returns (uint256) {
        uint96 cap = _pools[poolId].cap;
        if (cap == type(uint96).max) return type(uint256).max;
        return uint256((int256(uint256(cap)) - balance).max(0)) / _tokenScale;
    }

    /// @dev Keeps the memory of all triggers of a pool: capital that comes while ADL is due finds it begun.
    function _rememberAll(uint16 poolId) internal returns (Survey memory s) {
        s = _survey(poolId);
        for (uint256 i; i < s.markets.length; ++i) {
            _remember(s.markets[i], s, _judge(s, i));
        }
    }

    /// @dev No stake while new risk is paused, and none into a loss that others bear: not while ADL is due in the pool, nor while it or a member of its group is
    /// depleted, nor while its value or what its group will ask of it rests on a dead feed.
    function _checkStake(uint16 poolId, Survey memory s) internal view {
        uint256 pausedUntil = _exchange.pausedUntil();
        if (block.timestamp < pausedUntil) revert IInsuranceFund.StakeWhilePaused(poolId, pausedUntil);
        for (uint256 i; i < s.markets.length; ++i) {
            Backing memory state = _judge(s, i);
            if (_reasonOf(s, state) != Trigger.None) revert IInsuranceFund.StakeWhileADLDue(poolId, s.markets[i]);
        }
        uint16 unpriced = _unpricedMarket(poolId);
        if (unpriced != 0) revert IInsuranceFund.StakeWithoutPrice(poolId, unpriced);
        uint16 depleted = _depletedMember(poolId);
        if (depleted != 0) revert IInsuranceFund.PoolDepleted(depleted);
    }

    /// @dev An exit waits while, after it, a market would have lost more than 1 % of the base within the window, or ADL would
    /// be due: a trigger is never below 5 %, and a pool pays nothing that it does not have.
    function _checkExit(uint16 poolId, uint256 amount) internal view {
        uint16 depleted = _depletedMember(poolId);
        if (depleted != 0) revert IInsuranceFund.PoolDepleted(depleted);
        Survey memory s = _survey(poolId);
        for (uint256 i; i < s.markets.length; ++i) {
            Backing memory state = s.states[i];
            int256 baseAfter = int256(state.base) - int256(amount * _tokenScale);
            if (int256(state.loss * GATE_DIVISOR) > baseAfter.max(0)) {
                revert IInsuranceFund.ExitWaits(poolId, s.markets[i], state.loss, uint256(baseAfter.max(0)));
            }
        }
        uint16 unpriced = _unpricedMarket(poolId);
        if (unpriced != 0) revert IInsuranceFund.ExitWithoutPrice(poolId, unpriced);
    }

    /// @dev A market whose inventory has no live price, of the pool or of a member of its group, which it may have to carry; 0 where
    /// there is none.
    function _unpricedMarket(uint16 poolId) private view returns (uint16) {
        return _pools[poolId].backer == Backer.Own ? _unpricedOf(poolId) : _unpricedMember();
    }

    function _unpricedMember() internal view returns (uint16 market) {
        for (uint256 i; i < _group.length && market == 0; ++i) {
            market = _unpricedOf(_group[i]);
        }
    }

    function _unpricedOf(uint16 poolId) private view returns (uint16) {
        uint16[] storage markets = _pools[poolId].markets;
        for (uint256 i; i < markets.length; ++i) {
            if (!_isPriced(markets[i])) return markets[i];
        }
        return 0;
    }

    /// @dev The pool, or the first member of its group, that is below zero, or at zero with inventory; 0 where there is none.
    function _depletedMember(uint16 poolId) private view returns (uint16) {
        if (_pools[poolId].backer == Backer.Own) return _isDepleted(poolId, true) ? poolId : 0;
        for (uint256 i; i < _group.length; ++i) {
            if (_isDepleted(_group[i], _group[i] == poolId)) return _group[i];
        }
        return 0;
    }

    /// @dev Of another member of the group a closed market does not count whose inventory loses nothing: at a final price it never will.
    /// Of the pool itself it does: what shares of nothing are worth is not told by it.
    function _isDepleted(uint16 poolId, bool isItself) private view returns (bool) {
        (int256 balance,) = _balanceOf(poolId);
        if (balance != 0) return balance < 0;
        uint16[] storage markets = _pools[poolId].markets;
        for (uint256 i; i < markets.length; ++i) {
            if (_hasInventory(markets[i]) && (isItself || _mayLose(markets[i]))) return true;
        }
        return false;
    }

    function _mayLose(uint16 market) private view returns (bool) {
        if (_exchange.settlesAt(market) == 0) return true;
        (uint256 longLoss, uint256 shortLoss,) = _lossesOf(market);
        return longLoss + shortLoss != 0;
    }
}
