"""Statements that every start, report and list execute. SQLAlchemy's share of an execution is five times the driver's on SQLite, and as large as
the driver's on Postgres. So such a statement is compiled once, with the conversions of its parameters and columns, and then given to the
driver; on Postgres, only if it reads.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import CompoundSelect, Connection, Dialect, Insert, Select, Update
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from appliance.server.db import direct
from appliance.server.db.sqlite import dbapi

_Conversions = tuple[tuple[int, Callable[[Any], Any]], ...]
"""Places in a row, and what converts the value there."""
_FLOAT8 = 701
"""Postgres' number of the type that its dialect asks for where a column is of numbers; ours that aren't whole are of this one."""


@dataclass(frozen=True)
class _Plan:
    text: str
    constants: dict[str, Any]
    parameters: Callable[[Mapping[str, Any]], Any]
    names: tuple[str, ...]
    """Of the parameters, in their order."""
    given: _Conversions
    stored: tuple[tuple[int, Callable[[Any], Iterable[Any]]], ...]
    """The same for whole columns."""
    row: Callable[[Iterable[Any]], Any]
    """A function of C, which makes a row of values."""

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        return direct.driver(connection).execute(self.text, self.parameters_of(values))

    def parameters_of(self, values: Mapping[str, Any]) -> list[Any]:
        parameters = list(self.parameters({**self.constants, **values} if self.constants else values))
        for place, convert in self.given:
            parameters[place] = convert(parameters[place])
        return parameters

    def read(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """The rows, converted by column: that leaves the loops to functions of C."""
        if connection.dialect.name == "sqlite":
            try:
                stored = self.execute(connection, values).fetchall()
            except dbapi.Error as error:
                raise direct.usual_error(connection.dialect, self.text, error) from error
        else:
            stored = direct.fetch(connection, self.text, dict(zip(self.names, self.parameters_of(values), strict=True)))
        columns: list[Iterable[Any]] = list(zip(*stored, strict=True))
        if not columns:
            return []
        for place, convert in self.stored:
            columns[place] = convert(columns[place])
        return list(map(self.row, zip(*columns, strict=True)))


class Prepared:
    """A statement with named parameters. What else is given to an update are the columns to set."""

    def __init__(self, statement: Select[Any] | CompoundSelect[Any] | Update | Insert) -> None:
        self.statement = statement
        self._reads = isinstance(statement, Select | CompoundSelect) and statement._for_update_arg is None
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def all(self, session: Session, values: Mapping[str, Any]) -> Sequence[Any]:
        """All rows, with the columns as attributes. Raises DamagedRow if one can't be read."""
        connection = session.connection()
        if direct.is_possible(connection) or (self._reads and direct.can_fetch(connection)):
            return self._plan(connection.dialect, values).read(connection, values)
        return connection.execute(self.statement, dict(values)).all()

    def one_or_none(self, session: Session, values: Mapping[str, Any]) -> Any:
        """The row, if there is one, of a statement that finds at most one."""
        rows = self.all(session, values)
        return rows[0] if rows else None

    def change(self, session: Session, values: Mapping[str, Any]) -> int:
        """The number of rows that an insert or update has changed."""
        connection = session.connection()
        if not direct.is_possible(connection):
            return connection.execute(self.statement, dict(values)).rowcount
        plan = self._plan(connection.dialect, values)
        try:
            return int(plan.execute(connection, values).rowcount)
        except dbapi.Error as error:
            raise direct.usual_error(connection.dialect, plan.text, error) from error

    def change_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same for each of several rows, which have the same keys."""
        connection = session.connection()
        if not direct.is_possible(connection):
            connection.execute(self.statement, rows)
            return
        plan = self._plan(connection.dialect, rows[0])
        try:
            direct.driver(connection).executemany(plan.text, map(plan.parameters_of, rows))
        except dbapi.Error as error:
            raise direct.usual_error(connection.dialect, plan.text, error) from error

    def _plan(self, dialect: Dialect, values: Mapping[str, Any]) -> _Plan:
        names = tuple(values)
        plan = self._plans.get((dialect.name, *names))
        if plan is None:
            plan = self._plans[(dialect.name, *names)] = _plan(self.statement, dialect, names)
        return plan


def _plan(
    statement: Select[Any] | CompoundSelect[Any] | Update | Insert, dialect: Dialect, names: tuple[str, ...]
) -> _Plan:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))
    order: tuple[str, ...] = tuple(compiled.positiontup or compiled.bind_names.values())
    given, constants = [], {}
    for place, name in enumerate(order):
        convert = _bind(compiled.binds[name].type, dialect)
        if convert is not None and name in names:
            given.append((place, convert))
        elif name not in names:
            value = compiled.params[name]
            constants[name] = value if convert is None else convert(value)
    columns = list(statement.selected_columns) if isinstance(statement, Select | CompoundSelect) else []
    stored = [
        (place, convert)
        for place, column in enumerate(columns)
        if (convert := _stored(column.type, dialect)) is not None
    ]
    row = cast(Any, namedtuple)("Row", [str(column.key) for column in columns], rename=True)  # a function has no name
    return _Plan(
        str(compiled), constants, _getter(order), order, tuple(given), tuple(stored), partial(tuple.__new__, row)
    )


def _bind(type: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return type.dialect_impl(dialect).bind_processor(dialect)


def _stored(type: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Iterable[Any]] | None:
    at_once = getattr(type, "result_column_processor", None)
    if at_once is not None and (convert := at_once(dialect)) is not None:
        return cast(Callable[[Any], Iterable[Any]], convert)
    one = type.dialect_impl(dialect).result_processor(dialect, _FLOAT8)
    return None if one is None else partial(map, one)


def _getter(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    """The values of these names, in order."""
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names) if names else lambda _values: ()
