"""One POST to a node: within a time for all of it, of a size that can be read, and to nobody but the node."""

from __future__ import annotations

import http.client
import io
import os
import threading
import time
from contextlib import suppress
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from backstop.errors import RpcError

MOST = 256 * 2**20  # bytes of an answer; the largest that is asked for has a hundredth of it
_CHUNK = 2**16
_now = threading.local()


class Post:
    """Posts JSON to one URL, over connections that are kept. `most` is the size that an answer may have, in bytes."""

    def __init__(self, url: str, timeout: float, most: int = MOST) -> None:
        self._url = url
        self._timeout = timeout
        self._most = most
        self._session = _session(url)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())

    def __call__(self, body: bytes) -> bytes:
        """What the node answers. Raises RpcError, whose text is the reason alone and has nothing of the URL.

        Nothing is asked twice: what was posted once is known to have been posted once.
        """
        _now.end = end = time.monotonic() + self._timeout
        try:
            with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,  # it would take what is asked, and perhaps a key, to somebody else
                stream=True,
            ) as response:
                if 300 <= response.status_code < 400:
                    raise RpcError("it redirects, which is not followed: give the URL that it leads to")
                if not response.ok:
                    raise RpcError(f"HTTP status {response.status_code}")
                return self._read(response, end)
        except requests.Timeout:
            raise RpcError(f"not within {self._timeout:g} s") from None
        except (requests.RequestException, HTTPError, ValueError) as fault:  # the last for hosts that cannot be
            if time.monotonic() >= end:
                raise RpcError(f"not within {self._timeout:g} s") from None
            raise RpcError(_reason(fault)) from None

    def _read(self, response: requests.Response, end: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(_CHUNK):
            size += len(part)
            if size > self._most:
                raise RpcError(f"more than {self._most:,} bytes")
            if time.monotonic() >= end:
                raise RpcError(f"not within {self._timeout:g} s")
            parts.append(part)
        return b"".join(parts)


class _Timed(io.RawIOBase):
    """What a socket brings, until the end: a timeout of the socket's own begins anew with each byte."""

    def __init__(self, raw: io.RawIOBase, sock: Any, end: float) -> None:
        super().__init__()
        self._raw, self._sock, self._end = raw, sock, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return cast("int | None", cast(Any, self._raw).readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, _now.end))


class _Connection(HTTPConnection):
    response_class = _Response


class _SafeConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SafePool(HTTPSConnectionPool):
    ConnectionCls = _SafeConnection


_POOLS = {"http": _Pool, "https": _SafePool}


class _Adapter(HTTPAdapter):
    """Of requests, with connections that keep to the time."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def _session(url: str) -> requests.Session:
    """With the environment's proxy and certificates for this URL, looked up once: requests does so with each post."""
    session = requests.Session()
    session.trust_env = False
    with suppress(ValueError):  # of a host that cannot be, which the first post tells
        session.proxies = get_environ_proxies(url)
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return session


def _reason(fault: Exception) -> str:
    """Why, in the words of the system, not in those of the libraries: these name the URL."""
    seen: BaseException | None = fault
    named = type(fault).__name__
    if isinstance(fault, ValueError) and not isinstance(fault, requests.ConnectionError):
        return "no such host can be"
    while seen is not None:
        if not isinstance(seen, requests.RequestException):
            if isinstance(seen, OSError) and seen.strerror:
                return seen.strerror
            named = type(seen).__name__
        held = (getattr(seen, "reason", None), *seen.args, seen.__cause__)
        seen = next((one for one in held if isinstance(one, BaseException)), None)
    return named
