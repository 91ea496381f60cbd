// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bond} from "../types/Round.sol";

/// @title Bonds: what keepers stake on having left nobody out
/// @notice Held here in tokens, apart from the exchange's. Amounts of calls in token units, of views and events in WAD quote.
interface IKeeperBonds {
    event BondPosted(address indexed keeper, uint256 amount);
    /// @notice A keeper asked for a part of its bond; a new request takes the place of the one before.
    event BondRequested(address indexed keeper, uint256 amount, uint256 ripeAt);
    event BondWithdrawn(address indexed keeper, address indexed recipient, uint256 amount);
    /// @notice What a challenge brought to an owner was taken out.
    event Claimed(address indexed owner, address indexed recipient, uint256 amount);

    /// @notice What the keeper has free does not cover the round. Post the difference, or wait for older rounds to close.
    error BondInsufficient(address keeper, uint256 available, uint256 required);
    /// @notice More was asked for than is there.
    error BondExceeded(address keeper, uint256 amount, uint256 posted);
    error BondUnripe(address keeper, uint256 ripeAt);
    error BondTooLarge(uint256 amount, uint256 most);
    /// @notice Nothing can be taken out: nothing was asked for, or all of it covers rounds.
    error NothingToWithdraw(address keeper);
    error NothingToClaim(address owner);
    error TransferShort(uint256 amount, uint256 received);

    /// @notice Adds to the caller's bond.
    function postBond(uint256 amount) external;

    /// @notice Asks for a part of the caller's bond, which from now on covers no new rounds. It can be withdrawn once every round that
    /// is open now has closed. Zero calls it off.
    function requestBond(uint256 amount) external;

    /// @notice Takes out what was asked for and is ripe, less what rounds still need.
    /// @return paid Token units.
    function withdrawBond(address recipient) external returns (uint256 paid);

    /// @notice Frees what covered rounds of a keeper that have closed. Rounds and withdrawals do it themselves, in order, up to the first
    /// that is still open.
    /// @param places Which of `roundsOf` the keeper; those that are still open, or free already, are passed over.
    function releaseBond(address keeper, uint256[] calldata places) external;

    /// @notice Takes out what challenges have brought the caller.
    /// @return paid Token units.
    function claim(address recipient) external returns (uint256 paid);

    /// @notice A keeper's bond as stored.
    function bond(address keeper) external view returns (Bond memory);

    /// @notice What of a keeper's bond can cover a round now, closed rounds freed.
    function availableBond(address keeper) external view returns (uint256);

    /// @notice What challenges have brought an owner, WAD quote.
    function claimable(address owner) external view returns (uint256);

    /// @notice The rounds of a keeper, in order.
    function roundsOf(address keeper, uint256 from, uint256 count) external view returns (uint32[] memory);
}
