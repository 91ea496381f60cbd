"""What code stands at the addresses of a deployment: its hashes, and those that the deployment file may have on record.

The record is the table `code_hashes` of the file, from a contract's key to the keccak-256 of its runtime code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from backstop.chain.deployment import ADDRESSES, Deployment
from backstop.chain.endpoint import Endpoint
from backstop.errors import DeploymentError, RpcError

_HASH = re.compile(r"0x[0-9a-f]{64}")


def recorded_hashes(file: Path) -> dict[str, str]:
    """The hashes in a deployment file that `Deployment.load` takes; none where it has no record.

    Raises DeploymentError.
    """
    record: Any = json.loads(file.read_text(encoding="utf-8")).get("code_hashes", {})
    if not isinstance(record, dict):
        raise DeploymentError(f"{file}: code_hashes is {record!r}, a table of contracts and hashes is expected")
    for key, value in record.items():
        if key not in ADDRESSES:
            raise DeploymentError(f"{file}: code_hashes has {key!r}, which is no contract of a deployment")
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            raise DeploymentError(f"{file}: code_hashes.{key} is {value!r}, 0x and 64 hex digits are expected")
    return record


def hashes_now(endpoint: Endpoint, deployment: Deployment) -> dict[str, str | None]:
    """Of what stands at all of its addresses, as a record has them. Raises RpcError."""
    return {key: code_hash(endpoint, deployment, key) for key in ADDRESSES}


def code_hash(endpoint: Endpoint, deployment: Deployment, key: str) -> str | None:
    """The keccak-256 of the code at one of its addresses; None where there is none. Raises RpcError."""
    code = endpoint.request("eth_getCode", getattr(deployment, key), "latest")
    try:
        raw = bytes.fromhex((code or "0x")[2:])
    except (TypeError, ValueError):
        raise RpcError(f"{endpoint.url} answers eth_getCode with what is no code") from None
    return "0x" + keccak(raw).hex() if raw else None
