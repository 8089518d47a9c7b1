"""Finds the parts of a data frame that come back from a file as something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from appliance.core import table_fingerprints
from appliance.core.fingerprints import fingerprint

_MOST = 5


def of(frame: Any, back: Any) -> list[str]:
    """What differs, named for people; at most five things. Empty if nothing does."""
    changes = list(_changes(frame, back))
    return changes if len(changes) <= _MOST else [*changes[:_MOST], f"{len(changes) - _MOST} more columns"]


def _changes(frame: Any, back: Any) -> Iterator[str]:
    if type(frame) is not type(back):
        yield f"a {type(frame).__name__}"
        return
    if not _same_labels(frame.columns, back.columns):
        yield "the names of the columns"
        return
    if not _same_labels(frame.index, back.index):
        yield "the index"
    if fingerprint(frame.attrs) != fingerprint(back.attrs):
        yield "the attrs"
    for place, name in enumerate(frame.columns):
        column, other = frame.iloc[:, place], back.iloc[:, place]
        if fingerprint(table_fingerprints.column(column.array)) != fingerprint(table_fingerprints.column(other.array)):
            became = f" as {other.dtype}" if column.dtype != other.dtype else ""
            yield f"the column {name!r} (of type {column.dtype}, which comes back{became or ' with other values'})"


def _same_labels(labels: Any, back: Any) -> bool:
    """A range of numbers may come back as these numbers."""
    return (
        labels.nlevels == back.nlevels
        and labels.dtype == back.dtype
        and list(labels.names) == list(back.names)
        and bool(labels.equals(back))
        and [*map(type, labels)] == [*map(type, back)]
    )


def json_text(frame: Any) -> bytes | None:
    """The frame as pandas writes it in JSON without options, but with every digit. None for what JSON can't hold."""
    columns = {}
    for place, name in enumerate(frame.columns):
        cells = zip(map(str, frame.index), frame.iloc[:, place].tolist(), strict=True)
        columns[str(name)] = {label: None if _is_nan(cell) else cell for label, cell in cells}
    try:
        return json.dumps(columns, allow_nan=False).encode()
    except (TypeError, ValueError):
        return None


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and cell != cell
