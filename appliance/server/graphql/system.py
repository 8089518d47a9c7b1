"""Queries and mutations about the appliance as a whole: its disk, and maintenance."""

from __future__ import annotations

import strawberry

from appliance.protocol.maintenance import BeginMaintenance
from appliance.protocol.system import FreeSpace
from appliance.server.actions import disk, maintenance
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import maintenance as reads
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.messages import message
from appliance.server.graphql.types import system as types
from appliance.server.graphql.types.system import Disk, Maintenance


@strawberry.type
class SystemQueries:
    @root_field(Permission.READ)
    def disk(self, info: Info) -> Disk:
        return types.disk(disk.measure(info.context.database, info.context.settings.disk_budget_bytes))

    @root_field(Permission.READ)
    def maintenance(self, info: Info) -> Maintenance:
        return types.maintenance(reads.find(info.context.session(), info.context.now))


@strawberry.type
class SystemMutations:
    @root_mutation(Permission.MANAGE_DISK)
    def free_space(self, info: Info, input: types.FreeSpaceInput) -> types.FreeSpacePayload:
        context, request = info.context, message(FreeSpace, keep_days=input.keep_days)
        context.changed()  # an open read would keep SQLite's write-ahead log from shrinking
        return types.freed(disk.free_space(context.database, context.actor, context.settings, request.keep_days))

    @root_mutation(Permission.MANAGE_MAINTENANCE)
    def begin_maintenance(self, info: Info, input: types.BeginMaintenanceInput) -> types.BeginMaintenancePayload:
        request = message(BeginMaintenance, reason=input.reason, until=input.until, duration=input.duration)
        active = maintenance.begin(
            info.context.database, info.context.actor, request.reason, request.until, request.duration
        )
        info.context.changed()
        return types.BeginMaintenancePayload(maintenance=types.maintenance(active))

    @root_mutation(Permission.MANAGE_MAINTENANCE)
    def end_maintenance(self, info: Info, idempotency_key: str | None = None) -> types.EndMaintenancePayload:
        maintenance.end(info.context.database, info.context.actor)
        info.context.changed()
        return types.EndMaintenancePayload(maintenance=types.maintenance(None))
