"""What attempts of runs send to make artifacts."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from appliance.protocol.agents import Work
from appliance.protocol.artifacts import ArtifactMade, MakeArtifact
from appliance.server.actions import artifacts
from appliance.server.db.session import Database


def slot(name: str) -> str:
    """The slot of this name."""
    return hashlib.sha256(name.encode()).hexdigest()


def request(content: bytes = b"x", name: str = "a", number: int = 1, **fields: Any) -> MakeArtifact:
    """What an attempt sends to make an artifact, by default markdown."""
    sha256 = hashlib.sha256(content).hexdigest()
    given = {"attempt": 1, "kind": "markdown", "sha256": sha256, "number": number, "slot": slot(name)} | fields
    return MakeArtifact(content=content, **given)


def make(database: Database, flow_run_id: UUID, *arguments: Any, now: Any = None, **fields: Any) -> ArtifactMade:
    """Make an artifact of a run."""
    return artifacts.make(database, flow_run_id, request(*arguments, **fields), now=now)


def made(database: Database, work: Work, *arguments: Any, **fields: Any) -> ArtifactMade:
    """Make an artifact of an attempt."""
    return make(database, work.flow_run_id, *arguments, **fields)
