"""Tokens into pools and out of them, as steps to send. What would be refused is refused before an approval is sent."""

from __future__ import annotations

from backstop.chain.bindings import (
    CANCEL_REDEEM,
    CONTRIBUTE,
    PREVIEW_STAKE,
    REPAY,
    REQUEST_REDEEM,
    SETTLE_REDEEM,
    STAKE,
)
from backstop.chain.fund_view import FundView, PoolView, StakeView
from backstop.errors import BackstopError, RevertError
from backstop.fund.refusals import Words
from backstop.fund.units import Units
from backstop.math.staking import VIRTUAL_ASSETS, VIRTUAL_SHARES, shares_to_assets
from backstop.math.wad import div_ceil, format_amount
from backstop.trading.actions import Step
from backstop.trading.approving import after_approval
from backstop.trading.client import Client


def contribute_steps(client: Client, owner: str, pool: PoolView, market: str | None, amount: int) -> list[Step]:
    """A gift of a WAD amount to a pool, which may name one of its markets."""
    ids = {one.name: one.view.id for one in pool.markets}
    if market is not None and market not in ids:
        raise BackstopError(
            f'pool "{pool.name}" does not stand behind {market!r}: it has {", ".join(ids) or "no markets"}'
        )
    units = client.token.units(amount)
    data = CONTRIBUTE.encode(pool.id, 0 if market is None else ids[market], units)
    return after_approval(
        client, owner, client.deployment.fund, units, Step("contribute", client.deployment.fund, data)
    )


def stake_steps(client: Client, owner: str, pool: PoolView, amount: int, shares: int, words: Words) -> list[Step]:
    """A stake of a WAD amount in a pool, for `shares`.

    Raises RevertError where the pool takes none, or not as much, now.
    """
    units = client.token.units(amount)
    refusal = pool.stake_refusal
    if not refusal and pool.total_shares and not pool.assets:
        refusal = f"SharesWorthless({pool.id})"
    if not refusal and pool.max_stake is not None and units > pool.max_stake:
        refusal = f"CapExceeded({pool.id}, {units}, {pool.max_stake})"
    if not refusal and not shares:
        refusal = "SharesZero()"
    if refusal:
        raise RevertError(words.explain(refusal))
    return after_approval(client, owner, pool.shares, units, Step("stake", pool.shares, STAKE.encode(units, owner)))


def repay_steps(client: Client, owner: str, pool: PoolView, amount: int) -> list[Step]:
    """A payment of a WAD amount for a pool's open deficit. Raises BackstopError where there is none, or less."""
    token = client.token
    units, most = token.units(amount), div_ceil(pool.deficit, token.scale)
    if not pool.deficit:
        raise BackstopError(f'pool "{pool.name}" has no open deficit: there is nothing to repay')
    if units > most:
        raise BackstopError(
            f'pool "{pool.name}" has an open deficit of {format_amount(pool.deficit)}, less than '
            f"{format_amount(amount)}: repay at most {format_amount(token.amount(most))}"
        )
    fund = client.deployment.fund
    return after_approval(client, owner, fund, units, Step("repay", fund, REPAY.encode(pool.id, units)))


def shares_for(client: Client, fund: FundView, pool: PoolView, amount: int) -> int:
    """The shares that a stake of a WAD amount gets now: fewer than its value while inventory has gained."""
    units = client.token.units(amount)
    return int(client.endpoint.call(pool.shares, PREVIEW_STAKE, units, block={"blockHash": fund.block.hash}))


def value_of(pool: PoolView, shares: int) -> int:
    """What shares are worth now, token units."""
    return shares_to_assets(shares, pool.assets, pool.total_shares)


def shares_worth(pool: PoolView, stake: StakeView, units: int, names: Units) -> int:
    """The fewest of an owner's shares that are worth token units. Raises BackstopError where all are worth less."""
    if units > stake.value:
        raise BackstopError(
            f'the shares at hand in pool "{pool.name}" are worth {names.tokens(stake.value)}, less than '
            f"{names.tokens(units)}: give less, or --all"
        )
    return div_ceil(units * (pool.total_shares + VIRTUAL_SHARES), pool.assets + VIRTUAL_ASSETS)


def request_steps(pool: PoolView, stake: StakeView, shares: int, names: Units, words: Words) -> list[Step]:
    """An exit of shares. Raises a BackstopError where the owner has fewer, or has asked for one already."""
    if stake.exit is not None:
        raise RevertError(words.explain(f"RequestOpen({pool.shares}, {stake.exit.shares})"))
    if not stake.shares:
        raise BackstopError(f'there are no shares of pool "{pool.name}" at hand: stake first')
    if shares > stake.shares:
        raise BackstopError(
            f'{names.shares(stake.shares)} shares of pool "{pool.name}" are at hand, fewer than '
            f"{names.shares(shares)}: give fewer, or --all"
        )
    return [Step("requestRedeem", pool.shares, REQUEST_REDEEM.encode(shares))]


def cancel_steps(pool: PoolView) -> list[Step]:
    """The end of an exit that was asked for."""
    return [Step("cancelRedeem", pool.shares, CANCEL_REDEEM.encode())]


def claim_steps(pool: PoolView, owner: str) -> list[Step]:
    """The payment of a ripe exit, to its owner."""
    return [Step("settleRedeem", pool.shares, SETTLE_REDEEM.encode(owner))]
