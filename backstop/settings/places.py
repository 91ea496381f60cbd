"""Where a keeper that is left running keeps what outlives it, where the settings do not say."""

from __future__ import annotations

import os
from pathlib import Path

from backstop.errors import SettingsError
from backstop.settings.model import Settings
from backstop.settings.units import Store

_JOURNAL, _INDEX = "journal.sqlite", "index.sqlite"


def state_folder(settings: Settings, chain_id: int) -> Path:
    """`state_dir`, or one for the chain below $XDG_STATE_HOME or ~/.local/state."""
    if settings.state_dir is not None:
        return settings.state_dir
    base = os.environ.get("XDG_STATE_HOME", "")
    # What is not absolute is ignored, as the XDG specification has it.
    states = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return states / "backstop" / str(chain_id)


def journal_store(settings: Settings, chain_id: int) -> Store:
    """Where transactions are written before they are sent."""
    return settings.journal.url or Store(str(state_folder(settings, chain_id) / _JOURNAL))


def index_store(settings: Settings, chain_id: int) -> Store | None:
    """Where the index of accounts is kept; None for none."""
    if not settings.index.enabled:
        return None
    return settings.index.url or Store(str(state_folder(settings, chain_id) / _INDEX))


def make_folder(settings: Settings, chain_id: int) -> None:
    """Makes the state folder, which others may not read. Raises SettingsError where that fails."""
    folder = state_folder(settings, chain_id)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise SettingsError(
            f"cannot make the state folder {folder}: {fault.strerror or fault}; set state_dir to one that can be made"
        ) from None
