"""Projects, flows, their versions and schedules as GraphQL shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from appliance.schedules import ScheduleError, describe, parse
from appliance.server.db.rows.flows import FlowRow, FlowVersionRow
from appliance.server.db.rows.projects import ProjectRow
from appliance.server.db.rows.schedules import ScheduleRow
from appliance.server.db.tables.schedules import Schedule as StoredSchedule
from appliance.server.errors import Invalid
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import asks_only, described
from appliance.server.graphql.scalars import JSON

if TYPE_CHECKING:
    from appliance.server.graphql.types.flow_runs import FlowRun

_RUNS = "appliance.server.graphql.types.flow_runs"
MOST_RECENT = 50
MOST_TIMES = 20


@strawberry.type(description="The namespace of flows.")
class Project:
    id: UUID
    name: str
    description: str

    @strawberry.field
    def flow_count(self, info: Info) -> int:
        return info.context.loaders.flow_count.load(self.id) or 0


@strawberry.type
class ParameterDef:
    name: str
    required: bool
    default: JSON | None
    schema: JSON


@strawberry.type
class TaskDef:
    slug: str
    name: str
    tags: list[str]
    auto_generated: bool
    mapped: bool
    max_retries: int


@strawberry.type
class EdgeDef:
    upstream: str
    downstream: str
    key: str | None
    mapped: bool
    flattened: bool


@strawberry.type(description="One registered content of a flow; it never changes.")
class FlowVersion:
    row: strawberry.Private[FlowVersionRow]
    id: UUID
    number: int
    created: datetime
    created_by: str
    sdk_version: str
    labels: list[str]
    storage: JSON

    @strawberry.field
    def parameters(self) -> list[ParameterDef]:
        return [
            ParameterDef(
                name=item["name"],
                required=item.get("required", False),
                default=item.get("default"),
                schema=item.get("schema") or {},
            )
            for item in self.row.parameters
        ]

    @strawberry.field
    def tasks(self) -> list[TaskDef]:
        return [
            TaskDef(
                slug=item["slug"],
                name=item.get("name") or item["slug"],
                tags=list(item.get("tags") or []),
                auto_generated=bool(item.get("auto_generated")),
                mapped=bool(item.get("mapped")),
                max_retries=item.get("max_retries") or 0,
            )
            for item in self.row.graph.get("tasks", [])
        ]

    @strawberry.field
    def edges(self) -> list[EdgeDef]:
        return [
            EdgeDef(
                upstream=item["upstream"],
                downstream=item["downstream"],
                key=item.get("key"),
                mapped=bool(item.get("mapped")),
                flattened=bool(item.get("flattened")),
            )
            for item in self.row.graph.get("edges", [])
        ]


@strawberry.type(description="When runs of a flow become due.")
class Schedule:
    id: UUID
    kind: str
    document: JSON
    description: str
    timezone: str
    active: bool
    parameters: JSON
    catch_up: str
    catch_up_cap: int
    catch_up_window: float | None
    overlap: str

    @described("The next due times, whether or not the schedule is active.")
    def next_times(self, info: Info, n: int = 3) -> list[datetime]:
        if not 1 <= n <= MOST_TIMES:
            raise Invalid(f"The argument n lies between 1 and {MOST_TIMES}.")
        try:
            return parse(self.document).next(n, info.context.now)  # type: ignore[arg-type]
        except ScheduleError:
            return []  # a document that an older version stored and that no longer holds is shown, not hidden


@strawberry.type(description="The stable thing that people name; its versions hold what was registered.")
class Flow:
    row: strawberry.Private[FlowRow]
    id: UUID
    name: str
    paused: bool
    archived: bool
    created: datetime

    @strawberry.field
    def project(self, info: Info) -> Project:
        return project(info.context.loaders.project.load_existing(self.row.project_id))

    @described("The newest version.")
    def version(self, info: Info) -> FlowVersion:
        return version(info.context.loaders.newest_version.load_existing(self.id))

    @strawberry.field
    def schedules(self, info: Info) -> list[Schedule]:
        return [schedule(row) for row in info.context.loaders.schedules.load(self.id) or []]

    @described("The newest runs first, without those that are scheduled for later.")
    def recent_runs(self, info: Info, first: int | None = 10) -> list[Annotated[FlowRun, strawberry.lazy(_RUNS)]]:
        from appliance.server.graphql.types.flow_runs import BRIEF, brief_run, flow_run

        if first is not None and not 1 <= first <= MOST_RECENT:
            raise Invalid(f"The argument first lies between 1 and {MOST_RECENT} here.")
        loaders, number = info.context.loaders, first or 10
        if asks_only(info, BRIEF):
            return [brief_run(row) for row in loaders.recent_summaries(self.id, number)]
        return [flow_run(row) for row in loaders.recent_runs(self.id, number)]

    @described("The next scheduled run.")
    def next_run(self, info: Info) -> Annotated[FlowRun, strawberry.lazy(_RUNS)] | None:
        from appliance.server.graphql.types.flow_runs import flow_run

        row = info.context.loaders.next_run.load(self.id)
        return None if row is None else flow_run(row)


@strawberry.type
class FlowPage:
    items: list[Flow]
    next: str | None


def project(row: ProjectRow) -> Project:
    return Project(id=row.id, name=row.name, description=row.description)


def flow(row: FlowRow) -> Flow:
    return Flow(row=row, id=row.id, name=row.name, paused=row.paused, archived=row.archived, created=row.created)


def version(row: FlowVersionRow) -> FlowVersion:
    return FlowVersion(
        row=row,
        id=row.id,
        number=row.number,
        created=row.created,
        created_by=row.created_by,
        sdk_version=row.sdk_version,
        labels=row.labels,
        storage=row.storage,
    )


def schedule(row: ScheduleRow | StoredSchedule) -> Schedule:
    return Schedule(
        id=row.id,
        kind=row.kind,
        document=row.document,
        description=describe(row.document, with_zone=False),
        timezone=row.timezone,
        active=row.active,
        parameters=row.parameters,
        catch_up=row.catch_up,
        catch_up_cap=row.catch_up_cap,
        catch_up_window=row.catch_up_window,
        overlap=row.overlap,
    )
