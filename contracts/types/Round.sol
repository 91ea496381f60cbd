// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "../libraries/Orders.sol";
import {AccountId} from "./AccountId.sol";
import {Side} from "./Market.sol";
import {Trigger} from "./Pool.sol";

/// @notice Two signed orders that meet, and for how many contracts (WAD).
/// @param maker The resting order.
/// @param makerSignature Of the owner of its account.
/// @param taker The incoming order.
/// @param takerSignature Of the owner of its account.
/// @param size Contracts to fill, WAD.
struct Pair {
    Order maker;
    bytes makerSignature;
    Order taker;
    bytes takerSignature;
    uint256 size;
}

/// @notice One fill of a round.
/// @param account The counterparty.
/// @param size Signed contracts that pass from the pool to the counterparty, WAD; the sign of the inventory.
/// @param value Signed quote amount that goes with them, WAD: added to the counterparty's entry, as in a trade.
struct Fill {
    AccountId account;
    int256 size;
    int256 value;
}

/// @notice A candidate after scoring.
/// @param account The counterparty.
/// @param size Signed contracts, WAD.
/// @param entryNotional Signed, WAD quote.
/// @param equity `E` of its account, WAD quote.
/// @param leveragedReturn Its rank key, WAD.
struct Candidate {
    AccountId account;
    int256 size;
    int256 entryNotional;
    int256 equity;
    int256 leveragedReturn;
}

/// @notice Why a candidate took no part in a round.
enum SkipReason {
    Flat,
    InventorySide,
    Bankrupt,
    Duplicate,
    InsolventAtAdlPrice
}

/// @notice Why an account that was left out of a round is no omission.
/// @param None It is one.
/// @param Flat It held nothing, or it was deleveraged in this round, or closed whole in a later one that was as harsh, and not touched in
/// between.
/// @param RaisedRisk It was opened, grown or flipped, or margin was withdrawn, or one of several legs of a cross account was changed,
/// shortly before.
/// @param RankedBelow It ranks at or below the cutoff, tolerance included.
enum Exemption {
    None,
    Flat,
    InventorySide,
    Bankrupt,
    InsolventAtAdlPrice,
    RaisedRisk,
    RankedBelow
}

/// @notice How far a mark may have moved, and with it those left off a list in rank.
/// @param market The market.
/// @param lowest Lowest acceptable mark, or last accepted one where its feed is dead, WAD.
/// @param highest Highest acceptable one, WAD.
struct MarkBounds {
    uint16 market;
    uint96 lowest;
    uint96 highest;
}

/// @notice What the caller of a round planned for.
/// @param minPrice Lowest acceptable `p_adl`, WAD.
/// @param maxPrice Highest acceptable `p_adl`, WAD.
/// @param marks How far marks may be off: that of the round's market, and those that cross accounts left off the list depend on.
/// @param lowestReturn Lowest leveraged return to be closed, WAD: what the best account that is left off may have, so that no dodging
/// of those on the list makes that one an omission. The least int256 says that nobody is left off.
/// @param deadline Last acceptable block timestamp, seconds.
struct Bounds {
    int256 minPrice;
    int256 maxPrice;
    MarkBounds[] marks;
    int256 lowestReturn;
    uint256 deadline;
}

/// @notice What a round did.
/// @param side Side of the inventory that was closed.
/// @param trigger Why it was due.
/// @param mark Mark price, WAD.
/// @param price `p_adl`, WAD.
/// @param contracts Contracts closed against counterparties, WAD.
/// @param netted Contracts netted within the pool at mark, WAD.
/// @param value What the pool got for the contracts closed, signed, WAD quote.
/// @param compensation What the pool was due before the cap by the bankruptcy price, WAD quote.
struct Outcome {
    Side side;
    Trigger trigger;
    uint256 mark;
    int256 price;
    uint256 contracts;
    uint256 netted;
    int256 value;
    uint256 compensation;
}

/// @notice What a round writes to the exchange.
/// @param market The market.
/// @param id The round's.
/// @param openUntil Until when it may be challenged, seconds.
/// @param keepsClosed Whether isolated positions that it closes whole are kept for the rounds before it.
/// @param mark Mark price, WAD; none of the accounts may end insolvent at it.
/// @param netted Contracts netted within the pool, WAD.
/// @param funding What the pool's long and short inventory paid into the market's pot, WAD squared.
/// @param markets Those whose positions must be known of as they were, the market itself included.
struct Execution {
    uint16 market;
    uint32 id;
    uint40 openUntil;
    bool keepsClosed;
    uint256 mark;
    uint256 netted;
    int256[2] funding;
    uint16[] markets;
}

/// @notice What a challenge needs of a round, in four slots.
/// @param keeper Who executed it, and whose bond covers it.
/// @param time When, seconds.
/// @param market The market.
/// @param side Side of the inventory that was closed.
/// @param secondPass Whether accounts insolvent at `p_adl` were closed.
/// @param parameters Version of `RoundParameters` that it goes by.
/// @param cutoffAccount The last account that was closed.
/// @param cutoffReturn The lowest leveraged return closed at `p_adl`, WAD, within the bounds of the type.
/// @param contracts Contracts closed against counterparties, WAD.
/// @param prices The round whose record of prices, funding indices and margin fractions is that of this one too.
/// @param price `p_adl`, WAD, within the bounds of the type.
/// @param bond What is left of its bond, WAD quote; 0 once that was released by hand.
struct RoundRecord {
    address keeper;
    uint40 time;
    uint16 market;
    Side side;
    bool secondPass;
    uint8 parameters;
    AccountId cutoffAccount;
    int104 cutoffReturn;
    uint112 contracts;
    uint32 prices;
    int160 price;
    uint96 bond;
}

/// @notice By what a round may be challenged; hard bounds in `RoundBook`.
/// @param window For how long after it, seconds.
/// @param exemptAge How long before it a change that raised risk exempts an account, seconds.
/// @param tolerance By which part of the cutoff an account must rank above it, WAD.
/// @param returnFloor Below which a cutoff counts as this much there, WAD.
/// @param minPenalty Least that an omission costs, WAD quote.
/// @param bondCap Most that a round needs of its keeper's bond, WAD quote.
struct RoundParameters {
    uint32 window;
    uint32 exemptAge;
    uint64 tolerance;
    uint64 returnFloor;
    uint96 minPenalty;
    uint96 bondCap;
}

/// @notice What a keeper gets for a round, out of the keeper budget.
/// @param flat For the round, WAD quote.
/// @param rate Of the notional closed, WAD.
/// @param share Most of what the pool got beyond mark, WAD.
struct RewardParameters {
    uint96 flat;
    uint64 rate;
    uint64 share;
}

/// @notice A keeper's bond. Quote amounts in WAD.
/// @param amount What was posted and not taken out.
/// @param reserved What covers rounds that may still be challenged.
/// @param released How many of the keeper's rounds cover no more.
/// @param leaving What the keeper has asked for; it covers no new rounds.
/// @param ripeAt When that can be taken out, seconds.
struct Bond {
    uint96 amount;
    uint96 reserved;
    uint32 released;
    uint96 leaving;
    uint40 ripeAt;
}
