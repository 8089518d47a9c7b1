"""Who may do what: every route times every kind of caller. A route that is missing from the table fails."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from litestar import Litestar, get

from appliance.kit import clock, ids
from appliance.protocol.flow_runs import MarkFlowRun
from appliance.server.actions import concurrency, projects
from appliance.server.actions.flow_runs.mark import mark_run
from appliance.server.api.gate import check_every_route, handlers
from appliance.server.auth.guards import Permission, permissions_of
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.writes import users
from appliance.server.graphql import schema
from appliance.server.graphql.fields import permissions
from tests import depth
from tests.integration import builders
from tests.integration.server_fixtures import Site, add_token, add_user

Target = tuple[str, Any]
"""A path and a body; without a body, None."""

EVERYBODY = {"anonymous", "viewer", "operator", "admin", "agent", "run"}
READERS = {"viewer", "operator", "admin"}
OPERATORS = {"operator", "admin"}
ADMINS = {"admin"}
DEAD = ("revoked", "expired", "disabled", "unknown")


def _flow(site: Site) -> UUID:
    return builders.register(site.database, schedules=[builders.MINUTELY]).flow_id


def _run(site: Site) -> UUID:
    return builders.create(site.database, _flow(site))


def _rollback(what: str) -> Callable[[Site], tuple[str, Any]]:
    """Of a flow of two versions or more."""

    def target(site: Site) -> tuple[str, Any]:
        _flow(site)
        flow = builders.register(site.database, content=str(uuid4())).flow_id
        return f"/api/v1/flows/{flow}/rollback{what}", {"to": 1}

    return target


def _coming(verb: str) -> Callable[[Site], tuple[str, Any]]:
    """A request about the first due time of the year after next."""
    at = datetime(clock.now().year + 2, 1, 1, tzinfo=UTC).isoformat()
    return lambda site: (f"/api/v1/schedules/{_schedule(site)}/{verb}", {"at": at})


def _schedule(site: Site) -> str:
    flow = _flow(site)
    found: str = site.get(f"/api/v1/schedules?flow_id={flow}", "admin").json()["items"][0]["id"]
    return found


def _registration(_site: Site) -> Target:
    body = {
        "project": "demo",
        "name": f"flow-{uuid4().hex}",
        "content_hash": ids.sha256(uuid4().hex),
        "document": builders.document(),
        "storage": {"type": "local", "path": "x.py"},
    }
    return "/api/v1/flows", body


def _fixed(path: str, body: Any = None) -> Callable[[Site], Target]:
    return lambda site: (path, body)


def _of_run(suffix: str, body: Any = None) -> Callable[[Site], Target]:
    return lambda site: (f"/api/v1/flow-runs/{_run(site)}{suffix}", body)


def _of_flow(suffix: str, body: Any = None) -> Callable[[Site], Target]:
    return lambda site: (f"/api/v1/flows/{_flow(site)}{suffix}", body)


def _of_project(suffix: str, body: Any = None) -> Callable[[Site], Target]:
    return lambda site: (f"/api/v1/projects/{projects.ensure_project(site.database, SYSTEM, 'spare')}{suffix}", body)


SLOTS = {"attempt": 1, "task_slug": "extract-1", "tags": ["db"]}


def _own(suffix: str, body: Any) -> Callable[[Site], Target]:
    return lambda site: (f"/api/v1/flow-runs/{site.tokens['run id']}{suffix}", body)


def _of_agent(suffix: str, body: Any) -> Callable[[Site], Target]:
    return lambda site: (f"/api/v1/agents/{builders.enrol(site.database)}{suffix}", body)


def _token(site: Site) -> Target:
    made = site.post("/api/v1/tokens", {"name": "x"}, "admin").json()
    return f"/api/v1/tokens/{made['view']['id']}", None


def _user(_site: Site) -> Target:
    return "/api/v1/users", {"username": f"user-{uuid4().hex[:12]}", "password": "a long enough one"}


def _of_user(suffix: str = "", body: Any = None) -> Callable[[Site], Target]:
    return lambda site: (f"/api/v1/users/{add_user(site.database, f'user-{uuid4().hex[:12]}', 'viewer')}{suffix}", body)


def _limit(site: Site) -> Target:
    row = concurrency.put(site.database, builders.ALICE, "label", uuid4().hex, 1)
    return f"/api/v1/concurrency-limits/{row.id}", None


def _failure(site: Site) -> Target:
    """A run that a person has marked as Failed."""
    run = builders.create(site.database, builders.register(site.database, uuid4().hex).flow_id)
    mark_run(site.database, builders.ALICE, run, MarkFlowRun(state="Failed"))
    return "/api/v1/known-failures", {"flow_run_id": str(run)}


def _known_failure(site: Site) -> Target:
    path, body = _failure(site)
    made = site.client.post(path, json=body, headers=site.headers("operator"))
    return f"/api/v1/known-failures/{made.json()['id']}", None


def _secret(site: Site) -> Target:
    body = {"project": "demo", "name": f"S{uuid4().hex}", "value": "a value"}
    made = site.client.put("/api/v1/secrets", json=body, headers=site.headers("operator"))
    return f"/api/v1/secrets/{made.json()['id']}", None


RESULT = {"attempt": 1, "location": "x", "sha256": hashlib.sha256(b"").hexdigest(), "content": ""}
ARTIFACT = {name: value for name, value in RESULT.items() if name != "location"} | {
    "number": 1,
    "slot": "0" * 64,
    "kind": "markdown",
}


def _new_automation(_site: Site) -> Target:
    action = {"kind": "webhook", "url": "http://127.0.0.1:1/"}
    return "/api/v1/automations", {"name": uuid4().hex, "events": ["run.failed"], "action": action}


def _of_automation(suffix: str, body: Any = None) -> Callable[[Site], Target]:
    def target(site: Site) -> Target:
        path, new = _new_automation(site)
        made = site.client.post(path, json=new, headers=site.headers("operator")).json()
        return f"{path}/{made['id']}{suffix}", body

    return target


A = "/api/v1/automations/{automation_id:uuid}"
R = "/api/v1/flow-runs/{run_id:uuid}"
F = "/api/v1/flows/{flow_id:uuid}"
P = "/api/v1/projects/{project_id:uuid}"
TABLE: dict[tuple[str, str], tuple[set[str], Callable[[Site], Target]]] = {
    ("GET", "/healthz"): (EVERYBODY, _fixed("/healthz")),
    ("GET", "/livez"): (EVERYBODY, _fixed("/livez")),
    ("GET", "/readyz"): (EVERYBODY, _fixed("/readyz")),
    ("GET", "/metrics"): (EVERYBODY, _fixed("/metrics")),
    ("GET", "/"): (EVERYBODY, _fixed("/")),
    ("GET", "/{path:path}"): (EVERYBODY, _fixed("/runs/1")),
    ("GET", "/assets/{path:path}"): (EVERYBODY, _fixed("/assets/none.js")),
    ("GET", "/docs"): (EVERYBODY, _fixed("/docs")),
    ("GET", "/docs/{path:path}"): (EVERYBODY, _fixed("/docs/none")),
    ("GET", "/simple"): (EVERYBODY, _fixed("/simple/")),
    ("GET", "/simple/{path:path}"): (EVERYBODY, _fixed("/simple/none/")),
    ("GET", "/api/v1/info"): (EVERYBODY, _fixed("/api/v1/info")),
    ("GET", "/api/v1/openapi.json"): (EVERYBODY, _fixed("/api/v1/openapi.json")),
    ("POST", "/api/v1/login"): (EVERYBODY, _fixed("/api/v1/login", {"username": "x", "password": "x"})),
    ("POST", "/api/v1/setup"): (EVERYBODY, _fixed("/api/v1/setup", {"token": "x", "password": "a long enough one"})),
    ("POST", "/api/v1/logout"): (READERS, _fixed("/api/v1/logout", {})),
    ("POST", "/api/v1/password"): (
        READERS,
        _fixed("/api/v1/password", {"current": "x", "new": "a long enough one"}),
    ),
    ("GET", "/api/v1/me"): (READERS, _fixed("/api/v1/me")),
    ("POST", "/graphql"): (READERS, _fixed("/graphql", {"query": "{ me { username } }"})),
    ("GET", "/api/v1/events"): (READERS, _fixed("/api/v1/events")),
    ("GET", "/api/v1/flows"): (READERS, _fixed("/api/v1/flows")),
    ("POST", "/api/v1/flows"): (OPERATORS, _registration),
    ("POST", "/api/v1/flows/preview"): (
        OPERATORS,
        lambda site: ("/api/v1/flows/preview", _registration(site)[1]),
    ),
    ("GET", "/api/v1/flows/{flow_id:uuid}"): (READERS, lambda site: (f"/api/v1/flows/{_flow(site)}", None)),
    ("GET", F + "/history"): (READERS, lambda site: (f"/api/v1/flows/{_flow(site)}/history", None)),
    ("GET", F + "/tasks"): (READERS, lambda site: (f"/api/v1/flows/{_flow(site)}/tasks", None)),
    ("POST", "/api/v1/flows/{flow_id:uuid}/rollback"): (OPERATORS, _rollback("")),
    ("POST", "/api/v1/flows/{flow_id:uuid}/rollback/preview"): (OPERATORS, _rollback("/preview")),
    ("GET", "/api/v1/flows/{flow_id:uuid}/versions"): (
        READERS,
        lambda site: (f"/api/v1/flows/{_flow(site)}/versions", None),
    ),
    ("PATCH", F): (OPERATORS, _of_flow("", {"paused": True})),
    ("PUT", F + "/defaults"): (OPERATORS, _of_flow("/defaults", {"labels": ["big"]})),
    ("PUT", F + "/run-timeout"): (OPERATORS, _of_flow("/run-timeout", {"seconds": 60.0})),
    ("DELETE", F): (ADMINS, _of_flow("", {})),
    ("GET", F + "/deletion"): (READERS, _of_flow("/deletion")),
    ("GET", F + "/versions/{before:int}/compare/{number:int}"): (READERS, _of_flow("/versions/1/compare/1")),
    ("GET", "/api/v1/logs"): (READERS, _fixed("/api/v1/logs?text=hello")),
    ("GET", "/api/v1/projects"): (READERS, _fixed("/api/v1/projects")),
    ("GET", P): (READERS, _of_project("")),
    ("PATCH", P): (OPERATORS, _of_project("", {"archived": False})),
    ("DELETE", P): (ADMINS, _of_project("", {})),
    ("GET", P + "/deletion"): (READERS, _of_project("/deletion")),
    ("GET", "/api/v1/flow-runs"): (READERS, _fixed("/api/v1/flow-runs")),
    ("GET", "/api/v1/flow-runs/csv"): (READERS, _fixed("/api/v1/flow-runs/csv")),
    ("POST", "/api/v1/flow-runs"): (OPERATORS, lambda site: ("/api/v1/flow-runs", {"flow_id": str(_flow(site))})),
    ("GET", R): (READERS, _of_run("")),
    ("POST", R + "/cancel"): (OPERATORS, _of_run("/cancel", {"reason": "no longer needed"})),
    ("POST", R + "/pause"): (OPERATORS, _of_run("/pause", {"reason": "not yet"})),
    ("POST", R + "/resume"): (OPERATORS, _of_run("/resume", {})),
    ("POST", R + "/restart"): (OPERATORS, _of_run("/restart", {})),
    ("POST", R + "/mark"): (OPERATORS, _of_run("/mark", {"state": "Success"})),
    ("POST", R + "/start-now"): (OPERATORS, _of_run("/start-now", {})),
    ("PATCH", R): (OPERATORS, _of_run("", {"priority": 1})),
    ("DELETE", R): (OPERATORS, _of_run("")),
    ("GET", R + "/states"): (READERS, _of_run("/states")),
    ("GET", R + "/continuation"): (READERS, _of_run("/continuation")),
    ("GET", R + "/task-runs"): (READERS, _of_run("/task-runs")),
    ("GET", R + "/task-groups"): (READERS, _of_run("/task-groups")),
    ("GET", R + "/logs"): (READERS, _of_run("/logs")),
    ("GET", R + "/logs/download"): (READERS, _of_run("/logs/download")),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/begin"): ({"run"}, _own("/begin", {"attempt": 1})),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/report"): ({"run"}, _own("/report", {"attempt": 1, "seq": 0})),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/slots"): ({"run"}, _own("/slots", SLOTS)),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/children"): (
        {"run"},
        _own("/children", {"attempt": 1, "task_slug": "load-1"}),
    ),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/children/await"): ({"run"}, _own("/children/await", {"attempt": 1})),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/secrets"): (
        {"run"},
        _own("/secrets", {"attempt": 1, "name": "TOKEN"}),
    ),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/bundle"): ({"run"}, _own("/bundle", {"attempt": 1})),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/results/store"): ({"run"}, _own("/results/store", RESULT)),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/results/read"): (
        {"run"},
        _own("/results/read", {"attempt": 1, "location": "x"}),
    ),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/results/find"): (
        {"run"},
        _own("/results/find", {"attempt": 1, "location": "x"}),
    ),
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/artifacts"): ({"run"}, _own("/artifacts", ARTIFACT)),
    ("GET", "/api/v1/artifacts"): (READERS, _fixed("/api/v1/artifacts")),
    ("GET", "/api/v1/artifacts/latest"): (READERS, _fixed("/api/v1/artifacts/latest")),
    **{
        ("GET", f"/api/v1/artifacts/{{artifact_id:uuid}}{part}"): (
            READERS,
            lambda _site, part=part: (f"/api/v1/artifacts/{uuid4()}{part}", None),
        )
        for part in ("", "/content", "/page")
    },
    ("DELETE", "/api/v1/artifacts/{artifact_id:uuid}"): (
        OPERATORS,
        lambda _site: (f"/api/v1/artifacts/{uuid4()}", None),
    ),
    ("GET", "/api/v1/results"): (ADMINS, _fixed("/api/v1/results")),
    ("POST", "/api/v1/results/read"): (ADMINS, _fixed("/api/v1/results/read", {"location": "x"})),
    ("DELETE", "/api/v1/results/{result_id:uuid}"): (ADMINS, lambda _site: (f"/api/v1/results/{uuid4()}", None)),
    ("GET", "/api/v1/agents"): (READERS, _fixed("/api/v1/agents")),
    ("GET", "/api/v1/agents/match"): (READERS, _fixed("/api/v1/agents/match?label=gpu")),
    ("GET", "/api/v1/agents/{agent_id:uuid}"): (READERS, _of_agent("", None)),
    ("GET", "/api/v1/agents/{agent_id:uuid}/runs"): (READERS, _of_agent("/runs", None)),
    ("POST", "/api/v1/agents/{agent_id:uuid}/drain"): (ADMINS, _of_agent("/drain", None)),
    ("POST", "/api/v1/agents/{agent_id:uuid}/resume"): (ADMINS, _of_agent("/resume", None)),
    ("DELETE", "/api/v1/agents/{agent_id:uuid}"): (ADMINS, _of_agent("", None)),
    ("POST", "/api/v1/agents"): ({"agent", "admin"}, _fixed("/api/v1/agents", {"name": "edge-1", "type": "process"})),
    ("POST", "/api/v1/agents/{agent_id:uuid}/claim"): ({"agent", "admin"}, _of_agent("/claim", {"free_slots": 0})),
    ("POST", "/api/v1/agents/{agent_id:uuid}/code-gone"): (
        {"agent", "admin"},
        _of_agent("/code-gone", {"flow_run_id": str(uuid4()), "attempt": 1, "reason": "gone"}),
    ),
    ("POST", "/api/v1/agents/{agent_id:uuid}/were-deleted"): (
        {"agent", "admin"},
        _of_agent("/were-deleted", {"flow_run_ids": [str(uuid4())]}),
    ),
    ("POST", "/api/v1/agents/{agent_id:uuid}/sign-off"): ({"agent", "admin"}, _of_agent("/sign-off", {})),
    ("POST", "/api/v1/agents/{agent_id:uuid}/report"): ({"agent", "admin"}, _of_agent("/report", {})),
    ("GET", "/api/v1/schedules"): (READERS, lambda site: (f"/api/v1/schedules?flow_id={_flow(site)}", None)),
    ("POST", "/api/v1/flows/{flow_id:uuid}/schedules"): (
        OPERATORS,
        lambda site: (f"/api/v1/flows/{_flow(site)}/schedules", {"document": builders.MINUTELY}),
    ),
    ("GET", "/api/v1/schedules/{schedule_id:uuid}"): (
        READERS,
        lambda site: (f"/api/v1/schedules/{_schedule(site)}", None),
    ),
    ("PATCH", "/api/v1/schedules/{schedule_id:uuid}"): (
        OPERATORS,
        lambda site: (f"/api/v1/schedules/{_schedule(site)}", {"active": False}),
    ),
    ("POST", "/api/v1/flows/{flow_id:uuid}/schedules/preview"): (
        READERS,
        lambda site: (f"/api/v1/flows/{_flow(site)}/schedules/preview", {"document": builders.MINUTELY}),
    ),
    ("GET", "/api/v1/schedules/{schedule_id:uuid}/next"): (
        READERS,
        lambda site: (f"/api/v1/schedules/{_schedule(site)}/next", None),
    ),
    ("GET", "/api/v1/schedules/{schedule_id:uuid}/deletion"): (
        READERS,
        lambda site: (f"/api/v1/schedules/{_schedule(site)}/deletion", None),
    ),
    ("POST", "/api/v1/schedules/{schedule_id:uuid}/skip"): (OPERATORS, _coming("skip")),
    ("POST", "/api/v1/schedules/{schedule_id:uuid}/unskip"): (OPERATORS, _coming("unskip")),
    ("GET", "/api/v1/schedules/{schedule_id:uuid}/skips"): (
        READERS,
        lambda site: (f"/api/v1/schedules/{_schedule(site)}/skips", None),
    ),
    ("DELETE", "/api/v1/schedules/{schedule_id:uuid}"): (
        OPERATORS,
        lambda site: (f"/api/v1/schedules/{_added_schedule(site)}", None),
    ),
    ("GET", "/api/v1/concurrency-limits"): (READERS, _fixed("/api/v1/concurrency-limits")),
    ("PUT", "/api/v1/concurrency-limits"): (
        OPERATORS,
        _fixed("/api/v1/concurrency-limits", {"kind": "label", "name": "etl", "slots": 2}),
    ),
    ("DELETE", "/api/v1/concurrency-limits/{limit_id:uuid}"): (OPERATORS, _limit),
    ("GET", "/api/v1/known-failures"): (READERS, _fixed("/api/v1/known-failures")),
    ("POST", "/api/v1/known-failures"): (OPERATORS, _failure),
    ("DELETE", "/api/v1/known-failures/{known_failure_id:uuid}"): (OPERATORS, _known_failure),
    ("GET", "/api/v1/automations"): (READERS, _fixed("/api/v1/automations")),
    ("POST", "/api/v1/automations"): (OPERATORS, _new_automation),
    ("GET", A): (READERS, _of_automation("")),
    ("PATCH", A): (OPERATORS, _of_automation("", {"enabled": False})),
    ("DELETE", A): (OPERATORS, _of_automation("")),
    ("POST", A + "/test"): (OPERATORS, _of_automation("/test")),
    ("GET", A + "/deliveries"): (READERS, _of_automation("/deliveries")),
    ("POST", "/api/v1/automations/dry-run"): (
        READERS,
        _fixed("/api/v1/automations/dry-run", {"events": ["run.failed"]}),
    ),
    ("POST", "/api/v1/deliveries/{delivery_id:uuid}/send-again"): (
        OPERATORS,
        _fixed(f"/api/v1/deliveries/{uuid4()}/send-again"),
    ),
    ("GET", "/api/v1/views"): (READERS, _fixed("/api/v1/views")),
    ("PUT", "/api/v1/views"): (READERS, _fixed("/api/v1/views", {"name": "failed", "q": "state:failed"})),
    ("PATCH", "/api/v1/views/{view_id:uuid}"): (READERS, _fixed(f"/api/v1/views/{uuid4()}", {})),
    ("DELETE", "/api/v1/views/{view_id:uuid}"): (READERS, _fixed(f"/api/v1/views/{uuid4()}")),
    ("GET", "/api/v1/secrets"): (OPERATORS, _fixed("/api/v1/secrets")),
    ("PUT", "/api/v1/secrets"): (
        OPERATORS,
        _fixed("/api/v1/secrets", {"project": "demo", "name": "TOKEN", "value": "a value"}),
    ),
    ("DELETE", "/api/v1/secrets/{secret_id:uuid}"): (OPERATORS, _secret),
    ("GET", "/api/v1/bundles"): (ADMINS, _fixed("/api/v1/bundles")),
    ("POST", "/api/v1/bundles/ask"): (OPERATORS, _fixed("/api/v1/bundles/ask", {"project": "demo"})),
    ("PUT", "/api/v1/bundles"): (
        OPERATORS,
        _fixed(
            "/api/v1/bundles", {"project": "demo", "digest": "0" * 64, "sha256": sha256(b"").hexdigest(), "content": ""}
        ),
    ),
    ("GET", "/api/v1/system/disk"): (READERS, _fixed("/api/v1/system/disk")),
    ("POST", "/api/v1/system/free-space"): (ADMINS, _fixed("/api/v1/system/free-space", {"keep_days": 365})),
    ("POST", "/api/v1/bulk"): (OPERATORS, _fixed("/api/v1/bulk", {"action": "cancel", "ids": []})),
    ("POST", "/api/v1/backfills/preview"): (READERS, lambda site: ("/api/v1/backfills/preview", _range(site))),
    ("POST", "/api/v1/backfills"): (OPERATORS, lambda site: ("/api/v1/backfills", _range(site))),
    ("GET", "/api/v1/jobs"): (READERS, _fixed("/api/v1/jobs")),
    ("GET", "/api/v1/jobs/{job_id:uuid}"): (READERS, lambda site: (f"/api/v1/jobs/{_job(site)}", None)),
    ("POST", "/api/v1/jobs/{job_id:uuid}/cancel"): (
        OPERATORS,
        lambda site: (f"/api/v1/jobs/{_job(site)}/cancel", None),
    ),
    ("GET", "/api/v1/system/hold"): (READERS, _fixed("/api/v1/system/hold")),
    ("POST", "/api/v1/system/hold/release"): (ADMINS, _fixed("/api/v1/system/hold/release")),
    ("POST", "/api/v1/system/hold/skip"): (ADMINS, _fixed("/api/v1/system/hold/skip", {})),
    ("GET", "/api/v1/system/maintenance"): (READERS, _fixed("/api/v1/system/maintenance")),
    ("PUT", "/api/v1/system/maintenance"): (ADMINS, _fixed("/api/v1/system/maintenance", {})),
    ("DELETE", "/api/v1/system/maintenance"): (ADMINS, _fixed("/api/v1/system/maintenance")),
    ("GET", "/api/v1/users"): (ADMINS, _fixed("/api/v1/users")),
    ("POST", "/api/v1/users"): (ADMINS, _user),
    ("PUT", "/api/v1/users/{user_id:uuid}/password"): (
        ADMINS,
        _of_user("/password", {"password": "a long enough one"}),
    ),
    ("PATCH", "/api/v1/users/{user_id:uuid}"): (ADMINS, _of_user("", {"disabled": True})),
    ("DELETE", "/api/v1/users/{user_id:uuid}"): (ADMINS, _of_user()),
    ("GET", "/api/v1/users/{user_id:uuid}/sessions"): (ADMINS, _of_user("/sessions")),
    ("DELETE", "/api/v1/users/{user_id:uuid}/sessions"): (ADMINS, _of_user("/sessions")),
    ("GET", "/api/v1/sessions"): (READERS, _fixed("/api/v1/sessions")),
    ("DELETE", "/api/v1/sessions/{session_id:uuid}"): (READERS, _fixed(f"/api/v1/sessions/{uuid4()}")),
    ("POST", "/api/v1/tokens/{token_id:uuid}/rotate"): (ADMINS, lambda site: (f"{_token(site)[0]}/rotate", {})),
    ("GET", "/api/v1/tokens"): (ADMINS, _fixed("/api/v1/tokens")),
    ("POST", "/api/v1/tokens"): (ADMINS, _fixed("/api/v1/tokens", {"name": "x"})),
    ("DELETE", "/api/v1/tokens/{token_id:uuid}"): (ADMINS, _token),
}
PUBLIC = {route for route, (allowed, _target) in TABLE.items() if allowed is EVERYBODY}
ANSWERED_OTHERWISE = {
    ("GET", "/assets/{path:path}"): {404},
    ("GET", "/docs"): {200, 404},  # served when built
    ("GET", "/docs/{path:path}"): {404},
    ("GET", "/simple/{path:path}"): {404},
    ("POST", "/api/v1/login"): {401, 429},
    ("POST", "/api/v1/setup"): {409},
    ("POST", "/api/v1/password"): {409},  # they have only tokens
    ("DELETE", "/api/v1/sessions/{session_id:uuid}"): {404},  # and no sessions
    ("PATCH", "/api/v1/views/{view_id:uuid}"): {404},  # and no such view
    ("DELETE", "/api/v1/views/{view_id:uuid}"): {404},
    ("POST", "/api/v1/deliveries/{delivery_id:uuid}/send-again"): {404},
    ("DELETE", "/api/v1/agents/{agent_id:uuid}"): {409},  # it is online
    ("POST", R + "/resume"): {409},  # it is not paused
    ("POST", R + "/restart"): {409},  # it has not ended
    ("POST", "/api/v1/jobs/{job_id:uuid}/cancel"): {409},  # it is over already
    ("POST", "/api/v1/system/hold/skip"): {409},  # nothing is held
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/bundle"): {404},  # its version has none
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/secrets"): {404},  # its project has no such secret
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/results/read"): {404, 409},  # nor result
    ("POST", "/api/v1/flow-runs/{flow_run_id:uuid}/artifacts"): {200, 409},  # it may not have begun
    ("POST", "/api/v1/results/read"): {200, 404},
    ("DELETE", "/api/v1/results/{result_id:uuid}"): {404},
    **{
        (method, f"/api/v1/artifacts/{{artifact_id:uuid}}{part}"): {404}
        for method, part in (("GET", ""), ("GET", "/content"), ("GET", "/page"), ("DELETE", ""))
    },
}
"""Routes that refuse these payloads for reasons other than who asks."""


def _range(site: Site) -> dict[str, Any]:
    return {
        "schedule_id": _schedule(site),
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-01T00:05:00Z",
    }


def _job(site: Site) -> str:
    found: str = site.post("/api/v1/bulk", {"action": "cancel", "ids": []}, "admin").json()["id"]
    return found


def _added_schedule(site: Site) -> str:
    made = site.post(f"/api/v1/flows/{_flow(site)}/schedules", {"document": builders.MINUTELY}, "admin")
    found: str = made.json()["id"]
    return found


@pytest.fixture
def principals(site: Site) -> Site:
    """The site with a claimed run of its own token, and with credentials that no longer hold."""
    database = site.database
    run = builders.create(
        database, builders.register(database, "own", project="own", secrets=["TOKEN"], starts={"flow": "own"}).flow_id
    )
    work = builders.claim(database, builders.enrol(database, "own"))
    assert [item.flow_run_id for item in work] == [run]
    site.tokens |= {"run": work[0].run_token, "run id": str(run), "unknown": ids.secret("api")}
    site.tokens["revoked"] = add_token(database, "admin", revoked=True)
    site.tokens["expired"] = add_token(database, "admin", expired=True)
    disabled = add_user(database, "gone", "admin")
    site.tokens["disabled"] = add_token(database, "gone")
    with database.write() as session:
        users.edit(session, disabled, "admin", disabled=True)
    return site


def _routes(site: Site) -> set[tuple[str, str]]:
    found = set()
    for route in site.app.routes:
        found |= {(method, route.path) for method in route.methods - {"OPTIONS", "HEAD"}}
    return found


def _ask(site: Site, method: str, target: Target, principal: str) -> Any:
    headers = {} if principal == "anonymous" else site.headers(principal)
    path, body = target
    return site.client.request(method, path, headers=headers, json=body)


def test_every_route_is_in_the_table(site: Site) -> None:
    assert _routes(site) == set(TABLE)


def test_matrix(principals: Site) -> None:
    wrong = [fault for route in sorted(TABLE) for fault in _faults(principals, route)]
    assert wrong == []


def _faults(site: Site, route: tuple[str, str]) -> list[str]:
    """The cells of one route that answer otherwise than the table says."""
    allowed, target = TABLE[route]
    found = []
    refused_everywhere = depth.is_full() or site.database.dialect == "sqlite" or route == ("GET", "/api/v1/me")
    for principal in sorted(EVERYBODY) + (list(DEAD) if refused_everywhere and route not in PUBLIC else []):
        if principal in allowed and route == ("GET", "/api/v1/events"):
            continue  # an endless stream: test_web reads it
        answer = _ask(site, route[0], target(site), principal)
        if principal in allowed:
            expected = ANSWERED_OTHERWISE.get(route, set(range(200, 300)))
        elif principal in DEAD or principal in ("anonymous", "run"):
            expected = {401}  # a run's token means nothing elsewhere
        else:
            expected = {403}
        shape = answer.status_code < 400 or set(answer.json()) == {"code", "message", "request_id", "details"}
        if answer.status_code not in expected or not shape:
            found.append(f"{principal} {' '.join(route)}: {answer.status_code} {answer.text[:200]}")
    return found


def test_a_run_token_opens_its_own_run_only(principals: Site) -> None:
    other = _run(principals)
    answer = principals.post(f"/api/v1/flow-runs/{other}/begin", {"attempt": 1}, "run")
    assert answer.status_code == 401


def test_a_run_token_dies_with_its_attempt(principals: Site) -> None:
    run = principals.tokens["run id"]
    assert principals.post(f"/api/v1/flow-runs/{run}/begin", {"attempt": 1}, "run").json()["verdict"] == "go"
    with principals.database.write() as session:
        session.execute(builders.text("update flow_run set run_token_hash = null, attempt = 2"))
    assert principals.post(f"/api/v1/flow-runs/{run}/report", {"attempt": 1, "seq": 0}, "run").status_code == 401


def test_a_route_without_permission_stops_the_app() -> None:
    @get("/secret", sync_to_thread=False)
    def secret() -> str:
        return "x"

    with pytest.raises(RuntimeError, match="permission"):
        check_every_route(Litestar([secret], openapi_config=None))


def test_every_graphql_field_declares_a_permission(site: Site) -> None:
    declared = permissions(schema.build())
    assert {"flowRuns", "logs", "createFlowRun"} <= set(declared)
    mutations = {
        "createFlowRun": Permission.CREATE_RUN,
        "cancelFlowRun": Permission.CANCEL_RUN,
        "pauseFlowRun": Permission.PAUSE_RUN,
        "resumeFlowRun": Permission.RESUME_RUN,
        "restartFlowRun": Permission.RESTART_RUN,
        "markFlowRun": Permission.MARK_RUN,
        "startFlowRunNow": Permission.EDIT_RUN,
        "editFlowRun": Permission.EDIT_RUN,
        "deleteFlowRun": Permission.DELETE_RUN,
        "bulkFlowRuns": Permission.BULK,
        "backfill": Permission.BACKFILL,
        "cancelJob": Permission.BULK,
        "releaseHold": Permission.MANAGE_HOLD,
        "skipHeld": Permission.MANAGE_HOLD,
        "setScheduleActive": Permission.EDIT_SCHEDULE,
        "createSchedule": Permission.EDIT_SCHEDULE,
        "editSchedule": Permission.EDIT_SCHEDULE,
        "deleteSchedule": Permission.EDIT_SCHEDULE,
        "skipDueTime": Permission.EDIT_SCHEDULE,
        "unskipDueTime": Permission.EDIT_SCHEDULE,
        "drainAgent": Permission.MANAGE_AGENTS,
        "resumeAgent": Permission.MANAGE_AGENTS,
        "forgetAgent": Permission.MANAGE_AGENTS,
        "setConcurrencyLimit": Permission.EDIT_LIMIT,
        "setRunTimeout": Permission.EDIT_LIMIT,
        "setFlowDefaults": Permission.EDIT_FLOW,
        "removeConcurrencyLimit": Permission.EDIT_LIMIT,
        "markFailure": Permission.MARK_RUN,
        "unmarkFailure": Permission.MARK_RUN,
        "createAutomation": Permission.EDIT_AUTOMATION,
        "editAutomation": Permission.EDIT_AUTOMATION,
        "deleteAutomation": Permission.EDIT_AUTOMATION,
        "testAutomation": Permission.EDIT_AUTOMATION,
        "sendAgain": Permission.EDIT_AUTOMATION,
        "saveView": Permission.SELF,
        "editView": Permission.SELF,
        "deleteView": Permission.SELF,
        "setSecret": Permission.EDIT_SECRET,
        "deleteSecret": Permission.EDIT_SECRET,
        "deleteKeptResult": Permission.MANAGE_RESULTS,
        "deleteArtifact": Permission.DELETE_RUN,
        "freeSpace": Permission.MANAGE_DISK,
        "beginMaintenance": Permission.MANAGE_MAINTENANCE,
        "endMaintenance": Permission.MANAGE_MAINTENANCE,
        "editFlow": Permission.EDIT_FLOW,
        "rollBackFlow": Permission.REGISTER_FLOW,
        "editProject": Permission.EDIT_FLOW,
        "deleteFlow": Permission.DELETE_FLOW,
        "deleteProject": Permission.DELETE_FLOW,
    }
    assert mutations.items() <= declared.items()
    mutation_type = schema.build().mutation_type
    assert mutation_type is not None and set(mutation_type.fields) == set(mutations)
    assert all(permission is not Permission.PUBLIC for permission in declared.values())
    assert len(handlers(site.app)) >= len(TABLE)


@pytest.mark.parametrize("mutation", ["createFlowRun(input: {flowId: $id}) { flowRun { id } }"])
def test_a_viewer_changes_nothing_through_graphql(site: Site, mutation: str) -> None:
    flow = _flow(site)
    before = builders.rows(site.database, "select id from flow_run")
    answer = site.graphql(f"mutation($id: UUID!) {{ {mutation} }}", "viewer", id=str(flow))
    assert answer["errors"][0]["extensions"]["code"] == "forbidden"
    assert builders.rows(site.database, "select id from flow_run") == before


def test_unknown_kinds_and_roles_may_do_nothing() -> None:
    assert permissions_of(Actor(kind="user", name="x", role=None)) == frozenset()
    assert permissions_of(SYSTEM) == frozenset()
