"""The comparison of two versions as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from appliance.protocol.life_cycle import Change, VersionComparison

_LONGEST = 60


def lines(compared: VersionComparison) -> Iterator[str]:
    """A heading for each part that differs, and below it what was added (+), removed (-) and changed (~)."""
    if not compared.parts:
        yield f"Versions {compared.before} and {compared.after} have the same content."
        return
    for part in compared.parts:
        yield part.part.replace("_", " ").capitalize()
        yield from (f"  - {name}" for name in part.removed)
        yield from (f"  + {name}" for name in part.added)
        yield from (f"  ~ {_changed(change)}" for change in part.changed)


def _changed(change: Change) -> str:
    name = f"{change.name}: {change.field}" if change.field else f"{change.name}:"
    return f"{name} changed from {_value(change.before)} to {_value(change.after)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
