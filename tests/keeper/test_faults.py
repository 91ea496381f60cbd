"""What an operator gets wrong, and what a node does: one clear line on stderr, nothing on stdout, status 2.

Most of it runs in this process; the last test holds that a process of its own ends alike.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.chain.bindings import EXCHANGE_ENGINE, LENS_EXCHANGE, LENS_FUND, LENS_PRICE_FEED
from backstop.chain.deployment import Deployment
from backstop.chain.keys import ENVIRONMENT
from scripts.stage.venue import TestMarket, Venue, rpc_url

from .command import assert_refused, backstop, backstop_inside, secret_of
from .nodes import Answer, error, node, result

CLOSED = "http://127.0.0.1:9"  # the discard port: nobody listens
HASH = "0x" + "ab" * 32
WIRING = {"0x" + function.encode().hex() for function in (LENS_EXCHANGE, LENS_FUND, LENS_PRICE_FEED, EXCHANGE_ENGINE)}
ADDRESSES = tuple(each.name for each in fields(Deployment) if each.type == "str")


@pytest.fixture
def anywhere(tmp_path: Path) -> Path:
    """A deployment file that is well formed; for what fails before or without a chain of its own."""
    file = tmp_path / "anywhere.json"
    file.write_text(json.dumps(_document()))
    return file


def _document(**changes: Any) -> dict[str, Any]:
    return {"chain_id": 31337, "block": 0} | dict.fromkeys(ADDRESSES, "0x" + "11" * 20) | changes


def run(rpc: str, deployment: Path, *options: str | Path) -> tuple[str | Path, ...]:
    """The command line of one cycle."""
    return "run", "--once", "--rpc", rpc, "--deployment", deployment, *options


# ------------------------------------------------------------------ keys


def test_no_key(anywhere: Path) -> None:
    done = backstop_inside(*run(CLOSED, anywhere, "--send"))
    assert_refused(done, "no signing key", "--keystore", "--passphrase-file", ENVIRONMENT)


@pytest.mark.parametrize(
    "key",
    [
        "0x1234567890abcdef",
        "0x" + "5a" * 33,
        "0x" + "zz" * 32,
        "00" * 32,
        "ff" * 32,
        "five words that are no key",
    ],
)
def test_bad_key_is_refused_and_not_shown(key: str, anywhere: Path) -> None:
    done = backstop_inside(*run(CLOSED, anywhere, "--send"), key=key)
    assert_refused(done, ENVIRONMENT, "holds no private key")


def test_keystore_without_its_passphrase_file(anywhere: Path, tmp_path: Path) -> None:
    done = backstop_inside(*run(CLOSED, anywhere, "--send", "--keystore", tmp_path / "keystore.json"))
    assert_refused(done, "--passphrase-file", "keystore.json")


def _keystore(folder: Path, signer: LocalAccount, passphrase: str) -> tuple[Path, Path]:
    keystore, file = folder / "keystore.json", folder / "passphrase"
    keystore.write_text(json.dumps(Account.encrypt(signer.key, "correct horse", kdf="pbkdf2", iterations=2)))
    file.write_text(passphrase)
    return keystore, file


@pytest.mark.parametrize("passphrase", ["battery staple", "", "correct horse ", "\ncorrect horse"])
def test_wrong_passphrase(passphrase: str, anywhere: Path, tmp_path: Path) -> None:
    signer = Account.create()
    keystore, file = _keystore(tmp_path, signer, passphrase)
    done = backstop_inside(*run(CLOSED, anywhere, "--send", "--keystore", keystore, "--passphrase-file", file))
    assert_refused(done, "does not open with the passphrase", str(keystore), str(file))
    if passphrase.strip():
        assert passphrase.strip() not in done.err
    assert secret_of(signer)[2:] not in done.err


@pytest.mark.parametrize(
    ("keystore", "words"),
    [
        ("not JSON", "is not a JSON keystore"),
        pytest.param("[" * 3000, "is not a JSON keystore", id="deep"),
        ("{}", "does not open"),
        ("[]", "does not open"),
        ('{"version": 3}', "does not open"),
    ],
)
def test_file_that_is_no_keystore(keystore: str, words: str, anywhere: Path, tmp_path: Path) -> None:
    file, passphrase = tmp_path / "keystore.json", tmp_path / "passphrase"
    file.write_text(keystore)
    passphrase.write_text("correct horse")
    done = backstop_inside(*run(CLOSED, anywhere, "--send", "--keystore", file, "--passphrase-file", passphrase))
    assert_refused(done, str(file), words)


@pytest.mark.parametrize("missing", ["keystore.json", "passphrase"])
def test_missing_keystore_or_passphrase_file(missing: str, anywhere: Path, tmp_path: Path) -> None:
    keystore, passphrase = _keystore(tmp_path, Account.create(), "correct horse")
    (tmp_path / missing).unlink()
    done = backstop_inside(*run(CLOSED, anywhere, "--send", "--keystore", keystore, "--passphrase-file", passphrase))
    assert_refused(done, "cannot read", missing, "No such file")


def test_keystore_that_is_a_folder(anywhere: Path, tmp_path: Path) -> None:
    _, passphrase = _keystore(tmp_path, Account.create(), "correct horse")
    done = backstop_inside(*run(CLOSED, anywhere, "--send", "--keystore", tmp_path, "--passphrase-file", passphrase))
    assert_refused(done, "cannot read", "Is a directory")


# ------------------------------------------------------------------ deployment files


DEPLOYMENT_FAULTS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty": ("", ("is not JSON",)),
    "not JSON": ("exchange: 0x11", ("is not JSON",)),
    "not text": (b"\xff\xfe\x00", ("is not JSON",)),
    "list": ("[]", ("an object is expected",)),
    "null": ("null", ("an object is expected",)),
    "missing key": (
        json.dumps({key: value for key, value in _document().items() if key != "lens"}),
        ("lens is None", "an address is expected"),
    ),
    "missing chain id": (
        json.dumps({key: value for key, value in _document().items() if key != "chain_id"}),
        ("chain_id is None", "a number is expected"),
    ),
    "unknown key": (json.dumps(_document(owner="0x" + "11" * 20)), ("unknown key 'owner'",)),
    "short address": (json.dumps(_document(engine="0x1234")), ("engine is '0x1234'", "an address is expected")),
    "bad checksum": (
        json.dumps(_document(fund="0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96045"[:-1] + "6")),
        ("fund is", "an address is expected"),
    ),
    "address that is a number": (json.dumps(_document(token=17)), ("token is 17",)),
    "chain id in quotes": (json.dumps(_document(chain_id="31337")), ("chain_id is '31337'",)),
    "chain id that is true": (json.dumps(_document(chain_id=True)), ("chain_id is True",)),
    "negative block": (json.dumps(_document(block=-1)), ("block is -1",)),
}


@pytest.mark.parametrize("command", ["run", "snapshot"])
@pytest.mark.parametrize("fault", DEPLOYMENT_FAULTS)
def test_bad_deployment_file(fault: str, command: str, tmp_path: Path) -> None:
    text, words = DEPLOYMENT_FAULTS[fault]
    file = tmp_path / "deployment.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    once = ["--once"] if command == "run" else []
    done = backstop_inside(command, *once, "--rpc", CLOSED, "--deployment", file)
    assert_refused(done, str(file), *words)


@pytest.mark.parametrize("command", ["run", "snapshot"])
@pytest.mark.parametrize(("name", "words"), [("missing.json", "No such file"), (".", "Is a directory")])
def test_deployment_file_that_cannot_be_read(name: str, words: str, command: str, tmp_path: Path) -> None:
    once = ["--once"] if command == "run" else []
    done = backstop_inside(command, *once, "--rpc", CLOSED, "--deployment", tmp_path / name)
    assert_refused(done, "cannot read", words)


# ------------------------------------------------------------------ the wrong chain


@pytest.mark.parametrize("options", [[], ["--send"]], ids=["dry run", "send"])
def test_wrong_chain_id(
    options: list[str], gapped: TestMarket, venue: Venue, operator: LocalAccount, deployment_file: Path
) -> None:
    """Nothing is sent to a chain that was not meant."""
    deployment_file.write_text(deployment_file.read_text().replace('"chain_id": 31337', '"chain_id": 1'))
    done = backstop_inside(*run(rpc_url(), deployment_file, *options), key=secret_of(operator))
    assert_refused(done, "serves chain 31337, the deployment is on chain 1")
    assert venue.endpoint.quantity("eth_getTransactionCount", operator.address, "pending") == 0


@pytest.mark.parametrize("name", ["exchange", "fund", "engine", "lens"])
def test_address_without_code(name: str, venue: Venue, deployment_file: Path) -> None:
    document = json.loads(deployment_file.read_text())
    document[name] = "0x" + "11" * 20
    deployment_file.write_text(json.dumps(document))
    done = backstop_inside(*run(rpc_url(), deployment_file))
    assert_refused(done, "there is no contract at 0x1111111111111111111111111111111111111111", f"({name})", "31337")


def test_address_of_another_contract(venue: Venue, deployment_file: Path) -> None:
    document = json.loads(deployment_file.read_text())
    document["lens"] = document["fund"]
    deployment_file.write_text(json.dumps(document))
    done = backstop_inside(*run(rpc_url(), deployment_file))
    assert_refused(done, f"the lens at {document['fund']} does not answer", "is the deployment file of this chain?")


@pytest.mark.parametrize("command", ["run", "snapshot"])
@pytest.mark.parametrize(
    ("key", "asked"), [("exchange", "lens"), ("fund", "lens"), ("price_feed", "lens"), ("engine", "exchange")]
)
def test_address_that_the_contracts_do_not_know(
    key: str, asked: str, command: str, venue: Venue, deployment_file: Path
) -> None:
    document = json.loads(deployment_file.read_text())
    meant, document[key] = document[key], document["token"]
    deployment_file.write_text(json.dumps(document))
    once = ["--once"] if command == "run" else []
    done = backstop_inside(command, *once, "--rpc", rpc_url(), "--deployment", deployment_file)
    assert_refused(
        done,
        f"the {asked} at {document[asked]} is wired to {meant}, the deployment file has {key} {document['token']}",
    )


# ------------------------------------------------------------------ nodes


@pytest.mark.parametrize("command", ["run", "snapshot", "rank", "plan"])
def test_dead_url(command: str, anywhere: Path) -> None:
    more = {"run": ["--once"], "rank": ["--market", "ETH-USD", "--side", "long"]}.get(command, [])
    done = backstop_inside(command, *more, "--rpc", CLOSED, "--deployment", anywhere)
    assert_refused(done, f"no answer from {CLOSED} to eth_chainId", "refused")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:8546", "127.0.0.1:8545", "/tmp/geth.ipc", "", "file:///etc/passwd"])
def test_url_that_is_not_http(url: str, anywhere: Path) -> None:
    assert_refused(backstop_inside(*run(url, anywhere)), repr(url), "is no HTTP URL", "http://127.0.0.1:8545")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://", "has no host"),
        ("http://:8545", "has no host"),
        ("https:///key", "has no host"),
        ("http://key@", "has no host"),
        ("http://127.0.0.1:0", "has port 0"),
        ("http://127.0.0.1:65536", "Port out of range"),
        ("http://127.0.0.1:eight", "Port could not be cast"),
        ("http://[::1", "Invalid IPv6 URL"),
    ],
)
def test_url_that_cannot_be_right_is_refused_at_once(url: str, words: str, anywhere: Path) -> None:
    for once in (["--once"], []):
        done = backstop_inside("run", *once, "--rpc", url, "--deployment", anywhere)
        assert_refused(done, "the URL of the node", words)
        assert "key" not in done.err


@pytest.mark.parametrize("url", ["http://host.invalid:8545", "https://127.0.0.1:9"])
def test_url_that_leads_nowhere(url: str, anywhere: Path) -> None:
    assert_refused(backstop_inside(*run(url, anywhere)), "no answer from", url)


def scripted(**answers: bytes) -> Answer:
    """A node that knows what a snapshot begins with, but for `answers`."""
    known = {
        "eth_chainId": result(hex(31337)),
        "eth_getCode": result("0x6000"),
        "eth_getBlockByNumber": result({"number": "0x1", "hash": HASH, "parentHash": HASH, "timestamp": "0x5"}),
        "eth_call": result("0x"),
    } | answers
    wired = result("0x" + ("11" * 20).rjust(64, "0"))

    def answer(request: dict[str, Any]) -> tuple[int, bytes]:
        if request["method"] == "eth_call" and request["params"][0]["data"] in WIRING:
            return 200, wired
        return 200, known.get(request["method"], error("the method does not exist"))

    return answer


def always(status: int, body: bytes) -> Answer:
    """A node that has but one answer."""
    return lambda _: (status, body)


GARBAGE: dict[str, tuple[Answer, tuple[str, ...]]] = {
    "text": (always(200, b"hello"), ("does not answer eth_chainId in JSON",)),
    "nothing": (always(200, b""), ("does not answer eth_chainId in JSON",)),
    "a page": (always(200, b"<html>\n" + b"<p>blocked</p>\n" * 1000), ("does not answer eth_chainId in JSON",)),
    "bytes": (always(200, b"\xff\xfe"), ("does not answer eth_chainId in JSON",)),
    "a list": (always(200, b"[]"), ("answers eth_chainId with []", "a JSON-RPC response is expected")),
    "null": (always(200, b"null"), ("answers eth_chainId with None", "a JSON-RPC response is expected")),
    "an empty object": (always(200, b"{}"), ("neither a result nor an error",)),
    "HTTP 500": (always(500, b"oops"), ("no answer from", "HTTP status 500")),
    "HTTP 500 in JSON": (always(500, error("overloaded")), ("no answer from", "HTTP status 500")),
    "HTTP 404": (always(404, b""), ("no answer from", "404")),
    "HTTP 429": (always(429, b"slow down"), ("no answer from", "429")),
    "a chain id that is a number": (scripted(eth_chainId=result(31337)), ("a hex number is expected",)),
    "no chain id": (scripted(eth_chainId=result(None)), ("eth_chainId with None", "a hex number is expected")),
    "another chain": (scripted(eth_chainId=result("0x1")), ("serves chain 1",)),
    "no code": (scripted(eth_getCode=result("0x")), ("there is no contract at",)),
    "no block": (scripted(eth_getBlockByNumber=result(None)), ("a block header that cannot be read",)),
    "a block that is none": (scripted(eth_getBlockByNumber=result([1])), ("block header",)),
    "a block without a hash": (
        scripted(eth_getBlockByNumber=result({"number": "0x1", "timestamp": "0x5"})),
        ("block header",),
    ),
    "a call without a result": (scripted(), ("does not answer system()", "is the deployment file of this chain?")),
    "a call that is a number": (scripted(eth_call=result(5)), ("does not answer system()",)),
    "a call that is not hex": (scripted(eth_call=result("0xzz")), ("does not answer system()",)),
    "a call of junk": (scripted(eth_call=result("0x" + "ff" * 640)), ("does not answer system()",)),
    "an error": (scripted(eth_call=error("header not found")), ("eth_call: header not found",)),
    "an error that is a string": (
        scripted(eth_call=b'{"jsonrpc": "2.0", "id": 1, "error": "boom"}'),
        ("eth_call: boom",),
    ),
    "an error of several lines": (scripted(eth_call=error("line one\nline two")), ("eth_call: line one line two",)),
    "an error that paints the terminal": (scripted(eth_call=error("\x1b[31mred")), (r"\x1b[31mred",)),
    "an endless error": (scripted(eth_call=error("x" * 100_000)), ("eth_call: xxx",)),
    "revert data that is not hex": (scripted(eth_call=error("execution reverted", "0xzz")), ("execution reverted",)),
    "revert data of half a byte": (scripted(eth_call=error("execution reverted", "0x123")), ("execution reverted",)),
    "revert data nobody knows": (scripted(eth_call=error("execution reverted", "0x12345678")), ("0x12345678",)),
    "a reason of several lines": (
        scripted(
            eth_call=error(
                "execution reverted",
                "0x08c379a0"
                + (32).to_bytes(32, "big").hex()
                + (3).to_bytes(32, "big").hex()
                + b"a\nb".ljust(32, b"\0").hex(),
            )
        ),
        ("(a b)",),
    ),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_node_that_answers_garbage(kind: str, anywhere: Path) -> None:
    answer, words = GARBAGE[kind]
    with node(answer) as url:
        assert_refused(backstop_inside(*run(url, anywhere)), *words)


@pytest.mark.parametrize("command", ["snapshot", "plan"])
def test_reading_commands_are_as_clear(command: str, anywhere: Path) -> None:
    with node(always(500, b"oops")) as url:
        assert_refused(backstop_inside(command, "--rpc", url, "--deployment", anywhere), "no answer from", "500")


# ------------------------------------------------------------------ usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--once"],
        ["run", "--once", "--rpc", CLOSED],
        ["run", "--rpc", CLOSED, "--deployment", "x", "--liquidate-up-to"],
        ["run", "--once", "--rpc", CLOSED, "--deployment", "x", "--fast"],
        ["snapshot"],
        ["plan", "--rpc", CLOSED],
        ["run", "--rpc", CLOSED, "--deployment", "x", "--poll", "nan"],
        ["run", "--rpc", CLOSED, "--deployment", "x", "--poll", "inf"],
        ["run", "--rpc", CLOSED, "--deployment", "x", "--poll", "1e300"],
        ["run", "--rpc", CLOSED, "--deployment", "x", "--poll", "3600.1"],
        ["run", "--rpc", CLOSED, "--deployment", "x", "--poll", "0"],
        ["fly"],
        ["--fly"],
    ],
)
def test_usage(arguments: list[str]) -> None:
    done = backstop_inside(*arguments)
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    command = f" {arguments[0]}" if arguments[0] in ("run", "snapshot", "plan") else ""
    assert done.err.endswith(f" (see backstop{command} --help)\n")


# ------------------------------------------------------------------ as a process


@pytest.mark.parametrize(
    ("key", "url", "options", "words"),
    [
        (None, CLOSED, ["--send"], "no signing key"),
        ("0x1234567890abcdef", CLOSED, ["--send"], "holds no private key"),
        ("12" * 32, CLOSED, ["--send"], "no answer from"),
        (None, CLOSED, ["--keystore", "missing.json", "--passphrase-file", "missing"], "cannot read missing.json"),
        (None, "ws://127.0.0.1:8546", [], "is no HTTP URL"),
    ],
    ids=["no key", "bad key", "dead URL", "missing keystore", "URL that is not HTTP"],
)
def test_process_ends_alike(key: str | None, url: str, options: list[str], words: str, anywhere: Path) -> None:
    assert_refused(backstop(*run(url, anywhere, *options), key=key), words)


def test_process_ends_alike_before_a_broken_node(anywhere: Path) -> None:
    nested = always(200, b"[" * 100_000), ("does not answer eth_chainId in JSON",)
    for answer, words in (GARBAGE["text"], GARBAGE["HTTP 500"], nested):
        with node(answer) as url:
            assert_refused(backstop(*run(url, anywhere)), *words)


def test_process_ends_alike_with_a_bad_deployment_file(tmp_path: Path) -> None:
    assert_refused(backstop(*run(CLOSED, tmp_path / "missing.json")), "cannot read", "missing.json", "No such file")
    nested = tmp_path / "nested.json"
    nested.write_text("[" * 100_000)
    assert_refused(backstop(*run(CLOSED, nested)), "is not JSON")
