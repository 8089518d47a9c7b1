"""Reads results that the appliance keeps outside of a run, such as in a notebook, with the token of the environment or the profile."""

from __future__ import annotations

from datetime import datetime

from appliance.engine.results.doors import DoorError


class ReadingDoor:
    """Each use opens a connection of its own."""

    def store(self, location: str, content: bytes, sha256: str, *, replace: bool, expires: datetime | None) -> None:
        raise DoorError("Only runs store results.")

    def read(self, location: str, project: str | None) -> tuple[str, bytes] | None:
        return _ask(location, project)

    def has(self, location: str, project: str | None) -> bool:
        return _ask(location, project) is not None


def _ask(location: str, project: str | None) -> tuple[str, bytes] | None:
    from appliance.client import results
    from appliance.client.errors import ClientError, Refused
    from appliance.client.transport import Transport

    try:
        with Transport.from_environment() as transport:
            kept = results.read_as_person(transport, location, project)
            return kept.sha256, kept.content
    except Refused as error:
        if error.code == "no_result":
            return None
        raise DoorError(str(error)) from None
    except (ClientError, ValueError) as error:
        raise DoorError(str(error)) from None
