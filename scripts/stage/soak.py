"""The soak: two keepers on one deployment, prices that jump, traders that trade, and faults, for a time of the chain's.

A block comes once both keepers have had their say about the one before; so the result does not depend on how fast the
machine is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from ape import networks

from backstop.chain.bindings import ROUND_EXECUTED
from backstop.chain.snapshot import ChainState, read_chain
from backstop.keeper.duties import rounds, take_overs
from scripts.stage.by_hand import ByHand, by_hand, wait_for
from scripts.stage.daemon import PLENTY, Daemon
from scripts.stage.faulty_proxy import FaultyProxy
from scripts.stage.own_anvil import own_anvil
from scripts.stage.soak_audit import Audit, audit
from scripts.stage.soak_faults import Faults
from scripts.stage.soak_world import World
from scripts.stage.venue import Venue

MOST_BLOCKS = 3  # that a deficit may stay open after it is due
MOST_GROWTH = 0.10  # of a keeper's memory
_PATIENCE = 60.0  # seconds that a block waits for the keepers; far more than they ever need
_LAST_BLOCKS = 200  # without faults, for what is under way at the end
_POLL = ("eth_chainId", "eth_getBlockByNumber")
_LOOKS = {_POLL, ("eth_getTransactionReceipt",), ("eth_getBlockByNumber",), ("eth_getTransactionCount",)}
_SAME = 2  # looks, one after the other
_LONGEST_LOOK = 16  # requests
_MUST = ("takeOver", "deleverage", "liquidate")
_MARGIN, _NOTIONAL = 20_000, 50_000
_SETTINGS = f"""{PLENTY}
[duties.liquidate]
up_to = "{_NOTIONAL}"
"""


@dataclass(frozen=True)
class Plan:
    """How long, how many, and from which seed."""

    seed: int
    accounts: int = 500
    blocks: int = 300
    seconds: int = 6  # of a block, in chain time


@dataclass
class Deficits:
    """How many blocks each deficit was open after the one in which it became due: until its round, or until it is not
    due any more. `worst` says which one was open longest."""

    ages: Counter[int] = field(default_factory=Counter)
    worst: tuple[int, str] = (0, "")
    _since: dict[tuple[str, ...], int] = field(default_factory=dict)

    def see(self, block: int, due: set[tuple[str, ...]], done: set[tuple[str, ...]]) -> None:
        """What is due after a block, and what was done in it."""
        for key in [key for key in self._since if key not in due or key in done]:
            age = block - self._since.pop(key)
            self.ages[age] += 1
            self.worst = max(self.worst, (age, f"{' '.join(key)} at block {block}"))
        for key in due:
            self._since.setdefault(key, block)

    def forget(self) -> None:
        """Blocks were taken back: what is due is due anew."""
        self._since.clear()

    @property
    def is_none_open(self) -> bool:
        """Whether all are closed."""
        return not self._since


def is_idle(asked: list[tuple[str, ...]]) -> bool:
    """Whether a keeper that has asked a node for this only waits for a new block.

    It polls, and nothing else; or it polls while it looks for a transaction whose nonce is gone, and looks the same
    way again and again: it gives that up when another block says so too.
    """
    polls = [number for number, methods in enumerate(asked) if methods == _POLL][-_SAME - 1 :]
    if len(polls) <= _SAME or polls[-1] - polls[0] > _SAME * _LONGEST_LOOK:
        return False
    looks, last = [asked[begin:end] for begin, end in pairwise(polls)], asked[polls[-1] :]
    return set(looks[0]) <= _LOOKS and all(look == looks[0] for look in looks) and last == looks[0][: len(last)]


def soak(
    owner: Any, plan: Plan, tell: Callable[[int], None] = lambda _: None, folder: Path | None = None
) -> dict[str, Any]:
    """Runs it, and returns what is written to the results; `broken` in it says what did not hold.

    The keepers' journals and logs stay in `folder`, where one is given.
    """
    with (
        TemporaryDirectory() if folder is None else nullcontext(folder) as place,
        own_anvil() as url,
        networks.ethereum.local.use_provider("foundry", provider_settings={"host": url}),
        ExitStack() as stack,
    ):
        return _Soak(owner, plan, url, Path(place), stack).run(tell)


class _Soak:
    def __init__(self, owner: Any, plan: Plan, url: str, folder: Path, stack: ExitStack) -> None:
        self._plan = plan
        self._draws = Random(plan.seed)
        self.venue = venue = Venue.open(owner)
        keepers = [venue.trader(f"soak keeper {number}") for number in (1, 2)]
        for keeper in keepers:
            venue.post_bond(keeper)
        self._world = World(venue, plan.accounts, plan.seed, keepers, _MARGIN)
        venue.deployment.save(folder / "deployment.json")
        self._proxies = [stack.enter_context(FaultyProxy(url)) for _ in keepers]
        self._daemons = [
            Daemon(keeper, proxy.url, folder / "deployment.json", folder / f"keeper-{number}", _SETTINGS)
            for number, (keeper, proxy) in enumerate(zip(keepers, self._proxies, strict=True), start=1)
        ]
        for daemon in self._daemons:
            stack.callback(daemon.kill)
        early = range(plan.blocks // 12, plan.blocks // 4)  # memory is compared after it
        self._faults = Faults(venue, self._world.random_seed(), set(self._draws.sample(early, 2)))
        self._since = [self._nonce(daemon) for daemon in self._daemons]
        self._begin = venue.endpoint.quantity("eth_blockNumber")
        self._rounds, self._takeovers = Deficits(), Deficits()
        self._silences = 0
        self._topic = "0x" + ROUND_EXECUTED.topic.hex()

    def run(self, tell: Callable[[int], None]) -> dict[str, Any]:
        with by_hand(self.venue, self._plan.seconds) as chain:
            for daemon in self._daemons:
                daemon.start()
            for number in range(self._plan.blocks):
                if number == self._plan.blocks // 2:
                    self._world.crash(chain)
                self._world.act(chain)
                self._hear(chain)
                self._block(chain)
                if self._faults.befall(number, chain, self._daemons, self._proxies):
                    self._rounds.forget()
                    self._takeovers.forget()
                    self._world.calm(chain)
                tell(number + 1)
            self._end(chain)
        for daemon in self._daemons:
            daemon.stop()
        return self._result()

    def _hear(self, chain: ByHand) -> None:
        """Until both keepers have had their say about the newest block."""
        has_spoken = partial(self._has_spoken, chain)
        self._silences += not wait_for(lambda: all(map(has_spoken, self._daemons, self._proxies)), _PATIENCE)

    def _block(self, chain: ByHand) -> None:
        """The next one, and what it has brought."""
        for proxy in self._proxies:
            proxy.seen.clear()
        self._look(chain.mine())
        for daemon in self._daemons:
            daemon.check()
            daemon.weigh()

    def _has_spoken(self, chain: ByHand, daemon: Daemon, proxy: FaultyProxy) -> bool:
        """Whether it has sent something, or asks for nothing but a new block."""
        return is_idle([seen.methods for seen in tuple(proxy.seen)]) or chain.waiting(daemon.signer.address)

    def _look(self, block: int) -> None:
        state = read_chain(self.venue.endpoint, self.venue.deployment)
        due = {("round", duty.plan.market, duty.plan.side.value) for duty in rounds(state)}
        self._rounds.see(block, due, self._executed(block, state))
        self._takeovers.see(block, {("takeover", duty.account) for duty in take_overs(state)}, set())

    def _executed(self, block: int, state: ChainState) -> set[tuple[str, ...]]:
        query = {"fromBlock": hex(block), "toBlock": hex(block), "topics": [self._topic]}
        names = {number: name for name, number in state.market_ids.items()}
        logs = self.venue.endpoint.request("eth_getLogs", query)
        markets = {names[int(log["topics"][2], 16)] for log in logs}
        return {("round", market, side) for market in markets for side in ("long", "short")}

    def _end(self, chain: ByHand) -> None:
        """Nothing new comes; what is under way goes on until nothing is."""
        for proxy in self._proxies:
            proxy.clear()
        for _ in range(_LAST_BLOCKS):
            self._hear(chain)
            is_quiet = not any(chain.waiting(daemon.signer.address) for daemon in self._daemons)
            if is_quiet and self._rounds.is_none_open and self._takeovers.is_none_open and not self._is_open():
                return
            self._block(chain)

    def _is_open(self) -> bool:
        """Whether a journal has something that is not at its end."""
        for daemon in self._daemons:
            journal = daemon.journal()
            try:
                if journal.all(only_open=True):
                    return True
            finally:
                journal.close()
        return False

    # ------------------------------------------------------------------ what came of it

    def _nonce(self, daemon: Daemon) -> int:
        return self.venue.endpoint.quantity("eth_getTransactionCount", daemon.signer.address, "latest")

    def _mined(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Each keeper's transactions of the canonical chain, by its address in lower case and their hash."""
        node = self.venue.endpoint
        last = node.quantity("eth_blockNumber")
        asked = [("eth_getBlockByNumber", [hex(number), True]) for number in range(self._begin + 1, last + 1)]
        found: dict[str, dict[str, dict[str, Any]]] = {daemon.signer.address.lower(): {} for daemon in self._daemons}
        for block in node.batch(asked, 50):
            for transaction in block["transactions"]:
                if (own := found.get(transaction["from"].lower())) is not None:
                    own[transaction["hash"]] = transaction
        return found

    def _result(self) -> dict[str, Any]:
        mined = self._mined()
        audits = [
            audit(self.venue.endpoint, daemon, mined[daemon.signer.address.lower()], since)
            for daemon, since in zip(self._daemons, self._since, strict=True)
        ]
        growth = [daemon.growth() for daemon in self._daemons]
        effects = sum((one.effects for one in audits), Counter())
        last = self.venue.endpoint.quantity("eth_blockNumber")
        return {
            "seed": self._plan.seed,
            "accounts": self._plan.accounts,
            "blocks": last - self._begin,
            "chainSeconds": self._plan.blocks * self._plan.seconds,
            "jumps": self._world.jumps,
            "effects": dict(sorted(effects.items())),
            "faults": dict(sorted(self._faults.done.items())),
            "deficits": _ages(self._rounds),
            "takeovers": _ages(self._takeovers),
            "keepers": [
                {
                    "transactions": dict(sorted(one.states.items())),
                    "effects": dict(sorted(one.effects.items())),
                    "memory": {"most": max(daemon.memory), "growth": round(grown, 4)},
                }
                for one, daemon, grown in zip(audits, self._daemons, growth, strict=True)
            ],
            "broken": self._broken(audits, growth, effects),
        }

    def _broken(self, audits: list[Audit], growth: list[float], effects: Counter[str]) -> list[str]:
        """Each thing that does not hold, in a line."""
        found = [f"there was no {duty}: it has shown nothing" for duty in _MUST if not effects[duty]]
        if self._silences:
            found.append(f"{self._silences} times a keeper did not answer a block within {_PATIENCE:.0f} s")
        if self._rounds.worst[0] > MOST_BLOCKS:
            found.append(f"a deficit was open for {self._rounds.worst[0]} blocks: {self._rounds.worst[1]}")
        if not (self._rounds.is_none_open and self._takeovers.is_none_open):
            found.append(f"something is due after {_LAST_BLOCKS} quiet blocks")
        for number, (one, grown) in enumerate(zip(audits, growth, strict=True), start=1):
            found += [f"keeper {number}, twice: {line}" for line in one.doubled]
            found += [f"keeper {number}, journal and chain: {line}" for line in one.disagreements]
            if grown > MOST_GROWTH:
                found.append(f"keeper {number} has grown by {grown:.1%}")
        return found


def _ages(deficits: Deficits) -> dict[str, Any]:
    ages = {str(age): count for age, count in sorted(deficits.ages.items())}
    middle = median(deficits.ages.elements()) if ages else 0
    return {"blocksOpen": ages, "median": middle, "worst": {"blocks": deficits.worst[0], "what": deficits.worst[1]}}
