"""How a run's own process reaches the results that the appliance keeps."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID


class DoorError(Exception):
    """The appliance does not store or give a result; the message says why."""


class Kept(NamedTuple):
    """What the appliance has at a location: the bytes, their hash, whether they are sealed, and of which project they are."""

    sha256: str
    content: bytes
    sealed: bool = False
    project_id: UUID | None = None


class Key(Protocol):
    """Seals and opens results of one project, each at its location. `id` says which key it is."""

    @property
    def id(self) -> str: ...

    def seal(self, location: str, content: bytes) -> bytes: ...

    def open(self, location: str, sealed: bytes) -> bytes:
        """Raises DoorError."""


class Door(Protocol):
    """How this process reaches the appliance. All methods raise DoorError, and wait while it can't be reached."""

    def key(self, project_id: UUID | None = None) -> Key | None:
        """The key for the results of the project, of which a run knows its own only; None if there is none."""

    def store(
        self, location: str, content: bytes, sha256: str, *, key: Key | None, replace: bool, expires: datetime | None
    ) -> None:
        """`key` has sealed the content; None: it is not sealed."""

    def read(self, location: str, project: str | None) -> Kept | None:
        """None if there is nothing."""

    def find(self, location: str, project: str | None) -> bool | None:
        """Whether what is there is sealed; None if there is nothing."""


class _Connection:
    door: Door | None = None


def connect(door: Door) -> None:
    """From now on, this process stores and reads results as the run that the door is of."""
    _Connection.door = door


def connected() -> Door | None:
    """The door of the run that this process is."""
    return _Connection.door
