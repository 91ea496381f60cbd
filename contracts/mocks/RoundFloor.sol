// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What no round can do without, for the bench: of each counterparty two slots rewritten, and an event of three words
contract RoundFloor {
    mapping(uint256 account => uint256[2]) private _slots;

    event Closed(uint256 account, uint256 first, uint256 second);

    /// @notice Rewrites both slots of the first `count` accounts. Nothing is scored, sorted or checked.
    function close(uint256 count) external {
        for (uint256 account; account < count; ++account) {
            uint256[2] storage held = _slots[account];
            (uint256 first, uint256 second) = (held[0] + 1, held[1] + 1);
            (held[0], held[1]) = (first, second);
            emit Closed(account, first, second);
        }
    }
}
