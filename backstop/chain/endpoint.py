"""One JSON-RPC endpoint, spoken to raw: web3 carries the requests, and nothing is formatted on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from eth_utils.address import to_checksum_address
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from backstop.chain.bindings import (
    EXCHANGE_ENGINE,
    LENS_EXCHANGE,
    LENS_FUND,
    LENS_PRICE_FEED,
    Function,
    describe_revert,
)
from backstop.chain.deployment import Deployment
from backstop.chain.head import Head, head_of
from backstop.chain.post import Post
from backstop.errors import ChainMismatchError, NodeError, RevertError, RpcError
from backstop.hiding import secrets_of_url, why_no_url, without

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")
BATCH = 500  # requests in one POST; many nodes take no more than 1000
_LONGEST = 400  # characters of a node's own words in an error
# Which contract of a deployment file knows which other: the key of the one that answers, and of what it answers with.
_WIRED = (
    ("lens", LENS_EXCHANGE, "exchange"),
    ("lens", LENS_FUND, "fund"),
    ("lens", LENS_PRICE_FEED, "price_feed"),
    ("exchange", EXCHANGE_ENGINE, "engine"),
    ("fund_lens", LENS_FUND, "fund"),
)


class Call(NamedTuple):
    """A view to be called: at which address, which one, with which calldata."""

    to: str
    function: Function
    data: bytes


class _Provider(HTTPProvider):
    """Of web3, with a POST of our own."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(url, exception_retry_configuration=None)
        self.post = Post(url, timeout)

    def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        return self.post(request_data)

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> Any:
        return json.loads(raw_response)  # web3 would tell what it cannot decode


class Endpoint:
    """A node at a URL. What it does not answer raises RpcError, what the contracts refuse RevertError.

    An answer has `timeout` seconds, all of it together. A node's own words are shown on one line, without what is
    secret in the URL.
    """

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise RpcError(f"{_shown(url)} is no HTTP URL: give one like http://127.0.0.1:8545")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as fault:
            raise RpcError(f"the URL of the node cannot be read: {why_no_url(fault)}") from None
        if not parts.hostname or port == 0:
            what = "port 0" if parts.hostname else "no host"
            raise RpcError(f"the URL of the node has {what}: give one like http://127.0.0.1:8545")
        # What is shown: a provider's key may stand in the path, the query, or before the host.
        self.url = f"{parts.scheme}://{_line(parts.netloc.rpartition('@')[2])}"
        self._wired: Deployment | None = None
        self._secrets = secrets_of_url(url)
        self._provider = _Provider(url, timeout)

    def request(self, method: str, *params: Any) -> Any:
        """The raw result of a request."""
        answer = self._answer(method, lambda: self._provider.make_request(RPCEndpoint(method), list(params)))
        return self._result(method, answer)

    def batch(self, asked: Sequence[tuple[str, Sequence[Any]]], size: int = BATCH) -> list[Any]:
        """The raw results of several requests, each a method and its parameters, in order: all of them, or none.

        One POST for at most `size` of them; a single one goes as a request of its own.
        """
        results: list[Any] = []
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            results += self._post(part) if len(part) > 1 else [self.request(part[0][0], *part[0][1])]
        return results

    def _post(self, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        what = f"a batch of {len(asked)} ({asked[0][0]} …)"
        body = [
            {"jsonrpc": "2.0", "id": place, "method": method, "params": params}
            for place, (method, params) in enumerate(asked)
        ]
        answers = self._answer(what, lambda: json.loads(self._provider.post(json.dumps(body).encode())))
        if isinstance(answers, dict) and answers.get("error") is not None:
            raise self._error(what, answers["error"])
        try:
            by_place = {answer["id"]: answer for answer in answers}
        except (TypeError, KeyError):
            raise RpcError(f"{self.url} answers {what} with {self.said(answers)}, a list is expected") from None
        if len(answers) != len(asked) or by_place.keys() != set(range(len(asked))):
            raise RpcError(f"{self.url} answers {len(by_place)} of {what}")
        return [self._result(method, by_place[place]) for place, (method, _) in enumerate(asked)]

    def _answer(self, what: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RpcError as fault:
            raise RpcError(f"no answer from {self.url} to {what}: {fault}") from None
        except (ValueError, RecursionError) as fault:
            raise RpcError(f"{self.url} does not answer {what} in JSON: {self.said(fault)}") from None

    def said(self, words: object) -> str:
        """Whatever the node says, as it may be shown: the one place through which its words go."""
        return _line(without(str(words), self._secrets))

    def _error(self, method: str, error: Any) -> RpcError:
        """The error that a JSON-RPC response holds."""
        if not isinstance(error, dict):
            return NodeError(f"{method}: {self.said(error)}")
        code = error.get("code")
        data = error.get("data")
        if isinstance(data, dict):  # some nodes nest it
            data = data.get("data")
        message = self.said(error.get("message", error))
        if isinstance(data, str) and _HEX.fullmatch(data):
            return RevertError(self.said(describe_revert(bytes.fromhex(data[2:]))))
        # Some nodes keep the data to themselves.
        if "revert" in message:
            return RevertError(message)
        return NodeError(f"{method}: {message}", code if isinstance(code, int) else None)

    def _result(self, method: str, response: Any) -> Any:
        """What a response of JSON-RPC holds. Raises the error that it holds instead."""
        if not isinstance(response, dict):
            raise RpcError(f"{self.url} answers {method} with {self.said(response)}, a JSON-RPC response is expected")
        error = response.get("error")
        if error is not None:
            raise self._error(method, error)
        if "result" not in response:
            raise RpcError(f"{self.url} answers {method} with neither a result nor an error")
        return response["result"]

    def head(self) -> Head:
        """The latest block."""
        header = self.request("eth_getBlockByNumber", "latest", False)
        if header is None:
            raise RpcError(f"{self.url} has no block at all")
        return head_of(header, self.url)

    def quantity(self, method: str, *params: Any) -> int:
        """The result of a request that answers with a hex number."""
        result = self.request(method, *params)
        try:
            return int(result, 16)
        except (TypeError, ValueError):
            raise RpcError(f"{self.url} answers {method} with {self.said(result)}, a hex number is expected") from None

    def call(
        self, to: str, function: Function, *arguments: Any, block: Any = "latest", sender: str | None = None
    ) -> Any:
        """What a view returns: its value, or a tuple of several. Raises RevertError where it reverts."""
        transaction = {"to": to, "data": "0x" + function.encode(*arguments).hex()}
        if sender is not None:
            transaction["from"] = sender
        return _returned(to, function, self.request("eth_call", transaction, block))

    def call_all(self, asked: Sequence[Call], block: Any, size: int = BATCH) -> list[Any]:
        """What several views return, in batches of `size`: all of them, or none."""
        results = self.batch(
            [("eth_call", ({"to": to, "data": "0x" + data.hex()}, block)) for to, _, data in asked], size
        )
        return [_returned(to, function, result) for (to, function, _), result in zip(asked, results, strict=True)]

    def check(self, deployment: Deployment) -> None:
        """Raises ChainMismatchError unless the node serves the deployment's chain and has code at its addresses.

        The first time also unless the contracts know each other by the addresses that the deployment file has.
        """
        chain_id = self.quantity("eth_chainId")
        if chain_id != deployment.chain_id:
            raise ChainMismatchError(
                f"{self.url} serves chain {chain_id}, the deployment is on chain {deployment.chain_id}"
            )
        for name in ("exchange", "fund", "engine", "lens", "fund_lens"):
            address = getattr(deployment, name)
            if self.request("eth_getCode", address, "latest") in ("0x", None):
                raise ChainMismatchError(f"there is no contract at {address} ({name}) on chain {chain_id}")
        if deployment != self._wired:
            self._check_wiring(deployment)
            self._wired = deployment

    def _check_wiring(self, deployment: Deployment) -> None:
        for asked, function, key in _WIRED:
            address, meant = getattr(deployment, asked), getattr(deployment, key)
            try:
                found = to_checksum_address(self.call(address, function))
            except RevertError as refusal:
                raise RpcError(
                    f"the {asked} at {address} does not answer {function.signature} ({refusal}): "
                    "is the deployment file of this chain?"
                ) from None
            if found != meant:
                raise ChainMismatchError(
                    f"the {asked} at {address} is wired to {found}, the deployment file has {key} {meant}"
                )


def _returned(to: str, function: Function, result: Any) -> Any:
    """A result of `eth_call`, decoded."""
    try:
        values = function.decode(bytes.fromhex(result[2:]))
    except Exception:
        raise RpcError(f"{to} does not answer {function.signature}: is the deployment file of this chain?") from None
    return values[0] if len(values) == 1 else values


def _shown(url: str) -> str:
    """What may be shown of a text that should have been a URL of HTTP."""
    scheme, found, rest = url.partition("://")
    text = f"{scheme}{found}{re.split('[/?#]', rest.rpartition('@')[2])[0]}" if found else "what is given"
    return repr(_line(text)) if found else text


def _line(words: object) -> str:
    """Somebody else's words, as one line that is not too long and does nothing to a terminal."""
    line = " ".join(str(words).split())[:_LONGEST]
    return line if line.isprintable() else repr(line)
