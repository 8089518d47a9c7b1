"""What has changed, for the live pages of the UI: one message for all of them, a few times a second, with the new rows of runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from appliance.kit.documents import JsonDocument
from appliance.server.errors import ServerError
from appliance.server.events.broadcast import ACCESS, Broadcast, Subscription

log = logging.getLogger(__name__)

TICK = 0.25
"""Seconds for which changes are collected."""
MOST_ROWS = 50
"""In one message. Of further runs, it only says that they have changed."""
_RUN = "flow_run"


class Event(Protocol):
    """A committed change, as it was announced or as it is stored."""

    @property
    def id(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def object_id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


class News(NamedTuple):
    """The JSON of one message. A stream that has sent it resumes after `id`; `access` is whether callers may have lost theirs."""

    id: int
    text: str
    access: bool


class Feed:
    """Created once per server process, used in the event loop's thread. It works only while somebody is subscribed."""

    def __init__(self, broadcast: Broadcast, rows: Callable[[Sequence[UUID]], list[JsonDocument]]) -> None:
        """`rows` reads runs as lists show them; it is called in worker threads."""
        self._broadcast, self._rows = broadcast, rows
        self._readers: set[Subscription[News]] = set()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self) -> Subscription[News]:
        """Subscribe to everything that is announced from now on. Close the subscription when done."""
        reader: Subscription[News] = Subscription(self._forget)
        self._readers.add(reader)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(self._broadcast.subscribe()))
        return reader

    async def news(self, events: Sequence[Event]) -> News:
        """The message about these events."""
        lines: dict[tuple[str, UUID, str], int] = {}
        for event in events:
            key = (event.topic, event.object_id, event.kind)
            lines[key] = lines.get(key, 0) + event.data.get("lines", 0)
        changes = [
            {"topic": topic, "id": str(id), "kind": kind} | ({"lines": number} if number else {})
            for (topic, id, kind), number in lines.items()
        ]
        runs = list(dict.fromkeys(event.object_id for event in events if event.topic == _RUN))[:MOST_ROWS]
        text = msgspec.json.encode({"changes": changes, "runs": await self._rows_of(runs)}).decode()
        return News(max(event.id for event in events), text, any(event.topic in ACCESS for event in events))

    async def _rows_of(self, runs: list[UUID]) -> list[JsonDocument]:
        """None if they can't be read now: who shows these runs then asks for them."""
        try:
            return await to_thread.run_sync(self._rows, runs) if runs else []
        except Exception as error:
            expected = isinstance(error, (ServerError, SQLAlchemyError, OSError))
            log.warning("Rows of runs could not be read for live pages: %s", error, exc_info=not expected)
            return []

    async def _run(self, heard: Subscription[Any]) -> None:
        try:
            with heard:
                async for first in heard:
                    await asyncio.sleep(TICK)
                    news = await self.news([first, *heard.here()])
                    for reader in list(self._readers):
                        reader.offer(news)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
                for reader in list(self._readers):
                    reader.end()  # it resumes from its last event id

    def _forget(self, reader: Subscription[News]) -> None:
        self._readers.discard(reader)
        if not self._readers and self._task is not None:
            self._task.cancel()
            self._task = None
