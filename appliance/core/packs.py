"""The format of packs: many small results in one file or object, each in a record with its length and hash.

A record's location is the pack's with its offset, length and the beginning of its hash, such as `a/b.pack/8-5-0123456789abcdef`.
A release that doesn't know packs finds nothing there and runs the task again. A record is only ever read at its location, so whatever a
process that died has left after it is harmless.
"""

from __future__ import annotations

import hashlib
import re
from struct import Struct
from typing import Any, NamedTuple, Protocol

SMALL = 64 * 1024
"""The largest result, in bytes, that goes into a pack."""
SUFFIX = ".pack"
HEAD = b"APLPACK1"

_RECORD = Struct(">4sI32s")
_BEGIN = b"RES\n"
_LOCATION = re.compile(rf"(.+{re.escape(SUFFIX)})/(0|[1-9]\d{{0,14}})-(0|[1-9]\d{{0,4}})-([0-9a-f]{{16}})", re.DOTALL)
_MOST_OF_AN_OBJECT = 4 * 1024 * 1024


class Record(NamedTuple):
    """Where a result is in a pack, as its location says."""

    pack: str
    offset: int
    length: int
    mark: str
    """The first 16 characters of the hash."""

    @property
    def size(self) -> int:
        """How many bytes of the pack it takes."""
        return _RECORD.size + self.length

    def __str__(self) -> str:
        return f"{self.pack}/{self.offset}-{self.length}-{self.mark}"


def parse(location: str) -> Record | None:
    """The record at this location, or None if that is not in a pack."""
    match = _LOCATION.fullmatch(location) if SUFFIX in location else None
    if match is None or int(match[3]) > SMALL:
        return None
    return Record(match[1], int(match[2]), int(match[3]), match[4])


def encode(content: bytes, digest: bytes) -> bytes:
    """The content as a record, with its SHA-256."""
    return _RECORD.pack(_BEGIN, len(content), digest) + content


def at_offset(pack: str, offset: int, record: bytes) -> Record:
    """Where a record is that is written at this offset."""
    _, length, digest = _RECORD.unpack_from(record)
    return Record(pack, offset, length, digest[:8].hex())


def decode(record: Record, raw: bytes | memoryview) -> bytes | None:
    """The content of a record, from the bytes at its place, or None if they are not what was written."""
    if len(raw) != record.size:
        return None
    begin, length, digest = _RECORD.unpack_from(raw)
    content = bytes(raw[_RECORD.size :])
    if (begin, length, digest[:8].hex()) != (_BEGIN, record.length, record.mark):
        return None
    return content if hashlib.sha256(content).digest() == digest else None


class Pack(Protocol):
    """A pack that is being written. Whoever uses it sees to it that one thread appends at a time."""

    is_once: bool
    """Is it complete with the first `sync`?"""

    @property
    def is_full(self) -> bool: ...

    def append(self, record: bytes) -> Record:
        """Write a record. It is there for good after the next `sync`. Raises ResultError."""

    def sync(self) -> None:
        """Make everything durable that was appended. Raises ResultError."""

    def close(self) -> None: ...


class ObjectPack:
    """A pack for places that can only write whole objects: it is one of them, written by the first `sync`."""

    is_once = True

    def __init__(self, place: Any, location: str) -> None:
        self._place, self._location = place, location
        self._content = bytearray(HEAD)

    @property
    def is_full(self) -> bool:
        return len(self._content) >= _MOST_OF_AN_OBJECT

    def append(self, record: bytes) -> Record:
        at = at_offset(self._location, len(self._content), record)
        self._content += record
        return at

    def sync(self) -> None:
        self._place.put(self._location, bytes(self._content))

    def close(self) -> None:
        self._content.clear()
