"""Pages and counts of flow runs: what is read is bounded, whatever is asked for and however many runs there are.

What an index serves (the flow, else the state's name or type) divides the list into parts, each a range of one index in the order of
the list. All else is looked at entry by entry, in the indexes alone, for at most WINDOW runs; then a page ends early, with the place
to go on from, and a count says that it is a lower bound.
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
from appliance.server.db.reads.flow_runs import SHOWN, flows_named, shown_by_default
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
    """How many runs there are, at least; `capped`: there may be more."""

    total: int
    capped: bool


@dataclass(frozen=True)
class _List:
    """A list of runs: the ranges of indexes that it consists of, what its runs must fulfil to be in those ranges, and what else."""

    parts: Sequence[_Condition | None]
    bounds: Sequence[_Condition]
    rest: Sequence[_Condition]
    flows: Sequence[UUID] = ()
    """What the parts are, when they are flows."""

    @property
    def each(self) -> int:
        """How many runs of each part are looked at."""
        return max(WINDOW // len(self.parts), LEAST)

    def ids(self, part: _Condition | None, end: _Place | None, limit: int) -> Select[Any]:
        """The newest runs of a part, as far as its window goes."""
        query = _newest_first(self._range(part, _run.c.id, _run.c.scheduled_time).where(*self.rest)).limit(limit)
        return query if end is None else query.where(_from(end))

    def some(self, part: _Condition | None, end: _Place | None, limit: int) -> Select[Any]:
        """So many of them, whichever: without their ids and their order the index is all that is read."""
        query = self._range(part, _run.c.scheduled_time).where(*self.rest).limit(limit)
        return query if end is None else query.where(_from(end))

    def ends(self, session: Session) -> list[_Place | None]:
        """The last run of each part that is looked at; None when all are."""
        if not self.rest:
            return [None] * len(self.parts)
        if not self.flows:
            return [self._end(session, part) for part in self.parts]
        last = _newest_first(self._range(_run.c.flow_id == _flow.c.id)).offset(self.each).limit(1).correlate(_flow)
        both = [last.add_columns(column).scalar_subquery() for column in (_run.c.scheduled_time, _run.c.id)]
        rows = session.execute(select(_flow.c.id, *both).where(_flow.c.id.in_(self.flows)))
        found = {flow: None if due is None else (due, run) for flow, due, run in rows}
        return [found.get(flow) for flow in self.flows]

    def _end(self, session: Session, part: _Condition | None) -> _Place | None:
        query = _newest_first(self._range(part, _run.c.scheduled_time, _run.c.id)).offset(self.each).limit(1)
        found = session.execute(query).one_or_none()
        return None if found is None else (found[0], found[1])

    def _range(self, part: _Condition | None, *columns: Any) -> Select[Any]:
        return select(*columns).where(*([] if part is None else [part]), *self.bounds)


def page(session: Session, wanted: RunFilter, limit: int, after: str | None, now: datetime) -> RowPage[FlowRunRow]:
    """The newest runs first: by when they were due, since scheduled ones are created long before. A page may be short and still
    have a next one."""
    chosen = _list(session, wanted, now, None if after is None else time_and_id(after))
    if not chosen.parts:
        return RowPage([])
    ends = chosen.ends(session)
    ids = _together([chosen.ids(part, end, limit + 1) for part, end in zip(chosen.parts, ends, strict=True)])
    reached = max((end for end in ends if end is not None), default=None)
    if len(chosen.parts) > 1:  # only those of the page are read whole
        newest = _newest_first(select(ids), ids).limit(limit + 1)
        if reached is not None:
            newest = newest.where(_from(reached, ids))  # below, another part may have runs that were not looked at
        ids = newest.subquery()
    statement = _newest_first(select(*SHOWN).join(ids, ids.c.id == _run.c.id))
    rows = cast(Sequence[FlowRunRow], session.execute(statement).all())
    if len(rows) > limit:
        return RowPage(rows[:limit], encode(rows[limit - 1].scheduled_time, rows[limit - 1].id))
    return RowPage(rows, None if reached is None else encode(*reached))


def count(session: Session, wanted: RunFilter, now: datetime) -> Count:
    """How many runs match, counted up to the cap and in each part's window."""
    chosen = _list(session, wanted, now, None)
    if not chosen.parts:
        return Count(0, False)
    ends = chosen.ends(session)
    runs = _together([chosen.some(part, end, COUNT_CAP + 1) for part, end in zip(chosen.parts, ends, strict=True)])
    total: int = session.execute(
        select(func.count()).select_from(select(runs).limit(COUNT_CAP + 1).subquery())
    ).scalar_one()
    return Count(min(total, COUNT_CAP), total > COUNT_CAP or any(end is not None for end in ends))


def _list(session: Session, wanted: RunFilter, now: datetime, after: _Place | None) -> _List:
    bounds = [] if after is None else [_run.c.scheduled_time <= after[0], _before(after)]
    if wanted.since is not None:
        bounds.append(_run.c.scheduled_time >= wanted.since)
    if wanted.until is not None:
        bounds.append(_run.c.scheduled_time < wanted.until)
    if not (wanted.include_future or wanted.state_types or wanted.state_names):
        bounds.append(shown_by_default(now))
    types = [_run.c.state_type == type for type in wanted.state_types]
    names = [_run.c.state_name == name for name in wanted.state_names]
    rest: list[_Condition] = [_text(wanted.text)] if wanted.text else []
    flows = _flows(session, wanted)
    if flows is not None and len(flows) <= _MOST_PARTS:
        states = [or_(*some) for some in (types, names) if some]
        return _List([_run.c.flow_id == flow for flow in flows], bounds, [*rest, *states], flows)
    if flows is not None:
        rest.append(_run.c.flow_id.in_(flows_named(wanted)))
    if rest or bool(types) == bool(names):
        return _List([None], bounds, [*rest, *(or_(*some) for some in (types, names) if some)])
    return _List(names or types, bounds, [])


def _flows(session: Session, wanted: RunFilter) -> list[UUID] | None:
    """The flows that are asked for, one more than there may be parts; None: any."""
    if wanted.flow is None and wanted.project is None:
        return None if wanted.flow_id is None else [wanted.flow_id]
    query = flows_named(wanted)
    if wanted.flow_id is not None:
        query = query.where(_flow.c.id == wanted.flow_id)
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
