"""What keepers stake on leaving nobody out of a round: read, posted, asked for, taken out."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.chain.bindings import (
    AVAILABLE_BOND,
    BOND,
    CLAIM,
    CLAIMABLE,
    POST_BOND,
    RELEASE_BOND,
    REQUEST_BOND,
    ROUND_PARAMETERS,
    ROUND_PARAMETERS_OF,
    ROUND_RECORD,
    ROUNDS_OF,
    WITHDRAW_BOND,
)
from backstop.chain.snapshot import read_block
from backstop.errors import BackstopError
from backstop.math.wad import format_amount
from backstop.trading.actions import Step
from backstop.trading.approving import after_approval
from backstop.trading.client import Client

_MOST_FREED = 200  # rounds a transaction; some 10,000 gas each


@dataclass(frozen=True, slots=True)
class RoundParameters:
    """By what a round may be challenged. Seconds, WAD and WAD quote."""

    window: int
    exempt_age: int
    tolerance: int
    return_floor: int
    min_penalty: int
    bond_cap: int


@dataclass(frozen=True, slots=True)
class BondView:
    """A keeper's bond at one block; quote amounts in WAD, times in seconds.

    `reserved` covers rounds that may still be challenged, `leaving` was asked for and is ripe at `ripe_at`; `available`
    is what a new round can be covered by, `claimable` what challenges have brought the owner.
    """

    keeper: str
    amount: int
    reserved: int
    leaving: int
    ripe_at: int
    available: int
    claimable: int
    now: int
    parameters: RoundParameters


def read_bond(client: Client, keeper: str) -> BondView:
    """A keeper's bond as it is now."""
    endpoint, book = client.endpoint, client.deployment.round_book
    block = read_block(endpoint, client.deployment.chain_id)
    at = {"blockHash": block.hash}
    amount, _, _, leaving, ripe_at = endpoint.call(book, BOND, keeper, block=at)
    available = endpoint.call(book, AVAILABLE_BOND, keeper, block=at)
    return BondView(
        keeper=keeper,
        amount=amount,
        # What has closed counts no more, whether or not it was released on chain.
        reserved=max(0, amount - leaving - available),
        leaving=leaving,
        ripe_at=ripe_at,
        available=available,
        claimable=endpoint.call(book, CLAIMABLE, keeper, block=at),
        now=block.timestamp,
        parameters=RoundParameters(*endpoint.call(book, ROUND_PARAMETERS, block=at)),
    )


def post_steps(client: Client, owner: str, amount: int) -> list[Step]:
    """The posting of a WAD amount, after an approval of just that where the book may take less.

    Raises BackstopError where the owner does not have it.
    """
    book, units = client.deployment.round_book, client.token.units(amount)
    return after_approval(client, owner, book, units, Step("postBond", book, POST_BOND.encode(units)))


def request_steps(client: Client, bond: BondView, amount: int) -> list[Step]:
    """The request for a WAD amount of a bond; 0 calls one off. Raises BackstopError where less is posted."""
    if amount > bond.amount:
        raise BackstopError(
            f"{bond.keeper} has posted {format_amount(bond.amount)}, less than {format_amount(amount)}: ask for less"
        )
    if not amount and not bond.leaving:
        raise BackstopError(f"{bond.keeper} has asked for nothing: there is nothing to call off")
    return [Step("requestBond", client.deployment.round_book, REQUEST_BOND.encode(client.token.units(amount)))]


def withdraw_steps(client: Client, bond: BondView) -> list[Step]:
    """The payment of what was asked for. Raises BackstopError where nothing was, or it is not ripe."""
    if not bond.leaving:
        raise BackstopError(f"{bond.keeper} has asked for nothing: ask for a part of the bond with an AMOUNT first")
    if bond.now < bond.ripe_at:
        wait = bond.ripe_at - bond.now
        raise BackstopError(f"what was asked for can be taken out in {wait} s: wait until then")
    return [Step("withdrawBond", client.deployment.round_book, WITHDRAW_BOND.encode(bond.keeper))]


def release_steps(client: Client, bond: BondView) -> list[Step]:
    """The release of what covers rounds that have closed. Raises BackstopError where no such round holds anything.

    Rounds and withdrawals release by themselves, in order; this is for what waits behind a round with a longer window.
    """
    endpoint, book = client.endpoint, client.deployment.round_book
    released = endpoint.call(book, BOND, bond.keeper)[2]
    closed = []
    for place, number in enumerate(endpoint.call(book, ROUNDS_OF, bond.keeper, released, 2**32), released):
        record = endpoint.call(book, ROUND_RECORD, number)
        window = endpoint.call(book, ROUND_PARAMETERS_OF, record[5])[0]
        if record[-1] and bond.now > record[1] + window:
            closed.append(place)
    if not closed:
        raise BackstopError(f"no round of {bond.keeper} that has closed holds a part of its bond: nothing to release")
    chunks = [closed[i : i + _MOST_FREED] for i in range(0, len(closed), _MOST_FREED)]
    return [Step("releaseBond", book, RELEASE_BOND.encode(bond.keeper, chunk)) for chunk in chunks]


def claim_steps(client: Client, bond: BondView) -> list[Step]:
    """The payment of what challenges have brought. Raises BackstopError where that is nothing."""
    if bond.claimable < client.token.scale:
        raise BackstopError(f"no challenge has brought {bond.keeper} anything: there is nothing to claim")
    return [Step("claim", client.deployment.round_book, CLAIM.encode(bond.keeper))]
