// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {Book, Item, Pool} from "./types/Pool.sol";

/// @title State of the insurance fund, and the one way in which a pool's cash moves
/// @notice `InsuranceFund` is what others call; its modules run in its storage by delegatecall and carry what would not fit into
/// 24,576 bytes. All inherit this contract first, so the layout is one.
abstract contract FundStorage {
    using SafeCast for int256;

    IExchange internal immutable _exchange;
    IPriceFeed internal immutable _priceFeed;
    uint256 internal immutable _tokenScale;

    mapping(uint16 id => Pool) internal _pools;
    mapping(uint16 market => Book) internal _books;
    mapping(uint16 pool => mapping(Item item => int256)) internal _items;
    mapping(bytes32 name => bool) internal _nameTaken;
    /// @dev Members of the mutual group, ascending.
    uint16[] internal _group;
    /// @dev Pools with negative cash, in no order: the only ones that can have an open deficit.
    uint16[] internal _overdrawn;
    address internal _engine;
    uint16 internal _poolCount;

    constructor(IExchange exchange_, IPriceFeed feed) {
        (_exchange, _priceFeed) = (exchange_, feed);
        _tokenScale = exchange_.tokenScale();
    }

    function _checkPool(uint16 poolId) internal view {
        if (poolId == 0 || poolId > _poolCount) revert IInsuranceFund.PoolMissing(poolId);
    }

    /// @dev The pool of a market that has one.
    function _assigned(uint16 market) internal view returns (uint16 poolId) {
        poolId = _books[market].pool;
        if (poolId == 0) revert IInsuranceFund.MarketUnassigned(market);
    }

    /// @dev Moves a pool's cash, under the item that it moves for; what a market earns or loses is its result too.
    /// @param market The market that it comes from, or 0.
    /// @param amount WAD quote.
    function _enter(uint16 poolId, uint16 market, Item item, int256 amount) internal {
        if (amount == 0) return;
        Pool storage pool = _pools[poolId];
        int256 before = pool.cash;
        int256 cash = before + amount;
        pool.cash = cash.toInt128();
        if ((cash < 0) != (before < 0)) _noteOverdraft(poolId, cash < 0);
        _items[poolId][item] += amount;
        if (market != 0) _books[market].realized = (_books[market].realized + amount).toInt128();
        emit IInsuranceFund.Entered(poolId, market, item, amount, cash);
    }

    function _noteOverdraft(uint16 poolId, bool isOverdrawn) private {
        if (isOverdrawn) {
            _overdrawn.push(poolId);
            return;
        }
        uint256 last = _overdrawn.length - 1;
        for (uint256 i; i < last; ++i) {
            if (_overdrawn[i] == poolId) _overdrawn[i] = _overdrawn[last];
        }
        _overdrawn.pop();
    }
}
