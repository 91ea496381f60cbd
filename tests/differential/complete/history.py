"""A history: every action is done on the contracts and on the exchange in Python, and then everything is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from backstop.account_id import is_cross
from backstop.chain.bindings import Event, describe_revert
from backstop.math import fees, funding
from backstop.math.staking import MAX_WAIT
from backstop.math.wad import WAD
from backstop.orders import Order
from scripts.stage.parameters import MarketParameters
from tests.invariants import calls
from tests.invariants.calls import call
from tests.invariants.chain import Receipt
from tests.support.capital import ISOLATED, NO_CAP, Exit
from tests.support.enums import Item

from . import accounts as rules
from .books import SIGN, TOKEN, Book, RefusedError
from .evm import (
    FIRST_MARK,
    MARKETS,
    OWNER,
    POOL_OF,
    POOLS,
    START,
    TRADERS,
    TREASURY,
    Evm,
    MarketWords,
    Trader,
    account_of,
    list_market,
    set_parameters,
    settle_batch,
)
from .model import Exchange
from .pools import Fund
from .reading import check_reading

PAIR_REFUSED = Event("PairRefused", ("uint256",), "bytes")
FUNDING_PAID = Event("FundingPaid", ("bytes32", "uint16"), "int256").topic
INVENTORY_FUNDING_PAID = Event("InventoryFundingPaid", ("uint16", "uint16"), "uint8,int256").topic
FOR_EVER = 2**64 - 1
ALL = 2**256 - 1
READ_EVERY = 100  # actions: what the package makes of it all takes longer than the rest

Step = Callable[[Exchange], object]
Fill = tuple[int, rules.Order, rules.Order, int, int]  # market, maker, taker, signed contracts, price


class History:
    """Contracts and model side by side. `reached` counts what happened, by name."""

    def __init__(self, evm: Evm, rng: Random, terms: dict[int, MarketParameters], reached: Counter[str]) -> None:
        self.evm, self.rng, self.reached = evm, rng, reached
        self.now = START + 100
        self.done = 0  # actions that were not refused
        self._compared = 0
        self.funding: Counter[int] = Counter()  # by market: what was paid less what was got, by the events
        self.swept: Counter[int] = Counter()  # by market: dust
        self._salt = 0
        evm.chain.rewind()
        books = {}
        for market in MARKETS:
            book = Book(market, POOL_OF[market], terms[market], FIRST_MARK, funding.hour_of(self.now))
            book.peak.touch(self.now, 0)
            books[market] = book
            receipt = evm.send(OWNER, evm.exchange, list_market(market, terms[market]), self.now)
            assert receipt.ok, evm.refusal(receipt)
        self.model = Exchange(books, Fund(books, POOLS, self.now), evm.exchange.lower())
        self.model.fund.vault = self.model
        for pool in POOLS:
            evm.staking(pool)
        self.published = dict.fromkeys(MARKETS, START)

    # ------------------------------------------------------------------ actions

    def mark(self, market: int, mark: int) -> None:
        """The feed's next answer; with 0 it is dead."""
        data = call("setAnswer(int256)", mark)
        self._do("price", OWNER, self.evm.feeds[market], data, lambda m: setattr(m.books[market], "mark", mark))
        self.published[market] = self.now

    def deposit(self, owner: Trader, account: bytes, amount: int) -> bool:
        """Token units into an account."""
        data = call("deposit(uint96,uint256)", int.from_bytes(account, "big") & (1 << 96) - 1, amount)
        return self._do("deposit", owner.address, self.evm.exchange, data, lambda m: m.deposit(account, amount))

    def withdraw(self, owner: Trader, account: bytes, amount: int) -> bool:
        """Token units out of it."""
        data = call("withdraw(bytes32,uint256,address)", account, amount, owner.address)
        lacking = sum(self.model.fund.deficits())
        done = self._do("withdraw", owner.address, self.evm.exchange, data, lambda m: m.withdraw(account, amount))
        self.reached["withdrawal at the shared rate"] += done and lacking > 0
        return done

    def transfer(self, owner: Trader, source: bytes, target: bytes, amount: int) -> bool:
        """Between two accounts of somebody."""
        data = call("transfer(bytes32,bytes32,uint256)", source, target, amount)
        return self._do(
            "transfer", owner.address, self.evm.exchange, data, lambda m: m.transfer(source, target, amount)
        )

    def trade(self, fill: Fill) -> bool:
        """Two signed orders meet."""
        maker, maker_signature, taker, taker_signature, size = self._signed(fill)
        data = calls.settle(maker, maker_signature, taker, taker_signature, size)
        return self._do("trade", TRADERS[0].address, self.evm.exchange, data, lambda m: m.trade(*fill))

    def batch(self, fills: list[Fill]) -> None:
        """Several pairs in one call: who is refused does not sink the others."""
        pairs = [
            (maker.values(), made, taker.values(), taken, size)
            for maker, made, taker, taken, size in map(self._signed, fills)
        ]
        meant = []
        self._pass_time()
        for place, fill in enumerate(fills):
            tried = self.model.fork()
            try:
                tried.trade(*fill)
                self.model = tried
            except RefusedError as refusal:
                meant.append((place, str(refusal)))
        receipt = self._send(TRADERS[0].address, self.evm.exchange, settle_batch(pairs))
        assert self.evm.refusal(receipt) == ""
        found = [
            PAIR_REFUSED.decode(log.topics, log.data) for log in receipt.logs if log.topics[0] == PAIR_REFUSED.topic
        ]
        assert [(place, describe_revert(reason)) for place, reason in found] == meant
        self.done += len(meant) < len(fills)
        self.reached["batch"] += 1
        self.reached["batch with a refused pair"] += 0 < len(meant) < len(fills)
        self.compare()

    def liquidate(self, account: bytes, market: int, by: Trader, onto: bytes, most: int) -> bool:
        """Contracts of an account that is due."""
        data = call("liquidate(bytes32,uint16,bytes32,uint256)", account, market, onto, most)
        done = self._do(
            "liquidate", by.address, self.evm.exchange, data, lambda m: m.liquidate(account, market, onto, most)
        )
        self.reached["liquidation of a cross account"] += done and is_cross(account)
        return done

    def take_over(self, account: bytes) -> bool:
        """By its pool."""
        legs = len(self.model.legs(account))
        dead = any(book.mark == 0 for book in self.model.legs(account))
        data = call("takeOver(bytes32)", account)
        done = self._do("take over", TRADERS[0].address, self.evm.exchange, data, lambda m: m.take_over(account))
        self.reached[f"takeover of {'several legs' if legs > 1 else 'one leg'}"] += done
        self.reached["takeover at a last price"] += done and dead
        return done

    def buy(self, by: Trader, buyer: bytes, market: int, side: int, most: int, limit: int) -> bool:
        """Inventory of the pool."""
        data = call("buyInventory(bytes32,uint16,uint8,uint256,uint256)", buyer, market, side, most, limit)
        return self._do(
            "buy", by.address, self.evm.exchange, data, lambda m: m.buy_inventory(buyer, market, side, most, limit)
        )

    def deleverage(self, market: int, side: int, candidates: list[bytes]) -> bool:
        """A round."""
        data, keeper = calls.deleverage(market, side, candidates, calls.Bounds()), account_of(TRADERS[0], 0)
        before = self.model.books[market].inventories[side].size
        given, budget = self.model.fund.items, self.model.keepers
        done = self._do(
            "deleverage",
            TRADERS[0].address,
            self.evm.engine,
            data,
            lambda m: m.deleverage(keeper, market, side, candidates),
        )
        self.reached["round with a reward"] += done and self.model.keepers < budget
        left = self.model.books[market].inventories[side].size
        self.reached["redistribution within a round"] += done and any(
            items[Item.REDISTRIBUTION] != given[pool][Item.REDISTRIBUTION]
            for pool, items in self.model.fund.items.items()
        )
        self.reached["round that leaves inventory"] += done and left != 0
        self.reached["round against a cross account"] += done and left != before and any(map(is_cross, candidates))
        return done

    def contribute(self, pool: int, market: int, amount: int) -> bool:
        """A gift."""
        data, by = call("contribute(uint16,uint16,uint256)", pool, market, amount), TRADERS[0].address
        return self._do("contribute", by, self.evm.fund, data, lambda m: m.fund.contribute(by, pool, market, amount))

    def repay(self, pool: int, amount: int) -> bool:
        """For an open deficit."""
        data, by = call("repay(uint16,uint256)", pool, amount), TRADERS[0].address
        return self._do("repay", by, self.evm.fund, data, lambda m: m.fund.repay(by, pool, amount))

    def redistribute(self) -> bool:
        """Within the mutual group."""
        data, by = call("redistribute()"), TRADERS[0].address
        return self._do("redistribute", by, self.evm.fund, data, lambda m: m.fund.redistribute_if_due())

    def renew(self, pool: int) -> bool:
        """New shares, by the owner; they are allowed what the old ones were."""
        data = call("renewShares(uint16)", pool)
        done = self._do("renew", OWNER, self.evm.fund, data, lambda m: m.fund.renew(pool))
        if done:
            self.evm.approve_shares(pool, self.now)
        return done

    def set_staking(self, pool: int, cap: int, cooldown: int) -> bool:
        """By the owner."""
        data = call("setStaking(uint16,uint96,uint32)", pool, cap, cooldown)
        return self._do("staking", OWNER, self.evm.fund, data, lambda m: m.fund.set_staking(pool, cap, cooldown))

    def move(self, market: int, pool: int) -> bool:
        """A market to another pool, by the owner."""
        dust = self.model.books[market].pot.dust
        data = call("moveMarket(uint16,uint16)", market, pool)
        done = self._do("move", OWNER, self.evm.exchange, data, lambda m: m.move_market(market, pool))
        self.swept[market] += dust if done else 0
        return done

    # ------------------------------------------------------------------ stakes

    def stake(self, owner: Trader, pool: int, assets: int) -> bool:
        """Token units for shares."""
        data = call("deposit(uint256,address)", assets, owner.address)
        return self._of_shares("stake", owner, pool, data, lambda m: m.fund.stake(owner.address, pool, assets))

    def mint(self, owner: Trader, pool: int, shares: int) -> bool:
        """Shares for whatever they cost."""
        data = call("mint(uint256,address)", shares, owner.address)
        return self._of_shares("mint", owner, pool, data, lambda m: m.fund.mint(owner.address, pool, shares))

    def request(self, owner: Trader, pool: int, shares: int) -> bool:
        """An exit."""
        data = call("requestRedeem(uint256)", shares)
        return self._of_shares("request", owner, pool, data, lambda m: m.fund.request_exit(owner.address, pool, shares))

    def cancel(self, owner: Trader, pool: int) -> bool:
        """The exit, called off."""
        data = call("cancelRedeem()")
        return self._of_shares("cancel", owner, pool, data, lambda m: m.fund.cancel_exit(owner.address, pool))

    def redeem(self, owner: Trader, pool: int, shares: int) -> bool:
        """A part of an exit."""
        who = owner.address
        data = call("redeem(uint256,address,address)", shares, who, who)
        return self._exits("redeem", owner, owner, pool, data, lambda m: m.fund.redeem(who, who, pool, shares))

    def withdraw_exit(self, owner: Trader, pool: int, assets: int) -> bool:
        """The same, by what it is worth."""
        who = owner.address
        data = call("withdraw(uint256,address,address)", assets, who, who)
        return self._exits("leave", owner, owner, pool, data, lambda m: m.fund.withdraw_exit(who, who, pool, assets))

    def settle(self, by: Trader, owner: Trader, pool: int) -> bool:
        """A ripe exit, by anyone."""
        data = call("settleRedeem(address)", owner.address)
        return self._exits(
            "settle", by, owner, pool, data, lambda m: m.fund.settle_exit(by.address, owner.address, pool)
        )

    def _exits(self, name: str, by: Trader, owner: Trader, pool: int, data: bytes, step: Step) -> bool:
        fund = self.model.fund
        asked = fund.shares[pool].exits.get(owner.address, Exit())
        lacking, burdened = sum(fund.deficits()), self._is_burdened(pool)
        done = self._of_shares(name, by, pool, data, step)
        self.reached["exit at the shared rate"] += done and lacking > 0
        self.reached["exit that has waited for long enough"] += done and self.now >= asked.ripe_at + MAX_WAIT
        self.reached["exit from a pool with a burden"] += done and burdened
        return done

    def _is_burdened(self, pool: int) -> bool:
        fund = self.model.fund
        return fund.pools[pool].is_mutual and min(fund.group_balances()) < 0 < fund.balance(pool)[0]

    def _of_shares(self, name: str, by: Trader, pool: int, data: bytes, step: Step) -> bool:
        return self._do(name, by.address, self.evm.shares[pool], data, step)

    def checkpoint(self, market: int) -> bool:
        """A sample."""
        data = call("checkpoint(uint16)", market)
        return self._do("checkpoint", TRADERS[0].address, self.evm.fund, data, lambda m: m.checkpoint(market))

    def accrue(self, market: int) -> bool:
        """The index, brought up to date."""
        data = call("accrue(uint16)", market)
        return self._do("accrue", TRADERS[0].address, self.evm.exchange, data, lambda m: m.accrue(market))

    def sweep(self, market: int) -> bool:
        """Fees and dust."""
        data = call("sweep(uint16)", market)
        fund, book = self.model.fund, self.model.books[market]
        cap = fund.pools[book.pool].cap
        lacking = sum(fund.deficits())
        dust = self.model.books[market].pot.dust
        self.swept[market] += dust
        self.reached["dust goes to a pool"] += dust > 0
        treasury = self.model.treasury
        owed = fees.share_fees(book.fees, book.terms.pool_fee_share, book.terms.treasury_fee_share)
        done = self._do("sweep", TRADERS[0].address, self.evm.exchange, data, lambda m: m.sweep(market))
        gained = self.model.treasury - treasury
        self.reached["fees beyond a cap go to the treasury"] += cap != NO_CAP and gained > owed.treasury
        self.reached["the treasury's share goes to a deficit"] += lacking > 0 and gained < owed.treasury
        return done

    def set_parameters(self, market: int, terms: MarketParameters) -> bool:
        """By the owner."""
        dust = self.model.books[market].pot.dust
        data = set_parameters(market, terms)
        done = self._do("parameters", OWNER, self.evm.exchange, data, lambda m: m.set_parameters(market, terms))
        self.swept[market] += dust if done else 0
        return done

    def collect(self, amount: int) -> bool:
        """By the treasury."""
        data, lacking = call("collect(uint256)", amount), sum(self.model.fund.deficits())
        done = self._do("collect", TREASURY, self.evm.exchange, data, lambda m: m.collect(amount))
        self.reached["treasury collects at the shared rate"] += done and lacking > 0
        return done

    def flag(self, account: bytes) -> bool:
        """A margin call."""
        data = call("flag(bytes32)", account)
        return self._do("flag", TRADERS[0].address, self.evm.exchange, data, lambda m: m.flag(account))

    # ------------------------------------------------------------------ what must hold after every action

    def compare(self) -> None:
        """Every balance on both sides, and the identities on the contracts' own numbers."""
        self._compared += 1
        model, evm = self.model, self.evm
        tokens = evm.tokens() * TOKEN
        assert tokens == model.tokens
        treasury, keepers = evm.reserves()
        assert (treasury, keepers) == (model.treasury, model.keepers)
        assert evm.cross_accounts() == len(model.cross_listed)
        claims = treasury + keepers
        for account in model.margins:
            margin = evm.margin(account)
            assert margin == model.margins[account]
            claims += margin
            if is_cross(account):
                assert evm.cross(account)[1] == [book.id for book in model.legs(account)]
        for book in model.books.values():
            claims += self._compare_market(book)
        claims += sum(map(self._compare_pool, model.fund.cash))
        assert tokens == claims
        assert evm.deficits() == (model.fund.overdrawn, model.fund.deficits())
        if model.margins:
            account = self.rng.choice(list(model.margins))
            assert evm.health(account) == model.shown(account)
        if self._compared % READ_EVERY == 0:
            check_reading(evm, model)

    def _compare_pool(self, pool: int) -> int:
        """What it claims."""
        evm, fund = self.evm, self.model.fund
        cash, claim = evm.pool(pool)
        assert (cash, claim) == (fund.cash[pool], fund.claim(pool))
        assert evm.items(pool) == fund.items[pool]
        assert sum(fund.items[pool]) == cash
        assert evm.staking(pool) == (fund.pools[pool].cap, fund.pools[pool].cooldown)
        shares = fund.shares[pool]
        assert evm.supply(pool) == (shares.supply, fund.assets(pool), len(shares.exits))
        for one in TRADERS:
            mine = shares.held.get(one.address, 0), shares.exits.get(one.address, Exit())
            assert evm.stake(pool, one.address) == mine
        assert shares.supply == sum(shares.held.values()) + sum(exit_.shares for exit_ in shares.exits.values())
        return claim

    def _compare_market(self, book: Book) -> int:
        """What its accounts, pot and fees claim beside margins."""
        evm, model, market = self.evm, self.model, book.id
        found = evm.market(market)
        pot = book.pot
        assert found == MarketWords(
            book.initial,
            book.band,
            book.pool,
            model.fund.pools[book.pool].kind == ISOLATED,
            sum(
                is_cross(account) for (account, place), held in model.holdings.items() if place == market and held.size
            ),
            book.open_interest,
            book.index,
            book.hour,
            pot.rest,
            book.premium,
            book.volume,
            pot.amount,
            book.fees,
            pot.dust,
        )
        assert evm.index(market) == book.index_at(self.now)
        assert evm.accounts(market) == len(book.listed)
        inventories = evm.inventories(market)
        assert inventories == tuple((one.size, one.entry, one.start) for one in book.inventories)
        assert evm.backing(market) == model.fund.standing(book)
        assert evm.seen(market) == (book.seen, book.stress, book.last_due)
        claims = found.pot + found.fees
        sizes = [size for size, *_ in inventories]
        indices = [one.index for one in book.inventories]
        for (account, held_in), held in model.holdings.items():
            if held_in != market:
                continue
            size, entry, _, index = evm.position(account, market)
            assert (size, entry) == held[:2]
            if size:
                assert index == held.index
            claims -= entry
            sizes.append(size)
            indices.append(index)
        for sign in SIGN:
            assert sum(max(0, sign * size) for size in sizes) == found.open_interest
        self._check_funding(found, sizes, indices)
        return claims

    def _check_funding(self, found: MarketWords, sizes: list[int], indices: list[int]) -> None:
        """What was paid covers what was got and is owed; what it is more by is the dust, exactly."""
        changes = [found.index - index if size else 0 for size, index in zip(sizes, indices, strict=True)]
        owed = sum(funding.exact_payment(size, change) for size, change in zip(sizes, changes, strict=True))
        assert found.pot * WAD + owed == found.dust * WAD + found.rest
        pending = sum(funding.payment(size, change) for size, change in zip(sizes, changes, strict=True))
        assert 0 <= found.pot - found.dust + pending <= sum(map(bool, sizes)) + 1

    def check_paid(self) -> None:
        """By the events of the whole history: what all paid is what all got, what is in the pot, and the swept dust."""
        for market, book in self.model.books.items():
            assert self.funding[market] == book.pot.amount + self.swept[market]
            self.reached["funding index moved"] += book.index != 0

    # ------------------------------------------------------------------ plumbing

    def _do(self, name: str, sender: str, to: str, data: bytes, step: Step) -> bool:
        """Does it on both sides; both do it, or refuse it with the same error."""
        self._pass_time()
        tried, meant = self.model.fork(), ""
        try:
            step(tried)
            self.model = tried
        except RefusedError as refusal:
            meant = str(refusal)
        told = self.evm.refusal(self._send(sender, to, data))
        assert told == meant, name
        self.done += not meant
        self.reached[f"{name} refused: {meant.split('(')[0]}" if meant else name] += 1
        self.compare()
        return not meant

    def _pass_time(self) -> None:
        self.now += self.rng.choice((0, 1, 12, self.rng.randint(0, 300)))
        self.model.fund.now = self.now

    def _send(self, sender: str, to: str, data: bytes) -> Receipt:
        receipt = self.evm.send(sender, to, data, self.now)
        for log in receipt.logs:
            if log.topics[0] in (FUNDING_PAID, INVENTORY_FUNDING_PAID):
                self.funding[int.from_bytes(log.topics[2], "big")] += int.from_bytes(log.data[-32:], "big", signed=True)
        return receipt

    def _signed(self, fill: Fill) -> tuple[Order, bytes, Order, bytes, int]:
        market, maker, taker, contracts, price = fill
        signed: list[tuple[Order, bytes]] = []
        for one, size in ((maker, -contracts), (taker, contracts)):
            self._salt += 1
            order = Order(one.account, market, size, price, FOR_EVER, salt=self._salt, reduce_only=one.reduce_only)
            owner = next(each for each in TRADERS if each.address == "0x" + one.account[:20].hex())
            digest = calls.order_digest(order, self.evm.domain)
            signature = owner.key.sign_recoverable(digest, hasher=None)
            signed.append((order, signature[:64] + bytes([27 + signature[64]])))
        (made, made_by), (taken, taken_by) = signed
        return made, made_by, taken, taken_by, abs(contracts)
