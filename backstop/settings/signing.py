"""Who signs, as the settings say."""

from __future__ import annotations

from eth_account import Account

from backstop.chain.keys import load_key
from backstop.settings.model import Key
from backstop.transactions.signers import LocalSigner, Signer, open_signer


def open_key(key: Key) -> Signer:
    """The signer. A keystore wins over a private key. Raises SigningKeyError, whose text holds nothing secret."""
    if key.signer is not None:
        return open_signer(None, None, key.signer.get_secret_value(), key.address)
    if key.keystore is not None or key.private_key is None:
        return LocalSigner(load_key(key.keystore, key.passphrase_file))
    return LocalSigner(Account.from_key(key.private_key.get_secret_value()))
