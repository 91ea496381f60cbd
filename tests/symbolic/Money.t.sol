// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {ExchangeStorage} from "../../contracts/ExchangeStorage.sol";
import {MarginAccounts} from "../../contracts/MarginAccounts.sol";
import {IPriceFeed} from "../../contracts/interfaces/IPriceFeed.sol";
import {MarginMath} from "../../contracts/libraries/MarginMath.sol";
import {MockUSDC} from "../../contracts/mocks/MockUSDC.sol";
import {Symbolic} from "./Symbolic.sol";

/// @title What a trade does to an account, from outside
contract Accounts is MarginAccounts {
    constructor(MockUSDC token) ExchangeStorage(IERC20Metadata(token), IPriceFeed(address(0))) {}

    /// @notice The real `_take` on a leg.
    function take(int112 size, int112 entryNotional, int112 margin, int256 change, int256 value)
        external
        view
        returns (int256 sizeAfter, int256 entryAfter, int256 marginAfter)
    {
        Leg memory leg;
        (leg.held.size, leg.held.entryNotional, leg.margin) = (size, entryNotional, margin);
        _take(leg, change, value);
        return (leg.held.size, leg.held.entryNotional, leg.margin);
    }
}

/// @title What a trade makes of size, cash and equity
contract MoneyTest is Symbolic {
    Accounts private _accounts;

    function setUp() external {
        _accounts = new Accounts(new MockUSDC());
    }

    /// @notice A trade moves exactly its contracts and its quote amount: cash, which is margin less entry, falls by it, however
    /// the entry is split. So the other side of the fill, with the opposite of both, makes sums of sizes and of cash stay what they were.
    function check_tradeMovesItsCash(int112 size, int112 entry, int112 margin, int112 change, int112 value)
        external
        view
    {
        CHEATS.assume(change != 0);
        (int256 sizeAfter, int256 entryAfter, int256 marginAfter) = _accounts.take(size, entry, margin, change, value);
        assert(sizeAfter == int256(size) + change);
        assert(marginAfter - entryAfter == int256(margin) - entry - value);
    }

    /// @notice What is closed whole has no entry left, and what is opened has the value as its entry.
    function check_entryOfTheWhole(int112 size, int112 entry, int112 margin, int112 value) external view {
        CHEATS.assume(size != 0);
        (int256 sizeAfter, int256 entryAfter,) = _accounts.take(size, entry, margin, -int256(size), value);
        assert(sizeAfter == 0 && entryAfter == 0);
        (sizeAfter, entryAfter,) = _accounts.take(0, 0, margin, size, value);
        assert(sizeAfter == size && entryAfter == value);
    }

    /// @notice Equity at mark is what cash and the position are worth together: the entry has no part in it.
    function check_equityIsCashAndValue(int112 size, int112 entry, int112 margin, uint96 mark) external pure {
        int256 value = MarginMath.valueDown(size, mark);
        assert(MarginMath.equity(size, entry, margin, mark) == int256(margin) - entry + value);
    }
}
