"""Records of the results that may be reused: stored next to the results, or in this process's memory if there is no place."""

from __future__ import annotations

import threading
from typing import Any

from appliance.core.cache_validators import Lookup, Record
from appliance.core.errors import ResultError, ResultNotFoundError
from appliance.core.results import Result
from appliance.kit import clock

_REMEMBERED = 10_000
_memory: dict[str, tuple[Record, Any]] = {}
_lock = threading.Lock()


def find(lookup: Lookup, place: Result | None) -> Record | None:
    """The record of an earlier result. Raises ResultError if it is broken or its place can't be reached."""
    if place is None:
        entry = _memory.get(lookup.name)
        return None if entry is None else entry[0]
    import msgspec

    try:
        content = place.get(_location(lookup))
    except ResultNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Record)
    except (msgspec.DecodeError, ValueError):
        raise ResultError(f"The record at {place.where(_location(lookup))} is broken.") from None


def value(lookup: Lookup, place: Result | None, record: Record) -> Any:
    """The result that a record describes. Raises ResultError."""
    if place is not None:
        return None if record.location is None else place.read(record.location, record.sha256)
    try:
        return _memory[lookup.name][1]
    except KeyError:
        raise ResultNotFoundError("The result is no longer remembered.") from None


def note(lookup: Lookup, place: Result | None, record: Record, result: Any) -> None:
    """Record the result, so that later lookups find it. The most recent record wins. Raises ResultError."""
    if place is not None:
        import msgspec

        place.put(_location(lookup), msgspec.json.encode(record))
        return
    with _lock:
        _memory.pop(lookup.name, None)
        if len(_memory) >= _REMEMBERED:
            _make_room()
        _memory[lookup.name] = (record, result)


def forget() -> None:
    """Clear the memory. Records in places remain."""
    with _lock:
        _memory.clear()


def _make_room() -> None:
    now = clock.now()
    for name in [name for name, (record, _) in _memory.items() if record.expires <= now]:
        del _memory[name]
    while len(_memory) >= _REMEMBERED:
        del _memory[next(iter(_memory))]


def _location(lookup: Lookup) -> str:
    return f"cache/{lookup.name}.json"
