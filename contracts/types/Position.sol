// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A position in one market, in two storage slots: all that a deleveraged isolated counterparty touches.
/// @param size Signed contracts, WAD base units; long > 0.
/// @param entryNotional Signed quote value at which it was opened, WAD; carries the sign of `size`.
/// @param roundMarker The last deleveraging round that this position is checkpointed for, or was closed in; 0 for none.
/// @param margin Margin of an isolated account, WAD quote; a cross account keeps its margin elsewhere.
/// @param fundingIndex The market's cumulative funding when this position was last settled, WAD quote per base unit.
/// @param riskTime When risk was last raised (opened, grown, flipped, margin withdrawn) or the account was first touched, seconds;
/// never zero once an account exists. For cross accounts `CrossAccount.riskTime` counts.
struct Position {
    int112 size;
    int112 entryNotional;
    uint32 roundMarker;
    int112 margin;
    int104 fundingIndex;
    uint40 riskTime;
}

/// @notice A cross account beside its positions, in two slots.
/// @param margin WAD quote.
/// @param listed Whether it stands in the list of cross accounts.
/// @param roundMarker The last deleveraging round that its margin and legs are checkpointed for; 0 for none.
/// @param riskTime When risk was last raised, seconds: a leg opened, grown or flipped, margin withdrawn, or one of several legs changed
/// in any way.
/// @param legs The markets it holds, ascending; see `LegSet`.
struct CrossAccount {
    int112 margin;
    bool listed;
    uint32 roundMarker;
    uint40 riskTime;
    uint256 legs;
}

/// @notice What an account's margin is measured by, at mark, with funding settled. All WAD quote.
/// @param collateral Margin less the funding that is due.
/// @param equity `E`: collateral and the unrealized results of all positions.
/// @param losses Sum of the negative ones among those.
/// @param maintenanceMargin `MM`, summed over positions.
/// @param initialMargin `IM`, likewise.
struct Health {
    int256 collateral;
    int256 equity;
    int256 losses;
    uint256 maintenanceMargin;
    uint256 initialMargin;
}

/// @notice What scoring needs of an account in a market, at mark.
/// @param size Signed contracts, WAD.
/// @param entryNotional Signed, WAD quote.
/// @param equity `E` of the whole account, WAD quote.
/// @param maintenanceMargin `MM` of the whole account, WAD quote.
struct Exposure {
    int256 size;
    int256 entryNotional;
    int256 equity;
    uint256 maintenanceMargin;
}
