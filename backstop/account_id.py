"""Account ids: an owner and one of its sub-accounts in one 32-byte word (contracts/types/AccountId.sol)."""

from __future__ import annotations

_CROSS_BIT = 1 << 95


def isolated_sub_id(market: int, index: int = 0) -> int:
    """The sub-id of an owner's `index`-th isolated account in a market. Raises ValueError outside 16 and 64 bits."""
    if not 0 < market < 1 << 16:
        raise ValueError(f"market id {market}: not in 1 to 65535")
    if not 0 <= index < 1 << 64:
        raise ValueError(f"account index {index}: not in 0 to 2**64 - 1")
    return market << 64 | index


def isolated_account(owner: str, market: int, index: int = 0) -> bytes:
    """The id of an owner's `index`-th isolated account in a market; `owner` is a 0x address."""
    return (int(owner, 16) << 96 | isolated_sub_id(market, index)).to_bytes(32, "big")


def is_cross(account: bytes) -> bool:
    """Whether the account holds several markets on one margin balance."""
    return int.from_bytes(account, "big") & _CROSS_BIT != 0


def account_text(account: bytes) -> str:
    """`0x` and 64 lowercase hex digits, so that text order is number order."""
    return "0x" + account.hex()
