"""How a server is reached, and what can't be sent at all."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from appliance.client import direct, library
from appliance.client.answers import plain
from appliance.client.errors import ClientError
from appliance.client.exchange import LOOPBACK, Exchange

_TOKEN = re.compile(r"(?! )[\x20-\x7e]*(?<! )")


def opened(url: str) -> Exchange:
    """Connections to the server at `url`. Raises ClientError."""
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
    if direct.is_direct(parts):
        return direct.Direct(parts)
    is_plain = parts.scheme == "http"
    return library.opened(url, is_plain=is_plain, is_near=is_plain and host in LOOPBACK)


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
