"""Tells the server's own answers from those of proxies, load balancers and sign-in pages in front of it.

Only an error in the appliance's own shape is its verdict. Everything else, whatever its status, says nothing about the request: the
server could not be asked, and the caller waits until it can be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from appliance.client.errors import BadAnswer, Refused, refusal

MOST_BYTES = 64 * 1024 * 1024
"""The longest answer that is read. The longest that the server sends is a page of log lines, of about 50 MB at worst."""
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_WAY_OUT = {
    401: "let requests with the appliance's tokens pass the proxy in front of it",
    403: "let requests to the appliance pass the proxy in front of it",
    404: "check APPLIANCE_URL, and the routes of the proxy in front of the appliance",
    407: "set HTTP_PROXY and NO_PROXY so that this machine reaches the appliance",
    413: "raise the limit on request bodies of the proxy in front of the appliance",
    429: "raise the limit on requests of the proxy in front of the appliance",
    511: "sign in to the network of this machine",
}


class Response(Protocol):
    """The part of a response that is judged."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...


class _Verdict(msgspec.Struct, kw_only=True):
    """An error of the server, with all the fields that it always sends."""

    code: str
    message: str
    request_id: str
    details: dict[str, Any]


def verdict(response: Response, content: bytes) -> Refused | None:
    """The server's refusal, or None if this is not an answer of the server."""
    try:
        answer = msgspec.json.decode(content, type=_Verdict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if response.status_code < 400 or not answer.code or not answer.message:
        return None
    details, seconds = answer.details, _seconds(response)
    if seconds is not None:
        details["retry_after"] = seconds
    return refusal(answer.code, response.status_code, answer.message, answer.request_id, details)


def strange(response: Response, content: bytes, url: str, request: str, reason: str = "") -> BadAnswer:
    """The error for an answer that does not come from the server. It quotes no content, which may repeat what was sent."""
    status = response.status_code
    server = _printable(response.headers.get("server", ""), 40)
    came = f"{request} was answered with status {status} and {_kind(content)}{f' by {server}' if server else ''}"
    if status < 300 and reason:
        came += f" ({reason})"
    sentence = f"{came}, not by the appliance at {plain(url)}; {_way_out(response)}."
    return BadAnswer(sentence, status, _seconds(response) or 0.0)


def plain(url: str) -> str:
    """The URL without a user, a password or a query, for messages."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return _printable(urlunsplit((parts.scheme, host, parts.path, "", "")), 200)
    except ValueError:
        return "APPLIANCE_URL"


def _way_out(response: Response) -> str:
    status = response.status_code
    if 300 <= status < 400 and (place := response.headers.get("location", "")):
        return (
            f"it redirects to {plain(place)}: set APPLIANCE_URL to an address of the appliance that does not redirect"
        )
    if status in _WAY_OUT:
        return _WAY_OUT[status]
    if status >= 500:
        return "is it running? Check APPLIANCE_URL, and the proxy in front of the appliance"
    return "check APPLIANCE_URL, and that client and server have the same version"


def _kind(content: bytes) -> str:
    start = content.lstrip()[:200].lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    return "JSON of another kind" if start.startswith((b"{", b"[")) else "a body of another kind"


def _seconds(response: Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def _printable(text: str, most: int) -> str:
    return _UNPRINTABLE.sub("?", text)[:most]
