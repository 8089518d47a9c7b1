"""REST: the run protocol. A run's own token opens these two addresses, for its own run, while its attempt lasts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Router, post

from appliance.core.protocol import Begin, Begun, Report, Reported
from appliance.server.actions import runs
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database

REPORT_LIMIT = 16 * 1024 * 1024


@post("/begin", opt={"permission": Permission.RUN_PROTOCOL, "body": Begin}, status_code=200, sync_to_thread=True)
def begin(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes) -> Begun:
    """May this attempt run?"""
    return runs.begin(_database(request), request.user, flow_run_id, decode(body, Begin))


@post(
    "/report",
    opt={"permission": Permission.RUN_PROTOCOL, "body": Report},
    status_code=200,
    request_max_body_size=REPORT_LIMIT,
    sync_to_thread=True,
)
def report(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes) -> Reported:
    """Store a numbered batch of states and logs, or note a heartbeat."""
    return runs.report(_database(request), request.user, flow_run_id, decode(body, Report))


def _database(request: Request[Actor, Any, Any]) -> Database:
    """From the app itself: injecting several things costs a task group per request, and this is the hot path."""
    database: Database = request.app.state["database"]
    return database


router = Router("/flow-runs/{flow_run_id:uuid}", route_handlers=[begin, report])
