"""Schedules in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import msgspec
import strawberry

from appliance.kit.documents import JsonDocument
from appliance.protocol import schedules as messages
from appliance.schedules import ScheduleError, describe, parse
from appliance.server.actions.schedule_rows import edits_of
from appliance.server.db.rows.schedules import ScheduleRow, ScheduleSummary, SkipRow
from appliance.server.db.tables.schedules import Schedule as StoredSchedule
from appliance.server.domain.run_configs import for_people
from appliance.server.domain.scheduling import without
from appliance.server.errors import Invalid
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import described
from appliance.server.graphql.scalars import JSON

MOST_TIMES = 20


@strawberry.type(
    description="A field of a schedule that an operator has changed, and what the flow's code declares. Null is none."
)
class ScheduleEdit:
    field: str
    value: JSON | None
    code: JSON | None


@strawberry.type(description="A rule that says when runs of a flow are due.")
class Schedule:
    id: UUID
    kind: str
    document: JSON
    description: str
    timezone: str
    active: bool
    parameters: JSON
    labels: list[str]
    run_config: JSON = strawberry.field(description="Over that of the flow; without the values of variables.")
    catch_up: str
    catch_up_cap: int
    catch_up_window: float | None
    overlap: str
    origin: str = strawberry.field(description="code, or ui where a person has added it.")
    edits: list[ScheduleEdit] = strawberry.field(
        description="What operators have changed of what the flow's code declares."
    )
    version: int

    @described("The next due times that are not skipped, whether or not the schedule is active.")
    def next_times(self, info: Info, n: int = 3) -> list[datetime]:
        if not 1 <= n <= MOST_TIMES:
            raise Invalid(f"The argument n must be between 1 and {MOST_TIMES}.")
        try:
            rule = parse(cast(JsonDocument, self.document))
            return without(rule, info.context.loaders.left_out.load(self.id) or {}).next(n, info.context.now)
        except ScheduleError:
            return []  # a document from an older version that is no longer valid is listed, not hidden


@strawberry.type(
    description="A due time, also as the clock of the schedule's zone shows it, and what is special about it."
)
class DueTime:
    at: datetime
    local: str
    notes: list[str]
    skipped: str | None = strawberry.field(
        description="It gets no run, because a person has skipped it or deleted its run; who, and why."
    )


@strawberry.type(description="A time that gets no run, and why.")
class DroppedTime:
    at: datetime
    local: str
    reason: str


@strawberry.type
class SchedulePreview:
    description: str
    timezone: str
    times: list[DueTime]
    dropped: list[DroppedTime] = strawberry.field(description="The first times that its calendar drops.")
    missing: list[str] = strawberry.field(description="Required parameters without a value; it would be refused.")


@strawberry.type(description="Due times from first to last that got no run, and why.")
class Skip:
    first: datetime
    last: datetime
    count: int
    code: str
    reason: str
    at: datetime
    schedule_version: int


@strawberry.type
class SkipPage:
    items: list[Skip]
    next: str | None


@strawberry.input
class SetScheduleActiveInput:
    schedule_id: UUID
    active: bool
    idempotency_key: str | None = None


@strawberry.input(
    description="The document says when runs are due, and their labels; omitted policies are as by default. The window is in seconds."
)
class CreateScheduleInput:
    flow_id: UUID
    document: JSON
    parameters: JSON | None = None
    catch_up: str | None = None
    catch_up_cap: int | None = None
    catch_up_window: float | None = None
    overlap: str | None = None
    idempotency_key: str | None = None


@strawberry.input(
    description="Omitted fields keep their values. catchUp is all, latest or none; overlap is allow, queue, skip or cancel. "
    "The window is in seconds; 0 removes it. reset names fields that get the values which the code declares. With a version, the edit is "
    "refused if the schedule has been changed since."
)
class EditScheduleInput:
    schedule_id: UUID
    active: bool | None = None
    document: JSON | None = None
    parameters: JSON | None = None
    labels: list[str] | None = None
    run_config: JSON | None = None
    reset: list[str] | None = None
    version: int | None = None
    catch_up: str | None = None
    catch_up_cap: int | None = None
    catch_up_window: float | None = None
    overlap: str | None = None
    idempotency_key: str | None = None


@strawberry.input(description="One due time of a schedule that is still to come.")
class SkipDueTimeInput:
    schedule_id: UUID
    at: datetime
    reason: str = ""
    idempotency_key: str | None = None


@strawberry.type
class DueTimePayload:
    due_time: DueTime


@strawberry.type(description="What deleting a schedule would delete with it.")
class ScheduleDeletion:
    planned_runs: int
    declared: bool = strawberry.field(description="The flow's code declares it, so that deleteSchedule refuses it.")


@strawberry.input(description="Of a schedule that a person has added; one that the code declares can be paused.")
class DeleteScheduleInput:
    schedule_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class DeleteSchedulePayload:
    schedule_id: UUID


@strawberry.type
class EditSchedulePayload:
    schedule: Schedule


BRIEF_SCHEDULE = frozenset({"__typename", "id", "description", "timezone", "active"})
"""The fields that lists of flows select. If a query selects no others, the schedules are read without their other documents."""
_Brief: Any = cast(Any, namedtuple)("_Brief", ["id", "description", "timezone", "active"])


@lru_cache(maxsize=1024)
def _description(document: bytes) -> str:
    """The schedule in words: a page of flows has hundreds, many of them alike."""
    return describe(msgspec.json.decode(document), with_zone=False)


def schedule(row: ScheduleRow | StoredSchedule) -> Schedule:
    return Schedule(
        id=row.id,
        kind=row.kind,
        document=row.document,
        description=_description(msgspec.json.encode(row.document)),
        timezone=row.timezone,
        active=row.active,
        parameters=row.parameters,
        labels=row.labels,
        run_config=for_people(row.run_config),
        origin=row.origin,
        edits=[ScheduleEdit(field=edit.field, value=edit.value, code=edit.code) for edit in edits_of(row)],
        version=row.version,
        catch_up=row.catch_up,
        catch_up_cap=row.catch_up_cap,
        catch_up_window=row.catch_up_window,
        overlap=row.overlap,
    )


def brief_schedules(rows: Sequence[ScheduleSummary]) -> list[Schedule]:
    """Schedules of which only fields in BRIEF_SCHEDULE are selected: they have no others."""
    return [_Brief(row.id, _description(msgspec.json.encode(row.document)), row.timezone, row.active) for row in rows]


def due_time(message: messages.DueTime) -> DueTime:
    return DueTime(at=message.at, local=message.local, notes=message.notes, skipped=message.skipped)


def preview(message: messages.SchedulePreview) -> SchedulePreview:
    return SchedulePreview(
        description=message.description,
        timezone=message.timezone,
        times=[due_time(time) for time in message.times],
        dropped=[DroppedTime(at=time.at, local=time.local, reason=time.reason) for time in message.dropped],
        missing=message.missing,
    )


def skip(row: SkipRow) -> Skip:
    return Skip(
        first=row.first,
        last=row.last,
        count=row.count,
        code=row.code,
        reason=row.reason,
        at=row.at,
        schedule_version=row.version,
    )
