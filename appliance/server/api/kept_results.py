"""REST: results that the appliance keeps. Runs store and read them by the run protocol, in turns of their own, so that they hold up no reports;
administrators list, read and remove them."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from litestar import Request, Router, delete, get, post

from appliance.protocol.message import Page
from appliance.protocol.results import (
    MOST_BYTES,
    AskKeptResult,
    AskResult,
    KeptResultView,
    ResultContent,
    ResultFacts,
    StoreResult,
)
from appliance.server.actions import kept_results as actions
from appliance.server.api import PREFIX, large_messages
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import kept_results, pages
from appliance.server.db.session import Database


@get("/results", opt={"permission": Permission.MANAGE_RESULTS, "items": KeptResultView}, sync_to_thread=True)
def index(
    database: Database,
    project: str | None = None,
    prefix: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List the results that the appliance keeps, newest first, without their bytes. `project` is a whole name, `prefix` the beginning of the
    location, within one project."""
    with database.read() as session:
        page = kept_results.page(session, pages.size(limit), after, project, prefix)
        views = [
            KeptResultView(**{name: getattr(row, name) for name in KeptResultView.__struct_fields__})
            for row in page.rows
        ]
        return Page(items=views, next=page.next)


@post(
    "/results/read",
    opt={"permission": Permission.MANAGE_RESULTS, "body": AskKeptResult},
    status_code=200,
    sync_to_thread=True,
)
def read_one(request: Request[Actor, Any, Any], database: Database, body: bytes) -> ResultContent:
    """Read the bytes of a result."""
    request.scope["state"]["uncompressed"] = True
    return actions.read_as_person(database, decode(body, AskKeptResult))


@delete("/results/{result_id:uuid}", opt={"permission": Permission.MANAGE_RESULTS}, sync_to_thread=True)
def remove(database: Database, actor: Actor, result_id: UUID) -> None:
    """Remove a result, so that its task runs again when the result is needed."""
    actions.remove(database, actor, result_id)


def routers(database: Database) -> list[Router]:
    """The routes for people, and those of the run protocol."""
    writing, reading = large_messages.writing(database), large_messages.reading()

    @post(
        "/results/store",
        opt={"permission": Permission.RUN_PROTOCOL, "body": StoreResult},
        status_code=200,
        request_max_body_size=large_messages.body_limit(MOST_BYTES),
    )
    async def store_result(request: Request[Actor, Any, Any], flow_run_id: UUID) -> ResultFacts:
        """Store a result of this attempt. The same bytes again change nothing."""
        body = await request.body()
        return await writing.take(partial(actions.store, database, flow_run_id), partial(decode, body, StoreResult))

    @post("/results/read", opt={"permission": Permission.RUN_PROTOCOL, "body": AskResult}, status_code=200)
    async def read_result(request: Request[Actor, Any, Any], flow_run_id: UUID) -> ResultContent:
        """Read the bytes of a result of the run's project."""
        request.scope["state"]["uncompressed"] = True
        body = await request.body()
        return await reading.take(partial(actions.read, database, flow_run_id), partial(decode, body, AskResult))

    @post("/results/find", opt={"permission": Permission.RUN_PROTOCOL, "body": AskResult}, status_code=200)
    async def find_result(request: Request[Actor, Any, Any], flow_run_id: UUID) -> ResultFacts:
        """Ask whether the run's project has a result, without its bytes."""
        body = await request.body()
        return await reading.take(partial(actions.find, database, flow_run_id), partial(decode, body, AskResult))

    of_runs = Router(
        f"{PREFIX}/flow-runs/{{flow_run_id:uuid}}", route_handlers=[store_result, read_result, find_result]
    )
    return [Router(PREFIX, route_handlers=[index, read_one, remove]), of_runs]
