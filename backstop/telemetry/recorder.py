"""The one place that times and counts what the keeper does, logs it, and tells the webhooks.

telemetry = Telemetry.open(settings)
with telemetry.cycle(block), telemetry.duty("adl", market="ETH-USD") as record:
    record.sent(transaction, gas, wei)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from structlog.typing import FilteringBoundLogger

from backstop.adl.snapshot import Block
from backstop.chain.snapshot import ChainState
from backstop.errors import RevertError
from backstop.math.wad import WAD, format_amount
from backstop.settings.model import Event, Settings
from backstop.settings.units import show_wei
from backstop.telemetry.health import Health
from backstop.telemetry.log import bound, open_log
from backstop.telemetry.metrics import Metrics
from backstop.telemetry.pools import pool_figures
from backstop.telemetry.server import Server
from backstop.telemetry.webhooks import Webhooks

# A cycle waits for transactions; a loop that has not come round for so long hangs.
_STALLED = 300.0


class DutyRecord:
    """One duty under way. What is told of it last counts; a duty of which nothing was told did nothing."""

    def __init__(self, telemetry: Telemetry, duty: str) -> None:
        self._telemetry = telemetry
        self._duty = duty
        self.outcome = "noop"

    def sent(self, transaction: str, gas: int, wei: int) -> None:
        """It was mined, and cost `wei` for `gas`."""
        self.outcome = "sent"
        metrics = self._telemetry.metrics
        metrics.gas.labels(self._duty).inc(gas)
        metrics.spent.labels(self._duty).inc(wei)
        self._telemetry.log.info("sent", tx=transaction, gas=gas, wei=wei)

    def refused(self, reason: str) -> None:
        """The contracts would not have it."""
        self.outcome = "refused"
        self._telemetry.log.warning("refused", reason=reason)

    def failed(self, reason: str) -> None:
        """It went wrong on the way."""
        self.outcome = "failed"
        self._telemetry.log.error("failed", reason=reason)

    def noop(self, reason: str = "") -> None:
        """There was nothing to do after all."""
        self.outcome = "noop"
        self._telemetry.log.debug("nothing to do", **({"reason": reason} if reason else {}))


class Telemetry:
    """Log, metrics, health and webhooks of one keeper. None of them ever raises into the loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        log: FilteringBoundLogger | None = None,
        webhooks: Webhooks | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self.log = log or open_log(settings.log, settings.secrets())
        self.metrics = Metrics()
        self.health = Health(stalled_after=_STALLED, stale_after=settings.node.stale_after, clock=clock)
        self.webhooks = webhooks or Webhooks(settings.webhooks, told=self._posted)
        self._server: Server | None = None
        self._active: dict[str, bool] = {}
        self._dead: dict[str, bool] = {}
        self._deficits: dict[str, bool] = {}
        self._is_low = False
        self._is_spent = False
        for name, duty in settings.duties.all():
            if duty.enabled:
                self.metrics.know_duty(name)
        self.metrics.know_nodes(len(settings.node.urls))
        self.metrics.budget.set(settings.fees.budget_per_day)
        self.metrics.low_balance.set(settings.fees.low_balance)

    @classmethod
    def open(cls, settings: Settings) -> Telemetry:
        """With the pages served where the settings name an address. Raises SettingsError where it cannot be had."""
        telemetry = cls(settings)
        if settings.metrics.listen is not None:
            telemetry._server = Server(settings.metrics.listen, telemetry.metrics.registry, telemetry.health)
        return telemetry

    def close(self) -> None:
        """Ends the server, and the webhooks once what waits is posted, or some seconds have passed."""
        self.webhooks.close()
        if self._server is not None:
            self._server.close()

    # ------------------------------------------------------------------ what is done

    @contextmanager
    def cycle(self, block: Block | None) -> Iterator[None]:
        """A cycle at a block; None where none is known yet."""
        start = self._clock()
        outcome = "failed"
        try:
            with bound(**({"block": block.number} if block else {})):
                yield
            outcome = "done"
            self.metrics.last_cycle.set_to_current_time()
        finally:
            self.metrics.cycles.labels(outcome).inc()
            self.metrics.cycle_seconds.observe(self._clock() - start)
            self.health.turn()

    @contextmanager
    def duty(self, name: str, **about: Any) -> Iterator[DutyRecord]:
        """A duty that is due: timed, counted once as due and once by what became of it. Whatever is raised goes on."""
        start = self._clock()
        record = DutyRecord(self, name)
        self.metrics.duties.labels(name, "due").inc()
        with bound(duty=name, **about):
            try:
                yield record
            except RevertError as refusal:
                record.refused(str(refusal))
                raise
            except Exception as fault:
                record.failed(f"{type(fault).__name__}: {fault}")
                raise
            finally:
                self.metrics.duties.labels(name, record.outcome).inc()
                self.metrics.duty_seconds.labels(name).observe(self._clock() - start)

    def round(self, key: str, market: str, data: Mapping[str, Any]) -> None:
        """A round that this keeper's transaction has done; `key` names it: chain and round."""
        self.metrics.rounds.labels(market).inc()
        self.log.info("round", market=market, **data)
        self.webhooks.post(Event.ROUND, f"round:{key}", {"market": market, **data})

    def replaced(self, transaction: str) -> None:
        """A transaction took the place of one that was not mined."""
        self.metrics.replacements.inc()
        self.log.warning("replaced", tx=transaction)

    def preempted(self, name: str) -> None:
        """A transaction that was not mined gave way to one that is more urgent."""
        self.metrics.preemptions.inc()
        self.log.info("preempted", duty=name)

    def revoked(self, name: str, transaction: str | None) -> None:
        """A transaction's block is not of the chain any more."""
        self.log.warning("revoked", duty=name, tx=transaction)

    def journal(self, open_transactions: int) -> None:
        """How many transactions of the journal are not final."""
        self.metrics.open_transactions.set(open_transactions)

    def recovered(self) -> None:
        """What an earlier process left open is settled."""
        self.health.is_recovered()

    # ------------------------------------------------------------------ what is seen

    def turned(self) -> None:
        """The loop has come round, with or without a new block."""
        self.health.turn()

    def head(self, block: Block) -> None:
        """The newest block that a quorum has."""
        self.metrics.see_head(block.number, block.timestamp)
        self.health.see_head(block.hash)

    def halted(self, chain_id: int, last: int | None, seconds: float) -> None:
        """No block has come for so long; told once, until there is one."""
        self.metrics.halted.set(True)
        self.log.error(Event.CHAIN_HALT.value, block=last, seconds=round(seconds))
        self.webhooks.post(
            Event.CHAIN_HALT,
            f"{Event.CHAIN_HALT.value}:{chain_id}:{last}",
            {"chainId": chain_id, "block": last, "seconds": round(seconds)},
        )

    def goes_on(self) -> None:
        """Blocks come again."""
        self.metrics.halted.set(False)
        self.log.info("blocks come again")

    def quorum(self, agreed: bool) -> None:
        """Whether enough nodes agree on a head."""
        self.health.has_quorum(agreed)

    def node(self, number: int, *, up: bool, lag: int | None = None) -> None:
        """A node by its place, from 1 on: whether it is read from, and how far it is behind."""
        self.metrics.node_up.labels(str(number)).set(up)
        if lag is not None:
            self.metrics.node_lag.labels(str(number)).set(lag)

    def node_error(self, number: int, reason: str) -> None:
        """A request to a node that failed."""
        self.metrics.node_errors.labels(str(number)).inc()
        self.log.warning("node failed", node=number, reason=reason)

    def reorg(self, depth: int) -> None:
        """So many blocks are another chain's now."""
        self.metrics.reorgs.inc()
        self.log.warning("reorganised", depth=depth)

    def bond(self, available: int, needed: int) -> None:
        """What of the bond is free for rounds, and what a large round needs, WAD."""
        self.metrics.bond.set(available / WAD)
        self.metrics.bond_needed.set(needed / WAD)

    def key(self, address: str, balance: int, spent: int, block: Block, *, exhausted: bool = False) -> None:
        """What the key has, and what of the day's budget is spent or reserved; wei.

        `exhausted` where something was not sent because of a budget, the day's or the hour's: that begins before all of
        it is spent. Each alarm is raised once until it is over.
        """
        fees = self._settings.fees
        self.metrics.balance.set(balance)
        self.metrics.budget_spent.set(spent)
        is_low, is_spent = balance < fees.low_balance, exhausted or spent >= fees.budget_per_day
        self.metrics.exhausted.set(is_spent)
        self.health.is_funded(not is_low)
        if is_low and not self._is_low:
            data = {"key": address, "balance": show_wei(balance), "low": show_wei(fees.low_balance)}
            self._alarm(Event.LOW_BALANCE, f"{address}:{block.number}", block, data)
        if is_spent and not self._is_spent:
            data = {"key": address, "spent": show_wei(spent), "budget": show_wei(fees.budget_per_day)}
            self._alarm(Event.BUDGET_SPENT, f"{address}:{block.number}", block, data)
        self._is_low, self._is_spent = is_low, is_spent

    def state(self, state: ChainState) -> None:
        """Pools, feeds and ADL as they are now. What has begun or ended is told once, whoever has caused it.

        What is on when a keeper starts is told, too.
        """
        block = state.block
        for name, market in state.snapshot.markets.items():
            was = self._active.get(name, False)
            self.metrics.adl_active.labels(name).set(market.adl_active)
            if market.adl_active != was:
                event = Event.ADL_START if market.adl_active else Event.ADL_STOP
                self._alarm(event, f"{name}:{block.number}", block, {"market": name, "pool": market.pool})
            self._active[name] = market.adl_active
        unpriced = state.unpriced | state.left_out
        for name in {*state.snapshot.markets, *unpriced}:
            is_dead = name in unpriced
            self.metrics.feed_live.labels(name).set(not is_dead)
            if is_dead and not self._dead.get(name, False):
                data = {"market": name, "reason": unpriced[name]}
                self._alarm(Event.STALE_FEED, f"{name}:{block.number}", block, data)
            self._dead[name] = is_dead
        for figures in pool_figures(state.snapshot):
            pool = figures.pool
            self.metrics.pool_balance.labels(pool).set(figures.balance / WAD)
            self.metrics.pool_drawdown.labels(pool).set((figures.drawdown or 0) / WAD)
            self.metrics.open_deficit.labels(pool).set(figures.deficit / WAD)
            if figures.deficit and not self._deficits.get(pool, False):
                data = {"pool": pool, "deficit": format_amount(figures.deficit)}
                self._alarm(Event.DEFICIT_OPEN, f"{pool}:{block.number}", block, data)
            self._deficits[pool] = bool(figures.deficit)

    def _alarm(self, event: Event, key: str, block: Block, data: dict[str, Any]) -> None:
        self.log.warning(event.value, **{"block": block.number, **data})
        self.webhooks.post(
            event, f"{event.value}:{block.chain_id}:{key}", {"chainId": block.chain_id, "block": block.number, **data}
        )

    def _posted(self, outcome: str, why: str) -> None:
        self.metrics.webhooks.labels(outcome).inc()
        if why:
            self.log.warning("webhook", outcome=outcome, reason=why)
