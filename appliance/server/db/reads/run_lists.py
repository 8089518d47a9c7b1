"""Pages and counts of flow runs. The rows read are bounded, whatever the filter and however many runs there are.

Criteria that an index serves (the flow, otherwise the state's name or type) divide the list into parts, each a range of one index in
the order of the list. All other criteria are checked entry by entry, in the indexes alone, for at most WINDOW runs; then a page ends
early with a cursor to continue from, and a count is a lower bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.reads.flow_runs import LIST_COLUMNS, default_condition, flows_named
from appliance.server.db.reads.pages import RowPage, encode, like, time_and_id
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]

COUNT_CAP = 10_000
WINDOW, LEAST = 30_000, 1_000
_MOST_PARTS = 50
_Condition = ColumnElement[bool]
_Place = tuple[datetime, UUID]


@dataclass(frozen=True)
class Count:
    """The number of runs; with `capped`, there may be more."""

    total: int
    capped: bool


@dataclass(frozen=True)
class _List:
    """A list of runs: its index ranges (`parts`), the conditions inside those ranges (`bounds`), and all other conditions (`rest`)."""

    parts: Sequence[_Condition | None]
    bounds: Sequence[_Condition]
    rest: Sequence[_Condition]
    flows: Sequence[UUID] = ()
    """The flows that the parts stand for, if they do."""

    @property
    def each(self) -> int:
        """How many runs of each part are examined."""
        return max(WINDOW // len(self.parts), LEAST)

    def ids(self, part: _Condition | None, end: _Place | None, limit: int) -> Select[Any]:
        """The newest runs of a part, within its window."""
        query = _newest_first(self._range(part, _run.c.id, _run.c.scheduled_time).where(*self.rest)).limit(limit)
        return query if end is None else query.where(_from(end))

    def some(self, part: _Condition | None, end: _Place | None, limit: int) -> Select[Any]:
        """Any `limit` of them: without ids and an order, only the index is read."""
        query = self._range(part, _run.c.scheduled_time).where(*self.rest).limit(limit)
        return query if end is None else query.where(_from(end))

    def ends(self, session: Session) -> list[_Place | None]:
        """The last run of each part that is examined; None when all are."""
        if not self.rest:
            return [None] * len(self.parts)
        if not self.flows:
            return [self._end(session, part) for part in self.parts]
        last = _newest_first(self._range(_run.c.flow_id == _flow.c.id)).offset(self.each).limit(1).correlate(_flow)
        both = [last.add_columns(column).scalar_subquery() for column in (_run.c.scheduled_time, _run.c.id)]
        rows = session.execute(select(_flow.c.id, *both).where(_flow.c.id.in_(self.flows)))
        ends = {flow: None if due is None else (due, run) for flow, due, run in rows}
        return [ends.get(flow) for flow in self.flows]

    def _end(self, session: Session, part: _Condition | None) -> _Place | None:
        query = _newest_first(self._range(part, _run.c.scheduled_time, _run.c.id)).offset(self.each).limit(1)
        row = session.execute(query).one_or_none()
        return None if row is None else (row[0], row[1])

    def _range(self, part: _Condition | None, *columns: Any) -> Select[Any]:
        return select(*columns).where(*([] if part is None else [part]), *self.bounds)


def page(session: Session, criteria: RunFilter, limit: int, after: str | None, now: datetime) -> RowPage[FlowRunRow]:
    """Runs by due time, newest first, since scheduled ones are created long before. A page may be short and still have a next one."""
    chosen = _list(session, criteria, now, None if after is None else time_and_id(after))
    if not chosen.parts:
        return RowPage([])
    ends = chosen.ends(session)
    ids = _together([chosen.ids(part, end, limit + 1) for part, end in zip(chosen.parts, ends, strict=True)])
    reached = max((end for end in ends if end is not None), default=None)
    if len(chosen.parts) > 1:  # only the rows of the page are read in full
        newest = _newest_first(select(ids), ids).limit(limit + 1)
        if reached is not None:
            newest = newest.where(_from(reached, ids))  # below, another part may have runs that were not examined
        ids = newest.subquery()
    statement = _newest_first(select(*LIST_COLUMNS).join(ids, ids.c.id == _run.c.id))
    rows = cast(Sequence[FlowRunRow], session.execute(statement).all())
    if len(rows) > limit:
        return RowPage(rows[:limit], encode(rows[limit - 1].scheduled_time, rows[limit - 1].id))
    return RowPage(rows, None if reached is None else encode(*reached))


def count(session: Session, criteria: RunFilter, now: datetime) -> Count:
    """How many runs match, up to the cap and within each part's window."""
    chosen = _list(session, criteria, now, None)
    if not chosen.parts:
        return Count(0, False)
    ends = chosen.ends(session)
    runs = _together([chosen.some(part, end, COUNT_CAP + 1) for part, end in zip(chosen.parts, ends, strict=True)])
    total: int = session.execute(
        select(func.count()).select_from(select(runs).limit(COUNT_CAP + 1).subquery())
    ).scalar_one()
    return Count(min(total, COUNT_CAP), total > COUNT_CAP or any(end is not None for end in ends))


def _list(session: Session, criteria: RunFilter, now: datetime, after: _Place | None) -> _List:
    bounds = [] if after is None else [_run.c.scheduled_time <= after[0], _before(after)]
    if criteria.since is not None:
        bounds.append(_run.c.scheduled_time >= criteria.since)
    if criteria.until is not None:
        bounds.append(_run.c.scheduled_time < criteria.until)
    if not (criteria.include_future or criteria.state_types or criteria.state_names):
        bounds.append(default_condition(now))
    types = [_run.c.state_type == type for type in criteria.state_types]
    names = [_run.c.state_name == name for name in criteria.state_names]
    rest: list[_Condition] = [_text(criteria.text)] if criteria.text else []
    if criteria.name is not None:
        rest.append(_run.c.name == criteria.name)
    flows = _flows(session, criteria)
    if flows is not None and len(flows) <= _MOST_PARTS:
        states = [or_(*some) for some in (types, names) if some]
        return _List([_run.c.flow_id == flow for flow in flows], bounds, [*rest, *states], flows)
    if flows is not None:
        rest.append(_run.c.flow_id.in_(flows_named(criteria)))
    if rest or bool(types) == bool(names):
        return _List([None], bounds, [*rest, *(or_(*some) for some in (types, names) if some)])
    return _List(names or types, bounds, [])


def _flows(session: Session, criteria: RunFilter) -> list[UUID] | None:
    """The flows of the filter, at most one more than there may be parts; None for any flow."""
    if criteria.flow is None and criteria.project is None:
        return None if criteria.flow_id is None else [criteria.flow_id]
    query = flows_named(criteria)
    if criteria.flow_id is not None:
        query = query.where(_flow.c.id == criteria.flow_id)
    return list(session.execute(query.limit(_MOST_PARTS + 1)).scalars())


def _together(selects: Sequence[Select[Any]]) -> FromClause:
    if len(selects) == 1:
        return selects[0].subquery()
    return union_all(*(select(one.subquery()) for one in selects)).subquery()


def _newest_first(query: Select[Any], runs: FromClause = _run) -> Select[Any]:
    return query.order_by(runs.c.scheduled_time.desc(), runs.c.id.desc())


def _text(text: str) -> _Condition:
    flows = select(_flow.c.id).where(_flow.c.name.ilike(like(text), escape="\\"))
    return or_(_run.c.name.ilike(like(text), escape="\\"), _run.c.flow_id.in_(flows))


def _before(place: _Place) -> _Condition:
    due, run_id = place
    return or_(_run.c.scheduled_time < due, and_(_run.c.scheduled_time == due, _run.c.id < run_id))


def _from(place: _Place, runs: FromClause = _run) -> _Condition:
    due, run_id = place
    return and_(
        runs.c.scheduled_time >= due,
        or_(runs.c.scheduled_time > due, and_(runs.c.scheduled_time == due, runs.c.id >= run_id)),
    )
