// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Side} from "../types/Market.sol";
import {Bounds, Candidate, Outcome, SkipReason} from "../types/Round.sol";
import {IRoundBook} from "./IRoundBook.sol";

/// @title Auto-deleveraging: rounds against ranked counterparties
/// @notice Anyone may call; the order inside a round is computed here, from live state. Formulas: docs/mathematics.md.
interface IADLEngine {
    /// @notice A round was executed.
    event RoundExecuted(uint256 indexed round, uint16 indexed market, address indexed keeper, Outcome outcome);
    /// @notice An account was deleveraged.
    /// @param size Signed contracts it took over from the pool, WAD: opposite to its position.
    /// @param price Its price, WAD: `p_adl`, or its own limit of solvency in the second pass.
    /// @param leveragedReturn Its rank key, WAD.
    /// @param rank Its place in the order of execution, from 1.
    event Deleveraged(
        uint256 indexed round,
        AccountId indexed account,
        int256 size,
        int256 value,
        int256 price,
        int256 leveragedReturn,
        uint256 rank
    );
    /// @notice A candidate took no part.
    event CandidateSkipped(uint256 indexed round, AccountId indexed account, SkipReason reason);

    /// @notice Nothing is due for this inventory.
    error ADLNotDue(uint16 market, Side side);
    error CandidatesMissing(uint16 market);
    /// @notice Every candidate was skipped, or none was left to close against.
    error NothingDeleveraged(uint256 candidates);
    error DeadlinePassed(uint256 deadline);
    /// @notice The price is not what the caller planned for. All WAD.
    error PriceOutsideBounds(int256 price, int256 minPrice, int256 maxPrice);
    /// @notice A mark is not what the caller planned for. All WAD.
    error MarkOutsideBounds(uint16 market, uint256 mark, uint256 lowest, uint256 highest);
    /// @notice A post-condition does not hold: cash would appear or vanish. WAD quote.
    error CashNotConserved(int256 pool, int256 accounts);
    /// @notice A post-condition does not hold: the pool would get more than its compensation. WAD quote.
    error Overcompensated(int256 received, uint256 compensation);

    /// @notice Closes losing inventory of a side against candidates, in the order of their leveraged return.
    /// @dev Candidates that can take no part are skipped with an event. A list without a single fill reverts. An empty list is
    /// allowed only where no account holds the other side: the inventory is then netted against the pool's own.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @param candidates Accounts of the other side, in any order.
    /// @param bounds What the caller planned for. The caller's bond must cover the round.
    /// @return round Id of the round.
    function deleverage(uint16 market, Side side, AccountId[] calldata candidates, Bounds calldata bounds)
        external
        returns (uint256 round);

    /// @notice The order in which candidates would be deleveraged, and nobody else: the code that `deleverage` runs.
    /// @param side Side of the inventory; candidates of the other side are ranked.
    /// @return ranked Eligible candidates, first to go first. Ties go by account id.
    function ranking(uint16 market, Side side, AccountId[] calldata candidates)
        external
        view
        returns (Candidate[] memory ranked);

    /// @notice Where rounds are on record and may be challenged.
    function book() external view returns (IRoundBook);

    /// @notice Number of rounds so far; their ids are 1 to this.
    function roundCount() external view returns (uint256);
}
