// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {DelegatedModule} from "./DelegatedModule.sol";
import {FundStorage} from "./FundStorage.sol";
import {PoolBooks} from "./PoolBooks.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {ADLMath} from "./libraries/ADLMath.sol";
import {AuctionMath} from "./libraries/AuctionMath.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {Side} from "./types/Market.sol";
import {Backer, Backing, Bequest, Book, Inventory, Item} from "./types/Pool.sol";

/// @title What pools take over and how they get rid of it: takeover, auction, the closing of a round
contract InventoryModule is PoolBooks, DelegatedModule {
    using SafeCast for int256;
    using WadMath for int256;

    constructor(IExchange exchange_, IPriceFeed feed) FundStorage(exchange_, feed) {}

    /// @notice See `IInsuranceFund.checkpoint`.
    function checkpoint(uint16 market) external onlyDelegatecall {
        _assigned(market);
        _checkpoint(market);
    }

    // ------------------------------------------------------------------ takeover

    /// @notice See `IInsuranceFund.inherit`.
    function inherit(Bequest[] calldata bequests) external onlyDelegatecall returns (int256[] memory funding) {
        // The result as it stood before the loss is a sample too: it may be the peak.
        _checkpointAll(bequests);
        funding = new int256[](bequests.length);
        for (uint256 i; i < bequests.length; ++i) {
            funding[i] = _inherit(bequests[i]);
        }
        _checkpointAll(bequests);
    }

    function _inherit(Bequest calldata bequest) private returns (int256 funding) {
        (uint16 market, int256 size) = (bequest.market, bequest.size);
        uint16 poolId = _books[market].pool;
        Side side = size > 0 ? Side.Long : Side.Short;
        Inventory storage held = _inventory(market, side);
        funding = _settleFunding(poolId, market, side, bequest.index);
        held.auctionStart = uint32(
            AuctionMath.mergedStart(
                held.auctionStart, int256(held.size).abs(), block.timestamp, size.abs(), _books[market].auctionDuration
            )
        );
        held.size = (held.size + size).toInt112();
        held.entryNotional = (held.entryNotional + bequest.bankruptcyNotional).toInt112();
        emit IInsuranceFund.Inherited(poolId, market, size, bequest.bankruptcyNotional);
    }

    /// @dev Samples several markets of a pool, both ascending, whose state is read once.
    function _checkpointAll(Bequest[] calldata bequests) private {
        Survey memory s = _survey(_assigned(bequests[0].market));
        uint256 next;
        for (uint256 i; i < s.markets.length && next < bequests.length; ++i) {
            if (s.markets[i] != bequests[next].market) continue;
            _sample(s.markets[i], s, _judge(s, i));
            ++next;
        }
    }

    // ------------------------------------------------------------------ auction

    /// @notice See `IInsuranceFund.sell`.
    function sell(uint16 market, Side side, uint256 maxContracts, uint256 mark, uint256 floorFraction, int256 index)
        external
        onlyDelegatecall
        returns (int256 size, int256 value, uint256 price, int256 funding)
    {
        uint16 poolId = _assigned(market);
        (Survey memory s, Backing memory before) = _backing(market);
        _sample(market, s, before);
        funding = _settleFunding(poolId, market, side, index);
        price = _auctionPrice(market, side, mark, floorFraction);
        (size, value) = _sell(poolId, market, side, maxContracts, price);
        _checkSale(poolId, market, before);
    }

    /// @dev Takes up to `maxContracts` out of an inventory at a price, rounded toward the pool.
    function _sell(uint16 poolId, uint16 market, Side side, uint256 maxContracts, uint256 price)
        private
        returns (int256 size, int256 value)
    {
        Inventory storage held = _inventory(market, side);
        uint256 available = int256(held.size).abs();
        if (available == 0) revert IInsuranceFund.InventoryMissing(market, side);
        uint256 contracts = maxContracts < available ? maxContracts : available;
        if (contracts == 0) revert IInsuranceFund.AmountZero();
        size = side == Side.Long ? int256(contracts) : -int256(contracts);
        value = size.mulUp(int256(price));
        int256 entry = ADLMath.entryPart(held.entryNotional, contracts, available);
        _reduce(held, size, entry);
        emit IInsuranceFund.InventorySold(poolId, market, side, size, value, value - entry);
        _enter(poolId, market, Item.Auction, value - entry);
    }

    /// @dev A sale that makes things worse may neither leave ADL due by drawdown (or no base to judge it by) nor the pool
    /// below zero: what is due is what others pay.
    function _checkSale(uint16 poolId, uint16 market, Backing memory before) private {
        (Survey memory s, Backing memory state) = _backing(market);
        if (state.balance < 0 && state.balance < before.balance) {
            revert IInsuranceFund.SaleDepletesPool(poolId, state.balance);
        }
        if (state.loss > before.loss && (state.base == 0 || state.drawdownDue)) {
            revert IInsuranceFund.SaleRaisesDrawdown(market, state.loss, state.base);
        }
        _sample(market, s, state);
    }

    // ------------------------------------------------------------------ rounds

    /// @notice See `IInsuranceFund.close`.
    function close(uint16 market, Side side, uint256 contracts, int256 entryClosed, int256 value, uint256 netted)
        external
        onlyDelegatecall
        returns (int256 cashChange, int256[2] memory funding)
    {
        if (msg.sender != _engine) revert IInsuranceFund.CallerNotEngine(msg.sender);
        uint16 poolId = _books[market].pool;
        // The terms of the round count on it.
        if (_pools[poolId].backer == Backer.Mutual) _redistribute();
        _checkpoint(market);
        int256 index = _exchange.fundingIndex(market);
        funding[0] = _settleFunding(poolId, market, Side.Long, index);
        funding[1] = _settleFunding(poolId, market, Side.Short, index);
        int256 claimBefore = _claim(poolId);
        if (contracts != 0) _close(poolId, market, side, contracts, entryClosed, value);
        if (netted != 0) _net(poolId, market, side, netted);
        _checkpoint(market);
        cashChange = _claim(poolId) - claimBefore;
    }

    /// @notice See `IInsuranceFund.net`.
    function net(uint16 market) external onlyDelegatecall returns (uint256 contracts, int256[2] memory funding) {
        uint16 poolId = _assigned(market);
        _checkpoint(market);
        int256 index = _exchange.fundingIndex(market);
        funding[0] = _settleFunding(poolId, market, Side.Long, index);
        funding[1] = _settleFunding(poolId, market, Side.Short, index);
        contracts = Math.min(int256(_books[market].long.size).abs(), int256(_books[market].short.size).abs());
        _net(poolId, market, Side.Long, contracts);
        _checkpoint(market);
    }

    function _close(uint16 poolId, uint16 market, Side side, uint256 contracts, int256 entryClosed, int256 value)
        private
    {
        Inventory storage held = _inventory(market, side);
        uint256 available = int256(held.size).abs();
        if (contracts > available) revert IInsuranceFund.InventoryExceeded(market, side, contracts, available);
        int256 size = side == Side.Long ? int256(contracts) : -int256(contracts);
        _reduce(held, size, entryClosed);
        emit IInsuranceFund.InventoryClosed(poolId, market, side, size, value, value - entryClosed);
        _enter(poolId, market, Item.Deleveraging, value - entryClosed);
    }

    /// @dev What the pool holds on both sides closes at mark, and no cash moves.
    function _net(uint16 poolId, uint16 market, Side side, uint256 contracts) private {
        uint256 mark = _priceFeed.markPrice(market);
        Inventory storage long = _books[market].long;
        Inventory storage short = _books[market].short;
        uint256 longSize = int256(long.size).abs();
        uint256 shortSize = int256(short.size).abs();
        uint256 available = longSize < shortSize ? longSize : shortSize;
        if (contracts > available) revert IInsuranceFund.InventoryExceeded(market, side, contracts, available);
        int256 longEntry = ADLMath.entryPart(long.entryNotional, contracts, longSize);
        int256 shortEntry = ADLMath.entryPart(short.entryNotional, contracts, shortSize);
        _reduce(long, int256(contracts), longEntry);
        _reduce(short, -int256(contracts), shortEntry);
        // The values at mark of the two cancel; what is realized is minus both entries.
        int256 result = -longEntry - shortEntry;
        emit IInsuranceFund.InventoryNetted(poolId, market, contracts, mark, result);
        _enter(poolId, market, Item.Deleveraging, result);
    }

    // ------------------------------------------------------------------ internal

    /// @dev What an inventory owes since it was last settled, in WAD squared; the rounded amount leaves the pool for the pot.
    function _settleFunding(uint16 poolId, uint16 market, Side side, int256 index) private returns (int256 exact) {
        Book storage book = _books[market];
        int256 size = _inventory(market, side).size;
        exact = size * (index - (side == Side.Long ? book.longIndex : book.shortIndex));
        if (side == Side.Long) book.longIndex = int104(index);
        else book.shortIndex = int104(index);
        if (exact == 0) return 0;
        int256 paid = exact.divUp(WadMath.WAD);
        emit IInsuranceFund.InventoryFundingPaid(poolId, market, side, paid);
        _enter(poolId, market, Item.Funding, -paid);
    }

    /// @dev Takes a part out of an inventory, with the entry that goes with it.
    function _reduce(Inventory storage held, int256 size, int256 entry) private {
        held.size = (held.size - size).toInt112();
        held.entryNotional = (held.entryNotional - entry).toInt112();
    }
}
