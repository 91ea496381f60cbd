// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Stands for contracts that another one asks: gives the answers that it was told, and logs the calls that are no views
/// @notice For tests of a contract on its own.
contract Scripted {
    /// @notice A call that was to be logged came.
    /// @param data Its calldata.
    event Called(bytes data);

    mapping(bytes4 selector => bytes) private _answers;
    mapping(bytes4 selector => bool) private _logged;
    mapping(bytes4 selector => bytes) private _callbacks;

    /// @notice What calls with the selector are answered with from now on, and whether they are logged.
    function script(bytes4 selector, bytes calldata answer, bool logged) external {
        (_answers[selector], _logged[selector]) = (answer, logged);
    }

    /// @notice A call with the selector calls its caller back with that, and reverts as it does.
    function callBack(bytes4 selector, bytes calldata data) external {
        _callbacks[selector] = data;
    }

    // solhint-disable-next-line no-complex-fallback
    fallback() external {
        if (_callbacks[msg.sig].length != 0) Address.functionCall(msg.sender, _callbacks[msg.sig]);
        if (_logged[msg.sig]) emit Called(msg.data);
        bytes memory answer = _answers[msg.sig];
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }
}
