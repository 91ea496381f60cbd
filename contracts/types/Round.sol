// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "../libraries/Orders.sol";
import {AccountId} from "./AccountId.sol";
import {Side} from "./Market.sol";
import {Trigger} from "./Pool.sol";

/// @notice Two signed orders that meet, and for how many contracts (WAD).
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

/// @notice What the caller of a round planned for.
/// @param minPrice Lowest acceptable `p_adl`, WAD.
/// @param maxPrice Highest acceptable `p_adl`, WAD.
/// @param deadline Last acceptable block timestamp, seconds.
struct Bounds {
    int256 minPrice;
    int256 maxPrice;
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
