"""What the package makes of the contracts in this process: snapshot, duties, ranks, against contracts and model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backstop.account_id import account_text, is_cross
from backstop.adl.due import due_inventory
from backstop.adl.ranking import rank
from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Account, MarginMode, Position, Side
from backstop.chain.bindings import LENS_ACCOUNT
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.math.funding import payment
from tests.differential.views import ENGINE_RANKING

from .books import LONG, SHORT
from .evm import Evm
from .model import Exchange

CODES = {Side.LONG: LONG, Side.SHORT: SHORT}


class InProcess(Endpoint):
    """A node that answers for the EVM, always at its present block."""

    def __init__(self, evm: Evm) -> None:
        self.url = "the EVM in this process"
        self._evm = evm

    def request(self, method: str, *params: Any) -> Any:
        """`eth_call`, and the header of the present block."""
        if method == "eth_call":
            call = params[0]
            return "0x" + self._evm.chain.view(call["to"], bytes.fromhex(call["data"][2:])).hex()
        assert method == "eth_getBlockByNumber"
        time = self._evm.time
        return {"number": "0x1", "hash": "0x" + "11" * 32, "parentHash": "0x" + "00" * 32, "timestamp": hex(time)}

    def batch(self, asked: Sequence[tuple[str, Sequence[Any]]], size: int = 0) -> list[Any]:
        """One after the other: here nothing travels."""
        return [self.request(method, *params) for method, params in asked]

    def check(self, deployment: Deployment) -> None:
        """Nothing: this is where it was deployed."""


def check_reading(evm: Evm, model: Exchange) -> None:
    """Everything that a keeper and an auditor read."""
    node = InProcess(evm)
    state = read_chain(node, evm.deployment)
    assert state.tokens_held == state.claims == model.tokens
    assert set(state.sums_of_sizes.values()) == {0}
    assert set(state.unpriced) == {_name(market) for market, book in model.books.items() if book.mark == 0}
    assert state.left_out == {}
    assert {account.id: account for account in state.snapshot.accounts} == _accounts(model)
    for pool in model.fund.cash:
        assert state.snapshot.pools[f"pool {pool}"].balance == model.fund.balance(pool)[0]
    _check_due(state, model)
    for market, book in model.books.items():
        if book.mark:
            for side in Side:
                _check_queue(node, evm, state, model, market, side)


def _name(market: int) -> str:
    return f"market {market}"


def _accounts(model: Exchange) -> dict[str, Account]:
    """As the snapshot is to have them: funding taken off, positions in market order."""
    accounts = {}
    for account, margin in model.margins.items():
        positions = []
        for book in model.legs(account):
            held = model.held(account, book)
            margin -= payment(held.size, book.index_at(model.now) - held.index)
            positions.append(Position(_name(book.id), held.size, held.entry))
        if margin or positions:
            mode = MarginMode.CROSS if is_cross(account) else MarginMode.ISOLATED
            text = account_text(account)
            accounts[text] = Account(text, mode, margin, tuple(positions))
    return accounts


def _check_due(state: ChainState, model: Exchange) -> None:
    found = {
        (item.inventory.market, CODES[Side.of(item.inventory.size)]): item.compensation
        for item in due_inventory(state.snapshot)
        if item.inventory.market not in state.unpriced
    }
    meant = {}
    for market, book in model.books.items():
        for side in (LONG, SHORT) if book.mark else ():
            terms = model.fund.terms(book, side)
            if terms is not None:
                meant[_name(market), side] = terms.compensation
    assert found == meant


def _check_queue(node: InProcess, evm: Evm, state: ChainState, model: Exchange, market: int, side: Side) -> None:
    """The engine's ranking, the mirror's, and the prices that it shows beside those of the lens."""
    key = _name(market), side
    ranked = node.call(evm.engine, ENGINE_RANKING, market, CODES[side.opposite], list(model.margins))
    assert [(account_text(row[0]), *row[1:]) for row in ranked] == [
        (one.account.id, one.leg.size, one.leg.entry_notional, one.equity, one.leveraged_return)
        for one in score_sides(state.snapshot, [key])[key].ranked
    ]
    for place in rank(state.snapshot, *key):
        _, health, rate, _, legs = node.call(evm.lens, LENS_ACCOUNT, bytes.fromhex(place.account[2:]))
        assert health == model.shown(bytes.fromhex(place.account[2:]))
        assert place.margin_ratio == rate
        (leg,) = (leg for leg in legs if leg[0] == market)
        assert (place.unrealized_pnl, place.bankruptcy_price) == (leg[4], leg[8])
        assert place.liquidation_price == (leg[7] if leg[7] > 0 else None)
