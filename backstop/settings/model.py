"""The settings themselves: what can be told, of which kind, and what holds where nothing is told.

Amounts of quote are WAD, fees wei, times seconds; the texts that stand for them are in `units`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from backstop.errors import SettingsError
from backstop.hiding import secrets_of_url
from backstop.math.wad import WAD
from backstop.settings.units import (
    Account,
    Address,
    Amount,
    Fraction,
    HookUrl,
    Interval,
    NodeUrl,
    Pause,
    SecretText,
    SignerUrl,
    SocketUrl,
    StoreUrl,
    Wei,
)

_GWEI = 10**9
_ETHER = 10**18
_LEAST_SECRET = 8
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _private_key(value: object) -> object:
    text = value.strip() if isinstance(value, str) else ""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
        is_key = len(raw) == 32 and 0 < int.from_bytes(raw) < _CURVE_ORDER
    except ValueError:
        is_key = False
    if not is_key:
        raise ValueError("it holds no private key: 0x and 64 hex digits are expected")
    return text


def _hard_to_guess(secret: SecretText) -> SecretText:
    if len(secret.get_secret_value()) < _LEAST_SECRET:
        raise ValueError(f"a secret has at least {_LEAST_SECRET} characters: make a longer one")
    return secret


class Event(StrEnum):
    """What webhooks tell."""

    ADL_START = "adl_start"
    ADL_STOP = "adl_stop"
    ROUND = "round"
    LOW_BALANCE = "low_balance"
    STALE_FEED = "stale_feed"
    BUDGET_SPENT = "budget_spent"
    DEFICIT_OPEN = "deficit_open"
    CHAIN_HALT = "chain_halt"


class Section(BaseModel):
    """A table of the file. A name that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(Section):
    """The nodes that the chain is read from and sent to."""

    urls: tuple[NodeUrl, ...] = Field(
        default=(), description="Nodes, the preferred one first.", examples=[["http://127.0.0.1:8545"]]
    )
    quorum: int | None = Field(
        default=None,
        ge=1,
        description="How many nodes have to have a block; else more than half of them.",
        examples=[1],
    )
    most_lag: int = Field(default=3, ge=0, le=1000, description="Blocks that a node may be behind and still be read.")
    ws_url: SocketUrl | None = Field(
        default=None,
        description="Node that tells of new blocks; else they are polled for.",
        examples=["ws://127.0.0.1:8545"],
    )
    send_url: NodeUrl | None = Field(
        default=None,
        description="Private endpoint for transactions; else the nodes.",
        examples=["https://127.0.0.1:8546"],
    )
    timeout: Pause = Field(default=10.0, description="Seconds until a node that does not answer has failed.")
    poll: Pause = Field(default=1.0, description="Seconds between two looks for a new block.")
    stale_after: Pause = Field(
        default=60.0,
        description="Seconds without a new block, by this machine's clock, until the chain is taken to stand still.",
    )

    @model_validator(mode="after")
    def _quorum(self) -> Node:
        if len({url.get_secret_value() for url in self.urls}) < len(self.urls):
            raise ValueError("urls name a node twice: each counts once")
        if self.quorum is not None and self.urls and self.quorum > len(self.urls):
            raise ValueError(
                f"quorum is {self.quorum}, with {len(self.urls)} in urls: name more nodes, or ask for less"
            )
        return self


class Key(Section):
    """The key that signs. A keystore wins over a private key; a signer stands alone."""

    keystore: Path | None = Field(default=None, description="Encrypted key.", examples=["keeper.json"])
    passphrase_file: Path | None = Field(default=None, description="What opens it.", examples=["keeper.pass"])
    private_key: Annotated[SecretText, BeforeValidator(_private_key)] | None = Field(
        default=None, description="Key in the clear; a keystore is better."
    )
    signer: SignerUrl | None = Field(
        default=None, description="External signer instead of a key.", examples=["http://127.0.0.1:8550"]
    )
    address: Account | None = Field(
        default=None,
        description="Which account of the signer; else the only one that it has.",
        examples=["0x" + "11" * 20],
    )

    @model_validator(mode="after")
    def _one(self) -> Key:
        if self.keystore is not None and self.passphrase_file is None:
            raise ValueError(f"keystore {self.keystore} needs its passphrase_file (--passphrase-file)")
        if self.signer is not None and (self.keystore or self.private_key):
            raise ValueError("signer is set beside keystore or private_key: keep one")
        if self.address is not None and self.signer is None:
            raise ValueError("address is an account of a signer, and there is none: name the signer")
        return self

    @property
    def is_set(self) -> bool:
        """Whether anything can sign."""
        return bool(self.keystore or self.private_key or self.signer)


class JournalStore(Section):
    """Where transactions are written before they are sent."""

    url: StoreUrl | None = Field(
        default=None,
        description="A file, or the URL of a PostgreSQL database; else journal.sqlite in the state folder.",
        examples=["/var/lib/backstop/journal.sqlite"],
    )


class IndexStore(Section):
    """Where the index of accounts is kept."""

    enabled: bool = Field(default=True, description="Whether there is one; else every account is read at each block.")
    url: StoreUrl | None = Field(
        default=None,
        description="A file, or the URL of a PostgreSQL database; else index.sqlite in the state folder.",
        examples=["/var/lib/backstop/index.sqlite"],
    )


class Fees(Section):
    """What transactions may cost."""

    tip_floor: Wei = Field(default=0, description="Least tip per gas, however little the node suggests.")
    tip_cap: Wei = Field(default=100 * _GWEI, description="Most tip per gas, however much the node suggests.")
    max_fee: Wei = Field(default=5000 * _GWEI, description="Most fee per gas; no replacement goes beyond it.")
    budget_per_day: Wei = Field(
        default=_ETHER, description="Most that may be spent in a day of chain time; then nothing more is sent."
    )
    budget_per_hour: Wei | None = Field(
        default=None, description="The same of an hour; else no such limit.", examples=["0.2 ether"]
    )
    low_balance: Wei = Field(default=_ETHER // 20, description="Balance of the key below which an alarm is raised.")
    replace_after: Interval = Field(
        default=36, description="Seconds of chain time until a transaction that is not mined is replaced."
    )
    replace_after_blocks: int = Field(default=3, ge=1, le=1000, description="Blocks until it is, whichever is first.")
    confirmations: int = Field(default=1, ge=1, le=1000, description="Blocks, its own one too, after which it counts.")
    final_after: int = Field(
        default=64, ge=1, le=100_000, description="Blocks after it until it is watched for reorganisations no more."
    )

    @model_validator(mode="after")
    def _order(self) -> Fees:
        if not self.tip_floor <= self.tip_cap <= self.max_fee:
            raise ValueError("tip_floor, tip_cap and max_fee have to ascend")
        if self.budget_per_hour is not None and self.budget_per_hour > self.budget_per_day:
            raise ValueError("budget_per_hour is more than budget_per_day: lower it, or raise the other")
        return self


class Duty(Section):
    """One of the keeper's duties."""

    enabled: bool = Field(default=True, description="Whether this keeper does it.")
    priority: int = Field(default=50, ge=0, le=1000, description="What is due with a lower number goes first.")


_MARKETS = Field(default=(), description="Markets in which it is done; else all.", examples=[["ETH-USD"]])


class Checkpoint(Duty):
    """Samples of a market's result."""

    priority: int = Field(default=40, ge=0, le=1000, description="What is due with a lower number goes first.")
    every: Interval = Field(
        default=60, description="Seconds between two samples of an isolated pool's market, in chain time."
    )
    shared_every: Interval = Field(default=86_400, description="The same of a shared pool's markets.")


class Liquidate(Duty):
    """Liquidations onto the key's own funded account."""

    priority: int = Field(default=10, ge=0, le=1000, description="What is due with a lower number goes first.")
    up_to: Amount = Field(
        default=0, description="Most that its position in a market may be worth; 0 liquidates nothing."
    )
    least_discount: Amount = Field(default=WAD // 10, description="Leave alone what brings a smaller discount, quote.")
    sub_account: int = Field(default=0, ge=0, lt=2**64, description="Which of the key's isolated accounts in a market.")
    markets: tuple[str, ...] = _MARKETS


class Unwind(Duty):
    """Trading out what liquidations and purchases have brought, against signed orders of others."""

    enabled: bool = Field(default=False, description="Whether this keeper does it.")
    priority: int = Field(default=80, ge=0, le=1000, description="What is due with a lower number goes first.")
    orders: Path | None = Field(
        default=None,
        description="Folder with signed orders of others, each a file as `backstop order sign` writes it.",
        examples=["orders"],
    )
    keep: Amount = Field(default=0, description="Worth of a position in a market that is kept, quote.")
    most_at_once: Amount = Field(default=10_000 * WAD, description="Most that is traded at a time, quote.")
    most_slippage: Fraction = Field(
        default=WAD // 100, description="Most that is given up against mark, as a fraction; fees come on top."
    )

    @model_validator(mode="after")
    def _orders(self) -> Unwind:
        if self.enabled and self.orders is None:
            raise ValueError(
                "orders is not set: name the folder with the orders to trade against, or switch unwind off"
            )
        return self


class TakeOver(Duty):
    """Takeovers of accounts by their pool."""

    priority: int = Field(default=20, ge=0, le=1000, description="What is due with a lower number goes first.")


class BuyInventory(Duty):
    """Purchases of a pool's inventory at auction, onto the key's own funded account."""

    enabled: bool = Field(default=False, description="Whether this keeper does it.")
    priority: int = Field(default=70, ge=0, le=1000, description="What is due with a lower number goes first.")
    up_to: Amount = Field(default=0, description="Most that its position in a market may be worth; 0 buys nothing.")
    least_discount: Fraction = Field(default=WAD // 100, description="Least gain against mark, as a fraction.")
    sub_account: int = Field(default=0, ge=0, lt=2**64, description="Which of the key's isolated accounts in a market.")
    markets: tuple[str, ...] = _MARKETS


class Adl(Duty):
    """Rounds of auto-deleveraging."""

    priority: int = Field(default=30, ge=0, le=1000, description="What is due with a lower number goes first.")


class Redistribute(Duty):
    """What members of the mutual group give each other."""

    priority: int = Field(default=50, ge=0, le=1000, description="What is due with a lower number goes first.")


class SettleExits(Duty):
    """Ripe exits of stakers."""

    priority: int = Field(default=60, ge=0, le=1000, description="What is due with a lower number goes first.")
    least: Amount = Field(default=WAD, description="Leave exits alone that are worth less, quote.")


class Duties(Section):
    """What the keeper does."""

    checkpoint: Checkpoint = Checkpoint()
    liquidate: Liquidate = Liquidate()
    unwind: Unwind = Unwind()
    take_over: TakeOver = TakeOver()
    buy_inventory: BuyInventory = BuyInventory()
    adl: Adl = Adl()
    redistribute: Redistribute = Redistribute()
    settle_exits: SettleExits = SettleExits()

    def all(self) -> Iterator[tuple[str, Duty]]:
        """Each by its name, the most urgent first."""
        named = ((name, getattr(self, name)) for name in type(self).model_fields)
        return iter(sorted(named, key=lambda item: item[1].priority))


class Stagger(Section):
    """For several keepers of one deployment: each lets those before it go first."""

    index: int = Field(default=0, ge=0, le=100, description="How many keepers go before this one.")
    blocks: int = Field(default=1, ge=1, le=1000, description="Blocks that each of them has to itself.")


class MetricsPage(Section):
    """Where Prometheus and the health checks are answered."""

    listen: Address | None = Field(
        default=None, description="Address for /metrics, /healthz and /readyz; else none.", examples=["127.0.0.1:9464"]
    )


class Log(Section):
    """What is logged to stderr."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else JSON."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is logged.")


class WebhookTargets(Section):
    """Who is told what happens, by an HTTP POST."""

    urls: tuple[HookUrl, ...] = Field(
        default=(), description="Where to post.", examples=[["https://127.0.0.1/hooks/backstop"]]
    )
    events: tuple[Event, ...] = Field(default=tuple(Event), description="What to post.")
    secret: Annotated[SecretText, AfterValidator(_hard_to_guess)] | None = Field(
        default=None,
        description="Key of the HMAC-SHA-256 in X-Backstop-Signature; else unsigned.",
        examples=["a long random text"],
    )
    timeout: Pause = Field(default=10.0, description="Seconds until a receiver that does not answer has failed.")
    attempts: int = Field(default=6, ge=1, le=20, description="How often an event is posted, after growing pauses.")


class Settings(BaseSettings):
    """All of it. `load_settings` fills it; the sources are merged there, so that each value's origin is known."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="BACKSTOP_", env_nested_delimiter="__", hide_input_in_errors=True
    )

    deployment: Path | None = Field(
        default=None,
        description="The deployment's addresses, as `ape run deploy` writes them.",
        examples=["deployments/1.json"],
    )
    state_dir: Path | None = Field(
        default=None,
        description="Folder for journal and index; else backstop/CHAIN in $XDG_STATE_HOME or ~/.local/state.",
        examples=["/var/lib/backstop"],
    )
    node: Node = Node()
    key: Key = Key()
    journal: JournalStore = JournalStore()
    index: IndexStore = IndexStore()
    fees: Fees = Fees()
    duties: Duties = Duties()
    stagger: Stagger = Stagger()
    metrics: MetricsPage = MetricsPage()
    log: Log = Log()
    webhooks: WebhookTargets = WebhookTargets()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is handed over, and nothing from elsewhere."""
        return (init_settings,)

    @property
    def deployment_file(self) -> Path:
        """Where the addresses are. Raises SettingsError where that is not set."""
        if self.deployment is None:
            raise SettingsError(
                "deployment is not set: give --deployment FILE, BACKSTOP_DEPLOYMENT, or deployment in the file"
            )
        return self.deployment

    @property
    def node_urls(self) -> tuple[str, ...]:
        """The URLs with all that is secret in them. Raises SettingsError where there are none."""
        if not self.node.urls:
            raise SettingsError(
                "node.urls is not set: give --rpc URL, BACKSTOP_NODE__URLS, or urls in [node] of the file"
            )
        return tuple(url.get_secret_value() for url in self.node.urls)

    def secrets(self) -> list[str]:
        """Every text in them that must never be shown, the longest first."""
        found = [one.get_secret_value() for one in (self.key.private_key, self.webhooks.secret) if one]
        urls = (*self.node.urls, self.node.ws_url, self.node.send_url, self.key.signer, *self.webhooks.urls)
        for url in (*urls, *(store for store in (self.journal.url, self.index.url) if store and not store.is_file)):
            if url is not None:
                found += secrets_of_url(url.get_secret_value())
        found += [text.removeprefix("0x") for text in found if text.startswith("0x")]
        return sorted({text for text in found if text}, key=len, reverse=True)
