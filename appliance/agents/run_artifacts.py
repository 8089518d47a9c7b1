"""Brings the artifacts of a run from its own process to the server. A run goes on without those that the server doesn't take."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from uuid import UUID

import msgspec

from appliance.agents.patience import PatientLine
from appliance.client import artifacts
from appliance.client.errors import ClientError
from appliance.core.artifacts import Artifact
from appliance.core.logs import get_logger
from appliance.protocol.artifacts import MakeArtifact

_logger = get_logger()


class RunArtifacts:
    """For one attempt. Where in the run an artifact was made is its slot, so that a task that is tried again replaces what it has made."""

    def __init__(self, line: PatientLine, flow_run_id: UUID, attempt: int) -> None:
        self._line, self._flow_run_id, self._attempt = line, flow_run_id, attempt
        self._lock = threading.Lock()
        self._requests = 0
        self._of_others: Counter[tuple[object, ...]] = Counter()

    def take(self, artifact: Artifact) -> None:
        """Store an artifact, or say in the log why it isn't stored."""
        request = self._request(artifact)
        try:
            self._line.ask(lambda transport: artifacts.make(transport, self._flow_run_id, request))
        except ClientError as error:
            _logger.warning("%s was not stored: %s", artifact, error)

    def _request(self, artifact: Artifact) -> MakeArtifact:
        is_own = artifact.flow_run_id == str(self._flow_run_id)
        place: tuple[object, ...] = (artifact.task_slug, artifact.map_index, artifact.loop)
        with self._lock:
            self._requests += 1
            number = artifact.number
            if not is_own:  # of a flow that a task runs, perhaps several times
                place = (artifact.flow_name, *place)
                number = self._of_others[(*place, artifact.kind, artifact.key)]
                self._of_others[(*place, artifact.kind, artifact.key)] += artifact.kind != "progress"
            requests = self._requests
        name = artifact.title if artifact.kind == "progress" else ""
        slot = msgspec.json.encode([*place, artifact.kind, artifact.key, name, number])
        return MakeArtifact(
            attempt=self._attempt,
            number=requests,
            slot=hashlib.sha256(slot).hexdigest(),
            kind=artifact.kind,  # type: ignore[arg-type]  # it was checked where it was made
            sha256=hashlib.sha256(artifact.content).hexdigest(),
            content=artifact.content,
            key=artifact.key,
            title=artifact.title,
            task_slug=artifact.task_slug if is_own else None,
            map_index=artifact.map_index if is_own else -1,
            file_name=artifact.file_name,
            progress=artifact.progress,
            retention=artifact.keep,  # type: ignore[arg-type]
        )
