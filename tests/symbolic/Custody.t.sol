// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId, AccountIds} from "../../contracts/types/AccountId.sol";
import {Venue} from "./Venue.sol";

/// @title Money in accounts is the tokens that were brought, whatever the amounts, on the deployed exchange
/// @notice In cross accounts without positions; the token has 18 decimals.
contract CustodyTest is Venue {
    /// @notice A deposit is credited to the caller's account and nowhere else, exactly, and its tokens are held.
    function check_depositIsHeld(address trader, uint64 index, uint96 amount, AccountId other) external {
        AccountId account = _deposit(trader, index, amount);
        CHEATS.assume(other != account);
        assert(_marginOf(account) == int256(uint256(amount)) && _marginOf(other) == 0);
        assert(_token.balanceOf(address(_exchange)) == amount && _token.balanceOf(trader) == 0);
    }

    /// @notice A transfer between two accounts of one owner takes from one what the other gets, and moves no tokens.
    function check_transferConserves(address trader, uint64 from, uint64 to, uint96 amount, uint96 moved) external {
        AccountId account = _deposit(trader, from, amount);
        AccountId heir = AccountIds.cross(trader, to);
        CHEATS.prank(trader);
        _exchange.transfer(account, heir, moved);
        assert(from != to && moved <= amount);
        assert(_marginOf(account) == int256(uint256(amount - moved)));
        assert(_marginOf(heir) == int256(uint256(moved)));
        assert(_token.balanceOf(address(_exchange)) == amount);
    }

    /// @notice A withdrawal takes from its account what its recipient gets, and no more than is there.
    function check_withdrawalIsPaid(address trader, uint64 index, uint96 amount, uint96 taken, address to) external {
        CHEATS.assume(to != trader && to != address(_exchange));
        AccountId account = _deposit(trader, index, amount);
        CHEATS.prank(trader);
        _exchange.withdraw(account, taken, to);
        assert(taken <= amount && _marginOf(account) == int256(uint256(amount - taken)));
        assert(_token.balanceOf(address(_exchange)) == amount - taken && _token.balanceOf(to) == taken);
    }

    function _deposit(address trader, uint64 index, uint96 amount) private returns (AccountId account) {
        CHEATS.assume(trader != address(0) && trader != address(_exchange));
        account = AccountIds.cross(trader, index);
        _token.mint(trader, amount);
        CHEATS.prank(trader);
        _token.approve(address(_exchange), amount);
        CHEATS.prank(trader);
        _exchange.deposit(uint96(uint256(AccountId.unwrap(account))), amount);
    }

    function _marginOf(AccountId account) private view returns (int256) {
        return _exchange.crossAccount(account).margin;
    }
}
