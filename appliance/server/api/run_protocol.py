"""REST: the run protocol. A run's token gives access to these addresses, for its own run, until its attempt ends."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from anyio import to_thread
from litestar import Request, Router, post

from appliance.config import Settings
from appliance.kit import clock
from appliance.protocol.bundles import BundleContent, TakeBundle
from appliance.protocol.run_protocol import (
    LONGEST_CHILD_WAIT,
    LONGEST_SLOT_WAIT,
    AskChild,
    AskSlots,
    AwaitChildren,
    Begin,
    Begun,
    ChildAnswer,
    EndedChildren,
    Report,
    Reported,
    Slots,
)
from appliance.protocol.secrets import AskSecret, SecretValue
from appliance.server.actions import bundles, child_runs, secrets
from appliance.server.actions import run_protocol as runs
from appliance.server.actions import slots as task_slots
from appliance.server.api import PREFIX, turns
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.session import Database
from appliance.server.events.broadcast import Broadcast

REPORT_LIMIT = 16 * 1024 * 1024


@turns.post("/begin", permission=Permission.RUN_PROTOCOL, body=Begin, status_code=200)
def begin(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes, after: str | None = None) -> Begun:
    """Begin this attempt, if it may run now. With `after`, the task runs of earlier attempts come in pages: it is empty for the first, and
    then what the answer before says in `more_after`. Without it, all come at once."""
    return runs.begin(_database(request), request.user, flow_run_id, decode(body, Begin), after)


@turns.post(
    "/report", permission=Permission.RUN_PROTOCOL, body=Report, status_code=200, request_max_body_size=REPORT_LIMIT
)
def report(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes) -> Reported:
    """Store a numbered batch of states and logs. An empty batch is a heartbeat."""
    return runs.report(_database(request), request.user, flow_run_id, decode(body, Report))


@post("/slots", opt={"permission": Permission.RUN_PROTOCOL, "body": AskSlots}, status_code=200)
async def slots(
    request: Request[Actor, Any, Any], broadcast: Broadcast, stopping: asyncio.Event, flow_run_id: UUID
) -> Slots:
    """Request slots for a task run under the limits on its tags. Waits up to `wait_s` seconds, at most 3, for a slot."""
    message = decode(await request.body(), AskSlots)
    until = clock.monotonic() + min(max(0.0, message.wait_s), LONGEST_SLOT_WAIT)
    while True:
        ticket = broadcast.slots_freed.ticket()  # taken first, so that nothing between checking and waiting is missed
        answer = await to_thread.run_sync(task_slots.acquire, _database(request), request.user, flow_run_id, message)
        left = until - clock.monotonic()
        if answer.granted or answer.timed or left <= 0 or stopping.is_set():
            return answer
        await broadcast.slots_freed.wait(left, ticket)


@turns.post("/children", permission=Permission.RUN_PROTOCOL, body=AskChild, status_code=200)
def child(request: Request[Actor, Any, Any], flow_run_id: UUID, body: bytes) -> ChildAnswer:
    """Start a run for a task, if the flow of this attempt declares that, or find the one that the task run has started."""
    return child_runs.follow(_database(request), request.user, flow_run_id, decode(body, AskChild))


@post("/children/await", opt={"permission": Permission.RUN_PROTOCOL, "body": AwaitChildren}, status_code=200)
async def ended_children(
    request: Request[Actor, Any, Any], broadcast: Broadcast, stopping: asyncio.Event, flow_run_id: UUID
) -> EndedChildren:
    """List the children that have ended, of those that the run waits for. Waits up to `wait_s` seconds, at most 20, for a change."""
    message = decode(await request.body(), AwaitChildren)
    until = clock.monotonic() + min(max(0.0, message.wait_s), LONGEST_CHILD_WAIT)
    while True:
        ticket = broadcast.slots_freed.ticket()  # it fires whenever a run ends
        ended = await to_thread.run_sync(child_runs.ended, _database(request), flow_run_id, message)
        left = until - clock.monotonic()
        if ended.mark != message.mark or left <= 0 or stopping.is_set():
            return ended
        await broadcast.slots_freed.wait(left, ticket)


@post("/secrets", opt={"permission": Permission.RUN_PROTOCOL, "body": AskSecret}, status_code=200, sync_to_thread=True)
def secret(
    request: Request[Actor, Any, Any], database: Database, settings: Settings, flow_run_id: UUID, body: bytes
) -> SecretValue:
    """Read a secret that the flow of this attempt declares."""
    request.scope["state"]["uncompressed"] = True
    return secrets.reveal(database, SecretKeys(settings.secrets_key_path), flow_run_id, decode(body, AskSecret))


@post("/bundle", opt={"permission": Permission.RUN_PROTOCOL, "body": TakeBundle}, status_code=200, sync_to_thread=True)
def bundle(request: Request[Actor, Any, Any], database: Database, flow_run_id: UUID, body: bytes) -> BundleContent:
    """Download the bundle with the code of this attempt."""
    request.scope["state"]["uncompressed"] = True
    return bundles.take(database, flow_run_id, decode(body, TakeBundle))


def _database(request: Request[Actor, Any, Any]) -> Database:
    """From the app's state: injecting several dependencies costs a task group per request, and this path is hot."""
    database: Database = request.app.state["database"]
    return database


router = Router(
    f"{PREFIX}/flow-runs/{{flow_run_id:uuid}}",
    route_handlers=[begin, report, slots, child, ended_children, secret, bundle],
)
