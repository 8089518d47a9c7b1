"""Conditions that a column is one of many ids, and the statements that lists execute about the rows with these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache, partial
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Dialect, Select, Uuid, bindparam, func, literal
from sqlalchemy.orm import Session
from sqlalchemy.types import UserDefinedType

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable

_Column: TypeAlias = ColumnElement[UUID]
_Condition: TypeAlias = Callable[[_Column], ColumnElement[bool]]


def among(session: Session, column: ColumnElement[UUID], ids: Collection[UUID]) -> ColumnElement[bool]:
    """Whether the column is one of these ids.

    On Postgres they are one value: with one parameter each, every number of ids is a statement of its own, which the driver and the server take
    longer to prepare than to carry out. On SQLite, a list that it can't count would make it read whole indexes."""
    if session.get_bind().dialect.name == "sqlite":
        return column.in_(ids)
    return column == func.any(literal(list(ids), ARRAY(Uuid())))


class _Ids(UserDefinedType[Sequence[UUID]]):
    """Postgres' array of ids, as a text: the driver would adapt one after the other."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_options: Any) -> str:
        return "UUID[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        return lambda ids: f"{{{','.join(msgspec.to_builtins(ids))}}}"


class OfMany:
    """A statement about the rows with many ids, each on its own: for SQLite, it is prepared for 1, 2, 4, 8 ... ids, the last one repeated."""

    def __init__(self, statement: Callable[[_Condition], Select[Any]]) -> None:
        self._statement = statement
        self._prepared: dict[int, Prepared] = {}

    def every(self, session: Session, ids: Collection[UUID], values: dict[str, Any] | None = None) -> list[Any]:
        """All rows that can be read."""
        if not ids:
            return []
        number = 1 << (len(ids) - 1).bit_length() if session.get_bind().dialect.name == "sqlite" else 0
        prepared = self._prepared.get(number)
        if prepared is None:
            prepared = self._prepared[number] = Prepared(self._statement(partial(_is_one_of, number)))
        chosen = list(ids)
        if not number:
            return readable.every(session, prepared, {"ids": chosen} | (values or {}))
        chosen += chosen[-1:] * (number - len(chosen))
        return readable.every(session, prepared, dict(zip(_names(number), chosen, strict=True)) | (values or {}))


def _is_one_of(number: int, column: _Column) -> ColumnElement[bool]:
    if not number:
        return column == func.any(bindparam("ids", type_=_Ids()))
    return column.in_([bindparam(name, type_=column.type) for name in _names(number)])


@cache
def _names(number: int) -> tuple[str, ...]:
    return tuple(f"id_{place}" for place in range(number))
