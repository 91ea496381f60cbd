"""What can happen in a sequence, as plain records that can be printed and played again."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.orders import Order
from scripts.stage.parameters import MarketParameters

from .calls import Bounds
from .world import NAMES, TRADERS, label

NOBODY, EXCHANGE = -1, -2  # recipients that are no traders
OWNER = -3  # who owns the exchange, and is no trader


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the trader with this number does, `after` seconds (at least 1) after the last thing."""

    by: int
    after: int

    @property
    def kind(self) -> str:
        """How it is counted."""
        return type(self).__name__

    @property
    def caller(self) -> str:
        """The address that sends it, where it is a trader."""
        return TRADERS[self.by].address


@dataclass(frozen=True, slots=True)
class Deposit(Action):
    """Into a sub-account; `amount` in token units."""

    sub_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Withdraw(Action):
    """`amount` in token units, to the trader with the number `to`, to NOBODY or to the EXCHANGE itself."""

    account: bytes
    amount: int
    to: int


@dataclass(frozen=True, slots=True)
class Transfer(Action):
    """`amount` in token units from `account` to the caller's own account `to`."""

    account: bytes
    to: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Settle(Action):
    """A fill of two orders, signed by the traders with these numbers, who should be their owners. `size` is WAD."""

    maker: Order
    maker_signer: int
    taker: Order
    taker_signer: int
    size: int


@dataclass(frozen=True, slots=True)
class SettleBatch(Action):
    """Several fills in one transaction; the callers and times of `pairs` mean nothing."""

    pairs: tuple[Settle, ...]


@dataclass(frozen=True, slots=True)
class Cancel(Action):
    """One order."""

    order: Order


@dataclass(frozen=True, slots=True)
class CancelAll(Action):
    """Every order of the caller."""


@dataclass(frozen=True, slots=True)
class Answer(Action):
    """Good answers of feeds, `(market, answer)`, each in a block of its own."""

    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class BadAnswer(Action):
    """An answer that a feed should refuse, or might: `ago` seconds old, below zero if from the future."""

    market: int
    answer: int
    ago: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Accept(Action):
    """The price of a market, so that it is remembered."""

    market: int


@dataclass(frozen=True, slots=True)
class Sequencer(Action):
    """Its feed says that it went down, or came back."""

    is_up: bool


@dataclass(frozen=True, slots=True)
class SetParameters(Action):
    """Of a market, by the OWNER or somebody who is not."""

    market: int
    parameters: MarketParameters


@dataclass(frozen=True, slots=True)
class Accrue(Action):
    """A market's funding, several times, a second apart."""

    market: int
    times: int


@dataclass(frozen=True, slots=True)
class Sweep(Action):
    """A market's fees."""

    market: int


@dataclass(frozen=True, slots=True)
class Collect(Action):
    """`amount` in token units out of the treasury."""

    amount: int


@dataclass(frozen=True, slots=True)
class Flag(Action):
    """A margin call."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Contribute(Action):
    """To a pool, naming a market or 0; `amount` in token units."""

    pool: int
    market: int
    amount: int


@dataclass(frozen=True, slots=True)
class Repay(Action):
    """An open deficit of a pool; `amount` in token units."""

    pool: int
    amount: int


@dataclass(frozen=True, slots=True)
class Redistribute(Action):
    """Within the mutual group."""


@dataclass(frozen=True, slots=True)
class SetStaking(Action):
    """Of a pool, by the OWNER or somebody who is not. `cap` is WAD, `cooldown` seconds."""

    pool: int
    cap: int
    cooldown: int


@dataclass(frozen=True, slots=True)
class MoveMarket(Action):
    """A market to another pool, by the OWNER or somebody who is not."""

    market: int
    pool: int


@dataclass(frozen=True, slots=True)
class RenewShares(Action):
    """Of a pool, by the OWNER or somebody who is not; then everybody allows the new ones to take tokens."""

    pool: int


@dataclass(frozen=True, slots=True)
class Stake(Action):
    """In a pool: `amount` in token units, or in shares."""

    pool: int
    amount: int
    in_shares: bool = False


@dataclass(frozen=True, slots=True)
class RequestExit(Action):
    """Of shares of a pool."""

    pool: int
    shares: int


@dataclass(frozen=True, slots=True)
class CancelExit(Action):
    """From a pool."""

    pool: int


@dataclass(frozen=True, slots=True)
class Redeem(Action):
    """A part of the exit of `owner`: `amount` in shares, or in token units."""

    pool: int
    owner: int
    amount: int
    in_assets: bool = False


@dataclass(frozen=True, slots=True)
class SettleExit(Action):
    """The whole exit of `owner`."""

    pool: int
    owner: int


@dataclass(frozen=True, slots=True)
class Checkpoint(Action):
    """Of a market."""

    market: int


@dataclass(frozen=True, slots=True)
class Liquidate(Action):
    """The leg of `account` in a market by `liquidator`, at most `contracts` of it, WAD."""

    account: bytes
    market: int
    liquidator: bytes
    contracts: int


@dataclass(frozen=True, slots=True)
class TakeOver(Action):
    """By the pool, all legs."""

    account: bytes


@dataclass(frozen=True, slots=True)
class BuyInventory(Action):
    """Side 0 is long. `contracts` and `limit` are WAD."""

    buyer: bytes
    market: int
    side: int
    contracts: int
    limit: int


@dataclass(frozen=True, slots=True)
class Deleverage(Action):
    """Side 0 is long, the inventory's; the call may wait for `seconds`, whatever `bounds` say of a deadline."""

    market: int
    side: int
    candidates: tuple[bytes, ...]
    bounds: Bounds
    seconds: int


@dataclass(frozen=True, slots=True)
class Challenge(Action):
    """Of a round of a market, for an account that it left out, or did not."""

    round: int
    market: int
    account: bytes


def describe(action: Action) -> str:
    """One line for a report."""
    fields = []
    for name in action.__dataclass_fields__:
        if name in ("by", "after"):
            continue
        fields.append(f"{name}={_show(getattr(action, name))}")
    who = "the owner" if action.by == OWNER else NAMES[action.by]
    return f"+{action.after}s {who}: {action.kind}({', '.join(fields)})"


def _show(value: object) -> str:
    if isinstance(value, bytes):
        return label(value)
    if isinstance(value, Order):
        flags = " reduceOnly" if value.reduce_only else ""
        return f"<{label(value.account)} {value.size} at {value.limit_price} epoch {value.epoch} #{value.salt}{flags}>"
    if isinstance(value, Action):
        return f"({describe(value)})"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_show, value))}]"
    return str(value)
