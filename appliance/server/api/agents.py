"""REST: the agent protocol. A claim waits for work to start or stop, without occupying a thread."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from anyio import to_thread
from litestar import Request, Router, get, post
from litestar.params import Parameter

from appliance.kit import clock
from appliance.protocol.agents import (
    MAX_WAIT,
    AgentReport,
    AgentReported,
    Claim,
    Claimed,
    CodeGone,
    Deleted,
    Enrol,
    Enrolled,
    TakenBack,
    WereDeleted,
)
from appliance.protocol.message import Page
from appliance.server.actions import agents as actions
from appliance.server.actions import deploys
from appliance.server.api import PREFIX, turns
from appliance.server.api.bodies import decode
from appliance.server.api.gate import request_credentials, still_allowed
from appliance.server.api.views import AgentView
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import agents, flow_runs
from appliance.server.db.session import Database
from appliance.server.domain.waiting import agent_health
from appliance.server.errors import Unauthenticated
from appliance.server.events.broadcast import Broadcast


@get("/", opt={"permission": Permission.READ, "items": AgentView}, sync_to_thread=True)
def index(
    database: Database,
    health: str | None = None,
    labels: Annotated[list[str] | None, Parameter(query="label")] = None,
) -> Page:
    """List agents, most recently seen first: all, those of a health, or those that have every `label` (repeatable)."""
    now = clock.now()
    with database.read() as session:
        rows = agents.matching(session, now, health, labels or ())
        running = flow_runs.live_counts_of_agents(session, [row.id for row in rows])
    items = [
        AgentView(
            id=row.id,
            name=row.name,
            type=row.type,
            labels=row.labels,
            projects=row.projects or [],
            capacity=row.capacity,
            version=row.version,
            host=row.host,
            roots=row.roots,
            env_names=row.env_names,
            storages=row.storages,
            problems=row.problems or [],
            results_url=row.results_url,
            health=agent_health(row.state, row.last_seen, now),
            last_seen=row.last_seen,
            running=running.get(row.id, 0),
        )
        for row in rows
    ]
    return Page(items=items)


@post("/", opt={"permission": Permission.AGENT_PROTOCOL, "body": Enrol}, sync_to_thread=True)
def enrol(database: Database, actor: Actor, body: bytes) -> Enrolled:
    """Register an agent, or register it again after a restart."""
    return actions.enrol(database, actor, decode(body, Enrol))


@post("/{agent_id:uuid}/claim", opt={"permission": Permission.AGENT_PROTOCOL, "body": Claim}, status_code=200)
async def claim(
    request: Request[Any, Any, Any],
    database: Database,
    broadcast: Broadcast,
    stopping: asyncio.Event,
    actor: Actor,
    agent_id: UUID,
) -> Claimed:
    """Claim up to `free_slots` due runs. Waits up to `wait_s` seconds for the first one, or for a run that must be stopped. After a wait,
    nothing is handed out unless the caller still has access."""
    message = decode(await request.body(), Claim)
    until = clock.monotonic() + min(max(0.0, message.wait_s), MAX_WAIT)
    credentials = request_credentials(request, Permission.AGENT_PROTOCOL)
    looked_before = False
    disconnect = asyncio.create_task(_disconnected(request))
    try:
        while True:
            ticket = (
                broadcast.work_ready.ticket()
            )  # taken first, so that nothing between checking and waiting is missed
            room_ticket = broadcast.room_made.ticket()
            access_ticket = broadcast.access_changed.ticket()
            if looked_before and not await to_thread.run_sync(
                still_allowed, database, credentials, Permission.AGENT_PROTOCOL, clock.now()
            ):
                raise Unauthenticated("The token is no longer valid.")
            looked_before = True
            attempt = await to_thread.run_sync(actions.claim_due, database, actor, agent_id, message)
            answer = attempt.answer
            left = until - clock.monotonic()
            if answer.work or answer.stop or left <= 0 or stopping.is_set():
                return answer
            waiting = {
                asyncio.create_task(broadcast.work_ready.wait(left, ticket)),
                asyncio.create_task(broadcast.access_changed.wait(left, access_ticket)),
            }
            if attempt.blocked:
                waiting.add(asyncio.create_task(broadcast.room_made.wait(left, room_ticket)))
            await asyncio.wait({*waiting, disconnect}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            if disconnect.done():  # no one is left to start what would be claimed
                return Claimed()
    finally:
        disconnect.cancel()


@turns.post("/{agent_id:uuid}/report", permission=Permission.AGENT_PROTOCOL, body=AgentReport, status_code=200)
def report(request: Request[Actor, Any, Any], agent_id: UUID, body: bytes) -> AgentReported:
    """Report what happened to claimed runs."""
    return actions.report(request.app.state["database"], request.user, agent_id, decode(body, AgentReport))


@post(
    "/{agent_id:uuid}/code-gone",
    opt={"permission": Permission.AGENT_PROTOCOL, "body": CodeGone},
    status_code=200,
    sync_to_thread=True,
)
def code_gone(database: Database, actor: Actor, agent_id: UUID, body: bytes) -> TakenBack:
    """Report that the code of a claimed run can't be obtained: the run moves to the newest version, or waits."""
    return deploys.take_back(database, actor, agent_id, decode(body, CodeGone))


@post(
    "/{agent_id:uuid}/were-deleted",
    opt={"permission": Permission.AGENT_PROTOCOL, "body": WereDeleted},
    status_code=200,
    sync_to_thread=True,
)
def were_deleted(database: Database, actor: Actor, agent_id: UUID, body: bytes) -> Deleted:
    """Ask which of up to 1,000 runs were deleted within the last month, so that the agent may remove the results that they kept on its host."""
    return actions.deleted(database, actor, agent_id, decode(body, WereDeleted))


@post("/{agent_id:uuid}/sign-off", opt={"permission": Permission.AGENT_PROTOCOL}, status_code=204, sync_to_thread=True)
def sign_off(database: Database, actor: Actor, agent_id: UUID) -> None:
    """Report that an agent has stopped. Its runs continue."""
    actions.sign_off(database, actor, agent_id)


async def _disconnected(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


router = Router(f"{PREFIX}/agents", route_handlers=[index, enrol, claim, report, code_gone, were_deleted, sign_off])
