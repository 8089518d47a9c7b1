"""JSON that people write: what a parser would drop without a word is an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class RepeatedKey(ValueError):
    """A key occurs twice in one object, so that one of its values would be lost."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} occurs twice in one object")


def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads(object_pairs_hook=...)`. Raises RepeatedKey."""
    items: dict[str, Any] = {}
    for key, value in pairs:
        if key in items:
            raise RepeatedKey(key)
        items[key] = value
    return items
