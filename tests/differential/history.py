"""Random histories: what happens next, drawn from what is so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from backstop.adl.planning import plan
from backstop.keeper.duties import take_overs
from backstop.math.rolling_max import BUCKET_SECONDS
from backstop.math.wad import WAD, div_ceil

from .model import FLAT, SIDES
from .stage import TOKEN, Stage
from .world import POOLS, World

HOUR = 3600
MILLION = 10**6
ALONE = "ETH-USD"  # the market with a pool of its own
STRANGER = bytes(31) + b"\x01"  # an account that never was


@dataclass(frozen=True)
class Plot:
    """What kind of history it is. Fractions are in parts of a million; `prelude` names how it begins."""

    name: str
    initial: tuple[int, ...] = (20_000, 50_000, 100_000)  # initial margin fractions
    contribution: int = 60_000  # what pools get, of what traders deposit
    shock: tuple[int, int] = (50_000, 350_000)  # how far prices jump
    vigilance: float = 5.0  # how soon the ruined are taken over
    prelude: str = ""


class History:
    """A history, played on a stage."""

    def __init__(self, world: World, plot: Plot, seed: int, reached: Counter[str]) -> None:
        self.plot = plot
        self.rng = Random(f"{plot.name} {seed}")
        self.stage = Stage(world, self.rng, reached)
        self.traders = world.traders
        self.books = self.stage.model.books

    def play(self, actions: int) -> None:
        """Sets the stage, and then does `actions` things, looking at everything after each."""
        self._set_up()
        preludes = {
            "crowd out": self._crowd_out,
            "see-saw": self._see_saw,
            "newcomers": self._newcomers,
            "squeeze": self._squeeze,
        }
        if self.plot.prelude:
            preludes[self.plot.prelude]()
        self.stage.check()
        for _ in range(actions):
            self._act()
            self.stage.check()

    # ------------------------------------------------------------------ how it begins

    def _set_up(self) -> None:
        deposited = 0
        for name in self.books:
            initial = self.rng.choice(self.plot.initial) * (WAD // MILLION) + self.rng.randrange(10**9)
            self.stage.set_fractions(name, initial, initial * self.rng.randint(300, 700) // 1000)
            self.stage.set_mark(
                name, self.rng.choice((7, 130, 10_000, 250_000)) * self.rng.randint(8, 12) * WAD // 1000
            )
            for trader in self.rng.sample(self.traders, 5):
                units = self.rng.randint(10**8, 10**10)
                self.stage.deposit(name, trader, units)
                deposited += units
        for pool in POOLS:
            units = deposited * self.plot.contribution // MILLION * self.rng.randint(1, 10) // 10
            if units:
                self.stage.contribute(pool, None, units)
        for name in self.books:
            for _ in range(4):
                self._trade(name)

    def _crowd_out(self) -> None:
        """Ruins the longs, then most shorts; what is left of the market is its pool's, on both sides."""
        for factor in (300_000, 12 * MILLION):
            self._jump(ALONE, factor)
            for account, state in list(self.books[ALONE].accounts.items()):
                if state.size and not (factor > MILLION and self.rng.random() < 0.3):
                    self.stage.take_over(ALONE, account)

    def _see_saw(self) -> None:
        """Ruins longs from above and then shorts from below: both inventories of each market lose."""
        for name in self.books:
            self._jump(name, 600_000)
            self._take_over_ruined(name)
            for _ in range(4):
                self._trade(name)
            self._jump(name, 1_300_000)
            self._take_over_ruined(name)

    def _newcomers(self) -> None:
        """After a gap the winners hand their positions, or most of them, to newcomers who can hardly carry them."""
        for name, book in self.books.items():
            self._jump(name, self.rng.choice((700_000, 1_350_000)))
            self._take_over_ruined(name)
            winners = [account for account, state in book.accounts.items() if state.size]
            outsiders = [trader for trader in self.traders if self._is_flat(name, self.stage.account_of(trader, name))]
            for winner, trader in zip(winners, outsiders, strict=False):
                size = book.accounts[winner].size * self.rng.choice((1000, self.rng.randint(300, 900))) // 1000
                units = div_ceil(abs(size) * book.mark * book.initial, WAD * WAD * TOKEN) + self.rng.randint(1, 10**5)
                self.stage.deposit(name, trader, units)
                self.stage.trade(name, self.stage.account_of(trader, name), winner, -size, book.mark)

    def _squeeze(self) -> None:
        """Then the price turns by more than the newcomers have, who are bankrupt while the inventory still loses."""
        before = {name: book.mark for name, book in self.books.items()}
        self._newcomers()
        for name, book in self.books.items():
            turn = book.initial * self.rng.randint(1000, 3000) // 1000 * MILLION // WAD
            self._jump(name, MILLION + (turn if book.mark < before[name] else -turn))

    # ------------------------------------------------------------------ how it goes on

    def _act(self) -> None:
        name = self.rng.choice(list(self.books))
        due = plan(self.stage.state.snapshot)
        ruined = take_overs(self.stage.state)
        weights = {
            self._trade: 4.0,
            self._windfall: 0.8,
            self._shock: 2.5,
            self._drift: 2.0,
            self._deposit: 0.5,
            self._withdraw: 1.0,
            self._contribute: 0.5,
            self.stage.checkpoint: 0.8,
            self._warp: 1.0,
            self._bounds: 0.4,
            self._take_over: self.plot.vigilance if ruined else 0.3,
            self._planned_round: 5.0 if due else 0.0,
            self._any_round: 5.0 if due else 0.3,
        }
        (act,) = self.rng.choices(list(weights), list(weights.values()))
        act(name)

    def _trade(self, name: str) -> None:
        """Two accounts, near mark: opening, growing, reducing, closing, flipping; at times more than margins allow."""
        book = self.books[name]
        maker, taker = self.rng.sample(list(book.accounts), 2)
        held = book.accounts[taker].size
        if held and self.rng.random() < 0.5:
            part = self.rng.choice((1000, 1000, self.rng.randint(1, 999), self.rng.randint(1001, 1999)))
            contracts = -held * part // 1000
        else:
            room = min(book.equity(book.accounts[account]) for account in (maker, taker)) * WAD // book.initial
            contracts = room * self.rng.randint(200, 1020) // 1000 * WAD // book.mark * self.rng.choice((-1, 1))
        off = self.rng.choice((0, self.rng.randint(-15_000, 15_000), self.rng.randint(-15_000, 15_000)))
        if self.rng.random() < 0.1:
            off = self.rng.randint(-300_000, 300_000)
        if contracts:
            self.stage.trade(name, maker, taker, contracts, max(1, book.mark + book.mark * off // MILLION))

    def _windfall(self, name: str) -> None:
        """A taker gets a price so good that it needs no margin, and may never have deposited any."""
        book = self.books[name]
        maker = self._someone(name)
        taker = self.stage.account_of(self.rng.choice(self.traders), name)
        off = self.rng.randint(1, 300) * WAD // 1000
        room = max(0, book.equity(book.accounts[maker])) * WAD // (book.initial + off)
        contracts = room * self.rng.randint(100, 990) // 1000 * WAD // book.mark * self.rng.choice((-1, 1))
        if contracts and maker != taker:
            price = book.mark - book.mark * off // WAD * (1 if contracts > 0 else -1)
            self.stage.trade(name, maker, taker, contracts, max(1, price))

    def _shock(self, name: str) -> None:
        factor = MILLION + self.rng.choice((-1, 1)) * self.rng.randint(*self.plot.shock)
        for each in self.rng.choice(([name], [name], list(self.books))):
            self._jump(each, factor)

    def _drift(self, name: str) -> None:
        self._jump(name, self.rng.randint(980_000, 1_020_000))

    def _jump(self, name: str, factor: int) -> None:
        self.stage.set_mark(name, self.books[name].mark * factor // MILLION * self.rng.randint(9900, 10100) // 10_000)

    def _deposit(self, name: str) -> None:
        self.stage.deposit(name, self.rng.choice(self.traders), self.rng.randint(1, 10**9))

    def _withdraw(self, name: str) -> None:
        """About what an account may, a bit more or less."""
        account = self._someone(name)
        state = self.books[name].accounts[account]
        room = max(0, min(state.margin, self.books[name].equity(state))) // TOKEN
        self.stage.withdraw(name, account, max(1, room * self.rng.choice((100, 500, 1000, 1050)) // 1000))

    def _contribute(self, name: str) -> None:
        self.stage.contribute(self.books[name].pool, self.rng.choice((None, name)), self.rng.randint(1, 3 * 10**9))

    def _warp(self, name: str) -> None:
        hours = self.rng.choice((0.25, 2, 7, 8, 9))
        self.stage.warp(int(hours * HOUR) + self.rng.choice((0, 0, self.rng.randint(0, BUCKET_SECONDS))))
        self.stage.reached["warp over the window"] += hours >= 8

    def _bounds(self, name: str) -> None:
        stop, target, trigger = sorted(self.rng.randint(5 * WAD // 100, 9 * WAD // 10) for _ in range(3))
        self.stage.set_bounds(name, trigger, stop, self.rng.choice((target, stop, trigger)))

    def _take_over(self, name: str) -> None:
        ruined = take_overs(self.stage.state)
        if not ruined:
            self.stage.take_over(name, self._someone(name))
            return
        duty = self.rng.choice(ruined)
        (held,) = duty.markets
        self.stage.take_over(held, bytes.fromhex(duty.account[2:]))

    def _planned_round(self, name: str) -> None:
        self.stage.planned_round(self.rng.choice(plan(self.stage.state.snapshot)))

    def _any_round(self, name: str) -> None:
        """Against a part of the market's accounts, some of them given twice, most often where a round is due."""
        due = plan(self.stage.state.snapshot)
        side = self.rng.choice(SIDES)
        if due and self.rng.random() < 0.9:
            item = self.rng.choice(due)
            name, side = item.market, item.side
        everybody = [*self.books[name].accounts, STRANGER]
        candidates = self.rng.sample(everybody, self.rng.randint(0, len(everybody)))
        candidates += self.rng.sample(candidates, self.rng.randint(0, len(candidates)))
        self.rng.shuffle(candidates)
        self.stage.any_round(name, side, candidates)

    # ------------------------------------------------------------------ whom it meets

    def _take_over_ruined(self, name: str) -> None:
        book = self.books[name]
        for account, state in list(book.accounts.items()):
            if state.size and book.equity(state) <= 0:
                self.stage.take_over(name, account)

    def _is_flat(self, name: str, account: bytes) -> bool:
        return self.books[name].accounts.get(account, FLAT).size == 0

    def _someone(self, name: str) -> bytes:
        return self.rng.choice(list(self.books[name].accounts))
