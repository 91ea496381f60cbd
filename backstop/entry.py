"""The console entry point: nothing that is not Python's own is loaded before what can go wrong is told in one line."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Runs `backstop`. A package that is missing, or Ctrl-C while they are loaded, is no traceback."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        from backstop.cli import main as run
    except ModuleNotFoundError as fault:
        from backstop.errors import missing_package

        text = missing_package(fault)
        if text is None:
            raise
        sys.stderr.write(f"error: {text}\n")
        sys.exit(1)
    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
