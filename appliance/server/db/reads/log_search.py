"""The search for words in the log lines of all runs, newest first.

A page examines a bounded number of lines. Those that have the words come in batches:
- SQLite's index finds the newest lines with whole words at once.
- Postgres' index has no order, and for a beginning SQLite's collects all lines with words that begin so. Therefore the newest lines are looked
  through first, where what is common turns up soon. Then the index is asked, unless it would probably have to collect too many lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import ColumnElement, TextClause, bindparam, select, text
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.reads import pages, readable, run_filter_names, run_filters, settings
from appliance.server.db.rows.logs import FoundRow
from appliance.server.db.tables import metadata
from appliance.server.domain.log_words import LogWords

_log, _run, _flow, _project = (metadata.tables[name] for name in ("log", "flow_run", "flow", "project"))

FILL = settings.Stored("log_search.fill", int)
"""Says that the lines of before an upgrade are still being added, up to now those of this number and the ones after it."""
MOST = 20_000
"""How many lines that have the words a page examines at most."""
WINDOW = 2_000
"""How many of the newest lines are looked through before the index is asked."""
WINDOWS = 20
"""How often this goes on if the index can't answer."""
COLLECTED = 100_000
"""How many lines an index without order may collect."""
_NEWEST = 2**63 - 1
_FIRST_BATCH, _GROWTH = 4, 8
_IDS = {
    "sqlite": text("log.id in (select value from json_each(:ids))"),
    "postgresql": text("log.id = any(cast(:ids as bigint[]))"),
}
_LAG = text("select (select coalesce(max(id), 0) from log), (select coalesce(max(id), 0) from log_search_docsize)")
_OLDEST = text("select coalesce(min(id), 0) from log")
_SQLITE_INDEX = text(
    "select rowid from log_search where log_search match :match and rowid < :top order by rowid desc limit :most"
)
_SQLITE_WINDOW = text(
    "select id, message from (select id, message, level from log where id < :top order by id desc limit :most)"
    " where level >= :level and message like :pattern"
)
_SQLITE_END = text("select min(id), count(*) from (select id from log where id < :top order by id desc limit :most)")
_POSTGRES_WORDS = text("select log_search_words(:word)")
_POSTGRES_PLAN = text("select set_config('enable_seqscan', 'off', true)")
"""For the next one: where statistics say that a word is common, Postgres would read the table from its oldest line until it has enough."""
_POSTGRES_INDEX = text(
    "select count(*), (array_agg(log_id order by log_id desc) filter (where log_id < :top))[1:cast(:most as integer)]"
    " from (select log_id from log_search where words @@ cast(:match as tsquery) limit :collected) as hits"
)
_POSTGRES_WINDOW = text(
    "with last as materialized (select log_id from log_search where log_id < :top order by log_id desc offset :most - 1 limit 1)"
    " select (select log_id from last), array(select log_id from log_search"
    " where log_id < :top and log_id >= coalesce((select log_id from last), 0)"
    " and pg_catalog.ts_match_vq(words, cast(:match as tsquery)) order by log_id desc)"
)
"""With the function instead of its operator, so that the index of all words isn't asked."""


@dataclass(frozen=True)
class LogSearch:
    """Which lines to find: with these words, of runs of this flow and project, at this level or above, written in this span."""

    words: LogWords
    runs: RunFilter = field(default_factory=RunFilter)
    """Of it, only the flow and the project."""
    min_level: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class FoundPage(pages.RowPage[FoundRow]):
    """`complete` is false while the index lacks lines of before an upgrade. A page may have fewer lines than it could, and a next one."""

    complete: bool = True


class Batch(NamedTuple):
    """Numbers of lines that have the words, newest first, and the number below which the next batch begins; None after the last."""

    ids: Sequence[int]
    end: int | None


def lag(session: Session) -> tuple[int, int]:
    """On SQLite, the numbers of the newest line and of the newest one in the index; both 0 where there is none."""
    newest, indexed = session.connection().execute(_LAG).one()
    return int(newest), int(indexed)


def page(session: Session, search: LogSearch, limit: int, after: str | None) -> FoundPage:
    """Lines, newest first. Raises UnknownName for a flow or project that doesn't exist."""
    checked = RunFilter(
        flow_id=search.runs.flow_id,
        flow=search.runs.flow,
        project=search.runs.project,
        since=search.since,
        until=search.until,
    )
    run_filter_names.check(session, checked)
    top = _NEWEST if after is None else pages.number(after)
    complete = settings.get(session, FILL.name) is None
    rows, end = _rows(session, search, limit + 1, top)
    if len(rows) > limit:
        return FoundPage(rows[:limit], pages.encode(rows[limit - 1].id), complete)
    return FoundPage(rows, None if end is None else pages.encode(end), complete)


def _rows(session: Session, search: LogSearch, most: int, top: int) -> tuple[list[FoundRow], int | None]:
    """Up to so many lines, and where the search for more would go on."""
    rows, end = list[FoundRow](), None
    conditions, source = _conditions(session, search), _source(session, search)
    size = most * _FIRST_BATCH
    for batch in _batches(source, top, size):
        ids = batch.ids
        while ids and len(rows) < most:
            rows += _read(session, ids[:size], conditions, most - len(rows))
            ids, size = ids[size:], size * _GROWTH
        end = batch.end
        if len(rows) >= most:
            break
    return rows, end


def _conditions(session: Session, search: LogSearch) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if search.runs.flow_id is not None:
        conditions.append(_run.c.flow_id == search.runs.flow_id)
    if run_filters.names_flows(search.runs):
        conditions.append(_run.c.flow_id.in_(run_filters.flows_named(session, search.runs)))
    if search.min_level is not None:
        conditions.append(_log.c.level >= search.min_level)
    if search.since is not None:
        conditions.append(_log.c.at >= search.since)
    if search.until is not None:
        conditions.append(_log.c.at < search.until)
    return conditions


def _read(session: Session, ids: Sequence[int], conditions: list[ColumnElement[bool]], most: int) -> list[FoundRow]:
    """Those of these lines that are still there and meet the conditions."""
    if not ids:
        return []
    dialect = session.get_bind().dialect.name
    listed = msgspec.json.encode(ids).decode()
    chosen = _IDS[dialect].bindparams(bindparam("ids", listed if dialect == "sqlite" else f"{{{listed[1:-1]}}}"))
    query = (
        select(_log, _run.c.name.label("run_name"), _flow.c.name.label("flow"), _project.c.name.label("project"))
        .join(_run, _run.c.id == _log.c.flow_run_id)
        .join(_flow, _flow.c.id == _run.c.flow_id)
        .join(_project, _project.c.id == _flow.c.project_id)
        .where(chosen, *conditions)
        .order_by(_log.c.id.desc())
    )
    return cast(list[FoundRow], readable.rows(session, query, most))


def _batches(source: _Source, top: int, first: int) -> Iterator[Batch]:
    """The lines below this number that have the words, for one page."""
    newest, indexed = source.lag()
    top = min(top, newest + 1)
    for _ in range(WINDOWS if top > indexed + 1 else 0):  # of the last seconds, which are not in the index yet
        batch = source.window(top, WINDOW)
        yield batch
        if batch.end is None:
            return
        top = batch.end
        if top <= indexed + 1:
            break
    if top > indexed + 1:
        return
    if source.is_ordered:
        yield from source.indexed(top, first) or ()
        return
    left = MOST
    for number in range(WINDOWS):
        size = WINDOW if number == 0 else WINDOW * source.pace
        batch = source.window(top, size, all_levels=number == 0)
        if len(batch.ids) > left:
            batch = Batch(batch.ids[:left], batch.ids[left - 1])
        yield batch
        left -= len(batch.ids)
        if batch.end is None or left == 0:
            return
        top = batch.end
        if number == 0 and source.estimate(batch) <= COLLECTED and (rest := source.indexed(top, first)) is not None:
            yield from rest
            return


class _Source(ABC):
    """The lines of one database that have the words."""

    is_ordered = False
    """Whether the index gives the newest lines first, without collecting all of them."""
    pace = 1
    """How many times as many lines as in the first window are looked through in each further one."""

    def __init__(self, session: Session, search: LogSearch) -> None:
        self._session = session
        self._words, self._level = search.words, search.min_level or 0

    def lag(self) -> tuple[int, int]:
        """The numbers of the newest line and of the newest one in the index."""
        return _NEWEST - 1, _NEWEST - 1

    @abstractmethod
    def window(self, top: int, size: int, *, all_levels: bool = False) -> Batch:
        """Those among the next lines, of which so many are looked through. Unless `all_levels`, those of other levels than the search's may
        be left out."""

    @abstractmethod
    def indexed(self, top: int, first: int) -> Iterator[Batch] | None:
        """All, by the index, in growing batches of which the first has so many; None if the index would have to collect too many."""

    def estimate(self, window: Batch) -> float:
        """How many lines below a window probably have the words, if they are as common as in it."""
        oldest: int = self._first(_OLDEST)[0]
        return len(window.ids) / WINDOW * ((window.end or oldest) - oldest)

    def _first(self, statement: TextClause, **values: Any) -> Any:
        return self._session.connection().execute(statement, values).one()


class _Sqlite(_Source):
    def __init__(self, session: Session, search: LogSearch) -> None:
        super().__init__(session, search)
        self.is_ordered = not search.words.begins

    def lag(self) -> tuple[int, int]:
        return lag(self._session)

    def window(self, top: int, size: int, *, all_levels: bool = False) -> Batch:
        longest = max(self._words.words, key=len)
        pattern = "".join(sign if sign.isascii() else "_" for sign in longest)  # LIKE knows the cases of ASCII only
        values = {"top": top, "most": size, "pattern": f"%{pattern}%", "level": 0 if all_levels else self._level}
        rows = readable.every(self._session, _SQLITE_WINDOW, values)
        ids = [row.id for row in rows if self._words.are_in(row.message)]
        lowest, count = self._first(_SQLITE_END, top=top, most=size)
        return Batch(ids, lowest if count == size else None)

    def indexed(self, top: int, first: int) -> Iterator[Batch] | None:
        return self._growing(top, first)

    def _growing(self, top: int, first: int) -> Iterator[Batch]:
        left, size = MOST, first
        while left > 0:
            most = min(left, size)
            values = {"match": self._match(), "top": top, "most": most}
            ids: list[int] = readable.scalars(self._session, _SQLITE_INDEX, values)
            if len(ids) < most:
                yield Batch(ids, None)
                return
            yield Batch(ids, ids[-1])
            top, left, size = ids[-1], left - most, size * _GROWTH

    def _match(self) -> str:
        """Strings in quotation marks, which contain none themselves, so that no word is an operator."""
        return " AND ".join(f'"{word}"' for word in self._words.words) + ("*" if self._words.begins else "")


class _Postgres(_Source):
    pace = 8

    def __init__(self, session: Session, search: LogSearch) -> None:
        super().__init__(session, search)
        self._query = self._match()

    def window(self, top: int, size: int, *, all_levels: bool = False) -> Batch:
        lowest, ids = self._first(_POSTGRES_WINDOW, top=top, most=size, match=self._query)
        return Batch(ids, lowest)

    def indexed(self, top: int, first: int) -> Iterator[Batch] | None:
        values = {"match": self._query, "collected": COLLECTED + 1, "top": top, "most": MOST}
        self._first(_POSTGRES_PLAN)
        count, ids = self._first(_POSTGRES_INDEX, **values)
        ids = ids or []
        return None if count > COLLECTED else iter([Batch(ids, ids[-1] if len(ids) == MOST else None)])

    def _match(self) -> str:
        """Words as the database itself splits them, in apostrophes, so that none is an operator."""
        entries: list[str] = []
        for word in self._words.words:
            entries += self._first(_POSTGRES_WORDS, word=word)[0]
        quoted = ["'" + entry.replace("\\", "\\\\").replace("'", "''") + "'" for entry in entries]
        return " & ".join(quoted) + (":*" if quoted and self._words.begins else "")


def _source(session: Session, search: LogSearch) -> _Source:
    return (_Postgres if session.get_bind().dialect.name == "postgresql" else _Sqlite)(session, search)
