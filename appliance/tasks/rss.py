"""Feeds in RSS and Atom, fetched over HTTP."""

from __future__ import annotations

import calendar
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Unpack

from appliance.tasks.catalogue import require

require("rss")

from appliance.tasks.http import HttpOptions, HttpTask, requests_to  # noqa: E402 - says what to install
from appliance.tasks.library.arguments import defaults_from_attrs, needed  # noqa: E402
from appliance.tasks.library.errors import Refused  # noqa: E402

__all__ = ["ParseRSSFeed"]

_TEXTS = ("id", "title", "link", "author", "summary")
_TIMES = ("published", "updated")


class ParseRSSFeed(HttpTask):
    """Fetches a feed. The result is a dict: `feed` has its `title` and `link`, and `entries` is a list of dicts with `id`, `title`, `link`, `author`,
    `summary`, and the times `published` and `updated` in UTC. What a feed doesn't have is None. HTML is cleaned of scripts."""

    def __init__(self, feed_url: str | None = None, **options: Unpack[HttpOptions]) -> None:
        """Takes `headers`, `auth`, `request_timeout`, `ca_file`, and the options of Task, too."""
        super().__init__(**options)
        self.feed_url = feed_url

    @defaults_from_attrs("feed_url")
    def run(self, feed_url: str | None = None) -> dict[str, Any]:
        """Raises Unreachable, AccessDenied or Refused, also for an answer that is not a feed."""
        import feedparser

        with requests_to(self, needed(self, "feed_url", feed_url)) as session:
            answer = session.ask("GET", session.url)
            base = str(answer.url.copy_with(userinfo=b"", query=None))
            headers = {"content-type": answer.headers.get("content-type", ""), "content-location": base}
        # A file, since the client would take text for the name of one.
        document = feedparser.parse(io.BytesIO(answer.content), response_headers=headers)
        if not document.get("version"):
            raise Refused(f"The answer of {answer.url.host} is not a feed of RSS or Atom.")
        return {"feed": _plain(document.feed), "entries": [_plain(entry) for entry in document.entries]}


def _plain(entry: Mapping[str, Any]) -> dict[str, str | None]:
    """The parts of a feed or of an entry that most have."""
    texts = {name: str(entry[name]) if entry.get(name) else None for name in _TEXTS}
    return texts | {name: _time(entry, f"{name}_parsed") for name in _TIMES}


def _time(entry: Mapping[str, Any], name: str) -> str | None:
    """The client's times are in UTC. What it doesn't have, it would take from another one."""
    parsed = entry[name] if name in entry else None  # noqa: SIM401
    return None if parsed is None else datetime.fromtimestamp(calendar.timegm(parsed), UTC).isoformat()
