"""Short ways to the things that tests are about: a registered flow, a run, an agent, a claimed and begun attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from appliance.kit import clock, ids
from appliance.protocol.agents import Claim, Enrol, Work
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registered, Registration
from appliance.protocol.run_protocol import Begin, FlowStateEvent, LogEvent, Report, Reported, TaskStateEvent
from appliance.server.actions import agents, flows
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs, waiting
from appliance.server.db.session import Database
from appliance.server.domain.quotas import ROW
from appliance.server.domain.waiting import Waiting

ALICE = Actor(kind="user", name="alice", role="operator")
AGENT = Actor(kind="agent", name="agent-token")
RUN = Actor(kind="run", name="run")
MINUTELY = {"kind": "cron", "cron": "* * * * *", "timezone": "UTC"}
YEARLY = {"kind": "cron", "cron": "0 0 1 1 *", "timezone": "UTC"}
"""For tests on the real clock, in which a run of a minutely schedule might come due."""
N = {"name": "n", "required": False, "default": 0, "schema": {"type": "integer"}}


def document(
    *,
    schedules: list[dict[str, Any]] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    labels: list[str] | None = None,
    secrets: list[str] | None = None,
    owner: str = "",
    more_tasks: tuple[str, ...] = (),
    starts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Of a flow of two tasks, of which the second starts the flow that `starts` names."""
    said = {"secrets": secrets, "owner": owner}
    return {name: value for name, value in said.items() if value} | {
        "name": "etl",
        "tasks": [
            {"slug": "extract-1", "name": "extract", "tags": ["db"], "mapped": False},
            {"slug": "load-1", "name": "load", "tags": [], "mapped": True} | ({"starts": starts} if starts else {}),
            *({"slug": slug, "name": slug[:-2], "tags": [], "mapped": False} for slug in more_tasks),
        ],
        "edges": [{"upstream": "extract-1", "downstream": "load-1", "key": "rows", "mapped": True, "flattened": False}],
        "parameters": [] if parameters is None else parameters,
        "reference_tasks": ["load-1"],
        "schedules": schedules or [],
        "run_config": {"type": "universal", "env": {}, "labels": labels or []},
        "sdk_version": "0.1.0",
    }


def register(
    db: Database,
    name: str = "etl",
    *,
    active: bool = True,
    content: str = "",
    project: str = "demo",
    storage: dict[str, Any] | None = None,
    **parts: Any,
) -> Registered:
    doc = document(**parts)
    request = Registration(
        project=project,
        name=name,
        content_hash=ids.sha256(content or repr(doc)),
        document=doc,
        storage=storage or {"type": "local", "path": "etl.py"} | ({"sha256": ids.sha256(content)} if content else {}),
        set_schedules_active=active,
    )
    return flows.register(db, ALICE, request)


def create(db: Database, flow_id: UUID, **fields: Any) -> UUID:
    return create_run(db, ALICE, CreateFlowRun(flow_id=flow_id, **fields)).id


def enrol(db: Database, name: str = "embedded", labels: list[str] | None = None, **fields: Any) -> UUID:
    given = {"type": "process", "capacity": 8, "version": "0.1.0", "host": "host", **fields}
    return agents.enrol(db, AGENT, Enrol(name=name, labels=labels or [], **given)).agent_id


def claim(db: Database, agent_id: UUID, slots: int = 1, **fields: Any) -> list[Work]:
    return agents.claim(db, AGENT, agent_id, Claim(free_slots=slots, **fields)).work


def begun(db: Database, **parts: Any) -> tuple[UUID, UUID]:
    """A run that is Running in attempt 1, and its agent."""
    flow = register(db, **parts)
    run = create(db, flow.flow_id)
    agent = enrol(db, storages=["bundle", "local"])
    assert [work.flow_run_id for work in claim(db, agent)] == [run]
    assert runs.begin(db, RUN, run, Begin(attempt=1)).verdict == "go"
    return run, agent


def send(db: Database, run: UUID, seq: int, *events: Any, attempt: int = 1) -> Reported:
    return runs.report(db, RUN, run, Report(attempt=attempt, seq=seq, events=list(events)))


def task(slug: str, type: str, name: str, **fields: Any) -> TaskStateEvent:
    return TaskStateEvent(slug=slug, type=type, name=name, at=fields.pop("at", None) or clock.now(), **fields)


def flow(type: str, name: str, **fields: Any) -> FlowStateEvent:
    return FlowStateEvent(type=type, name=name, at=clock.now(), **fields)


def line(message: str, level: str = "INFO", at: datetime | None = None, **fields: Any) -> LogEvent:
    return LogEvent(at=at or clock.now(), level=level, logger="flow", message=message, **fields)


def waits(db: Database, run: UUID) -> Waiting | None:
    """Why the run waits now."""
    with db.read() as session:
        return waiting.reasons(session, flow_runs.by_ids(session, [run]), clock.now()).get(run)


def rows(db: Database, query: str, **values: Any) -> list[dict[str, Any]]:
    """What a plain query finds; ids are compared as texts without dashes."""
    with db.read() as session:
        found = session.execute(text(query), {key: _plain(db, value) for key, value in values.items()})
        return [dict(row._mapping) for row in found]


def one(db: Database, query: str, **values: Any) -> dict[str, Any]:
    found = rows(db, query, **values)
    assert len(found) == 1
    return found[0]


def run_row(db: Database, run: UUID) -> dict[str, Any]:
    return one(db, "select * from flow_run where id = :id", id=run)


def check_histories(db: Database) -> None:
    """Every run and task run has versions 1..n without a gap, and repeats its newest state."""
    for noun in ("flow_run", "task_run"):
        wrong = rows(
            db,
            f"select r.id from {noun} r join {noun}_state s on s.{noun}_id = r.id"
            " group by r.id, r.version having count(*) <> r.version or max(s.version) <> r.version or min(s.version) <> 1",
        )
        stray = rows(
            db,
            f"select r.id from {noun} r left join {noun}_state s on s.{noun}_id = r.id and s.version = r.version"
            " where s.version is null or s.type <> r.state_type or s.name <> r.state_name",
        )
        assert wrong == [] and stray == []
    check_usage(db)


def check_usage(db: Database) -> None:
    """What each project has stored is the sum over its runs, versions, bundles, results and artifacts, and of each run's log it is what there is."""
    flows = "select f.id from flow f where f.project_id = p.id"
    sums = (
        f"(select sum(stored_rows + log_rows) from flow_run where flow_id in ({flows})) as run_rows,"
        f"(select sum(stored_bytes + log_bytes) from flow_run where flow_id in ({flows})) as run_bytes,"
        f"(select count(*) from flow_version where stored_bytes > 0 and flow_id in ({flows})) as versions,"
        f"(select sum(stored_bytes) from flow_version where flow_id in ({flows})) as version_bytes,"
        f"(select count(*) from bundle where project_id = p.id) as bundles,"
        f"(select sum(size + {ROW}) from bundle where project_id = p.id) as bundle_bytes,"
        "(select count(*) from kept_result where project_id = p.id and flow_run_id is null) as shared,"
        "(select sum(size + 200) from kept_result where project_id = p.id and flow_run_id is null) as shared_bytes,"
        "(select count(*) from artifact where project_id = p.id and flow_run_id is null) as artifacts,"
        "(select sum(size + 200) from artifact where project_id = p.id and flow_run_id is null) as artifact_bytes"
    )
    usage = "(select sum({0}) from project_usage where project_id = p.id) as {0}"
    for row in rows(db, f"select {sums}, {usage.format('stored_rows')}, {usage.format('stored_bytes')} from project p"):
        number = {name: int(value or 0) for name, value in row.items()}
        parts = ("run", "version", "bundle", "shared", "artifact")
        counts = ("run_rows", "versions", "bundles", "shared", "artifacts")
        assert number["stored_rows"] == sum(number[of] for of in counts), number
        assert number["stored_bytes"] == sum(number[f"{of}_bytes"] for of in parts), number
    lines = "select flow_run_id, count(*) as n from log group by flow_run_id"
    wrong = rows(db, f"select r.id from flow_run r join ({lines}) l on l.flow_run_id = r.id where l.n <> r.log_rows")
    assert wrong == []


def _plain(db: Database, value: Any) -> Any:
    return value.hex if isinstance(value, UUID) and db.dialect == "sqlite" else value
