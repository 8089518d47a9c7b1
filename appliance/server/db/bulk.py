"""Bulk inserts. SQLAlchemy's work on each value costs more than SQLite's insert itself, and on Postgres a message per row costs more
than both. So the statement and each column's conversion are prepared once, columns are converted as a whole, and Postgres gets one COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, Table, insert

from appliance.server.db import direct
from appliance.server.db.sqlite import dbapi
from appliance.server.db.tables.columns import Id, Time

_FEW = 4
"""With fewer rows, a COPY costs Postgres more than it saves."""


class _Conversion(NamedTuple):
    """How the values at a place in the row are converted: one, and perhaps a whole column."""

    place: int
    one: Callable[[Any], Any]
    column: Callable[[Sequence[Any]], Iterable[Any]]


@dataclass(frozen=True)
class _Plan:
    statement: str
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    conversions: tuple[_Conversion, ...]


class BulkInsert:
    """Inserts into one table. The keys of the first row are the columns of all rows. `statement` is an insert with extra clauses for
    SQLite, such as what to do on a conflict; it must return nothing."""

    def __init__(self, table: Table, statement: Insert | None = None) -> None:
        self._table = table
        self._statement = insert(table) if statement is None else statement
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert the rows in order; an empty list is fine. On SQLite, return how many were inserted."""
        return int(self._execute(connection, rows).rowcount) if rows else 0

    def one(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Insert a row and return the key that SQLite gave it."""
        return int(self._execute(connection, [row]).lastrowid)

    def _execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Any:
        if len(rows) < _FEW and connection.dialect.name != "sqlite":
            return connection.execute(self._statement, rows)
        key = (connection.dialect.name, *rows[0])
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(connection.dialect, key[1:])
        if len(rows) == 1 and direct.is_possible(connection):
            one = list(plan.values(rows[0]))
            for conversion in plan.conversions:
                one[conversion.place] = conversion.one(one[conversion.place])
            return direct.execute(connection, plan.statement, one)
        columns: list[Any] = list(zip(*map(plan.values, rows), strict=True))
        for conversion in plan.conversions:
            columns[conversion.place] = _converted(columns[conversion.place], conversion)
        values = list(zip(*columns, strict=True))
        if not direct.is_possible(connection):
            return connection.exec_driver_sql(plan.statement, values)
        try:
            return direct.driver(connection).executemany(plan.statement, values)
        except dbapi.Error as error:
            raise direct.usual_error(connection.dialect, plan.statement, error) from error

    def _plan(self, dialect: Dialect, names: tuple[str, ...]) -> _Plan:
        if dialect.name == "sqlite":
            compiled = self._statement.compile(dialect=dialect, column_keys=list(names))
            statement, order = compiled.string, tuple(compiled.positiontup or ())
        else:
            quote = dialect.identifier_preparer.quote
            columns = ", ".join(quote(name) for name in names)
            statement, order = (
                f"COPY {dialect.identifier_preparer.format_table(self._table)} ({columns}) FROM STDIN",
                names,
            )
        conversions = []
        for place, name in enumerate(order):
            kind = self._table.c[name].type
            convert = kind.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                column = kind.bind_column_processor(dialect) if isinstance(kind, Time | Id) else None
                conversions.append(_Conversion(place, convert, column or partial(_one_by_one, convert=convert)))
        return _Plan(statement, itemgetter(*order), tuple(conversions))


def _converted(values: Sequence[Any], conversion: _Conversion) -> Iterable[Any]:
    """The column; the same object in every row, such as the flow run or the time of the batch, is converted once."""
    if values[0] is values[-1] and len(set(map(id, values))) == 1:
        return [conversion.one(values[0])] * len(values)
    return conversion.column(values)


def _one_by_one(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """Neighbours are often the same object, and are converted once."""
    results, last, result = [], None, convert(None)
    for value in values:
        if value is not last:
            last, result = value, convert(value)
        results.append(result)
    return results
