// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IADLEngine} from "../interfaces/IADLEngine.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IKeeperBonds} from "../interfaces/IKeeperBonds.sol";
import {IPoolShares} from "../interfaces/IPoolShares.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {AccountId} from "../types/AccountId.sol";
import {Pool} from "../types/Pool.sol";

/// @title All that the public views say, in one call as a flat list of words; for tests only
contract StateReader {
    /// @dev Words of the structs that are copied as they are encoded.
    uint256 private constant MARKET = 31;
    uint256 private constant INVENTORIES = 6;
    uint256 private constant BACKING = 10;
    uint256 private constant POSITION = 6;
    uint256 private constant CROSS_ACCOUNT = 5;
    uint256 private constant SEEN = 3;
    uint256 private constant ITEMS = 11;
    /// @dev Beside those of a market: its mark and whether that is live, its index, its accounts, whether it is backed.
    uint256 private constant OF_MARKET = MARKET + INVENTORIES + SEEN + BACKING + 5;
    /// @dev Of a pool, its items among them; and what each owner has in it.
    uint256 private constant OF_POOL = ITEMS + 6;
    uint256 private constant OF_STAKE = 4;

    IExchange private immutable _exchange;
    IInsuranceFund private immutable _fund;
    IADLEngine private immutable _engine;
    IPriceFeed private immutable _priceFeed;

    struct Cursor {
        int256[] words;
        uint256 at;
    }

    constructor(IExchange exchange, IInsuranceFund fund, IADLEngine engine, IPriceFeed priceFeed) {
        (_exchange, _fund, _engine, _priceFeed) = (exchange, fund, engine, priceFeed);
    }

    /// @notice Tokens held, rounds, the treasury's and the keepers' fees, tokens held for bonds, for each owner its tokens and epoch, its bond and what it can claim, for each order what
    /// is filled; then the number of pools and for each its cash and claim, its items, its cap and cooldown, its shares and what they
    /// all stand for, and for each owner its shares and exit; the number of pools that are overdrawn, their ids and what each lacks;
    /// the number of markets and each of them; for each account its position in the market that its id names, or for a cross account what it is and its position in every market.
    /// Amounts as the contracts keep them.
    /// @param backed The markets whose backing is wanted, which is what takes time: bit `id` for each.
    function read(address[] calldata owners, bytes32[] calldata orders, AccountId[] calldata accounts, uint256 backed)
        external
        view
        returns (int256[] memory)
    {
        uint256 markets = _exchange.marketCount();
        (uint16[] memory overdrawn, uint256[] memory deficits) = _fund.deficits();
        uint256 size = 8 + 4 * owners.length + orders.length + OF_MARKET * markets + 2 * overdrawn.length;
        size += _fund.poolCount() * (OF_POOL + OF_STAKE * owners.length);
        for (uint256 i; i < accounts.length; ++i) {
            size += accounts[i].isCross() ? CROSS_ACCOUNT + POSITION * markets : POSITION;
        }
        Cursor memory cursor = Cursor(new int256[](size), 0);
        _putTokens(cursor, owners);
        for (uint256 i; i < orders.length; ++i) {
            _put(cursor, _exchange.filled(orders[i]));
        }
        _putPools(cursor, owners);
        _put(cursor, overdrawn.length);
        for (uint256 i; i < overdrawn.length; ++i) {
            _put(cursor, overdrawn[i]);
            _put(cursor, deficits[i]);
        }
        _put(cursor, markets);
        for (uint16 id = 1; id <= markets; ++id) {
            _putMarket(cursor, id, backed & (1 << id) != 0);
        }
        for (uint256 i; i < accounts.length; ++i) {
            _putAccount(cursor, accounts[i], markets);
        }
        return cursor.words;
    }

    function _putTokens(Cursor memory cursor, address[] calldata owners) private view {
        IERC20 token = IERC20(_exchange.token());
        _put(cursor, token.balanceOf(address(_exchange)) * _exchange.tokenScale());
        _put(cursor, _engine.roundCount());
        (, uint256 treasury, uint256 keepers) = _exchange.reserves();
        _put(cursor, treasury);
        _put(cursor, keepers);
        IKeeperBonds book = IKeeperBonds(address(_engine.book()));
        _put(cursor, token.balanceOf(address(book)) * _exchange.tokenScale());
        for (uint256 i; i < owners.length; ++i) {
            _put(cursor, token.balanceOf(owners[i]));
            _put(cursor, _exchange.orderEpoch(owners[i]));
            _put(cursor, book.bond(owners[i]).amount);
            _put(cursor, book.claimable(owners[i]));
        }
    }

    function _putPools(Cursor memory cursor, address[] calldata owners) private view {
        uint256 pools = _fund.poolCount();
        _put(cursor, pools);
        for (uint16 id = 1; id <= pools; ++id) {
            Pool memory pool = _fund.pool(id);
            _put(cursor, uint256(int256(pool.cash)));
            _put(cursor, uint256(_fund.claim(id)));
            int256[] memory items = _fund.items(id);
            for (uint256 i; i < ITEMS; ++i) {
                _put(cursor, uint256(items[i]));
            }
            _put(cursor, pool.cap);
            _put(cursor, pool.cooldown);
            _putShares(cursor, IPoolShares(pool.shares), owners);
        }
    }

    function _putShares(Cursor memory cursor, IPoolShares shares, address[] calldata owners) private view {
        _put(cursor, shares.totalSupply());
        _copy(cursor, address(shares), abi.encodeCall(IERC4626.totalAssets, ()), 1);
        for (uint256 i; i < owners.length; ++i) {
            _put(cursor, shares.balanceOf(owners[i]));
            _copy(cursor, address(shares), abi.encodeCall(IPoolShares.exitOf, (owners[i])), OF_STAKE - 1);
        }
    }

    /// @dev The market; either inventory; what was last seen of ADL there; the mark or the last accepted one, 0 where there never was one, and whether it is live; the
    /// index as an accrual would leave it; the number of accounts; whether there is a backing, and that: zeros where the fund
    /// refuses or nobody asked.
    function _putMarket(Cursor memory cursor, uint16 id, bool isBacked) private view {
        _copy(cursor, address(_exchange), abi.encodeCall(IExchange.market, (id)), MARKET);
        _copy(cursor, address(_fund), abi.encodeCall(IInsuranceFund.inventories, (id)), INVENTORIES);
        _copy(cursor, address(_fund), abi.encodeCall(IInsuranceFund.seen, (id)), SEEN);
        _copy(cursor, address(_priceFeed), abi.encodeCall(IPriceFeed.markOrLast, (id)), 2);
        _put(cursor, uint256(_exchange.fundingIndex(id)));
        _put(cursor, _exchange.accountCount(id));
        uint256 flag = cursor.at++;
        if (!isBacked) {
            cursor.at += BACKING;
        } else if (_copy(cursor, address(_fund), abi.encodeCall(IInsuranceFund.backing, (id)), BACKING)) {
            cursor.words[flag] = 1;
        }
    }

    function _putAccount(Cursor memory cursor, AccountId account, uint256 markets) private view {
        if (!account.isCross()) {
            _copy(cursor, address(_exchange), abi.encodeCall(IExchange.position, (account, account.market())), POSITION);
            return;
        }
        _copy(cursor, address(_exchange), abi.encodeCall(IExchange.crossAccount, (account)), CROSS_ACCOUNT);
        for (uint16 id = 1; id <= markets; ++id) {
            _copy(cursor, address(_exchange), abi.encodeCall(IExchange.position, (account, id)), POSITION);
        }
    }

    /// @dev Puts the first words that a view answers, or leaves zeros where it refuses.
    function _copy(Cursor memory cursor, address target, bytes memory data, uint256 count)
        private
        view
        returns (bool ok)
    {
        int256[] memory list = cursor.words;
        uint256 at = cursor.at;
        assembly ("memory-safe") {
            let place := add(add(list, 32), mul(at, 32))
            ok := staticcall(gas(), target, add(data, 32), mload(data), 0, 0)
            if ok { returndatacopy(place, 0, mul(count, 32)) }
        }
        cursor.at = at + count;
    }

    function _put(Cursor memory cursor, uint256 word) private pure {
        cursor.words[cursor.at++] = int256(word);
    }
}
