"""How many runs of a list are due in each stretch of time, by the type of their state, and which values its newest runs have: what is shown
over the list, and offered while a query is written. Both look at no more runs than the list itself does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, String, func, select
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import STATE_NAMES
from appliance.server.db.reads import readable
from appliance.server.db.reads.pages import contains
from appliance.server.db.reads.run_filters import SCHEDULE
from appliance.server.db.reads.run_lists import RunList
from appliance.server.db.tables import metadata
from appliance.server.domain.histograms import Span, span
from appliance.server.errors import UnknownName

_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))
_agent, _version = (metadata.tables[name] for name in ("agent", "flow_version"))
SAMPLE = 1_000
"""The newest runs whose values are suggested."""
MOST = 20
_LENGTHS = {"day": len("2026-01-31"), "hour": len("2026-01-31 12"), "minute": len("2026-01-31 12:59")}


@dataclass(frozen=True)
class Histogram:
    """The runs that are due in each part of a span, by type of state: `counts` by the part's number. Unless it is `complete`, the list may have
    earlier runs, which were not counted."""

    span: Span
    counts: Mapping[int, Mapping[str, int]]
    complete: bool


def histogram(session: Session, criteria: RunFilter, now: datetime) -> Histogram | None:
    """The runs of a list by due time; None if it has none. Raises what RunList does."""
    runs = RunList(session, criteria, now)
    entries, reached = runs.entries()
    last = session.execute(select(func.max(runs.newest(1).c.scheduled_time))).scalar_one()
    if last is None:
        return None
    since, until = runs.due
    begins = reached or since
    first = begins or session.execute(select(func.min(entries.c.due))).scalar_one()
    whole = span(begins, until, first, last)
    moment = _moment(session, entries.c.due, whole.width)
    query = select(moment.label("moment"), entries.c.state_type, func.count()).where(entries.c.due >= whole.start)
    counts: dict[int, Counter[str]] = {}
    for when, type, number in readable.every(session, query.group_by(moment, entries.c.state_type)):
        time = when if isinstance(when, datetime) else datetime.fromisoformat(when).replace(tzinfo=UTC)
        counts.setdefault(whole.part(time), Counter())[type] += number
    return Histogram(whole, counts, complete=reached is None and whole.start <= first)


def _moment(session: Session, due: ColumnElement[Any], width: int) -> ColumnElement[Any]:
    """The day, hour, or minute of a time, whichever the parts are made of: a piece of the text on SQLite, which takes half the time of a number."""
    unit = next(unit for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)) if width % seconds == 0)
    if session.get_bind().dialect.name == "sqlite":
        return func.substr(due, 1, _LENGTHS[unit], type_=String)
    return func.date_trunc(unit, due, "UTC")


def suggestions(session: Session, criteria: RunFilter, now: datetime, field: str, text: str) -> list[tuple[str, int]]:
    """Values of a field of queries that contain a text, with how many of the newest runs of a list have each: the most frequent first, and then
    some that exist and none of these runs has. Raises UnknownName for a field without values to suggest, and what RunList does."""
    name, _, parameter = field.partition(".")
    reader = _FIELDS.get(name)
    if reader is None:
        raise UnknownName(f"No values of {field[:80]!r} are suggested; ask for those of {', '.join(_FIELDS)}.")
    sample = RunList(session, criteria, now).newest(SAMPLE)
    number = Counter(value for value in reader(session, sample, parameter) if text.casefold() in value.casefold())
    values = sorted(number.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    others = [(value, 0) for value in _known(session, name, text) if value not in number]
    return [*values, *others[: MOST - len(values)]]


def _column(value: Any, *joins: Any) -> Callable[[Session, FromClause, str], Iterable[str]]:
    def read(session: Session, sample: FromClause, _parameter: str) -> Iterable[str]:
        query = select(value).select_from(_run).join(sample, sample.c.id == _run.c.id)
        for table, on in joins:
            query = query.join(table, on)
        return [str(one) for one in readable.scalars(session, query)]

    return read


def _by(session: Session, sample: FromClause, _parameter: str) -> Iterable[str]:
    query = select(_run.c.schedule_id, _run.c.created_by).join(sample, sample.c.id == _run.c.id)
    rows = readable.every(session, query)
    return [SCHEDULE if row.schedule_id is not None else row.created_by for row in rows]


def _labels(session: Session, sample: FromClause, _parameter: str) -> Iterable[str]:
    lists = readable.scalars(session, select(_run.c.labels).join(sample, sample.c.id == _run.c.id))
    return [label for labels in lists for label in labels]


def _parameters(session: Session, sample: FromClause, name: str) -> Iterable[str]:
    """The values of a parameter, as a query has them, or without one the names of all."""
    documents = readable.scalars(session, select(_run.c.parameters).join(sample, sample.c.id == _run.c.id))
    if not name:
        return [key for document in documents for key in document]
    values = [document[name] for document in documents if name in document]
    return [_written(value) for value in values if not isinstance(value, list | dict)]


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_OF_FLOW = (_flow, _flow.c.id == _run.c.flow_id)
_FIELDS: dict[str, Callable[[Session, FromClause, str], Iterable[str]]] = {
    "state": _column(_run.c.state_name),
    "flow": _column(_flow.c.name, _OF_FLOW),
    "project": _column(_project.c.name, _OF_FLOW, (_project, _project.c.id == _flow.c.project_id)),
    "agent": _column(_agent.c.name, (_agent, _agent.c.id == _run.c.agent_id)),
    "version": _column(_version.c.number, (_version, _version.c.id == _run.c.flow_version_id)),
    "by": _by,
    "label": _labels,
    "param": _parameters,
}
_NAMES = {"flow": _flow.c.name, "project": _project.c.name, "agent": _agent.c.name}


def _known(session: Session, field: str, text: str) -> list[str]:
    if field == "state":
        return [name for name in STATE_NAMES if text.casefold() in name.casefold()]
    if field not in _NAMES:
        return []
    query = select(_NAMES[field]).where(contains(session, _NAMES[field], text)).distinct()
    return readable.scalars(session, query.order_by(_NAMES[field]).limit(2 * MOST))
