"""The agent's side of the agent protocol: enrol, claim work by long poll, report what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from appliance.client.transport import Transport, path
from appliance.protocol.agents import AgentReport, AgentReported, Claim, Claimed, Enrol, Enrolled


def enrol(transport: Transport, request: Enrol) -> Enrolled:
    """Make the agent known; the same name is the same agent."""
    return transport.post(path("agents"), request, Enrolled, idempotent=True, tries=1)


def claim(transport: Transport, agent_id: UUID, request: Claim) -> Claimed:
    """Ask for work. Sent once: the answer to a lost claim can't be had again."""
    return transport.post(path("agents", agent_id, "claim"), request, Claimed)


def report(transport: Transport, agent_id: UUID, request: AgentReport) -> AgentReported:
    """Tell what was started and what has ended; telling it twice is harmless."""
    return transport.post(path("agents", agent_id, "report"), request, AgentReported, idempotent=True, tries=1)


def listed(transport: Transport) -> list[dict[str, Any]]:
    """All agents."""
    answer = transport.get(path("agents"), object)
    items = answer.get("items", []) if isinstance(answer, dict) else answer
    return items if isinstance(items, list) else []
