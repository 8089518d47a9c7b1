"""Reads results that the appliance keeps outside of a run, such as in a notebook, with the token of the environment or the profile."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.engine.results.doors import DoorError, Kept, Key
from appliance.engine.results.sealed import ResultKey, key_here


class ReadingDoor:
    """Each use opens a connection of its own."""

    def key(self, project_id: UUID | None = None) -> ResultKey | None:
        return None if project_id is None else key_here(project_id)

    def store(
        self, location: str, content: bytes, sha256: str, *, key: Key | None, replace: bool, expires: datetime | None
    ) -> None:
        raise DoorError("Only runs store results.")

    def read(self, location: str, project: str | None) -> Kept | None:
        return _ask(location, project)

    def find(self, location: str, project: str | None) -> bool | None:
        kept = _ask(location, project)
        return None if kept is None else kept.sealed


def _ask(location: str, project: str | None) -> Kept | None:
    from appliance.client import results
    from appliance.client.errors import ClientError, Refused
    from appliance.client.transport import Transport

    try:
        with Transport.from_environment() as transport:
            kept = results.read_as_person(transport, location, project)
            return Kept(kept.sha256, kept.content, kept.sealed, kept.project_id)
    except Refused as error:
        if error.code == "no_result":
            return None
        raise DoorError(str(error)) from None
    except (ClientError, ValueError) as error:
        raise DoorError(str(error)) from None
