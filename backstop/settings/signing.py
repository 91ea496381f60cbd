"""Who signs, and what that may cost, as the settings say."""

from __future__ import annotations

from eth_account import Account

from backstop.chain.keys import load_key
from backstop.settings.model import Fees, Key
from backstop.transactions.fees import Policy
from backstop.transactions.signers import LocalSigner, Signer, open_signer


def open_key(key: Key) -> Signer:
    """The signer. A keystore wins over a private key. Raises SigningKeyError, whose text holds nothing secret."""
    if key.signer is not None:
        return open_signer(None, None, key.signer.get_secret_value(), key.address)
    if key.keystore is not None or key.private_key is None:
        return LocalSigner(load_key(key.keystore, key.passphrase_file))
    return LocalSigner(Account.from_key(key.private_key.get_secret_value()))


def policy_of(fees: Fees) -> Policy:
    """What the settings allow a transaction to cost."""
    return Policy(
        tip_floor=fees.tip_floor,
        tip_cap=fees.tip_cap,
        max_fee=fees.max_fee,
        per_hour=fees.budget_per_hour,
        per_day=fees.budget_per_day,
        replace_after=fees.replace_after,
        replace_after_blocks=fees.replace_after_blocks,
        confirmations=fees.confirmations,
        final_after=fees.final_after,
    )
