// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IExchange} from "../interfaces/IExchange.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {AccountId} from "../types/AccountId.sol";
import {Market, Side} from "../types/Market.sol";
import {Backing, Inventory, Pool, PoolKind} from "../types/Pool.sol";
import {Position} from "../types/Position.sol";

/// @title Everything a keeper or a page needs, in few calls
/// @notice Views only, no state. Read all pages at one block hash. Amounts in WAD unless said otherwise.
contract BackstopLens {
    /// @notice An inventory on sale; zeros where there is none, or no price to sell it around.
    /// @param price What a contract costs now.
    /// @param contracts What is on sale, unsigned.
    struct AuctionView {
        uint256 price;
        uint256 contracts;
    }

    /// @param mark Mark price; 0 where the feed refuses to answer.
    /// @param priceError What the feed reverted with, empty where it answered.
    /// @param backing The state of its backing; all zero where a price that its pool's inventory needs is missing.
    /// @param backingError What the fund reverted with then.
    struct MarketView {
        uint16 id;
        bytes32 name;
        uint16 pool;
        uint256 mark;
        bytes priceError;
        uint64 initialMarginFraction;
        uint64 maintenanceMarginFraction;
        uint64 liquidationDiscount;
        uint64 liquidationFee;
        uint64 trigger;
        uint64 stop;
        uint64 target;
        uint256 openInterest;
        uint256 accounts;
        Backing backing;
        bytes backingError;
        Inventory long;
        Inventory short;
        AuctionView longAuction;
        AuctionView shortAuction;
    }

    /// @param cash What the pool owns before inventory losses.
    /// @param claim What it claims of the tokens held.
    struct PoolView {
        uint16 id;
        bytes32 name;
        PoolKind kind;
        int256 cash;
        int256 claim;
        uint16[] markets;
    }

    struct AccountView {
        AccountId account;
        int256 size;
        int256 entryNotional;
        int256 margin;
    }

    /// @param tokensHeld Token balance of the exchange, scaled to WAD.
    struct SystemView {
        uint256 blockNumber;
        uint256 timestamp;
        uint64 backstopRatio;
        uint256 tokensHeld;
        MarketView[] markets;
        PoolView[] pools;
    }

    IExchange public immutable exchange;
    IInsuranceFund public immutable fund;
    IPriceFeed public immutable priceFeed;

    constructor(IExchange exchange_, IInsuranceFund fund_, IPriceFeed feed) {
        (exchange, fund, priceFeed) = (exchange_, fund_, feed);
    }

    /// @notice All markets and pools.
    function system() external view returns (SystemView memory view_) {
        view_.blockNumber = block.number;
        view_.timestamp = block.timestamp;
        view_.backstopRatio = exchange.backstopRatio();
        view_.tokensHeld = IERC20(exchange.token()).balanceOf(address(exchange)) * exchange.tokenScale();
        view_.markets = new MarketView[](exchange.marketCount());
        for (uint16 i; i < view_.markets.length; ++i) {
            view_.markets[i] = market(i + 1);
        }
        view_.pools = new PoolView[](fund.poolCount());
        for (uint16 i; i < view_.pools.length; ++i) {
            Pool memory entry = fund.pool(i + 1);
            view_.pools[i] = PoolView(i + 1, entry.name, entry.kind, entry.cash, fund.claim(i + 1), entry.markets);
        }
    }

    /// @notice One market.
    function market(uint16 id) public view returns (MarketView memory view_) {
        Market memory listed = exchange.market(id);
        view_.id = id;
        view_.name = listed.name;
        view_.initialMarginFraction = listed.initialMarginFraction;
        view_.maintenanceMarginFraction = listed.maintenanceMarginFraction;
        (view_.liquidationDiscount, view_.liquidationFee) = (listed.liquidationDiscount, listed.liquidationFee);
        view_.openInterest = listed.openInterest;
        view_.accounts = exchange.accountCount(id);
        (view_.pool, view_.trigger, view_.stop, view_.target) = fund.parameters(id);
        (view_.long, view_.short) = fund.inventories(id);
        try priceFeed.markPrice(id) returns (uint256 mark) {
            view_.mark = mark;
        } catch (bytes memory reason) {
            view_.priceError = reason;
        }
        try fund.backing(id) returns (Backing memory state) {
            view_.backing = state;
        } catch (bytes memory reason) {
            view_.backingError = reason;
        }
        view_.longAuction = _auction(id, Side.Long);
        view_.shortAuction = _auction(id, Side.Short);
    }

    /// @notice A page of the accounts that ever deposited for or traded in a market; shorter at the end of the list.
    /// @param offset Index of the first.
    /// @param limit Most accounts to return.
    function accounts(uint16 marketId, uint256 offset, uint256 limit)
        external
        view
        returns (AccountView[] memory page)
    {
        uint256 count = exchange.accountCount(marketId);
        uint256 end = limit < count - (offset < count ? offset : count) ? offset + limit : count;
        page = new AccountView[](end > offset ? end - offset : 0);
        for (uint256 i; i < page.length; ++i) {
            AccountId account = exchange.accountAt(marketId, offset + i);
            Position memory held = exchange.position(account, marketId);
            page[i] = AccountView(account, held.size, held.entryNotional, held.margin);
        }
    }

    function _auction(uint16 id, Side side) private view returns (AuctionView memory) {
        try fund.auction(id, side) returns (uint256 price, uint256 contracts) {
            return AuctionView(price, contracts);
        } catch {
            return AuctionView(0, 0);
        }
    }
}
