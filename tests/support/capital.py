"""Pools and their capital in plain Python: what they are worth, when ADL is due, stakes and exits, deficits.

The models of `tests/differential/complete` and `tests/invariants` stand on it. Every elementary formula is one of
`backstop.math`; what is done with them, and in which order, is told here. What is refused raises RefusedError, and
whoever asked for it throws the state away. Amounts are WAD, but for those of stakes and exits: token units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from backstop.math import deficit, fund, staking
from backstop.math.rolling_max import RollingMax
from backstop.math.wad import div_ceil

from .enums import Item, Trigger

MEMORY = 8 * 3600
NO_CAP = 2**96 - 1
COOLDOWN = 3 * 86400
COOLDOWNS = (8 * 3600, 14 * 86400)
MOST_MARKETS = 16
LARGEST = 2**111 - 1  # what a sample of a market's result can be
ISOLATED, SHARED = 0, 1


class RefusedError(Exception):
    """The contracts' error that refuses an action, in words, with its values."""


class Market(Protocol):
    """A market as its pool knows it."""

    id: int
    pool: int
    trigger: int
    stop: int
    target: int
    last_due: int
    seen: int
    stress: int
    realized: int
    peak: RollingMax


class Losses(NamedTuple):
    """What the inventories of a market lose, and the funding that they owe."""

    long: int = 0
    short: int = 0
    owed: int = 0


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
    due: bool


class Terms(NamedTuple):
    """Of a pool: its kind, whether it stands in the mutual group, its cap and the cooldown of its exits."""

    kind: int
    is_mutual: bool = False
    cap: int = NO_CAP
    cooldown: int = COOLDOWN


class Exit(NamedTuple):
    """Shares that were set aside, what they were worth then, and when they can be paid."""

    shares: int = 0
    value: int = 0
    ripe_at: int = 0


class Shares(NamedTuple):
    """Of a pool: their number, who holds them, and the exits that were asked for, whose shares nobody holds."""

    supply: int = 0
    held: Mapping[str, int] = {}
    exits: Mapping[str, Exit] = {}

    def moved(self, owner: str, amount: int) -> Shares:
        """With more or fewer shares in somebody's hands."""
        return self._replace(held={**self.held, owner: self.held.get(owner, 0) + amount})

    def with_exit(self, owner: str, exit_: Exit | None) -> Shares:
        """With another exit of somebody, or without one."""
        others = {one: each for one, each in self.exits.items() if one != owner}
        return self._replace(exits=others if exit_ is None else {**others, owner: exit_})


@dataclass
class Survey:
    """A pool and its markets at mark; `backed` is the balance that a redistribution that is due leaves it."""

    markets: list[Market]
    losses: list[Losses]
    results: list[int]
    windows: list[int]  # what each has lost within eight hours
    balance: int
    backed: int
    base: int
    drawdown_rests: bool
    depletion_counts: bool


class Capital(ABC):
    """All pools. `markets` are by id, ascending; `now` is the present."""

    scale: int  # WAD in a token unit

    def __init__(self, pools: Mapping[int, Terms], markets: Mapping[int, Market], now: int) -> None:
        self.pools = dict(pools)
        self.markets = dict(markets)
        self.now = now
        self.cash = dict.fromkeys(pools, 0)
        self.items = {pool: (0,) * len(Item) for pool in pools}
        self.overdrawn: list[int] = []
        self.shares = {pool: Shares() for pool in pools}

    # ------------------------------------------------------------------ of the exchange

    @abstractmethod
    def losses_of(self, market: Market) -> Losses:
        """At mark or, where the feed is dead, at the last price moved against the pool."""

    @abstractmethod
    def gains_of(self, market: Market) -> int:
        """What its inventories have gained at mark, or at the last price as it is."""

    @abstractmethod
    def has_inventory(self, market: Market) -> bool:
        """Of either side."""

    @abstractmethod
    def is_live(self, market: Market) -> bool:
        """Whether its feed is good."""

    @abstractmethod
    def apply_stress(self, market: int, stress: int, *, is_on: bool) -> None:
        """The fractions in force follow the drawdown."""

    @abstractmethod
    def pull(self, payer: str, amount: int) -> None:
        """Token units of somebody go to the exchange."""

    @abstractmethod
    def pay_out(self, recipient: str, amount: int) -> int:
        """Token units leave the exchange, in part while there is an open deficit. Returns what was paid."""

    @abstractmethod
    def keep(self, amount: int) -> None:
        """What has no room under a pool's cap is the treasury's."""

    # ------------------------------------------------------------------ cash

    def enter(self, pool: int, market: Market | None, item: Item, amount: int) -> None:
        """Moves a pool's cash; what a market earns or loses is its result too."""
        if amount == 0:
            return
        before = self.cash[pool]
        self.cash[pool] = before + amount
        if (before < 0) != (before + amount < 0):
            self._note_overdraft(pool, before + amount < 0)
        entries = list(self.items[pool])
        entries[item] += amount
        self.items[pool] = tuple(entries)
        if market is not None:
            market.realized += amount

    def _note_overdraft(self, pool: int, is_overdrawn: bool) -> None:
        if is_overdrawn:
            self.overdrawn = [*self.overdrawn, pool]
            return
        *others, last = self.overdrawn
        self.overdrawn = [last if one == pool else one for one in others]

    def realize(self, market: Market, item: Item, amount: int) -> None:
        """Something that a market has earned or lost."""
        self.enter(market.pool, market, item, amount)

    def credit_fee(self, market: Market, item: Item, amount: int) -> None:
        """A fee, as far as the pool has room under its cap."""
        taken, cap = amount, self.pools[market.pool].cap
        if cap != NO_CAP and self.cash[market.pool] + amount > cap:
            taken = min(amount, max(0, cap - self.balance(market.pool)[0]))
        self.enter(market.pool, market, item, taken)
        if taken != amount:
            self.credit_treasury(amount - taken)

    def contribute(self, payer: str, pool: int, market: int, amount: int) -> None:
        """A gift of token units, once what is due has been noted."""
        self._check_pool(pool)
        if market and (market not in self.markets or self.markets[market].pool != pool):
            raise RefusedError(f"MarketOfOtherPool({market}, {pool})")
        if amount == 0:
            raise RefusedError("AmountZero()")
        self.remember_all(pool)
        credit, named = amount * self.scale, self.markets[market] if market else None
        if named is not None and named.realized + credit > LARGEST:
            raise RefusedError(f"SafeCastOverflowedIntDowncast(112, {named.realized + credit})")
        self.enter(pool, named, Item.CONTRIBUTION, credit)
        self.pull(payer, amount)

    def repay(self, payer: str, pool: int, amount: int) -> None:
        """Token units for an open deficit, of which the last may be more than there is."""
        self._check_pool(pool)
        if amount == 0:
            raise RefusedError("AmountZero()")
        self._redistribute_at_live_prices()
        due = dict(zip(self.overdrawn, self.deficits(), strict=True)).get(pool, 0)
        if amount * self.scale >= due + self.scale:
            raise RefusedError(f"RepaymentTooLarge({pool}, {amount * self.scale}, {due})")
        self.enter(pool, None, Item.REPAYMENT, amount * self.scale)
        self.pull(payer, amount)

    def _check_pool(self, pool: int) -> None:
        if pool not in self.pools:
            raise RefusedError(f"PoolMissing({pool})")

    # ------------------------------------------------------------------ what a pool is worth

    def markets_of(self, pool: int) -> list[Market]:
        """In order of id."""
        return [market for _, market in sorted(self.markets.items()) if market.pool == pool]

    @property
    def group(self) -> list[int]:
        """The mutual members, ascending."""
        return [pool for pool, terms in self.pools.items() if terms.is_mutual]

    def balance(self, pool: int) -> tuple[int, int]:
        """A pool's balance, and what its inventories lose."""
        losses = [self.losses_of(market) for market in self.markets_of(pool)]
        lost = sum(one.long + one.short for one in losses)
        return self.cash[pool] - sum(one.owed for one in losses) - lost, lost

    def group_balances(self) -> list[int]:
        """By id."""
        return [self.balance(pool)[0] for pool in self.group]

    def survey(self, pool: int) -> Survey:
        """Where all its markets stand."""
        markets = self.markets_of(pool)
        losses = [self.losses_of(market) for market in markets]
        results = [market.realized - sum(lost) for market, lost in zip(markets, losses, strict=True)]
        windows = [
            fund.window_loss(market.peak.maximum(self.now, result), result)
            for market, result in zip(markets, results, strict=True)
        ]
        balance = self.cash[pool] - sum(map(sum, losses))
        backed, rests, counts = balance, False, True
        if self.pools[pool].is_mutual:
            balances = self.group_balances()
            counts = fund.is_group_depleted(balances)
            if counts:
                rests = fund.rests_as_giver(balance, balances)
                backed = fund.redistribute(balances)[self.group.index(pool)]
        base = fund.drawdown_base(backed, windows)
        return Survey(markets, losses, results, windows, balance, backed, base, rests, counts)

    def judge(self, survey: Survey, market: Market) -> Standing:
        """One of its markets, with its drawdown."""
        place = [one.id for one in survey.markets].index(market.id)
        base, loss = survey.base, survey.windows[place]
        started = base > 0 and market.last_due != 0 and self.now < market.last_due + MEMORY
        is_due = fund.is_drawdown_due(loss, base, market.trigger, market.stop, started=started)
        return Standing(
            balance=survey.balance,
            base=base,
            pnl=survey.results[place],
            max_pnl=survey.results[place] + loss,
            loss=loss,
            drawdown=fund.drawdown(loss, base) or 0,
            long_loss=survey.losses[place].long,
            short_loss=survey.losses[place].short,
            started=started,
            due=is_due and not survey.drawdown_rests,
        )

    def standing(self, market: Market) -> Standing:
        """The state of a market's backing."""
        return self.judge(self.survey(market.pool), market)

    def reason(self, survey: Survey, standing: Standing) -> Trigger:
        """Why ADL is due in a market with losing inventory."""
        if standing.due:
            return Trigger.DRAWDOWN
        is_depleted = survey.depletion_counts and survey.backed < 0
        return Trigger.DEPLETION if is_depleted and standing.long_loss + standing.short_loss else Trigger.NONE

    def compensation(self, market: Market, side: int) -> int:
        """What a round over an inventory has to bring, 0 where none is due. Side 0 is long."""
        survey = self.survey(market.pool)
        standing = self.judge(survey, market)
        if (standing.long_loss, standing.short_loss)[side] == 0:
            return 0
        by_drawdown = by_depletion = 0
        if standing.due:
            due = max(0, fund.drawdown_compensation(standing.loss, standing.base, market.target))
            by_drawdown = _share(due, {(market.id, 0): standing.long_loss, (market.id, 1): standing.short_loss})[
                market.id, side
            ]
        if survey.depletion_counts and survey.backed < 0:
            losses = {
                (one.id, each): lost[each]
                for one, lost in zip(survey.markets, survey.losses, strict=True)
                for each in (0, 1)
            }
            by_depletion = _share(-survey.backed, losses)[market.id, side]
        return max(by_drawdown, by_depletion)

    # ------------------------------------------------------------------ samples and memory

    def checkpoint(self, market: Market) -> None:
        """Samples the market's result, and keeps or ends the memory of its trigger."""
        survey = self.survey(market.pool)
        self.sample(survey, market)

    def sample(self, survey: Survey, market: Market) -> None:
        """The same, with the pool's state read before."""
        standing = self.judge(survey, market)
        peak = copy(market.peak)
        peak._ring = list(peak._ring)
        peak.touch(self.now, standing.pnl)
        market.peak = peak
        self._remember(survey, market, standing)

    def remember_all(self, pool: int) -> Survey:
        """Keeps the memory of all triggers of a pool."""
        survey = self.survey(pool)
        for market in survey.markets:
            self._remember(survey, market, self.judge(survey, market))
        return survey

    def _remember(self, survey: Survey, market: Market, standing: Standing) -> None:
        reason = self.reason(survey, standing)
        stress = staking.stress(standing.balance, standing.loss, standing.base, market.trigger)
        is_priced = self.is_priced(market)
        begins = reason and (not market.seen or (standing.due and not standing.started))
        if begins and not is_priced:
            return
        if stress > market.stress and not is_priced:
            stress = market.stress
        if standing.due:
            market.last_due = self.now
        elif not survey.drawdown_rests and (standing.base > 0 or self.now >= market.last_due + MEMORY):
            market.last_due = 0
        if market.last_due and not reason:
            reason = Trigger.DRAWDOWN
        if (reason, stress) != (market.seen, market.stress):
            market.seen, market.stress = reason, stress
            self.apply_stress(market.id, stress, is_on=bool(reason))

    def is_priced(self, market: Market) -> bool:
        """Whether its inventory, if there is any, is valued at a live price."""
        return not self.has_inventory(market) or self.is_live(market)

    # ------------------------------------------------------------------ deficits and redistribution

    def deficits(self) -> list[int]:
        """The open ones, by place in the list of the overdrawn."""
        of_group: dict[int, int] = {}
        if any(self.pools[pool].is_mutual for pool in self.overdrawn):
            balances, losses = zip(*map(self.balance, self.group), strict=True)
            parts = deficit.group_deficits(balances, losses, [self.cash[pool] for pool in self.group])
            of_group = dict(zip(self.group, parts, strict=True))
        return [of_group.get(pool, deficit.open_deficit(self.cash[pool])) for pool in self.overdrawn]

    def absorb(self, amount: int) -> None:
        """Somebody's loss pays for the open deficits."""
        self._redistribute_at_live_prices()
        pools = list(self.overdrawn)
        for pool, share in zip(pools, deficit.share_out(amount, self.deficits()), strict=True):
            self.enter(pool, None, Item.DEFICIT, share)

    def payable(self, amount: int, tokens: int) -> int:
        """What of a withdrawal of token units is paid out of `tokens` held; what it gives up lowers the deficits."""
        lacking = sum(self.deficits())
        paid = deficit.paid_tokens(amount, tokens, lacking)
        if lacking:
            self.absorb((amount - paid) * self.scale)
        return paid

    def credit_treasury(self, amount: int) -> None:
        """What comes to the treasury, after the open deficits."""
        lacking = min(amount, sum(self.deficits()))
        if lacking:
            self.absorb(lacking)
        self.keep(amount - lacking)

    def redistribute(self) -> int:
        """Gives what a depleted group has to those of it who lack. Returns what changed hands."""
        balances = self.group_balances()
        if not fund.is_group_depleted(balances):
            return 0
        changes = [after - before for before, after in zip(balances, fund.redistribute(balances), strict=True)]
        for pool, change in zip(self.group, changes, strict=True):
            self.enter(pool, None, Item.REDISTRIBUTION, change)
        return sum(max(0, change) for change in changes)

    def redistribute_if_due(self) -> None:
        """By anyone, at live prices."""
        unpriced = self._unpriced(self.group)
        if unpriced is not None:
            raise RefusedError(f"RedistributionWithoutPrice({unpriced.pool}, {unpriced.id})")
        if self.redistribute() == 0:
            raise RefusedError("RedistributionNotDue()")

    def _redistribute_at_live_prices(self) -> None:
        """Before a deficit is paid for: what the group lacks is told as if this had been done."""
        if self._unpriced(self.group) is None:
            self.redistribute()

    def _unpriced(self, pools: list[int]) -> Market | None:
        """The first market whose inventory has no live price."""
        markets = (market for pool in pools for market in self.markets_of(pool))
        return next((market for market in markets if not self.is_priced(market)), None)

    # ------------------------------------------------------------------ stakes

    def assets(self, pool: int) -> int:
        """What all shares of a pool stand for, token units."""
        group = self.group_balances() if self.pools[pool].is_mutual else None
        return staking.pool_assets(self.balance(pool)[0], self.scale, group)

    def is_depleted(self, pool: int) -> bool:
        """Below zero, or at zero with inventory."""
        balance = self.balance(pool)[0]
        return balance < 0 or (balance == 0 and any(map(self.has_inventory, self.markets_of(pool))))

    def _check_depleted(self, pool: int) -> None:
        for one in self.group if self.pools[pool].is_mutual else [pool]:
            if self.is_depleted(one):
                raise RefusedError(f"PoolDepleted({one})")

    def _check_priced(self, what: str, pool: int) -> None:
        unpriced = self._unpriced(self.group if self.pools[pool].is_mutual else [pool])
        if unpriced is not None:
            raise RefusedError(f"{what}WithoutPrice({pool}, {unpriced.id})")

    def entry_assets(self, pool: int) -> int:
        """What a stake's shares are counted by: with what inventories have gained. Token units."""
        gains = sum(map(self.gains_of, self.markets_of(pool)))
        return staking.entry_assets(self.balance(pool)[0], gains, self.scale)

    def stake(self, payer: str, pool: int, assets: int) -> None:
        """`deposit`: shares for token units."""
        worth, supply = self.entry_assets(pool), self.shares[pool].supply
        self._stake(payer, pool, assets, staking.assets_to_shares(assets, worth, supply))

    def mint(self, payer: str, pool: int, shares: int) -> None:
        """`mint`: so many shares, for whatever they cost."""
        worth, supply = self.entry_assets(pool), self.shares[pool].supply
        self._stake(payer, pool, staking.assets_for_shares(shares, worth, supply), shares)

    def _stake(self, payer: str, pool: int, assets: int, shares: int) -> None:
        if assets == 0:
            raise RefusedError("AssetsZero()")
        if shares == 0:
            raise RefusedError("SharesZero()")
        mine = self.shares[pool]
        if mine.supply and self.assets(pool) == 0:
            raise RefusedError(f"SharesWorthless({pool})")
        survey = self.remember_all(pool)
        for market in survey.markets:
            if self.reason(survey, self.judge(survey, market)):
                raise RefusedError(f"StakeWhileADLDue({pool}, {market.id})")
        self._check_priced("Stake", pool)
        self._check_depleted(pool)
        room = max(0, self.pools[pool].cap - survey.balance) // self.scale
        if self.pools[pool].cap != NO_CAP and assets > room:
            raise RefusedError(f"CapExceeded({pool}, {assets}, {room})")
        self.enter(pool, None, Item.STAKE, assets * self.scale)
        self.shares[pool] = mine.moved(payer, shares)._replace(supply=mine.supply + shares)
        self.pull(payer, assets)

    # ------------------------------------------------------------------ exits

    def request_exit(self, owner: str, pool: int, shares: int) -> None:
        """Sets shares aside."""
        mine = self.shares[pool]
        if shares == 0:
            raise RefusedError("SharesZero()")
        if owner in mine.exits:
            raise RefusedError(f"RequestOpen({owner}, {mine.exits[owner].shares})")
        value = staking.shares_to_assets(shares, self.assets(pool), mine.supply)
        held = mine.held.get(owner, 0)
        if shares > held:
            raise RefusedError(f"ERC20InsufficientBalance({owner}, {held}, {shares})")
        asked = Exit(shares, value, self.now + self.pools[pool].cooldown)
        self.shares[pool] = mine.moved(owner, -shares).with_exit(owner, asked)

    def cancel_exit(self, owner: str, pool: int) -> None:
        """Gives them back."""
        mine = self.shares[pool]
        if owner not in mine.exits:
            raise RefusedError(f"RequestMissing({owner})")
        self.shares[pool] = mine.moved(owner, mine.exits[owner].shares).with_exit(owner, None)

    def exit_value(self, owner: str, pool: int, shares: int) -> int:
        """What a part of an exit is worth."""
        mine = self.shares[pool]
        asked = mine.exits.get(owner)
        if asked is None:
            raise RefusedError(f"RequestMissing({owner})")
        if shares == 0:
            raise RefusedError("SharesZero()")
        if shares > asked.shares:
            raise RefusedError(f"RequestExceeded({owner}, {shares}, {asked.shares})")
        now = staking.shares_to_assets(shares, self.assets(pool), mine.supply)
        return staking.exit_value(shares, asked.shares, asked.value, now)

    def redeem(self, caller: str, owner: str, pool: int, shares: int) -> int:
        """Pays a part of an exit to whoever asked for it. Returns what was paid."""
        value = self.exit_value(owner, pool, shares)
        return self._pay_exit(caller, owner, pool, shares, value)

    def withdraw_exit(self, caller: str, owner: str, pool: int, assets: int) -> int:
        """The same, by what it is worth."""
        if assets == 0:
            raise RefusedError("AssetsZero()")
        asked = self.shares[pool].exits.get(owner, Exit())
        whole = self.exit_value(owner, pool, asked.shares)
        if assets > whole:
            raise RefusedError(f"ERC4626ExceededMaxWithdraw({owner}, {assets}, {whole})")
        return self._pay_exit(caller, owner, pool, div_ceil(asked.shares * assets, whole), assets)

    def settle_exit(self, caller: str, owner: str, pool: int) -> int:
        """Pays a whole exit to its owner; while there is an open deficit, or for nothing, only its owner may ask."""
        shares = self.shares[pool].exits.get(owner, Exit()).shares
        value = self.exit_value(owner, pool, shares)
        if caller != owner:
            lacking = sum(self.deficits())
            if lacking or value == 0:
                raise RefusedError(f"ExitOfOther({owner}, {lacking})")
        return self._release(owner, owner, pool, shares, value, is_owners=caller == owner)

    def _pay_exit(self, caller: str, owner: str, pool: int, shares: int, value: int) -> int:
        if caller != owner:
            raise RefusedError(f"ERC20InsufficientAllowance({caller}, 0, {shares})")
        return self._release(owner, caller, pool, shares, value)

    def _release(self, owner: str, receiver: str, pool: int, shares: int, value: int, *, is_owners: bool = True) -> int:
        mine = self.shares[pool]
        asked = mine.exits[owner]
        if self.now < asked.ripe_at:
            raise RefusedError(f"ExitUnripe({owner}, {asked.ripe_at})")
        left = asked.shares - shares
        rest = Exit(left, asked.value * left // asked.shares, asked.ripe_at) if left else None
        self.shares[pool] = mine.with_exit(owner, rest)._replace(supply=mine.supply - shares)
        if not is_owners or self.now < asked.ripe_at + staking.MAX_WAIT:
            self.check_exit(pool, value)
        if self.pools[pool].is_mutual:
            self._leave_burden(pool, value * self.scale)
        self.enter(pool, None, Item.EXIT, -value * self.scale)
        return self.pay_out(receiver, value) if value else 0

    def _leave_burden(self, pool: int, amount: int) -> None:
        """Who leaves while others are below zero leaves there what its part would have had to give."""
        balances = self.group_balances()
        burden = staking.left_burden(amount, self.balance(pool)[0], balances)
        gifts = deficit.share_out(burden, [max(0, -balance) for balance in balances])
        self.enter(pool, None, Item.REDISTRIBUTION, -burden)
        for one, gift in zip(self.group, gifts, strict=True):
            self.enter(one, None, Item.REDISTRIBUTION, gift)

    def check_exit(self, pool: int, amount: int) -> None:
        """An exit waits while a market would have lost more than 1 % of what is left."""
        self._check_depleted(pool)
        survey = self.survey(pool)
        for market, loss in zip(survey.markets, survey.windows, strict=True):
            if staking.must_wait(loss, survey.base, amount * self.scale):
                left = max(0, survey.base - amount * self.scale)
                raise RefusedError(f"ExitWaits({pool}, {market.id}, {loss}, {left})")
        self._check_priced("Exit", pool)

    # ------------------------------------------------------------------ renewal, terms, and where markets stand

    def is_wiped_out(self, pool: int) -> bool:
        """No cash, and no inventory."""
        return self.cash[pool] == 0 and not any(map(self.has_inventory, self.markets_of(pool)))

    def renew(self, pool: int) -> None:
        """New shares for a pool that has ended at nothing."""
        self._check_pool(pool)
        if not self.is_wiped_out(pool) or self.shares[pool].supply == 0:
            raise RefusedError(f"SharesNotWorthless({pool})")
        self.shares[pool] = Shares()

    def set_staking(self, pool: int, cap: int, cooldown: int) -> None:
        """By the owner."""
        self._check_pool(pool)
        if not COOLDOWNS[0] <= cooldown <= COOLDOWNS[1]:
            raise RefusedError(f"CooldownOutOfBounds({cooldown})")
        self.pools[pool] = self.pools[pool]._replace(cap=cap, cooldown=cooldown)

    def move_market(self, market: Market, pool: int) -> None:
        """By the owner, once fees are swept: without inventory, and without a loss in the window."""
        if market.pool == pool:
            raise RefusedError(f"MarketInPool({market.id}, {pool})")
        if self.has_inventory(market):
            raise RefusedError(f"InventoryOpen({market.id})")
        survey = self.survey(market.pool)
        loss = self.judge(survey, market).loss
        if loss:
            raise RefusedError(f"LossOpen({market.id}, {loss})")
        self._check_pool(pool)
        others = len(self.markets_of(pool))
        if others >= (1 if self.pools[pool].kind == ISOLATED else MOST_MARKETS):
            raise RefusedError(f"PoolFull({pool}, {others})")
        market.pool = pool
        # The stress that the old pool put on it stays behind.
        self.checkpoint(market)


def _share(due: int, losses: Mapping[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """By loss, over those of the inventories that lose; by market and side."""
    losing = {place: loss for place, loss in losses.items() if loss}
    return dict(zip(losing, fund.share_by_loss(due, list(losing.values())), strict=True))
