"""The model: every action by the exact mirror in `backstop.math` and `backstop.adl`."""

from __future__ import annotations

from backstop.account_id import account_text, is_cross
from backstop.adl import snapshot as adl
from backstop.adl.execution import Round, run_round
from backstop.adl.scoring import Candidate, SideBook
from backstop.math import auction, fund, liquidation
from backstop.math.fees import trading_fee
from backstop.math.funding import premium_of
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import bankruptcy_notionals, margin_rate, value_leg
from backstop.math.position import trade_value
from backstop.math.round import is_insolvent_at
from backstop.math.wad import WAD, div_ceil
from backstop.orders import Order
from scripts.stage.parameters import NO_BAND
from tests.support.enums import Exemption, Item

from . import actions
from .calls import NO_RETURN_BOUND
from .capital import BOOK
from .ledger import CANCELLED, NO_HOLDING, Answered, Refused, require
from .margins import Accounts
from .rounds import Record, bond_of
from .snapshots import name_of
from .state import Inventory
from .world import (
    ADDRESSES,
    BY_ADDRESS,
    LARGEST,
    MARKETS,
    REWARD,
    TOKEN_SCALE,
    TOLERANCE,
    TRADERS,
    TREASURY,
    WARNING_RATE,
    WINDOW,
    account_of,
    market_of,
    may_hold,
    owner_of,
)


def within_bounds(book: SideBook, lowest: int, price: int, mark: int) -> SideBook:
    """Whom a round may close that somebody was left off of: by rank, and nobody who is insolvent at its price."""
    if lowest == NO_RETURN_BOUND:
        return book
    ranked = [
        one
        for one in book.ranked
        if one.leveraged_return >= lowest and not is_insolvent_at(one.equity, one.leg.size, price, mark)
    ]
    return SideBook(tuple(ranked), book.bankrupt)


class Model(Accounts):
    """The rules. `apply` changes the state or raises Refused; then it is to be thrown away: work on a `fork`."""

    def apply(self, action: actions.Action) -> None:
        """What the contracts should do."""
        getattr(self, f"_{type(action).__name__}")(action)

    # ------------------------------------------------------------------ collateral

    def _Deposit(self, action: actions.Deposit) -> None:
        self.credit(account_of(action.caller, action.sub_id), action.amount * TOKEN_SCALE)
        self.pay_in(action.by, action.amount)

    def _Withdraw(self, action: actions.Withdraw) -> None:
        require(owner_of(action.account) == action.caller, "not the owner")
        require(action.to >= 0, "not a recipient")
        self.debit(action.account, action.amount * TOKEN_SCALE)
        self.pay_out(action.to, action.amount)

    def _Transfer(self, action: actions.Transfer) -> None:
        require(owner_of(action.account) == owner_of(action.to) == action.caller, "not the owner")
        require(action.account != action.to, "to itself")
        self.debit(action.account, action.amount * TOKEN_SCALE)
        self.credit(action.to, action.amount * TOKEN_SCALE)

    def _Collect(self, action: actions.Collect) -> None:
        amount = action.amount * TOKEN_SCALE
        require(action.by == TREASURY, "not the treasury")
        require(0 < amount <= self.treasury, "not in the treasury")
        self.treasury -= amount
        self.pay_out(action.by, action.amount)

    def _Flag(self, action: actions.Flag) -> None:
        self.account(action.account)
        self.accept_all(action.account)
        sum_ = self.health(action.account)
        is_low = sum_.equity < sum_.initial or sum_.maintenance * WAD > WARNING_RATE * sum_.equity
        require(sum_.maintenance != 0 and is_low, "not due")

    # ------------------------------------------------------------------ orders

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
        self._match(maker, taker, size if taker.size > 0 else -size)

    def _SettleBatch(self, action: actions.SettleBatch) -> None:
        for pair in action.pairs:
            attempt = self.fork()
            try:
                attempt._Settle(pair)
            except Refused:
                continue
            vars(self).update(vars(attempt))

    def _match(self, maker: Order, taker: Order, change: int) -> None:
        market, price = maker.market, maker.limit_price
        mark = self.accept(market)
        parameters = self.parameters[market - 1]
        band = self.band(market)
        require(band == NO_BAND or abs(price - mark) * WAD <= band * mark, "price outside the band")
        self.accrue(market)
        value = trade_value(change, price)
        fees = [trading_fee(value, fraction) for fraction in (parameters.maker_fee, parameters.taker_fee)]
        funding = self.funding[market - 1]
        funding = funding._replace(fees=funding.fees + sum(fees))
        if parameters.funding_cap:
            premium = premium_of(abs(change), price, mark, parameters.funding_cap)
            funding = funding._replace(premium=funding.premium + premium, volume=funding.volume + abs(change))
        self.funding[market - 1] = funding
        self.open(maker.account, market)
        long_change = self.trade(maker.account, market, -change, -value, fee=fees[0], reduce_only=maker.reduce_only)
        self.open(taker.account, market)
        long_change += self.trade(taker.account, market, change, value, fee=fees[1], reduce_only=taker.reduce_only)
        self.move_interest(market, long_change)

    def _Cancel(self, action: actions.Cancel) -> None:
        require(owner_of(action.order.account) == action.caller, "not the owner")
        self.filled[action.order] = CANCELLED

    def _CancelAll(self, action: actions.CancelAll) -> None:
        self.epochs[action.by] += 1

    def _use_order(self, order: Order, signer: int, size: int) -> None:
        require(order.size != 0, "order size zero")
        require(may_hold(order.account, order.market), "no account that may hold the market")
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

    def _Accept(self, action: actions.Accept) -> None:
        require(0 < action.market <= len(MARKETS), "no feed")
        self.accept(action.market)

    def _Sequencer(self, action: actions.Sequencer) -> None:
        self.sequencer = int(not action.is_up), self.now

    # ------------------------------------------------------------------ markets

    def _SetParameters(self, action: actions.SetParameters) -> None:
        require(action.by == actions.OWNER, "not the owner")
        require(0 < action.market <= len(MARKETS), "market unlisted")
        self.accrue(action.market)
        self.sweep(action.market)
        one = action.parameters
        initial, maintenance = one.initial_margin_fraction, one.maintenance_margin_fraction
        require(WAD // 200 <= initial <= WAD, "initial margin fraction")
        require(WAD // 1000 <= maintenance < initial, "maintenance margin fraction")
        require(one.liquidation_discount + one.liquidation_fee <= maintenance, "penalty")
        require(max(one.liquidation_discount, one.liquidation_fee) <= WAD // 20, "discount or fee")
        require(max(one.maker_fee, one.taker_fee) <= WAD // 100, "trading fee")
        require(one.pool_fee_share + one.treasury_fee_share <= WAD, "fee shares")
        require(one.price_band >= WAD // 1000, "band")
        require(one.funding_cap <= min(WAD // 100, maintenance // 2), "funding cap")
        require(one.max_open_interest <= LARGEST, "open interest")
        require(one.initial_margin_step <= initial, "initial margin step")
        require(one.stress_band == 0 or WAD // 1000 <= one.stress_band <= one.price_band, "stress band")
        self.set_parameters(action.market, one)

    def _Accrue(self, action: actions.Accrue) -> None:
        require(0 < action.market <= len(MARKETS), "market unlisted")
        for _ in range(action.times - 1):
            self.pass_time(1)
        self.accrue(action.market)

    def _Sweep(self, action: actions.Sweep) -> None:
        require(0 < action.market <= len(MARKETS), "market unlisted")
        self.sweep(action.market)

    # ------------------------------------------------------------------ the fund

    def _Contribute(self, action: actions.Contribute) -> None:
        self.fund.contribute(action.caller, action.pool, action.market, action.amount)

    def _Repay(self, action: actions.Repay) -> None:
        self.fund.repay(action.caller, action.pool, action.amount)

    def _Redistribute(self, action: actions.Redistribute) -> None:
        self.fund.redistribute_if_due()

    def _RenewShares(self, action: actions.RenewShares) -> None:
        require(action.by == actions.OWNER, "not the owner")
        self.fund.renew(action.pool)
        # Everybody allows the new shares what the old ones were.
        for _ in ADDRESSES:
            self.pass_time(1)

    def _SetStaking(self, action: actions.SetStaking) -> None:
        require(action.by == actions.OWNER, "not the owner")
        self.fund.set_staking(action.pool, action.cap, action.cooldown)

    def _MoveMarket(self, action: actions.MoveMarket) -> None:
        require(action.by == actions.OWNER, "not the owner")
        require(0 < action.market <= len(MARKETS), "market unlisted")
        held = [held for account, held in self.accounts.items() if is_cross(account)]
        require(not any(one.held(action.market).size for one in held), "held in a cross account")
        self.accrue(action.market)
        self.sweep(action.market)
        self.fund.move_market(self.fund.books[action.market], action.pool)

    def _Stake(self, action: actions.Stake) -> None:
        if action.in_shares:
            self.fund.mint(action.caller, action.pool, action.amount)
        else:
            self.fund.stake(action.caller, action.pool, action.amount)

    def _RequestExit(self, action: actions.RequestExit) -> None:
        self.fund.request_exit(action.caller, action.pool, action.shares)

    def _CancelExit(self, action: actions.CancelExit) -> None:
        self.fund.cancel_exit(action.caller, action.pool)

    def _Redeem(self, action: actions.Redeem) -> None:
        owner = ADDRESSES[action.owner]
        if action.in_assets:
            self.fund.withdraw_exit(action.caller, owner, action.pool, action.amount)
        else:
            self.fund.redeem(action.caller, owner, action.pool, action.amount)

    def _SettleExit(self, action: actions.SettleExit) -> None:
        self.fund.settle_exit(action.caller, ADDRESSES[action.owner], action.pool)

    def _Checkpoint(self, action: actions.Checkpoint) -> None:
        require(0 < action.market <= len(MARKETS), "market unassigned")
        self.checkpoint(action.market)

    # ------------------------------------------------------------------ liquidation and takeover

    def _Liquidate(self, action: actions.Liquidate) -> None:
        account, liquidator, market = action.account, action.liquidator, action.market
        self.holds(account, market)
        require(owner_of(liquidator) == action.caller, "not the owner")
        self.holds(liquidator, market)
        require(account != liquidator, "with itself")
        mark = self.accept(market)
        self.open(account, market)
        held = self.accounts.get(account, NO_HOLDING).held(market)
        require(held.size != 0, "no position")
        sum_ = self.health(account)
        require(sum_.is_liquidatable, "not due")
        parameters = self.parameters[market - 1]
        contracts, fractions = abs(held.size), (parameters.liquidation_discount, parameters.liquidation_fee)
        closed = liquidation.contracts_to_restore(
            contracts, mark, sum_.initial - sum_.equity, self.initial(market), sum(fractions)
        )
        if contracts - closed < parameters.min_size:
            closed = contracts
        closed = min(closed, action.contracts)
        require(closed > 0, "fill zero")
        require(closed == contracts or contracts - closed >= parameters.min_size, "too little is left")
        share = liquidation.share_of_equity(sum_.equity, held.maintenance(self.quote(market)), sum_.maintenance)
        discount, fee = liquidation.penalty(closed, contracts, mark, share, *fractions)
        part = closed if held.size > 0 else -closed
        value = liquidation.value(part, mark, discount)
        long_change = self.take(account, market, -part, -value)
        self.pay(account, fee)
        self.open(liquidator, market)
        long_change += self.trade(liquidator, market, part, value)
        self.move_interest(market, long_change)
        self.fund.credit_fee(self.fund.books[market], Item.LIQUIDATION_FEE, fee)

    def _TakeOver(self, action: actions.TakeOver) -> None:
        account = action.account
        held = self.account(account)
        markets = list(held.legs) if is_cross(account) else [market_of(account)]
        require(bool(markets) and all(held.held(market).size for market in markets), "no position")
        for market in markets:
            if self.is_live(market):
                self.accept(market)
            self.open(account, market, anyway=True)
        held, sum_ = self.accounts[account], self.health(account)
        require(sum_.is_to_be_taken_over, "not due")
        legs = [held.held(market) for market in markets]
        quotes = [self.quote(market) for market in markets]
        valued = [
            value_leg(leg.size, leg.entry, quote.mark, quote.maintenance)
            for leg, quote in zip(legs, quotes, strict=True)
        ]
        flat = {market: position._replace(size=0, entry=0, index=0) for market, position in held.positions.items()}
        self.accounts[account] = held._replace(margin=0, legs=(), positions=flat)
        for market in markets:
            self.checkpoint(market)
        for market, leg, notional in zip(markets, legs, bankruptcy_notionals(valued, sum_.equity), strict=True):
            self._inherit(market, leg.size, notional)
        for market in markets:
            self.checkpoint(market)

    def _inherit(self, market: int, size: int, notional: int) -> None:
        side = int(size < 0)
        self.settle_inventory(market, side)
        mine = self.inventory[market, side]
        start = auction.merged_start(mine.start, abs(mine.size), self.now, abs(size), MARKETS[market - 1].duration)
        self._put(market, side, mine._replace(size=mine.size + size, entry=mine.entry + notional, start=start))

    def _put(self, market: int, side: int, held: Inventory) -> None:
        """An inventory whose funding is settled."""
        self.inventory[market, side] = held._replace(index=self.index(market) if held.size else 0)

    # ------------------------------------------------------------------ the auction

    def auction_price(self, market: int, side: int) -> int:
        """Of an inventory, now. Raises Refused without a mark."""
        spec, mark = MARKETS[market - 1], self.mark(market)
        maintenance = self.parameters[market - 1].maintenance_margin_fraction
        return auction.price_of(
            is_long=side == 0,
            mark=mark,
            premium=spec.premium,
            floor_fraction=maintenance,
            elapsed=self.now - self.inventory[market, side].start,
            duration=spec.duration,
        )

    def _BuyInventory(self, action: actions.BuyInventory) -> None:
        buyer, market, side = action.buyer, action.market, action.side
        require(owner_of(buyer) == action.caller, "not the owner")
        self.holds(buyer, market)
        self.accept(market)
        self.open(buyer, market)
        before = self.backing(market)
        self.checkpoint(market)
        self.settle_inventory(market, side)
        price = self.auction_price(market, side)
        mine = self.inventory[market, side]
        contracts = min(action.contracts, abs(mine.size))
        require(contracts > 0, "nothing to sell")
        part = contracts if side == 0 else -contracts
        value = auction.part_value(part, price)
        entry = div_ceil(mine.entry * part, mine.size)
        self._put(market, side, mine._replace(size=mine.size - part, entry=mine.entry - entry))
        self.realize(market, Item.AUCTION, value - entry)
        after = self.backing(market)
        require(after.balance >= min(0, before.balance), "the sale depletes the pool")
        require(after.loss <= before.loss or (after.base > 0 and not after.due), "the sale raises the drawdown")
        self.checkpoint(market)
        require(price <= action.limit if side == 0 else price >= action.limit, "price beyond the limit")
        self.move_interest(market, self.trade(buyer, market, part, value) - max(part, 0))

    # ------------------------------------------------------------------ deleveraging

    def _Deleverage(self, action: actions.Deleverage) -> None:
        market, side = action.market, action.side
        require(action.seconds >= 0, "deadline passed")
        require(0 < market <= len(MARKETS), "market unassigned")
        compensation = self.compensation(market, side)
        require(compensation > 0, "not due")
        mine, mark = self.inventory[market, side], self.accept(market)
        price = fund.adl_price(mine.size, mine.entry, mark, compensation)
        bounds = action.bounds
        require(bounds.min_price <= price.adl <= bounds.max_price, "price outside the bounds")
        for one, lowest, highest in bounds.marks:
            found = mark if one == market else self.mark_or_last(one)[0]
            require(lowest <= found <= highest, "mark outside the bounds")
        opposite = self.inventory[market, 1 - side]
        counter_interest = self.interest[market - 1] - abs(opposite.size)
        require(bool(action.candidates) or counter_interest == 0, "candidates missing")
        self.rounds += 1
        inventory = adl.Inventory(name_of(market), mine.size, mine.entry)
        book = self._book(market, side, action.candidates, mark)
        result = run_round(inventory, within_bounds(book, bounds.lowest_return, price.adl, mark), price, mark)
        closed = abs(mine.size) - abs(result.size)
        netted = min(abs(result.size), abs(opposite.size)) if closed == counter_interest else 0
        require(closed + netted > 0, "nothing deleveraged")
        is_milder = False
        if result.fills:
            self._record(action, book, result, price.adl, compensation)
            is_milder = self._is_milder(market, abs(price.adl - mark))
        self.accrue(market)
        self._close(market, side, result, netted)
        sign = 1 if side == 0 else -1
        for fill in result.fills:
            account = bytes.fromhex(fill.account[2:])
            known = self.known.get((account, market), 0)
            self.open(account, market, anyway=True)
            self.take(account, market, sign * fill.contracts, fill.value)
            require(self.health(account).equity >= 0, "solvent made insolvent")
            if not is_cross(account) and self.accounts[account].is_flat and not is_milder:
                self._make_up(account, market, known)
            self.known[account, market] = self.rounds
        if result.fills:
            for one in self.records[self.rounds].quotes:
                self.round_of[one - 1] = self.rounds
        self.interest[market - 1] -= closed + netted
        received = sum(fill.value for fill in result.fills) - (mine.size - result.size) * mark // WAD
        self._reward(TRADERS[action.by].cross(), market, closed * mark // WAD, received)

    def _record(self, action: actions.Deleverage, book: SideBook, result: Round, price: int, compensation: int) -> None:
        """Enters the round, and sets a part of the keeper's bond aside, all that it needs for rounds still open."""
        bond, keeper = bond_of(compensation), action.by
        reserved = sum(one.bond for one in self.records.values() if one.keeper == keeper and self._is_open(one))
        require(self.bonds[keeper] - reserved >= bond, "bond insufficient")
        candidates = {one.account.id: one for one in book.ranked}
        closed = [candidates[fill.account] for fill in result.fills]
        solvent = [one for one in closed if not is_insolvent_at(one.equity, one.leg.size, price, result.mark)]
        self.records[self.rounds] = Record(
            keeper=keeper,
            time=self.now,
            market=action.market,
            side=action.side,
            price=price,
            contracts=sum(fill.contracts for fill in result.fills),
            cutoff_account=bytes.fromhex(result.fills[-1].account[2:]),
            cutoff_return=solvent[-1].leveraged_return if solvent else 0,
            second_pass=len(solvent) < len(closed),
            bond=bond,
            accounts=dict(self.accounts),
            quotes={one: self.quote(one) for one in self._markets_of_round(action.market)},
            filled=frozenset(bytes.fromhex(fill.account[2:]) for fill in result.fills),
        )

    def _markets_of_round(self, market: int) -> list[int]:
        """Those whose positions a round must know of: what cross accounts hold behind the same pool."""
        pool = self.fund.books[market].pool
        held = {leg for account, one in self.accounts.items() if is_cross(account) for leg in one.open()}
        return [one.id for one in self.fund.markets_of(pool) if one.id == market or one.id in held]

    def _is_milder(self, market: int, taken: int) -> bool:
        """Whether a round takes clearly less for a contract than another one that is still open."""
        until, harshest = self.harshest[market - 1]
        if self.now > until:
            harshest = 0
        self.harshest[market - 1] = max(until, self.now + WINDOW), max(harshest, taken)
        return taken < harshest * (WAD - TOLERANCE) // WAD

    def _make_up(self, account: bytes, market: int, known: int) -> None:
        """Who is closed whole, and was not touched since older rounds, has made up for having been left out of them."""
        for number, record in self.records.items():
            if known < number < self.rounds and record.market == market:
                self.records[number] = record._replace(made_up=record.made_up | {account})

    def open_rounds(self) -> list[int]:
        """Those that may be challenged now."""
        return [number for number, record in self.records.items() if self._is_open(record)]

    def _is_open(self, record: Record) -> bool:
        return self.now <= record.time + WINDOW

    def _Challenge(self, action: actions.Challenge) -> None:
        record = self.records.get(action.round)
        require(record is not None, "round unknown")
        assert record is not None
        require(self._is_open(record), "round closed")
        require(action.account not in record.proven, "proven")
        require(record.bond > 0, "bond spent")
        omission = record.omission(action.account)
        require(omission.reason is Exemption.NONE, "no omission")
        penalty = record.penalty(omission.spared)
        proven = record.proven | {action.account}
        self.records[action.round] = record._replace(bond=record.bond - penalty, proven=proven)
        self.bonds[record.keeper] -= penalty
        self.claimable[action.by] += penalty // 4
        self.claimable[BY_ADDRESS[owner_of(record.cutoff_account)]] += penalty // 4
        self.pass_time(1)
        self.fund.contribute(BOOK, self.fund.books[record.market].pool, 0, penalty // 2 // TOKEN_SCALE)

    def _reward(self, account: bytes, market: int, notional: int, received: int) -> None:
        """For a keeper, of what the pool got beyond mark; no more than trading as much brings to the keeper budget."""
        flat, rate, share = REWARD
        one = self.parameters[market - 1]
        fees = (one.maker_fee + one.taker_fee) * (WAD - one.pool_fee_share - one.treasury_fee_share)
        wanted = min(flat + notional * rate // WAD, max(0, received) * share // WAD)
        paid = min(wanted, notional * fees // (WAD * WAD), self.keepers)
        if paid:
            self.keepers -= paid
            self.enlist_cross(account)
            self.pay(account, -paid)

    def compensation(self, market: int, side: int) -> int:
        """What a round over an inventory is to bring; 0 where none is due. Raises Refused where a price is missing."""
        return self.fund.compensation(self.fund.books[market], side)

    def _book(self, market: int, side: int, candidates: tuple[bytes, ...], mark: int) -> SideBook:
        ranked, bankrupt = [], []
        for account in sorted(set(candidates)):
            held = self.accounts.get(account, NO_HOLDING)
            position = held.held(market)
            if position.size == 0 or int(position.size < 0) == side:
                continue
            sum_, text = self.health(account), account_text(account)
            if sum_.equity <= 0:
                bankrupt.append(text)
                continue
            leg = value_leg(position.size, position.entry, mark, self.quote(market).maintenance)
            rate = margin_rate(sum_.maintenance, sum_.equity)
            score = leveraged_return(leg.unrealized_pnl, leg.entry_notional, rate)
            who = adl.Account(text, adl.MarginMode.CROSS, held.margin, ())
            ranked.append(Candidate(who, leg, sum_.equity, rate, score))
        ranked.sort(key=lambda one: (-one.leveraged_return, one.account.id))
        return SideBook(tuple(ranked), tuple(bankrupt))

    def _close(self, market: int, side: int, result: Round, netted: int) -> None:
        if self.fund.pools[self.fund.books[market].pool].is_mutual:
            self.fund.redistribute()
        self.checkpoint(market)
        self.settle_inventory(market, 0)
        self.settle_inventory(market, 1)
        mine, opposite = self.inventory[market, side], self.inventory[market, 1 - side]
        value = sum(fill.value for fill in result.fills)
        self.realize(market, Item.DELEVERAGING, value - (mine.entry - result.entry_notional))
        mine = mine._replace(size=result.size, entry=result.entry_notional)
        if netted:
            entries = [div_ceil(one.entry * netted, abs(one.size)) for one in (mine, opposite)]
            self.realize(market, Item.DELEVERAGING, -sum(entries))
            step = netted if side == 0 else -netted
            mine = mine._replace(size=mine.size - step, entry=mine.entry - entries[0])
            opposite = opposite._replace(size=opposite.size + step, entry=opposite.entry - entries[1])
        self._put(market, side, mine)
        self._put(market, 1 - side, opposite)
        self.checkpoint(market)
