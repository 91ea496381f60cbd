"""The key that the settings name."""

from __future__ import annotations

from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.chain.keys import load_key
from backstop.errors import SigningKeyError
from backstop.settings.model import Key


def open_key(key: Key) -> LocalAccount:
    """The signer. A keystore wins over a private key. Raises SigningKeyError, whose text holds nothing secret."""
    if key.signer is not None:
        raise SigningKeyError(f"key.signer is {key.signer}, which keeps its key to itself: here a keystore is needed")
    if key.keystore is not None or key.private_key is None:
        return load_key(key.keystore, key.passphrase_file)
    signer: LocalAccount = Account.from_key(key.private_key.get_secret_value())
    return signer
