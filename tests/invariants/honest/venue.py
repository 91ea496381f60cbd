"""An exchange in use: whoever acts does it here, rounds are held against the model, and challenges are tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from backstop.account_id import account_text, is_cross
from backstop.adl.listing import NO_BOUND
from backstop.adl.planning import Plan, plan
from backstop.chain.bindings import CHALLENGE, DELEVERAGE, PAY_POOL
from backstop.chain.deployment import Deployment
from backstop.keeper.duties import SIDE_CODES, Deleverage
from backstop.math.wad import WAD
from backstop.orders import Order
from tests.invariants import calls
from tests.invariants.calls import call
from tests.invariants.chain import CHAIN_ID, Receipt
from tests.invariants.system import PARAMETERS
from tests.invariants.world import BY_ADDRESS, TRADERS, owner_of
from tests.support.enums import Exemption

from .judge import Omission, Parameters, Record, closed_whole, judge
from .state import View, read, words_of
from .world import IDS, OPENS, SCALE, Ground

WIDE = (-(2**255), 2**255 - 1, [], NO_BOUND, 2**256 - 1)  # bounds that hold nothing back
_ROUND_PARAMETERS = "setRoundParameters((uint32,uint32,uint64,uint64,uint96,uint96))"


class SlashedError(AssertionError):
    """Somebody can prove an omission to a keeper that did as planned."""


class Venue:
    """One sequence. `now` is when the next transaction is mined; `counts` gathers what was reached."""

    def __init__(self, ground: Ground, counts: Counter[str] | None = None) -> None:
        self.chain, self.system, self.errors = ground.chain, ground.system, ground.errors
        self.chain.rewind()
        self.counts = Counter() if counts is None else counts
        self.now = OPENS
        self.accounts: dict[bytes, int] = {}  # those ever touched, and how many rounds there had been then
        self.records: dict[int, Record] = {}
        self.parameters = Parameters()
        self.refusal = ""  # of the last transaction
        self._salt = 0
        self._harshest: dict[
            int, tuple[int, int]
        ] = {}  # by market: until when a round is open, and what the worst took
        here = self.system
        self.deployment = Deployment(
            CHAIN_ID, 0, here.token, here.price_feed, "", "", "", here.exchange, "", "", "", here.fund,
            here.round_book, here.engine, here.reader, "",
        )  # fmt: skip

    # ------------------------------------------------------------------ transactions

    def send(self, sender: str, to: str, data: bytes, *touched: bytes) -> Receipt:
        """A transaction now."""
        receipt = self.chain.send(sender, to, data, self.now)
        self.refusal = "" if receipt.ok else self.error_of(receipt.output)
        if receipt.ok:
            for account in touched:
                self.accounts[account] = len(self.records)
        return receipt

    def error_of(self, output: bytes) -> str:
        """The contracts' error."""
        assert output[:4] in self.errors, f"not refused by an error of the contracts: {output.hex() or 'halted'}"
        return self.errors[output[:4]]

    def _by_owner(
        self, account: bytes, signature: str, *arguments: bytes | int | str, also: Sequence[bytes] = ()
    ) -> bool:
        return self.send(owner_of(account), self.system.exchange, call(signature, *arguments), account, *also).ok

    def deposit(self, account: bytes, amount: int) -> bool:
        """WAD, of which whole token units count."""
        sub_id = int.from_bytes(account[20:], "big")
        return self._by_owner(account, "deposit(uint96,uint256)", sub_id, amount // SCALE)

    def withdraw(self, account: bytes, amount: int) -> bool:
        """To the owner."""
        arguments = account, amount // SCALE, owner_of(account)
        return self._by_owner(account, "withdraw(bytes32,uint256,address)", *arguments)

    def transfer(self, account: bytes, to: bytes, amount: int) -> bool:
        """Between accounts of one owner."""
        arguments = account, to, amount // SCALE
        return self._by_owner(account, "transfer(bytes32,bytes32,uint256)", *arguments, also=(to,))

    def trade(self, market: int, buyer: bytes, seller: bytes, contracts: int, price: int) -> bool:
        """A fill; the seller's order rests."""
        self._salt += 1
        expiry = self.now + 3600
        maker = Order(seller, market, -contracts, price, expiry, salt=self._salt)
        taker = Order(buyer, market, contracts, price, expiry, salt=self._salt)
        data = calls.settle(maker, self._signed(maker), taker, self._signed(taker), contracts)
        return self.send(TRADERS[0].address, self.system.exchange, data, buyer, seller).ok

    def _signed(self, order: Order) -> bytes:
        key = TRADERS[BY_ADDRESS[owner_of(order.account)]].key
        signature = key.sign_recoverable(calls.order_digest(order, self.system.domain), hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def liquidate(self, account: bytes, market: int, liquidator: bytes, contracts: int) -> bool:
        """By the owner of `liquidator`."""
        arguments = account, market, liquidator, contracts
        return self._by_owner(liquidator, "liquidate(bytes32,uint16,bytes32,uint256)", *arguments, also=(account,))

    def take_over(self, account: bytes) -> bool:
        """By anybody."""
        return self._by_owner(account, "takeOver(bytes32)", account)

    def mark(self, market: int, price: int) -> None:
        """The feed's next answer."""
        sent = self.send(self.system.owner, self.system.feeds[market - 1], call("setAnswer(int256)", price))
        assert sent.ok

    def contribute(self, pool: int, amount: int) -> None:
        """By the first trader."""
        data = call("contribute(uint16,uint16,uint256)", pool, 0, amount // SCALE)
        assert amount < SCALE or self.send(TRADERS[0].address, self.system.fund, data).ok

    def accrue(self, market: int) -> None:
        """Funding."""
        assert self.send(TRADERS[0].address, self.system.exchange, call("accrue(uint16)", market)).ok

    def set_maintenance(self, market: int, listed: Sequence[int]) -> bool:
        """New parameters of a market."""
        data = call(f"setParameters(uint16,{PARAMETERS})", market, *listed)
        return self.send(self.system.owner, self.system.exchange, data).ok

    def set_rules(self, parameters: Parameters) -> None:
        """New parameters of rounds."""
        assert self.send(self.system.owner, self.system.round_book, call(_ROUND_PARAMETERS, *parameters)).ok
        self.parameters = parameters

    def move_market(self, market: int, pool: int) -> bool:
        """To another pool."""
        return self.send(self.system.owner, self.system.exchange, call("moveMarket(uint16,uint16)", market, pool)).ok

    # ------------------------------------------------------------------ reading and planning

    def view(self) -> View:
        """As the next transaction will find it."""
        return read(self.chain, self.system, self.accounts, self.now)

    def ask(self, to: str, signature: str, *arguments: int | bytes | str) -> list[int]:
        """The words that a view answers."""
        return words_of(self.chain.view(to, call(signature, *arguments), self.now))

    # ------------------------------------------------------------------ rounds

    def submit(self, keeper: str, one: Plan, planned: View) -> Record | None:
        """A plan as the keeper sends it; None where it is refused."""
        to, data = Deleverage(one).transaction(planned.chain_state(), self.deployment)
        assert to == self.system.engine
        listed = [bytes.fromhex(account[2:]) for account in one.listing.accounts]
        market, side = IDS[one.market], SIDE_CODES[one.side]
        return self._round(keeper, data, market, side, listed, one.listing.lowest_return, True)

    def round(
        self, keeper: str, market: int, side: int, candidates: Sequence[bytes], lowest: int = NO_BOUND
    ) -> Record | None:
        """A list of one's own, with bounds that hold nothing back."""
        data = DELEVERAGE.encode(market, side, list(candidates), (*WIDE[:3], lowest, WIDE[4]))
        return self._round(keeper, data, market, side, candidates, lowest, False)

    def _round(
        self, keeper: str, data: bytes, market: int, side: int, candidates: Sequence[bytes], lowest: int, honest: bool
    ) -> Record | None:
        view = self.view()
        receipt = self.send(keeper, self.system.engine, data)
        self.counts["rounds executed" if receipt.ok else f"rounds refused: {self.refusal}"] += 1
        if not receipt.ok:
            return None
        record = judge(view, self.parameters, market, side, candidates, lowest, keeper, honest)
        if not record.fills:
            return None  # only netted, and not on record
        record.number = int.from_bytes(receipt.output, "big")
        self._holds_as_judged(record)
        self._make_up(record)
        self.accounts.setdefault(TRADERS[BY_ADDRESS[keeper]].cross(), record.number)  # where its reward goes
        self.records[record.number] = record
        for account in record.fills:
            self.accounts[account] = record.number
        self.counts["rounds with a second pass"] += record.second_pass
        self.counts["accounts closed"] += len(record.fills)
        return record

    def _holds_as_judged(self, record: Record) -> None:
        found = self.ask(self.system.round_book, "roundRecord(uint256)", record.number)
        cutoff = list(record.fills)[-1]
        _, time, market, side, second, _, account, score, contracts, _, price, bond = found
        assert (time, market, side, bool(second)) == (record.view.time, record.market, record.side, record.second_pass)
        assert account.to_bytes(32, "big", signed=True) == cutoff
        assert (score, contracts, price, bond) == (record.cutoff_return, record.contracts, record.price, record.bond)

    def _make_up(self, record: Record) -> None:
        """Who is closed whole, untouched since rounds before that took little more, had made up for those."""
        until, harshest = self._harshest.get(record.market, (0, 0))
        harshest = harshest if self.now <= until else 0
        is_milder = record.taken < harshest * (WAD - record.parameters.tolerance) // WAD
        self._harshest[record.market] = max(until, record.open_until), max(harshest, record.taken)
        for account in closed_whole(record):
            for earlier in self.open_records():
                if earlier.market != record.market or earlier.number <= self.accounts[account]:
                    continue
                self.counts["closed by milder rounds" if is_milder else "made up for"] += 1
                if not is_milder:
                    earlier.made_up.add(account)

    def open_records(self) -> list[Record]:
        """Those whose window has not passed."""
        return [one for one in self.records.values() if self.now <= one.open_until]

    # ------------------------------------------------------------------ challenges

    def omission(self, record: Record, account: bytes) -> Omission:
        """What the contracts say."""
        reason, score, spared = self.ask(self.system.round_book, "omission(uint256,bytes32)", record.number, account)
        return Omission(Exemption(reason), score, spared)

    def hints(self, record: Record, account: bytes) -> list[int]:
        """What `kept` tells."""
        return self.ask(self.system.round_book, "kept(uint256,bytes32)", record.number, account)[2:]

    def try_challenge(self, record: Record, account: bytes, hints: Iterable[int] = ()) -> str:
        """The error with which a challenge would be refused, empty where it would not."""
        data = CHALLENGE.encode(record.number, account, list(hints))
        ok, output = self.chain.would(TRADERS[7].address, self.system.round_book, data, self.now)
        return "" if ok else self.error_of(output)

    def hold_as_of(self) -> None:
        """Every account, known or not, is as of each open round what the model says."""
        for record in self.open_records():
            for account in self.accounts:
                expected, found = record.omission(account), self.omission(record, account)
                assert found == expected, (record.number, account_text(account), found, expected)
                self.counts[f"judged {expected.reason.name}"] += 1

    def challenge_all(self) -> None:
        """Nobody is an omission of an honest round; those of the others are proven, and nobody else."""
        for record in self.open_records():
            for account in self.accounts:
                expected = record.omission(account)
                if expected.reason is Exemption.NONE and account not in record.proven and record.bond:
                    if record.is_honest:
                        raise SlashedError(f"round {record.number} left {account_text(account)} out: {expected}")
                    self.prove(record, account, expected)
                    continue
                hints = self.hints(record, account)
                refusals = {self.try_challenge(record, account), self.try_challenge(record, account, hints)}
                if account in record.proven:
                    assert refusals == {"AlreadyProven"}
                elif not record.bond:
                    assert refusals == {"RoundBondSpent"}
                else:
                    assert refusals <= {"NotAnOmission", "HintWrong"}, (record.number, account_text(account), refusals)
                forged = [self._salt * (place + 3) % (len(self.records) + 2) for place in range(len(hints))]
                refusals.add(self.try_challenge(record, account, forged))
                for refusal in refusals:
                    assert refusal, (record.number, account_text(account), forged)
                    self.counts[f"challenges refused: {refusal}"] += 1

    def prove(self, record: Record, account: bytes, expected: Omission) -> None:
        """A challenge that must succeed, with hints and without, and what it moves."""
        book, challenger = self.system.round_book, TRADERS[7].address
        hints = self.hints(record, account)
        assert self.try_challenge(record, account) == ""
        assert self.try_challenge(record, account, hints) == ""
        cutoff = owner_of(list(record.fills)[-1])

        def money() -> dict[str, int]:
            amount, reserved, *_ = self.ask(book, "bond(address)", record.keeper)
            claimed = {one: self.ask(book, "claimable(address)", one)[0] for one in {challenger, cutoff}}
            pool = self.ask(self.system.exchange, "market(uint16)", record.market)[3]
            contributed = self.ask(self.system.fund, "items(uint16)", pool)[2]
            return {"bond": amount, "reserved": reserved, "pool": contributed, **claimed}

        before = money()
        data = CHALLENGE.encode(record.number, account, hints if record.number % 2 else [])
        receipt = self.send(challenger, book, data)
        assert receipt.ok, self.refusal
        assert self.send(challenger, book, PAY_POOL.encode(record.market)).ok, self.refusal
        penalty = record.penalty(expected.spared)
        assert int.from_bytes(receipt.output, "big") == penalty
        shares = Counter({"bond": -penalty, "reserved": -penalty, "pool": penalty // 2})
        shares[challenger] += penalty // 4
        shares[cutoff] += penalty // 4
        assert money() == {key: amount + shares[key] for key, amount in before.items()}
        record.bond -= penalty
        record.proven.add(account)
        self.counts["omissions proven"] += 1
        self.counts["omissions proven for the whole bond"] += record.bond == 0
        self.counts["omissions proven of cross accounts"] += is_cross(account)


def plans_of(view: View) -> list[Plan]:
    """The rounds that the production planner finds due and that have somebody to close."""
    return [one for one in plan(view.snapshot) if one.fills]
