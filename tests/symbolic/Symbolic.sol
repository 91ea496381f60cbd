// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What halmos answers in place of a contract: values that stand for every value.
interface ISymbolic {
    function createBytes(uint256 size, string memory name) external pure returns (bytes memory);

    /// @notice From now on every slot of an account's storage that has not been written stands for every word.
    function enableSymbolicStorage(address account) external;
}

/// @notice Forge's cheat codes that halmos knows.
interface ICheats {
    function assume(bool holds) external pure;

    function prank(address sender) external;

    function warp(uint256 timestamp) external;
}

/// @title What the properties share: each `check_` function must hold for all of its arguments, but for those that revert
abstract contract Symbolic {
    ISymbolic internal constant SYMBOLIC = ISymbolic(0xF3993A62377BCd56AE39D773740A5390411E8BC9);
    ICheats internal constant CHEATS = ICheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
}
