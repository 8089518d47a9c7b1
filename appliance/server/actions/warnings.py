"""What will hold runs up, said when a flow is registered or a run is created, before it costs anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.run_config import kind_of, needs_of
from appliance.server.db.reads import projects, secrets
from appliance.server.db.rows.flows import FlowRow, FlowVersionRow
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.domain.run_configs import merge
from appliance.server.domain.waiting import RunFacts, Situation, excess, taken

_SAID = frozenset({"no_kind", "no_storage", "no_label", "no_user", "no_python"})
"""Reasons that a person has to do something about. That no agent is online at the moment, or that all are busy, is none."""


def facts_of(project_id: UUID, config: JsonDocument, storage: str, labels: Iterable[str], now: datetime) -> RunFacts:
    """A run with this run config that is due now."""
    return RunFacts(
        state_type="SCHEDULED",
        state_name="Scheduled",
        scheduled_time=now,
        labels=frozenset(labels),
        project_id=project_id,
        kind=kind_of(config),
        storage=storage,
        needs=needs_of(config),
    )


def unserved(run: RunFacts, situation: Situation) -> list[str]:
    """Why no live agent would take the run, or none would start it with its limits: one sentence, or none."""
    reason = taken(run, situation)
    if reason.code in _SAID:
        return [f"{reason.sentence} Runs wait until one does."]
    return list(filter(None, [excess(run, situation)]))


def of_version(
    session: Session, flow: FlowRow | Flow, version: FlowVersionRow | FlowVersion, situation: Situation
) -> list[str]:
    """What runs of the flow's newest version will wait for, or fail for, as the agents are, and which defaults it has no use for."""
    config = merge(version.run_config, flow.overrides.get("run_config") or {})
    labels = flow.overrides.get("labels")
    labels = version.labels if labels is None else labels
    facts = facts_of(flow.project_id, config, version.storage_type, labels, situation.now)
    declared = version.graph.get("secrets") or []
    return unserved(facts, situation) + _missing_secrets(session, flow.project_id, declared) + _unused(flow, version)


def _unused(flow: FlowRow | Flow, version: FlowVersionRow | FlowVersion) -> list[str]:
    known = {item["name"] for item in version.parameters}
    return [
        f"The flow has a default for parameter {name!r}, which version {version.number} does not have; remove it from the flow's defaults."
        for name in flow.overrides.get("parameters") or {}
        if name not in known
    ]


def _missing_secrets(session: Session, project_id: UUID, declared: Collection[str]) -> list[str]:
    known = secrets.among(session, project_id, declared) if declared else frozenset()
    missing = [name for name in declared if name not in known]
    project = next((row.name for row in projects.by_ids(session, [project_id] if missing else [])), "")
    return [
        f"Project {project} has no secret {name!r}; set it with `appliance secret set {name} --project {project}` or on the page Secrets, unless "
        "agents have it in their environment."
        for name in missing
    ]
