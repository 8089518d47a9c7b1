"""The environment variables that a registration sets: refused if no agent that may run it would set them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.kit import environment_names
from appliance.server.actions import takers
from appliance.server.db.tables.flows import FlowVersion
from appliance.server.errors import Invalid


def refuse_closed(session: Session, project: str, version: FlowVersion) -> None:
    """Raises Invalid if each agent that may run this version would refuse a variable. One of an earlier release doesn't say, and may take all."""
    names = version.run_config.get("env") or {}
    if not names:
        return
    agents = takers.of(session, project, version)
    refused = [
        "" if agent.env_names is None else environment_names.refused_name(names, agent.env_names) for agent in agents
    ]
    if agents and all(refused):
        raise Invalid(environment_names.refusal(refused[0], f"agent {agents[0].name!r}", agents[0].env_names or []))
