"""The plan of a deployment: a TOML file with all that the chain is set to, and is held to afterwards.

Amounts are decimals in quote or contracts, fractions parts of one, times seconds. What is left out of a table that has
a default is set to that, explicitly: two plans that mean the same have one hash.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from eth_utils.crypto import keccak
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
    ValidationError,
    model_validator,
)

from backstop.deployment import limits
from backstop.deployment.parameters import NO_BAND, UNLIMITED_NOTIONAL, UNLIMITED_OPEN_INTEREST, MarketParameters
from backstop.deployment.pool_terms import Backer, PoolKind
from backstop.errors import PlanError
from backstop.math.wad import WAD, format_amount
from backstop.settings.units import Account, Amount, Fraction

MIN_PUBLIC_DELAY = 2 * 86_400  # seconds; a plan may ask for more, never for less
MAX_DELAY = 60 * 86_400  # a slip of the pen beyond it would lock the contracts for good
MAX_GUARDED_DELAY = 7 * 86_400  # a guardian has to rest so long after a pause
ANYONE = "0x0000000000000000000000000000000000000000"
NO_CAP = 2**96 - 1

Seconds = Annotated[StrictInt, Field(ge=0, lt=2**32)]
Name = Annotated[str, Field(min_length=1)]


def _or_none(unlimited: int) -> BeforeValidator:
    return BeforeValidator(lambda value: format_amount(unlimited) if value == "none" else value)


Band = Annotated[Amount, _or_none(NO_BAND)]
Notional = Annotated[Amount, _or_none(UNLIMITED_NOTIONAL)]
OpenInterest = Annotated[Amount, _or_none(UNLIMITED_OPEN_INTEREST)]
Cap = Annotated[Amount, _or_none(NO_CAP)]


class _Table(BaseModel):
    """A table of the plan: nothing unknown in it, and nothing out of the contracts' bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def faults(self) -> Iterator[str]:
        """What is out of bounds, a sentence each."""
        return iter(())

    @model_validator(mode="after")
    def _sound(self) -> _Table:
        for fault in self.faults():
            raise ValueError(fault)
        return self


class TimelockPlan(_Table):
    """Who owns the contracts: nobody, but through a delay."""

    delay: Seconds
    proposers: Annotated[list[Account], Field(min_length=1)]
    executors: Annotated[
        Annotated[list[Account], Tag("list"), Field(min_length=1)] | Annotated[Literal["anyone"], Tag("word")],
        Discriminator(lambda value: "list" if isinstance(value, list) else "word"),
    ]
    cancellers: Annotated[list[Account], Field(min_length=1)]
    shorter_than_exits: StrictBool = False  # whether the delay may be less than a pool's cooldown

    def faults(self) -> Iterator[str]:
        """No role twice, none for nobody, and no delay that nobody lives to see."""
        if self.delay > MAX_DELAY:
            yield f"delay is {self.delay} s, at most {MAX_DELAY} s are allowed"
        for role in ("proposers", "executors", "cancellers"):
            holders = getattr(self, role)
            if holders == "anyone":
                continue
            if len(set(holders)) != len(holders):
                yield f"{role} names an address twice"
            if ANYONE in holders:
                yield f'{role} names the zero address; only executors may be "anyone"'

    def executor_addresses(self) -> list[str]:
        """As the contract takes them: the zero address stands for anyone."""
        return [ANYONE] if self.executors == "anyone" else list(self.executors)


class SequencerPlan(_Table):
    """A layer 2 chain's sequencer: prices rest while it is down, and for a while after."""

    feed: Account
    grace: Seconds = 3600

    def faults(self) -> Iterator[str]:
        """Of the grace period."""
        yield from limits.sequencer_faults(self.grace)


class ExchangePlan(_Table):
    """What holds for all markets."""

    backstop_ratio: Fraction = WAD // 2
    warning_rate: Fraction = WAD * 4 // 5
    treasury: Account | None = None
    guardian: Account | None = None

    def faults(self) -> Iterator[str]:
        """Of the fractions."""
        yield from limits.exchange_faults(self.backstop_ratio, self.warning_rate)


class RoundsPlan(_Table):
    """How rounds may be challenged."""

    window: Seconds = 3600
    exempt_age: Seconds = 120
    tolerance: Fraction = WAD // 20
    return_floor: Amount = WAD // 100
    min_penalty: Amount = 100 * WAD
    bond_cap: Amount = 100_000 * WAD

    def values(self) -> tuple[int, int, int, int, int, int]:
        """As `RoundBook.setRoundParameters` takes them."""
        return (
            self.window,
            self.exempt_age,
            self.tolerance,
            self.return_floor,
            self.min_penalty,
            self.bond_cap,
        )

    def faults(self) -> Iterator[str]:
        """Of all of them."""
        yield from limits.round_faults(*self.values())


class RewardsPlan(_Table):
    """What a keeper gets for a round."""

    flat: Amount = 5 * WAD
    rate: Fraction = WAD // 10_000
    share: Fraction = WAD // 20

    def values(self) -> tuple[int, int, int]:
        """As `RoundBook.setRewardParameters` takes them."""
        return (self.flat, self.rate, self.share)

    def faults(self) -> Iterator[str]:
        """Of all of them."""
        yield from limits.reward_faults(*self.values())


class PoolPlan(_Table):
    """An insurance pool."""

    name: Name
    kind: Literal["isolated", "shared"]
    backer: Literal["own", "mutual"] = "own"
    cap: Cap = NO_CAP
    cooldown: Seconds = 3 * 86_400

    def faults(self) -> Iterator[str]:
        """Of name, kind and exits."""
        yield from _name_faults(self.name)
        if self.kind == "shared" and self.backer == "mutual":
            yield "a shared pool cannot be mutual"
        if self.cap > NO_CAP:
            yield "cap is beyond 96 bits"
        yield from limits.staking_faults(self.cooldown)

    def terms(self) -> tuple[int, int]:
        """Kind and backer, as `createPool` takes them."""
        return int(PoolKind[self.kind.upper()]), int(Backer[self.backer.upper()])


class DrawdownPlan(_Table):
    """When ADL begins and ends."""

    trigger: Fraction = WAD * 3 // 10
    stop: Fraction = WAD // 4
    target: Fraction = WAD // 4

    def values(self) -> tuple[int, int, int]:
        """As `setDrawdownBounds` takes them."""
        return (self.trigger, self.stop, self.target)

    def faults(self) -> Iterator[str]:
        """Of their order."""
        yield from limits.drawdown_faults(*self.values())


class AuctionPlan(_Table):
    """How a pool sells what it took over."""

    premium: Fraction = WAD // 50
    duration: Seconds = 1800

    def values(self) -> tuple[int, int]:
        """As `setAuctionParameters` takes them."""
        return (self.premium, self.duration)

    def faults(self) -> Iterator[str]:
        """Of both."""
        yield from limits.auction_faults(*self.values())


class MarketPlan(_Table):
    """A market, its feed and its parameters. Every limit is named: none is left to be forgotten."""

    name: Name
    pool: Name
    feed: Account | None = None
    price: Amount | None = None
    heartbeat: Seconds
    lowest_price: Amount
    highest_price: Amount
    initial_margin_fraction: Fraction
    maintenance_margin_fraction: Fraction
    liquidation_discount: Fraction
    liquidation_fee: Fraction
    maker_fee: Fraction
    taker_fee: Fraction
    price_band: Band
    funding_cap: Fraction
    max_notional: Notional
    min_size: Amount
    max_open_interest: OpenInterest
    pool_fee_share: Fraction
    treasury_fee_share: Fraction
    initial_margin_step: Fraction = 0
    stress_band: Fraction = 0
    drawdown: DrawdownPlan = DrawdownPlan()
    auction: AuctionPlan = AuctionPlan()

    def parameters(self) -> MarketParameters:
        """As `listMarket` takes them."""
        return MarketParameters(*(getattr(self, field) for field in MarketParameters._fields))

    def feed_terms(self) -> tuple[int, int, int]:
        """Heartbeat and bounds, as `setFeed` takes them."""
        return (self.heartbeat, self.lowest_price, self.highest_price)

    def faults(self) -> Iterator[str]:
        """Of name, feed and parameters."""
        yield from _name_faults(self.name)
        if (self.feed is None) == (self.price is None):
            yield "either feed or price has to be given; a price stands for a feed that is set by hand"
        yield from limits.feed_faults(*self.feed_terms())
        for name in ("max_notional", "max_open_interest"):
            if getattr(self, name) == 0:
                yield f'{name} is 0, with which nobody could trade; "none" is no limit'
        if 0 < self.max_open_interest < self.min_size:
            least, most = format_amount(self.min_size), format_amount(self.max_open_interest)
            yield f"min_size is {least} and max_open_interest {most}: nobody could trade"
        yield from limits.market_faults(self.parameters())


class Plan(_Table):
    """All of it. Everything may be left out for a local chain; `public_faults` says what a public one needs."""

    chain_id: Annotated[StrictInt, Field(gt=0)] | None = None
    collateral: Account | None = None
    timelock: TimelockPlan | None = None
    sequencer: SequencerPlan | None = None
    exchange: ExchangePlan = ExchangePlan()
    rounds: RoundsPlan = RoundsPlan()
    rewards: RewardsPlan = RewardsPlan()
    pools: list[PoolPlan] = []
    markets: list[MarketPlan] = []

    def faults(self) -> Iterator[str]:
        """Of how markets and pools fit together."""
        for what, names in (
            ("pools", [pool.name for pool in self.pools]),
            ("markets", [market.name for market in self.markets]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                yield f"{what} has {twice[0]!r} twice"
        kinds = {pool.name: pool.kind for pool in self.pools}
        guardian = self.exchange.guardian
        if self.timelock is not None and guardian not in (None, ANYONE) and self.timelock.delay >= MAX_GUARDED_DELAY:
            yield (
                f"timelock.delay is {self.timelock.delay} s: beside a guardian less than {MAX_GUARDED_DELAY} s are "
                "needed, so that one who pauses without need is replaced before it may pause again"
            )
        yield from self._exit_faults()
        for market in self.markets:
            if market.pool not in kinds:
                yield f"market {market.name!r} is in pool {market.pool!r}, which pools does not have"
        for name, kind in kinds.items():
            inside = sum(market.pool == name for market in self.markets)
            most = 1 if kind == "isolated" else limits.MAX_MARKETS
            if inside > most:
                yield f"pool {name!r} has {inside} markets, {most} at most where it is {kind}"
        if sum(pool.backer == "mutual" for pool in self.pools) > limits.MAX_MEMBERS:
            yield f"more than {limits.MAX_MEMBERS} pools are mutual"

    def _exit_faults(self) -> Iterator[str]:
        """Of a delay in which stakers cannot leave, unless the plan says that it is to be so."""
        if self.timelock is None or self.timelock.shorter_than_exits or not self.pools:
            return
        slowest = max(self.pools, key=lambda pool: pool.cooldown)
        if self.timelock.delay >= slowest.cooldown:
            return
        guarded = self.exchange.guardian not in (None, ANYONE)
        way_out = (
            f"make the cooldown less than {MAX_GUARDED_DELAY} s, which a delay beside a guardian has to be"
            if guarded and slowest.cooldown >= MAX_GUARDED_DELAY
            else f"make it at least {slowest.cooldown} s"
        )
        yield (
            f"timelock.delay is {self.timelock.delay} s, and whoever leaves pool {slowest.name!r} waits "
            f"{slowest.cooldown} s, so that stakers could not leave before a change: {way_out}, "
            "or set timelock.shorter_than_exits = true"
        )

    def public_faults(self) -> Iterator[str]:
        """What a public network needs beyond it."""
        if self.chain_id is None:
            yield "chain_id is missing: a plan for a public network says which"
        if self.collateral is None:
            yield "collateral is missing: test tokens are for local chains"
        if self.timelock is None:
            yield "timelock is missing: on a public network it owns the contracts"
        elif self.timelock.delay < MIN_PUBLIC_DELAY:
            yield f"timelock.delay is {self.timelock.delay} s, at least {MIN_PUBLIC_DELAY} s are needed"
        for market in self.markets:
            if market.price is not None:
                yield f"market {market.name!r} has a price set by hand, which is for local chains; name its feed"

    def document(self) -> dict[str, Any]:
        """As JSON has it, with every default. `Plan.model_validate` takes it back."""
        return self.model_dump(mode="json")

    def hash(self) -> str:
        """The keccak-256 of the document in canonical form."""
        canonical = json.dumps(self.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return "0x" + keccak(text=canonical).hex()


def load_plan(file: Path) -> Plan:
    """Reads a plan. Raises PlanError, one line that says where the fault is."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as fault:
        raise PlanError(f"cannot read {file}: {fault.strerror or fault}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise PlanError(f"{file} is not TOML: {fault}") from None
    return plan_of(document, str(file))


def plan_of(document: Any, source: str) -> Plan:
    """A plan from what was read of `source`. Raises PlanError."""
    try:
        return Plan.model_validate(document)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_context=False, include_input=False)[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        where = where.removesuffix(".word").replace(".executors.list", ".executors")
        own = first["msg"].removeprefix("Value error, ")
        reason = own if own != first["msg"] else own[:1].lower() + own[1:]
        raise PlanError(" ".join(f"{source}: {where + ': ' if where else ''}{reason}".split())) from None


def _name_faults(name: str) -> Iterator[str]:
    if not name.isprintable() or not 0 < len(name.encode()) <= 32 or name != name.strip():
        yield f"name {name!r}: 1 to 32 printable bytes are needed, without a space at either end"
