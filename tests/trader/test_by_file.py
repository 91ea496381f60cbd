"""An operator with a file of settings: whatever is sent or read by hand needs no other word about chain and key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.transactions.journal import Journal
from scripts.stage.venue import Venue, tokens
from tests.keeper.command import Done, assert_refused, backstop_inside, secret_of
from tests.transactions.signing import signer_at

from .shell import Shell, done, nonce


@pytest.fixture
def file(shell: Shell, alice: LocalAccount) -> Path:
    """Settings with the chain, and alice's keystore."""
    keystore, passphrase = shell.folder / "alice.json", shell.folder / "alice.pass"
    keystore.write_text(json.dumps(Account.encrypt(secret_of(alice), "open", kdf="pbkdf2", iterations=2)))
    passphrase.write_text("open\n")
    return settings(shell, f'[key]\nkeystore = "{keystore}"\npassphrase_file = "{passphrase}"\n')


def settings(shell: Shell, key: str) -> Path:
    written = shell.folder / "keeper.toml"
    state = shell.folder / "state"
    written.write_text(
        f'deployment = "{shell.deployment}"\nstate_dir = "{state}"\n[node]\nurls = ["{shell.rpc}"]\n{key}'
    )
    return written


@pytest.fixture
def signer(shell: Shell, alice: LocalAccount) -> Iterator[Path]:
    """Settings with an external signer of alice's."""
    with signer_at(alice) as url:
        yield settings(shell, f'[key]\nsigner = "{url}"\n')


def by(file: Path, *arguments: str) -> Done:
    return backstop_inside(*arguments, "--config", file)


@pytest.mark.parametrize("how", ["file", "signer"])
def test_money_moves_by_the_file_alone(
    how: str, request: pytest.FixtureRequest, shell: Shell, venue: Venue, alice: LocalAccount
) -> None:
    file: Path = request.getfixturevalue(how)
    market, state = "SOL-USD", shell.folder / "state"
    done(by(file, "faucet", "100", "--send"))
    done(by(file, "deposit", "30", "--market", market, "--send"))
    done(by(file, "withdraw", "10", "--market", market, "--send"))
    done(by(file, "transfer", "5", "--from-market", market, "--to-cross", "--send"))
    assert venue.system.token.balanceOf(alice.address) == tokens(80)
    done(by(file, "bond", "post", "60", "--send"))
    done(by(file, "bond", "withdraw", "20", "--send"))
    shown = done(by(file, "bond", "show", alice.address, "--json")).document
    assert (shown["posted"], shown["leaving"]) == ("60", "20")
    again = done(by(file, "bond", "withdraw", "30"))
    assert "instead of the 20 that were asked for, ripe in " in again.out
    assert "the time to wait begins anew for all of it" in again.out
    assert done(by(file, "bond", "withdraw", "30", "--json")).document["replaces"] == "20"
    assert done(by(file, "challenge", "watch", "--once")).out == "no round is open to challenges\n"
    assert not state.exists()  # no journal, and no lock: a keeper may run beside it
    assert "pools" in done(by(file, "fund", "status", "--json")).document
    assert_refused(by(file, "bond", "release"), "nothing")
    assert_refused(by(file, "round", "show", "7"), "7")


def test_the_command_line_wins_over_the_file(file: Path, shell: Shell, venue: Venue, bob: LocalAccount) -> None:
    with signer_at(bob) as url:
        assert_refused(by(file, "faucet", "1", "--send", "--signer", url), "signer is set beside keystore")
    assert_refused(by(file, "faucet", "1", "--rpc", "http://127.0.0.1:1"), "no answer from http://127.0.0.1:1")
    file.write_text("")
    assert_refused(by(file, "faucet", "1"), "deployment is not set")
    assert nonce(venue, bob) == 0


def test_the_environment_names_the_file(file: Path, alice: LocalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSTOP_CONFIG", str(file))
    assert done(backstop_inside("faucet", "1")).out.startswith(f"mint 1 tUSDC to {alice.address}\n")


def test_the_journal_is_that_of_the_state_folder(file: Path, shell: Shell) -> None:
    journal = shell.folder / "state" / "journal.sqlite"
    assert_refused(by(file, "tx", "list"), f"there is no journal at {journal}")
    journal.parent.mkdir()
    Journal(str(journal)).close()
    assert done(by(file, "tx", "list")).out == "the journal is empty\n"
    assert done(by(file, "tx", "resume")).out == "nothing is open\n"
    assert_refused(by(file, "tx", "cancel", "99"), "has no transaction 99")
