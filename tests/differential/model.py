"""The venue in plain Python: actions replayed on integers, written from docs/mathematics.md.

Only the elementary formulas are those of `backstop.math`; what is done with them, and in which order, is told here
anew, so that planning and contracts are both held against a third account of the same story. Amounts are WAD, times
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from backstop.account_id import account_text
from backstop.adl.snapshot import (
    Account,
    Backing,
    Block,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Side,
    Snapshot,
)
from backstop.chain.fund_view import Terms
from backstop.math import deficit, fund, margin
from backstop.math import round as fills
from backstop.math.leveraged_return import leveraged_return
from backstop.math.position import PositionState, apply_trade, trade_value
from backstop.math.rolling_max import RollingMax
from backstop.math.wad import WAD, div_ceil

TOKEN = 10**12  # WAD in a token unit
MEMORY_SECONDS = 8 * 3600
FLAT = PositionState(0, 0, 0)
SIDES = (Side.LONG, Side.SHORT)
NO_BOUND = -(2**255)

Refusals = tuple[str, ...]


class Trigger(IntEnum):
    """The contracts' extremes."""

    NONE = 0
    DRAWDOWN = 1
    DEPLETION = 2


class Skip(IntEnum):
    """The contracts' extremes."""

    FLAT = 0
    INVENTORY_SIDE = 1
    BANKRUPT = 2
    DUPLICATE = 3
    INSOLVENT_AT_ADL_PRICE = 4


class Standing(NamedTuple):
    """What `InsuranceFund.backing` returns, field by field."""

    balance: int
    base: int
    pnl: int
    max_pnl: int
    loss: int
    drawdown: int
    long_loss: int
    short_loss: int
    started: bool
    drawdown_due: bool


class Closing(NamedTuple):
    """A fill as its event tells it."""

    account: bytes
    size: int
    value: int
    price: int
    leveraged_return: int
    place: int


@dataclass
class Outcome:
    """A round: what its events say, and what of the inventory is left."""

    terms: Terms
    closings: list[Closing]
    skips: list[tuple[bytes, Skip]]
    second_pass: int
    netted: int
    left: int

    @property
    def contracts(self) -> int:
        """Closed against counterparties."""
        return sum(abs(closing.size) for closing in self.closings)

    @property
    def value(self) -> int:
        """What the pool got for them."""
        return sum(closing.value for closing in self.closings)


class Signal(NamedTuple):
    """An event of a checkpoint: the sample, the start of ADL with reason and drawdown, or its end with its drawdown."""

    kind: str
    market: int
    values: tuple[int, ...]


@dataclass
class Book:
    """A market: its parameters, its accounts in the order in which they came, and its pool's inventory."""

    id: int
    name: str
    pool: str
    mark: int
    initial: int
    maintenance: int
    trigger: int = 3 * WAD // 10
    stop: int = WAD // 4
    target: int = WAD // 4
    haircut: int = 0
    last_due: int = 0
    seen: int = Trigger.NONE
    realized: int = 0
    inventory: dict[Side, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(SIDES, (0, 0)))
    peak: RollingMax = field(default_factory=RollingMax)
    accounts: dict[bytes, PositionState] = field(default_factory=dict)

    def loss(self, side: Side) -> int:
        """Loss of an inventory at mark, moved by the haircut against the pool where the feed is dead."""
        return fund.inventory_loss(*self.inventory[side], self.mark - side.sign * self.haircut)

    def equity(self, state: PositionState) -> int:
        """`E` of an isolated account at mark."""
        return margin.equity(state.margin, [margin.value_leg(state.size, state.entry_notional, self.mark, 0)])

    def requirement(self, state: PositionState) -> int:
        """`MM` at mark."""
        return margin.margin_requirement(state.size, self.mark, self.maintenance)

    def score(self, state: PositionState) -> int:
        """The rank key of an account with `E > 0`."""
        gain = margin.position_value(state.size, self.mark) - state.entry_notional
        rate = margin.margin_rate(self.requirement(state), self.equity(state))
        return leveraged_return(gain, state.entry_notional, rate)

    def open_interest(self, side: Side) -> int:
        """Contracts that accounts hold on a side."""
        return sum(abs(state.size) for state in self.accounts.values() if state.size * side.sign > 0)


@dataclass
class Vault:
    """A pool."""

    name: str
    kind: PoolKind
    cash: int = 0


@dataclass
class Model:
    """The venue."""

    books: dict[str, Book]
    vaults: dict[str, Vault]
    backstop_ratio: int = WAD // 2
    tokens: int = 0
    overdrawn: list[str] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)

    # ------------------------------------------------------------------ what traders do

    def deposit(self, name: str, account: bytes, amount: int) -> None:
        """Collateral into an account."""
        accounts = self.books[name].accounts
        state = accounts.get(account, FLAT)
        accounts[account] = state._replace(margin=state.margin + amount)
        self.tokens += amount

    def withdraw(self, name: str, account: bytes, amount: int) -> Refusals:
        """The errors that refuse it; none where it was done."""
        book = self.books[name]
        state = book.accounts[account]
        gain = margin.position_value(state.size, book.mark) - state.entry_notional
        available = state.margin - amount + min(gain, 0)
        required = margin.margin_requirement(state.size, book.mark, book.initial)
        if available < required:
            return (f"MarginInsufficient({account_text(account)}, {available}, {required})",)
        book.accounts[account] = state._replace(margin=state.margin - amount)
        self.tokens -= self._share_deficits(amount)
        return ()

    def _share_deficits(self, amount: int) -> int:
        """What a withdrawal is paid; what it gives up goes to the pools with an open deficit."""
        parts = [deficit.open_deficit(self.vaults[pool].cash) for pool in self.overdrawn]
        paid = deficit.paid_tokens(amount // TOKEN, self.tokens, sum(parts)) * TOKEN
        for pool, share in zip(list(self.overdrawn), deficit.share_out(amount - paid, parts), strict=True):
            self._enter(pool, share)
        return paid

    def _enter(self, pool: str, amount: int) -> None:
        """Moves a pool's cash; the overdrawn are listed as the fund lists them."""
        vault = self.vaults[pool]
        was, vault.cash = vault.cash < 0, vault.cash + amount
        if was < (vault.cash < 0):
            self.overdrawn.append(pool)
        elif was > (vault.cash < 0):
            last = self.overdrawn.pop()
            self.overdrawn = [last if one == pool else one for one in self.overdrawn]

    def trade(self, name: str, maker: bytes, taker: bytes, contracts: int, price: int) -> Refusals:
        """The taker takes signed `contracts`. Errors that refuse it, one of each at most; none where done."""
        book = self.books[name]
        value = trade_value(contracts, price)
        before = {account: book.accounts.get(account, FLAT) for account in (maker, taker)}
        after = {
            maker: apply_trade(before[maker], -contracts, -value),
            taker: apply_trade(before[taker], contracts, value),
        }
        judged = [self._refusal(book, account, before[account], after[account]) for account in (maker, taker)]
        refusals = tuple(refusal for refusal in judged if refusal is not None)
        if not refusals:
            book.accounts |= after
        return refusals

    def _refusal(self, book: Book, account: bytes, before: PositionState, after: PositionState) -> str | None:
        who = account_text(account)
        had, has = book.equity(before), book.equity(after)
        if before.size and had <= 0:
            return f"AccountBankrupt({who}, {had})"
        if before.size * after.size >= 0 and abs(after.size) < abs(before.size):
            if has < 0:
                return f"EquityNegative({who}, {has})"
            needs = book.requirement(after)
            if after.size and (has == 0 or needs * had > book.requirement(before) * has):
                return f"MarginRateWorse({who}, {has}, {needs})"
            return None
        required = margin.margin_requirement(after.size, book.mark, book.initial)
        return f"InitialMarginInsufficient({who}, {has}, {required})" if has < required else None

    def contribute(self, pool: str, market: str | None, amount: int, now: int) -> None:
        """A gift to a pool, and to the result of one of its markets where that is named, once what is due is noted."""
        for book in self.books.values():
            if book.pool == pool:
                self.remember(book.name, now)
        self._enter(pool, amount)
        self.tokens += amount
        if market is not None:
            self.books[market].realized += amount

    # ------------------------------------------------------------------ what a keeper does

    def take_over(self, name: str, account: bytes, now: int) -> Refusals:
        """The errors that refuse it; none where it was done."""
        book = self.books[name]
        state = book.accounts.get(account, FLAT)
        if state.size == 0:
            return (f"PositionMissing({account_text(account)})",)
        own, needs = book.equity(state), book.requirement(state)
        if not margin.is_to_be_taken_over(own, needs, self.backstop_ratio):
            return (f"TakeoverNotDue({account_text(account)}, {own}, {needs})",)
        self.checkpoint(name, now)
        leg = margin.value_leg(state.size, state.entry_notional, book.mark, book.maintenance)
        (notional,) = margin.bankruptcy_notionals([leg], own)
        size, entry = book.inventory[Side.of(state.size)]
        book.inventory[Side.of(state.size)] = size + state.size, entry + notional
        book.accounts[account] = FLAT
        self.checkpoint(name, now)
        return ()

    def checkpoint(self, name: str, now: int) -> None:
        """Samples the market's result, and keeps or ends the memory of its trigger."""
        book, standing = self.books[name], self.standing(name, now)
        book.peak.touch(now, standing.pnl)
        self.signals.append(Signal("Checkpointed", book.id, (standing.pnl, standing.balance, standing.drawdown)))
        self.remember(name, now)

    def remember(self, name: str, now: int) -> None:
        """Keeps or ends the memory of a market's trigger, and what ADL was last seen due for."""
        book, standing = self.books[name], self.standing(name, now)
        reason = Trigger.NONE
        if standing.drawdown_due:
            reason = Trigger.DRAWDOWN
        elif standing.balance < 0 and standing.long_loss + standing.short_loss:
            reason = Trigger.DEPLETION
        begins = reason and (not book.seen or (standing.drawdown_due and not standing.started))
        if begins and book.haircut and any(size for size, _ in book.inventory.values()):
            return
        if standing.drawdown_due:
            book.last_due = now
        elif standing.base > 0 or now >= book.last_due + MEMORY_SECONDS:
            book.last_due = 0
        if book.last_due and not reason:
            reason = Trigger.DRAWDOWN
        if reason and not book.seen:
            self.signals.append(Signal("ADLStarted", book.id, (reason, standing.drawdown)))
        elif book.seen and not reason:
            self.signals.append(Signal("ADLEnded", book.id, (standing.drawdown,)))
        book.seen = reason

    def deleverage(
        self, name: str, side: Side, candidates: list[bytes], now: int, lowest: int = NO_BOUND
    ) -> Outcome | str:
        """A round against these candidates, in any order, or the error that refuses it.

        Nobody below the lowest leveraged return is closed; where there is one, nobody who is insolvent at the price.
        """
        book = self.books[name]
        terms = self.terms(name, side, now)
        if terms.trigger == Trigger.NONE:
            return f"ADLNotDue({book.id}, {SIDES.index(side)})"
        if not candidates and book.open_interest(side.opposite):
            return f"CandidatesMissing({book.id})"

        outcome = Outcome(terms, [], [], second_pass=0, netted=0, left=terms.size)
        entry = terms.entry_notional
        ranked = self._ranked(book, side, candidates, outcome)
        passed_over: list[bytes] = []
        for place, account in enumerate(ranked):
            state = book.accounts[account]
            if outcome.left == 0 or book.score(state) < lowest:
                break
            if place and ranked[place - 1] == account:
                outcome.skips.append((account, Skip.DUPLICATE))
            elif fills.is_insolvent_at(book.equity(state), state.size, terms.price, book.mark):
                passed_over.append(account)
            else:
                entry -= self._close(book, account, outcome, entry, None)
        for account in passed_over if lowest == NO_BOUND else ():
            state = book.accounts[account]
            if outcome.left == 0:
                outcome.skips.append((account, Skip.INSOLVENT_AT_ADL_PRICE))
            else:
                price = fills.surrender_price(book.equity(state), state.size, book.mark)
                entry -= self._close(book, account, outcome, entry, price)
                outcome.second_pass += 1

        held_after = book.open_interest(side.opposite) - outcome.contracts
        opposite = abs(book.inventory[side.opposite][0])
        outcome.netted = 0 if held_after else min(abs(outcome.left), opposite)
        if not outcome.closings and not outcome.netted:
            return f"NothingDeleveraged({len(candidates)})"
        self._apply(name, side, outcome, entry, now)
        return outcome

    def _ranked(self, book: Book, side: Side, candidates: list[bytes], outcome: Outcome) -> list[bytes]:
        """The eligible candidates in order, duplicates beside each other; the others are noted as skipped."""
        eligible = []
        for account in candidates:
            state = book.accounts.get(account, FLAT)
            if state.size == 0:
                outcome.skips.append((account, Skip.FLAT))
            elif Side.of(state.size) is side:
                outcome.skips.append((account, Skip.INVENTORY_SIDE))
            elif book.equity(state) <= 0:
                outcome.skips.append((account, Skip.BANKRUPT))
            else:
                eligible.append(account)
        return sorted(eligible, key=lambda account: (-book.score(book.accounts[account]), account))

    def _close(self, book: Book, account: bytes, outcome: Outcome, entry: int, surrender: int | None) -> int:
        """Notes a fill; the accounts change only when the round is applied. Returns the entry that went with it."""
        state, terms = book.accounts[account], outcome.terms
        contracts = min(abs(outcome.left), abs(state.size))
        part = contracts if outcome.left > 0 else -contracts
        carried = div_ceil(entry * part, outcome.left)
        room = book.equity(state) + sum(
            sign * margin.position_value(size, book.mark) for sign, size in ((-1, state.size), (1, state.size + part))
        )
        if surrender is None:
            price, value = terms.price, min(div_ceil(part * terms.execution_price, WAD), carried, room)
        else:
            price, value = surrender, min(part * surrender // WAD, carried, room)
        score = book.score(state)
        outcome.closings.append(Closing(account, part, value, price, score, len(outcome.closings) + 1))
        outcome.left -= part
        return carried

    def _apply(self, name: str, side: Side, outcome: Outcome, entry_left: int, now: int) -> None:
        book = self.books[name]
        self.checkpoint(name, now)
        for closing in outcome.closings:
            book.accounts[closing.account] = apply_trade(book.accounts[closing.account], closing.size, closing.value)
        result = outcome.value - (outcome.terms.entry_notional - entry_left)
        book.inventory[side] = outcome.left, entry_left
        if outcome.netted:
            for one in SIDES:
                size, entry = book.inventory[one]
                part = one.sign * outcome.netted
                carried = div_ceil(entry * part, size)
                book.inventory[one] = size - part, entry - carried
                result -= carried
            outcome.left -= side.sign * outcome.netted
        self._enter(book.pool, result)
        book.realized += result
        self.checkpoint(name, now)

    # ------------------------------------------------------------------ what the owner does

    def set_drawdown_bounds(self, name: str, trigger: int, stop: int, target: int, now: int) -> None:
        """New bounds, after a sample under the old ones."""
        self.checkpoint(name, now)
        book = self.books[name]
        book.trigger, book.stop, book.target = trigger, stop, target

    # ------------------------------------------------------------------ what is so

    def standing(self, name: str, now: int) -> Standing:
        """The state of a market's backing."""
        book = self.books[name]
        shared = [other for other in self.books.values() if other.pool == book.pool]
        losses = {other.name: sum(other.loss(side) for side in SIDES) for other in shared}
        results = {other.name: other.realized - losses[other.name] for other in shared}
        window = {other.name: other.peak.maximum(now, results[other.name]) - results[other.name] for other in shared}
        balance = self.vaults[book.pool].cash - sum(losses.values())
        base, loss = fund.drawdown_base(balance, window.values()), window[name]
        started = base > 0 and book.last_due != 0 and now < book.last_due + MEMORY_SECONDS
        return Standing(
            balance=balance,
            base=base,
            pnl=results[name],
            max_pnl=results[name] + loss,
            loss=loss,
            drawdown=fund.drawdown(loss, base) or 0,
            long_loss=book.loss(Side.LONG),
            short_loss=book.loss(Side.SHORT),
            started=started,
            drawdown_due=fund.is_drawdown_due(loss, base, book.trigger, book.stop, started=started),
        )

    def terms(self, name: str, side: Side, now: int) -> Terms:
        """On what terms an inventory is deleveraged; all zero from the compensation on where it is not due."""
        book, standing = self.books[name], self.standing(name, now)
        size, entry = book.inventory[side]
        loss = book.loss(side)
        by_drawdown = by_depletion = 0
        if loss and standing.drawdown_due:
            due = max(0, fund.drawdown_compensation(standing.loss, standing.base, book.target))
            by_drawdown = self._share(due, [name], name, side)
        if loss and standing.balance < 0:
            pool = [other.name for other in self.books.values() if other.pool == book.pool]
            by_depletion = self._share(-standing.balance, pool, name, side)
        compensation = max(by_drawdown, by_depletion)
        if compensation == 0:
            return Terms(Trigger.NONE, size, entry, loss, 0, 0, 0, 0)
        trigger = Trigger.DRAWDOWN if by_drawdown >= by_depletion else Trigger.DEPLETION
        price = fund.adl_price(size, entry, book.mark, compensation)
        return Terms(trigger, size, entry, loss, compensation, book.mark, price.adl, price.execution)

    def _share(self, due: int, names: list[str], name: str, side: Side) -> int:
        """The part of `due` that falls to one of the losing inventories of some markets."""
        losing = [(one, each, self.books[one].loss(each)) for one in names for each in SIDES]
        losing = [item for item in losing if item[2]]
        shares = fund.share_by_loss(due, [item[2] for item in losing])
        return next(share for share, item in zip(shares, losing, strict=True) if item[:2] == (name, side))

    def snapshot(self, block: Block) -> Snapshot:
        """What `backstop snapshot` should read at a block."""
        markets = {}
        for name, book in self.books.items():
            standing = self.standing(name, block.timestamp)
            markets[name] = Market(
                name=name,
                mark_price=book.mark,
                maintenance_margin_fraction=book.maintenance,
                pool=book.pool,
                trigger=book.trigger,
                stop=book.stop,
                target=book.target,
                adl_active=standing.started,
                pnl=standing.pnl,
                max_pnl_8h=standing.max_pnl,
                is_live=not book.haircut,
            )
        pools = {}
        for vault in self.vaults.values():
            books = [book for book in self.books.values() if book.pool == vault.name]
            inventory = tuple(
                Inventory(book.name, *book.inventory[side])
                for book in books
                for side in SIDES
                if book.inventory[side][0]
            )
            balance = vault.cash - sum(book.loss(side) for book in books for side in SIDES)
            pools[vault.name] = Pool(vault.name, vault.kind, Backing.OWN, balance, inventory)
        accounts = tuple(
            Account(
                id=account_text(account),
                margin_mode=MarginMode.ISOLATED,
                margin=state.margin,
                positions=(Position(book.name, state.size, state.entry_notional),) if state.size else (),
            )
            for book in self.books.values()
            for account, state in book.accounts.items()
            if state.size or state.margin
        )
        return Snapshot(block, markets, pools, accounts)

    def claims(self) -> int:
        """What accounts and pools claim of the tokens held."""
        accounts = sum(state.cash for book in self.books.values() for state in book.accounts.values())
        entries = sum(book.inventory[side][1] for book in self.books.values() for side in SIDES)
        return accounts + sum(vault.cash for vault in self.vaults.values()) - entries
