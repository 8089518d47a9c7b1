"""One HTTP connection pool to one server: authentication, messages, one tree of errors, and retries where they are harmless."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote
from uuid import uuid4

from appliance.client import answers, connection, trust, wire
from appliance.client.answers import Response
from appliance.client.errors import PASSING, BadAnswer, ClientError, Refused, SetupRequired, Unreachable
from appliance.client.exchange import Exchange, Lost
from appliance.client.library import BadUrl, Library
from appliance.config import client_address
from appliance.kit.backoff import delays
from appliance.kit.version import VERSION

T = TypeVar("T")

TRIES = 4
LONGEST_PAUSE = 10.0


class _Request(NamedTuple):
    method: str
    path: str
    content: bytes
    params: Mapping[str, Any] | None
    key: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


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
        self.url = url.strip().rstrip("/")
        self._token = connection.sendable(token)
        self._open: Exchange | None = None if http is None else Library(http)
        self._tries = tries
        self._sleep = sleep
        self._key, self._changes = key, 0
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, url: str | None = None, token: str | None = None) -> Transport:
        """A transport to APPLIANCE_URL with APPLIANCE_TOKEN, unless the arguments say otherwise."""
        address, default_token = client_address(url=url)
        return cls(address, default_token if token is None else token)

    def get(self, path: str, into: type[T], params: Mapping[str, Any] | None = None) -> T:
        """Read a message. Retried if the server can't be reached for a moment."""
        return self.ask("GET", path, into, params=params, idempotent=True)

    def post(self, path: str, message: Any, into: type[T], *, idempotent: bool = False, tries: int | None = None) -> T:
        """Send a message. Retried only if `idempotent`, when sending it twice is harmless."""
        return self.ask("POST", path, into, wire.encode(message), idempotent=idempotent, tries=tries)

    def ask(
        self,
        method: str,
        path: str,
        into: type[T],
        content: bytes = b"",
        *,
        params: Mapping[str, Any] | None = None,
        idempotent: bool = False,
        tries: int | None = None,
        key: str | None = None,
    ) -> T:
        """Send one request, with retries, and return the message in the answer. Raises an error of client.errors."""
        request = _Request(method, path, content, params, key)
        return self._with_retries(request, partial(wire.decode, kind=into), idempotent, tries)

    def change(self, method: str, path: str, message: Any, into: type[T]) -> T:
        """Change something. It is retried under the same idempotency key, so that a lost answer has no second effect."""
        key = getattr(message, "idempotency_key", None) or self.new_key()
        content = b"" if message is None else wire.encode(message)
        return self.ask(method, path, into, content, idempotent=True, key=key)

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
        """The same for answers that are empty, or JSON that the caller decodes."""
        return self._with_retries(_Request(method, path, content, params, key), wire.json, idempotent, tries)

    def read(self, path: str) -> bytes:
        """The bytes at this address, whatever they are. Retried like `get`."""
        return self._with_retries(_Request("GET", path, b"", None), wire.raw, True, None)

    def _with_retries(self, request: _Request, read: Callable[[bytes], T], idempotent: bool, tries: int | None) -> T:
        left = (tries or self._tries) if idempotent else 1
        for pause in delays(0.1, 2.0):
            left -= 1
            try:
                return self._once(request, read)
            except SetupRequired:
                raise
            except PASSING as error:
                if left <= 0:
                    raise
                self._sleep(max(pause, retry_after(error)))
        raise AssertionError("delays never end")

    def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            self._open.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _once(self, request: _Request, read: Callable[[bytes], T]) -> T:
        response, content = self._exchange(request)
        reason = ""
        if 200 <= response.status_code < 300:
            try:
                if content or response.status_code == 204 or read is wire.raw:
                    return read(content)
            except BadAnswer as error:
                reason = error.reason
        elif refused := answers.verdict(response, content):
            raise refused
        raise answers.strange(response, content, self.url, str(request), reason)

    def _exchange(self, request: _Request) -> tuple[Response, bytes]:
        query = {key: value for key, value in (request.params or {}).items() if value is not None}
        connections = self._connections()
        try:
            return connections.exchange(request.method, request.path, query, request.content, self._headers(request))
        except BadUrl as error:
            raise connection.no_url(self.url) from error
        except Lost as error:
            url = answers.plain(self.url)
            if untrusted := trust.refusal(url, error):
                self._forget(connections)
                raise untrusted from error
            raise Unreachable(url, self._reason(error)) from error

    def _headers(self, request: _Request) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"appliance/{VERSION}"}
        if request.content:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        return headers

    def _reason(self, error: Lost) -> str:
        text = str(error).strip()
        usable = text.isprintable() and 0 < len(text) < 120 and not (self._token and self._token in text)
        return text if usable else type(error.__cause__ or error).__name__

    def _forget(self, connections: Exchange) -> None:
        """The next request reads the authorities again, among which there may be a new one. Other threads may still use these."""
        with self._lock:
            if self._open is connections:
                self._open = None

    def _connections(self) -> Exchange:
        with self._lock:
            if self._open is None:
                self._open = connection.opened(self.url)
            return self._open


def path(*segments: object) -> str:
    """A path below /api/v1, with every segment quoted."""
    return "/api/v1/" + "/".join(quote(str(segment), safe="") for segment in segments)


def retry_after(error: ClientError) -> float:
    """How many seconds an answer asks us to wait, up to LONGEST_PAUSE."""
    value = error.details.get("retry_after") if isinstance(error, Refused) else getattr(error, "retry_after", None)
    return min(max(float(value), 0.0), LONGEST_PAUSE) if isinstance(value, int | float) else 0.0
