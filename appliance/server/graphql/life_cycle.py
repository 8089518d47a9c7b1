"""Queries and mutations about the life cycle of flows and projects, and about the versions and past runs of flows."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.protocol.flows import Registered, RegistrationPreview, RollBack
from appliance.protocol.life_cycle import DeleteTree, EditFlow, EditProject
from appliance.server.actions import deletions, flow_edits, flow_history, jobs, projects, rollbacks
from appliance.server.actions.deletions import Noun
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import flows
from appliance.server.db.reads import jobs as read_jobs
from appliance.server.domain.version_comparison import compare
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.messages import message
from appliance.server.graphql.types import flow_history as history_types
from appliance.server.graphql.types import flow_versions as version_types
from appliance.server.graphql.types import flows as flow_types
from appliance.server.graphql.types import jobs as job_types
from appliance.server.graphql.types import life_cycle as types
from appliance.server.graphql.types import projects as project_types
from appliance.server.graphql.types.flow_history import FlowHistory, FlowTasks
from appliance.server.graphql.types.flow_versions import VersionComparison
from appliance.server.graphql.types.life_cycle import DeletionPreview


@strawberry.type
class LifeCycleQueries:
    @root_field(Permission.READ)
    def version_comparison(self, info: Info, flow_id: UUID, before: int, after: int) -> VersionComparison:
        session = info.context.session()
        old, new = (flows.version(session, flow_id, number) for number in (before, after))
        return version_types.comparison(before, after, compare(old, new))

    @root_field(Permission.REGISTER_FLOW)
    def rollback_preview(self, info: Info, flow_id: UUID, to: int, newest: int | None = None) -> types.Rollback:
        request = message(RollBack, to=to, newest=newest)
        return _rollback(rollbacks.preview(info.context.database, info.context.actor, flow_id, request))

    @root_field(Permission.READ)
    def flow_history(self, info: Info, flow_id: UUID) -> FlowHistory:
        return history_types.flow_history(flow_history.history(info.context.session(), flow_id, info.context.now))

    @root_field(Permission.READ)
    def flow_tasks(self, info: Info, flow_id: UUID) -> FlowTasks:
        return history_types.flow_tasks(flow_history.tasks(info.context.session(), flow_id, info.context.now))

    @root_field(Permission.READ)
    def flow_deletion(self, info: Info, flow_id: UUID) -> DeletionPreview:
        return _preview(info, "flow", flow_id)

    @root_field(Permission.READ)
    def project_deletion(self, info: Info, project_id: UUID) -> DeletionPreview:
        return _preview(info, "project", project_id)


@strawberry.type
class LifeCycleMutations:
    @root_mutation(Permission.EDIT_FLOW)
    def edit_flow(self, info: Info, input: types.EditFlowInput) -> types.EditFlowPayload:
        request = message(
            EditFlow,
            name=input.name,
            paused=input.paused,
            archived=input.archived,
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
        flow_edits.edit(info.context.database, info.context.actor, input.flow_id, request)
        info.context.changed()
        row = info.context.loaders.flow.load(input.flow_id)
        if row is None:
            raise NotFound("There is no such flow; it may have been deleted.")
        return types.EditFlowPayload(flow=flow_types.flow(row))

    @root_mutation(Permission.REGISTER_FLOW)
    def roll_back_flow(self, info: Info, input: types.RollBackFlowInput) -> types.RollBackFlowPayload:
        request = message(
            RollBack,
            to=input.to,
            newest=input.newest,
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
        done = rollbacks.roll_back(info.context.database, info.context.actor, input.flow_id, request)
        info.context.changed()
        row = info.context.loaders.flow.load(input.flow_id)
        if row is None:
            raise NotFound("There is no such flow; it may have been deleted.")
        return types.RollBackFlowPayload(flow=flow_types.flow(row), rollback=_rollback(done))

    @root_mutation(Permission.EDIT_FLOW)
    def edit_project(self, info: Info, input: types.EditProjectInput) -> types.EditProjectPayload:
        request = message(
            EditProject,
            name=input.name,
            paused=input.paused,
            archived=input.archived,
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
        projects.edit(info.context.database, info.context.actor, input.project_id, request)
        info.context.changed()
        row = info.context.loaders.project.load(input.project_id)
        if row is None:
            raise NotFound("There is no such project; it may have been deleted.")
        return types.EditProjectPayload(project=project_types.project(row))

    @root_mutation(Permission.DELETE_FLOW)
    def delete_flow(self, info: Info, input: types.DeleteFlowInput) -> types.DeleteFlowPayload:
        return types.DeleteFlowPayload(job=_delete(info, "flow", input.flow_id, input))

    @root_mutation(Permission.DELETE_FLOW)
    def delete_project(self, info: Info, input: types.DeleteProjectInput) -> types.DeleteProjectPayload:
        return types.DeleteProjectPayload(job=_delete(info, "project", input.project_id, input))


def _rollback(answer: Registered | RegistrationPreview) -> types.Rollback:
    return types.Rollback(
        version=answer.version,
        changes=answer.changes,
        schedules=[news.text for news in answer.schedules],
        warnings=answer.warnings,
        closed=getattr(answer, "closed", ""),
    )


def _preview(info: Info, noun: Noun, id: UUID) -> DeletionPreview:
    preview = deletions.preview(info.context.database, noun, id)
    return DeletionPreview(**{name: getattr(preview, name) for name in preview.__struct_fields__})


def _delete(info: Info, noun: Noun, id: UUID, input: types.DeleteFlowInput | types.DeleteProjectInput) -> job_types.Job:
    request = message(
        DeleteTree, cancel_runs=input.cancel_runs, reason=input.reason, idempotency_key=input.idempotency_key
    )
    job_id = jobs.delete(info.context.database, info.context.actor, noun, id, request)
    info.context.changed()
    row = read_jobs.get(info.context.session(), job_id)
    if row is None:
        raise NotFound("There is no such job; jobs are deleted thirty days after they end.")
    return job_types.job(row)
