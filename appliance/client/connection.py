"""The HTTP connection under the transport: how it is opened, how much of an answer is read, and what can't be sent at all."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from appliance.client.answers import MOST_BYTES, plain
from appliance.client.errors import ClientError
from appliance.kit import clock
from appliance.protocol.agents import MAX_WAIT

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = MAX_WAIT + 15.0  # a long poll is answered after at most MAX_WAIT
LONGEST_ANSWER = 120.0
"""Seconds until an answer must be complete, so that one that drips byte by byte can't hold a run up forever."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TOKEN = re.compile(r"(?! )[\x20-\x7e]*(?<! )")


class TooLong(Exception):
    """An answer is too long, or takes too long."""


def read(response: Any) -> bytes:
    """The body, unpacked as far as it is packed. Raises TooLong for what no appliance sends, such as a bomb."""
    until = clock.monotonic() + LONGEST_ANSWER
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise TooLong(f"its answer is longer than {MOST_BYTES // 2**20} MB")
        if clock.monotonic() > until:
            raise TooLong(f"its answer takes longer than {LONGEST_ANSWER:.0f} s")
    return b"".join(parts)


def http_client(url: str) -> Any:
    import httpx2

    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise no_url(url) from error
    if not host or parts.query or parts.fragment:
        raise no_url(url)
    if parts.username is not None:
        raise ClientError(
            "APPLIANCE_URL must not contain a user and password, which would take the place of the token; remove everything "
            "between // and @, and set APPLIANCE_TOKEN."
        )
    is_plain = parts.scheme == "http"
    return httpx2.Client(
        base_url=url,
        timeout=httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        verify=not is_plain,  # plain HTTP needs no certificates, and loading them takes longer than a request
        trust_env=not (is_plain and host in _LOOPBACK),  # there is no proxy between us and this machine
    )


def no_url(url: str) -> ClientError:
    return ClientError(
        f"{plain(url) or 'An empty text'} is not a valid URL; set APPLIANCE_URL to something like http://127.0.0.1:4200, "
        "without ? and #."
    )


def sendable(token: str) -> str:
    """The token. Raises ClientError, which doesn't quote it, if no header can hold it."""
    if not _TOKEN.fullmatch(token):
        raise ClientError(
            "The token contains a line break, a space at an end or a character that is not ASCII; set APPLIANCE_TOKEN to the "
            "token alone, as it was printed."
        )
    return token
