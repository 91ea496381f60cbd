"""How many blocks go by from the one in which ADL becomes due to the round: a keeper's process, many times over."""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import click
from ape import networks
from eth_account.signers.local import LocalAccount
from rich.console import Console
from rich.table import Table

from backstop.account_id import account_of, isolated_sub_id
from backstop.adl.planning import plan
from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.chain.bindings import DEPOSIT, ROUND_EXECUTED, SETTLE, TAKE_OVER
from backstop.chain.snapshot import ChainState, read_chain
from backstop.index.accounts import AccountIndex
from backstop.keeper.duties import rounds
from backstop.orders import sign
from scripts.stage.by_hand import FIRST, ByHand, by_hand, wait_for
from scripts.stage.daemon import PLENTY, Daemon
from scripts.stage.multitude import settle_multitude
from scripts.stage.own_anvil import own_anvil
from scripts.stage.parameters import plain_market
from scripts.stage.venue import TestMarket, Venue, tokens, wad

RUNS, ACCOUNTS = 100, 500
BLOCK = 1.0  # seconds that a block takes to come; one that holds the round already comes at once
MOST = 1  # blocks: the bar
_TRIES = 20  # blocks after which the round will not come
_CHAIN_SECONDS = 12
_PATIENCE = 60.0  # seconds
_READS = 5
_CALM, _GAP = Decimal(100), Decimal(80)
_CONTRACTS, _MARGIN = 10, 110


def measure_latency(owner: Any, runs: int = RUNS, accounts: int = ACCOUNTS) -> dict[str, Any]:
    """Blocks and seconds of each run as a distribution, and the seconds that reading and planning take."""
    with (
        TemporaryDirectory() as folder,
        own_anvil() as url,
        networks.ethereum.local.use_provider("foundry", provider_settings={"host": url}),
    ):
        scene = _Scene(Venue.open(owner), accounts)
        scene.venue.deployment.save(Path(folder) / "deployment.json")
        daemon = Daemon(scene.keeper, url, Path(folder) / "deployment.json", Path(folder) / "keeper", PLENTY)
        with by_hand(scene.venue, _CHAIN_SECONDS) as chain:
            daemon.start()
            try:
                scene.run(chain, daemon)  # it starts meanwhile, and reads every account for the first time
                found = [scene.run(chain, daemon) for _ in range(runs)]
                daemon.stop()
            finally:
                daemon.kill()
            scene.gap(chain)
            reading = scene.read(Path(folder))
    blocks, seconds = [one[0] for one in found], [one[1] for one in found]
    return {
        "accounts": accounts,
        "runs": runs,
        "blocks": {str(number): count for number, count in sorted(Counter(blocks).items())},
        "most": max(blocks),
        "secondsToSend": {"median": median(seconds), "p95": quantiles(seconds, n=20)[-1], "most": max(seconds)},
        "secondsToReadAndPlan": reading,
    }


def show_latency(latency: dict[str, Any]) -> None:
    """From the block in which ADL becomes due to the round, and what of it is reading and planning."""
    console = Console(highlight=False)
    title = f"From ADL due to the round on chain, {latency['runs']} runs with {latency['accounts']} accounts"
    table = Table("Figure", title=title, title_justify="left")
    table.add_column("Value", justify="right")
    for number, count in latency["blocks"].items():
        table.add_row(f"rounds after {number} block{'s' * (number != '1')} (at most {MOST})", f"{count}")
    sent, reading = latency["secondsToSend"], latency["secondsToReadAndPlan"]
    table.add_row("seconds until it is sent: median", f"{sent['median']:.2f}")
    table.add_row("  95 of 100 within", f"{sent['p95']:.2f}")
    table.add_row("  the longest", f"{sent['most']:.2f}")
    table.add_row("seconds to read by the index, rank and plan", f"{reading['warm']:.3f}")
    table.add_row("  through the lens", f"{reading['lens']:.3f}")
    table.add_row("  of it ranking and planning", f"{reading['planning']:.3f}")
    console.print(table)


class _Scene:
    """A market with a crowd, whose pool has nothing: any loss that it takes over makes ADL due."""

    def __init__(self, venue: Venue, accounts: int) -> None:
        self.venue = venue
        self.keeper = venue.trader("latency keeper")
        venue.post_bond(self.keeper)
        parameters = plain_market(Decimal("0.1"), Decimal("0.05"))
        self._market: TestMarket = venue.list_in_pool(
            "ETH-USD", venue.create_pool("main", shared=True), _CALM, parameters, heartbeat=2 * 86_400
        )
        settle_multitude(venue, self._market, accounts - 2, margins=(60, 100))
        self._weak, self._maker = self._trader("weak"), self._trader("maker")
        venue.deposit(self._maker, self._market, 1_000_000)
        venue.give(self._weak, 1_000_000, venue.system.exchange)
        self._round = "0x" + ROUND_EXECUTED.topic.hex()

    def _trader(self, name: str) -> LocalAccount:
        signer = self.venue.trader(f"latency {name}")
        self.venue.endpoint.request("anvil_impersonateAccount", signer.address)
        return signer

    def gap(self, chain: ByHand) -> int:
        """Somebody opens a position, and in the block that is returned goes bankrupt and is taken over."""
        venue, market, exchange = self.venue, self._market, self.venue.system.exchange.address
        sub_id = isolated_sub_id(market.id)
        made = venue.order(self._maker, market, -wad(_CONTRACTS), wad(_CALM))
        taken = venue.order(self._weak, market, wad(_CONTRACTS), wad(_CALM))
        signatures = sign(made, venue.domain, self._maker), sign(taken, venue.domain, self._weak)
        settle = SETTLE.encode(made.values(), signatures[0], taken.values(), signatures[1], wad(_CONTRACTS))
        chain.price(market, _CALM)
        opened = [
            chain.send(self._weak.address, exchange, data, tip=FIRST // 2)
            for data in (DEPOSIT.encode(sub_id, tokens(_MARGIN)), settle)
        ]
        chain.mine()
        chain.price(market, _GAP)
        taken_over = TAKE_OVER.encode(account_of(self._weak.address, sub_id))
        opened.append(chain.send(self._weak.address, exchange, taken_over, tip=FIRST // 2))
        number = chain.mine()
        for receipt in venue.endpoint.batch([("eth_getTransactionReceipt", [one]) for one in opened]):
            if receipt is None or int(receipt["status"], 16) != 1:
                raise click.ClickException("a position was not opened and taken over: this is a bug")
        return number

    def run(self, chain: ByHand, daemon: Daemon) -> tuple[int, float]:
        """Blocks from the one in which ADL becomes due to the round's, and the seconds until it was sent."""
        due, began = self.gap(chain), time.monotonic()
        if not rounds(read_chain(self.venue.endpoint, self.venue.deployment)):
            raise click.ClickException("no round became due: this is a bug")
        sent, engine = 0.0, self.venue.system.engine.address
        for _ in range(_TRIES):
            # What else the keeper has sent may wait, and gives way to the round while the block has not come.
            is_there = wait_for(lambda: chain.holds(self.keeper.address, engine), BLOCK)
            sent = time.monotonic() - began
            daemon.check()
            number = chain.mine()
            if is_there and self._executed(number):
                self._rest(chain)
                return number - due, sent
        raise click.ClickException(f"no round within {_TRIES} blocks: {daemon.last_words()}")

    def _rest(self, chain: ByHand) -> None:
        """Whatever the keeper does beside is done before the next run."""
        while wait_for(lambda: chain.waiting(self.keeper.address), 0.15):
            chain.mine()

    def _executed(self, number: int) -> bool:
        query = {"fromBlock": hex(number), "toBlock": hex(number), "topics": [self._round]}
        return bool(self.venue.endpoint.request("eth_getLogs", query))

    def read(self, folder: Path) -> dict[str, float]:
        """Seconds from nothing to a plan, by the lens and by a warm index: the median of some times."""
        node, deployment = self.venue.endpoint, self.venue.deployment
        lens = [_timed(lambda: read_chain(node, deployment)) for _ in range(_READS)]
        index = AccountIndex(f"sqlite:///{folder / 'index'}", deployment)
        index.read(node)
        warm = [_timed(lambda: index.read(node)) for _ in range(_READS)]
        index.close()
        return {
            "lens": median(one[0] for one in lens),
            "warm": median(one[0] for one in warm),
            "planning": median(one[1] for one in [*lens, *warm]),
        }


def _timed(read: Any) -> tuple[float, float]:
    """Seconds for reading, ranking and planning, and those for ranking and planning alone."""
    began = time.perf_counter()
    state: ChainState = read()
    half = time.perf_counter()
    for market in state.snapshot.markets:
        for side in Side:
            rank(state.snapshot, market, side)
    if not plan(state.snapshot):
        raise click.ClickException("no round was planned: this is a bug")
    end = time.perf_counter()
    return end - began, end - half
