"""One JSON-RPC endpoint, spoken to raw: web3 carries the requests, and nothing is formatted on the way."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from backstop.chain.bindings import Function, describe_revert
from backstop.chain.deployment import Deployment
from backstop.errors import ChainMismatchError, RevertError, RpcError

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")
_LONGEST = 400  # characters of a node's own words in an error


class Endpoint:
    """A node at a URL. What it does not answer raises RpcError, what the contracts refuse RevertError."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise RpcError(f"{url!r} is no HTTP URL: give one like http://127.0.0.1:8545")
        try:
            parts = urlsplit(url)
        except ValueError as fault:
            raise RpcError(f"no answer from {url!r}: {_line(fault)}") from None
        # What is shown: a provider's key may stand in the path, the query, or before the host.
        credentials, _, host = parts.netloc.rpartition("@")
        self.url = f"{parts.scheme}://{host}"
        self._secrets = [part for part in (credentials, parts.path.strip("/"), parts.query) if part]
        # No retries: what was asked is known to have been asked once.
        self._provider = HTTPProvider(url, {"timeout": timeout}, exception_retry_configuration=None)

    def request(self, method: str, *params: Any) -> Any:
        """The raw result of a request."""
        try:
            response: Any = self._provider.make_request(RPCEndpoint(method), list(params))
        except requests.RequestException as fault:
            raise RpcError(f"no answer from {self.url} to {method}: {self._brief(fault)}") from None
        except (ValueError, RecursionError) as fault:
            raise RpcError(f"{self.url} does not answer {method} in JSON: {self._brief(fault)}") from None
        if not isinstance(response, dict):
            raise RpcError(f"{self.url} answers {method} with {_line(response)}, a JSON-RPC response is expected")
        error = response.get("error")
        if error is not None:
            raise _as_error(method, error)
        if "result" not in response:
            raise RpcError(f"{self.url} answers {method} with neither a result nor an error")
        return response["result"]

    def _brief(self, fault: Exception) -> str:
        reason = fault.args[0] if fault.args else fault
        words = str(getattr(reason, "reason", reason))
        for secret in self._secrets:
            words = words.replace(secret, "…")
        return _line(words)

    def quantity(self, method: str, *params: Any) -> int:
        """The result of a request that answers with a hex number."""
        result = self.request(method, *params)
        try:
            return int(result, 16)
        except (TypeError, ValueError):
            raise RpcError(f"{self.url} answers {method} with {result!r}, a hex number is expected") from None

    def call(
        self, to: str, function: Function, *arguments: Any, block: Any = "latest", sender: str | None = None
    ) -> Any:
        """What a view returns: its value, or a tuple of several. Raises RevertError where it reverts."""
        transaction = {"to": to, "data": "0x" + function.encode(*arguments).hex()}
        if sender is not None:
            transaction["from"] = sender
        result = self.request("eth_call", transaction, block)
        try:
            values = function.decode(bytes.fromhex(result[2:]))
        except Exception:
            raise RpcError(
                f"{to} does not answer {function.signature}: is the deployment file of this chain?"
            ) from None
        return values[0] if len(values) == 1 else values

    def check(self, deployment: Deployment) -> None:
        """Raises ChainMismatchError unless the node serves the deployment's chain and has code at its addresses."""
        chain_id = self.quantity("eth_chainId")
        if chain_id != deployment.chain_id:
            raise ChainMismatchError(
                f"{self.url} serves chain {chain_id}, the deployment is on chain {deployment.chain_id}"
            )
        for name in ("exchange", "fund", "engine", "lens"):
            address = getattr(deployment, name)
            if self.request("eth_getCode", address, "latest") in ("0x", None):
                raise ChainMismatchError(f"there is no contract at {address} ({name}) on chain {chain_id}")


def _as_error(method: str, error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(f"{method}: {_line(error)}")
    data = error.get("data")
    if isinstance(data, dict):  # some nodes nest it
        data = data.get("data")
    message = _line(error.get("message", error))
    if isinstance(data, str) and _HEX.fullmatch(data):
        return RevertError(_line(describe_revert(bytes.fromhex(data[2:]))))
    # Some nodes keep the data to themselves.
    return RevertError(message) if "revert" in message else RpcError(f"{method}: {message}")


def _line(words: object) -> str:
    """Somebody else's words, as one line that is not too long and does nothing to a terminal."""
    line = " ".join(str(words).split())[:_LONGEST]
    return line if line.isprintable() else repr(line)
