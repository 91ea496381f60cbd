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
    /// @param round Id of the round.
    /// @param market Market id.
    /// @param keeper Who executed it.
    /// @param outcome What it did.
    event RoundExecuted(uint256 indexed round, uint16 indexed market, address indexed keeper, Outcome outcome);
    /// @notice An account was deleveraged.
    /// @param round Id of the round.
    /// @param account The account.
    /// @param size Signed contracts it took over from the pool, WAD: opposite to its position.
    /// @param value Signed quote amount that goes with them, WAD: added to its entry, as in a trade.
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
    /// @param round Id of the round.
    /// @param account The account.
    /// @param reason Why.
    event CandidateSkipped(uint256 indexed round, AccountId indexed account, SkipReason reason);

    /// @notice Nothing is due for this inventory.
    /// @param market Market id.
    /// @param side Side of the inventory.
    error ADLNotDue(uint16 market, Side side);
    /// @notice No candidates were given, although accounts hold the other side.
    /// @param market Market id.
    error CandidatesMissing(uint16 market);
    /// @notice Every candidate was skipped, or none was left to close against.
    /// @param candidates How many were given.
    error NothingDeleveraged(uint256 candidates);
    /// @notice The caller's plan is too old.
    /// @param deadline Last timestamp that it was good for, seconds.
    error DeadlinePassed(uint256 deadline);
    /// @notice The price is not what the caller planned for.
    /// @param price `p_adl` now, WAD.
    /// @param minPrice Lowest that the caller accepts, WAD.
    /// @param maxPrice Highest that the caller accepts, WAD.
    error PriceOutsideBounds(int256 price, int256 minPrice, int256 maxPrice);
    /// @notice A mark is not what the caller planned for.
    /// @param market Market id.
    /// @param mark Mark, or last accepted price where the feed is dead, WAD.
    /// @param lowest Lowest that the caller accepts, WAD.
    /// @param highest Highest that the caller accepts, WAD.
    error MarkOutsideBounds(uint16 market, uint256 mark, uint256 lowest, uint256 highest);
    /// @notice A post-condition does not hold: cash would appear or vanish.
    /// @param pool Change of the pool's cash, WAD quote.
    /// @param accounts Change of the accounts' cash, WAD quote.
    error CashNotConserved(int256 pool, int256 accounts);
    /// @notice A post-condition does not hold: the pool would get more than its compensation.
    /// @param received What it would get beyond mark, WAD quote.
    /// @param compensation What it is due, WAD quote.
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
    /// @param market Market id.
    /// @param side Side of the inventory; candidates of the other side are ranked.
    /// @param candidates Accounts of the other side, in any order.
    /// @return ranked Eligible candidates, first to go first. Ties go by account id.
    function ranking(uint16 market, Side side, AccountId[] calldata candidates)
        external
        view
        returns (Candidate[] memory ranked);

    /// @notice Where rounds are on record and may be challenged.
    /// @return The book of rounds.
    function book() external view returns (IRoundBook);

    /// @notice Number of rounds so far; their ids are 1 to this.
    /// @return How many.
    function roundCount() external view returns (uint256);
}
