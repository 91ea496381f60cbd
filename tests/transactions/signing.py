"""An external signer: the protocol of docs/operate-signer.md, followed honestly unless a test says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from tests.support.serving import serving

Change = Callable[[dict[str, Any]], dict[str, Any]]
Answer = Callable[[str], Any]


def _fields(asked: dict[str, Any]) -> dict[str, Any]:
    numbers = ("type", "chainId", "nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
    return {name: int(asked[name], 16) for name in numbers} | {
        "to": to_checksum_address(asked["to"]),
        "data": asked["data"],
    }


@contextmanager
def signer_at(
    *accounts: LocalAccount,
    change: Change = lambda fields: fields,
    answer: Answer = lambda raw: raw,
    fault: str | None = None,
) -> Iterator[str]:
    """Its URL. `change` alters what is signed, `answer` what is answered with; `fault` is its error to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            result: Any = [account.address.lower() for account in accounts]
            if request["method"] == "eth_signTransaction":
                (asked,) = request["params"]
                by = next(one for one in accounts if one.address == asked["from"])
                result = answer("0x" + by.sign_transaction(change(_fields(asked))).raw_transaction.hex())
            told = {"error": {"code": -32000, "message": fault}} if fault else {"result": result}
            body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **told}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as url:
        yield url
