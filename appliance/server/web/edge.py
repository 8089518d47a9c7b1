"""What every request and response passes at the edge of the app: HEAD, compression, the charset, and clients that went away.

Only what holds no credential is compressed: answers to GET and queries of GraphQL, except those that opt out. An attacker who can choose a part
of such an answer and watch its length learns nothing that would let them in. Streams are passed on as they are.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Sequence
from typing import Any

from anyio import to_thread
from litestar import Litestar
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import Message, Receive, Scope, Send

from appliance.config import Network
from appliance.server.errors import ClientGone
from appliance.server.web.files import accepts
from appliance.server.web.proxies import client_of

log = logging.getLogger(__name__)

PLAIN = "uncompressed"
"""The option of routes, and the key in a request's state, for answers that may hold a credential."""
LEAST, LONG = 1024, 32 * 1024
"""Bytes from which compression is worth it, and from which it is done in a thread."""
_LEVEL = 3
"""Of gzip. The next ones take half as long again for a tenth less."""
_PACKED = (b"application/json", b"text/plain")


class App(Litestar):
    """Litestar with the edge around it."""

    trusted_proxies: Sequence[Network] = ()

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        """Those for pydantic and attrs are left out: no handler has their types, and they load both versions of pydantic."""
        return [*plugins, MsgspecDIPlugin()]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["client"] = client_of(scope, self.trusted_proxies)
        exchange = _Exchange(scope, receive, send)
        await super().__call__(exchange.scope, exchange.receive, exchange.send)


class _Exchange:
    """One request and its response. HEAD is answered as GET would be, without the body."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._is_head = scope["method"] == "HEAD"  # type: ignore[typeddict-item]
        self.scope: Any = {**scope, "method": "GET"} if self._is_head else scope
        self._receive, self._send = receive, send
        self._is_received = self._is_sent = self._is_stream = False
        self._start: Any = None
        self._headers_sent = asyncio.Event()

    async def receive(self) -> Any:
        """The next part of the request. Raises ClientGone if it was cut off."""
        if self._is_head:
            return await self._receive_head()
        message = await self._receive()
        if message["type"] == "http.request":
            self._is_received = not message.get("more_body", False)
        elif not self._is_received and self.scope["method"] != "GET":
            raise ClientGone("The client closed the connection before its request was complete.")
        elif self._headers_sent.is_set() and not self._is_sent and not self._is_stream:
            log.info("Request %s: the client closed the connection during the answer.", self._request_id())
            self._is_sent = True
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the response."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._continue(message)
        else:
            await self._send(message)

    async def _begin(self, message: Any) -> None:
        kind = dict(message["headers"]).get(b"content-type", b"")
        if kind.startswith(b"text/") and b"charset=" not in kind:  # JSON is UTF-8 by definition
            _replace(message, b"content-type", kind + b"; charset=utf-8")
        self._is_stream = kind.startswith(b"text/event-stream")
        if kind.startswith(_PACKED) and self._may_pack():
            self._start = message  # until the length of the body is known
        else:
            await self._send_start(message)

    async def _continue(self, message: Any) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            if not message.get("more_body", False):
                message = await self._pack(start, message)
            await self._send_start(start)
        if not self._is_head:
            await self._send(message)
        self._is_sent = self._is_sent or not message.get("more_body", False)

    async def _send_start(self, message: Any) -> None:
        await self._send(message)
        if self._is_head:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        self._headers_sent.set()

    async def _receive_head(self) -> Any:
        """An empty body and then, once the headers are sent, the end of the connection: it ends streams."""
        if not self._is_received:
            self._is_received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._headers_sent.wait()
        return {"type": "http.disconnect"}

    def _may_pack(self) -> Any:
        handler = self.scope.get("route_handler")
        is_read = self.scope["method"] == "GET" or self.scope["path"] == "/graphql"
        return is_read and handler is not None and not (PLAIN in handler.opt or PLAIN in self.scope["state"])

    async def _pack(self, start: Any, message: Any) -> Any:
        body = message.get("body", b"")
        headers = dict(start["headers"])
        if len(body) < LEAST or b"content-encoding" in headers:
            return message
        if b"vary" not in headers:
            start["headers"] = [*start["headers"], (b"vary", b"Accept-Encoding")]
        if not accepts(_header(self.scope, b"accept-encoding"), "gzip"):
            return message
        packed = await to_thread.run_sync(_packed, body) if len(body) > LONG else _packed(body)
        start["headers"] = [*start["headers"], (b"content-encoding", b"gzip")]
        _replace(start, b"content-length", str(len(packed)).encode())
        return {**message, "body": packed}

    def _request_id(self) -> str:
        return str(self.scope.get("state", {}).get("request_id", ""))


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def _replace(message: Any, name: bytes, value: bytes) -> None:
    message["headers"] = [(key, value if key == name else old) for key, old in message["headers"]]


def _header(scope: Any, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)
