"""`backstop what-if`: what a change of an account would do to its place in the queue."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.account_id import (
    account_of,
    account_text,
    cross_sub_id,
    index_of,
    is_cross,
    is_well_formed,
    isolated_sub_id,
    market_of,
    owner_of,
)
from backstop.adl.snapshot import Account, Snapshot
from backstop.adl.trigger_price import trigger_prices
from backstop.adl.what_if import AddMargin, Close, Outcome, Split, Terms, Wish, what_if
from backstop.commands.options import Amount
from backstop.commands.source import read_source_and_chain, snapshot_source
from backstop.errors import BackstopError, WhatIfError
from backstop.math.wad import WAD

if TYPE_CHECKING:
    from backstop.chain.snapshot import ChainState

_SHOWN = 80
_OWNER, _ID = 42, 66  # letters of an address, and of an account's id on a chain


@click.command("what-if")
@click.argument("who", metavar="ACCOUNT")
@snapshot_source
@click.option("--market", metavar="NAME", help="Which of its positions, where it has several.")
@click.option("--add-margin", type=Amount(), metavar="AMOUNT", help="Deposit so much.")
@click.option("--close", type=Amount(), metavar="CONTRACTS", help="Close so much of the position, at mark, as a taker.")
@click.option("--split", type=Amount(), metavar="CONTRACTS", help="Move so much of it to a new account, at mark.")
@click.option("--margin", type=Amount(), metavar="AMOUNT", help="With --split: what the new account gets first.")
@click.option("--deposit", is_flag=True, help="With --split: from the wallet. Else out of the account.")
@click.option("--into", metavar="ID", help="With --split: the new account. Default the owner's next one of that kind.")
@click.option(
    "--initial-margin-fraction", type=Amount(), metavar="F", help="Of a FILE's markets, which --split is judged by."
)
@click.option("--maker-fee", type=Amount(or_zero=True), metavar="F", help="Of a FILE's markets. Default 0.")
@click.option("--taker-fee", type=Amount(or_zero=True), metavar="F", help="Of a FILE's markets. Default 0.")
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of a table.")
def what_if_command(
    who: str,
    file: str | None,
    rpc: str | None,
    deployment: Path | None,
    market: str | None,
    add_margin: int | None,
    close: int | None,
    split: int | None,
    margin: int | None,
    deposit: bool,
    into: str | None,
    initial_margin_fraction: int | None,
    maker_fee: int | None,
    taker_fee: int | None,
    as_json: bool,
) -> None:
    """What would lower an account's place in the queue, and what it costs: nothing is sent.

    ACCOUNT is an id of the snapshot FILE (- reads standard input), or of the chain; or the owner's address there, if
    just one of its accounts has a position.
    """
    wish = _wish(add_margin, close, split, margin, deposit, into)
    state, chain = read_source_and_chain(file, rpc, deployment)
    account = _account(state, who, market)
    if isinstance(wish, Split):
        wish = replace(wish, into=_new_account(state, account.id, wish.into))
    given = {
        "--initial-margin-fraction": initial_margin_fraction,
        "--maker-fee": maker_fee,
        "--taker-fee": taker_fee,
    }
    outcome = what_if(state, account.id, market, wish, _terms(state, chain, given))
    funding = None
    if chain is not None and rpc is not None and deployment is not None:
        funding = _settled(rpc, deployment, chain, outcome, wish)
    triggers = trigger_prices(state, outcome.market)
    if as_json:
        from backstop.adl.what_if_results import outcome_document

        document = outcome_document(outcome, wish, state.markets[outcome.market], triggers, funding)
        click.echo(json.dumps(document, indent=2))
        return
    from backstop.render_what_if import print_outcome

    print_outcome(outcome, wish, state.markets[outcome.market], triggers, funding)


def _wish(
    add_margin: int | None, close: int | None, split: int | None, margin: int | None, deposit: bool, into: str | None
) -> Wish:
    """The one change that is told; a split into "" where no account is named. Raises BackstopError."""
    if [add_margin, close, split].count(None) == 2:
        if split is not None:
            if margin is None:
                raise BackstopError("a split needs --margin AMOUNT: what the new account gets first")
            return Split(split, margin, into or "", deposit)
        if margin is not None or deposit or into is not None:
            raise BackstopError("--margin, --deposit and --into go with --split: leave them out")
        if close is not None:
            return Close(close)
        if add_margin is not None:
            return AddMargin(add_margin)
    raise BackstopError("say one change: --add-margin AMOUNT, --close CONTRACTS, or --split CONTRACTS")


# ------------------------------------------------------------------ whose


def _account(state: Snapshot, who: str, market: str | None) -> Account:
    """The account with an id, or the one of an owner that has a position. Raises WhatIfError."""
    if len(who) == _OWNER and who.startswith("0x"):
        own = [
            one
            for one in state.accounts
            if one.id.startswith(who.lower())
            and len(one.id) == _ID
            and any(market in (None, leg.market) for leg in one.positions)
        ]
        if len(own) == 1:
            return own[0]
        where = "" if market is None else f" in {market}"
        if own:
            ids = ", ".join(one.id for one in own[:3]) + (f" and {len(own) - 3} more" if len(own) > 3 else "")
            raise WhatIfError(f"{who} has several accounts with a position{where}: name one of {ids}")
        raise WhatIfError(f"no account of {who} has a position{where}, and so none has a place in a queue")
    for one in state.accounts:
        if one.id == who or (len(who) == _ID and one.id == who.lower()):
            return one
    raise WhatIfError(f"unknown account {_cut(who)}: it holds nothing here")


def _new_account(state: Snapshot, account: str, wanted: str) -> str:
    """The account to split into: what is wanted, else the owner's next one of the same kind that holds nothing.

    Raises WhatIfError for one that is not the owner's, or of another kind.
    """
    number = _number(account)
    if wanted:
        other = _number(wanted)
        if number is not None and (other is None or _kind(other) != _kind(number)):
            raise WhatIfError(f"{_cut(wanted)} is no account of the same owner and kind as {account}: leave --into out")
        return wanted if other is None else account_text(other)
    taken = {one.id for one in state.accounts}
    following = 0 if number is None else index_of(number)
    while True:
        following += 1
        name = f"{account}-{following + 1}" if number is None else account_text(_numbered(number, following))
        if name not in taken:
            return name


def _kind(account: bytes) -> bytes:
    """Its owner, and its market or none."""
    return _numbered(account, 0)


def _number(account: str) -> bytes | None:
    """A chain's account id; None of another name."""
    try:
        number = bytes.fromhex(account.removeprefix("0x"))
    except ValueError:
        return None
    return number if len(account) == _ID and len(number) == 32 and is_well_formed(number) else None


def _numbered(account: bytes, index: int) -> bytes:
    index %= 1 << 64
    sub_id = cross_sub_id(index) if is_cross(account) else isolated_sub_id(market_of(account), index)
    return account_of(owner_of(account), sub_id)


def _cut(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"


# ------------------------------------------------------------------ what it is judged by


def _terms(state: Snapshot, chain: ChainState | None, given: dict[str, int | None]) -> dict[str, Terms]:
    """Of a chain what its markets ask for; of a file what the command line says, for each of its markets."""
    told = [name for name, fraction in given.items() if fraction is not None]
    if chain is None:
        for name in told:
            if (given[name] or 0) >= WAD:
                raise BackstopError(f"{name}: a fraction is below 1, like 0.05 for 5 %")
        initial, maker, taker = given.values()
        return dict.fromkeys(state.markets, Terms(initial, maker or 0, taker or 0))
    if told:
        raise BackstopError(f"the chain tells what {told[0]} would say: leave it out, or give a snapshot FILE")
    return {
        name: Terms(
            initial_margin_fraction=terms.initial_margin_fraction,
            maker_fee=terms.maker_fee,
            taker_fee=terms.taker_fee,
            min_size=terms.min_size,
            max_notional=terms.max_notional,
            isolated_only=terms.isolated_only,
        )
        for name, terms in chain.terms.items()
    }


def _settled(rpc: str, deployment: Path, state: ChainState, outcome: Outcome, wish: Wish) -> int:
    """The funding that a change settles, of the position where it is traded. Raises for margin no token can pay."""
    from backstop.chain.endpoint import Endpoint
    from backstop.trading.client import Client
    from backstop.trading.standing import read_pending_funding

    client = Client.open(Endpoint(rpc), deployment)
    if isinstance(wish, AddMargin):
        client.token.units(wish.amount)
        return 0
    if isinstance(wish, Split):
        client.token.units(wish.margin)
    account = bytes.fromhex(outcome.before.account[2:])
    return read_pending_funding(client.endpoint, client.deployment, state, account, outcome.market)
