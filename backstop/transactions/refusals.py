"""What nodes say of a raw transaction that they do not take, in the words of each."""

from __future__ import annotations

from enum import Enum, auto


class Refusal(Enum):
    """Why a node does not take a transaction, as far as that decides what follows."""

    KNOWN = auto()  # it has it already
    NONCE_USED = auto()  # this one, or another of the same nonce, is mined
    UNDERPRICED = auto()  # it has another of the same nonce, whose fees are not low enough to be replaced
    BELOW_BASE_FEE = auto()
    OTHER = auto()


# In lowercase; a text is found anywhere in a message. Anvil 1.7; geth and its kin (op-geth, bor); Nethermind, which
# gives the names of its results; Erigon; Besu; reth, which has geth's words.
_TEXTS: tuple[tuple[Refusal, tuple[str, ...]], ...] = (
    (
        Refusal.KNOWN,
        (
            "already imported",  # Anvil
            "already known",  # geth, Erigon, reth
            "alreadyknown",  # Nethermind
            "known transaction",  # Besu, old geth
            "existing tx with same hash",  # old Erigon
        ),
    ),
    (
        Refusal.NONCE_USED,
        (
            "nonce too low",  # Anvil, geth, Erigon, Besu, reth
            "oldnonce",  # Nethermind
            "nonce is too low",  # OpenEthereum's, kept by some providers
        ),
    ),
    (
        Refusal.UNDERPRICED,
        (
            "replacement transaction underpriced",  # Anvil, geth, Erigon, Besu, reth
            "replacementnotallowed",  # Nethermind
            "could not replace existing tx",  # old Erigon
        ),
    ),
    (
        Refusal.BELOW_BASE_FEE,
        (
            "max fee per gas less than block base fee",  # Anvil, geth
            "fee cap less than block base fee",  # Erigon
            "gas price below current base fee",  # Besu
        ),
    ),
)


def refusal_of(message: str) -> Refusal:
    """What a node's error message means."""
    words = message.lower()
    return next((kind for kind, texts in _TEXTS if any(text in words for text in texts)), Refusal.OTHER)
