"""The invariants, each judged from what the contracts showed before and after an action.

S1  what can be taken out is covered by the tokens held and by what others are in deficit; while pools have an open
    deficit every withdrawal is paid the same part, which the next one is paid too; keepers' bonds, and what can be
    claimed of them, are held in tokens of their own, to the wei
S2  tokens held are the claims of accounts, pools, funding pots, fees, the treasury and keepers, to the wei
O1  sizes of accounts and pools cancel out, and the longs are the open interest
U1  a funding pot is what all positions and inventories have yet to get, and the dust of roundings, exactly
U2  an hour moves a funding index by at most the cap of its fills, and by less where little of what is open was filled
F1  no pool pays what it does not have: its shares stand for no more than its balance less its burden, and an exit gets
    the smaller of its value then and now
F2  a share is worth less only after a loss: of its pool, or of another member of its group
F3  shares are made for stakes and go with exits; none are left with nobody, all together are worth no more than the
    pool has, and none are sold that stand for nothing
F4  an exit does not make ADL due, unless it has waited for as long as one may
F5  a pool's account is moved by its own business alone, but for deficits that are paid for and redistribution in the
    mutual group, which goes from those that have to those that lack and is no market's result
F6  the items of a pool are its cash, to the wei
L1  the legs of a cross account are what it holds, ascending, all of one shared pool
A1  ADL conserves value to the wei
A2  a flat account never pays
A3  nobody solvent is made insolvent by ADL, takeover, an auction or another's liquidation
A4  ADL reduces only
A5  ADL comes only when due, and takes no more than needed
A6  executed leveraged returns descend within a pass, and nobody better ranked of those given is left out
A7  once per account and round
A8  a keeper's reward comes out of the keeper budget, and is no more than its parameters, a share of what the round
    brought beyond mark, and what trading as much brings that budget
B1  a takeover comes only when due, and leaves nothing behind
B2  a liquidation comes only when due, does not worsen the margin rate, and leaves no position that is too small
C1  an order is filled in its own epoch only, until it expires or is cancelled, and no more than its size
G1  nobody else's account changes, but by liquidation, takeover and ADL
H1  while a round may be challenged, every account is known as the round found it: whether it was left out of it, its
    leveraged return and what it was spared
K1  accruals: the second changes nothing, and within an hour no index moves
K2  a keeper comes to an end (in `sequences`)
N1  positions that somebody has traded are within their market's limits, and so is what was paid
P1  no trade, liquidation, sale of inventory, round or withdrawal on a bad price
R1  a refusal is a known error, and changes nothing (in `machine`)
M1  everything is as the mirror has it, to the wei (in `machine`)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from backstop.account_id import is_cross
from backstop.math.funding import payment
from backstop.math.wad import WAD

from . import pool_checks
from .state import Inventory, State
from .steps import Violation
from .world import MARKETS, MOST_DUST, SHARED, label, market_of

# What each of them says, by its id, in the order of the list above.
INVARIANTS = {
    name: " ".join(text.split())
    for name, text in re.findall(r"^([A-Z]\d)  (.+(?:\n    .+)*)", __doc__ or "", re.MULTILINE)
}


def holds_always(state: State, marks: list[int], counts: Counter[str]) -> Iterator[Violation]:
    """S1, S2, O1, U1 and L1, and what always holds of pools."""
    claims = sum(held.cash for held in state.accounts.values()) + sum(pool.claim for pool in state.pools)
    claims += state.treasury + state.keepers
    claims += sum(market.funding.pot + market.funding.fees for market in state.markets)
    counts["S2"] += state.tokens != 0
    if claims != state.tokens:
        yield Violation("S2", f"tokens held {state.tokens}, claims {claims}: {claims - state.tokens} too many")
    yield from _covered(state, marks, counts)
    bonds = sum(state.bonds) + sum(state.claimable)
    if bonds != state.bonded:
        yield Violation("S1", f"bonds and claims on them are {bonds}, {state.bonded} is held for them")
    yield from pool_checks.hold_always(state, counts)
    for spec, market in zip(MARKETS, state.markets, strict=True):
        sizes = [held.size for held in state.of_market(spec.id).values()] + [market.long.size, market.short.size]
        longs = sum(size for size in sizes if size > 0)
        shorts = -sum(size for size in sizes if size < 0)
        counts["O1"] += longs != 0
        if not longs == shorts == market.open_interest:
            yield Violation(
                "O1", f"market {spec.id}: long {longs}, short {shorts}, open interest {market.open_interest}"
            )
        yield from _pot_is_due(state, spec.id, counts)
    for account, held in state.accounts.items():
        pools = {state.pool_of(market) for market in held.open()}
        counts["L1"] += len(held.legs) > 1
        if is_cross(account):
            holds = list(held.legs) == held.open() and pools <= {SHARED}
        else:
            holds = held.legs == () and set(held.open()) <= {market_of(account)}
        if not holds:
            yield Violation("L1", f"{label(account)} holds {held.open()} of pools {pools}, its legs are {held.legs}")


def _pot_is_due(state: State, market: int, counts: Counter[str]) -> Iterator[Violation]:
    """U1, in WAD squared, at the index that is stored."""
    view = state.markets[market - 1]
    funding = view.funding
    owed = sum(position.due(funding.index) for position in state.of_market(market).values())
    owed += view.long.due(funding.index) + view.short.due(funding.index)
    counts["U1"] += owed != 0
    unclaimed, dust = funding.pot * WAD + owed, funding.dust * WAD + funding.rest
    if unclaimed < dust if funding.dust == MOST_DUST else unclaimed != dust:
        yield Violation("U1", f"market {market}: {unclaimed} of the pot is nobody's, the dust is {dust}")


def _covered(state: State, marks: list[int], counts: Counter[str]) -> Iterator[Violation]:
    """S1: what can be taken out is held, but for what bankrupt accounts and depleted pools are short of."""
    payable, deficits = _payable_and_deficits(state, marks)
    counts["S1"] += payable != 0 and deficits == 0
    if payable > state.tokens + deficits:
        yield Violation("S1", f"{payable} can be taken out of {state.tokens} held, with deficits of {deficits}")


def cannot_be_paid(state: State, marks: list[int], counts: Counter[str]) -> Iterator[Violation]:
    """S1: a withdrawal is only left unpaid where losses have not been taken over yet, or could not be covered."""
    counts["withdrawals that the tokens held do not cover"] += 1
    _, deficits = _payable_and_deficits(state, marks)
    if deficits == 0:
        yield Violation("S1", "a withdrawal is not paid, and nobody is in deficit")


def _payable_and_deficits(state: State, marks: list[int]) -> tuple[int, int]:
    quotes = state.quotes(marks)
    payable, deficits = state.treasury + state.keepers, 0
    for held in state.accounts.values():
        sum_ = held.health(quotes)
        payable += sum_.withdrawable
        deficits += max(0, -sum_.equity)
    for number, pool in enumerate(state.pools, start=1):
        balance = pool.cash
        for market_id in state.markets_of(number):
            market = state.markets[market_id - 1]
            for held in (market.long, market.short):
                balance -= _loss(held, marks[market_id - 1]) + payment(held.size, market.index - held.index)
        payable += max(0, balance)
        deficits += max(0, -balance)
    payable += sum(market.funding.fees for market in state.markets)
    return payable, deficits


def _loss(held: Inventory, mark: int) -> int:
    return max(0, held.entry - held.size * mark // WAD)
