// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PoolShares} from "./PoolShares.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPoolSharesFactory} from "./interfaces/IPoolShares.sol";

/// @title Deploys the shares of pools, so that the fund need not carry their code
contract PoolSharesFactory is IPoolSharesFactory {
    /// @inheritdoc IPoolSharesFactory
    function create(uint16 poolId, bytes32 name) external returns (address shares) {
        return address(new PoolShares(IInsuranceFund(msg.sender), poolId, name));
    }
}
