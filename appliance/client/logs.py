"""Searching the log lines of all runs on the server. The log of one run is in `flow_runs`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.kit import clock
from appliance.protocol.logs import FoundLine, FoundLines

PAGE = 200


def search(
    transport: Transport,
    text: str,
    *,
    flow_id: UUID | None = None,
    flow: str | None = None,
    project: str | None = None,
    level: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Iterator[FoundLines]:
    """Pages of lines that have all words of the text, newest first, with at most `limit` lines in all. A text that ends within a word
    looks for words that begin like it. `flow` is a name or project/flow, `level` the least level, and `since` (inclusive) and `until`
    (exclusive) are times of the lines. While a page is not `complete`, the server is still adding lines from before an upgrade."""
    params = {
        "text": text,
        "flow_id": flow_id,
        "flow": flow,
        "project": project,
        "level": level,
        "since": None if since is None else clock.isoformat(since),
        "until": None if until is None else clock.isoformat(until),
    }
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = transport.get(path("logs"), FoundLines, {**params, "limit": size, "after": after})
        page.items = wire.items(page, FoundLine)
        yield page
        left = None if left is None else left - len(page.items)
        after = page.next
        if after is None:
            return
