"""`backstop what-if` on a snapshot file: the document, the table at every width, and each wish that cannot be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_account
from backstop.cli import cli

from .books import ETH, account, document, held, market, pool, position, worked_document

SOL = "SOL-USD"
OWNER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
FEES = "--initial-margin-fraction", "0.1", "--maker-fee", "0.0002", "--taker-fee", "0.0005"
NUMBER = re.compile(r"-?[0-9][0-9,.]*")
BACKSTOP = Path(sys.executable).parent / "backstop"


def run(*arguments: str, book: Any = None, **env: str) -> Result:
    """With the worked case on standard input, unless another book is given."""
    text = json.dumps(worked_document() if book is None else book)
    line = ["what-if", arguments[0], "-", *arguments[1:]]
    return CliRunner(mix_stderr=False, env=env).invoke(cli, line, input=text, prog_name="backstop")


def told(*arguments: str, book: Any = None) -> Any:
    result = run(*arguments, "--json", book=book)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def shown(*arguments: str, book: Any = None) -> str:
    result = run(*arguments, book=book)
    assert (result.exit_code, result.stderr) == (0, "")
    return str(result.stdout)


def refused(*arguments: str, book: Any = None) -> str:
    """The one line of a wish that cannot be."""
    result = run(*arguments, book=book)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 600
    return str(result.stderr)


def ids() -> tuple[str, str, str]:
    """An owner's first and second isolated account of market 1, and the first cross account."""
    first, second = (account_text(isolated_account(OWNER, 1, index)) for index in (0, 1))
    return first, second, account_text(account_of(OWNER, cross_sub_id()))


def chain_like(*more: Any) -> Any:
    """Short 500 ETH in an owner's first account, and who is given."""
    book = document(account(ids()[0], "4000", position("short", "5", "120")), *more)
    book["markets"][SOL] = market("20")
    return book


# ------------------------------------------------------------------ results


def test_the_document_of_a_deposit() -> None:
    """Short 500 from 100 at 80 on 4,000 and 6,000 more; the worked case is due by drawdown."""
    queue = {"account": "trader-a", "market": ETH, "side": "short", "contracts": "500"}
    expected = {
        "account": "trader-a",
        "market": ETH,
        "side": "short",
        "markPrice": "80",
        "change": {"kind": "addMargin", "amount": "6000"},
        "fee": "0",
        "realizedPnl": "0",
        "fundingSettled": None,
        "rankedBefore": 3,
        "rankedAfter": 3,
        "before": {
            "account": "trader-a",
            "contracts": "500",
            "collateral": "4000",
            "equity": "14000",
            "maintenanceMargin": "2000",
            "initialMargin": None,
            "place": queue
            | {
                "adlRank": 1,
                "adlLight": 2,
                "leveragedReturn": "0.028571428571428571",
                "unrealizedPnl": "10000",
                "marginRatio": "0.142857142857142857",
                "bankruptcyPrice": "108",
                "liquidationPrice": "102.857142857142857142",
            },
        },
        "after": {
            "account": "trader-a",
            "contracts": "500",
            "collateral": "10000",
            "equity": "20000",
            "maintenanceMargin": "2000",
            "initialMargin": None,
            "place": queue
            | {
                "adlRank": 2,
                "adlLight": 3,
                "leveragedReturn": "0.02",
                "unrealizedPnl": "10000",
                "marginRatio": "0.1",
                "bankruptcyPrice": "120",
                "liquidationPrice": "114.285714285714285714",
            },
        },
        "newAccount": None,
        "adlDue": {
            "down": {"price": "80", "trigger": "drawdown", "move": "0"},
            "up": {"price": "80", "trigger": "drawdown", "move": "0"},
        },
    }
    assert json.dumps(told("trader-a", "--add-margin", "6000")) == json.dumps(expected)


def test_the_document_of_a_closing() -> None:
    """200 of 500 gain 20 each and cost 0.05 % of 16,000."""
    found = told("trader-a", "--close", "200", *FEES)
    assert found["change"] == {"kind": "close", "contracts": "200"}
    assert (found["fee"], found["realizedPnl"]) == ("8", "4000")
    assert (found["after"]["contracts"], found["after"]["collateral"]) == ("300", "7992")
    assert (found["before"]["initialMargin"], found["after"]["initialMargin"]) == ("4000", "2400")
    # It was in the front, and is behind the 400 from 95 then.
    assert (found["before"]["place"]["adlRank"], found["after"]["place"]["adlRank"]) == (1, 2)


def test_the_document_of_closing_everything() -> None:
    found = told("trader-a", "--close", "500")
    assert found["after"]["place"] is None
    assert (found["rankedBefore"], found["rankedAfter"]) == (3, 2)


def test_the_document_of_a_split() -> None:
    """200 of 500 go at 80, 16,000 in all: 3.2 for the old account, 8 for the new one, which has gained nothing."""
    found = told("trader-a", "--split", "200", "--margin", "2000", "--deposit", *FEES)
    assert found["change"] == {"kind": "split", "contracts": "200", "margin": "2000", "deposited": True}
    assert (found["fee"], found["realizedPnl"]) == ("11.2", "4000")
    beside = found["newAccount"]
    assert (beside["account"], beside["contracts"], beside["collateral"]) == ("trader-a-2", "200", "1992")
    assert (beside["place"]["leveragedReturn"], beside["place"]["adlRank"]) == ("0", 4)
    assert (found["after"]["contracts"], found["after"]["collateral"]) == ("300", "7996.8")
    assert (found["rankedBefore"], found["rankedAfter"]) == (3, 4)


def test_moved_margin_and_a_name_for_the_new_account() -> None:
    """It had 4,000, and its initial margin is all of that: at 0.01 it is 400."""
    low = "--initial-margin-fraction", "0.01"
    found = told("trader-a", "--split", "200", "--margin", "3600", "--into", "mine", *low)
    assert (found["newAccount"]["account"], found["change"]["deposited"]) == ("mine", False)
    assert found["after"]["collateral"] == "4400"
    assert "has 3600 beyond its initial margin" in refused("trader-a", "--split", "200", "--margin", "3601", *low)


def test_the_table_says_it_in_words() -> None:
    text = shown("trader-a", "--split", "200", "--margin", "2000", "--deposit", *FEES)
    cells = {line[:20].strip(): line[20:].split() for line in text.splitlines()}
    assert cells["Rank"] == ["1", "of", "3", "2", "of", "4", "4", "of", "4"]
    assert cells["Equity"] == ["14,000", "13,996.8", "1,992"]
    assert cells["Margin ratio"] == ["14.28", "%", "8.57", "%", "40.16", "%"]
    assert cells["Contracts"] == ["500", "300", "200"]
    assert cells["Bankruptcy price"] == ["108", "126.656", "89.96"]
    assert "If 200 contracts go to a new account with 2,000 of margin from the wallet at mark 80:" in text
    assert "New account: trader-a-2" in text
    assert "Fees 11.2, realized result 4,000, funding as the file has it settled." in text
    assert "ADL in ETH-USD: due now, by drawdown." in text


def test_what_has_no_place_is_told_apart() -> None:
    assert "no position" in shown("trader-a", "--close", "500")
    broke = document(account("poor", "10", position("long", "10", "110")))
    text = shown("poor", "--add-margin", "100", book=broke)
    assert "no equity" in text
    assert "1 of 1" in text
    assert "ADL in ETH-USD: due at no mark." in text
    low = "--initial-margin-fraction", "0.01"
    assert "of margin from this one" in shown("trader-a", "--split", "200", "--margin", "1000", *low)


def test_how_near_adl_is() -> None:
    """A pool of 1,000 that holds long 10 from 100: at 70 it has lost 300 of them, 30 %; nothing if the mark rises."""
    book = document(
        account("a", "100", position("short", "10", "100")), pools={"eth": pool("1000", held("long", "10", "100"))}
    )
    found = told("a", "--add-margin", "1", book=book)
    assert found["adlDue"] == {"down": {"price": "70", "trigger": "drawdown", "move": "-0.3"}, "up": None}
    assert "ADL in ETH-USD: due at a mark of 70 (-30 %, by drawdown)." in shown("a", "--add-margin", "1", book=book)
    both = document(
        account("a", "100", position("short", "10", "100")),
        pools={"eth": pool("1000", held("long", "10", "100"), held("short", "10", "100"))},
    )
    assert "70 (-30 %, by drawdown), or 130 (+30 %, by drawdown)." in shown("a", "--add-margin", "1", book=both)


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_every_number_is_whole_at_every_width(columns: int, tmp_path: Path) -> None:
    file = tmp_path / "book.json"
    file.write_text(json.dumps(worked_document()))
    line = [str(BACKSTOP), "what-if", "trader-a", str(file), "--split", "200", "--margin", "2000", "--deposit", *FEES]

    def numbers(**env: str) -> list[str]:
        environment = os.environ | {"PYTHONIOENCODING": "utf-8"} | env
        out = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
        table = re.sub(r"\x1b\[[0-9;]*m", "", out).split("Rank")[1].split("New account: ")[0]
        return NUMBER.findall(table)

    assert numbers(COLUMNS=str(columns), FORCE_COLOR="1") == numbers()


def test_piped_output_has_no_escape_codes() -> None:
    assert "\x1b" not in shown("trader-a", "--close", "200")


# ------------------------------------------------------------------ which account


def test_an_owner_stands_for_the_one_account_with_a_position() -> None:
    first, second, cross = ids()
    empty = account(second, "7")
    for who in (OWNER, OWNER.upper().replace("0X", "0x"), first, first.upper().replace("0X", "0x")):
        assert told(who, "--add-margin", "1", book=chain_like(empty))["account"] == first
    two = chain_like(account(cross, "1000", position("long", "1", "100"), mode="cross"))
    assert f"has several accounts with a position: name one of {first}, {cross}" in refused(
        OWNER, "--close", "1", book=two
    )
    apart = chain_like(account(cross, "1000", position("long", "1", "20", SOL), mode="cross"))
    assert told(OWNER, "--close", "1", "--market", SOL, book=apart)["account"] == cross
    assert f"has a position in {SOL}" in refused(OWNER, "--close", "1", "--market", SOL, book=chain_like())
    crowd = chain_like(
        *(account(account_text(isolated_account(OWNER, 1, n)), "9", position("long", "1", "99")) for n in range(1, 6))
    )
    assert "and 3 more" in refused(OWNER, "--close", "1", book=crowd)


def test_the_market_is_chosen_where_there_are_several() -> None:
    legs = position("long", "1", "100"), position("long", "3", "20", SOL)
    book = document(account("both", "900", *legs, mode="cross"), markets={ETH: market(), SOL: market("20")})
    assert f"positions in {ETH}, {SOL}: name one by --market" in refused("both", "--close", "1", book=book)
    assert told("both", "--close", "2", "--market", SOL, book=book)["after"]["contracts"] == "1"
    assert "unknown market 'XRP'" in refused("both", "--close", "1", "--market", "XRP", book=book)


def test_the_new_account_is_the_next_one_of_the_kind() -> None:
    first, second, cross = ids()
    split = "--split", "2", "--margin", "500", "--deposit", *FEES
    assert told(first, *split, book=chain_like())["newAccount"]["account"] == second
    third = account_text(isolated_account(OWNER, 1, 2))
    assert told(first, *split, book=chain_like(account(second, "1")))["newAccount"]["account"] == third
    last = account_text(isolated_account(OWNER, 1, 2**64 - 1))
    end = document(account(last, "4000", position("short", "5", "120")))
    assert told(last, *split, book=end)["newAccount"]["account"] == first
    both = document(account(cross, "4000", position("short", "5", "120"), mode="cross"))
    next_cross = account_text(account_of(OWNER, cross_sub_id(1)))
    assert told(cross, *split, book=both)["newAccount"]["account"] == next_cross
    assert (
        told(first, *split, "--into", third.upper().replace("0X", "0x"), book=chain_like())["newAccount"]["account"]
        == third
    )
    for other in (cross, account_text(isolated_account(OWNER, 2)), first.replace("0x7", "0x8", 1), "mine", "x" * 66):
        assert "is no account of the same owner and kind" in refused(first, *split, "--into", other, book=chain_like())
    taken = document(account("a", "4000", position("short", "5", "120")), account("a-2", "1"))
    assert told("a", *split, book=taken)["newAccount"]["account"] == "a-3"


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ((), "say one change: --add-margin AMOUNT, --close CONTRACTS, or --split CONTRACTS"),
        (("--add-margin", "1", "--close", "1"), "say one change"),
        (("--close", "1", "--margin", "1"), "go with --split: leave them out"),
        (("--add-margin", "1", "--deposit"), "go with --split: leave them out"),
        (("--close", "1", "--into", "b"), "go with --split: leave them out"),
        (("--split", "1"), "a split needs --margin AMOUNT"),
        (("--split", "1", "--margin", "1", "--deposit"), "not known: tell it"),
        (("--split", "501", "--margin", "1", *FEES), "501 contracts cannot be split off: account trader-a has 500"),
        (("--split", "200", "--margin", "1", "--deposit", *FEES), "give it 1607 more, or split off fewer"),
        (("--split", "1", "--margin", "1", *FEES), "has 0 beyond its initial margin of 4000"),
        (("--split", "200", "--margin", "2000", "--deposit", "--into", "trader-b", *FEES), "is not new"),
        (("--close", "501"), "501 contracts cannot be closed: account trader-a has 500 in ETH-USD"),
        (("--close", "0"), '--close: "0" is not above zero'),
        (("--close", "1e3"), "--close: "),
        (("--add-margin", "-5"), '--add-margin: "-5" is not above zero'),
        (("--add-margin", "much"), "--add-margin: "),
        (("--add-margin", "0.0000000000000000001"), "--add-margin: "),
        (("--close", "1", "--market", "XRP"), "unknown market 'XRP': the snapshot has ETH-USD"),
        (("--close", "1", "--taker-fee", "1"), "--taker-fee: a fraction is below 1, like 0.05 for 5 %"),
        (("--close", "1", "--initial-margin-fraction", "10"), "--initial-margin-fraction: a fraction is below 1"),
    ],
)
def test_what_cannot_be_is_one_line(wish: tuple[str, ...], words: str) -> None:
    assert words in refused("trader-a", *wish)


def test_who_cannot_be_asked_for() -> None:
    assert "unknown account 'nobody': it holds nothing here" in refused("nobody", "--close", "1")
    assert "unknown account 'xxxx" in refused("x" * 5000, "--close", "1")
    assert f"no account of {OWNER} has a position" in refused(OWNER, "--close", "1")
    flat = document(account("flat", "100"))
    assert "account flat has no position, and so no place in a queue" in refused("flat", "--close", "1", book=flat)
    # Of a price without meaning, or a market that has ended, nothing is traded.
    assert "has no price now" in refused("trader-a", "--close", "1", book=worked_document(priceLive=False))
    assert "was closed" in refused("trader-a", "--close", "1", book=worked_document(closed=True))


def test_without_a_source() -> None:
    result = CliRunner(mix_stderr=False, env={"BACKSTOP_RPC": None, "BACKSTOP_DEPLOYMENT": None}).invoke(
        cli, ["what-if", "a", "--close", "1"], prog_name="backstop"
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: give a snapshot FILE")
    assert result.stderr.count("\n") == 1
