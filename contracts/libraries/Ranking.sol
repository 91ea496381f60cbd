// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Candidate} from "../types/Round.sol";

/// @title The deleveraging order: leveraged return descending, ties by account id ascending
/// @notice A merge sort over memory references, which costs one pass where the list is already in order, as a keeper's is.
library Ranking {
    /// @notice Orders the first `count` candidates in place.
    function sort(Candidate[] memory candidates, uint256 count) internal pure {
        uint256 ordered = 1;
        while (ordered < count && !precedes(candidates[ordered], candidates[ordered - 1])) ++ordered;
        if (ordered >= count) return;

        Candidate[] memory from = candidates;
        Candidate[] memory to = new Candidate[](count);
        for (uint256 width = 1; width < count; width *= 2) {
            for (uint256 left; left < count; left += 2 * width) {
                _merge(from, to, left, _smaller(left + width, count), _smaller(left + 2 * width, count));
            }
            (from, to) = (to, from);
        }
        if (_isSame(from, candidates)) return;
        for (uint256 i; i < count; ++i) {
            candidates[i] = from[i];
        }
    }

    /// @notice True where `a` is to be deleveraged before `b`.
    function precedes(Candidate memory a, Candidate memory b) internal pure returns (bool) {
        if (a.leveragedReturn != b.leveragedReturn) return a.leveragedReturn > b.leveragedReturn;
        return AccountId.unwrap(a.account) < AccountId.unwrap(b.account);
    }

    function _merge(Candidate[] memory from, Candidate[] memory to, uint256 left, uint256 middle, uint256 end)
        private
        pure
    {
        uint256 i = left;
        uint256 j = middle;
        for (uint256 k = left; k < end; ++k) {
            bool takeRight = i == middle || (j < end && precedes(from[j], from[i]));
            to[k] = takeRight ? from[j++] : from[i++];
        }
    }

    function _smaller(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _isSame(Candidate[] memory a, Candidate[] memory b) private pure returns (bool same) {
        assembly ("memory-safe") {
            same := eq(a, b)
        }
    }
}
