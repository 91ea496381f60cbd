// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ADLMath} from "../libraries/ADLMath.sol";
import {LeveragedReturn} from "../libraries/LeveragedReturn.sol";
import {MarginMath} from "../libraries/MarginMath.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {Ranking} from "../libraries/Ranking.sol";
import {RollingMax} from "../libraries/RollingMax.sol";
import {WadMath} from "../libraries/WadMath.sol";
import {AccountId, AccountIds} from "../types/AccountId.sol";
import {Candidate} from "../types/Round.sol";

/// @title The internal libraries, one function each, so that they can be called from outside; for tests only
/// @notice `many` runs thousands of calls in one, and tells of each whether it returned.
contract MathHarness {
    using RollingMax for RollingMax.Ring;
    using WadMath for int256;

    /// @param returned False where the call reverted.
    /// @param data What it returned or reverted with.
    struct Answer {
        bool returned;
        bytes data;
    }

    /// @notice A sample with this value is left out by `touch`.
    int256 public constant NO_SAMPLE = type(int256).min;

    mapping(uint256 id => RollingMax.Ring) private _rings;

    // ------------------------------------------------------------------ RollingMax

    /// @notice Records `samples[i]` in ring `i`.
    function touch(int256[] calldata samples) external {
        for (uint256 i; i < samples.length; ++i) {
            if (samples[i] != NO_SAMPLE) _rings[i].touch(samples[i]);
        }
    }

    /// @notice The maximum of each of the first `presents.length` rings.
    function maxima(int256[] calldata presents) external view returns (int256[] memory highest) {
        highest = new int256[](presents.length);
        for (uint256 i; i < presents.length; ++i) {
            highest[i] = _rings[i].maximum(presents[i]);
        }
    }

    /// @notice Gas of a sample in ring `id`, whose slots are cold.
    function gasOfTouch(uint256 id, int256 sample) external returns (uint256 used) {
        RollingMax.Ring storage ring = _rings[id];
        used = gasleft();
        ring.touch(sample);
        used -= gasleft();
    }

    /// @notice Gas of the maximum of ring `id`, whose slots are cold.
    function gasOfMaximum(uint256 id, int256 present) external view returns (uint256 used, int256 highest) {
        RollingMax.Ring storage ring = _rings[id];
        used = gasleft();
        highest = ring.maximum(present);
        used -= gasleft();
    }

    /// @notice Calls this contract many times.
    function many(bytes[] calldata calls) external view returns (Answer[] memory answers) {
        answers = new Answer[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            // solhint-disable-next-line avoid-low-level-calls
            (answers[i].returned, answers[i].data) = address(this).staticcall(calls[i]);
        }
    }

    // ------------------------------------------------------------------ WadMath

    function mulDown(int256 a, int256 b) external pure returns (int256) {
        return a.mulDown(b);
    }

    function mulUp(int256 a, int256 b) external pure returns (int256) {
        return a.mulUp(b);
    }

    function divDown(int256 a, int256 b) external pure returns (int256) {
        return a.divDown(b);
    }

    function divUp(int256 a, int256 b) external pure returns (int256) {
        return a.divUp(b);
    }

    function shareUp(int256 a, uint256 part, uint256 whole) external pure returns (int256) {
        return a.shareUp(part, whole);
    }

    function abs(int256 a) external pure returns (uint256) {
        return a.abs();
    }

    function min(int256 a, int256 b) external pure returns (int256) {
        return a.min(b);
    }

    function max(int256 a, int256 b) external pure returns (int256) {
        return a.max(b);
    }

    // ------------------------------------------------------------------ PositionMath, MarginMath, LeveragedReturn

    function entryAfter(int256 size, int256 entryNotional, int256 sizeChange, int256 value)
        external
        pure
        returns (int256)
    {
        return PositionMath.entryAfter(size, entryNotional, sizeChange, value);
    }

    function valueDown(int256 size, uint256 price) external pure returns (int256) {
        return MarginMath.valueDown(size, price);
    }

    function requirementUp(int256 size, uint256 mark, uint256 fraction) external pure returns (uint256) {
        return MarginMath.requirementUp(size, mark, fraction);
    }

    function equity(int256 size, int256 entryNotional, int256 margin, uint256 mark) external pure returns (int256) {
        return MarginMath.equity(size, entryNotional, margin, mark);
    }

    function bankruptcyPrice(int256 size, int256 notional, uint256 mark) external pure returns (int256) {
        return MarginMath.bankruptcyPrice(size, notional, mark);
    }

    function liquidationPrice(int256 size, int256 shortfall, uint256 maintenanceFraction)
        external
        pure
        returns (int256)
    {
        return MarginMath.liquidationPrice(size, shortfall, maintenanceFraction);
    }

    function score(int256 uPnL, int256 entryNotional, int256 equity_, uint256 maintenanceMargin)
        external
        pure
        returns (int256)
    {
        return LeveragedReturn.score(uPnL, entryNotional, equity_, maintenanceMargin);
    }

    // ------------------------------------------------------------------ ADLMath

    function priceOf(int256 size, int256 entryNotional, uint256 loss, uint256 compensation, uint256 mark)
        external
        pure
        returns (int256 price, int256 executionPrice)
    {
        return ADLMath.priceOf(size, entryNotional, loss, compensation, mark);
    }

    function entryPart(int256 entryNotional, uint256 contracts, uint256 ofContracts) external pure returns (int256) {
        return ADLMath.entryPart(entryNotional, contracts, ofContracts);
    }

    function isInsolventAt(int256 price, int256 size, int256 equity_, uint256 mark) external pure returns (bool) {
        return ADLMath.isInsolventAt(price, size, equity_, mark);
    }

    function solvencyPrice(int256 size, int256 equity_, uint256 mark) external pure returns (int256) {
        return ADLMath.solvencyPrice(size, equity_, mark);
    }

    function capacity(int256 size, int256 equity_, int256 part, uint256 mark) external pure returns (int256) {
        return ADLMath.capacity(size, equity_, part, mark);
    }

    // ------------------------------------------------------------------ Ranking

    /// @notice The accounts after the first `count` of them were ordered; `leveragedReturns` stay as they came.
    function sort(AccountId[] calldata accounts, int256[] calldata leveragedReturns, uint256 count)
        external
        pure
        returns (AccountId[] memory ordered)
    {
        Candidate[] memory candidates = new Candidate[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            (candidates[i].account, candidates[i].leveragedReturn) = (accounts[i], leveragedReturns[i]);
        }
        Ranking.sort(candidates, count);
        ordered = new AccountId[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            ordered[i] = candidates[i].account;
        }
    }

    // ------------------------------------------------------------------ AccountId

    function isolated(address owner, uint16 market, uint64 index) external pure returns (AccountId) {
        return AccountIds.isolated(owner, market, index);
    }

    function make(address owner, uint96 subId) external pure returns (AccountId) {
        return AccountIds.make(owner, subId);
    }

    /// @notice Owner, whether it is a cross account, its market, and whether it is well formed.
    function parts(AccountId account) external pure returns (address, bool, uint16, bool) {
        return (account.owner(), account.isCross(), account.market(), account.isWellFormed());
    }
}
