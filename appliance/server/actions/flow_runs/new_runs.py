"""Creating flow runs inside the transaction of an action: the run, its first state and its event are stored together or not at all."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import crash, ids
from appliance.kit.documents import JsonDocument, Parameters
from appliance.server.actions import quotas, run_configs
from appliance.server.actions.names import labels_of
from appliance.server.actions.states import record_first
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import NewFlowRun
from appliance.server.db.rows.flows import FlowDefaults, VersionDefaults
from appliance.server.db.writes import flow_runs
from appliance.server.domain import hosts
from appliance.server.domain import parameters as rules
from appliance.server.domain.automation_acts import context_of
from appliance.server.domain.run_configs import FLOW, RUN
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import FIRST
from appliance.server.errors import Invalid


class Parent(NamedTuple):
    """The task run that starts a run, whether it waits for its end, and which version it starts; None: the latest."""

    flow_run_id: UUID
    task_slug: str
    map_index: int
    waits: bool
    version: int | None = None


def merge_parameters(flow: FlowDefaults, version: VersionDefaults, values: Parameters) -> Parameters:
    """The version's defaults, replaced by those of the flow that it still knows, replaced by `values`; Invalid, in one sentence a problem, when they
    don't fit."""
    known = {item["name"] for item in version.parameters}
    defaults = {name: value for name, value in (flow.overrides.get("parameters") or {}).items() if name in known}
    merged = rules.merge(version.parameters, defaults, values)
    problems = rules.problems(version.parameters, merged)
    if problems:
        raise Invalid(" ".join(problems[:5]), problems=problems[:50])
    return merged


def run_row(
    flow: FlowDefaults,
    version: VersionDefaults,
    *,
    name: str,
    parameters: Parameters,
    labels: list[str] | None,
    scheduled_time: datetime,
    actor: Actor,
    now: datetime,
    layer: str = RUN,
    run_config: JsonDocument | None = None,
    given: Collection[str] = (),
    schedule_id: UUID | None = None,
    idempotency_key: str | None = None,
    parent: Parent | None = None,
) -> NewFlowRun:
    """A new run as a row. Labels: `labels`, else those of the flow's settings, else those of the version; and the host that has its code.
    `layer` is who says the labels and the run config: a schedule or the request. `given` are the parameters that it sets. Raises Invalid if the
    run configs don't go together."""
    labels_layer: str | None = layer
    if labels is None:
        override = flow.overrides.get("labels")
        labels, labels_layer = (version.labels, None) if override is None else (override, FLOW)
    row: NewFlowRun = {
        "id": ids.uuid7(),
        "flow_id": flow.id,
        "flow_version_id": version.id,
        "schedule_id": schedule_id,
        "due_at": scheduled_time if schedule_id is not None else None,
        "idempotency_key": idempotency_key,
        "name": name,
        "parameters": parameters,
        "context": context_of(actor.chain),
        "labels": labels_of([*labels, *hosts.kept(version.labels)]),
        "run_config": run_configs.merged(flow, version, run_config),
        "overrides": run_configs.overrides_of(flow, layer, run_config, labels_layer, given),
        "priority": 0,
        "parent_flow_run_id": None if parent is None else parent.flow_run_id,
        "parent_task_slug": None if parent is None else parent.task_slug,
        "parent_map_index": None if parent is None else parent.map_index,
        "parent_waits": parent is not None and parent.waits,
        "scheduled_time": scheduled_time,
        "state_type": FIRST.type,
        "state_name": FIRST.name,
        "state_message": "",
        "state_data": None,
        "state_at": now,
        "version": 1,
        "attempt": 0,
        "last_seq": 0,
        "report_bytes": 0,
        "stored_rows": 0,
        "stored_bytes": 0,
        "log_rows": 0,
        "log_bytes": 0,
        "cancel_requested": False,
        "times_resurrected": 0,
        "created": now,
        "created_by": clean(actor.name, 200),
    }
    row["stored_rows"], row["stored_bytes"], *_ = quotas.size_of_new(row)
    return row


def insert_runs(session: Session, rows: list[NewFlowRun], actor: Actor, now: datetime) -> list[UUID]:
    """Insert the runs that no unique key has yet, each with its first state and its event; the ids of the new ones."""
    if not rows:
        return []
    inserted = set(flow_runs.insert_new(session, rows))
    crash.point("run.inserted")
    new = [row for row in rows if row["id"] in inserted]
    record_first(session, [row["id"] for row in new], actor, now)
    quotas.add_new(session, new)
    return [row["id"] for row in new]
