"""The log: for people on a terminal, JSON lines for machines, with no secret in either.

What is bound by `bound` (block, market, plan, tx) stands in every line until it ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOBase
from typing import Any, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from backstop.hiding import HIDDEN, without
from backstop.settings.model import Log

bound = bound_contextvars


class Redact:
    """Replaces every secret it knows in whatever a line holds, however deep."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """A processor of structlog."""
        return {self.text(str(key)): self.clean(value) for key, value in event.items()}

    def clean(self, value: Any) -> Any:
        """A value of the same shape; what is neither a container nor a plain value becomes its text."""
        if value is None or isinstance(value, bool | int | float):
            return value if not self._secrets or self.text(str(value)) == str(value) else HIDDEN
        if isinstance(value, dict):
            return {self.text(str(key)): self.clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(item) for item in value]
        return self.text(value.hex() if isinstance(value, bytes) else str(value))

    def text(self, text: str) -> str:
        """A text without them, whatever case hex digits are in."""
        return without(text, self._secrets)


class _Lossy(TextIOBase):
    """A stream that loses what cannot be written: a keeper outlives the reader of its log."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str, /) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def open_log(settings: Log, secrets: Iterable[str] = (), stream: TextIO | None = None) -> FilteringBoundLogger:
    """A logger that writes lines to `stream`, stderr unless one is given."""
    stream = stream or sys.stderr
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(cast(TextIO, _Lossy(stream))),
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            Redact(secrets),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=True,
    )
    return logger
