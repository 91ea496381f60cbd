"""Where the contracts of one deployment are: `deployments/NAME.json`, written by `ape run deploy`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import is_address as is_hex_address
from eth_utils.address import is_checksum_address, to_checksum_address

from backstop.errors import DeploymentError

ADDRESSES = (
    "token",
    "price_feed",
    "settlement_module",
    "solvency_module",
    "market_module",
    "exchange",
    "inventory_module",
    "pool_module",
    "shares_factory",
    "fund",
    "round_book",
    "engine",
    "lens",
    "fund_lens",
)

# What the table `details` of a record says of how it was made.
DETAILS = (
    "deployer",
    "owner",
    "timelock",
    "plan",
    "plan_hash",
    "compiler",
    "abi_hashes",
    "constructor_arguments",
    "transactions",
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The addresses of a deployment, checksummed, the chain they are on and the block of the first of them."""

    chain_id: int
    block: int
    token: str
    price_feed: str
    settlement_module: str
    solvency_module: str
    market_module: str
    exchange: str
    inventory_module: str
    pool_module: str
    shares_factory: str
    fund: str
    round_book: str
    engine: str
    lens: str
    fund_lens: str

    @classmethod
    def load(cls, file: Path) -> Deployment:
        """Reads a deployment file. Raises DeploymentError naming what is wrong with it."""
        try:
            document: Any = json.loads(file.read_text(encoding="utf-8"))
        except OSError as fault:
            raise DeploymentError(f"cannot read {file}: {fault.strerror or fault}") from None
        except (ValueError, RecursionError) as fault:
            raise DeploymentError(f"{file} is not JSON: {fault}") from None
        if not isinstance(document, dict):
            raise DeploymentError(f"{file}: an object is expected, as `ape run deploy` writes it")
        for key in ("chain_id", "block"):
            value = document.get(key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise DeploymentError(f"{file}: {key} is {value!r}, a number is expected")
        for key in ADDRESSES:
            value = document.get(key)
            if not is_address(value):
                raise DeploymentError(f"{file}: {key} is {value!r}, an address is expected")
            document[key] = to_checksum_address(value)
        document.pop("code_hashes", None)  # a record for `backstop check`
        document.pop("details", None)  # how it was made, for `ape run verify`
        unknown = sorted(set(document) - {"chain_id", "block", *ADDRESSES})
        if unknown:
            raise DeploymentError(f"{file}: unknown key {unknown[0]!r}")
        return cls(**document)

    def save(self, file: Path) -> None:
        """Writes the file, and its folder where that is missing."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_details(file: Path) -> dict[str, Any]:
    """How a recorded deployment was made. Raises DeploymentError where the record does not say."""
    try:
        details = json.loads(file.read_text(encoding="utf-8")).get("details")
    except (OSError, ValueError, AttributeError, RecursionError) as fault:
        raise DeploymentError(f"cannot read {file}: {fault}") from None
    if not isinstance(details, dict):
        raise DeploymentError(f"{file} does not say how it was deployed: it was written by an earlier version")
    for key in DETAILS:
        if key not in details:
            raise DeploymentError(f"{file}: details has no {key}")
    return details


def is_address(value: Any) -> bool:
    """An address. Letters of both cases carry a checksum, and which has to be right: a typo is no address."""
    if not isinstance(value, str) or not is_hex_address(value):
        return False
    digits = value[-40:]
    return digits in (digits.lower(), digits.upper()) or is_checksum_address(value)
