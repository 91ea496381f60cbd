"""The three cases of the demo, on chain, through the keeper's own cycle, against figures worked out by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ape import chain

from backstop.adl.planning import plan
from backstop.adl.ranking import rank
from backstop.adl.results import plan_document
from backstop.adl.snapshot import Side
from backstop.adl.snapshot_file import dumps, loads
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.results import executed_round
from backstop.math.wad import format_amount, parse_amount
from backstop.transactions.sender import Sender
from scripts.stage.cases import CASES, Case
from scripts.stage.venue import TestMarket, Venue, wad

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NAMED = {case.name: case for case in CASES}


@dataclass
class Played:
    """A case that a keeper has cleaned up: the states on the way, its actions, and what each account id is called."""

    market: TestMarket
    gapped: ChainState
    taken_over: ChainState
    after: ChainState
    round: dict[str, Any]
    planned: dict[str, Any]
    names: dict[str, str]

    def fills(self) -> list[tuple[str, str, str]]:
        """Who was closed, for how many contracts, at which price."""
        return [(self.names[fill["account"]], fill["contracts"], fill["price"]) for fill in self.round["fills"]]

    def realized(self) -> list[str]:
        """What each fill brought its account, as the margins tell."""
        before = {account.id: account.margin for account in self.gapped.snapshot.accounts}
        after = {account.id: account.margin for account in self.after.snapshot.accounts}
        return [format_amount(after[fill["account"]] - before[fill["account"]]) for fill in self.round["fills"]]

    def sizes(self) -> dict[str, str]:
        """Open positions after the round, by trader."""
        accounts = self.after.snapshot.accounts
        return {self.names[one.id]: format_amount(one.positions[0].size) for one in accounts if one.positions}


def play(case: Case, venue: Venue) -> Played:
    """A case from its trades to the end of the keeper's cycle."""
    market = venue.play(case)
    names = {venue.account_of(market, seat.trader): seat.trader for seat in case.seats}
    venue.set_price(market, case.gap)
    gapped = read_chain(venue.endpoint, venue.deployment)
    keeper = venue.trader("keeper")
    venue.post_bond(keeper)
    sender = Sender(venue.endpoint, keeper, chain.chain_id)
    [take_over, deleverage] = Cycle(venue.endpoint, venue.deployment, sender, send=True).run(pytest.fail)
    return Played(
        market=market,
        gapped=gapped,
        taken_over=read_chain(venue.endpoint, venue.deployment, block_of(take_over)),
        after=read_chain(venue.endpoint, venue.deployment),
        round=executed_round(deleverage.receipt) if deleverage.receipt else {},
        planned=plan_document(deleverage.duty.plan),
        names=names,
    )


def block_of(action: Action) -> int:
    """The block that an action was mined in."""
    assert action.receipt is not None, action.refusal
    return action.receipt.block


@pytest.fixture
def venue(owner: Any) -> Venue:
    """A system of its own: the ids of the example file are those of a first market."""
    return Venue.open(owner)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_planned_is_what_happens(case: Case, venue: Venue) -> None:
    played = play(case, venue)

    [due] = plan(played.taken_over.snapshot)
    assert plan_document(due) == played.planned
    assert played.planned["adlPrice"] == played.round["adlPrice"]
    assert played.planned["compensation"] == played.round["compensation"]
    assert [(f["account"], f["contracts"], f["price"], f["leveragedReturn"]) for f in played.planned["fills"]] == [
        (f["account"], f["contracts"], f["price"], f["leveragedReturn"]) for f in played.round["fills"]
    ]
    assert [fill["realizedPnl"] for fill in played.planned["fills"]] == played.realized()
    assert played.after.tokens_held == played.after.claims
    assert played.after.sums_of_sizes == {case.market: 0}
    assert plan(played.after.snapshot) == []


def test_the_worked_case(venue: Venue) -> None:
    played = play(NAMED["worked-case"], venue)

    # 800 from 90 with 1,000: p_b = 88.75, at 80 the loss is 7,000 of 20,000; 2,000 bring it to 5,000.
    assert played.planned["drawdown"] == "0.35"
    assert played.round["compensation"] == "2000"
    assert played.round["adlPrice"] == "82.5"
    assert played.fills() == [("hawk", "300", "82.5"), ("swift", "500", "82.5")]
    assert played.realized() == ["5250", "3750"]  # 300 * (100 - 82.5), 500 * (90 - 82.5)
    assert played.sizes() == {"heron": "-400", "owl": "-200", "whale": "900", "swift": "-100", "finch": "-200"}
    market, pool = played.after.snapshot.markets["ETH-USD"], played.after.snapshot.pools["eth"]
    assert (market.pnl, market.max_pnl_8h, pool.balance) == (wad(-5000), 0, wad(15000))
    assert not market.adl_active


def test_the_example_file_is_the_state_in_which_the_worked_case_is_due(venue: Venue) -> None:
    played = play(NAMED["worked-case"], venue)

    example = (EXAMPLES / "worked-case.json").read_text(encoding="utf-8")
    reached = json.loads(dumps(played.taken_over.snapshot))
    reached.pop("block")
    assert json.loads(example) == reached
    [due] = plan(loads(example))
    assert plan_document(due) == played.planned


def test_five_thousand_contracts_all_come_from_the_first(venue: Venue) -> None:
    case = NAMED["queue-5000"]
    played = play(case, venue)

    lights = [(played.names[place.account], place.adl_light) for place in queue(played.gapped, case)]
    assert lights == [("first", 1), ("second", 2), ("third", 3), ("fourth", 3), ("fifth", 4), ("sixth", 5)]
    # E = -9,000 is a drawdown of 45 %; 4,000 bring it to 25 % of 20,000, 0.8 a contract.
    assert (played.planned["drawdown"], played.round["compensation"]) == ("0.45", "4000")
    assert played.fills() == [("first", "5000", "8.8")]
    assert played.sizes()["first"] == "-500"
    assert played.sizes()["second"] == "-2500"


def test_ten_thousand_contracts_take_all_of_the_first_three(venue: Venue) -> None:
    case = NAMED["queue-10000"]
    played = play(case, venue)

    # E = -18,000 of 15,000; 18,000 - 3,750 over 10,000 contracts.
    assert (played.planned["drawdown"], played.round["compensation"]) == ("1.2", "14250")
    price = format_amount(parse_amount("8") + 14_250 * 10**18 // 10_000)
    assert played.fills() == [("first", "5500", price), ("second", "2500", price), ("third", "2000", price)]
    shorts = {name: size for name, size in played.sizes().items() if Decimal(size) < 0}
    assert shorts == {"fourth": "-3000", "fifth": "-2000", "sixth": "-5000"}


def queue(state: ChainState, case: Case) -> list[Any]:
    """The shorts of a case's market, first to go first."""
    return rank(state.snapshot, case.market, Side.SHORT)
