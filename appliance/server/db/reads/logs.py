"""Reads of log lines, in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from appliance.protocol.logs import LOGGER, Stream
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.pages import RowPage, contains, encode, number
from appliance.server.db.rows.logs import LogRow
from appliance.server.db.tables import metadata

_log = metadata.tables["log"]
ERROR = 40
_CHUNK = 2_000
_NUMBERS: tuple[Any, ...] = (func.count(), func.count().filter(_log.c.level >= ERROR))
_COUNTS_OF_ONE = Prepared(select(*_NUMBERS).where(_log.c.flow_run_id == bindparam("run")))
_COUNTS = OfMany(
    lambda among: select(_log.c.flow_run_id, *_NUMBERS).where(among(_log.c.flow_run_id)).group_by(_log.c.flow_run_id)
)
_FIRST_ERRORS = OfMany(
    lambda among: (
        select(_log.c.flow_run_id, func.min(_log.c.id))
        .where(among(_log.c.flow_run_id), _log.c.level >= ERROR)
        .group_by(_log.c.flow_run_id)
    )
)


@dataclass(frozen=True)
class LogFilter:
    """Which lines to list."""

    min_level: int | None = None
    task_slug: str | None = None
    map_index: int | None = None
    text: str | None = None
    stream: Stream | None = None


def page(
    session: Session, flow_run_id: UUID, criteria: LogFilter, limit: int, after: str | None, before: str | None
) -> tuple[RowPage[LogRow], str | None]:
    """Lines, oldest first, and the cursor of the page before. `next` is set whenever there are lines: more may come."""
    query = _filtered(session, flow_run_id, criteria)
    if before is not None:
        query = query.where(_log.c.id < number(before)).order_by(_log.c.id.desc())
        rows = cast(Sequence[LogRow], readable.rows(session, query, limit + 1))
        earlier, rows = len(rows) > limit, rows[:limit][::-1]
    else:
        if after is not None:
            query = query.where(_log.c.id > number(after))
        rows = cast(Sequence[LogRow], readable.rows(session, query.order_by(_log.c.id), limit))
        earlier = after is not None
    following = encode(rows[-1].id) if rows else after
    return RowPage(rows, following), encode(rows[0].id) if rows and earlier else None


def chunk(session: Session, flow_run_id: UUID, after: int) -> Sequence[LogRow]:
    """The run's next lines behind the line `after`, for a download."""
    query = select(_log).where(_log.c.flow_run_id == flow_run_id, _log.c.id > after).order_by(_log.c.id)
    return cast(Sequence[LogRow], readable.rows(session, query, _CHUNK))


def counts(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    """(lines, lines at ERROR or above) of each run."""
    if len(flow_run_ids) == 1:
        [only] = flow_run_ids
        [(every, errors)] = readable.every(session, _COUNTS_OF_ONE, {"run": only})
        return {only: (every, errors)}
    return {run_id: (every, errors) for run_id, every, errors in _COUNTS.every(session, flow_run_ids)}


def first_errors(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, int]:
    """The first line at ERROR or above of each run."""
    return {run_id: log_id for run_id, log_id in _FIRST_ERRORS.every(session, flow_run_ids)}


def _filtered(session: Session, flow_run_id: UUID, criteria: LogFilter) -> Select[Any]:
    query = select(_log).where(_log.c.flow_run_id == flow_run_id)
    if criteria.min_level is not None:
        query = query.where(_log.c.level >= criteria.min_level)
    if criteria.task_slug is not None:
        query = query.where(_log.c.task_slug == criteria.task_slug)
    if criteria.map_index is not None:
        query = query.where(_log.c.map_index == criteria.map_index)
    if criteria.stream is not None:
        own = f"{LOGGER}.{criteria.stream}"
        query = query.where(or_(_log.c.logger == own, _log.c.logger.like(f"{LOGGER}.%.{criteria.stream}")))
    if criteria.text:
        query = query.where(contains(session, _log.c.message, criteria.text))
    return query
