"""`backstop faucet`: test tokens, and no others."""

from __future__ import annotations

import json

from eth_account.signers.local import LocalAccount

from scripts.stage.venue import Venue, tokens
from tests.keeper.command import assert_refused

from .shell import Shell, done, nonce


def test_mints_for_oneself_and_for_another(shell: Shell, venue: Venue, alice: LocalAccount, bob: LocalAccount) -> None:
    dry = done(shell.run("faucet", "10.5", by=alice)).out
    assert dry.startswith(f"mint 10.5 tUSDC to {alice.address}\n")
    assert dry.endswith("Nothing is sent without --send.\n")
    assert (nonce(venue, alice), venue.system.token.balanceOf(alice.address)) == (0, 0)
    done(shell.process("faucet", "10.5", "--send", by=alice))
    document = done(shell.run("faucet", "1", "--to", bob.address, "--send", "--json", by=alice)).document
    assert (document["sent"], document["amount"], document["recipient"]) == (True, "1", bob.address)
    assert venue.system.token.balanceOf(alice.address) == tokens("10.5")
    assert venue.system.token.balanceOf(bob.address) == tokens(1)


def test_bad_input(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    assert_refused(shell.run("faucet", "1"), "no signing key")
    for arguments, words in (
        (("0",), "is not above zero"),
        (("much",), "is not a decimal amount"),
        (("0.0000001",), "more decimals than the 6 of tUSDC"),
        (("1", "--to", "bob"), "'bob' is no address"),
        (("1", "--to", "0x" + "00" * 20), "tokens cannot go to 0x0"),
    ):
        assert_refused(shell.run("faucet", *arguments, "--send", by=alice), words)
    assert nonce(venue, alice) == 0


def test_another_token_is_refused(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    """Also one that would let itself be minted: it is known by its name and symbol (slots 3 and 4 of the token)."""
    for slot, text in ((3, b"USD Coin"), (4, b"USDC")):
        word = text.ljust(31, b"\0") + bytes([2 * len(text)])
        address = venue.system.token.address
        venue.endpoint.request("anvil_setStorageAt", address, hex(slot), "0x" + word.hex())
        result = shell.run("faucet", "1", "--send", by=alice)
        assert_refused(result, f"at {address} is not the test token tUSDC", "get it where it is issued")
    assert_refused(shell.process("faucet", "1", "--send", by=alice), "USDC at")
    assert nonce(venue, alice) == 0


def test_deployment_file_that_names_another_token(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    document = json.loads(shell.deployment.read_text())
    shell.deployment.write_text(json.dumps(document | {"token": document["fund"]}))
    assert_refused(shell.run("faucet", "1", "--send", by=alice), "the exchange takes the token")
    assert nonce(venue, alice) == 0
