// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {WadMath} from "./WadMath.sol";

/// @title Funding: the volume-weighted premium of an hour's fills, once an hour, from one side to the other
/// @notice Each fill's premium over mark is capped before it is averaged, so one outlier cannot set the hour; and an hour that is
/// over needs no price to be accrued. An hour without fills pays nothing.
library FundingMath {
    using WadMath for int256;

    /// @notice The hour that a timestamp lies in.
    function hourOf(uint256 timestamp) internal pure returns (uint24) {
        return uint24(timestamp / 1 hours);
    }

    /// @notice The cumulative index once an hour with fills is over; rounded down, and saturating.
    /// @param premium Sum of `premiumOf` the hour's fills.
    /// @param volume Sum of their contracts.
    function indexAfter(int256 index, int256 premium, uint256 volume) internal pure returns (int256) {
        if (volume == 0) return index;
        index += (premium * WadMath.WAD).divDown(int256(volume));
        if (index > type(int104).max) return type(int104).max;
        return index < type(int104).min ? type(int104).min : index;
    }

    /// @notice What a fill adds to the hour's premium: contracts times its price over mark, capped; down. WAD quote.
    /// @param cap WAD fraction of mark.
    function premiumOf(uint256 contracts, uint256 price, uint256 mark, uint256 cap) internal pure returns (int256) {
        int256 most = int256(mark * cap / WadMath.UWAD);
        int256 premium = (int256(price) - int256(mark)).min(most).max(-most);
        return premium.mulDown(int256(contracts));
    }

    /// @notice What a position pays (negative: gets) over a change of the index, rounded against it. WAD quote.
    function payment(int256 size, int256 indexChange) internal pure returns (int256) {
        return size.mulUp(indexChange);
    }
}
