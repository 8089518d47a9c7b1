"""The mutations: each is one action, and each declares its permission."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

import strawberry

from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.actions import schedules
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.change import ChangeRequest
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.edit import Edit, edit_run
from appliance.server.actions.flow_runs.mark import mark_run, mark_task
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.restart import Restart, restart_run
from appliance.server.actions.flow_runs.resume import resume_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.auth.guards import Permission
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_mutation
from appliance.server.graphql.jobs import JobMutations
from appliance.server.graphql.queries import one_flow_run
from appliance.server.graphql.scalars import json_object
from appliance.server.graphql.types import flows as flow_types
from appliance.server.graphql.types.flow_runs import FlowRun
from appliance.server.graphql.types.flows import Schedule
from appliance.server.graphql.types.inputs import (
    CancelFlowRunInput,
    CancelFlowRunPayload,
    CreateFlowRunInput,
    CreateFlowRunPayload,
    DeleteFlowRunInput,
    DeleteFlowRunPayload,
    EditFlowRunInput,
    EditFlowRunPayload,
    MarkFlowRunInput,
    MarkFlowRunPayload,
    PauseFlowRunInput,
    PauseFlowRunPayload,
    RestartFlowRunInput,
    RestartFlowRunPayload,
    ResumeFlowRunInput,
    ResumeFlowRunPayload,
    SetScheduleActiveInput,
    StartFlowRunNowInput,
    StartFlowRunNowPayload,
)


@strawberry.type
class Mutation(JobMutations):
    @root_mutation(Permission.CREATE_RUN)
    def create_flow_run(self, info: Info, input: CreateFlowRunInput) -> CreateFlowRunPayload:
        request = CreateFlowRun(
            flow_id=input.flow_id,
            parameters=json_object(input.parameters, "parameters"),
            name=input.name,
            labels=input.labels,
            scheduled_time=input.scheduled_time,
            idempotency_key=input.idempotency_key,
        )
        made = create_run(info.context.database, info.context.actor, request)
        return CreateFlowRunPayload(flow_run=_after(info, made.id))

    @root_mutation(Permission.CANCEL_RUN)
    def cancel_flow_run(self, info: Info, input: CancelFlowRunInput) -> CancelFlowRunPayload:
        context, key = info.context, input.idempotency_key
        cancel_run(context.database, context.actor, input.flow_run_id, input.reason or "", idempotency_key=key)
        return CancelFlowRunPayload(flow_run=_after(info, input.flow_run_id))

    @root_mutation(Permission.PAUSE_RUN)
    def pause_flow_run(self, info: Info, input: PauseFlowRunInput) -> PauseFlowRunPayload:
        pause_run(info.context.database, info.context.actor, input.flow_run_id, _asked(input))
        return PauseFlowRunPayload(flow_run=_after(info, input.flow_run_id))

    @root_mutation(Permission.RESUME_RUN)
    def resume_flow_run(self, info: Info, input: ResumeFlowRunInput) -> ResumeFlowRunPayload:
        context, slug, index = info.context, input.task_slug, input.map_index
        asked = _asked(input)
        resume_run(context.database, context.actor, input.flow_run_id, asked, task_slug=slug, map_index=index)
        return ResumeFlowRunPayload(flow_run=_after(info, input.flow_run_id))

    @root_mutation(Permission.RESTART_RUN)
    def restart_flow_run(self, info: Info, input: RestartFlowRunInput) -> RestartFlowRunPayload:
        how = Restart(input.newest_version, input.from_task, json_object(input.parameters, "parameters"))
        restart_run(info.context.database, info.context.actor, input.flow_run_id, _asked(input), how)
        return RestartFlowRunPayload(flow_run=_after(info, input.flow_run_id))

    @root_mutation(Permission.MARK_RUN)
    def mark_flow_run(self, info: Info, input: MarkFlowRunInput) -> MarkFlowRunPayload:
        database, actor, run, state = info.context.database, info.context.actor, input.flow_run_id, input.state.value
        if input.task_slug is None:
            mark_run(database, actor, run, state, _asked(input))
        else:
            mark_task(database, actor, run, input.task_slug, input.map_index, state, _asked(input))
        return MarkFlowRunPayload(flow_run=_after(info, run))

    @root_mutation(Permission.EDIT_RUN)
    def start_flow_run_now(self, info: Info, input: StartFlowRunNowInput) -> StartFlowRunNowPayload:
        start_run_now(info.context.database, info.context.actor, input.flow_run_id, _asked(input))
        return StartFlowRunNowPayload(flow_run=_after(info, input.flow_run_id))

    @root_mutation(Permission.EDIT_RUN)
    def edit_flow_run(self, info: Info, input: EditFlowRunInput) -> EditFlowRunPayload:
        wanted = Edit(input.name, input.labels, input.priority, input.scheduled_time)
        edit_run(info.context.database, info.context.actor, input.flow_run_id, wanted, _asked(input))
        return EditFlowRunPayload(flow_run=_after(info, input.flow_run_id))

    @root_mutation(Permission.DELETE_RUN)
    def delete_flow_run(self, info: Info, input: DeleteFlowRunInput) -> DeleteFlowRunPayload:
        delete_run(info.context.database, info.context.actor, input.flow_run_id, _asked(input))
        info.context.changed()
        return DeleteFlowRunPayload(flow_run_id=input.flow_run_id)

    @root_mutation(Permission.EDIT_SCHEDULE)
    def set_schedule_active(self, info: Info, input: SetScheduleActiveInput) -> Schedule:
        row = schedules.set_active(info.context.database, info.context.actor, input.schedule_id, input.active)
        info.context.changed()
        return flow_types.schedule(row)


class _Change(Protocol):
    """What the inputs that change a run have in common."""

    reason: str | None
    idempotency_key: str | None


def _asked(input: _Change) -> ChangeRequest:
    return ChangeRequest(input.reason or "", input.idempotency_key, getattr(input, "version", None))


def _after(info: Info, flow_run_id: UUID) -> FlowRun:
    """The run as it is now, after an action."""
    info.context.changed()
    return _existing(one_flow_run(info.context, flow_run_id))


def _existing(run: FlowRun | None) -> FlowRun:
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    return run
