"""A node's word that there is a new block: `eth_subscribe` over a websocket, in a thread of its own.

It only says when to look. What is believed of the chain is asked of the nodes, as without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from backstop.errors import RpcError

_SCHEMES = {"http": "ws", "https": "wss"}
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds before a dropped one is tried again; doubled at each attempt
_PATIENCE = 10.0  # seconds for the node to accept
_GLANCE = 0.5  # seconds; how soon it notices that it is to end


def websocket_of(url: str) -> str:
    """Where a node at an HTTP URL has its websocket, if it has it in the same place: the case with most."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme=_SCHEMES.get(parts.scheme, parts.scheme)))


class Subscription:
    """Calls `woken` with the number of each new block that the node tells of, until `stop`.

    And with 0 where the telling begins, or ends: something may have come meanwhile.
    One that is dropped, or that is not to be had, is tried again after a pause that grows, and `tell` hears of it.
    """

    def __init__(self, url: str, woken: Callable[[int], None], tell: Callable[[str], None]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES.values() or not parts.hostname:
            raise RpcError("the URL of the websocket cannot be used: give one like ws://127.0.0.1:8545")
        self._url = url
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._woken = woken
        self._tell = tell
        self._stopping = Event()
        self.is_alive = False
        self._thread = Thread(target=self._run, name="new heads", daemon=True)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Ends listening, soon."""
        self._stopping.set()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            was_alive = False
            try:
                with connect(self._url, open_timeout=_PATIENCE, close_timeout=1, compression=None) as connection:
                    self._subscribe(connection)
                    self.is_alive = was_alive = True
                    self._woken(0)
                    self._listen(connection)
            except (OSError, WebSocketException, ValueError, LookupError, TypeError, AttributeError) as fault:
                # Its words may name the URL, and that a provider's key.
                reason = type(fault).__name__
            else:
                return
            finally:
                self.is_alive = False
            pause = _FIRST_PAUSE if was_alive else min(2 * pause, _LONGEST_PAUSE)
            self._woken(0)
            self._tell(f"{self.shown} gives no new blocks ({reason}), polling instead; again in {pause:g} s")
            self._stopping.wait(pause)

    def _subscribe(self, connection: Connection) -> None:
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
        connection.send(json.dumps(request))
        if not isinstance(json.loads(connection.recv(_PATIENCE))["result"], str):
            raise TypeError("no subscription")

    def _listen(self, connection: Connection) -> None:
        while not self._stopping.is_set():
            try:
                message = json.loads(connection.recv(_GLANCE))
            except TimeoutError:
                continue
            self._woken(int(message["params"]["result"]["number"], 16))
