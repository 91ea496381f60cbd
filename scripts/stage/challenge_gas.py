"""What it costs to show that an account was left out of a round, where it was touched since."""

from __future__ import annotations

from typing import Any

from backstop.account_id import account_of, cross_sub_id
from backstop.chain.bindings import CHALLENGE
from scripts.stage.crowd import Call, account, deposit_calls, deposit_to_calls, gas_of, send_all
from scripts.stage.gas_crowds import GAPPED, Crowd, gap, isolated_crowd, list_markets, open_in
from scripts.stage.venue import Venue, wad

LEGS = 16


def measure_challenges(venue: Venue) -> dict[str, int]:
    """An isolated account, without hints; a cross account of sixteen legs that were all traded since, with hints."""
    return {"challenge": _isolated(venue), "challengeCross": _cross(venue)}


def _isolated(venue: Venue) -> int:
    crowd = isolated_crowd(venue, "bench-pair", [20, 520])
    _leave_out_the_first(venue, crowd)
    send_all(venue, deposit_calls(venue, crowd.signers[0], crowd.market, 10))
    return _challenge(venue, crowd, [])


def _cross(venue: Venue) -> int:
    """Each leg was traded after the round, and so was kept with the account's margin."""
    name = "bench-octopus"
    markets = list_markets(venue, name, LEGS)
    octopus, second = venue.trader(f"{name} octopus"), venue.trader(f"{name} second")
    cross = account_of(octopus.address, cross_sub_id())
    calls = deposit_to_calls(venue, octopus, cross_sub_id(), 200) + deposit_calls(venue, second, markets[0], 520)
    send_all(venue, [*calls, *open_in(venue, name, markets[1:], [octopus], [cross])])
    crowd = gap(venue, name, markets[0], [octopus, second], [cross, account(second, markets[0])])
    _leave_out_the_first(venue, crowd)
    send_all(venue, open_in(venue, name, markets[1:], [octopus], [cross]))
    send_all(venue, open_in(venue, name, markets[:1], [octopus], [cross], price=wad(GAPPED)))
    hints = venue.system.round_book.kept(venue.system.engine.roundCount(), cross)
    if len(hints) != LEGS + 1 or not all(hints):
        raise RuntimeError(f"of the account and its {LEGS} legs was kept {hints}: this is a bug")
    return _challenge(venue, crowd, hints)


def _leave_out_the_first(venue: Venue, crowd: Crowd) -> None:
    send_all(venue, [crowd.round_call(venue, crowd.accounts[1:])])


def _challenge(venue: Venue, crowd: Crowd, hints: Any) -> int:
    data = CHALLENGE.encode(venue.system.engine.roundCount(), crowd.accounts[0], hints)
    return gas_of(venue, Call(venue.trader("bench hunter"), venue.system.round_book, data))
