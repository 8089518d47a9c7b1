"""Stores results with the appliance that the run belongs to: every host of a run can reach it, without any further service.

A run's own process is connected to it by the agent. Anywhere else, an administrator's token reads results, and nothing is written.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from appliance.core import packs
from appliance.core.errors import ResultCorruptError, ResultError
from appliance.core.result_serializers import Serializer
from appliance.core.results import Result, Template, check_location
from appliance.engine.results.doors import Door, DoorError, connected
from appliance.engine.results.reading_door import ReadingDoor
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
        try:
            kept = _door().read(location, self.project)
        except DoorError as error:
            raise self.trouble("read from", location, _clause(error)) from None
        if kept is None:
            raise self.not_found(location)
        sha256, content = kept
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ResultCorruptError(f"The result at {self.where(location)} was damaged on the way; try it again.")
        return content

    def has(self, location: str) -> bool:
        check_location(location)
        try:
            return _door().has(location, self.project)
        except DoorError as error:
            raise self.trouble("looked for at", location, _clause(error)) from None

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
            door.store(location, content, hashlib.sha256(content).hexdigest(), replace=replace, expires=expires)
        except DoorError as error:
            raise self.trouble("written to", location, _clause(error)) from None


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
