"""REST: the runs of a query as a table for spreadsheets, in chunks, so that neither its length nor a slow reader holds memory or a snapshot."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, get
from litestar.response import Stream

from appliance.kit import clock
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.run_filter import ListOrder, RunFilter
from appliance.server.api import run_filters, views
from appliance.server.api.gate import request_credentials, still_allowed
from appliance.server.auth.callers import RequestCredentials
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import pages, waiting_runs
from appliance.server.db.reads.run_filters import SCHEDULE
from appliance.server.db.session import Database
from appliance.server.errors import Unauthenticated

MOST_ROWS = 100_000
CHECKED_EVERY = 15.0
"""Seconds after which a long download looks again whether its reader still has access."""
COLUMNS = (
    "id", "project", "flow", "run", "state", "why", "due", "started", "ended", "seconds", "attempt", "created", "created by", "labels", "parameters",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet would take for the beginning of a formula."""


@get("/csv", opt={"permission": Permission.READ}, sync_to_thread=True)
def table(request: Request[Actor, Any, Any], database: Database, q: str = "", sort: str | None = None) -> Stream:
    """Download the runs that match a query as CSV, at most 100,000. Texts that a spreadsheet would take for formulas begin with an apostrophe."""
    runs, order, now = RunFilter(q=q), run_filters.sort_of(sort), clock.now()
    with database.read() as session:
        waiting_runs.ordered(session, runs, now, order)  # says what is wrong before the download begins
    headers = {"Content-Disposition": 'attachment; filename="flow-runs.csv"'}
    rows = lines(database, request_credentials(request, Permission.READ), runs, order, now)
    return Stream(rows, media_type="text/csv", headers=headers)


def lines(
    database: Database, credentials: RequestCredentials, runs: RunFilter, order: ListOrder, now: datetime
) -> Iterator[bytes]:
    """The table, page by page. Raises Unauthenticated, which cuts it off, if the reader has lost access meanwhile."""
    yield _lines([COLUMNS])
    after: str | None = None
    left, checked = MOST_ROWS, clock.monotonic()
    while left > 0:
        if clock.monotonic() - checked >= CHECKED_EVERY:
            checked = clock.monotonic()
            if not still_allowed(database, credentials, Permission.READ, clock.now()):
                raise Unauthenticated("The download was ended: you no longer have access.")
        with database.read() as session:
            page = waiting_runs.ordered(session, runs, now, order).page(min(pages.MAX, left), after)
            runs_of_page = views.flow_runs(session, page.rows)
        creators = {row.id: SCHEDULE if row.schedule_id is not None else row.created_by for row in page.rows}
        yield _lines([_row(run, creators[run.id]) for run in runs_of_page])
        left, after = left - len(page.rows), page.next
        if after is None:
            return
    yield _lines([[f"There are more than {MOST_ROWS:,} runs; narrow the query to see the others."]])


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _row(run: FlowRunView, creator: str) -> list[Any]:
    end = run.end_time or (clock.now() if run.start_time else None)
    seconds = None if end is None or run.start_time is None else round((end - run.start_time).total_seconds(), 3)
    texts = (
        run.project, run.flow, run.name, run.state, run.wait_reason or run.state_message, *map(_time, (run.scheduled_time, run.start_time, run.end_time)),
    )  # fmt: skip
    more = (creator, " ".join(run.labels), msgspec.json.encode(run.parameters).decode())
    return [run.id, *map(_safe, texts), seconds, run.attempt, _time(run.created), *map(_safe, more)]


def _time(time: datetime | None) -> str:
    return "" if time is None else clock.isoformat(time)


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
