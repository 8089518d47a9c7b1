"""The content of a table artifact: the rows that code has, as JSON with plain cells, in which secrets are masked one by one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.core import masking, scalars
from appliance.core.errors import ArtifactError

_EXACT = 2**53
"""Browsers read larger whole numbers inexactly."""


def content(rows: Any, columns: Sequence[str] | None) -> bytes:
    """The table in JSON. Raises ArtifactError."""
    names, cells = _of_frame(rows) or _of_rows(rows, columns)
    if columns is not None and list(columns) != names:
        raise ArtifactError("The rows have columns of their own; leave `columns` out.")
    cells = list(cells)
    if cells and not names:
        raise ArtifactError("A table needs columns: pass rows that are dicts, or the names as columns=[...].")
    table = {"columns": [masking.mask(str(name)) for name in names], "rows": [list(map(_cell, row)) for row in cells]}
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _of_frame(rows: Any) -> tuple[list[Any], Iterable[Sequence[Any]]] | None:
    """The columns and rows of a DataFrame of pandas or polars."""
    if not hasattr(rows, "columns") or not hasattr(rows, "shape"):
        return None
    if hasattr(rows, "itertuples"):
        return list(rows.columns), rows.itertuples(index=False, name=None)
    return (list(rows.columns), rows.rows()) if callable(getattr(rows, "rows", None)) else None


def _of_rows(rows: Any, columns: Sequence[str] | None) -> tuple[list[Any], Iterable[Sequence[Any]]]:
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise ArtifactError(f"A table is made of rows, or of a DataFrame, not of {type(rows).__name__}.")
    given = list(rows)
    if all(isinstance(row, Mapping) for row in given) and (given or columns is None):
        names = list(columns or dict.fromkeys(name for row in given for name in row))
        return names, [[row.get(name) for name in names] for row in given]
    if any(isinstance(row, str | bytes | Mapping) or not isinstance(row, Sequence) for row in given):
        raise ArtifactError("The rows of a table are all dicts, or all lists or tuples.")
    if columns is None and given:
        raise ArtifactError("A table of lists or tuples needs the names of its columns: columns=[...].")
    return list(columns or ()), given


def _cell(value: Any) -> Any:
    """The value as JSON has it: what is missing is null, and what JSON does not have is shown as text."""
    value = scalars.plain(value)
    if value is None or isinstance(value, bool):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return value
    text = str(value)
    return None if text in ("NaT", "<NA>") else masking.mask(text)
