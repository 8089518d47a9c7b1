"""Reads SQLite's write-ahead log without SQLite, which silently drops everything after the first frame that it can't verify.

That is right for a tail that a power cut has torn, and wrong for a frame that was damaged later. Every commit is synced before the next
one is written. So, when a commit is followed by further frames, it had reached the disk, and a fault before it is damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import mul

HEADER = 32
FRAME_HEADER = 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # the byte order of the checksums
_VERSION = 3_007_000
_MASK = 0xFFFFFFFF
_Sums = tuple[int, int]


class BrokenLog(Exception):
    """The log is damaged in front of commits that had reached the disk."""


@dataclass(frozen=True)
class Frame:
    """The new content of one page. `size` is the database's size in pages after a commit, and 0 in a frame that is not a commit's last."""

    index: int
    number: int
    size: int
    salts: bytes
    sums: _Sums
    page: memoryview


@cache
def _fibonacci(count: int) -> tuple[int, ...]:
    """F(count) down to F(0), modulo 2 ** 32."""
    numbers = [0, 1]
    while len(numbers) <= count:
        numbers.append((numbers[-1] + numbers[-2]) & _MASK)
    return tuple(numbers[count::-1])


def checksum(order: str, data: bytes | memoryview, start: _Sums = (0, 0)) -> _Sums:
    """SQLite's checksum: `s1 += x0 + s2; s2 += x1 + s1` for each pair of words. It is linear, so the words are multiplied by Fibonacci
    numbers instead, which takes a tenth of the time in Python."""
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    factors = _fibonacci(len(words))
    one, two = start
    first = sum(map(mul, words, factors[1:])) + one * factors[1] + two * factors[0]
    second = sum(map(mul, words, factors)) + one * factors[0] + two * (factors[0] + factors[1])
    return first & _MASK, second & _MASK


class Log:
    """A log of which no other process writes a byte."""

    def __init__(self, data: bytes | memoryview, page_size: int) -> None:
        """`page_size` is the database's, in case that the log's header is damaged."""
        self._data = memoryview(data)
        magic, version, size, self._number, *_ = struct.unpack(">8I", self._data[:HEADER])
        self._order = _MAGIC.get(magic, "<")
        self._salts = bytes(self._data[16:24])
        sums = struct.unpack(">2I", self._data[24:HEADER])
        self._known = magic in _MAGIC and version == _VERSION
        self._whole = self._known and checksum(self._order, self._data[:24]) == sums
        self._start: _Sums = sums
        self.page_size: int = size if self._whole else page_size

    def committed(self) -> list[Frame]:
        """The frames that SQLite will take into the database. Raises BrokenLog if it would drop commits that had reached the disk."""
        if not self._whole:
            self._check_behind(0)
            return []
        frames: list[Frame] = []
        end, sums = 0, self._start
        for frame in self._frames():
            if frame.salts != self._salts or not frame.number or self._sums(frame, sums) != frame.sums:
                self._check_behind(frame.index)
                break
            frames.append(frame)
            sums = frame.sums
            if frame.size:
                end = len(frames)
        return frames[:end]

    def _check_behind(self, start: int) -> None:
        """Raise BrokenLog if a commit at or behind the unverifiable frame `start` has frames of the same log behind it."""
        before: Frame | None = None
        commit = False
        for frame in self._frames(start):
            good = (
                before is not None
                and self._is_ours(frame, before)
                and self._sums(frame, before.sums) == frame.sums
                and frame.number != 0
            )
            if good and commit:
                raise BrokenLog
            commit = commit or bool((good or (self._whole and frame.index == start)) and self._is_commit(frame))
            before = frame

    def _is_commit(self, frame: Frame) -> bool:
        return frame.size != 0 and (not self._whole or frame.salts == self._salts)

    def _is_ours(self, frame: Frame, before: Frame) -> bool:
        """Whether a frame is of this log, and not left over from an earlier round."""
        if self._whole:
            return frame.salts == self._salts
        same = frame.salts[:4] == self._salts[:4] or frame.salts[4:] == self._salts[4:]
        return frame.salts == before.salts and (same or not self._known)

    def _sums(self, frame: Frame, start: _Sums) -> _Sums:
        at = self._offset(frame.index)
        return checksum(self._order, frame.page, checksum(self._order, self._data[at : at + 8], start))

    def _offset(self, index: int) -> int:
        return HEADER + index * (FRAME_HEADER + self.page_size)

    def _frames(self, start: int = 0) -> Iterator[Frame]:
        index = start
        while (end := self._offset(index + 1)) <= len(self._data):
            at = self._offset(index)
            number, size, one, two = struct.unpack(">2I8x2I", self._data[at : at + FRAME_HEADER])
            salts = bytes(self._data[at + 8 : at + 16])
            yield Frame(index, number, size, salts, (one, two), self._data[at + FRAME_HEADER : end])
            index += 1
