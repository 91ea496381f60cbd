// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev What is used of forge's cheatcodes.
interface Vm {
    function closeFile(string calldata path) external;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
    function isFile(string calldata path) external view returns (bool);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function prank(address sender) external;
    function readLine(string calldata path) external view returns (string memory);
    function revertToStateAndDelete(uint256 id) external returns (bool);
    function roll(uint256 number) external;
    function setNonceUnsafe(address account, uint64 nonce) external;
    function snapshotState() external returns (uint256);
    function store(address account, bytes32 slot, bytes32 value) external;
    function txGasPrice(uint256 price) external;
    function warp(uint256 timestamp) external;
}

/// @title Plays what the Python tests asked of a chain once more, where forge measures which lines and branches run
/// @notice Every call must end as it did when it was recorded: what it returned or reverted with, to the byte. A
/// recording has a step a line; `scripts/audit/recording.py` writes them.
contract Replay {
    enum Kind {
        Send,
        View,
        Create,
        Mark,
        Rewind,
        Etch,
        Store
    }

    /// @param number Of the block; of `Mark` and `Rewind` which mark.
    /// @param gas What the call gets; of a `Create` the nonce of the deployer.
    /// @param answer Hash of what the call returned or reverted with, zero where that is not known; of a `Create` the new address.
    /// @param artifact Of a `Create` the contract, whose code forge has compiled, and `data` are its arguments; empty
    /// where `data` is all of the code.
    struct Step {
        Kind kind;
        address from;
        address to;
        uint256 number;
        uint256 time;
        uint256 gas;
        uint256 value;
        bool isAccepted;
        bytes32 answer;
        bytes data;
        string artifact;
    }

    error Imagined(bool isAccepted, bytes32 answer, bytes reason);
    error EndedOtherwise(uint256 line, address to, bool isAccepted, bytes reason);
    error DeployedElsewhere(uint256 line, address at, address expected);
    error NoStateToRevertTo(uint256 line);

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant MARKS = 100_000;

    function test_part_0() external {
        _play("build/coverage/recording-0.txt");
    }

    function test_part_1() external {
        _play("build/coverage/recording-1.txt");
    }

    function test_part_2() external {
        _play("build/coverage/recording-2.txt");
    }

    function test_part_3() external {
        _play("build/coverage/recording-3.txt");
    }

    function test_part_4() external {
        _play("build/coverage/recording-4.txt");
    }

    function test_part_5() external {
        _play("build/coverage/recording-5.txt");
    }

    function test_part_6() external {
        _play("build/coverage/recording-6.txt");
    }

    function test_part_7() external {
        _play("build/coverage/recording-7.txt");
    }

    /// @notice Runs a call and undoes it: reverts with how it ended.
    function imagine(Step calldata step) external {
        bool isAccepted;
        bytes memory answer;
        if (step.to == address(0)) {
            isAccepted = _deploy(step) != address(0);
        } else {
            (isAccepted, answer) = _call(step);
        }
        bytes32 hash = step.answer == 0 ? bytes32(0) : keccak256(answer);
        revert Imagined(isAccepted, hash, isAccepted ? bytes("") : answer);
    }

    function _play(string memory file) private {
        if (!VM.isFile(file)) return;
        uint256[] memory marks = new uint256[](MARKS);
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        for (uint256 line = 1;; ++line) {
            string memory text = VM.readLine(file);
            if (bytes(text).length == 0) break;
            _perform(line, abi.decode(VM.parseBytes(text), (Step)), marks);
            // What a step has used of memory the next one uses again: else it would cost more and more.
            assembly {
                mstore(0x40, free)
            }
        }
        VM.closeFile(file);
    }

    function _perform(uint256 line, Step memory step, uint256[] memory marks) private {
        if (step.kind == Kind.Mark) {
            marks[step.number] = VM.snapshotState();
        } else if (step.kind == Kind.Rewind) {
            if (!VM.revertToStateAndDelete(marks[step.number])) revert NoStateToRevertTo(line);
        } else if (step.kind == Kind.Etch) {
            VM.etch(step.to, step.data);
        } else if (step.kind == Kind.Store) {
            VM.store(step.to, bytes32(step.number), step.answer);
        } else if (step.kind == Kind.Create) {
            _create(line, step);
        } else {
            VM.roll(step.number);
            VM.warp(step.time);
            // As on Anvil: only a transaction has a price, by which code can tell it from a simulation.
            VM.txGasPrice(step.kind == Kind.Send ? 1 : 0);
            (bool isAccepted, bytes32 answer, bytes memory reason) =
                step.kind == Kind.Send ? _send(step) : _imagined(step);
            if (isAccepted != step.isAccepted || answer != step.answer) {
                revert EndedOtherwise(line, step.to, isAccepted, reason);
            }
        }
    }

    function _send(Step memory step) private returns (bool isAccepted, bytes32 hash, bytes memory answer) {
        (isAccepted, answer) = _call(step);
        hash = step.answer == 0 ? bytes32(0) : keccak256(answer);
    }

    function _call(Step memory step) private returns (bool isAccepted, bytes memory answer) {
        if (step.value != 0) VM.deal(step.from, step.value);
        VM.prank(step.from);
        (isAccepted, answer) = step.to.call{gas: step.gas, value: step.value}(step.data);
    }

    function _imagined(Step memory step) private returns (bool, bytes32, bytes memory) {
        try this.imagine(step) {
            return (false, 0, "");
        } catch (bytes memory thrown) {
            assembly {
                // Behind the selector.
                mstore(add(thrown, 4), sub(mload(thrown), 4))
                thrown := add(thrown, 4)
            }
            return abi.decode(thrown, (bool, bytes32, bytes));
        }
    }

    function _create(uint256 line, Step memory step) private {
        VM.roll(step.number);
        VM.warp(step.time);
        VM.setNonceUnsafe(step.from, uint64(step.gas));
        address at = _deploy(step);
        address expected = address(uint160(uint256(step.answer)));
        if (at != expected) revert DeployedElsewhere(line, at, expected);
    }

    function _deploy(Step memory step) private returns (address at) {
        bytes memory code =
            bytes(step.artifact).length == 0 ? step.data : bytes.concat(VM.getCode(step.artifact), step.data);
        VM.prank(step.from);
        assembly {
            at := create(0, add(code, 32), mload(code))
        }
    }
}
