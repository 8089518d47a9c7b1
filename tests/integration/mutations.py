"""A sample of every mutation of both schemas: what must exist before it, and the request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from appliance.kit import clock, ids
from appliance.protocol.automations import Action, CreateAutomation
from appliance.protocol.backfills import Backfill
from appliance.protocol.jobs import Bulk
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.saved_views import SaveView
from appliance.protocol.schedules import SkipDueTime
from appliance.protocol.secrets import PutSecret
from appliance.protocol.tokens import CreateToken
from appliance.protocol.users import Login, SetPassword
from appliance.schedules import parse
from appliance.server.actions import (
    agent_states,
    agents,
    automations,
    concurrency,
    deliveries,
    hold,
    jobs,
    known_failures,
    maintenance,
    passwords,
    saved_views,
    schedules,
    secrets,
    sessions,
    skipped_times,
    tokens,
)
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import automations as read_automations
from appliance.server.db.reads import users
from appliance.server.db.session import Database
from appliance.server.events.sending import Outcome
from tests.integration import artifact_requests, builders, result_doors
from tests.integration.builders import ALICE, MINUTELY, create, register, rows
from tests.integration.server_fixtures import Site
from tests.integration.test_attempts import failed

PASSWORD = "correct horse battery"
CRON = {"kind": "cron", "cron": "0 6 * * *", "timezone": "UTC"}
Request = tuple[str, dict[str, Any] | None]
Rest = Callable[[Site], Request]
Variables = Callable[[Site], dict[str, Any]]


def flow(site: Site) -> UUID:
    return register(site.database).flow_id


def changed_flow(site: Site) -> UUID:
    """A flow of two versions."""
    flow(site)
    return register(site.database, content="changed").flow_id


def planned(site: Site) -> UUID:
    """A run that is due in an hour."""
    return create(site.database, flow(site), scheduled_time=clock.now() + timedelta(hours=1))


def paused(site: Site) -> UUID:
    run = planned(site)
    pause_run(site.database, ALICE, run)
    return run


def ended(site: Site) -> UUID:
    return failed(site.database)[0]


def schedule(site: Site) -> UUID:
    return schedules.create(site.database, ALICE, flow(site), CRON).id


def due_time(site: Site) -> str:
    """The next time at which that schedule is due."""
    [at] = parse(CRON).next(1, clock.now())
    return at.isoformat()


def schedule_that_skips(site: Site) -> UUID:
    made = schedule(site)
    skipped_times.skip(site.database, ALICE, made, SkipDueTime(at=datetime.fromisoformat(due_time(site))))
    return made


def project(site: Site) -> UUID:
    flow(site)
    return UUID(str(rows(site.database, "select id from project")[0]["id"]))


def agent(site: Site) -> UUID:
    return builders.enrol(site.database, "edge")


def gone_agent(site: Site) -> UUID:
    made = agent(site)
    agents.sign_off(site.database, ALICE, made)
    return made


def drained_agent(site: Site) -> UUID:
    made = agent(site)
    agent_states.drain(site.database, ALICE, made)
    return made


def limit(site: Site) -> UUID:
    return concurrency.put(site.database, ALICE, "label", "gpu", 2).id


def secret(site: Site) -> UUID:
    request = PutSecret(project="demo", name="OLD", secret_value="a value")
    return secrets.put(site.database, ALICE, SecretKeys(site.settings.secrets_key_path), request)


def known_failure(site: Site) -> UUID:
    return known_failures.mark(site.database, ALICE, MarkFailure(flow_run_id=ended(site)))


def view(site: Site) -> UUID:
    """One of the administrator's."""
    with site.database.read() as session:
        admin = users.by_username(session, "admin")
    assert admin is not None
    owner = Actor(kind="user", name="admin", role="admin", user_id=admin.id)
    return saved_views.save(site.database, owner, SaveView(name="late", q="state:late"))


def automation(site: Site) -> UUID:
    """One whose receiver is refused, since it is on this machine."""
    action = Action(kind="webhook", url="http://127.0.0.1:1/hook")
    request = CreateAutomation(name="failures", events=["run.failed"], action=action)
    return automations.create(site.database, ALICE, request)


def delivery(site: Site) -> UUID:
    """One that was sent."""
    automation(site)
    ended(site)
    deliveries.follow(site.database, deliveries.Follower(), clock.now())
    with site.database.read() as session:
        [due] = read_automations.due(session, clock.now(), 1)
    deliveries.mark(site.database, due, Outcome(True, "", "200 OK"), now=clock.now())
    return due.id


def kept_result(site: Site) -> UUID:
    return result_doors.stored(site.database, result_doors.begun(site.database), "target.pickle", b"old")


def artifact(site: Site) -> UUID:
    return artifact_requests.made(site.database, result_doors.begun(site.database)).id


def job(site: Site) -> UUID:
    """A job that has not ended."""
    for _ in range(jobs.AT_ONCE + 1):
        planned(site)
    request = Bulk(action="edit", filter=None, ids=[UUID(str(row["id"])) for row in runs(site.database)], priority=1)
    return jobs.create_bulk(site.database, ALICE, request)


def runs(database: Database) -> list[dict[str, Any]]:
    return rows(database, "select id from flow_run")


def held(site: Site) -> dict[str, Any]:
    create(site.database, flow(site), scheduled_time=clock.now() - timedelta(hours=1))
    hold.begin_if_many(site.database, clock.now(), 0, now=clock.now())
    return {"reason": "after the outage"}


def in_maintenance(site: Site) -> None:
    maintenance.begin(site.database, ALICE)


def token(site: Site) -> UUID:
    return tokens.create(site.database, SYSTEM, CreateToken(name="old", username="viewer")).view.id


def user(site: Site) -> UUID:
    return UUID(str(rows(site.database, "select id from \"user\" where username = 'viewer'")[0]["id"]))


def own_password(site: Site) -> None:
    """The administrator, who has only a token, gets a password too."""
    admin = UUID(str(rows(site.database, "select id from \"user\" where username = 'admin'")[0]["id"]))
    set_password = SetPassword(password=PASSWORD, must_change=False)
    passwords.set_for(site.database, SYSTEM, admin, set_password, None)


def own_session(site: Site) -> UUID:
    """A browser in which the administrator is signed in."""
    own_password(site)
    sessions.sign_in(site.database, Login(username="admin", password=PASSWORD), timedelta(hours=1))
    return UUID(str(rows(site.database, "select id from session")[0]["id"]))


def backfill(site: Site) -> dict[str, Any]:
    return {"schedule_id": str(schedule(site)), "start": "2026-01-01T00:00:00Z", "end": "2026-01-04T00:00:00Z"}


def a_backfill(site: Site) -> Backfill:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Backfill(schedule_id=schedule(site), start=start, end=start + timedelta(days=3))


def registration() -> dict[str, Any]:
    document = builders.document()
    return {
        "project": "demo",
        "name": "etl",
        "content_hash": ids.sha256(repr(document)),
        "document": document,
        "storage": {"type": "local", "path": "etl.py"},
    }


def verb(make: Callable[[Site], UUID], name: str, **body: Any) -> Rest:
    return lambda site: (f"/flow-runs/{make(site)}{name}", body)


REST: dict[str, Rest] = {
    "POST /flow-runs": lambda site: ("/flow-runs", {"flow_id": str(flow(site))}),
    "POST /flow-runs/{run_id}/cancel": verb(planned, "/cancel", reason="not needed"),
    "POST /flow-runs/{run_id}/pause": verb(planned, "/pause"),
    "POST /flow-runs/{run_id}/resume": verb(paused, "/resume"),
    "POST /flow-runs/{run_id}/restart": verb(ended, "/restart"),
    "POST /flow-runs/{run_id}/mark": verb(ended, "/mark", state="Success"),
    "POST /flow-runs/{run_id}/start-now": verb(planned, "/start-now"),
    "PATCH /flow-runs/{run_id}": verb(planned, "", priority=5),
    "DELETE /flow-runs/{run_id}": lambda site: (f"/flow-runs/{planned(site)}", None),
    "POST /flows": lambda _site: ("/flows", registration()),
    "PUT /flows/{flow_id}/defaults": lambda site: (f"/flows/{flow(site)}/defaults", {"labels": ["big"]}),
    "PUT /flows/{flow_id}/run-timeout": lambda site: (f"/flows/{flow(site)}/run-timeout", {"seconds": 60.0}),
    "POST /flows/{flow_id}/rollback": lambda site: (f"/flows/{changed_flow(site)}/rollback", {"to": 1}),
    "POST /flows/{flow_id}/schedules": lambda site: (f"/flows/{flow(site)}/schedules", {"document": MINUTELY}),
    "PATCH /flows/{flow_id}": lambda site: (f"/flows/{flow(site)}", {"name": "renamed"}),
    "DELETE /flows/{flow_id}": lambda site: (f"/flows/{flow(site)}", {}),
    "PATCH /projects/{project_id}": lambda site: (f"/projects/{project(site)}", {"archived": True}),
    "DELETE /projects/{project_id}": lambda site: (f"/projects/{project(site)}", {}),
    "PATCH /schedules/{schedule_id}": lambda site: (f"/schedules/{schedule(site)}", {"overlap": "skip"}),
    "POST /schedules/{schedule_id}/skip": lambda site: (f"/schedules/{schedule(site)}/skip", {"at": due_time(site)}),
    "POST /schedules/{schedule_id}/unskip": lambda site: (
        f"/schedules/{schedule_that_skips(site)}/unskip",
        {"at": due_time(site)},
    ),
    "DELETE /schedules/{schedule_id}": lambda site: (f"/schedules/{schedule(site)}", None),
    "POST /agents/{agent_id}/drain": lambda site: (f"/agents/{agent(site)}/drain", None),
    "POST /agents/{agent_id}/resume": lambda site: (f"/agents/{drained_agent(site)}/resume", None),
    "DELETE /agents/{agent_id}": lambda site: (f"/agents/{gone_agent(site)}", None),
    "PUT /concurrency-limits": lambda _site: ("/concurrency-limits", {"kind": "label", "name": "gpu", "slots": 3}),
    "DELETE /concurrency-limits/{limit_id}": lambda site: (f"/concurrency-limits/{limit(site)}", None),
    "PUT /secrets": lambda _site: ("/secrets", {"project": "demo", "name": "TOKEN", "value": "a value"}),
    "DELETE /artifacts/{artifact_id}": lambda site: (f"/artifacts/{artifact(site)}", None),
    "DELETE /results/{result_id}": lambda site: (f"/results/{kept_result(site)}", None),
    "DELETE /secrets/{secret_id}": lambda site: (f"/secrets/{secret(site)}", None),
    "PUT /views": lambda _site: ("/views", {"name": "failed", "q": "state:failed"}),
    "PATCH /views/{view_id}": lambda site: (f"/views/{view(site)}", {"name": "later"}),
    "DELETE /views/{view_id}": lambda site: (f"/views/{view(site)}", None),
    "POST /automations": lambda _site: (
        "/automations",
        {
            "name": "failures",
            "events": ["run.failed"],
            "action": {"kind": "webhook", "url": "https://hooks.example.org/"},
        },
    ),
    "PATCH /automations/{automation_id}": lambda site: (f"/automations/{automation(site)}", {"enabled": False}),
    "DELETE /automations/{automation_id}": lambda site: (f"/automations/{automation(site)}", None),
    "POST /automations/{automation_id}/test": lambda site: (f"/automations/{automation(site)}/test", None),
    "POST /deliveries/{delivery_id}/send-again": lambda site: (f"/deliveries/{delivery(site)}/send-again", None),
    "POST /known-failures": lambda site: ("/known-failures", {"flow_run_id": str(ended(site))}),
    "DELETE /known-failures/{known_failure_id}": lambda site: (f"/known-failures/{known_failure(site)}", None),
    "POST /bulk": lambda site: ("/bulk", {"action": "edit", "ids": [str(planned(site))], "priority": 3}),
    "POST /backfills": lambda site: ("/backfills", backfill(site)),
    "POST /jobs/{job_id}/cancel": lambda site: (f"/jobs/{job(site)}/cancel", {}),
    "POST /system/hold/release": lambda site: ("/system/hold/release", held(site)),
    "POST /system/hold/skip": lambda site: ("/system/hold/skip", held(site)),
    "PUT /system/maintenance": lambda _site: ("/system/maintenance", {"reason": "new disks"}),
    "DELETE /system/maintenance": lambda site: (in_maintenance(site), ("/system/maintenance", None))[1],
    "POST /system/free-space": lambda _site: ("/system/free-space", {"keep_days": 1.0}),
    "POST /users": lambda _site: (
        "/users",
        {"username": "dora", "password": PASSWORD, "role": "operator"},
    ),
    "PATCH /users/{user_id}": lambda site: (f"/users/{user(site)}", {"role": "operator", "disabled": True}),
    "DELETE /users/{user_id}": lambda site: (f"/users/{user(site)}", None),
    "DELETE /users/{user_id}/sessions": lambda site: (f"/users/{user(site)}/sessions", None),
    "DELETE /sessions/{session_id}": lambda site: (f"/sessions/{own_session(site)}", None),
    "PUT /users/{user_id}/password": lambda site: (
        f"/users/{user(site)}/password",
        {"password": "another horse battery"},
    ),
    "POST /password": lambda site: (
        own_password(site),
        ("/password", {"current": PASSWORD, "new": "another horse battery"}),
    )[1],
    "POST /tokens": lambda _site: ("/tokens", {"name": "ci", "username": "viewer"}),
    "POST /tokens/{token_id}/rotate": lambda site: (f"/tokens/{token(site)}/rotate", {"overlap": 60.0}),
    "DELETE /tokens/{token_id}": lambda site: (f"/tokens/{token(site)}", None),
}
"""By method and path below /api/v1."""

OWN_MEANS = {
    "POST /graphql": "its mutations have samples of their own",
    "POST /agents": "an agent is one row per name",
    "POST /agents/{agent_id}/claim": "an unanswered claim's lease runs out",
    "POST /agents/{agent_id}/sign-off": "an agent that has signed off stays signed off",
    "POST /agents/{agent_id}/report": "a report says what is the case; log lines have a key, which test_replayed_requests sends",
    "POST /agents/{agent_id}/were-deleted": "it changes nothing",
    "POST /agents/{agent_id}/code-gone": "it names the attempt, which is taken back once",
    "POST /flow-runs/{flow_run_id}/begin": "an attempt begins once",
    "POST /flow-runs/{flow_run_id}/report": "batches are numbered",
    "POST /flow-runs/{flow_run_id}/slots": "a task run holds a slot once",
    "POST /flow-runs/{flow_run_id}/children": "a task run has one child",
    "POST /flow-runs/{flow_run_id}/children/await": "it changes nothing",
    "POST /flow-runs/{flow_run_id}/secrets": "it changes nothing",
    "POST /flow-runs/{flow_run_id}/bundle": "it changes nothing",
    "POST /bundles/ask": "it only keeps a bundle for another hour",
    "PUT /bundles": "the same bundle is stored once",
    "POST /flow-runs/{flow_run_id}/results/store": "the same bytes again change nothing",
    "POST /flow-runs/{flow_run_id}/artifacts": "the same request again changes nothing",
    "POST /flow-runs/{flow_run_id}/results/read": "it changes nothing",
    "POST /flow-runs/{flow_run_id}/results/find": "it changes nothing",
    "POST /results/read": "it changes nothing",
    "POST /backfills/preview": "it changes nothing",
    "POST /automations/dry-run": "it changes nothing",
    "POST /flows/preview": "it changes nothing",
    "POST /flows/{flow_id}/rollback/preview": "it changes nothing",
    "POST /flows/{flow_id}/schedules/preview": "it changes nothing",
    "POST /login": "nobody is known yet; an unused session expires",
    "POST /setup": "its token works once, and the new user can sign in",
    "POST /logout": "an ended session stays ended",
}
"""Routes that need no key, and why."""


def one(make: Callable[[Site], UUID], name: str = "flowRunId", **more: Any) -> Variables:
    return lambda site: {name: str(make(site)), **more}


def range_of(site: Site) -> dict[str, Any]:
    body = backfill(site)
    return {"range": {"scheduleId": body["schedule_id"], "start": body["start"], "end": body["end"]}}


GRAPHQL: dict[str, Variables] = {
    "createFlowRun": one(flow, "flowId"),
    "setFlowDefaults": one(flow, "flowId", labels=["big"]),
    "setRunTimeout": one(flow, "flowId", seconds=60.0),
    "cancelFlowRun": one(planned),
    "pauseFlowRun": one(planned),
    "resumeFlowRun": one(paused),
    "restartFlowRun": one(ended),
    "markFlowRun": one(ended, state="SUCCESS"),
    "startFlowRunNow": one(planned),
    "editFlowRun": one(planned, priority=5),
    "deleteFlowRun": one(planned),
    "editFlow": lambda site: {"flowId": str(flow(site)), "name": "renamed"},
    "rollBackFlow": one(changed_flow, "flowId", to=1),
    "deleteFlow": one(flow, "flowId"),
    "editProject": one(project, "projectId", archived=True),
    "deleteProject": one(project, "projectId"),
    "setScheduleActive": one(schedule, "scheduleId", active=False),
    "createSchedule": lambda site: {"flowId": str(flow(site)), "document": CRON},
    "editSchedule": one(schedule, "scheduleId", overlap="skip"),
    "deleteSchedule": one(schedule, "scheduleId"),
    "skipDueTime": lambda site: {"scheduleId": str(schedule(site)), "at": due_time(site)},
    "unskipDueTime": lambda site: {"scheduleId": str(schedule_that_skips(site)), "at": due_time(site)},
    "drainAgent": one(agent, "agentId"),
    "resumeAgent": one(drained_agent, "agentId"),
    "forgetAgent": one(gone_agent, "agentId"),
    "setConcurrencyLimit": lambda _site: {"kind": "label", "name": "gpu", "slots": 3},
    "removeConcurrencyLimit": one(limit, "concurrencyLimitId"),
    "setSecret": lambda _site: {"project": "demo", "name": "TOKEN", "value": "a value"},
    "deleteSecret": one(secret, "secretId"),
    "markFailure": one(ended),
    "saveView": lambda _site: {"name": "failed", "q": "state:failed"},
    "editView": lambda site: {"savedViewId": str(view(site)), "name": "later"},
    "deleteView": one(view, "savedViewId"),
    "createAutomation": lambda _site: {
        "name": "failures",
        "events": ["run.failed"],
        "action": {"kind": "WEBHOOK", "url": "https://hooks.example.org/"},
    },
    "editAutomation": one(automation, "automationId", enabled=False),
    "deleteAutomation": one(automation, "automationId"),
    "testAutomation": one(automation, "automationId"),
    "sendAgain": one(delivery, "deliveryId"),
    "unmarkFailure": one(known_failure, "knownFailureId"),
    "deleteKeptResult": one(kept_result, "resultId"),
    "deleteArtifact": one(artifact, "artifactId"),
    "bulkFlowRuns": lambda site: {"action": "EDIT", "ids": [str(planned(site))], "priority": 3},
    "backfill": range_of,
    "cancelJob": one(job, "jobId"),
    "releaseHold": held,
    "skipHeld": held,
    "beginMaintenance": lambda _site: {"reason": "new disks"},
    "endMaintenance": lambda site: (in_maintenance(site), {})[1],
    "freeSpace": lambda _site: {"keepDays": 1.0},
}
"""The fields of each mutation's input, without the key."""

WITHOUT_EFFECT_HERE = {
    "POST /system/free-space",
    "freeSpace",
    "POST /automations/{automation_id}/test",
    "testAutomation",
}
"""There is nothing to delete on a new site."""
