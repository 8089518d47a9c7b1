"""Pages and counts of flow runs, in any of their orders. The rows read are bounded, whatever the filter and however many runs there are.

In the order of due times, criteria that an index serves (the flow, otherwise the state's name or type) divide the list into parts, each a
range of one index in the order of the list. All other criteria are checked entry by entry, in the indexes alone, for at most WINDOW runs;
then a page ends early with a cursor to continue from, and a count is a lower bound. What no index has is checked in at most ROW_WINDOW
runs, since each is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from msgspec import structs
from sqlalchemy import (
    ARRAY,
    Column,
    FromClause,
    Select,
    Tuple,
    and_,
    bindparam,
    column,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import NEWEST_FIRST, RunFilter, RunSort
from appliance.server.db.conditions import RETRIED, has_type
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import flow_runs, readable, run_filter_names, run_filters, run_names
from appliance.server.db.reads.among import among
from appliance.server.db.reads.pages import RowPage, contains, encode, sorted_key, time_and_id
from appliance.server.db.reads.run_filters import Condition
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Id, Time
from appliance.server.domain import run_query
from appliance.server.domain.transitions import SCHEDULED, TYPES

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]

COUNT_CAP = 10_000
WINDOW, LEAST = 30_000, 1_000
TEXT_WINDOW, TEXT_LEAST = 10_000, 300
"""Where names are searched for a text, which takes three times as long as comparing a state."""
ROW_WINDOW, ROW_LEAST = 3_000, 100
_MOST_PARTS = 50
_IS_LATER = _run.c.scheduled_time > bindparam("now")
_LATER = select(func.max(_run.c.scheduled_time).filter(_IS_LATER).label("due")).where(_IS_LATER)
"""With a filter, since for the plain maximum Postgres goes through all planned runs, from the last one."""
_LAST_SHOWN = Prepared(
    select(
        func.max(
            union_all(_LATER.where(RETRIED), _LATER.where(has_type(set(TYPES) - {SCHEDULED}))).subquery().c.due,
        )
    )
)
"""When the last run is due that is shown before it is due: it has begun, or was cancelled, or its state was set."""
_Place = tuple[datetime, UUID]
_FIRST: _Place = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
_LAST: _Place = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""Places beyond those of all runs."""


@dataclass(frozen=True)
class Count:
    """The number of runs; with `capped`, there may be more."""

    total: int
    capped: bool


class _Order:
    """The order of a list: by one time and then by id, both growing or both falling. What all parts of a list need is built once."""

    def __init__(self, sort: RunSort) -> None:
        self.sort = sort
        self.falls = sort.startswith("-")
        self.time: Column[Any] = _run.c[sort.removeprefix("-")]
        self.by_due_time = self.time is _run.c.scheduled_time
        self.ids = self.of(select(_run.c.id, self.time))
        """All runs in this order."""
        self._key = tuple_(self.time, _run.c.id)

    def of(self, query: Select[Any], runs: FromClause = _run) -> Select[Any]:
        """The query in this order."""
        keys = (runs.c[self.time.name], runs.c.id)
        return query.order_by(*(key.desc() if self.falls else key for key in keys))

    def after(self, place: _Place) -> Condition:
        """What comes after a place in the list."""
        return self._key < place if self.falls else self._key > place

    def up_to(self, place: _Place | Tuple) -> Condition:
        """What comes before a place, and the place itself."""
        return self._key >= place if self.falls else self._key <= place

    def follows(self, time: datetime, other: datetime) -> bool:
        """Whether all runs of this time come after all of the other one."""
        return time < other if self.falls else time > other

    def first(self, places: Sequence[_Place | None]) -> _Place | None:
        """The place that comes first in the list; None stands for its end."""
        known = [place for place in places if place is not None]
        return (max if self.falls else min)(known, default=None)

    def cursor(self, place: _Place) -> str:
        return encode(*place) if self.sort == NEWEST_FIRST else encode(self.sort, *place)

    def place(self, cursor: str) -> _Place:
        return time_and_id(cursor) if self.sort == NEWEST_FIRST else sorted_key(cursor, self.sort)


@dataclass(frozen=True)
class _Due:
    """The due times of a list, where it is in their order."""

    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, order: _Order, place: _Place | None) -> list[Condition]:
        """That, and what comes after a place. Of two conditions for the beginning of a range, SQLite would use any one to find it."""
        start, end = (self.until, self.since) if order.falls else (self.since, self.until)
        conditions = [] if end is None else [order.time >= end if order.falls else order.time < end]
        if start is not None and (
            place is None or order.follows(start, place[0]) or (order.falls and start == place[0])
        ):
            return [*conditions, order.time < start if order.falls else order.time >= start]
        return conditions if place is None else [*conditions, order.after(place)]


@dataclass(frozen=True)
class _List:
    """A list of runs: its index ranges (`parts`), the conditions inside those ranges (`due`, `bounds`), and all other conditions (`rest`)."""

    order: _Order
    parts: Sequence[Condition | None]
    due: _Due
    bounds: Sequence[Condition]
    rest: Sequence[Condition]
    flows: Sequence[UUID] = ()
    """The flows that the parts stand for, if they do."""
    window: tuple[int, int] = (0, 0)
    """How many runs are examined, of all parts together and at least of each."""
    whole: int = 0
    """How many of the parts, from the first, have so few runs that all are examined."""
    place: _Place | None = None
    """The place after which it begins."""

    @property
    def each(self) -> int:
        """How many runs of each part are examined."""
        window, least = self.window
        return max(window // (len(self.parts) - self.whole), least)

    def newest(self, session: Session, ends: Sequence[_Place | None], most: int) -> FromClause:
        """The first runs of each part, up to an end."""
        end = ends[0]
        if end is not None and self._is_one_list(session):
            # they share it, so that no part has more than its window before it
            query = self.order.ids.where(_run.c.flow_id.in_(self.flows), self.order.up_to(end), *self._span)
            return self.order.of(query.where(*self.rest)).limit(most).subquery()
        return self._together(session, self.order.ids.where(*self._span, *self.rest).limit(most), ends)

    def some(
        self,
        session: Session,
        ends: Sequence[_Place | None],
        most: int,
        beyond: int = 0,
        also: Sequence[Column[Any]] = (),
    ) -> FromClause:
        """The times of any of them, and other columns, or those beyond so many of one part: without ids and an order, only the index is read."""
        query = select(self.order.time.label("due"), *also).where(*self._span, *self.rest).limit(most)
        if beyond:
            query = query.offset(beyond)
        if self._is_one_list(session) and not any(ends):
            return query.where(_run.c.flow_id.in_(self.flows)).subquery()
        return self._together(session, query, ends)

    def _is_one_list(self, session: Session) -> bool:
        """Whether the parts are flows that SQLite can search in one go, where all end at one place."""
        return len(self.flows) == len(self.parts) > 1 and session.get_bind().dialect.name == "sqlite"

    def ends(self, session: Session) -> list[_Place | None]:
        """The last run of each part that is examined; None when all are."""
        if not self.rest or self.whole == len(self.parts):
            return [None] * len(self.parts)
        if len(self.flows) < 2:
            ends = [self._end(session, part) for part in self.parts[self.whole :]]
        else:
            ends = self._ends_of_flows(session)
        return [None] * self.whole + ends

    def times_of_windows(self, session: Session) -> list[datetime | None]:
        """The time of each part at which its window ends, and None if it has fewer runs: without ids, which not all indexes have."""
        if len(self.flows) > 1:
            return [None if end is None else end[0] for end in self._ends_of_flows(session)]
        return [self._time(session, part) for part in self.parts[self.whole :]]

    def _time(self, session: Session, part: Condition | None) -> datetime | None:
        time = self.order.time.desc() if self.order.falls else self.order.time
        query = select(self.order.time).where(*([] if part is None else [part]), *self._span).order_by(time)
        return session.execute(query.offset(self.each).limit(1)).scalar()

    @cached_property
    def _span(self) -> list[Condition]:
        return [*self.due.conditions(self.order, self.place), *self.bounds]

    def _end(self, session: Session, part: Condition | None) -> _Place | None:
        query = self.order.ids.where(*([] if part is None else [part]), *self._span).offset(self.each)
        rows = readable.rows(session, query, 1)
        return (rows[0][1], rows[0][0]) if rows else None

    def _ends_of_flows(self, session: Session) -> list[_Place | None]:
        last = self.order.of(select(_run.c.id).where(_run.c.flow_id == _flow.c.id, *self._span))
        last = last.offset(self.each).limit(1).correlate(_flow)
        query = select(_flow.c.id, last.scalar_subquery()).where(among(session, _flow.c.id, self.flows))
        runs = {flow: run for flow, run in readable.every(session, query) if run is not None}
        if not runs:
            return [None] * len(self.flows)
        places = select(_run.c.id, self.order.time).where(among(session, _run.c.id, runs.values()))
        times = dict(readable.every(session, places))
        ends = {flow: (times[run], run) for flow, run in runs.items() if run in times}
        return [ends.get(flow) for flow in self.flows]

    def _together(self, session: Session, query: Select[Any], ends: Sequence[_Place | None]) -> FromClause:
        """The query, of each part up to its end."""
        selects, parts, at_once = [], self.parts, len(self.flows)
        if at_once > 1 and session.get_bind().dialect.name == "postgresql":
            selects.append(self._of_flows(query, ends[-at_once:]))
            parts, ends = parts[:-at_once], ends[:-at_once]
        for part, end in zip(parts, ends, strict=True):
            conditions = [] if part is None else [part]
            selects.append(query.where(*conditions, *([] if end is None else [self.order.up_to(end)])))
        if len(selects) == 1:
            return selects[0].subquery()
        # without the columns of each part, which SQLAlchemy would take longer to name than the database to read
        union = union_all(*(select(literal_column("*")).select_from(one.subquery()) for one in selects)).subquery()
        columns = [literal_column(each.name, each.type).label(each.name) for each in query.selected_columns]
        return select(*columns).select_from(union).subquery()

    def _of_flows(self, query: Select[Any], ends: Sequence[_Place | None]) -> Select[Any]:
        """The same of each flow, as a join: fifty parts take Postgres longer to plan than to read."""
        otherwise = _FIRST if self.order.falls else _LAST
        times, ids = zip(*(otherwise if end is None else end for end in ends), strict=True)
        values = ((self.flows, Id()), (times, Time()), (ids, Id()))
        columns = (column("flow", Id()), column("time", Time()), column("run", Id()))
        arrays = (literal(list(each), ARRAY(type)) for each, type in values)
        given = func.unnest(*arrays).table_valued(*columns, name="part").render_derived()
        if any(end is not None for end in ends):
            query = query.where(self.order.up_to(tuple_(given.c.time, given.c.run)))
        runs = query.where(_run.c.flow_id == given.c.flow).correlate(given).lateral()
        return select(*runs.c).select_from(given).join(runs, true())


class RunList:
    """The runs that match a filter, in this order, by default by due time, newest first, since scheduled ones are created long before: a page and
    their number share what they both must ask. Raises UnknownName if the filter can't match because it names something that doesn't exist."""

    def __init__(self, session: Session, criteria: RunFilter, now: datetime, sort: RunSort = NEWEST_FIRST) -> None:
        criteria = run_query.expanded(criteria, now)
        run_filter_names.check(session, criteria)
        self._session, self._criteria = session, criteria
        self._list = _list(session, criteria, now, _Order(sort))
        self._count: Count | None = None if self._list.parts else Count(0, False)

    def page(self, limit: int, after: str | None = None) -> RowPage[FlowRunRow]:
        """So many runs. A page may be short and still have a next one."""
        order = self._list.order
        place = None if after is None else order.place(after)
        if not self._list.parts:
            return RowPage([])
        chosen = self._list if place is None else replace(self._list, place=place)
        ends = self._ends if place is None else chosen.ends(self._session)
        reached = order.first(ends)

        def newest(most: int) -> Select[Any]:
            # beyond what is reached, another part may have runs that were not examined
            ids = chosen.newest(self._session, [reached] * len(ends), most)
            return order.of(select(ids), ids).limit(most)

        rows = self._rows(newest, limit + 1)
        if len(rows) > limit:
            last = rows[limit - 1]
            return RowPage(rows[:limit], order.cursor((getattr(last, order.time.name), last.id)))
        if place is None and (reached is None or len(chosen.parts) == 1):
            self._count = Count(len(rows), reached is not None)
        if not rows and reached is None and place is None:
            run_filter_names.check_what_no_run_has(self._session, self._criteria)
        return RowPage(rows, None if reached is None else order.cursor(reached))

    def _rows(self, newest: Callable[[int], Select[Any]], limit: int) -> list[FlowRunRow]:
        """The first rows of which a statement has the ids, and more where some are damaged. Read by id, a row takes a third of the time."""
        most = limit
        while True:
            ids = [row.id for row in readable.first(self._session, newest, most)]
            rows = {row.id: row for row in flow_runs.by_ids(self._session, ids)}
            if len(rows) == len(ids) or len(rows) >= limit or len(ids) < most:
                return [rows[run] for run in ids if run in rows][:limit]
            most = limit + 2 * (len(ids) - len(rows))

    def count(self) -> Count:
        """How many runs there are, up to the cap and within each part's window."""
        if self._count is None:
            self._count = Count(COUNT_CAP, True) if self._is_long() else self._counted()
        return self._count

    def _is_long(self) -> bool:
        """Whether a range of an index goes on beyond the cap: to step over its entries takes a third of counting them."""
        if self._list.rest or len(self._list.parts) > 1:
            return False
        beyond = select(self._list.some(self._session, self._ends, 1, COUNT_CAP))
        return self._session.connection().execute(beyond).first() is not None

    def _counted(self) -> Count:
        runs = self._list.some(self._session, self._ends, COUNT_CAP + 1)
        if len(self._list.parts) > 1:
            runs = select(runs).limit(COUNT_CAP + 1).subquery()
        total: int = self._session.connection().execute(select(func.count()).select_from(runs)).scalar_one()
        capped = total > COUNT_CAP or any(end is not None for end in self._ends)
        return Count(min(total, COUNT_CAP), capped)

    @property
    def due(self) -> tuple[datetime | None, datetime | None]:
        """The due times that the list asks for."""
        return self._criteria.since, self._criteria.until

    def newest(self, most: int) -> FromClause:
        """The ids and times of so many runs, in this order."""
        if not self._list.parts:
            return self._list.order.ids.where(false()).subquery()
        reached = self._list.order.first(self._ends)
        ids = self._list.newest(self._session, [reached] * len(self._ends), most)
        return self._list.order.of(select(ids), ids).limit(most).subquery()

    def entries(self) -> tuple[FromClause, datetime | None]:
        """The times and types of the runs in each part's window, and the time since which that is all of the list; None for any time."""
        if not self._list.parts:
            return select(self._list.order.time.label("due"), _run.c.state_type).where(false()).subquery(), None
        # the index of names doesn't have types, so that each run is read
        otherwise = (TEXT_WINDOW, TEXT_LEAST) if self._criteria.state_names else (WINDOW, LEAST)
        chosen = self._list if self._list.window[0] else replace(self._list, window=otherwise)
        reached = max(filter(None, chosen.times_of_windows(self._session)), default=None)
        if reached is not None:
            chosen = replace(chosen, due=replace(chosen.due, since=reached))
        ends = [None] * len(chosen.parts)
        return chosen.some(self._session, ends, 2 * WINDOW, also=[_run.c.state_type]), reached

    @cached_property
    def _ends(self) -> list[_Place | None]:
        return self._list.ends(self._session)


def page(
    session: Session,
    criteria: RunFilter,
    limit: int,
    after: str | None,
    now: datetime,
    sort: RunSort = NEWEST_FIRST,
) -> RowPage[FlowRunRow]:
    """A page of a RunList."""
    return RunList(session, criteria, now, sort).page(limit, after)


def count(session: Session, criteria: RunFilter, now: datetime, sort: RunSort = NEWEST_FIRST) -> Count:
    """The number of a RunList."""
    return RunList(session, criteria, now, sort).count()


def _list(session: Session, criteria: RunFilter, now: datetime, order: _Order) -> _List:
    if criteria.parent is not None:  # an index has the children of a run
        others = run_filters.every(session, structs.replace(criteria, parent=None), now)
        parts, rest = [_run.c.parent_flow_run_id == criteria.parent], _unindexed([order.time.is_not(None), *others])
        return _List(order, parts, _Due(), [], rest, whole=1)
    if criteria.text and (by_name := run_names.containing(session, criteria.text)) is not None:
        by_text = _by_text(session, criteria, now, order, by_name)
        if by_text is not None:
            return by_text
    few = _few(session, criteria, now, order)
    if few is not None:
        return few
    of_rows = _unindexed(run_filters.of_rows(session, criteria, now))
    rest = [*run_filters.texts(session, criteria), *of_rows]
    if not order.by_due_time:  # only the time itself is in the index
        rest += [*run_filters.due(criteria), *run_filters.states(criteria)]
        if criteria.flow_id is not None:
            rest.append(_run.c.flow_id == criteria.flow_id)
        if run_filters.names_flows(criteria):
            rest.append(_run.c.flow_id.in_(run_filters.flows_named(session, criteria)))
        return _List(order, [order.time.is_not(None)], _Due(), [], _unindexed(rest), window=(ROW_WINDOW, ROW_LEAST))
    window = _window(criteria, bool(of_rows))
    due, bounds = _shown(session, criteria, now)
    flows = _flows(session, criteria)
    states = run_filters.states(criteria)
    if flows is not None and len(flows) <= _MOST_PARTS:
        parts = [_run.c.flow_id == flow for flow in flows]
        return _List(order, parts, due, bounds, _unindexed([*rest, *states]), flows, window)
    if flows is not None:
        rest.append(_run.c.flow_id.in_(run_filters.flows_named(session, criteria)))
    by_index = criteria.states and len(states) == 1 and not (criteria.state_types and criteria.state_names)
    if rest or not by_index:  # a run may have one of the types and one of the names
        return _List(order, [None], due, bounds, [*rest, *states], window=window)
    types = [_run.c.state_type == type for type in criteria.state_types]
    return _List(order, types or [_run.c.state_name == name for name in criteria.state_names], due, bounds, [])


def _by_text(
    session: Session,
    criteria: RunFilter,
    now: datetime,
    order: _Order,
    by_name: Select[Any],
) -> _List | None:
    """The runs that an index has for their names, and all runs of the flows whose names contain the text. None if they are too many
    flows, or the order is one in which the runs of a flow have no index."""
    of_flows = contains(session, _flow.c.name, str(criteria.text))
    flows = readable.scalars(session, select(_flow.c.id).where(of_flows).limit(_MOST_PARTS + 1))
    if len(flows) > (_MOST_PARTS if order.by_due_time else 0):
        return None
    if order.by_due_time:
        due, bounds = _shown(session, criteria, now)
    else:
        due, bounds = _Due(), run_filters.due(criteria)
        if run_filters.hides_future(criteria):
            bounds.append(run_filters.default_condition(now))
    rest = structs.replace(criteria, text=None, since=None, until=None, include_future=True)
    others = _unindexed(run_filters.every(session, rest, now))
    named = and_(_run.c.id.in_(by_name), _run.c.flow_id.not_in(flows), order.time.is_not(None))
    parts = [named, *(_run.c.flow_id == flow for flow in flows)]
    window = _window(rest, bool(run_filters.of_rows(session, criteria, now)))
    return _List(order, parts, due, bounds, others, flows, window, whole=1)


def _few(session: Session, criteria: RunFilter, now: datetime, order: _Order) -> _List | None:
    """All runs in these states that are due in this span, if they are few: those that are running now, or have failed today. None also if the
    list is a range of an index anyway."""
    others = structs.replace(criteria, states=[], since=None, until=None, include_future=True)
    rest = run_filters.every(session, others, now)
    if not criteria.states or (order.by_due_time and not rest and not (criteria.state_types and criteria.state_names)):
        return None
    span = [*run_filters.states(criteria), *run_filters.due(criteria)]
    some = select(_run.c.scheduled_time).where(*span).limit(ROW_WINDOW + 1).subquery()
    if session.connection().execute(select(func.count()).select_from(some)).scalar_one() > ROW_WINDOW:
        return None
    if order.by_due_time:
        return _List(order, [span[0]], _Due(criteria.since, criteria.until), [], _unindexed(rest), whole=1)
    return _List(order, [and_(*span)], _Due(), [], _unindexed([order.time.is_not(None), *rest]), whole=1)


def _shown(session: Session, criteria: RunFilter, now: datetime) -> tuple[_Due, list[Condition]]:
    """The due times of runs that may be in the list, and what leaves out those planned for later. There are many of these: beyond the last run
    that is due later and yet shown, they aren't looked at."""
    hides = run_filters.hides_future(criteria)
    if not hides and (criteria.include_future or criteria.state_names or SCHEDULED in criteria.state_types):
        return _Due(criteria.since, criteria.until), []
    [(last,)] = _LAST_SHOWN.all(session, {"now": now})
    end = (last or now) + timedelta(microseconds=1)
    due = _Due(criteria.since, end if criteria.until is None else min(end, criteria.until))
    return due, [run_filters.default_condition(now)] if hides and last is not None else []


def _unindexed(conditions: Sequence[Condition]) -> list[Condition]:
    """The same as expressions, so that no database goes through all runs of a flow or state instead of the few that are examined."""
    return [func.coalesce(condition, false()) for condition in conditions]


def _window(criteria: RunFilter, reads_rows: bool) -> tuple[int, int]:
    """How many runs are examined, of all parts together and at least of each. `reads_rows`: conditions are about columns that no index has."""
    if reads_rows:
        return ROW_WINDOW, ROW_LEAST
    return (TEXT_WINDOW, TEXT_LEAST) if criteria.text else (WINDOW, LEAST)


def _flows(session: Session, criteria: RunFilter) -> list[UUID] | None:
    """The flows of the filter, at most one more than there may be parts; None for any flow."""
    if not run_filters.names_flows(criteria):
        return None if criteria.flow_id is None else [criteria.flow_id]
    query = run_filters.flows_named(session, criteria)
    if criteria.flow_id is not None:
        query = query.where(_flow.c.id == criteria.flow_id)
    return readable.scalars(session, query.limit(_MOST_PARTS + 1))
