"""Runs that have not started in the order in which people look at them: those that are due, the latest first, then those paused, then those
planned, the soonest first. Each of the three is a list of its own in the order of due times; a page goes on where the one before ended.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import structs
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import ListOrder, RunFilter, RunSort
from appliance.server.db.reads import run_filter_names
from appliance.server.db.reads.pages import RowPage, encode, text_key, unusable
from appliance.server.db.reads.run_lists import Count, RunList
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.domain import run_query
from appliance.server.domain.transitions import PAUSED, PENDING, SCHEDULED
from appliance.server.errors import Invalid

ORDER = "waiting"
_SOONEST_FIRST: RunSort = "scheduled_time"
_NOT_BEGUN, _PAUSED = [SCHEDULED, PENDING], [PAUSED]


def ordered(session: Session, criteria: RunFilter, now: datetime, order: ListOrder) -> RunList | WaitingRuns:
    """The runs that match a filter, in this order. Raises what RunList does."""
    return WaitingRuns(session, criteria, now) if order == "waiting" else RunList(session, criteria, now, order)


class WaitingRuns:
    """The runs that match a filter and have not started, or are paused. Raises Invalid for a filter that asks for other states only, and what
    RunList does."""

    def __init__(self, session: Session, criteria: RunFilter, now: datetime) -> None:
        whole = run_query.expanded(criteria, now)
        run_filter_names.check(session, whole)
        if whole.states and not whole.state_names and not set(whole.states) & {*_NOT_BEGUN, *_PAUSED}:
            raise Invalid(
                "The order `waiting` is for runs that have not started, or are paused; sort others by a time."
            )
        since, until = whole.since, whole.until
        lists = [
            (_NOT_BEGUN, since, now if until is None else min(now, until)),
            (_PAUSED, since, until),
            (_NOT_BEGUN, now if since is None else max(now, since), until),
        ]
        self._lists = [
            RunList(
                session,
                run_query.of_types(structs.replace(whole, since=start, until=end), now, types),
                now,
                _SOONEST_FIRST,
            )
            for types, start, end in lists
            if start is None or end is None or start < end
        ]

    def page(self, limit: int, after: str | None = None) -> RowPage[FlowRunRow]:
        """So many runs. A page may be short and still have a next one."""
        number, cursor = (0, "") if after is None else self._place(after)
        rows: list[FlowRunRow] = []
        for place in range(number, len(self._lists)):
            if len(rows) == limit:
                return RowPage(rows, encode(ORDER, str(place), ""))
            page = self._lists[place].page(limit - len(rows), cursor or None)
            rows, cursor = [*rows, *page.rows], ""
            if page.next is not None:
                return RowPage(rows, encode(ORDER, str(place), page.next))
        return RowPage(rows)

    def count(self) -> Count:
        """How many there are, as far as their lists say."""
        counts = [one.count() for one in self._lists]
        return Count(sum(count.total for count in counts), any(count.capped for count in counts))

    def _place(self, after: str) -> tuple[int, str]:
        name, place, cursor = text_key(after, 3)
        if name != ORDER or place not in map(str, range(len(self._lists))):
            raise unusable()
        return int(place), cursor
