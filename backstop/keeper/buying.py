"""Which inventory the keeper buys from pools in their auctions, onto its own account; a pure function of a state."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.account_id import account_text, isolated_account
from backstop.adl.snapshot import Account, Market, Side
from backstop.chain.bindings import BUY_INVENTORY
from backstop.chain.deployment import Deployment
from backstop.chain.snapshot import ChainState
from backstop.chain.terms import Auction, MarketTerms
from backstop.keeper.duties import SIDE_CODES
from backstop.keeper.liquidations import most_carried, position_of
from backstop.math.auction import part_value
from backstop.math.margin import margin_requirement, position_value
from backstop.math.position import PositionState, apply_trade
from backstop.math.wad import WAD


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whose accounts buy: in each market the owner's isolated account with this index.

    `notional` is the most that its position in a market may come to at mark, WAD quote; `least_gain` what the auction's
    price has to be better than mark by, a WAD fraction of mark. Where `markets`
    names some, only those count.
    """

    owner: str
    index: int
    notional: int
    least_gain: int
    markets: tuple[str, ...] = ()

    def account(self, market_id: int) -> str:
        """Its account in a market."""
        return account_text(isolated_account(self.owner, market_id, self.index))


@dataclass(frozen=True, slots=True)
class BuyInventory:
    """Contracts of a pool that pass to the keeper's account at the auction's `price`; `limit` is the worst one. WAD."""

    market: str
    side: Side
    buyer: str
    contracts: int
    price: int
    mark: int
    limit: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "buyInventory", self.market, self.side.value

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        account = bytes.fromhex(self.buyer[2:])
        return deployment.exchange, BUY_INVENTORY.encode(
            account, state.market_ids[self.market], SIDE_CODES[self.side], self.contracts, self.limit
        )


def purchases(state: ChainState, buyer: Buyer) -> list[BuyInventory]:
    """What is worth buying, in each market the side that gains most: where nothing has a price, nothing is."""
    accounts = {account.id: account for account in state.snapshot.accounts}
    due: list[BuyInventory] = []
    for name, market in state.snapshot.markets.items():
        if name in state.unpriced or (buyer.markets and name not in buyer.markets):
            continue
        terms = state.terms[name]
        found = [
            duty
            for side, auction in terms.auctions.items()
            if (duty := _purchase(buyer, market, terms, side, auction, accounts, state.market_ids[name])) is not None
        ]
        due += sorted(found, key=lambda duty: -abs(duty.mark - duty.price))[:1]
    return due


def _purchase(
    buyer: Buyer,
    market: Market,
    terms: MarketTerms,
    side: Side,
    auction: Auction,
    accounts: dict[str, Account],
    market_id: int,
) -> BuyInventory | None:
    mark, sign = market.mark_price, side.sign
    limit = mark - sign * (mark * buyer.least_gain // WAD)
    if sign * (limit - auction.price) < 0:
        return None
    account = buyer.account(market_id)
    before = position_of(accounts.get(account))

    def carries(contracts: int) -> bool:
        part = sign * contracts
        after = apply_trade(before, part, part_value(part, auction.price)) if contracts else before
        margin = margin_requirement(after.size, mark, terms.initial_margin_fraction)
        return after.cash + position_value(after.size, mark) >= margin and _is_whole(after, terms)

    netted = min(max(0, -sign * before.size), auction.contracts)
    room = min(buyer.notional, terms.max_notional) * WAD // mark - sign * before.size
    contracts = most_carried(netted, min(auction.contracts, room), carries)
    if contracts <= 0 or not carries(contracts):
        return None
    return BuyInventory(market.name, side, account, contracts, auction.price, mark, limit)


def _is_whole(position: PositionState, terms: MarketTerms) -> bool:
    return position.size == 0 or abs(position.size) >= terms.min_size
