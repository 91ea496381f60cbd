// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bond} from "../types/Round.sol";

/// @title Bonds: what keepers stake on having left nobody out
/// @notice Held here in tokens, apart from the exchange's. Amounts of calls in token units, of views and events in WAD quote.
interface IKeeperBonds {
    /// @notice A keeper added to its bond.
    /// @param keeper Whose bond it is.
    /// @param amount WAD quote.
    event BondPosted(address indexed keeper, uint256 amount);
    /// @notice A keeper asked for a part of its bond; a new request takes the place of the one before.
    /// @param keeper Whose bond it is.
    /// @param amount What it asked for in all, WAD quote; 0 calls it off.
    /// @param ripeAt When it can be withdrawn, seconds; 0 where it was called off.
    event BondRequested(address indexed keeper, uint256 amount, uint256 ripeAt);
    /// @notice A keeper took out what it had asked for, less what rounds still need.
    /// @param keeper Whose bond it is.
    /// @param recipient Who got the tokens.
    /// @param amount WAD quote.
    event BondWithdrawn(address indexed keeper, address indexed recipient, uint256 amount);
    /// @notice What a challenge brought to an owner was taken out.
    /// @param owner Whose it was.
    /// @param recipient Who got the tokens.
    /// @param amount WAD quote.
    event Claimed(address indexed owner, address indexed recipient, uint256 amount);

    /// @notice What the keeper has free does not cover the round. Post the difference, or wait for older rounds to close.
    /// @param keeper Whose bond it is.
    /// @param available What is free, WAD quote.
    /// @param required What the round needs, WAD quote.
    error BondInsufficient(address keeper, uint256 available, uint256 required);
    /// @notice More was asked for than is there.
    /// @param keeper Whose bond it is.
    /// @param amount Asked for, WAD quote.
    /// @param posted What is there, WAD quote.
    error BondExceeded(address keeper, uint256 amount, uint256 posted);
    /// @notice The rounds of the time of the request may still be open.
    /// @param keeper Whose bond it is.
    /// @param ripeAt When it can be withdrawn, seconds.
    error BondUnripe(address keeper, uint256 ripeAt);
    /// @notice A bond is not larger than what its slot can hold.
    /// @param amount What it would be, WAD quote.
    /// @param most The largest, WAD quote.
    error BondTooLarge(uint256 amount, uint256 most);
    /// @notice Nothing can be taken out: nothing was asked for, or all of it covers rounds.
    /// @param keeper Whose bond it is.
    error NothingToWithdraw(address keeper);
    /// @notice Challenges have brought the caller nothing, or less than a token unit.
    /// @param owner The caller.
    error NothingToClaim(address owner);
    /// @notice The token moved another amount than it was asked to.
    /// @param amount Token units that were asked for.
    /// @param received Token units that came.
    error TransferShort(uint256 amount, uint256 received);

    /// @notice Adds to the caller's bond.
    /// @param amount Token units; the caller has approved them to this contract.
    function postBond(uint256 amount) external;

    /// @notice Asks for a part of the caller's bond, which from now on covers no new rounds. It can be withdrawn once every round that
    /// is open now has closed. Zero calls it off.
    /// @param amount Token units.
    function requestBond(uint256 amount) external;

    /// @notice Takes out what was asked for and is ripe, less what rounds still need.
    /// @param recipient Who gets the tokens.
    /// @return paid Token units.
    function withdrawBond(address recipient) external returns (uint256 paid);

    /// @notice Frees what covered rounds of a keeper that have closed. Rounds and withdrawals do it themselves, in order, up to the first
    /// that is still open.
    /// @param keeper Whose bond it is.
    /// @param places Which of `roundsOf` the keeper; those that are still open, or free already, are passed over.
    function releaseBond(address keeper, uint256[] calldata places) external;

    /// @notice Takes out what challenges have brought the caller.
    /// @param recipient Who gets the tokens.
    /// @return paid Token units.
    function claim(address recipient) external returns (uint256 paid);

    /// @notice A keeper's bond as stored.
    /// @param keeper The keeper.
    /// @return As stored, WAD quote.
    function bond(address keeper) external view returns (Bond memory);

    /// @notice What of a keeper's bond can cover a round now, closed rounds freed.
    /// @param keeper The keeper.
    /// @return WAD quote.
    function availableBond(address keeper) external view returns (uint256);

    /// @notice What challenges have brought an owner, WAD quote.
    /// @param owner Whose it is: challenger, or owner of an account at a cutoff.
    /// @return WAD quote.
    function claimable(address owner) external view returns (uint256);

    /// @notice The rounds of a keeper, in order.
    /// @param keeper The keeper.
    /// @param from Place of the first, from 0.
    /// @param count Most to return.
    /// @return Ids of rounds; fewer where there are no more.
    function roundsOf(address keeper, uint256 from, uint256 count) external view returns (uint32[] memory);
}
