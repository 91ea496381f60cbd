// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {WadMath} from "./WadMath.sol";

/// @title Funding: the volume-weighted premium of an hour's fills, once an hour, from one side to the other
/// @notice Each fill's premium over mark is capped before it is averaged, so one outlier cannot set the hour; and an hour that is
/// over needs no price to be accrued. An hour without fills pays nothing.
library FundingMath {
    using WadMath for int256;

    /// @notice An hour with less volume than open interest over this is averaged as if the rest had been filled at mark: all open
    /// interest pays the premium, so dust must not set it. A hundredth is little beside the volume of an hour in use.
    uint256 internal constant LEAST_VOLUME_DIVISOR = 100;

    /// @notice The hour that a timestamp lies in.
    function hourOf(uint256 timestamp) internal pure returns (uint24) {
        return uint24(timestamp / 1 hours);
    }

    /// @notice The cumulative index once an hour with fills is over; rounded down, and saturating.
    /// @param premium Sum of `premiumOf` the hour's fills.
    /// @param volume Sum of their contracts.
    /// @param openInterest As the hour left it.
    function indexAfter(int256 index, int256 premium, uint256 volume, uint256 openInterest)
        internal
        pure
        returns (int256)
    {
        if (volume == 0) return index;
        uint256 least = openInterest / LEAST_VOLUME_DIVISOR;
        index += (premium * WadMath.WAD).divDown(int256(volume < least ? least : volume));
        if (index > type(int104).max) return type(int104).max;
        return index < type(int104).min ? type(int104).min : index;
    }

    /// @notice What a fill adds to the hour's premium: contracts times its price over mark, capped. WAD quote, toward zero: rounded
    /// away from it, a wei of contracts would count for more than its cap.
    /// @param cap WAD fraction of mark.
    function premiumOf(uint256 contracts, uint256 price, uint256 mark, uint256 cap) internal pure returns (int256) {
        int256 most = int256(mark * cap / WadMath.UWAD);
        int256 premium = (int256(price) - int256(mark)).min(most).max(-most);
        return premium * int256(contracts) / WadMath.WAD;
    }

    /// @notice What a position pays (negative: gets) over a change of the index, rounded against it. WAD quote.
    function payment(int256 size, int256 indexChange) internal pure returns (int256) {
        return size.mulUp(indexChange);
    }
}
