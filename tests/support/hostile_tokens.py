"""Runtime code that takes the token's place in an imagined call: tokens that no honest issuer would deploy."""

from __future__ import annotations

from eth_utils.crypto import keccak

READ = keccak(text="balanceOf(address)")[:4].hex()
ARGUMENTS = 0x84  # calldata of up to four words, all zero behind the selector


def answering(word: int) -> bytes:
    """Answers every call with one word: 1 is `true` to a transfer and a balance that never moves; 0 is `false`."""
    return bytes.fromhex(f"60{word:02x}60005260206000f3")


def calling_back(signature: str) -> bytes:
    """Answers a read with 0; on a transfer it calls back whoever asks for it, and reverts with what that returned."""
    call_back = bytes.fromhex(
        f"63{keccak(text=signature)[:4].hex()}60e01b600052"  # mstore(0, selector << 224)
        f"5f5f60{ARGUMENTS:02x}5f5f335af150"  # call(gas, caller, 0, 0, ARGUMENTS, 0, 0)
        "3d5f5f3e3d5ffd"  # revert with its return data
    )
    dispatch = f"5f3560e01c63{READ}1460{{:02x}}57"  # jump to the answer where the selector is balanceOf's
    answer = len(bytes.fromhex(dispatch.format(0))) + len(call_back)
    return bytes.fromhex(dispatch.format(answer)) + call_back + bytes.fromhex("5b5f5f5260205ff3")
