// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RollingMax} from "../libraries/RollingMax.sol";

/// @notice Why deleveraging is due.
enum Trigger {
    None,
    Drawdown,
    Depletion
}

/// @notice Whether a pool stands behind one market or several.
enum PoolKind {
    Isolated,
    Shared
}

/// @notice Who bears what an isolated pool cannot: nobody else, or the mutual group with all it has.
enum Backer {
    Own,
    Mutual
}

/// @notice What moves a pool's cash. The first six are a market's result, but for contributions that name none.
enum Item {
    Contribution,
    LiquidationFee,
    TradingFee,
    Auction,
    Deleveraging,
    Funding,
    Stake,
    Exit,
    Redistribution,
    Repayment,
    Deficit
}

/// @notice An insurance pool.
/// @param name Short name, left-aligned.
/// @param kind Isolated pools hold one market.
/// @param backer Own, or mutual.
/// @param cash What the pool owns before inventory losses, WAD quote; may be negative. The sum of its items.
/// @param cap Balance from which it takes no stakes and its fees go to the treasury, WAD quote.
/// @param cooldown How long an exit of a staker waits, seconds.
/// @param shares The ERC-4626 token that its stakers hold.
/// @param markets Ids of its markets, ascending.
struct Pool {
    bytes32 name;
    PoolKind kind;
    Backer backer;
    int128 cash;
    uint96 cap;
    uint32 cooldown;
    address shares;
    uint16[] markets;
}

/// @notice Positions of one side that a pool has taken over.
/// @param size Signed contracts, WAD base units.
/// @param entryNotional Signed bankruptcy notional, WAD quote: `size * average bankruptcy price`.
/// @param auctionStart When its auction started, weighted by size over what came in since; seconds.
struct Inventory {
    int112 size;
    int112 entryNotional;
    uint32 auctionStart;
}

/// @notice A position that a pool takes over.
/// @param market The position's market.
/// @param size Signed contracts, WAD.
/// @param bankruptcyNotional Signed entry of the inventory, WAD quote.
/// @param index The market's funding index, to which the inventory is settled.
struct Bequest {
    uint16 market;
    int256 size;
    int256 bankruptcyNotional;
    int256 index;
}

/// @notice The fund's book of one market.
/// @param pool The pool that backs it.
/// @param trigger Drawdown at which ADL starts, WAD.
/// @param stop Drawdown at or below which ADL ends, WAD.
/// @param target Drawdown that ADL compensates to, WAD; in [stop, trigger].
/// @param lastDue When the drawdown trigger was last seen due; 0 where it had ended.
/// @param seen Why ADL was due when the market was last sampled.
/// @param realized Result of the market in closed business, and contributions that name it, WAD quote.
/// @param stress How many of the steps between no drawdown and the trigger were reached when it was last sampled.
/// @param auctionPremium How far on the pool's side of mark an auction starts, WAD fraction.
/// @param auctionDuration How long it takes to reach the floor, seconds.
/// @param long Inventory of the long side.
/// @param short Inventory of the short side.
/// @param longIndex The market's funding index when the long inventory was last settled.
/// @param shortIndex The same of the short inventory.
/// @param peak The market's result over the last eight hours.
struct Book {
    uint16 pool;
    uint64 trigger;
    uint64 stop;
    uint64 target;
    uint40 lastDue;
    Trigger seen;
    int128 realized;
    uint64 auctionPremium;
    uint32 auctionDuration;
    uint8 stress;
    Inventory long;
    Inventory short;
    int104 longIndex;
    int104 shortIndex;
    RollingMax.Ring peak;
}

/// @notice The state of a market's backing at mark. Quote amounts in WAD.
/// @param balance What the pool owns, less its inventory losses; before any redistribution.
/// @param base The pool's peak balance: `max(0, balance + sum of the markets' losses)`.
/// @param pnl The market's result, inventory losses counted.
/// @param maxPnl The largest result of the last eight hours, the present one included.
/// @param loss `maxPnl - pnl`.
/// @param drawdown `loss / base`, WAD, floored; 0 where base is 0.
/// @param longLoss Loss of the long inventory at mark.
/// @param shortLoss Loss of the short inventory at mark.
/// @param started ADL had started and its memory has not lapsed.
/// @param drawdownDue The drawdown trigger is due, from where a redistribution that is due leaves the pool.
struct Backing {
    int256 balance;
    uint256 base;
    int256 pnl;
    int256 maxPnl;
    uint256 loss;
    uint256 drawdown;
    uint256 longLoss;
    uint256 shortLoss;
    bool started;
    bool drawdownDue;
}

/// @notice On what terms the losing inventory of one side is deleveraged.
/// @param trigger Why it is due; `None` where it is not.
/// @param size Signed inventory, WAD base units.
/// @param entryNotional Signed bankruptcy notional, WAD quote.
/// @param inventoryLoss Its loss at mark, WAD quote.
/// @param compensation What the pool is due, before the cap by the bankruptcy price, WAD quote.
/// @param mark Mark price, WAD.
/// @param price `p_adl`, WAD, signed: never beyond the bankruptcy price.
/// @param executionPrice `p_adl` rounded toward the pool before that cap; fills are capped one by one.
struct ADLTerms {
    Trigger trigger;
    int256 size;
    int256 entryNotional;
    uint256 inventoryLoss;
    uint256 compensation;
    uint256 mark;
    int256 price;
    int256 executionPrice;
}
