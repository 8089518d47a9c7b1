"""REST: the live stream. It says which objects changed, and to the UI it also carries the rows of runs that lists show."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Request, get
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.kit import clock
from appliance.kit.version import VERSION
from appliance.server.api.gate import request_credentials, still_allowed
from appliance.server.auth.callers import RequestCredentials
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import events
from appliance.server.db.rows.events import EventRow
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, TooManyRequests
from appliance.server.events.broadcast import ACCESS, Broadcast
from appliance.server.events.feed import Feed

HEARTBEAT = 15.0
"""Seconds after which a quiet stream sends a heartbeat, and a busy one looks again whether its reader still has access."""
MOST_STREAMS = 20
RETRY_MS = 1_000
_PAGE = 1_000
_LATE = 200
"""On Postgres an event may be committed after others with higher ids, so this many before the last one are sent again. Clients ignore
duplicates."""


class StreamLimit:
    """ASGI middleware that counts each caller's streams in this process. Raises TooManyRequests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = f"{scope['user'].kind} {scope['user'].name}"
        if self._open[caller] >= MOST_STREAMS:
            raise TooManyRequests(
                f"You have {MOST_STREAMS} live streams open, which is the most; close one first.", retry_after=5
            )
        self._open[caller] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


@get("/events", opt={"permission": Permission.READ}, middleware=[StreamLimit])
async def stream(
    request: Request[Any, Any, Any],
    database: Database,
    broadcast: Broadcast,
    stopping: asyncio.Event,
    feed: Feed,
    topic: list[str] | None = None,
    rows: bool = False,
    after: int | None = None,
) -> ServerSentEvent:
    """Stream changes as they are committed. `Last-Event-ID`, or else `after`, replays missed events; `topic` may be repeated.

    With `rows`, changes of all topics arrive together a few times a second, with the rows of the runs that changed."""
    last = _last_event_id(request)
    last = after if last is None else last
    credentials = request_credentials(request, Permission.READ)
    if rows and topic:
        raise Invalid("The parameters rows and topic exclude each other; use one of them.")
    if rows:
        messages = _news(database, feed, stopping, credentials, last)
    else:
        messages = _messages(database, broadcast, stopping, credentials, last, tuple(topic or ()))
    return ServerSentEvent(messages, headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})


async def _messages(
    database: Database,
    broadcast: Broadcast,
    stopping: asyncio.Event,
    credentials: RequestCredentials,
    last: int | None,
    topics: tuple[str, ...],
) -> AsyncIterator[ServerSentEventMessage]:
    if stopping.is_set():
        return
    with broadcast.subscribe(*topics, *(ACCESS if topics else ())) as subscription:
        yield _heartbeat(clock.now())
        sent: set[int] = set()
        if last is not None:
            async for row in _missed(database, last, sent):
                if not topics or row.topic in topics:
                    yield _change(row.id, row.topic, row.object_id, row.kind, row.data)
        looked = clock.monotonic()
        while True:
            try:
                item = await subscription.get(HEARTBEAT)
            except StopAsyncIteration:
                return  # the server is stopping, or the client was too slow; it reconnects with its last event id
            if item is None or item.topic in ACCESS or clock.monotonic() - looked >= HEARTBEAT:
                if not await to_thread.run_sync(still_allowed, database, credentials, Permission.READ, clock.now()):
                    return
                looked = clock.monotonic()
            if item is None:
                yield _heartbeat(clock.now())
            elif item.id not in sent and (not topics or item.topic in topics):
                yield _change(item.id, item.topic, item.object_id, item.kind, item.data)


async def _news(
    database: Database, feed: Feed, stopping: asyncio.Event, credentials: RequestCredentials, last: int | None
) -> AsyncIterator[ServerSentEventMessage]:
    if stopping.is_set():
        return
    with feed.subscribe() as subscription:
        newest = await to_thread.run_sync(_newest, database)
        missed = [] if last is None else await to_thread.run_sync(_page, database, last - _late(database))
        if last is not None and (last > newest or len(missed) == _PAGE):
            yield ServerSentEventMessage(event="gap", id=str(newest), data="{}")
        elif missed:
            news = await feed.news(missed)
            yield ServerSentEventMessage(event="news", id=str(news.id), data=news.text)
        yield _heartbeat(clock.now(), newest if last is None else None)
        looked = clock.monotonic()
        while True:
            try:
                item = await subscription.get(HEARTBEAT)
            except StopAsyncIteration:
                return  # the server is stopping, or the client was too slow; it resumes after the last id
            if item is None or item.access or clock.monotonic() - looked >= HEARTBEAT:
                if not await to_thread.run_sync(still_allowed, database, credentials, Permission.READ, clock.now()):
                    return
                looked = clock.monotonic()
            if item is None:
                yield _heartbeat(clock.now())
            else:
                yield ServerSentEventMessage(event="news", id=str(item.id), data=item.text)


async def _missed(database: Database, last: int, sent: set[int]) -> AsyncIterator[EventRow]:
    """The events since `last`, page by page. `sent` holds the ids of the newest pages, which may also arrive live."""
    after = last - _late(database)
    before: set[int] = set()
    while page := await to_thread.run_sync(_page, database, after):
        ids = {row.id for row in page}
        sent.intersection_update(before)
        sent |= ids
        before, after = ids, page[-1].id
        for row in page:
            yield row
        if len(page) < _PAGE:
            return


def _late(database: Database) -> int:
    return _LATE if database.dialect == "postgresql" else 0


def _newest(database: Database) -> int:
    with database.read() as session:
        return events.newest_id(session)


def _page(database: Database, after: int) -> Sequence[EventRow]:
    with database.read() as session:
        return events.after(session, after, _PAGE)


def _change(
    event_id: int, topic: str, object_id: UUID, kind: str, data: Mapping[str, object]
) -> ServerSentEventMessage:
    fields = {"topic": topic, "id": str(object_id), "kind": kind, "version": data.get("version", event_id)}
    return ServerSentEventMessage(event="change", id=str(event_id), data=msgspec.json.encode(fields).decode())


def _heartbeat(now: datetime, event_id: int | None = None) -> ServerSentEventMessage:
    """`event_id` is where the stream resumes that has told nothing yet."""
    fields = {"time": clock.isoformat(now), "build": VERSION}
    id = None if event_id is None else str(event_id)
    return ServerSentEventMessage(event="heartbeat", id=id, data=msgspec.json.encode(fields).decode(), retry=RETRY_MS)


def _last_event_id(request: Request[Any, Any, Any]) -> int | None:
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
