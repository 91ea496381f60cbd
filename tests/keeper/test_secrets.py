"""A provider's key in a URL is shown to nobody: not where nothing listens, not where the node refuses or repeats it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler

import pytest

from backstop.chain.endpoint import Endpoint
from backstop.errors import RpcError
from backstop.hiding import secrets_of_url, without
from tests.keeper.nodes import error, node, result
from tests.support.serving import serving


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with 403."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    """A node that refuses everybody."""
    with serving(Refusing) as url:
        yield url.removeprefix("http://")


@pytest.mark.parametrize("url", ["http://keeper:hunter2@{}/v2/APIKEY", "http://{}/v2/APIKEY", "http://{}/?key=hunter2"])
def test_no_secret_of_a_url_is_shown(url: str, host: str) -> None:
    for place in (host, "127.0.0.1:1"):
        with pytest.raises(RpcError) as refused:
            Endpoint(url.format(place)).quantity("eth_chainId")
        assert place.split(":")[0] in str(refused.value)
        assert "hunter2" not in str(refused.value)
        assert "APIKEY" not in str(refused.value)


SECRETS = [
    "http://{}/v3/S3CRETKEYabc",
    "http://{}/v3/S3CRET^KEY%7Eabc/",
    "http://{}//v3/a/../S3CRETKEYabc",
    "http://user:S3CRET^PASS@{}/",
    "http://S3CRET'KEY@{}/",
    "http://{}/v3/?k=S3CRET^K&chain=mainnet",
    "http://{}/#S3CRETKEYabc",
]


@pytest.mark.parametrize("url", SECRETS)
def test_no_form_of_a_secret_is_shown_of_a_refusal(url: str, host: str) -> None:
    with pytest.raises(RpcError, match="HTTP status 403") as refused:
        Endpoint(url.format(host)).request("eth_chainId")
    assert "s3cret" not in str(refused.value).lower()


@pytest.mark.parametrize("url", SECRETS)
def test_what_a_node_repeats_of_its_url_is_not_shown(url: str) -> None:
    """As it was sent, as the library has quoted it, and in the encoding of what a contract would say."""
    told = secrets_of_url(url.format("127.0.0.1"))
    heard = " ".join(told)
    assert "S3CRET" in heard
    reason = b"\x08\xc3y\xa0" + (32).to_bytes(32, "big") + len(heard.encode()).to_bytes(32, "big") + heard.encode()
    for body in (error(heard), error({"of": told}), error("no", "0x" + reason.hex()), result(heard), b"[]", b"S3CRET"):
        with node(lambda _, body=body: (200, body)) as place:
            endpoint = Endpoint(url.format(place.removeprefix("http://")))
            for ask in (partial(endpoint.quantity, "eth_chainId"), endpoint.head):
                with pytest.raises(RpcError) as refused:
                    ask()
                assert "s3cret" not in str(refused.value).lower()


def test_plain_words_of_a_path_are_no_secrets() -> None:
    told = secrets_of_url("https://node.test/rpc/ethereum-mainnet/v3/0123456789abcdef")
    assert without("eth_call on ethereum-mainnet, key 0123456789ABCDEF", told) == "eth_call on ethereum-mainnet, key …"
    assert secrets_of_url("http://127.0.0.1:8545/") == []


def test_a_url_that_cannot_be_read_shows_no_part_of_its_password() -> None:
    for url in ("http://user:S3CR/ET@host", "ftp://user:S3CRET@host/S3CRET", "S3CRET", "http://user:S3CR\u2100ET@host"):
        with pytest.raises(RpcError) as refused:
            Endpoint(url)
        assert "S3CR" not in str(refused.value)


def test_json_of_a_node_may_have_escapes() -> None:
    heard = json.dumps({"jsonrpc": "2.0", "id": 0, "error": {"code": -1, "message": 'S3CRET"KEY'}}).encode()
    with node(lambda _: (200, heard)) as place, pytest.raises(RpcError) as refused:
        Endpoint(place + '/v3/S3CRET"KEY').request("eth_chainId")
    assert "S3CRET" not in str(refused.value)
