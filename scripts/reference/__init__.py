"""The reference pages of the contracts, from what the compiler says of them: events, errors and storage in docs/.

`make reference` writes them; a test holds that they are as it would write them.
"""

from __future__ import annotations

from pathlib import Path

from .compiled import Compiled, compile_contracts
from .errors import errors_page
from .events import events_page
from .storage import storage_page

ROOT = Path(__file__).parents[2]
PAGES = {
    ROOT / "docs" / "errors.md": errors_page,
    ROOT / "docs" / "events.md": events_page,
    ROOT / "docs" / "storage.md": storage_page,
}

__all__ = ["PAGES", "Compiled", "compile_contracts"]
