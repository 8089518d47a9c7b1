"""Reads that go on when a stored value can't be read: the damaged row is left out, logged and counted, and the others are returned."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

UNREADABLE = (ValueError, TypeError)
"""What the types of columns raise for a stored value that could not have been stored through our own API (msgspec's errors are
ValueErrors)."""


class _Skipped:
    rows = 0


def skipped() -> int:
    """How many times this process has left out a damaged row."""
    return _Skipped.rows


def rows(session: Session, statement: Select[Any], limit: int, values: dict[str, Any] | None = None) -> list[Any]:
    """The first `limit` rows of an ordered statement that can be read. Reading them one by one costs only where one is damaged."""
    try:
        return list(session.execute(statement.limit(limit), values or {}).all())
    except UNREADABLE:
        return list(islice(_one_by_one(session, statement, values or {}), limit))


def _one_by_one(session: Session, statement: Select[Any], values: dict[str, Any]) -> Iterator[Any]:
    for place in count(0):
        try:
            row = session.execute(statement.limit(1).offset(place), values).first()
        except UNREADABLE as error:
            _Skipped.rows += 1
            log.error("A damaged row was left out of a list: %s", error)
            continue
        if row is None:
            return
        yield row
