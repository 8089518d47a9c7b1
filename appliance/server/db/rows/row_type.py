"""What result rows have in common: their columns are attributes that nobody can set."""

from __future__ import annotations

from typing import dataclass_transform


@dataclass_transform(frozen_default=True)
class RowType:
    """A type that rows of SQLAlchemy are cast to; there are no instances of it. To a type checker its fields are read-only."""
