"""Cuts written text into lines, in time proportional to its length, however small or large the pieces are."""

from __future__ import annotations

import codecs
from collections.abc import Callable

LONGEST = 16 * 1024
"""Characters. Of a longer line, only the beginning is kept."""


class Lines:
    """Passes each complete line to `emit`, without its end. Text that a carriage return overwrites is dropped, as on a terminal."""

    __slots__ = ("_decoder", "_emit", "_returned", "_room", "unfinished")

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._decoder: codecs.IncrementalDecoder | None = None
        self.unfinished: list[str] = []
        """The pieces of a line that has no end yet."""
        self._room = LONGEST
        self._returned = False  # the next text overwrites the line, unless it ends it

    def write(self, text: str) -> None:
        start = 0
        while (end := text.find("\n", start)) >= 0:
            self._add(text[start:end].rstrip("\r"))
            self._end()
            start = end + 1
        self._add(text[start:] if start else text)

    def write_bytes(self, data: bytes) -> None:
        """Write UTF-8. A character may be split between two calls."""
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.write(self._decoder.decode(data))

    def close(self) -> None:
        """Emit the last line if it has no end, except the blanks with which progress bars disappear."""
        if any(not part.isspace() for part in self.unfinished):
            self._end()

    def _add(self, piece: str) -> None:
        text = piece.rstrip("\r")
        if text:
            _, overwrites, text = text.rpartition("\r")
            if overwrites or self._returned:
                self._clear()
            if self._room > 0:
                self.unfinished.append(text[: self._room])
            self._room -= len(text)
        if piece:
            self._returned = piece.endswith("\r")

    def _end(self) -> None:
        line, more = "".join(self.unfinished), -self._room
        self._clear()
        self._emit(line if more <= 0 else f"{line} ... ({more:,} more characters)")

    def _clear(self) -> None:
        self.unfinished = []
        self._room = LONGEST
        self._returned = False
