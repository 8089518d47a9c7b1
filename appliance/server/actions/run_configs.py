"""Run configs beside those of the code, of flows, schedules and runs: checked, and merged into what a run is started with."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol import run_config
from appliance.server.actions import code_places, env_names
from appliance.server.db.reads import projects
from appliance.server.db.rows.flows import FlowDefaults, VersionDefaults
from appliance.server.domain import run_configs
from appliance.server.domain.sanitize import clean_document
from appliance.server.errors import Invalid


def override_of(document: JsonDocument | None) -> JsonDocument:
    """What a run config says, without its labels; empty if it says nothing. Raises Invalid."""
    if not document:
        return {}
    if not isinstance(document, dict):
        raise Invalid("The run config must be a JSON object.")
    if document.get("run_timeout") is not None:
        raise Invalid("A run config can't set run_timeout here; set the run timeout of the flow.")
    given = run_config.said(clean_document(document))
    given.pop("labels", None)
    if "type" in given:
        check(given)
    return given


def labels_in(document: JsonDocument | None) -> list[str]:
    """The labels that a run config asks for. Raises Invalid."""
    labels = (document or {}).get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise Invalid("The labels of a run config must be a list of strings.")
    return labels


def merged(flow: FlowDefaults, version: VersionDefaults, *own: JsonDocument | None) -> JsonDocument:
    """How a run is started: as the code says, changed by the flow's defaults, and by what its schedule or the request says. Raises Invalid if these
    don't go together."""
    given = [config for config in (flow.overrides.get("run_config"), *own) if config]
    if not given:
        return version.run_config
    config = run_configs.merge(version.run_config, *given)
    check(config)
    return config


def overrides_of(
    flow: FlowDefaults, layer: str, config: JsonDocument | None, labels_layer: str | None, given: Collection[str]
) -> JsonDocument | None:
    """What a run keeps of who said what beside the code; None if nobody said anything. `labels_layer` has chosen the labels, and `given` are the
    parameters that schedule or request have set."""
    overrides: JsonDocument = {}
    for name, said in ((run_configs.FLOW, flow.overrides.get("run_config")), (layer, config)):
        if said:
            overrides.setdefault(name, {})["run_config"] = said
    if labels_layer is not None:
        overrides.setdefault(labels_layer, {})["labels"] = True
    defaults = [name for name in flow.overrides.get("parameters") or {} if name not in given]
    if defaults:
        overrides.setdefault(run_configs.FLOW, {})["parameters"] = defaults
    return overrides or None


def moved(flow: FlowDefaults, version: VersionDefaults, overrides: JsonDocument | None) -> JsonDocument:
    """The run config of a run that moves to another version: what its schedule or its request said stays. Raises Invalid."""
    return merged(
        flow, version, *(run_configs.of_layer(overrides, layer) for layer in (run_configs.SCHEDULE, run_configs.RUN))
    )


def refuse_closed(
    session: Session, project_id: UUID, version: VersionDefaults, labels: list[str], config: JsonDocument
) -> None:
    """Raise Invalid or ClosedFolder if each agent that may start a run with this config would refuse its variables or its working directory."""
    project = next((row.name for row in projects.by_ids(session, [project_id])), "")
    code_places.refuse_closed_directory(session, project, version.storage_type, labels, config)
    env_names.refuse_closed(session, project, version.storage_type, labels, config)


def check(config: JsonDocument) -> None:
    """Raise Invalid for what can't be a run config."""
    try:
        run_config.decode(config)
    except ValueError as error:
        raise Invalid(str(error)) from error
