// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Side} from "../types/Market.sol";
import {ADLTerms, Backing, Bequest, Inventory, Pool, PoolKind} from "../types/Pool.sol";

/// @title The insurance fund: pools, the inventory they take over, drawdown, and the terms of deleveraging
/// @notice Keeps books only; its tokens are held by the exchange. Formulas and roundings: docs/mathematics.md.
interface IInsuranceFund {
    event PoolCreated(uint16 indexed pool, bytes32 name, PoolKind kind);
    event MarketAssigned(uint16 indexed market, uint16 indexed pool, uint64 trigger, uint64 stop, uint64 target);
    event DrawdownBoundsSet(uint16 indexed market, uint64 trigger, uint64 stop, uint64 target);
    /// @notice Someone gave tokens to a pool. `market` is 0 where none was named; `amount` in token units.
    event Contributed(uint16 indexed pool, uint16 indexed market, address indexed from, uint256 amount);
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
    /// @notice A liquidation fee, a share of trading fees or the dust of funding came in. WAD quote.
    event FeeCredited(uint16 indexed pool, uint16 indexed market, uint256 amount);
    /// @notice Inventory was sold in its auction. Signed, WAD; `result` is what the pool gained on it.
    event InventorySold(
        uint16 indexed pool, uint16 indexed market, Side indexed side, int256 size, int256 value, int256 result
    );
    event AuctionParametersSet(uint16 indexed market, uint64 premium, uint32 duration);
    /// @notice A market's result was sampled. Signed, WAD.
    event Checkpointed(uint16 indexed market, int256 pnl, int256 balance, uint256 drawdown);
    /// @notice The drawdown trigger came due.
    event ADLStarted(uint16 indexed market, uint256 drawdown);
    /// @notice The drawdown fell to `stop` or below, or the memory of a start lapsed.
    event ADLEnded(uint16 indexed market, uint256 drawdown);
    event Wired(address engine);

    error PoolMissing(uint16 pool);
    error PoolNameEmpty();
    error PoolNameTaken(bytes32 name);
    error PoolFull(uint16 pool, uint256 markets);
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

    /// @notice Gives tokens to a pool, for good. By anyone; needs no price.
    /// @param pool Pool id.
    /// @param market A market of the pool whose result the gift improves, or 0.
    /// @param amount Token units; the caller has approved them to this contract.
    function contribute(uint16 pool, uint16 market, uint256 amount) external;

    /// @notice Samples a market's result into its rolling maximum, and keeps the memory of its trigger. By anyone.
    function checkpoint(uint16 market) external;

    /// @notice Puts a new market under a pool, with the default bounds of drawdown. Only the exchange, when it lists it.
    /// @return isolatedOnly Whether the pool stands behind this market alone.
    function assignMarket(uint16 market, uint16 pool) external returns (bool isolatedOnly);

    /// @notice Takes all positions of an account into inventory, between two samples of their markets. Only the exchange.
    /// @param bequests At least one, by ascending market, all of one pool.
    /// @return funding What each inventory owed before, WAD squared: `size * index change`.
    function inherit(Bequest[] calldata bequests) external returns (int256[] memory funding);

    /// @notice Books a liquidation fee, a share of trading fees or the dust of funding to the market's pool. Only the exchange.
    /// @param amount WAD quote.
    function creditFee(uint16 market, uint256 amount) external;

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

    /// @notice The state of a market's backing at mark.
    function backing(uint16 market) external view returns (Backing memory);

    /// @notice On what terms the inventory of a side would be deleveraged now; `trigger` is `None` where it is not due.
    function adlTerms(uint16 market, Side side) external view returns (ADLTerms memory);

    /// @notice The auction of an inventory: its price now and the contracts in it, WAD; zeros where there is none.
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
}
