"""What keepers stake on leaving nobody out of a round: read, posted, asked for, taken out."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.chain.bindings import (
    AVAILABLE_BOND,
    BOND,
    CLAIM,
    CLAIMABLE,
    POST_BOND,
    REQUEST_BOND,
    ROUND_PARAMETERS,
    WITHDRAW_BOND,
)
from backstop.chain.snapshot import read_block
from backstop.errors import BackstopError
from backstop.math.wad import format_amount
from backstop.trading.actions import Step
from backstop.trading.approving import after_approval
from backstop.trading.client import Client


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


def claim_steps(client: Client, bond: BondView) -> list[Step]:
    """The payment of what challenges have brought. Raises BackstopError where that is nothing."""
    if bond.claimable < client.token.scale:
        raise BackstopError(f"no challenge has brought {bond.keeper} anything: there is nothing to claim")
    return [Step("claim", client.deployment.round_book, CLAIM.encode(bond.keeper))]
