// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IADLEngine} from "../interfaces/IADLEngine.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {AccountId} from "../types/AccountId.sol";
import {Backing, Inventory} from "../types/Pool.sol";
import {Position} from "../types/Position.sol";

/// @title All that the public views say, in one call as a flat list of words; for tests only
contract StateReader {
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

    /// @notice Tokens held, rounds, for each owner its tokens and epoch, for each order what is filled; then the number of
    /// pools and for each its cash and claim; the number of markets and each of them; the position of each account, which
    /// names its market. Amounts as the contracts keep them.
    /// @param backed The markets whose backing is wanted, which is what takes time: bit `id` for each.
    function read(address[] calldata owners, bytes32[] calldata orders, AccountId[] calldata accounts, uint256 backed)
        external
        view
        returns (int256[] memory)
    {
        uint256 size = 4 + 2 * owners.length + orders.length + 4 * accounts.length;
        size += 2 * _fund.poolCount() + 17 * _exchange.marketCount();
        Cursor memory cursor = Cursor(new int256[](size), 0);
        _putTokens(cursor, owners);
        for (uint256 i; i < orders.length; ++i) {
            _put(cursor, _exchange.filled(orders[i]));
        }
        _putBooks(cursor, backed);
        for (uint256 i; i < accounts.length; ++i) {
            Position memory held = _exchange.position(accounts[i], accounts[i].market());
            _put(cursor, held.size);
            _put(cursor, held.entryNotional);
            _put(cursor, held.margin);
            _put(cursor, uint256(held.riskBlock));
        }
        return cursor.words;
    }

    function _putTokens(Cursor memory cursor, address[] calldata owners) private view {
        IERC20 token = IERC20(_exchange.token());
        _put(cursor, token.balanceOf(address(_exchange)) * _exchange.tokenScale());
        _put(cursor, _engine.roundCount());
        for (uint256 i; i < owners.length; ++i) {
            _put(cursor, token.balanceOf(owners[i]));
            _put(cursor, _exchange.orderEpoch(owners[i]));
        }
    }

    function _putBooks(Cursor memory cursor, uint256 backed) private view {
        uint256 pools = _fund.poolCount();
        _put(cursor, pools);
        for (uint16 id = 1; id <= pools; ++id) {
            _put(cursor, _fund.pool(id).cash);
            _put(cursor, _fund.claim(id));
        }
        uint256 markets = _exchange.marketCount();
        _put(cursor, markets);
        for (uint16 id = 1; id <= markets; ++id) {
            _putMarket(cursor, id, backed & (1 << id) != 0);
        }
    }

    /// @dev Open interest; of either inventory size, entry and start; the mark, 0 where the feed refuses; the number of accounts;
    /// the backing, zeros where the fund refuses or nobody asked.
    function _putMarket(Cursor memory cursor, uint16 id, bool isBacked) private view {
        _put(cursor, _exchange.market(id).openInterest);
        (Inventory memory long, Inventory memory short) = _fund.inventories(id);
        _putInventory(cursor, long);
        _putInventory(cursor, short);
        try _priceFeed.markPrice(id) returns (uint256 mark) {
            _put(cursor, mark);
        } catch {
            ++cursor.at;
        }
        _put(cursor, _exchange.accountCount(id));
        if (!isBacked) {
            cursor.at += 8;
            return;
        }
        try _fund.backing(id) returns (Backing memory state) {
            _putBacking(cursor, state);
        } catch {
            cursor.at += 8;
        }
    }

    function _putInventory(Cursor memory cursor, Inventory memory held) private pure {
        _put(cursor, held.size);
        _put(cursor, held.entryNotional);
        _put(cursor, uint256(held.auctionStart));
    }

    function _putBacking(Cursor memory cursor, Backing memory state) private pure {
        _put(cursor, uint256(1));
        _put(cursor, state.balance);
        _put(cursor, state.base);
        _put(cursor, state.pnl);
        _put(cursor, state.maxPnl);
        _put(cursor, state.loss);
        _put(cursor, uint256(state.started ? 1 : 0));
        _put(cursor, uint256(state.drawdownDue ? 1 : 0));
    }

    function _put(Cursor memory cursor, uint256 word) private pure {
        _put(cursor, int256(word));
    }

    function _put(Cursor memory cursor, int256 word) private pure {
        cursor.words[cursor.at++] = word;
    }
}
