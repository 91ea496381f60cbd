"""Every action is done on chain and in the model; whatever either can be asked then is equal to the wei."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, isolated_account, isolated_sub_id
from backstop.adl.due import due_inventory
from backstop.adl.execution import SkipReason
from backstop.adl.listing import NO_BOUND
from backstop.adl.planning import Plan
from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Side
from backstop.chain.bindings import (
    CANDIDATE_SKIPPED,
    CONTRIBUTE,
    DELEVERAGE,
    DELEVERAGED,
    DEPOSIT,
    ROUND_EXECUTED,
    SETTLE,
    TAKE_OVER,
    WITHDRAW,
    Event,
    Function,
)
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper.duties import Deleverage
from backstop.math.fund import adl_price
from backstop.math.wad import WAD
from backstop.orders import Order, sign
from scripts.stage.parameters import MarketParameters

from .model import FLAT, SIDES, Book, Closing, Model, Outcome, Refusals, Signal, Skip, Trigger, Vault
from .views import (
    ADL_ENDED,
    ADL_STARTED,
    AGGREGATOR_SET_ANSWER,
    CHECKPOINTED,
    ENGINE_RANKING,
    EXCHANGE_ACCOUNTS_OPEN_INTEREST,
    EXCHANGE_MARKET,
    EXCHANGE_SET_PARAMETERS,
    FUND_ADL_TERMS,
    FUND_BACKING,
    FUND_CHECKPOINT,
    FUND_SET_DRAWDOWN_BOUNDS,
)
from .world import POOLS, World

TOKEN = 10**12  # WAD in a token unit
FEED = 10**10  # WAD in a unit of a feed's answer
HOUR = 3600
WINDOW_SECONDS = 8 * HOUR
NO_BOUNDS = (-(2**255), 2**255 - 1, [], NO_BOUND, 2**256 - 1)


class Stage:
    """A chain and a model side by side. `reached` counts what happened, by name."""

    def __init__(self, world: World, rng: Random, reached: Counter[str]) -> None:
        self.world = world
        self.rng = rng
        self.reached = reached
        # Aligned, so that a history meets the edges of buckets and windows at the same places whenever it is played.
        self.now = (self._head() // WINDOW_SECONDS + 2) * WINDOW_SECONDS
        self.model = Model(books={}, vaults={name: Vault(name, kind) for name, kind in POOLS.items()})
        for listing in world.listings.values():
            book = Book(listing.id, listing.name, listing.pool, 100 * WAD, WAD // 10, WAD // 20)
            book.peak.touch(listing.listed_at, 0)
            self.model.books[listing.name] = book
        self.state: ChainState

    # ------------------------------------------------------------------ actions

    def set_fractions(self, name: str, initial: int, maintenance: int) -> None:
        """The owner sets the margin fractions of a market; a liquidation takes half of the maintenance margin."""
        book = self.model.books[name]
        parameters = MarketParameters(initial, maintenance, maintenance // 4, maintenance // 4)
        data = EXCHANGE_SET_PARAMETERS.encode(book.id, parameters)
        self._send(self.world.owner, self.world.deployment.exchange, data)
        book.initial, book.maintenance = initial, maintenance

    def set_bounds(self, name: str, trigger: int, stop: int, target: int) -> None:
        """The owner moves the bounds of drawdown."""
        self.model.set_drawdown_bounds(name, trigger, stop, target, self.now)
        data = FUND_SET_DRAWDOWN_BOUNDS.encode(self.model.books[name].id, trigger, stop, target)
        self._send(self.world.owner, self.world.deployment.fund, data)

    def set_mark(self, name: str, mark: int) -> None:
        """The feed's next answer: `mark` as far as a feed can tell it."""
        answer = min(max(1, mark // FEED), 10**16)
        self._send(self.world.owner, self.world.listings[name].feed, AGGREGATOR_SET_ANSWER.encode(answer))
        self.model.books[name].mark = answer * FEED

    def warp(self, seconds: int) -> None:
        """Time goes by; the feeds go on with the same answers."""
        self.now += seconds
        for name, book in self.model.books.items():
            self.set_mark(name, book.mark)

    def deposit(self, name: str, trader: LocalAccount, units: int) -> None:
        """Token units into the trader's isolated account."""
        sub_id = isolated_sub_id(self.model.books[name].id)
        self._send(trader.address, self.world.deployment.exchange, DEPOSIT.encode(sub_id, units))
        self.model.deposit(name, self.account_of(trader, name), units * TOKEN)

    def withdraw(self, name: str, account: bytes, units: int) -> None:
        """Token units out of an account, or the exchange says why not."""
        owner = _address(account)
        refusals = self.model.withdraw(name, account, units * TOKEN)
        self._try(owner, WITHDRAW.encode(account, units, owner), refusals)

    def contribute(self, pool: str, market: str | None, units: int) -> None:
        """A gift of token units, to the result of a market where one is named."""
        pool_id = list(POOLS).index(pool) + 1
        market_id = self.model.books[market].id if market else 0
        self.model.contribute(pool, market, units * TOKEN, self.now)
        self._send(self.anybody(), self.world.deployment.fund, CONTRIBUTE.encode(pool_id, market_id, units))

    def checkpoint(self, name: str) -> None:
        """A sample."""
        self.model.checkpoint(name, self.now)
        self._send(self.anybody(), self.world.deployment.fund, FUND_CHECKPOINT.encode(self.model.books[name].id))

    def trade(self, name: str, maker: bytes, taker: bytes, contracts: int, price: int) -> None:
        """The taker takes signed contracts from the maker by signed orders, or the exchange says why not."""
        book = self.model.books[name]
        data = self._settlement(name, maker, taker, contracts, price)
        before = {account: book.accounts.get(account, FLAT).size for account in (maker, taker)}
        known = len(book.accounts)
        refusals = self.model.trade(name, maker, taker, contracts, price)
        self._try(self.anybody(), data, refusals)
        if not refusals:
            self.reached["a flip"] += any(size * book.accounts[account].size < 0 for account, size in before.items())
            self.reached["a position without a deposit"] += len(book.accounts) > known

    def take_over(self, name: str, account: bytes) -> None:
        """The pool takes over an account, or the exchange says why not."""
        refusals = self.model.take_over(name, account, self.now)
        self._try(self.anybody(), TAKE_OVER.encode(account), refusals)
        self.reached["take over"] += not refusals

    def planned_round(self, planned: Plan) -> None:
        """The round that was planned from the chain's snapshot, as the keeper would send it, in the same second."""
        to, data = Deleverage(planned).transaction(self.state, self.world.deployment)
        book = self.model.books[planned.market]
        bankrupt = sorted(
            account_text(account)
            for account, state in book.accounts.items()
            if state.size * planned.side.sign < 0 and book.equity(state) <= 0
        )
        candidates = [bytes.fromhex(account[2:]) for account in planned.listing.accounts]
        lowest = planned.listing.lowest_return
        outcome = self.model.deleverage(planned.market, planned.side, candidates, self.state.block.timestamp, lowest)
        if isinstance(outcome, str):
            assert not planned.fills
            assert not planned.netted
            assert self.world.clock.refusal(self.anybody(), to, data, self.state.block.timestamp) == outcome
            self.reached["a plan without a counterparty"] += 1
            return
        receipt = self._execute(to, data, outcome, at=self.state.block.timestamp)

        executed = _decoded(receipt, DELEVERAGED)
        assert [(account_text(e[1]), abs(e[2]), e[4], e[3], e[5]) for e in executed] == [
            (fill.account, fill.contracts, fill.price, fill.value, fill.leveraged_return) for fill in planned.fills
        ]
        skipped = [account for _, account, reason in _decoded(receipt, CANDIDATE_SKIPPED)]
        # The bankrupt of the other side are sent: the round passes over them, unless a mark has made them solvent.
        assert [skip.account for skip in planned.skipped if skip.reason is SkipReason.BANKRUPT] == bankrupt
        # Where somebody is left off the list, nobody is looked at again who is insolvent at the price.
        insolvent = [skip.account for skip in planned.skipped if skip.reason is SkipReason.INSOLVENT_AT_ADL_PRICE]
        told = [account_text(account) for account in skipped]
        assert sorted(told[: len(bankrupt)]) == bankrupt
        assert told[len(bankrupt) :] == (insolvent if lowest == NO_BOUND else [])
        _, _, _, result = _decoded(receipt, ROUND_EXECUTED)[0]
        assert result[1] == {"drawdown": 1, "depletion": 2}[planned.trigger.value]
        assert result[3:6] == (planned.adl_price, sum(fill.contracts for fill in planned.fills), planned.netted)
        assert result[7] == planned.compensation
        assert abs(outcome.left) == planned.uncovered
        # What each realized is what its margin moved by.
        before = {account.id: account.margin for account in self.state.snapshot.accounts}
        for fill in planned.fills:
            after = book.accounts[bytes.fromhex(fill.account[2:])].margin
            assert fill.realized_pnl == after - before[fill.account]
        self.reached["plan executed"] += 1
        self.reached["plan that leaves somebody off its list"] += lowest != NO_BOUND
        self.reached["plan with bankrupt accounts"] += bool(bankrupt)
        self.reached["plan with contracts left uncovered"] += planned.uncovered != 0

    def any_round(self, name: str, side: Side, candidates: list[bytes]) -> Outcome | None:
        """A round against any accounts in any order: flat, of the inventory's side, bankrupt, given twice.

        None where it is refused.
        """
        data = DELEVERAGE.encode(self.model.books[name].id, SIDES.index(side), candidates, NO_BOUNDS)
        outcome = self.model.deleverage(name, side, candidates, self.now)
        if isinstance(outcome, str):
            assert self.world.clock.refusal(self.anybody(), self.world.deployment.engine, data, self.now) == outcome
            self.reached[f"refused: {outcome.split('(')[0]}"] += 1
            return None
        self._execute(self.world.deployment.engine, data, outcome, at=self.now)
        return outcome

    def _execute(self, to: str, data: bytes, outcome: Outcome, at: int) -> dict[str, Any]:
        """Sends a round, holds its events against the model's, and counts what it was."""
        receipt = self._send(self.anybody(), to, data, at=at)
        fills = [Closing(*event[1:]) for event in _decoded(receipt, DELEVERAGED)]
        assert fills == outcome.closings
        skips = [(account, Skip(reason)) for _, account, reason in _decoded(receipt, CANDIDATE_SKIPPED)]
        assert skips == outcome.skips
        terms = outcome.terms
        (_, _, _, result) = _decoded(receipt, ROUND_EXECUTED)[0]
        assert result == (
            int(terms.size < 0),
            terms.trigger,
            terms.mark,
            terms.price,
            outcome.contracts,
            outcome.netted,
            outcome.value,
            terms.compensation,
        )
        self.reached[f"round: {Trigger(terms.trigger).name.lower()}"] += 1
        self.reached["round: long inventory" if terms.size > 0 else "round: short inventory"] += 1
        closed = {closing.account for closing in outcome.closings}
        self.reached["second pass"] += outcome.second_pass > 0
        self.reached["capped by the bankruptcy price"] += terms.compensation >= terms.inventory_loss
        self.reached["rounded beyond the bankruptcy price before the cap"] += terms.price != terms.execution_price
        self.reached["netted"] += outcome.netted > 0
        self.reached["closed and netted in one round"] += outcome.netted > 0 and bool(outcome.closings)
        self.reached["partial round"] += outcome.left != 0
        self.reached["position closed in part"] += any(
            state.size
            for book in self.model.books.values()
            for account, state in book.accounts.items()
            if account in closed
        )
        for _, skip in outcome.skips:
            self.reached[f"skipped: {skip.name.lower()}"] += 1
        return receipt

    # ------------------------------------------------------------------ what must hold after every action

    def check(self) -> None:
        """Reads the chain, and holds every view against the model and against the mirror's view of the snapshot."""
        self.state = read_chain(self.world.endpoint, self.world.deployment)
        snapshot = self.state.snapshot
        assert self.state.block.timestamp <= self.now
        assert snapshot == self.model.snapshot(self.state.block)
        assert self.state.unpriced == self.state.left_out == {}
        assert self.state.tokens_held == self.state.claims == self.model.tokens == self.model.claims()
        assert set(self.state.sums_of_sizes.values()) == {0}
        for book in self.model.books.values():
            self._check_market(book)
        self._check_terms()
        self._check_ranking()

    def _check_market(self, book: Book) -> None:
        fund, exchange = self.world.deployment.fund, self.world.deployment.exchange
        standing = self.model.standing(book.name, self.state.block.timestamp)
        assert self._view(fund, FUND_BACKING, book.id) == standing
        self.reached["both sides of a market losing"] += standing.long_loss > 0 and standing.short_loss > 0
        self.reached["due by memory alone"] += (
            standing.drawdown_due and standing.loss * WAD < book.trigger * standing.base
        )
        self.reached["a pool without a base"] += standing.base == 0
        for side in SIDES:
            interest = self._view(exchange, EXCHANGE_ACCOUNTS_OPEN_INTEREST, book.id, SIDES.index(side))
            assert interest == book.open_interest(side)
        listed = self._view(exchange, EXCHANGE_MARKET, book.id)
        assert listed[:3] == (
            book.initial,
            book.maintenance,
            book.open_interest(Side.LONG) + book.inventory[Side.LONG][0],
        )

    def _check_terms(self) -> None:
        """`adlTerms` of every inventory: the contract, the model, and what the planner finds in the snapshot."""
        due = {
            (item.inventory.market, Side.of(item.inventory.size)): item for item in due_inventory(self.state.snapshot)
        }
        losing = Counter(self.model.books[name].pool for name, _ in due)
        self.reached["several inventories of a pool due"] += any(count > 1 for count in losing.values())
        for name, book in self.model.books.items():
            for side in SIDES:
                terms = self.model.terms(name, side, self.state.block.timestamp)
                assert self._view(self.world.deployment.fund, FUND_ADL_TERMS, book.id, SIDES.index(side)) == terms
                item = due.get((name, side))
                assert (item is None) == (terms.trigger == Trigger.NONE)
                if item is not None:
                    price = adl_price(item.inventory.size, item.inventory.entry_notional, book.mark, item.compensation)
                    assert terms.trigger == Trigger[item.trigger.name]
                    assert (terms.compensation, terms.price, terms.execution_price) == (
                        item.compensation,
                        price.adl,
                        price.execution,
                    )

    def _check_ranking(self) -> None:
        """`ADLEngine.ranking` of one side, asked for everybody twice and in any order."""
        book = self.rng.choice(list(self.model.books.values()))
        side = self.rng.choice(SIDES)
        candidates = [*book.accounts, *book.accounts, bytes(32)]
        self.rng.shuffle(candidates)
        ranked = self._view(self.world.deployment.engine, ENGINE_RANKING, book.id, SIDES.index(side), candidates)
        key = book.name, side.opposite
        assert [(account_text(row[0]), *row[1:]) for row in ranked] == [
            (one.account.id, one.leg.size, one.leg.entry_notional, one.equity, one.leveraged_return)
            for one in score_sides(self.state.snapshot, [key])[key].ranked
        ]
        self.reached["ranking of several"] += len(ranked) > 1

    # ------------------------------------------------------------------ plumbing

    def _try(self, sender: str, data: bytes, refusals: Refusals) -> None:
        """A call of the exchange that the model has judged already."""
        exchange = self.world.deployment.exchange
        if refusals:
            refusal = self.world.clock.refusal(sender, exchange, data, self.now)
            assert refusal in refusals
            self.reached[f"refused: {refusal.split('(')[0]}"] += 1
        else:
            self._send(sender, exchange, data)

    def _send(self, sender: str, to: str, data: bytes, at: int | None = None) -> dict[str, Any]:
        """Sends at a time, and holds the checkpoints that it made against the model's; then time goes on a little."""
        receipt = self.world.clock.send(sender, to, data, at=self.now if at is None else at)
        told = []
        for event in (CHECKPOINTED, ADL_STARTED, ADL_ENDED):
            told += [(log, Signal(event.name, values[0], values[1:])) for log, values in _events(receipt, event)]
        signals = [signal for _, signal in sorted(told, key=lambda item: item[0])]
        assert signals == self.model.signals
        for signal in signals:
            self.reached[f"event: {signal.kind}"] += 1
        self.model.signals.clear()
        self.now += self.rng.choice((0, 1, 12, self.rng.randint(0, 300)))
        return receipt

    def _settlement(self, name: str, maker: bytes, taker: bytes, contracts: int, price: int) -> bytes:
        """Calldata of `settle`: signed orders, often larger than the fill, the taker's limit not always the price."""
        slack = self.rng.choice((0, 0, self.rng.randrange(price)))
        limit = price + slack if contracts > 0 else price - slack
        orders = []
        for account, size, worst in ((maker, -contracts, price), (taker, contracts, limit)):
            whole = size * self.rng.choice((1, 1, 3))
            order = Order(
                account, self.model.books[name].id, whole, worst, self.now + HOUR, salt=self.rng.getrandbits(64)
            )
            signer = next(trader for trader in self.world.traders if trader.address.lower() == _address(account))
            orders += [order.values(), sign(order, self.world.domain, signer)]
        return SETTLE.encode(*orders, abs(contracts))

    def _view(self, to: str, function: Function, *arguments: Any) -> Any:
        return self.world.endpoint.call(to, function, *arguments, block={"blockHash": self.state.block.hash})

    def account_of(self, trader: LocalAccount, name: str) -> bytes:
        return isolated_account(trader.address, self.model.books[name].id)

    def anybody(self) -> str:
        return str(self.rng.choice(self.world.traders).address)

    def _head(self) -> int:
        return int(self.world.endpoint.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def _address(account: bytes) -> str:
    return "0x" + account[:20].hex()


def _events(receipt: dict[str, Any], event: Event) -> list[tuple[int, tuple[Any, ...]]]:
    """The events of a kind with their place in the block."""
    found = []
    for log in receipt["logs"]:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        if topics[0] == event.topic:
            found.append((int(log["logIndex"], 16), event.decode(topics, bytes.fromhex(log["data"][2:]))))
    return found


def _decoded(receipt: dict[str, Any], event: Event) -> list[tuple[Any, ...]]:
    return [values for _, values in _events(receipt, event)]
