"""Stores results in this process's memory, for tests of flows. They are lost with the object."""

from __future__ import annotations

from appliance.core.result_serializers import Serializer
from appliance.core.results import Result, Template, check_location


class MemoryResult(Result):
    """A dict of bytes, `contents`, that behaves like the other places."""

    def __init__(self, *, location: Template | None = None, serializer: Serializer | None = None) -> None:
        super().__init__(location=location, serializer=serializer)
        self.contents: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return "memory:"

    def put(self, location: str, content: bytes) -> None:
        check_location(location)
        self.contents[location] = content

    def get(self, location: str) -> bytes:
        check_location(location)
        try:
            return self.contents[location]
        except KeyError:
            raise self.not_found(location) from None

    def has(self, location: str) -> bool:
        check_location(location)
        return location in self.contents
