"""Stores results with the appliance that the run belongs to: every host of a run can reach it, without any further service.

A run's own process is connected to it by the agent, which also gives it the key that seals them, if there is one. Anywhere else, an administrator's token
reads results, and nothing is written.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from appliance.core import packs
from appliance.core.errors import ResultCorruptError, ResultError, ResultNotFoundError
from appliance.core.result_serializers import Serializer
from appliance.core.results import Result, Template, check_location
from appliance.engine.results.doors import Door, DoorError, Kept, connected
from appliance.engine.results.reading_door import ReadingDoor
from appliance.engine.results.sealed import NoKey
from appliance.kit import options


class ApplianceResult(Result):
    """Results that the appliance itself keeps, up to a size that its administrator sets. A flow's run needs no credentials for it.

    Outside of a run, it reads with an administrator's token; `project` is needed there for a location that several projects use.
    """

    def __init__(
        self, *, project: str | None = None, location: Template | None = None, serializer: Serializer | None = None
    ) -> None:
        super().__init__(location=location, serializer=serializer)
        self.project = options.text("project", project)

    @property
    def address(self) -> str:
        return "appliance:"

    def put(self, location: str, content: bytes) -> None:
        self._put(location, content, replace=True)

    def put_until(self, location: str, content: bytes, expires: datetime) -> None:
        self._put(location, content, replace=True, expires=expires)

    def put_once(self, location: str, content: bytes) -> None:
        """Write what nothing is to replace. Raises ResultError."""
        self._put(location, content, replace=False)

    def get(self, location: str) -> bytes:
        check_location(location)
        door = _door()
        try:
            kept = door.read(location, self.project)
            if kept is None:
                raise self.not_found(location)
            if hashlib.sha256(kept.content).hexdigest() != kept.sha256:
                raise ResultCorruptError(f"The result at {self.where(location)} was damaged on the way; try it again.")
            return self._opened(door, location, kept) if kept.sealed else kept.content
        except DoorError as error:
            raise self.trouble("read from", location, _clause(error)) from None

    def has(self, location: str) -> bool:
        return self._found(location) is not None

    def holds(self, location: str) -> bool:
        """Likewise. What is sealed with a key that is not here counts as nothing: its task can run again."""
        try:
            if packs.parse(location) is not None:
                return super().holds(location)
            is_sealed = self._found(location)
            if is_sealed:
                self.get(location)
            return is_sealed is not None
        except (_SealedError, ResultNotFoundError):
            return False

    def new_pack(self, location: str) -> packs.Pack:
        check_location(location)
        return _Pack(self, location)

    def _put(self, location: str, content: bytes, *, replace: bool, expires: datetime | None = None) -> None:
        check_location(location)
        door = connected()
        if door is None:
            raise ResultError(
                f"The result can't be written to {self.where(location)}: the appliance keeps only results of runs that an "
                "agent starts; run the flow that way, or give it another place, such as LocalResult()."
            )
        try:
            key = door.key()
            if key is not None:
                content = key.seal(location, content)
            sha256 = hashlib.sha256(content).hexdigest()
            door.store(location, content, sha256, key=key, replace=replace, expires=expires)
        except DoorError as error:
            raise self.trouble("written to", location, _clause(error)) from None

    def _opened(self, door: Door, location: str, kept: Kept) -> bytes:
        try:
            key = door.key(kept.project_id)
            if key is None:
                raise NoKey
            return key.open(location, kept.content)
        except NoKey as error:
            raise _SealedError(str(self.trouble("read from", location, _clause(error)))) from None

    def _found(self, location: str) -> bool | None:
        check_location(location)
        try:
            return _door().find(location, self.project)
        except DoorError as error:
            raise self.trouble("looked for at", location, _clause(error)) from None


class _SealedError(ResultError):
    """A result is sealed with a key that is not here."""


class _Pack(packs.ObjectPack):
    """A pack whose object is written once, however often that is tried."""

    def __init__(self, place: ApplianceResult, location: str) -> None:
        super().__init__(place, location)
        self._once = place

    def sync(self) -> None:
        self._once.put_once(self._location, bytes(self._content))


def _door() -> Door:
    return connected() or ReadingDoor()


def _clause(error: Exception) -> str:
    return str(error).rstrip(".")
