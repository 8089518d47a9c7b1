"""Queries and mutations about schedules."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.protocol.schedules import EditSchedule
from appliance.server.actions import schedules
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import pages
from appliance.server.db.reads import schedules as reads
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.messages import message
from appliance.server.graphql.scalars import json_object
from appliance.server.graphql.types import schedules as types
from appliance.server.graphql.types.schedules import Schedule, SkipPage


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


@strawberry.type
class ScheduleMutations:
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
