"""The environment variables that a registration sets: refused if no agent that may run it would set them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.kit import environment_names
from appliance.kit.documents import JsonDocument
from appliance.server.actions import takers
from appliance.server.errors import Invalid


def refuse_closed(session: Session, project: str, storage_type: str, labels: list[str], config: JsonDocument) -> None:
    """Raises Invalid if each agent that may start such runs would refuse a variable. One of an earlier release doesn't say, and may take all."""
    names = config.get("env") or {}
    if not names:
        return
    agents = takers.of(session, project, storage_type, labels, config)
    refused = [
        "" if agent.env_names is None else environment_names.refused_name(names, agent.env_names) for agent in agents
    ]
    if agents and all(refused):
        raise Invalid(environment_names.refusal(refused[0], f"agent {agents[0].name!r}", agents[0].env_names or []))
