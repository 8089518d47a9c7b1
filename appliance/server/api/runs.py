"""REST: the run protocol. A run's own token opens these two addresses, for its own run, while its attempt lasts."""

from __future__ import annotations

from uuid import UUID

from litestar import Router, post

from appliance.core.protocol import Begin, Begun, Report, Reported
from appliance.server.actions import runs
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database

REPORT_LIMIT = 16 * 1024 * 1024


@post("/begin", opt={"permission": Permission.RUN_PROTOCOL}, status_code=200, sync_to_thread=True)
def begin(database: Database, actor: Actor, flow_run_id: UUID, body: bytes) -> Begun:
    """May this attempt run?"""
    return runs.begin(database, actor, flow_run_id, decode(body, Begin))


@post(
    "/report",
    opt={"permission": Permission.RUN_PROTOCOL},
    status_code=200,
    request_max_body_size=REPORT_LIMIT,
    sync_to_thread=True,
)
def report(database: Database, actor: Actor, flow_run_id: UUID, body: bytes) -> Reported:
    """Store a numbered batch of states and logs, or note a heartbeat."""
    return runs.report(database, actor, flow_run_id, decode(body, Report))


router = Router("/flow-runs/{flow_run_id:uuid}", route_handlers=[begin, report])
