"""Queries and mutations about many runs: bulk actions, backfills and their jobs, and the hold after an outage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry

from appliance.protocol.backfills import Backfill as BackfillRequest
from appliance.protocol.backfills import BackfillRange
from appliance.protocol.jobs import Bulk
from appliance.server.actions import backfills, hold, jobs
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import hold as hold_reads
from appliance.server.db.reads import jobs as reads
from appliance.server.db.reads import pages
from appliance.server.errors import NotFound
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.filters import run_filter
from appliance.server.graphql.messages import message
from appliance.server.graphql.scalars import json_object
from appliance.server.graphql.types import jobs as types
from appliance.server.graphql.types.jobs import BackfillPreview, Hold, Job, JobPage

_MAX_COUNT = 10_000


@strawberry.type
class JobQueries:
    @root_field(Permission.READ)
    def job(self, info: Info, id: UUID) -> Job | None:
        row = reads.get(info.context.session(), id)
        return None if row is None else types.job(row)

    @root_field(Permission.READ)
    def jobs(self, info: Info, state: str | None = None, first: int | None = None, after: str | None = None) -> JobPage:
        page = reads.page(info.context.session(), pages.size(first), after, state)
        return JobPage(items=[types.job(row) for row in page.rows], next=page.next)

    @root_field(Permission.READ)
    def backfill_preview(self, info: Info, range: types.BackfillRangeInput) -> BackfillPreview:
        preview = backfills.preview(info.context.database, BackfillRange(**_range(range)))
        return BackfillPreview(
            count=preview.count,
            existing=preview.existing,
            first=preview.first,
            last=preview.last,
            existing_times=preview.existing_times,
        )

    @root_field(Permission.READ)
    def hold(self, info: Info) -> Hold:
        session = info.context.session()
        active = hold.find(session)
        if active is None:
            return Hold(held=False)
        runs = min(_MAX_COUNT, hold_reads.overdue(session, active.before))
        return Hold(held=True, before=active.before, since=active.since, runs=runs)


@strawberry.type
class JobMutations:
    @root_mutation(Permission.BULK)
    def bulk_flow_runs(self, info: Info, input: types.BulkFlowRunsInput) -> types.BulkFlowRunsPayload:
        request = message(
            Bulk,
            action=input.action.value,
            ids=input.ids,
            filter=None if input.filter is None else run_filter(input.filter),
            reason=input.reason or "",
            idempotency_key=input.idempotency_key,
            state=None if input.state is None else input.state.value,
            newest_version=input.newest_version,
            from_task=input.from_task,
            anywhere=input.anywhere,
            parameters=json_object(input.parameters, "parameters"),
            labels=input.labels,
            priority=input.priority,
            scheduled_time=input.scheduled_time,
        )
        job_id = jobs.create_bulk(info.context.database, info.context.actor, request)
        return types.BulkFlowRunsPayload(job=_job(info, job_id))

    @root_mutation(Permission.BACKFILL)
    def backfill(self, info: Info, input: types.BackfillInput) -> types.BackfillPayload:
        request = message(
            BackfillRequest,
            **_range(input.range),
            parameters=json_object(input.parameters, "parameters"),
            priority=input.priority,
            at_once=input.at_once,
            per_minute=input.per_minute,
            reason=input.reason or "",
            idempotency_key=input.idempotency_key,
        )
        job_id = jobs.create_backfill(info.context.database, info.context.actor, request)
        return types.BackfillPayload(job=_job(info, job_id))

    @root_mutation(Permission.BULK)
    def cancel_job(self, info: Info, input: types.CancelJobInput) -> types.CancelJobPayload:
        jobs.cancel(info.context.database, info.context.actor, input.job_id, input.reason or "")
        return types.CancelJobPayload(job=_job(info, input.job_id))

    @root_mutation(Permission.MANAGE_HOLD)
    def release_hold(self, info: Info, input: types.ReleaseHoldInput) -> types.ReleaseHoldPayload:
        hold.release(info.context.database, info.context.actor, input.reason or "")
        info.context.changed()
        return types.ReleaseHoldPayload(hold=Hold(held=False))

    @root_mutation(Permission.MANAGE_HOLD)
    def skip_held(self, info: Info, input: types.SkipHeldInput) -> types.SkipHeldPayload:
        job_id = jobs.skip_held(info.context.database, info.context.actor, input.reason or "", input.idempotency_key)
        return types.SkipHeldPayload(job=_job(info, job_id))


def _range(range: types.BackfillRangeInput) -> dict[str, Any]:
    document = None if range.document is None else json_object(range.document, "document")
    return {
        "start": range.start,
        "end": range.end,
        "schedule_id": range.schedule_id,
        "flow_id": range.flow_id,
        "document": document,
    }


def _job(info: Info, job_id: UUID) -> Job:
    info.context.changed()
    row = reads.get(info.context.session(), job_id)
    if row is None:
        raise NotFound("There is no such job; jobs are deleted thirty days after they end.")
    return types.job(row)
