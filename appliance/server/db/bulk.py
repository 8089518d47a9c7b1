"""Bulk inserts. SQLAlchemy's work on each value costs more than SQLite's insert itself, and on Postgres a message per row costs more
than both. So the statement and each column's conversion are prepared once, columns are converted as a whole, and Postgres gets one COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Insert, Table, insert

_FEW = 4
"""With fewer rows, a COPY costs Postgres more than it saves."""


@dataclass(frozen=True)
class _Plan:
    statement: str
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    conversions: tuple[tuple[int, Callable[[Any], Any]], ...]


class BulkInsert:
    """Inserts into one table. The keys of the first row are the columns of all rows. `statement` is an insert with extra clauses for
    SQLite, such as what to do on a conflict; it must return nothing."""

    def __init__(self, table: Table, statement: Insert | None = None) -> None:
        self._table = table
        self._statement = insert(table) if statement is None else statement
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert the rows in order; an empty list is fine. On SQLite, return how many were inserted."""
        return self._execute(connection, rows).rowcount if rows else 0

    def one(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Insert a row and return the key that SQLite gave it."""
        return self._execute(connection, [row]).lastrowid

    def _execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        if len(rows) < _FEW and connection.dialect.name != "sqlite":
            return connection.execute(self._statement, rows)
        key = (connection.dialect.name, *rows[0])
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan(connection.dialect, key[1:])
        columns: list[Iterable[Any]] = list(zip(*map(plan.values, rows), strict=True))
        for place, convert in plan.conversions:
            columns[place] = _converted(columns[place], convert)
        return connection.exec_driver_sql(plan.statement, list(zip(*columns, strict=True)))

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
            convert = self._table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                conversions.append((place, convert))
        return _Plan(statement, itemgetter(*order), tuple(conversions))


def _converted(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """Neighbours are often the same object, such as the flow run of all rows or the time of the batch, and are converted once."""
    results, last, result = [], None, convert(None)
    for value in values:
        if value is not last:
            last, result = value, convert(value)
        results.append(result)
    return results
