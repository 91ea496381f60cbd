"""The view on a terminal, drawn anew as long as it is watched; where it is piped, a frame for each block."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from backstop.watch.following import Follower, Moment
from backstop.watch.render import frame

_REDRAW = 0.5  # seconds


def watch(follower: Follower, accounts: Sequence[str], symbol: str, console: Console) -> None:
    """Until the follower is stopped. Raises what ends it before."""
    follower.start()
    if console.is_terminal:
        _draw(follower, accounts, symbol, console)
    else:
        _stream(follower, accounts, symbol, console)


def _draw(follower: Follower, accounts: Sequence[str], symbol: str, console: Console) -> None:
    """In place; what was shown last stays when it ends."""
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        while True:
            live.update(frame(follower.moment(), accounts, symbol, console), refresh=True)
            if follower.wait(_REDRAW):
                return


def _stream(follower: Follower, accounts: Sequence[str], symbol: str, console: Console) -> None:
    """One frame below the other: of a new block, and where a node is lost, comes back, or stands still."""
    told: tuple[str, str] | None = None
    while True:
        moment = follower.moment()
        if _key(moment) != told:
            if told is not None:
                console.print()
            told = _key(moment)
            console.print(frame(moment, accounts, symbol, console))
        if follower.wait(_REDRAW):
            return


def _key(moment: Moment) -> tuple[str, str]:
    return moment.view.block.hash, moment.state
