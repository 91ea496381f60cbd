"""The model: every action by the exact mirror in `backstop.math` and `backstop.adl`."""

from __future__ import annotations

from backstop.account_id import account_text
from backstop.adl import snapshot as adl
from backstop.adl.due import Due, due_inventory
from backstop.adl.execution import Round, run_round
from backstop.adl.scoring import Candidate, SideBook
from backstop.math import auction, fund, liquidation
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import is_liquidatable, margin_rate, position_value, value_leg
from backstop.math.position import trade_value
from backstop.math.wad import WAD, div_ceil
from backstop.orders import Order

from . import actions
from .ledger import CANCELLED, NO_HOLDING, Answered, Ledger, Refused, require
from .state import Inventory, name_of, snapshot_of
from .world import BY_ADDRESS, LARGEST, MARKETS, POOLS, TOKEN_SCALE, owner_of


class Model(Ledger):
    """The rules. `apply` changes the state or raises Refused; then it is to be thrown away: work on a `fork`."""

    def apply(self, action: actions.Action) -> None:
        """What the contracts should do."""
        getattr(self, f"_{type(action).__name__}")(action)

    # ------------------------------------------------------------------ collateral and orders

    def _Deposit(self, action: actions.Deposit) -> None:
        account = (int(action.caller, 16) << 96 | action.sub_id).to_bytes(32, "big")
        market = self.market(account)
        require(action.amount > 0, "amount zero")
        self.enlist(account)
        self.change(account, margin=self.accounts[account].margin + action.amount * TOKEN_SCALE)
        assert self.accounts[account].market == market
        self.pay_in(action.by, action.amount)

    def _Withdraw(self, action: actions.Withdraw) -> None:
        account = action.account
        require(owner_of(account) == action.caller, "not the owner")
        require(action.to >= 0, "not a recipient")
        require(action.amount > 0, "amount zero")
        market = self.market(account)
        held = self.accounts.get(account, NO_HOLDING)
        margin = held.margin - action.amount * TOKEN_SCALE
        available, required = margin, 0
        if held.size:
            mark = self.mark(market)
            available += min(position_value(held.size, mark) - held.entry, 0)
            required = held.requirement(mark, MARKETS[market - 1].initial)
        require(available >= required, "margin insufficient")
        # Only where bankrupt accounts and depleted pools are short of something: S1.
        require(action.amount * TOKEN_SCALE <= self.tokens, "more than all the tokens there are")
        self.change(account, margin=margin, risk_block=self.block if held.size else held.risk_block)
        self.tokens -= action.amount * TOKEN_SCALE
        self.wallets[action.to] += action.amount

    def _Settle(self, action: actions.Settle) -> None:
        maker, taker, size = action.maker, action.taker, action.size
        require(maker.market == taker.market, "two markets")
        require(maker.account != taker.account, "with itself")
        require((maker.size > 0) != (taker.size > 0), "one side")
        require(size > 0, "fill zero")
        require(0 < maker.limit_price < 1 << 96, "price out of bounds")
        crossed = maker.limit_price <= taker.limit_price if taker.size > 0 else maker.limit_price >= taker.limit_price
        require(crossed, "not crossed")
        self._use_order(maker, action.maker_signer, size)
        self._use_order(taker, action.taker_signer, size)
        market = maker.market
        mark = self.mark(market)
        change = size if taker.size > 0 else -size
        value = trade_value(change, maker.limit_price)
        self.trade(maker.account, mark, -change, -value, reduce_only=maker.reduce_only)
        self.trade(taker.account, mark, change, value, reduce_only=taker.reduce_only)

    def _Cancel(self, action: actions.Cancel) -> None:
        require(owner_of(action.order.account) == action.caller, "not the owner")
        self.filled[action.order] = CANCELLED

    def _CancelAll(self, action: actions.CancelAll) -> None:
        self.epochs[action.by] += 1

    def _use_order(self, order: Order, signer: int, size: int) -> None:
        require(order.size != 0, "order size zero")
        require(self.market(order.account) == order.market, "account of another market")
        require(self.now <= order.expiry, "expired")
        owner = BY_ADDRESS[owner_of(order.account)]
        require(order.epoch == self.epochs[owner], "another epoch")
        done = self.filled.get(order, 0)
        require(done != CANCELLED, "cancelled")
        require(size <= abs(order.size) - done, "overfilled")
        require(signer == owner, "signature")
        self.filled[order] = done + size

    # ------------------------------------------------------------------ prices

    def _Answer(self, action: actions.Answer) -> None:
        for place, (market, answer) in enumerate(action.answers):
            if place:
                self.pass_time(1)
            self.feeds[market - 1] = Answered(answer, self.now, True)

    def _BadAnswer(self, action: actions.BadAnswer) -> None:
        self.feeds[action.market - 1] = Answered(action.answer, self.now - action.ago, action.complete)

    # ------------------------------------------------------------------ the fund

    def _Contribute(self, action: actions.Contribute) -> None:
        pool, market = action.pool, action.market
        require(0 < pool <= len(POOLS), "pool missing")
        if market:
            require(market <= len(MARKETS) and MARKETS[market - 1].pool == pool, "market of another pool")
        require(action.amount > 0, "amount zero")
        self.cash[pool - 1] += action.amount * TOKEN_SCALE
        if market:
            self.realized[market - 1] += action.amount * TOKEN_SCALE
            require(self.realized[market - 1] <= LARGEST, "more than a sample can tell")
        self.pay_in(action.by, action.amount)

    def _Checkpoint(self, action: actions.Checkpoint) -> None:
        require(0 < action.market <= len(MARKETS), "market unassigned")
        self.checkpoint(action.market)

    # ------------------------------------------------------------------ liquidation and takeover

    def _Liquidate(self, action: actions.Liquidate) -> None:
        account, liquidator = action.account, action.liquidator
        market = self.market(account)
        require(account != liquidator, "with itself")
        require(owner_of(liquidator) == action.caller, "not the owner")
        require(self.market(liquidator) == market, "account of another market")
        held = self.accounts.get(account, NO_HOLDING)
        require(held.size != 0, "no position")
        mark = self.mark(market)
        equity = held.equity(mark)
        require(is_liquidatable(equity, held.maintenance(mark)), "not due")
        spec = MARKETS[market - 1]
        contracts, fractions = abs(held.size), (spec.discount, spec.fee)
        needed = liquidation.contracts_to_restore(contracts, mark, equity, spec.initial, sum(fractions))
        closed = min(needed, action.contracts)
        require(closed > 0, "fill zero")
        discount, fee = liquidation.penalty(closed, contracts, mark, equity, *fractions)
        part = closed if held.size > 0 else -closed
        value = liquidation.value(part, mark, discount)
        self.take(account, -part, -value)
        self.change(account, margin=self.accounts[account].margin - fee)
        self.trade(liquidator, mark, part, value)
        self.realize(market, fee)

    def _TakeOver(self, action: actions.TakeOver) -> None:
        account = action.account
        market = self.market(account)
        held = self.accounts.get(account, NO_HOLDING)
        require(held.size != 0, "no position")
        require(held.is_to_be_taken_over(self.mark(market)), "not due")
        self.change(account, size=0, entry=0, margin=0)
        self.checkpoint(market)
        key = market, int(held.size < 0)
        mine = self.inventory[key]
        contracts, added = abs(mine.size), abs(held.size)
        start = auction.merged_start(mine.start, contracts, self.now, added)
        self.inventory[key] = Inventory(mine.size + held.size, mine.entry - held.cash, start)
        self.checkpoint(market)

    # ------------------------------------------------------------------ the auction

    def auction_price(self, market: int, side: int) -> int:
        """Of an inventory, now. Raises Refused without a mark."""
        spec, mark = MARKETS[market - 1], self.mark(market)
        return auction.price_of(
            is_long=side == 0,
            mark=mark,
            premium=spec.premium,
            floor_fraction=spec.maintenance,
            elapsed=self.now - self.inventory[market, side].start,
            duration=spec.duration,
        )

    def _BuyInventory(self, action: actions.BuyInventory) -> None:
        buyer, side = action.buyer, action.side
        require(owner_of(buyer) == action.caller, "not the owner")
        market = self.market(buyer)
        mark = self.mark(market)
        before = self.backing(market)
        self.checkpoint(market)
        price = self.auction_price(market, side)
        mine = self.inventory[market, side]
        contracts = min(action.contracts, abs(mine.size))
        require(contracts > 0, "nothing to sell")
        part = contracts if side == 0 else -contracts
        value = auction.part_value(part, price)
        entry = div_ceil(mine.entry * part, mine.size)
        self.inventory[market, side] = mine._replace(size=mine.size - part, entry=mine.entry - entry)
        self.realize(market, value - entry)
        after = self.backing(market)
        require(after.balance >= min(0, before.balance), "the sale depletes the pool")
        trigger = MARKETS[market - 1].trigger
        require(after.loss <= before.loss or after.loss * WAD < trigger * after.base, "the sale raises the drawdown")
        self.checkpoint(market)
        require(price <= action.limit if side == 0 else price >= action.limit, "price beyond the limit")
        self.trade(buyer, mark, part, value)
        self.interest[market - 1] -= max(part, 0)

    # ------------------------------------------------------------------ deleveraging

    def _Deleverage(self, action: actions.Deleverage) -> None:
        market, side = action.market, action.side
        require(action.seconds >= 0, "deadline passed")
        require(0 < market <= len(MARKETS), "market unassigned")
        due = self.due(market, side)
        mine, mark = self.inventory[market, side], self.mark(market)
        price = fund.adl_price(mine.size, mine.entry, mark, due.compensation)
        require(action.minimum <= price.adl <= action.maximum, "price outside the bounds")
        opposite = self.inventory[market, 1 - side]
        counter_interest = self.interest[market - 1] - abs(opposite.size)
        require(bool(action.candidates) or counter_interest == 0, "candidates missing")
        self.rounds += 1
        inventory = adl.Inventory(name_of(market), mine.size, mine.entry)
        result = run_round(inventory, self._book(market, side, action.candidates, mark), price, mark)
        closed = abs(mine.size) - abs(result.size)
        netted = min(abs(result.size), abs(opposite.size)) if closed == counter_interest else 0
        require(closed + netted > 0, "nothing deleveraged")
        self._close(market, side, result, netted)
        sign = 1 if side == 0 else -1
        for fill in result.fills:
            account = bytes.fromhex(fill.account[2:])
            self.take(account, sign * fill.contracts, fill.value)
            require(self.accounts[account].equity(mark) >= 0, "solvent made insolvent")
        # Those fills moved the interest by what accounts hold; the pool's own long contracts went as well.
        if side == 0:
            self.interest[market - 1] -= closed
        self.interest[market - 1] -= netted

    def due(self, market: int, side: int) -> Due:
        """What is due for an inventory. Raises Refused where nothing is."""
        self.backing(market)  # which refuses where a price is missing
        key = name_of(market), side
        for one in due_inventory(snapshot_of(self.state([], self.backed()))):
            if (one.inventory.market, int(one.inventory.size < 0)) == key:
                return one
        raise Refused("not due")

    def _book(self, market: int, side: int, candidates: tuple[bytes, ...], mark: int) -> SideBook:
        ranked, bankrupt = [], []
        for account in sorted(set(candidates)):
            held = self.accounts.get(account, NO_HOLDING)
            if held.market != market or held.size == 0 or int(held.size < 0) == side:
                continue
            equity, text = held.equity(mark), account_text(account)
            if equity <= 0:
                bankrupt.append(text)
                continue
            leg = value_leg(held.size, held.entry, mark, MARKETS[market - 1].maintenance)
            rate = margin_rate(leg.maintenance_margin, equity)
            score = leveraged_return(leg.unrealized_pnl, leg.entry_notional, rate)
            who = adl.Account(text, adl.MarginMode.ISOLATED, held.margin, ())
            ranked.append(Candidate(who, leg, equity, rate, score))
        ranked.sort(key=lambda one: (-one.leveraged_return, one.account.id))
        return SideBook(tuple(ranked), tuple(bankrupt))

    def _close(self, market: int, side: int, result: Round, netted: int) -> None:
        self.checkpoint(market)
        mine, opposite = self.inventory[market, side], self.inventory[market, 1 - side]
        value = sum(fill.value for fill in result.fills)
        self.realize(market, value - (mine.entry - result.entry_notional))
        mine = mine._replace(size=result.size, entry=result.entry_notional)
        if netted:
            entries = [div_ceil(one.entry * netted, abs(one.size)) for one in (mine, opposite)]
            self.realize(market, -sum(entries))
            step = netted if side == 0 else -netted
            mine = mine._replace(size=mine.size - step, entry=mine.entry - entries[0])
            opposite = opposite._replace(size=opposite.size + step, entry=opposite.entry - entries[1])
        self.inventory[market, side], self.inventory[market, 1 - side] = mine, opposite
        self.checkpoint(market)
