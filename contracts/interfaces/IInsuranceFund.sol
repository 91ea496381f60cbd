// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Side} from "../types/Market.sol";
import {ADLTerms, Backer, Backing, Bequest, Inventory, Item, Pool, PoolKind, Trigger} from "../types/Pool.sol";
import {IExchange} from "./IExchange.sol";
import {IPriceFeed} from "./IPriceFeed.sol";

/// @title The insurance fund: pools, the inventory they take over, drawdown, and the terms of deleveraging
/// @notice Keeps books only; its tokens are held by the exchange. Formulas and roundings: docs/mathematics.md.
interface IInsuranceFund {
    /// @notice A pool was added.
    /// @param pool Its id.
    /// @param name Short name, left-aligned.
    /// @param kind Isolated (one market) or shared.
    /// @param backer On its own, or of the mutual group.
    event PoolCreated(uint16 indexed pool, bytes32 name, PoolKind kind, Backer backer);
    /// @notice How a pool takes stakes and pays exits was set.
    /// @param pool Pool id.
    /// @param cap Balance from which it takes no more, WAD quote; the largest uint96 for none.
    /// @param cooldown How long exits wait, seconds.
    event StakingSet(uint16 indexed pool, uint96 cap, uint32 cooldown);
    /// @notice New shares were deployed for a pool: what its stakers hold from now on.
    /// @param pool Pool id.
    /// @param shares Their ERC-4626 token.
    event SharesIssued(uint16 indexed pool, address shares);
    /// @notice The market is backed by the pool from now on.
    /// @param market Market id.
    /// @param pool Pool id.
    event MarketAssigned(uint16 indexed market, uint16 indexed pool);
    /// @notice A market's bounds of drawdown were set, at its listing or later.
    /// @param market Market id.
    /// @param trigger Drawdown at which ADL starts, WAD.
    /// @param stop Drawdown at or below which it ends, WAD.
    /// @param target Drawdown that it compensates to, WAD.
    event DrawdownBoundsSet(uint16 indexed market, uint64 trigger, uint64 stop, uint64 target);
    /// @notice Someone gave tokens to a pool, for good.
    /// @param pool Pool id.
    /// @param market The market whose result it improves; 0 where none was named.
    /// @param from Who gave.
    /// @param amount Token units.
    event Contributed(uint16 indexed pool, uint16 indexed market, address indexed from, uint256 amount);
    /// @notice Someone paid for a pool's open deficit.
    /// @param pool Pool id.
    /// @param from Who paid.
    /// @param amount Token units.
    event Repaid(uint16 indexed pool, address indexed from, uint256 amount);
    /// @notice A pool's cash moved: every change of it is told by exactly one of these.
    /// @param pool Pool id.
    /// @param market The market whose result moved with it; 0 where it was none's doing.
    /// @param item What it moved for.
    /// @param amount Signed, WAD quote.
    /// @param cash What the pool has after it, signed, WAD quote.
    event Entered(uint16 indexed pool, uint16 indexed market, Item indexed item, int256 amount, int256 cash);
    /// @notice The pool took over a position, in a takeover or in the settlement of a closed market.
    /// @param pool Pool id.
    /// @param market Market id.
    /// @param size Signed contracts, WAD.
    /// @param bankruptcyNotional Signed entry of the inventory, WAD quote.
    event Inherited(uint16 indexed pool, uint16 indexed market, int256 size, int256 bankruptcyNotional);
    /// @notice Inventory was closed against counterparties in ADL.
    /// @param pool Pool id.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @param size Signed contracts, WAD.
    /// @param value Signed quote amount that the pool got for them, WAD.
    /// @param result What the pool gained, WAD quote; never positive.
    event InventoryClosed(
        uint16 indexed pool, uint16 indexed market, Side indexed side, int256 size, int256 value, int256 result
    );
    /// @notice Long inventory was netted against short inventory at mark.
    /// @param pool Pool id.
    /// @param market Market id.
    /// @param contracts Contracts of each side, WAD.
    /// @param mark Mark price, WAD.
    /// @param result What the pool gained on both, signed, WAD quote.
    event InventoryNetted(uint16 indexed pool, uint16 indexed market, uint256 contracts, uint256 mark, int256 result);
    /// @notice An inventory paid funding, or got it where negative.
    /// @param pool Pool id.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @param amount WAD quote, rounded up.
    event InventoryFundingPaid(uint16 indexed pool, uint16 indexed market, Side indexed side, int256 amount);
    /// @notice Inventory was sold in its auction.
    /// @param pool Pool id.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @param size Signed contracts, WAD.
    /// @param value Signed quote amount that the pool got for them, WAD.
    /// @param result What the pool gained on them against their bankruptcy price, signed, WAD quote.
    event InventorySold(
        uint16 indexed pool, uint16 indexed market, Side indexed side, int256 size, int256 value, int256 result
    );
    /// @notice How a market's inventory is auctioned was set, at its listing or later.
    /// @param market Market id.
    /// @param premium How far on the pool's side of mark it starts, WAD fraction.
    /// @param duration Time to the floor, seconds.
    event AuctionParametersSet(uint16 indexed market, uint64 premium, uint32 duration);
    /// @notice A market's result was sampled.
    /// @param market Market id.
    /// @param pnl The result, signed, WAD quote.
    /// @param balance The pool's balance, signed, WAD quote.
    /// @param drawdown WAD.
    event Checkpointed(uint16 indexed market, int256 pnl, int256 balance, uint256 drawdown);
    /// @notice A sample found a trigger due, where the one before had found none.
    /// @param market Market id.
    /// @param reason Which.
    /// @param drawdown WAD.
    event ADLStarted(uint16 indexed market, Trigger indexed reason, uint256 drawdown);
    /// @notice A sample found no trigger due any more: the drawdown is at or below its stop, or the memory of the start has lapsed.
    /// @param market Market id.
    /// @param drawdown WAD.
    event ADLEnded(uint16 indexed market, uint256 drawdown);
    /// @notice The engine was set, once and for ever.
    /// @param engine The ADL engine.
    event Wired(address engine);

    /// @notice There is no such pool.
    /// @param pool Pool id.
    error PoolMissing(uint16 pool);
    /// @notice A pool needs a name.
    error PoolNameEmpty();
    /// @notice Another pool has that name.
    /// @param name Short name, left-aligned.
    error PoolNameTaken(bytes32 name);
    /// @notice The pool has as many markets as it may: an isolated one 1, a shared one 16.
    /// @param pool Pool id.
    /// @param markets How many it has.
    error PoolFull(uint16 pool, uint256 markets);
    /// @notice A shared pool stands on its own.
    /// @param name Short name, left-aligned.
    error SharedPoolNotMutual(bytes32 name);
    /// @notice The mutual group has as many members as it may.
    /// @param members How many.
    error GroupFull(uint256 members);
    /// @notice The cooldown is not in [8 hours, 14 days].
    /// @param cooldown Seconds.
    error CooldownOutOfBounds(uint32 cooldown);
    /// @notice Only the shares of the pool may do this.
    /// @param caller Who called.
    error CallerNotShares(address caller);
    /// @notice The market is in that pool already.
    /// @param market Market id.
    /// @param pool Pool id.
    error MarketInPool(uint16 market, uint16 pool);
    /// @notice A market changes pools only without inventory.
    /// @param market Market id.
    error InventoryOpen(uint16 market);
    /// @notice A market changes pools only without a loss in the last eight hours.
    /// @param market Market id.
    /// @param loss WAD quote.
    error LossOpen(uint16 market, uint256 loss);
    /// @notice The pool takes no stakes while ADL is due in one of its markets.
    /// @param pool Pool id.
    /// @param market Which of its markets.
    error StakeWhileADLDue(uint16 pool, uint16 market);
    /// @notice The pool takes no stakes while new risk is paused.
    /// @param pool Pool id.
    /// @param until When the pause ends by itself, seconds.
    error StakeWhilePaused(uint16 pool, uint256 until);
    /// @notice The pool takes no stakes while the feed of a market with inventory is dead.
    /// @param pool Pool id.
    /// @param market Which market.
    error StakeWithoutPrice(uint16 pool, uint16 market);
    /// @notice The stake does not fit under the pool's cap.
    /// @param pool Pool id.
    /// @param amount Token units given.
    /// @param room Token units that fit.
    error CapExceeded(uint16 pool, uint256 amount, uint256 room);
    /// @notice The pool, or a member of its mutual group, is below zero or at zero with inventory; of another member what a closed market
    /// has without a loss does not count.
    /// @param pool Pool id.
    error PoolDepleted(uint16 pool);
    /// @notice After the exit the market's loss of the last eight hours would be above 1 % of the base.
    /// @param pool Pool id.
    /// @param market Which of its markets.
    /// @param loss WAD quote.
    /// @param base Base after the exit, WAD quote.
    error ExitWaits(uint16 pool, uint16 market, uint256 loss, uint256 base);
    /// @notice The exit waits while the feed of a market with inventory is dead.
    /// @param pool Pool id.
    /// @param market Which market.
    error ExitWithoutPrice(uint16 pool, uint16 market);
    /// @notice New shares are issued only where the old ones are worth nothing.
    /// @param pool Pool id.
    error SharesNotWorthless(uint16 pool);
    /// @notice More than the pool's open deficit.
    /// @param pool Pool id.
    /// @param amount WAD quote given.
    /// @param deficit WAD quote open.
    error RepaymentTooLarge(uint16 pool, uint256 amount, uint256 deficit);
    /// @notice Nobody in the mutual group is below zero, or nobody above.
    error RedistributionNotDue();
    /// @notice The mutual group cannot be valued while the feed of a market with inventory is dead.
    /// @param pool Which pool.
    /// @param market Which market.
    error RedistributionWithoutPrice(uint16 pool, uint16 market);
    /// @notice No pool stands behind that market: it is not listed.
    /// @param market Market id.
    error MarketUnassigned(uint16 market);
    /// @notice The market that was named is another pool's.
    /// @param market Market id.
    /// @param pool The pool that was named.
    error MarketOfOtherPool(uint16 market, uint16 pool);
    /// @notice It does not hold that 5 % <= stop <= target <= trigger <= 90 %.
    /// @param trigger WAD.
    /// @param stop WAD.
    /// @param target WAD.
    error DrawdownBoundsInvalid(uint64 trigger, uint64 stop, uint64 target);
    /// @notice An amount of nothing.
    error AmountZero();
    /// @notice The token moved another amount than it was asked to.
    /// @param expected Token units that were asked for.
    /// @param received Token units that came.
    error ContributionShort(uint256 expected, uint256 received);
    /// @notice Only the exchange may do this.
    /// @param caller Who called.
    error CallerNotExchange(address caller);
    /// @notice Only the ADL engine may do this.
    /// @param caller Who called.
    error CallerNotEngine(address caller);
    /// @notice The engine was set before.
    error AlreadyWired();
    /// @notice An address that is needed is zero.
    error AddressZero();
    /// @notice The pool has no inventory of that side.
    /// @param market Market id.
    /// @param side Side of the inventory.
    error InventoryMissing(uint16 market, Side side);
    /// @notice A sale would make a drawdown worse and leave ADL due by it.
    /// @param market Market id.
    /// @param loss The market's loss after it, WAD quote.
    /// @param base The base after it, WAD quote.
    error SaleRaisesDrawdown(uint16 market, uint256 loss, uint256 base);
    /// @notice A sale would make the pool poorer and leave it below zero.
    /// @param pool Pool id.
    /// @param balance The balance after it, WAD quote.
    error SaleDepletesPool(uint16 pool, int256 balance);
    /// @notice The premium is above 20 %, or the duration is not in [1 minute, 1 day].
    /// @param premium WAD.
    /// @param duration Seconds.
    error AuctionParametersOutOfBounds(uint64 premium, uint32 duration);
    /// @notice More would be closed than the pool has of that side.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @param requested Contracts, WAD.
    /// @param available Contracts, WAD.
    error InventoryExceeded(uint16 market, Side side, uint256 requested, uint256 available);

    /// @notice Gives tokens to a pool, for good. By anyone; what is due is remembered first, so a gift counts against `stop`.
    /// @param pool Pool id.
    /// @param market A market of the pool whose result the gift improves, or 0.
    /// @param amount Token units; the caller has approved them to this contract.
    function contribute(uint16 pool, uint16 market, uint256 amount) external;

    /// @notice Pays for a pool's open deficit, up to it. By anyone; no market's result moves.
    /// @param pool Pool id.
    /// @param amount Token units; the caller has approved them to this contract.
    function repay(uint16 pool, uint256 amount) external;

    /// @notice Gives what members of a depleted mutual group have above zero to those below, pro rata. By anyone; a round does it too.
    /// @return given What changed hands, WAD quote.
    function redistribute() external returns (uint256 given);

    /// @notice Samples a market's result into its rolling maximum, and keeps the memory of its trigger. By anyone.
    /// @param market Market id.
    function checkpoint(uint16 market) external;

    /// @notice Adds a stake to a pool's cash; its tokens follow in the same call. Only the pool's shares.
    /// @param pool The caller's pool.
    /// @param amount Token units.
    function stake(uint16 pool, uint256 amount) external;

    /// @notice Takes a stake out of a pool's cash and pays it; while there is an open deficit, in part. Only the pool's shares.
    /// @param pool The caller's pool.
    /// @param amount Token units.
    /// @param recipient Who gets the tokens.
    /// @param isOverdue It has waited for so long that the pool's state no longer counts.
    /// @return paid Token units that arrived.
    function unstake(uint16 pool, uint256 amount, address recipient, bool isOverdue) external returns (uint256 paid);

    /// @notice Puts a new market under a pool, with the default bounds of drawdown. Only the exchange, when it lists it.
    /// @param market Market id.
    /// @param pool Pool id.
    /// @return isolatedOnly Whether the pool stands behind this market alone.
    function assignMarket(uint16 market, uint16 pool) external returns (bool isolatedOnly);

    /// @notice Puts a market under another pool, while it has no inventory and has lost nothing in the window. Only the exchange.
    /// @param market Market id.
    /// @param pool Its new pool.
    /// @return isolatedOnly Whether the pool stands behind this market alone.
    function moveMarket(uint16 market, uint16 pool) external returns (bool isolatedOnly);

    /// @notice Takes all positions of an account into inventory, between two samples of their markets. Only the exchange.
    /// @param bequests At least one, by ascending market, all of one pool.
    /// @return funding What each inventory owed before, WAD squared: `size * index change`.
    function inherit(Bequest[] calldata bequests) external returns (int256[] memory funding);

    /// @notice Books a fee to the market's pool, as far as it has room under its cap. Only the exchange.
    /// @param market Market id.
    /// @param item `LiquidationFee` or `TradingFee`.
    /// @param amount WAD quote.
    /// @return taken What the pool takes; the rest is the treasury's.
    function creditFee(uint16 market, Item item, uint256 amount) external returns (uint256 taken);

    /// @notice Books the dust of a market's funding to its pool. Only the exchange.
    /// @param market Market id.
    /// @param amount WAD quote.
    function creditDust(uint16 market, uint256 amount) external;

    /// @notice Shares an amount out over the open deficits, pro rata. Only the exchange.
    /// @param amount WAD quote, hardly more than there is.
    function absorb(uint256 amount) external;

    /// @notice Sells inventory at the auction's price. Only the exchange, which passes it to the buyer.
    /// @param market Market id.
    /// @param side Side of the inventory.
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

    /// @notice Closes both inventories of a closed market against each other at its final price, as far as the smaller one goes. Only the
    /// exchange.
    /// @param market Market id.
    /// @return contracts Contracts that were closed of either side, WAD.
    /// @return funding What the long and the short inventory owed before, WAD squared.
    function net(uint16 market) external returns (uint256 contracts, int256[2] memory funding);

    /// @notice Closes part of an inventory in a round. Only the engine.
    /// @param market Market id.
    /// @param side Side of the inventory.
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
    /// @param engine The ADL engine.
    function wire(address engine) external;

    /// @notice Adds a pool, with shares of its own; its id is the next one. Only the owner.
    /// @param name Short name, left-aligned, not empty, not given before.
    /// @param kind Isolated (one market) or shared (up to 16).
    /// @param backer Whether it joins the mutual group (up to 16); a shared pool stands on its own.
    /// @return id Its id.
    function createPool(bytes32 name, PoolKind kind, Backer backer) external returns (uint16 id);

    /// @notice Issues new shares for a pool that has ended at nothing, so that the old ones have no part in what comes. Only the owner.
    /// @param pool Pool id.
    /// @return shares Their ERC-4626 token.
    function renewShares(uint16 pool) external returns (address shares);

    /// @notice Sets from which balance on a pool takes no more, and how long exits wait. Only the owner; open exits keep their time.
    /// @param pool Pool id.
    /// @param cap WAD quote; the largest uint96 for none.
    /// @param cooldown Seconds, 8 hours to 14 days. Default 3 days.
    function setStaking(uint16 pool, uint96 cap, uint32 cooldown) external;

    /// @notice Sets a market's bounds of drawdown, after a checkpoint under the old ones. Only the owner.
    /// @param market Market id.
    /// @param trigger Drawdown at which ADL starts, WAD, at most 90 %. Default 30 %.
    /// @param stop Drawdown at which it ends, WAD, at least 5 %. Default 25 %.
    /// @param target Drawdown it compensates to, WAD, in [stop, trigger]. Default 25 %.
    function setDrawdownBounds(uint16 market, uint64 trigger, uint64 stop, uint64 target) external;

    /// @notice Sets how a market's inventory is auctioned. Only the owner.
    /// @param market Market id.
    /// @param premium How far on the pool's side of mark it starts, WAD fraction, at most 20 %. Default 2 %.
    /// @param duration Seconds to the floor, one minute to one day. Default 30 minutes.
    function setAuctionParameters(uint16 market, uint64 premium, uint32 duration) external;

    /// @notice The state of a market's backing at mark.
    /// @param market Market id.
    /// @return See `Backing`.
    function backing(uint16 market) external view returns (Backing memory);

    /// @notice The same of all markets of a pool, in one reading.
    /// @param pool Pool id.
    /// @return markets Ids of its markets, ascending.
    /// @return states One for each of them.
    function backings(uint16 pool) external view returns (uint16[] memory markets, Backing[] memory states);

    /// @notice On what terms the inventory of a side would be deleveraged now; `trigger` is `None` where it is not due.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @return See `ADLTerms`.
    function adlTerms(uint16 market, Side side) external view returns (ADLTerms memory);

    /// @notice Why ADL was due when the market was last sampled, the steps of stress reached then, of four up to the trigger, and
    /// when its drawdown was last seen due (0: never, or it has ended).
    /// @param market Market id.
    /// @return reason Why, or `None`.
    /// @return stress Steps, 0 to 4.
    /// @return lastDue Seconds.
    function seen(uint16 market) external view returns (Trigger reason, uint8 stress, uint256 lastDue);

    /// @notice The auction of an inventory: its price now and the contracts in it, WAD; zeros where there is none, or the market was closed.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @return price WAD.
    /// @return contracts WAD.
    function auction(uint16 market, Side side) external view returns (uint256 price, uint256 contracts);

    /// @notice Signed size of an inventory, WAD.
    /// @param market Market id.
    /// @param side Side of the inventory.
    /// @return size Signed, WAD.
    function inventory(uint16 market, Side side) external view returns (int256 size);

    /// @notice Both inventories of a market.
    /// @param market Market id.
    /// @return long Of the long side.
    /// @return short Of the short side.
    function inventories(uint16 market) external view returns (Inventory memory long, Inventory memory short);

    /// @notice A pool, its cash before inventory losses and its markets.
    /// @param id Pool id.
    /// @return As stored.
    function pool(uint16 id) external view returns (Pool memory);

    /// @notice Number of pools; their ids are 1 to this.
    /// @return How many.
    function poolCount() external view returns (uint16);

    /// @notice Pool, trigger, stop and target of a market; fractions in WAD.
    /// @param market Market id.
    /// @return pool Its pool; 0 where the market is not listed.
    /// @return trigger Drawdown at which ADL starts, WAD.
    /// @return stop Drawdown at or below which it ends, WAD.
    /// @return target Drawdown that it compensates to, WAD.
    function parameters(uint16 market) external view returns (uint16 pool, uint64 trigger, uint64 stop, uint64 target);

    /// @notice What a pool claims of the tokens held: its cash less the entry notionals of its inventories, WAD quote.
    /// @param id Pool id.
    /// @return Signed, WAD quote.
    function claim(uint16 id) external view returns (int256);

    /// @notice A pool's balance at mark, WAD quote.
    /// @param id Pool id.
    /// @return Signed, WAD quote.
    function balanceOf(uint16 id) external view returns (int256);

    /// @notice The account of a pool: what moved its cash since its creation, by `Item`, WAD quote. Its cash is their sum, and its
    /// balance that less the losses and the unsettled funding of its inventories.
    /// @param id Pool id.
    /// @return amounts One for each `Item`, in its order, signed, WAD quote.
    function items(uint16 id) external view returns (int256[] memory amounts);

    /// @notice The mutual group, by id, and the balances of its members, WAD quote.
    /// @return members Pool ids, ascending.
    /// @return balances One for each of them, signed, WAD quote.
    function group() external view returns (uint16[] memory members, int256[] memory balances);

    /// @notice The open deficit: what pools lack that closing their inventory would not bring back; of members of the mutual group what a
    /// redistribution leaves them without. WAD quote.
    /// @return WAD quote.
    function deficit() external view returns (uint256);

    /// @notice Its parts by pool, WAD quote; pools that lack nothing may be among them.
    /// @return pools Pool ids.
    /// @return parts One for each of them, WAD quote.
    function deficits() external view returns (uint16[] memory pools, uint256[] memory parts);

    /// @notice Shares, cap (WAD quote) and cooldown (seconds) of a pool.
    /// @param id Pool id.
    /// @return shares Their ERC-4626 token.
    /// @return cap WAD quote; the largest uint96 for none.
    /// @return cooldown Seconds.
    function staking(uint16 id) external view returns (address shares, uint96 cap, uint32 cooldown);

    /// @notice What all shares of a pool stand for, token units, rounded down.
    /// @param id Pool id.
    /// @return Token units.
    function assetsOf(uint16 id) external view returns (uint256);

    /// @notice What a stake's shares are counted by: the balance and what inventories have gained at mark; token units, rounded up.
    /// @param id Pool id.
    /// @return Token units.
    function entryAssetsOf(uint16 id) external view returns (uint256);

    /// @notice Reverts where a pool takes no stakes now, and says why.
    /// @param id Pool id.
    function checkStake(uint16 id) external view;

    /// @notice Most that a pool takes as a stake now, token units.
    /// @param id Pool id.
    /// @return Token units; the largest uint256 for no limit.
    function maxStake(uint16 id) external view returns (uint256);

    /// @notice Reverts where an exit of an amount (token units) must wait, and says why.
    /// @param id Pool id.
    /// @param amount Token units.
    function checkExit(uint16 id, uint256 amount) external view;

    /// @notice Whether it need not.
    /// @param id Pool id.
    /// @param amount Token units.
    /// @return True where it may be paid now.
    function mayExit(uint16 id, uint256 amount) external view returns (bool);

    /// @notice The exchange that holds the tokens.
    /// @return Its address.
    function exchange() external view returns (IExchange);

    /// @notice Where mark prices come from.
    /// @return Its address.
    function priceFeed() external view returns (IPriceFeed);

    /// @notice The ADL engine.
    /// @return Its address.
    function engine() external view returns (address);

    /// @notice The immutable module that carries takeover, sales and the closing of rounds.
    /// @return Its address.
    function inventoryModule() external view returns (address);

    /// @notice The immutable module that carries pools and their capital.
    /// @return Its address.
    function poolModule() external view returns (address);
}
