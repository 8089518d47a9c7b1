"""REST: the search in the log lines of all runs. The log of one run is below `flow-runs`."""

from __future__ import annotations

from uuid import UUID

from litestar import Router, get

from appliance.protocol.logs import FoundLine, FoundLines
from appliance.protocol.run_filter import RunFilter
from appliance.server.api import PREFIX, run_filters, views
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import log_search, pages
from appliance.server.db.session import Database
from appliance.server.domain import log_words
from appliance.server.errors import Invalid


@get("/", opt={"permission": Permission.READ, "items": FoundLine}, sync_to_thread=True)
def search(
    database: Database,
    text: str | None = None,
    flow_id: UUID | None = None,
    flow: str | None = None,
    project: str | None = None,
    level: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> FoundLines:
    """Find log lines of all runs that have all words of `text`, in any order, newest first. A text that ends within a word looks for words that begin like it.
    `flow` is a name or project/flow, and `level` the least level. `since` and `until` are times of the lines, or lengths of time before now,
    such as 7d. A page looks at a bounded number of lines: while `next` is set, there may be more, even after a short page. `complete` is false
    while lines from before an upgrade are still being added to the index."""
    if text is None:
        raise Invalid("The search needs words: add text=WORDS.")
    words = log_words.parse(text)
    criteria = log_search.LogSearch(
        words,
        RunFilter(flow_id=flow_id, flow=flow, project=project),
        min_level=views.level_number(level),
        since=run_filters.time("since", since),
        until=run_filters.time("until", until),
    )
    with database.read() as session:
        page = log_search.page(session, criteria, pages.size(limit), after)
    items = [views.found_line(row, words) for row in page.rows]
    return FoundLines(items=items, next=page.next, complete=page.complete)


router = Router(f"{PREFIX}/logs", route_handlers=[search])
