"""Who calls is who sent the call: calldata makes nobody somebody else, and only the named functions answer."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.venue import Venue, wad
from tests.support.acting import refused, refused_without_reason, rpc
from tests.support.desk import Desk

CONTRACTS = (
    "exchange",
    "fund",
    "engine",
    "price_feed",
    "lens",
    "settlement_module",
    "solvency_module",
    "market_module",
    "inventory_module",
    "pool_module",
    "shares_factory",
    "round_book",
    "fund_lens",
)
# What would let one speak for another: meta-transactions, batches of calls, arbitrary calls, initializers, upgrades.
SPEAKING_FOR_OTHERS = (
    "forward",
    "multicall",
    "execute",
    "delegate",
    "permit",
    "initialize",
    "upgrade",
    "operator",
    "approve",
)
# What stops anything, by name.
STOPS = ("pause", "freeze", "halt", "blacklist")


@pytest.mark.parametrize("name", CONTRACTS)
def test_there_is_no_forwarder_and_nothing_like_it(venue: Venue, name: str) -> None:
    methods = [abi.name.lower() for abi in getattr(venue.system, name).contract_type.methods]
    assert methods
    assert [method for method in methods if any(word in method for word in SPEAKING_FOR_OTHERS)] == []


def test_nothing_stops_but_the_guardian_s_pause(venue: Venue) -> None:
    """And that is the exchange's alone; what it leaves alone: test_pause.py."""
    found = {
        f"{name}.{abi.name}"
        for name in CONTRACTS
        for abi in getattr(venue.system, name).contract_type.mutable_methods
        if any(word in abi.name.lower() for word in STOPS)
    }
    assert found == {"exchange.pause", "exchange.endPause"}


def ask(who: Any, contract: Any, data: bytes, value: int = 0) -> None:
    rpc(
        "eth_call",
        {"from": who.address, "to": contract.address, "data": "0x" + data.hex(), "value": hex(value)},
        "latest",
    )


def test_an_address_behind_the_calldata_is_nobody(desk: Desk) -> None:
    """As a trusted forwarder would append it: who calls stays who calls."""
    saver, thief, owner = desk.trader("saver"), desk.trader("thief"), desk.venue.owner
    desk.deposit(saver, 100)
    exchange, fund, account = desk.exchange, desk.fund, desk.account(saver)
    stolen = bytes(exchange.withdraw.encode_input(account, 1, thief.address))
    for tail in (saver.address, exchange.address, desk.engine.address):
        with refused(exchange.NotAccountOwner, account=account, caller=thief.address):
            ask(thief, exchange, stolen + bytes.fromhex(tail[2:]))
        with refused(exchange.NotAccountOwner, account=account, caller=thief.address):
            ask(thief, exchange, stolen + bytes(12) + bytes.fromhex(tail[2:]))
    ratio = bytes(exchange.setBackstopRatio.encode_input(wad("0.9"))) + bytes.fromhex(owner.address[2:])
    with refused(exchange.OwnableUnauthorizedAccount, account=thief.address):
        ask(thief, exchange, ratio)
    credit = bytes(fund.creditFee.encode_input(desk.market.id, 1, 1)) + bytes.fromhex(exchange.address[2:])
    with refused(fund.CallerNotExchange, caller=thief.address):
        ask(thief, fund, credit)
    # Where it says nothing it does no harm: the owner's own call with a tail is the owner's.
    ask(
        saver,
        exchange,
        bytes(exchange.withdraw.encode_input(account, 1, saver.address)) + bytes.fromhex(thief.address[2:]),
    )


@pytest.mark.parametrize("name", CONTRACTS)
@pytest.mark.parametrize("data", ["", "00", "deadbeef", "deadbeef" + "00" * 64, "00000000"])
def test_no_other_selector_answers(desk: Desk, name: str, data: str) -> None:
    with refused_without_reason():
        ask(desk.trader("stranger"), getattr(desk.venue.system, name), bytes.fromhex(data))


@pytest.mark.parametrize("name", CONTRACTS)
def test_nobody_takes_ether(desk: Desk, name: str) -> None:
    contract = getattr(desk.venue.system, name)
    assert not [abi.name for abi in contract.contract_type.methods if abi.stateMutability == "payable"]
    with refused_without_reason():
        ask(desk.trader("stranger"), contract, b"", value=1)
