"""REST: the run protocol. A run's own token opens these addresses, for its own run, while its attempt lasts."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from anyio import to_thread
from litestar import Request, Router, post

from appliance.kit import clock
from appliance.protocol.run_protocol import LONGEST_SLOT_WAIT, AskSlots, Begin, Begun, Report, Reported, Slots
from appliance.server.actions import run_protocol as runs
from appliance.server.actions import slots as task_slots
from appliance.server.api import turns
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.events.broadcast import Broadcast

REPORT_LIMIT = 16 * 1024 * 1024


@turns.post("/begin", permission=Permission.RUN_PROTOCOL, body=Begin, status_code=200)
def begin(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes) -> Begun:
    """May this attempt run?"""
    return runs.begin(_database(request), request.user, flow_run_id, decode(body, Begin))


@turns.post(
    "/report", permission=Permission.RUN_PROTOCOL, body=Report, status_code=200, request_max_body_size=REPORT_LIMIT
)
def report(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes) -> Reported:
    """Store a numbered batch of states and logs, or note a heartbeat."""
    return runs.report(_database(request), request.user, flow_run_id, decode(body, Report))


@post("/slots", opt={"permission": Permission.RUN_PROTOCOL, "body": AskSlots}, status_code=200)
async def slots(
    request: Request[Actor, Any, Any], broadcast: Broadcast, stopping: asyncio.Event, flow_run_id: UUID
) -> Slots:
    """May a task run start under the limits of its tags? Waits up to `wait_s` seconds, 3 at most, for a slot."""
    asked = decode(await request.body(), AskSlots)
    until = clock.monotonic() + min(max(0.0, asked.wait_s), LONGEST_SLOT_WAIT)
    while True:
        ticket = broadcast.slots_freed.ticket()  # before looking, so that nothing between looking and waiting is missed
        found = await to_thread.run_sync(task_slots.ask, _database(request), request.user, flow_run_id, asked)
        left = until - clock.monotonic()
        if found.granted or left <= 0 or stopping.is_set():
            return found
        await broadcast.slots_freed.wait(left, ticket)


def _database(request: Request[Actor, Any, Any]) -> Database:
    """From the app itself: injecting several things costs a task group per request, and this is the hot path."""
    database: Database = request.app.state["database"]
    return database


router = Router("/flow-runs/{flow_run_id:uuid}", route_handlers=[begin, report, slots])
