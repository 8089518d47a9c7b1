"""One HTTP connection pool to one server: authentication, messages, one tree of errors, and retries where they are harmless.

The HTTP library is imported on the first request, so that importing the SDK stays cheap.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec

from appliance.client import wire
from appliance.client.errors import (
    ClientError,
    Refused,
    SetupRequired,
    TooManyRequests,
    Unavailable,
    Unreachable,
    refusal,
)
from appliance.config import client_address
from appliance.kit.backoff import delays
from appliance.kit.version import VERSION
from appliance.protocol.agents import MAX_WAIT
from appliance.protocol.errors import ErrorAnswer

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = MAX_WAIT + 15.0  # a long poll is answered after at most MAX_WAIT
TRIES = 4
LONGEST_PAUSE = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Response(Protocol):
    """The part of a response that we need. httpx2's responses and those of test clients have it."""

    status_code: int

    @property
    def content(self) -> bytes: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


class Transport:
    """Sends requests to the server at `url`, authenticated with `token`.

    `http` replaces the HTTP client in tests. `tries` is how many times an idempotent request is sent before giving up. `key` is the
    idempotency key of the first change; further ones get `KEY/2` and so on. Without it, every change gets a random key.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        http: Any = None,
        *,
        tries: int = TRIES,
        sleep: Callable[[float], object] = time.sleep,
        key: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._http = http
        self._tries = tries
        self._sleep = sleep
        self._key, self._changes = key, 0
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, url: str | None = None, token: str | None = None) -> Transport:
        """A transport to APPLIANCE_URL with APPLIANCE_TOKEN, unless the arguments say otherwise."""
        default_url, default_token = client_address()
        return cls(url or default_url, default_token if token is None else token)

    def get(self, path: str, into: type[T], params: Mapping[str, Any] | None = None) -> T:
        """Read a message. Retried if the server can't be reached for a moment."""
        return wire.decode(self.send("GET", path, params=params, idempotent=True), into)

    def post(self, path: str, message: Any, into: type[T], *, idempotent: bool = False, tries: int | None = None) -> T:
        """Send a message. Retried only if `idempotent`, when sending it twice is harmless."""
        return wire.decode(self.send("POST", path, wire.encode(message), idempotent=idempotent, tries=tries), into)

    def change(self, method: str, path: str, message: Any, into: type[T]) -> T:
        """Change something. It is retried under the same idempotency key, so that a lost answer has no second effect."""
        key = getattr(message, "idempotency_key", None) or self.new_key()
        content = b"" if message is None else wire.encode(message)
        return wire.decode(self.send(method, path, content, idempotent=True, key=key), into)

    def remove(self, path: str, message: Any = None) -> None:
        """Delete something, likewise."""
        key = getattr(message, "idempotency_key", None) or self.new_key()
        self.send("DELETE", path, b"" if message is None else wire.encode(message), idempotent=True, key=key)

    def new_key(self) -> str:
        """The idempotency key of the next change."""
        if self._key is None:
            return f"client-{uuid4()}"
        self._changes += 1
        return self._key if self._changes == 1 else f"{self._key}/{self._changes}"

    def send(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        *,
        params: Mapping[str, Any] | None = None,
        idempotent: bool = False,
        tries: int | None = None,
        key: str | None = None,
    ) -> bytes:
        """Send one request, with retries, and return the body of the answer. Anything but success raises an error of client.errors."""
        left = (tries or self._tries) if idempotent else 1
        for pause in delays(0.1, 2.0):
            left -= 1
            try:
                return self._once(method, path, content, params, key)
            except SetupRequired:
                raise
            except (Unreachable, Unavailable, TooManyRequests) as error:
                if left <= 0:
                    raise
                self._sleep(max(pause, retry_after(error)))
        raise AssertionError("delays never end")

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _once(self, method: str, path: str, content: bytes, params: Mapping[str, Any] | None, key: str | None) -> bytes:
        headers = {"Accept": "application/json", "User-Agent": f"appliance/{VERSION}"}
        if content:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        query = {name: value for name, value in (params or {}).items() if value is not None}
        response = self._request(method, path, content, query, headers)
        if 200 <= response.status_code < 300:
            return response.content
        raise _error(response)

    def _request(
        self, method: str, path: str, content: bytes, params: dict[str, Any], headers: dict[str, str]
    ) -> Response:
        import httpx2

        try:
            response: Response = self._client().request(
                method, path, content=content or None, params=params, headers=headers
            )
        except httpx2.InvalidURL as error:
            raise ClientError(
                f"{self.url!r} is not a valid URL; set APPLIANCE_URL to something like http://127.0.0.1:4200."
            ) from error
        except httpx2.UnsupportedProtocol as error:
            raise ClientError(
                f"{self.url!r} is not a valid URL; set APPLIANCE_URL to something like http://127.0.0.1:4200."
            ) from error
        except (httpx2.TransportError, OSError) as error:
            raise Unreachable(self.url, _reason(error)) from error
        return response

    def _client(self) -> Any:
        with self._lock:
            if self._http is None:
                self._http = _http_client(self.url)
            return self._http


def path(*segments: object) -> str:
    """A path below /api/v1, with every segment quoted."""
    return "/api/v1/" + "/".join(quote(str(segment), safe="") for segment in segments)


def retry_after(error: ClientError) -> float:
    """How many seconds a refusal asks us to wait, up to LONGEST_PAUSE."""
    value = error.details.get("retry_after") if isinstance(error, Refused) else None
    return min(max(float(value), 0.0), LONGEST_PAUSE) if isinstance(value, int | float) else 0.0


def _http_client(url: str) -> Any:
    import httpx2

    parts = urlsplit(url)
    plain = parts.scheme == "http"
    return httpx2.Client(
        base_url=url,
        timeout=httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        verify=not plain,  # plain HTTP needs no certificates, and loading them takes longer than a request
        trust_env=not (plain and parts.hostname in _LOOPBACK),  # there is no proxy between us and this machine
    )


def _error(response: Response) -> Refused:
    try:
        answer = msgspec.json.decode(response.content, type=ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = ErrorAnswer(code="", message="")  # from a proxy, or not an appliance at all
    details = dict(answer.details)
    seconds = response.headers.get("retry-after", "")
    if seconds.isdigit():
        details["retry_after"] = float(seconds)
    request_id = answer.request_id or response.headers.get("x-request-id", "")
    return refusal(answer.code, response.status_code, answer.message, request_id, details)


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text if text and "\n" not in text and len(text) < 120 else type(error).__name__
