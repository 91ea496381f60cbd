"""The metrics, in a registry of their own. Amounts of quote are in units, fees in wei, times in seconds.

A node is called by its place among `node.urls`, from 1 on: its URL is nobody's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES = ("due", "sent", "refused", "failed", "noop")
_DUTY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_CYCLE_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)


class Metrics:
    """Every metric by what it counts; `registry` is what is asked for them."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.registry = registry = CollectorRegistry()
        self.duties = Counter("backstop_duties", "Duties by outcome.", ["duty", "outcome"], registry=registry)
        self.duty_seconds = Histogram(
            "backstop_duty_seconds", "How long a duty took.", ["duty"], registry=registry, buckets=_DUTY_SECONDS
        )
        self.gas = Counter("backstop_gas_used", "Gas of mined transactions.", ["duty"], registry=registry)
        self.spent = Counter("backstop_spent_wei", "What mined transactions have cost.", ["duty"], registry=registry)
        self.rounds = Counter("backstop_rounds", "Rounds that this keeper sent.", ["market"], registry=registry)

        self.cycles = Counter("backstop_cycles", "Cycles by outcome: done, failed.", ["outcome"], registry=registry)
        self.cycle_seconds = Histogram(
            "backstop_cycle_seconds", "How long a cycle took.", registry=registry, buckets=_CYCLE_SECONDS
        )
        self.last_cycle = Gauge(
            "backstop_last_cycle_timestamp_seconds", "When a cycle was last done.", registry=registry
        )

        self.head = Gauge("backstop_head_block", "The newest block that a quorum has.", registry=registry)
        self.head_time = Gauge("backstop_head_timestamp_seconds", "Its time.", registry=registry)
        self.head_age = Gauge("backstop_head_age_seconds", "Its age by this machine's clock.", registry=registry)
        self.head_age.set_function(lambda: now() - self._head_time if self._head_time is not None else 0)
        self._head_time: float | None = None
        self.halted = Gauge("backstop_chain_halted", "Whether no new block comes.", registry=registry)
        self.node_up = Gauge("backstop_node_up", "Whether a node is read from.", ["node"], registry=registry)
        self.node_lag = Gauge("backstop_node_lag_blocks", "Blocks behind the head.", ["node"], registry=registry)
        self.node_errors = Counter("backstop_node_errors", "Requests that failed.", ["node"], registry=registry)
        self.reorgs = Counter("backstop_reorgs", "Reorganisations seen.", registry=registry)

        self.pool_balance = Gauge("backstop_pool_balance", "Balance of a pool.", ["pool"], registry=registry)
        self.pool_drawdown = Gauge(
            "backstop_pool_drawdown_ratio", "Largest drawdown of a pool's markets.", ["pool"], registry=registry
        )
        self.open_deficit = Gauge("backstop_open_deficit", "Open deficit of a pool.", ["pool"], registry=registry)
        self.adl_active = Gauge("backstop_adl_active", "Whether ADL has started.", ["market"], registry=registry)
        self.feed_live = Gauge("backstop_feed_live", "Whether the price feed answers.", ["market"], registry=registry)

        self.bond = Gauge("backstop_bond_available", "Bond that is free for rounds.", registry=registry)
        self.bond_needed = Gauge("backstop_bond_needed", "Bond that a large round needs.", registry=registry)
        self.balance = Gauge("backstop_key_balance_wei", "Balance of the key.", registry=registry)
        self.low_balance = Gauge("backstop_key_low_balance_wei", "Balance below which it is low.", registry=registry)
        self.budget = Gauge("backstop_budget_wei", "What may be spent in a day.", registry=registry)
        self.budget_spent = Gauge("backstop_budget_spent_wei", "What of it is spent.", registry=registry)
        self.exhausted = Gauge(
            "backstop_budget_exhausted", "Whether something is not sent because of a budget.", registry=registry
        )
        self.open_transactions = Gauge(
            "backstop_journal_open_transactions", "Transactions whose outcome is not final.", registry=registry
        )
        self.replacements = Counter("backstop_replacements", "Transactions replaced by dearer ones.", registry=registry)
        self.preemptions = Counter(
            "backstop_preemptions", "Transactions that gave way to more urgent ones.", registry=registry
        )

        self.webhooks = Counter(
            "backstop_webhooks", "Events for a receiver: delivered, failed, dropped.", ["outcome"], registry=registry
        )
        for outcome in ("done", "failed"):
            self.cycles.labels(outcome)
        for outcome in ("delivered", "failed", "dropped"):
            self.webhooks.labels(outcome)

    def see_head(self, number: int, timestamp: int) -> None:
        """The newest block."""
        self._head_time = timestamp
        self.head.set(number)
        self.head_time.set(timestamp)

    def know_duty(self, duty: str) -> None:
        """Has a duty's counters stand at 0 before it was ever due: a rate needs a first value."""
        for outcome in OUTCOMES:
            self.duties.labels(duty, outcome)
        self.gas.labels(duty)
        self.spent.labels(duty)

    def know_nodes(self, count: int) -> None:
        """The same of the nodes."""
        for number in range(1, count + 1):
            self.node_errors.labels(str(number))
