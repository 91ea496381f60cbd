"""The cycle against a world that moves: others act between its reading, its simulation and its transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.adl.snapshot import Account, Block
from backstop.chain.bindings import DEPOSIT, WITHDRAW
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import RevertError, RpcError
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.duties import Deleverage, TakeOver, deadline_of, rounds, take_overs
from backstop.keeper.results import action_document, executed_round
from backstop.math.wad import WAD, format_amount
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender
from scripts.stage.venue import TestMarket, Venue, rpc_url, wad
from tests.support.desk import Desk, open_desk

from .taking import take_over
from .terms import TERMS


class Eventful(Endpoint):
    """An endpoint that lets something happen just before a request; each event once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.before: dict[str, list[Callable[[], Any]]] = {}

    def request(self, method: str, *params: Any) -> Any:
        events = self.before.get(method, [])
        if events:
            events.pop(0)()
        return super().request(method, *params)


def nothing() -> None:
    """An event that is none."""


@pytest.fixture
def eventful() -> Eventful:
    """The keeper's endpoint."""
    return Eventful(rpc_url())


@pytest.fixture
def cycle(eventful: Eventful, venue: Venue, operator: LocalAccount) -> Cycle:
    """The operator's keeper, sending."""
    return Cycle(eventful, venue.deployment, Sender(eventful, operator, chain.chain_id), send=True)


def read(venue: Venue) -> ChainState:
    """The state of the latest block."""
    return read_chain(venue.endpoint, venue.deployment)


def account(state: ChainState, venue: Venue, market: TestMarket, seat: str) -> Account:
    """A trader's account."""
    return next(one for one in state.snapshot.accounts if one.id == venue.account_of(market, seat))


def fills_of(action: Action) -> list[tuple[str, str, str]]:
    """Account, contracts and price of each fill, from the events."""
    assert action.receipt is not None, action.refusal
    return [(fill["account"], fill["contracts"], fill["price"]) for fill in executed_round(action.receipt)["fills"]]


def done(actions: list[Action]) -> list[tuple[type, bool, str | None]]:
    """What each action was and became."""
    return [(type(action.duty), action.receipt is not None, action.refusal) for action in actions]


def leave(venue: Venue, market: TestMarket, seat: str) -> None:
    """A trader of the case closes at mark against the whale, who is long."""
    size = account(read(venue), venue, market, seat).positions[0].size
    whale, trader = (venue.trader(f"{market.name} {name}") for name in ("whale", seat))
    venue.trade(whale, trader, market, -size, wad(80))


def transaction_of(duty: TakeOver | Deleverage, state: ChainState, venue: Venue, sender: Sender) -> Receipt:
    """Sends a duty as it was planned at a state, whatever has happened since."""
    return sender.send(*duty.transaction(state, venue.deployment))


# ------------------------------------------------------------------ counterparties that move


def test_counterparty_that_left_does_not_stop_the_round(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    """The first in the queue closes between plan and transaction; a spare takes its place."""
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    hawk, swift, heron = (venue.account_of(gapped, seat) for seat in ("hawk", "swift", "heron"))
    assert [fill.account for fill in duty.plan.fills] == [hawk, swift]
    assert duty.plan.listing.accounts == (hawk, swift, heron)

    leave(venue, gapped, "hawk")
    receipt = transaction_of(duty, planned_at, venue, Sender(eventful, operator, chain.chain_id))
    executed = executed_round(receipt)
    assert executed["skipped"] == [{"account": hawk, "reason": "flat"}]
    assert [(fill["account"], fill["contracts"], fill["price"]) for fill in executed["fills"]] == [
        (swift, "600", "82.5"),
        (heron, "200", "82.5"),
    ]
    after = read(venue)
    assert after.snapshot.pools["eth"].inventory == ()
    assert format_amount(after.snapshot.pools["eth"].balance) == "15000"
    assert after.tokens_held == after.claims


@pytest.mark.parametrize("move", ["deposit", "withdrawal"])
def test_one_unit_more_or_less_does_not_stop_the_round(
    move: str, gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    hawk = venue.trader("ETH-USD hawk")
    own = bytes.fromhex(venue.account_of(gapped, "hawk")[2:])
    if move == "deposit":
        venue.give(hawk, 1, venue.system.exchange)
        data = DEPOSIT.encode(int.from_bytes(own[20:], "big"), 1)
    else:
        data = WITHDRAW.encode(own, 1, hawk.address)
    venue.send(hawk, venue.system.exchange, data)

    receipt = transaction_of(duty, planned_at, venue, Sender(eventful, operator, chain.chain_id))
    assert [fill["account"] for fill in executed_round(receipt)["fills"]] == [fill.account for fill in duty.plan.fills]
    assert read(venue).snapshot.pools["eth"].inventory == ()


def test_all_counterparties_of_the_plan_leaving_is_refused_and_planned_anew(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    for seat in ("hawk", "swift"):
        leave(venue, gapped, seat)
    # Whale is the counterparty of those who left: 0 of 900 are left to it, so heron hands over to a newcomer.
    newcomer = venue.trader("newcomer")
    venue.deposit(newcomer, gapped, 5000)
    venue.trade(newcomer, venue.trader("ETH-USD heron"), gapped, wad(400), wad(80))

    cycle = Cycle(eventful, venue.deployment, Sender(eventful, operator, chain.chain_id), send=True)
    stale = cycle._act(duty, planned_at)
    assert stale.refusal == "NothingDeleveraged(3)"
    assert stale.receipt is None
    assert venue.endpoint.quantity("eth_getTransactionCount", operator.address, "pending") == 0

    fresh = Cycle(eventful, venue.deployment, Sender(eventful, operator, chain.chain_id), send=True)
    actions = list(fresh.run(pytest.fail))
    assert done(actions) == [(Deleverage, True, None)]
    assert read(venue).snapshot.pools["eth"].inventory == ()


def test_price_that_moves_a_little_is_followed(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    """The round is executed at the price that the chain finds, within the keeper's bounds."""
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    venue.set_price(gapped, Decimal("79.5"))
    receipt = transaction_of(duty, planned_at, venue, Sender(eventful, operator, chain.chain_id))
    executed = executed_round(receipt)
    # Loss 7,400 of 20,000, of which 5,000 may stay: 2,400 over 800 contracts.
    assert (executed["markPrice"], executed["adlPrice"]) == ("79.5", "82.5")
    assert executed["compensation"] == "2400"


def test_mark_that_moves_on_is_refused(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    """By more than the list of the plan is made for: who was left off it may rank elsewhere now."""
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    venue.set_price(gapped, Decimal("79.1"))
    cycle = Cycle(eventful, venue.deployment, Sender(eventful, operator, chain.chain_id), send=True)
    refusal = f"MarkOutsideBounds({gapped.id}, {wad('79.1')}, {wad('79.2')}, {wad('80.8')})"
    assert cycle._act(duty, planned_at).refusal == refusal


def test_price_that_jumps_is_refused(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    """A twentieth of the mark is how far the price of the round may be from the plan: 82.5 was, 76.25 would be now."""
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    venue.contribute(venue.trader("patron"), gapped, 20_000)
    venue.set_price(gapped, 71)
    cycle = Cycle(eventful, venue.deployment, Sender(eventful, operator, chain.chain_id), send=True)
    action = cycle._act(duty, planned_at)
    assert action.refusal is not None
    assert action.refusal.startswith("PriceOutsideBounds(")
    assert action_document(action)["refused"] == action.refusal
    assert action_document(action)["round"] is None


def test_plan_that_is_too_old_is_refused(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    take_over(venue, gapped)
    planned_at = read(venue)
    (duty,) = rounds(planned_at)
    eventful.request("evm_increaseTime", 91)
    eventful.request("evm_mine")
    cycle = Cycle(eventful, venue.deployment, Sender(eventful, operator, chain.chain_id), send=True)
    assert cycle._act(duty, planned_at).refusal == f"DeadlinePassed({planned_at.block.timestamp + 90})"


@pytest.mark.parametrize(
    ("age", "into_the_hour", "has_funding", "seconds"),
    [
        (120, 0, True, 90),
        (40, 0, True, 30),
        (120, 3509, True, 90),
        (120, 3510, True, 89),
        (120, 3599, True, 0),
        (120, 3599, False, 90),  # without funding the end of an hour changes nothing
    ],
)
def test_a_deadline_ends_with_exemptions_and_before_funding_is_accrued(
    age: int, into_the_hour: int, has_funding: bool, seconds: int
) -> None:
    terms = replace(TERMS, has_funding=has_funding)
    at = 1_790_000_000 - 1_790_000_000 % 3600 + into_the_hour
    state = SimpleNamespace(block=Block(1, 1, "0x01", at), exempt_age=age, terms={"ETH-USD": TERMS, "SOL-USD": terms})
    assert deadline_of(cast(ChainState, state)) == at + seconds


# ------------------------------------------------------------------ a twin


def test_twin_that_was_faster_leaves_one_effect(
    gapped: TestMarket, venue: Venue, eventful: Eventful, operator: LocalAccount
) -> None:
    """Two keepers read the same state; what the first did is refused to the second, before it pays for anything."""
    seen = read(venue)
    (takes,) = take_overs(seen)
    first = Cycle(venue.endpoint, venue.deployment, Sender(venue.endpoint, operator, chain.chain_id), send=True)
    twin_signer = venue.trader("twin")
    twin = Cycle(eventful, venue.deployment, Sender(eventful, twin_signer, chain.chain_id), send=True)

    assert first._act(takes, seen).receipt is not None
    late = twin._act(takes, seen)
    assert late.refusal == f"PositionMissing({takes.account})"

    seen = read(venue)
    (deleverages,) = rounds(seen)
    assert first._act(deleverages, seen).receipt is not None
    after = read(venue)
    late = twin._act(deleverages, seen)
    assert late.refusal == f"ADLNotDue({gapped.id}, 0)"
    assert read(venue) == after
    assert venue.endpoint.quantity("eth_getTransactionCount", twin_signer.address, "pending") == 0


def test_twin_between_reading_and_acting(gapped: TestMarket, venue: Venue, eventful: Eventful, cycle: Cycle) -> None:
    """The takeover is refused, and the round that it brought due is done all the same."""
    eventful.before["eth_estimateGas"] = [lambda: take_over(venue, gapped)]
    actions = list(cycle.run(pytest.fail))
    account_id = venue.account_of(gapped, "icarus")
    assert done(actions) == [(TakeOver, False, f"PositionMissing({account_id})"), (Deleverage, True, None)]
    assert read(venue).snapshot.pools["eth"].inventory == ()


def test_twin_between_simulation_and_block(
    gapped: TestMarket, venue: Venue, eventful: Eventful, cycle: Cycle, operator: LocalAccount
) -> None:
    """The transaction is mined and fails; what is due after it is done all the same."""
    eventful.before["eth_sendRawTransaction"] = [lambda: take_over(venue, gapped)]
    actions = list(cycle.run(pytest.fail))
    assert [(type(action.duty), action.receipt is not None) for action in actions] == [
        (TakeOver, False),
        (Deleverage, True),
    ]
    account_id = venue.account_of(gapped, "icarus")
    assert actions[0].refusal is not None
    assert actions[0].refusal.endswith(f": PositionMissing({account_id})")
    assert venue.endpoint.quantity("eth_getTransactionCount", operator.address, "pending") == 2
    assert read(venue).snapshot.pools["eth"].inventory == ()


# ------------------------------------------------------------------ what was refused


class Refusing(Endpoint):
    """An endpoint whose simulations are all refused, each on a block of its own."""

    def request(self, method: str, *params: Any) -> Any:
        if method == "eth_estimateGas":
            super().request("evm_mine")
            raise RevertError("not today")
        return super().request(method, *params)


def crowd(venue: Venue, gapped: TestMarket, dust: int) -> tuple[Desk, dict[str, str]]:
    """At 89 a large long is at -100 and those of a crowd at -0.01 each; the accounts by id, and a pool that can pay.

    Nothing is due elsewhere.
    """
    venue.set_price(gapped, 90)
    desk = open_desk(venue, "CROWD-USD", 100, initial="0.1", maintenance="0.05")
    desk.contribute(100_000)
    desk.deposit(desk.trader("crowd whale"), 1_000_000)
    sizes = {"large": 100 * WAD} | {f"dust {number}": WAD // 100 for number in range(dust)}
    accounts = {}
    for name, contracts in sizes.items():
        trader = desk.open(name, contracts, wad(100), Decimal(10 * contracts) / WAD, against="crowd whale")
        accounts["0x" + desk.account(trader).hex()] = name
    desk.price(89)
    return desk, accounts


def test_what_was_refused_and_is_due_again_is_done_in_the_same_cycle(
    gapped: TestMarket, venue: Venue, eventful: Eventful, cycle: Cycle
) -> None:
    """The price is back for a moment, just when the large account's turn comes."""
    desk, accounts = crowd(venue, gapped, dust=4)
    eventful.before["eth_estimateGas"] = [lambda: desk.price(100), lambda: desk.price(89)]
    actions = list(cycle.run(pytest.fail))
    large = next(account for account, name in accounts.items() if name == "large")
    assert [accounts[one.duty.account] == "large" for one in actions] == [True, False, False, False, True, False]
    assert actions[0].refusal == f"TakeoverNotDue({large}, {wad(1000)}, {wad(500)})"
    assert all(one.receipt for one in actions[1:])
    assert {one.duty.account for one in actions} == set(accounts)


@pytest.mark.parametrize("times", [1, 2])
def test_a_round_that_failed_for_its_price_goes_before_what_waits_for_it(
    times: int, gapped: TestMarket, venue: Venue, eventful: Eventful, cycle: Cycle
) -> None:
    """The price moves in the round's own block, which says nothing of the next one."""
    crowd(venue, gapped, dust=8)
    venue.set_price(gapped, 80)
    take_over(venue, gapped)
    prices = [Decimal("79.1"), Decimal("78.2")][:times]
    eventful.before["eth_sendRawTransaction"] = [
        nothing,
        *(partial(venue.set_price, gapped, price) for price in prices),
    ]
    actions = list(cycle.run(pytest.fail))
    first = next(place for place, one in enumerate(actions) if isinstance(one.duty, Deleverage) and one.receipt)
    assert [(type(one.duty), one.receipt is not None) for one in actions[: first + 1]] == [
        (TakeOver, True),
        *[(Deleverage, False)] * times,
        (Deleverage, True),
    ]
    assert all("MarkOutsideBounds(" in str(one.refusal) for one in actions[1 : 1 + times])
    assert not take_overs(read(venue))


def test_a_cycle_ends_where_everything_is_refused(gapped: TestMarket, venue: Venue, operator: LocalAccount) -> None:
    """Each is tried once, also those behind the first few, though the chain moves on."""
    _, accounts = crowd(venue, gapped, dust=5)
    endpoint = Refusing(rpc_url())
    cycle = Cycle(endpoint, venue.deployment, Sender(endpoint, operator, chain.chain_id), send=True)
    actions = list(cycle.run(pytest.fail))
    assert [one.refusal for one in actions] == ["not today"] * 6
    assert {one.duty.account for one in actions} == set(accounts)


# ------------------------------------------------------------------ nodes that lag or fall silent


def test_node_that_falls_behind_its_own_transactions_is_not_believed(
    gapped: TestMarket, venue: Venue, operator: LocalAccount
) -> None:
    """Behind a load balancer the next read may come from a node that has not seen the takeover: act on it no more."""
    old = read(venue).block.number

    class Lagging(Endpoint):
        acted = False
        lags = False

        def request(self, method: str, *params: Any) -> Any:
            self.acted = self.acted or method == "eth_sendRawTransaction"
            self.lags = self.lags or (self.acted and method == "eth_chainId")
            if method == "eth_getBlockByNumber" and self.lags:
                params = (hex(old), *params[1:])
            return super().request(method, *params)

    endpoint = Lagging(rpc_url())
    cycle = Cycle(endpoint, venue.deployment, Sender(endpoint, operator, chain.chain_id), send=True)
    actions = []
    with pytest.raises(
        RpcError, match=f"is at block {old}, behind block {old + 1} with this keeper's last transaction"
    ):
        actions += cycle.run(pytest.fail)
    assert len(read(venue).snapshot.pools["eth"].inventory) == 1


def test_dry_run_of_a_cycle_sends_nothing_at_all(gapped: TestMarket, venue: Venue, operator: LocalAccount) -> None:
    """Not even by the way: no request that could change anything leaves it."""
    asked = set()

    class Listening(Endpoint):
        def request(self, method: str, *params: Any) -> Any:
            asked.add(method)
            return super().request(method, *params)

    endpoint = Listening(rpc_url())
    cycle = Cycle(endpoint, venue.deployment, Sender(endpoint, operator, chain.chain_id), send=False)
    assert len(list(cycle.run(pytest.fail))) == 1
    assert asked == {"eth_chainId", "eth_getCode", "eth_getBlockByNumber", "eth_call", "eth_estimateGas"}
