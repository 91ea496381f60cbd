// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Exposure} from "../types/Position.sol";

/// @title Arrays of exposures and of fills in memory, as calls carry them: tuple after tuple, word after word
/// @notice The compiler's own coder moves such arrays through structs of their own, member by member, which costs a round some 7,000
/// gas for each counterparty. Here a list is the very data of the answer or of the call; types and ABI are the usual ones.
library FlatTuples {
    uint256 private constant EXPOSURE = 0x80;
    uint256 private constant FILL = 0x60;

    // ------------------------------------------------------------------ exposures

    /// @notice Room for an answer of so many exposures, its head written.
    function answer(uint256 tuples) internal pure returns (bytes memory data) {
        data = new bytes(0x40 + tuples * EXPOSURE);
        assembly ("memory-safe") {
            mstore(add(data, 0x20), 0x20)
            mstore(add(data, 0x40), tuples)
        }
    }

    /// @notice One exposure of an answer, in its place there.
    function exposure(bytes memory data, uint256 index) internal pure returns (Exposure memory state) {
        assembly ("memory-safe") {
            state := add(add(data, 0x60), mul(index, EXPOSURE))
        }
    }

    /// @notice Ends the call with an answer.
    function give(bytes memory data) internal pure {
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }

    // ------------------------------------------------------------------ fills

    /// @notice Room for so many fills, none there yet.
    function fills(uint256 most) internal pure returns (bytes memory list) {
        list = new bytes(most * FILL);
        assembly ("memory-safe") {
            mstore(list, 0)
        }
    }

    /// @notice Adds a fill where there is room for it.
    function add(bytes memory list, AccountId account, int256 size, int256 value) internal pure {
        assembly ("memory-safe") {
            let length := mload(list)
            let place := add(add(list, 0x20), length)
            mstore(place, account)
            mstore(add(place, 0x20), size)
            mstore(add(place, 0x40), value)
            mstore(list, add(length, FILL))
        }
    }

    /// @notice How many there are.
    function count(bytes memory list) internal pure returns (uint256) {
        return list.length / FILL;
    }

    /// @notice The account of the last one; there must be one.
    function lastAccount(bytes memory list) internal pure returns (AccountId account) {
        assembly ("memory-safe") {
            account := mload(add(list, sub(add(mload(list), 0x20), FILL)))
        }
    }

    /// @notice Puts the fills into a call that has just been encoded, as nothing after it, with an empty list of them at its end.
    function append(bytes memory data, bytes memory list) internal pure {
        uint256 added = count(list);
        assembly ("memory-safe") {
            let end := add(add(data, 0x20), mload(data))
            let length := mload(list)
            mstore(sub(end, 0x20), added)
            mcopy(end, add(list, 0x20), length)
            mstore(data, add(mload(data), length))
            mstore(0x40, and(add(add(end, length), 0x1f), not(0x1f)))
        }
    }
}
