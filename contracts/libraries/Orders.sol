// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountId} from "../types/AccountId.sol";

/// @notice A limit order, signed off-chain by the owner of `account` under EIP-712.
/// @param account The account that trades.
/// @param market The market.
/// @param size Signed contracts to trade in all, WAD; a buy is positive.
/// @param limitPrice Worst acceptable price, WAD quote per base unit.
/// @param expiry Last block timestamp at which it may be filled, seconds.
/// @param epoch The owner's order epoch that it belongs to; it can be filled only while that is the present one.
/// @param salt Tells two otherwise equal orders apart.
/// @param reduceOnly Fills may only bring the position nearer to zero.
struct Order {
    AccountId account;
    uint16 market;
    int256 size;
    uint256 limitPrice;
    uint64 expiry;
    uint64 epoch;
    uint256 salt;
    bool reduceOnly;
}

/// @title The EIP-712 struct hash of an order
library Orders {
    bytes32 internal constant TYPEHASH = keccak256(
        "Order(bytes32 account,uint16 market,int256 size,uint256 limitPrice,uint64 expiry,uint64 epoch,uint256 salt,bool reduceOnly)"
    );

    function hashStruct(Order calldata order) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPEHASH,
                order.account,
                order.market,
                order.size,
                order.limitPrice,
                order.expiry,
                order.epoch,
                order.salt,
                order.reduceOnly
            )
        );
    }
}
