"""Looks for rows with values that could not have been stored through the types of their columns, a bounded number at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Dialect, Float, Integer, LargeBinary, String, Table, TypeDecorator, text

from appliance.kit import clock
from appliance.server.db.reads import (
    agents,
    automations,
    disk,
    hold,
    log_search,
    maintenance,
    outages,
    rollups,
    run_names,
)
from appliance.server.db.reads.readable import bytes_for_damaged_text
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import DamagedRow

STEP = 1_000
"""Rows of one read, so that none holds a snapshot for long."""
_PLAIN = ((Boolean, (bool, int)), (Integer, int), (Float, (float, int)), (String, str))
_SETTINGS = (
    agents.LOST,
    automations.POSITION,
    disk.LOW,
    disk.SAMPLES,
    hold.HOLD,
    log_search.FILL,
    maintenance.MAINTENANCE,
    outages.OUTAGE,
    rollups.POSITION,
    rollups.TOTALS,
    run_names.FILL,
)
_Check = Callable[[Any], str | None]


@dataclass(frozen=True)
class DamagedValue:
    """Where a damaged value is and what is wrong with it, without the value, which may be a secret."""

    table: str
    key: str
    column: str
    fault: str


def scan(db: Database, pause: Callable[[float], object] = lambda _seconds: None) -> Iterator[DamagedValue]:
    """The damaged values of all tables. After each step, `pause` gets the number of seconds that the step took."""
    for table in metadata.sorted_tables:
        yield from _scan_table(db, table, pause)


def count(db: Database) -> int:
    """How many rows hold a damaged value, with pauses as long as the work, so that others get their turn."""
    return len({(value.table, value.key) for value in scan(db, threading.Event().wait)})


def _scan_table(db: Database, table: Table, pause: Callable[[float], object]) -> Iterator[DamagedValue]:
    sqlite = db.dialect == "sqlite"
    place = ["rowid"] if sqlite else [column.name for column in table.primary_key]  # a damaged key still has a row id
    checks = [(column, _check(column, db.engine.dialect)) for column in _columns(table)]
    after: Sequence[Any] | None = None
    while True:
        begun = clock.monotonic()
        rows = _step(db, table, place, after)
        for row in rows:
            faults = [(column.name, fault) for (column, check), value in zip(checks, row[len(place) :], strict=True)
                     if (fault := check(value)) is not None]  # fmt: skip
            if table.name == "setting" and not faults:
                faults = _setting_faults(**dict(zip(table.columns.keys(), row[len(place) :], strict=True)))
            for name, fault in faults:
                yield DamagedValue(table.name, _key(table, row, len(place)), name, fault)
        if len(rows) < STEP:
            return
        pause(clock.monotonic() - begun)
        after = rows[-1][: len(place)]


def _columns(table: Table) -> list[Column[Any]]:
    """Those that can hold a damaged value. Bytes can't: their readers check a hash."""
    return [column for column in table.columns if not isinstance(column.type, LargeBinary)]


def _step(db: Database, table: Table, place: list[str], after: Sequence[Any] | None) -> Sequence[Sequence[Any]]:
    quote = db.engine.dialect.identifier_preparer.quote
    order = ", ".join(quote(name) for name in place)
    columns = ", ".join(quote(column.name) for column in _columns(table))
    values = {} if after is None else {f"after_{number}": value for number, value in enumerate(after)}
    beyond = f" where ({order}) > ({', '.join(f':{name}' for name in values)})" if values else ""
    statement = f"select {order}, {columns} from {quote(table.name)}{beyond} order by {order} limit {STEP}"  # noqa: S608 - names of our tables
    with db.read() as session, bytes_for_damaged_text(session.connection()):
        return [tuple(row) for row in session.connection().execute(text(statement), values)]


def _key(table: Table, row: Sequence[Any], places: int) -> str:
    keys = [value for column, value in zip(_columns(table), row[places:], strict=True) if column.primary_key]
    if any(isinstance(value, bytes) or value is None for value in keys):
        return f"rowid {row[0]}"
    return " ".join(str(value) for value in keys)


def _check(column: Column[Any], dialect: Dialect) -> _Check:
    """What is wrong with a value of the column as the driver returns it; None if nothing is."""
    ours = isinstance(column.type, TypeDecorator)  # only our own types convert what the driver returns
    convert = column.type.dialect_impl(dialect).result_processor(dialect, None) if ours else None
    plain = None if ours else _plain(column)

    def check(value: Any) -> str | None:
        if value is None:
            return None if column.nullable else "nothing"
        if isinstance(value, bytes):
            return "no text in UTF-8"
        if plain is not None:
            return None if isinstance(value, plain) else "a value of another type"
        try:
            if convert is not None:
                convert(value)
        except DamagedRow as error:
            return str(error.details["fault"])
        return None

    return check


def _setting_faults(name: str, value: str, **_others: Any) -> list[tuple[str, str]]:
    """A setting is a text whose type depends on its name."""
    for stored in _SETTINGS:
        if stored.name == name:
            try:
                stored.checked(value)
            except DamagedRow as error:
                return [("value", str(error.details["fault"]))]
    return []


def _plain(column: Column[Any]) -> Any:
    return next((types for kind, types in _PLAIN if isinstance(column.type, kind)), object)
