"""`backstop fund contribute`, `stake`, `unstake`, `stakes` and `repay`: what they send, and every refusal in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.chain.bindings import MINT
from backstop.chain.keys import ENVIRONMENT
from scripts.stage.venue import Venue, tokens, wad
from tests.keeper.command import assert_refused, backstop_inside
from tests.support.acting import act, now
from tests.support.deficits import open_deficit
from tests.support.desk import Desk
from tests.support.enums import Side
from tests.trader.shell import Shell, done, nonce

from .scenes import pass_time, stake, status

COOLDOWN = 3 * 86400
WEEK = 7 * 86400
NO_CAP = 2**96 - 1


def mint(venue: Venue, signer: LocalAccount, amount: int | str) -> None:
    """Tokens in somebody's wallet, which nobody else may take."""
    venue.send(signer, venue.system.token, MINT.encode(signer.address, tokens(amount)))


def wallet(venue: Venue, signer: LocalAccount) -> int:
    """Token units outside."""
    return int(venue.system.token.balanceOf(signer.address))


def stakes(shell: Shell, owner: str) -> Any:
    """What an owner has."""
    return done(shell.run("fund", "stakes", owner, "--json")).document


def calls(document: dict[str, Any]) -> list[str]:
    """The steps by name."""
    return [step["call"] for step in document["steps"]]


# ------------------------------------------------------------------ contribute


@pytest.mark.parametrize("runner", ["run", "process"])
def test_contribute_approves_just_what_is_needed(
    runner: str, shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount
) -> None:
    mint(venue, alice, 100)
    line = ("fund", "contribute", "majors", "40.5", "--market", "BTC-USD", "--send", "--json")
    document = done(getattr(shell, runner)(*line, by=alice)).document
    assert list(document) == ["action", "sent", "pool", "market", "amount", "steps"]
    assert (document["action"], document["sent"], document["pool"], document["market"], document["amount"]) == (
        "contribute",
        True,
        "majors",
        "BTC-USD",
        "40.5",
    )
    assert calls(document) == ["approve", "contribute"]
    assert wallet(venue, alice) == tokens("59.5")
    assert venue.system.token.allowance(alice.address, venue.system.fund) == 0
    assert desks["BTC-USD"].backing().pnl == wad("40.5")
    assert status(shell, "majors")["items"]["contribution"] == "40.5"


def test_a_dry_run_changes_nothing(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    mint(venue, alice, 100)
    before, block = nonce(venue, alice), chain.blocks.height
    shown = done(shell.run("fund", "contribute", "eth", "40", by=alice)).out
    assert shown.startswith('contribute 40 tUSDC to pool "eth", for good\n')
    assert shown.endswith("Nothing is sent without --send.\n")
    assert (
        'stake 40 tUSDC in pool "eth" for about 40 shares'
        in done(shell.run("fund", "stake", "eth", "40", by=alice)).out
    )
    document = done(shell.run("fund", "stake", "eth", "40", "--json", by=alice)).document
    assert (document["sent"], document["shares"]) == (False, "40")
    assert (nonce(venue, alice), chain.blocks.height, wallet(venue, alice)) == (before, block, tokens(100))


def test_a_market_of_another_pool(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    mint(venue, alice, 100)
    for market in ("ETH-USD", "DOGE-USD"):
        result = shell.run("fund", "contribute", "majors", "1", "--market", market, by=alice)
        assert_refused(result, f"pool \"majors\" does not stand behind '{market}'", "BTC-USD, SOL-USD")


# ------------------------------------------------------------------ stake and unstake


def test_a_stake_and_its_exit(shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount) -> None:
    mint(venue, alice, 1000)
    document = done(shell.run("fund", "stake", "eth", "600", "--send", "--json", by=alice)).document
    assert list(document) == ["action", "sent", "pool", "amount", "shares", "steps"]
    assert (document["action"], document["shares"], calls(document)) == ("stake", "600", ["approve", "stake"])
    shares = venue.system.fund.staking(2)[0]
    assert venue.system.token.allowance(alice.address, shares) == 0

    asked = done(shell.run("fund", "unstake", "eth", "--value", "250.000001", "--send", "--json", by=alice)).document
    assert list(asked) == ["action", "sent", "pool", "shares", "value", "ripeAt", "steps"]
    assert (asked["action"], asked["value"], asked["ripeAt"]) == ("requestRedeem", "250.000001", now() + COOLDOWN)

    (mine,) = stakes(shell, alice.address)["pools"]
    assert list(mine) == ["pool", "shares", "value", "exit"]
    assert list(mine["exit"]) == [
        "shares",
        "valueAtRequest",
        "value",
        "pays",
        "ripeAt",
        "overdueAt",
        "payable",
        "waits",
    ]
    assert (mine["pool"], mine["value"]) == ("eth", "349.999999")
    assert (mine["exit"]["valueAtRequest"], mine["exit"]["pays"], mine["exit"]["payable"]) == (
        "250.000001",
        "250.000001",
        False,
    )
    assert "the exit can be paid from" in mine["exit"]["waits"]
    assert mine["exit"]["overdueAt"] == asked["ripeAt"] + WEEK
    early = shell.run("fund", "unstake", "eth", "--claim", by=alice)
    assert_refused(early, "the exit can be paid from 20", "wait until then", "[ExitUnripe(0x")
    shown = done(shell.run("fund", "stakes", alice.address)).out
    assert "250.000001 when it was asked for" in shown
    assert "in 3 d" in shown

    pass_time(venue, COOLDOWN)
    assert stakes(shell, alice.address)["pools"][0]["exit"]["waits"] is None
    assert "ripe: it can be claimed" in done(shell.run("fund", "stakes", alice.address)).out
    dry = done(shell.run("fund", "unstake", "eth", "--claim", "--json", by=alice)).document
    assert (dry["sent"], dry["paid"]) == (False, "250.000001")
    claimed = done(shell.run("fund", "unstake", "eth", "--claim", "--send", "--json", by=alice)).document
    assert list(claimed) == ["action", "sent", "pool", "shares", "value", "paid", "steps"]
    assert (claimed["action"], claimed["paid"], claimed["value"]) == ("settleRedeem", "250.000001", "250.000001")
    assert wallet(venue, alice) == tokens("650.000001")
    assert stakes(shell, alice.address)["pools"][0]["exit"] is None


@pytest.mark.parametrize("how", [("--shares", "100"), ("--all",)], ids=lambda how: how[0])
def test_an_exit_that_is_called_off(
    how: tuple[str, ...], shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount
) -> None:
    stake(venue, shell, alice, "eth", "600")
    asked = done(shell.run("fund", "unstake", "eth", *how, "--send", by=alice)).out
    wanted = "100" if how[0] == "--shares" else "600"
    assert asked.startswith(f'ask for {wanted} shares of pool "eth", worth {wanted} tUSDC\n')
    again = shell.run("fund", "unstake", "eth", "--shares", "1", by=alice)
    assert_refused(again, f"an exit of {wanted} shares is asked for already", "--claim", "--cancel")
    document = done(shell.run("fund", "unstake", "eth", "--cancel", "--send", "--json", by=alice)).document
    assert (document["action"], document["shares"]) == ("cancelRedeem", wanted)
    (mine,) = stakes(shell, alice.address)["pools"]
    assert (mine["shares"], mine["exit"]) == ("600", None)


def test_an_exit_pays_no_more_than_it_is_worth(
    shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount, bob: LocalAccount
) -> None:
    """A loss of half of a per cent after it was asked for, closed by a sale."""
    desk = desks["ETH-USD"]
    stake(venue, shell, alice, "eth", "1000")
    done(shell.run("fund", "unstake", "eth", "--all", "--send", by=alice))
    desk.inherit("icarus", 10, 100, 50, 95)
    desk.price(94)
    desk.deposit(bob, 5000)
    pass_time(venue, 1800)
    desk.buy(Side.LONG, by=bob)
    worth = status(shell, "eth")["balance"]
    assert wad(worth) < wad(1000)
    pass_time(venue, COOLDOWN)
    (mine,) = stakes(shell, alice.address)["pools"]
    assert mine["exit"]["valueAtRequest"] == "1000"
    assert mine["exit"]["pays"] == mine["exit"]["value"]
    assert wad(mine["exit"]["pays"]) <= wad(worth)
    done(shell.run("fund", "unstake", "eth", "--claim", "--send", by=alice))
    assert wallet(venue, alice) == tokens(mine["exit"]["pays"]) + 1


def test_a_ripe_exit_waits_while_a_market_has_lost(
    shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount
) -> None:
    desk = desks["ETH-USD"]
    stake(venue, shell, alice, "eth", "1000")
    done(shell.run("fund", "unstake", "eth", "--value", "100", "--send", by=alice))
    pass_time(venue, COOLDOWN)
    desk.inherit("icarus", 10, 100, 50, 95)
    desk.price(90)
    (mine,) = stakes(shell, alice.address)["pools"]
    assert mine["exit"]["payable"] is False
    assert "after it ETH-USD would have lost 50 within 8 hours" in mine["exit"]["waits"]
    refused = shell.run("fund", "unstake", "eth", "--claim", "--send", by=alice)
    assert_refused(refused, "more than 1 % of the 9", "a ripe exit waits 7 days at most", "[ExitWaits(")
    shown = done(shell.run("fund", "stakes", alice.address)).out
    assert "Waits" in shown
    assert "At latest" in shown
    pass_time(venue, WEEK)
    desk.price(90)
    done(shell.run("fund", "unstake", "eth", "--claim", "--send", by=alice))


# ------------------------------------------------------------------ refusals in words


def test_stakes_that_a_pool_takes_not(
    shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount, owner: Any
) -> None:
    """Beyond the cap, while ADL is due, while its feed is dead: told before an approval is sent."""
    desk = desks["ETH-USD"]
    mint(venue, alice, 5000)
    before = nonce(venue, alice)
    act(owner, desk.fund.setStaking, desk.market.pool, wad(1000), COOLDOWN)
    refused = shell.run("fund", "stake", "eth", "1000.000001", "--send", by=alice)
    assert_refused(refused, 'pool "eth" has room for 1000 tUSDC under its cap', "1000.000001 tUSDC", "[CapExceeded(")
    assert "Cap        1,000, room for 1,000" in done(shell.run("fund", "status", "--pool", "eth")).out
    act(owner, desk.fund.setStaking, desk.market.pool, NO_CAP, COOLDOWN)

    desk.contribute(1000)
    desk.inherit("icarus", 100, 100, 1000, 86)
    assert_refused(
        shell.run("fund", "stake", "eth", "1", "--send", by=alice), "ADL is due in ETH-USD", "takes no stakes"
    )
    assert "none now: ADL is due in ETH-USD" in done(shell.run("fund", "status", "--pool", "eth")).out
    desk.price(70)
    assert_refused(shell.run("fund", "stake", "eth", "1", "--send", by=alice), "ADL is due in ETH-USD")

    desk.price(90)
    venue.system.price_feed.accept(desk.market.id, sender=owner)
    desk.checkpoint()
    act(owner, desk.market.feed.setAnswer, -1)
    assert_refused(shell.run("fund", "stake", "eth", "1", by=alice), "the feed of ETH-USD is dead", "StakeWithoutPrice")
    assert nonce(venue, alice) == before


def test_a_depleted_member_of_the_group(
    shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount
) -> None:
    mint(venue, alice, 10)
    desks["ADA-USD"].contribute(5000)
    desks["DOT-USD"].inherit("icarus", 10, 100, 50, 50)
    refused = shell.run("fund", "stake", "ada", "1", by=alice)
    assert_refused(refused, 'pool "dot" is depleted', "[PoolDepleted(4)]")


def test_a_deficit_is_told_shared_and_repaid(
    shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount, bob: LocalAccount
) -> None:
    """Exits are paid in part while it is open; somebody repays it, and they are paid in full again."""
    assert_refused(shell.run("fund", "repay", "eth", "1", by=bob), 'pool "eth" has no open deficit', "nothing to repay")
    stake(venue, shell, alice, "majors", "1000")
    done(shell.run("fund", "unstake", "majors", "--value", "500", "--send", by=alice))
    pass_time(venue, COOLDOWN)
    open_deficit(desks["ETH-USD"], 5000)

    document = done(shell.run("fund", "status", "--json")).document
    held = wad(document["tokensHeld"])
    assert document["deficit"] == status(shell, "eth")["deficit"] == "5000"
    assert wad(document["withdrawalRate"]) == held * 10**18 // (held + wad(5000))
    told = done(shell.run("fund", "status", "--pool", "eth")).out
    assert "The fund has an open deficit of 5,000: withdrawals are paid 9" in told
    assert "Deficit    5,000 open" in told
    (mine,) = stakes(shell, alice.address)["pools"]
    part = tokens(500) * held // (held + wad(5000))
    assert (mine["exit"]["value"], tokens(mine["exit"]["pays"])) == ("500", part)
    assert "the rest covers the open deficit" in done(shell.run("fund", "stakes", alice.address)).out
    dry = done(shell.run("fund", "unstake", "majors", "--claim", "--json", by=alice)).document
    assert tokens(dry["paid"]) == part

    mint(venue, bob, 6000)
    over = shell.run("fund", "repay", "eth", "5000.000001", "--send", by=bob)
    assert_refused(over, 'pool "eth" has an open deficit of 5000', "repay at most 5000")
    before = wallet(venue, alice)
    claimed = done(shell.run("fund", "unstake", "majors", "--claim", "--send", by=alice)).out
    assert "the rest covers the fund's open deficit" in claimed
    assert wallet(venue, alice) - before == part
    left = status(shell, "eth")["deficit"]
    assert wad(left) == wad(5000) - (tokens(500) - part) * 10**12
    repaid = done(shell.run("fund", "repay", "eth", left, "--send", "--json", by=bob)).document
    assert list(repaid) == ["action", "sent", "pool", "amount", "steps"]
    assert (calls(repaid), status(shell, "eth")["deficit"]) == (["approve", "repay"], "0")
    assert done(shell.run("fund", "status", "--json")).document["withdrawalRate"] == "1"


def test_wrong_amounts_of_shares(shell: Shell, venue: Venue, desks: dict[str, Desk], alice: LocalAccount) -> None:
    assert_refused(shell.run("fund", "unstake", "eth", "--all", by=alice), 'no shares of pool "eth" at hand', "stake")
    for flag in ("--cancel", "--claim"):
        assert_refused(shell.run("fund", "unstake", "eth", flag, by=alice), "no exit is asked for", "--value or --all")
    stake(venue, shell, alice, "eth", "10")
    refused = shell.run("fund", "unstake", "eth", "--shares", "10.000000000000000001", by=alice)
    assert_refused(refused, "10 shares", "fewer than 10.000000000000000001")
    refused = shell.run("fund", "unstake", "eth", "--value", "10.000001", by=alice)
    assert_refused(refused, "worth 10, less than 10.000001", "--all")
    for flags in ([], ["--all", "--claim"], ["--shares", "1", "--value", "1"]):
        assert_refused(shell.run("fund", "unstake", "eth", *flags, by=alice), "say one of --shares N")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("contribute", "doge", "1"), ("unknown pool 'doge'", "majors, eth, ada, dot")),
        (("stake", "", "1"), ("unknown pool ''",)),
        (("unstake", "doge", "--all"), ("unknown pool 'doge'",)),
        (("repay", "doge", "1"), ("unknown pool 'doge'",)),
        (("contribute", "eth", "ten"), ('"ten" is not a decimal amount',)),
        (("stake", "eth", "0"), ('"0" is not above zero',)),
        (("stake", "eth", "0.0000001"), ("more decimals than the 6 of tUSDC",)),
        (("stake", "eth", "1000"), ("has 100 tUSDC, less than 1000", "get more")),
        (("unstake", "eth", "--value", "0.0000001"), ("at hand",)),
        (("repay", "eth", "1"), ("no open deficit",)),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else None,
)
@pytest.mark.parametrize("send", [[], ["--send"]], ids=["dry", "send"])
def test_bad_input_is_one_line_and_nothing_is_sent(
    send: list[str], arguments: tuple[str, ...], words: tuple[str, ...], shell: Shell, venue: Venue, alice: LocalAccount
) -> None:
    mint(venue, alice, 100)
    before = nonce(venue, alice)
    assert_refused(shell.run("fund", *arguments, *send, by=alice), *words)
    assert nonce(venue, alice) == before


@pytest.mark.parametrize("verb", [("contribute", "eth", "1"), ("stake", "eth", "1"), ("repay", "eth", "1")])
def test_keys_and_nodes(verb: tuple[str, ...], shell: Shell, alice: LocalAccount, tmp_path: Path) -> None:
    assert_refused(shell.run("fund", *verb), "no signing key", "--keystore", ENVIRONMENT)
    deployment = json.loads(shell.deployment.read_text())
    dead = ("fund", *verb, "--rpc", "http://127.0.0.1:9", "--deployment", shell.deployment)
    assert_refused(backstop_inside(*dead, key="0x" + "12" * 32), "no answer from http://127.0.0.1:9")
    shell.deployment.write_text(json.dumps(deployment | {"fund_lens": deployment["lens"]}))
    assert_refused(shell.run("fund", *verb, by=alice), "is the deployment file of this chain?")
    shell.deployment.write_text(json.dumps(deployment | {"fund_lens": deployment["token"]}))
    assert_refused(shell.run("fund", *verb, by=alice), "the fund_lens at")


@pytest.mark.parametrize(
    "arguments", [("stakes",), ("stake", "eth"), ("unstake", "eth", "--shares"), ("status", "x"), ("burn",)]
)
def test_usage(arguments: tuple[str, ...], shell: Shell, alice: LocalAccount) -> None:
    result = shell.run("fund", *arguments, by=alice)
    assert (result.status, result.out) == (2, "")
    assert result.err.count("\n") == 1


def test_stakes_of_nobody_and_of_no_address(shell: Shell, bob: LocalAccount) -> None:
    assert stakes(shell, bob.address)["pools"] == []
    assert "No stakes, and no exits." in done(shell.run("fund", "stakes", bob.address)).out
    assert_refused(shell.run("fund", "stakes", "bob"), "'bob' is no address")
