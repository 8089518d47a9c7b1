"""Artifacts of runs: the run's side, whose requests are sent once, and that of people."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from appliance.client.errors import BadAnswer
from appliance.client.transport import Transport, path
from appliance.client.wire import items
from appliance.protocol.artifacts import ArtifactMade, ArtifactView, MakeArtifact
from appliance.protocol.message import Page

PAGE = 200


def make(transport: Transport, flow_run_id: UUID, request: MakeArtifact) -> ArtifactMade:
    """Make an artifact of an attempt, or replace the one in its slot."""
    return transport.post(path("flow-runs", flow_run_id, "artifacts"), request, ArtifactMade)


def each(
    transport: Transport,
    *,
    project: str | None = None,
    flow_id: UUID | None = None,
    flow_run_id: UUID | None = None,
    key: str | None = None,
    limit: int | None = None,
) -> Iterator[ArtifactView]:
    """Up to `limit` artifacts, newest first, without their bytes: of a project, a flow, or a run, or the versions of a key of a project."""
    params = {"project": project, "flow_id": flow_id, "flow_run_id": flow_run_id, "key": key}
    return _pages(transport, path("artifacts"), params, limit)


def latest(
    transport: Transport, *, project: str | None = None, prefix: str | None = None, limit: int | None = None
) -> Iterator[ArtifactView]:
    """The latest version of each key, those first that were made last."""
    return _pages(transport, path("artifacts", "latest"), {"project": project, "prefix": prefix}, limit)


def one(transport: Transport, artifact_id: UUID) -> ArtifactView:
    """An artifact without its bytes."""
    return transport.get(path("artifacts", artifact_id), ArtifactView)


def content(transport: Transport, artifact: ArtifactView) -> bytes:
    """The bytes of an artifact. Raises BadAnswer if they are not those that it had when it was looked up."""
    received = transport.read(path("artifacts", artifact.id, "content"))
    if hashlib.sha256(received).hexdigest() != artifact.sha256:
        raise BadAnswer("The artifact was replaced in the meantime, or damaged on the way; try again.")
    return received


def remove(transport: Transport, artifact_id: UUID) -> None:
    """Delete an artifact."""
    transport.remove(path("artifacts", artifact_id))


def _pages(transport: Transport, where: str, params: Mapping[str, Any], limit: int | None) -> Iterator[ArtifactView]:
    left, after = limit, None
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = transport.get(where, Page, {**params, "limit": size, "after": after})
        views, after = items(page, ArtifactView), page.next
        yield from views
        left = None if left is None else left - len(views)
        if after is None:
            return
