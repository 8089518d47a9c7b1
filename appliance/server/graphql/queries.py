"""The queries, for bounded pages and single objects. Each declares its permission."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from appliance.kit.version import VERSION
from appliance.protocol.flow_runs import RestartFlowRun, ResumeFlowRun
from appliance.protocol.logs import Stream
from appliance.protocol.run_filter import NEWEST_FIRST, ListOrder, RunFilter
from appliance.server.actions import continuation
from appliance.server.actions.rollups import check_span
from appliance.server.actions.setup import AGENTS_USER
from appliance.server.auth.guards import Permission, permissions_of
from appliance.server.db.reads import (
    agents,
    flow_runs,
    flows,
    leases,
    log_search,
    logs,
    pages,
    projects,
    rollups,
    run_filter_names,
    run_histograms,
    settings,
    size,
    task_groups,
    task_runs,
    waiting_runs,
)
from appliance.server.domain import log_words
from appliance.server.domain.waiting import health_of
from appliance.server.errors import Invalid
from appliance.server.graphql.agents import AgentQueries
from appliance.server.graphql.artifacts import ArtifactQueries
from appliance.server.graphql.automations import AutomationQueries
from appliance.server.graphql.concurrency import ConcurrencyQueries
from appliance.server.graphql.context import Context, Info
from appliance.server.graphql.fields import root_field
from appliance.server.graphql.filters import run_filter, search_text, state_types
from appliance.server.graphql.jobs import JobQueries
from appliance.server.graphql.kept import KeptQueries
from appliance.server.graphql.known_failures import KnownFailureQueries
from appliance.server.graphql.life_cycle import LifeCycleQueries
from appliance.server.graphql.loaders import Batch
from appliance.server.graphql.saved_views import SavedViewQueries
from appliance.server.graphql.scalars import BigInt
from appliance.server.graphql.schedules import ScheduleQueries
from appliance.server.graphql.secrets import SecretQueries
from appliance.server.graphql.system import SystemQueries
from appliance.server.graphql.types import continuation as continuation_types
from appliance.server.graphql.types import flows as flow_types
from appliance.server.graphql.types import logs as log_types
from appliance.server.graphql.types import projects as project_types
from appliance.server.graphql.types import task_runs as task_types
from appliance.server.graphql.types.continuation import Continuation
from appliance.server.graphql.types.flows import Flow, FlowPage, FlowRun, FlowRunPage
from appliance.server.graphql.types.histograms import RunHistogram, RunSuggestion, run_histogram
from appliance.server.graphql.types.inputs import (
    FlowFilter,
    FlowRunFilter,
    FlowRunSort,
    LogFilter,
    LogSearchFilter,
    TaskRunFilter,
    TaskRunSort,
)
from appliance.server.graphql.types.logs import LogPage, LogSearchPage
from appliance.server.graphql.types.projects import Project
from appliance.server.graphql.types.rollups import RunRollup, run_rollup
from appliance.server.graphql.types.system import Me, Server
from appliance.server.graphql.types.task_runs import TaskGroupPage, TaskRunPage


@strawberry.type
class Query(
    JobQueries,
    LifeCycleQueries,
    ScheduleQueries,
    ConcurrencyQueries,
    SecretQueries,
    KnownFailureQueries,
    AutomationQueries,
    SavedViewQueries,
    KeptQueries,
    ArtifactQueries,
    SystemQueries,
    AgentQueries,
):
    @root_field(Permission.SELF)
    def me(self, info: Info) -> Me:
        actor = info.context.actor
        return Me(
            username=actor.name,
            role=actor.role or "",
            permissions=sorted(permission.value for permission in permissions_of(actor)),
            must_change_password=actor.must_change_password,
        )

    @root_field(Permission.READ)
    def server(self, info: Info) -> Server:
        context = info.context
        lease = leases.get(context.session(), leases.SCHEDULER)
        tick = None if lease is None or lease.last_run_at is None else (context.now - lease.last_run_at).total_seconds()
        rows = agents.every(context.session())
        return Server(
            version=VERSION,
            site_name=context.settings.site_name,
            time=context.now,
            scheduler_tick_age=tick,
            database_bytes=BigInt(size.database_bytes(context.session())),
            agents_online=sum(health_of(row, context.now) == "online" for row in rows),
            agent_not_separated=settings.get(context.session(), AGENTS_USER),
        )

    @root_field(Permission.READ)
    def projects(self, info: Info, archived: bool = False) -> list[Project]:
        rows = projects.every(info.context.session(), archived)
        info.context.loaders.flow_count.want({row.id for row in rows})
        info.context.loaders.usage.want({row.id for row in rows})
        return [project_types.project(row) for row in rows]

    @root_field(Permission.READ)
    def flows(
        self, info: Info, filter: FlowFilter | None = None, first: int | None = None, after: str | None = None
    ) -> FlowPage:
        filter = filter or FlowFilter()
        if filter.project is not None:
            run_filter_names.check_project(info.context.session(), filter.project)
        page = flows.page(
            info.context.session(), pages.size(first), after, filter.project, filter.name, bool(filter.archived)
        )
        info.context.loaders.see_flows(page.rows)
        return FlowPage(items=[flow_types.flow(row) for row in info.context.whole(page.rows)], next=page.next)

    @root_field(Permission.READ)
    def flow(self, info: Info, id: UUID) -> Flow | None:
        row = flows.get(info.context.session(), id)
        if row is None:
            return None
        info.context.loaders.see_flows([row])
        return flow_types.flow(row)

    @root_field(Permission.READ)
    def flow_runs(
        self,
        info: Info,
        filter: FlowRunFilter | None = None,
        sort: FlowRunSort | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> FlowRunPage:
        context, runs = info.context, run_filter(filter or FlowRunFilter())
        order: ListOrder = NEWEST_FIRST if sort is None else sort.value
        chosen = waiting_runs.ordered(context.session(), runs, context.now, order)
        page = chosen.page(pages.size(first), after)
        context.loaders.see_runs(page.rows)
        items = [flow_types.flow_run(row) for row in context.whole(page.rows)]
        return FlowRunPage(runs=chosen, items=items, next=page.next)

    @root_field(Permission.READ)
    def run_histogram(self, info: Info, filter: FlowRunFilter | None = None) -> RunHistogram | None:
        context, runs = info.context, run_filter(filter or FlowRunFilter())
        histogram = run_histograms.histogram(context.session(), runs, context.now)
        return None if histogram is None else run_histogram(histogram)

    @root_field(Permission.READ)
    def run_suggestions(
        self, info: Info, field: str, text: str = "", filter: FlowRunFilter | None = None
    ) -> list[RunSuggestion]:
        context, runs = info.context, run_filter(filter or FlowRunFilter())
        values = run_histograms.suggestions(context.session(), runs, context.now, field, search_text(text) or "")
        return [RunSuggestion(value=value, runs=number) for value, number in values]

    @root_field(Permission.READ)
    def flow_run(self, info: Info, id: UUID) -> FlowRun | None:
        return one_flow_run(info.context, id)

    @root_field(Permission.READ)
    def flow_run_continuation(
        self,
        info: Info,
        flow_run_id: UUID,
        from_task: str | None = None,
        newest_version: bool = False,
        anywhere: bool = False,
        task_slug: str | None = None,
        map_index: int | None = None,
    ) -> Continuation:
        restart = RestartFlowRun(from_task=from_task, newest_version=newest_version, anywhere=anywhere)
        resume = ResumeFlowRun(task_slug=task_slug, map_index=map_index, anywhere=anywhere)
        return continuation_types.continuation(
            continuation.preview(info.context.database, flow_run_id, restart, resume)
        )

    @root_field(Permission.READ)
    def task_runs(
        self,
        info: Info,
        flow_run_id: UUID,
        filter: TaskRunFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        offset: int | None = None,
        sort: TaskRunSort = TaskRunSort.INDEX,
    ) -> TaskRunPage:
        session, filter = info.context.session(), filter or TaskRunFilter()
        states = (*state_types(filter.state_types), *(filter.state_names or ()))
        run_filter_names.check_tasks(session, flow_run_id, states, filter.task_slug)
        criteria = task_runs.TaskFilter(states, filter.task_slug, filter.map_index, bool(filter.children))
        page = task_runs.listed(session, flow_run_id, pages.size(first), criteria, after, offset, sort.value)
        info.context.loaders.history.want({row.id for row in page.rows})
        info.context.loaders.child_of.want({(flow_run_id, row.task_slug, row.map_index) for row in page.rows})
        return TaskRunPage(items=[task_types.task_run(row) for row in page.rows], next=page.next)

    @root_field(Permission.READ)
    def task_run_place(
        self, info: Info, flow_run_id: UUID, task_slug: str, map_index: int, sort: TaskRunSort = TaskRunSort.INDEX
    ) -> int | None:
        return task_runs.place(info.context.session(), flow_run_id, task_slug, map_index, sort.value)

    @root_field(Permission.READ)
    def task_groups(
        self, info: Info, flow_run_id: UUID, first: int | None = None, after: str | None = None
    ) -> TaskGroupPage:
        session, now = info.context.session(), info.context.now
        page = task_groups.page(session, flow_run_id, pages.size(first), after)
        info.context.loaders.history.want({group.own.id for group in page.groups if group.own is not None})
        own = (group.own for group in page.groups if group.own is not None)
        info.context.loaders.child_of.want({(flow_run_id, row.task_slug, row.map_index) for row in own})
        busy: Batch[str, list[int]] = Batch(lambda _: task_groups.busy(session, flow_run_id, page.groups, now))
        busy.want({group.task_slug for group in page.groups})
        return TaskGroupPage(items=[task_types.task_group(group, busy) for group in page.groups], next=page.next)

    @root_field(Permission.READ)
    def logs(
        self,
        info: Info,
        flow_run_id: UUID,
        filter: LogFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> LogPage:
        if after is not None and before is not None:
            raise Invalid("The arguments after and before exclude each other; use one of them.")
        filter = filter or LogFilter()
        stream: Stream | None = None if filter.stream is None else filter.stream.value
        text = search_text(filter.text)
        lines = logs.LogFilter(filter.min_level, filter.task_slug, filter.map_index, text, stream)
        page, previous = logs.page(info.context.session(), flow_run_id, lines, pages.size(first), after, before)
        return LogPage(items=[log_types.log(row) for row in page.rows], next=page.next, previous=previous)

    @root_field(Permission.READ)
    def log_search(
        self,
        info: Info,
        text: str,
        filter: LogSearchFilter | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> LogSearchPage:
        filter, words = filter or LogSearchFilter(), log_words.parse(text)
        runs = RunFilter(flow_id=filter.flow_id, flow=filter.flow, project=filter.project)
        criteria = log_search.LogSearch(words, runs, filter.min_level, filter.since, filter.until)
        page = log_search.page(info.context.session(), criteria, pages.size(first), after)
        items = [log_types.found_log(row, words) for row in page.rows]
        return LogSearchPage(items=items, next=page.next, complete=page.complete)

    @root_field(Permission.READ)
    def run_rollups(
        self, info: Info, since: datetime, until: datetime, flow_id: UUID | None = None, project: str | None = None
    ) -> list[RunRollup]:
        check_span(since, until)
        if project is not None:
            run_filter_names.check_project(info.context.session(), project)
        return [run_rollup(row) for row in rollups.per_hour(info.context.session(), since, until, flow_id, project)]


def one_flow_run(context: Context, run_id: UUID) -> FlowRun | None:
    row = flow_runs.get(context.session(), run_id)
    if row is None:
        return None
    context.loaders.see_runs([row])
    return flow_types.flow_run(row)
