// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Position} from "../types/Position.sol";

/// @title A position between memory and its two storage slots, each read and written once
/// @notice The compiler reads and writes a packed struct member by member, which costs a trade some 5,000 gas. The layout is that of
/// `Position`; a test holds both equal.
library PositionSlots {
    /// @notice Reads a position into a struct that is there already.
    function load(Position memory held, Position storage slot) internal view {
        assembly ("memory-safe") {
            let low := sload(slot.slot)
            let high := sload(add(slot.slot, 1))
            mstore(held, signextend(13, low))
            mstore(add(held, 0x20), signextend(13, shr(112, low)))
            mstore(add(held, 0x40), shr(224, low))
            mstore(add(held, 0x60), signextend(13, high))
            mstore(add(held, 0x80), signextend(12, shr(112, high)))
            mstore(add(held, 0xa0), shr(216, high))
        }
    }

    /// @notice What a position is worth by, without a struct to hold it.
    function peek(Position storage slot)
        internal
        view
        returns (int256 size, int256 entryNotional, int256 fundingIndex)
    {
        assembly ("memory-safe") {
            let low := sload(slot.slot)
            size := signextend(13, low)
            entryNotional := signextend(13, shr(112, low))
            fundingIndex := signextend(12, shr(112, sload(add(slot.slot, 1))))
        }
    }

    /// @notice Copies a position as it is stored.
    function copy(Position storage from, Position storage to) internal {
        assembly ("memory-safe") {
            sstore(to.slot, sload(from.slot))
            sstore(add(to.slot, 1), sload(add(from.slot, 1)))
        }
    }

    /// @notice Writes a position.
    function store(Position memory held, Position storage slot) internal {
        assembly ("memory-safe") {
            let size := shr(144, shl(144, mload(held)))
            let entry := shr(32, shl(144, mload(add(held, 0x20))))
            let margin := shr(144, shl(144, mload(add(held, 0x60))))
            let index := shr(40, shl(152, mload(add(held, 0x80))))
            sstore(slot.slot, or(or(size, entry), shl(224, mload(add(held, 0x40)))))
            sstore(add(slot.slot, 1), or(or(margin, index), shl(216, mload(add(held, 0xa0)))))
        }
    }
}
