"""Plays actions on a chain and on the model at once, and holds every invariant after each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eth_utils.crypto import keccak

from backstop.errors import RpcError
from backstop.orders import Order
from tests.support.enums import Exemption

from . import actions, calls
from .action_checks import holds_after
from .calls import call
from .chain import Chain, Receipt
from .checks import cannot_be_paid, holds_always
from .compiler import Artefact
from .hours import Hours
from .ledger import Refused
from .model import Model
from .reading import BOOK_INDICES, decode
from .snapshots import compensation_of
from .state import State
from .steps import Step, Violation
from .system import PARAMETERS, System, allow_shares, shares_of
from .world import ADDRESSES, BY_ADDRESS, FIRST_ACTION, LARGEST, MARKETS, TRADERS, account_of, label, owner_of

EXITS = actions.Redeem | actions.SettleExit
OF_POOLS = EXITS | actions.Stake | actions.Redistribute | actions.Repay | actions.Contribute
WATCHED = 6  # orders whose fills are read with every state
PAIR_REFUSED = keccak(text="PairRefused(uint256,bytes)")
_PANIC = bytes.fromhex("4e487b71")
_MESSAGE = bytes.fromhex("08c379a0")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an action. `refusal` is the contracts' error, empty where they accepted it."""

    action: actions.Action
    refusal: str
    violations: tuple[Violation, ...]


def errors_of(artefacts: Mapping[str, Artefact]) -> dict[bytes, str]:
    """The custom errors that the contracts declare, by selector."""
    found = {}
    for artefact in artefacts.values():
        for entry in artefact.abi:
            if entry["type"] == "error":
                kinds = ",".join(parameter["type"] for parameter in entry["inputs"])
                found[keccak(text=f"{entry['name']}({kinds})")[:4]] = str(entry["name"])
    return found


class Machine:
    """One sequence. `errors` are the known ones by selector; `counts` gathers what was exercised."""

    def __init__(self, chain: Chain, system: System, errors: dict[bytes, str]) -> None:
        self.chain = chain
        self.system = system
        self.errors = errors
        self.counts: Counter[str] = Counter()
        self.model = Model()
        self.model.now = FIRST_ACTION
        self.marks = [spec.answer * spec.scale for spec in MARKETS]
        self._orders: list[Order] = []
        self._accounts: list[bytes] = []
        self._digests: dict[Order, bytes] = {}
        self._fills: dict[Order, int] = {}
        self._refused_orders: set[Order] = set()  # for their epoch
        self.refusal = ""  # of the last action
        self._between: State | None = None  # after the first of several accruals
        self._hours = Hours()
        self._steps = 0
        self.state = self._read(self.model.now, {spec.id for spec in MARKETS})

    def perform(self, action: actions.Action) -> Result:
        """Plays one action."""
        idle = self.model.fork()
        idle.pass_time(action.after)
        moved = idle.fork()
        try:
            moved.apply(action)
            expected_refusal = ""
        except Refused as rule:
            expected_refusal = str(rule)
        before = self.state
        self._watch(action)
        fills = [self._fills.get(order, 0) for order in self._orders]
        due = 0
        if isinstance(action, actions.Deleverage | actions.Accrue | OF_POOLS) or before.overdrawn:
            before = self._read(idle.now, idle.backed() | self._backed_with(action))
        if isinstance(action, actions.Deleverage) and 0 < action.market <= len(MARKETS):
            due = compensation_of(before, action.market, action.side)
        live = tuple(idle.is_live(spec.id) for spec in MARKETS)
        receipt = self._send(action, idle.now)
        refusal, faults = self._refusal(receipt)
        # Where they differ, the contracts are followed as far as time goes: the sequence ends here.
        self.model = moved if receipt.ok and not expected_refusal else idle
        backed = self._backed(action)
        self.state = self._read(None, backed)
        self.marks = [view.mark or mark for view, mark in zip(self.state.markets, self.marks, strict=True)]
        violations = list(faults)
        violations += holds_always(self.state, self.marks, self.counts)
        if receipt.ok:
            fills_of = {order: (was, self._fills[order]) for order, was in zip(self._orders, fills, strict=True)}
            refused, faults = self._refused_pairs(receipt)
            step = Step(action, idle.now, moved.now, before, self.state, self.marks, live, receipt.logs, due, fills_of)
            step.between, step.refused = self._between, refused
            violations += faults
            violations += holds_after(step, self.counts)
            violations += self._hours.hold_after(step, self.counts)
        else:
            violations += self._unchanged(before, fills, action, refusal)
            if isinstance(action, actions.Withdraw | actions.Collect | EXITS) and refusal == "ERC20InsufficientBalance":
                violations += cannot_be_paid(before, self.marks, self.counts)
        violations += self._as_the_mirror_has_it(refusal, expected_refusal, backed)
        if not violations:
            violations += self._knows_the_past()
        self.counts[f"{action.kind} {'accepted' if receipt.ok else 'refused'}"] += 1
        if refusal:
            self.counts[f"{action.kind}: {refusal}"] += 1
        self._count(action, refusal, before)
        self.refusal = refusal
        return Result(action, refusal, tuple(violations))

    def _count(self, action: actions.Action, refusal: str, before: State) -> None:
        """What the kind and the error do not tell."""
        self.counts["results beyond what a sample can be"] += any(
            view.backing is not None and view.backing.pnl > LARGEST for view in self.state.markets
        )
        if isinstance(action, actions.Withdraw) and action.to == actions.EXCHANGE and refusal == "RecipientInvalid":
            self.counts["withdrawals to the exchange"] += 1
        if isinstance(action, actions.Contribute) and action.market and not refusal:
            self.counts["contributions that name a market"] += 1
        if isinstance(action, actions.Settle):
            self._count_epochs(action, refusal, before)

    def _count_epochs(self, action: actions.Settle, refusal: str, before: State) -> None:
        for order in (action.maker, action.taker):
            epoch = before.epochs[BY_ADDRESS[owner_of(order.account)]]
            if refusal == "OrderEpochNotCurrent" and order.epoch != epoch:
                self.counts[f"orders of a {'past' if order.epoch < epoch else 'future'} epoch"] += 1
                self._refused_orders.add(order)
            elif not refusal and order in self._refused_orders:
                self.counts["orders filled once their epoch had come"] += 1

    def finish(self) -> list[Violation]:
        """What is read only once: the lists of accounts."""
        violations = []
        for market, accounts in enumerate(self.model.listed, start=1):
            data = [self._view("accountAt(uint16,uint256)", market, i) for i in range(len(accounts))]
            if data != accounts:
                violations.append(Violation("M1", f"market {market} lists {list(map(label, data))}"))
        data = [self._view("crossAccountAt(uint256)", i) for i in range(len(self.model.cross))]
        count = int.from_bytes(self._view("crossAccountCount()"), "big")
        if data != self.model.cross or count != len(data):
            violations.append(Violation("M1", f"{count} cross accounts: {list(map(label, data))}"))
        return violations

    def _view(self, signature: str, *arguments: int) -> bytes:
        return self.chain.view(self.system.exchange, call(signature, *arguments))

    # ------------------------------------------------------------------ transactions

    def _send(self, action: actions.Action, now: int) -> Receipt:
        logs = []
        receipt = None
        self._between = None
        sender = self.system.owner if action.by == actions.OWNER else action.caller
        for later, (to, data) in enumerate(self.transactions(action, now)):
            if later == 1 and isinstance(action, actions.Accrue):
                self._between = self._read(None, set())
            receipt = self.chain.send(sender, to, data, now + later)
            logs += receipt.logs
            if not receipt.ok:
                break
        assert receipt is not None
        if isinstance(action, actions.RenewShares) and receipt.ok:
            for later, (trader, to, data) in enumerate(allow_shares(self.system, self.shares(action.pool)), start=1):
                self.chain.send(trader, to, data, now + later)
        return Receipt(receipt.ok, receipt.output, logs, receipt.halt)

    def transactions(self, action: actions.Action, now: int) -> Iterator[tuple[str, bytes]]:
        """What it sends where, one transaction a second."""
        exchange, fund, engine, feeds = self.system.exchange, self.system.fund, self.system.engine, self.system.feeds
        match action:
            case actions.Deposit():
                yield exchange, call("deposit(uint96,uint256)", action.sub_id, action.amount)
            case actions.Withdraw():
                strange: dict[int, str | int] = {actions.NOBODY: 0, actions.EXCHANGE: exchange}
                to = strange[action.to] if action.to in strange else ADDRESSES[action.to]
                yield exchange, call("withdraw(bytes32,uint256,address)", action.account, action.amount, to)
            case actions.Transfer():
                yield exchange, call("transfer(bytes32,bytes32,uint256)", action.account, action.to, action.amount)
            case actions.Settle():
                yield exchange, calls.settle(*self._pair(action))
            case actions.SettleBatch():
                yield exchange, calls.settle_batch(map(self._pair, action.pairs))
            case actions.Cancel():
                yield exchange, calls.cancel(action.order)
            case actions.CancelAll():
                yield exchange, call("cancelAll()")
            case actions.Answer():
                for market, answer in action.answers:
                    yield feeds[market - 1], call("setAnswer(int256)", answer)
            case actions.BadAnswer():
                fields = (7, action.answer, now - action.ago, 7 if action.complete else 6)
                yield feeds[action.market - 1], call("setRound(uint80,int256,uint256,uint80)", *fields)
            case actions.Accept():
                yield self.system.price_feed, call("accept(uint16)", action.market)
            case actions.Sequencer():
                yield self.system.sequencer, call("setAnswer(int256)", int(not action.is_up))
            case actions.SetParameters():
                yield exchange, call(f"setParameters(uint16,{PARAMETERS})", action.market, *action.parameters)
            case actions.Accrue():
                yield from [(exchange, call("accrue(uint16)", action.market))] * action.times
            case actions.Sweep():
                yield exchange, call("sweep(uint16)", action.market)
            case actions.Collect():
                yield exchange, call("collect(uint256)", action.amount)
            case actions.Flag():
                yield exchange, call("flag(bytes32)", action.account)
            case actions.Contribute():
                yield fund, call("contribute(uint16,uint16,uint256)", action.pool, action.market, action.amount)
            case actions.Repay():
                yield fund, call("repay(uint16,uint256)", action.pool, action.amount)
            case actions.Redistribute():
                yield fund, call("redistribute()")
            case actions.SetStaking():
                fields = (action.pool, action.cap, action.cooldown)
                yield fund, call("setStaking(uint16,uint96,uint32)", *fields)
            case actions.MoveMarket():
                yield exchange, call("moveMarket(uint16,uint16)", action.market, action.pool)
            case actions.RenewShares():
                yield fund, call("renewShares(uint16)", action.pool)
            case actions.Stake():
                function = "mint" if action.in_shares else "deposit"
                yield self.shares(action.pool), call(f"{function}(uint256,address)", action.amount, action.caller)
            case actions.RequestExit():
                yield self.shares(action.pool), call("requestRedeem(uint256)", action.shares)
            case actions.CancelExit():
                yield self.shares(action.pool), call("cancelRedeem()")
            case actions.Redeem():
                function = "withdraw" if action.in_assets else "redeem"
                fields = (action.amount, action.caller, ADDRESSES[action.owner])
                yield self.shares(action.pool), call(f"{function}(uint256,address,address)", *fields)
            case actions.SettleExit():
                yield self.shares(action.pool), call("settleRedeem(address)", ADDRESSES[action.owner])
            case actions.Checkpoint():
                yield fund, call("checkpoint(uint16)", action.market)
            case actions.Liquidate():
                fields = (action.account, action.market, action.liquidator, action.contracts)
                yield exchange, call("liquidate(bytes32,uint16,bytes32,uint256)", *fields)
            case actions.TakeOver():
                yield exchange, call("takeOver(bytes32)", action.account)
            case actions.Challenge():
                yield self.system.round_book, calls.challenge(action.round, action.account)
                if (record := self.model.records.get(action.round)) is not None:
                    yield self.system.round_book, call("payPool(uint16)", record.market)
            case actions.BuyInventory():
                fields = (action.buyer, action.market, action.side, action.contracts, action.limit)
                yield exchange, call("buyInventory(bytes32,uint16,uint8,uint256,uint256)", *fields)
            case actions.Deleverage():
                bounds = action.bounds._replace(deadline=now + action.seconds)
                yield engine, calls.deleverage(action.market, action.side, action.candidates, bounds)

    def _pair(self, action: actions.Settle) -> tuple[Order, bytes, Order, bytes, int]:
        made = self._sign(action.maker, action.maker_signer)
        return action.maker, made, action.taker, self._sign(action.taker, action.taker_signer), action.size

    def _sign(self, order: Order, signer: int) -> bytes:
        signature = TRADERS[signer].key.sign_recoverable(self._digest(order), hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def _digest(self, order: Order) -> bytes:
        if order not in self._digests:
            self._digests[order] = calls.order_digest(order, self.system.domain)
        return self._digests[order]

    def shares(self, pool: int) -> str:
        """Where the shares of a pool are now."""
        return shares_of(self.chain, self.system.fund, pool)

    def attempt(self, action: actions.Action, now: int) -> Receipt:
        """Plays an action on the chain alone, whatever the model would say; for who takes it back."""
        self._watch(action)
        return self._send(action, now)

    # ------------------------------------------------------------------ states

    def look(self, *accounts: bytes) -> State:
        """The state of the present block; from now on with these accounts too."""
        self._accounts += [account for account in accounts if account not in self._accounts]
        return self._read(None, set())

    def _watch(self, action: actions.Action) -> None:
        """From now on the fills of its orders are read with every state, and the accounts it may touch."""
        orders: list[Order] = []
        accounts: list[bytes] = []
        match action:
            case actions.Settle():
                orders = [action.maker, action.taker]
                accounts = [action.maker.account, action.taker.account]
            case actions.SettleBatch():
                orders = [order for pair in action.pairs for order in (pair.maker, pair.taker)]
                accounts = [order.account for order in orders]
            case actions.Cancel():
                orders = [action.order]
            case actions.Deposit():
                accounts = [account_of(action.caller, action.sub_id)]
            case actions.Transfer():
                accounts = [action.account, action.to]
            case actions.Liquidate():
                accounts = [action.liquidator]
            case actions.BuyInventory():
                accounts = [action.buyer]
            case actions.Deleverage():
                accounts = [TRADERS[action.by].cross()]
        orders = list(dict.fromkeys(orders))
        self._orders = ([order for order in self._orders if order not in orders] + orders)[-WATCHED:]
        self._accounts += [account for account in dict.fromkeys(accounts) if account not in self._accounts]

    def _backed(self, action: actions.Action) -> set[int]:
        """The markets whose backing is read after it: where there is inventory, the action's own, and at times all."""
        self._steps += 1
        if self._steps % 10 == 0:
            return {spec.id for spec in MARKETS}
        return self.model.backed() | self._backed_with(action)

    def _backed_with(self, action: actions.Action) -> set[int]:
        """The action's own market, or those of its pool."""
        pool = getattr(action, "pool", 0)
        own = {getattr(action, "market", 0)} & {spec.id for spec in MARKETS}
        return own | {market for market, book in self.model.fund.books.items() if book.pool == pool}

    def _read(self, timestamp: int | None, backed: set[int]) -> State:
        data = calls.read(ADDRESSES, [self._digest(order) for order in self._orders], self._accounts, backed)
        answer = self.chain.view(self.system.reader, data, timestamp)
        indices = [self.chain.storage(self.system.fund, slot) for slot in BOOK_INDICES]
        counts = len(ADDRESSES), len(self._orders)
        state = decode(answer, *counts, self._accounts, indices)
        self._fills.update(zip(self._orders, state.filled, strict=True))
        return state

    def _refusal(self, receipt: Receipt) -> tuple[str, list[Violation]]:
        """The name of the error, and R1 where it is none that the contracts declare."""
        if receipt.ok:
            return "", []
        self.counts["R1"] += 1
        if receipt.halt:
            return "halt", [Violation("R1", f"halted: {receipt.halt}")]
        known = self.errors.get(receipt.output[:4])
        if known is not None:
            return known, []
        kind = {_PANIC: "a panic", _MESSAGE: "a string", b"": "no data"}.get(receipt.output[:4], "an unknown error")
        return kind, [Violation("R1", f"reverted with {kind}: 0x{receipt.output.hex()}")]

    def _refused_pairs(self, receipt: Receipt) -> tuple[frozenset[int], list[Violation]]:
        """The places of a batch that were refused, and R1 where an error is none that the contracts declare."""
        places, faults = set(), []
        for log in receipt.logs:
            if log.topics[0] == PAIR_REFUSED:
                places.add(int.from_bytes(log.topics[1], "big"))
                length = int.from_bytes(log.data[32:64], "big")
                refusal, violations = self._refusal(Receipt(False, log.data[64 : 64 + length], []))
                self.counts[f"SettleBatch: {refusal}"] += 1
                faults += violations
        return frozenset(places), faults

    def _unchanged(self, before: State, fills: list[int], action: actions.Action, refusal: str) -> Iterator[Violation]:
        """R1: nothing but time is different."""
        if before.frozen() != self.state.frozen() or list(self.state.filled) != fills:
            yield Violation("R1", f"{action.kind} was refused ({refusal}) and changed something")

    def _knows_the_past(self) -> Iterator[Violation]:
        """H1, of one account in each of the last rounds that are open, another one at every step."""
        for place, number in enumerate(self.model.open_rounds()[-4:]):
            record = self.model.records[number]
            accounts = [account for account, held in record.accounts.items() if held.held(record.market).size]
            account = accounts[(self._steps + place) % len(accounts)]
            expected = record.omission(account)
            self.counts["H1"] += expected.leveraged_return != 0
            self.counts[f"left out of a round: {expected.reason.name}"] += 1
            try:
                data = self.chain.view(self.system.round_book, call("omission(uint256,bytes32)", number, account))
            except (RuntimeError, RpcError) as fault:
                yield Violation("H1", f"round {number}, {label(account)} should be {expected}: {fault}")
                continue
            reason, score, spared = (int.from_bytes(data[i : i + 32], "big", signed=True) for i in (0, 32, 64))
            if (reason, score, spared) != expected:
                found = Exemption(reason).name, score, spared
                yield Violation("H1", f"{label(account)} in round {number} is {found}, it should be {expected}")

    def _as_the_mirror_has_it(self, refusal: str, expected_refusal: str, backed: set[int]) -> Iterator[Violation]:
        """M1."""
        self.counts["M1"] += 1
        if bool(refusal) != bool(expected_refusal):
            yield Violation(
                "M1", f"refused with {refusal}" if refusal else f"accepted, the rules say: {expected_refusal}"
            )
            return
        expected = self.model.state(self._orders, backed)
        if self.state != expected:
            yield Violation("M1", "; ".join(_differences(self.state, expected)))


def _differences(state: State, expected: State) -> Iterator[str]:
    for name, found, meant in zip(State._fields[:-1], state, expected, strict=False):
        if name == "markets":
            for i, (one, other) in enumerate(zip(state.markets, expected.markets, strict=True), start=1):
                if one != other:
                    yield f"market {i} is {one}, the model has {other}"
        elif found != meant:
            yield f"{name} is {found}, the model has {meant}"
    for account in state.accounts.keys() | expected.accounts.keys():
        one, other = state.accounts.get(account), expected.accounts.get(account)
        if one != other:
            yield f"{label(account)} is {one}, the model has {other}"
