"""Records of the results that may be reused: stored next to the results, or in this process's memory if there is no place."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from appliance.core.cache_validators import Lookup, Record
from appliance.core.copies import own
from appliance.core.errors import ResultError, ResultNotFoundError
from appliance.core.results import Result
from appliance.engine import memory_sizes
from appliance.kit import clock

_REMEMBERED = 10_000
_MOST_BYTES = 256 * 1024 * 1024


class _Entry(NamedTuple):
    record: Record
    result: Any
    size: int


class _Memory(dict[str, _Entry]):
    """Entries by name, the oldest first, and how much they take."""

    size = 0

    def add(self, name: str, entry: _Entry) -> None:
        """The caller has made room for it."""
        self[name] = entry
        self.size += entry.size

    def drop(self, name: str) -> None:
        self.size -= self.pop(name).size

    def make_room(self, size: int) -> None:
        """Forget what has expired, and then the oldest, until one more result of this size fits."""
        if self._fits(size):
            return
        now = clock.now()
        for name in [name for name, entry in self.items() if entry.record.expires <= now]:
            self.drop(name)
        while self and not self._fits(size):
            self.drop(next(iter(self)))

    def _fits(self, size: int) -> bool:
        return len(self) < _REMEMBERED and self.size + size <= _MOST_BYTES


_memory = _Memory()
_lock = threading.Lock()


def find(lookup: Lookup, place: Result | None) -> Record | None:
    """The record of an earlier result. Raises ResultError if it is broken or its place can't be reached."""
    if place is None:
        entry = _memory.get(lookup.name)
        return None if entry is None else entry.record
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
        return own(_memory[lookup.name].result)
    except KeyError:
        raise ResultNotFoundError("The result is no longer remembered.") from None


def note(lookup: Lookup, place: Result | None, record: Record, result: Any) -> None:
    """Record the result, so that later lookups find it. The most recent record wins. Raises ResultError."""
    if place is not None:
        import msgspec

        place.put_until(_location(lookup), msgspec.json.encode(record), record.expires)
        return
    size = memory_sizes.estimate(result)
    if size > _MOST_BYTES:
        raise ResultError(
            f"it takes about {size // 2**20} MB of memory, and a process remembers {_MOST_BYTES // 2**20} MB of results; "
            "set result=LocalResult(...) on the task."
        )
    with _lock:
        if lookup.name in _memory:
            _memory.drop(lookup.name)
        _memory.make_room(size)
        _memory.add(lookup.name, _Entry(record, own(result), size))


def forget() -> None:
    """Clear the memory. Records in places remain."""
    with _lock:
        _memory.clear()
        _memory.size = 0


def _location(lookup: Lookup) -> str:
    return f"cache/{lookup.name}.json"
