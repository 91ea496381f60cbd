"""The pool of several markets for the tests of cross accounts: who is who, what the contracts say, the keeper."""

from __future__ import annotations

from typing import Any

from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.adl.snapshot import Account, Side
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.duties import SIDE_CODES, Liquidate, TakeOver
from backstop.keeper.liquidations import Liquidator
from backstop.math.wad import WAD
from backstop.transactions.sender import Sender
from scripts.stage.cross import HOLDERS, Harbour, Holder
from scripts.stage.venue import wad

ETH, XBT, SOL = "ETH-PERP", "XBT-PERP", "SOL-PERP"


def holder(name: str) -> Holder:
    """A trader of the table."""
    return next(one for one in HOLDERS if one.trader == name)


def read(harbour: Harbour) -> ChainState:
    """The state of the latest block."""
    return read_chain(harbour.venue.endpoint, harbour.venue.deployment)


def account(state: ChainState, harbour: Harbour, name: str) -> Account:
    """A trader's account in a state."""
    names = harbour.names()
    return next(one for one in state.snapshot.accounts if names.get(one.id) == name)


def sizes(state: ChainState, harbour: Harbour, name: str) -> dict[str, int]:
    """What a trader holds."""
    return {one.market: one.size for one in account(state, harbour, name).positions}


def trade(harbour: Harbour, maker: str, taker: str, market: str, contracts: str, price: str) -> None:
    """The taker takes signed contracts from the maker, both with the accounts of the table."""
    made, taken = holder(maker), holder(taker)
    harbour.venue.trade(
        harbour.signer(made),
        harbour.signer(taken),
        harbour.markets[market],
        wad(contracts),
        wad(price),
        (harbour.account(made), harbour.account(taken)),
    )


def ranking_of_contracts(harbour: Harbour, market: str, side: Side) -> list[tuple[str, int, int, int]]:
    """Account, signed size, equity and leveraged return of all holders of a side, as the engine orders them."""
    candidates = [harbour.account(one) for one in HOLDERS]
    ranked = harbour.venue.system.engine.ranking(harbour.markets[market].id, SIDE_CODES[side.opposite], candidates)
    return [("0x" + bytes(one.account).hex(), one.size, one.equity, one.leveragedReturn) for one in ranked]


def on_chain(harbour: Harbour, name: str) -> Any:
    """Where a trader stands, as the lens says by the code of the exchange."""
    return harbour.venue.system.lens.account(harbour.account(holder(name)))


def cycle(harbour: Harbour, signer: LocalAccount, notional: int = 0, *, send: bool = True) -> Cycle:
    """The signer's keeper; it liquidates where it is given a notional."""
    endpoint = harbour.venue.endpoint
    liquidator = Liquidator(signer.address, 0, notional * WAD) if notional else None
    sender = Sender(endpoint, signer, chain.chain_id)
    return Cycle(endpoint, harbour.venue.deployment, sender, send=send, liquidator=liquidator)


def told(actions: list[Action], harbour: Harbour) -> list[tuple[str, str]]:
    """What was done to whom: a name and its markets, or a market and the side of its inventory."""
    names = harbour.names()
    found = []
    for action in actions:
        assert action.refusal is None, action.refusal
        duty = action.duty
        if isinstance(duty, TakeOver):
            found.append((f"take over {names[duty.account]}", " ".join(duty.markets)))
        elif isinstance(duty, Liquidate):
            found.append((f"liquidate {names[duty.account]}", duty.market))
        else:
            found.append((f"deleverage {duty.plan.side}", duty.plan.market))
    return found
