"""Pages and counts of flow runs, in any of their orders. The rows read are bounded, whatever the filter and however many runs there are.

In the order of due times, criteria that an index serves (the flow, otherwise the state's name or type) divide the list into parts, each a
range of one index in the order of the list. All other criteria are checked entry by entry, in the indexes alone, for at most WINDOW runs;
then a page ends early with a cursor to continue from, and a count is a lower bound. What no index has is checked in at most ROW_WINDOW
runs, since each is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from msgspec import structs
from sqlalchemy import Column, FromClause, Select, and_, false, func, or_, select, union_all
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import NEWEST_FIRST, RunFilter, RunSort
from appliance.server.db.reads import readable, run_filter_names, run_filters, run_names
from appliance.server.db.reads.flow_runs import LIST_COLUMNS
from appliance.server.db.reads.pages import RowPage, encode, like, sorted_key, time_and_id
from appliance.server.db.reads.run_filters import Condition
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]

COUNT_CAP = 10_000
WINDOW, LEAST = 30_000, 1_000
ROW_WINDOW, ROW_LEAST = 3_000, 100
_MOST_PARTS = 50
_Place = tuple[datetime, UUID]


@dataclass(frozen=True)
class Count:
    """The number of runs; with `capped`, there may be more."""

    total: int
    capped: bool


@dataclass(frozen=True)
class _Order:
    """The order of a list: by one time and then by id, both growing or both falling."""

    sort: RunSort

    @property
    def falls(self) -> bool:
        return self.sort.startswith("-")

    @property
    def time(self) -> Column[Any]:
        return _run.c[self.sort.removeprefix("-")]

    @property
    def by_due_time(self) -> bool:
        return self.time is _run.c.scheduled_time

    def of(self, query: Select[Any], runs: FromClause = _run) -> Select[Any]:
        """The query in this order."""
        keys = (runs.c[self.time.name], runs.c.id)
        return query.order_by(*(key.desc() if self.falls else key for key in keys))

    def after(self, place: _Place) -> Condition:
        """What comes after a place in the list."""
        at, run = place
        time, id = self.time, _run.c.id
        if self.falls:
            return and_(time <= at, or_(time < at, and_(time == at, id < run)))
        return and_(time >= at, or_(time > at, and_(time == at, id > run)))

    def up_to(self, place: _Place, runs: FromClause = _run) -> Condition:
        """What comes before a place, and the place itself."""
        at, run = place
        time, id = runs.c[self.time.name], runs.c.id
        if self.falls:
            return and_(time >= at, or_(time > at, and_(time == at, id >= run)))
        return and_(time <= at, or_(time < at, and_(time == at, id <= run)))

    def first(self, places: Sequence[_Place | None]) -> _Place | None:
        """The place that comes first in the list; None stands for its end."""
        known = [place for place in places if place is not None]
        return (max if self.falls else min)(known, default=None)

    def cursor(self, place: _Place) -> str:
        return encode(*place) if self.sort == NEWEST_FIRST else encode(self.sort, *place)

    def place(self, cursor: str) -> _Place:
        return time_and_id(cursor) if self.sort == NEWEST_FIRST else sorted_key(cursor, self.sort)


@dataclass(frozen=True)
class _List:
    """A list of runs: its index ranges (`parts`), the conditions inside those ranges (`bounds`), and all other conditions (`rest`)."""

    order: _Order
    parts: Sequence[Condition | None]
    bounds: Sequence[Condition]
    rest: Sequence[Condition]
    flows: Sequence[UUID] = ()
    """The flows that the parts stand for, if they do."""
    reads_rows: bool = False
    """Whether the other conditions are about columns that the index doesn't have."""
    whole: int = 0
    """How many of the parts, from the first, have so few runs that all are examined."""

    @property
    def each(self) -> int:
        """How many runs of each part are examined."""
        window, least = (ROW_WINDOW, ROW_LEAST) if self.reads_rows else (WINDOW, LEAST)
        return max(window // (len(self.parts) - self.whole), least)

    def ids(self, part: Condition | None, end: _Place | None, limit: int) -> Select[Any]:
        """The first runs of a part, within its window."""
        query = self.order.of(self._range(part, _run.c.id, self.order.time).where(*self.rest)).limit(limit)
        return query if end is None else query.where(self.order.up_to(end))

    def some(self, part: Condition | None, end: _Place | None, limit: int) -> Select[Any]:
        """Any `limit` of them: without ids and an order, only the index is read."""
        query = self._range(part, self.order.time).where(*self.rest).limit(limit)
        return query if end is None else query.where(self.order.up_to(end))

    def ends(self, session: Session) -> list[_Place | None]:
        """The last run of each part that is examined; None when all are."""
        if not self.rest or self.whole == len(self.parts):
            return [None] * len(self.parts)
        if not self.flows:
            return [self._end(session, part) for part in self.parts]
        last = self.order.of(self._range(_run.c.flow_id == _flow.c.id)).offset(self.each).limit(1).correlate(_flow)
        both = [last.add_columns(column).scalar_subquery() for column in (self.order.time, _run.c.id)]
        rows = readable.every(session, select(_flow.c.id, *both).where(_flow.c.id.in_(self.flows)))
        ends = {flow: None if at is None else (at, run) for flow, at, run in rows}
        return [None] * self.whole + [ends.get(flow) for flow in self.flows]

    def _end(self, session: Session, part: Condition | None) -> _Place | None:
        query = self.order.of(self._range(part, self.order.time, _run.c.id)).offset(self.each)
        rows = readable.rows(session, query, 1)
        return (rows[0][0], rows[0][1]) if rows else None

    def _range(self, part: Condition | None, *columns: Any) -> Select[Any]:
        return select(*columns).where(*([] if part is None else [part]), *self.bounds)


def page(
    session: Session,
    criteria: RunFilter,
    limit: int,
    after: str | None,
    now: datetime,
    sort: RunSort = NEWEST_FIRST,
) -> RowPage[FlowRunRow]:
    """Runs in this order, by default by due time, newest first, since scheduled ones are created long before. A page may be short and still
    have a next one. Raises UnknownName if the filter can't match because it names something that doesn't exist."""
    run_filter_names.check(session, criteria)
    order = _Order(sort)
    chosen = _list(session, criteria, now, order, None if after is None else order.place(after))
    if not chosen.parts:
        return RowPage([])
    ends = chosen.ends(session)
    reached = order.first(ends)

    def newest(most: int) -> Select[Any]:
        ids = _together([chosen.ids(part, end, most) for part, end in zip(chosen.parts, ends, strict=True)])
        if len(chosen.parts) > 1:  # only the rows of the page are read in full
            first = order.of(select(ids), ids).limit(most)
            if reached is not None:
                first = first.where(
                    order.up_to(reached, ids)
                )  # beyond, another part may have runs that were not examined
            ids = first.subquery()
        return order.of(select(*LIST_COLUMNS).join(ids, ids.c.id == _run.c.id))

    rows = cast(Sequence[FlowRunRow], readable.first(session, newest, limit + 1))
    if len(rows) > limit:
        last = rows[limit - 1]
        return RowPage(rows[:limit], order.cursor((getattr(last, order.time.name), last.id)))
    if not rows and reached is None and after is None:
        run_filter_names.check_what_no_run_has(session, criteria)
    return RowPage(rows, None if reached is None else order.cursor(reached))


def count(session: Session, criteria: RunFilter, now: datetime, sort: RunSort = NEWEST_FIRST) -> Count:
    """How many runs match, up to the cap and within each part's window."""
    chosen = _list(session, criteria, now, _Order(sort), None)
    if not chosen.parts:
        return Count(0, False)
    ends = chosen.ends(session)
    runs = _together([chosen.some(part, end, COUNT_CAP + 1) for part, end in zip(chosen.parts, ends, strict=True)])
    total: int = session.execute(
        select(func.count()).select_from(select(runs).limit(COUNT_CAP + 1).subquery())
    ).scalar_one()
    return Count(min(total, COUNT_CAP), total > COUNT_CAP or any(end is not None for end in ends))


def _list(session: Session, criteria: RunFilter, now: datetime, order: _Order, after: _Place | None) -> _List:
    bounds = [] if after is None else [order.after(after)]
    if criteria.text and (by_name := run_names.containing(session, criteria.text)) is not None:
        by_text = _by_text(session, criteria, now, order, bounds, by_name)
        if by_text is not None:
            return by_text
    of_rows = run_filters.of_rows(session, criteria, now)
    rest = [*run_filters.texts(criteria), *of_rows]
    if not order.by_due_time:  # only the time itself is in the index
        rest += [*run_filters.due(criteria), *run_filters.states(criteria)]
        if criteria.flow_id is not None:
            rest.append(_run.c.flow_id == criteria.flow_id)
        if run_filters.names_flows(criteria):
            rest.append(_run.c.flow_id.in_(run_filters.flows_named(criteria)))
        return _List(order, [order.time.is_not(None)], bounds, rest, reads_rows=True)
    bounds += run_filters.due(criteria)
    if run_filters.hides_future(criteria):
        bounds.append(run_filters.default_condition(now))
    flows = _flows(session, criteria)
    states = run_filters.states(criteria)
    if flows is not None and len(flows) <= _MOST_PARTS:
        parts = [_run.c.flow_id == flow for flow in flows]
        return _List(order, parts, bounds, [*rest, *states], flows, bool(of_rows))
    if flows is not None:
        rest.append(_run.c.flow_id.in_(run_filters.flows_named(criteria)))
    if rest or not states or (criteria.state_types and criteria.state_names):  # a run may have one of both
        return _List(order, [None], bounds, [*rest, *states], reads_rows=bool(of_rows))
    types = [_run.c.state_type == type for type in criteria.state_types]
    return _List(order, types or [_run.c.state_name == name for name in criteria.state_names], bounds, [])


def _by_text(
    session: Session,
    criteria: RunFilter,
    now: datetime,
    order: _Order,
    bounds: Sequence[Condition],
    by_name: Select[Any],
) -> _List | None:
    """The runs that an index has for their names, and all runs of the flows whose names contain the text. None if they are too many
    flows, or the order is one in which the runs of a flow have no index."""
    of_flows = _flow.c.name.ilike(like(str(criteria.text)), escape="\\")
    flows = readable.scalars(session, select(_flow.c.id).where(of_flows).limit(_MOST_PARTS + 1))
    if len(flows) > (_MOST_PARTS if order.by_due_time else 0):
        return None
    bounds = [*bounds, *run_filters.due(criteria)]
    if run_filters.hides_future(criteria):
        bounds.append(run_filters.default_condition(now))
    rest = structs.replace(criteria, text=None, since=None, until=None, include_future=True)
    # an expression, so that SQLite doesn't go through all runs of a state instead of those few
    others = [func.coalesce(condition, false()) for condition in run_filters.every(session, rest, now)]
    named = and_(_run.c.id.in_(by_name), _run.c.flow_id.not_in(flows), order.time.is_not(None))
    parts = [named, *(_run.c.flow_id == flow for flow in flows)]
    reads_rows = bool(run_filters.of_rows(session, criteria, now))
    return _List(order, parts, bounds, others, flows, reads_rows, whole=1)


def _flows(session: Session, criteria: RunFilter) -> list[UUID] | None:
    """The flows of the filter, at most one more than there may be parts; None for any flow."""
    if not run_filters.names_flows(criteria):
        return None if criteria.flow_id is None else [criteria.flow_id]
    query = run_filters.flows_named(criteria)
    if criteria.flow_id is not None:
        query = query.where(_flow.c.id == criteria.flow_id)
    return readable.scalars(session, query.limit(_MOST_PARTS + 1))


def _together(selects: Sequence[Select[Any]]) -> FromClause:
    if len(selects) == 1:
        return selects[0].subquery()
    return union_all(*(select(one.subquery()) for one in selects)).subquery()
