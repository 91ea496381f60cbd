// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExchange} from "./interfaces/IExchange.sol";

/// @title A part of the exchange or of the fund that stands in a contract of its own
/// @notice Runs only by delegatecall from the contract whose immutable it is, and whose lock and access rules it runs under. It has no
/// storage of its own, and called directly it reverts.
abstract contract DelegatedModule {
    address private immutable _self = address(this);

    modifier onlyDelegatecall() {
        if (address(this) == _self) revert IExchange.OnlyByDelegatecall();
        _;
    }
}
