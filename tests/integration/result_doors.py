"""Doors to the results that an appliance keeps, as the process of a run has them."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from appliance.agents.run_keys import HandedKey
from appliance.agents.run_results import RunDoor
from appliance.protocol.agents import Work
from appliance.protocol.results import StoreResult
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import kept_results
from appliance.server.actions import run_protocol as runs
from appliance.server.db.session import Database
from tests.integration import builders


class Stopping:
    """A run that doesn't wait for a server that is away, once it must stop."""

    reason: str | None = None
    waits = 0

    def wait(self, seconds: float) -> None:
        self.waits += 1


def begun(database: Database, project: str = "demo", **fields: str) -> Work:
    """A new run of the project, in its first attempt, with its token."""
    run = builders.create(database, builders.register(database, project=project, **fields).flow_id)
    (work,) = builders.claim(database, builders.enrol(database))
    assert work.flow_run_id == run
    assert runs.begin(database, builders.RUN, run, Begin(attempt=1)).verdict == "go"
    return work


def request(location: str, content: bytes, attempt: int = 1, **fields: Any) -> StoreResult:
    """What an attempt sends to store these bytes."""
    sha256 = hashlib.sha256(content).hexdigest()
    return StoreResult(attempt=attempt, location=location, content=content, **({"sha256": sha256} | fields))


def stored(database: Database, work: Work, location: str, content: bytes, **fields: Any) -> UUID:
    """Store a result of an attempt; its id."""
    kept_results.store(database, work.flow_run_id, request(location, content, work.attempt, **fields))
    query = "select id from kept_result where location = :location and sha256 = :sha256 order by id desc"
    row = builders.one(database, query, location=location, sha256=hashlib.sha256(content).hexdigest())
    return UUID(str(row["id"]))


def door(work: Work, url: str, stopping: Stopping | None = None, key: HandedKey | None = None) -> RunDoor:
    """The door of an attempt, with the key that its agent has handed to it."""
    return RunDoor(url, work.run_token, UUID(str(work.flow_run_id)), work.attempt, stopping or Stopping(), key)
