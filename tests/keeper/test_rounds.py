"""Bonds, rounds and challenges from a shell: a keeper that leaves somebody out is found by a watcher, and pays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text
from backstop.chain.keys import ENVIRONMENT
from backstop.rounds.book import LONGEST_WINDOW
from scripts.stage.venue import Venue, rpc_url, tokens, wad
from tests.support.acting import act, later, rpc
from tests.support.desk import Desk
from tests.support.omissions import challenge, open_queue, parameters, rounded

from .command import BACKSTOP, Done, assert_refused, backstop, backstop_inside, secret_of


@pytest.fixture(scope="module")
def desk(venue: Venue) -> Desk:
    """The queue in which a round is due."""
    return open_queue(venue)


@pytest.fixture
def source(desk: Desk, tmp_path: Path) -> tuple[str, ...]:
    """Where the chain and the deployment are."""
    file = tmp_path / "deployment.json"
    desk.venue.deployment.save(file)
    return "--rpc", rpc_url(), "--deployment", str(file)


@pytest.fixture
def hunter(desk: Desk) -> LocalAccount:
    """Who watches, and has gas money."""
    return desk.trader("hunter")


def watch(*options: str, by: LocalAccount | None = None) -> tuple[int, list[dict[str, Any]], str]:
    key = secret_of(by) if by else None
    done = backstop_inside("challenge", "watch", "--once", "--json", *options, key=key)
    return done.status, [json.loads(line) for line in done.out.splitlines()], done.err


# ---------------------------------------------------------------------- the watcher


@pytest.mark.parametrize(
    ("listed", "left_out"),
    [
        ("bee cat", ["ant"]),  # the first
        ("ant cat", ["bee"]),  # one in the middle; the first by another
        ("cat dog", ["ant", "bee"]),  # the keeper's friends
        ("bee dog", ["ant", "cat"]),
    ],
)
def test_a_keeper_that_leaves_somebody_out_pays(
    desk: Desk,
    source: tuple[str, ...],
    hunter: LocalAccount,
    listed: str,
    left_out: list[str],
) -> None:
    number = rounded(desk, listed)
    keeper = desk.trader("keeper")
    posted, bond_of_round = desk.book.bond(keeper.address).amount, desk.book.roundRecord(number).bond
    status, found, err = watch(*source)
    assert (status, err) == (1, "")
    assert [one["account"] for one in found] == [account_text(desk.account(desk.trader(name))) for name in left_out]
    assert not any(one["sent"] for one in found)
    assert desk.book.bond(keeper.address).amount == posted

    status, sent, err = watch("--send", *source, by=hunter)
    assert (status, err) == (0, "")
    assert [one["account"] for one in sent] == [one["account"] for one in found]
    assert all(one["round"] == number and one["sent"] for one in sent)
    assert desk.book.bond(keeper.address).amount == posted - min(bond_of_round, wad(100) * len(left_out))
    assert watch("--send", *source, by=hunter) == (0, [], "")
    done = bond(hunter, "withdraw", "--rewards", "--send", *source)
    assert done.status == 0, done.err
    assert desk.token.balanceOf(hunter.address) == min(bond_of_round, wad(100) * len(left_out)) // 4 // 10**12


def test_nobody_is_found_where_nobody_was_left_out(desk: Desk, source: tuple[str, ...]) -> None:
    rounded(desk, "dog cat bee ant")
    assert watch(*source) == (0, [], "")


def test_the_watcher_as_a_process_of_its_own(desk: Desk, source: tuple[str, ...], hunter: LocalAccount) -> None:
    number = rounded(desk, "bee cat")
    posted = desk.book.bond(desk.trader("keeper").address).amount
    done = backstop("challenge", "watch", "--once", "--send", *source, key=secret_of(hunter))
    assert done.status == 0, done.err
    assert done.out.startswith(f"round {number} left out {account_text(desk.account(desk.trader('ant')))}: ")
    assert desk.book.bond(desk.trader("keeper").address).amount == posted - wad(100)


def test_after_the_window_there_is_nothing_to_find(desk: Desk, source: tuple[str, ...]) -> None:
    rounded(desk, "bee cat")
    later(3601)
    assert watch(*source) == (0, [], "")


def test_later_rounds_that_are_over_hide_no_earlier_one(desk: Desk, source: tuple[str, ...]) -> None:
    """One whose bond is spent, and one by a shorter window that has closed."""
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, bondCap=wad(100)))
    first = rounded(desk, "bee")
    ant = desk.trader("ant")
    act(desk.venue.owner, desk.book.setRoundParameters, parameters(desk, window=600))
    second = rounded(desk, "cat")
    challenge(desk, second, ant)
    assert desk.book.roundRecord(second).bond == 0
    found = (1, [first])
    status, shown, _ = watch(*source)
    assert (status, [one["round"] for one in shown]) == found
    later(601)
    status, shown, _ = watch(*source)
    assert (status, [one["round"] for one in shown]) == found


def test_the_longest_window_is_that_of_the_contract(desk: Desk) -> None:
    assert desk.book.MAX_WINDOW() == LONGEST_WINDOW


def test_what_changed_after_the_round_hides_nobody(desk: Desk, source: tuple[str, ...]) -> None:
    rounded(desk, "bee cat")
    ant = desk.trader("ant")
    desk.deposit(ant, 500)
    desk.trade(desk.trader("whale"), ant, wad(4), wad(80))
    for _ in range(3):
        rpc("evm_mine")
    status, found, _ = watch(*source)
    assert (status, [one["account"] for one in found]) == (1, [account_text(desk.account(ant))])


# ---------------------------------------------------------------------- rounds


def test_a_round_explained(desk: Desk, source: tuple[str, ...]) -> None:
    number = rounded(desk, "cat bee whale stranger")
    act(desk.trader("hunter"), desk.book.challenge, number, desk.account(desk.trader("ant")))
    done = backstop_inside("round", "show", str(number), "--json", *source)
    assert done.status == 0, done.err
    shown = json.loads(done.out)
    accounts = {
        name: account_text(desk.account(desk.trader(name))) for name in ("ant", "bee", "cat", "whale", "stranger")
    }
    assert (shown["id"], shown["market"], shown["side"], shown["trigger"]) == (number, "SOL-USD", "long", "depletion")
    assert (shown["markPrice"], shown["adlPrice"], shown["compensation"]) == ("80", "90", "80")
    assert [(fill["place"], fill["account"], fill["givenUp"]) for fill in shown["fills"]] == [
        (1, accounts["bee"], "40"),
        (2, accounts["cat"], "40"),
    ]
    assert shown["skipped"] == [
        {"account": accounts["whale"], "reason": "inventorySide"},
        {"account": accounts["stranger"], "reason": "flat"},
    ]
    assert shown["cutoff"]["account"] == accounts["cat"]
    assert (shown["bond"], shown["bondLeft"]) == ("160", "60")
    assert [(one["account"], one["penalty"]) for one in shown["omissions"]] == [(accounts["ant"], "100")]

    told = backstop_inside("round", "show", str(number), *source)
    assert told.status == 0, told.err
    for words in ("SOL-USD", "holds the side of the inventory", "left out", "depletion"):
        assert words in told.out


@pytest.mark.parametrize("number", ["99999", "0", "-1", "x"])
def test_rounds_that_there_are_not(desk: Desk, source: tuple[str, ...], number: str) -> None:
    assert_refused(backstop_inside("round", "show", number, *source), number)


# ---------------------------------------------------------------------- bonds


def bond(signer: LocalAccount, *options: str) -> Done:
    return backstop_inside("bond", *options, key=secret_of(signer))


def test_posted_asked_for_and_taken_out(desk: Desk, source: tuple[str, ...], hunter: LocalAccount) -> None:
    act(hunter, desk.token.mint, hunter.address, tokens(1000))
    dry = bond(hunter, "post", "300", *source)
    assert dry.status == 0, dry.err
    assert "Nothing is sent" in dry.out
    assert desk.book.bond(hunter.address).amount == 0
    assert bond(hunter, "post", "300", "--send", *source).status == 0
    assert desk.book.bond(hunter.address).amount == wad(300)
    shown = json.loads(bond(hunter, "show", hunter.address, "--json", *source).out)
    assert (shown["posted"], shown["available"], shown["leaving"]) == ("300", "300", "0")
    assert bond(hunter, "withdraw", "100", "--send", *source).status == 0
    shown = json.loads(bond(hunter, "show", hunter.address, "--json", *source).out)
    assert (shown["posted"], shown["available"], shown["leaving"]) == ("300", "200", "100")
    assert_refused(bond(hunter, "withdraw", "--claim", "--send", *source), "7200 s")
    later(7200)
    done = bond(hunter, "withdraw", "--claim", "--send", *source)
    assert done.status == 0, done.err
    assert desk.token.balanceOf(hunter.address) == tokens(800)
    text = bond(hunter, "show", hunter.address, *source).out
    assert "free for new rounds  200" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("post", "5000000"), "give less"),
        (("post", "0"), "0"),
        (("post", "x"), "x"),
        (("post", "0.0000001"), "more decimals"),
        (("withdraw", "1"), "ask for less"),
        (("withdraw", "--claim"), "asked for nothing"),
        (("withdraw", "--cancel"), "nothing to call off"),
        (("withdraw", "--rewards"), "nothing to claim"),
        (("withdraw",), "one of"),
        (("withdraw", "1", "--claim"), "one of"),
        (("show", "0x12"), "0x12"),
    ],
)
def test_what_is_refused(
    desk: Desk,
    source: tuple[str, ...],
    hunter: LocalAccount,
    options: tuple[str, ...],
    words: str,
) -> None:
    assert_refused(bond(hunter, *options, *source), words)


def test_a_keeper_without_a_bond_is_told(desk: Desk, source: tuple[str, ...], hunter: LocalAccount) -> None:
    done = backstop_inside("run", "--once", "--send", *source, key=secret_of(hunter))
    assert done.status == 1
    assert "BondInsufficient" in done.out + done.err
    assert "backstop bond post" in done.out + done.err


def test_left_running_by_its_settings_the_watcher_challenges_each_omission(
    desk: Desk, hunter: LocalAccount, tmp_path: Path
) -> None:
    deployment, config = tmp_path / "deployment.json", tmp_path / "watcher.toml"
    desk.venue.deployment.save(deployment)
    config.write_text(
        f'deployment = "{deployment}"\nstate_dir = "{tmp_path}/state"\n[node]\nurls = ["{rpc_url()}"]\npoll = 0.05\n'
    )
    command = [str(BACKSTOP), "challenge", "watch", "--send", "--json", "--config", str(config)]
    environment = os.environ | {ENVIRONMENT: secret_of(hunter)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(process.stderr.readline())["event"] == "watching"
            number = rounded(desk, "bee cat")
            found = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            log = [json.loads(line) for line in process.stderr.read().splitlines()]
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert (found["round"], found["sent"]) == (number, True)
    assert [(one["duty"], one["round"]) for one in log if one["event"] == "sent"] == [("challenge", number)]
    assert (tmp_path / "state" / "journal.sqlite").is_file()
