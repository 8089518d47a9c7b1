"""Queries and mutations about schedules."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.protocol.schedules import CreateSchedule, EditSchedule, PreviewSchedule, SkipDueTime
from appliance.server.actions import schedule_previews, schedules, skipped_times
from appliance.server.actions.schedule_rows import policy_of
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import pages
from appliance.server.db.reads import schedules as reads
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.messages import message
from appliance.server.graphql.scalars import JSON, json_object
from appliance.server.graphql.types import schedules as types
from appliance.server.graphql.types.schedules import Schedule, SchedulePreview, SkipPage


@strawberry.type
class ScheduleQueries:
    @root_field(Permission.READ)
    def schedule_skips(
        self, info: Info, schedule_id: UUID, first: int | None = None, after: str | None = None
    ) -> SkipPage:
        session = info.context.session()
        if reads.get(session, schedule_id) is None:
            raise NotFound("There is no such schedule; it may have been deleted.")
        page = reads.skips(session, schedule_id, pages.size(first), after)
        return SkipPage(items=[types.skip(row) for row in page.rows], next=page.next)

    @root_field(Permission.READ)
    def schedule_deletion(self, info: Info, schedule_id: UUID) -> types.ScheduleDeletion:
        preview = schedules.deletion(info.context.database, schedule_id, now=info.context.now)
        return types.ScheduleDeletion(planned_runs=preview.planned_runs, declared=preview.declared)

    @root_field(Permission.READ)
    def schedule_next(self, info: Info, schedule_id: UUID, limit: int = 10) -> SchedulePreview:
        return types.preview(
            schedule_previews.of_schedule(info.context.database, schedule_id, limit, now=info.context.now)
        )

    @root_field(Permission.READ)
    def schedule_preview(
        self,
        info: Info,
        flow_id: UUID,
        document: JSON,
        parameters: JSON | None = None,
        limit: int = 10,
        schedule_id: UUID | None = None,
    ) -> SchedulePreview:
        request = message(
            PreviewSchedule,
            document=json_object(document, "document"),
            parameters=None if parameters is None else json_object(parameters, "parameters"),
            limit=limit,
            schedule_id=schedule_id,
        )
        return types.preview(
            schedule_previews.of_document(info.context.database, flow_id, request, now=info.context.now)
        )


@strawberry.type
class ScheduleMutations:
    @root_mutation(Permission.EDIT_SCHEDULE)
    def create_schedule(self, info: Info, input: types.CreateScheduleInput) -> types.EditSchedulePayload:
        request = message(
            CreateSchedule,
            document=json_object(input.document, "document"),
            parameters=None if input.parameters is None else json_object(input.parameters, "parameters"),
            catch_up=input.catch_up,
            catch_up_cap=input.catch_up_cap,
            catch_up_window=input.catch_up_window,
            overlap=input.overlap,
        )
        row = schedules.create(
            info.context.database,
            info.context.actor,
            input.flow_id,
            request.document,
            request.parameters,
            policy=policy_of(request),
        )
        info.context.changed()
        return types.EditSchedulePayload(schedule=types.schedule(row))

    @root_mutation(Permission.EDIT_SCHEDULE)
    def set_schedule_active(self, info: Info, input: types.SetScheduleActiveInput) -> Schedule:
        row = schedules.set_active(info.context.database, info.context.actor, input.schedule_id, input.active)
        info.context.changed()
        return types.schedule(row)

    @root_mutation(Permission.EDIT_SCHEDULE)
    def edit_schedule(self, info: Info, input: types.EditScheduleInput) -> types.EditSchedulePayload:
        request = message(
            EditSchedule,
            active=input.active,
            document=None if input.document is None else json_object(input.document, "document"),
            parameters=None if input.parameters is None else json_object(input.parameters, "parameters"),
            labels=input.labels,
            run_config=None if input.run_config is None else json_object(input.run_config, "runConfig"),
            reset=input.reset or [],
            version=input.version,
            catch_up=input.catch_up,
            catch_up_cap=input.catch_up_cap,
            catch_up_window=input.catch_up_window,
            overlap=input.overlap,
        )
        row = schedules.change(info.context.database, info.context.actor, input.schedule_id, request)
        info.context.changed()
        return types.EditSchedulePayload(schedule=types.schedule(row))

    @root_mutation(Permission.EDIT_SCHEDULE)
    def skip_due_time(self, info: Info, input: types.SkipDueTimeInput) -> types.DueTimePayload:
        request = message(SkipDueTime, at=input.at, reason=input.reason)
        time = skipped_times.skip(info.context.database, info.context.actor, input.schedule_id, request)
        info.context.changed()
        return types.DueTimePayload(due_time=types.due_time(time))

    @root_mutation(Permission.EDIT_SCHEDULE)
    def unskip_due_time(self, info: Info, input: types.SkipDueTimeInput) -> types.DueTimePayload:
        request = message(SkipDueTime, at=input.at, reason=input.reason)
        time = skipped_times.unskip(info.context.database, info.context.actor, input.schedule_id, request)
        info.context.changed()
        return types.DueTimePayload(due_time=types.due_time(time))

    @root_mutation(Permission.EDIT_SCHEDULE)
    def delete_schedule(self, info: Info, input: types.DeleteScheduleInput) -> types.DeleteSchedulePayload:
        schedules.delete(info.context.database, info.context.actor, input.schedule_id, declared=False)
        info.context.changed()
        return types.DeleteSchedulePayload(schedule_id=input.schedule_id)
