// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Side} from "../types/Market.sol";
import {ADLTerms, Backer, Backing, Bequest, Inventory, Item, Pool, PoolKind, Trigger} from "../types/Pool.sol";
import {IExchange} from "./IExchange.sol";
import {IPriceFeed} from "./IPriceFeed.sol";

/// @title The insurance fund: pools, the inventory they take over, drawdown, and the terms of deleveraging
/// @notice Keeps books only; its tokens are held by the exchange. Formulas and roundings: docs/mathematics.md.
interface IInsuranceFund {
    event PoolCreated(uint16 indexed pool, bytes32 name, PoolKind kind, Backer backer);
    /// @notice `cap` in WAD quote, the largest uint96 for none; `cooldown` in seconds.
    event StakingSet(uint16 indexed pool, uint96 cap, uint32 cooldown);
    /// @notice The token that the stakers of a pool hold from now on.
    event SharesIssued(uint16 indexed pool, address shares);
    /// @notice The market is backed by the pool from now on.
    event MarketAssigned(uint16 indexed market, uint16 indexed pool);
    event DrawdownBoundsSet(uint16 indexed market, uint64 trigger, uint64 stop, uint64 target);
    /// @notice Someone gave tokens to a pool. `market` is 0 where none was named; `amount` in token units.
    event Contributed(uint16 indexed pool, uint16 indexed market, address indexed from, uint256 amount);
    /// @notice Someone paid for an open deficit. Token units.
    event Repaid(uint16 indexed pool, address indexed from, uint256 amount);
    /// @notice A pool's cash moved: every change of it is told by exactly one of these. Signed, WAD quote; `market` is 0 where it was
    /// none's doing, else its result moved too. `cash` is what the pool has after it.
    event Entered(uint16 indexed pool, uint16 indexed market, Item indexed item, int256 amount, int256 cash);
    /// @notice The pool took over a position. Signed, WAD.
    event Inherited(uint16 indexed pool, uint16 indexed market, int256 size, int256 bankruptcyNotional);
    /// @notice Inventory was closed in ADL. Signed, WAD; `result` is what the pool gained, never positive.
    event InventoryClosed(
        uint16 indexed pool, uint16 indexed market, Side indexed side, int256 size, int256 value, int256 result
    );
    /// @notice Long inventory was netted against short inventory at mark. WAD.
    event InventoryNetted(uint16 indexed pool, uint16 indexed market, uint256 contracts, uint256 mark, int256 result);
    /// @notice An inventory paid funding, or got it where negative. WAD quote.
    event InventoryFundingPaid(uint16 indexed pool, uint16 indexed market, Side indexed side, int256 amount);
    /// @notice Inventory was sold in its auction. Signed, WAD; `result` is what the pool gained on it.
    event InventorySold(
        uint16 indexed pool, uint16 indexed market, Side indexed side, int256 size, int256 value, int256 result
    );
    event AuctionParametersSet(uint16 indexed market, uint64 premium, uint32 duration);
    /// @notice A market's result was sampled. Signed, WAD.
    event Checkpointed(uint16 indexed market, int256 pnl, int256 balance, uint256 drawdown);
    /// @notice A trigger was first seen due. `drawdown` in WAD.
    event ADLStarted(uint16 indexed market, Trigger indexed reason, uint256 drawdown);
    /// @notice No trigger is due any more, and the memory of a start ended or lapsed.
    event ADLEnded(uint16 indexed market, uint256 drawdown);
    event Wired(address engine);

    error PoolMissing(uint16 pool);
    error PoolNameEmpty();
    error PoolNameTaken(bytes32 name);
    error PoolFull(uint16 pool, uint256 markets);
    error SharedPoolNotMutual(bytes32 name);
    error GroupFull(uint256 members);
    error CooldownOutOfBounds(uint32 cooldown);
    error CallerNotShares(address caller);
    error MarketInPool(uint16 market, uint16 pool);
    /// @notice A market changes pools only without inventory, and without a loss in the last eight hours (WAD quote).
    error InventoryOpen(uint16 market);
    error LossOpen(uint16 market, uint256 loss);
    error StakeWhileADLDue(uint16 pool, uint16 market);
    /// @notice New risk is paused until then, seconds.
    error StakeWhilePaused(uint16 pool, uint256 until);
    error StakeWithoutPrice(uint16 pool, uint16 market);
    /// @notice The stake does not fit under the pool's cap. Token units.
    error CapExceeded(uint16 pool, uint256 amount, uint256 room);
    /// @notice The pool, or a member of its mutual group, is below zero or at zero with inventory.
    error PoolDepleted(uint16 pool);
    /// @notice After the exit the market's loss of the last eight hours would be above 1 % of the base. WAD quote.
    error ExitWaits(uint16 pool, uint16 market, uint256 loss, uint256 base);
    error ExitWithoutPrice(uint16 pool, uint16 market);
    error SharesNotWorthless(uint16 pool);
    /// @notice More than the pool's open deficit. WAD quote.
    error RepaymentTooLarge(uint16 pool, uint256 amount, uint256 deficit);
    error RedistributionNotDue();
    error RedistributionWithoutPrice(uint16 pool, uint16 market);
    error MarketUnassigned(uint16 market);
    error MarketOfOtherPool(uint16 market, uint16 pool);
    error DrawdownBoundsInvalid(uint64 trigger, uint64 stop, uint64 target);
    error AmountZero();
    error ContributionShort(uint256 expected, uint256 received);
    error CallerNotExchange(address caller);
    error CallerNotEngine(address caller);
    error AlreadyWired();
    error AddressZero();
    error InventoryMissing(uint16 market, Side side);
    /// @notice A sale would bring the market to its trigger. WAD quote.
    error SaleRaisesDrawdown(uint16 market, uint256 loss, uint256 base);
    /// @notice A sale would take the pool's balance below zero. WAD quote.
    error SaleDepletesPool(uint16 pool, int256 balance);
    error AuctionParametersOutOfBounds(uint64 premium, uint32 duration);
    error InventoryExceeded(uint16 market, Side side, uint256 requested, uint256 available);

    /// @notice Gives tokens to a pool, for good. By anyone; what is due is remembered first, so a gift counts against `stop`.
    /// @param pool Pool id.
    /// @param market A market of the pool whose result the gift improves, or 0.
    /// @param amount Token units; the caller has approved them to this contract.
    function contribute(uint16 pool, uint16 market, uint256 amount) external;

    /// @notice Pays for a pool's open deficit, up to it. By anyone; no market's result moves.
    /// @param amount Token units; the caller has approved them to this contract.
    function repay(uint16 pool, uint256 amount) external;

    /// @notice Gives what members of a depleted mutual group have above zero to those below, pro rata. By anyone; a round does it too.
    /// @return given What changed hands, WAD quote.
    function redistribute() external returns (uint256 given);

    /// @notice Samples a market's result into its rolling maximum, and keeps the memory of its trigger. By anyone.
    function checkpoint(uint16 market) external;

    /// @notice Adds a stake to a pool's cash; its tokens follow in the same call. Only the pool's shares.
    /// @param amount Token units.
    function stake(uint16 pool, uint256 amount) external;

    /// @notice Takes a stake out of a pool's cash and pays it; while there is an open deficit, in part. Only the pool's shares.
    /// @param amount Token units.
    /// @param isOverdue It has waited for so long that the pool's state no longer counts.
    /// @return paid Token units that arrived.
    function unstake(uint16 pool, uint256 amount, address recipient, bool isOverdue) external returns (uint256 paid);

    /// @notice Puts a new market under a pool, with the default bounds of drawdown. Only the exchange, when it lists it.
    /// @return isolatedOnly Whether the pool stands behind this market alone.
    function assignMarket(uint16 market, uint16 pool) external returns (bool isolatedOnly);

    /// @notice Puts a market under another pool, while it has no inventory and has lost nothing in the window. Only the exchange.
    /// @return isolatedOnly Whether the pool stands behind this market alone.
    function moveMarket(uint16 market, uint16 pool) external returns (bool isolatedOnly);

    /// @notice Takes all positions of an account into inventory, between two samples of their markets. Only the exchange.
    /// @param bequests At least one, by ascending market, all of one pool.
    /// @return funding What each inventory owed before, WAD squared: `size * index change`.
    function inherit(Bequest[] calldata bequests) external returns (int256[] memory funding);

    /// @notice Books a fee to the market's pool, as far as it has room under its cap. Only the exchange.
    /// @param item `LiquidationFee` or `TradingFee`.
    /// @param amount WAD quote.
    /// @return taken What the pool takes; the rest is the treasury's.
    function creditFee(uint16 market, Item item, uint256 amount) external returns (uint256 taken);

    /// @notice Books the dust of a market's funding to its pool. Only the exchange.
    /// @param amount WAD quote.
    function creditDust(uint16 market, uint256 amount) external;

    /// @notice Shares an amount out over the open deficits, pro rata. Only the exchange.
    /// @param amount WAD quote, hardly more than there is.
    function absorb(uint256 amount) external;

    /// @notice Sells inventory at the auction's price. Only the exchange, which passes it to the buyer.
    /// @param maxContracts Most contracts to sell, WAD.
    /// @param mark Mark price, WAD.
    /// @param floorFraction How far on the other side of mark the auction ends: the market's `mmf`, WAD.
    /// @param index The market's funding index, to which the inventory is settled.
    /// @return size Signed contracts sold, WAD.
    /// @return value Signed quote amount that the buyer takes them for, WAD.
    /// @return price The auction's price, WAD.
    /// @return funding What the inventory owed before, WAD squared: `size * index change`.
    function sell(uint16 market, Side side, uint256 maxContracts, uint256 mark, uint256 floorFraction, int256 index)
        external
        returns (int256 size, int256 value, uint256 price, int256 funding);

    /// @notice Closes both inventories of a closed market that no account holds any more against each other, at its final price; they are
    /// equal then. Only the exchange.
    /// @return contracts Contracts that either side had, WAD.
    /// @return funding What the long and the short inventory owed before, WAD squared.
    function net(uint16 market) external returns (uint256 contracts, int256[2] memory funding);

    /// @notice Closes part of an inventory in a round. Only the engine.
    /// @param contracts Contracts closed against counterparties, WAD.
    /// @param entryClosed Entry notional that goes with them, signed, WAD quote.
    /// @param value What the pool gets for them, signed, WAD quote.
    /// @param netted Contracts closed against the pool's own opposite inventory at mark, WAD.
    /// @return cashChange Change of the pool's cash less entry notionals as stored, funding left out, WAD quote.
    /// @return funding What the long and the short inventory owed before, WAD squared.
    function close(uint16 market, Side side, uint256 contracts, int256 entryClosed, int256 value, uint256 netted)
        external
        returns (int256 cashChange, int256[2] memory funding);

    /// @notice Sets the engine, once. Only the owner.
    function wire(address engine) external;

    /// @notice Adds a pool, with shares of its own; its id is the next one. Only the owner.
    /// @param name Short name, left-aligned, not empty, not given before.
    /// @param kind Isolated (one market) or shared (up to 16).
    /// @param backer Whether it joins the mutual group (up to 16); a shared pool stands on its own.
    function createPool(bytes32 name, PoolKind kind, Backer backer) external returns (uint16 id);

    /// @notice Issues new shares for a pool that has ended at nothing, so that the old ones have no part in what comes. Only the owner.
    function renewShares(uint16 pool) external returns (address shares);

    /// @notice Sets from which balance on a pool takes no more, and how long exits wait. Only the owner; open exits keep their time.
    /// @param cap WAD quote; the largest uint96 for none.
    /// @param cooldown Seconds, 8 hours to 14 days. Default 3 days.
    function setStaking(uint16 pool, uint96 cap, uint32 cooldown) external;

    /// @notice Sets a market's bounds of drawdown, after a checkpoint under the old ones. Only the owner.
    /// @param trigger Drawdown at which ADL starts, WAD, at most 90 %. Default 30 %.
    /// @param stop Drawdown at which it ends, WAD, at least 5 %. Default 25 %.
    /// @param target Drawdown it compensates to, WAD, in [stop, trigger]. Default 25 %.
    function setDrawdownBounds(uint16 market, uint64 trigger, uint64 stop, uint64 target) external;

    /// @notice Sets how a market's inventory is auctioned. Only the owner.
    /// @param premium How far on the pool's side of mark it starts, WAD fraction, at most 20 %. Default 2 %.
    /// @param duration Seconds to the floor, one minute to one day. Default 30 minutes.
    function setAuctionParameters(uint16 market, uint64 premium, uint32 duration) external;

    /// @notice The state of a market's backing at mark.
    function backing(uint16 market) external view returns (Backing memory);

    /// @notice The same of all markets of a pool, in one reading.
    function backings(uint16 pool) external view returns (uint16[] memory markets, Backing[] memory states);

    /// @notice On what terms the inventory of a side would be deleveraged now; `trigger` is `None` where it is not due.
    function adlTerms(uint16 market, Side side) external view returns (ADLTerms memory);

    /// @notice Why ADL was due when the market was last sampled, the steps of stress reached then, of four up to the trigger, and
    /// when its drawdown was last seen due (0: never, or it has ended).
    function seen(uint16 market) external view returns (Trigger reason, uint8 stress, uint256 lastDue);

    /// @notice The auction of an inventory: its price now and the contracts in it, WAD; zeros where there is none, or the market was closed.
    function auction(uint16 market, Side side) external view returns (uint256 price, uint256 contracts);

    /// @notice Signed size of an inventory, WAD.
    function inventory(uint16 market, Side side) external view returns (int256 size);

    /// @notice Both inventories of a market.
    function inventories(uint16 market) external view returns (Inventory memory long, Inventory memory short);

    /// @notice A pool, its cash before inventory losses and its markets.
    function pool(uint16 id) external view returns (Pool memory);

    /// @notice Number of pools; their ids are 1 to this.
    function poolCount() external view returns (uint16);

    /// @notice Pool, trigger, stop and target of a market; fractions in WAD.
    function parameters(uint16 market) external view returns (uint16 pool, uint64 trigger, uint64 stop, uint64 target);

    /// @notice What a pool claims of the tokens held: its cash less the entry notionals of its inventories, WAD quote.
    function claim(uint16 id) external view returns (int256);

    /// @notice A pool's balance at mark, WAD quote.
    function balanceOf(uint16 id) external view returns (int256);

    /// @notice The account of a pool: what moved its cash since its creation, by `Item`, WAD quote. Its cash is their sum, and its
    /// balance that less the losses and the unsettled funding of its inventories.
    function items(uint16 id) external view returns (int256[] memory amounts);

    /// @notice The mutual group, by id, and the balances of its members, WAD quote.
    function group() external view returns (uint16[] memory members, int256[] memory balances);

    /// @notice The open deficit: what pools lack that closing their inventory would not bring back; of members of the mutual group what a
    /// redistribution leaves them without. WAD quote.
    function deficit() external view returns (uint256);

    /// @notice Its parts by pool, WAD quote; pools that lack nothing may be among them.
    function deficits() external view returns (uint16[] memory pools, uint256[] memory parts);

    /// @notice Shares, cap (WAD quote) and cooldown (seconds) of a pool.
    function staking(uint16 id) external view returns (address shares, uint96 cap, uint32 cooldown);

    /// @notice What all shares of a pool stand for, token units, rounded down.
    function assetsOf(uint16 id) external view returns (uint256);

    /// @notice What a stake's shares are counted by: the balance and what inventories have gained at mark; token units, rounded up.
    function entryAssetsOf(uint16 id) external view returns (uint256);

    /// @notice Reverts where a pool takes no stakes now, and says why.
    function checkStake(uint16 id) external view;

    /// @notice Most that a pool takes as a stake now, token units.
    function maxStake(uint16 id) external view returns (uint256);

    /// @notice Reverts where an exit of an amount (token units) must wait, and says why.
    function checkExit(uint16 id, uint256 amount) external view;

    /// @notice Whether it need not.
    function mayExit(uint16 id, uint256 amount) external view returns (bool);

    /// @notice The exchange that holds the tokens.
    function exchange() external view returns (IExchange);

    /// @notice Where mark prices come from.
    function priceFeed() external view returns (IPriceFeed);

    /// @notice The ADL engine.
    function engine() external view returns (address);

    /// @notice The immutable module that carries takeover, sales and the closing of rounds.
    function inventoryModule() external view returns (address);

    /// @notice The immutable module that carries pools and their capital.
    function poolModule() external view returns (address);
}
