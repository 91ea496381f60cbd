"""Account ids: an owner and one of its sub-accounts in one 32-byte word (contracts/types/AccountId.sol)."""

from __future__ import annotations

_CROSS_BIT = 1 << 95
_RESERVED_BITS = ((1 << 15) - 1) << 80


def isolated_sub_id(market: int, index: int = 0) -> int:
    """The sub-id of an owner's `index`-th isolated account in a market. Raises ValueError outside 16 and 64 bits."""
    if not 0 < market < 1 << 16:
        raise ValueError(f"market id {market}: not in 1 to 65535")
    if not 0 <= index < 1 << 64:
        raise ValueError(f"account index {index}: not in 0 to 2**64 - 1")
    return market << 64 | index


def isolated_account(owner: str, market: int, index: int = 0) -> bytes:
    """The id of an owner's `index`-th isolated account in a market; `owner` is a 0x address."""
    return account_of(owner, isolated_sub_id(market, index))


def cross_sub_id(index: int = 0) -> int:
    """The sub-id of an owner's `index`-th cross account. Raises ValueError outside 64 bits."""
    if not 0 <= index < 1 << 64:
        raise ValueError(f"account index {index}: not in 0 to 2**64 - 1")
    return _CROSS_BIT | index


def account_of(owner: str, sub_id: int) -> bytes:
    """The id of an owner's sub-account; `owner` is a 0x address."""
    return (int(owner, 16) << 96 | sub_id).to_bytes(32, "big")


def is_cross(account: bytes) -> bool:
    """Whether the account holds several markets on one margin balance."""
    return int.from_bytes(account, "big") & _CROSS_BIT != 0


def account_text(account: bytes) -> str:
    """`0x` and 64 lowercase hex digits, so that text order is number order."""
    return "0x" + account.hex()


def is_well_formed(account: bytes) -> bool:
    """Whether the exchange knows accounts like it: reserved bits zero, and a market exactly for an isolated one."""
    return int.from_bytes(account, "big") & _RESERVED_BITS == 0 and is_cross(account) == (market_of(account) == 0)


def owner_of(account: bytes) -> str:
    """Whose account it is, as an address in lowercase."""
    return "0x" + account[:20].hex()


def market_of(account: bytes) -> int:
    """The id of the one market that an isolated account may hold; 0 for a cross account."""
    return int.from_bytes(account, "big") >> 64 & 0xFFFF


def index_of(account: bytes) -> int:
    """Which of its owner's accounts of that kind it is."""
    return int.from_bytes(account, "big") & (1 << 64) - 1
