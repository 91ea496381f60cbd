// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A group of pools that back each other
/// @notice Balances are in WAD quote, one a member, in the order of their ids.
library MutualMath {
    /// @notice Whether the group cannot carry its depleted members: what it has does not exceed what it lacks.
    function isDepleted(int256[] memory balances) internal pure returns (bool) {
        return _sum(balances) <= 0;
    }

    /// @notice What members have above zero, and what others lack.
    function totals(int256[] memory balances) internal pure returns (uint256 surplus, uint256 deficit) {
        for (uint256 i; i < balances.length; ++i) {
            if (balances[i] > 0) surplus += uint256(balances[i]);
            else deficit += uint256(-balances[i]);
        }
    }

    /// @notice The balances of a depleted group after its positive ones are given to the deficits, pro rata. Every giver ends at zero;
    /// gifts are rounded down, and the remainder goes to the last member with a deficit.
    function redistributed(int256[] memory balances) internal pure returns (int256[] memory balancesAfter) {
        (uint256 surplus,) = totals(balances);
        uint256[] memory gifts = giftsOf(surplus, balances);
        balancesAfter = new int256[](balances.length);
        for (uint256 i; i < balances.length; ++i) {
            // A group at zero without a deficit has no surplus either.
            if (balances[i] < 0) balancesAfter[i] = balances[i] + int256(gifts[i]);
        }
    }

    /// @notice An amount shared over the deficits, pro rata: rounded down, the remainder to the last member with a deficit.
    function giftsOf(uint256 amount, int256[] memory balances) internal pure returns (uint256[] memory gifts) {
        (, uint256 deficit) = totals(balances);
        gifts = new uint256[](balances.length);
        uint256 left = amount;
        uint256 last;
        for (uint256 i; i < balances.length; ++i) {
            if (balances[i] >= 0) continue;
            gifts[i] = Math.mulDiv(amount, uint256(-balances[i]), deficit);
            left -= gifts[i];
            last = i;
        }
        if (deficit != 0) gifts[last] += left;
    }

    /// @notice Whether a member's drawdown trigger rests because it gives, or has just given, all that it has, and others are below
    /// zero all the same. A giver stands at zero afterwards, so zero counts: what is due does not depend on who redistributed first.
    function restsAsGiver(int256 balance, int256[] memory balances) internal pure returns (bool) {
        return balance >= 0 && _sum(balances) < 0;
    }

    /// @notice What a member would have to give for the others' deficits, pro rata to what is there, rounded up.
    function burdenOf(int256 balance, int256[] memory balances) internal pure returns (uint256) {
        if (balance <= 0) return 0;
        (uint256 surplus, uint256 deficit) = totals(balances);
        if (deficit >= surplus) return uint256(balance);
        return Math.mulDiv(deficit, uint256(balance), surplus, Math.Rounding.Ceil);
    }

    function _sum(int256[] memory balances) private pure returns (int256 sum) {
        for (uint256 i; i < balances.length; ++i) {
            sum += balances[i];
        }
    }
}
