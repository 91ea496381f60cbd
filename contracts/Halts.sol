// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExchange} from "./interfaces/IExchange.sol";
import {AccountId} from "./types/AccountId.sol";

/// @title What stops trading: the guardian's pause
/// @notice Kept behind the rest of the exchange's storage, in the one slot that a trade reads of it where it takes on risk.
abstract contract Halts {
    /// @param guardian Who may pause; zero for nobody.
    /// @param pausedUntil When the last pause ends or ended, seconds; zero where there was none.
    struct Guard {
        address guardian;
        uint40 pausedUntil;
    }

    Guard internal _guard;

    /// @dev Reverts while new risk is paused.
    function _checkNotPaused(AccountId account) internal view {
        uint40 until = _guard.pausedUntil;
        if (block.timestamp < until) revert IExchange.NewRiskPaused(account, until);
    }
}
