"""What a client was told, written down the moment it hears it: one JSON line for each acknowledged change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID


class Journal:
    """An append-only file that outlives whoever writes it; each line is one write, so none is there by half."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def acknowledged(self, op: str, run: UUID, key: str = "", **values: Any) -> None:
        line = {"op": op, "run": str(run), "key": key, **values}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Every acknowledged change, in the order in which they were heard of."""
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())
