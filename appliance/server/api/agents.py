"""REST: agents and the agent protocol. A claim waits for work to start or stop, without occupying a thread."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Request, Router, delete, get, post
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
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.message import Answer, Page
from appliance.server.actions import agent_match, agent_states, deploys, takers
from appliance.server.actions import agents as actions
from appliance.server.api import PREFIX, turns, views
from appliance.server.api.bodies import decode
from appliance.server.api.gate import request_credentials, still_allowed
from appliance.server.api.views import AgentView
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import agents
from appliance.server.db.session import Database
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
        return Page(items=views.agents(session, rows, now))


class MissingView(Answer, kw_only=True):
    """`code`: label, host, project, kind, storage, user, python, offline, draining or quarantined."""

    code: str
    values: list[str]
    sentence: str


class CandidateView(Answer, kw_only=True):
    id: UUID
    name: str
    health: str
    capacity: int
    running: int
    missing: list[MissingView]  # empty: it would take the run


class AgentMatchView(Answer, kw_only=True):
    """`code` and `sentence` are those of a run's wait reason."""

    taking: int  # how many agents would take the run
    code: str
    sentence: str
    agents: list[CandidateView]  # those that lack least come first; at most 50
    total: int


class AgentRunsView(Answer, kw_only=True):
    live: list[FlowRunView]  # the longest first, at most 50
    waiting: list[FlowRunView]  # due ones that it would take, at most 20
    ended: list[FlowRunView]  # newest first, at most 20, among the 2,000 runs that ended last


@get("/match", opt={"permission": Permission.READ}, sync_to_thread=True)
def match(
    database: Database,
    labels: Annotated[list[str] | None, Parameter(query="label")] = None,
    project: str | None = None,
    kind: str | None = None,
    storage: str | None = None,
    user: str | None = None,
    python: str | None = None,
) -> AgentMatchView:
    """Find out which agents would take a run with every `label` (repeatable), of a project, with a kind of run config, and with its code in a
    type of storage, and with a `user` and a `python` in its run config. Without a kind, any agent can start it; without a storage, its code is in files."""
    with database.read() as session:
        answer = agent_match.match(session, labels or [], project, kind, storage, user, python, clock.now())
    return msgspec.convert(answer, AgentMatchView, from_attributes=True)


@get("/{agent_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, agent_id: UUID) -> AgentView:
    """Get one agent."""
    return _view(database, agent_id)


@get("/{agent_id:uuid}/runs", opt={"permission": Permission.READ}, sync_to_thread=True)
def runs(database: Database, agent_id: UUID) -> AgentRunsView:
    """Get the runs that an agent has, the due ones that it would take with the reasons why they wait, and the last ones that ended with it."""
    with database.read() as session:
        parts = takers.runs_of(session, agent_states.known(session, agent_id), clock.now())
        return AgentRunsView(
            live=views.flow_runs(session, parts.live),
            waiting=views.flow_runs(session, parts.waiting),
            ended=views.flow_runs(session, parts.ended),
        )


@post("/{agent_id:uuid}/drain", opt={"permission": Permission.MANAGE_AGENTS}, status_code=200, sync_to_thread=True)
def drain(database: Database, actor: Actor, agent_id: UUID) -> AgentView:
    """Give an agent no more runs, until it is resumed. Those that it has go on."""
    agent_states.drain(database, actor, agent_id)
    return _view(database, agent_id)


@post("/{agent_id:uuid}/resume", opt={"permission": Permission.MANAGE_AGENTS}, status_code=200, sync_to_thread=True)
def resume(database: Database, actor: Actor, agent_id: UUID) -> AgentView:
    """Give a drained agent runs again."""
    agent_states.resume(database, actor, agent_id)
    return _view(database, agent_id)


@delete("/{agent_id:uuid}", opt={"permission": Permission.MANAGE_AGENTS}, sync_to_thread=True)
def forget(database: Database, actor: Actor, agent_id: UUID) -> None:
    """Leave an offline agent without runs out of all lists. If it comes back, it is there again."""
    agent_states.forget(database, actor, agent_id)


def _view(database: Database, agent_id: UUID) -> AgentView:
    with database.read() as session:
        return views.agents(session, [agent_states.known(session, agent_id)], clock.now())[0]


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
                return msgspec.structs.replace(answer, at=clock.now())
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


router = Router(
    f"{PREFIX}/agents",
    route_handlers=[
        index,
        match,
        show,
        runs,
        drain,
        resume,
        forget,
        enrol,
        claim,
        report,
        code_gone,
        were_deleted,
        sign_off,
    ],
)
