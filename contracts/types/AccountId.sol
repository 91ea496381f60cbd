// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title An account: its owner and the owner's sub-account, in one word
/// @notice Bits, from the top: `owner` (160), then the sub-id (96) = `cross` (1), zero (15), `market` (16), `index` (64).
/// An isolated account names its one market in its id; a cross account sets the top bit of the sub-id and leaves the market
/// zero. So what an account is, and which market it may hold, is known without reading storage, and text order of the
/// 0x-prefixed id is number order.
type AccountId is bytes32;

using AccountIds for AccountId global;
using {equals as ==, differs as !=} for AccountId global;

function equals(AccountId a, AccountId b) pure returns (bool) {
    return AccountId.unwrap(a) == AccountId.unwrap(b);
}

function differs(AccountId a, AccountId b) pure returns (bool) {
    return AccountId.unwrap(a) != AccountId.unwrap(b);
}

library AccountIds {
    uint256 private constant CROSS_BIT = 1 << 95;
    uint256 private constant RESERVED_BITS = ((1 << 15) - 1) << 80;

    function make(address accountOwner, uint96 subId) internal pure returns (AccountId) {
        return AccountId.wrap(bytes32((uint256(uint160(accountOwner)) << 96) | subId));
    }

    /// @notice The `index`-th isolated account of an owner in a market.
    function isolated(address accountOwner, uint16 marketId, uint64 index) internal pure returns (AccountId) {
        return make(accountOwner, (uint96(marketId) << 64) | index);
    }

    /// @notice The `index`-th cross account of an owner.
    function cross(address accountOwner, uint64 index) internal pure returns (AccountId) {
        return make(accountOwner, uint96(CROSS_BIT) | index);
    }

    function owner(AccountId id) internal pure returns (address) {
        return address(bytes20(AccountId.unwrap(id)));
    }

    function isCross(AccountId id) internal pure returns (bool) {
        return uint256(AccountId.unwrap(id)) & CROSS_BIT != 0;
    }

    /// @notice The one market that an isolated account may hold; 0 for a cross account.
    function market(AccountId id) internal pure returns (uint16) {
        return uint16(uint256(AccountId.unwrap(id)) >> 64);
    }

    /// @notice True where the reserved bits are zero, and the market is zero exactly for a cross account.
    function isWellFormed(AccountId id) internal pure returns (bool) {
        return uint256(AccountId.unwrap(id)) & RESERVED_BITS == 0 && isCross(id) == (market(id) == 0);
    }
}
