// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LegSet} from "../../contracts/libraries/LegSet.sol";
import {PositionSlots} from "../../contracts/libraries/PositionSlots.sol";
import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Position} from "../../contracts/types/Position.sol";
import {Symbolic} from "./Symbolic.sol";

/// @title Packing: what is written is what is read, for every value in range
contract SlotsTest is Symbolic {
    Position private _one;
    Position private _other;

    /// @notice A stored position is the one that was written, as the compiler lays it out, and so is a copy of it.
    function check_storedPosition(Position memory held) external {
        PositionSlots.store(held, _one);
        _same(_one, held);
        PositionSlots.copy(_one, _other);
        _same(_other, held);
    }

    /// @notice A position is read as it was written by the compiler, whatever its slots had before.
    function check_loadedPosition(Position memory held, Position memory read) external {
        _one = held;
        PositionSlots.load(read, _one);
        _same(_one, read);
        (int256 size, int256 entryNotional, int256 fundingIndex) = PositionSlots.peek(_one);
        assert(size == held.size && entryNotional == held.entryNotional && fundingIndex == held.fundingIndex);
    }

    /// @notice An account's id gives back what it was made of, and is well formed.
    function check_accountId(address owner, uint16 market, uint64 index) external pure {
        CHEATS.assume(market != 0);
        AccountId isolated = AccountIds.isolated(owner, market, index);
        AccountId cross = AccountIds.cross(owner, index);
        assert(isolated.owner() == owner && cross.owner() == owner);
        assert(isolated.market() == market && cross.market() == 0);
        assert(!isolated.isCross() && cross.isCross());
        assert(isolated.isWellFormed() && cross.isWellFormed());
        assert(
            uint64(uint256(AccountId.unwrap(isolated))) == index && uint64(uint256(AccountId.unwrap(cross))) == index
        );
    }

    /// @notice Every well-formed id is one that `isolated` or `cross` makes: no two ids stand for one account.
    function check_wellFormedId(AccountId id) external pure {
        CHEATS.assume(id.isWellFormed());
        uint64 index = uint64(uint256(AccountId.unwrap(id)));
        address owner = id.owner();
        assert(id == (id.isCross() ? AccountIds.cross(owner, index) : AccountIds.isolated(owner, id.market(), index)));
    }

    /// @notice A market added to a set of up to three is in it, with all others, ascending; taken out it leaves what was there.
    function check_legs(uint16 first, uint16 second, uint16 third, uint16 added) external pure {
        CHEATS.assume(added != 0 && added != first && added != second && added != third);
        // Ascending, zeros above the last.
        CHEATS.assume(first < second || second == 0);
        CHEATS.assume(second < third || third == 0);
        CHEATS.assume((first != 0 || second == 0) && (second != 0 || third == 0));
        uint256 legs = uint256(first) | (uint256(second) << 16) | (uint256(third) << 32);
        assert(!LegSet.has(legs, added));
        uint256 more = LegSet.add(legs, added);
        assert(LegSet.has(more, added));
        assert(first == 0 || LegSet.has(more, first));
        assert(second == 0 || LegSet.has(more, second));
        assert(third == 0 || LegSet.has(more, third));
        for (uint256 place; place < 3; ++place) {
            uint256 next = uint16(more >> (16 * (place + 1)));
            assert(next == 0 || uint16(more >> (16 * place)) < next);
        }
        assert(more >> 64 == 0);
        assert(LegSet.remove(more, added) == legs);
    }

    function _same(Position storage slot, Position memory held) private view {
        assert(slot.size == held.size && slot.entryNotional == held.entryNotional);
        assert(slot.roundMarker == held.roundMarker && slot.margin == held.margin);
        assert(slot.fundingIndex == held.fundingIndex && slot.riskTime == held.riskTime);
    }
}
