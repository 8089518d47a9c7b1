"""The mutations: each is one action, and each declares its permission."""

from __future__ import annotations

from typing import Any

import strawberry

from appliance.core.protocol import CreateFlowRun
from appliance.server.actions import attempts, flow_runs, schedules
from appliance.server.auth.guards import Permission
from appliance.server.errors import Invalid, NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_mutation
from appliance.server.graphql.queries import one_flow_run
from appliance.server.graphql.types import flows as flow_types
from appliance.server.graphql.types.flow_runs import FlowRun
from appliance.server.graphql.types.flows import Schedule
from appliance.server.graphql.types.inputs import (
    CancelFlowRunInput,
    CancelFlowRunPayload,
    CreateFlowRunInput,
    CreateFlowRunPayload,
    PauseFlowRunInput,
    PauseFlowRunPayload,
    RestartFlowRunInput,
    RestartFlowRunPayload,
    ResumeFlowRunInput,
    ResumeFlowRunPayload,
    SetScheduleActiveInput,
)


@strawberry.type
class Mutation:
    @root_mutation(Permission.CREATE_RUN)
    def create_flow_run(self, info: Info, input: CreateFlowRunInput) -> CreateFlowRunPayload:
        parameters: Any = {} if input.parameters is None else input.parameters
        if not isinstance(parameters, dict):
            raise Invalid("The field parameters must be a JSON object of parameter names and values.")
        request = CreateFlowRun(
            flow_id=input.flow_id,
            parameters=parameters,
            name=input.name,
            labels=input.labels,
            scheduled_time=input.scheduled_time,
            idempotency_key=input.idempotency_key,
        )
        run_id = flow_runs.create(info.context.database, info.context.actor, request)
        info.context.changed()
        return CreateFlowRunPayload(flow_run=_existing(one_flow_run(info.context, run_id)))

    @root_mutation(Permission.CANCEL_RUN)
    def cancel_flow_run(self, info: Info, input: CancelFlowRunInput) -> CancelFlowRunPayload:
        flow_runs.cancel(info.context.database, info.context.actor, input.flow_run_id, input.reason or "")
        info.context.changed()
        return CancelFlowRunPayload(flow_run=_existing(one_flow_run(info.context, input.flow_run_id)))

    @root_mutation(Permission.PAUSE_RUN)
    def pause_flow_run(self, info: Info, input: PauseFlowRunInput) -> PauseFlowRunPayload:
        attempts.pause(info.context.database, info.context.actor, input.flow_run_id, _asked(input))
        info.context.changed()
        return PauseFlowRunPayload(flow_run=_existing(one_flow_run(info.context, input.flow_run_id)))

    @root_mutation(Permission.RESUME_RUN)
    def resume_flow_run(self, info: Info, input: ResumeFlowRunInput) -> ResumeFlowRunPayload:
        attempts.resume(
            info.context.database,
            info.context.actor,
            input.flow_run_id,
            _asked(input),
            task_slug=input.task_slug,
            map_index=input.map_index,
        )
        info.context.changed()
        return ResumeFlowRunPayload(flow_run=_existing(one_flow_run(info.context, input.flow_run_id)))

    @root_mutation(Permission.RESTART_RUN)
    def restart_flow_run(self, info: Info, input: RestartFlowRunInput) -> RestartFlowRunPayload:
        attempts.restart(
            info.context.database,
            info.context.actor,
            input.flow_run_id,
            _asked(input),
            newest_version=input.newest_version,
        )
        info.context.changed()
        return RestartFlowRunPayload(flow_run=_existing(one_flow_run(info.context, input.flow_run_id)))

    @root_mutation(Permission.EDIT_SCHEDULE)
    def set_schedule_active(self, info: Info, input: SetScheduleActiveInput) -> Schedule:
        row = schedules.set_active(info.context.database, info.context.actor, input.schedule_id, input.active)
        info.context.changed()
        return flow_types.schedule(row)


def _asked(input: PauseFlowRunInput | ResumeFlowRunInput | RestartFlowRunInput) -> attempts.Asked:
    return attempts.Asked(input.reason or "", input.idempotency_key)


def _existing(run: FlowRun | None) -> FlowRun:
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    return run
