"""What a schedule, stored or about to be, will do next: its due times with notes, for people who look before they save."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.schedules import DroppedTime, DueTime, PreviewSchedule, SchedulePreview
from appliance.schedules import describe, preview, validate
from appliance.server.actions.flow_history import typical_seconds
from appliance.server.actions.schedule_rows import computed, flow_of
from appliance.server.db.reads import schedules
from appliance.server.db.session import Database
from appliance.server.domain.parameters import missing
from appliance.server.domain.schedule_overlaps import overlaps
from appliance.server.errors import Invalid, NotFound

MOST_TIMES = 100


def of_schedule(db: Database, schedule_id: UUID, limit: int, *, now: datetime | None = None) -> SchedulePreview:
    """The next due times of a schedule, whether or not it is active. Raises NotFound."""
    with db.read() as session:
        row = schedules.get(session, schedule_id)
    if row is None:
        raise NotFound("There is no such schedule; it may have been deleted.")
    document = {**row.document, "overlap": row.overlap}
    request = PreviewSchedule(document=document, parameters=row.parameters, limit=limit, schedule_id=schedule_id)
    return of_document(db, row.flow_id, request, now=now)


def of_document(
    db: Database, flow_id: UUID, request: PreviewSchedule, *, now: datetime | None = None
) -> SchedulePreview:
    """The due times that a flow's schedule would have. Raises Invalid for a document that can't be stored."""
    now = now or clock.now()
    if not 1 <= request.limit <= MOST_TIMES:
        raise Invalid(f"The limit must be between 1 and {MOST_TIMES}.")
    with db.read() as session:
        flow, version = flow_of(session, flow_id)
        typical = typical_seconds(session, flow_id, now)
        left_out = _left_out(session, request.schedule_id, now)
    given = request.parameters if request.parameters is not None else request.document.get("parameters") or {}
    given = given if isinstance(given, dict) else {}
    absent = missing(version.parameters, flow.overrides.get("parameters") or {}, given)
    return _preview(request, now, typical, left_out, absent)


def _left_out(session: Session, schedule_id: UUID | None, now: datetime) -> dict[datetime, str]:
    """The times that people have left out of the schedule, with why."""
    if schedule_id is None:
        return {}
    return {
        time: row.reason for time, row in schedules.left_out(session, [schedule_id], now).get(schedule_id, {}).items()
    }


def _preview(
    request: PreviewSchedule,
    now: datetime,
    typical: float | None,
    left_out: Mapping[datetime, str],
    absent: Collection[str],
) -> SchedulePreview:
    document = request.document
    with computed():
        coming = preview(validate(document), request.limit, now)
    runs = [time.at for time in coming.times if time.at not in left_out]
    late = overlaps(runs, typical, str(document.get("overlap") or "allow"))
    return SchedulePreview(
        description=describe(document, with_zone=False),
        timezone=document.get("timezone") or "UTC",
        times=[
            DueTime(
                at=time.at,
                local=time.local,
                notes=time.notes + ([late[time.at]] if time.at in late else []),
                skipped=left_out.get(time.at),
            )
            for time in coming.times
        ],
        dropped=[DroppedTime(at=time.at, local=time.local, reason=time.reason) for time in coming.dropped],
        missing=list(absent),
    )
