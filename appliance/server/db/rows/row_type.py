"""The common type of result rows, whose columns are read-only attributes."""

from __future__ import annotations

from typing import dataclass_transform


@dataclass_transform(frozen_default=True)
class RowType:
    """A type that SQLAlchemy's rows are cast to. It has no instances; type checkers treat its fields as read-only."""
