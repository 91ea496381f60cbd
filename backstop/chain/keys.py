"""The key that signs: from a keystore file with its passphrase file, or from the environment. Never printed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.errors import SigningKeyError

ENVIRONMENT = "BACKSTOP_PRIVATE_KEY"


def load_key(keystore: Path | None, passphrase_file: Path | None) -> LocalAccount:
    """The signer. A keystore wins over the environment. Raises SigningKeyError, whose text holds nothing secret."""
    if keystore is not None:
        return _from_keystore(keystore, passphrase_file)
    secret = os.environ.get(ENVIRONMENT, "").strip()
    if not secret:
        raise SigningKeyError(f"no signing key: give --keystore and --passphrase-file, or set {ENVIRONMENT}")
    try:
        signer: LocalAccount = Account.from_key(secret)
    except Exception:
        raise SigningKeyError(f"{ENVIRONMENT} holds no private key: 0x and 64 hex digits are expected") from None
    return signer


def _from_keystore(keystore: Path, passphrase_file: Path | None) -> LocalAccount:
    if passphrase_file is None:
        raise SigningKeyError(f"--keystore {keystore} needs its --passphrase-file")
    try:
        document = json.loads(keystore.read_text(encoding="utf-8"))
        passphrase = passphrase_file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as fault:
        raise SigningKeyError(f"cannot read {fault.filename}: {fault.strerror or fault}") from None
    except (ValueError, RecursionError):
        raise SigningKeyError(f"{keystore} is not a JSON keystore") from None
    try:
        key = Account.decrypt(document, passphrase)
    except Exception:
        raise SigningKeyError(f"{keystore} does not open with the passphrase in {passphrase_file}") from None
    signer: LocalAccount = Account.from_key(key)
    return signer
