"""Where an owner's accounts stand at one block, position by position, under ccxt's unified field names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from backstop.account_id import account_text, index_of, is_cross, market_of, owner_of
from backstop.adl.ranking import Ranked, rank
from backstop.adl.snapshot import MarginMode, Side
from backstop.chain.bindings import LENS_ACCOUNT, LENS_ACCOUNTS
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import PAGE, ChainState, read_chain
from backstop.errors import BackstopError
from backstop.math.margin import is_liquidatable, is_to_be_taken_over
from backstop.math.wad import UINT256_MAX, WAD, div_ceil, div_floor
from backstop.trading.funding import funding_paid


class Due(StrEnum):
    """What anyone may do to an account. The text is what JSON says."""

    LIQUIDATION = "liquidation"
    TAKEOVER = "takeover"


@dataclass(frozen=True, slots=True)
class PositionStanding:
    """A position. WAD; `contracts` and `notional` (at mark, rounded down) unsigned, `unrealized_pnl` signed.

    `leverage` is the notional over the equity of its account, None where there is no equity; `liquidation_price` is
    None where none is above zero, rank and light where the account has no place in the queue. `funding_paid` is what
    was settled, `funding_pending` what is due beside it; both below zero where they were got. `settles_at` is from when
    on a position of a closed market is settled, at its mark; None where the market is open.
    """

    market: str
    side: Side
    contracts: int
    entry_price: int
    mark_price: int
    notional: int
    leverage: int | None
    unrealized_pnl: int
    maintenance_margin: int
    liquidation_price: int | None
    bankruptcy_price: int
    adl_rank: int | None
    adl_light: int | None
    funding_paid: int
    funding_pending: int
    settles_at: int | None


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """An account. WAD; `collateral` (margin, funding settled) and `equity` signed.

    `market` is None for a cross account, `margin_ratio` (`MM/E`) is None where the equity is not above zero, and
    `is_low` says that anyone may flag it, `due` what else they may do. Funding is summed over all markets, also those
    that it has left.
    """

    account: bytes
    margin_mode: MarginMode
    market: str | None
    index: int
    collateral: int
    equity: int
    maintenance_margin: int
    initial_margin: int
    margin_ratio: int | None
    is_low: bool
    due: Due | None
    funding_paid: int
    funding_pending: int
    positions: tuple[PositionStanding, ...]


def read_standings(
    endpoint: Endpoint, deployment: Deployment, owner: str | None, account: bytes | None
) -> tuple[ChainState, list[AccountStanding]]:
    """Every account of an owner (a 0x address) that holds anything, by id; or just one, also where it is empty.

    Raises BackstopError for an isolated one in a market that is not listed.
    """
    state = read_chain(endpoint, deployment)
    if account is not None and not is_cross(account) and market_of(account) not in state.market_ids.values():
        listed = ", ".join(f"{name} ({number})" for name, number in state.market_ids.items())
        raise BackstopError(
            f"{account_text(account)} is an account in market {market_of(account)}, which is not listed: "
            f"the exchange has {listed or 'none'}"
        )
    at = {"blockHash": state.block.hash}
    ids = [account] if account is not None else _accounts_of(endpoint, deployment, state, (owner or "").lower())
    paid = funding_paid(endpoint, deployment, state.block, ids)
    names = {number: name for name, number in state.market_ids.items()}
    places = _places(state)
    standings = []
    for one in ids:
        view = _AccountState(*endpoint.call(deployment.lens, LENS_ACCOUNT, one, block=at))
        own = {m: amount for (a, m), amount in paid.items() if a == one}
        standings.append(_standing(view, names, own, places, state))
    return state, standings


def read_pending_funding(
    endpoint: Endpoint, deployment: Deployment, state: ChainState, account: bytes, market: str
) -> int:
    """What an account's position in a market owes for funding at a state's block, WAD; below zero where it is owed.

    A trade in the market settles that, and nothing of the account's other positions.
    """
    view = _AccountState(*endpoint.call(deployment.lens, LENS_ACCOUNT, account, block={"blockHash": state.block.hash}))
    legs = [_Leg(*leg) for leg in view.legs]
    return sum(leg.funding for leg in legs if leg.market == state.market_ids[market])


def _accounts_of(endpoint: Endpoint, deployment: Deployment, state: ChainState, owner: str) -> list[bytes]:
    found = {bytes.fromhex(account.id[2:]) for account in state.snapshot.accounts}
    for name in state.left_out:  # the snapshot does not show those, but they may hold collateral
        offset, rows = 0, [None]
        while rows:
            rows = endpoint.call(
                deployment.lens,
                LENS_ACCOUNTS,
                state.market_ids[name],
                offset,
                PAGE,
                block={"blockHash": state.block.hash},
            )
            found.update(row[0] for row in rows if row[1] or row[3])
            offset += len(rows)
    return sorted(account for account in found if owner_of(account) == owner)


_Places = Callable[[str, Side], Mapping[str, Ranked]]


def _places(state: ChainState) -> _Places:
    """The queue of a side by account, each made once."""

    @cache
    def of(market: str, side: Side) -> dict[str, Ranked]:
        if market not in state.snapshot.markets:
            return {}
        return {place.account: place for place in rank(state.snapshot, market, side)}

    return of


class _AccountState(NamedTuple):
    """BackstopLens.AccountState, field by field."""

    account: bytes
    health: tuple[int, int, int, int, int]
    margin_rate: int
    is_low: bool
    legs: list[Any]


class _Leg(NamedTuple):
    """BackstopLens.LegView, field by field."""

    market: int
    mark: int
    size: int
    entry_notional: int
    unrealized_pnl: int
    funding: int
    maintenance_margin: int
    liquidation_price: int
    bankruptcy_price: int


def _due(equity: int, maintenance_margin: int, exposed: int, backstop_ratio: int) -> Due | None:
    """`exposed` is the part of the margin that is not of closed markets, where nothing moves any more."""
    if is_to_be_taken_over(equity, exposed if equity > 0 else maintenance_margin, backstop_ratio):
        return Due.TAKEOVER
    return Due.LIQUIDATION if is_liquidatable(equity, exposed) else None


def _standing(
    view: _AccountState, names: dict[int, str], paid: dict[int, int], places: _Places, state: ChainState
) -> AccountStanding:
    collateral, equity, _, maintenance_margin, initial_margin = view.health
    legs = [_Leg(*leg) for leg in view.legs]
    settles_at = {leg.market: state.terms[names[leg.market]].settles_at for leg in legs}
    exposed = sum(leg.maintenance_margin for leg in legs if not settles_at[leg.market])
    cross = is_cross(view.account)
    return AccountStanding(
        account=view.account,
        margin_mode=MarginMode.CROSS if cross else MarginMode.ISOLATED,
        market=None if cross else names.get(market_of(view.account)),
        index=index_of(view.account),
        collateral=collateral,
        equity=equity,
        maintenance_margin=maintenance_margin,
        initial_margin=initial_margin,
        margin_ratio=None if view.margin_rate == UINT256_MAX else view.margin_rate,
        is_low=view.is_low,
        due=_due(equity, maintenance_margin, exposed, state.backstop_ratio) if legs else None,
        funding_paid=sum(paid.values()),
        funding_pending=sum(leg.funding for leg in legs),
        positions=tuple(
            _position(
                leg,
                names[leg.market],
                equity,
                paid.get(leg.market, 0),
                places,
                account_text(view.account),
                settles_at[leg.market],
            )
            for leg in legs
        ),
    )


def _position(
    leg: _Leg, market: str, equity: int, paid: int, places: _Places, account: str, settles_at: int
) -> PositionStanding:
    side, contracts = Side.of(leg.size), abs(leg.size)
    place = places(market, side).get(account)
    notional = contracts * leg.mark // WAD
    # An entry is the signed notional rounded up: rounded back, it gives the price of a single fill again.
    entry = div_floor if side is Side.LONG else div_ceil
    return PositionStanding(
        market=market,
        side=side,
        contracts=contracts,
        entry_price=entry(leg.entry_notional * WAD, leg.size),
        mark_price=leg.mark,
        notional=notional,
        leverage=notional * WAD // equity if equity > 0 else None,
        unrealized_pnl=leg.unrealized_pnl,
        maintenance_margin=leg.maintenance_margin,
        liquidation_price=leg.liquidation_price if leg.liquidation_price > 0 else None,
        bankruptcy_price=leg.bankruptcy_price,
        adl_rank=place.adl_rank if place else None,
        adl_light=place.adl_light if place else None,
        funding_paid=paid,
        funding_pending=leg.funding,
        settles_at=settles_at or None,
    )
