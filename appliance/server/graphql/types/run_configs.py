"""How runs are started, and who said each part, in GraphQL."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.kit.documents import JsonDocument
from appliance.protocol.run_config import kind_of
from appliance.server.db.rows.flow_runs import RunStart
from appliance.server.domain import run_configs
from appliance.server.graphql.scalars import JSON


@strawberry.type(
    description="A field of a run config. Variables are fields of their own, as env.NAME, without their values."
)
class RunConfigField:
    name: str
    value: JSON
    origin: str = strawberry.field(description="Who said it: code, flow, schedule or run.")


@strawberry.type(description="How a run is started.")
class RunConfig:
    kind: str = strawberry.field(description="universal, process, local, docker or kubernetes.")
    storage: str = strawberry.field(description="The type of the storage of its code.")
    fields: list[RunConfigField]
    labels_origin: str = strawberry.field(description="Who said the run's labels: code, flow, schedule or run.")
    parameters_of_flow: list[str] = strawberry.field(
        description="The parameters that have the flow's default instead of the code's."
    )


@strawberry.type(description="What new runs of a flow have beside what its code says.")
class FlowDefaults:
    parameters: JSON
    labels: list[str] | None = strawberry.field(description="Null: those of the code.")
    run_config: JSON = strawberry.field(description="Without the values of variables.")


@strawberry.input(
    description="All of it replaces what is there: an omitted field is no default any more. A variable of the run config whose value is "
    '"(not shown)" keeps the value that it has.'
)
class SetFlowDefaultsInput:
    flow_id: UUID
    parameters: JSON | None = None
    labels: list[str] | None = None
    run_config: JSON | None = None
    reason: str | None = None
    idempotency_key: str | None = None


def run_config(start: RunStart) -> RunConfig:
    config = run_configs.for_people(start.run_config)
    origins = run_configs.origins(start.run_config, start.overrides)
    values = {name: value for name, value in config.items() if name not in ("env", "type")}
    values |= {f"env.{name}": value for name, value in (config.get("env") or {}).items()}
    return RunConfig(
        kind=kind_of(start.run_config),
        storage=start.storage_type,
        fields=[RunConfigField(name=name, value=value, origin=origins[name]) for name, value in values.items()],
        labels_origin=run_configs.origin_of_labels(start.overrides),
        parameters_of_flow=list(run_configs.defaulted_by_flow(start.overrides)),
    )


def flow_defaults(overrides: JsonDocument) -> FlowDefaults:
    return FlowDefaults(
        parameters=overrides.get("parameters") or {},
        labels=overrides.get("labels"),
        run_config=run_configs.for_people(overrides.get("run_config")),
    )
