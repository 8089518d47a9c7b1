"""The mutations. Each is one action and declares its permission."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import SetFlowDefaults
from appliance.server.actions.flow_defaults import set_defaults
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.perform import perform
from appliance.server.actions.run_timeouts import set_run_timeout
from appliance.server.auth.guards import Permission
from appliance.server.errors import NotFound
from appliance.server.graphql.agents import AgentMutations
from appliance.server.graphql.artifacts import ArtifactMutations
from appliance.server.graphql.automations import AutomationMutations
from appliance.server.graphql.concurrency import ConcurrencyMutations
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_mutation
from appliance.server.graphql.jobs import JobMutations
from appliance.server.graphql.kept import KeptMutations
from appliance.server.graphql.known_failures import KnownFailureMutations
from appliance.server.graphql.life_cycle import LifeCycleMutations
from appliance.server.graphql.messages import message
from appliance.server.graphql.queries import one_flow_run
from appliance.server.graphql.saved_views import SavedViewMutations
from appliance.server.graphql.scalars import json_object
from appliance.server.graphql.schedules import ScheduleMutations
from appliance.server.graphql.secrets import SecretMutations
from appliance.server.graphql.system import SystemMutations
from appliance.server.graphql.types.flows import FlowRun, flow
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
    SetFlowDefaultsPayload,
    SetRunTimeoutInput,
    SetRunTimeoutPayload,
    StartFlowRunNowInput,
    StartFlowRunNowPayload,
)
from appliance.server.graphql.types.run_configs import SetFlowDefaultsInput
from appliance.server.graphql.verbs import VerbInput, permission_of, request_of


@strawberry.type
class Mutation(
    JobMutations,
    LifeCycleMutations,
    ScheduleMutations,
    ConcurrencyMutations,
    SecretMutations,
    KnownFailureMutations,
    AutomationMutations,
    SavedViewMutations,
    KeptMutations,
    ArtifactMutations,
    SystemMutations,
    AgentMutations,
):
    @root_mutation(Permission.CREATE_RUN)
    def create_flow_run(self, info: Info, input: CreateFlowRunInput) -> CreateFlowRunPayload:
        request = CreateFlowRun(
            flow_id=input.flow_id,
            parameters=json_object(input.parameters, "parameters"),
            name=input.name,
            labels=input.labels,
            scheduled_time=input.scheduled_time,
            run_config=None if input.run_config is None else json_object(input.run_config, "runConfig"),
            idempotency_key=input.idempotency_key,
        )
        run = create_run(info.context.database, info.context.actor, request)
        return CreateFlowRunPayload(flow_run=_after(info, run.id), warnings=run.warnings)

    @root_mutation(Permission.EDIT_FLOW)
    def set_flow_defaults(self, info: Info, input: SetFlowDefaultsInput) -> SetFlowDefaultsPayload:
        request = message(
            SetFlowDefaults,
            parameters=json_object(input.parameters, "parameters"),
            labels=input.labels,
            run_config=json_object(input.run_config, "runConfig"),
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
        set_defaults(info.context.database, info.context.actor, input.flow_id, request)
        info.context.changed()
        return SetFlowDefaultsPayload(flow=flow(info.context.loaders.flow.load_existing(input.flow_id)))

    @root_mutation(Permission.EDIT_LIMIT)
    def set_run_timeout(self, info: Info, input: SetRunTimeoutInput) -> SetRunTimeoutPayload:
        set_run_timeout(info.context.database, info.context.actor, input.flow_id, input.seconds)
        info.context.changed()
        return SetRunTimeoutPayload(flow=flow(info.context.loaders.flow.load_existing(input.flow_id)))

    @root_mutation(permission_of("cancel"))
    def cancel_flow_run(self, info: Info, input: CancelFlowRunInput) -> CancelFlowRunPayload:
        return CancelFlowRunPayload(flow_run=_perform(info, "cancel", input))

    @root_mutation(permission_of("pause"))
    def pause_flow_run(self, info: Info, input: PauseFlowRunInput) -> PauseFlowRunPayload:
        return PauseFlowRunPayload(flow_run=_perform(info, "pause", input))

    @root_mutation(permission_of("resume"))
    def resume_flow_run(self, info: Info, input: ResumeFlowRunInput) -> ResumeFlowRunPayload:
        return ResumeFlowRunPayload(flow_run=_perform(info, "resume", input))

    @root_mutation(permission_of("restart"))
    def restart_flow_run(self, info: Info, input: RestartFlowRunInput) -> RestartFlowRunPayload:
        return RestartFlowRunPayload(flow_run=_perform(info, "restart", input))

    @root_mutation(permission_of("mark"))
    def mark_flow_run(self, info: Info, input: MarkFlowRunInput) -> MarkFlowRunPayload:
        return MarkFlowRunPayload(flow_run=_perform(info, "mark", input))

    @root_mutation(permission_of("start_now"))
    def start_flow_run_now(self, info: Info, input: StartFlowRunNowInput) -> StartFlowRunNowPayload:
        return StartFlowRunNowPayload(flow_run=_perform(info, "start_now", input))

    @root_mutation(permission_of("edit"))
    def edit_flow_run(self, info: Info, input: EditFlowRunInput) -> EditFlowRunPayload:
        return EditFlowRunPayload(flow_run=_perform(info, "edit", input))

    @root_mutation(permission_of("delete"))
    def delete_flow_run(self, info: Info, input: DeleteFlowRunInput) -> DeleteFlowRunPayload:
        perform(info.context.database, info.context.actor, input.flow_run_id, "delete", request_of("delete", input))
        info.context.changed()
        return DeleteFlowRunPayload(flow_run_id=input.flow_run_id)


def _perform(info: Info, verb: str, input: VerbInput) -> FlowRun:
    perform(info.context.database, info.context.actor, input.flow_run_id, verb, request_of(verb, input))
    return _after(info, input.flow_run_id)


def _after(info: Info, flow_run_id: UUID) -> FlowRun:
    """The run as it is after an action."""
    info.context.changed()
    return _existing(one_flow_run(info.context, flow_run_id))


def _existing(run: FlowRun | None) -> FlowRun:
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    return run
