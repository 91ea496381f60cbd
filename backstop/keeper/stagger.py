"""Several keepers of one deployment: each leaves what is due to those before it for some blocks."""

from __future__ import annotations

from collections.abc import Sequence

from backstop.keeper.kinds import Duty


class Stagger:
    """Lets a duty through once it was due for `delay` blocks, as this keeper has seen it."""

    def __init__(self, delay: int = 0) -> None:
        self._delay = delay
        self._since: dict[tuple[str, ...], int] = {}
        self._due: set[tuple[str, ...]] = set()

    def begin(self) -> None:
        """A cycle begins: what was not due in the last one is forgotten."""
        self._since = {key: block for key, block in self._since.items() if key in self._due}
        self._due = set()

    def ripe(self, duties: Sequence[Duty], block: int) -> list[Duty]:
        """Those of them whose time has come."""
        if not self._delay:
            return list(duties)
        self._due |= {duty.key for duty in duties}
        return [duty for duty in duties if block - self._since.setdefault(duty.key, block) >= self._delay]
