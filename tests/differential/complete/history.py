"""A history: every action is done on the contracts and on the exchange in Python, and then everything is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from backstop.account_id import is_cross
from backstop.chain.bindings import Event, describe_revert
from backstop.math import funding
from backstop.math.wad import WAD
from backstop.orders import Order
from scripts.stage.parameters import MarketParameters
from tests.invariants import calls
from tests.invariants.calls import call
from tests.invariants.chain import Receipt

from . import accounts as rules
from .accounts import TOKEN
from .books import SIGN, Book, RefusedError
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
        isolated = frozenset(market for market, pool in POOL_OF.items() if POOLS[pool] == 0)
        self.model = Exchange(books, Fund(books, dict.fromkeys(POOLS, 0)), isolated, now=self.now)
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
        exchange = self.evm.exchange
        data = call("withdraw(bytes32,uint256,address)", account, amount, owner.address)
        return self._do(
            "withdraw", owner.address, exchange, data, lambda m: m.withdraw(account, amount, exchange.lower())
        )

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
        data = calls.deleverage(market, side, candidates, (-(2**255), 2**255 - 1, FOR_EVER))
        before = self.model.books[market].inventories[side].size
        done = self._do(
            "deleverage", TRADERS[0].address, self.evm.engine, data, lambda m: m.deleverage(market, side, candidates)
        )
        left = self.model.books[market].inventories[side].size
        self.reached["round that leaves inventory"] += done and left != 0
        self.reached["round against a cross account"] += done and left != before and any(map(is_cross, candidates))
        return done

    def contribute(self, pool: int, market: int, amount: int) -> bool:
        """A gift."""
        data = call("contribute(uint16,uint16,uint256)", pool, market, amount)
        return self._do(
            "contribute", TRADERS[0].address, self.evm.fund, data, lambda m: m.contribute(pool, market, amount)
        )

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
        dust = self.model.books[market].pot.dust
        self.swept[market] += dust
        self.reached["dust goes to a pool"] += dust > 0
        return self._do("sweep", TRADERS[0].address, self.evm.exchange, data, lambda m: m.sweep(market))

    def set_parameters(self, market: int, terms: MarketParameters) -> bool:
        """By the owner."""
        self.swept[market] += self.model.books[market].pot.dust
        data = set_parameters(market, terms)
        return self._do("parameters", OWNER, self.evm.exchange, data, lambda m: m.set_parameters(market, terms))

    def collect(self, amount: int) -> bool:
        """By the treasury."""
        data = call("collect(uint256)", amount)
        return self._do("collect", TREASURY, self.evm.exchange, data, lambda m: m.collect(amount))

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
        for pool, cash in model.fund.cash.items():
            found, claim = evm.pool(pool)
            assert (found, claim) == (cash, model.fund.claim(pool))
            claims += claim
        assert tokens == claims
        if model.margins:
            account = self.rng.choice(list(model.margins))
            assert evm.health(account) == model.shown(account)
        if self._compared % READ_EVERY == 0:
            check_reading(evm, model)

    def _compare_market(self, book: Book) -> int:
        """What its accounts, pot and fees claim beside margins."""
        evm, model, market = self.evm, self.model, book.id
        found = evm.market(market)
        pot = book.pot
        assert found == MarketWords(
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
        assert evm.backing(market) == model.fund.standing(book, self.now)
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
        self.model.now = self.now

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
