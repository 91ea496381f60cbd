// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FlatTuples} from "../../contracts/libraries/FlatTuples.sol";
import {MutualMath} from "../../contracts/libraries/MutualMath.sol";
import {PositionSlots} from "../../contracts/libraries/PositionSlots.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {Exposure, Position} from "../../contracts/types/Position.sol";
import {Fill} from "../../contracts/types/Round.sol";

/// @title The libraries that move words of memory and storage, and those of mutual groups, so that they can be called from outside
contract DirectHarness {
    /// @notice What a position is after it was stored, by each way of reading it.
    /// @param plain As the compiler reads what was stored.
    /// @param loaded As the library does.
    /// @param peeked Size, entry notional and funding index.
    /// @param copied As the compiler reads the copy.
    struct Stored {
        Position plain;
        Position loaded;
        int256[3] peeked;
        Position copied;
    }

    /// @notice Memory was touched that is another's.
    error Overwritten();

    uint256 private constant MARK = uint256(keccak256("mark"));

    Position private _one;
    Position private _other;

    // ------------------------------------------------------------------ FlatTuples

    function exposures(Exposure[] calldata given) external pure returns (Exposure[] memory) {
        bytes memory data = FlatTuples.answer(given.length);
        uint256[] memory behind = _mark();
        for (uint256 i; i < given.length; ++i) {
            Exposure memory state = FlatTuples.exposure(data, i);
            (state.size, state.entryNotional) = (given[i].size, given[i].entryNotional);
            (state.equity, state.maintenanceMargin) = (given[i].equity, given[i].maintenanceMargin);
        }
        _check(behind);
        FlatTuples.give(data);
    }

    /// @param most Room for so many.
    /// @param before How many words the call has before the fills.
    /// @return data A call of `take` with that.
    /// @return count How many fills were counted.
    /// @return last The account of the last one.
    /// @return free How far behind the call memory is free, beyond its last word.
    function fills(uint256 most, uint256 before, Fill[] calldata given)
        external
        pure
        returns (bytes memory data, uint256 count, AccountId last, uint256 free)
    {
        bytes memory list = FlatTuples.fills(most);
        uint256[] memory behind = _mark();
        for (uint256 i; i < given.length; ++i) {
            FlatTuples.add(list, given[i].account, given[i].size, given[i].value);
        }
        count = FlatTuples.count(list);
        if (count != 0) last = FlatTuples.lastAccount(list);
        uint256[] memory words = new uint256[](before);
        for (uint256 i; i < before; ++i) {
            words[i] = MARK ^ i;
        }
        data = abi.encodeCall(DirectHarness.take, (words, new Fill[](0)));
        FlatTuples.append(data, list);
        assembly ("memory-safe") {
            free := sub(mload(0x40), and(add(add(data, mload(data)), 0x3f), not(0x1f)))
        }
        _check(behind);
    }

    function take(uint256[] calldata words, Fill[] calldata given) external pure {}

    /// @dev Whatever is reserved next, and filled.
    function _mark() private pure returns (uint256[] memory behind) {
        behind = new uint256[](8);
        for (uint256 i; i < behind.length; ++i) {
            behind[i] = MARK + i;
        }
    }

    function _check(uint256[] memory behind) private pure {
        if (behind.length != 8) revert Overwritten();
        for (uint256 i; i < behind.length; ++i) {
            if (behind[i] != MARK + i) revert Overwritten();
        }
    }

    // ------------------------------------------------------------------ PositionSlots

    /// @notice Stores each over what the one before has left.
    function store(Position[] calldata given) external returns (Stored[] memory found) {
        found = new Stored[](given.length);
        for (uint256 i; i < given.length; ++i) {
            Position memory held = given[i];
            PositionSlots.store(held, _one);
            found[i].plain = _one;
            Position memory loaded = found[i].loaded;
            PositionSlots.load(loaded, _one);
            (found[i].peeked[0], found[i].peeked[1], found[i].peeked[2]) = PositionSlots.peek(_one);
            PositionSlots.copy(_one, _other);
            found[i].copied = _other;
        }
    }

    // ------------------------------------------------------------------ MutualMath

    function isDepleted(int256[] memory balances) external pure returns (bool) {
        return MutualMath.isDepleted(balances);
    }

    function totals(int256[] memory balances) external pure returns (uint256 surplus, uint256 deficit) {
        return MutualMath.totals(balances);
    }

    function redistributed(int256[] memory balances) external pure returns (int256[] memory) {
        return MutualMath.redistributed(balances);
    }

    function giftsOf(uint256 amount, int256[] memory balances) external pure returns (uint256[] memory) {
        return MutualMath.giftsOf(amount, balances);
    }

    function restsAsGiver(int256 balance, int256[] memory balances) external pure returns (bool) {
        return MutualMath.restsAsGiver(balance, balances);
    }

    function burdenOf(int256 balance, int256[] memory balances) external pure returns (uint256) {
        return MutualMath.burdenOf(balance, balances);
    }
}
