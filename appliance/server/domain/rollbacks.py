"""A rollback in words: what the new version says of itself, and what rolling back can't restore."""

from __future__ import annotations

from appliance.kit.documents import JsonDocument
from appliance.protocol import storage
from appliance.protocol.code_places import ModuleCode


def words(number: int, reason: str) -> str:
    return f"rolled back to version {number}" + (f": {reason}" if reason else "")


def left_behind(number: int, old: JsonDocument, newest: JsonDocument) -> list[str]:
    """What is on the machines of agents and therefore stays as it is: one sentence, or none."""
    place = storage.decode(old)
    if isinstance(place, storage.LocalCode) and old != newest:
        return [
            f"The code of version {number} is in files on the agents' machines, which a rollback doesn't touch: put {place.path or 'them'} back as "
            "it was, or runs will wait for it."
        ]
    if isinstance(place, ModuleCode) and old != newest:
        return [
            f"The code of version {number} is {place.distribution} {place.version}, which a rollback doesn't install: install it where the agents run, "
            "or runs will wait for it."
        ]
    return []
