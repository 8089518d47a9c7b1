"""The agent's side of the agent protocol (enrol, claim work with a long poll, report what happened to it), and agents as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from appliance.client import wire
from appliance.client.errors import Conflict, Invalid
from appliance.client.transport import Transport, path
from appliance.kit import ids
from appliance.protocol.agents import (
    AgentReport,
    AgentReported,
    Claim,
    Claimed,
    CodeGone,
    Deleted,
    Enrol,
    Enrolled,
    TakenBack,
    WereDeleted,
)
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.message import Page

_MOST_RACES = 3
_UNKNOWN_ONCE: tuple[dict[str, Any], ...] = (
    {"after": None},
    {
        "storages": None,
        "problems": [],
        "results_url": None,
        "results_id": "",
        "results_key_id": "",
        "provided": None,
    },
    {"roots": None, "closed": [], "env_names": None, "projects": []},
)
"""What servers of earlier releases don't know, and refuse; the latest comes first."""


def enrol(transport: Transport, request: Enrol) -> Enrolled:
    """Register the agent with the server. The same name means the same agent. A server of an earlier release does not know all that agents say of
    themselves, and gets none of that. If the agent has enrolled since the revision `after`, this is sent again after that: what may be late is not
    this request, but one that the network still holds."""
    versions = [request]
    for fewer in _UNKNOWN_ONCE:
        shorter = msgspec.structs.replace(versions[-1], **fewer)
        if shorter != versions[-1]:
            versions.append(shorter)
    for said in versions[:-1]:
        with suppress(Invalid):
            return _enrol(transport, said)
    return _enrol(transport, versions[-1])


def _enrol(transport: Transport, request: Enrol) -> Enrolled:
    for _ in range(_MOST_RACES):
        try:
            return _enrol_once(transport, request)
        except Conflict as error:
            revision = error.details.get("revision")
            if request.after is None or not isinstance(revision, int):
                raise
            request = msgspec.structs.replace(request, after=revision)
    return _enrol_once(transport, request)


def _enrol_once(transport: Transport, request: Enrol) -> Enrolled:
    return transport.post(path("agents"), request, Enrolled, idempotent=True, tries=1)


def claim(transport: Transport, agent_id: UUID, request: Claim) -> Claimed:
    """Ask for work. Not retried, because the answer to a claim can't be requested again."""
    return transport.post(path("agents", agent_id, "claim"), request, Claimed)


def report(transport: Transport, agent_id: UUID, request: AgentReport) -> AgentReported:
    """Report which attempts have started and ended, and log lines. Sending a report twice is harmless: one with lines has a key, which is made of its
    content, so that it is the same after a restart of the agent."""
    content = wire.encode(request)
    key = f"report-{ids.sha256(content)}" if request.logs else None
    return transport.ask(
        "POST", path("agents", agent_id, "report"), AgentReported, content, idempotent=True, tries=1, key=key
    )


def code_gone(transport: Transport, agent_id: UUID, request: CodeGone) -> TakenBack:
    """Report that what an attempt needs is not there. Sending this twice is harmless. A server of an earlier release knows of code alone, and takes
    nothing else back."""
    try:
        return transport.post(path("agents", agent_id, "code-gone"), request, TakenBack, idempotent=True)
    except Invalid:
        if request.is_code:
            raise
        return TakenBack(taken_back=False)


def deleted(transport: Transport, agent_id: UUID, request: WereDeleted) -> Deleted:
    """Ask which runs were deleted. A server of an earlier release doesn't know, and raises NotFound."""
    return transport.post(path("agents", agent_id, "were-deleted"), request, Deleted, idempotent=True, tries=1)


def sign_off(transport: Transport, agent_id: UUID) -> None:
    """Say that the agent has stopped."""
    transport.send("POST", path("agents", agent_id, "sign-off"), idempotent=True, tries=1)


def listed(transport: Transport, *, health: str | None = None, labels: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Agents: all, those of a health, or those that have all labels."""
    return transport.get(path("agents"), Page, {"health": health, "label": list(labels) or None}).items


def match(
    transport: Transport,
    labels: Sequence[str] = (),
    *,
    project: str | None = None,
    kind: str | None = None,
    storage: str | None = None,
    user: str | None = None,
    python: str | None = None,
) -> dict[str, Any]:
    """Which agents would take a run with all labels, and what the others lack."""
    params = {
        "label": list(labels) or None,
        "project": project,
        "kind": kind,
        "storage": storage,
        "user": user,
        "python": python,
    }
    return transport.get(path("agents", "match"), dict[str, Any], params)


def runs(transport: Transport, agent_id: UUID) -> dict[str, list[FlowRunView]]:
    """The runs of an agent: `live`, `waiting` and `ended`."""
    return transport.get(path("agents", agent_id, "runs"), dict[str, list[FlowRunView]])


def drain(transport: Transport, agent_id: UUID) -> dict[str, Any]:
    """Give an agent no more runs."""
    return transport.change("POST", path("agents", agent_id, "drain"), None, dict[str, Any])


def resume(transport: Transport, agent_id: UUID) -> dict[str, Any]:
    """Give a drained agent runs again."""
    return transport.change("POST", path("agents", agent_id, "resume"), None, dict[str, Any])


def forget(transport: Transport, agent_id: UUID) -> None:
    """Leave an offline agent out of all lists."""
    transport.remove(path("agents", agent_id))
