"""The door through which a run's own process stores and reads results that the appliance keeps. It waits while the server can't be reached.

The agent gives the process the key for the results of its project, and never the site's, from which that is derived: the process runs code of others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from appliance.agents.patience import PASSING, PatientLine, Stopping
from appliance.agents.run_keys import HandedKey
from appliance.client import results
from appliance.client.errors import ClientError, Refused
from appliance.client.transport import Transport
from appliance.engine.results.doors import DoorError, Kept, Key
from appliance.engine.results.sealed import ResultKey
from appliance.protocol.results import MOST_BYTES, AskResult, StoreResult

_NO_END = 2100
"""No server takes a later year."""
T = TypeVar("T")


class RunDoor:
    """For the results of one attempt. `project` is not asked for: a run reads those of its own."""

    def __init__(
        self, url: str, token: str, flow_run_id: UUID, attempt: int, stopping: Stopping, key: HandedKey | None = None
    ) -> None:
        self._line = PatientLine(url, token, stopping)
        self._handed = key or HandedKey()
        self._key: ResultKey | None = None
        self._flow_run_id, self._attempt = flow_run_id, attempt

    def key(self, project_id: UUID | None = None) -> ResultKey | None:
        if self._key is None:
            self._key = self._handed.key()
        return self._key

    def store(
        self, location: str, content: bytes, sha256: str, *, key: Key | None, replace: bool, expires: datetime | None
    ) -> None:
        if len(content) > MOST_BYTES:
            raise DoorError(
                f"It has {len(content):,} bytes, and no appliance keeps more than {MOST_BYTES:,}; store it elsewhere, for example "
                "in an object store."
            )
        if expires is not None and expires.year >= _NO_END:
            expires = None
        request = StoreResult(
            attempt=self._attempt,
            location=location,
            sha256=sha256,
            content=content,
            replace=replace,
            expires=expires,
            sealed=key is not None,
            key_id="" if key is None else key.id,
        )
        self._patiently(lambda transport: results.store(transport, self._flow_run_id, request))

    def read(self, location: str, project: str | None) -> Kept | None:
        request = AskResult(attempt=self._attempt, location=location)
        try:
            answer = self._patiently(lambda transport: results.read(transport, self._flow_run_id, request))
        except _NothingThere:
            return None
        return Kept(answer.sha256, answer.content, answer.sealed, answer.project_id)

    def find(self, location: str, project: str | None) -> bool | None:
        request = AskResult(attempt=self._attempt, location=location)
        facts = self._patiently(lambda transport: results.find(transport, self._flow_run_id, request))
        return facts.sealed if facts.exists else None

    def _patiently(self, ask: Callable[[Transport], T]) -> T:
        try:
            return self._line.ask(ask)
        except PASSING as error:
            raise DoorError(str(error)) from None
        except Refused as error:
            if error.code == "no_result":
                raise _NothingThere from None
            if error.code == "not_found" and error.status == 404:
                raise DoorError(f"{error} A server of an earlier release keeps no results.") from None
            raise DoorError(str(error)) from None
        except ClientError as error:
            raise DoorError(str(error)) from None


class _NothingThere(DoorError):
    """There is no such result."""
