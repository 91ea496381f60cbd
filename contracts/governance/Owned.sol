// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title An owner who hands over in two steps, and cannot walk away
/// @notice Without an owner nobody could end a market, replace a guardian or mend a feed, so ownership is never given up.
abstract contract Owned is Ownable2Step {
    /// @notice Ownership can be passed on, not given up.
    error OwnershipKept();

    constructor(address initialOwner) Ownable(initialOwner) {}

    /// @notice Always refused: with `OwnershipKept` where the owner asks.
    function renounceOwnership() public view override onlyOwner {
        revert OwnershipKept();
    }
}
