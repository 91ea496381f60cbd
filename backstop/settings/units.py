"""The kinds of values in settings, each with its text: amounts with units, addresses to listen at, URLs with secrets.

What is shown of a value is what pydantic dumps of it in JSON mode, so nothing that is dumped holds a secret.
"""

from __future__ import annotations

import re
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Secret

from backstop.hiding import HIDDEN, why_no_url
from backstop.math.wad import WAD, format_amount, parse_amount

_WEI = {"wei": 1, "gwei": 10**9, "ether": 10**18}
_WITH_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(wei|gwei|ether)")
_MOST_SECONDS = 30 * 86_400


class Listen(NamedTuple):
    """An address and a port to listen at."""

    host: str
    port: int

    def __str__(self) -> str:
        """`127.0.0.1:9464`, `[::1]:9464`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SecretText(Secret[str]):
    """A text that is never shown."""

    def _display(self) -> str:
        return HIDDEN if self.get_secret_value() else ""


class SecretUrl(Secret[str]):
    """A URL of which only scheme, host and port are ever shown: a provider's key may stand anywhere else."""

    def _display(self) -> str:
        return shown_url(self.get_secret_value())


class Store(SecretUrl):
    """A file for SQLite, or the URL of a database."""

    @property
    def url(self) -> str:
        """As SQLAlchemy takes it."""
        text = self.get_secret_value()
        return text if "://" in text else f"sqlite:///{text}"

    @property
    def is_file(self) -> bool:
        """Whether SQLite keeps it."""
        return self.url.startswith("sqlite")

    @property
    def is_in_memory(self) -> bool:
        """Whether SQLite keeps it in memory: it is gone with the process."""
        place = self.url.partition("?")[0].removeprefix("sqlite:").removeprefix("sqlite+pysqlite:").lstrip("/")
        return self.is_file and (place in ("", ":memory:", "file::memory:") or "mode=memory" in self.url)

    def _display(self) -> str:
        text = self.get_secret_value()
        return text if self.is_file else shown_url(text)


def shown_url(url: str) -> str:
    """What may be shown of a URL: `https://host:8545/…`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    if not parts.scheme or not parts.hostname:
        return HIDDEN
    rest = HIDDEN if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" + (f"/{rest}" if rest else "")


def _wei(value: Any) -> int:
    match = _WITH_UNIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a number and its unit are expected, like "2 gwei" or "0.5 ether"')
    amount = Decimal(match[1]) * _WEI[match[2]]
    if amount != int(amount) or amount >= 10**30:
        raise ValueError("that is no whole number of wei, or more than there is")
    return int(amount)


def show_wei(wei: int) -> str:
    """`2 gwei`, `0.5 ether`: in the largest unit of which it is not a small fraction."""
    unit = "ether" if wei >= 10**15 else "gwei" if wei >= 10**6 or wei == 0 else "wei"
    text = f"{Decimal(wei) / _WEI[unit]:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"


def _amount(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError('an amount like "100.5" is expected')  # noqa: TRY004  pydantic wants a ValueError
    amount = parse_amount(value if isinstance(value, str) else f"{value:f}", "100.5")
    if amount < 0:
        raise ValueError("it is negative: amounts are from zero on")
    return amount


def _fraction(value: Any) -> int:
    fraction = _amount(value)
    if fraction > WAD:
        raise ValueError('a fraction is at most 1: write 2 % as "0.02"')
    return fraction


def _account(value: Any) -> str:
    from eth_utils.address import to_checksum_address

    from backstop.chain.deployment import is_address

    if not is_address(value) or not value.startswith("0x"):
        raise ValueError("it is no address: 0x and 40 hex digits are expected, with a right checksum")
    return str(to_checksum_address(value))


def _listen(value: Any) -> Listen:
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError('an address and a port are expected, like "127.0.0.1:9464"')
    try:
        ip_address(bare)
    except ValueError:
        if bare != "localhost":
            raise ValueError('the address is no IP address: give one like "127.0.0.1:9464"') from None
    return Listen(bare, int(port))


_KINDS = {"http": "HTTP", "ws": "websocket"}


def _url_of(what: str, example: str, *schemes: str) -> AfterValidator:
    def check(url: SecretUrl) -> SecretUrl:
        text = url.get_secret_value()
        if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"{_refused(text)!r} is no {_KINDS[schemes[0]]} URL: give one like {example}")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as fault:
            raise ValueError(f"the URL of the {what} cannot be read: {why_no_url(fault)}") from None
        if not parts.hostname or port == 0:
            missing = "port 0" if parts.hostname else "no host"
            raise ValueError(f"the URL of the {what} has {missing}: give one like {example}")
        return url

    return AfterValidator(check)


def _refused(text: str) -> str:
    """What may be shown of a text that should have been a URL."""
    if text.startswith(("/", "file:")):
        return text[:80]
    return shown_url(text) if "://" in text else text.rpartition("@")[2].split("/")[0][:80]


def _store(store: Store) -> Store:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        url = make_url(store.url)
        name = url.get_backend_name()
    except (ArgumentError, ValueError):
        name = ""
    else:
        try:
            url.get_dialect()().create_connect_args(url)
        except (ValueError, TypeError):
            raise ValueError("the query of the URL has an option with a value that cannot be") from None
        except SQLAlchemyError:  # no such driver: whoever opens it says so
            pass
    if name not in ("sqlite", "postgresql"):
        raise ValueError('a file, "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/NAME" is expected')
    return store


NodeUrl = Annotated[SecretUrl, _url_of("node", "http://127.0.0.1:8545", "http", "https")]
SocketUrl = Annotated[SecretUrl, _url_of("node", "ws://127.0.0.1:8545", "ws", "wss")]
SignerUrl = Annotated[SecretUrl, _url_of("signer", "http://127.0.0.1:8550", "http", "https")]
HookUrl = Annotated[SecretUrl, _url_of("receiver", "https://127.0.0.1/hooks", "http", "https")]
StoreUrl = Annotated[Store, AfterValidator(_store)]
Wei = Annotated[int, BeforeValidator(_wei), PlainSerializer(show_wei, return_type=str)]
Amount = Annotated[int, BeforeValidator(_amount), PlainSerializer(format_amount, return_type=str)]
Fraction = Annotated[int, BeforeValidator(_fraction), PlainSerializer(format_amount, return_type=str)]
Address = Annotated[Listen, BeforeValidator(_listen), PlainSerializer(str, return_type=str)]
Account = Annotated[str, BeforeValidator(_account)]
Pause = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Interval = Annotated[int, Field(ge=1, le=_MOST_SECONDS)]
