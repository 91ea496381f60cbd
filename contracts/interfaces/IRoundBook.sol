// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";
import {Exemption, RewardParameters, RoundParameters, RoundRecord} from "../types/Round.sol";
import {IExchange} from "./IExchange.sol";

/// @title Rounds on record, and the challenge of who was left out of one
/// @notice The order inside a round is right by construction; that nobody better ranked was left out is for anyone to disprove while
/// its window is open. Rules and reasons: docs/challenges.md.
interface IRoundBook {
    /// @notice A round is on record, and may be challenged.
    /// @param round Id of the round.
    /// @param prices The round under which its prices are recorded: itself, or an earlier one at the same prices.
    /// @param bond What was set aside of the keeper's bond, WAD quote.
    /// @param cutoffAccount The last account that was closed.
    /// @param cutoffReturn The lowest leveraged return closed at `p_adl`, WAD.
    /// @param secondPass Whether accounts insolvent at `p_adl` were closed too.
    /// @param openUntil Until when it may be challenged, seconds.
    event RoundOpened(
        uint256 indexed round,
        uint256 prices,
        uint256 bond,
        AccountId cutoffAccount,
        int256 cutoffReturn,
        bool secondPass,
        uint256 openUntil
    );
    /// @notice An account should have been in a round.
    /// @param round Id of the round.
    /// @param account The account.
    /// @param challenger Who showed it.
    /// @param leveragedReturn Its rank key as of the round, WAD.
    /// @param spared What it would have given up, WAD quote.
    /// @param penalty What that cost the keeper, WAD quote.
    event OmissionProven(
        uint256 indexed round,
        AccountId indexed account,
        address indexed challenger,
        int256 leveragedReturn,
        uint256 spared,
        uint256 penalty
    );
    /// @notice What later rounds go by was set.
    /// @param parameters All of them.
    event RoundParametersSet(RoundParameters parameters);
    /// @notice What keepers get was set.
    /// @param parameters All of them.
    event RewardParametersSet(RewardParameters parameters);

    /// @notice Only the ADL engine opens rounds.
    /// @param caller Who called.
    error CallerNotEngine(address caller);
    /// @notice There is no such round on record.
    /// @param round Id of the round.
    error RoundUnknown(uint256 round);
    /// @notice The round's window is over.
    /// @param round Id of the round.
    /// @param openUntil Until when it could be challenged, seconds.
    error RoundClosed(uint256 round, uint256 openUntil);
    /// @notice The account was left out rightly, for this reason.
    /// @param round Id of the round.
    /// @param account The account.
    /// @param reason Why it is none.
    error NotAnOmission(uint256 round, AccountId account, Exemption reason);
    /// @notice The account was shown to be left out of this round before.
    /// @param round Id of the round.
    /// @param account The account.
    error AlreadyProven(uint256 round, AccountId account);
    /// @notice Nothing is left of the round's bond.
    /// @param round Id of the round.
    error RoundBondSpent(uint256 round);
    /// @notice Challenges have brought the market's pool nothing that is not paid in.
    /// @param market Market id.
    error NothingOwed(uint16 market);
    /// @notice There is one hint for each leg that the account had, and for a cross account one before them.
    /// @param account The account.
    /// @param given How many hints came.
    /// @param needed How many are needed.
    error HintsMiscounted(AccountId account, uint256 given, uint256 needed);
    /// @notice A round parameter is out of bounds; see `RoundBook`.
    /// @param parameters What was to be set.
    error RoundParametersOutOfBounds(RoundParameters parameters);
    /// @notice A reward parameter is out of bounds; see `RoundBook`.
    /// @param parameters What was to be set.
    error RewardParametersOutOfBounds(RewardParameters parameters);

    /// @notice Shows that an account was left out of a round in which it had to be, at the cost of the keeper's bond: half is owed to the
    /// pool, a quarter goes to the caller, a quarter to the owner of the account at the cutoff.
    /// @param round Id of the round.
    /// @param account Who was left out.
    /// @param hints Where the account as of the round is to be found, as `kept` tells. Empty: it is looked for, which costs gas for each
    /// round since then that it was touched after.
    /// @return penalty What it cost the keeper, WAD quote.
    function challenge(uint256 round, AccountId account, uint32[] calldata hints) external returns (uint256 penalty);

    /// @notice Pays what challenges of a market's rounds have brought its pool, as a contribution that names no market. Apart from them,
    /// because a pool of many markets is dear to pay into, and nothing that befalls it may stop a challenge.
    /// @param market Market id.
    /// @return paid Token units.
    function payPool(uint16 market) external returns (uint256 paid);

    /// @notice What challenges of a market's rounds have brought its pool and nobody has paid in yet, WAD quote, in whole token units.
    /// @param market Market id.
    /// @return WAD quote.
    function owedToPools(uint16 market) external view returns (uint256);

    /// @notice Whether it would succeed, as the rules stand; not whether it is still time.
    /// @param round Id of the round.
    /// @param account Who may have been left out.
    /// @return reason `None` where the account was left out wrongly.
    /// @return leveragedReturn Its rank key as of the round, WAD; 0 where it has none.
    /// @return spared What it would have given up, WAD quote.
    function omission(uint256 round, AccountId account)
        external
        view
        returns (Exemption reason, int256 leveragedReturn, uint256 spared);

    /// @notice The hints with which to challenge: for a cross account the id that its margin is kept under, then for each leg, ascending by
    /// market, that of the position; 0 for what is read live.
    /// @param round Id of the round.
    /// @param account Who may have been left out.
    /// @return ids The hints.
    function kept(uint256 round, AccountId account) external view returns (uint32[] memory ids);

    /// @notice Enters a round and sets its bond aside. Only the ADL engine.
    /// @param round Id of the round.
    /// @param record Without its time, version, prices and bond.
    /// @param markets Those whose prices count, ascending.
    /// @param mark Of the round's market, WAD.
    /// @param compensation What the pool is due, WAD quote.
    /// @return openUntil Until when it may be challenged, seconds.
    /// @return keepsClosed Whether it takes less for a contract than another round of the market that is still open.
    function open(
        uint32 round,
        RoundRecord calldata record,
        uint16[] calldata markets,
        uint256 mark,
        uint256 compensation
    ) external returns (uint256 openUntil, bool keepsClosed);

    /// @notice Sets what later rounds go by. Only the owner.
    /// @param parameters All of them; bounds in `RoundBook`.
    function setRoundParameters(RoundParameters calldata parameters) external;

    /// @notice Sets what keepers get. Only the owner.
    /// @param parameters All of them; bounds in `RoundBook`.
    function setRewardParameters(RewardParameters calldata parameters) external;

    /// @notice What rounds go by now.
    /// @return The version in force.
    function roundParameters() external view returns (RoundParameters memory);

    /// @notice What a version of them was.
    /// @param version As in a round's record.
    /// @return What it was; zeros where there was none.
    function roundParametersOf(uint8 version) external view returns (RoundParameters memory);

    /// @notice What keepers get for rounds now.
    /// @return All of them.
    function rewardParameters() external view returns (RewardParameters memory);

    /// @notice A round's record.
    /// @param round Id of the round.
    /// @return Zeros where there is none.
    function roundRecord(uint256 round) external view returns (RoundRecord memory);

    /// @notice What a round went by in a market, recorded under its `prices`.
    /// @param prices The round under which they are recorded, as in a round's record.
    /// @param market Market id.
    /// @return mark WAD; 0 where nothing is recorded.
    /// @return fundingIndex WAD quote per base unit.
    /// @return maintenanceFraction `mmf`, WAD.
    function pricesOf(uint256 prices, uint16 market)
        external
        view
        returns (uint256 mark, int256 fundingIndex, uint256 maintenanceFraction);

    /// @notice The exchange whose rounds these are.
    /// @return Its address.
    function exchange() external view returns (IExchange);
}
