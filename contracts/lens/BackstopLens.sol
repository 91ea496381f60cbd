// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IExchange} from "../interfaces/IExchange.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {BankruptcyMath} from "../libraries/BankruptcyMath.sol";
import {FundingMath} from "../libraries/FundingMath.sol";
import {MarginMath} from "../libraries/MarginMath.sol";
import {WadMath} from "../libraries/WadMath.sol";
import {AccountId} from "../types/AccountId.sol";
import {Market, Side} from "../types/Market.sol";
import {Backer, Backing, Inventory, Pool, PoolKind} from "../types/Pool.sol";
import {Health, Position} from "../types/Position.sol";

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

    /// @param mark Mark price; where the feed refuses to answer the last accepted one, or 0 where there is none.
    /// @param priceError What the feed reverted with, `FeedSilent` where it said nothing; empty where it answered.
    /// @param listed Parameters, open interest and funding as stored.
    /// @param fundingIndex Cumulative funding as it would be accrued now, WAD quote per base unit.
    /// @param settlesAt From when on the positions of a closed market are settled, at the final price that is its mark; 0 while it is open.
    /// @param backing The state of its backing; all zero where a price that its pool's inventory needs never was.
    /// @param backingError What the fund reverted with then.
    struct MarketView {
        uint16 id;
        uint256 mark;
        bytes priceError;
        Market listed;
        int256 fundingIndex;
        uint64 trigger;
        uint64 stop;
        uint64 target;
        uint256 accounts;
        Backing backing;
        bytes backingError;
        Inventory long;
        Inventory short;
        AuctionView longAuction;
        AuctionView shortAuction;
        uint256 settlesAt;
    }

    /// @param cash What the pool owns before inventory losses.
    /// @param claim What it claims of the tokens held.
    struct PoolView {
        uint16 id;
        bytes32 name;
        PoolKind kind;
        Backer backer;
        int256 cash;
        int256 claim;
        uint16[] markets;
    }

    /// @param margin As stored; of a cross account 0, see `CrossView`.
    /// @param funding What the position owes since it was last settled; negative where it is owed.
    struct AccountView {
        AccountId account;
        int256 size;
        int256 entryNotional;
        int256 margin;
        int256 funding;
    }

    /// @param margin As stored; its positions may owe funding.
    struct CrossView {
        AccountId account;
        int256 margin;
    }

    /// @param mark Mark price, or the last accepted one where the feed is dead.
    /// @param funding What the position owes since it was last settled; negative where it is owed.
    /// @param liquidationPrice The mark at which the account's `E` is the `MM` of its legs in open markets, other marks held; not positive
    /// where there is none, 0 in a closed market.
    /// @param bankruptcyPrice At which a pool would take the position over now, signed.
    struct LegView {
        uint16 market;
        uint256 mark;
        int256 size;
        int256 entryNotional;
        int256 uPnL;
        int256 funding;
        uint256 maintenanceMargin;
        int256 liquidationPrice;
        int256 bankruptcyPrice;
    }

    /// @param health Where the account stands, as the exchange judges it.
    /// @param marginRate `MM/E`, WAD, floored and at least 1; 0 without positions, the largest uint256 where `E <= 0`.
    /// @param isLow Whether anyone may flag it.
    struct AccountState {
        AccountId account;
        Health health;
        uint256 marginRate;
        bool isLow;
        LegView[] legs;
    }

    /// @param tokensHeld Token balance of the exchange, scaled to WAD.
    /// @param crossAccounts Number of cross accounts.
    struct SystemView {
        uint256 blockNumber;
        uint256 timestamp;
        uint64 backstopRatio;
        uint64 warningRate;
        uint256 tokensHeld;
        uint256 treasuryBalance;
        uint256 keeperBudget;
        uint256 crossAccounts;
        MarketView[] markets;
        PoolView[] pools;
    }

    /// @dev A feed that burns all its gas must not take the other markets out of sight.
    uint256 private constant READ_GAS = 300_000;

    IExchange public immutable exchange;
    IInsuranceFund public immutable fund;
    IPriceFeed public immutable priceFeed;

    /// @notice The feed of the market reverts without a reason.
    /// @param market Market id.
    error FeedSilent(uint16 market);

    constructor(IExchange exchange_, IInsuranceFund fund_, IPriceFeed feed) {
        (exchange, fund, priceFeed) = (exchange_, fund_, feed);
    }

    /// @notice All markets and pools.
    function system() external view returns (SystemView memory view_) {
        view_.blockNumber = block.number;
        view_.timestamp = block.timestamp;
        view_.backstopRatio = exchange.backstopRatio();
        view_.warningRate = exchange.warningRate();
        (, view_.treasuryBalance, view_.keeperBudget) = exchange.reserves();
        view_.crossAccounts = exchange.crossAccountCount();
        view_.tokensHeld = IERC20(exchange.token()).balanceOf(address(exchange)) * exchange.tokenScale();
        view_.markets = new MarketView[](exchange.marketCount());
        for (uint16 i; i < view_.markets.length; ++i) {
            view_.markets[i] = _market(i + 1);
        }
        view_.pools = new PoolView[](fund.poolCount());
        for (uint16 i; i < view_.pools.length; ++i) {
            Pool memory entry = fund.pool(i + 1);
            view_.pools[i] =
                PoolView(i + 1, entry.name, entry.kind, entry.backer, entry.cash, fund.claim(i + 1), entry.markets);
            _back(view_.markets, i + 1, entry.markets);
        }
    }

    /// @dev Fills in the backing of a pool's markets, read once for all of them.
    function _back(MarketView[] memory views, uint16 poolId, uint16[] memory markets) private view {
        try fund.backings(poolId) returns (uint16[] memory, Backing[] memory states) {
            for (uint256 i; i < markets.length; ++i) {
                views[markets[i] - 1].backing = states[i];
            }
        } catch (bytes memory reason) {
            for (uint256 i; i < markets.length; ++i) {
                views[markets[i] - 1].backingError = reason;
            }
        }
    }

    /// @notice One market.
    function market(uint16 id) external view returns (MarketView memory view_) {
        view_ = _market(id);
        try fund.backing(id) returns (Backing memory state) {
            view_.backing = state;
        } catch (bytes memory reason) {
            view_.backingError = reason;
        }
    }

    /// @dev One market, its backing left out.
    function _market(uint16 id) private view returns (MarketView memory view_) {
        view_.id = id;
        view_.listed = exchange.market(id);
        view_.fundingIndex = exchange.fundingIndex(id);
        view_.accounts = exchange.accountCount(id);
        (, view_.trigger, view_.stop, view_.target) = fund.parameters(id);
        (view_.long, view_.short) = fund.inventories(id);
        (view_.mark, view_.priceError) = _mark(id);
        view_.longAuction = _auction(id, Side.Long);
        view_.shortAuction = _auction(id, Side.Short);
        view_.settlesAt = exchange.settlesAt(id);
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
            AccountId id = exchange.accountAt(marketId, offset + i);
            Position memory held = exchange.position(id, marketId);
            page[i] = AccountView(id, held.size, held.entryNotional, held.margin, _funding(held, marketId));
        }
    }

    /// @notice A page of the cross accounts that were ever touched.
    function crossAccounts(uint256 offset, uint256 limit) external view returns (CrossView[] memory page) {
        uint256 count = exchange.crossAccountCount();
        uint256 end = limit < count - (offset < count ? offset : count) ? offset + limit : count;
        page = new CrossView[](end > offset ? end - offset : 0);
        for (uint256 i; i < page.length; ++i) {
            AccountId id = exchange.crossAccountAt(offset + i);
            page[i] = CrossView(id, exchange.crossAccount(id).margin);
        }
    }

    /// @notice Where an account stands, leg by leg; by the code that execution runs.
    function account(AccountId id) external view returns (AccountState memory state) {
        state.account = id;
        state.health = exchange.health(id);
        (state.marginRate, state.isLow) = _rate(state.health);
        uint256 legs = id.isCross() ? exchange.crossAccount(id).legs : id.market();
        uint256 count;
        for (uint256 rest = legs; rest != 0; rest >>= 16) {
            if (exchange.position(id, uint16(rest)).size != 0) ++count;
        }
        state.legs = new LegView[](count);
        uint256 exposed;
        for (uint256 i; i < count; ++i) {
            LegView memory leg = _leg(id, uint16(legs >> (16 * i)));
            if (exchange.settlesAt(leg.market) == 0) exposed += leg.maintenanceMargin;
            state.legs[i] = leg;
        }
        _liquidate(state, exposed);
        _bankrupt(state);
    }

    function _leg(AccountId id, uint16 marketId) private view returns (LegView memory leg) {
        Position memory held = exchange.position(id, marketId);
        (leg.market, leg.size, leg.entryNotional) = (marketId, held.size, held.entryNotional);
        (leg.mark,) = priceFeed.markOrLast(marketId);
        uint256 fraction = exchange.maintenanceMarginFraction(marketId);
        leg.uPnL = MarginMath.valueDown(leg.size, leg.mark) - leg.entryNotional;
        leg.funding = _funding(held, marketId);
        leg.maintenanceMargin = MarginMath.requirementUp(leg.size, leg.mark, fraction);
    }

    /// @dev Where each leg is liquidated; `exposed` is the maintenance margin that those of open markets ask for.
    function _liquidate(AccountState memory state, uint256 exposed) private view {
        for (uint256 i; i < state.legs.length; ++i) {
            LegView memory leg = state.legs[i];
            if (exchange.settlesAt(leg.market) != 0) continue;
            int256 value = leg.uPnL + leg.entryNotional;
            // What the leg must be worth: the margin that the others ask for, less all that the account has beside it.
            int256 shortfall = int256(exposed - leg.maintenanceMargin) - (state.health.equity - value);
            uint256 fraction = exchange.maintenanceMarginFraction(leg.market);
            leg.liquidationPrice = MarginMath.liquidationPrice(leg.size, shortfall, fraction);
        }
    }

    function _bankrupt(AccountState memory state) private pure {
        uint256 count = state.legs.length;
        if (count == 0) return;
        int256[] memory uPnL = new int256[](count);
        uint256[] memory maintenance = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            (uPnL[i], maintenance[i]) = (state.legs[i].uPnL, state.legs[i].maintenanceMargin);
        }
        int256[] memory shares =
            BankruptcyMath.sharesOf(state.health.equity, uPnL, maintenance, state.health.maintenanceMargin);
        for (uint256 i; i < count; ++i) {
            LegView memory leg = state.legs[i];
            int256 notional = leg.entryNotional + leg.uPnL - shares[i];
            leg.bankruptcyPrice = MarginMath.bankruptcyPrice(leg.size, notional, leg.mark);
        }
    }

    function _rate(Health memory health) private view returns (uint256 rate, bool isLow) {
        if (health.maintenanceMargin == 0) return (0, false);
        if (health.equity <= 0) return (type(uint256).max, true);
        rate = health.maintenanceMargin * WadMath.UWAD / uint256(health.equity);
        isLow = health.equity < int256(health.initialMargin)
            || int256(health.maintenanceMargin) * WadMath.WAD > int256(uint256(exchange.warningRate())) * health.equity;
        if (rate == 0) rate = 1;
    }

    function _funding(Position memory held, uint16 marketId) private view returns (int256) {
        return FundingMath.payment(held.size, exchange.fundingIndex(marketId) - held.fundingIndex);
    }

    function _mark(uint16 id) private view returns (uint256 mark, bytes memory fault) {
        try priceFeed.markPrice{gas: READ_GAS}(id) returns (uint256 price) {
            return (price, "");
        } catch (bytes memory reason) {
            // A feed that reverts without a word must not look like one that answered.
            fault = reason.length == 0 ? abi.encodeWithSelector(FeedSilent.selector, id) : reason;
        }
        try priceFeed.markOrLast(id) returns (uint256 price, bool) {
            mark = price;
        } catch {
            mark = 0;
        }
    }

    function _auction(uint16 id, Side side) private view returns (AuctionView memory) {
        try fund.auction{gas: 2 * READ_GAS}(id, side) returns (uint256 price, uint256 contracts) {
            return AuctionView(price, contracts);
        } catch {
            return AuctionView(0, 0);
        }
    }
}
