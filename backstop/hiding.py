"""What of a URL must never be shown, in whatever form it may come back, and how it is taken out of a text.

A provider's key may stand anywhere in a URL but in scheme, host and port. Libraries quote URLs anew before they show
them, and a node may say in its own words what it was asked with.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, unquote, unquote_plus, urlsplit

HIDDEN = "…"
_SHORTEST = 4  # characters; what is shorter is in every other text
_KEY = 6  # the same of a part of a path, which is a key unless it is a plain word
_WORD = re.compile(r"[a-z]+(?:[-_.][a-z]+)*")
_LONG_WORD = 24
# What is left as it is where a URL is quoted anew: by nobody, in a part, and in a whole one.
_SAFE = ("", "-._~!$&'()*+,;=:@", "!#$%&'()*+,/:;=?@[]~")


def secrets_of_url(url: str) -> list[str]:
    """The parts of a URL that nobody may see, raw and as they may be quoted anew, the longest first.

    What stands before the host, each part of the path that is no plain word, the query and its values. Of a database
    the path is its name, and no secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    credentials = parts.netloc.rpartition("@")[0]
    user, _, password = credentials.partition(":")
    found = [credentials, user, password, parts.query, *(pair.partition("=")[2] for pair in parts.query.split("&"))]
    if credentials:
        found.append(b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode())
    if parts.scheme in ("http", "https", "ws", "wss"):
        path = parts.path.strip("/")
        bare = f"{parts.scheme}://{parts.netloc}".rstrip("/")
        found += [part for part in path.split("/") if _may_be_key(part)]
        found += [parts.fragment, *([path, url] if path and url.rstrip("/") != bare else [])]
    forms = {form for one in found if len(one) >= _SHORTEST for form in _forms(one)}
    return sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)


def without(text: str, secrets: Iterable[str]) -> str:
    """A text without these, the longest first, whatever case their letters are in."""
    for secret in secrets:
        lowered, sought = text.lower(), secret.lower()
        if len(lowered) != len(text) or len(sought) != len(secret):  # letters that grow in lowercase
            lowered, sought = text, secret
        if sought not in lowered:
            continue
        parts, start = [], 0
        while (found := lowered.find(sought, start)) >= 0:
            parts.append(text[start:found])
            start = found + len(secret)
        text = HIDDEN.join([*parts, text[start:]])
    return text


def _may_be_key(part: str) -> bool:
    return len(part) >= _KEY and (len(part) >= _LONG_WORD or not _WORD.fullmatch(part))


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret), unquote_plus(secret)}
    quoted = {quote(text, safe=safe) for text in plain for safe in _SAFE}
    return plain | quoted | {form for text in plain | quoted for form in (repr(text)[1:-1], json.dumps(text)[1:-1])}


def why_no_url(fault: ValueError) -> str:
    """Why a URL cannot be read, in the words of Python where these have nothing of the URL."""
    words = str(fault)
    if words.startswith(("Port out of range", "Invalid IPv6")):
        return words
    return words.partition(" as ")[0] if words.startswith("Port could not be cast") else "it has no such form"
