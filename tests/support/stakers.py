"""The shares of a pool and the hands that hold them; a mutual group to stake in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ape import project

from backstop.deployment.pool_terms import Backer, PoolKind
from scripts.stage.venue import Venue, tokens
from tests.support.acting import Done, act, now
from tests.support.desk import UNLIMITED, Desk, create_pool, open_desk

SCALE = 10**12  # WAD in a token unit
VIRTUAL = 10**12  # shares that a pool holds itself
DAY = 86_400
COOLDOWN = 3 * DAY
MAX_WAIT = 7 * DAY
NO_CAP = 2**96 - 1


class Stakers:
    """What stakers of a pool do. Amounts of assets are token units, unless they are called tokens."""

    def __init__(self, desk: Desk, pool: int | None = None) -> None:
        self.desk = desk
        self.fund = desk.fund
        self.pool = desk.market.pool if pool is None else pool
        self.shares = project.PoolShares.at(desk.fund.staking(self.pool).shares)

    # ------------------------------------------------------------------ in

    def fill_purse(self, name: str, amount: Decimal | int | str) -> Any:
        """Somebody with new tokens that the shares may take."""
        who = self.desk.trader(name)
        act(who, self.desk.token.mint, who.address, tokens(amount))
        act(who, self.desk.token.approve, self.shares.address, UNLIMITED)
        return who

    def stake(self, name: str, amount: Decimal | int | str) -> Done:
        """Somebody stakes new tokens."""
        who = self.fill_purse(name, amount)
        return act(who, self.shares.deposit, tokens(amount), who.address)

    # ------------------------------------------------------------------ out

    def request_exit(self, name: str, shares: int | None = None, *, at: int | None = None) -> int:
        """Somebody asks for all their shares, or for some; when that is ripe."""
        who = self.desk.trader(name)
        asked = self.held(name) if shares is None else shares
        act(who, self.shares.requestRedeem, asked, at=at)
        return int(self.exit_of(name).ripeAt)

    def settle_exit(self, name: str, *, by: str = "keeper", at: int | None = None) -> int:
        """Anyone pays somebody's exit; what arrived with its owner."""
        owner = self.desk.trader(name).address
        before = self.desk.token.balanceOf(owner)
        act(self.desk.trader(by), self.shares.settleRedeem, owner, at=at)
        return int(self.desk.token.balanceOf(owner)) - int(before)

    def leave(self, name: str, *, keep_prices: bool = True) -> int:
        """Somebody leaves with everything, once the cooldown is over; what arrived."""
        ripe = self.request_exit(name)
        if keep_prices:
            fresh(self.desk, at=ripe)
        return self.settle_exit(name, at=max(ripe, now()) + 1)

    # ------------------------------------------------------------------ what is there

    def held(self, name: str) -> int:
        """Shares at hand."""
        return int(self.shares.balanceOf(self.desk.trader(name).address))

    def worth(self, name: str) -> int:
        """What they are worth."""
        return int(self.shares.convertToAssets(self.held(name)))

    def exit_of(self, name: str) -> Any:
        """The exit that somebody has asked for."""
        return self.shares.exitOf(self.desk.trader(name).address)

    def purse(self, name: str) -> int:
        """Tokens at hand."""
        return int(self.desk.token.balanceOf(self.desk.trader(name).address))

    def assets(self) -> int:
        """What all shares stand for."""
        return int(self.shares.totalAssets())

    def balance(self) -> int:
        """The pool's balance, WAD."""
        return int(self.fund.balanceOf(self.pool))

    def set_staking(self, *, cap: int = NO_CAP, cooldown: int = COOLDOWN) -> Done:
        """The owner sets cap (WAD) and cooldown (seconds)."""
        return act(self.desk.venue.owner, self.fund.setStaking, self.pool, cap, cooldown)


def fresh(*desks: Desk, at: int | None = None) -> None:
    """The feeds publish their last answers anew, the first one in a block at timestamp `at`."""
    for desk in desks:
        answer = desk.market.feed.latestRoundData()[1]
        act(desk.venue.owner, desk.market.feed.setAnswer, answer, at=at)
        at = None


def open_group(
    venue: Venue, capital: Mapping[str, Decimal | int | str], price: Decimal | int | str = 100
) -> list[Desk]:
    """Markets at 100x in isolated pools that back each other, by name with the tokens that each pool was given."""
    desks = []
    for name, amount in capital.items():
        pool = create_pool(venue, f"mutual {name}", PoolKind.ISOLATED, Backer.MUTUAL)
        desk = open_desk(venue, name, price, pool=pool)
        if Decimal(amount):
            desk.contribute(amount)
        desks.append(desk)
    return desks
