"""Keyset pages. Where a page ends is an opaque cursor, which clients send to get the next one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.reads import readable
from appliance.server.errors import Invalid

DEFAULT = 50
MAX = 200

Key: TypeAlias = str | int | datetime | UUID
T = TypeVar("T")


@dataclass(frozen=True)
class RowPage(Generic[T]):
    """The rows of a page, and the cursor of the next page, if there is one."""

    rows: Sequence[T]
    next: str | None = None


def size(limit: int | None) -> int:
    """How many rows a page has: `limit`, which is checked, or the default."""
    if limit is None:
        return DEFAULT
    if not 1 <= limit <= MAX:
        raise Invalid(f"A page has between 1 and {MAX} items, not {limit}.")
    return limit


def read(session: Session, query: Select[Any], limit: int, key: Callable[[Any], Sequence[Key]]) -> RowPage[Any]:
    """The first `limit` rows of an ordered query that can be read, with the cursor that is made of the last one's key."""
    rows = readable.rows(session, query, limit + 1)
    return RowPage(rows[:limit], encode(*key(rows[limit - 1])) if len(rows) > limit else None)


def encode(*key: Key) -> str:
    """The cursor of a row with this key."""
    text = "|".join(clock.isoformat(part) if isinstance(part, datetime) else str(part) for part in key)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def time_and_id(cursor: str) -> tuple[datetime, UUID]:
    """The key of a list that is ordered by time and id."""
    try:
        time, _, id_text = _decode(cursor).partition("|")
        return clock.parse(time), UUID(id_text)
    except ValueError as error:
        raise unusable() from error


def sorted_key(cursor: str, sort: str) -> tuple[datetime, UUID]:
    """The key of a list that is ordered by one of several times and id: its cursor names the order."""
    name, time, id_text = text_key(cursor, 3)
    if name != sort:
        raise unusable()
    try:
        return clock.parse(time), UUID(id_text)
    except ValueError as error:
        raise unusable() from error


def only_id(cursor: str) -> UUID:
    """The key of a list that is ordered by id alone."""
    try:
        return UUID(_decode(cursor))
    except ValueError as error:
        raise unusable() from error


def number(cursor: str) -> int:
    """The key of a list that is ordered by a growing number."""
    try:
        value = int(_decode(cursor))
    except ValueError as error:
        raise unusable() from error
    if not 0 <= value < 2**63:
        raise unusable()
    return value


def text_key(cursor: str, parts: int) -> list[str]:
    """The key of a list that is ordered by texts; the last part may contain the separator."""
    texts = _decode(cursor).split("|", parts - 1)
    if len(texts) != parts:
        raise unusable()
    return texts


def contains(session: Session, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether the column contains the text, in any case.

    SQLite's LIKE ignores the case of ASCII anyway; `ilike` would make copies of each value that take as long. Postgres needs half the time
    where only the case of ASCII matters, as it does for a text that consists of it."""
    return _like(session, column, text, f"%{_escaped(text)}%")


def like(session: Session, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether the column is the text, in which `*` stands for any text, in any case."""
    return _like(session, column, text, _escaped(text).replace("*", "%"))


def _like(session: Session, column: ColumnElement[str], text: str, pattern: str) -> ColumnElement[bool]:
    if session.get_bind().dialect.name == "sqlite":
        return column.like(pattern, escape="\\")
    return (column.collate("C") if text.isascii() else column).ilike(pattern, escape="\\")


def _escaped(text: str) -> str:
    """The text as a part of a LIKE pattern that stands for it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _decode(cursor: str) -> str:
    if len(cursor) > 2000:
        raise unusable()
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise unusable() from error


def unusable() -> Invalid:
    """The error for a cursor that we did not issue."""
    return Invalid("This page cursor is not valid here; request the first page again.")
