"""How a run's own process reaches the results that the appliance keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class DoorError(Exception):
    """The appliance does not store or give a result; the message says why."""


class Door(Protocol):
    """How this process reaches the appliance. All methods raise DoorError, and wait while it can't be reached."""

    def store(self, location: str, content: bytes, sha256: str, *, replace: bool, expires: datetime | None) -> None: ...

    def read(self, location: str, project: str | None) -> tuple[str, bytes] | None:
        """The hash and the bytes, None if there is nothing."""

    def has(self, location: str, project: str | None) -> bool: ...


class _Connection:
    door: Door | None = None


def connect(door: Door) -> None:
    """From now on, this process stores and reads results as the run that the door is of."""
    _Connection.door = door


def connected() -> Door | None:
    """The door of the run that this process is."""
    return _Connection.door
