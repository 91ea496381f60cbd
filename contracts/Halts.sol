// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExchange} from "./interfaces/IExchange.sol";
import {AccountId} from "./types/AccountId.sol";

/// @title What stops trading: the guardian's pause, and the end of a market
/// @notice Kept behind the rest of the exchange's storage. A trade reads one slot of it, and that only where it takes on risk: that a
/// market has ended it sees from its price band.
abstract contract Halts {
    /// @param guardian Who may pause; zero for nobody.
    /// @param pausedUntil When the last pause ends or ended, seconds; zero where there was none.
    struct Guard {
        address guardian;
        uint40 pausedUntil;
    }

    Guard internal _guard;
    /// @dev From when on the positions of a closed market are settled, seconds; 0 while it is open.
    mapping(uint16 market => uint40) internal _settlesAt;

    /// @dev Reverts while new risk is paused.
    function _checkNotPaused(AccountId account) internal view {
        uint40 until = _guard.pausedUntil;
        if (block.timestamp < until) revert IExchange.NewRiskPaused(account, until);
    }
}
