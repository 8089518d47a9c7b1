"""What functions of the database claim about the rows that they answer, compared with the rows: a cast is believed by the type checker."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import FrameType
from typing import Any, get_args, get_type_hints

from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.row_type import RowType


def false_claims(frame: FrameType, answer: object) -> set[str]:
    """The columns that a function's annotation names and its answer has not, as function.column."""
    name = frame.f_code.co_name
    columns = columns_of(frame.f_globals.get(name))
    missing = {column for row in rows_in(answer) for column in columns if column not in row._fields}
    return {f"{frame.f_globals['__name__']}.{name}: {column}" for column in missing} if columns else set()


@cache
def columns_of(function: Any) -> frozenset[str]:
    """The columns of the one type of rows in the annotation of what a function answers; none when it is not one."""
    if not inspect.isfunction(function) or inspect.isgeneratorfunction(function):
        return frozenset()
    kinds = set(row_types(get_type_hints(function).get("return")))
    return frozenset(get_type_hints(kinds.pop())) if len(kinds) == 1 else frozenset()


def row_types(hint: Any) -> Iterator[type[RowType]]:
    if isinstance(hint, type) and issubclass(hint, RowType):
        yield hint
    for part in get_args(hint):
        yield from row_types(part)


def rows_in(answer: object) -> Iterator[Any]:
    """The first row of an answer and of each of its parts."""
    if hasattr(answer, "_fields"):
        yield answer
    elif isinstance(answer, RowPage):
        yield from rows_in(answer.rows)
    elif isinstance(answer, Mapping):
        yield from rows_in(list(answer.values()))
    elif isinstance(answer, Sequence) and not isinstance(answer, str | bytes) and answer:
        yield from rows_in(answer[0])
